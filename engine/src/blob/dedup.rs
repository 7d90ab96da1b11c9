//! Which chunks need not be stored: those in the index, and those this run has taken on.
//!
//! New chunks wait in memory until the segment that lists them is written; then they are in the
//! index and leave the memory. A worker whose view of the index is older than that looks again,
//! so that a chunk is never stored twice by one run.

use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use hashbrown::HashSet;

use crate::base::id::ChunkId;
use crate::format::segment::SegmentPack;
use crate::index::{Index, IndexError, IndexReader};

/// Shards of the pending set: two workers rarely meet in one.
const SHARD_COUNT: usize = 16;

/// Shared by all workers of a run.
pub struct Dedup {
    pending: [Mutex<HashSet<ChunkId>>; SHARD_COUNT],
    generation: AtomicU64,
}

impl Default for Dedup {
    fn default() -> Self {
        Self { pending: std::array::from_fn(|_| Mutex::default()), generation: AtomicU64::new(0) }
    }
}

/// One worker's view.
pub struct DedupView<'a> {
    shared: &'a Dedup,
    reader: IndexReader,
    generation: u64,
}

impl Dedup {
    /// A view for one worker.
    ///
    /// # Errors
    /// Those of the database.
    pub fn view<'a>(&'a self, index: &Index) -> Result<DedupView<'a>, IndexError> {
        let generation = self.generation.load(Ordering::Acquire);
        Ok(DedupView { shared: self, reader: index.reader()?, generation })
    }

    /// The chunks of these packs are in the index now: they need no memory any more.
    pub fn settle(&self, packs: &[SegmentPack]) {
        self.generation.fetch_add(1, Ordering::AcqRel);
        for chunk in packs.iter().flat_map(|pack| &pack.table.chunks) {
            if let Ok(mut pending) = self.shard(&chunk.id).lock() {
                pending.remove(&chunk.id);
            }
        }
    }

    fn shard(&self, id: &ChunkId) -> &Mutex<HashSet<ChunkId>> {
        &self.pending[usize::from(id.as_bytes()[31]) % SHARD_COUNT]
    }
}

impl DedupView<'_> {
    /// Whether the caller must store the chunk: `true` exactly once per chunk and run, and only if
    /// the index does not know it.
    ///
    /// # Errors
    /// Those of the database.
    pub fn claim(&mut self, id: &ChunkId) -> Result<bool, IndexError> {
        if self.is_indexed(id)? {
            return Ok(false);
        }
        let is_first = match self.shared.shard(id).lock() {
            Ok(mut pending) => pending.insert(*id),
            // A worker died holding the lock; its run fails anyway, storing again does no harm.
            Err(_) => true,
        };
        if is_first && self.generation != self.shared.generation.load(Ordering::Acquire) {
            // Between look-up and claim a segment was written that may hold the chunk.
            if self.is_indexed(id)? {
                if let Ok(mut pending) = self.shared.shard(id).lock() {
                    pending.remove(id);
                }
                return Ok(false);
            }
        }
        Ok(is_first)
    }

    /// Whether the index knows the chunk.
    ///
    /// # Errors
    /// Those of the database.
    pub fn is_indexed(&mut self, id: &ChunkId) -> Result<bool, IndexError> {
        let generation = self.shared.generation.load(Ordering::Acquire);
        if generation != self.generation {
            self.reader.refresh_view()?;
            self.generation = generation;
        }
        self.reader.contains(id)
    }
}
