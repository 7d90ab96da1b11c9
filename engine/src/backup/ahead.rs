//! The side of the merge that comes from an earlier run: one entry ahead of the walk.
//!
//! Hints come leaf by leaf. Entries of a leaf that are found unchanged are held back until the
//! leaf is whole: then it is taken over as it is, without decoding a single entry. The first
//! difference releases what was held, entry by entry.

use crate::backup::error::BackupError;
use crate::backup::previous::{Entries, Previous};
use crate::backup::step::Step;
use crate::base::monitor::Monitor;
use crate::format::entry::{Entry, Facts};
use crate::index::IndexError;
use crate::index::hints::HintLeaf;

/// What is handed on to the tree builder.
pub(super) type Emit<'e> = dyn FnMut(Step) -> Result<(), BackupError> + 'e;

/// Entries of an earlier run, in path order.
pub(super) struct Ahead<'a> {
    previous: Previous<'a>,
    current: Current,
    /// Whether facts alone tell that an entry can be taken over as it is.
    trusts_facts: bool,
}

enum Current {
    Unread,
    Leaf { leaf: Box<HintLeaf>, next: usize, is_whole: bool },
    Entry(Vec<u8>, Box<Entry>),
    End,
}

impl<'a> Ahead<'a> {
    pub(super) fn new(previous: Previous<'a>, trusts_facts: bool) -> Self {
        Self { previous, current: Current::Unread, trusts_facts }
    }

    /// Key of the entry ahead; `None` when there are no more.
    pub(super) fn key(&mut self, monitor: &dyn Monitor) -> Option<&[u8]> {
        if matches!(self.current, Current::Unread) {
            self.read(monitor);
        }
        match &self.current {
            Current::Leaf { leaf, next, .. } => Some(leaf.key(*next)),
            Current::Entry(key, _) => Some(key),
            Current::Unread | Current::End => None,
        }
    }

    /// Whatever cannot be read ends the comparison, not the backup.
    fn read(&mut self, monitor: &dyn Monitor) {
        let next = match &mut self.previous.entries {
            Entries::None => None,
            Entries::Hints(hints) => hints.next().map(|leaf| {
                let is_whole = self.trusts_facts;
                leaf.map(|leaf| Current::Leaf { leaf: Box::new(leaf), next: 0, is_whole })
                    .map_err(|error| error.to_string())
            }),
            Entries::Tree(cursor) => cursor.next().map(|item| {
                item.map(|(path, entry)| Current::Entry(path.key().to_vec(), Box::new(entry)))
                    .map_err(|error| error.to_string())
            }),
        };
        self.current = match next {
            Some(Ok(current)) => current,
            None => Current::End,
            Some(Err(why)) => {
                monitor.note(&format!("the previous snapshot cannot be compared further: {why}"));
                self.previous.entries = Entries::None;
                Current::End
            }
        };
    }

    /// Takes the entry ahead over as it is, if these are its facts and its listing is as complete;
    /// says whether it did.
    pub(super) fn carry(
        &mut self,
        facts: &Facts,
        listing: u8,
        emit: &mut Emit<'_>,
    ) -> Result<bool, BackupError> {
        let Current::Leaf { leaf, next, is_whole } = &mut self.current else { return Ok(false) };
        if !self.trusts_facts || leaf.sound_facts(*next) != Some((facts, listing)) {
            return Ok(false);
        }
        if !*is_whole {
            emit(Step::ready(leaf.key(*next).to_vec(), leaf.entry(*next)?))?;
        }
        *next += 1;
        if *next == leaf.entry_count()
            && let Current::Leaf { leaf, is_whole: true, .. } =
                std::mem::replace(&mut self.current, Current::Unread)
        {
            emit(Step::Leaf(leaf))?;
        }
        Ok(true)
    }

    /// Releases what was held back, because something comes that differs.
    pub(super) fn release(&mut self, emit: &mut Emit<'_>) -> Result<(), BackupError> {
        let Current::Leaf { leaf, next, is_whole } = &mut self.current else { return Ok(()) };
        if *is_whole && *next > 0 {
            for number in 0..*next {
                emit(Step::ready(leaf.key(number).to_vec(), leaf.entry(number)?))?;
            }
            *is_whole = false;
        }
        Ok(())
    }

    /// Takes the entry ahead away; what was held back must be released before.
    pub(super) fn take(&mut self) -> Result<Option<Entry>, IndexError> {
        match std::mem::replace(&mut self.current, Current::Unread) {
            Current::Leaf { leaf, next, .. } => {
                let entry = leaf.entry(next)?;
                if next + 1 < leaf.entry_count() {
                    self.current = Current::Leaf { leaf, next: next + 1, is_whole: false };
                }
                Ok(Some(entry))
            }
            Current::Entry(_, entry) => Ok(Some(*entry)),
            end => {
                self.current = end;
                Ok(None)
            }
        }
    }
}
