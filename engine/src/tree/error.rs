//! What can be wrong with a tree.

use crate::base::codec::CodecError;
use crate::base::error::{Classified, ErrorClass};
use crate::base::id::ChunkId;
use crate::base::path::PathError;
use crate::blob::BlobError;

/// Errors of this floor.
#[derive(Debug, thiserror::Error)]
pub enum TreeError {
    /// A node does not decode.
    #[error("the tree node {node} is damaged")]
    Decode {
        /// The node.
        node: ChunkId,
        /// What is wrong.
        source: CodecError,
    },
    /// A node decodes and does not fit where it is referred to.
    #[error("the tree node {node} does not belong there: {why}")]
    Misplaced {
        /// The node.
        node: ChunkId,
        /// What does not fit.
        why: &'static str,
    },
    /// An entry stands under a path that no snapshot may hold.
    #[error("an entry of the snapshot has an impossible path")]
    BadPath {
        /// What is wrong with it.
        source: PathError,
    },
    /// The list of a file's extents does not get on in the file.
    #[error(
        "the extents of the file are impossible: empty, hole after hole, or not as long as said"
    )]
    BadExtents,
    /// A node that would not fit the limits of the format.
    #[error("the entry at {path} is too large for a tree node: {size_bytes} bytes")]
    TooLarge {
        /// Its path.
        path: String,
        /// Size of the node that would hold it alone.
        size_bytes: usize,
    },
    /// A folder is listed as far as it can be read.
    #[error("part of the folder cannot be read: {why}")]
    Unlisted {
        /// The first thing that was wrong.
        why: String,
    },
    /// The node cannot be read or written.
    #[error(transparent)]
    Blob(#[from] BlobError),
}

impl TreeError {
    /// Whether the rest of the tree may still be read. Where the store does not answer, it cannot.
    #[must_use]
    pub fn is_local_to_one_node(&self) -> bool {
        match self {
            Self::Blob(error) => error.is_local_to_one_copy(),
            _ => true,
        }
    }
}

impl Classified for TreeError {
    fn class(&self) -> ErrorClass {
        match self {
            Self::Decode { .. }
            | Self::Misplaced { .. }
            | Self::BadPath { .. }
            | Self::BadExtents
            | Self::Unlisted { .. } => ErrorClass::Corrupt,
            Self::TooLarge { .. } => ErrorClass::Bug,
            Self::Blob(error) => error.class(),
        }
    }
}
