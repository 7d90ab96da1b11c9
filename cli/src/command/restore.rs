//! `restore`: files of a snapshot come back.

use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use engine::base::path::escape;
use engine::disk::exclude::PathMatcher;
use engine::disk::selection::Selection;
use engine::disk::write::is_root;
use engine::format::snapshot::{Snapshot, SnapshotState};
use engine::index::identity::known_identity;
use engine::index::pin::Pin;
use engine::restore::untrusted::LeftOut;
use engine::restore::{self, Overwrite, Pattern, RestoreOptions, RestoreReport};

use crate::args::restore::RestoreArgs;
use crate::args::values;
use crate::command::asked::in_tree;
use crate::command::clock;
use crate::command::context::Context;
use crate::command::lost;
use crate::command::open::{Opened, open};
use crate::command::place::{absolute, device_and_inode, is_inside};
use crate::command::select::{Choice, short_id};
use crate::command::trouble;
use crate::command::witness::{Purpose, restored};
use crate::config::credential::{self, Source};
use crate::config::file::ConfigFile;
use crate::config::repository::state_dir;
use crate::fault::{ExitCode, Fault};
use crate::ui::json::{LeftOutRecord, Message, RestoreSummary};
use crate::ui::output::printable;
use crate::units;

/// What the folder is called that holds what this program knows.
const STATE_FOLDER: &str = "the state folder of this program";

/// Fewer free inodes than this do not take what a restore makes at one time.
const INODES_FEW: u64 = 16;

/// Restores.
///
/// # Errors
/// Exit code 20 if something could not be restored because it is damaged in the repository, 1 if
/// for another reason; the rest is restored all the same.
pub fn run(args: &RestoreArgs, context: &Context<'_>) -> Result<ExitCode, Fault> {
    let target = absolute(&args.target, context.around)?;
    require_lead(&target)?;
    let mut options = options(args)?;
    let opened = open(context)?;
    opened.require_content()?;
    for (folder, what) in own_folders(&opened) {
        if is_inside(&target, folder) {
            let shown = target.display();
            return Err(Fault::refused(format!("the target {shown} lies inside {what}"))
                .hint("choose another target"));
        }
        options.protected.extend(device_and_inode(folder));
    }
    options.needed.extend(needed_files(context).iter().filter_map(|path| device_and_inode(path)));
    require_outside_states(&target, &opened, context)?;
    let around = context.around;
    let monitor = context.ui.progress_of_changes(
        around.clock.clone(),
        around.cancel.clone(),
        args.dry_run || context.ui.is_verbose(),
    );
    let catalog = opened.look(&monitor)?;
    if args.source.snapshot.is_latest() {
        clock::require(&args.filter, &opened, &catalog, context)?;
    }
    let choice = Choice::new(&catalog, &args.filter, context);
    let chosen = choice.one(&args.source.snapshot)?;
    if args.source.snapshot.is_latest() {
        choice.note_source(chosen);
    }
    let snapshot = &chosen.snapshot;
    let from = in_tree(&opened, snapshot, &args.source.path.clone().unwrap_or_default())?;
    require_root(args, &target, snapshot)?;
    let pin = if args.dry_run { None } else { pin(&opened, snapshot, context) };
    let report =
        restore::run(&opened.repo, &opened.index, snapshot, &from, &target, &options, &monitor);
    drop(monitor);
    if let Some(Err(error)) = pin.map(|pin| pin.release(&opened.repo)) {
        context.ui.detail(1, &format!("the pin could not be released: {error}"));
    }
    let report = report.map_err(|error| trouble::restore(&error))?;
    if context.ui.is_json() {
        context.ui.message(&Message::RestoreSummary(summary(&report, args)));
    } else if !context.ui.is_quiet() {
        let what = format!("snapshot {}", short_id(snapshot.session));
        tell(&report, args, &what, &escape(target.as_os_str().as_bytes()), context);
    }
    tell_lacks(&report, snapshot, context);
    if report.problem_count > 0 && !args.dry_run {
        note_inodes(&target, context);
    }
    if !args.dry_run {
        restored(&opened, snapshot, &report, &purpose(args, &report), context);
    }
    if args.source.snapshot.is_latest() {
        outcome(&report, args)?;
        lost::judge(&catalog.missing)?;
        lost::judge_newer(&catalog.damaged, snapshot.session, context)?;
    } else {
        lost::tell(&catalog.missing, context);
    }
    outcome(&report, args)
}

/// Refuses a link to nowhere: nobody knows whether the file or the folder behind it was meant.
fn require_lead(target: &Path) -> Result<(), Fault> {
    if !target.is_symlink() || target.exists() {
        return Ok(());
    }
    let shown = escape(target.as_os_str().as_bytes());
    Err(Fault::local(format!("the target {shown} is a link that leads nowhere"))
        .hint("mount or make what it leads to, or choose another target"))
}

