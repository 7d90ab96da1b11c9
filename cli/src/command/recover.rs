//! `recover`: a whole machine, with nothing but the kit.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::time::Duration;

use agent::config::source::Source;
use engine::index::catalog::Committed;
use engine::index::setups::{self, Setup};

use crate::args::filter::FilterArgs;
use crate::args::global::GlobalArgs;
use crate::args::recover::RecoverArgs;
use crate::args::restore::RestoreArgs;
use crate::args::values::{Overwrite, Selector, SnapshotPath};
use crate::command::context::Context;
use crate::command::open::{Opened, open, progress};
use crate::command::place::{PrivateFile, absolute};
use crate::command::select::Choice;
use crate::command::stored::{HEAD, host_of, without_head};
use crate::command::{lost, restore, trouble};
use crate::config::file::ConfigFile;
use crate::config::kit::Kit;
use crate::fault::{ExitCode, Fault};
use crate::ui::json::Message;
use crate::ui::night::RecoveryPart;
use crate::units;

/// Streams have no place of their own.
const STREAMS: &str = "recovered-streams";
/// What a new file system has.
const LOST_AND_FOUND: &str = "lost+found";
/// Says in the target which machine is being restored there.
const MARKER: &str = ".mainstay-recovering";
/// Where the agent of a machine that comes back looks for its configuration.
const CLIENTS: &str = "etc/mainstay/clients";
/// Tags of the agent's sources.
const SOURCE_TAG: &str = "source=";

/// Recovers.
///
/// # Errors
/// Exit code 12 for a kit that opens nothing, 23 if another repository is at its place, 2 if it is not
/// clear which machine is meant; those of `restore`, when the rest is restored.
pub fn run(args: &RecoverArgs, context: &Context<'_>) -> Result<ExitCode, Fault> {
    let path = context.around.absolute(&args.kit);
    let kit = Kit::read(&path)?;
    let mut around = context.around.clone();
    let variable = |name: &str| around.variables.contains_key(std::ffi::OsStr::new(name));
    let region = kit.region.clone().filter(|_| !variable("AWS_REGION"));
    if let Some(region) = region {
        around.variables.insert(OsString::from("AWS_REGION"), OsString::from(region));
    }
    let named = context.global.repo.clone();
    let global = GlobalArgs {
        endpoint: context.global.endpoint.clone().or(kit.endpoint.clone()),
        repo: named.or(kit.location.clone()),
        password_file: Some(path),
        password_command: None,
        key_file: None,
        ..context.global.clone()
    };
    let limits = context.limits.clone();
    let context = &Context { ui: context.ui, around: &around, global: &global, limits };
    let target = absolute(&args.target, context.around)?;
    // Each restore opens it anew, as a person would who types one after the other.
    let parts = {
        let opened = open(context)?;
        require_same(&opened, &kit)?;
        plan(args, &opened, context)?
    };
    show(&parts, context);
    if args.dry_run {
        return Ok(ExitCode::Ok);
    }
    let marker = begin(&target, &parts)?;
    let mut worst: Option<Fault> = None;
    for part in &parts {
        if context.around.cancel.is_set() {
            return Err(Fault::interrupted());
        }
        match restore::run(&part.restore(args, &target, Some(Overwrite::IfChanged)), context) {
            Ok(_) => {}
            Err(fault) if fault.exit_code() == ExitCode::Interrupted => return Err(fault),
            Err(fault) => {
                fault.print(context.ui);
                worst = Some(fault);
            }
        }
    }
    bring_configurations(&parts, &target, context)?;
    if worst.is_none() {
        // It would only let the same be done once more.
        let _ = std::fs::remove_file(marker);
    }
    worst.map_or(Ok(ExitCode::Ok), Err)
}

/// Makes the target, and notes in it what is restored there, so that a run that is cut off between two
/// sources can be given again. Answers where that stands.
fn begin(target: &Path, parts: &[Part]) -> Result<PathBuf, Fault> {
    let shown = target.display();
    let failed =
        |error: &std::io::Error| Fault::local(format!("cannot begin in {shown}")).because(error);
    std::fs::create_dir_all(target).map_err(|error| failed(&error))?;
    let marker = target.join(MARKER);
    let wanted = parts.first().map(|part| part.host.clone()).unwrap_or_default();
    if std::fs::read_to_string(&marker).is_ok_and(|text| text == wanted) {
        return Ok(marker);
    }
    for entry in std::fs::read_dir(target).map_err(|error| failed(&error))? {
        let name = entry.map_err(|error| failed(&error))?.file_name();
        let is_marker = name.to_string_lossy().starts_with(MARKER);
        if name != LOST_AND_FOUND && !is_marker {
            return Err(Fault::refused(format!(
                "{shown} is not empty, and no recovery began there"
            ))
            .hint("name a new folder, or the root of an empty file system"));
        }
    }
    let beside = target.join(format!("{MARKER}.new"));
    let mut file = std::fs::File::create(&beside).map_err(|error| failed(&error))?;
    std::io::Write::write_all(&mut file, wanted.as_bytes()).map_err(|error| failed(&error))?;
    file.sync_all().map_err(|error| failed(&error))?;
    std::fs::rename(&beside, &marker).map_err(|error| failed(&error))?;
    Ok(marker)
}

