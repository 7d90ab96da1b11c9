//! `ticket`: tickets of all clients for people.

use alert::state::{State, Step, Ticket, TicketState};

use crate::args::watch::{
    TicketAckArgs, TicketArgs, TicketCommand, TicketListArgs, TicketShowArgs,
};
use crate::command::context::Context;
use crate::command::night::utc;
use crate::command::watch::round::{state_fault, state_file};
use crate::command::witness;
use crate::fault::{ExitCode, Fault};
use crate::night::load::{self, Organisation};
use crate::ui::json::Message;
use crate::ui::table::{Align, Table};
use crate::ui::watch::{StepRecord, TicketRecord};

/// Lists, shows or acknowledges.
///
/// # Errors
/// A fault of usage for a key without a ticket; those of files and states.
pub fn run(args: &TicketArgs, context: &Context<'_>) -> Result<ExitCode, Fault> {
    let files = load::files(context.global.config.as_deref(), context.around)?;
    let (organisations, mut faults) = load::all(&files, context.around);
    match &args.command {
        TicketCommand::List(args) => list(args, &organisations, context)?,
        TicketCommand::Ack(args) => acknowledge(args, &organisations, context)?,
        TicketCommand::Show(args) => show(args, &organisations, context)?,
    }
    let Some(last) = faults.pop() else { return Ok(ExitCode::Ok) };
    faults.iter().for_each(|fault| fault.print(context.ui));
    Err(last)
}

fn record(ticket: &Ticket, steps: Option<Vec<Step>>) -> TicketRecord {
    let finding = &ticket.finding;
    TicketRecord {
        key: finding.key.clone(),
        state: ticket.state.name(),
        severity: ticket.severity.number(),
        severity_name: ticket.severity.name(),
        client: finding.client.clone(),
        system: finding.system.clone(),
        condition: finding.condition.clone(),
        opened: utc(ticket.opened_s),
        seen: ticket.seen,
        last_seen: utc(ticket.seen_s),
        resolved: ticket.resolved_s.map(utc),
        since: utc(finding.since_s),
        summary: finding.summary.clone(),
        details: finding.details.clone(),
        remote: ticket.remote.clone(),
        history: steps.map(|steps| {
            let step = |step: Step| StepRecord {
                time: utc(step.at_s),
                event: step.what,
                actor: step.actor,
                note: step.note,
            };
            steps.into_iter().map(step).collect()
        }),
    }
}

fn list(
    args: &TicketListArgs,
    organisations: &[Organisation],
    context: &Context<'_>,
) -> Result<(), Fault> {
    let mut found = Vec::new();
    for organisation in organisations {
        if args.client.as_ref().is_some_and(|client| *client != organisation.plan.client) {
            continue;
        }
        if let Some(state) = find(organisation)? {
            found.extend(state.tickets(args.all).map_err(|error| state_fault(&error))?);
        }
    }
    if args.unacknowledged {
        found.retain(|ticket| ticket.state == TicketState::Open);
    }
    found.sort_by_key(|ticket| (ticket.resolved_s.is_some(), ticket.severity, ticket.opened_s));
    let records: Vec<_> = found.iter().map(|ticket| record(ticket, None)).collect();
    if context.ui.is_json() {
        records.into_iter().for_each(|it| context.ui.message(&Message::Ticket(Box::new(it))));
        return Ok(());
    }
    if records.is_empty() {
        context.ui.note(match args.unacknowledged {
            true => "nothing needs attention",
            false => "no ticket is open",
        });
        return Ok(());
    }
    let mut table = Table::new(&[
        ("severity", Align::Left),
        ("state", Align::Left),
        ("client", Align::Left),
        ("what", Align::Left),
        ("opened", Align::Left),
        ("seen", Align::Right),
        ("ticket", Align::Left),
    ]);
    for one in &records {
        let seen = one.seen.to_string();
        table.row([
            one.severity_name,
            one.state,
            &one.client,
            &one.summary,
            &one.opened,
            &seen,
            &one.key,
        ]);
    }
    context.ui.table(&table);
    Ok(())
}

fn find(organisation: &Organisation) -> Result<Option<State>, Fault> {
    State::find(&state_file(organisation)).map_err(|error| state_fault(&error))
}

fn unknown(key: &str) -> Fault {
    Fault::usage(format!("there is no such ticket: {key}"))
        .hint("`mainstay ticket list` shows keys as they are; --all shows resolved ones too")
}

fn acknowledge(
    args: &TicketAckArgs,
    organisations: &[Organisation],
    context: &Context<'_>,
) -> Result<(), Fault> {
    let actor = witness::actor(context);
    let now_s = context.around.clock.now().seconds;
    for organisation in organisations {
        let Some(mut state) = find(organisation)? else { continue };
        let failed = |error| state_fault(&error);
        if !state.acknowledge(&args.key, &actor, &args.note, now_s).map_err(failed)? {
            continue;
        }
        let tickets = state.tickets_of(&args.key).map_err(failed)?;
        if let Some(ticket) = tickets.first() {
            match context.ui.is_json() {
                true => context.ui.message(&Message::Ticket(Box::new(record(ticket, None)))),
                false => context.ui.result(&format!("{} is acknowledged", args.key)),
            }
        }
        return Ok(());
    }
    Err(unknown(&args.key))
}

fn show(
    args: &TicketShowArgs,
    organisations: &[Organisation],
    context: &Context<'_>,
) -> Result<(), Fault> {
    let mut is_found = false;
    for organisation in organisations {
        let Some(state) = find(organisation)? else { continue };
        let failed = |error| state_fault(&error);
        for ticket in state.tickets_of(&args.key).map_err(failed)? {
            is_found = true;
            let steps = state.steps(ticket.number).map_err(failed)?;
            let record = record(&ticket, Some(steps));
            match context.ui.is_json() {
                true => context.ui.message(&Message::Ticket(Box::new(record))),
                false => print(&record, context),
            }
        }
    }
    match is_found {
        true => Ok(()),
        false => Err(unknown(&args.key)),
    }
}

fn print(one: &TicketRecord, context: &Context<'_>) {
    let ui = context.ui;
    ui.result(&format!("{}: {} ({}, {})", one.key, one.summary, one.severity_name, one.state));
    ui.result(&format!("  {}", one.details));
    for (channel, id) in &one.remote {
        ui.result(&format!("  {channel}: {id}"));
    }
    for step in one.history.iter().flatten() {
        let by = step.actor.as_ref().map(|actor| format!(" by {actor}")).unwrap_or_default();
        let note = step.note.as_ref().map(|note| format!(": {note}")).unwrap_or_default();
        ui.result(&format!("  {}  {}{by}{note}", step.time, step.event));
    }
}