/// What evidence says of the restore.
fn purpose<'a>(args: &'a RestoreArgs, report: &RestoreReport) -> Purpose<'a> {
    let is_filtered = !args.include.is_empty()
        || !args.iinclude.is_empty()
        || !args.exclude.is_empty()
        || !args.iexclude.is_empty();
    Purpose {
        reason: args.reason.as_deref(),
        ticket: args.ticket.as_deref(),
        is_whole: args.source.path.is_none()
            && !is_filtered
            && report.unread == 0
            && report.left_out.specials == 0,
    }
}

/// Says that it is inodes that a file system lacks: it calls that a lack of space.
fn note_inodes(target: &Path, context: &Context<'_>) {
    let there = target.ancestors().find(|path| path.exists()).unwrap_or(target);
    let Ok(space) = rustix::fs::statvfs(there) else { return };
    // Files that could not be finished are gone again, and have given theirs back.
    if space.f_files > 0 && space.f_favail < INODES_FEW && space.f_bavail > space.f_favail {
        let free = units::size(space.f_bavail.saturating_mul(space.f_frsize));
        context.ui.note(&format!(
            "the file system of the target has {} left, though {free} are free: each file and folder \
             takes one",
            units::counted(space.f_favail, "inode")
        ));
    }
}

/// Refuses a target beside the states of all repositories: the next command would take it for one.
fn require_outside_states(
    target: &Path,
    opened: &Opened,
    context: &Context<'_>,
) -> Result<(), Fault> {
    let states = state_dir(context.global.cache_dir.as_deref(), context.around).ok();
    match states.filter(|states| opened.state.starts_with(states) && is_inside(target, states)) {
        None => Ok(()),
        Some(_) => Err(Fault::refused(format!(
            "the target {} lies inside {STATE_FOLDER}",
            target.display()
        ))
        .hint("choose another target")),
    }
}

/// Refuses to delete in `/` what no snapshot of all of it proves not to have been there.
fn require_root(args: &RestoreArgs, target: &Path, snapshot: &Snapshot) -> Result<(), Fault> {
    if args.delete && is_root_folder(target) && !covers_root(snapshot) {
        return Err(Fault::refused("--delete into / is refused: the snapshot is not of all of /")
            .hint("restore one folder at a time: SNAP:/etc --target /etc"));
    }
    Ok(())
}

fn options(args: &RestoreArgs) -> Result<RestoreOptions, Fault> {
    Ok(RestoreOptions {
        selection: Selection {
            include: matchers(&args.include, &args.iinclude)?,
            exclude: matchers(&args.exclude, &args.iexclude)?,
        },
        patterns: patterns(args)?,
        overwrite: args.overwrite.map(overwrite),
        delete: args.delete,
        replace_kind: args.replace_kind,
        as_file: !args.target.as_os_str().as_bytes().ends_with(b"/"),
        in_place: args.in_place,
        no_space_check: args.no_space_check,
        dry_run: args.dry_run,
        verify: args.verify,
        no_owner: args.no_owner,
        no_xattrs: args.no_xattrs,
        no_flags: args.no_flags,
        untrusted: args.untrusted,
        threads: 0,
        protected: Vec::new(),
        needed: Vec::new(),
    })
}

/// The files that this run was opened with: whatever a snapshot proves, the next run needs them.
fn needed_files(context: &Context<'_>) -> Vec<PathBuf> {
    let (global, around) = (context.global, context.around);
    let secret = match credential::choose(&global.credential(), around) {
        Ok(Source::KeyFile(path) | Source::File(path)) => Some(path),
        _ => None,
    };
    let config = ConfigFile::locate(global.config.as_deref(), around);
    secret.into_iter().chain(config).map(|path| around.absolute(&path)).collect()
}

/// Keeps the snapshot from being collected while it is read, if this machine can sign. A restore
/// goes on without: what is not forgotten needs no pin, and what is may still be there.
fn pin(opened: &Opened, snapshot: &Snapshot, context: &Context<'_>) -> Option<Pin> {
    let (repo, index) = (&opened.repo, &opened.index);
    let identity = known_identity(repo, index).ok()??;
    match Pin::new(repo, index, &identity, &context.around.host, &[snapshot.session]) {
        Ok(pin) => Some(pin),
        Err(error) => {
            context.ui.detail(1, &format!("the snapshot is not pinned: {error}"));
            None
        }
    }
}

/// Folders that no restore writes into, with what they are.
fn own_folders(opened: &Opened) -> Vec<(&Path, &'static str)> {
    let state = (opened.state.as_path(), STATE_FOLDER);
    let folder = opened.folder.as_deref().map(|folder| (folder, "the repository"));
    std::iter::once(state).chain(folder).collect()
}

