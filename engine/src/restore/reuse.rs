//! Bytes that the target has already: of the file that is replaced, and of what an earlier run that was
//! interrupted left of the new one. They are compared with the snapshot chunk by chunk and copied, so
//! that only what differs is fetched.

use crate::base::id::ChunkId;
use crate::base::limits::{REUSE_MIN_BYTES, REUSE_PATIENCE_BYTES, REUSE_PROBE_EVERY};
use crate::base::path::TreePath;
use crate::disk::read::OpenFile;
use crate::disk::write::Target;
use crate::format::entry::{Entry, EntryKind};
use crate::restore::matching::ChunkMatcher;

/// What is at a path, if it can have bytes of the entry.
pub(super) fn bytes_at(target: &Target, path: &TreePath, entry: &Entry) -> Option<OpenFile> {
    match entry.kind == EntryKind::File && entry.size_bytes >= REUSE_MIN_BYTES {
        true => target.open_for_reading(path).ok(),
        false => None,
    }
}

/// Files whose bytes may be those of the snapshot, at the same places.
#[derive(Debug, Default)]
pub(super) struct Sources(Vec<Source>);

#[derive(Debug)]
struct Source {
    file: OpenFile,
    /// Bytes compared since the last that matched.
    missed_bytes: u64,
    missed_count: u64,
}

impl Sources {
    /// Adds one, if there is one.
    pub(super) fn add(&mut self, file: Option<OpenFile>) {
        let source = |file| Source { file, missed_bytes: 0, missed_count: 0 };
        self.0.extend(file.map(source));
    }

    /// Whether there is none.
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Fills `part` with the chunk `id` if one of the files has it at `offset`. What cannot be read or
    /// told apart is not there.
    pub(super) fn find(
        &mut self,
        matcher: &ChunkMatcher<'_>,
        id: &ChunkId,
        part: &mut [u8],
        offset: u64,
    ) -> bool {
        self.0.iter_mut().any(|source| {
            if !source.is_worth_a_look() {
                return false;
            }
            let is_read = source.file.read_at(part, offset).is_ok_and(|count| count == part.len());
            if is_read && matcher.matches(id, part).unwrap_or(false) {
                (source.missed_bytes, source.missed_count) = (0, 0);
                return true;
            }
            source.missed_bytes = source.missed_bytes.saturating_add(part.len() as u64);
            false
        })
    }
}

impl Source {
    /// A file that is another one from here on is only looked into now and then.
    fn is_worth_a_look(&mut self) -> bool {
        if self.missed_bytes < REUSE_PATIENCE_BYTES {
            return true;
        }
        self.missed_count += 1;
        self.missed_count.is_multiple_of(REUSE_PROBE_EVERY)
    }
}
