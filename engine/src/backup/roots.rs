//! What becomes of each path that was asked for: whether it is in the tree, and with how much.
//!
//! Paths come in order, so one stack of the named paths around the present one is enough. A path
//! from which nothing is saved is no success: either there is nothing but folders that a filter
//! emptied, or it is not there any more.

use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use crate::base::path::TreePath;
use crate::disk::walk::Root;
use crate::format::entry::{
    EntryKind, Facts, LISTING_FILTERED, LISTING_ON_THE_WAY, LISTING_OTHER_FILE_SYSTEM,
};
use crate::format::snapshot::{PathBytes, RecordedRoot, RootState};

/// Reasons for which a folder without anything in it is not simply empty.
const EMPTIED: u8 = LISTING_FILTERED | LISTING_ON_THE_WAY | LISTING_OTHER_FILE_SYSTEM;

/// Counts what lies at and below each root.
#[derive(Debug, Default)]
pub(super) struct RootBook {
    /// In path order, each once.
    counts: Vec<Count>,
    /// Numbers of those around the present path, the outermost first.
    around: Vec<usize>,
    next: usize,
    /// The last path, if it is a folder that may turn out to be empty.
    last_folder: Option<Vec<u8>>,
}

#[derive(Debug)]
struct Count {
    path: TreePath,
    is_seen: bool,
    entries: u64,
    total_bytes: u64,
    /// Whether there is anything but folders that a filter emptied.
    has_content: bool,
}

impl RootBook {
    pub(super) fn new(roots: &[Root]) -> Self {
        let mut paths: Vec<_> = roots.iter().map(|root| root.path.clone()).collect();
        paths.sort();
        paths.dedup();
        let count = |path: TreePath| Count {
            // The root of everything has no entry.
            is_seen: path.is_root(),
            path,
            entries: 0,
            total_bytes: 0,
            has_content: false,
        };
        let mut book = Self { counts: paths.into_iter().map(count).collect(), ..Self::default() };
        if book.counts.first().is_some_and(|first| first.is_seen) {
            book.around.push(0);
            book.next = 1;
        }
        book
    }

    /// The next entry of the walk.
    pub(super) fn note(&mut self, path: &TreePath, facts: &Facts, listing: u8) {
        while let Some(number) = self.around.last()
            && !self.counts[*number].path.contains(path)
        {
            self.close();
        }
        while let Some(root) = self.counts.get_mut(self.next)
            && root.path <= *path
        {
            if root.path == *path {
                root.is_seen = true;
                self.around.push(self.next);
            }
            self.next += 1;
        }
        let Some(root) = self.around.last().and_then(|number| self.counts.get_mut(*number)) else {
            return;
        };
        root.entries += 1;
        if facts.kind == EntryKind::File {
            root.total_bytes = root.total_bytes.saturating_add(facts.size_bytes);
        }
        if root.has_content {
            return;
        }
        let key = path.key();
        let is_left = |folder: &Vec<u8>| {
            key.strip_prefix(folder.as_slice()).is_none_or(|rest| rest.first() != Some(&0))
        };
        root.has_content = facts.kind != EntryKind::Directory
            || self.last_folder.take().is_some_and(|it| is_left(&it));
        let may_be_empty = facts.kind == EntryKind::Directory && listing & EMPTIED == 0;
        self.last_folder = may_be_empty.then(|| key.to_vec());
    }

    /// Leaves the innermost root; what it holds, those around it hold too.
    fn close(&mut self) {
        let Some(number) = self.around.pop() else { return };
        let is_empty_folder = self.last_folder.take().is_some();
        let root = &mut self.counts[number];
        root.has_content |= is_empty_folder;
        let (entries, total_bytes, has_content) =
            (root.entries, root.total_bytes, root.has_content);
        if let Some(outer) = self.around.last().and_then(|number| self.counts.get_mut(*number)) {
            outer.entries += entries;
            outer.total_bytes = outer.total_bytes.saturating_add(total_bytes);
            outer.has_content |= has_content;
        }
    }

    /// Ends the count; gives the roots that never came.
    pub(super) fn finish(&mut self) -> Vec<TreePath> {
        while !self.around.is_empty() {
            self.close();
        }
        let unseen = self.counts.iter().filter(|root| !root.is_seen);
        unseen.map(|root| root.path.clone()).collect()
    }

    /// The record of a root; `state` is what else is known of it.
    pub(super) fn record(&self, root: &Root, has_problem: bool, is_gone: bool) -> RecordedRoot {
        let at = self.counts.binary_search_by(|count| count.path.cmp(&root.path)).ok();
        let count = at.map(|at| &self.counts[at]).filter(|count| count.is_seen && !is_gone);
        let state = match count {
            None => RootState::Missing,
            Some(_) if has_problem => RootState::Partial,
            Some(count) if !count.has_content => RootState::Empty,
            Some(_) => RootState::Saved,
        };
        let led_to = (root.path != root.asked).then(|| PathBytes(root.path.to_slashes()));
        RecordedRoot {
            asked: PathBytes(root.asked.to_slashes()),
            led_to,
            state,
            entries: count.map_or(0, |count| count.entries),
            total_bytes: count.map_or(0, |count| count.total_bytes),
        }
    }
}

/// The record of a path of which not even is known whether it is there.
pub(super) fn closed(asked: &TreePath) -> RecordedRoot {
    RecordedRoot {
        asked: PathBytes(asked.to_slashes()),
        led_to: None,
        state: RootState::Partial,
        entries: 0,
        total_bytes: 0,
    }
}

/// The record of a path that was not there from the beginning.
pub(super) fn missing(asked: &Path) -> RecordedRoot {
    RecordedRoot {
        asked: PathBytes(asked.as_os_str().as_bytes().to_vec()),
        led_to: None,
        state: RootState::Missing,
        entries: 0,
        total_bytes: 0,
    }
}
