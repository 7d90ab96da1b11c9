//! A stretch of calendar time, as rules have it: `1y6m`, `30d`, `2w`, `48h`.
//!
//! Months and years are those of the calendar: one month before 31 March is the last of February.

use std::fmt;
use std::str::FromStr;

use jiff::tz::TimeZone;

use crate::base::time::Timestamp;
use crate::retain::period::{from_jiff, local};

/// Years, months, days and hours; not all zero.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Span {
    /// Years.
    pub years: u16,
    /// Months.
    pub months: u16,
    /// Days.
    pub days: u16,
    /// Hours.
    pub hours: u16,
}

/// Units of a span, from large to small.
const UNITS: &str = "ymwdh";

/// A text is no span.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is not a span of time: {why}; write for example 30d, 1y6m or 2w12h")]
pub struct ParseSpanError {
    /// What was read, cut to a printable length.
    pub text: String,
    /// What is wrong.
    pub why: &'static str,
}

impl Span {
    /// The moment that lies this span before `end`; the earliest of all if the calendar ends.
    #[must_use]
    pub fn before(&self, end: Timestamp, zone: &TimeZone) -> Timestamp {
        self.shift(end, zone, -1).unwrap_or(Timestamp { seconds: i64::MIN, nanos: 0 })
    }

    /// The moment that lies this span after `begin`; the last of all if the calendar ends.
    #[must_use]
    pub fn after(&self, begin: Timestamp, zone: &TimeZone) -> Timestamp {
        self.times_after(1, begin, zone).unwrap_or(Timestamp { seconds: i64::MAX, nanos: 0 })
    }

    /// The moment that lies `count` spans after `begin`; `None` beyond the end of the calendar.
    pub(super) fn times_after(
        &self,
        count: i64,
        begin: Timestamp,
        zone: &TimeZone,
    ) -> Option<Timestamp> {
        self.shift(begin, zone, count)
    }

    /// Years, months and days by the calendar, hours as they pass.
    fn shift(&self, from: Timestamp, zone: &TimeZone, count: i64) -> Option<Timestamp> {
        let part = |number: u16| i64::from(number).checked_mul(count);
        let span = jiff::Span::new()
            .try_years(part(self.years)?)
            .and_then(|span| span.try_months(part(self.months).unwrap_or(i64::MAX)))
            .and_then(|span| span.try_days(part(self.days).unwrap_or(i64::MAX)))
            .ok()?;
        let day = local(from, zone).checked_add(span).ok()?;
        let mut moment = from_jiff(day.timestamp());
        moment.seconds = moment.seconds.checked_add(part(self.hours)?.checked_mul(3600)?)?;
        Some(moment)
    }
}

impl FromStr for Span {
    type Err = ParseSpanError;

    fn from_str(text: &str) -> Result<Self, ParseSpanError> {
        let bad = |why| ParseSpanError { text: text.chars().take(80).collect(), why };
        let mut span = Self::default();
        let mut rest = text;
        let mut before = None;
        while !rest.is_empty() {
            let end = rest.find(|c: char| !c.is_ascii_digit()).ok_or(bad("a unit is missing"))?;
            let number: u16 = rest[..end].parse().map_err(|_| match end {
                0 => bad("a number is missing"),
                _ => bad("a number is too large"),
            })?;
            let unit = rest[end..].chars().next().unwrap_or_default();
            let place = UNITS.find(unit).ok_or(bad("unknown unit"))?;
            match before.replace(place) {
                // Whoever writes 1h30m means minutes, and would get thirty months.
                Some(before) if before > place && unit == 'm' => {
                    return Err(bad("m means months here, and there are no minutes"));
                }
                Some(before) if before > place => {
                    return Err(bad("units go from large to small: y, m, w, d, h"));
                }
                _ => {}
            }
            let (field, factor) = match unit {
                'y' => (&mut span.years, 1),
                'm' => (&mut span.months, 1),
                'w' => (&mut span.days, 7),
                'd' => (&mut span.days, 1),
                'h' => (&mut span.hours, 1),
                _ => return Err(bad("unknown unit")),
            };
            *field = number
                .checked_mul(factor)
                .and_then(|more| field.checked_add(more))
                .ok_or(bad("a number is too large"))?;
            rest = &rest[end + unit.len_utf8()..];
        }
        match span == Self::default() {
            true => Err(bad("it is empty")),
            false => Ok(span),
        }
    }
}

impl fmt::Display for Span {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (number, unit) in
            [(self.years, 'y'), (self.months, 'm'), (self.days, 'd'), (self.hours, 'h')]
        {
            if number > 0 {
                write!(out, "{number}{unit}")?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn what_is_written_is_read_again(
            years: u16, months: u16, days: u16, hours: u16, noise in "[0-9ymwdh -]{0,12}",
        ) {
            let span = Span { years, months, days, hours };
            prop_assert_eq!(span.to_string().parse().ok(), (span != Span::default()).then_some(span));
            if let Ok(span) = noise.parse::<Span>() {
                prop_assert_eq!(span.to_string().parse(), Ok(span));
            }
        }
    }

    #[test]
    fn a_month_before_the_end_of_march_is_the_end_of_february() {
        let zone = TimeZone::get("Europe/Berlin").unwrap();
        let at = |text: &str| {
            let civil: jiff::civil::DateTime = text.parse().unwrap();
            from_jiff(civil.to_zoned(zone.clone()).unwrap().timestamp())
        };
        let before = |span: &str, end: &str| span.parse::<Span>().unwrap().before(at(end), &zone);
        assert_eq!(before("1m", "2026-03-31T12:00"), at("2026-02-28T12:00"));
        assert_eq!(before("1y", "2028-02-29T12:00"), at("2027-02-28T12:00"));
        assert_eq!(before("2w", "2026-03-31T12:00"), at("2026-03-17T12:00"));
        // A day before is the same hour, although the night of the change has 23 hours; 24 hours
        // before is another hour.
        assert_eq!(before("1d", "2026-03-29T12:00"), at("2026-03-28T12:00"));
        assert_eq!(before("24h", "2026-03-29T12:00"), at("2026-03-28T11:00"));
    }

    #[test]
    fn mistakes_are_named() {
        for text in
            ["", "5", "d", "-3d", "1 d", "70000d", "9999w", "3x", "0d", "d5", "1h30m", "30d1y"]
        {
            assert!(text.parse::<Span>().is_err(), "{text}");
        }
        let minutes = "1h30m".parse::<Span>().map_err(|error| error.to_string());
        assert!(minutes.is_err_and(|words| words.contains("months")));
        assert_eq!("4w".parse(), Ok(Span { days: 28, ..Span::default() }));
        assert_eq!("1y1y".parse(), Ok(Span { years: 2, ..Span::default() }));
    }
}
