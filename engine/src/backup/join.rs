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
use crate::backup::roots::RootBook;
use crate::backup::shared::Shared;
use crate::backup::step::{Difference, Item, Job, Step, Work, unread_name};
use crate::base::monitor::{Counter, Problem};
use crate::disk::walk::{Found, WalkItem};
use crate::format::entry::{Content, Entry, EntryKind, LISTING_ON_THE_WAY};
use crate::format::extent::Extent;
use crate::format::snapshot::Summary;

/// Runs the merge until the walk ends; returns the numbers it counted.
pub(super) struct Join<'a> {
    pub(super) shared: &'a Shared<'a>,
    pub(super) nodes: &'a NodeStore<'a>,
    pub(super) ahead: Ahead<'a>,
    /// Whether every chunk of an entry must be looked up before the entry is carried over.
    pub(super) must_look_up: bool,
    /// Whether everything is read again, however unchanged it looks.
    pub(super) rereads: bool,
    pub(super) steps: Sender<Step>,
    pub(super) jobs: Sender<Job>,
    pub(super) counts: Counts,
    pub(super) next_number: u64,
    /// Files with several links that were handed on already, by device and inode.
    pub(super) links: HashSet<(u64, u64)>,
    /// Whether somebody wants to know of each path that differs.
    pub(super) wants_changes: bool,
}

/// What the merge counts.
#[derive(Debug, Default)]
pub(super) struct Counts {
    pub(super) summary: Summary,
    /// Files among the paths that are gone.
    pub(super) files_gone: u64,
    /// Paths that are not as they were; folders that are only on the way to a root do not count.
    pub(super) differences: u64,
    pub(super) roots: RootBook,
}

