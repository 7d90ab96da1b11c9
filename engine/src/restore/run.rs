//! A restore from beginning to end: one thread plans window after window, others carry them out.

use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicUsize;

use crate::base::error::{Classified, ErrorClass};
use crate::base::limits::{NODE_CACHE_BYTES, RESTORE_MANY_ITEMS, RESTORE_QUEUE_WINDOWS};
use crate::base::monitor::{Monitor, Phase};
use crate::base::path::TreePath;
use crate::base::time::Timestamp;
use crate::blob::fetch::ChunkFetcher;
use crate::crypt::hash::DigestHasher;
use crate::disk::error::DiskError;
use crate::disk::mounts::is_one_volume;
use crate::disk::stage::STAGE_PREFIX;
use crate::disk::write::{FolderTimes, Target, is_root};
use crate::format::snapshot::Snapshot;
use crate::index::{Index, IndexReader};
use crate::repo::Repo;
use crate::restore::carry::{Work, carry_out, metadata_of};
use crate::restore::error::RestoreError;
use crate::restore::execute::Executor;
use crate::restore::file::Destination;
use crate::restore::journal::{Journal, Note, first_lines};
use crate::restore::matching::ChunkMatcher;
use crate::restore::options::RestoreOptions;
use crate::restore::pass::Pass;
use crate::restore::report::{RestoreReport, Tally};
use crate::restore::space::require_space;
use crate::restore::totals::totals;
use crate::restore::verify::{Verifier, verify};
use crate::tree::cursor::is_folder;

/// Restores what lies at and below `from` in `snapshot` into `folder`.
///
/// The content of a folder lands directly in it, a single file under its own name. With the root as
/// `from`, absolute paths appear below it.
///
/// A run that ends early leaves what it has not finished aside; the same call again goes on with it.
///
/// # Errors
/// [`RestoreError`] if nothing, or nothing more, could be restored. Entries that could not be
/// restored are in the report.
pub fn run(
    repo: &Repo,
    index: &Index,
    snapshot: &Snapshot,
    from: &TreePath,
    folder: &Path,
    options: &RestoreOptions,
    monitor: &dyn Monitor,
) -> Result<RestoreReport, RestoreError> {
    repo.keys().data()?;
    let started_ms = repo.clock().monotonic().as_millis() as u64;
    let fetcher = ChunkFetcher::new(repo, index, NODE_CACHE_BYTES)?;
    let place = Place::of(&fetcher, snapshot, from, folder, options.as_file)?;
    let stage = stage_name(snapshot, from);
    let ground = Ground::open(&place, options, &stage)?;
    let tally = Tally::default();
    if !is_root() && !options.no_owner && !options.untrusted {
        monitor.note("not running as root: owners are not restored");
    }
    let to = Destination {
        target: &ground.target,
        metadata: metadata_of(options, is_root()),
        monitor,
        tally: &tally,
        journal: ground.journal.as_ref(),
        open_files: AtomicUsize::new(0),
    };
    let executor = Executor::new(repo, &fetcher, &to, options);
    let matcher = ChunkMatcher::new(repo, &fetcher, snapshot.domain);
    let mut work = Work {
        base: &place.base,
        name: place.name.clone(),
        is_fresh: ground.is_absent,
        made_target: ground.made_target,
        modified_before: ground.modified_before(),
        window_bytes_max: u64::MAX,
        options,
        to: &to,
        executor: &executor,
        matcher: &matcher,
    };
    let is_empty = ground.is_empty;
    let is_one_volume = is_empty || is_one_volume(&place.folder);
    match require_space(&work, snapshot, from, is_empty, is_one_volume) {
        Ok(window_bytes_max) => work.window_bytes_max = window_bytes_max,
        Err(error) => {
            ground.abandon(&place.folder);
            return Err(error);
        }
    }
    let (total_items, total_bytes) = totals(&fetcher, snapshot, from, options);
    monitor.phase(&Phase { name: "restoring", total_items, total_bytes });
    if total_items.is_some_and(|count| count >= RESTORE_MANY_ITEMS) {
        ground.target.expect_many();
    }
    let done = plan_and_carry_out(&work, index.reader()?, |pass| pass.run(snapshot, from));
    tally.name_in_place(monitor);
    let mut report = done?;
    if options.verify && !options.dry_run {
        let verifier = Verifier { fetcher: &fetcher, work: &work };
        verify(&verifier, snapshot, from, &mut report)?;
    }
    tally.fill(&mut report);
    report.duration_ms = repo.clock().monotonic().as_millis() as u64 - started_ms;
    // Everything else is done: what hinders the last step is one problem more.
    if let Err(error) = ground.end(&report, tally.top_times(), &place.folder) {
        let problem = error.to_problem(&TreePath::root());
        tally.late_problem(monitor, problem, &mut report);
    }
    // The next run has to change what this one did not finish.
    if !report.is_unfinished {
        to.fix_all();
        tally.fill_problems(&mut report);
    }
    Ok(report)
}

