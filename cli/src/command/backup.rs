//! `backup`: paths or a stream become a snapshot.

use std::ffi::OsString;
use std::io::Read;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use engine::backup::{self, BackupOptions, BackupReport, Source};
use engine::base::error::in_one_line;
use engine::base::id::SessionId;
use engine::base::path::escape;
use engine::base::time::Timestamp;
use engine::chunk::level::Level;
use engine::format::snapshot::RootState;
use restore_verify::evidence::heads;

use crate::args::backup::BackupArgs;
use crate::args::filter::FilterArgs;
use crate::args::values::Compression;
use crate::command::clock;
use crate::command::context::Context;
use crate::command::lost;
use crate::command::open::{Opened, open, progress};
use crate::command::place::device_and_inode;
use crate::command::select::{Choice, short_id};
use crate::command::sources::{Named, excludes, paths, require_outside};
use crate::command::trouble;
use crate::fault::{ExitCode, Fault};
use crate::ui::json::{BackupSummary, Message};
use crate::units;

/// Name of the file that a stream becomes, unless the user says.
const STREAM_NAME: &str = "stdin";

/// Makes the snapshot.
///
/// # Errors
/// Whatever leaves no snapshot; what could not be read is exit code 3 instead.
pub fn run(args: &BackupArgs, context: &Context<'_>) -> Result<ExitCode, Fault> {
    let excludes = excludes(&args.exclude, context.around)?;
    // A path that is not there is said before a passphrase is asked for.
    let (source, named) = match args.stdin || args.stdin_from_command {
        true => (stream(args, context)?, Named::default()),
        false => {
            let mut named = paths(args, context)?;
            (Source::Paths(std::mem::take(&mut named.paths)), named)
        }
    };
    let opened = open(context)?;
    if let Source::Paths(paths) = &source {
        for (folder, what) in own_folders(&opened) {
            require_outside(paths, folder, what)?;
        }
    }
    let options = BackupOptions {
        host: args.host.clone().unwrap_or_else(|| context.around.host.clone()),
        is_host_named: args.host.is_some(),
        tags: args.tags(),
        description: args.description.clone(),
        excludes,
        with_atime: args.with_atime,
        force: args.force,
        parent: parent(args, &opened, context)?,
        dry_run: args.dry_run,
        skip_if_unchanged: args.skip_if_unchanged,
        level: level(args.compression),
        pack_bytes: args.pack_size.unwrap_or_default() as usize,
        workers: args.read_concurrency.map_or(0, usize::from),
        scan: !context.ui.is_quiet() && !args.no_scan,
        evidence: heads::known(&opened.state),
        allow_empty: args.allow_empty,
        missing: named.missing,
        closed: named.closed,
        skip: own_folders(&opened).iter().filter_map(|(path, _)| device_and_inode(path)).collect(),
    };
    save(source, &options, &opened, context)
}

/// Makes a snapshot of a source and shows what it came to.
///
/// # Errors
/// Whatever leaves no snapshot.
pub fn save(
    source: Source,
    options: &BackupOptions,
    opened: &Opened,
    context: &Context<'_>,
) -> Result<ExitCode, Fault> {
    let dry_run = options.dry_run;
    let _lock = opened.lock()?;
    let started = context.around.clock.now();
    let monitor = progress(context);
    let report = backup::run(&opened.repo, &opened.index, &opened.state, source, options, &monitor);
    drop(monitor);
    let report = report.map_err(|error| trouble::backup(&error))?;
    if !dry_run && report.summary.bytes_stored > 0 {
        opened.repo.store().keep_reserve();
        // Names the newest evidence in the next snapshot; that this one is safe does not hang on it.
        if let Err(error) = heads::look(&opened.repo, &opened.state) {
            context.ui.detail(1, &format!("evidence was not looked at: {}", in_one_line(&error)));
        }
    }
    show(&report, dry_run, started, context);
    if let Some(snapshot) = report.snapshot.filter(|_| !dry_run) {
        clock::note_after_backup(snapshot, opened, context);
    }
    lost::judge(&report.lost)?;
    Ok(if report.problem_count > 0 { ExitCode::Partial } else { ExitCode::Ok })
}

/// Folders that no backup goes into, with what they are.
fn own_folders(opened: &Opened) -> Vec<(&Path, &'static str)> {
    let state = (opened.state.as_path(), "the state folder of this program");
    let folder = opened.folder.as_deref().map(|folder| (folder, "the repository"));
    std::iter::once(state).chain(folder).collect()
}

fn stream(args: &BackupArgs, context: &Context<'_>) -> Result<Source, Fault> {
    let name = args.stdin_filename.clone().unwrap_or_else(|| OsString::from(STREAM_NAME));
    if let Some(at) = name.as_bytes().iter().rposition(|byte| *byte == b'/') {
        let last = escape(&name.as_bytes()[at + 1..]);
        let last = if last.is_empty() { STREAM_NAME.to_owned() } else { last };
        return Err(Fault::usage(format!(
            "{} is a path: a stream is one file at the top of the snapshot",
            escape(name.as_bytes())
        ))
        .hint(format!("give its name alone: --stdin-filename {last}")));
    }
    let name = name.into_vec();
    Ok(if args.stdin_from_command {
        let variables = context.around.variables.clone().into_iter().collect();
        Source::Command { name, argv: args.paths.clone(), variables }
    } else {
        Source::Stream { name, input: Box::new(StandardInput(context.around.stdin.clone())) }
    })
}

