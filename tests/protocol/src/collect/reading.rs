//! Reading the records of collections, and rule X.

use crate::collect::setup::{Mutant, Order, Setup};
use crate::collect::state::Store;
use crate::set::Set;

/// A reader of records, between two of its requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Reading {
    /// The generation that is read next.
    pub generation: u8,
    /// Whether its first part was read.
    pub is_halfway: bool,
    /// What was found: it is closed or void.
    pub is_over: bool,
    /// What was found: the packs that it names.
    pub named: Set,
    /// Whether there was a name with a code that the reader does not know, and no announcement
    /// explained it.
    pub is_blind: bool,
    /// Whether new keys are announced that the reader does not have: it stops.
    pub is_outdated: bool,
    /// What was found: it cannot be read.
    pub is_rotted: bool,
    /// Whether there was one that cannot be read and may delete something: the reader stops.
    pub is_stopped: bool,
    /// Whether there was one that cannot be read and deletes nothing any more.
    pub asks: bool,
}

impl Reading {
    /// Reads one of the two parts of the record at the cursor.
    pub(crate) fn look(&mut self, store: &Store, setup: &Setup) {
        let record = &store.generations[usize::from(self.generation)];
        let is_gone = setup.lacks(Mutant::RecordsRetired) && record.is_done;
        let reads_verdict = (setup.order == Order::VerdictFirst) != self.is_halfway;
        if is_gone {
            // Nothing is found.
        } else if self.is_blind && record.is_new {
            // It is taken for junk, unless an announcement says otherwise.
            let is_there = record.is_condemned;
            self.is_outdated |=
                is_there && store.has_new_keys && !setup.lacks(Mutant::StrangeNamesPassedOver);
        } else if reads_verdict {
            let is_closed = match setup.lacks(Mutant::CloseDecides) {
                true => record.has_close,
                false => record.is_closed,
            };
            self.is_over = is_closed || record.is_void;
        } else if record.is_rotted {
            self.is_rotted = record.is_condemned && !setup.lacks(Mutant::RottedIgnored);
        } else if record.is_swept {
            self.named = record.sweep;
        } else if record.is_condemned {
            self.named = record.candidates;
        }
        self.is_halfway = true;
    }

    /// What a reader makes of a record that cannot be read. Done stands for a record of past generations:
    /// all that it would name is deleted.
    fn judge_rotted(&mut self, store: &Store) {
        let record = &store.generations[usize::from(self.generation)];
        if self.is_rotted && !self.is_over {
            match record.is_given_up || record.is_done {
                true => self.asks = true,
                false => self.is_stopped = true,
            }
        }
    }

    /// Rule X for the record that was just read.
    pub(crate) fn excludes(&self) -> Set {
        if self.is_over { Set::EMPTY } else { self.named }
    }

    /// One request of reading all records but `skipped`; what they exclude goes into `excluded`.
    /// Answers whether that was the last one.
    pub(crate) fn step(
        &mut self,
        store: &Store,
        setup: &Setup,
        skipped: Option<u8>,
        excluded: &mut Set,
    ) -> bool {
        loop {
            if Some(self.generation) == skipped {
                self.generation += 1;
            }
            if usize::from(self.generation) >= setup.generations() {
                let Self { is_outdated, is_stopped, asks, .. } = *self;
                *self = Self { is_outdated, is_stopped, asks, ..Self::default() };
                return true;
            }
            let was_halfway = self.is_halfway;
            self.look(store, setup);
            if was_halfway {
                *excluded |= self.excludes();
                self.judge_rotted(store);
                let Self { is_blind, is_outdated, is_stopped, asks, .. } = *self;
                let generation = self.generation + 1;
                let next = Self { generation, is_blind, is_outdated, ..Self::default() };
                *self = Self { is_stopped, asks, ..next };
            }
            let is_last = usize::from(self.generation) >= setup.generations();
            if setup.is_fine && !is_last {
                return false;
            }
        }
    }
}
