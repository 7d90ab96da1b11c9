//! Builds a tree in one streaming pass, from items in order to a root; memory is one path of
//! nodes, whatever the size of the tree.

use crate::base::id::ChunkId;
use crate::base::limits::NODE_MAX_BYTES;
use crate::blob::BlobError;
use crate::format::config::TreeConfig;
use crate::format::entry::Entry;
use crate::format::envelope::encode_record;
use crate::format::extent::Extent;
use crate::format::node::{Child, Node};
use crate::tree::boundary::{Boundary, id_hash, key_hash};
use crate::tree::error::TreeError;

/// Takes encoded nodes and says under which id they are stored.
pub trait NodeWrite {
    /// Stores a node unless it is stored already.
    ///
    /// # Errors
    /// Whatever keeps the node from being stored; the tree is not usable then.
    fn write_node(&mut self, bytes: &[u8]) -> Result<ChunkId, BlobError>;
}

/// A finished tree.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Root {
    /// Its root node.
    pub node: ChunkId,
    /// Items in all leaves.
    pub item_count: u64,
    /// Logical bytes of all items.
    pub total_bytes: u64,
}

/// Which of the two trees, and what a boundary looks at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum TreeKind {
    Entries,
    Extents,
}

/// Inner levels of a tree in the making.
struct Levels {
    kind: TreeKind,
    boundary: Boundary,
    pending: Vec<Pending>,
}

#[derive(Default)]
struct Pending {
    children: Vec<Child>,
    size_bytes: usize,
}

/// Bytes of a child in an inner node beside its key: id, counts and framing, rounded up.
const CHILD_BYTES: usize = 64;

impl Levels {
    fn new(kind: TreeKind, config: &TreeConfig) -> Self {
        Self { kind, boundary: Boundary::new(config), pending: Vec::new() }
    }

    /// Adds a finished node as a child on `level` (1 is directly above the leaves).
    fn push(
        &mut self,
        level: usize,
        child: Child,
        sink: &mut dyn NodeWrite,
    ) -> Result<(), BlobError> {
        while self.pending.len() < level {
            self.pending.push(Pending::default());
        }
        let hash = match self.kind {
            TreeKind::Entries => key_hash(level as u8, &child.last_key),
            TreeKind::Extents => id_hash(&child.node),
        };
        let pending = &mut self.pending[level - 1];
        pending.size_bytes += CHILD_BYTES + child.last_key.len();
        pending.children.push(child);
        if self.boundary.ends(hash, pending.children.len(), pending.size_bytes) {
            self.close(level, sink)?;
        }
        Ok(())
    }

    fn close(&mut self, level: usize, sink: &mut dyn NodeWrite) -> Result<(), BlobError> {
        let children = std::mem::take(&mut self.pending[level - 1]).children;
        let Some(last) = children.last() else { return Ok(()) };
        let last_key = last.last_key.clone();
        let item_count = children.iter().map(|child| child.item_count).sum();
        let total_bytes =
            children.iter().fold(0u64, |sum, child| sum.saturating_add(child.total_bytes));
        let node = match self.kind {
            TreeKind::Entries => Node::EntryChildren { level: level as u8, children },
            TreeKind::Extents => Node::ExtentChildren { level: level as u8, children },
        };
        let node = sink.write_node(&node.encode())?;
        self.push(level + 1, Child { last_key, node, item_count, total_bytes }, sink)
    }

    /// Closes level after level until one node holds everything.
    fn finish(mut self, sink: &mut dyn NodeWrite) -> Result<Option<Root>, BlobError> {
        let mut level = 1;
        while level <= self.pending.len() {
            let is_top = level == self.pending.len();
            let children = &self.pending[level - 1].children;
            match (is_top, children.as_slice()) {
                (true, [only]) => {
                    return Ok(Some(Root {
                        node: only.node,
                        item_count: only.item_count,
                        total_bytes: only.total_bytes,
                    }));
                }
                (_, []) => {}
                _ => self.close(level, sink)?,
            }
            level += 1;
        }
        Ok(None)
    }
}

/// A leaf that was written, with the entries it holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WrittenLeaf {
    /// The leaf as its parent names it.
    pub child: Child,
    /// Whether its last key ends a leaf, whatever follows; the last leaf of a tree just ends.
    pub is_bounded: bool,
    /// Its entries with their keys.
    pub entries: Vec<(Vec<u8>, Entry)>,
}

/// Builds the tree of entries of a snapshot.
pub struct EntryTreeBuilder {
    levels: Levels,
    entries: Vec<(Vec<u8>, Entry)>,
    size_bytes: usize,
}

impl EntryTreeBuilder {
    /// An empty tree.
    #[must_use]
    pub fn new(config: &TreeConfig) -> Self {
        let levels = Levels::new(TreeKind::Entries, config);
        Self { levels, entries: Vec::new(), size_bytes: 0 }
    }

    /// Adds an entry; its path must come after all paths before. Returns the leaf that it ends.
    ///
    /// # Errors
    /// [`TreeError::TooLarge`], or those of the sink.
    pub fn push(
        &mut self,
        key: Vec<u8>,
        entry: Entry,
        sink: &mut dyn NodeWrite,
    ) -> Result<Option<WrittenLeaf>, TreeError> {
        debug_assert!(self.entries.last().is_none_or(|(last, _)| *last < key));
        self.size_bytes += estimate_bytes(&key, &entry);
        let hash = key_hash(0, &key);
        self.entries.push((key, entry));
        if self.levels.boundary.ends(hash, self.entries.len(), self.size_bytes) {
            return self.close_leaf(true, sink);
        }
        Ok(None)
    }

