//! `machine`: invitations, who has joined, and how one ends.

use std::collections::BTreeMap;
use std::path::PathBuf;

use engine::base::id::{ClientId, InvitationId};
use engine::base::time::Timestamp;
use engine::crypt::secret::SecretKey;
use engine::format::history::JoinRecord;
use engine::format::slot::Role;
use engine::index::identity::writer_identity;
use engine::repo::history;
use engine::repo::open::KeyFile;
use engine::repo::permits::Holder;
use engine::repo::slots::Wrapping;
use restore_verify::evidence::event::Event;
use zeroize::Zeroizing;

use crate::args::machine::{ClaimArgs, InviteArgs, MachineArgs, MachineCommand};
use crate::args::values::PolicyKind;
use crate::command::context::Context;
use crate::command::key::{self, NewKey};
use crate::command::open::{Opened, open, store};
use crate::command::place::{PrivateFile, absolute};
use crate::command::witness::{act, witness};
use crate::command::{client, join, store_policy, trouble};
use crate::config::file::ConfigFile;
use crate::config::token::Invitation;
use crate::fault::{ExitCode, Fault};
use crate::ui::json::Message;
use crate::ui::machines::{Invited, MachineRecord};
use crate::ui::table::{Align, Table};
use crate::units;

/// What a machine saves if nothing is said: what is nowhere else, where programs keep it.
const PATHS: [&str; 6] = ["/etc", "/home", "/root", "/srv", "/opt", "/var/lib"];

/// Does what is wanted with machines.
///
/// # Errors
/// Exit code 12 if the key does not allow it; 23 for an invitation that was taken or is over.
pub fn run(args: &MachineArgs, context: &Context<'_>) -> Result<ExitCode, Fault> {
    match &args.command {
        MachineCommand::Invite(args) => invite(args, context),
        MachineCommand::Join(args) => join::run(args, context),
        MachineCommand::Claim(args) => claim(args, context),
        MachineCommand::List => list(context),
        MachineCommand::Revoke(args) => client::revoke(args, context),
    }
}

/// The configuration of a machine but for what the invitation says.
fn template(args: &InviteArgs, context: &Context<'_>) -> Result<String, Fault> {
    let text = match &args.template {
        Some(path) => {
            let path = context.around.absolute(path);
            std::fs::read_to_string(&path).map_err(|error| {
                Fault::usage(format!("cannot read the template {}", path.display())).because(&error)
            })?
        }
        None => plain_template(&args.path)?,
    };
    let shown = args.template.clone().unwrap_or_else(|| PathBuf::from("the template"));
    let table: toml::Table = text.parse().map_err(|error: toml::de::Error| {
        Fault::usage(format!("{}: {}", shown.display(), error.message()))
    })?;
    for name in ["client", "repo", "host", "key-file", "endpoint", "environment-file"] {
        if table.contains_key(name) {
            let message = format!("{}: {name} comes from the invitation", shown.display());
            return Err(Fault::usage(message).hint("take the line out"));
        }
    }
    let whole = format!("client = \"a\"\nrepo = \"/r\"\nkey-file = \"/k\"\n{text}");
    ConfigFile::understand(&whole, &shown)?;
    Ok(text)
}

fn plain_template(paths: &[PathBuf]) -> Result<String, Fault> {
    let mut named = Vec::new();
    for path in paths {
        let text = path.to_str().filter(|text| text.starts_with('/')).ok_or_else(|| {
            Fault::usage(format!("--path {}: not an absolute path of UTF-8", path.display()))
        })?;
        named.push(text);
    }
    let paths = if named.is_empty() { PATHS.to_vec() } else { named };
    let paths = toml::Value::from(paths);
    Ok(format!(
        "[objectives]\nrpo = \"26h\"\n\n[[source]]\nname = \"files\"\npaths = {paths}\n\
         exclude-caches = true\nallow-missing = true\n\n\
         [schedule]\nbackup = \"01:30\"\nspread = \"45m\"\n"
    ))
}

