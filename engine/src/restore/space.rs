//! Whether the target has room, file system by file system, asked before anything is written.
//!
//! What counts is the most that one run needs at any moment: content that will be written, each file
//! with several names once, holes not at all. What is there already and stays needs nothing. What is
//! replaced is still there while the new content is written, and gone some time afterwards.

use std::collections::HashSet;

use hashbrown::HashMap;

use crate::base::limits::{KIB, MIB, RESTORE_WINDOW_FILES};
use crate::base::path::TreePath;
use crate::blob::fetch::ChunkFetcher;
use crate::disk::write::Target;
use crate::format::entry::{Content, Entry, EntryKind};
use crate::format::extent::Extent;
use crate::format::snapshot::Snapshot;
use crate::restore::carry::Work;
use crate::restore::error::RestoreError;
use crate::restore::options::Overwrite;
use crate::restore::place::{Placement, decide};
use crate::restore::report::Tally;
use crate::tree::cursor::subtree;
use crate::tree::extents::ExtentCursor;

/// What a file system gives out at a time.
const BLOCK_BYTES: u64 = 4 * KIB as u64;

/// Windows hold at least so much, however little is free.
const TIGHT_WINDOW_MIN_BYTES: u64 = MIB as u64;

/// What one file system has and needs.
struct Volume {
    free_bytes: u64,
    wide: Need,
    tight: Need,
}

/// What is needed if all files of one window may be there beside those that they replace: they are
/// written in any order, and each takes its place when it is whole.
#[derive(Default)]
struct Need {
    /// The most that is needed at one moment.
    peak_bytes: u64,
    /// Written so far, less what is replaced and gone by then.
    used_bytes: u64,
    /// Files and bytes of this window, and the space that is free after it.
    window_files: usize,
    window_bytes: u64,
    freed_bytes: u64,
}

impl Need {
    /// Adds a file that takes the place of one of `old_bytes`; windows are full with `bytes_max`.
    fn add(&mut self, new_bytes: u64, old_bytes: u64, bytes_max: u64) {
        self.used_bytes = self.used_bytes.saturating_add(new_bytes);
        self.peak_bytes = self.peak_bytes.max(self.used_bytes);
        self.window_files += 1;
        self.window_bytes = self.window_bytes.saturating_add(new_bytes);
        self.freed_bytes = self.freed_bytes.saturating_add(old_bytes);
        if self.window_bytes >= bytes_max || self.window_files >= RESTORE_WINDOW_FILES {
            let used_bytes = self.used_bytes.saturating_sub(self.freed_bytes);
            *self = Self { used_bytes, peak_bytes: self.peak_bytes, ..Self::default() };
        }
    }
}

