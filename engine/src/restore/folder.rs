//! The folders between the target and the entry that a restore is at, and where each of them stands.

use hashbrown::HashSet;

use crate::base::path::TreePath;
use crate::base::time::Timestamp;
use crate::disk::aside::Replaces;
use crate::format::entry::Entry;

/// How a folder came to be where it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Standing {
    /// It was there: what is new in it is made aside.
    Existing,
    /// This run makes it, and nothing is in the way of what it holds.
    New,
    /// An earlier run began it aside: what lies in it is this restore's own.
    Left,
    /// It is only on the way to something that may come, and was not looked for yet.
    Unmade,
    /// It cannot be there: nothing below it is restored.
    Blocked,
}

/// A folder whose children are still coming.
#[derive(Debug)]
pub(super) struct OpenFolder {
    pub(super) path: TreePath,
    /// Its entry; none of the folder that holds a single file, and where the tree is damaged.
    pub(super) entry: Option<Entry>,
    pub(super) standing: Standing,
    /// Whether it gets the metadata of its entry in the end.
    pub(super) sets_metadata: bool,
    /// What it takes the place of in the end, if it is made aside itself.
    pub(super) publishes: Option<Replaces>,
    /// The file system that it lies on.
    pub(super) device: u64,
    /// Whether its flags forbid to make or remove anything in it.
    pub(super) is_fixed: bool,
    /// Names that the snapshot has in it; with `--delete`.
    pub(super) children: HashSet<Vec<u8>>,
    /// Those of them that are wanted; if an earlier run may have left others.
    pub(super) wanted: HashSet<Vec<u8>>,
    /// Whether all children came; not if a tree node between them could not be read.
    pub(super) is_complete: bool,
}

impl OpenFolder {
    pub(super) fn new(
        path: TreePath,
        entry: Option<Entry>,
        standing: Standing,
        device: u64,
    ) -> Self {
        Self {
            path,
            entry,
            standing,
            device,
            is_fixed: false,
            sets_metadata: false,
            publishes: None,
            children: HashSet::new(),
            wanted: HashSet::new(),
            is_complete: true,
        }
    }

    /// Whether what the snapshot does not have in it was not there either.
    pub(super) fn proves_absence(&self) -> bool {
        self.is_complete && self.entry.as_ref().is_some_and(Entry::has_whole_listing)
    }
}

/// A folder all of whose children were planned.
#[derive(Debug)]
pub(super) struct LeftFolder {
    pub(super) path: TreePath,
    /// The metadata that it gets.
    pub(super) entry: Option<Entry>,
    pub(super) publishes: Option<Replaces>,
    /// Whether it was there, and so may have a stage.
    pub(super) was_there: bool,
    /// The time that it had, if it stays as it is and something was done in it.
    pub(super) keeps_time: Option<Timestamp>,
}
