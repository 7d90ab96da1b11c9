//! `offboard`: a client leaves, and a signed record says when nothing of it is left.

use std::collections::BTreeSet;

use engine::base::id::{ClientId, SessionId};
use engine::format::consent::Deed;
use engine::gc::{self, GcOptions};
use engine::index::catalog::{Catalog, Committed};
use engine::index::consents::Consents;
use engine::index::identity::writer_identity;
use engine::repo::marks::require_may_mark;
use engine::repo::slots;
use engine::retain::choice::{Brake, check_named};
use engine::retain::forget::{Reasoned, forget};
use engine::retain::gather::gather;
use restore_verify::evidence::event::{Act, Event};
use restore_verify::evidence::shelf::Shelf;

use crate::args::retention::OffboardArgs;
use crate::command::context::Context;
use crate::command::open::{Opened, open, progress};
use crate::command::trouble;
use crate::command::whose;
use crate::command::witness::{act, prover, witness};
use crate::fault::{ExitCode, Fault};
use crate::ui::json::Message;
use crate::ui::output::printable;
use crate::ui::retention::Offboarded;
use crate::units;

/// What evidence says when it begins.
const BEGUN: &str = "forgotten";
/// What evidence says in the end.
const DESTROYED: &str = "destroyed";

/// Forgets everything of a client; once a collection has freed it, certifies that.
///
/// # Errors
/// Exit code 23 for held snapshots; 2 if the name is not confirmed, or nothing of it was ever here.
pub fn run(args: &OffboardArgs, context: &Context<'_>) -> Result<ExitCode, Fault> {
    let opened = open(context)?;
    require_may_mark(&opened.repo, "forget snapshots").map_err(|error| trouble::repo(&error))?;
    // What is not believed is no certificate.
    prover(&opened, context)?;
    let gathered = gather(&opened.repo, &opened.index).map_err(|error| trouble::retain(&error))?;
    let owners = owners(args, &gathered.catalog)?;
    let is_meant = |one: &&Committed| {
        one.snapshot.host == args.host && owners.as_ref().is_none_or(|it| it.contains(&one.owner))
    };
    let live: Vec<_> = gathered.catalog.snapshots.iter().filter(is_meant).collect();
    let sessions: BTreeSet<SessionId> = live.iter().map(|one| one.snapshot.session).collect();
    check_named(&gathered.candidates, &sessions, Brake::Off)
        .map_err(|error| trouble::retain(&error))?;
    let is_change = !live.is_empty() || !args.remove_key.is_empty();
    if is_change && !args.deed.dry_run && args.confirm.as_deref() != Some(args.host.as_str()) {
        let snapshots = units::counted(live.len() as u64, "snapshot");
        let message = format!("{} has {snapshots}, and all would go", printable(&args.host));
        return Err(Fault::usage(message).hint("to mean it, say the name again: --confirm HOST"));
    }
    if is_change && !args.deed.dry_run {
        require_consent(&opened, &args.host, context)?;
    }
    let offboarding = Offboarding { args, opened: &opened, context };
    let mut done = Offboarded::new(&args.host, live.len() as u64);
    let forgotten = gathered.catalog.forgotten.iter();
    done.records_left = forgotten.filter(is_meant).count() as u64;
    if args.deed.dry_run {
        done.dry_run = true;
    } else if is_change {
        let targets: Vec<_> = live.iter().map(|one| (one.snapshot.session, one.digest)).collect();
        offboarding.begin(&targets, &mut done)?;
    } else {
        offboarding.certify(&mut done)?;
    }
    offboarding.tell(&done);
    Ok(ExitCode::Ok)
}

/// Refuses what takes two people and one alone wants.
fn require_consent(opened: &Opened, host: &str, context: &Context<'_>) -> Result<(), Fault> {
    let (repo, index) = (&opened.repo, &opened.index);
    let failed = |error| trouble::index(&error);
    let consents = Consents::read(repo, index).map_err(failed)?;
    if !consents.takes_two() {
        return Ok(());
    }
    let own = writer_identity(repo, index, &context.around.host).map_err(failed)?;
    let deed = (Deed::Offboard, host, 0);
    consents
        .require(own.client, deed, context.around.clock.now())
        .map_err(|error| trouble::repo(&error))
}

/// Whose snapshots go: those of one client, and of the clients that it succeeds. Others that name
/// the host are somebody else's.
fn owners(args: &OffboardArgs, catalog: &Catalog) -> Result<Option<BTreeSet<ClientId>>, Fault> {
    let clients = catalog.claims.clients();
    if let Some(wanted) = &args.client {
        let client = whose::find(&catalog.claims, wanted)?;
        return Ok(Some(clients.with_predecessors(client.client)));
    }
    let all = catalog.snapshots.iter().chain(&catalog.forgotten);
    let named = all.filter(|one| one.snapshot.host == args.host);
    let lines: BTreeSet<ClientId> = named.map(|one| one.line).collect();
    if lines.len() < 2 {
        return Ok(None);
    }
    let titles: Vec<_> = lines.iter().map(|line| clients.title(*line)).collect();
    let (host, titles) = (printable(&args.host), printable(&titles.join(", ")));
    let message = format!("{} clients have snapshots that name {host}: {titles}", lines.len());
    Err(Fault::new(ExitCode::Refused, "E_SEVERAL_CLIENTS", message)
        .hint("say which one leaves: --client CLIENT, one after the other if all do"))
}

