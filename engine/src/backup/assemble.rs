//! Puts results back into path order, builds the tree of them, and writes the next run's hints.

use std::collections::HashMap;

use crossbeam_channel::{Receiver, RecvTimeoutError};

use crate::backup::error::BackupError;
use crate::backup::nodes::NodeStore;
use crate::backup::shared::{LOOK_AROUND, Shared};
use crate::backup::step::{Step, Work};
use crate::base::monitor::Problem;
use crate::base::path::TreePath;
use crate::format::config::TreeConfig;
use crate::format::entry::Entry;
use crate::index::hints::{HintLeaf, HintsWriter};
use crate::tree::build::{EntryTreeBuilder, Root, WrittenLeaf};

/// Number of a job, and the entry with its content if it could be read.
pub(super) type ReadResult = (u64, Option<Entry>);

/// Takes steps, gives a tree.
pub(super) struct Assembler<'a, 's> {
    shared: &'a Shared<'s>,
    nodes: &'a NodeStore<'a>,
    builder: EntryTreeBuilder,
    hints: Option<&'a mut HintsWriter>,
    results: Receiver<ReadResult>,
    /// Results that came before it was their turn.
    early: HashMap<u64, Option<Entry>>,
    /// Files with several names as they were read.
    links: HashMap<(u64, u64), Entry>,
}

impl<'a, 's> Assembler<'a, 's> {
    pub(super) fn new(
        tree: &TreeConfig,
        shared: &'a Shared<'s>,
        nodes: &'a NodeStore<'a>,
        hints: Option<&'a mut HintsWriter>,
        results: Receiver<ReadResult>,
    ) -> Self {
        let builder = EntryTreeBuilder::new(tree);
        let (early, links) = (HashMap::new(), HashMap::new());
        Self { shared, nodes, builder, hints, results, early, links }
    }

    /// Builds until there are no more steps. Afterwards both queues are closed: whoever still sends
    /// finds the other end gone.
    pub(super) fn run(mut self, steps: Receiver<Step>) -> Result<Root, BackupError> {
        for step in &steps {
            match step {
                Step::Leaf(leaf) => self.take_leaf(&leaf)?,
                Step::Entry(key, work) => {
                    if let Some(entry) = self.finish_work(&key, work)? {
                        self.push(key, entry)?;
                    }
                }
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

    fn finish_work(&mut self, key: &[u8], work: Work) -> Result<Option<Entry>, BackupError> {
        let entry = match work {
            Work::Ready(entry) => Some(*entry),
            Work::Reading(number) => self.wait_for(number)?,
            Work::Linked(entry) => match self.links.get(&(entry.device, entry.inode)) {
                Some(first) => Some(with_content_of(*entry, first)),
                None => {
                    self.report_unread_link(key);
                    None
                }
            },
        };
        if let Some(entry) = &entry
            && entry.link_count > 1
            && entry.content.is_some()
        {
            self.links.insert((entry.device, entry.inode), entry.clone());
        }
        Ok(entry)
    }

    /// A file that could not be read is missing under each of its names.
    fn report_unread_link(&self, key: &[u8]) {
        // The key came from a path, a moment ago.
        let Ok(path) = TreePath::from_key(key) else { return };
        let why = "another name of the same file could not be read".to_owned();
        self.shared.problem(Problem { path, action: "reading", why });
    }

    fn wait_for(&mut self, number: u64) -> Result<Option<Entry>, BackupError> {
        loop {
            if let Some(entry) = self.early.remove(&number) {
                return Ok(entry);
            }
            match self.results.recv_timeout(LOOK_AROUND) {
                Ok((finished, entry)) => {
                    self.early.insert(finished, entry);
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
