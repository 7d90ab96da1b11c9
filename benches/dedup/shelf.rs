//! Chunks stored once each, in compressed blocks as a pack has them.

use std::collections::HashSet;

use engine::base::limits::BLOCK_TARGET_BYTES;
use engine::chunk::level::Level;
use engine::chunk::squeeze::Compressor;

/// What the tables of pack, segment and index need for a chunk; measured on real repositories.
const TABLE_BYTES: u64 = 40;

/// What is stored so far.
pub(crate) struct Shelf {
    seen: HashSet<[u8; 32]>,
    block: Vec<u8>,
    compressor: Compressor,
    squeezed: Vec<u8>,
    pub(crate) stored_bytes: u64,
    pub(crate) chunk_count: u64,
}

impl Shelf {
    pub(crate) fn new() -> Self {
        Self {
            seen: HashSet::new(),
            block: Vec::with_capacity(2 * BLOCK_TARGET_BYTES),
            compressor: Compressor::new(Level::Auto),
            squeezed: Vec::new(),
            stored_bytes: 0,
            chunk_count: 0,
        }
    }

    /// A chunk; one that is there already costs nothing.
    pub(crate) fn add(&mut self, chunk: &[u8]) {
        if !self.seen.insert(*blake3::hash(chunk).as_bytes()) {
            return;
        }
        self.chunk_count += 1;
        self.stored_bytes += TABLE_BYTES;
        if !self.block.is_empty() && self.block.len() + chunk.len() > BLOCK_TARGET_BYTES {
            self.flush();
        }
        self.block.extend_from_slice(chunk);
    }

    /// Ends the block that is being filled.
    pub(crate) fn flush(&mut self) {
        self.squeezed.clear();
        self.compressor.compress_into(&self.block, &mut self.squeezed);
        self.stored_bytes += self.squeezed.len() as u64;
        self.block.clear();
    }
}
