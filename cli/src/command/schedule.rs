//! `schedule`: when jobs are due, and the unit of systemd.

use agent::config::schedule::JobKind;
use agent::plan::{Plan, Trigger};

use crate::args::night::{InstallArgs, NextArgs, ScheduleArgs, ScheduleCommand};
use crate::command::context::Context;
use crate::command::install;
use crate::command::night::{utc, with_offset};
use crate::fault::{ExitCode, Fault};
use crate::night::load;
use crate::ui::json::Message;
use crate::ui::night::SlotRecord;
use crate::ui::table::{Align, Table};
use crate::units;

/// Shows or installs.
///
/// # Errors
/// A fault of usage for a configuration that makes no sense; a local one if the unit cannot be written.
pub fn run(args: &ScheduleArgs, context: &Context<'_>) -> Result<ExitCode, Fault> {
    match &args.command {
        ScheduleCommand::Next(args) => next(args, context),
        ScheduleCommand::Install(args) => installing(args, context),
    }
}

fn installing(args: &InstallArgs, context: &Context<'_>) -> Result<ExitCode, Fault> {
    install::run(args, context)
}

/// A slot that is shown.
struct Shown {
    client: String,
    job: JobKind,
    slot_s: i64,
    at_s: i64,
    after: Option<JobKind>,
    zone: jiff::tz::TimeZone,
}

fn next(args: &NextArgs, context: &Context<'_>) -> Result<ExitCode, Fault> {
    let zone = &context.around.time_zone;
    let from_s = match &args.from {
        None => context.around.clock.now().seconds,
        // A slot at this very moment is shown.
        Some(text) => match units::parse_time(text, zone) {
            Ok(from) => from.seconds.saturating_sub(1),
            Err(error) => return Err(Fault::usage(format!("--from: {error}"))),
        },
    };
    let files = load::files(context.global.config.as_deref(), context.around)?;
    let (organisations, mut faults) = load::all(&files, context.around);
    let mut table = Table::new(&[
        ("client", Align::Left),
        ("job", Align::Left),
        ("begins", Align::Left),
        ("slot", Align::Left),
    ]);
    for organisation in &organisations {
        for shown in slots(&organisation.plan, args, from_s) {
            let at = with_offset(shown.at_s, &shown.zone);
            let after = shown.after.map(|job| job.name().to_owned());
            if context.ui.is_json() {
                context.ui.message(&Message::Slot(SlotRecord {
                    client: shown.client,
                    job: shown.job.name().to_owned(),
                    slot: utc(shown.slot_s),
                    at,
                    after,
                }));
                continue;
            }
            let begins = match after {
                Some(before) => format!("after {before}"),
                None => at,
            };
            table.row([shown.client, shown.job.to_string(), begins, utc(shown.slot_s)]);
        }
    }
    if !context.ui.is_json() && table.row_count() > 0 {
        context.ui.table(&table);
    }
    let Some(last) = faults.pop() else { return Ok(ExitCode::Ok) };
    faults.iter().for_each(|fault| fault.print(context.ui));
    Err(last)
}

/// The next slots of one client, in their order.
fn slots(plan: &Plan, args: &NextArgs, from_s: i64) -> Vec<Shown> {
    let count = args.count as usize;
    let mut found = Vec::new();
    for job in plan.jobs.iter().filter(|job| args.job.is_none_or(|only| only == job.kind)) {
        let Some((calendar, own)) = plan.calendar(job.kind) else { continue };
        let (after, every_s) = match &job.trigger {
            Trigger::Calendar(_) => (None, 0),
            Trigger::After { job, every_s, .. } => (Some(*job), *every_s),
        };
        let slack_s = (every_s / 20).min(3600);
        let (mut at_s, mut number, mut last) = (from_s, 0, None::<i64>);
        while number < count {
            let Some(slot_s) = calendar.next(&plan.zone, at_s) else { break };
            at_s = slot_s;
            if last.is_some_and(|last_s| slot_s - last_s < every_s - slack_s) {
                continue;
            }
            let begin_s = agent::night::begin_s(plan, own, calendar, slot_s);
            last = Some(slot_s);
            let shown = Shown {
                client: plan.client.clone(),
                job: job.kind,
                slot_s,
                at_s: begin_s,
                after,
                zone: plan.zone.clone(),
            };
            // Of slots that would begin together the newest runs.
            let is_replaced = |older: &Shown| older.job == job.kind && older.at_s == begin_s;
            match found.last_mut().filter(|older| is_replaced(older)) {
                Some(older) => *older = shown,
                None => {
                    number += 1;
                    found.push(shown);
                }
            }
        }
    }
    found.sort_by_key(|shown| (shown.at_s, shown.job));
    found.truncate(count);
    found
}
