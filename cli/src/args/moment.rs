//! A moment as people name one: a date, a day of this week, a time of day, or how long ago.

use std::time::Duration;

use engine::base::time::Timestamp;
use jiff::civil::{Date, DateTime, Time, Weekday};
use jiff::tz::TimeZone;

use crate::units;

/// Letters of a short name of a day of the week.
const SHORT_DAY: usize = 3;
/// The last nanosecond of a second.
const LAST_NANO: i32 = 999_999_999;

/// A text names no moment.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "this is not a point in time; write, for example, 2026-11-20, \"2026-11-20 18:00\", yesterday, \"tuesday 18:00\", \
     2026-11-20T18:00:00Z or 3d"
)]
pub struct MomentError;

/// A moment, before it is known what time it is here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Moment {
    /// That long before now.
    Ago(Duration),
    /// As a clock here shows it.
    Local(DateTime),
    /// A day that is named from today; without a time of day its end.
    Day(Day, Option<Time>),
    /// The same everywhere.
    Exact(jiff::Timestamp),
}

/// A day as it is called today.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Day {
    /// This one.
    Today,
    /// The one before.
    Yesterday,
    /// The last of that name that has come.
    Last(Weekday),
}

impl Day {
    fn find(word: &str) -> Option<Self> {
        let days = [
            ("today", Self::Today),
            ("yesterday", Self::Yesterday),
            ("monday", Self::Last(Weekday::Monday)),
            ("tuesday", Self::Last(Weekday::Tuesday)),
            ("wednesday", Self::Last(Weekday::Wednesday)),
            ("thursday", Self::Last(Weekday::Thursday)),
            ("friday", Self::Last(Weekday::Friday)),
            ("saturday", Self::Last(Weekday::Saturday)),
            ("sunday", Self::Last(Weekday::Sunday)),
        ];
        let word = word.to_ascii_lowercase();
        let is_short = |name: &str| word.len() == SHORT_DAY && name.starts_with(&word);
        let is_it = |(name, day): &(&str, Self)| {
            *name == word || (matches!(day, Self::Last(_)) && is_short(name))
        };
        days.into_iter().find(is_it).map(|(_, day)| day)
    }

    /// The moment on this day, where a clock shows `now`; of a day of the week the last that is over.
    fn at(self, time: Option<Time>, now: DateTime) -> Option<DateTime> {
        let end = Time::constant(23, 59, 59, LAST_NANO);
        let on = |date: Date| date.to_datetime(time.unwrap_or(end));
        match self {
            Self::Today => Some(on(now.date())),
            Self::Yesterday => now.date().yesterday().ok().map(on),
            Self::Last(weekday) => {
                let since = now.date().weekday().since(weekday);
                let date = now.date().checked_sub(jiff::Span::new().days(since)).ok()?;
                match time.is_some() && on(date) > now {
                    true => date.checked_sub(jiff::Span::new().days(7)).ok().map(on),
                    false => Some(on(date)),
                }
            }
        }
    }
}

impl std::str::FromStr for Moment {
    type Err = MomentError;

    fn from_str(text: &str) -> Result<Self, MomentError> {
        if let Ok(ago) = units::parse_duration(text) {
            return Ok(Self::Ago(ago));
        }
        let (word, rest) = text.split_once(' ').unwrap_or((text, ""));
        if let Some(day) = Day::find(word) {
            let time = match rest.trim() {
                "" => None,
                time => Some(time.parse().map_err(|_| MomentError)?),
            };
            return Ok(Self::Day(day, time));
        }
        if !text.contains(':') {
            // A whole day: what was there on that day includes its evening.
            let date: Date = text.parse().map_err(|_| MomentError)?;
            return Ok(Self::Local(date.at(23, 59, 59, LAST_NANO)));
        }
        if let Ok(exact) = text.parse() {
            return Ok(Self::Exact(exact));
        }
        text.parse().map(Self::Local).map_err(|_| MomentError)
    }
}

impl Moment {
    /// Whether it depends on what time it is here.
    #[must_use]
    pub const fn is_relative(&self) -> bool {
        matches!(self, Self::Ago(_) | Self::Day(..))
    }

