//! The extents of a file in order, wherever they are listed.
//!
//! A tree of extents has no keys that must rise, and may share nodes with itself. So that a few
//! nodes cannot keep a reader busy for ever, every step must get on in the file: empty extents,
//! empty leaves below other nodes, and holes after holes are refused. Nothing writes them.

use crate::base::id::ChunkId;
use crate::format::entry::Content;
use crate::format::extent::Extent;
use crate::format::node::{Child, Node};
use crate::tree::error::TreeError;
use crate::tree::source::NodeRead;

enum Frame {
    Leaf(std::vec::IntoIter<Extent>),
    Inner { level: u8, children: std::vec::IntoIter<Child> },
}

/// Iterates over the extents of one file; ends after the first error.
pub struct ExtentCursor<'a> {
    source: &'a dyn NodeRead,
    root: Option<ChunkId>,
    stack: Vec<Frame>,
    is_after_hole: bool,
    /// What ends before this is passed over; what is said of its length is believed.
    from_bytes: u64,
    /// Where in the file the next extent begins.
    at_bytes: u64,
}

impl<'a> ExtentCursor<'a> {
    /// The extents of `content`; inline content has none.
    #[must_use]
    pub fn new(source: &'a dyn NodeRead, content: &Content) -> Self {
        let (root, stack) = match content {
            Content::Inline(_) => (None, Vec::new()),
            Content::Extents(extents) => (None, vec![Frame::Leaf(extents.clone().into_iter())]),
            Content::Tree { root, .. } => (Some(*root), Vec::new()),
        };
        Self { source, root, stack, is_after_hole: false, from_bytes: 0, at_bytes: 0 }
    }

    /// The extents from the one on that covers `from_bytes`; nodes before it are not read.
    #[must_use]
    pub fn from(source: &'a dyn NodeRead, content: &Content, from_bytes: u64) -> Self {
        Self { from_bytes, ..Self::new(source, content) }
    }

    /// Where in the file the extent begins that comes next, once [`Iterator::next`] gave one before; in
    /// other words, where that one ends.
    #[must_use]
    pub fn at_bytes(&self) -> u64 {
        self.at_bytes
    }

    /// Whether something of this length comes before what is wanted; then the walk is past it.
    fn passes(&mut self, length_bytes: u64) -> bool {
        let behind = self.at_bytes.saturating_add(length_bytes);
        let passes = length_bytes > 0 && behind <= self.from_bytes;
        if passes {
            self.at_bytes = behind;
        }
        passes
    }

    /// Passes an extent on if it gets on in the file.
    fn step(&mut self, extent: Extent) -> Result<Extent, TreeError> {
        let is_hole = matches!(extent, Extent::Hole { .. });
        if extent.length_bytes() == 0 || (is_hole && self.is_after_hole) {
            self.stack.clear();
            return Err(TreeError::BadExtents);
        }
        self.is_after_hole = is_hole;
        self.at_bytes = self.at_bytes.saturating_add(extent.length_bytes());
        Ok(extent)
    }

    fn enter(&mut self, node: &ChunkId, above: Option<u8>) -> Result<(), TreeError> {
        let misplaced = || TreeError::Misplaced { node: *node, why: "it is of another level" };
        let frame = match self.source.read_node(node)? {
            Node::Extents(extents) if above.is_some() && extents.is_empty() => {
                return Err(TreeError::BadExtents);
            }
            Node::Extents(extents) if above.is_none_or(|level| level == 1) => {
                Frame::Leaf(extents.into_iter())
            }
            Node::ExtentChildren { level, children }
                if above.is_none_or(|above| level + 1 == above) =>
            {
                Frame::Inner { level, children: children.into_iter() }
            }
            _ => return Err(misplaced()),
        };
        self.stack.push(frame);
        Ok(())
    }
}

impl Iterator for ExtentCursor<'_> {
    type Item = Result<Extent, TreeError>;

    fn next(&mut self) -> Option<Self::Item> {
        if let Some(root) = self.root.take()
            && let Err(error) = self.enter(&root, None)
        {
            return Some(Err(error));
        }
        loop {
            let entered = match self.stack.last_mut()? {
                Frame::Leaf(extents) => match extents.next() {
                    Some(extent) if self.passes(extent.length_bytes()) => continue,
                    Some(extent) => return Some(self.step(extent)),
                    None => None,
                },
                Frame::Inner { level, children } => {
                    let level = *level;
                    match children.next() {
                        Some(child) if self.passes(child.total_bytes) => continue,
                        Some(child) => Some((child.node, level)),
                        None => None,
                    }
                }
            };
            match entered {
                None => {
                    self.stack.pop();
                }
                Some((node, level)) => {
                    if let Err(error) = self.enter(&node, Some(level)) {
                        self.stack.clear();
                        return Some(Err(error));
                    }
                }
            }
        }
    }
}
