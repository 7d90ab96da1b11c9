//! What the threads of a run hand to each other: steps to the tree builder, jobs to the workers.

use crate::disk::walk::Found;
use crate::format::entry::Entry;
use crate::index::hints::HintLeaf;

/// What the tree builder receives, in path order.
pub(super) enum Step {
    /// One entry, under its path key.
    Entry(Vec<u8>, Work),
    /// All entries of a leaf, which nothing changed in.
    Leaf(Box<HintLeaf>),
}

impl Step {
    pub(super) fn ready(key: Vec<u8>, entry: Entry) -> Self {
        Self::Entry(key, Work::Ready(Box::new(entry)))
    }
}

pub(super) enum Work {
    /// The entry is complete.
    Ready(Box<Entry>),
    /// A worker reads the content; its result bears this number.
    Reading(u64),
    /// Another link to a file that came before: the same content.
    Linked(Box<Entry>),
}

/// A file for a worker.
pub(super) struct Job {
    pub(super) number: u64,
    pub(super) found: Found,
    pub(super) entry: Entry,
}
