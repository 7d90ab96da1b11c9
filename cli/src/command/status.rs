//! `status`: where each system stands, from local state alone.

use std::time::Duration;

use agent::config::schedule::JobKind;
use agent::outcome::{Outcome, Reason};
use agent::state::{State, StateError};
use agent::status::{JobStatus, SystemStatus, jobs, systems};

use crate::args::night::StatusArgs;
use crate::args::watch::{TicketArgs, TicketCommand, TicketListArgs};
use crate::command::context::Context;
use crate::command::monitor::{self, Standing};
use crate::command::night::{in_words, utc, with_offset};
use crate::command::ticket;
use crate::fault::{ExitCode, Fault};
use crate::night::load;
use crate::ui::json::Message;
use crate::ui::night::{JobRecord, SystemRecord};
use crate::ui::table::{Align, Table};
use crate::units;

/// Shows all systems.
///
/// # Errors
/// A fault of usage for a configuration that makes no sense, when all others are shown.
pub fn run(args: &StatusArgs, context: &Context<'_>) -> Result<ExitCode, Fault> {
    if args.attention {
        let (client, all, unacknowledged) = (args.client.clone(), false, true);
        let list = TicketCommand::List(TicketListArgs { all, unacknowledged, client });
        return ticket::run(&TicketArgs { command: list }, context);
    }
    let now_s = context.around.clock.now().seconds;
    let files = load::files(context.global.config.as_deref(), context.around);
    let files = match files {
        Err(fault) if args.check => {
            return Ok(monitor::answer(args, &[], &[fault], now_s, context));
        }
        files => files?,
    };
    let (organisations, mut faults) = load::all(&files, context.around);
    let mut found = Vec::new();
    for organisation in &organisations {
        let plan = &organisation.plan;
        if args.client.as_ref().is_some_and(|client| *client != plan.client) {
            continue;
        }
        let looked = || -> Result<_, StateError> {
            let state = State::look_at(&organisation.state_file())?;
            let jobs = jobs(plan, state.as_ref(), now_s)?;
            let mut systems = systems(plan, state.as_ref(), now_s)?;
            // What was killed runs no more, whatever is written down.
            let is_alive = organisation.holder().is_some();
            systems.iter_mut().for_each(|system| system.is_running &= is_alive);
            Ok((systems, jobs))
        };
        match looked() {
            Ok((systems, jobs)) => found.extend(
                systems.into_iter().map(|system| (system, jobs.clone(), plan.zone.clone())),
            ),
            Err(error) => faults.push(Fault::from(error)),
        }
    }
    if args.check {
        return Ok(monitor::answer(args, &found, &faults, now_s, context));
    }
    if let Some(client) = args.client.as_ref().filter(|_| found.is_empty() && faults.is_empty()) {
        return Err(Fault::usage(format!("no configuration is about the client {client:?}")));
    }
    found.sort_by_key(|(system, ..)| std::cmp::Reverse(badness(system)));
    match context.ui.is_json() {
        true => found.iter().for_each(|(system, jobs, zone)| {
            context.ui.message(&Message::System(Box::new(record(system, jobs, zone))));
        }),
        false if found.is_empty() => {}
        false => {
            table(&found, now_s, context);
            others(&found, now_s, context);
        }
    }
    let Some(last) = faults.pop() else { return Ok(ExitCode::Ok) };
    faults.iter().for_each(|fault| fault.print(context.ui));
    Err(last)
}

/// How urgent a system is: breached before failed, failed before what is only late.
fn badness(system: &SystemStatus) -> (bool, bool, u8, i64) {
    let outcome = system.verdict.as_ref().map(|verdict| verdict.outcome);
    let rank = match outcome {
        Some(Outcome::Failed) => 6,
        Some(Outcome::Missed) => 5,
        Some(Outcome::Suspicious) => 4,
        Some(Outcome::Partial) => 3,
        Some(Outcome::Skipped) => 2,
        None => 1,
        Some(Outcome::Ok | Outcome::OkWithNotes) => 0,
    };
    let is_breached = system.rpo_left_s.is_some_and(|left_s| left_s < 0);
    let is_bare = system.last_success_s.is_none() && outcome.is_some();
    (is_breached, is_bare, rank, -system.rpo_left_s.unwrap_or(i64::MAX))
}