    /// Whether the next entry begins a leaf.
    #[must_use]
    pub fn is_between_leaves(&self) -> bool {
        self.entries.is_empty()
    }

    /// Adds a whole leaf that an earlier tree had and the store still has. It must be one that
    /// [`WrittenLeaf::is_bounded`], and no entry may be waiting: then this tree has it too.
    ///
    /// # Errors
    /// Those of the sink.
    pub fn push_leaf(&mut self, child: Child, sink: &mut dyn NodeWrite) -> Result<(), TreeError> {
        debug_assert!(self.is_between_leaves());
        Ok(self.levels.push(1, child, sink)?)
    }

    /// Ends the tree; returns its last leaf too. A tree without entries is one empty leaf.
    ///
    /// # Errors
    /// Those of the sink.
    pub fn finish(
        mut self,
        sink: &mut dyn NodeWrite,
    ) -> Result<(Root, Option<WrittenLeaf>), TreeError> {
        let last = self.close_leaf(false, sink)?;
        if let Some(root) = self.levels.finish(sink)? {
            return Ok((root, last));
        }
        let node = sink.write_node(&Node::Entries(Vec::new()).encode())?;
        Ok((Root { node, item_count: 0, total_bytes: 0 }, last))
    }

    fn close_leaf(
        &mut self,
        is_bounded: bool,
        sink: &mut dyn NodeWrite,
    ) -> Result<Option<WrittenLeaf>, TreeError> {
        let entries = std::mem::take(&mut self.entries);
        self.size_bytes = 0;
        let Some((last_key, _)) = entries.last() else { return Ok(None) };
        let last_key = last_key.clone();
        let item_count = entries.len() as u64;
        let total_bytes =
            entries.iter().fold(0u64, |sum, (_, entry)| sum.saturating_add(content_bytes(entry)));
        let node = Node::Entries(entries);
        let bytes = node.encode();
        if bytes.len() > NODE_MAX_BYTES {
            let path = crate::base::path::escape(&last_key);
            return Err(TreeError::TooLarge { path, size_bytes: bytes.len() });
        }
        let id = sink.write_node(&bytes)?;
        let child = Child { last_key, node: id, item_count, total_bytes };
        self.levels.push(1, child.clone(), sink)?;
        let Node::Entries(entries) = node else { return Ok(None) };
        Ok(Some(WrittenLeaf { child, is_bounded, entries }))
    }
}

/// Logical bytes that an entry stands for: only files count.
fn content_bytes(entry: &Entry) -> u64 {
    if entry.content.is_some() { entry.size_bytes } else { 0 }
}

/// Encoded size of an entry, roughly; an exact one would mean encoding twice.
fn estimate_bytes(key: &[u8], entry: &Entry) -> usize {
    let xattrs: usize = entry.xattrs.iter().map(|x| x.name.len() + x.value.len() + 8).sum();
    let target = entry.target.as_ref().map_or(0, Vec::len);
    let content = match &entry.content {
        Some(crate::format::entry::Content::Inline(bytes)) => bytes.len(),
        Some(crate::format::entry::Content::Extents(extents)) => extents.len() * 40,
        _ => 40,
    };
    let ntfs = entry.ntfs.as_ref().map_or(0, |ntfs| encode_record(ntfs.as_ref()).len());
    100 + key.len() + xattrs + target + content + ntfs
}

/// Builds the extent tree of one file.
pub struct ExtentTreeBuilder {
    levels: Levels,
    extents: Vec<Extent>,
}

/// Bytes of an extent in a leaf, rounded up.
const EXTENT_BYTES: usize = 40;

impl ExtentTreeBuilder {
    /// An empty tree.
    #[must_use]
    pub fn new(config: &TreeConfig) -> Self {
        Self { levels: Levels::new(TreeKind::Extents, config), extents: Vec::new() }
    }

    /// Adds the next extent of the file.
    ///
    /// # Errors
    /// Those of the sink.
    pub fn push(&mut self, extent: Extent, sink: &mut dyn NodeWrite) -> Result<(), BlobError> {
        // A hole never ends a node by its hash: `u64::MAX` has no zero bits.
        let hash = match &extent {
            Extent::Chunk { id, .. } => id_hash(id),
            Extent::Hole { .. } => u64::MAX,
        };
        self.extents.push(extent);
        let size_bytes = self.extents.len() * EXTENT_BYTES;
        if self.levels.boundary.ends(hash, self.extents.len(), size_bytes) {
            self.close_leaf(sink)?;
        }
        Ok(())
    }

    /// Ends the tree.
    ///
    /// # Errors
    /// Those of the sink.
    pub fn finish(mut self, sink: &mut dyn NodeWrite) -> Result<Root, BlobError> {
        self.close_leaf(sink)?;
        if let Some(root) = self.levels.finish(sink)? {
            return Ok(root);
        }
        let node = sink.write_node(&Node::Extents(Vec::new()).encode())?;
        Ok(Root { node, item_count: 0, total_bytes: 0 })
    }

    fn close_leaf(&mut self, sink: &mut dyn NodeWrite) -> Result<(), BlobError> {
        let extents = std::mem::take(&mut self.extents);
        if extents.is_empty() {
            return Ok(());
        }
        let item_count = extents.len() as u64;
        let total_bytes =
            extents.iter().fold(0u64, |sum, extent| sum.saturating_add(extent.length_bytes()));
        let node = sink.write_node(&Node::Extents(extents).encode())?;
        let child = Child { last_key: Vec::new(), node, item_count, total_bytes };
        self.levels.push(1, child, sink)
    }
}
