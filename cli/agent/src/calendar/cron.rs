//! Five fields of cron, read by `croner`; days and times are asked for one by one, so that the odd
//! nights of the year are left to the rule that all calendars share.

use croner::parser::{CronParser, Seconds, Year};
use croner::{Cron, Weekday};
use jiff::civil::{Date, Time};

use crate::calendar::CalendarError;

/// What five fields mean.
#[derive(Debug, Clone)]
pub(super) struct CronFields {
    cron: Cron,
    times: Vec<Time>,
    is_hourly: bool,
}

impl CronFields {
    pub(super) fn parse(text: &str) -> Result<Self, CalendarError> {
        let parser =
            CronParser::builder().seconds(Seconds::Disallowed).year(Year::Disallowed).build();
        let wrong = |error: croner::errors::CronError| CalendarError::Cron(error.to_string());
        let cron = parser.parse(text).map_err(wrong)?;
        let mut times = Vec::new();
        for hour in 0..24_i8 {
            if !cron.pattern.hour_match(u32::from(hour.unsigned_abs())).map_err(wrong)? {
                continue;
            }
            for minute in 0..60_i8 {
                if cron.pattern.minute_match(u32::from(minute.unsigned_abs())).map_err(wrong)? {
                    times.push(Time::constant(hour, minute, 0, 0));
                }
            }
        }
        // As cron itself has it: an hour that begins with a star means every hour.
        let is_hourly = text.split_whitespace().nth(1).is_some_and(|hours| hours.starts_with('*'));
        Ok(Self { cron, times, is_hourly })
    }

    /// The times of a day; none if the day is not meant.
    pub(super) fn times_on(&self, day: Date) -> Vec<Time> {
        let (year, month, number) =
            (i32::from(day.year()), day.month().unsigned_abs(), day.day().unsigned_abs());
        let pattern = &self.cron.pattern;
        let is_meant = pattern.month_match(u32::from(month)).unwrap_or(false)
            && pattern
                .day_match(year, u32::from(month), u32::from(number), weekday(day))
                .unwrap_or(false);
        if is_meant { self.times.clone() } else { Vec::new() }
    }

    /// Whether every hour is meant.
    pub(super) fn is_hourly(&self) -> bool {
        self.is_hourly
    }
}

fn weekday(day: Date) -> Weekday {
    match day.weekday() {
        jiff::civil::Weekday::Monday => Weekday::Monday,
        jiff::civil::Weekday::Tuesday => Weekday::Tuesday,
        jiff::civil::Weekday::Wednesday => Weekday::Wednesday,
        jiff::civil::Weekday::Thursday => Weekday::Thursday,
        jiff::civil::Weekday::Friday => Weekday::Friday,
        jiff::civil::Weekday::Saturday => Weekday::Saturday,
        jiff::civil::Weekday::Sunday => Weekday::Sunday,
    }
}
