//! What the commands about what happens by itself have in common.

use agent::outcome::{Outcome, Reason, Verdict};
use engine::base::time::Timestamp;
use jiff::tz::TimeZone;

use crate::command::context::Context;
use crate::fault::ExitCode;
use crate::night::perform::{News, PUT_OFF};
use crate::ui::json::Message;
use crate::ui::night::RunRecord;
use crate::units;

/// RFC 3339 in UTC.
#[must_use]
pub fn utc(at_s: i64) -> String {
    units::rfc3339(Timestamp { seconds: at_s, nanos: 0 })
}

/// RFC 3339 with the offset of a zone.
#[must_use]
pub fn with_offset(at_s: i64, zone: &TimeZone) -> String {
    match jiff::Timestamp::from_second(at_s) {
        Ok(at) => at.to_zoned(zone.clone()).strftime("%Y-%m-%dT%H:%M:%S%:z").to_string(),
        Err(_) => utc(at_s),
    }
}

/// Shows what has ended.
pub fn show(news: &News, context: &Context<'_>) {
    let verdict = news.verdict.as_ref();
    let outcome = verdict.map_or(PUT_OFF, |verdict| verdict.outcome.name());
    let reason = verdict.and_then(|verdict| verdict.reason).map(Reason::name);
    let mut detail = verdict.map(|verdict| verdict.detail.clone()).unwrap_or_default();
    if context.ui.is_json() {
        context.ui.message(&Message::Run(RunRecord {
            client: news.client.clone(),
            job: news.job.name(),
            slot: utc(news.slot_s),
            system: news.system.clone(),
            outcome,
            reason,
            detail,
            snapshot: news.snapshot.clone(),
        }));
        return;
    }
    // A run that went well needs no line beside those of its systems.
    let is_good = verdict.is_some_and(|verdict| verdict.outcome == Outcome::Ok);
    let is_backup = news.job == agent::config::schedule::JobKind::Backup;
    if news.system.is_none() && is_good && is_backup {
        return;
    }
    let whose = match &news.system {
        Some(system) => format!("{} {system}", news.client),
        None => news.client.clone(),
    };
    let outcome = if outcome == PUT_OFF { "put off" } else { outcome };
    let mut line = format!("{whose}: {} {}", news.job, in_words(outcome, reason));
    if news.is_repeated {
        // Its systems have said it.
        detail.clear();
    }
    if let (Some(snapshot), Some(facts)) = (&news.snapshot, news.facts) {
        let files = units::counted(facts.files, "file");
        let (size, stored) = (units::size(facts.bytes), units::size(facts.stored_bytes));
        line.push_str(&format!(", snapshot {snapshot:.8}, {files}, {size}, {stored} stored"));
    }
    if !detail.is_empty() {
        line.push_str(&format!("; {detail}"));
    }
    context.ui.result(&line);
}

/// An outcome with its reason.
#[must_use]
pub fn in_words(outcome: &str, reason: Option<&str>) -> String {
    match reason {
        Some(reason) => format!("{outcome} ({reason})"),
        None => outcome.to_owned(),
    }
}

/// How a command ends that carried out runs: with the worst of them.
#[must_use]
pub fn exit(verdicts: &[Verdict]) -> ExitCode {
    let worst = Verdict::worst(verdicts);
    match (worst.outcome, worst.reason) {
        (Outcome::Ok | Outcome::OkWithNotes, _) => ExitCode::Ok,
        // What was left out was not done.
        (Outcome::Skipped | Outcome::Partial | Outcome::Suspicious, _) => ExitCode::Partial,
        (Outcome::Missed | Outcome::Failed, reason) => match reason {
            Some(Reason::Store) => ExitCode::Store,
            Some(Reason::NoRepository) => ExitCode::NoRepository,
            Some(Reason::Key) => ExitCode::Key,
            Some(Reason::Busy) => ExitCode::Busy,
            Some(Reason::Damage) => ExitCode::Damage,
            Some(Reason::Refused) => ExitCode::Refused,
            Some(Reason::Settings) => ExitCode::Usage,
            Some(Reason::Drill) => ExitCode::DrillFailed,
            Some(Reason::Breached) => ExitCode::Breached,
            Some(Reason::Version) => ExitCode::Newer,
            Some(Reason::Interrupted) => ExitCode::Interrupted,
            _ => ExitCode::Failed,
        },
    }
}
