//! Everything there is at one moment: the store, the machines, and requests under way.

use crate::collect::setup::{Budget, Forgery, Mutant, Setup};
use crate::set::Set;

/// The most sessions, generations and requests under way.
pub(crate) const SESSIONS_MAX: usize = 5;
pub(crate) const GENERATIONS_MAX: usize = 4;
pub(crate) const UNDER_WAY_MAX: usize = 3;

/// The store, as everybody sees it who looks now.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct Store {
    /// Packs that are there.
    pub packs: Set,
    /// Packs that a segment names.
    pub indexed: Set,
    /// Sessions with `sess/<sid>`.
    pub registered: Set,
    /// With `.commit`.
    pub committed: Set,
    /// With a `.fence-`.
    pub fenced: Set,
    /// With a `.final-`.
    pub aborted: Set,
    /// With a tombstone.
    pub tombed: Set,
    /// Which chunks each session's snapshot refers to.
    pub content: [Set; SESSIONS_MAX],
    /// Which chunks each session's segment names, in packs of its own.
    pub uploaded: [Set; SESSIONS_MAX],
    /// Which chunks somebody claims to have stored, by what the claim lacks.
    pub claimed: [Set; Forgery::ALL.len()],
    /// The records of collections.
    pub generations: [Generation; GENERATIONS_MAX],
    /// Whether new keys are announced.
    pub has_new_keys: bool,
    /// Sessions whose names have codes of the new keys.
    pub new_sessions: Set,
}

/// `gc/<gid>.…`, the record of one collection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Generation {
    /// `.condemn` is there.
    pub is_condemned: bool,
    /// `.sweep` is there.
    pub is_swept: bool,
    /// `.void` is there.
    pub is_void: bool,
    /// `.done` is there.
    pub is_done: bool,
    /// A `.close-` is there.
    pub has_close: bool,
    /// A `.closed-` is there.
    pub is_closed: bool,
    /// What `.condemn` names; nobody but the owner knows before it is there.
    pub candidates: Set,
    /// What `.sweep` names; the same.
    pub sweep: Set,
    /// Whether its names have codes of the new keys.
    pub is_new: bool,
}

/// Where a client stands: what it does next.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum ClientStep {
    /// Nothing.
    #[default]
    Idle,
    /// B1.
    Register,
    /// With `Mutant::RetryKeepsChoice`, after a fence: B1, and at once the commit.
    RegisterAgain,
    /// B2, the record at the cursor.
    ReadRecords,
    /// B3.
    Choose,
    /// B4, packs.
    PutPacks,
    /// B4, segments.
    PutSegment,
    /// B5, the commit.
    Commit,
    /// B5, the look for a fence, and `.ok`.
    Look,
    /// After a crash: look what became of the session.
    Settle,
}

/// A machine that backs up.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct Client {
    /// What it does next.
    pub step: ClientStep,
    /// Sessions that it opened.
    pub opened: u8,
    /// Chunks that it backs up.
    pub content: Set,
    /// Where it reads, and what of that record it has seen.
    pub reading: Reading,
    /// Packs that it must not refer to.
    pub excluded: Set,
    /// Chunks that it still has to upload.
    pub missing: Set,
    /// Packs that it saw indexed in earlier sessions.
    pub remembered: Set,
    /// Whether it began with the new keys.
    pub knows_new: bool,
}

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
}

/// Where a collector stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum OwnerStep {
    /// O1.
    #[default]
    Mark,
    /// O2.
    Condemn,
    /// O3, the listing of sessions.
    ListSessions,
    /// O3, until they are decided.
    Wait,
    /// O4, the snapshot at the cursor.
    MarkAgain,
    /// O4, pins, if they are listed on their own.
    ListPins,
    /// O5.
    ReadRecords,
    /// O6.
    Decide,
    /// O7.
    Sweep,
    /// O8.
    LookForClose,
    /// O9.
    Trim,
    /// O10 and O11.
    Delete,
    /// Void.
    Void,
}

