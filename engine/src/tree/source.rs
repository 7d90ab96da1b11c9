//! Where decoded nodes come from: the one seam of the tree, so that it can be tested in memory.

use crate::base::id::ChunkId;
use crate::blob::fetch::ChunkFetcher;
use crate::format::node::Node;
use crate::tree::error::TreeError;

/// Reads nodes by id.
pub trait NodeRead: Sync {
    /// The node.
    ///
    /// # Errors
    /// [`TreeError`] if it cannot be read or does not decode.
    fn read_node(&self, id: &ChunkId) -> Result<Node, TreeError>;
}

impl NodeRead for ChunkFetcher<'_> {
    fn read_node(&self, id: &ChunkId) -> Result<Node, TreeError> {
        let bytes = self.chunk(id)?;
        Node::decode(&bytes).map_err(|source| TreeError::Decode { node: *id, source })
    }
}
