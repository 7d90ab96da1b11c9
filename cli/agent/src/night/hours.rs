//! Hours in which jobs begin: `window`.

use jiff::Timestamp;
use jiff::civil::{Date, Time};
use jiff::tz::TimeZone;

use crate::calendar;
use crate::config::schedule::Window;
use crate::plan::Plan;

/// The window of a plan in its zone.
pub(super) struct Hours<'a> {
    window: Option<Window>,
    zone: &'a TimeZone,
}

impl<'a> Hours<'a> {
    pub(super) fn of(plan: &'a Plan) -> Self {
        Self { window: plan.rules.window, zone: &plan.zone }
    }

    /// When they open next; `None` if they are open.
    pub(super) fn opens_after(&self, now_s: i64) -> Option<i64> {
        let window = self.window?;
        match is_open(window, minute_of_day(self.zone, now_s)?) {
            true => None,
            false => self.next_at(window.from_min, now_s),
        }
    }

    /// When they close next; `None` if they never do.
    pub(super) fn closes_after(&self, now_s: i64) -> Option<i64> {
        self.window.and_then(|window| self.next_at(window.to_min, now_s))
    }

    /// The first instant at or after `at_s` at which they are open.
    pub(super) fn first_open(&self, at_s: i64) -> i64 {
        self.opens_after(at_s).unwrap_or(at_s)
    }

    /// The next instant after `now_s` at which the wall shows a minute of the day.
    fn next_at(&self, minute: u16, now_s: i64) -> Option<i64> {
        let today = Timestamp::from_second(now_s).ok()?.to_zoned(self.zone.clone()).date();
        let days = [Some(today), today.tomorrow().ok()];
        let mut found = days.into_iter().flatten().filter_map(|day| self.instant(day, minute));
        found.find(|at_s| *at_s > now_s)
    }

    fn instant(&self, day: Date, minute: u16) -> Option<i64> {
        let [hour, minute] = [minute / 60, minute % 60].map(|part| i8::try_from(part).unwrap_or(0));
        let time = Time::new(hour, minute, 0, 0).ok()?;
        calendar::instant(day, time, self.zone)
    }
}

fn minute_of_day(zone: &TimeZone, at_s: i64) -> Option<u16> {
    let at = Timestamp::from_second(at_s).ok()?.to_zoned(zone.clone());
    u16::try_from(i16::from(at.hour()) * 60 + i16::from(at.minute())).ok()
}

fn is_open(window: Window, minute: u16) -> bool {
    match window.from_min <= window.to_min {
        true => (window.from_min..window.to_min).contains(&minute),
        false => minute >= window.from_min || minute < window.to_min,
    }
}
