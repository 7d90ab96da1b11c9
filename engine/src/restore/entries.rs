//! Restores entries of a snapshot that the caller has picked, under names of its choice.

use std::path::Path;
use std::sync::atomic::AtomicUsize;

use crate::base::limits::NODE_CACHE_BYTES;
use crate::base::monitor::Monitor;
use crate::base::path::TreePath;
use crate::base::time::Timestamp;
use crate::blob::fetch::ChunkFetcher;
use crate::disk::write::{MetadataOptions, Target, is_root};
use crate::format::entry::Entry;
use crate::index::Index;
use crate::repo::Repo;
use crate::restore::carry::{Work, metadata_of};
use crate::restore::error::RestoreError;
use crate::restore::execute::Executor;
use crate::restore::file::Destination;
use crate::restore::matching::ChunkMatcher;
use crate::restore::options::RestoreOptions;
use crate::restore::report::{RestoreReport, Tally};
use crate::restore::run::plan_and_carry_out;

/// Restores entries under the names that come with them, which are paths below `folder`, in the
/// order of a tree: each folder before what is in it. Nothing else is in `folder` under these
/// names. Metadata is set as in a whole restore.
///
/// # Errors
/// [`RestoreError`] if nothing, or nothing more, could be restored. Entries that could not
/// be restored are in the report.
pub fn run_entries(
    repo: &Repo,
    index: &Index,
    entries: Vec<(TreePath, Entry)>,
    folder: &Path,
    options: &RestoreOptions,
    monitor: &dyn Monitor,
) -> Result<RestoreReport, RestoreError> {
    repo.keys().data()?;
    let started_ms = repo.clock().monotonic().as_millis() as u64;
    let fetcher = ChunkFetcher::new(repo, index, NODE_CACHE_BYTES)?;
    let target = Target::create(folder)?;
    let tally = Tally::default();
    let to = Destination {
        target: &target,
        metadata: MetadataOptions { inode_flags: false, ..metadata_of(options, is_root()) },
        monitor,
        tally: &tally,
        journal: None,
        open_files: AtomicUsize::new(0),
    };
    let executor = Executor::new(repo, &fetcher, &to, options);
    let base = TreePath::root();
    // No id is computed from what lies there: everything is new.
    let matcher = ChunkMatcher::new(repo, &fetcher, 0);
    let work = Work {
        base: &base,
        name: None,
        is_fresh: true,
        made_target: false,
        modified_before: Timestamp::default(),
        window_bytes_max: u64::MAX,
        options,
        to: &to,
        executor: &executor,
        matcher: &matcher,
    };
    let mut report = plan_and_carry_out(&work, index.reader()?, |pass| pass.run_list(entries))?;
    tally.fill(&mut report);
    report.duration_ms = repo.clock().monotonic().as_millis() as u64 - started_ms;
    Ok(report)
}