    /// When that is, for a clock in `zone` that shows `now`. In the hour that a clock skips or
    /// shows twice, it is what the zone's rules before the change say.
    #[must_use]
    pub fn resolve(&self, now: Timestamp, zone: &TimeZone) -> Timestamp {
        let exact = match self {
            Self::Ago(ago) => {
                let seconds = now.seconds.saturating_sub_unsigned(ago.as_secs());
                return Timestamp { seconds, nanos: now.nanos };
            }
            Self::Local(shown) => zone.to_ambiguous_timestamp(*shown).compatible(),
            Self::Day(day, time) => {
                let nanos = i32::try_from(now.nanos).unwrap_or(0);
                let here = jiff::Timestamp::new(now.seconds, nanos).map(|it| zone.to_datetime(it));
                let shown = here.ok().and_then(|now| day.at(*time, now));
                zone.to_ambiguous_timestamp(shown.unwrap_or(DateTime::MAX)).compatible()
            }
            Self::Exact(exact) => Ok(*exact),
        };
        // Beyond what a calendar holds everything is before.
        let exact = exact.unwrap_or(jiff::Timestamp::MAX);
        let seconds = exact.as_nanosecond().div_euclid(1_000_000_000) as i64;
        let nanos = exact.as_nanosecond().rem_euclid(1_000_000_000) as u32;
        Timestamp { seconds, nanos }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn resolved(text: &str, zone: &str) -> Result<String, MomentError> {
        let now = Timestamp { seconds: 1_795_000_000, nanos: 0 };
        let zone = TimeZone::get(zone).expect("a zone");
        text.parse::<Moment>().map(|moment| units::rfc3339(moment.resolve(now, &zone)))
    }

    #[test]
    fn moments_are_local_unless_they_say_otherwise() {
        for (text, zone, expected) in [
            ("2026-11-20 18:00", "UTC", "2026-11-20T18:00:00Z"),
            ("2026-11-20T18:00", "Europe/Berlin", "2026-11-20T17:00:00Z"),
            ("2026-11-20 18:00:30", "Europe/Berlin", "2026-11-20T17:00:30Z"),
            ("2026-11-20T18:00:00Z", "Europe/Berlin", "2026-11-20T18:00:00Z"),
            ("2026-11-20T18:00:00+02:00", "UTC", "2026-11-20T16:00:00Z"),
            ("2026-11-20", "Europe/Berlin", "2026-11-20T22:59:59.999999999Z"),
            // Skipped in spring: the clock went from 2:00 to 3:00.
            ("2026-03-29 02:30", "Europe/Berlin", "2026-03-29T01:30:00Z"),
            ("1h", "UTC", "2026-11-18T10:06:40Z"),
            // It is Wednesday, 12:06 in Berlin.
            ("today", "Europe/Berlin", "2026-11-18T22:59:59.999999999Z"),
            ("yesterday", "Europe/Berlin", "2026-11-17T22:59:59.999999999Z"),
            ("Yesterday 18:00", "Europe/Berlin", "2026-11-17T17:00:00Z"),
            ("tuesday 18:00", "Europe/Berlin", "2026-11-17T17:00:00Z"),
            ("wed 12:00", "Europe/Berlin", "2026-11-18T11:00:00Z"),
            ("wed 12:30", "Europe/Berlin", "2026-11-11T11:30:00Z"),
            ("wednesday", "Europe/Berlin", "2026-11-18T22:59:59.999999999Z"),
            ("thursday", "Europe/Berlin", "2026-11-12T22:59:59.999999999Z"),
            ("sunday 02:30", "UTC", "2026-11-15T02:30:00Z"),
        ] {
            assert_eq!(resolved(text, zone), Ok(expected.to_owned()), "{text} in {zone}");
        }
    }

    #[test]
    fn what_is_no_moment_is_refused() {
        for text in [
            "",
            "18:00",
            "2026-13-01",
            "20.11.2026",
            "3",
            "-3d",
            "tomorrow",
            "tues",
            "tod",
            "yes",
            "tuesday evening",
            "tuesday 25:00",
            "yesterday2",
        ] {
            assert_eq!(resolved(text, "UTC"), Err(MomentError), "{text}");
        }
    }
}
