//! Why a collection stopped. Until its sweep it has deleted nothing; after it, the next run goes on.

use crate::base::error::{Classified, ErrorClass};
use crate::blob::BlobError;
use crate::index::IndexError;
use crate::repo::error::RepoError;
use crate::store::error::StoreError;

/// Errors of a collection.
#[derive(Debug, thiserror::Error)]
pub enum GcError {
    /// Keys or records.
    #[error(transparent)]
    Repo(#[from] RepoError),
    /// The local index.
    #[error(transparent)]
    Index(#[from] IndexError),
    /// Chunks and packs.
    #[error(transparent)]
    Blob(#[from] BlobError),
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Something that snapshots need cannot be read, so that what they need is unknown.
    #[error("nothing was deleted: {what} cannot be relied on: {why}")]
    Unsure {
        /// A key, a chunk, or a snapshot.
        what: String,
        /// What is wrong with it.
        why: String,
    },
    /// The store does not show something that was there before.
    #[error("nothing was deleted: the store may have been put back to an older state: {why}")]
    RolledBack {
        /// What is missing.
        why: String,
    },
    /// Too much would be deleted at once.
    #[error("refused: {why}")]
    MassDelete {
        /// What would be deleted.
        why: String,
        /// The number that confirms it.
        confirm: u64,
    },
    /// Somebody asked to stop, or the time was up.
    #[error("the collection was interrupted; nothing is left in an unsafe state")]
    Interrupted,
}

impl Classified for GcError {
    fn class(&self) -> ErrorClass {
        match self {
            Self::Repo(error) => error.class(),
            Self::Index(error) => error.class(),
            Self::Blob(error) => error.class(),
            Self::Store(error) => error.class(),
            Self::Unsure { .. } => ErrorClass::Corrupt,
            Self::RolledBack { .. } | Self::MassDelete { .. } => ErrorClass::Refused,
            Self::Interrupted => ErrorClass::Interrupted,
        }
    }
}
