//! `probe`: whether a store keeps the promises that backups rest on.

use engine::store::contract::{CheckResult, Effort, Outcome, ProbeOptions, ProbeReport, probe};

use crate::args::repository::ProbeArgs;
use crate::command::context::Context;
use crate::command::open::{progress, store};
use crate::config::repository::RepositoryFlags;
use crate::fault::{Doing, ExitCode, Fault};
use crate::ui::json::Message;
use crate::ui::records::{Probed, ProbedCheck};
use crate::ui::table::{Align, Table};

/// Probes the store.
///
/// # Errors
/// Exit code 23 if it is unsafe, 24 if it cannot be used.
pub fn run(args: &ProbeArgs, context: &Context<'_>) -> Result<ExitCode, Fault> {
    let flags = context.global.repository();
    let (first, _, location) = store(context, &flags, true)?;
    let second = match &args.endpoint2 {
        Some(endpoint) => {
            let flags = RepositoryFlags { endpoint: Some(endpoint.clone()), ..flags };
            Some(store(context, &flags, false)?.0)
        }
        None => None,
    };
    let effort = if args.full { Effort::Full } else { Effort::Quick };
    let monitor = progress(context);
    let report = probe(&first, &ProbeOptions { effort, second }, &monitor);
    drop(monitor);
    if let Some(folder) = location.local_path() {
        // Only an empty folder can be removed so: one that the probe made.
        let _ = std::fs::remove_dir(folder);
    }
    let report = report.map_err(|error| Fault::during(Doing::Find, &error))?;
    show(&report, first.describe(), context);
    match report.first_failed() {
        None => Ok(ExitCode::Ok),
        Some(failed) => Err(Fault::refused(format!(
            "the store at {} is not safe for backups: it fails check {} ({})",
            first.describe(),
            failed.number,
            failed.name
        ))
        .hint("use another store, or show its operator what was seen")),
    }
}

fn show(report: &ProbeReport, place: &str, context: &Context<'_>) {
    if context.ui.is_json() {
        context.ui.message(&Message::Probe(Probed {
            repository: place.to_owned(),
            safe: report.is_safe(),
            checks: report.checks.iter().map(record).collect(),
        }));
        return;
    }
    let mut table = Table::new(&[
        ("#", Align::Right),
        ("Check", Align::Left),
        ("", Align::Left),
        ("Outcome", Align::Left),
        ("Seen", Align::Left),
    ]);
    for check in &report.checks {
        let need = if check.required { "required" } else { "" };
        let number = check.number.to_string();
        table.row([&number, check.name, need, word(check.outcome), &check.detail]);
    }
    context.ui.table(&table);
    if report.is_safe() {
        context.ui.result("");
        context.ui.result(&format!("{place} is safe for backups"));
    }
}

fn record(check: &CheckResult) -> ProbedCheck {
    ProbedCheck {
        number: check.number,
        name: check.name,
        required: check.required,
        outcome: word(check.outcome),
        detail: check.detail.clone(),
    }
}

fn word(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Passed => "passed",
        Outcome::Failed => "failed",
        Outcome::Skipped => "skipped",
    }
}
