//! A block in the making: many chunks of one profile, later compressed and sealed together.

use crate::base::id::ChunkId;
use crate::base::limits::{BLOCK_MAX_CHUNKS, BLOCK_TARGET_BYTES};

/// Collects raw chunks.
#[derive(Debug, Default)]
pub struct OpenBlock {
    raw: Vec<u8>,
    chunks: Vec<(ChunkId, u32)>,
}

/// Whether a chunk of so many bytes should be a block of its own: hardly another has room beside it,
/// and it need not be copied into one.
#[must_use]
pub fn is_block_of_its_own(chunk_bytes: usize) -> bool {
    chunk_bytes >= BLOCK_TARGET_BYTES / 2
}

impl OpenBlock {
    /// Adds a chunk.
    pub fn push(&mut self, id: ChunkId, bytes: &[u8]) {
        self.raw.extend_from_slice(bytes);
        self.chunks.push((id, bytes.len() as u32));
    }

    /// Whether a chunk of `next_bytes` should go into another block.
    #[must_use]
    pub fn is_full_for(&self, next_bytes: usize) -> bool {
        let is_long = self.raw.len() + next_bytes > BLOCK_TARGET_BYTES;
        !self.chunks.is_empty() && (is_long || self.chunks.len() >= BLOCK_MAX_CHUNKS)
    }

    /// Whether nothing is in it.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.chunks.is_empty()
    }

    /// All raw bytes.
    #[must_use]
    pub fn raw(&self) -> &[u8] {
        &self.raw
    }

    /// Ids and lengths in order.
    #[must_use]
    pub fn chunks(&self) -> &[(ChunkId, u32)] {
        &self.chunks
    }

    /// Empties it, keeping its memory.
    pub fn clear(&mut self) {
        self.raw.clear();
        self.chunks.clear();
    }
}
