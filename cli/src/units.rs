//! Sizes, durations, counts, rates, percentages and times: how they are written and read here.
//!
//! Sizes are binary (1 K = 1 KiB = 1024 bytes), as in restic, because packs and memory are.
//! `KB` and `MB` mean two things in the wild and are refused. What is printed can be pasted back:
//! every printed size is a size that is understood, rounded to three digits.
//! Percentages are rounded down, so that 100 % means done.

use std::time::Duration;

use engine::base::time::Timestamp;
use jiff::tz::TimeZone;

/// A text is not a quantity of the wanted kind.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is not {wanted}: {why}; write for example {example}")]
pub struct UnitError {
    /// What was read.
    pub text: String,
    /// What was wanted, with its article.
    pub wanted: &'static str,
    /// What is wrong with it.
    pub why: &'static str,
    /// The forms that are understood.
    pub example: &'static str,
}

/// The steps of binary sizes: letter and the power of two.
const STEPS: [(char, u32); 6] = [('K', 10), ('M', 20), ('G', 30), ('T', 40), ('P', 50), ('E', 60)];
/// Digits after the point that a size may have; more cannot matter to a number of bytes.
const FRACTION_MAX_DIGITS: usize = 18;

/// Reads a size in bytes: `512`, `10M`, `1.5GiB`; fractions of a byte are cut off.
///
/// # Errors
/// [`UnitError`] for anything else, for negative sizes and for more than 2^64 − 1 bytes.
pub fn parse_size(text: &str) -> Result<u64, UnitError> {
    let bad = |why| UnitError {
        text: text.chars().take(80).collect(),
        wanted: "a size",
        why,
        example: "512, 10M or 1.5GiB",
    };
    if text.starts_with('-') {
        return Err(bad("it is negative"));
    }
    let end = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let (number, unit) = text.split_at(end);
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    let digits_are_bad = whole.is_empty()
        || fraction.contains('.')
        || fraction.len() > FRACTION_MAX_DIGITS
        || number.ends_with('.');
    if digits_are_bad {
        return Err(bad("it does not begin with a number"));
    }
    let shift = size_shift(unit.strip_prefix(' ').unwrap_or(unit)).ok_or(bad("unknown unit"))?;
    let whole: u64 = whole.parse().map_err(|_| bad("it is too large"))?;
    let scale = 10_u128.pow(fraction.len() as u32);
    let fraction: u128 = if fraction.is_empty() {
        0
    } else {
        fraction.parse().map_err(|_| bad("it does not begin with a number"))?
    };
    // Below 10^18 · 2^60 · 2 < 2^128; the whole part is checked on its own.
    let part = (fraction << shift) / scale;
    let bytes = (u128::from(whole) << shift) + part;
    u64::try_from(bytes).map_err(|_| bad("it is too large"))
}

/// The power of two that a unit stands for; `None` for an unknown one.
fn size_shift(unit: &str) -> Option<u32> {
    if unit.is_empty() || unit == "B" {
        return Some(0);
    }
    let mut letters = unit.chars();
    let first = letters.next()?.to_ascii_uppercase();
    let rest = letters.as_str();
    if !rest.is_empty() && !rest.eq_ignore_ascii_case("ib") {
        return None;
    }
    STEPS.iter().find(|(letter, _)| *letter == first).map(|(_, shift)| *shift)
}

/// Writes a size with three digits: `0 B`, `999 B`, `1.50 KiB`, `12.3 GiB`, `1023 MiB`.
#[must_use]
pub fn size(bytes: u64) -> String {
    if bytes < 1024 {
        return format!("{bytes} B");
    }
    let mut value = bytes as f64;
    let mut letter = ' ';
    for (step, _) in STEPS {
        value /= 1024.0;
        letter = step;
        // What would be rounded to 1024 is written as 1 of the next step.
        if value < 1023.5 {
            break;
        }
    }
    format!("{} {letter}iB", three_digits(value))
}

fn three_digits(value: f64) -> String {
    if value < 9.995 {
        format!("{value:.2}")
    } else if value < 99.95 {
        format!("{value:.1}")
    } else {
        format!("{value:.0}")
    }
}

/// Writes a rate: `12.3 MiB/s`.
#[must_use]
pub fn rate(bytes_per_s: f64) -> String {
    format!("{}/s", size(bytes_per_s.max(0.0) as u64))
}