/// A machine that collects.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct Owner {
    /// What it does next.
    pub step: OwnerStep,
    /// Generations that it owned so far.
    pub opened: u8,
    /// The generation that it owns.
    pub generation: u8,
    /// The snapshot that it reads next.
    pub cursor: u8,
    /// Chunks that are in use.
    pub live: Set,
    /// Sessions that its barrier found registered.
    pub registered: Set,
    /// Sessions that its first mark found forgotten.
    pub forgotten: Set,
    /// Whether it saw the pin of the one who restores.
    pub sees_pin: bool,
    /// Where it reads records.
    pub reading: Reading,
    /// Packs that other generations exclude.
    pub excluded: Set,
    /// Packs that it will delete.
    pub doomed: Set,
    /// Whether it began with the new keys.
    pub knows_new: bool,
}

/// Somebody who restores the first snapshot under a pin; or who puts up a hold, which keeps to the
/// same rules.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Restorer {
    /// Does nothing yet.
    #[default]
    Idle,
    /// Has put the pin.
    Pinned,
    /// Saw no tombstone after that: it reads, and must find everything.
    Reading,
    /// Has taken the pin away.
    Gone,
}

/// A request without an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Request {
    /// PUT of `sess/<sid>`.
    Register(u8),
    /// PUT of a pack.
    Pack(u8),
    /// PUT of the segment of a session.
    Segment(u8),
    /// PUT of `.commit`.
    Commit(u8),
    /// PUT of `.condemn`.
    Condemn(u8),
    /// PUT of `.sweep`.
    Sweep(u8),
    /// DELETE of a pack.
    Delete(u8),
}

/// Everything at one moment.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct State {
    /// What is stored.
    pub store: Store,
    /// Sessions whose users were told of success.
    pub told: Set,
    /// Sessions of which a fencer, after its fence, saw no commit.
    pub missed_commit: Set,
    /// Generations of which a successor, after its close, saw no sweep.
    pub missed_sweep: Set,
    /// Machines that back up.
    pub clients: [Client; 2],
    /// Machines that collect.
    pub owners: [Owner; 2],
    /// Somebody who restores.
    pub restorer: Restorer,
    /// Requests that may still land, in order.
    pub under_way: [Option<Request>; UNDER_WAY_MAX],
    /// What may still go wrong.
    pub left: Budget,
}

impl State {
    /// A store with one snapshot of every chunk.
    #[must_use]
    pub fn first(setup: &Setup) -> Self {
        let everything = Set::below(setup.chunk_count);
        let mut store = Store {
            packs: everything,
            indexed: everything,
            registered: Set::of(0),
            committed: Set::of(0),
            ..Store::default()
        };
        (store.content[0], store.uploaded[0]) = (everything, everything);
        Self {
            store,
            told: Set::of(0),
            missed_commit: Set::EMPTY,
            missed_sweep: Set::EMPTY,
            clients: Default::default(),
            owners: Default::default(),
            restorer: Restorer::Idle,
            under_way: [None; UNDER_WAY_MAX],
            left: setup.budget,
        }
    }

    /// A request goes out and no answer comes.
    pub(crate) fn lose(&mut self, request: Request) {
        self.left.lost_requests -= 1;
        if let Some(place) = self.under_way.iter_mut().find(|place| place.is_none()) {
            *place = Some(request);
        }
        self.under_way.sort_unstable();
    }

    /// Forgets requests that change nothing any more: the same bytes are there already.
    pub(crate) fn drop_spent(&mut self) {
        let store = &self.store;
        for place in &mut self.under_way {
            let is_spent = place.is_some_and(|request| match request {
                Request::Register(session) => store.registered.has(session.into()),
                Request::Commit(session) => store.committed.has(session.into()),
                Request::Condemn(at) => store.generations[usize::from(at)].is_condemned,
                Request::Sweep(at) => store.generations[usize::from(at)].is_swept,
                Request::Pack(_) | Request::Segment(_) | Request::Delete(_) => false,
            });
            if is_spent {
                *place = None;
            }
        }
        self.under_way.sort_unstable();
    }

    /// A request takes effect.
    pub(crate) fn land(&mut self, setup: &Setup, request: Request) {
        let store = &mut self.store;
        match request {
            Request::Register(session) => store.registered.insert(session.into()),
            Request::Pack(pack) => store.packs.insert(pack.into()),
            Request::Segment(session) => {
                let session = usize::from(session);
                for chunk in store.uploaded[session].iter() {
                    store.indexed.insert(setup.pack(session, chunk));
                }
            }
            Request::Commit(session) => store.committed.insert(session.into()),
            Request::Condemn(at) => store.generations[usize::from(at)].is_condemned = true,
            Request::Sweep(at) => store.generations[usize::from(at)].is_swept = true,
            Request::Delete(pack) => store.packs.remove(pack.into()),
        }
    }
}

