//! `key`: passphrases and key files: added, listed, removed, tried.

use std::path::Path;

use engine::base::id::{ClientId, SlotId};
use engine::base::time::Timestamp;
use engine::crypt::random;
use engine::crypt::secret::SecretKey;
use engine::crypt::sign::SigningKey;
use engine::format::slot::{KdfCost, Role, SlotKind};
use engine::index::identity::{Enrolment, enrol_as};
use engine::repo::Repo;
use engine::repo::keyring::{Identity, SHARED_DOMAIN};
use engine::repo::open::KeyFile;
use engine::repo::permits::Holder;
use engine::repo::slots::{self, ListedSlot, Standing, Wrapping};
use engine::store::location::Location;
use restore_verify::evidence::event::Event;

use crate::args::key::{KeyAddArgs, KeyArgs, KeyCommand, KeyPasswdArgs, KeyRemoveArgs};
use crate::args::values::{self, Domain, PolicyKind};
use crate::command::client;
use crate::command::context::Context;
use crate::command::key_rotate;
use crate::command::open::{Opened, allows, open, repository, store, unlock};
use crate::command::place::{PrivateFile, absolute};
use crate::command::store_policy;
use crate::command::trouble;
use crate::command::witness::{act, witness};
use crate::config::credential;
use crate::config::secret::{self, Secret};
use crate::fault::{ExitCode, Fault};
use crate::ui::json::Message;
use crate::ui::keys::{KeyAdded, KeyRecord, KeyRemoved, KeyTested};
use crate::ui::output::printable;
use crate::ui::table::{Align, Table};
use crate::units;

/// Digits of a slot's id that people see.
const SHORT_DIGITS: usize = 8;

/// Does what is wanted with keys.
///
/// # Errors
/// Exit code 12 if the given key does not allow it, 2 for a slot that is not there.
pub fn run(args: &KeyArgs, context: &Context<'_>) -> Result<ExitCode, Fault> {
    match &args.command {
        KeyCommand::Add(args) => add(args, context),
        KeyCommand::List => list(context),
        KeyCommand::Remove(args) => remove(args, context),
        KeyCommand::Clients => client::list(context),
        KeyCommand::Revoke(args) => client::revoke(args, context),
        KeyCommand::Succeed(args) => client::succeed(args, context),
        KeyCommand::Passwd(args) => passwd(args, context),
        KeyCommand::Rotate(args) => key_rotate::run(args, context),
        KeyCommand::Test => test(context),
    }
}

fn add(args: &KeyAddArgs, context: &Context<'_>) -> Result<ExitCode, Fault> {
    let place = policy_place(args, context)?;
    let opened = open(context)?;
    let repo = &opened.repo;
    repo.keys().admin().map_err(|error| trouble::repo(&error))?;
    let role = role(args.role);
    let (hosts, succeeds) = client::enrolment(args, role, &opened)?;
    let file = match &args.to_key_file {
        Some(path) => Some(PrivateFile::create(absolute(path, context.around)?, "the key file")?),
        None => None,
    };
    let new_passphrase = match file {
        Some(_) => None,
        None => Some(new_passphrase(args.new_password_file.as_deref(), args.weak, context)?),
    };
    let label = label(args, role);
    let key = SecretKey::random();
    let wrapping = match &new_passphrase {
        Some(secret) => Wrapping::Passphrase(secret.expose().as_bytes(), KdfCost::DEFAULT),
        None => Wrapping::KeyFile(&key),
    };
    let created = context.around.clock.now();
    let new = NewKey {
        label: &label,
        role,
        hosts: hosts.clone(),
        succeeds: succeeds.clone(),
        approves: args.approver,
        shares_domain: args.domain != Domain::Own,
    };
    let MadeKey { slot, identity, domain } = make(repo, new, &wrapping, created)?;
    let key_file = match file {
        Some(file) => {
            let text = KeyFile { repository: repo.config().repository, slot, key }.to_text();
            Some(file.keep(text.as_bytes())?.display().to_string())
        }
        None => None,
    };
    let kind = if key_file.is_some() { SlotKind::KeyFile } else { SlotKind::Passphrase };
    let key = KeyRecord {
        id: slot.to_string(),
        kind: KeyRecord::kind_of(kind),
        role: Some(role.name()),
        label: Some(label),
        created: Some(units::rfc3339(created)),
        state: Standing::Good.name(),
    };
    let detail = format!("role {}, {}", role.name(), key.label.as_deref().unwrap_or_default());
    let done = act(&format!("key {}", key.id), "added", &[], &detail, created);
    witness(&opened, &Event::KeyUse(done), context);
    let client = identity.as_ref().map(|identity| identity.client.to_string());
    let holder = holder(args, (role, domain), identity.as_ref(), slot);
    let policy = place
        .and_then(|(location, region)| store_policy::s3(&location, region.as_deref(), &holder));
    let succeeds = succeeds.iter().map(ToString::to_string).collect();
    tell_added(KeyAdded { key, key_file, client, hosts, succeeds, policy }, role, context)?;
    Ok(ExitCode::Ok)
}

