//! Times and amounts as a report shows them: UTC, IEC units, the same wherever it is made.

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;

/// Milliseconds of a day.
pub const DAY_MS: u64 = 86_400_000;

fn at(at_ms: i64) -> Timestamp {
    // Beyond what a calendar holds everything is at its end.
    let end = if at_ms < 0 { Timestamp::MIN } else { Timestamp::MAX };
    Timestamp::from_millisecond(at_ms).unwrap_or(end)
}

/// As programs read it: `2026-11-20T18:00:00Z`.
#[must_use]
pub fn rfc3339(at_ms: i64) -> String {
    at(at_ms).to_string()
}

/// As people read it: `2026-11-20 18:00`.
#[must_use]
pub fn minute(at_ms: i64) -> String {
    at(at_ms).to_zoned(TimeZone::UTC).strftime("%Y-%m-%d %H:%M").to_string()
}

/// The day alone: `2026-11-20`.
#[must_use]
pub fn day(at_ms: i64) -> String {
    at(at_ms).to_zoned(TimeZone::UTC).date().to_string()
}

/// A stretch of a month, or a whole one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Month {
    /// `2026-11`.
    pub name: String,
    /// Its first moment within the period.
    pub from_ms: i64,
    /// The first moment after it, within the period.
    pub to_ms: i64,
}

/// The calendar months that a period touches, cut to it.
#[must_use]
pub fn months(from_ms: i64, to_ms: i64) -> Vec<Month> {
    let mut found = Vec::new();
    let mut first = at(from_ms).to_zoned(TimeZone::UTC).date().first_of_month();
    loop {
        let Ok(next) = first.checked_add(jiff::Span::new().months(1)) else { break };
        let (begin, end) = (millis(first), millis(next));
        if begin >= to_ms {
            break;
        }
        let name = format!("{:04}-{:02}", first.year(), first.month());
        found.push(Month { name, from_ms: begin.max(from_ms), to_ms: end.min(to_ms) });
        first = next;
    }
    found
}

fn millis(date: Date) -> i64 {
    date.to_zoned(TimeZone::UTC).map_or(0, |zoned| zoned.timestamp().as_millisecond())
}

/// The name of the month so many after `name`.
#[must_use]
pub fn month_after(name: &str, count: usize) -> String {
    let parse = || {
        let (year, month) = name.split_once('-')?;
        Some((year.parse::<usize>().ok()?, month.parse::<usize>().ok()?))
    };
    parse().map_or_else(String::new, |(year, month)| {
        let months = year * 12 + month - 1 + count;
        format!("{:04}-{:02}", months / 12, months % 12 + 1)
    })
}

/// A time span in its two largest units: `1 d 2 h`, `4 min 10 s`, `310 ms`.
#[must_use]
pub fn span(span_ms: u64) -> String {
    let (s, ms) = (span_ms / 1000, span_ms % 1000);
    let two = |large: u64, name: &str, small: u64, unit: &str| match small {
        0 => format!("{large} {name}"),
        _ => format!("{large} {name} {small} {unit}"),
    };
    match s {
        0 => format!("{ms} ms"),
        1..=9 => format!("{}.{} s", s, ms / 100),
        10..=59 => format!("{s} s"),
        60..=3599 => two(s / 60, "min", s % 60, "s"),
        3600..=86_399 => two(s / 3600, "h", s % 3600 / 60, "min"),
        _ => two(s / 86_400, "d", s % 86_400 / 3600, "h"),
    }
}

/// Bytes with three digits: `1.25 GiB`.
#[must_use]
pub fn bytes(count: u64) -> String {
    let (mut value, mut unit) = (count as f64, 0);
    let units = ["B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"];
    while value >= 999.5 && unit + 1 < units.len() {
        value /= 1024.0;
        unit += 1;
    }
    match (unit, value) {
        (0, _) => format!("{count} B"),
        (_, 0.0..9.995) => format!("{value:.2} {}", units[unit]),
        (_, 9.995..99.95) => format!("{value:.1} {}", units[unit]),
        _ => format!("{value:.0} {}", units[unit]),
    }
}

/// A number with thousands set apart: `14,600`.
#[must_use]
pub fn count(number: u64) -> String {
    let digits = number.to_string();
    let mut out = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// A number of things whose name takes an `s` if they are several: `1 pack`, `2,000 packs`.
#[must_use]
pub fn counted(number: u64, what: &str) -> String {
    let ending = if number == 1 { "" } else { "s" };
    format!("{} {what}{ending}", count(number))
}

/// A share in percent that never rounds up, and not down to 0.
#[must_use]
pub fn percent(share: f64) -> String {
    let value = share * 100.0;
    match value {
        _ if share >= 1.0 => "100 %".to_owned(),
        _ if share <= 0.0 => "0 %".to_owned(),
        99.95.. => ">99.9 %".to_owned(),
        ..0.1 => "<0.1 %".to_owned(),
        // What is a tenth but for the last bit of a number is one.
        _ => format!("{:.1} %", (value * 10.0 + 1e-6).floor() / 10.0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_are_short_and_never_say_more_than_is_true() {
        assert_eq!(
            [0, 1023, 1 << 20, (1 << 30) * 5 / 4].map(bytes),
            ["0 B", "1.00 KiB", "1.00 MiB", "1.25 GiB"]
        );
        assert_eq!(
            [310, 4200, 61_000, 86_400_000, 93_600_000].map(span),
            ["310 ms", "4.2 s", "1 min 1 s", "1 d", "1 d 2 h"]
        );
        assert_eq!(
            [0.0, 0.0001, 0.9, 0.99999, 1.0].map(percent),
            ["0 %", "<0.1 %", "90.0 %", ">99.9 %", "100 %"]
        );
        assert_eq!([7, 999, 1000, 1_234_567].map(count), ["7", "999", "1,000", "1,234,567"]);
    }

    #[test]
    fn a_period_is_cut_at_months() {
        let day = |n: i64| n * DAY_MS as i64;
        let found = months(day(10), day(70));
        let names: Vec<&str> = found.iter().map(|month| month.name.as_str()).collect();
        assert_eq!(names, ["1970-01", "1970-02", "1970-03"]);
        assert_eq!((found[0].from_ms, found[2].to_ms), (day(10), day(70)));
        assert_eq!((found[0].to_ms, found[1].to_ms), (day(31), day(59)));
        assert_eq!(months(day(31), day(59)).len(), 1);
        assert_eq!(month_after("2026-11", 3), "2027-02");
        assert_eq!(
            (rfc3339(1_000), minute(60_000)),
            ("1970-01-01T00:00:01Z".to_owned(), "1970-01-01 00:01".to_owned())
        );
    }
}
