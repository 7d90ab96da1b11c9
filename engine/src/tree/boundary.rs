//! Where a node ends: pure functions of keys and ids, so that equal content makes equal nodes.
//!
//! Entry nodes look only at the *key*: changing a file's metadata or content never moves a
//! boundary. The level is hashed in, otherwise a key that ends a leaf would end every level above
//! it too. Extent nodes look at chunk and node ids, which are hashes already.

use crate::base::id::ChunkId;
use crate::base::limits::KIB;
use crate::crypt::hash::digest;
use crate::format::config::TreeConfig;

/// A node whose items exceed this is closed whatever the hashes say: long names and attributes.
pub const NODE_SPLIT_BYTES: usize = 256 * KIB;

/// Decides for one repository.
#[derive(Debug, Clone)]
pub struct Boundary {
    mask: u64,
    min_items: usize,
    max_items: usize,
}

impl Boundary {
    /// As the configuration says.
    #[must_use]
    pub fn new(config: &TreeConfig) -> Self {
        Self {
            mask: (1 << config.boundary_bits.min(32)) - 1,
            min_items: config.min_items as usize,
            max_items: config.max_items as usize,
        }
    }

    /// Whether a node of `item_count` items and about `size_bytes` ends after an item with that
    /// hash.
    #[must_use]
    pub fn ends(&self, hash: u64, item_count: usize, size_bytes: usize) -> bool {
        item_count >= self.max_items
            || size_bytes >= NODE_SPLIT_BYTES
            || (item_count >= self.min_items && hash & self.mask == 0)
    }
}

/// Hash of a path key on a level.
#[must_use]
pub fn key_hash(level: u8, key: &[u8]) -> u64 {
    let mut bytes = Vec::with_capacity(key.len() + 1);
    bytes.push(level);
    bytes.extend_from_slice(key);
    first_u64(digest(&bytes).as_bytes())
}

/// Hash of a chunk or node id.
#[must_use]
pub fn id_hash(id: &ChunkId) -> u64 {
    first_u64(id.as_bytes())
}

fn first_u64(bytes: &[u8; 32]) -> u64 {
    let mut first = [0; 8];
    first.copy_from_slice(&bytes[..8]);
    u64::from_le_bytes(first)
}
