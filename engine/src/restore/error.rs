//! Why a restore could not be done.

use crate::base::error::{Classified, ErrorClass};
use crate::blob::BlobError;
use crate::disk::error::DiskError;
use crate::index::IndexError;
use crate::repo::error::RepoError;
use crate::tree::TreeError;

/// Errors of a restore. What concerns single files is in the report.
#[derive(Debug, thiserror::Error)]
pub enum RestoreError {
    /// The target.
    #[error(transparent)]
    Disk(#[from] DiskError),
    /// Keys or records.
    #[error(transparent)]
    Repo(#[from] RepoError),
    /// The local index.
    #[error(transparent)]
    Index(#[from] IndexError),
    /// Chunks and packs.
    #[error(transparent)]
    Blob(#[from] BlobError),
    /// The tree.
    #[error(transparent)]
    Tree(#[from] TreeError),
    /// The snapshot does not have what was asked for.
    #[error("the snapshot has no {path}")]
    NoSuchPath {
        /// The path.
        path: String,
    },
    /// A file was asked for and something else is there.
    #[error("{path} is not a file")]
    NotAFile {
        /// The path.
        path: String,
    },
    /// The snapshot has a file without its content.
    #[error("the snapshot has only the name of {path}: it could not be read when it was backed up")]
    Unread {
        /// The path.
        path: String,
    },
    /// The target holds something and the user did not say what to do about it.
    #[error("the target folder {path} is not empty")]
    TargetNotEmpty {
        /// The folder.
        path: String,
    },
    /// Something is where a single file should go, and the user did not say what to do about it.
    #[error("{path} is there already")]
    TargetExists {
        /// The path.
        path: String,
    },
    /// The target is a folder that no restore writes into.
    #[error("the target {path} is the repository or the state folder of this program")]
    Protected {
        /// The folder.
        path: String,
    },
    /// Nothing can be made in the target.
    #[error("the target {path} cannot be written to")]
    Unwritable {
        /// The folder.
        path: String,
        /// The cause.
        source: DiskError,
    },
    /// The target has too little room.
    #[error("the target has {free_bytes} bytes free, the restore needs {needed_bytes}")]
    NoSpace {
        /// What is free.
        free_bytes: u64,
        /// What is needed.
        needed_bytes: u64,
    },
    /// Writing out what was read failed.
    #[error("writing the output failed")]
    Output {
        /// The cause.
        source: std::io::Error,
    },
    /// Somebody asked to stop.
    #[error("the restore was interrupted")]
    Interrupted,
    /// A thread ended unexpectedly.
    #[error("a part of the restore ended unexpectedly")]
    Lost,
}

impl Classified for RestoreError {
    fn class(&self) -> ErrorClass {
        match self {
            Self::Disk(error) | Self::Unwritable { source: error, .. } => error.class(),
            Self::Repo(error) => error.class(),
            Self::Index(error) => error.class(),
            Self::Blob(error) => error.class(),
            Self::Tree(error) => error.class(),
            Self::NoSuchPath { .. } | Self::NotAFile { .. } => ErrorClass::Usage,
            Self::Unread { .. } => ErrorClass::Missing,
            Self::TargetNotEmpty { .. } | Self::TargetExists { .. } | Self::Protected { .. } => {
                ErrorClass::Refused
            }
            Self::NoSpace { .. } | Self::Output { .. } => ErrorClass::Local,
            Self::Interrupted => ErrorClass::Interrupted,
            Self::Lost => ErrorClass::Bug,
        }
    }
}