/// Plans on this thread what another one carries out, one window behind.
pub(super) fn plan_and_carry_out<'a>(
    work: &'a Work<'a>,
    reader: IndexReader,
    plan: impl FnOnce(Pass<'a>) -> Result<RestoreReport, RestoreError>,
) -> Result<RestoreReport, RestoreError> {
    let (sender, receiver) = crossbeam_channel::bounded(RESTORE_QUEUE_WINDOWS);
    std::thread::scope(|scope| {
        let carrier = scope.spawn(move || carry_out(receiver, work));
        // It takes the sender along when it ends, however it ends.
        let planned = plan(Pass::new(work, reader, sender));
        carrier.join().unwrap_or(Err(RestoreError::Lost))?;
        planned
    })
}

/// Where things go: which folder, what paths are relative to, and under which name a single file.
struct Place {
    folder: PathBuf,
    base: TreePath,
    name: Option<Vec<u8>>,
}

impl Place {
    fn of(
        fetcher: &ChunkFetcher<'_>,
        snapshot: &Snapshot,
        from: &TreePath,
        folder: &Path,
        as_file: bool,
    ) -> Result<Self, RestoreError> {
        let below = |base| Self { folder: folder.to_owned(), base, name: None };
        if from.is_root() {
            return Ok(below(TreePath::root()));
        }
        let found = is_folder(fetcher, snapshot.root, from)?;
        if found.ok_or_else(|| RestoreError::NoSuchPath { path: from.to_string() })? {
            return Ok(below(from.clone()));
        }
        let base = from.parent().unwrap_or_default();
        let bytes = folder.as_os_str().as_bytes();
        let names_a_file = !bytes.ends_with(b"/") && !bytes.ends_with(b"/.");
        // Also over a file that is there, if that may be replaced; into a folder it goes inside.
        let may_be_file = as_file && names_a_file && !folder.is_dir();
        match (folder.parent(), folder.file_name()) {
            (Some(parent), Some(name)) if may_be_file && parent.is_dir() => {
                let name = Some(name.as_bytes().to_vec());
                Ok(Self { folder: parent.to_owned(), base, name })
            }
            _ => Ok(below(base)),
        }
    }
}

impl Place {
    /// Whether nothing is there that a restore would meet, but what an earlier run of it left.
    fn is_free(&self, target: &Target, stage: &str) -> Result<bool, RestoreError> {
        match &self.name {
            Some(name) => {
                let path = TreePath::root().join(name);
                let there = path.ok().map(|path| target.stat(&path)).transpose()?;
                Ok(there.flatten().is_none())
            }
            None => Ok(target.is_empty_but_for(stage)?),
        }
    }

    fn shown(&self) -> String {
        let name = self.name.as_deref().map(std::ffi::OsStr::from_bytes);
        name.map_or_else(|| self.folder.clone(), |name| self.folder.join(name))
            .display()
            .to_string()
    }
}

