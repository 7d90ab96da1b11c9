//! `alert`: channels tried, shown and told once more.

use std::collections::BTreeMap;

use agent::config::alert::{Alert, ChannelKind};
use alert::channel::look_up;
use alert::channel::ping::{Ping, switches};
use alert::record::{EventKind, Finding, Severity, Standing, body, event_id, key};
use alert::sign::public_keys;
use alert::state::{Due, State};

use crate::args::watch::{AlertArgs, AlertCommand, AlertLogArgs, AlertReplayArgs};
use crate::command::context::Context;
use crate::command::night::utc;
use crate::command::watch::round::{channel_fault, hold, make, state_fault, state_file};
use crate::fault::{ExitCode, Fault};
use crate::night::load::{self, Organisation};
use crate::ui::json::Message;
use crate::ui::table::{Align, Table};
use crate::ui::watch::{ChannelRecord, DeliveryRecord};
use crate::units;

/// Tests, shows or replays.
///
/// # Errors
/// The last channel that could not be used; the others were tried.
pub fn run(args: &AlertArgs, context: &Context<'_>) -> Result<ExitCode, Fault> {
    let files = load::files(context.global.config.as_deref(), context.around)?;
    let (organisations, mut faults) = load::all(&files, context.around);
    let more = match &args.command {
        AlertCommand::Test(args) => {
            each(&organisations, args.channel.as_deref(), context, &|alert, organisation| {
                test(alert, organisation, context)
            })?
        }
        AlertCommand::Setup(args) => {
            each(&organisations, args.channel.as_deref(), context, &|alert, organisation| {
                setup(alert, organisation, context)
            })?
        }
        AlertCommand::Log(args) => log(args, &organisations, context)?,
        AlertCommand::Replay(args) => replay(args, &organisations, context)?,
    };
    faults.extend(more);
    let Some(last) = faults.pop() else { return Ok(ExitCode::Ok) };
    faults.iter().for_each(|fault| fault.print(context.ui));
    Err(last)
}

type Try<'a> = dyn Fn(&Alert, &Organisation) -> (ChannelRecord, Option<Fault>) + 'a;

/// Tries each channel that is meant.
fn each(
    organisations: &[Organisation],
    wanted: Option<&str>,
    context: &Context<'_>,
    tried: &Try<'_>,
) -> Result<Vec<Fault>, Fault> {
    let (mut faults, mut count) = (Vec::new(), 0);
    for organisation in organisations {
        for alert in &organisation.plan.alerts {
            if wanted.is_some_and(|name| name != alert.name()) {
                continue;
            }
            count += 1;
            let (record, fault) = tried(alert, organisation);
            show(&record, context);
            faults.extend(fault);
        }
    }
    match (count, wanted) {
        (0, Some(name)) => Err(Fault::usage(format!("no configuration has the channel {name:?}"))),
        (0, None) => Err(Fault::usage("no configuration has a channel").hint(
            "write [[alert]] with `channel`: webhook, command, mail, ping or a ticket system",
        )),
        _ => Ok(faults),
    }
}

fn show(record: &ChannelRecord, context: &Context<'_>) {
    if context.ui.is_json() {
        return context.ui.message(&Message::Channel(record.clone()));
    }
    let ChannelRecord { client, channel, kind, note, public_keys, ids, .. } = record;
    let named = if channel == kind { channel.clone() } else { format!("{channel} ({kind})") };
    let note = note.as_deref().unwrap_or("can be used");
    context.ui.result(&format!("{client}: {named}: {note}"));
    if !ids.is_empty() {
        let all: Vec<_> = ids.iter().map(|(what, id)| format!("{what} = {id}")).collect();
        context.ui.result(&format!("  ids = {{ {} }}", all.join(", ")));
    }
    for key in public_keys {
        context.ui.result(&format!("  receivers check its signatures with {key}"));
    }
}

fn blank(alert: &Alert, organisation: &Organisation) -> ChannelRecord {
    ChannelRecord {
        client: organisation.plan.client.clone(),
        channel: alert.name().to_owned(),
        kind: alert.channel.name(),
        usable: true,
        note: None,
        public_keys: Vec::new(),
        ids: BTreeMap::new(),
    }
}

/// Whether it can be made at all, without sending anything.
fn setup(
    alert: &Alert,
    organisation: &Organisation,
    context: &Context<'_>,
) -> (ChannelRecord, Option<Fault>) {
    let mut record = blank(alert, organisation);
    let alone = std::slice::from_ref(alert);
    let fault = match alert.channel {
        ChannelKind::Ping => switches(alone).err().map(|error| channel_fault(&error)),
        kind if kind.is_ticket_system() => match look_up(alert) {
            Err(error) => Some(channel_fault(&error)),
            Ok(ids) => {
                record.ids = ids.clone();
                let complete = Alert { ids, ..alert.clone() };
                make(std::slice::from_ref(&complete), organisation, context).1.pop()
            }
        },
        _ => make(alone, organisation, context).1.pop(),
    };
    if alert.channel == ChannelKind::Webhook && fault.is_none() {
        record.public_keys = public_keys(&alert.secret_file.0);
    }
    if let Some(fault) = &fault {
        (record.usable, record.note) = (false, Some(fault.message().to_owned()));
    }
    (record, fault)
}

