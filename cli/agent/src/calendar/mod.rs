//! Calendars: from what people type to the instants at which a job is due.
//!
//! A job has *slots*: instants that follow from its calendar and the time zone alone, so that an agent
//! that was off, a clock that was set and a second machine all name the same ones. Four forms are
//! understood: five fields of cron, words of systemd, `every 6h`, and names like `daily`.
//!
//! Two nights of the year are odd, and every scheduler has lost backups in them. What a fixed time
//! names that the clock passes over is due at the first instant after the gap; what it names twice is
//! due the first time. A calendar that names every hour goes by the hours that there are: none is moved,
//! and the repeated one counts twice.

/// Sets of numbers, as cron and systemd write them.
mod field;
/// Words of systemd.
mod words;
/// Five fields of cron.
mod cron;
/// From the clock on the wall to instants.
mod wall;

#[cfg(test)]
mod tests;

use jiff::civil::{Date, Time};
use jiff::tz::TimeZone;

use crate::calendar::cron::CronFields;
use crate::calendar::words::Words;
use crate::span::{Span, SpanError};

/// So many days are looked through for the newest slot: a leap day that is a given weekday comes
/// back within 40 years, also across a century without one.
const DAYS_SEARCHED_BACK: u32 = 366 * 41;
/// Calendars are tried from here on: 2000-01-01, before any that somebody writes today.
const SAMPLE_S: i64 = 946_684_800;
/// The longest distance of `every`.
const EVERY_MAX_S: i64 = 366 * 86_400;

/// Why a text is no calendar.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CalendarError {
    /// It says nothing.
    #[error("it is empty")]
    Empty,
    /// Not a set of cron fields.
    #[error("not understood as five fields of cron: {0}")]
    Cron(String),
    /// Not words of systemd.
    #[error("{0}")]
    Words(String),
    /// Not a distance.
    #[error("{0}")]
    Every(#[from] SpanError),
    /// A distance that is too short or too long.
    #[error("the distance must be from 1s to 366d")]
    Distance,
    /// It names no instant, or none any more.
    #[error("it names no day that ever comes")]
    Never,
}

/// The forms that are understood, for whoever typed another.
pub const FORMS: &str =
    "\"01:30\", \"Mon..Fri 22:00\", \"daily\", \"30 1 * * *\", \"every 6h\", \"Sun 03:00 UTC\"";

/// When something is due.
#[derive(Debug, Clone)]
pub struct Calendar {
    text: String,
    rule: Rule,
    /// The zone that the text itself names.
    zone: Option<TimeZone>,
}

#[derive(Debug, Clone)]
enum Rule {
    /// All multiples of so many seconds since 1970.
    Every(i64),
    /// Times on the wall.
    Wall(Pattern),
}

/// Days, and times of such a day.
#[derive(Debug, Clone)]
enum Pattern {
    Cron(Box<CronFields>),
    Words(Box<Words>),
}

impl PartialEq for Calendar {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl Eq for Calendar {}

impl Calendar {
    /// Reads a calendar.
    ///
    /// # Errors
    /// [`CalendarError`] with what is wrong, for one that names no instant at all too.
    pub fn parse(text: &str) -> Result<Self, CalendarError> {
        let text = text.trim();
        let mut tokens: Vec<&str> = text.split_whitespace().collect();
        let (rule, zone) = match tokens.as_slice() {
            [] => return Err(CalendarError::Empty),
            ["every", ..] => (Rule::Every(distance(text)?), None),
            [_, _, _, _, _] => {
                (Rule::Wall(Pattern::Cron(Box::new(CronFields::parse(text)?))), None)
            }
            [.., last] => {
                let zone = wall::named_zone(last);
                let is_date = last.starts_with(|first: char| !first.is_alphabetic());
                if zone.is_none() && last.contains('/') && !is_date {
                    return Err(CalendarError::Words(format!("{last:?} is no time zone")));
                }
                if zone.is_some() {
                    tokens.pop();
                }
                let words = Words::parse(&tokens.join(" "))?;
                (Rule::Wall(Pattern::Words(Box::new(words))), zone)
            }
        };
        let calendar = Self { text: text.to_owned(), rule, zone };
        // A day that no year has would be a backup that nobody misses.
        match calendar.next(&TimeZone::UTC, SAMPLE_S) {
            Some(_) => Ok(calendar),
            None => Err(CalendarError::Never),
        }
    }

