//! Trees of entries and of extents.

use crate::reader::Result;
use crate::reader::cbor::Value;
use crate::reader::entry::{Entry, Extent};

/// Kind of a node of entries.
pub(super) const KIND_ENTRIES: u64 = 1;
const KIND_EXTENTS: u64 = 2;
const LEVELS_MAX: u64 = 16;
const KEY_MAX_BYTES: usize = 128 << 10;
const NAME_MAX_BYTES: usize = 765;

/// What an inner node says of a child.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Child {
    /// Its id.
    pub id: [u8; 32],
    last_key: Vec<u8>,
    items: u64,
    bytes: u64,
}

/// A node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Node {
    /// A leaf of entries.
    Entries(Vec<Entry>),
    /// A leaf of extents.
    Extents(Vec<Extent>),
    /// An inner node: kind, level, children.
    Inner(u64, u64, Vec<Child>),
}

impl Node {
    /// Reads a node.
    ///
    /// # Errors
    /// Says what is wrong.
    pub fn read(value: &Value) -> Result<Self> {
        let [kind, level, items] = value.items()? else { return Err("no node".to_owned()) };
        let (kind, level, items) = (kind.uint()?, level.uint()?, items.items()?);
        if level > LEVELS_MAX || (level > 0 && items.is_empty()) {
            return Err("a node has an impossible level or no child".to_owned());
        }
        match (kind, level) {
            (KIND_EXTENTS, 0) => {
                items.iter().map(Extent::read).collect::<Result<_>>().map(Self::Extents)
            }
            (KIND_ENTRIES, 0) => {
                let mut entries: Vec<Entry> = Vec::new();
                for item in items {
                    let [shared, rest, entry] = item.items()? else {
                        return Err("no entry".to_owned());
                    };
                    let before = entries.last().map(|entry| entry.key.as_slice());
                    let key = next_key(before.unwrap_or_default(), shared, rest)?;
                    require_path(&key)?;
                    entries.push(Entry::read(key, entry)?);
                }
                Ok(Self::Entries(entries))
            }
            (KIND_ENTRIES | KIND_EXTENTS, _) => {
                let mut children: Vec<Child> = Vec::new();
                for item in items {
                    let [shared, rest, id, count, bytes] = item.items()? else {
                        return Err("no child".to_owned());
                    };
                    let before = children.last().map(|child| child.last_key.as_slice());
                    children.push(Child {
                        last_key: next_key(before.unwrap_or_default(), shared, rest)?,
                        id: id.array()?,
                        items: count.uint()?,
                        bytes: bytes.uint()?,
                    });
                }
                Ok(Self::Inner(kind, level, children))
            }
            _ => Err(format!("a node is of kind {kind}")),
        }
    }

    /// 1 entries, 2 extents.
    pub(super) fn kind(&self) -> u64 {
        match self {
            Self::Entries(_) => KIND_ENTRIES,
            Self::Extents(_) => KIND_EXTENTS,
            Self::Inner(kind, ..) => *kind,
        }
    }

    fn level(&self) -> u64 {
        if let Self::Inner(_, level, _) = self { *level } else { 0 }
    }

    /// Children of an inner node.
    pub(super) fn children(&self) -> &[Child] {
        if let Self::Inner(_, _, children) = self { children } else { &[] }
    }

    fn last_key(&self) -> &[u8] {
        match self {
            Self::Entries(entries) => entries.last().map_or(&[], |entry| &entry.key),
            Self::Extents(_) => &[],
            Self::Inner(_, _, children) => children.last().map_or(&[], |child| &child.last_key),
        }
    }
}

fn next_key(before: &[u8], shared: &Value, rest: &Value) -> Result<Vec<u8>> {
    let shared = usize::try_from(shared.uint()?).map_err(|error| error.to_string())?;
    let front = before.get(..shared).ok_or("a key shares more than there is")?;
    let key = [front, rest.bytes()?].concat();
    if key.len() > KEY_MAX_BYTES { Err("a key is too long".to_owned()) } else { Ok(key) }
}

fn require_path(key: &[u8]) -> Result<()> {
    let bad = |name: &[u8]| {
        name.is_empty()
            || name.len() > NAME_MAX_BYTES
            || name == b"."
            || name == b".."
            || name.contains(&b'/')
    };
    match !key.is_empty() && key.split(|byte| *byte == 0).any(bad) {
        true => Err("a name is impossible".to_owned()),
        false => Ok(()),
    }
}

type ReadNode<'a> = dyn Fn(&[u8; 32]) -> Result<Node> + 'a;

