//! Limits of rates that hold at some hours of the day: `[[bandwidth]]`.

use std::num::NonZeroU32;
use std::sync::Arc;

use agent::config::schedule::Window;
use engine::base::time::Clock;
use engine::store::{Limits, Rates};
use jiff::tz::TimeZone;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Limits within some hours of the day. Within them, a direction without a limit goes as fast as it can.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Bandwidth {
    /// The hours, in the zone of the configuration; they may go over midnight: `08:00-18:00`.
    pub window: Window,
    /// KiB per second that go to the store at most.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit_upload: Option<NonZeroU32>,
    /// KiB per second that come from the store at most.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit_download: Option<NonZeroU32>,
}

impl Bandwidth {
    fn is_at(&self, minute: u16) -> bool {
        let Window { from_min, to_min } = self.window;
        match from_min < to_min {
            true => (from_min..to_min).contains(&minute),
            false => minute >= from_min || minute < to_min,
        }
    }
}

/// A pair of limits: to the store, from it.
type Pair = (Option<NonZeroU32>, Option<NonZeroU32>);

/// Limits by the clock on the wall.
struct ByHours {
    outside: Pair,
    hours: Vec<Bandwidth>,
    zone: TimeZone,
    clock: Arc<dyn Clock>,
}

impl std::fmt::Debug for ByHours {
    fn fmt(&self, to: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        to.debug_struct("ByHours").field("hours", &self.hours).finish_non_exhaustive()
    }
}

impl ByHours {
    fn at(&self, minute: u16) -> Pair {
        let within = self.hours.iter().find(|hours| hours.is_at(minute));
        within.map_or(self.outside, |hours| (hours.limit_upload, hours.limit_download))
    }
}

impl Rates for ByHours {
    fn now(&self) -> Pair {
        let now = jiff::Timestamp::from_second(self.clock.now().seconds).unwrap_or_default();
        let time = now.to_zoned(self.zone.clone()).time();
        self.at(u16::from(time.hour().unsigned_abs()) * 60 + u16::from(time.minute().unsigned_abs()))
    }

    fn lowest(&self) -> Pair {
        let all = || self.hours.iter().map(|it| (it.limit_upload, it.limit_download));
        let all = || all().chain([self.outside]);
        (all().filter_map(|(up, _)| up).min(), all().filter_map(|(_, down)| down).min())
    }
}

/// The limits that hold: always the same, or by the hours of the day.
#[must_use]
pub fn limits(
    outside: Pair,
    hours: &[Bandwidth],
    zone: &TimeZone,
    clock: &Arc<dyn Clock>,
) -> Limits {
    if hours.is_empty() {
        return Limits::new(outside.0, outside.1);
    }
    let (hours, zone, clock) = (hours.to_vec(), zone.clone(), Arc::clone(clock));
    let rates: Arc<dyn Rates> = Arc::new(ByHours { outside, hours, zone, clock });
    Limits::changing(&rates)
}

#[cfg(test)]
mod tests {
    use engine::base::time::SystemClock;

    use super::*;

    #[test]
    fn hours_go_over_midnight_and_the_first_that_fits_counts() {
        let window = |text: &str| Window::try_from(text.to_owned()).expect("a window");
        let kib = NonZeroU32::new;
        let by_hours = ByHours {
            outside: (kib(9), None),
            hours: vec![
                Bandwidth {
                    window: window("22:00-06:00"),
                    limit_upload: None,
                    limit_download: None,
                },
                Bandwidth {
                    window: window("05:00-18:00"),
                    limit_upload: kib(3),
                    limit_download: kib(4),
                },
            ],
            zone: TimeZone::UTC,
            clock: Arc::new(SystemClock::default()),
        };
        for (hour, pair) in [
            (23, (None, None)),
            (0, (None, None)),
            (5, (None, None)),
            (6, (kib(3), kib(4))),
            (17, (kib(3), kib(4))),
            (18, (kib(9), None)),
            (21, (kib(9), None)),
        ] {
            assert_eq!(by_hours.at(hour * 60), pair, "{hour}");
        }
        assert_eq!(by_hours.lowest(), (kib(3), kib(4)));
    }
}