impl Join<'_> {
    pub(super) fn run(mut self, batches: &Receiver<Vec<WalkItem>>) -> Result<Counts, BackupError> {
        for batch in batches {
            if self.shared.is_stopped() {
                return Err(BackupError::Interrupted);
            }
            for item in batch {
                match item {
                    WalkItem::Found(found) => self.take(found)?,
                    WalkItem::Unread(problem) => self.take_unread(problem)?,
                    WalkItem::Problem(problem) => self.shared.problem(problem),
                    WalkItem::Vanished(path) => self.shared.vanished(&path),
                }
            }
        }
        if self.shared.is_stopped() {
            return Err(BackupError::Interrupted);
        }
        self.pass_until(None)?;
        for path in self.counts.roots.finish() {
            self.shared.lose_root(&path);
        }
        Ok(self.counts)
    }

    /// Passes what was there before `key` and is gone now; with `None`, all that is left.
    fn pass_until(&mut self, key: Option<&[u8]>) -> Result<(), BackupError> {
        let Self { ahead, steps, shared, counts, wants_changes, .. } = self;
        let is_gone = |ahead: &mut Ahead<'_>| {
            ahead.key(shared.monitor).is_some_and(|before| key.is_none_or(|key| before < key))
        };
        while is_gone(ahead) {
            ahead.release(&mut |step| send(steps, step))?;
            let told =
                wants_changes.then(|| ahead.key(shared.monitor).unwrap_or_default().to_vec());
            let Some(entry) = ahead.take()? else { return Ok(()) };
            let bytes = content_bytes(&entry);
            counts.summary.paths_gone += 1;
            counts.differences += 1;
            counts.summary.bytes_gone = counts.summary.bytes_gone.saturating_add(bytes);
            counts.files_gone += u64::from(entry.kind == EntryKind::File);
            if let Some(key) = told {
                send(steps, Step::Gone(key, bytes))?;
            }
        }
        Ok(())
    }

    fn take(&mut self, found: Found) -> Result<(), BackupError> {
        self.pass_until(Some(found.path.key()))?;
        self.shared.monitor.add(Counter::Items, 1);
        let (facts, listing) = (found.stat.facts, found.listing);
        self.counts.roots.note(&found.path, &facts, listing);
        let existed = self.ahead.key(self.shared.monitor) == Some(found.path.key());
        let steps = &self.steps;
        if existed && self.ahead.carry(&facts, listing, &mut |step| send(steps, step))? {
            self.count(facts.kind, true, true);
            if facts.kind == EntryKind::File {
                self.count_carried(facts.size_bytes);
            }
            return Ok(());
        }
        let before = self.take_before(existed)?;
        match found.entry() {
            Ok(entry) => self.hand_on(found, entry, before),
            Err(_) => {
                // A worker looks again at what was replaced, and tells what cannot be read.
                self.count(facts.kind, existed, false);
                self.counts.differences += 1;
                let key = found.path.key().to_vec();
                let job = self.job(found, unread_name(), before.as_ref().map(content_bytes));
                let work = self.send_job(job)?;
                self.send_item(key, work, before, false)
            }
        }
    }

    /// Something that is there, and of which nothing else could be found out.
    fn take_unread(&mut self, problem: Problem) -> Result<(), BackupError> {
        let path = problem.path.clone();
        self.shared.problem(problem);
        self.pass_until(Some(path.key()))?;
        self.shared.monitor.add(Counter::Items, 1);
        let entry = unread_name();
        self.counts.roots.note(&path, &entry.facts(), 0);
        let existed = self.ahead.key(self.shared.monitor) == Some(path.key());
        self.take_before(existed)?;
        self.counts.differences += 1;
        send(&self.steps, Step::ready(path.key().to_vec(), entry))
    }

    fn take_before(&mut self, existed: bool) -> Result<Option<Entry>, BackupError> {
        let steps = &self.steps;
        self.ahead.release(&mut |step| send(steps, step))?;
        Ok(if existed { self.ahead.take()? } else { None })
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
        let stays_on_the_way = before.as_ref().is_some_and(|before| {
            [before.listing, entry.listing].iter().all(|one| one & LISTING_ON_THE_WAY != 0)
        });
        self.counts.differences += u64::from(!same && !stays_on_the_way);
        let key = found.path.key().to_vec();
        let (carried, differing) = match same {
            true if self.rereads => (before.clone(), before),
            true => (before, None),
            false => (None, before),
        };
        let work = match (entry.kind, carried) {
            (EntryKind::File, carried) => {
                self.plan_file(found, entry, carried, differing.as_ref())?
            }
            (_, Some(before)) if !self.rereads => {
                carry_details(&mut entry, before);
                Work::Ready(Box::new(entry))
            }
            (_, _) => {
                for problem in found.read_details(&mut entry) {
                    self.shared.problem(problem);
                }
                Work::Ready(Box::new(entry))
            }
        };
        self.send_item(key, work, differing, same)
    }

    fn plan_file(
        &mut self,
        found: Found,
        mut entry: Entry,
        same: Option<Entry>,
        differing: Option<&Entry>,
    ) -> Result<Work, BackupError> {
        let is_same = same.is_some();
        let bytes = same.as_ref().or(differing).map(content_bytes);
        if let Some(mut before) = same
            && self.may_carry(&before)?
        {
            let content = before.content.take();
            carry_details(&mut entry, before);
            entry.content = content;
            self.count_carried(entry.size_bytes);
            return Ok(Work::Ready(Box::new(entry)));
        }
        // What has to be read again may be something else by then.
        self.counts.differences += u64::from(is_same);
        let is_later_link = entry.link_count > 1 && !self.links.insert((entry.device, entry.inode));
        let job = self.job(found, entry, bytes);
        if is_later_link { Ok(Work::Linked(Box::new(job))) } else { self.send_job(job) }
    }

    fn job(&mut self, found: Found, entry: Entry, before_bytes: Option<u64>) -> Job {
        let number = self.next_number;
        self.next_number += 1;
        Job { number, found, entry, before_bytes }
    }

    fn send_job(&self, job: Job) -> Result<Work, BackupError> {
        let number = job.number;
        self.jobs.send(job).map_err(|_| BackupError::Lost)?;
        Ok(Work::Reading(number))
    }

    fn send_item(
        &self,
        key: Vec<u8>,
        work: Work,
        before: Option<Entry>,
        same: bool,
    ) -> Result<(), BackupError> {
        let is_compared = if same { self.rereads } else { self.wants_changes };
        let before = before.map(Box::new);
        let difference = is_compared.then_some(Difference { before, looks_same: same });
        send(&self.steps, Step::Entry(Item { key, work, difference }))
    }

    /// Whether the chunks of an unchanged file are still there to be referred to.
    fn may_carry(&self, before: &Entry) -> Result<bool, BackupError> {
        if self.rereads {
            return Ok(false);
        }
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
        let counts = &mut self.counts.summary;
        counts.total_bytes = counts.total_bytes.saturating_add(size_bytes);
        self.shared.monitor.add(Counter::Bytes, size_bytes);
    }

    fn count(&mut self, kind: EntryKind, existed: bool, same: bool) {
        let counts = &mut self.counts.summary;
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

fn content_bytes(entry: &Entry) -> u64 {
    if entry.content.is_some() { entry.size_bytes } else { 0 }
}

/// Takes over what a `stat` does not tell.
fn carry_details(entry: &mut Entry, before: Entry) {
    entry.xattrs = before.xattrs;
    entry.inode_flags = before.inode_flags;
}