/// Leaves below `root` in order, with every parent's word checked.
fn leaves(root: &[u8; 32], kind: u64, read: &ReadNode<'_>) -> Result<Vec<Node>> {
    fn below(node: Node, read: &ReadNode<'_>, found: &mut Vec<Node>) -> Result<(u64, u64)> {
        let (kind, level) = (node.kind(), node.level());
        let (mut items, mut bytes) = (0, 0);
        match &node {
            Node::Entries(entries) => {
                items = entries.len() as u64;
                bytes = entries.iter().filter(|e| e.kind == 1).map(|e| e.size).sum();
            }
            Node::Extents(extents) => {
                items = extents.len() as u64;
                bytes = extents.iter().map(Extent::length).sum();
            }
            Node::Inner(_, _, children) => {
                for child in children {
                    let inner = read(&child.id)?;
                    let fits = inner.kind() == kind
                        && inner.level() + 1 == level
                        && inner.last_key() == child.last_key;
                    if !fits || below(inner, read, found)? != (child.items, child.bytes) {
                        return Err("a node is not what its parent says".to_owned());
                    }
                    (items, bytes) = (items + child.items, bytes + child.bytes);
                }
            }
        }
        if level == 0 {
            found.push(node);
        }
        Ok((items, bytes))
    }
    let top = read(root)?;
    if top.kind() != kind {
        return Err("a root is of another kind".to_owned());
    }
    let mut found = Vec::new();
    below(top, read, &mut found)?;
    Ok(found)
}

/// All entries below `root`.
pub(super) fn walk_entries(root: &[u8; 32], read: &ReadNode<'_>) -> Result<Vec<Entry>> {
    let mut all: Vec<Entry> = Vec::new();
    for leaf in leaves(root, KIND_ENTRIES, read)? {
        let Node::Entries(entries) = leaf else { continue };
        for entry in entries {
            if all.last().is_some_and(|last| last.key >= entry.key) {
                return Err("keys do not rise".to_owned());
            }
            all.push(entry);
        }
    }
    Ok(all)
}

/// All extents below `root`.
pub(super) fn walk_extents(root: &[u8; 32], read: &ReadNode<'_>) -> Result<Vec<Extent>> {
    let mut all = Vec::new();
    for leaf in leaves(root, KIND_EXTENTS, read)? {
        if let Node::Extents(extents) = leaf {
            all.extend(extents);
        }
    }
    Ok(all)
}

/// Numbers of items in each node of each level from the leaves up, as the rule of the chapter
/// "Where a node ends" cuts them. Valid where no node reaches its size limit.
#[must_use]
pub fn expected_shape(keys: &[Vec<u8>], (bits, least, most): (u64, u64, u64)) -> Vec<Vec<usize>> {
    let mut shape: Vec<Vec<usize>> = Vec::new();
    let mut level_keys = keys.to_vec();
    loop {
        let level = shape.len() as u8;
        let (mut counts, mut last_keys) = (vec![0], Vec::new());
        for (number, key) in level_keys.iter().enumerate() {
            let open = counts.last_mut().map_or(0, |count| {
                *count += 1;
                *count
            }) as u64;
            let hash = blake3::hash(&[&[level], key.as_slice()].concat());
            let low = hash.as_bytes()[..8].iter().rev().fold(0, |n, b| n << 8 | u64::from(*b));
            let ends = open >= most || (open >= least && low % (1 << bits) == 0);
            let is_last = number + 1 == level_keys.len();
            if ends || is_last {
                last_keys.push(key.clone());
            }
            if ends && !is_last {
                counts.push(0);
            }
        }
        let is_root = counts.len() == 1;
        shape.push(counts);
        if is_root {
            return shape;
        }
        level_keys = last_keys;
    }
}

/// The same numbers of a tree that is there.
pub(super) fn actual_shape(root: &[u8; 32], read: &ReadNode<'_>) -> Result<Vec<Vec<usize>>> {
    let mut shape = Vec::new();
    let mut row = vec![read(root)?];
    loop {
        let count = |node: &Node| match node {
            Node::Entries(entries) => entries.len(),
            Node::Extents(extents) => extents.len(),
            Node::Inner(_, _, children) => children.len(),
        };
        shape.insert(0, row.iter().map(count).collect());
        let ids: Vec<_> =
            row.iter().flat_map(|node| node.children().iter().map(|c| c.id)).collect();
        if ids.is_empty() {
            return Ok(shape);
        }
        row = ids.iter().map(read).collect::<Result<_>>()?;
    }
}
