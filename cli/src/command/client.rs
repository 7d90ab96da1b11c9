//! `key clients`, `key revoke`, `key succeed`: who writes, from when on it does not count, and whose
//! history goes on with whose.

use std::collections::BTreeSet;

use engine::base::id::{ClientId, Digest};
use engine::format::client::Client;
use engine::format::machine::{LastRecord, LastSnapshot, Revocation};
use engine::format::slot::Role;
use engine::index::belief::{Claims, Doubt};
use engine::index::catalog::{Catalog, Committed};
use engine::index::identity::{begin_identity, known_identity};
use engine::repo::{machine, slots};
use restore_verify::evidence::event::Event;
use restore_verify::evidence::record::{Reference, SignedRecord, Writer};
use restore_verify::evidence::revoked::{REVOKED, subject};
use restore_verify::evidence::shelf::Shelf;

use crate::args::filter::FilterArgs;
use crate::args::key::{KeyAddArgs, KeyRevokeArgs, KeySucceedArgs};
use crate::args::values::Selector;
use crate::command::context::Context;
use crate::command::open::{Opened, open};
use crate::command::select::Choice;
use crate::command::trouble;
use crate::command::whose::find;
use crate::command::witness::{act, witness};
use crate::fault::{ExitCode, Fault};
use crate::ui::clients::{ClientRecord, KeyRevoked, KeySucceeded};
use crate::ui::json::Message;
use crate::ui::output::printable;
use crate::ui::table::{Align, Table};
use crate::units;

/// What `--last` says if nothing of the client counts.
const NOTHING: &str = "none";

/// Lists all clients.
///
/// # Errors
/// Those of the store and of the index.
pub fn list(context: &Context<'_>) -> Result<ExitCode, Fault> {
    let opened = open(context)?;
    let catalog = opened.catalog()?;
    let clients: Vec<_> = catalog.claims.clients().all().collect();
    if context.ui.is_json() {
        let records: Vec<_> = clients.iter().map(|one| record(one, &catalog)).collect();
        context.ui.document(&records).map_err(|error| Fault::local("no JSON").because(&error))?;
        return Ok(ExitCode::Ok);
    }
    let columns = [
        ("ID", Align::Left),
        ("Name", Align::Left),
        ("Role", Align::Left),
        ("Hosts", Align::Left),
        ("Snapshots", Align::Right),
        ("State", Align::Left),
    ];
    let mut table = Table::new(&columns);
    for client in clients {
        table.row([
            client.client.to_string()[..8].to_owned(),
            client.name.clone(),
            client.role.name().to_owned(),
            hosts_words(client, &catalog.claims),
            units::count(own(&catalog, client.client).count() as u64),
            state_words(client.client, &catalog.claims, context),
        ]);
    }
    context.ui.table(&table);
    Ok(ExitCode::Ok)
}

/// The live snapshots that a client signed.
fn own(catalog: &Catalog, client: ClientId) -> impl Iterator<Item = &Committed> {
    catalog.snapshots.iter().filter(move |one| one.snapshot.client == client)
}

fn hosts_words(client: &Client, claims: &Claims) -> String {
    match (client.role, claims.hosts_of(client.client)) {
        (Role::Verify | Role::Restore, _) => "none".to_owned(),
        (Role::Backup, None) => "the first that it names".to_owned(),
        (_, None) => "any".to_owned(),
        (_, Some(hosts)) => hosts.join(", "),
    }
}

fn state_words(client: ClientId, claims: &Claims, context: &Context<'_>) -> String {
    if let Some(ending) = claims.clients().endings(client).first() {
        let at = units::local_time(ending.revocation.at, &context.around.time_zone);
        return format!("revoked {}", &at[..10.min(at.len())]);
    }
    match claims.clients().line(client) {
        line if line == client => "active".to_owned(),
        line => format!("succeeded by {}", claims.clients().title(line)),
    }
}

