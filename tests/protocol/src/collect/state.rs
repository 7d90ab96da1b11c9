//! Everything there is at one moment: the store, the machines, and requests under way.

use crate::collect::reading::Reading;
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
    /// Whether `.condemn` and `.sweep` cannot be read any more.
    pub is_rotted: bool,
    /// Whether somebody gave it up.
    pub is_given_up: bool,
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
    /// Packs in the segments that it knows in this session.
    pub known: Set,
    /// Whether it read that nobody knows what a generation deleted.
    pub asks: bool,
    /// Whether it began with the new keys.
    pub knows_new: bool,
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
    /// What the store held when somebody made a copy of it, to be put back.
    pub saved: Option<Box<Store>>,
    /// Whether a client gave its session up because the store was put back.
    pub has_given_up: bool,
}

impl State {
    /// A store with one snapshot of every chunk.
    #[must_use]
    pub fn first(setup: &Setup) -> Self {
        let everything = match setup.begins_empty {
            true => Set::EMPTY,
            false => Set::below(setup.chunk_count),
        };
        let is_there = if setup.begins_empty { Set::EMPTY } else { Set::of(0) };
        let mut store = Store {
            packs: everything,
            indexed: everything,
            registered: is_there,
            committed: is_there,
            ..Store::default()
        };
        (store.content[0], store.uploaded[0]) = (everything, everything);
        Self {
            store,
            told: is_there,
            missed_commit: Set::EMPTY,
            missed_sweep: Set::EMPTY,
            clients: Default::default(),
            owners: Default::default(),
            restorer: Restorer::Idle,
            under_way: [None; UNDER_WAY_MAX],
            left: setup.budget,
            saved: None,
            has_given_up: false,
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

    /// The store is what it was when it was copied. What was reported since is lost with that, and no
    /// rule could keep it.
    pub(crate) fn put_back(&mut self) {
        let Some(saved) = self.saved.take() else { return };
        let (content, uploaded) = (self.store.content, self.store.uploaded);
        self.store = Store { content, uploaded, ..*saved };
        self.told = self.told & self.store.committed;
        self.left.returns -= 1;
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
        let binding =
            |at: &&Generation| at.is_swept && !at.is_void && !at.is_closed && !at.is_rotted;
        self.generations.iter().filter(binding).fold(Set::EMPTY, |all, at| all | at.sweep)
    }

    /// Whether there is a generation of which nobody knows what it may delete.
    #[must_use]
    pub fn is_blocked(&self, setup: &Setup) -> bool {
        let is_unknown = |at: &Generation| {
            let is_over = at.is_void || at.is_closed || at.is_done || at.is_given_up;
            at.is_rotted && at.is_condemned && !is_over
        };
        !setup.lacks(Mutant::RottedIgnored) && self.generations.iter().any(is_unknown)
    }

    /// Packs that any sweep names, even one that nobody carries out.
    #[must_use]
    pub fn named(&self) -> Set {
        let swept = self.generations.iter().filter(|at| at.is_swept && !at.is_rotted);
        swept.fold(Set::EMPTY, |all, at| all | at.sweep)
    }

    /// Packs that sweeps name which were carried out.
    #[must_use]
    pub fn done(&self) -> Set {
        let done = self.generations.iter().filter(|at| at.is_done && !at.is_rotted);
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
