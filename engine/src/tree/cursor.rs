//! Walks the entries of a tree in path order, from any path on.
//!
//! Nothing in a tree is believed: levels must fall by one, keys must rise over the whole walk and
//! end where the parent says. So no node is entered twice on one level: a tree cannot be endless,
//! nor larger than what is stored of it, and cannot name one path twice. A node that cannot be
//! read or does not fit is reported once and stepped over; the rest of the tree still comes. An error
//! that is not of one node ends the walk: where the store does not answer, each node would be waited
//! for.
//!
//! Who searches many trees for one thing lends the cursor a [`Searched`]: a node says which paths are
//! below it, so one in which nothing was found need not be read again where another tree shares it.

use hashbrown::HashSet;

use crate::base::id::ChunkId;
use crate::base::path::TreePath;
use crate::format::entry::{Entry, EntryKind};
use crate::format::node::{Child, Node};
use crate::tree::error::TreeError;
use crate::tree::source::NodeRead;

/// A node whose items are being walked.
struct Frame {
    node: ChunkId,
    /// Something was found below it, or something could not be read.
    is_fruitful: bool,
    items: Items,
}

impl Frame {
    /// Drops items that end before `from_key`; whether none is left.
    fn skip_before(&mut self, from_key: &[u8]) -> bool {
        match &mut self.items {
            Items::Leaf(entries) => {
                while entries.as_slice().first().is_some_and(|(key, _)| key.as_slice() < from_key) {
                    entries.next();
                }
                entries.as_slice().is_empty()
            }
            Items::Inner { children, .. } => {
                while let Some(child) = children.as_slice().first()
                    && child.last_key.as_slice() < from_key
                {
                    children.next();
                }
                children.as_slice().is_empty()
            }
        }
    }
}

enum Items {
    Leaf(std::vec::IntoIter<(Vec<u8>, Entry)>),
    Inner { level: u8, children: std::vec::IntoIter<Child> },
}

/// What a walk comes to next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ahead<'a> {
    /// A node that can be entered or passed over.
    Node {
        /// Which.
        id: ChunkId,
        /// Distance from the leaves; the greatest for a root that was not read yet.
        level: u8,
        /// The key of the last entry below it; `None` for a root.
        last_key: Option<&'a [u8]>,
    },
    /// An entry with this key.
    Entry(&'a [u8]),
}

/// The nodes that were walked to their end without that anything below them was
/// [found](EntryCursor::found) or was damaged.
#[derive(Debug, Default)]
pub struct Searched(HashSet<ChunkId>);

