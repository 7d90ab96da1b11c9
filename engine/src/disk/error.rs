//! What can go wrong on the live file system.
//!
//! Paths in messages are escaped once, here, so that no name can forge a message. An error about
//! one file usually becomes a [`Problem`] of the operation; [`DiskError::to_problem`] does that.

use std::io;

use rustix::io::Errno;

use crate::base::error::{Classified, ErrorClass};
use crate::base::monitor::Problem;
use crate::base::path::{TreePath, escape};

/// An error of the live file system.
#[derive(Debug, thiserror::Error)]
pub enum DiskError {
    /// A system call failed.
    #[error("{action} {path}")]
    Io {
        /// What was being done: `opening`, `listing`, …
        action: &'static str,
        /// To what, escaped.
        path: String,
        /// Why it failed.
        source: io::Error,
    },
    /// Something else lies where a file was seen before.
    #[error("{path} was replaced by something else while it was being looked at")]
    Replaced {
        /// The path, escaped.
        path: String,
    },
    /// A path of a restore does not lead through directories alone.
    #[error("a file or a symbolic link stands where {path} needs a directory")]
    Obstructed {
        /// The path, escaped.
        path: String,
    },
    /// A file that should be written or read is something else.
    #[error("{path} is not a regular file")]
    NotRegular {
        /// The path, escaped.
        path: String,
    },
    /// Writing into the file would change other paths, perhaps outside the target.
    #[error("{path} has {link_count} names, and writing would change all of them")]
    Shared {
        /// The path, escaped.
        path: String,
        /// How many names the file has.
        link_count: u32,
    },
    /// Another process restores the same into the same target.
    #[error("another restore of the same is running there: it holds {path}")]
    Busy {
        /// Name of its journal.
        path: String,
    },
    /// A pattern that cannot be understood.
    #[error("the pattern {pattern:?} cannot be used: {why}")]
    BadPattern {
        /// The pattern as given.
        pattern: String,
        /// What is wrong with it.
        why: String,
    },
    /// A source path that cannot be walked.
    #[error("the source path {path} {why}")]
    BadRoot {
        /// The path, escaped.
        path: String,
        /// What is wrong with it.
        why: String,
    },
    /// A command that should have delivered data failed.
    #[error("the command {command} {outcome}")]
    CommandFailed {
        /// Its name, escaped.
        command: String,
        /// How it ended.
        outcome: String,
    },
}

impl DiskError {
    /// A failed system call on a path of a snapshot.
    pub(crate) fn io(action: &'static str, path: &TreePath, source: impl Into<io::Error>) -> Self {
        Self::Io { action, path: path.to_string(), source: source.into() }
    }

    /// A failed system call on a path as the system writes it.
    pub(crate) fn io_at(action: &'static str, path: &[u8], source: impl Into<io::Error>) -> Self {
        Self::Io { action, path: escape(path), source: source.into() }
    }

    /// Whether the file is simply no longer there, which on a live system is no fault.
    #[must_use]
    pub fn is_missing(&self) -> bool {
        self.class() == ErrorClass::Missing
    }

    /// Whether nothing lies there any more.
    #[must_use]
    pub fn is_gone(&self) -> bool {
        matches!(self, Self::Io { source, .. } if is_gone(source))
    }

    /// Whether the system lets only root do this, wherever it is done.
    #[must_use]
    pub fn is_reserved_for_root(&self) -> bool {
        matches!(self, Self::Io { source, .. } if Errno::from_io_error(source) == Some(Errno::PERM))
    }

    /// Whether something else may lie there now, or nothing, so that it is worth while to look again.
    #[must_use]
    pub fn may_be_replaced(&self) -> bool {
        match self {
            Self::Io { source, .. } => is_replaced(source),
            Self::Replaced { .. } | Self::NotRegular { .. } => true,
            _ => false,
        }
    }

    /// The same as something that happened to one path and does not stop the rest: without the path
    /// and the action in its words, which stand beside them.
    #[must_use]
    pub fn to_problem(&self, path: &TreePath) -> Problem {
        match self {
            Self::Io { action, source, .. } => problem(path, action, source),
            other => problem(path, "using", other),
        }
    }
}

impl Classified for DiskError {
    fn class(&self) -> ErrorClass {
        match self {
            Self::Io { source, .. } => match source.kind() {
                io::ErrorKind::NotFound => ErrorClass::Missing,
                io::ErrorKind::PermissionDenied => ErrorClass::Denied,
                _ => ErrorClass::Local,
            },
            Self::Busy { .. } => ErrorClass::Conflict,
            Self::BadPattern { .. } | Self::BadRoot { .. } => ErrorClass::Usage,
            Self::Replaced { .. }
            | Self::Obstructed { .. }
            | Self::NotRegular { .. }
            | Self::Shared { .. }
            | Self::CommandFailed { .. } => ErrorClass::Local,
        }
    }
}

/// Whether an error says that nothing is there any more, or no folder where there was one.
pub(crate) fn is_gone(error: &io::Error) -> bool {
    let errors = [Errno::NOENT, Errno::NOTDIR, Errno::LOOP];
    errors.iter().any(|errno| error.raw_os_error() == Some(errno.raw_os_error()))
}

/// Whether an error says that something is gone, or is not what it was. A server may say the latter
/// of all that it has, so it does not mean that nothing is there.
pub(crate) fn is_replaced(error: &io::Error) -> bool {
    is_gone(error) || error.raw_os_error() == Some(Errno::STALE.raw_os_error())
}

/// Something that happened to one path and does not stop the rest.
pub(crate) fn problem(
    path: &TreePath,
    action: &'static str,
    why: &dyn std::fmt::Display,
) -> Problem {
    Problem { path: path.clone(), action, why: why.to_string() }
}
