//! Walks the entries of a tree in path order, from any path on.
//!
//! Nothing in a tree is believed: levels must fall by one, keys must rise over the whole walk and
//! end where the parent says. So no node is entered twice on one level: a tree cannot be endless,
//! nor larger than what is stored of it, and cannot name one path twice. A node that cannot be
//! read or does not fit is reported once and stepped over; the rest of the tree still comes.

use crate::base::id::ChunkId;
use crate::base::path::TreePath;
use crate::format::entry::Entry;
use crate::format::node::{Child, Node};
use crate::tree::error::TreeError;
use crate::tree::source::NodeRead;

enum Frame {
    Leaf(std::vec::IntoIter<(Vec<u8>, Entry)>),
    Inner { level: u8, children: std::vec::IntoIter<Child> },
}

/// Iterates over entries.
pub struct EntryCursor<'a> {
    source: &'a dyn NodeRead,
    root: Option<ChunkId>,
    from_key: Vec<u8>,
    stack: Vec<Frame>,
    /// The walk is past this key and everything before it, read or not.
    passed: Option<Vec<u8>>,
}

impl<'a> EntryCursor<'a> {
    /// All entries.
    #[must_use]
    pub fn new(source: &'a dyn NodeRead, root: ChunkId) -> Self {
        Self::from(source, root, &TreePath::root())
    }

    /// The entries from `path` on.
    #[must_use]
    pub fn from(source: &'a dyn NodeRead, root: ChunkId, path: &TreePath) -> Self {
        let from_key = path.key().to_vec();
        Self { source, root: Some(root), from_key, stack: Vec::new(), passed: None }
    }

    /// Enters a child of an inner node of `level`, or passes it for good.
    fn enter(&mut self, child: &Child, level: u8) -> Result<(), TreeError> {
        let entered = self.try_enter(child, level);
        if entered.is_err() && self.is_ahead(&child.last_key) {
            self.passed = Some(child.last_key.clone());
        }
        entered
    }

    fn is_ahead(&self, key: &[u8]) -> bool {
        self.passed.as_ref().is_none_or(|passed| passed.as_slice() < key)
    }

    fn try_enter(&mut self, child: &Child, level: u8) -> Result<(), TreeError> {
        let misplaced = |why| TreeError::Misplaced { node: child.node, why };
        let falls = || misplaced("its keys do not come after those before it");
        if !self.is_ahead(&child.last_key) {
            return Err(falls());
        }
        let node = self.source.read_node(&child.node)?;
        let first_key = match &node {
            Node::Entries(entries) => entries.first().map(|(key, _)| key),
            Node::EntryChildren { children, .. } => children.first().map(|first| &first.last_key),
            _ => None,
        };
        if first_key.is_some_and(|first| !self.is_ahead(first)) {
            return Err(falls());
        }
        match node {
            Node::Entries(entries) if level == 1 => {
                if entries.last().map(|(key, _)| key) != Some(&child.last_key) {
                    return Err(misplaced("its last key is another"));
                }
                self.stack.push(Frame::Leaf(entries.into_iter()));
            }
            Node::EntryChildren { level: found, children } if found + 1 == level => {
                if children.last().map(|last| &last.last_key) != Some(&child.last_key) {
                    return Err(misplaced("its last key is another"));
                }
                self.stack.push(Frame::Inner { level: found, children: children.into_iter() });
            }
            _ => return Err(misplaced("it is of another kind or level")),
        }
        Ok(())
    }

    fn enter_root(&mut self, root: ChunkId) -> Result<(), TreeError> {
        let frame = match self.source.read_node(&root)? {
            Node::Entries(entries) => Frame::Leaf(entries.into_iter()),
            Node::EntryChildren { level, children } => {
                Frame::Inner { level, children: children.into_iter() }
            }
            _ => return Err(TreeError::Misplaced { node: root, why: "it is no root of entries" }),
        };
        self.stack.push(frame);
        Ok(())
    }

    fn step(&mut self) -> Option<Result<(Vec<u8>, Entry), TreeError>> {
        if let Some(root) = self.root.take()
            && let Err(error) = self.enter_root(root)
        {
            return Some(Err(error));
        }
        loop {
            match self.stack.last_mut()? {
                Frame::Leaf(entries) => match entries.next() {
                    Some(item) if item.0 < self.from_key => {}
                    Some(item) => return Some(Ok(item)),
                    None => {
                        self.stack.pop();
                    }
                },
                Frame::Inner { level, children } => match children.next() {
                    Some(child) if child.last_key < self.from_key => {}
                    Some(child) => {
                        let level = *level;
                        if let Err(error) = self.enter(&child, level) {
                            return Some(Err(error));
                        }
                    }
                    None => {
                        self.stack.pop();
                    }
                },
            }
        }
    }
}

impl Iterator for EntryCursor<'_> {
    type Item = Result<(TreePath, Entry), TreeError>;

    fn next(&mut self) -> Option<Self::Item> {
        let (key, entry) = match self.step()? {
            Ok(item) => item,
            Err(error) => return Some(Err(error)),
        };
        let path = TreePath::from_key(&key);
        self.passed = Some(key);
        Some(path.map(|path| (path, entry)).map_err(|source| TreeError::BadPath { source }))
    }
}

/// The entry at `path`, if the tree has one.
///
/// # Errors
/// [`TreeError`] if a node on the way cannot be read.
pub fn find(
    source: &dyn NodeRead,
    root: ChunkId,
    path: &TreePath,
) -> Result<Option<Entry>, TreeError> {
    match EntryCursor::from(source, root, path).next() {
        Some(Ok((found, entry))) if found == *path => Ok(Some(entry)),
        Some(Err(error)) => Err(error),
        _ => Ok(None),
    }
}

/// The entries at and below `path`.
pub fn subtree<'a>(
    source: &'a dyn NodeRead,
    root: ChunkId,
    path: &TreePath,
) -> impl Iterator<Item = Result<(TreePath, Entry), TreeError>> + use<'a> {
    let top = path.clone();
    EntryCursor::from(source, root, path).take_while(move |item| match item {
        Ok((path, _)) => top.contains(path),
        Err(_) => true,
    })
}
