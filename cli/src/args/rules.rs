//! Rules of retention as options.

use clap::Args;
use engine::retain::candidate::GroupBy;
use engine::retain::policy::Count;
use engine::retain::span::Span;
use jiff::tz::TimeZone;

use crate::args::values::{Selector, TagSet, ValueError};

/// What to keep. Each rule is asked on its own, and what one of them keeps stays.
#[derive(Debug, Clone, PartialEq, Eq, Default, Args)]
#[command(next_help_heading = "Rules")]
pub struct KeepArgs {
    /// The newest N
    #[arg(short = 'l', long, value_name = "N", value_parser = count, allow_negative_numbers = true)]
    pub keep_last: Option<Count>,

    /// The newest of each of the newest N hours that have one
    #[arg(long, value_name = "N", value_parser = count, allow_negative_numbers = true)]
    pub keep_hourly: Option<Count>,

    /// The newest of each of the newest N days
    #[arg(short = 'd', long, value_name = "N", value_parser = count, allow_negative_numbers = true)]
    pub keep_daily: Option<Count>,

    /// The newest of each of the newest N weeks (from Monday on)
    #[arg(short = 'w', long, value_name = "N", value_parser = count, allow_negative_numbers = true)]
    pub keep_weekly: Option<Count>,

    /// The newest of each of the newest N months
    #[arg(short = 'm', long, value_name = "N", value_parser = count, allow_negative_numbers = true)]
    pub keep_monthly: Option<Count>,

    /// The newest of each of the newest N years
    #[arg(short = 'y', long, value_name = "N", value_parser = count, allow_negative_numbers = true)]
    pub keep_yearly: Option<Count>,

    /// All that are at most this much older than the newest (1y6m7d12h)
    #[arg(long, value_name = "SPAN")]
    pub keep_within: Option<Span>,

    /// The newest of each hour, as far back as this
    #[arg(long, value_name = "SPAN")]
    pub keep_within_hourly: Option<Span>,

    /// The newest of each day, as far back as this
    #[arg(long, value_name = "SPAN")]
    pub keep_within_daily: Option<Span>,

    /// The newest of each week, as far back as this
    #[arg(long, value_name = "SPAN")]
    pub keep_within_weekly: Option<Span>,

    /// The newest of each month, as far back as this
    #[arg(long, value_name = "SPAN")]
    pub keep_within_monthly: Option<Span>,

    /// The newest of each year, as far back as this
    #[arg(long, value_name = "SPAN")]
    pub keep_within_yearly: Option<Span>,

    /// All with all of these tags (may be repeated: with any of the sets)
    #[arg(long, value_name = "TAG[,TAG…]")]
    pub keep_tag: Vec<TagSet>,

    /// This one (may be repeated)
    #[arg(long, value_name = "SNAP")]
    pub keep_id: Vec<Selector>,

    /// How the rules are applied.
    #[command(flatten)]
    pub apply: ApplyArgs,
}

/// How rules are applied.
#[derive(Debug, Clone, PartialEq, Eq, Default, Args)]
#[command(next_help_heading = "Applying rules")]
pub struct ApplyArgs {
    /// What the snapshots have in common that rules judge together: any of host, paths, tags,
    /// client; '' for all together [default: host,paths]
    #[arg(short, long, value_name = "WHAT", value_parser = group_by)]
    pub group_by: Option<GroupBy>,

    /// Whose days and hours, as in Europe/Berlin [default: that of this machine]
    #[arg(long, value_name = "ZONE", value_parser = time_zone)]
    pub time_zone: Option<TimeZone>,

    /// Let partial snapshots take the place of complete ones
    #[arg(long)]
    pub count_partial: bool,
}

impl KeepArgs {
    /// Whether any rule is given here.
    #[must_use]
    pub fn has_rule(&self) -> bool {
        *self != Self { apply: self.apply.clone(), ..Self::default() }
    }
}

/// How many: a number from 1, or `unlimited`.
///
/// # Errors
/// [`ValueError`] for anything else.
pub fn count(text: &str) -> Result<Count, ValueError> {
    match text {
        "unlimited" | "-1" => Ok(Count::All),
        _ => match text.parse() {
            Ok(0) => Err(ValueError::new("0 keeps nothing; leave the rule out")),
            Ok(number) => Ok(Count::Most(number)),
            Err(_) => Err(ValueError::new("write a number from 1, or `unlimited`")),
        },
    }
}

/// What groups have in common, separated by commas; empty for one group of all.
///
/// # Errors
/// [`ValueError`] for anything else.
pub fn group_by(text: &str) -> Result<GroupBy, ValueError> {
    let mut group_by = GroupBy::default();
    for word in text.split(',').map(str::trim).filter(|word| !word.is_empty()) {
        let field = match word {
            "host" => &mut group_by.host,
            "paths" | "path" => &mut group_by.paths,
            "tags" | "tag" => &mut group_by.tags,
            "client" => &mut group_by.client,
            _ => return Err(ValueError::new("write any of host, paths, tags, client")),
        };
        *field = true;
    }
    Ok(group_by)
}

/// A time zone by its name.
///
/// # Errors
/// [`ValueError`] for a name that the system does not know.
pub fn time_zone(name: &str) -> Result<TimeZone, ValueError> {
    TimeZone::get(name).map_err(|error| ValueError::new(error.to_string()))
}
