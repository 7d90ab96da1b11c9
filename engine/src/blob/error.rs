//! What can go wrong on the way of chunks in and out of packs.

use crate::base::error::{Classified, ErrorClass};
use crate::base::id::ChunkId;
use crate::index::IndexError;
use crate::repo::error::RepoError;
use crate::store::error::StoreError;

/// Errors of this floor.
#[derive(Debug, thiserror::Error)]
pub enum BlobError {
    /// No pack that the index knows holds the chunk.
    #[error("no pack of the repository holds the chunk {id}")]
    Unknown {
        /// The chunk.
        id: ChunkId,
    },
    /// A pack does not hold what the index says, or its bytes are damaged.
    #[error("the pack {key} is damaged: {why}")]
    Damaged {
        /// Key of the pack in the store.
        key: String,
        /// What is wrong.
        why: String,
    },
    /// Keys or records.
    #[error(transparent)]
    Repo(#[from] RepoError),
    /// The local index.
    #[error(transparent)]
    Index(#[from] IndexError),
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Classified for BlobError {
    fn class(&self) -> ErrorClass {
        match self {
            // Whoever asks for a pack has it from a record of the repository.
            Self::Unknown { .. }
            | Self::Damaged { .. }
            | Self::Store(StoreError::NotFound { .. }) => ErrorClass::Corrupt,
            Self::Repo(error) => error.class(),
            Self::Index(error) => error.class(),
            Self::Store(error) => error.class(),
        }
    }
}

impl BlobError {
    /// Whether another copy of the same chunk may still be good. An unknown version counts: one
    /// flipped bit makes a pack claim it. So does what this one object is refused for.
    #[must_use]
    pub fn is_local_to_one_copy(&self) -> bool {
        match self.class() {
            ErrorClass::Corrupt | ErrorClass::Newer | ErrorClass::Unreadable => true,
            // A store that is gone as a whole has no other copy.
            ErrorClass::Missing => !matches!(self, Self::Store(StoreError::FolderMissing { .. })),
            _ => false,
        }
    }

    /// Whether the store does not have what was asked for, rather than a damaged form of it.
    #[must_use]
    pub fn is_gone(&self) -> bool {
        matches!(self, Self::Unknown { .. } | Self::Store(StoreError::NotFound { .. }))
    }
}