/// Refuses before the first write if the target cannot hold what is to come. Answers how many bytes
/// of content one window may hold: few where only small steps leave room enough.
///
/// # Errors
/// [`RestoreError::NoSpace`], and what hinders the look at the target.
pub(super) fn require_space(
    work: &Work<'_>,
    snapshot: &Snapshot,
    from: &TreePath,
    is_empty: bool,
    is_one_volume: bool,
) -> Result<u64, RestoreError> {
    let target = work.to.target;
    let free_bytes = target.free_bytes()?;
    let fits = is_one_volume && snapshot.summary.total_bytes <= free_bytes;
    if work.options.no_space_check || fits {
        return Ok(u64::MAX);
    }
    let tight_max = (free_bytes / 4).max(TIGHT_WINDOW_MIN_BYTES);
    let fetcher = work.executor.fetcher;
    let mut volumes: HashMap<u64, Volume> = HashMap::new();
    let mut linked: HashSet<(u64, u64)> = HashSet::new();
    for (full, entry) in subtree(fetcher, snapshot.root, from).filter_map(Result::ok) {
        let Some(path) = work.place_of(&full) else { continue };
        let is_file = entry.kind == EntryKind::File && !entry.is_unread();
        if !is_file || !work.options.selects(&full) {
            continue;
        }
        if entry.link_count > 1 && !linked.insert((entry.device, entry.inode)) {
            continue;
        }
        let old_bytes = match what_is_there(work, &path, &entry, is_empty) {
            There::Stays => continue,
            There::Goes { bytes } => bytes,
        };
        let device = device_of(target, &path, is_empty);
        let volume = volumes.entry(device).or_insert_with(|| Volume {
            free_bytes: target.free_bytes_at(&path.parent().unwrap_or_default(), free_bytes),
            wide: Need::default(),
            tight: Need::default(),
        });
        let new_bytes = stored_bytes(fetcher, &entry);
        volume.wide.add(new_bytes, old_bytes, u64::MAX);
        volume.tight.add(new_bytes, old_bytes, tight_max);
    }
    if volumes.values().all(|volume| volume.wide.peak_bytes <= volume.free_bytes) {
        return Ok(u64::MAX);
    }
    // Of all that is to come: whoever makes room for less is refused once more.
    let lacks = |volume: &Volume| volume.tight.peak_bytes.checked_sub(volume.free_bytes);
    let lacking = volumes.values().filter(|volume| lacks(volume).is_some_and(|lack| lack > 0));
    match lacking.max_by_key(|volume| lacks(volume)) {
        None => Ok(tight_max),
        Some(Volume { free_bytes, tight, .. }) => {
            Err(RestoreError::NoSpace { free_bytes: *free_bytes, needed_bytes: tight.peak_bytes })
        }
    }
}

enum There {
    /// Nothing is written.
    Stays,
    /// New content is written, and so many bytes become free afterwards.
    Goes { bytes: u64 },
}

fn what_is_there(work: &Work<'_>, path: &TreePath, entry: &Entry, is_empty: bool) -> There {
    if is_empty {
        return There::Goes { bytes: 0 };
    }
    let overwrite = work.options.overwrite.unwrap_or(Overwrite::IfChanged);
    match decide(work.to.target, path, entry, work.options, overwrite) {
        Ok(Placement::Create) => There::Goes { bytes: 0 },
        Ok(Placement::Replace(_, there)) => {
            let is_last_name = there.link_count == 1;
            There::Goes { bytes: if is_last_name { there.allocated_bytes } else { 0 } }
        }
        // Blocks are overwritten where they are.
        Ok(Placement::InPlace(_)) => There::Stays,
        Ok(_) | Err(_) => There::Stays,
    }
}

/// The file system of the nearest folder above `path` that is there.
fn device_of(target: &Target, path: &TreePath, is_empty: bool) -> u64 {
    let mut at = if is_empty { None } else { path.parent() };
    while let Some(folder) = at.filter(|folder| !folder.is_root()) {
        if let Ok(Some(there)) = target.stat(&folder) {
            return there.device_and_inode.0;
        }
        at = folder.parent();
    }
    target.device_and_inode().0
}

/// Bytes that the content takes on a disk.
fn stored_bytes(fetcher: &ChunkFetcher<'_>, entry: &Entry) -> u64 {
    data_bytes(fetcher, entry).next_multiple_of(BLOCK_BYTES)
}

impl Work<'_> {
    /// Counts what a dry run leaves out as written; in place it may be less.
    pub(super) fn foresee(&self, entry: &Entry) {
        let bytes = data_bytes(self.executor.fetcher, entry);
        Tally::add(&self.to.tally.written_bytes, bytes);
    }
}

/// Bytes of content that are written: without holes.
fn data_bytes(fetcher: &ChunkFetcher<'_>, entry: &Entry) -> u64 {
    let content = match entry.content.as_ref() {
        Some(Content::Inline(bytes)) => return bytes.len() as u64,
        content => content,
    };
    let extents = content.into_iter().flat_map(|c| ExtentCursor::new(fetcher, c)).flatten();
    let data = extents.filter(|extent| matches!(extent, Extent::Chunk { .. }));
    data.map(|extent| extent.length_bytes()).sum()
}