/// Refuses another repository than that of the kit.
fn require_same(opened: &Opened, kit: &Kit) -> Result<(), Fault> {
    let there = opened.repo.fingerprint().to_string();
    match &kit.fingerprint {
        Some(told) if *told != there => Err(Fault::refused(format!(
            "the repository has the fingerprint {there}, the kit {told}"
        ))
        .hint("somebody has put another repository in its place, or this is another kit")),
        _ => Ok(()),
    }
}

/// One snapshot to restore.
struct Part {
    host: String,
    id: String,
    source: String,
    is_stream: bool,
    made: engine::base::time::Timestamp,
    files: u64,
    bytes: u64,
    rto_s: Option<u64>,
    /// The configuration that was in force, of the newest setup of the host.
    setup: Option<Setup>,
}

impl Part {
    fn restore(
        &self,
        args: &RecoverArgs,
        target: &Path,
        overwrite: Option<Overwrite>,
    ) -> RestoreArgs {
        let target = if self.is_stream { target.join(STREAMS) } else { target.to_owned() };
        RestoreArgs {
            source: SnapshotPath { snapshot: Selector::Prefix(self.id.clone()), path: None },
            target,
            include: Vec::new(),
            iinclude: Vec::new(),
            exclude: Vec::new(),
            iexclude: Vec::new(),
            overwrite,
            delete: false,
            replace_kind: false,
            in_place: false,
            no_space_check: false,
            dry_run: false,
            verify: args.verify,
            no_owner: false,
            no_xattrs: false,
            no_flags: false,
            untrusted: false,
            reason: Some("recover".to_owned()),
            ticket: None,
            filter: FilterArgs::default(),
        }
    }
}

/// What is restored, in its order.
fn plan(args: &RecoverArgs, opened: &Opened, context: &Context<'_>) -> Result<Vec<Part>, Fault> {
    opened.require_content()?;
    let catalog = opened.look(&progress(context))?;
    let filter = FilterArgs { host: args.host.iter().cloned().collect(), ..FilterArgs::default() };
    let choice = Choice::new(&catalog, &filter, context);
    let believed: Vec<&Committed> =
        choice.filtered().into_iter().filter(|one| one.doubt.is_none()).collect();
    let mut hosts: Vec<&str> = believed.iter().map(|one| one.snapshot.host.as_str()).collect();
    hosts.sort_unstable();
    hosts.dedup();
    match (hosts.as_slice(), &args.host) {
        ([], Some(host)) => {
            return Err(Fault::usage(format!("there is no snapshot of the host {host}"))
                .hint("leave --host out, and the hosts are listed"));
        }
        ([], None) => return Err(Fault::usage("the repository has no snapshot")),
        ([_], _) => {}
        (several, _) => {
            return Err(Fault::usage(format!("these machines are here: {}", several.join(", ")))
                .hint("say which with --host"));
        }
    }
    lost::tell(&catalog.missing, context);
    let setups =
        setups::read(&opened.repo, &opened.index).map_err(|error| trouble::index(&error))?;
    let setup = setups
        .into_iter()
        .filter(|setup| {
            setup.configuration.is_ok() && Some(host_of(setup).as_str()) == hosts.first().copied()
        })
        .max_by_key(|setup| setup.received);
    let sources = setup.as_ref().map(sources).unwrap_or_default();
    let mut newest: BTreeMap<Vec<Vec<u8>>, &Committed> = BTreeMap::new();
    // Rising by time, so that the last one stays.
    for one in believed {
        newest.insert(one.snapshot.paths.iter().map(|path| path.0.clone()).collect(), one);
    }
    let all: Vec<&Committed> = newest.into_values().collect();
    let mut parts: Vec<Part> = all
        .iter()
        .filter(|one| !all.iter().any(|other| is_within(one, other, &choice)))
        .map(|one| part(one, &choice, &sources, setup.as_ref()))
        .collect();
    // Paths that overlap: what is newer comes later. Streams overlap with nothing.
    parts.sort_by_key(|part| (part.rto_s.unwrap_or(u64::MAX), part.made));
    Ok(parts)
}