/// What a new key is to be.
pub(super) struct NewKey<'a> {
    /// What people see.
    pub(super) label: &'a str,
    /// What it allows.
    pub(super) role: Role,
    /// Hosts that its client may name.
    pub(super) hosts: Vec<String>,
    /// Clients whose history goes on with its own.
    pub(super) succeeds: Vec<ClientId>,
    /// Whether it may agree to what takes two people.
    pub(super) approves: bool,
    /// Whether it deduplicates against what others write.
    pub(super) shares_domain: bool,
}

/// A key that was made.
pub(super) struct MadeKey {
    /// What it opens.
    pub(super) slot: SlotId,
    /// The client that writes with it, if its role writes.
    pub(super) identity: Option<Identity>,
    /// Whose data that deduplicates against.
    pub(super) domain: u32,
}

/// Makes a key: its client first, then its slot.
///
/// # Errors
/// Exit code 12 without the administrator's keys; those of the store.
pub(super) fn make(
    repo: &Repo,
    new: NewKey<'_>,
    wrapping: &Wrapping<'_>,
    created: Timestamp,
) -> Result<MadeKey, Fault> {
    let failed = |error| trouble::repo(&error);
    let writes = matches!(new.role, Role::Backup | Role::Maintain | Role::Verify);
    let identity = writes.then(|| Identity {
        client: ClientId::new(random::array()),
        signing: SigningKey::generate(),
    });
    let domain = match &identity {
        Some(identity) if !new.shares_domain => own_domain(identity.client),
        _ => SHARED_DOMAIN,
    };
    let bundle = repo.keys().cut_for(new.role, domain, identity.as_ref()).map_err(failed)?;
    if let Some(identity) = &identity {
        // Before the slot: a key whose client nobody knows could write nothing that counts.
        let (hosts, succeeds, approves) = (new.hosts, new.succeeds, new.approves);
        let enrolment = Enrolment::new(new.label, new.role, domain);
        let enrolment = Enrolment { hosts, succeeds, approves, ..enrolment };
        enrol_as(repo, identity, enrolment).map_err(failed)?;
    }
    let slot = slots::add(repo, new.label, &bundle, wrapping, created).map_err(failed)?;
    Ok(MadeKey { slot, identity, domain })
}

/// Where the store is that a policy is wanted for, before anything is done.
fn policy_place(
    args: &KeyAddArgs,
    context: &Context<'_>,
) -> Result<Option<(Location, Option<String>)>, Fault> {
    let Some(PolicyKind::S3) = args.print_policy else { return Ok(None) };
    let (_, place, location) = store(context, &context.global.repository(), false)?;
    match location.s3_place() {
        Some(_) => Ok(Some((location, place.region))),
        None => {
            let message = format!("{} is no place in S3", location.display());
            Err(Fault::usage(message).hint("leave --print-policy out"))
        }
    }
}

fn tell_added(added: KeyAdded, role: Role, context: &Context<'_>) -> Result<(), Fault> {
    if context.ui.is_json() {
        context.ui.message(&Message::KeyAdded(added));
        return Ok(());
    }
    let KeyAdded { key, key_file, hosts, succeeds, policy, .. } = added;
    let id = &key.id[..SHORT_DIGITS];
    let mut lines = vec![
        format!("added {} {id} with role {}", key.kind, role.name()),
        format!("  it can {}", allows(role)),
    ];
    lines.extend(client::lines(role, &hosts, &succeeds));
    if let Some(path) = key_file {
        lines.push(format!("  use it with --key-file {path}; it is shown nowhere else"));
    }
    match policy {
        // Made to be sent to a file: people are told on the other way.
        Some(policy) => {
            let printed = context.ui.document(&policy);
            printed.map_err(|error| Fault::local("no JSON").because(&error))?;
            lines.iter().for_each(|line| context.ui.note(line));
        }
        None if context.ui.is_quiet() => {}
        None => lines.iter().for_each(|line| context.ui.prose(line, 4)),
    }
    Ok(())
}

