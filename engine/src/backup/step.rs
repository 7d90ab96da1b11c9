//! What the threads of a run hand to each other: steps to the tree builder, jobs to the workers,
//! results back.

use crossbeam_channel::Receiver;

use crate::base::monitor::Action;
use crate::base::time::Timestamp;
use crate::disk::walk::Found;
use crate::format::entry::{Entry, EntryKind, FLAG_PARTIAL};
use crate::index::hints::HintLeaf;

/// What the tree builder receives, in path order.
pub(super) enum Step {
    /// One entry.
    Entry(Item),
    /// All entries of a leaf, which nothing changed in.
    Leaf(Box<HintLeaf>),
    /// Something that somebody wants to know of is gone, with its logical bytes.
    Gone(Vec<u8>, u64),
}

/// One path on its way into the tree.
pub(super) struct Item {
    /// Path key.
    pub(super) key: Vec<u8>,
    pub(super) work: Work,
    /// What to compare it with, if somebody wants to know how it differs.
    pub(super) difference: Option<Difference>,
}

/// What was at a path before, to be compared with what is found now.
pub(super) struct Difference {
    pub(super) before: Option<Box<Entry>>,
    /// Whether size, times and owner are as they were: then only other content is a difference.
    pub(super) looks_same: bool,
}

impl Difference {
    /// How the present entry differs from the one before.
    pub(super) fn action(&self, now: &Entry) -> Action {
        let Some(before) = &self.before else { return Action::Create };
        let content =
            |entry: &Entry| (entry.content.clone(), entry.target.clone(), entry.device_number);
        match (before.kind == now.kind, content(before) == content(now)) {
            (false, _) => Action::Kind,
            (true, false) => Action::Content,
            (true, true) => Action::Metadata,
        }
    }
}

impl Step {
    pub(super) fn ready(key: Vec<u8>, entry: Entry) -> Self {
        Self::Entry(Item { key, work: Work::Ready(Box::new(entry)), difference: None })
    }
}

pub(super) enum Work {
    /// The entry is complete.
    Ready(Box<Entry>),
    /// A worker looks; its result bears this number.
    Reading(u64),
    /// Another link to a file that came before: the same content, if that file was read.
    Linked(Box<Job>),
}

/// Something for a worker: most often a file to be read.
pub(super) struct Job {
    pub(super) number: u64,
    pub(super) found: Found,
    pub(super) entry: Entry,
    /// Logical bytes of what the last run saw there, if there was anything.
    pub(super) before_bytes: Option<u64>,
}

/// What came of a job.
pub(super) enum Outcome {
    /// An entry, with its content if that could be read.
    Entry(Box<Entry>),
    /// Nothing is there any more.
    Gone,
    /// There is a folder now: itself and everything below it, in path order.
    Folder(Receiver<(Vec<u8>, Entry)>),
}

/// The entry of a name of which nothing else could be found out.
pub(super) fn unread_name() -> Entry {
    Entry { flags: FLAG_PARTIAL, ..blank_file(Timestamp { seconds: 0, nanos: 0 }) }
}

/// A file of this moment of which nothing is known.
pub(super) fn blank_file(moment: Timestamp) -> Entry {
    Entry {
        kind: EntryKind::File,
        mode: 0,
        uid: 0,
        gid: 0,
        user: None,
        group: None,
        mtime: moment,
        ctime: moment,
        btime: None,
        atime: None,
        size_bytes: 0,
        inode: 0,
        device: 0,
        link_count: 0,
        xattrs: Vec::new(),
        inode_flags: 0,
        target: None,
        device_number: None,
        flags: 0,
        content: None,
        listing: 0,
        ntfs: None,
    }
}