/// The target as it was found.
struct Ground {
    target: Target,
    journal: Option<Journal>,
    /// Nothing was in it, or it was not there.
    is_empty: bool,
    /// It is not there, and a dry run makes nothing.
    is_absent: bool,
    made_target: bool,
    /// The times of the target before the journal was made in it.
    times: FolderTimes,
}

impl Ground {
    /// Opens the target, and refuses one that holds something if the user did not say what to do
    /// about that. Only an earlier run of the same restore may have left something there.
    fn open(place: &Place, options: &RestoreOptions, stage: &str) -> Result<Self, RestoreError> {
        let folder = place.folder.as_path();
        let folder_bytes = folder.as_os_str().as_bytes();
        let exists = folder.is_dir();
        let unwritable = |source| {
            let path = folder.display().to_string();
            RestoreError::Unwritable { path, source }
        };
        if options.dry_run && !exists {
            let above = folder.ancestors().find(|above| above.is_dir());
            let target = Target::open(above.unwrap_or(Path::new("/")))?;
            target.require_writable().map_err(unwritable)?;
            return Ok(Self {
                target,
                journal: None,
                is_empty: true,
                is_absent: true,
                made_target: false,
                times: FolderTimes::default(),
            });
        }
        let fresh = if exists { None } else { fresh_target(folder, stage) };
        let target = match (options.dry_run, &fresh) {
            (true, _) => Target::open(folder)?,
            (false, Some(fresh)) => {
                Target::create(fresh).map_err(|error| at_target(error, folder))?
            }
            (false, None) => Target::create(folder)?,
        };
        let target = target.with_stage(stage);
        if options.protected.contains(&target.device_and_inode()) {
            return Err(RestoreError::Protected { path: folder.display().to_string() });
        }
        let times = target.times()?;
        let is_empty = place.is_free(&target, stage)?;
        let may_fill = is_empty || options.overwrite.is_some();
        let refused = || match place.name {
            Some(_) => RestoreError::TargetExists { path: place.shown() },
            None => RestoreError::TargetNotEmpty { path: place.shown() },
        };
        let notes =
            [(is_empty, Note::WasEmpty), (!exists, Note::WasAbsent), (!exists, Note::Folder)];
        let notes: Vec<_> =
            notes.iter().filter(|(holds, _)| *holds).map(|(_, note)| *note).collect();
        let first = first_lines(times.modified, &notes);
        // Asked before the journal is made: what is refused leaves no trace.
        if !may_fill && !target.has_journal(stage) {
            return Err(refused());
        }
        let journal = open_journal(&target, stage, &first, options.dry_run).map_err(unwritable)?;
        if let Some(fresh) = fresh {
            std::fs::rename(&fresh, folder)
                .map_err(|source| unwritable(DiskError::io_at("making", folder_bytes, source)))?;
        }
        let began_empty =
            journal.as_ref().is_some_and(|journal| journal.has(Note::WasEmpty, &TreePath::root()));
        if !may_fill && !began_empty && journal.is_some() {
            return Err(refused());
        }
        if journal.as_ref().is_some_and(Journal::is_resumed) {
            target.find_stage(&TreePath::root());
        }
        let was_absent = |journal: &Journal| journal.has(Note::WasAbsent, &TreePath::root());
        let made_target = !exists || journal.as_ref().is_some_and(was_absent);
        Ok(Self { target, journal, is_empty, is_absent: false, made_target, times })
    }

    /// The time that the target had before the first run.
    fn modified_before(&self) -> Timestamp {
        let earlier = self.journal.as_ref();
        let earlier = earlier.and_then(|journal| journal.time_before(&TreePath::root()));
        earlier.unwrap_or(self.times.modified)
    }