fn new_passphrase(file: Option<&Path>, weak: bool, context: &Context<'_>) -> Result<Secret, Fault> {
    let secret = match file {
        Some(path) => secret::read_file(&context.around.absolute(path))?,
        None if context.around.has_person() => {
            return credential::ask_new(context.around, weak);
        }
        None => {
            return Err(Fault::key("no new passphrase is given, and nobody is there to ask")
                .hint("use --new-password-file FILE, or --to-key-file FILE for a machine"));
        }
    };
    secret.check_new(weak)?;
    Ok(secret)
}

/// What people see in lists: what they said, or the name of the key file.
fn label(args: &KeyAddArgs, role: Role) -> String {
    let stem = args.to_key_file.as_ref().and_then(|path| path.file_stem());
    let label = args.label.clone().or_else(|| stem.map(|name| name.to_string_lossy().into()));
    label.unwrap_or_else(|| role.name().to_owned())
}

/// A dedup domain that no other client has: its number comes from the client's random id.
fn own_domain(client: ClientId) -> u32 {
    let mut first = [0; 4];
    first.copy_from_slice(&client.as_bytes()[..4]);
    match u32::from_le_bytes(first) {
        SHARED_DOMAIN => 1,
        number => number,
    }
}

/// Whoever gets the key, as the store is told of it.
fn holder(
    args: &KeyAddArgs,
    (role, domain): (Role, u32),
    identity: Option<&Identity>,
    slot: SlotId,
) -> Holder {
    Holder {
        role,
        client: identity.map(|identity| identity.client),
        slot: args.to_key_file.is_some().then_some(slot),
        shares_domain: domain == SHARED_DOMAIN,
        approves: args.approver,
    }
}

/// The role that a word of the command line stands for.
pub(super) fn role(role: values::Role) -> Role {
    match role {
        values::Role::Backup => Role::Backup,
        values::Role::Maintain => Role::Maintain,
        values::Role::Verify => Role::Verify,
        values::Role::Restore => Role::Restore,
        values::Role::Admin => Role::Admin,
    }
}

fn list(context: &Context<'_>) -> Result<ExitCode, Fault> {
    let (repo, ..) = repository(context)?;
    let listed = slots::list(&repo).map_err(|error| trouble::repo(&error))?;
    if context.ui.is_json() {
        let records: Vec<_> = listed.iter().map(KeyRecord::of).collect();
        context.ui.document(&records).map_err(|error| Fault::local("no JSON").because(&error))?;
        return Ok(ExitCode::Ok);
    }
    let columns =
        ["ID", "Kind", "Role", "Label", "Created", "State"].map(|name| (name, Align::Left));
    let mut table = Table::new(&columns);
    for slot in &listed {
        let KeyRecord { id, kind, role, label, state, .. } = KeyRecord::of(slot);
        let zone = &context.around.time_zone;
        let created = slot.about.as_ref().map(|about| units::local_minute(about.created, zone));
        table.row([
            &id[..SHORT_DIGITS],
            kind,
            role.unwrap_or("?"),
            label.as_deref().unwrap_or("?"),
            created.as_deref().unwrap_or("?"),
            state,
        ]);
    }
    context.ui.table(&table);
    for slot in &listed {
        if let Some(why) = remark(&slot.standing) {
            let id = slot.slot.to_string();
            context.ui.note(&printable(&format!("{}: {why}", &id[..SHORT_DIGITS])));
        }
    }
    Ok(ExitCode::Ok)
}

/// What people should know of a slot that is not as the administrator made it.
fn remark(standing: &Standing) -> Option<String> {
    let said = match standing {
        Standing::Good => return None,
        Standing::Changed | Standing::Missing => {
            "it opens nothing any more: get the object back from a copy of the store, or remove it and \
             add a new one"
        }
        Standing::Unreadable(why) => return Some(why.clone()),
        Standing::Removed => {
            "it was removed and is there again; `mainstay key remove` deletes it once more"
        }
        Standing::Unlisted => {
            "no administrator has signed for it, so anybody may have put it there; `mainstay key \
             remove` deletes it"
        }
    };
    Some(said.to_owned())
}

fn remove(args: &KeyRemoveArgs, context: &Context<'_>) -> Result<ExitCode, Fault> {
    let opened = open(context)?;
    remove_slot(&opened, &args.id.to_ascii_lowercase(), context)
}