fn is_root_folder(target: &Path) -> bool {
    device_and_inode(target).is_some_and(|found| Some(found) == device_and_inode(Path::new("/")))
}

fn covers_root(snapshot: &Snapshot) -> bool {
    snapshot.paths.iter().any(|path| path.0.iter().all(|byte| *byte == b'/'))
}

/// Says what the snapshot has only the names of, and which patterns did nothing.
fn tell_lacks(report: &RestoreReport, snapshot: &Snapshot, context: &Context<'_>) {
    if snapshot.state == SnapshotState::Partial {
        let id = short_id(snapshot.session);
        let lacks = match snapshot.problem_count {
            1 => "1 item could not be read".to_owned(),
            more => format!("{} items could not be read", units::count(more)),
        };
        let what = format!("the snapshot is partial: {lacks} when it was made");
        context.ui.note(&format!("{what}; `mainstay problems {id}` names them"));
    }
    match report.lost_set_ids {
        0 => {}
        1 => context.ui.note("1 item came back without set-id bits: its owner or group is another"),
        more => context.ui.note(&format!(
            "{} items came back without set-id bits: their owner or group is another",
            units::count(more)
        )),
    }
    for pattern in &report.idle_patterns {
        context.ui.note(&format!("the pattern {pattern} matches nothing in the snapshot"));
    }
}

/// What an untrusted restore left out, in words; owners, which it never sets, among it.
fn left_out(left: &LeftOut) -> String {
    let some = [
        (left.specials, "device, pipe or socket", "devices, pipes and sockets"),
        (
            left.set_ids,
            "file with set-id bits, restored without",
            "files with set-id bits, restored without",
        ),
        (left.attributes, "attribute of the system", "attributes of the system"),
        (
            left.flags,
            "file with inode flags, restored without",
            "files with inode flags, restored without",
        ),
    ];
    let some = some.iter().filter(|(count, ..)| *count > 0).map(|(count, one, more)| {
        let what = if *count == 1 { one } else { more };
        format!("{} {what}", units::count(*count))
    });
    std::iter::once("owners".to_owned()).chain(some).collect::<Vec<_>>().join("; ")
}

fn items(count: u64) -> String {
    match count {
        1 => "1 item".to_owned(),
        more => format!("{} items", units::count(more)),
    }
}

fn outcome(report: &RestoreReport, args: &RestoreArgs) -> Result<ExitCode, Fault> {
    if report.damage_count > 0 {
        let message = format!(
            "{} could not be restored, because stored bytes are damaged or missing",
            items(report.damage_count)
        );
        return Err(Fault::new(ExitCode::Damage, "E_CORRUPT", message).hint(
            "`mainstay check --read-data` shows what is affected; another snapshot may have it. \
             What was there before is still there",
        ));
    }
    if report.problem_count > 0 {
        let message = match report.problem_count {
            1 => "1 item could not be restored as it was".to_owned(),
            more => format!("{} items could not be restored as they were", units::count(more)),
        };
        let judges_by_looks = matches!(
            args.overwrite,
            Some(values::Overwrite::IfChanged | values::Overwrite::IfNewer)
        );
        return Err(Fault::local(message).hint(match report.is_unfinished {
            true => "the lines above name them; the same command again goes on with them",
            false if args.verify && judges_by_looks => {
                "the lines above name them; --overwrite always also replaces what differs and has \
                 the same size and time"
            }
            false if !is_root() => {
                "the lines above name them; what this user may not do, root can, with --overwrite if-changed"
            }
            false => "the lines above name them",
        }));
    }
    if report.unread > 0 && report.files + report.directories + report.others == 0 {
        let message = format!(
            "nothing was restored: {} could not be read when the snapshot was made",
            items(report.unread)
        );
        return Err(Fault::local(message)
            .hint("another snapshot may have it; `mainstay problems` names it"));
    }
    if let Some(pattern) = report.unread_includes.first() {
        let message = format!(
            "what --include {} names could not be read when the snapshot was made",
            printable(pattern)
        );
        return Err(Fault::local(message)
            .hint("another snapshot may have it; `mainstay problems` names it"));
    }
    if report.has_idle_include {
        return Err(Fault::local("an --include pattern matches nothing in the snapshot")
            .hint("`mainstay ls` and `mainstay find` show what there is"));
    }
    Ok(ExitCode::Ok)
}