    /// As it was written.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The first slot after `after_s`, in seconds since 1970; `None` if there is none any more.
    #[must_use]
    pub fn next(&self, zone: &TimeZone, after_s: i64) -> Option<i64> {
        let pattern = match &self.rule {
            Rule::Every(distance_s) => {
                let before = after_s.div_euclid(*distance_s) * distance_s;
                return Some(before + distance_s);
            }
            Rule::Wall(pattern) => pattern,
        };
        let zone = self.zone.as_ref().unwrap_or(zone);
        // What a gap moves can come from the day before.
        let mut day = wall::day_of(zone, after_s)?.yesterday().ok()?;
        while day.year().unsigned_abs() <= words::YEAR_MAX {
            let slots = pattern.slots_on(day, zone);
            if let Some(found) = slots.into_iter().find(|slot| *slot > after_s) {
                return Some(found);
            }
            day = day.tomorrow().ok()?;
        }
        None
    }

    /// The newest slot in (`since_s`, `until_s`].
    #[must_use]
    pub fn latest(&self, zone: &TimeZone, since_s: i64, until_s: i64) -> Option<i64> {
        if until_s <= since_s {
            return None;
        }
        let pattern = match &self.rule {
            Rule::Every(distance_s) => {
                let newest = until_s.div_euclid(*distance_s) * distance_s;
                return Some(newest).filter(|slot| *slot > since_s);
            }
            Rule::Wall(pattern) => pattern,
        };
        let zone = self.zone.as_ref().unwrap_or(zone);
        let first = wall::day_of(zone, since_s)?.yesterday().ok()?;
        let mut day = wall::day_of(zone, until_s)?;
        for _ in 0..DAYS_SEARCHED_BACK {
            let slots = pattern.slots_on(day, zone);
            let fits = |slot: &i64| *slot > since_s && *slot <= until_s;
            if let Some(found) = slots.into_iter().rfind(fits) {
                return Some(found);
            }
            if day <= first {
                return None;
            }
            day = day.yesterday().ok()?;
        }
        None
    }

    /// How many slots are in (`since_s`, `until_s`], and the first of them; counts to `max`.
    #[must_use]
    pub fn count(
        &self,
        zone: &TimeZone,
        since_s: i64,
        until_s: i64,
        max: u64,
    ) -> Option<(i64, u64)> {
        let first = self.next(zone, since_s).filter(|slot| *slot <= until_s)?;
        if let Rule::Every(distance_s) = self.rule {
            let further = (until_s - first) / distance_s;
            return Some((first, 1 + further.unsigned_abs()));
        }
        let (mut number, mut at) = (1, first);
        while number < max {
            match self.next(zone, at).filter(|slot| *slot <= until_s) {
                Some(slot) => (number, at) = (number + 1, slot),
                None => break,
            }
        }
        Some((first, number))
    }
}

impl Pattern {
    /// The slots that lie on the wall's `day`, in order.
    fn slots_on(&self, day: Date, zone: &TimeZone) -> Vec<i64> {
        let (times, is_hourly) = match self {
            Self::Cron(fields) => (fields.times_on(day), fields.is_hourly()),
            Self::Words(words) => (words.times_on(day), words.is_hourly()),
        };
        wall::instants(day, &times, is_hourly, zone)
    }
}

/// The instant at which the wall shows a time of a day: the first if there are two, the end of the gap if
/// there is none.
#[must_use]
pub fn instant(day: Date, time: Time, zone: &TimeZone) -> Option<i64> {
    wall::instants(day, &[time], false, zone).first().copied()
}

/// The seconds of `every 6h`.
fn distance(text: &str) -> Result<i64, CalendarError> {
    let words = text.strip_prefix("every").unwrap_or(text).trim();
    let span = Span::parse(words)?;
    match i64::try_from(span.seconds()) {
        Ok(seconds) if (1..=EVERY_MAX_S).contains(&seconds) => Ok(seconds),
        _ => Err(CalendarError::Distance),
    }
}
