//! Why nothing was forgotten, held, tagged or brought back.

use std::time::Duration;

use crate::base::error::{Classified, ErrorClass};
use crate::blob::BlobError;
use crate::index::IndexError;
use crate::repo::error::RepoError;
use crate::store::error::StoreError;

/// Errors of this operation.
#[derive(Debug, thiserror::Error)]
pub enum RetainError {
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
    /// Snapshots that were named are held.
    #[error("{snapshot} is held by {hold}")]
    Held {
        /// The first of them.
        snapshot: String,
        /// What holds it.
        hold: String,
    },
    /// One run would take away too much of what a client has newest.
    #[error(
        "this would forget the newest snapshots of client {client} ({count} of {of}), \
         among them {snapshot}"
    )]
    Newest {
        /// Whose.
        client: String,
        /// How many.
        count: usize,
        /// Of how many.
        of: usize,
        /// The newest of them.
        snapshot: String,
    },
    /// One run would forget more than was confirmed.
    #[error("snapshots that this would forget: {count}; confirmed: {confirmed}")]
    MoreThanConfirmed {
        /// How many.
        count: usize,
        /// How many were confirmed.
        confirmed: u64,
    },
    /// The clock of this machine and that of the store differ.
    #[error(
        "the clocks of this machine and of the store differ by {}: one of them is wrong, and rules \
         go by time", roughly(*.apart)
    )]
    ClocksDiffer {
        /// How far.
        apart: Duration,
    },
    /// A snapshot that should be brought back is not whole any more.
    #[error("{snapshot} cannot be brought back: {why}")]
    NotWhole {
        /// Which.
        snapshot: String,
        /// What is missing.
        why: String,
    },
    /// Every attempt to commit met a fence.
    #[error("the session was fenced {attempts} times while it committed")]
    AlwaysFenced {
        /// How often it was tried.
        attempts: u32,
    },
    /// A tag is empty or holds what cannot stand in one.
    #[error("{tag:?} is no tag: {why}")]
    BadTag {
        /// What was given.
        tag: String,
        /// What is wrong with it.
        why: &'static str,
    },
    /// Somebody asked to stop.
    #[error("the run was interrupted")]
    Interrupted,
}

impl Classified for RetainError {
    fn class(&self) -> ErrorClass {
        match self {
            Self::Repo(error) => error.class(),
            Self::Index(error) => error.class(),
            Self::Blob(error) => error.class(),
            Self::Store(error) => error.class(),
            Self::Held { .. }
            | Self::Newest { .. }
            | Self::MoreThanConfirmed { .. }
            | Self::ClocksDiffer { .. }
            | Self::NotWhole { .. } => ErrorClass::Refused,
            Self::AlwaysFenced { .. } => ErrorClass::Transient,
            Self::BadTag { .. } => ErrorClass::Usage,
            Self::Interrupted => ErrorClass::Interrupted,
        }
    }
}

/// A span of time in its largest unit.
fn roughly(span: Duration) -> String {
    match span.as_secs() {
        seconds @ 0..600 => format!("{seconds} s"),
        seconds @ 600..7200 => format!("{} minutes", seconds / 60),
        seconds @ 7200..172_800 => format!("{} hours", seconds / 3600),
        seconds => format!("{} days", seconds / 86_400),
    }
}
