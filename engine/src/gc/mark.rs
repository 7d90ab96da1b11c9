//! O1 and O4: everything that live snapshots reach, each node read once, one bit per copy.
//!
//! The bits are numbers of index records, not ids, so that memory does not grow with what is
//! found. A node that is marked already was walked; subtrees that snapshots share cost one look-up.

use crate::base::bits::Bits;
use crate::base::id::ChunkId;
use crate::base::limits::NODE_CACHE_BYTES;
use crate::base::monitor::{Counter, Monitor, Phase};
use crate::blob::fetch::ChunkFetcher;
use crate::format::entry::{Content, Entry};
use crate::format::extent::Extent;
use crate::format::node::Node;
use crate::gc::error::GcError;
use crate::gc::live::Root;
use crate::index::{Index, IndexReader};
use crate::repo::Repo;
use crate::tree::source::NodeRead;

/// What is needed, by record number. Holds for one epoch of the index.
#[derive(Debug, Clone)]
pub(super) struct Marks {
    pub(super) epoch: [u8; 16],
    /// Copies of needed chunks and nodes.
    pub(super) live: Bits,
    /// Those of them that have another copy.
    pub(super) copied: Bits,
}

impl Marks {
    pub(super) fn new(index: &Index) -> Self {
        Self { epoch: index.epoch(), live: Bits::default(), copied: Bits::default() }
    }
}

/// Marks what these roots reach, on top of what is marked.
pub(super) fn mark(
    repo: &Repo,
    index: &Index,
    roots: &[Root],
    marks: &mut Marks,
    monitor: &dyn Monitor,
) -> Result<(), GcError> {
    if roots.is_empty() {
        return Ok(());
    }
    monitor.phase(&Phase {
        name: "marking what snapshots need",
        total_items: Some(roots.len() as u64),
        total_bytes: None,
    });
    let fetcher = ChunkFetcher::new(repo, index, NODE_CACHE_BYTES)?;
    let mut marker = Marker { source: &fetcher, reader: index.reader()?, marks };
    for root in roots {
        if monitor.is_cancelled() {
            return Err(GcError::Interrupted);
        }
        // A walk that breaks off has marked nodes whose children it did not see.
        let before = (!root.is_promised).then(|| marker.marks.clone());
        match (marker.walk(root), before) {
            // Whoever has the key of a client that was revoked could stop every collection.
            (Err(error @ GcError::Unsure { .. }), Some(before)) => {
                *marker.marks = before;
                monitor.note(&format!("{} is not whole: {error}", root.describe()));
            }
            (walked, _) => walked?,
        }
        monitor.add(Counter::Items, 1);
    }
    if index.epoch() != marks.epoch {
        // Reading a node that had moved brought the index up to date, and packs were buried: the
        // numbers of the marks may mean other records now.
        let why = "packs left it while it was read".to_owned();
        return Err(GcError::Unsure { what: "the index".to_owned(), why });
    }
    Ok(())
}

struct Marker<'a> {
    source: &'a dyn NodeRead,
    reader: IndexReader,
    marks: &'a mut Marks,
}

impl Marker<'_> {
    fn walk(&mut self, root: &Root) -> Result<(), GcError> {
        // With the level that the node must have, if it is known.
        let mut stack = vec![(root.node, None)];
        while let Some((id, level)) = stack.pop() {
            if !self.mark(&id, root)? {
                continue;
            }
            let unsure = |why: String| GcError::Unsure { what: root.describe(), why };
            let node = self
                .source
                .read_node(&id)
                .map_err(|error| unsure(crate::base::error::in_one_line(&error)))?;
            let (found, children) = match node {
                Node::Entries(entries) => {
                    for (_, entry) in &entries {
                        self.entry(entry, root, &mut stack)?;
                    }
                    (0, Vec::new())
                }
                Node::Extents(extents) => {
                    self.extents(&extents, root)?;
                    (0, Vec::new())
                }
                Node::EntryChildren { level, children }
                | Node::ExtentChildren { level, children } => (level, children),
            };
            // Levels that fall bound the walk; a node that is elsewhere in the tree hides others.
            if level.is_some_and(|level| level != found) {
                return Err(unsure(format!("tree node {id} is of another level")));
            }
            let below = found.checked_sub(1);
            stack.extend(children.into_iter().rev().map(|child| (child.node, below)));
        }
        Ok(())
    }

    fn entry(
        &mut self,
        entry: &Entry,
        root: &Root,
        stack: &mut Vec<(ChunkId, Option<u8>)>,
    ) -> Result<(), GcError> {
        self.extents(entry.security().as_slice(), root)?;
        for content in entry.contents() {
            match content {
                Content::Extents(extents) => self.extents(extents, root)?,
                Content::Tree { root, .. } => stack.push((*root, None)),
                Content::Inline(_) => {}
            }
        }
        Ok(())
    }

    fn extents(&mut self, extents: &[Extent], root: &Root) -> Result<(), GcError> {
        for extent in extents {
            if let Extent::Chunk { id, .. } = extent {
                self.mark(id, root)?;
            }
        }
        Ok(())
    }

    /// Marks all copies; answers whether none was marked before.
    fn mark(&mut self, id: &ChunkId, root: &Root) -> Result<bool, GcError> {
        let (live, copied) = (&mut self.marks.live, &mut self.marks.copied);
        let (mut is_new, mut first) = (false, None);
        let mut was_known = false;
        self.reader.for_each_copy(id, &mut |copy| {
            match live.set(copy.record) {
                true => is_new = true,
                false => was_known = true,
            }
            match first {
                None => first = Some(copy.record),
                Some(first) => {
                    copied.set(first);
                    copied.set(copy.record);
                }
            }
            true
        })?;
        if first.is_none() {
            let why = format!("no pack in the index holds {id}; `mainstay check` tells more");
            return Err(GcError::Unsure { what: root.describe(), why });
        }
        Ok(is_new && !was_known)
    }
}
