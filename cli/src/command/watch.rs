//! `watch`: what is wrong with the stores of all clients, told to whoever wants to know.

/// What was promised.
pub(crate) mod promises;
/// A look at one store.
pub(crate) mod look;
/// A look at one client.
pub(crate) mod round;

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use alert::record::EventKind;
use alert::state::Change;

use crate::args::watch::WatchArgs;
use crate::command::context::Context;
use crate::command::night::utc;
use crate::command::watch::round::{RoundEnd, round};
use crate::fault::{ExitCode, Fault};
use crate::night::load::{self, Organisation};
use crate::ui::json::Message;
use crate::ui::table::{Align, Table};
use crate::ui::watch::{ConditionRecord, WatchSummary};
use crate::units;

/// Clients that are looked at at once.
const CONCURRENT: usize = 8;
const TICK: Duration = Duration::from_millis(200);

/// Looks once, or again and again until asked to stop.
///
/// # Errors
/// The worst of what could not be done; with the loop only if there is nothing to look at.
pub fn run(args: &WatchArgs, context: &Context<'_>) -> Result<ExitCode, Fault> {
    let _observed = context.around.cancel.observe();
    if args.once {
        return once(args, context);
    }
    loop {
        let begun = context.around.clock.monotonic();
        match once(args, context) {
            Ok(_) => {}
            Err(fault) if fault.exit_code() == ExitCode::Interrupted => return Ok(ExitCode::Ok),
            // The next look may go better, and the others were looked at.
            Err(fault) => fault.print(context.ui),
        }
        context.ui.stdout().flush();
        while context.around.clock.monotonic().saturating_sub(begun) < args.every {
            if context.around.cancel.is_set() {
                return Ok(ExitCode::Ok);
            }
            std::thread::sleep(TICK.min(args.every));
        }
    }
}

fn once(args: &WatchArgs, context: &Context<'_>) -> Result<ExitCode, Fault> {
    let files = load::files(context.global.config.as_deref(), context.around)?;
    let (mut organisations, mut faults) = load::all(&files, context.around);
    if let Some(client) = &args.client {
        organisations.retain(|one| one.plan.client == *client);
        if organisations.is_empty() && faults.is_empty() {
            return Err(Fault::usage(format!("no configuration is about the client {client:?}")));
        }
    }
    let mut summary = WatchSummary::default();
    let mut changes = Vec::new();
    for (organisation, ended) in organisations.iter().zip(all(&organisations, context)) {
        match ended {
            Ok(end) => {
                summary.clients += 1;
                take(&mut summary, &mut faults, end, &mut changes, organisation, context);
            }
            Err(fault) => faults.push(fault),
        }
    }
    show(&changes, &summary, context);
    // The most serious is said last, and decides how this ends.
    faults.sort_by_key(|fault| fault.exit_code() == ExitCode::Interrupted);
    let Some(last) = faults.pop() else { return Ok(ExitCode::Ok) };
    faults.iter().for_each(|fault| fault.print(context.ui));
    Err(last)
}

/// Looks at all, several at once; answers in their order.
fn all(organisations: &[Organisation], context: &Context<'_>) -> Vec<Result<RoundEnd, Fault>> {
    let next = AtomicUsize::new(0);
    let ends = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..CONCURRENT.min(organisations.len()) {
            scope.spawn(|| {
                loop {
                    let at = next.fetch_add(1, Ordering::Relaxed);
                    let Some(organisation) = organisations.get(at) else { break };
                    let ended = match context.around.cancel.is_set() {
                        true => Err(Fault::interrupted()),
                        false => round(organisation, context),
                    };
                    if let Ok(mut ends) = ends.lock() {
                        ends.push((at, ended));
                    }
                }
            });
        }
    });
    let mut ends = ends.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner);
    ends.sort_by_key(|(at, _)| *at);
    ends.into_iter().map(|(_, ended)| ended).collect()
}

fn take(
    summary: &mut WatchSummary,
    faults: &mut Vec<Fault>,
    end: RoundEnd,
    changes: &mut Vec<Change>,
    organisation: &Organisation,
    context: &Context<'_>,
) {
    summary.unreachable += u64::from(end.is_unreachable);
    summary.open += end.open;
    summary.delivered += end.delivered.delivered;
    summary.waiting += end.waiting;
    summary.lost.extend(end.delivered.lost.iter().cloned());
    for change in &end.changes {
        let count = match change.kind {
            EventKind::Opened => &mut summary.opened,
            EventKind::Repeated => &mut summary.repeated,
            EventKind::Escalated => &mut summary.escalated,
            EventKind::Resolved => &mut summary.resolved,
        };
        *count += 1;
    }
    for note in &end.notes {
        context.ui.note(&format!("{}: {note}", organisation.plan.client));
    }
    changes.extend(end.changes);
    faults.extend(end.faults);
}

fn record(change: &Change) -> ConditionRecord {
    let finding = &change.ticket.finding;
    ConditionRecord {
        event: change.kind.name().trim_start_matches("condition.").to_owned(),
        id: change.id.clone(),
        time: utc(change.at_s),
        key: finding.key.clone(),
        client: finding.client.clone(),
        system: finding.system.clone(),
        condition: finding.condition.clone(),
        severity: change.ticket.severity.number(),
        severity_name: change.ticket.severity.name(),
        state: change.ticket.state.name(),
        summary: finding.summary.clone(),
    }
}

fn show(changes: &[Change], summary: &WatchSummary, context: &Context<'_>) {
    let ui = context.ui;
    if ui.is_json() {
        changes.iter().for_each(|change| ui.message(&Message::Condition(Box::new(record(change)))));
        ui.message(&Message::WatchSummary(summary.clone()));
        return;
    }
    if !changes.is_empty() {
        let mut table = Table::new(&[
            ("change", Align::Left),
            ("severity", Align::Left),
            ("client", Align::Left),
            ("what", Align::Left),
            ("ticket", Align::Left),
        ]);
        for change in changes {
            let one = record(change);
            table.row([&one.event, one.severity_name, &one.client, &one.summary, &one.key]);
        }
        ui.table(&table);
    }
    let waiting = match summary.waiting {
        0 => String::new(),
        waiting => format!(", {} waiting to be told", units::counted(waiting, "event")),
    };
    ui.result(&format!(
        "{} watched, {} open{waiting}",
        units::counted(summary.clients, "client"),
        units::counted(summary.open, "ticket"),
    ));
}