/// The patterns one by one, to find out which of them match nothing.
fn patterns(args: &RestoreArgs) -> Result<Vec<Pattern>, Fault> {
    let lists = [
        (&args.include, false, true),
        (&args.iinclude, true, true),
        (&args.exclude, false, false),
        (&args.iexclude, true, false),
    ];
    let mut patterns = Vec::new();
    for (list, ignore_case, is_include) in lists {
        for text in list.iter().filter(|text| !text.is_empty()) {
            let plain = text.strip_prefix('!').unwrap_or(text).to_owned();
            let matcher = PathMatcher::new(&[plain], ignore_case);
            let matcher = matcher.map_err(|error| trouble::disk(&error))?;
            patterns.push(Pattern { text: text.clone(), is_include, matcher });
        }
    }
    Ok(patterns)
}

fn matchers(exact: &[String], folded: &[String]) -> Result<Vec<PathMatcher>, Fault> {
    let mut matchers = Vec::new();
    for (patterns, ignore_case) in [(exact, false), (folded, true)] {
        let matcher = PathMatcher::new(patterns, ignore_case);
        let matcher = matcher.map_err(|error| trouble::disk(&error))?;
        if !matcher.is_empty() {
            matchers.push(matcher);
        }
    }
    Ok(matchers)
}

fn overwrite(overwrite: values::Overwrite) -> Overwrite {
    match overwrite {
        values::Overwrite::Always => Overwrite::Always,
        values::Overwrite::IfChanged => Overwrite::IfChanged,
        values::Overwrite::IfNewer => Overwrite::IfNewer,
        values::Overwrite::Never => Overwrite::Never,
    }
}

fn summary(report: &RestoreReport, args: &RestoreArgs) -> RestoreSummary {
    let restored = report.files + report.directories + report.others;
    RestoreSummary {
        dry_run: args.dry_run,
        seconds_elapsed: report.duration_ms / 1000,
        total_files: restored + report.skipped,
        files_restored: restored,
        files_skipped: report.skipped,
        files_deleted: report.deleted,
        files_not_deleted: report.unproven,
        total_bytes: report.total_bytes,
        bytes_restored: report.written_bytes,
        bytes_skipped: report.total_bytes.saturating_sub(report.written_bytes),
        error_count: report.problem_count,
        damage_count: report.damage_count,
        bytes_decoded: report.decoded_bytes,
        bytes_fetched: report.fetched_bytes,
        bytes_reused: report.reused_bytes,
        files_verified: report.verified_files,
        files_unread: report.unread,
        set_ids_lost: report.lost_set_ids,
        unfinished: report.is_unfinished,
        untrusted: args.untrusted.then_some(LeftOutRecord {
            special_files: report.left_out.specials,
            set_id_bits: report.left_out.set_ids,
            attributes: report.left_out.attributes,
            inode_flags: report.left_out.flags,
        }),
    }
}

fn tell(
    report: &RestoreReport,
    args: &RestoreArgs,
    what: &str,
    target: &str,
    context: &Context<'_>,
) {
    let counted = units::counted;
    let time = units::duration(Duration::from_millis(report.duration_ms));
    let line = |name: &str, text: String| context.ui.result(&format!("  {name:<9}{text}"));
    if args.dry_run {
        context.ui.result(&format!("nothing written (dry run, {time}); of {what} there are"));
    } else {
        let came = report.files + report.directories + report.others;
        let how = match (report.problem_count + report.damage_count, came) {
            (0, _) => "restored",
            (_, 0) => "not restored",
            _ => "restored in part",
        };
        context.ui.result(&format!("{what} {how} to {target} in {time}"));
    }
    line(
        "items",
        format!(
            "{}, {}, {}",
            counted(report.files, "file"),
            counted(report.directories, "folder"),
            counted(report.others, "other")
        ),
    );
    if args.dry_run {
        line("bytes", format!("{} to write", units::size(report.written_bytes)));
    } else {
        let per_byte = report.decoded_bytes as f64 / report.written_bytes.max(1) as f64;
        let decoded = match report.written_bytes.min(report.decoded_bytes) {
            0 => String::new(),
            _ => format!(" ({per_byte:.2} bytes decoded for each)"),
        };
        line("bytes", format!("{} written{decoded}", units::size(report.written_bytes)));
    }
    if report.skipped > 0 {
        let were = if report.skipped == 1 { "was" } else { "were" };
        line("kept", format!("{} that {were} there", items(report.skipped)));
    }
    if report.deleted > 0 {
        line("deleted", format!("{} that the snapshot does not have", items(report.deleted)));
    }
    if report.unproven > 0 {
        let what = items(report.unproven);
        line("stayed", format!("{what} in folders that were not backed up whole"));
    }
    if args.untrusted {
        line("left out", left_out(&report.left_out));
    }
    if args.verify {
        let files = counted(report.verified_files, "file");
        line("verified", format!("{files} read back and compared"));
    }
}
