//! Where the content of a file, or of one of its streams, is.

use minicbor::{Decode, Encode};

use crate::base::id::ChunkId;
use crate::format::extent::Extent;

/// Where the bytes of a file are. A file's extents cover exactly its size, in order.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub enum Content {
    /// Here, for short files.
    #[n(0)]
    Inline(#[cbor(n(0), with = "minicbor::bytes")] Vec<u8>),
    /// In these extents.
    #[n(1)]
    Extents(#[n(0)] Vec<Extent>),
    /// In the extents of an extent tree.
    #[n(2)]
    Tree {
        /// Root node of the extent tree.
        #[n(0)]
        root: ChunkId,
        /// Extents in the whole tree.
        #[n(1)]
        extent_count: u64,
    },
}