/// Whether a newer snapshot has all paths of an older one.
fn is_within(one: &Committed, other: &Committed, choice: &Choice<'_>) -> bool {
    let is_newer = choice.made().at(&other.snapshot) > choice.made().at(&one.snapshot);
    let covers = |path: &[u8]| {
        let above = |over: &[u8]| {
            let over = if over == b"/" { b"" } else { over };
            path.strip_prefix(over).is_some_and(|rest| rest.is_empty() || rest.starts_with(b"/"))
        };
        other.snapshot.paths.iter().any(|over| above(&over.0))
    };
    let is_stream = |one: &Committed| one.snapshot.roots.is_empty();
    is_newer
        && is_stream(one) == is_stream(other)
        && one.snapshot.paths.iter().all(|path| covers(&path.0))
}

fn part(one: &Committed, choice: &Choice<'_>, sources: &[Source], setup: Option<&Setup>) -> Part {
    let snapshot = &one.snapshot;
    let tag = snapshot.tags.iter().find_map(|tag| tag.strip_prefix(SOURCE_TAG));
    let of_name = sources.iter().find(|source| Some(source.name.as_str()) == tag);
    let paths: Vec<String> =
        snapshot.paths.iter().map(|path| engine::base::path::escape(&path.0)).collect();
    Part {
        host: snapshot.host.clone(),
        id: snapshot.session.to_snapshot_hex(),
        source: tag.map_or_else(|| paths.join(", "), str::to_owned),
        is_stream: snapshot.roots.is_empty(),
        made: choice.made().at(snapshot),
        files: snapshot.summary.entries,
        bytes: snapshot.summary.total_bytes,
        rto_s: of_name.and_then(|source| source.rto).map(agent::span::Span::seconds),
        setup: setup.cloned(),
    }
}

/// The sources of a configuration that came back, if it still makes sense.
fn sources(setup: &Setup) -> Vec<Source> {
    let text = setup.configuration.as_ref().map(|it| it.file.as_str()).unwrap_or_default();
    let config = ConfigFile::understand(text, Path::new("the stored configuration"));
    config.map(|config| config.source).unwrap_or_default()
}

fn show(parts: &[Part], context: &Context<'_>) {
    for part in parts {
        let record = RecoveryPart {
            snapshot: part.id.clone(),
            source: part.source.clone(),
            stream: part.is_stream,
            time: units::rfc3339(part.made),
            entries: part.files,
            bytes: part.bytes,
            rto_seconds: part.rto_s,
        };
        if context.ui.is_json() {
            context.ui.message(&Message::RecoveryPart(record));
            continue;
        }
        let at = units::local_time(part.made, &context.around.time_zone);
        let rto = match part.rto_s {
            Some(rto) => {
                format!(", wanted within {}", units::whole_duration(Duration::from_secs(rto)))
            }
            None => String::new(),
        };
        context.ui.result(&format!(
            "{}: snapshot {:.8} of {at}, {}, {}{rto}",
            part.source,
            part.id,
            units::counted(part.files, "item"),
            units::size(part.bytes),
        ));
    }
}

/// The configuration of the agent, unless a source has brought it back already.
fn bring_configurations(parts: &[Part], target: &Path, context: &Context<'_>) -> Result<(), Fault> {
    let Some(setup) = parts.iter().find_map(|part| part.setup.as_ref()) else { return Ok(()) };
    let Ok(configuration) = &setup.configuration else { return Ok(()) };
    let lay = configuration.facts.iter().find(|(name, _)| name == "file");
    let lay = lay.map(|(_, value)| PathBuf::from(value)).filter(|path| path.is_absolute());
    let usual = || PathBuf::from("/").join(CLIENTS).join(format!("{}.toml", host_of(setup)));
    let place = lay.unwrap_or_else(usual);
    let Ok(below) = place.strip_prefix("/") else { return Ok(()) };
    let path = target.join(below);
    let is_odd = below.components().any(|one| !matches!(one, std::path::Component::Normal(_)));
    if is_odd || path.symlink_metadata().is_ok() {
        return Ok(());
    }
    let folder = path.parent().unwrap_or(target);
    std::fs::create_dir_all(folder).map_err(|error| {
        Fault::local(format!("cannot make {}", folder.display())).because(&error)
    })?;
    // No link that was restored leads it out of the target.
    let (inside, root) = (folder.canonicalize(), target.canonicalize());
    if !matches!((inside, root), (Ok(inside), Ok(root)) if inside.starts_with(&root)) {
        return Ok(());
    }
    let file = PrivateFile::create(path, "the configuration")?;
    let text = format!("{HEAD}{}", without_head(&configuration.file));
    let written = file.keep(text.as_bytes())?;
    let id = short_id_of(setup);
    context.ui.note(&format!(
        "{} came from the repository (version {} of client {id}); its hooks and commands stay off until \
         `unconfirmed = true` is taken out, and it needs a new key: `mainstay key add --succeeds {id}`",
        written.display(),
        setup.number,
    ));
    Ok(())
}

fn short_id_of(setup: &Setup) -> String {
    setup.client.to_string()[..8].to_owned()
}