fn remove_slot(opened: &Opened, wanted: &str, context: &Context<'_>) -> Result<ExitCode, Fault> {
    let removed = slots::remove(&opened.repo, wanted).map_err(|error| trouble::repo(&error))?;
    let key = KeyRecord::of(&removed);
    let role = key.role.unwrap_or("unknown");
    let detail = format!("role {role}, {}", key.label.as_deref().unwrap_or_default());
    let now = context.around.clock.now();
    let done = act(&format!("key {}", key.id), "removed", &[], &detail, now);
    witness(opened, &Event::KeyUse(done), context);
    if context.ui.is_json() {
        context.ui.message(&Message::KeyRemoved(KeyRemoved { key }));
    } else if !context.ui.is_quiet() {
        let label = key.label.unwrap_or_default();
        context.ui.result(&format!("removed {} {} {label:?}", key.kind, &key.id[..SHORT_DIGITS]));
        context.ui.note(
            "whoever has opened the repository with it may have kept what it unlocked; `mainstay key \
             revoke CLIENT` ends the client that it wrote as",
        );
        if opened.repo.slot() == Some(removed.slot) {
            context.ui.note(
                "this is what the repository was opened with just now: it opens nothing any more",
            );
        }
    }
    Ok(ExitCode::Ok)
}

/// Puts another passphrase into the place of the given one: first the new slot, then the old one
/// goes, so that at every moment one of them opens the repository.
fn passwd(args: &KeyPasswdArgs, context: &Context<'_>) -> Result<ExitCode, Fault> {
    let opened = open(context)?;
    let repo = &opened.repo;
    let listed = slots::list(repo).map_err(|error| trouble::repo(&error))?;
    let is_old = |slot: &&ListedSlot| {
        repo.slot() == Some(slot.slot) && slot.kind == Some(SlotKind::Passphrase)
    };
    let Some(ListedSlot { slot: old, about, .. }) = listed.iter().find(is_old).cloned() else {
        return Err(Fault::usage("what was given to open the repository is no passphrase").hint(
            "`mainstay key add --role admin` adds a passphrase, `mainstay key remove ID` removes one",
        ));
    };
    repo.keys().admin().map_err(|error| trouble::repo(&error))?;
    let secret = new_passphrase(args.new_password_file.as_deref(), args.weak, context)?;
    let label = about.map_or_else(|| Role::Admin.name().to_owned(), |about| about.label);
    let bundle = repo.keys().cut_for(Role::Admin, SHARED_DOMAIN, None);
    let bundle = bundle.map_err(|error| trouble::repo(&error))?;
    let wrapping = Wrapping::Passphrase(secret.expose().as_bytes(), KdfCost::DEFAULT);
    let created = context.around.clock.now();
    let slot = slots::add(repo, &label, &bundle, &wrapping, created)
        .map_err(|error| trouble::repo(&error))?;
    let done = act(&format!("key {slot}"), "added", &[], "a changed passphrase", created);
    witness(&opened, &Event::KeyUse(done), context);
    let key = KeyRecord {
        id: slot.to_string(),
        kind: KeyRecord::kind_of(SlotKind::Passphrase),
        role: Some(Role::Admin.name()),
        label: Some(label),
        created: Some(units::rfc3339(created)),
        state: Standing::Good.name(),
    };
    let added = KeyAdded {
        key,
        key_file: None,
        client: None,
        hosts: Vec::new(),
        succeeds: Vec::new(),
        policy: None,
    };
    tell_added(added, Role::Admin, context)?;
    remove_slot(&opened, &old.to_string(), context)
}

fn test(context: &Context<'_>) -> Result<ExitCode, Fault> {
    let (store, ..) = store(context, &context.global.repository(), false)?;
    let credential = credential::find(&context.global.credential(), context.around)?;
    let repo = unlock(&store, &credential, None, context)?;
    let role = repo.keys().role();
    let slot = repo.slot();
    let listed = slots::own(&repo).map_err(|error| trouble::repo(&error))?;
    let listed = listed.as_ref().map(KeyRecord::of);
    let key = KeyRecord {
        role: Some(role.name()),
        ..listed.unwrap_or(KeyRecord {
            id: slot.map(|slot| slot.to_string()).unwrap_or_default(),
            kind: "key file",
            role: None,
            label: None,
            created: None,
            state: Standing::Good.name(),
        })
    };
    if context.ui.is_json() {
        context.ui.message(&Message::KeyTest(KeyTested {
            key,
            repository: repo.config().repository.to_string(),
            fingerprint: repo.fingerprint(),
        }));
        return Ok(ExitCode::Ok);
    }
    let id = key.id.get(..SHORT_DIGITS).unwrap_or("?");
    let label = key.label.unwrap_or_default();
    context.ui.result(&format!("role {} ({} {id} {label:?})", role.name(), key.kind));
    context.ui.prose(&format!("  it can {}", allows(role)), 4);
    context.ui.result(&format!("  repository {}", repo.config().repository));
    context.ui.result(&format!("  fingerprint {}", repo.fingerprint()));
    Ok(ExitCode::Ok)
}
