//! Errors of the local index.
//!
//! Corrupt means: this cache is damaged, the store is not concerned. The way out is always the
//! same: open it anew (a damaged file is moved aside) and refresh from the store.

use std::io;
use std::path::{Path, PathBuf};

use rusqlite::ErrorCode;

use crate::base::error::{Classified, ErrorClass};
use crate::base::id::PackId;
use crate::disk::trust::Distrust;
use crate::repo::error::RepoError;

/// Why work on the local index failed.
#[derive(Debug, thiserror::Error)]
pub enum IndexError {
    /// The database refused or failed.
    #[error("{action} the index {path:?}")]
    Database {
        /// Present participle: `opening`, `reading`, `writing`.
        action: &'static str,
        /// The database file.
        path: PathBuf,
        /// What it said.
        source: rusqlite::Error,
    },
    /// A file beside the database failed.
    #[error("{action} {path:?}")]
    File {
        /// Present participle.
        action: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// A value in the database is not what was put there.
    #[error("the index {path:?} is damaged: {what} is not readable")]
    Damaged {
        /// The database file.
        path: PathBuf,
        /// The value.
        what: &'static str,
    },
    /// Two sources describe one pack differently; packs never change, so one of them is wrong.
    /// What was known first stays; the pack's own footer decides.
    #[error("the table of pack {} differs from the one that is known", name(pack))]
    PackDiffers {
        /// The pack.
        pack: PackId,
    },
    /// The table of a pack holds what no decoder lets through.
    #[error("the table of pack {} is impossible: {what}", name(pack))]
    ImpossiblePack {
        /// The pack.
        pack: PackId,
        /// The field.
        what: &'static str,
    },
    /// Another process or thread works with this folder.
    #[error("the state folder {folder:?} is in use by {}", holder(*pid))]
    Busy {
        /// The folder.
        folder: PathBuf,
        /// Process id of the holder, if it could be read.
        pid: Option<u32>,
    },
    /// Hints were pushed out of order, or an entry is larger than a tree node may be.
    #[error("writing hints: {what}")]
    Hints {
        /// What is wrong.
        what: &'static str,
    },
    /// The folder or the index is somebody else's, or others can change it.
    #[error(transparent)]
    Distrusted(#[from] Distrust),
    /// The system gave no random bytes.
    #[error("drawing random bytes")]
    Random {
        /// What the system said.
        source: std::io::Error,
    },
    /// Reading from the repository failed.
    #[error(transparent)]
    Repo(#[from] RepoError),
}

impl Classified for IndexError {
    fn class(&self) -> ErrorClass {
        match self {
            Self::Database { source, .. } if is_damage(source) => ErrorClass::Corrupt,
            Self::Database { source, .. } if is_busy(source) => ErrorClass::Conflict,
            Self::Database { .. } | Self::File { .. } | Self::Random { .. } => ErrorClass::Local,
            Self::Damaged { .. } | Self::PackDiffers { .. } => ErrorClass::Corrupt,
            Self::Repo(error) => error.class(),
            Self::Busy { .. } => ErrorClass::Conflict,
            Self::Distrusted(_) => ErrorClass::Refused,
            Self::ImpossiblePack { .. } | Self::Hints { .. } => ErrorClass::Bug,
        }
    }
}

/// What keeps the state folder from being written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StateObstacle {
    /// There is no room.
    Full,
    /// It is read-only, or not for this user.
    Closed,
    /// The disk fails.
    Failing,
}

impl IndexError {
    /// What keeps the state folder from being written, if that is it.
    #[must_use]
    pub fn obstacle(&self) -> Option<StateObstacle> {
        match self {
            Self::Database { source, .. } => match source.sqlite_error_code()? {
                ErrorCode::DiskFull => Some(StateObstacle::Full),
                ErrorCode::ReadOnly | ErrorCode::CannotOpen | ErrorCode::PermissionDenied => {
                    Some(StateObstacle::Closed)
                }
                ErrorCode::SystemIoFailure => Some(StateObstacle::Failing),
                _ => None,
            },
            Self::File { source, .. } => match source.kind() {
                io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
                    Some(StateObstacle::Full)
                }
                io::ErrorKind::ReadOnlyFilesystem | io::ErrorKind::PermissionDenied => {
                    Some(StateObstacle::Closed)
                }
                _ => None,
            },
            _ => None,
        }
    }

    /// Names what was done to which file when the system failed.
    pub(crate) fn file(action: &'static str, path: &Path) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::File { action, path, source }
    }
}

/// What can go wrong inside a piece of work on the database, before the file is named.
#[derive(Debug)]
pub(crate) enum Failure {
    /// The database refused or failed.
    Sql(rusqlite::Error),
    /// Something that needs no more words.
    Index(IndexError),
    /// A value is not what was put there.
    Unreadable(&'static str),
}

impl From<rusqlite::Error> for Failure {
    fn from(error: rusqlite::Error) -> Self {
        Self::Sql(error)
    }
}

impl From<IndexError> for Failure {
    fn from(error: IndexError) -> Self {
        Self::Index(error)
    }
}

/// Whether the file is damaged, as opposed to busy, unreadable or on a full disk.
pub(crate) fn is_damage(error: &rusqlite::Error) -> bool {
    match error {
        rusqlite::Error::SqliteFailure(failure, _) => {
            // Nothing here ever breaks a constraint of sound tables, or puts into them what is too
            // big for the database: a damaged length is. Nor is there a statement here that sound
            // tables do not know: a column that is missing has a damaged name.
            failure.extended_code == rusqlite::ffi::SQLITE_ERROR
                || matches!(
                    failure.code,
                    ErrorCode::DatabaseCorrupt
                        | ErrorCode::NotADatabase
                        | ErrorCode::ConstraintViolation
                        | ErrorCode::TooBig
                )
        }
        // The tables are not those that were made.
        rusqlite::Error::SqlInputError { .. } => true,
        // A column of another type or a number out of range: not what was written.
        rusqlite::Error::FromSqlConversionFailure(..)
        | rusqlite::Error::IntegralValueOutOfRange(..)
        | rusqlite::Error::InvalidColumnType(..)
        | rusqlite::Error::Utf8Error(..) => true,
        _ => false,
    }
}

fn is_busy(error: &rusqlite::Error) -> bool {
    matches!(error.sqlite_error_code(), Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked))
}

fn name(pack: &PackId) -> String {
    format!("{}/{}/{:08x}-{}", pack.kind.prefix(), pack.session, pack.counter, pack.random)
}

fn holder(pid: Option<u32>) -> String {
    pid.map_or_else(|| "another process".to_owned(), |pid| format!("process {pid}"))
}
