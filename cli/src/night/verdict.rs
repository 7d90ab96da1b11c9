//! From how a process ended to an outcome with its reason.

use agent::outcome::{Outcome, Reason, Verdict};
use agent::state::Facts;
use serde_json::Value;

use crate::fault::ExitCode;
use crate::night::child::ChildEnd;
use crate::units;

/// No detail is longer; the log has the rest.
const DETAIL_MAX_CHARS: usize = 400;

/// What a process came to; `None` if it was stopped because it was asked to.
#[must_use]
pub fn of(end: &ChildEnd) -> Option<Verdict> {
    let Some(code) = end.code else {
        return match end.is_stopped {
            true => None,
            false => {
                let signal = end.signal.unwrap_or_default();
                let words = format!("its process was ended by signal {signal}");
                Some(Verdict::new(Outcome::Failed, Reason::Crashed, words))
            }
        };
    };
    let exit = ExitCode::ALL.into_iter().find(|exit| i32::from(exit.code()) == code);
    match exit {
        Some(ExitCode::Interrupted) if end.is_stopped => None,
        Some(ExitCode::Ok) => Some(good(end)),
        Some(ExitCode::Partial) => {
            let number = count(end.summary.as_ref(), "error_count");
            let first = end.first_problem.clone().unwrap_or_default();
            let words = format!("{} could not be read: {first}", units::counted(number, "item"));
            Some(Verdict::new(Outcome::Partial, Reason::Unreadable, shortened(&words)))
        }
        Some(exit) => Some(Verdict::new(Outcome::Failed, reason(exit), words(end))),
        None => {
            let words = format!("its process ended with exit code {code}");
            Some(Verdict::new(Outcome::Failed, Reason::Crashed, words))
        }
    }
}

/// Why a command ends with a code.
fn reason(exit: ExitCode) -> Reason {
    match exit {
        ExitCode::Ok | ExitCode::Failed => Reason::Local,
        ExitCode::Usage => Reason::Settings,
        ExitCode::Partial => Reason::Unreadable,
        ExitCode::NoRepository => Reason::NoRepository,
        ExitCode::Busy => Reason::Busy,
        ExitCode::Key => Reason::Key,
        ExitCode::Damage => Reason::Damage,
        ExitCode::DrillFailed => Reason::Drill,
        ExitCode::Breached => Reason::Breached,
        ExitCode::Refused => Reason::Refused,
        ExitCode::Store => Reason::Store,
        ExitCode::Newer => Reason::Version,
        ExitCode::Interrupted => Reason::Interrupted,
    }
}

fn good(end: &ChildEnd) -> Verdict {
    let vanished = count(end.summary.as_ref(), "files_vanished");
    if vanished == 0 {
        return Verdict::ok();
    }
    let words = format!("{} vanished while the backup ran", units::counted(vanished, "path"));
    Verdict { outcome: Outcome::OkWithNotes, reason: None, detail: words }
}

/// What a process said of its failure.
fn words(end: &ChildEnd) -> String {
    let text = |name: &str| {
        let found = end.failure.as_ref().and_then(|failure| failure.get(name));
        found.and_then(Value::as_str).map(str::to_owned)
    };
    let causes = end.failure.as_ref().and_then(|failure| failure.get("causes"));
    let causes = causes.and_then(Value::as_array).into_iter().flatten();
    let causes = causes.filter_map(Value::as_str).map(str::to_owned);
    let all: Vec<String> = text("message").into_iter().chain(causes).collect();
    match all.is_empty() {
        false => shortened(&all.join(": ")),
        true => shortened(end.words.back().map_or("it gave no reason", String::as_str)),
    }
}

fn shortened(text: &str) -> String {
    match text.char_indices().nth(DETAIL_MAX_CHARS) {
        None => text.to_owned(),
        Some((end, _)) => format!("{}…", &text[..end]),
    }
}

/// What a backup found and stored.
#[must_use]
pub fn facts(summary: &Value, filter: i64) -> Facts {
    let number = |name: &str| count(Some(summary), name);
    Facts {
        files: number("total_files_processed"),
        bytes: number("total_bytes_processed"),
        new_bytes: number("data_added"),
        stored_bytes: number("data_added_packed"),
        removed_files: number("files_removed"),
        filter,
    }
}

fn count(summary: Option<&Value>, name: &str) -> u64 {
    summary.and_then(|summary| summary.get(name)).and_then(Value::as_u64).unwrap_or_default()
}
