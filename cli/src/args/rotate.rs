//! Options of `check --rotate`.

use std::time::Duration;

use clap::Args;

use crate::args::values::ValueError;
use crate::units;

/// Everything once within a period, a part with each run.
#[derive(Debug, Clone, PartialEq, Args)]
pub struct RotateArgs {
    /// Read the packs whose turn it is, so that every stored byte is authenticated once within
    /// this time (28d); needs a key of role `verify`, and signs what it found
    #[arg(long, value_name = "TIME", value_parser = days,
        conflicts_with_all = ["read_data", "read_data_subset", "retest", "ticket"])]
    pub rotate: Option<u32>,

    /// Time from this run to the next one: what it has to read for the pace
    #[arg(long, value_name = "TIME", default_value = "24h", value_parser = duration)]
    pub every: Duration,

    /// Read at most so many bytes
    #[arg(long, value_name = "SIZE", value_parser = size, requires = "rotate")]
    pub max_bytes: Option<u64>,

    /// Send at most so many requests for packs
    #[arg(long, value_name = "N", requires = "rotate")]
    pub max_requests: Option<u64>,

    /// Spend at most so much, by the prices given
    #[arg(long, value_name = "MONEY", value_parser = money, requires = "rotate")]
    pub max_cost: Option<u64>,

    /// What 1 GiB costs that leaves the store
    #[arg(long, value_name = "MONEY", default_value = "0.09", value_parser = money)]
    pub price_gib: u64,

    /// What 1,000 requests for objects cost
    #[arg(long, value_name = "MONEY", default_value = "0.0004", value_parser = money)]
    pub price_requests: u64,

    /// Read nothing; say what would be read and what that costs
    #[arg(short = 'n', long, requires = "rotate")]
    pub dry_run: bool,
}

fn size(text: &str) -> Result<u64, ValueError> {
    Ok(units::parse_size(text)?)
}

fn duration(text: &str) -> Result<Duration, ValueError> {
    let time = units::parse_duration(text)?;
    match time.is_zero() {
        true => Err(ValueError::new("the time to the next run is more than nothing")),
        false => Ok(time),
    }
}

/// A period in whole days, at least one.
fn days(text: &str) -> Result<u32, ValueError> {
    let days = units::parse_duration(text)?.as_secs() / 86_400;
    match u32::try_from(days) {
        Ok(days @ 1..=36_500) => Ok(days),
        _ => Err(ValueError::new("a period has between 1d and 36500d")),
    }
}

/// Money in millionths: digits, and at most six after a point.
fn money(text: &str) -> Result<u64, ValueError> {
    let wrong = || ValueError::new("write money as digits with a point: 0.09");
    let (whole, part) = text.split_once('.').unwrap_or((text, ""));
    let is_digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if part.len() > 6
        || !is_digits(whole)
        || !is_digits(part)
        || (whole.is_empty() && part.is_empty())
    {
        return Err(wrong());
    }
    let whole: u64 = if whole.is_empty() { 0 } else { whole.parse().map_err(|_| wrong())? };
    let part: u64 = format!("{part:0<6}").parse().map_err(|_| wrong())?;
    whole.checked_mul(1_000_000).and_then(|micros| micros.checked_add(part)).ok_or_else(wrong)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn money_and_periods_are_exact() {
        for (text, micros) in
            [("0.09", Some(90_000)), ("3", Some(3_000_000)), (".5", Some(500_000))]
        {
            assert_eq!(money(text).ok(), micros);
        }
        for text in ["", ".", "-1", "1e3", "0.0000001", "99999999999999999999"] {
            assert!(money(text).is_err(), "{text}");
        }
        assert_eq!(
            (days("28d").ok(), days("4w").ok(), days("1h").ok()),
            (Some(28), Some(28), None)
        );
        assert!(duration("0s").is_err());
    }
}