fn invite(args: &InviteArgs, context: &Context<'_>) -> Result<ExitCode, Fault> {
    let template = template(args, context)?;
    let role = key::role(args.role);
    if !matches!(role, Role::Backup | Role::Maintain | Role::Verify) {
        let message = format!("a machine does not get a key of role {}", role.name());
        return Err(Fault::usage(message).hint("backup, maintain or verify"));
    }
    let (_, place, location) = store(context, &context.global.repository(), false)?;
    let output = match &args.output {
        Some(path) => Some(PrivateFile::create(absolute(path, context.around)?, "the token")?),
        None => None,
    };
    if args.print_policy.is_some() && location.s3_place().is_none() {
        return Err(Fault::usage(format!("{} is no place in S3", location.display()))
            .hint("leave --print-policy out"));
    }
    let opened = open(context)?;
    let repo = &opened.repo;
    repo.keys().admin().map_err(|error| trouble::repo(&error))?;
    let created = context.around.clock.now();
    let secret = SecretKey::random();
    let hosts = if role == Role::Backup { vec![args.host.clone()] } else { Vec::new() };
    let new = NewKey {
        label: &args.host,
        role,
        hosts,
        succeeds: Vec::new(),
        approves: false,
        shares_domain: true,
    };
    let made = key::make(repo, new, &Wrapping::KeyFile(&secret), created)?;
    let Some(identity) = &made.identity else { return Err(Fault::local("a key without a client")) };
    let file = KeyFile { repository: repo.config().repository, slot: made.slot, key: secret };
    let until = created.seconds.saturating_add_unsigned(args.expires.as_secs());
    let invitation = Invitation {
        id: identity.client.to_string(),
        until_s: until,
        organisation: args.organisation.clone(),
        host: args.host.clone(),
        repo: place.location.clone(),
        endpoint: place.endpoint.clone(),
        allow_http: place.allow_http,
        key: file.to_text(),
        template,
    };
    let token = invitation.to_token()?;
    let detail = format!("role {}, {}", role.name(), args.host);
    let done = act(&format!("key {}", made.slot), "invited", &[], &detail, created);
    witness(&opened, &Event::KeyUse(done), context);
    let holder = Holder {
        role,
        client: Some(identity.client),
        slot: Some(made.slot),
        shares_domain: true,
        approves: false,
    };
    let until = Timestamp { seconds: until, nanos: 0 };
    hand_over((token, output), (args, identity.client, until), context)?;
    if let Some(PolicyKind::S3) = args.print_policy {
        let policy = store_policy::s3(&location, place.region.as_deref(), &holder);
        let printed = context.ui.document(&policy);
        printed.map_err(|error| Fault::local("no JSON").because(&error))?;
    }
    Ok(ExitCode::Ok)
}

/// Prints the token, or writes it to its file.
fn hand_over(
    (token, output): (Zeroizing<String>, Option<PrivateFile>),
    (args, client, until): (&InviteArgs, ClientId, Timestamp),
    context: &Context<'_>,
) -> Result<(), Fault> {
    let file = match output {
        Some(file) => Some(file.keep(format!("{}\n", *token).as_bytes())?),
        None => None,
    };
    if context.ui.is_json() {
        context.ui.message(&Message::Invited(Invited {
            client: client.to_string(),
            host: args.host.clone(),
            until: units::rfc3339(until),
            token: file.is_none().then(|| token.to_string()),
            token_file: file.map(|path| path.display().to_string()),
        }));
        return Ok(());
    }
    let at = units::local_time(until, &context.around.time_zone);
    context.ui.note(&format!("{} can join until {at}; the token holds its key", args.host));
    match file {
        Some(path) => context.ui.note(&format!("token written to {}", path.display())),
        None => context.ui.stdout().bytes(format!("{}\n", *token).as_bytes()),
    }
    Ok(())
}

/// Says that the invitation was taken, and looks whether somebody else has said so.
fn claim(args: &ClaimArgs, context: &Context<'_>) -> Result<ExitCode, Fault> {
    let invitation = InvitationId::from_hex(&args.invitation)
        .map_err(|_| Fault::usage("the invitation has 16 hexadecimal digits"))?;
    let opened = open(context)?;
    let repo = &opened.repo;
    let identity = writer_identity(repo, &opened.index, &context.around.host)
        .map_err(|error| trouble::index(&error))?;
    if identity.client.as_bytes() != invitation.as_bytes() {
        return Err(Fault::refused("this key is not that of the invitation"));
    }
    match taken(&opened, invitation)?.as_slice() {
        [] => {}
        [own] if args.again && own.machine == args.machine => return Ok(ExitCode::Ok),
        [other, ..] => return Err(twice(other, context)),
    }
    let record = JoinRecord {
        invitation,
        client: identity.client,
        at: context.around.clock.now(),
        machine: args.machine.clone(),
    };
    history::put_join(repo, &identity, &record).map_err(|error| trouble::repo(&error))?;
    // Of two that come at once, both see the other.
    match taken(&opened, invitation)?.iter().find(|other| other.at != record.at) {
        Some(other) => Err(twice(other, context)),
        None => Ok(ExitCode::Ok),
    }
}