fn record(client: &Client, catalog: &Catalog) -> ClientRecord {
    let claims = &catalog.claims;
    let ending = claims.clients().endings(client.client).first();
    let newest = own(catalog, client.client).map(|one| one.snapshot.session);
    ClientRecord {
        id: client.client.to_string(),
        name: client.name.clone(),
        role: client.role.name(),
        domain: client.domain,
        enrolled: units::rfc3339(client.enrolled),
        hosts: claims.hosts_of(client.client).unwrap_or_default(),
        succeeds: client.succeeds.iter().map(ToString::to_string).collect(),
        line: claims.clients().line(client.client).to_string(),
        snapshots: own(catalog, client.client).count() as u64,
        newest: newest.max_by_key(|one| one.sequence()).map(|one| one.to_snapshot_hex()),
        revoked: ending.map(|ending| units::rfc3339(ending.revocation.at)),
        reason: ending.map(|ending| ending.revocation.reason.clone()),
    }
}

/// Says that nothing counts any more that a client signs.
///
/// # Errors
/// Exit code 12 without the administrator's keys, 2 for a client or snapshot that is not there.
pub fn revoke(args: &KeyRevokeArgs, context: &Context<'_>) -> Result<ExitCode, Fault> {
    let opened = open(context)?;
    let repo = &opened.repo;
    repo.keys().admin().map_err(|error| trouble::repo(&error))?;
    let catalog = opened.catalog()?;
    let client = find(&catalog.claims, &args.client)?;
    let here = known_identity(repo, &opened.index).map_err(|error| trouble::index(&error))?;
    if here.is_some_and(|here| here.client == client.client) {
        return Err(Fault::refused("this machine writes as that client").hint(
            "revoke it from another machine, or let this one start over with `mainstay key succeed`",
        ));
    }
    let last = last_snapshot(args.last.as_deref(), client.client, &catalog, context)?;
    let head = match args.last.as_deref() {
        Some(NOTHING) => None,
        _ => head_of(&opened, client.client)?,
    };
    let revocation = Revocation {
        client: client.client,
        at: context.around.clock.now(),
        reason: args.deed.reason.clone().unwrap_or_else(|| "revoked".to_owned()),
        snapshot: last
            .as_ref()
            .map(|one| LastSnapshot { session: one.snapshot.session, commit: one.digest }),
        // Nothing writes records of runs yet.
        run: None,
        evidence: head
            .map(|head| LastRecord { number: head.number, hash: Digest::new(head.hash.0) }),
    };
    let (title, reason) = (catalog.claims.clients().title(client.client), &revocation.reason);
    let now = revocation.at;
    if !args.deed.dry_run {
        machine::put_revocation(repo, &revocation).map_err(|error| trouble::repo(&error))?;
        let about = subject(&client.name, Writer(*client.client.as_bytes()));
        let done = act(&about, REVOKED, &[], reason, now);
        witness(&opened, &Event::KeyUse(done), context);
    }
    let after = match args.deed.dry_run {
        true => after_dry(&catalog, client.client, last.as_ref()),
        false => after(&opened.catalog()?, client.client),
    };
    let told = KeyRevoked {
        client: client.client.to_string(),
        name: client.name.clone(),
        dry_run: args.deed.dry_run,
        last_snapshot: last.map(|one| one.snapshot.session.to_snapshot_hex()),
        last_evidence: head.map(|head| head.to_string()),
        snapshots_after: after,
    };
    tell_revoked(&told, (&title, client.role), &opened, context)
}

/// The newest evidence of a client.
fn head_of(opened: &Opened, client: ClientId) -> Result<Option<Reference>, Fault> {
    let shelf = Shelf::open(&opened.repo, &opened.state)?;
    Ok(shelf.head(Writer(*client.as_bytes())).map(SignedRecord::reference))
}

/// Snapshots of the client that do not count any more.
fn after(catalog: &Catalog, client: ClientId) -> u64 {
    own(catalog, client).filter(|one| one.doubt == Some(Doubt::Revoked)).count() as u64
}

