//! What a check is asked to do.

use crate::base::id::PackId;
use crate::crypt::hash::digest;
use crate::store::name::ObjectName;

/// Which packs are read whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ReadData {
    /// None: only structure is checked.
    #[default]
    None,
    /// All.
    All,
    /// Part `part` of `of` parts, 1-based; over all parts every pack is read once.
    Part {
        /// Which.
        part: u32,
        /// Of how many.
        of: u32,
    },
    /// Packs chosen at random up to this many bytes; `seed` makes the choice repeatable.
    Bytes {
        /// How many bytes.
        bytes: u64,
        /// Decides which.
        seed: u64,
    },
}

impl ReadData {
    /// Whether the small object at `key` is read: with all packs, or in the same parts as they.
    #[must_use]
    pub fn reads_record(self, key: &str) -> bool {
        match self {
            Self::None | Self::Bytes { .. } => false,
            Self::All => true,
            Self::Part { part, of } => {
                key_number(key, 0) % u64::from(of.max(1)) == u64::from(part.saturating_sub(1))
            }
        }
    }
}

/// Options that have defaults.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct CheckOptions {
    /// Which packs are read whole.
    pub read_data: ReadData,
    /// Threads that read; 0 means as many as suit the store.
    pub threads: usize,
}

/// A number that is spread evenly over packs and does not change for one.
#[must_use]
pub fn pack_number(pack: &PackId, seed: u64) -> u64 {
    key_number(&ObjectName::Pack(*pack).key(), seed)
}

fn key_number(key: &str, seed: u64) -> u64 {
    let mut bytes = key.as_bytes().to_vec();
    bytes.extend_from_slice(&seed.to_le_bytes());
    let mut first = [0; 8];
    first.copy_from_slice(&digest(&bytes).as_bytes()[..8]);
    u64::from_le_bytes(first)
}
