//! Puts results back into path order, builds the tree of them, and writes the next run's hints.

use std::collections::HashMap;

use crossbeam_channel::{Receiver, RecvTimeoutError, SendTimeoutError, Sender};

use crate::backup::error::BackupError;
use crate::backup::nodes::NodeStore;
use crate::backup::shared::{LOOK_AROUND, Shared, Tally};
use crate::backup::step::{Difference, Item, Job, Outcome, Step, Work};
use crate::base::monitor::{Action, Change, Counter};
use crate::base::path::TreePath;
use crate::disk::stage::STAGE_PREFIX;
use crate::format::config::TreeConfig;
use crate::format::entry::Entry;
use crate::index::hints::{HintLeaf, HintsWriter};
use crate::tree::build::{EntryTreeBuilder, Root, WrittenLeaf};

/// Number of a job, and what came of it.
pub(super) type ReadResult = (u64, Outcome);

/// Takes steps, gives a tree.
pub(super) struct Assembler<'a, 's> {
    shared: &'a Shared<'s>,
    nodes: &'a NodeStore<'a>,
    builder: EntryTreeBuilder,
    hints: Option<&'a mut HintsWriter>,
    jobs: Sender<Job>,
    results: Receiver<ReadResult>,
    /// Results that came before it was their turn.
    early: HashMap<u64, Outcome>,
    /// Files with several names as they were read.
    links: HashMap<(u64, u64), Entry>,
}

impl<'a, 's> Assembler<'a, 's> {
    pub(super) fn new(
        tree: &TreeConfig,
        shared: &'a Shared<'s>,
        nodes: &'a NodeStore<'a>,
        hints: Option<&'a mut HintsWriter>,
        (jobs, results): (Sender<Job>, Receiver<ReadResult>),
    ) -> Self {
        let builder = EntryTreeBuilder::new(tree);
        let (early, links) = (HashMap::new(), HashMap::new());
        Self { shared, nodes, builder, hints, jobs, results, early, links }
    }

    /// Builds until there are no more steps. Afterwards all queues are closed: whoever still sends
    /// finds the other end gone.
    pub(super) fn run(mut self, steps: Receiver<Step>) -> Result<Root, BackupError> {
        for step in &steps {
            match step {
                Step::Leaf(leaf) => self.take_leaf(&leaf)?,
                Step::Entry(item) => self.take_item(item)?,
                Step::Gone(key, bytes) => self.tell(Action::Remove, &key, bytes),
            }
        }
        let mut sink = self.nodes;
        let (root, last) = self.builder.finish(&mut sink)?;
        note(self.hints, last)?;
        Ok(root)
    }

    /// Takes over a whole leaf if this tree ends one at the same place, its entries otherwise.
    fn take_leaf(&mut self, leaf: &HintLeaf) -> Result<(), BackupError> {
        if leaf.is_bounded && self.builder.is_between_leaves() {
            if let Some(hints) = self.hints.as_deref_mut() {
                hints.copy_leaf(leaf)?;
            }
            return Ok(self.builder.push_leaf(leaf.child.clone(), &mut self.nodes)?);
        }
        for number in 0..leaf.entry_count() {
            self.push(leaf.key(number).to_vec(), leaf.entry(number)?)?;
        }
        Ok(())
    }

    fn push(&mut self, key: Vec<u8>, entry: Entry) -> Result<(), BackupError> {
        let written = self.builder.push(key, entry, &mut self.nodes)?;
        note(self.hints.as_deref_mut(), written)
    }

    fn take_item(&mut self, item: Item) -> Result<(), BackupError> {
        let Item { key, work, difference } = item;
        match self.finish_work(work)? {
            Outcome::Entry(entry) => {
                if let Some(difference) = difference.filter(|_| !entry.is_unread()) {
                    self.compare(&difference, &key, &entry);
                }
                self.note_leftover(&key);
                if entry.link_count > 1 && entry.content.is_some() {
                    self.links.insert((entry.device, entry.inode), (*entry).clone());
                }
                self.push(key, *entry)
            }
            Outcome::Gone => {
                if let Some(Difference { before: Some(before), .. }) = difference {
                    self.tell(Action::Remove, &key, before.size_bytes);
                }
                Ok(())
            }
            Outcome::Folder(entries) => self.take_folder(&entries, difference),
        }
    }