/// How many would not, as far as their numbers tell.
fn after_dry(catalog: &Catalog, client: ClientId, last: Option<&Committed>) -> u64 {
    let number = last.map(|one| one.snapshot.session.sequence());
    let is_after =
        |one: &&Committed| number.is_none_or(|number| one.snapshot.session.sequence() > number);
    own(catalog, client).filter(is_after).count() as u64
}

/// The last snapshot that counts: the one that is named, or the newest of all that the client
/// confirmed, forgotten ones too.
fn last_snapshot(
    named: Option<&str>,
    client: ClientId,
    catalog: &Catalog,
    context: &Context<'_>,
) -> Result<Option<Committed>, Fault> {
    let all = catalog.snapshots.iter().chain(&catalog.forgotten);
    let Some(named) = named else {
        let own = all.filter(|one| one.snapshot.client == client);
        let newest = own.max_by_key(|one| (one.snapshot.session.sequence(), one.committed));
        return Ok(newest.cloned());
    };
    if named == NOTHING {
        return Ok(None);
    }
    let filter = FilterArgs::default();
    let selector: Selector = named.parse().map_err(|error: crate::args::values::ValueError| {
        Fault::usage(format!("--last: {error}"))
    })?;
    let one = match &selector {
        Selector::Latest { .. } => None,
        Selector::Prefix(_) => Some(Choice::new(catalog, &filter, context).one(&selector)?),
    };
    match one.filter(|one| one.snapshot.client == client) {
        Some(one) => Ok(Some(one.clone())),
        None => Err(Fault::usage(format!("{} is no snapshot of that client", printable(named)))
            .hint(format!(
                "`mainstay snapshots --client {client}` lists them; `--last {NOTHING}` if none counts"
            ))),
    }
}

fn tell_revoked(
    told: &KeyRevoked,
    (title, role): (&str, Role),
    opened: &Opened,
    context: &Context<'_>,
) -> Result<ExitCode, Fault> {
    let ui = context.ui;
    if ui.is_json() {
        ui.message(&Message::KeyRevoked(told.clone()));
        return Ok(ExitCode::Ok);
    }
    if ui.is_quiet() {
        return Ok(ExitCode::Ok);
    }
    let did = if told.dry_run { "would revoke" } else { "revoked" };
    ui.result(&format!("{did} {}", printable(title)));
    let snapshot = |id: &String| format!("its snapshots up to {} count", &id[..8]);
    let last = told.last_snapshot.as_ref().map(snapshot);
    if !matches!(role, Role::Verify | Role::Restore) {
        let nothing = || "no snapshot of it counts".to_owned();
        ui.result(&format!("  {}", last.unwrap_or_else(nothing)));
    }
    if told.snapshots_after > 0 {
        let later = units::counted(told.snapshots_after, "snapshot");
        ui.result(&format!("  {later} that it made later: they stay, and count for nothing"));
    }
    if let Some(at) = &told.last_evidence {
        ui.result(&format!("  its evidence up to {at} counts"));
    }
    if told.dry_run {
        return Ok(ExitCode::Ok);
    }
    let listed = slots::list(&opened.repo).map_err(|error| trouble::repo(&error))?;
    let same = |slot: &&slots::ListedSlot| {
        slot.about.as_ref().is_some_and(|about| about.label == told.name)
    };
    let ids: Vec<_> =
        listed.iter().filter(same).map(|it| it.slot.to_string()[..8].to_owned()).collect();
    let remove = match ids.is_empty() {
        true => "`mainstay key list` shows whether its key is still there".to_owned(),
        false => format!("`mainstay key remove {}` takes the key of that name", ids.join(" ")),
    };
    ui.note(&format!(
        "{remove}; take its access to the store away as well: with it, whoever has the key can still \
         add objects and hold others up"
    ));
    Ok(ExitCode::Ok)
}