fn taken(opened: &Opened, invitation: InvitationId) -> Result<Vec<JoinRecord>, Fault> {
    let (joins, _) = history::joins(&opened.repo).map_err(|error| trouble::repo(&error))?;
    let records = joins.into_iter().map(|(record, _)| record);
    Ok(records.filter(|record| record.invitation == invitation).collect())
}

fn twice(other: &JoinRecord, context: &Context<'_>) -> Fault {
    let at = units::local_time(other.at, &context.around.time_zone);
    let machine = &other.machine;
    Fault::refused(format!("this invitation was taken at {at} by a machine called {machine:?}"))
        .hint(
            "ask for another; if that machine is not yours, `mainstay machine revoke` ends its key",
        )
}

/// What is known of joins, by client.
type Joins = BTreeMap<ClientId, Vec<JoinRecord>>;

fn list(context: &Context<'_>) -> Result<ExitCode, Fault> {
    let opened = open(context)?;
    let catalog = opened.catalog()?;
    let (found, unreadable) =
        history::joins(&opened.repo).map_err(|error| trouble::repo(&error))?;
    let mut joins = Joins::new();
    for (record, _) in found {
        // An invitation bears the id of its client, and only that one can sign for it.
        if record.client.as_bytes() == record.invitation.as_bytes() {
            joins.entry(record.client).or_default().push(record);
        }
    }
    let mut newest: BTreeMap<ClientId, (u64, String, Timestamp)> = BTreeMap::new();
    for one in &catalog.snapshots {
        let snapshot = &one.snapshot;
        let entry = newest.entry(snapshot.client).or_insert((0, String::new(), snapshot.started));
        entry.0 += 1;
        if entry.1.is_empty() || snapshot.started >= entry.2 {
            (entry.1, entry.2) = (snapshot.session.to_snapshot_hex(), snapshot.started);
        }
    }
    let mut records = Vec::new();
    for one in catalog.claims.clients().all() {
        let of_it = joins.get(&one.client).map(Vec::as_slice).unwrap_or_default();
        let saved = newest.get(&one.client);
        let is_revoked = !catalog.claims.clients().endings(one.client).is_empty();
        let state = match (is_revoked, of_it.len(), saved) {
            (true, ..) => "revoked",
            (_, 2.., _) => "joined twice",
            (_, 1, _) => "joined",
            (_, _, Some(_)) => "in use",
            _ => "not used yet",
        };
        records.push(MachineRecord {
            client: one.client.to_string(),
            name: one.name.clone(),
            role: one.role.name(),
            hosts: catalog.claims.hosts_of(one.client).unwrap_or_default(),
            state,
            joined: of_it.iter().map(|join| units::rfc3339(join.at)).collect(),
            machines: of_it.iter().map(|join| join.machine.clone()).collect(),
            snapshots: saved.map_or(0, |saved| saved.0),
            newest: saved.map(|saved| saved.1.clone()),
            newest_time: saved.map(|saved| units::rfc3339(saved.2)),
        });
    }
    show(&records, context);
    if unreadable > 0 {
        let count = units::counted(unreadable, "record of an invitation");
        context.ui.note(&format!("unreadable: {count}; `mainstay check` names what is damaged"));
    }
    Ok(ExitCode::Ok)
}

fn show(records: &[MachineRecord], context: &Context<'_>) {
    if context.ui.is_json() {
        for record in records {
            context.ui.message(&Message::Machine(Box::new(record.clone())));
        }
        return;
    }
    let mut table = Table::new(&[
        ("Client", Align::Left),
        ("Name", Align::Left),
        ("Role", Align::Left),
        ("State", Align::Left),
        ("Machine", Align::Left),
        ("Snapshots", Align::Right),
        ("Newest", Align::Left),
    ]);
    for record in records {
        table.row([
            record.client[..8].to_owned(),
            record.name.clone(),
            record.role.to_owned(),
            record.state.to_owned(),
            record.machines.join(", "),
            units::count(record.snapshots),
            record.newest_time.clone().unwrap_or_default(),
        ]);
    }
    context.ui.table(&table);
    for record in records.iter().filter(|record| record.state == "joined twice") {
        let id = &record.client[..8];
        context.ui.note(&format!(
            "{}: its invitation was taken by {} machines; unless all are yours, end it with \
             `mainstay machine revoke {id}` and invite the machine again",
            record.name,
            record.machines.len(),
        ));
    }
}