    /// A folder that came into the place of something else while the run went on.
    fn take_folder(
        &mut self,
        entries: &Receiver<(Vec<u8>, Entry)>,
        mut difference: Option<Difference>,
    ) -> Result<(), BackupError> {
        loop {
            match entries.recv_timeout(LOOK_AROUND) {
                Ok((key, entry)) => {
                    if let Some(difference) = &mut difference {
                        self.tell(difference.action(&entry), &key, entry.size_bytes);
                        // What is below it was not there before.
                        difference.before = None;
                    }
                    self.push(key, entry)?;
                }
                Err(RecvTimeoutError::Disconnected) => return Ok(()),
                Err(RecvTimeoutError::Timeout) if !self.shared.is_stopped() => {}
                Err(RecvTimeoutError::Timeout) => return Err(BackupError::Lost),
            }
        }
    }

    /// What an interrupted restore left is not what anybody meant to save; whether it can go is for a
    /// person to say.
    fn note_leftover(&self, key: &[u8]) {
        let name = key.rsplit(|byte| *byte == 0).next().unwrap_or_default();
        if name.starts_with(STAGE_PREFIX.as_bytes())
            && let Ok(path) = TreePath::from_key(key)
        {
            self.shared.monitor.note(&format!(
                "{path} is what an interrupted restore left, and is saved as well: files beside it may be \
                 half restored; the same restore again finishes them"
            ));
        }
    }

    /// Tells of a difference, and counts what only reading could show.
    fn compare(&self, difference: &Difference, key: &[u8], now: &Entry) {
        let action = difference.action(now);
        if difference.looks_same {
            if action == Action::Metadata {
                return;
            }
            Tally::add(&self.shared.tally.changed_unseen, 1);
        }
        self.tell(action, key, now.size_bytes);
    }

    fn tell(&self, action: Action, key: &[u8], size_bytes: u64) {
        if !self.shared.monitor.wants_changes() {
            return;
        }
        // The key came from a path, a moment ago.
        let Ok(path) = TreePath::from_key(key) else { return };
        self.shared.monitor.change(&Change { action, path: &path, size_bytes, remark: None });
    }

    fn finish_work(&mut self, work: Work) -> Result<Outcome, BackupError> {
        match work {
            Work::Ready(entry) => Ok(Outcome::Entry(entry)),
            Work::Reading(number) => self.wait_for(number),
            Work::Linked(job) => match self.links.get(&(job.entry.device, job.entry.inode)) {
                Some(first) => {
                    let mut entry = with_content_of(job.entry, first);
                    for problem in job.found.read_details(&mut entry) {
                        self.shared.problem(problem);
                    }
                    self.shared.monitor.add(Counter::Bytes, entry.size_bytes);
                    Ok(Outcome::Entry(Box::new(entry)))
                }
                // What lies under the first name now, if anything, is another file or unreadable.
                None => {
                    let number = job.number;
                    self.send(*job)?;
                    self.wait_for(number)
                }
            },
        }
    }

    /// Hands a job to the workers, which may be waiting for their results to be taken.
    fn send(&mut self, mut job: Job) -> Result<(), BackupError> {
        loop {
            self.early.extend(self.results.try_iter());
            match self.jobs.send_timeout(job, LOOK_AROUND) {
                Ok(()) => return Ok(()),
                Err(SendTimeoutError::Timeout(back)) if !self.shared.is_stopped() => job = back,
                Err(_) => return Err(BackupError::Lost),
            }
        }
    }

    fn wait_for(&mut self, number: u64) -> Result<Outcome, BackupError> {
        loop {
            if let Some(outcome) = self.early.remove(&number) {
                return Ok(outcome);
            }
            match self.results.recv_timeout(LOOK_AROUND) {
                Ok((finished, outcome)) => {
                    self.early.insert(finished, outcome);
                }
                Err(RecvTimeoutError::Timeout) if !self.shared.is_stopped() => {}
                Err(_) => return Err(BackupError::Lost),
            }
        }
    }
}

fn note(hints: Option<&mut HintsWriter>, leaf: Option<WrittenLeaf>) -> Result<(), BackupError> {
    let (Some(hints), Some(leaf)) = (hints, leaf) else { return Ok(()) };
    Ok(hints.push_leaf(&leaf.child, leaf.is_bounded, &leaf.entries)?)
}

/// Another name of a file as it was when its content was read: it may have changed since the walk
/// met this name.
fn with_content_of(name: Entry, first: &Entry) -> Entry {
    Entry {
        content: first.content.clone(),
        size_bytes: first.size_bytes,
        mtime: first.mtime,
        ctime: first.ctime,
        flags: first.flags,
        ..name
    }
}
