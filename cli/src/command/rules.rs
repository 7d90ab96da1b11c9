//! From options and configuration to the rules of retention, and how rules and reasons are shown.

use engine::base::id::SessionId;
use engine::base::path::escape;
use engine::index::belief::Claims;
use engine::retain::candidate::{GroupBy, GroupKey};
use engine::retain::plan::{Clocks, Reason, Why};
use engine::retain::policy::{Count, Policy, Rule};
use engine::retain::span::ParseSpanError;
use jiff::tz::TimeZone;

use crate::args::rules::{ApplyArgs, KeepArgs, count, group_by, time_zone};
use crate::args::values::{Selector, TagSet, ValueError};
use crate::command::context::Context;
use crate::config::file::ConfigFile;
use crate::config::policy::Retention;
use crate::fault::Fault;

/// Rules, and how they are applied.
pub struct Rules {
    /// What to keep.
    pub policy: Policy,
    /// What is judged together.
    pub group_by: GroupBy,
    /// Whose days.
    pub zone: TimeZone,
}

/// Rules from the command line, or from a configuration if the command line has none.
///
/// # Errors
/// Exit code 2 for a configuration that cannot be used, and for rules that keep nothing.
pub fn resolve(
    keep: &KeepArgs,
    find: &dyn Fn(&Selector) -> Result<SessionId, Fault>,
    context: &Context<'_>,
) -> Result<Rules, Fault> {
    let file = ConfigFile::find(context.global.config.as_deref(), context.around)?;
    let from_file = file.retention.as_ref().map(from_config).transpose();
    let from_file = from_file.map_err(|(key, error)| {
        Fault::usage(format!(
            "{key} in the section [retention] of the configuration cannot be used"
        ))
        .because(&error)
    })?;
    let file_apply = from_file.as_ref().map(|file| file.apply.clone()).unwrap_or_default();
    let rules = match &from_file {
        Some(file) if !keep.has_rule() => file,
        _ => keep,
    };
    let mut policy = policy_of(rules);
    policy.count_partial = keep.apply.count_partial || file_apply.count_partial;
    policy.ids = rules.keep_id.iter().map(find).collect::<Result<_, _>>()?;
    let zone = keep.apply.time_zone.clone().or(file_apply.time_zone);
    Ok(Rules {
        policy,
        group_by: keep.apply.group_by.or(file_apply.group_by).unwrap_or(GroupBy::USUAL),
        zone: zone.unwrap_or_else(|| TimeZone::clone(&context.around.time_zone)),
    })
}

/// What to say if there is no rule.
#[must_use]
pub fn no_rules() -> Fault {
    Fault::usage("no rule says what to keep, and no snapshot is named").hint(
        "name snapshots, or say what to keep: --keep-daily 7, or --config FILE with [retention]",
    )
}

/// The same for what only plays rules.
#[must_use]
pub fn nothing_to_play() -> Fault {
    Fault::usage("no rule says what to keep")
        .hint("say what to keep: --keep-daily 7 --keep-weekly 5, or --config FILE with [retention]")
}

fn policy_of(keep: &KeepArgs) -> Policy {
    let some = |count: Option<Count>| count.unwrap_or(Count::NONE);
    Policy {
        last: some(keep.keep_last),
        each: [
            some(keep.keep_hourly),
            some(keep.keep_daily),
            some(keep.keep_weekly),
            some(keep.keep_monthly),
            some(keep.keep_yearly),
        ],
        within: keep.keep_within,
        each_within: [
            keep.keep_within_hourly,
            keep.keep_within_daily,
            keep.keep_within_weekly,
            keep.keep_within_monthly,
            keep.keep_within_yearly,
        ],
        tags: keep.keep_tag.iter().map(|tags| tags.0.clone()).collect(),
        ids: Vec::new(),
        count_partial: false,
    }
}