/// Lets this machine go on with the history of others.
///
/// # Errors
/// Exit code 12 without the administrator's keys, 2 for a client that is not there.
pub fn succeed(args: &KeySucceedArgs, context: &Context<'_>) -> Result<ExitCode, Fault> {
    let opened = open(context)?;
    let (repo, index) = (&opened.repo, &opened.index);
    repo.keys().admin().map_err(|error| trouble::repo(&error))?;
    let _lock = opened.lock()?;
    let catalog = opened.catalog()?;
    let mut before = BTreeSet::new();
    for wanted in &args.clients {
        before.insert(find(&catalog.claims, wanted)?.client);
    }
    let here = known_identity(repo, index).map_err(|error| trouble::index(&error))?;
    before.extend(here.map(|here| here.client));
    let host = &context.around.host;
    let identity = begin_identity(repo, index, host, before.iter().copied().collect())
        .map_err(|error| trouble::index(&error))?;
    let titles: Vec<_> =
        before.iter().map(|client| catalog.claims.clients().title(*client)).collect();
    let now = context.around.clock.now();
    let done =
        act(&format!("client {}", identity.client), "succeeds", &[], &titles.join(", "), now);
    witness(&opened, &Event::KeyUse(done), context);
    if context.ui.is_json() {
        context.ui.message(&Message::KeySucceeded(KeySucceeded {
            client: identity.client.to_string(),
            succeeds: before.iter().map(ToString::to_string).collect(),
        }));
    } else if !context.ui.is_quiet() {
        let id = &identity.client.to_string()[..8];
        context.ui.result(&printable(&format!(
            "this machine writes as client {id} now and goes on with {}",
            titles.join(", ")
        )));
        context.ui.note("the next backup reads every file once, and stores only what is new");
    }
    Ok(ExitCode::Ok)
}

/// The hosts that the new client may name, and the clients that it succeeds. One that succeeds
/// others may name what those may, unless something else is said.
///
/// # Errors
/// Exit code 2 for words that make no sense for the role, and for a client that is not there.
pub fn enrolment(
    args: &KeyAddArgs,
    role: Role,
    opened: &Opened,
) -> Result<(Vec<String>, Vec<ClientId>), Fault> {
    if args.approver && role != Role::Maintain {
        return Err(Fault::usage("an approver has the role maintain")
            .hint("mainstay key add --role maintain --approver --to-key-file FILE"));
    }
    let mut hosts = args.client_host.clone();
    if !hosts.is_empty() && role != Role::Backup {
        let words = format!("--client-host is for keys of role backup, not {}", role.name());
        return Err(Fault::usage(words)
            .hint("maintain and admin may name any host, the other roles make no snapshots"));
    }
    if args.succeeds.is_empty() {
        return Ok((hosts, Vec::new()));
    }
    if !matches!(role, Role::Backup | Role::Maintain | Role::Verify) {
        let words = format!("a key of role {} is no client: --succeeds", role.name());
        return Err(Fault::usage(words)
            .hint("`mainstay key succeed` is for machines that are opened with the passphrase"));
    }
    let catalog = opened.catalog()?;
    let mut succeeds = Vec::new();
    for wanted in &args.succeeds {
        let before = find(&catalog.claims, wanted)?.client;
        if args.client_host.is_empty() && role == Role::Backup {
            hosts.extend(catalog.claims.hosts_of(before).unwrap_or_default());
        }
        succeeds.push(before);
    }
    hosts.sort();
    hosts.dedup();
    Ok((hosts, succeeds))
}

/// What people are told of it.
#[must_use]
pub fn lines(role: Role, hosts: &[String], succeeds: &[String]) -> Vec<String> {
    let mut lines = Vec::new();
    if role == Role::Backup {
        let hosts = match hosts.is_empty() {
            true => "that its first snapshot names; --client-host binds it now".to_owned(),
            false => printable(&hosts.join(", ")),
        };
        lines.push(format!("  its snapshots are of the host {hosts}"));
    }
    for before in succeeds {
        let id = &before[..8];
        lines.push(format!("  it goes on with the history of client {id}"));
        lines.push(format!(
            "  `mainstay key revoke {id}` ends that, once its machine is out of use"
        ));
    }
    lines
}