/// Standard input, which is shared.
struct StandardInput(Arc<Mutex<dyn Read + Send>>);

impl Read for StandardInput {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).read(buffer)
    }
}

fn parent(
    args: &BackupArgs,
    opened: &Opened,
    context: &Context<'_>,
) -> Result<Option<SessionId>, Fault> {
    let Some(selector) = &args.parent else { return Ok(None) };
    let catalog = opened.catalog()?;
    let filter = FilterArgs::default();
    let choice = Choice::new(&catalog, &filter, context);
    Ok(Some(choice.one(selector)?.snapshot.session))
}

/// How hard to compress, in the words of the engine.
pub(crate) fn level(compression: Compression) -> Level {
    match compression {
        Compression::Off => Level::Off,
        Compression::Fast => Level::Fast,
        Compression::Auto => Level::Auto,
        Compression::Better => Level::Better,
        Compression::Max => Level::Max,
    }
}

fn show(report: &BackupReport, dry_run: bool, started: Timestamp, context: &Context<'_>) {
    if context.ui.is_json() {
        let summary = summary(report, dry_run, started, context);
        context.ui.message(&Message::BackupSummary(summary));
    } else if !context.ui.is_quiet() {
        tell(report, dry_run, context);
    }
}

fn summary(
    report: &BackupReport,
    dry_run: bool,
    started: Timestamp,
    context: &Context<'_>,
) -> BackupSummary {
    let numbers = &report.summary;
    BackupSummary {
        dry_run,
        files_new: numbers.files_new,
        files_changed: numbers.files_changed,
        files_unmodified: numbers.files_unmodified,
        dirs_new: numbers.dirs_new,
        dirs_changed: numbers.dirs_changed,
        dirs_unmodified: numbers.dirs_unmodified,
        data_blobs: numbers.data_chunks_new,
        tree_blobs: numbers.tree_nodes_new,
        data_added: numbers.bytes_new,
        data_added_packed: numbers.bytes_stored,
        files_removed: report.files_gone,
        paths_removed: numbers.paths_gone,
        bytes_removed: numbers.bytes_gone,
        files_vanished: numbers.vanished,
        total_files_processed: numbers.files_new + numbers.files_changed + numbers.files_unmodified,
        total_bytes_processed: numbers.total_bytes,
        backup_start: units::rfc3339(started),
        backup_end: units::rfc3339(context.around.clock.now()),
        total_duration: report.duration_ms as f64 / 1000.0,
        error_count: report.problem_count,
        snapshots_lost: report.lost.len() as u64,
        snapshot_id: report.snapshot.map(|id| id.to_snapshot_hex()),
    }
}

fn tell(report: &BackupReport, dry_run: bool, context: &Context<'_>) {
    let numbers = &report.summary;
    let time = units::duration(Duration::from_millis(report.duration_ms));
    let line = |name: &str, text: String| context.ui.result(&format!("  {name:<10}{text}"));
    match (&report.snapshot, dry_run) {
        (Some(id), _) => {
            let state = report.state.name();
            context.ui.result(&format!("snapshot {} saved in {time} ({state})", short_id(*id)));
        }
        (None, true) => context.ui.result(&format!("nothing stored (dry run, {time}); there are")),
        (None, false) => {
            context.ui.result(&format!("nothing changed, no snapshot made ({time})"));
        }
    }
    let count = units::count;
    let changes = |new, changed, same| {
        format!("{} new, {} changed, {} unmodified", count(new), count(changed), count(same))
    };
    line("files", changes(numbers.files_new, numbers.files_changed, numbers.files_unmodified));
    line("folders", changes(numbers.dirs_new, numbers.dirs_changed, numbers.dirs_unmodified));
    let total_files = numbers.files_new + numbers.files_changed + numbers.files_unmodified;
    line("total", format!("{}, {}", files(total_files), units::size(numbers.total_bytes)));
    line(
        "added",
        format!(
            "{} of new content, {} stored",
            units::size(numbers.bytes_new),
            units::size(numbers.bytes_stored)
        ),
    );
    if numbers.paths_gone > 0 {
        let others = numbers.paths_gone.saturating_sub(report.files_gone);
        let size = units::size(numbers.bytes_gone);
        let others = match others {
            1 => "1 other".to_owned(),
            more => format!("{} others", count(more)),
        };
        line("removed", format!("{}, {others}, {size}", files(report.files_gone)));
    }
    if numbers.vanished > 0 {
        line("vanished", format!("{} while the backup ran", paths_of(numbers.vanished)));
    }
    if report.inconsistent_count > 0 {
        line("changing", format!("{} while they were read", files(report.inconsistent_count)));
    }
    if report.problem_count > 0 {
        let items = match report.problem_count {
            1 => "1 item".to_owned(),
            more => format!("{} items", count(more)),
        };
        let where_to = match &report.snapshot {
            Some(id) => format!("`mainstay problems {}` lists them", short_id(*id)),
            None => "the lines above name them".to_owned(),
        };
        line("problems", format!("with {items}; {where_to}"));
    }
    for root in report.roots.iter().filter(|root| root.state == RootState::Empty) {
        let path = escape(&root.asked.0);
        context.ui.note(&format!("{path}: nothing below it was selected"));
    }
}

fn paths_of(number: u64) -> String {
    match number {
        1 => "1 path".to_owned(),
        more => format!("{} paths", units::count(more)),
    }
}

fn files(number: u64) -> String {
    match number {
        1 => "1 file".to_owned(),
        more => format!("{} files", units::count(more)),
    }
}
