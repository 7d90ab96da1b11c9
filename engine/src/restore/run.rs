//! A restore from beginning to end: one thread plans window after window, others carry them out.

use std::path::Path;
use std::sync::atomic::AtomicUsize;

use crate::base::limits::{NODE_CACHE_BYTES, RESTORE_QUEUE_WINDOWS};
use crate::base::monitor::{Monitor, Phase};
use crate::base::path::TreePath;
use crate::blob::fetch::ChunkFetcher;
use crate::disk::write::{MetadataOptions, Target, is_root};
use crate::format::entry::EntryKind;
use crate::format::extent::Extent;
use crate::format::snapshot::Snapshot;
use crate::index::{Index, IndexReader};
use crate::repo::Repo;
use crate::restore::carry::{Work, carry_out};
use crate::restore::error::RestoreError;
use crate::restore::execute::Executor;
use crate::restore::file::Destination;
use crate::restore::options::RestoreOptions;
use crate::restore::pass::Pass;
use crate::restore::report::{RestoreReport, Tally};
use crate::restore::verify::{Verifier, verify};
use crate::tree::cursor::{find, subtree};
use crate::tree::extents::ExtentCursor;

/// Restores what lies at and below `from` in `snapshot` into `folder`.
///
/// The content of a folder lands directly in it, a single file under its own name. With the
/// root as `from`, absolute paths appear below it.
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
    let base = base_of(&fetcher, snapshot, from)?;
    let target = Target::create(folder)?;
    let is_empty = target.is_empty()?;
    if options.overwrite.is_none() && !options.dry_run && !is_empty {
        return Err(RestoreError::TargetNotEmpty { path: folder.display().to_string() });
    }
    require_space(&fetcher, snapshot, from, &target, options)?;
    monitor.phase(&Phase {
        name: "restoring",
        total_items: from.is_root().then_some(snapshot.summary.entries),
        total_bytes: from.is_root().then_some(snapshot.summary.total_bytes),
    });
    let tally = Tally::default();
    let metadata = MetadataOptions {
        owners: is_root() && !options.no_owner,
        xattrs: true,
        inode_flags: !options.no_flags,
    };
    if !is_root() && !options.no_owner {
        monitor.note("not running as root: owners are not restored");
    }
    let to = Destination {
        target: &target,
        metadata,
        monitor,
        tally: &tally,
        open_files: AtomicUsize::new(0),
    };
    let executor = Executor::new(repo, &fetcher, &to, options);
    let work = Work { base: &base, is_empty, options, to: &to, executor: &executor };
    let mut report = plan_and_carry_out(&work, index.reader()?, |pass| pass.run(snapshot, from))?;
    if options.verify && !options.dry_run {
        let verifier = Verifier { repo, fetcher: &fetcher, to: &to, options, base: &base };
        verify(&verifier, snapshot, from, &mut report)?;
    }
    tally.fill(&mut report);
    report.duration_ms = repo.clock().monotonic().as_millis() as u64 - started_ms;
    Ok(report)
}

/// Plans on this thread what another one carries out, one window behind.
pub(super) fn plan_and_carry_out<'a>(
    work: &Work<'a>,
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

/// What paths in the target are relative to: the folder itself, or the folder of a single file.
fn base_of(
    fetcher: &ChunkFetcher<'_>,
    snapshot: &Snapshot,
    from: &TreePath,
) -> Result<TreePath, RestoreError> {
    if from.is_root() {
        return Ok(TreePath::root());
    }
    match find(fetcher, snapshot.root, from)? {
        None => Err(RestoreError::NoSuchPath { path: from.to_string() }),
        Some(entry) if entry.kind == EntryKind::Directory => Ok(from.clone()),
        Some(_) => Ok(from.parent().unwrap_or_default()),
    }
}

/// Refuses before the first write if the target cannot hold what is to come. Holes cost nothing,
/// so extents are only counted when the logical size does not fit.
fn require_space(
    fetcher: &ChunkFetcher<'_>,
    snapshot: &Snapshot,
    from: &TreePath,
    target: &Target,
    options: &RestoreOptions,
) -> Result<(), RestoreError> {
    let free_bytes = target.free_bytes()?;
    if snapshot.summary.total_bytes <= free_bytes || options.dry_run {
        return Ok(());
    }
    let mut needed_bytes = 0u64;
    for (path, entry) in subtree(fetcher, snapshot.root, from).filter_map(Result::ok) {
        if !options.selects(&path) {
            continue;
        }
        let content = entry.content.as_ref();
        let extents = content.into_iter().flat_map(|c| ExtentCursor::new(fetcher, c)).flatten();
        let data = extents.filter(|extent| matches!(extent, Extent::Chunk { .. }));
        needed_bytes += data.map(|extent| extent.length_bytes()).sum::<u64>();
        if needed_bytes > free_bytes {
            return Err(RestoreError::NoSpace { free_bytes, needed_bytes });
        }
    }
    Ok(())
}
