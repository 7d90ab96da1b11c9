//! From the clock on the wall to instants, through the nights in which it is set.

use jiff::Timestamp;
use jiff::civil::{Date, Time};
use jiff::tz::{AmbiguousOffset, TimeZone};

/// The day that the wall shows at an instant.
pub(super) fn day_of(zone: &TimeZone, at_s: i64) -> Option<Date> {
    let at = Timestamp::from_second(at_s).ok()?;
    Some(at.to_zoned(zone.clone()).date())
}

/// The zone that a word names: `UTC` or one with a slash, so that no weekday is taken for one.
pub(super) fn named_zone(word: &str) -> Option<TimeZone> {
    match word {
        "UTC" | "GMT" | "Z" => Some(TimeZone::UTC),
        name if name.contains('/') && !name.starts_with(|first: char| !first.is_alphabetic()) => {
            TimeZone::get(name).ok()
        }
        _ => None,
    }
}

/// The instants at which the wall shows these times of a day, in order, each once.
///
/// `is_hourly` says that every hour is meant: then none is moved out of a gap, and one that comes
/// twice counts twice.
pub(super) fn instants(day: Date, times: &[Time], is_hourly: bool, zone: &TimeZone) -> Vec<i64> {
    let mut found = Vec::with_capacity(times.len());
    for time in times {
        let at = zone.to_ambiguous_timestamp(day.to_datetime(*time));
        match at.offset() {
            AmbiguousOffset::Unambiguous { .. } => found.extend(at.earlier()),
            AmbiguousOffset::Gap { .. } if is_hourly => {}
            AmbiguousOffset::Gap { .. } => {
                // `later` is as far behind the gap as the time is behind its begin.
                found.extend(at.later().ok().and_then(|later| end_of_gap(zone, later)));
            }
            AmbiguousOffset::Fold { .. } => {
                let at = day.to_datetime(*time);
                found.extend(zone.to_ambiguous_timestamp(at).earlier());
                if is_hourly {
                    found.extend(zone.to_ambiguous_timestamp(at).later());
                }
            }
        }
    }
    let mut found: Vec<i64> = found.into_iter().map(Timestamp::as_second).collect();
    found.sort_unstable();
    found.dedup();
    found
}

/// The last time that the clock was set before or at `later`.
fn end_of_gap(zone: &TimeZone, later: Timestamp) -> Option<Timestamp> {
    let after = later.checked_add(jiff::SignedDuration::from_secs(1)).ok()?;
    zone.preceding(after).next().map(|transition| transition.timestamp())
}
