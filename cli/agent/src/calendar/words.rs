//! Calendar words of systemd: `Mon..Fri *-*-01 02:30`, `*-*-~1`, `daily`.
//!
//! The grammar is that of `systemd.time(7)`: an optional list of weekdays, an optional date, an
//! optional time. Its results are compared with those of `systemd-analyze calendar` in a test. Fractions of
//! a second are refused.

use jiff::civil::{Date, Time};

use crate::calendar::CalendarError;
use crate::calendar::field::Field;

/// Weekdays, Monday first, as people write them.
const WEEKDAYS: [&str; 7] =
    ["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"];

/// Names of whole calendars.
const NAMES: [(&str, &str); 10] = [
    ("midnight", "*-*-* 00:00:00"),
    ("minutely", "*-*-* *:*:00"),
    ("hourly", "*-*-* *:00:00"),
    ("daily", "*-*-* 00:00:00"),
    ("weekly", "Mon *-*-* 00:00:00"),
    ("monthly", "*-*-01 00:00:00"),
    ("quarterly", "*-01,04,07,10-01 00:00:00"),
    ("semiannually", "*-01,07-01 00:00:00"),
    ("yearly", "*-01-01 00:00:00"),
    ("annually", "*-01-01 00:00:00"),
];

/// What the words mean.
#[derive(Debug, Clone)]
pub(super) struct Words {
    weekdays: [bool; 7],
    years: Field,
    months: Field,
    days: Field,
    /// Days are counted from the end of the month.
    is_from_end: bool,
    times: Vec<Time>,
    is_hourly: bool,
}

impl Words {
    pub(super) fn parse(text: &str) -> Result<Self, CalendarError> {
        let lower = text.to_ascii_lowercase();
        // Cron writes the same names with a sign before them.
        let lower = lower.strip_prefix('@').unwrap_or(&lower);
        let named = NAMES.iter().find(|(name, _)| *name == lower);
        let text = named.map_or(text, |(_, words)| words);
        let mut tokens: Vec<&str> = text.split_whitespace().collect();
        let wrong = |what: &str| CalendarError::Words(format!("{what}: {text:?}"));
        let weekdays = match tokens.first() {
            Some(first) if first.starts_with(|first: char| first.is_ascii_alphabetic()) => {
                weekdays(tokens.remove(0))?
            }
            Some(_) => [true; 7],
            None => return Err(CalendarError::Empty),
        };
        let has_time = tokens.last().is_some_and(|last| last.contains(':'));
        let time = if has_time { tokens.pop() } else { None };
        let date = tokens.pop();
        if !tokens.is_empty() {
            return Err(wrong("more than weekdays, a date and a time"));
        }
        let (years, months, days, is_from_end) = date_fields(date.unwrap_or("*-*"))?;
        let (hours, minutes, seconds) = time_fields(time.unwrap_or("00:00"))?;
        let mut times = Vec::new();
        for hour in hours.numbers(23) {
            for minute in minutes.numbers(59) {
                times.extend(seconds.numbers(59).filter_map(|second| clock(hour, minute, second)));
            }
        }
        let is_hourly = hours.is_repeated();
        Ok(Self { weekdays, years, months, days, is_from_end, times, is_hourly })
    }

    /// The times of a day; none if the day is not meant.
    pub(super) fn times_on(&self, day: Date) -> Vec<Time> {
        let [year, month, number, last] = [
            day.year(),
            i16::from(day.month()),
            i16::from(day.day()),
            i16::from(day.days_in_month()),
        ]
        .map(i16::unsigned_abs);
        let weekday = usize::from(day.weekday().to_monday_zero_offset().unsigned_abs());
        let is_day = match self.is_from_end {
            true => self.days.has_from_end(number, last),
            false => self.days.has(number, 31),
        };
        let is_meant = self.weekdays.get(weekday).copied().unwrap_or(false)
            && is_day
            && self.months.has(month, 12)
            && self.years.has(year, YEAR_MAX);
        if is_meant { self.times.clone() } else { Vec::new() }
    }

    /// Whether every hour is meant, or every second one, and so on.
    pub(super) fn is_hourly(&self) -> bool {
        self.is_hourly
    }
}

/// Years that a calendar can name.
const YEAR_MIN: u16 = 1970;
/// The last of them; calendars are not looked at beyond it.
pub(super) const YEAR_MAX: u16 = 2199;

fn clock(hour: u16, minute: u16, second: u16) -> Option<Time> {
    let [hour, minute, second] =
        [hour, minute, second].map(|number| i8::try_from(number).unwrap_or(-1));
    Time::new(hour, minute, second, 0).ok()
}

fn weekdays(text: &str) -> Result<[bool; 7], CalendarError> {
    let mut meant = [false; 7];
    for part in text.trim_end_matches(',').split(',') {
        let range = part.split_once("..").or_else(|| part.split_once('-'));
        let (first, last) = match range {
            Some((first, last)) => (weekday(first)?, weekday(last)?),
            None => (weekday(part)?, weekday(part)?),
        };
        let mut at = first;
        loop {
            meant[at] = true;
            if at == last {
                break;
            }
            at = (at + 1) % 7;
        }
    }
    Ok(meant)
}

fn weekday(text: &str) -> Result<usize, CalendarError> {
    let lower = text.to_ascii_lowercase();
    let fits = |name: &&str| *name == lower || (lower.len() == 3 && name.starts_with(&lower));
    WEEKDAYS.iter().position(fits).ok_or_else(|| {
        CalendarError::Words(format!("{text:?} is neither a weekday nor the name of a calendar"))
    })
}

/// Years, months, days, and whether days are counted from the end.
fn date_fields(text: &str) -> Result<(Field, Field, Field, bool), CalendarError> {
    let wrong =
        || CalendarError::Words(format!("not a date as YEAR-MONTH-DAY or MONTH-DAY: {text:?}"));
    let (before, days, is_from_end) = match text.rsplit_once('~') {
        Some((before, days)) => (before, days, true),
        None => {
            let (before, days) = text.rsplit_once('-').ok_or_else(wrong)?;
            (before, days, false)
        }
    };
    let (years, months) = match before.split_once('-') {
        Some((years, months)) => (Field::parse(years, "year", YEAR_MIN, YEAR_MAX)?, months),
        None => (Field::all(), before),
    };
    let months = Field::parse(months, "month", 1, 12)?;
    Ok((years, months, Field::parse(days, "day", 1, 31)?, is_from_end))
}

/// Hours, minutes, seconds.
fn time_fields(text: &str) -> Result<(Field, Field, Field), CalendarError> {
    let parts: Vec<&str> = text.split(':').collect();
    let (hours, minutes, seconds) = match parts.as_slice() {
        [hours, minutes] => (hours, minutes, None),
        [hours, minutes, seconds] => (hours, minutes, Some(seconds)),
        _ => {
            let words = format!("not a time as HOUR:MINUTE or HOUR:MINUTE:SECOND: {text:?}");
            return Err(CalendarError::Words(words));
        }
    };
    let seconds = match seconds {
        Some(seconds) => Field::parse(seconds, "second", 0, 59)?,
        None => Field::only(0),
    };
    Ok((Field::parse(hours, "hour", 0, 23)?, Field::parse(minutes, "minute", 0, 59)?, seconds))
}