/// A ticket that is opened and resolved, and says that it is a test.
fn test(
    alert: &Alert,
    organisation: &Organisation,
    context: &Context<'_>,
) -> (ChannelRecord, Option<Fault>) {
    let mut record = blank(alert, organisation);
    let now_s = context.around.clock.now().seconds;
    let failed = |why: &str| {
        let (client, name) = (&organisation.plan.client, alert.name());
        Fault::new(ExitCode::Failed, "E_ALERT", format!("{client}: the channel {name:?}: {why}"))
            .hint("nothing was noted: this was a test")
    };
    let alone = std::slice::from_ref(alert);
    let fault = if alert.channel == ChannelKind::Ping {
        match switches(alone) {
            Err(error) => Some(channel_fault(&error)),
            Ok(all) => {
                let said = all.iter().try_for_each(|one| one.say(&Ping::Success));
                said.err().map(|why| failed(&why))
            }
        }
    } else {
        let (mut receivers, mut faults) = make(alone, organisation, context);
        for receiver in &mut receivers {
            for kind in [EventKind::Opened, EventKind::Resolved] {
                let event = sample(&organisation.plan.client, kind, now_s);
                if let Err(refusal) = receiver.give(&[event], now_s) {
                    faults.push(failed(&refusal.why));
                    break;
                }
            }
        }
        faults.pop()
    };
    record.note = Some(match &fault {
        None => "was told".to_owned(),
        Some(fault) => fault.message().to_owned(),
    });
    record.usable = fault.is_none();
    (record, fault)
}

fn sample(client: &str, kind: EventKind, now_s: i64) -> Due {
    let finding = Finding {
        key: key(client, "test", "test"),
        client: client.to_owned(),
        system: "test".to_owned(),
        condition: "test".to_owned(),
        severity: Severity::Low,
        since_s: now_s,
        anchor: now_s.to_string(),
        summary: "Test of this channel: nothing is wrong".to_owned(),
        details: "Somebody ran `mainstay alert test`.".to_owned(),
        last_good_s: None,
        rpo_s: None,
        rpo_left_s: None,
        snapshot: None,
        evidence: None,
    };
    let state = if kind == EventKind::Opened { "open" } else { "resolved" };
    let mut body = body(&finding, Standing { kind, at_s: now_s, state, opened_s: now_s, seen: 1 });
    body["data"]["test"] = true.into();
    Due {
        event: 0,
        id: event_id(&finding.key, &finding.anchor, 0, kind, 0),
        ticket: 0,
        key: finding.key,
        kind,
        at_s: now_s,
        body: body.to_string(),
        failed: 0,
        remote: None,
    }
}

fn find(organisation: &Organisation) -> Result<Option<State>, Fault> {
    State::find(&state_file(organisation)).map_err(|error| state_fault(&error))
}

fn log(
    args: &AlertLogArgs,
    organisations: &[Organisation],
    context: &Context<'_>,
) -> Result<Vec<Fault>, Fault> {
    let mut records = Vec::new();
    for organisation in organisations {
        let Some(state) = find(organisation)? else { continue };
        let rows = state.log(u64::from(args.count)).map_err(|error| state_fault(&error))?;
        records.extend(rows.into_iter().map(|row| DeliveryRecord {
            next: (row.state == "due").then(|| utc(row.next_s)),
            id: row.id,
            client: organisation.plan.client.clone(),
            channel: row.channel,
            kind: row.kind,
            key: row.key,
            time: utc(row.at_s),
            state: row.state,
            failed: row.failed,
            answer: row.answer,
        }));
    }
    if context.ui.is_json() {
        records.into_iter().for_each(|it| context.ui.message(&Message::Delivery(Box::new(it))));
        return Ok(Vec::new());
    }
    let columns =
        ["time", "client", "channel", "type", "state", "failed", "answer", "ticket", "id"];
    let mut table = Table::new(&columns.map(|name| (name, Align::Left)));
    for one in &records {
        let failed = one.failed.to_string();
        let answer = one.answer.as_deref().unwrap_or("-");
        table.row([
            &one.time,
            &one.client,
            &one.channel,
            &one.kind,
            &one.state,
            &failed,
            answer,
            &one.key,
            &one.id,
        ]);
    }
    match records.is_empty() {
        true => context.ui.note("no channel was told anything yet"),
        false => context.ui.table(&table),
    }
    Ok(Vec::new())
}

fn replay(
    args: &AlertReplayArgs,
    organisations: &[Organisation],
    context: &Context<'_>,
) -> Result<Vec<Fault>, Fault> {
    let now_s = context.around.clock.now().seconds;
    let mut count = 0;
    for organisation in organisations {
        let _held = hold(organisation, context)?;
        let Some(mut state) = find(organisation)? else { continue };
        let (id, channel) = (args.id.as_deref(), args.channel.as_deref());
        count += state.replay(id, channel, now_s).map_err(|error| state_fault(&error))?;
    }
    if let (0, Some(id)) = (count, &args.id) {
        return Err(Fault::usage(format!("no channel was told {id}"))
            .hint("`mainstay alert log` shows ids as they are"));
    }
    let words = units::counted(count, "delivery");
    let words = if count == 1 { words } else { words.replace("deliverys", "deliveries") };
    context.ui.note(&format!("{words} due: the next look sends what is due"));
    Ok(Vec::new())
}