impl Store {
    /// Whether a session became a snapshot, by its flags.
    #[must_use]
    pub fn is_snapshot(&self, session: usize) -> bool {
        self.committed.has(session) && !self.aborted.has(session)
    }

    /// Whether a session has come to an end.
    #[must_use]
    pub fn is_decided(&self, setup: &Setup, session: usize) -> bool {
        self.committed.has(session)
            || self.aborted.has(session)
            || (setup.lacks(Mutant::FenceDecides) && self.fenced.has(session))
    }

    /// Chunks that are believed to have a copy which they have not, by whoever keeps to all rules but
    /// the one that is left out, if that is one of `his`.
    #[must_use]
    pub fn believed(&self, setup: &Setup, his: &[Mutant]) -> Set {
        let Some(mutant) = setup.mutant.filter(|mutant| his.contains(mutant)) else {
            return Set::EMPTY;
        };
        let claims = Forgery::ALL.into_iter().zip(self.claimed);
        let believed = claims.filter(|(forgery, _)| forgery.rules().contains(&mutant));
        believed.fold(Set::EMPTY, |all, (_, chunks)| all | chunks)
    }

    /// Packs that sweeps name which may still be carried out.
    #[must_use]
    pub fn swept(&self) -> Set {
        let binding = |at: &&Generation| at.is_swept && !at.is_void && !at.is_closed;
        self.generations.iter().filter(binding).fold(Set::EMPTY, |all, at| all | at.sweep)
    }

    /// Packs that any sweep names, even one that nobody carries out.
    #[must_use]
    pub fn named(&self) -> Set {
        let swept = self.generations.iter().filter(|at| at.is_swept);
        swept.fold(Set::EMPTY, |all, at| all | at.sweep)
    }

    /// Packs that sweeps name which were carried out.
    #[must_use]
    pub fn done(&self) -> Set {
        let done = self.generations.iter().filter(|at| at.is_done);
        done.fold(Set::EMPTY, |all, at| all | at.sweep)
    }

    /// Rule X without the time that reading takes: what all generations exclude.
    #[must_use]
    pub fn excluded(&self, setup: &Setup) -> Set {
        let mut excluded = Set::EMPTY;
        for generation in 0..setup.generations() {
            let mut reading = Reading { generation: generation as u8, ..Reading::default() };
            reading.look(self, setup);
            reading.look(self, setup);
            excluded |= reading.excludes();
        }
        excluded
    }

    /// Whether every chunk of a snapshot has a copy that restore finds, outside `refused`.
    #[must_use]
    pub fn is_complete(&self, setup: &Setup, session: usize, refused: Set) -> bool {
        let usable = (self.packs & self.indexed) - refused;
        self.content[session].iter().all(|chunk| has_copy(setup, usable, chunk))
    }
}

/// Whether one of `packs` holds `chunk`.
pub(crate) fn has_copy(setup: &Setup, packs: Set, chunk: usize) -> bool {
    packs.iter().any(|pack| setup.chunk(pack) == chunk)
}

impl Reading {
    /// Reads one of the two parts of the record at the cursor.
    pub(crate) fn look(&mut self, store: &Store, setup: &Setup) {
        let record = &store.generations[usize::from(self.generation)];
        let is_gone = setup.lacks(Mutant::RecordsRetired) && record.is_done;
        let reads_verdict =
            (setup.order == crate::collect::setup::Order::VerdictFirst) != self.is_halfway;
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
        } else if record.is_swept {
            self.named = record.sweep;
        } else if record.is_condemned {
            self.named = record.candidates;
        }
        self.is_halfway = true;
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
                let is_outdated = self.is_outdated;
                *self = Self { is_outdated, ..Self::default() };
                return true;
            }
            let was_halfway = self.is_halfway;
            self.look(store, setup);
            if was_halfway {
                *excluded |= self.excludes();
                let Self { generation, is_blind, is_outdated, .. } = *self;
                let generation = generation + 1;
                *self = Self { generation, is_blind, is_outdated, ..Self::default() };
            }
            let is_last = usize::from(self.generation) >= setup.generations();
            if setup.is_fine && !is_last {
                return false;
            }
        }
    }
}
