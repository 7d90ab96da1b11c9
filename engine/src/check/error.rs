//! Why a check could not be finished. Damage that it finds is its result, not an error.

use crate::base::error::{Classified, ErrorClass};
use crate::blob::BlobError;
use crate::index::IndexError;
use crate::repo::error::RepoError;
use crate::store::error::StoreError;

/// Errors of a check.
#[derive(Debug, thiserror::Error)]
pub enum CheckError {
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
    /// Somebody asked to stop.
    #[error("the check was interrupted")]
    Interrupted,
    /// A thread ended unexpectedly.
    #[error("a part of the check ended unexpectedly")]
    Lost,
}

impl Classified for CheckError {
    fn class(&self) -> ErrorClass {
        match self {
            Self::Repo(error) => error.class(),
            Self::Index(error) => error.class(),
            Self::Blob(error) => error.class(),
            Self::Store(error) => error.class(),
            Self::Interrupted => ErrorClass::Interrupted,
            Self::Lost => ErrorClass::Bug,
        }
    }
}