type Named<T> = Result<T, (&'static str, ValueError)>;

fn from_config(retention: &Retention) -> Named<KeepArgs> {
    fn read<T>(
        key: &'static str,
        text: &Option<String>,
        parse: impl Fn(&str) -> Result<T, ValueError>,
    ) -> Named<Option<T>> {
        text.as_deref().map(|text| parse(text).map_err(|error| (key, error))).transpose()
    }
    let span = |text: &str| {
        text.parse().map_err(|error: ParseSpanError| ValueError::new(error.to_string()))
    };
    let tags = |text: &String| text.parse::<TagSet>().map_err(|error| ("keep-tag", error));
    let r = retention;
    Ok(KeepArgs {
        keep_last: read("keep-last", &r.keep_last, count)?,
        keep_hourly: read("keep-hourly", &r.keep_hourly, count)?,
        keep_daily: read("keep-daily", &r.keep_daily, count)?,
        keep_weekly: read("keep-weekly", &r.keep_weekly, count)?,
        keep_monthly: read("keep-monthly", &r.keep_monthly, count)?,
        keep_yearly: read("keep-yearly", &r.keep_yearly, count)?,
        keep_within: read("keep-within", &r.keep_within, span)?,
        keep_within_hourly: read("keep-within-hourly", &r.keep_within_hourly, span)?,
        keep_within_daily: read("keep-within-daily", &r.keep_within_daily, span)?,
        keep_within_weekly: read("keep-within-weekly", &r.keep_within_weekly, span)?,
        keep_within_monthly: read("keep-within-monthly", &r.keep_within_monthly, span)?,
        keep_within_yearly: read("keep-within-yearly", &r.keep_within_yearly, span)?,
        keep_tag: r.keep_tag.iter().map(tags).collect::<Result<_, _>>()?,
        keep_id: Vec::new(),
        apply: ApplyArgs {
            group_by: read("group-by", &r.group_by, group_by)?,
            time_zone: read("time-zone", &r.time_zone, time_zone)?,
            count_partial: r.count_partial,
        },
    })
}

/// A reason in a few words; those that restic has too are restic's.
#[must_use]
pub fn reason(reason: &Reason) -> String {
    let words = match &reason.why {
        Why::Rule(rule) => rule_words(rule),
        Why::Oldest(period) => format!("oldest {} snapshot", period.name()),
        Why::Held(hold) => format!("held by {hold}"),
        Why::NewestOfClient => "newest of its client".to_owned(),
        Why::FromTheFuture => "from the future".to_owned(),
        Why::Unsettled => "not confirmed yet".to_owned(),
        Why::Doubted(doubt) => doubt.words().to_owned(),
    };
    match reason.clocks {
        Clocks::Both => words,
        Clocks::Store => format!("{words} (by the store's clock)"),
        Clocks::Own => format!("{words} (by its own clock)"),
    }
}

fn rule_words(rule: &Rule) -> String {
    match rule {
        Rule::Last => "last snapshot".to_owned(),
        Rule::Each(period) => format!("{} snapshot", period.name()),
        Rule::Within(span) => format!("within {span}"),
        Rule::EachWithin(period, span) => format!("{} within {span}", period.name()),
        Rule::Tags(tags) => format!("has tags {}", tags.join(",")),
        Rule::Id(_) => "named by --keep-id".to_owned(),
    }
}

/// What the snapshots of a group have in common, in words; empty for the group of all.
#[must_use]
pub fn group_words(key: &GroupKey, by: GroupBy, claims: &Claims) -> String {
    let mut words = Vec::new();
    words.extend(key.host.as_ref().map(|host| format!("host {host}")));
    // Of most hosts there is one client, which need not be named.
    let is_needed = match &key.host {
        Some(host) => claims.is_shared(host),
        None => claims.has_several_lines(),
    };
    let client = key.client.filter(|_| by.client || is_needed);
    words.extend(client.map(|client| format!("client {}", claims.clients().title(client))));
    words.extend(key.paths.as_ref().map(|paths| {
        let paths: Vec<_> = paths.iter().map(|path| escape(&path.0)).collect();
        format!("paths {}", paths.join(" "))
    }));
    words.extend(key.tags.as_ref().map(|tags| match tags.is_empty() {
        true => "no tags".to_owned(),
        false => format!("tags {}", tags.join(",")),
    }));
    words.join(", ")
}
