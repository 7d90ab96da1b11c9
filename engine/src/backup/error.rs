//! Why a backup ended without a snapshot.

use crate::base::error::{Classified, ErrorClass};
use crate::blob::BlobError;
use crate::disk::error::DiskError;
use crate::index::IndexError;
use crate::repo::error::RepoError;
use crate::store::error::StoreError;
use crate::tree::TreeError;

/// Errors of a backup. What concerns single files is a problem in the report, not an error.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    /// The source cannot be read at all.
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
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A path to be backed up cannot stand in a snapshot.
    #[error("{path} cannot be backed up: {why}")]
    Source {
        /// The path, escaped.
        path: String,
        /// Why not.
        why: String,
    },
    /// Filters leave out everything, or there is nothing to back up.
    #[error("nothing{at} is selected, so no snapshot was made")]
    NothingSelected {
        /// Where, as words that follow.
        at: String,
    },
    /// Nothing came in.
    #[error("the input is empty (0 bytes), so no snapshot was made")]
    EmptyStream,
    /// Reading standard input or a command's output failed.
    #[error("reading the input stream failed")]
    Stream {
        /// The cause.
        source: std::io::Error,
    },
    /// What the run relied on, or has stored, is gone.
    #[error(
        "the store was put back to an earlier state while this run went on; nothing was committed"
    )]
    PutBack,
    /// Every attempt to commit met a fence.
    #[error("the session was fenced {attempts} times while it committed")]
    AlwaysFenced {
        /// How often it was tried.
        attempts: u32,
    },
    /// The session was fenced, and collections then named packs that the run had relied on.
    #[error("the session was fenced, and what it relied on may be deleted; back up again")]
    Overtaken,
    /// The parent that was asked for is not there.
    #[error("there is no snapshot {wanted} to serve as parent")]
    NoParent {
        /// What was asked for.
        wanted: String,
    },
    /// Nobody would believe the snapshot.
    #[error("the client {client} may name {hosts} in its snapshots, not {host:?}")]
    ForeignHost {
        /// The client.
        client: String,
        /// What it may name, in words.
        hosts: String,
        /// What was named.
        host: String,
    },
    /// Somebody asked to stop.
    #[error("the backup was interrupted")]
    Interrupted,
    /// A thread of the run ended unexpectedly.
    #[error("a part of the backup ended unexpectedly")]
    Lost,
}

impl Classified for BackupError {
    fn class(&self) -> ErrorClass {
        match self {
            Self::Disk(error) => error.class(),
            Self::Repo(error) => error.class(),
            Self::Index(error) => error.class(),
            Self::Blob(error) => error.class(),
            Self::Tree(error) => error.class(),
            Self::Store(error) => error.class(),
            Self::Source { .. } | Self::NoParent { .. } => ErrorClass::Usage,
            Self::Stream { .. } | Self::NothingSelected { .. } | Self::EmptyStream => {
                ErrorClass::Local
            }
            Self::ForeignHost { .. } => ErrorClass::Refused,
            Self::PutBack => ErrorClass::Corrupt,
            Self::AlwaysFenced { .. } | Self::Overtaken => ErrorClass::Transient,
            Self::Interrupted => ErrorClass::Interrupted,
            Self::Lost => ErrorClass::Bug,
        }
    }
}