    /// Leaves no trace of a restore that is refused.
    fn abandon(self, folder: &Path) {
        let Some(journal) = self.journal.filter(|journal| !journal.is_resumed()) else { return };
        // Why it is refused is what matters; an empty folder that stays does no harm.
        let _ = journal.remove(&self.target);
        let _ = self.target.lock_again(&TreePath::root(), None);
        let _ = self.target.set_times(&self.times);
        if self.made_target {
            let _ = std::fs::remove_dir(folder);
        }
    }

    /// Removes the journal if there is nothing to go on with. That changes the times of the target,
    /// so they are set afterwards: those of the snapshot, or those that it had.
    fn end(
        &self,
        report: &RestoreReport,
        times: Option<FolderTimes>,
        folder: &Path,
    ) -> Result<(), DiskError> {
        let before = FolderTimes { modified: self.modified_before(), ..self.times };
        let Some(journal) = &self.journal else { return Ok(()) };
        if !report.is_unfinished {
            remove_journal(journal, &self.target)?;
            // A folder in which something was restored is not empty, and stays.
            let may_be_bare = self.made_target && report.has_idle_include;
            if may_be_bare && std::fs::remove_dir(folder).is_ok() {
                return Ok(());
            }
        }
        self.target.set_times(&times.unwrap_or(before))
    }
}

/// Opens a target for writing that is its user's and may not be written to; answers its mode then. Of
/// one that a dry run looks at, only whether that can be done.
fn open_up(target: &Target, dry_run: bool) -> Result<Option<u32>, DiskError> {
    let top = TreePath::root();
    let Err(error) = target.require_writable() else { return Ok(None) };
    let locked = if error.class() == ErrorClass::Denied { target.locked_mode(&top)? } else { None };
    let Some(mode) = locked else { return Err(error) };
    if !dry_run {
        target.unlock(&top, mode)?;
    }
    Ok(Some(mode))
}

/// Opens the journal in a target that its user can write to, if need be for as long as this takes; a
/// dry run has none.
fn open_journal(
    target: &Target,
    stage: &str,
    first: &[u8],
    dry_run: bool,
) -> Result<Option<Journal>, DiskError> {
    let mode_before = open_up(target, dry_run)?;
    if dry_run {
        return Ok(None);
    }
    let journal = Journal::open(target, stage, first)?;
    if let Some(mode) = mode_before {
        journal.write_mode(&TreePath::root(), mode)?;
    }
    Ok(Some(journal))
}

/// Removes the journal, also from a folder that got a mode meanwhile in which its user may not.
fn remove_journal(journal: &Journal, target: &Target) -> Result<(), DiskError> {
    let top = TreePath::root();
    let Err(error) = journal.remove(target) else { return Ok(()) };
    let Some(mode) = target.locked_mode(&top)? else { return Err(error) };
    target.unlock(&top, mode)?;
    let removed = journal.remove(target);
    target.lock_again(&top, Some(mode))?;
    removed
}

/// Where a target is made that is not there: it gets its name together with its journal, so that the
/// next run knows who made it. Nowhere if the path has no last name.
fn fresh_target(folder: &Path, stage: &str) -> Option<PathBuf> {
    folder.file_name()?;
    let parent = folder.parent()?;
    // What is there is in the way, and said to be; nothing is made beside it.
    if std::fs::symlink_metadata(folder).is_ok() {
        return None;
    }
    Some(parent.join(format!("{STAGE_PREFIX}{stage}.target")))
}

/// What hindered the making of a target, said of the target and not of where it was to be made.
fn at_target(error: DiskError, folder: &Path) -> DiskError {
    match error {
        DiskError::Io { action, source, .. } => {
            DiskError::io_at(action, folder.as_os_str().as_bytes(), source)
        }
        other => other,
    }
}

/// One name for each snapshot and part of it: the same restore again finds what it left.
fn stage_name(snapshot: &Snapshot, from: &TreePath) -> String {
    let mut hasher = DigestHasher::new();
    hasher.update(snapshot.session.as_bytes());
    hasher.update(from.key());
    hasher.finish().to_string()[..16].to_owned()
}
