//! Hours, days, weeks, months and years, by the calendar of one time zone.
//!
//! Which of them a moment falls into is decided by the wall clock of the zone, because people think
//! of a day as theirs. The hour that is repeated when summer time ends is two hours.

use jiff::tz::TimeZone;

use crate::base::time::Timestamp;

/// A kind of stretch of which one snapshot each is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Period {
    /// From one full hour to the next.
    Hour,
    /// A day.
    Day,
    /// A week from Monday to Sunday (ISO 8601).
    Week,
    /// A month.
    Month,
    /// A year.
    Year,
}

impl Period {
    /// All, the shortest first.
    pub const ALL: [Self; 5] = [Self::Hour, Self::Day, Self::Week, Self::Month, Self::Year];

    /// As rules and reasons call it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Hour => "hourly",
            Self::Day => "daily",
            Self::Week => "weekly",
            Self::Month => "monthly",
            Self::Year => "yearly",
        }
    }

    /// A number pair that is the same for two moments exactly if they fall into one stretch.
    pub(super) fn of(self, time: Timestamp, zone: &TimeZone) -> (i64, i64) {
        let local = local(time, zone);
        let date = local.date();
        match self {
            // Named by the moment at which the hour began, so that a repeated one differs.
            Self::Hour => {
                let past_s = i64::from(local.minute()) * 60 + i64::from(local.second());
                (local.timestamp().as_second() - past_s, 0)
            }
            Self::Day => (i64::from(date.year()), i64::from(date.day_of_year())),
            Self::Week => {
                let week = date.iso_week_date();
                (i64::from(week.year()), i64::from(week.week()))
            }
            Self::Month => (i64::from(date.year()), i64::from(date.month())),
            Self::Year => (i64::from(date.year()), 0),
        }
    }
}

/// A moment on the wall clock; moments that no calendar has become its first or last.
pub(super) fn local(time: Timestamp, zone: &TimeZone) -> jiff::Zoned {
    let end = if time.seconds < 0 { jiff::Timestamp::MIN } else { jiff::Timestamp::MAX };
    let nanos = i32::try_from(time.nanos).unwrap_or(0).min(999_999_999);
    jiff::Timestamp::new(time.seconds, nanos).unwrap_or(end).to_zoned(zone.clone())
}

/// The moment as the engine writes it.
pub(super) fn from_jiff(time: jiff::Timestamp) -> Timestamp {
    let (seconds, nanos) = (time.as_second(), time.subsec_nanosecond());
    match u32::try_from(nanos) {
        Ok(nanos) => Timestamp { seconds, nanos },
        // Before 1970 both parts are negative there; here nanoseconds count upwards.
        Err(_) => Timestamp { seconds: seconds - 1, nanos: (nanos + 1_000_000_000) as u32 },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        from_jiff(text.parse().unwrap())
    }

    #[test]
    fn days_are_those_of_the_zone() {
        let evening = at("2026-11-20T23:30:00Z");
        let night = at("2026-11-21T00:30:00Z");
        let zone = |name| TimeZone::get(name).unwrap();
        let same =
            |name| Period::Day.of(evening, &zone(name)) == Period::Day.of(night, &zone(name));
        assert!(!same("UTC"));
        assert!(same("Europe/Berlin"));
        assert!(same("America/New_York"));
    }

    #[test]
    fn the_repeated_hour_is_two_hours_and_its_day_is_one() {
        let zone = TimeZone::get("Europe/Berlin").unwrap();
        let first = at("2026-10-25T00:30:00Z");
        let again = at("2026-10-25T01:30:00Z");
        assert_eq!(local(first, &zone).hour(), local(again, &zone).hour());
        assert_ne!(Period::Hour.of(first, &zone), Period::Hour.of(again, &zone));
        assert_eq!(Period::Day.of(first, &zone), Period::Day.of(again, &zone));
    }

    #[test]
    fn weeks_belong_to_the_year_of_their_thursday() {
        let utc = TimeZone::UTC;
        let week = |text: &str| Period::Week.of(at(text), &utc);
        assert_eq!(week("2026-12-31T12:00:00Z"), week("2027-01-03T12:00:00Z"));
        assert_ne!(week("2027-01-03T12:00:00Z"), week("2027-01-04T12:00:00Z"));
        assert_ne!(week("2026-01-01T12:00:00Z"), week("2026-12-31T12:00:00Z"));
    }

    #[test]
    fn zones_with_odd_minutes_have_hours_of_their_own() {
        let zone = TimeZone::get("Asia/Kathmandu").unwrap();
        let hour = |text: &str| Period::Hour.of(at(text), &zone);
        assert_eq!(hour("2026-11-20T00:15:00Z"), hour("2026-11-20T01:14:59Z"));
        assert_ne!(hour("2026-11-20T00:14:59Z"), hour("2026-11-20T00:15:00Z"));
    }

    #[test]
    fn absurd_times_fall_somewhere() {
        for seconds in [i64::MIN, -1, 0, i64::MAX] {
            let time = Timestamp { seconds, nanos: 999_999_999 };
            for period in Period::ALL {
                let _ = period.of(time, &TimeZone::UTC);
            }
        }
        assert_eq!(from_jiff("1969-12-31T23:59:59.5Z".parse().unwrap()).seconds, -1);
    }
}
