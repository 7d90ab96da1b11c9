//! `approve`: a second person agrees to what destroys much.

use std::time::Duration;

use engine::base::id::ClientId;
use engine::base::time::Timestamp;
use engine::format::consent::{Consent, Deed};
use engine::index::consents::Consents;
use engine::index::identity::known_identity;
use engine::index::{clients, marks};
use engine::repo::consents::{self, Agreed};
use engine::repo::keyring::Identity;
use engine::repo::marks::require_may_mark;
use restore_verify::evidence::event::Event;

use crate::args::approve::{ApproveArgs, ApproveCommand, ConsentArgs};
use crate::command::context::Context;
use crate::command::hold;
use crate::command::open::{Opened, open};
use crate::command::trouble;
use crate::command::witness::{act, witness};
use crate::fault::{ExitCode, Fault};
use crate::ui::consents::ConsentRecord;
use crate::ui::json::Message;
use crate::ui::output::printable;
use crate::ui::table::{Align, Table};
use crate::units;

/// Agrees, or lists what was agreed to.
///
/// # Errors
/// Exit code 12 if the role may not forget, 23 for a key that was not appointed for this, 2 for a hold
/// that is not there.
pub fn run(args: &ApproveArgs, context: &Context<'_>) -> Result<ExitCode, Fault> {
    let opened = open(context)?;
    match &args.command {
        ApproveCommand::List(_) => list(&opened, context),
        ApproveCommand::Prune(args) => {
            agree((Deed::Prune, "", args.packs), &args.consent, &opened, context)
        }
        ApproveCommand::Release(args) => {
            let marks = marks::read(&opened.repo, &opened.index);
            let hold = hold::find(&marks.map_err(|error| trouble::index(&error))?, &args.hold)?;
            agree((Deed::Release, &hold.to_string(), 0), &args.consent, &opened, context)
        }
        ApproveCommand::Offboard(args) => {
            agree((Deed::Offboard, &args.host, 0), &args.consent, &opened, context)
        }
    }
}

/// Whoever opened the repository, as a client that can sign.
fn approver(opened: &Opened) -> Result<Identity, Fault> {
    require_may_mark(&opened.repo, "approve").map_err(|error| trouble::repo(&error))?;
    let known = known_identity(&opened.repo, &opened.index);
    known.map_err(|error| trouble::index(&error))?.ok_or_else(|| {
        Fault::refused("this key belongs to no client that could sign a consent")
            .hint("use the key file of an approver; `mainstay approve list` names them")
    })
}

fn agree(
    (deed, subject, count): (Deed, &str, u64),
    args: &ConsentArgs,
    opened: &Opened,
    context: &Context<'_>,
) -> Result<ExitCode, Fault> {
    let identity = approver(opened)?;
    let (repo, index) = (&opened.repo, &opened.index);
    clients::require_unrevoked(repo, index, identity.client)
        .map_err(|error| trouble::index(&error))?;
    let until = end(context.around.clock.now(), args.lasts);
    let agreed = Agreed { deed, subject, count, until, reason: &args.reason };
    let consent = consents::put(repo, &identity, &agreed).map_err(|error| trouble::repo(&error))?;
    let numbers: &[(&str, u64)] = if deed == Deed::Prune { &[("packs", count)] } else { &[] };
    let words = words(&consent);
    let done = act(&words, "approved", numbers, &args.reason, consent.at);
    witness(opened, &Event::Policy(done), context);
    if context.ui.is_json() {
        context.ui.message(&Message::Approved(record(&consent, consent.at)));
    } else if !context.ui.is_quiet() {
        let until = units::local_time(consent.until, &context.around.time_zone);
        context.ui.result(&format!("approved until {until}: {words}"));
    }
    Ok(ExitCode::Ok)
}

fn end(now: Timestamp, lasts: Duration) -> Timestamp {
    Timestamp { seconds: now.seconds.saturating_add_unsigned(lasts.as_secs()), ..now }
}

/// What was agreed to, for people.
fn words(consent: &Consent) -> String {
    match consent.deed {
        Deed::Prune => format!("deleting up to {} at once", units::counted(consent.count, "pack")),
        Deed::Release => format!("the release of hold {}", consent.subject),
        Deed::Offboard => {
            format!("forgetting all snapshots of {}", printable(&consent.subject))
        }
    }
}

fn record(consent: &Consent, now: Timestamp) -> ConsentRecord {
    ConsentRecord {
        id: consent.id.to_string(),
        deed: match consent.deed {
            Deed::Prune => "prune",
            Deed::Release => "release",
            Deed::Offboard => "offboard",
        },
        subject: consent.subject.clone(),
        packs: consent.count,
        client: consent.by.to_string(),
        time: units::rfc3339(consent.at),
        until: units::rfc3339(consent.until),
        over: consent.until < now,
        reason: consent.reason.clone(),
    }
}

fn list(opened: &Opened, context: &Context<'_>) -> Result<ExitCode, Fault> {
    let (repo, index, ui) = (&opened.repo, &opened.index, context.ui);
    let now = context.around.clock.now();
    let all = clients::read(repo, index).map_err(|error| trouble::index(&error))?;
    let consents = Consents::read(repo, index).map_err(|error| trouble::index(&error))?;
    let given = consents.given.iter().map(|(consent, _)| consent);
    if ui.is_json() {
        let records: Vec<_> = given.map(|consent| record(consent, now)).collect();
        ui.document(&records).map_err(|error| Fault::local("no JSON").because(&error))?;
        return Ok(ExitCode::Ok);
    }
    let zone = &context.around.time_zone;
    let columns = ["Until", "What", "Who", "Why"].map(|name| (name, Align::Left));
    let mut table = Table::new(&columns);
    for consent in given {
        let until = match consent.until < now {
            true => "over".to_owned(),
            false => units::local_time(consent.until, zone),
        };
        table.row([until, words(consent), all.title(consent.by), consent.reason.clone()]);
    }
    if table.row_count() > 0 {
        ui.table(&table);
    }
    let approvers: Vec<ClientId> =
        all.all().filter(|client| client.approves).map(|client| client.client).collect();
    match approvers.is_empty() {
        true => {
            ui.note("one person is enough: `mainstay key add --approver` makes a second needed")
        }
        false => {
            let titles: Vec<_> = approvers.iter().map(|client| all.title(*client)).collect();
            ui.note(&format!("it takes two; approvers: {}", titles.join(", ")));
        }
    }
    Ok(ExitCode::Ok)
}