fn record(system: &SystemStatus, jobs: &[JobStatus], zone: &jiff::tz::TimeZone) -> SystemRecord {
    let verdict = system.verdict.as_ref();
    SystemRecord {
        client: system.client.clone(),
        system: system.system.clone(),
        job: "backup",
        outcome: verdict.map(|verdict| verdict.outcome.name()),
        reason: verdict.and_then(|verdict| verdict.reason).map(Reason::name),
        detail: verdict.map(|verdict| verdict.detail.clone()).filter(|detail| !detail.is_empty()),
        running: system.is_running,
        last_success: system.last_success_s.map(utc),
        snapshot: system.snapshot.clone(),
        bytes: system.bytes,
        rpo_seconds: system.rpo_s,
        rpo_left_seconds: system.rpo_left_s,
        next: system.next_s.map(|at_s| with_offset(at_s, zone)),
        jobs: jobs.iter().map(|job| job_record(job, zone)).collect(),
        program_version: env!("CARGO_PKG_VERSION"),
    }
}

fn job_record(job: &JobStatus, zone: &jiff::tz::TimeZone) -> JobRecord {
    let verdict = job.last.as_ref().and_then(|run| run.verdict.as_ref());
    JobRecord {
        job: job.job.name(),
        outcome: verdict.map(|verdict| verdict.outcome.name()),
        reason: verdict.and_then(|verdict| verdict.reason).map(Reason::name),
        ended: job.last.as_ref().and_then(|run| run.ended_s).map(utc),
        next: job.next_s.map(|at_s| with_offset(at_s, zone)),
    }
}

/// Jobs other than backups that did not end well, each once.
fn others(found: &[Standing], now_s: i64, context: &Context<'_>) {
    let mut told = Vec::new();
    for (system, jobs, _) in found {
        for job in jobs.iter().filter(|job| job.job != JobKind::Backup) {
            let Some(verdict) = job.last.as_ref().and_then(|run| run.verdict.as_ref()) else {
                continue;
            };
            let key = (system.client.clone(), job.job);
            if verdict.outcome.is_good() || told.contains(&key) {
                continue;
            }
            let ended_s = job.last.as_ref().and_then(|run| run.ended_s.or(run.began_s));
            let age =
                Duration::from_secs(now_s.saturating_sub(ended_s.unwrap_or(now_s)).unsigned_abs());
            let how = in_words(verdict.outcome.name(), verdict.reason.map(Reason::name));
            let (client, job) = (&system.client, job.job);
            let mut line = format!("{client}: {job} {how}, {} ago", units::age(age));
            if !verdict.detail.is_empty() {
                line.push_str(&format!("; {}", verdict.detail));
            }
            context.ui.result(&line);
            told.push(key);
        }
    }
}

fn table(found: &[Standing], now_s: i64, context: &Context<'_>) {
    let mut table = Table::new(&[
        ("client", Align::Left),
        ("system", Align::Left),
        ("last backup", Align::Left),
        ("age", Align::Right),
        ("rpo left", Align::Right),
        ("next", Align::Left),
    ]);
    let span = |seconds: i64| units::whole_duration(Duration::from_secs(seconds.unsigned_abs()));
    for (system, _, zone) in found {
        let verdict = system.verdict.as_ref();
        let outcome = verdict.map_or("none yet".to_owned(), |verdict| {
            in_words(verdict.outcome.name(), verdict.reason.map(Reason::name))
        });
        let outcome = if system.is_running { format!("{outcome}, running") } else { outcome };
        let age = system.last_success_s.map_or("-".to_owned(), |last_s| span(now_s - last_s));
        let left = match system.rpo_left_s {
            None => "-".to_owned(),
            Some(left_s) if left_s < 0 => format!("-{}", span(left_s)),
            Some(left_s) => span(left_s),
        };
        let next = system.next_s.map_or("-".to_owned(), |at_s| {
            units::local_minute(engine::base::time::Timestamp { seconds: at_s, nanos: 0 }, zone)
        });
        table.row([&system.client, &system.system, &outcome, &age, &left, &next]);
    }
    context.ui.table(&table);
}
