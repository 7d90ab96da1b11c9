//! The merge of the walk with the previous run: what is carried over, what must be read.
//!
//! Both sides come in path order, so one pass with constant memory finds new, changed, equal and
//! vanished paths. An entry is carried over when size, inode, mtime and ctime are equal and it was
//! read whole the last time; the kernel changes ctime with every change of content or metadata.

use std::collections::HashSet;

use crossbeam_channel::Sender;

use crate::backup::error::BackupError;
use crate::backup::nodes::NodeStore;
use crate::backup::previous::Previous;
use crate::backup::shared::Shared;
use crate::base::monitor::Counter;
use crate::base::path::TreePath;
use crate::disk::walk::{Found, Walk, WalkItem};
use crate::format::entry::{Content, Entry, EntryKind, FLAG_INCONSISTENT, FLAG_PARTIAL};
use crate::format::extent::Extent;
use crate::format::snapshot::Summary;

/// What the tree builder receives, in path order.
pub(super) struct Step {
    pub(super) path: TreePath,
    pub(super) work: Work,
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

/// Runs the merge until the walk ends; returns the numbers it counted.
pub(super) struct Join<'a> {
    pub(super) shared: &'a Shared<'a>,
    pub(super) nodes: &'a NodeStore<'a>,
    pub(super) previous: Previous<'a>,
    pub(super) steps: Sender<Step>,
    pub(super) jobs: Sender<Job>,
    pub(super) counts: Summary,
    pub(super) next_number: u64,
    /// Files with several links that were handed on already, by device and inode.
    pub(super) links: HashSet<(u64, u64)>,
}

impl Join<'_> {
    pub(super) fn run(mut self, walk: Walk) -> Result<Summary, BackupError> {
        let mut ahead = self.previous.next(self.shared.monitor);
        for item in walk {
            if self.shared.is_stopped() {
                return Err(BackupError::Interrupted);
            }
            let found = match item {
                WalkItem::Found(found) => found,
                WalkItem::Problem(problem) => {
                    self.shared.problem(problem);
                    continue;
                }
            };
            while ahead.as_ref().is_some_and(|(key, _)| key.as_slice() < found.path.key()) {
                self.counts.paths_gone += 1;
                ahead = self.previous.next(self.shared.monitor);
            }
            let before = match ahead.take_if(|(key, _)| key.as_slice() == found.path.key()) {
                Some((_, entry)) => {
                    ahead = self.previous.next(self.shared.monitor);
                    Some(entry)
                }
                None => None,
            };
            self.shared.monitor.add(Counter::Items, 1);
            self.hand_on(found, before)?;
        }
        while ahead.is_some() {
            self.counts.paths_gone += 1;
            ahead = self.previous.next(self.shared.monitor);
        }
        Ok(self.counts)
    }

    fn hand_on(&mut self, found: Found, before: Option<Entry>) -> Result<(), BackupError> {
        let same = before.as_ref().is_some_and(|before| is_same(&found.entry, before));
        self.count(&found.entry, before.is_some(), same);
        let path = found.path.clone();
        let work = match found.entry.kind {
            EntryKind::File => self.plan_file(found, before.filter(|_| same))?,
            _ => {
                let mut entry = found.entry.clone();
                match before.filter(|_| same) {
                    Some(before) => carry_details(&mut entry, before),
                    None => {
                        for problem in found.read_details(&mut entry) {
                            self.shared.problem(problem);
                        }
                    }
                }
                Work::Ready(Box::new(entry))
            }
        };
        self.steps.send(Step { path, work }).map_err(|_| BackupError::Lost)
    }

    fn plan_file(&mut self, found: Found, same: Option<Entry>) -> Result<Work, BackupError> {
        let mut entry = found.entry.clone();
        if let Some(mut before) = same
            && self.may_carry(&before)?
        {
            let content = before.content.take();
            carry_details(&mut entry, before);
            entry.content = content;
            self.counts.total_bytes = self.counts.total_bytes.saturating_add(entry.size_bytes);
            self.shared.monitor.add(Counter::Bytes, entry.size_bytes);
            return Ok(Work::Ready(Box::new(entry)));
        }
        let is_later_link = entry.link_count > 1 && !self.links.insert((entry.device, entry.inode));
        if is_later_link {
            for problem in found.read_details(&mut entry) {
                self.shared.problem(problem);
            }
            return Ok(Work::Linked(Box::new(entry)));
        }
        let number = self.next_number;
        self.next_number += 1;
        self.jobs.send(Job { number, found, entry }).map_err(|_| BackupError::Lost)?;
        Ok(Work::Reading(number))
    }

    /// Whether the chunks of an unchanged file are still there to be referred to.
    fn may_carry(&self, before: &Entry) -> Result<bool, BackupError> {
        if !self.previous.must_look_up {
            return Ok(true);
        }
        match &before.content {
            Some(Content::Extents(extents)) => {
                for extent in extents {
                    if let Extent::Chunk { id, .. } = extent
                        && !self.nodes.is_indexed(id)?
                    {
                        return Ok(false);
                    }
                }
                Ok(true)
            }
            // Looking up a whole extent tree would mean fetching it: reading the file again
            // needs no request and finds the same chunks.
            Some(Content::Tree { .. }) => Ok(false),
            Some(Content::Inline(_)) => Ok(true),
            None => Ok(false),
        }
    }

    fn count(&mut self, entry: &Entry, existed: bool, same: bool) {
        let counts = &mut self.counts;
        let counter = match (entry.kind, existed, same) {
            (EntryKind::File, false, _) => &mut counts.files_new,
            (EntryKind::File, true, false) => &mut counts.files_changed,
            (EntryKind::File, true, true) => &mut counts.files_unmodified,
            (EntryKind::Directory, false, _) => &mut counts.dirs_new,
            (EntryKind::Directory, true, false) => &mut counts.dirs_changed,
            (EntryKind::Directory, true, true) => &mut counts.dirs_unmodified,
            _ => &mut counts.others,
        };
        *counter += 1;
    }
}

/// Whether nothing about the path changed since `before`, as far as the kernel tells.
fn is_same(now: &Entry, before: &Entry) -> bool {
    now.kind == before.kind
        && now.size_bytes == before.size_bytes
        && now.inode == before.inode
        && now.mtime == before.mtime
        && now.ctime == before.ctime
        && before.flags & (FLAG_INCONSISTENT | FLAG_PARTIAL) == 0
}

/// Takes over what a `stat` does not tell.
fn carry_details(entry: &mut Entry, before: Entry) {
    entry.xattrs = before.xattrs;
    entry.inode_flags = before.inode_flags;
}