/// Writes a number with separators between thousands: `1,234,567`.
#[must_use]
pub fn count(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A number of things whose name takes an `s` if they are several, like `1 pack` or `2,000 packs`.
#[must_use]
pub fn counted(number: u64, what: &str) -> String {
    let ending = if number == 1 { "" } else { "s" };
    format!("{} {what}{ending}", count(number))
}

/// Writes a number in at most six places: `99,999`, `123k`, `1.23M`.
#[must_use]
pub fn short_count(number: u64) -> String {
    if number < 100_000 {
        return count(number);
    }
    let mut value = number as f64;
    let mut letter = ' ';
    for step in ['k', 'M', 'G', 'T', 'P', 'E'] {
        value /= 1000.0;
        letter = step;
        if value < 999.5 {
            break;
        }
    }
    format!("{}{letter}", three_digits(value))
}

/// Writes how much of `total` is done, rounded down to a tenth: `42.3 %`.
#[must_use]
pub fn percent(done: u64, total: u64) -> String {
    let per_mille = if total == 0 {
        1000
    } else {
        (u128::from(done.min(total)) * 1000 / u128::from(total)) as u64
    };
    format!("{}.{} %", per_mille / 10, per_mille % 10)
}

/// Reads a share: `2.5%`, more than 0 and at most 100; answers per cent.
///
/// # Errors
/// [`UnitError`] for anything else.
pub fn parse_percent(text: &str) -> Result<f64, UnitError> {
    let bad = |why| UnitError {
        text: text.chars().take(80).collect(),
        wanted: "a percentage",
        why,
        example: "5% or 2.5%",
    };
    let number = text.strip_suffix('%').ok_or(bad("the % is missing"))?;
    let is_plain = number.chars().all(|c| c.is_ascii_digit() || c == '.');
    let value: f64 = match number.parse() {
        Ok(value) if is_plain => value,
        _ => return Err(bad("it does not begin with a number")),
    };
    if value > 0.0 && value <= 100.0 {
        Ok(value)
    } else {
        Err(bad("it is not above 0 and at most 100"))
    }
}

/// Reads a duration: whole numbers, each with its unit `s`, `m`, `h`, `d` or `w`, as in `1d12h`.
///
/// # Errors
/// [`UnitError`] for anything else, among it a number without a unit.
pub fn parse_duration(text: &str) -> Result<Duration, UnitError> {
    let bad = |why| UnitError {
        text: text.chars().take(80).collect(),
        wanted: "a duration",
        why,
        example: "30s, 15m, 12h, 7d, 4w or 1d12h",
    };
    if text.starts_with('-') {
        return Err(bad("it is negative"));
    }
    if text.is_empty() {
        return Err(bad("it is empty"));
    }
    let mut rest = text;
    let mut total_s: u64 = 0;
    while !rest.is_empty() {
        let end = rest.find(|c: char| !c.is_ascii_digit()).ok_or(bad("a unit is missing"))?;
        if end == 0 {
            return Err(bad("a number is missing"));
        }
        let number: u64 = rest[..end].parse().map_err(|_| bad("it is too large"))?;
        let unit = rest[end..].chars().next().unwrap_or_default();
        let unit_s = match unit {
            's' => 1,
            'm' => 60,
            'h' => 3600,
            'd' => 86_400,
            'w' => 604_800,
            _ => return Err(bad("unknown unit")),
        };
        total_s = number
            .checked_mul(unit_s)
            .and_then(|part_s| total_s.checked_add(part_s))
            .ok_or(bad("it is too large"))?;
        rest = &rest[end + unit.len_utf8()..];
    }
    Ok(Duration::from_secs(total_s))
}

/// Reads how long a store is waited for that has not answered yet.
///
/// # Errors
/// [`UnitError`] for what is no duration, or not between a second and an hour.
pub fn parse_patience(text: &str) -> Result<Duration, UnitError> {
    let patience = parse_duration(text)?;
    match (Duration::from_secs(1)..=Duration::from_secs(3600)).contains(&patience) {
        true => Ok(patience),
        false => Err(UnitError {
            text: text.chars().take(80).collect(),
            wanted: "a wait for a first answer",
            why: "it lasts from 1s to 1h",
            example: "30s or 2m",
        }),
    }
}

/// Writes a duration with its two largest units: `0.42 s`, `42.0 s`, `3m12s`, `2h03m`, `3d04h`; of
/// many days only those: `120d`.
#[must_use]
pub fn duration(time: Duration) -> String {
    let whole_s = time.as_secs();
    match whole_s {
        0..10 => format!("{:.2} s", time.as_secs_f64()),
        10..60 => format!("{:.1} s", time.as_secs_f64()),
        60..3600 => format!("{}m{:02}s", whole_s / 60, whole_s % 60),
        3600..86_400 => format!("{}h{:02}m", whole_s / 3600, whole_s % 3600 / 60),
        86_400..8_640_000 => format!("{}d{:02}h", whole_s / 86_400, whole_s % 86_400 / 3600),
        _ => format!("{}d", whole_s / 86_400),
    }
}

/// Writes a duration in whole seconds with its two largest units: `42s`, `3m12s`, `2h03m`, `3d04h`.
#[must_use]
pub fn whole_duration(time: Duration) -> String {
    match time.as_secs() {
        seconds @ 0..60 => format!("{seconds}s"),
        _ => duration(time),
    }
}

/// Writes how long ago something was, in one unit: `42s`, `12m`, `26h`, `13d`, `4y`.
#[must_use]
pub fn age(time: Duration) -> String {
    const DAY_S: u64 = 86_400;
    match time.as_secs() {
        seconds @ 0..60 => format!("{seconds}s"),
        seconds @ 60..3600 => format!("{}m", seconds / 60),
        seconds if seconds < 2 * DAY_S => format!("{}h", seconds / 3600),
        seconds if seconds < 1000 * DAY_S => format!("{}d", seconds / DAY_S),
        seconds => format!("{}y", seconds / (365 * DAY_S)),
    }
}

/// Writes a point in time to the minute, without its zone: `2026-11-20 18:00`.
#[must_use]
pub fn local_minute(time: Timestamp, zone: &TimeZone) -> String {
    match to_jiff(time) {
        Some(instant) => instant.to_zoned(zone.clone()).strftime("%Y-%m-%d %H:%M").to_string(),
        None => format!("@{}", time.seconds),
    }
}

/// Writes the day of a point in time: `2026-11-20`.
#[must_use]
pub fn local_day(time: Timestamp, zone: &TimeZone) -> String {
    match to_jiff(time) {
        Some(instant) => instant.to_zoned(zone.clone()).strftime("%Y-%m-%d").to_string(),
        None => format!("@{}", time.seconds),
    }
}

/// Writes a point in time as the user's clock shows it: `2026-11-20 18:00:00 CET`.
#[must_use]
pub fn local_time(time: Timestamp, zone: &TimeZone) -> String {
    match to_jiff(time) {
        Some(instant) => {
            instant.to_zoned(zone.clone()).strftime("%Y-%m-%d %H:%M:%S %Z").to_string()
        }
        None => format!("@{}", time.seconds),
    }
}

/// Writes a point in time as a name of a file, as the user's clock shows it: `2026-11-20_18-00-00`.
#[must_use]
pub fn time_name(time: Timestamp, zone: &TimeZone) -> String {
    match to_jiff(time) {
        Some(instant) => instant.to_zoned(zone.clone()).strftime("%Y-%m-%d_%H-%M-%S").to_string(),
        None => format!("@{}", time.seconds),
    }
}

/// Writes a point in time for programs: RFC 3339 in UTC, `2026-11-20T17:00:00Z`.
///
/// Times outside the years that RFC 3339 can write become `@` and the seconds since 1970.
#[must_use]
pub fn rfc3339(time: Timestamp) -> String {
    let writable = to_jiff(time).filter(|instant| {
        let year = instant.to_zoned(TimeZone::UTC).year();
        (0..=9999).contains(&year)
    });
    match writable {
        Some(instant) => instant.to_string(),
        None => format!("@{}", time.seconds),
    }
}

/// Reads a point in time: RFC 3339, or a date with or without a time of day in the user's zone
/// (`2026-11-20`, `2026-11-20 18:00`). A date alone is its first moment.
///
/// # Errors
/// [`UnitError`] for anything else, and for a time that the clock of the zone passes over.
pub fn parse_time(text: &str, zone: &TimeZone) -> Result<Timestamp, UnitError> {
    let bad = |why| UnitError {
        text: text.chars().take(80).collect(),
        wanted: "a point in time",
        why,
        example: "2026-11-20, 2026-11-20 18:00 or 2026-11-20T17:00:00Z",
    };
    let instant = match text.parse::<jiff::Timestamp>() {
        Ok(instant) => instant,
        Err(_) => {
            let civil: jiff::civil::DateTime =
                text.parse().map_err(|_| bad("it is neither a date nor RFC 3339"))?;
            let zoned = zone.to_ambiguous_zoned(civil).compatible();
            zoned.map_err(|_| bad("no calendar has it"))?.timestamp()
        }
    };
    let (seconds, nanos) = (instant.as_second(), instant.subsec_nanosecond());
    match u32::try_from(nanos) {
        Ok(nanos) => Ok(Timestamp { seconds, nanos }),
        Err(_) => Ok(Timestamp { seconds: seconds - 1, nanos: (nanos + 1_000_000_000) as u32 }),
    }
}

fn to_jiff(time: Timestamp) -> Option<jiff::Timestamp> {
    jiff::Timestamp::new(time.seconds, i32::try_from(time.nanos).ok()?).ok()
}

#[cfg(test)]
mod tests;