/// Iterates over entries.
pub struct EntryCursor<'a> {
    source: &'a dyn NodeRead,
    root: Option<ChunkId>,
    from_key: Vec<u8>,
    stack: Vec<Frame>,
    /// The walk is past this key and everything before it, read or not.
    passed: Option<Vec<u8>>,
    searched: Option<&'a mut Searched>,
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
        let stack = Vec::new();
        Self { source, root: Some(root), from_key, stack, passed: None, searched: None }
    }

    /// All entries but those below nodes that `searched` knows, to which others are added.
    #[must_use]
    pub fn except(source: &'a dyn NodeRead, root: ChunkId, searched: &'a mut Searched) -> Self {
        Self { searched: Some(searched), ..Self::new(source, root) }
    }

    /// The entry that came last was looked for: the nodes above it will be walked again.
    pub fn found(&mut self) {
        if let Some(frame) = self.stack.last_mut() {
            frame.is_fruitful = true;
        }
    }

    /// Whether the walk is past everything at and below `path`.
    #[must_use]
    pub fn is_past(&self, path: &TreePath) -> bool {
        let passed = self.passed.as_deref().map(TreePath::from_key);
        passed.and_then(Result::ok).is_some_and(|passed| passed > *path && !path.contains(&passed))
    }

    /// Goes on behind everything at and below `path`, without reading what lies between.
    pub fn skip_below(&mut self, path: &TreePath) {
        // No name has a zero byte, so what is below comes before this, and what else there is after it.
        let behind = [path.key(), &[1]].concat();
        if behind > self.from_key {
            self.from_key = behind;
        }
    }

    fn is_searched(&self, node: &ChunkId) -> bool {
        self.searched.as_ref().is_some_and(|searched| searched.0.contains(node))
    }

    /// Leaves the node at the end of the stack, all of which was walked.
    fn leave(&mut self) {
        let Some(frame) = self.stack.pop() else { return };
        match (frame.is_fruitful, self.stack.last_mut(), &mut self.searched) {
            (true, Some(above), _) => above.is_fruitful = true,
            (false, _, Some(searched)) => {
                searched.0.insert(frame.node);
            }
            _ => {}
        }
    }

    fn push(&mut self, node: ChunkId, items: Items) {
        self.stack.push(Frame { node, is_fruitful: false, items });
    }

    /// Enters a child of an inner node of `level`, or passes it for good.
    fn enter(&mut self, child: &Child, level: u8) -> Result<(), TreeError> {
        let is_searched = self.is_searched(&child.node);
        let entered = if is_searched { Ok(()) } else { self.try_enter(child, level) };
        if (is_searched || entered.is_err()) && self.is_ahead(&child.last_key) {
            self.passed = Some(child.last_key.clone());
        }
        if entered.is_err() {
            self.found();
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
                self.push(child.node, Items::Leaf(entries.into_iter()));
            }
            Node::EntryChildren { level: found, children } if found + 1 == level => {
                if children.last().map(|last| &last.last_key) != Some(&child.last_key) {
                    return Err(misplaced("its last key is another"));
                }
                let children = children.into_iter();
                self.push(child.node, Items::Inner { level: found, children });
            }
            _ => return Err(misplaced("it is of another kind or level")),
        }
        Ok(())
    }

    fn enter_root(&mut self, root: ChunkId) -> Result<(), TreeError> {
        let items = match self.source.read_node(&root)? {
            Node::Entries(entries) => Items::Leaf(entries.into_iter()),
            Node::EntryChildren { level, children } => {
                Items::Inner { level, children: children.into_iter() }
            }
            _ => return Err(TreeError::Misplaced { node: root, why: "it is no root of entries" }),
        };
        self.push(root, items);
        Ok(())
    }

    /// What comes next, without reading anything; `None` at the end.
    pub(crate) fn ahead(&mut self) -> Option<Ahead<'_>> {
        if let Some(id) = self.root {
            return Some(Ahead::Node { id, level: u8::MAX, last_key: None });
        }
        while self.stack.last_mut()?.skip_before(&self.from_key) {
            self.leave();
        }
        match &self.stack.last()?.items {
            Items::Leaf(entries) => entries.as_slice().first().map(|(key, _)| Ahead::Entry(key)),
            Items::Inner { level, children } => {
                let child = children.as_slice().first()?;
                let last_key = Some(child.last_key.as_slice());
                // Of a child the level is one less than that of its node.
                Some(Ahead::Node { id: child.node, level: level.saturating_sub(1), last_key })
            }
        }
    }

    /// Enters the node that is ahead.
    ///
    /// # Errors
    /// [`TreeError`]; the walk is past the node then.
    pub(crate) fn enter_ahead(&mut self) -> Result<(), TreeError> {
        if let Some(root) = self.root.take() {
            return self.enter_root(root);
        }
        let Some(Frame { items: Items::Inner { level, children }, .. }) = self.stack.last_mut()
        else {
            return Ok(());
        };
        let level = *level;
        match children.next() {
            Some(child) => self.enter(&child, level),
            None => Ok(()),
        }
    }

    /// Passes over the node that is ahead, with everything below it.
    pub(crate) fn pass_over(&mut self) {
        self.root = None;
        if let Some(Frame { items: Items::Inner { children, .. }, .. }) = self.stack.last_mut()
            && let Some(child) = children.next()
        {
            self.passed = Some(child.last_key);
        }
    }

    /// The key that the walk is past, with everything before it.
    pub(crate) fn passed_key(&self) -> Option<&[u8]> {
        self.passed.as_deref()
    }

    fn step(&mut self) -> Option<Result<(Vec<u8>, Entry), TreeError>> {
        if let Some(root) = self.root.take()
            && !self.is_searched(&root)
            && let Err(error) = self.enter_root(root)
        {
            return Some(Err(error));
        }
        loop {
            match &mut self.stack.last_mut()?.items {
                Items::Leaf(entries) => match entries.next() {
                    Some(item) if item.0 < self.from_key => {}
                    Some(item) => return Some(Ok(item)),
                    None => self.leave(),
                },
                Items::Inner { level, children } => match children.next() {
                    Some(child) if child.last_key < self.from_key => {}
                    Some(child) => {
                        let level = *level;
                        if let Err(error) = self.enter(&child, level) {
                            return Some(Err(error));
                        }
                    }
                    None => self.leave(),
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
            Err(error) => {
                if !error.is_local_to_one_node() {
                    self.stack.clear();
                }
                return Some(Err(error));
            }
        };
        let path = TreePath::from_key(&key);
        self.passed = Some(key);
        if path.is_err() {
            self.found();
        }
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

/// Whether `path` is a folder, by what can be read of the tree: by its entry, or, where that cannot be
/// read, by what lies below it.
///
/// # Errors
/// [`TreeError`] if its entry cannot be read, and nothing below it either.
pub fn is_folder(
    source: &dyn NodeRead,
    root: ChunkId,
    path: &TreePath,
) -> Result<Option<bool>, TreeError> {
    let error = match find(source, root, path) {
        Ok(entry) => return Ok(entry.map(|entry| entry.kind == EntryKind::Directory)),
        Err(error) => error,
    };
    let below = subtree(source, root, path).find_map(Result::ok);
    if below.is_some_and(|(below, _)| below != *path) { Ok(Some(true)) } else { Err(error) }
}

/// The entries at and below `path`, and the errors of nodes in which others may be.
#[must_use]
pub fn subtree<'a>(source: &'a dyn NodeRead, root: ChunkId, path: &TreePath) -> Subtree<'a> {
    Subtree { cursor: EntryCursor::from(source, root, path), top: path.clone(), is_over: false }
}

/// Iterates over a part of a tree.
pub struct Subtree<'a> {
    cursor: EntryCursor<'a>,
    top: TreePath,
    is_over: bool,
}

impl Iterator for Subtree<'_> {
    type Item = Result<(TreePath, Entry), TreeError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.is_over {
            return None;
        }
        let item = self.cursor.next()?;
        match &item {
            Ok((path, _)) if !self.top.contains(path) => {
                self.is_over = true;
                return None;
            }
            Ok(_) => {}
            // What comes next is behind the node, and so is none of it.
            Err(_) => self.is_over = self.cursor.is_past(&self.top),
        }
        Some(item)
    }
}