struct Offboarding<'a> {
    args: &'a OffboardArgs,
    opened: &'a Opened,
    context: &'a Context<'a>,
}

impl Offboarding<'_> {
    fn begin(
        &self,
        targets: &[(SessionId, engine::base::id::Digest)],
        done: &mut Offboarded,
    ) -> Result<(), Fault> {
        let Opened { repo, index, .. } = self.opened;
        let reason = self.args.deed.reason.as_deref().unwrap_or("the client leaves");
        let host = &self.context.around.host;
        let because = Reasoned { host, reason, policy: None };
        let monitor = progress(self.context);
        let report = forget(repo, index, targets, &because, &monitor);
        drop(monitor);
        let report = report.map_err(|error| trouble::retain(&error))?;
        done.records_left += targets.len() as u64;
        let removed = self.remove_keys(&mut done.keys_removed);
        let numbers = [
            ("snapshots", report.forgotten.len() as u64),
            ("keys", done.keys_removed.len() as u64),
        ];
        let mut detail = reason.to_owned();
        for key in &done.keys_removed {
            detail.push_str(&format!("; key {key}"));
        }
        done.evidence = self.record(BEGUN, &numbers, &detail);
        // What was done before a key that could not be removed is on record by now.
        removed
    }

    fn remove_keys(&self, removed: &mut Vec<String>) -> Result<(), Fault> {
        for wanted in &self.args.remove_key {
            let slot = slots::remove(&self.opened.repo, &wanted.to_ascii_lowercase());
            removed.push(slot.map_err(|error| trouble::repo(&error))?.slot.to_string());
        }
        Ok(())
    }

    /// Nothing of it is live: is anything left?
    fn certify(&self, done: &mut Offboarded) -> Result<(), Fault> {
        let Opened { repo, index, .. } = self.opened;
        let begun = self.newest_act()?;
        if begun.is_none() && done.records_left == 0 {
            let message = format!("nothing of {} was ever here", printable(&self.args.host));
            return Err(Fault::usage(message)
                .hint("`mainstay snapshots --all` shows the hosts that there are"));
        }
        let monitor = progress(self.context);
        let host = self.context.around.host.clone();
        let options = GcOptions { dry_run: true, host, ..GcOptions::default() };
        let report = gc::run(repo, index, &options, &monitor);
        drop(monitor);
        let report = report.map_err(|error| trouble::collecting(&error))?;
        done.bytes_left = report.unneeded_bytes + report.unused_bytes;
        if done.bytes_left > 0 {
            return Ok(());
        }
        done.is_destroyed = true;
        if let Some((act, reference)) = begun.filter(|(act, _)| act.action == DESTROYED) {
            // It was certified before; once is enough.
            drop(act);
            done.evidence = Some(reference);
            return Ok(());
        }
        let mut detail =
            "all its snapshots are forgotten, and the store holds no byte that no snapshot needs"
                .to_owned();
        if repo.config().capabilities.versioning {
            detail.push_str("; old versions that the bucket keeps are not seen from here");
        }
        let numbers = [("packs", report.packs), ("pack-bytes", report.pack_bytes)];
        done.evidence = self.record(DESTROYED, &numbers, &detail);
        Ok(())
    }

    fn subject(&self) -> String {
        match &self.args.client {
            Some(client) => format!("host {} of client {client}", self.args.host),
            None => format!("host {}", self.args.host),
        }
    }

    fn record(&self, action: &str, numbers: &[(&str, u64)], detail: &str) -> Option<String> {
        let now = self.context.around.clock.now();
        let act = act(&self.subject(), action, numbers, detail, now);
        witness(self.opened, &Event::Offboarding(act), self.context).map(|at| at.to_string())
    }

    /// The newest record about this host, and where it is.
    fn newest_act(&self) -> Result<Option<(Act, String)>, Fault> {
        let shelf = Shelf::open(&self.opened.repo, &self.opened.state)?;
        let subject = self.subject();
        let found = shelf.records().into_iter().rev().find_map(|one| {
            match Event::decode(&one.record.event, &one.record.body) {
                Ok(Event::Offboarding(act)) if act.subject == subject => {
                    Some((act, one.reference().to_string()))
                }
                _ => None,
            }
        });
        Ok(found)
    }

    fn tell(&self, done: &Offboarded) {
        let ui = self.context.ui;
        if ui.is_json() {
            return ui.message(&Message::Offboarded(done.clone()));
        }
        if ui.is_quiet() {
            return;
        }
        let host = printable(&done.hostname);
        let snapshots = units::counted(done.snapshots_forgotten, "snapshot");
        if done.dry_run {
            return ui.result(&format!("would forget {snapshots} of {host}"));
        }
        if done.is_destroyed {
            ui.result(&format!("no content of {host} is left"));
        } else if done.snapshots_forgotten > 0 || !done.keys_removed.is_empty() {
            let keys = units::counted(done.keys_removed.len() as u64, "key");
            ui.result(&format!("forgot {snapshots} of {host}, removed {keys}"));
        } else {
            let bytes = units::size(done.bytes_left);
            ui.result(&format!("{host} is forgotten; {bytes} in the store nobody needs any more"));
        }
        if let Some(evidence) = &done.evidence {
            ui.result(&format!("  evidence   {evidence}"));
        }
        if !done.is_destroyed {
            ui.note(
                "`mainstay prune --max-unused 0%` frees what nobody needs, by default a day after it \
                 announced that; then the same command again certifies that no content is left",
            );
        }
    }
}
