//! Everybody else: fencers (F1 to F3) and successors (K1 to K3) in any number, people who forget
//! snapshots, somebody who restores, and requests that land late.

use crate::collect::setup::{Forgery, Mutant, Setup};
use crate::collect::state::{OwnerStep, Request, Restorer, State};

/// What somebody else does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Event {
    /// F1 for a session.
    Fence(usize),
    /// F2: a fencer of this session sees no commit.
    FencerSeesNoCommit(usize),
    /// F3.
    Final(usize),
    /// K1 for a generation.
    Close(usize),
    /// K2: a successor of this generation sees no sweep.
    SuccessorSeesNoSweep(usize),
    /// K3.
    Closed(usize),
    /// With [`Mutant::VoidBySuccessor`]: it takes sweep and close together for the end.
    SuccessorDeclaresVoid(usize),
    /// A tombstone for a snapshot.
    Forget(usize),
    /// A pin for the first snapshot.
    Pin,
    /// Who pinned looks for a tombstone.
    PinLooks,
    /// The pin goes.
    Unpin,
    /// An administrator announces new keys.
    Announce,
    /// What a generation deletes cannot be read any more.
    Rot(usize),
    /// Somebody gives it up.
    GiveUp(usize),
    /// Somebody copies the whole store.
    Copy,
    /// The store is what it was when it was copied.
    PutBack,
    /// Somebody claims to have stored a chunk.
    Forge(Forgery, usize),
    /// A request without an answer takes effect. Its sender repeats it, and so it takes effect
    /// twice, once at that time and once here.
    Land(Request),
}

/// Everything that may happen now.
pub(crate) fn events(setup: &Setup, state: &State, mut tell: impl FnMut(Event)) {
    let (store, left) = (&state.store, &state.left);
    for session in 1..setup.sessions() {
        let is_fenced = store.fenced.has(session);
        if left.fences > 0 && store.registered.has(session) && !is_fenced {
            tell(Event::Fence(session));
        }
        if is_fenced && !state.missed_commit.has(session) && !store.committed.has(session) {
            tell(Event::FencerSeesNoCommit(session));
        }
        if state.missed_commit.has(session) && !store.aborted.has(session) {
            tell(Event::Final(session));
        }
    }
    for session in 0..setup.sessions() {
        let is_tombed = store.tombed.has(session);
        // People forget what they see, and they see what was reported or adopted.
        if left.forgets > 0 && store.is_snapshot(session) && !is_tombed {
            tell(Event::Forget(session));
        }
    }
    for at in 0..setup.generations() {
        successors(setup, state, at, &mut tell);
    }
    if left.forgeries > 0 {
        for (forgery, claimed) in Forgery::ALL.into_iter().zip(store.claimed) {
            let new = (0..setup.chunk_count).filter(|chunk| !claimed.has(*chunk));
            new.for_each(|chunk| tell(Event::Forge(forgery, chunk)));
        }
    }
    // A collector that is at work when the store is put back may delete what others rely on again.
    if left.returns > 0 && state.owners.iter().all(|owner| owner.step == OwnerStep::Mark) {
        match &state.saved {
            None => tell(Event::Copy),
            Some(saved) if **saved != *store => tell(Event::PutBack),
            Some(_) => {}
        }
    }
    if setup.rotates && !store.has_new_keys {
        tell(Event::Announce);
    }
    match state.restorer {
        Restorer::Idle if setup.restores => tell(Event::Pin),
        Restorer::Pinned => tell(Event::PinLooks),
        Restorer::Reading => tell(Event::Unpin),
        Restorer::Idle | Restorer::Gone => {}
    }
    for (place, request) in state.under_way.iter().enumerate() {
        if let Some(request) =
            request.filter(|_| place == 0 || *request != state.under_way[place - 1])
        {
            tell(Event::Land(request));
        }
    }
}

fn successors(setup: &Setup, state: &State, at: usize, tell: &mut impl FnMut(Event)) {
    let record = &state.store.generations[at];
    let is_silent = record.is_condemned && !record.is_done;
    if state.left.closes > 0 && is_silent && !record.has_close {
        tell(Event::Close(at));
    }
    let sees_none = !record.is_swept || setup.lacks(Mutant::ClosedBlindly);
    if record.has_close && sees_none && !state.missed_sweep.has(at) {
        tell(Event::SuccessorSeesNoSweep(at));
    }
    if state.missed_sweep.has(at) && !record.is_closed {
        tell(Event::Closed(at));
    }
    if state.left.rots > 0 && record.is_condemned && !record.is_rotted {
        tell(Event::Rot(at));
    }
    if record.is_rotted && !record.is_given_up && !record.is_done && has_ended(setup, state, at) {
        tell(Event::GiveUp(at));
    }
    let sees_both = record.has_close && record.is_swept && !record.is_void;
    if setup.lacks(Mutant::VoidBySuccessor) && sees_both {
        tell(Event::SuccessorDeclaresVoid(at));
    }
}

/// Whether nothing is deleted any more for a generation: what a person makes sure of who gives it up.
fn has_ended(setup: &Setup, state: &State, at: usize) -> bool {
    let owner = &state.owners[at / setup.generation_count];
    let is_at_work = owner.step != OwnerStep::Mark && usize::from(owner.generation) == at;
    let is_delete = |request: &Option<Request>| matches!(request, Some(Request::Delete(_)));
    let has_ended = !is_at_work && !state.under_way.iter().any(is_delete);
    has_ended || setup.lacks(Mutant::GivesUpRunning)
}

/// It happens.
pub(crate) fn apply(setup: &Setup, state: &mut State, event: Event) {
    let store = &mut state.store;
    match event {
        Event::Fence(session) => {
            store.fenced.insert(session);
            state.left.fences -= 1;
        }
        Event::FencerSeesNoCommit(session) => state.missed_commit.insert(session),
        Event::Final(session) => store.aborted.insert(session),
        Event::Close(at) => {
            store.generations[at].has_close = true;
            state.left.closes -= 1;
        }
        Event::SuccessorSeesNoSweep(at) => state.missed_sweep.insert(at),
        Event::Closed(at) => store.generations[at].is_closed = true,
        Event::SuccessorDeclaresVoid(at) => store.generations[at].is_void = true,
        Event::Forget(session) => {
            store.tombed.insert(session);
            state.left.forgets -= 1;
        }
        Event::Pin => state.restorer = Restorer::Pinned,
        Event::PinLooks => {
            let is_tombed = store.tombed.has(0) && !setup.lacks(Mutant::PinWithoutLook);
            state.restorer = if is_tombed { Restorer::Gone } else { Restorer::Reading };
        }
        Event::Unpin => state.restorer = Restorer::Gone,
        Event::Rot(at) => {
            store.generations[at].is_rotted = true;
            state.left.rots -= 1;
        }
        Event::GiveUp(at) => store.generations[at].is_given_up = true,
        Event::Copy => state.saved = Some(Box::new(store.clone())),
        Event::PutBack => state.put_back(),
        Event::Announce => store.has_new_keys = true,
        Event::Forge(forgery, chunk) => {
            store.claimed[forgery as usize].insert(chunk);
            state.left.forgeries -= 1;
        }
        Event::Land(request) => {
            if let Some(place) = state.under_way.iter_mut().find(|place| **place == Some(request)) {
                *place = None;
            }
            state.land(setup, request);
        }
    }
}
