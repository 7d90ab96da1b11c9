//! When slots are, found by looking at the wall every minute: the first minute of a day at which it shows
//! the time or a later one.

use std::collections::BTreeSet;

use jiff::Timestamp;
use jiff::tz::TimeZone;

/// The slots of one time of the day in one zone.
pub(crate) struct Oracle {
    pub(crate) zone: &'static str,
    pub(crate) time: (i8, i8),
    pub(crate) slots: BTreeSet<i64>,
}

impl Oracle {
    pub(crate) fn new(zone: &'static str, time: (i8, i8), from_s: i64, to_s: i64) -> Self {
        Self { zone, time, slots: slots(&TimeZone::get(zone).expect("a zone"), time, from_s, to_s) }
    }
}

/// Slots between two instants; the day of the first is left out, for its beginning was not seen.
pub(crate) fn slots(
    zone: &TimeZone,
    (hour, minute): (i8, i8),
    from_s: i64,
    to_s: i64,
) -> BTreeSet<i64> {
    let mut found = BTreeSet::new();
    let mut done = None;
    for at_s in (from_s..to_s).step_by(60) {
        let wall = Timestamp::from_second(at_s).expect("in range").to_zoned(zone.clone());
        if done.is_none() {
            done = Some(wall.date());
        }
        if done != Some(wall.date()) && (wall.hour(), wall.minute()) >= (hour, minute) {
            done = Some(wall.date());
            found.insert(at_s);
        }
    }
    found
}
