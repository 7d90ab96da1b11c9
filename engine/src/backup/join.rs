//! The merge of the walk with the previous run: what is carried over, what must be read.
//!
//! Both sides come in path order, so one pass with constant memory finds new, changed, equal and
//! vanished paths. An entry is carried over when size, inode, mtime and ctime are equal and it was
//! read whole the last time; the kernel changes ctime with every change of content or metadata. A
//! leaf of the tree in which every entry is carried over is taken over as a whole.

use std::collections::HashSet;

use crossbeam_channel::{Receiver, Sender};

use crate::backup::ahead::Ahead;
use crate::backup::error::BackupError;
use crate::backup::nodes::NodeStore;
use crate::backup::shared::Shared;
use crate::backup::step::{Job, Step, Work};
use crate::base::monitor::Counter;
use crate::disk::walk::{Found, WalkItem};
use crate::format::entry::{Content, Entry, EntryKind};
use crate::format::extent::Extent;
use crate::format::snapshot::Summary;

/// Runs the merge until the walk ends; returns the numbers it counted.
pub(super) struct Join<'a> {
    pub(super) shared: &'a Shared<'a>,
    pub(super) nodes: &'a NodeStore<'a>,
    pub(super) ahead: Ahead<'a>,
    /// Whether every chunk of an entry must be looked up before the entry is carried over.
    pub(super) must_look_up: bool,
    pub(super) steps: Sender<Step>,
    pub(super) jobs: Sender<Job>,
    pub(super) counts: Summary,
    pub(super) next_number: u64,
    /// Files with several links that were handed on already, by device and inode.
    pub(super) links: HashSet<(u64, u64)>,
}

impl Join<'_> {
    pub(super) fn run(mut self, batches: &Receiver<Vec<WalkItem>>) -> Result<Summary, BackupError> {
        for batch in batches {
            if self.shared.is_stopped() {
                return Err(BackupError::Interrupted);
            }
            for item in batch {
                match item {
                    WalkItem::Found(found) => self.take(found)?,
                    WalkItem::Problem(problem) => self.shared.problem(problem),
                }
            }
        }
        if self.shared.is_stopped() {
            return Err(BackupError::Interrupted);
        }
        self.pass_until(None)?;
        Ok(self.counts)
    }

    /// Passes what was there before `key` and is gone now; with `None`, all that is left.
    fn pass_until(&mut self, key: Option<&[u8]>) -> Result<(), BackupError> {
        let Self { ahead, steps, shared, counts, .. } = self;
        let is_gone = |ahead: &mut Ahead<'_>| {
            ahead.key(shared.monitor).is_some_and(|before| key.is_none_or(|key| before < key))
        };
        while is_gone(ahead) {
            ahead.release(&mut |step| send(steps, step))?;
            ahead.take()?;
            counts.paths_gone += 1;
        }
        Ok(())
    }

    fn take(&mut self, found: Found) -> Result<(), BackupError> {
        self.pass_until(Some(found.path.key()))?;
        self.shared.monitor.add(Counter::Items, 1);
        let facts = found.stat.facts;
        let existed = self.ahead.key(self.shared.monitor) == Some(found.path.key());
        let steps = &self.steps;
        if existed && self.ahead.carry(&facts, &mut |step| send(steps, step))? {
            self.count(facts.kind, true, true);
            if facts.kind == EntryKind::File {
                self.count_carried(facts.size_bytes);
            }
            return Ok(());
        }
        self.ahead.release(&mut |step| send(steps, step))?;
        let before = if existed { self.ahead.take()? } else { None };
        let entry = match found.entry() {
            Ok(entry) => entry,
            Err(error) => {
                // What vanishes during the walk is left out silently.
                if !error.is_missing() {
                    self.shared.problem(error.into_problem(&found.path));
                }
                return Ok(());
            }
        };
        self.hand_on(found, entry, before)
    }

    fn hand_on(
        &mut self,
        found: Found,
        mut entry: Entry,
        before: Option<Entry>,
    ) -> Result<(), BackupError> {
        let same = before.as_ref().is_some_and(|before| {
            before.is_sound() && entry.facts().is_unchanged_since(&before.facts())
        });
        self.count(entry.kind, before.is_some(), same);
        let key = found.path.key().to_vec();
        let before = before.filter(|_| same);
        let work = match (entry.kind, before) {
            (EntryKind::File, before) => self.plan_file(found, entry, before)?,
            (_, Some(before)) => {
                carry_details(&mut entry, before);
                Work::Ready(Box::new(entry))
            }
            (_, None) => {
                for problem in found.read_details(&mut entry) {
                    self.shared.problem(problem);
                }
                Work::Ready(Box::new(entry))
            }
        };
        send(&self.steps, Step::Entry(key, work))
    }

    fn plan_file(
        &mut self,
        found: Found,
        mut entry: Entry,
        same: Option<Entry>,
    ) -> Result<Work, BackupError> {
        if let Some(mut before) = same
            && self.may_carry(&before)?
        {
            let content = before.content.take();
            carry_details(&mut entry, before);
            entry.content = content;
            self.count_carried(entry.size_bytes);
            return Ok(Work::Ready(Box::new(entry)));
        }
        let is_later_link = entry.link_count > 1 && !self.links.insert((entry.device, entry.inode));
        if is_later_link {
            for problem in found.read_details(&mut entry) {
                self.shared.problem(problem);
            }
            self.shared.monitor.add(Counter::Bytes, entry.size_bytes);
            return Ok(Work::Linked(Box::new(entry)));
        }
        let number = self.next_number;
        self.next_number += 1;
        self.jobs.send(Job { number, found, entry }).map_err(|_| BackupError::Lost)?;
        Ok(Work::Reading(number))
    }

    /// Whether the chunks of an unchanged file are still there to be referred to.
    fn may_carry(&self, before: &Entry) -> Result<bool, BackupError> {
        if !self.must_look_up {
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

    fn count_carried(&mut self, size_bytes: u64) {
        self.counts.total_bytes = self.counts.total_bytes.saturating_add(size_bytes);
        self.shared.monitor.add(Counter::Bytes, size_bytes);
    }

    fn count(&mut self, kind: EntryKind, existed: bool, same: bool) {
        let counts = &mut self.counts;
        let counter = match (kind, existed, same) {
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

fn send(steps: &Sender<Step>, step: Step) -> Result<(), BackupError> {
    steps.send(step).map_err(|_| BackupError::Lost)
}

/// Takes over what a `stat` does not tell.
fn carry_details(entry: &mut Entry, before: Entry) {
    entry.xattrs = before.xattrs;
    entry.inode_flags = before.inode_flags;
}
