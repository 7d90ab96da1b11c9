//! Everything below the roots of snapshots, each node once: for checking, and for collecting.

use hashbrown::HashSet;

use crate::base::id::ChunkId;
use crate::base::path::TreePath;
use crate::format::entry::{Content, Entry};
use crate::format::extent::Extent;
use crate::format::node::{Child, Node};
use crate::tree::error::TreeError;
use crate::tree::source::NodeRead;

/// Hears what is reached.
pub trait ReachVisitor {
    /// A tree node is referred to; called once per node over all roots.
    fn node(&mut self, _id: &ChunkId) {}

    /// An entry of a leaf that was not seen before.
    fn entry(&mut self, _path: &TreePath, _entry: &Entry) {}

    /// A chunk of file content, as part of the file at `path`.
    fn chunk(&mut self, path: &TreePath, id: &ChunkId, length_bytes: u32);

    /// A node that cannot be read; `near` is the last path before it, where known.
    fn broken(&mut self, near: &TreePath, id: &ChunkId, error: &TreeError);
}

/// Remembers nodes between roots: subtrees that snapshots share are visited once.
#[derive(Default)]
pub struct Reach {
    seen: HashSet<ChunkId>,
}

impl Reach {
    /// Nodes visited so far.
    #[must_use]
    pub fn node_count(&self) -> u64 {
        self.seen.len() as u64
    }

    /// Visits everything below `root` that was not visited before.
    pub fn visit(&mut self, source: &dyn NodeRead, root: ChunkId, visitor: &mut dyn ReachVisitor) {
        let mut stack = vec![(root, None, TreePath::root())];
        let mut last = TreePath::root();
        while let Some((id, above, end)) = stack.pop() {
            if !self.seen.insert(id) {
                last = end;
                continue;
            }
            visitor.node(&id);
            match read_at_level(source, &id, above) {
                Err(error) => visitor.broken(&last, &id, &error),
                Ok(Node::Entries(entries)) => {
                    for (key, entry) in &entries {
                        match TreePath::from_key(key) {
                            Ok(path) => {
                                self.visit_entry(source, &path, entry, visitor);
                                last = path;
                            }
                            Err(source) => {
                                visitor.broken(&last, &id, &TreeError::BadPath { source });
                            }
                        }
                    }
                }
                Ok(Node::EntryChildren { level, children }) => {
                    for child in children.into_iter().rev() {
                        let end = TreePath::from_key(&child.last_key).unwrap_or_default();
                        stack.push((child.node, Some(level), end));
                    }
                }
                Ok(_) => {
                    let why = "it is a node of extents";
                    visitor.broken(&last, &id, &TreeError::Misplaced { node: id, why });
                }
            }
        }
    }

    fn visit_entry(
        &mut self,
        source: &dyn NodeRead,
        path: &TreePath,
        entry: &Entry,
        visitor: &mut dyn ReachVisitor,
    ) {
        visitor.entry(path, entry);
        visit_extents(path, entry.security().as_slice(), visitor);
        for content in entry.contents() {
            self.visit_content(source, path, content, visitor);
        }
    }

    fn visit_content(
        &mut self,
        source: &dyn NodeRead,
        path: &TreePath,
        content: &Content,
        visitor: &mut dyn ReachVisitor,
    ) {
        match content {
            Content::Extents(extents) => visit_extents(path, extents, visitor),
            Content::Tree { root, .. } => {
                let mut stack = vec![(*root, None)];
                while let Some((id, above)) = stack.pop() {
                    // The chunks of a shared extent tree are those of its first file.
                    if !self.seen.insert(id) {
                        continue;
                    }
                    visitor.node(&id);
                    match read_at_level(source, &id, above) {
                        Err(error) => visitor.broken(path, &id, &error),
                        Ok(Node::Extents(extents)) => visit_extents(path, &extents, visitor),
                        Ok(Node::ExtentChildren { level, children }) => {
                            let push = |child: Child| (child.node, Some(level));
                            stack.extend(children.into_iter().rev().map(push));
                        }
                        Ok(_) => {
                            let why = "it is a node of entries";
                            visitor.broken(path, &id, &TreeError::Misplaced { node: id, why });
                        }
                    }
                }
            }
            Content::Inline(_) => {}
        }
    }
}

fn visit_extents(path: &TreePath, extents: &[Extent], visitor: &mut dyn ReachVisitor) {
    for extent in extents {
        if let Extent::Chunk { id, length_bytes } = extent {
            visitor.chunk(path, id, *length_bytes);
        }
    }
}

/// Reads a node that must be one level below `above`; levels that fall bound the walk.
fn read_at_level(
    source: &dyn NodeRead,
    id: &ChunkId,
    above: Option<u8>,
) -> Result<Node, TreeError> {
    let node = source.read_node(id)?;
    let level = match &node {
        Node::Entries(_) | Node::Extents(_) => 0,
        Node::EntryChildren { level, .. } | Node::ExtentChildren { level, .. } => *level,
    };
    match above.is_none_or(|above| level + 1 == above) {
        true => Ok(node),
        false => Err(TreeError::Misplaced { node: *id, why: "it is of another level" }),
    }
}
