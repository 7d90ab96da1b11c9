//! Why a request of the kernel is refused.

use crate::blob::BlobError;
use crate::tree::error::TreeError;

/// Errors of this operation.
#[derive(Debug, thiserror::Error)]
pub enum MountError {
    /// There is nothing of that name.
    #[error("there is nothing of that name")]
    NoEntry,
    /// Something is asked of a file that only folders have.
    #[error("it is no folder")]
    NotAFolder,
    /// Something is asked of a folder that only files have.
    #[error("it is no file")]
    NotAFile,
    /// Something is asked that only links have.
    #[error("it is no link")]
    NotALink,
    /// The kernel names an inode or a handle that it was not given, or gave back.
    #[error("it is not known any more")]
    Stale,
    /// There is no such attribute.
    #[error("there is no such attribute")]
    NoAttribute,
    /// Nothing but holes follows.
    #[error("there is nothing behind this offset")]
    NothingBehind,
    /// The file could not be read when the snapshot was made.
    #[error("the file could not be read when the snapshot was made")]
    Unread,
    /// A node of the tree cannot be read.
    #[error(transparent)]
    Tree(#[from] TreeError),
    /// A chunk cannot be read.
    #[error(transparent)]
    Blob(#[from] BlobError),
}
