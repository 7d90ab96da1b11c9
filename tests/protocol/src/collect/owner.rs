//! A machine that collects: O1 to O11 of `docs/GC.md`; in the engine `gc/`.

use crate::collect::setup::{Mutant, Pins, Setup};
use crate::collect::state::{Owner, OwnerStep, Request, Restorer, State, Store, has_copy};
use crate::set::Set;

/// Which of several copies of a chunk in use is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Keep {
    /// The oldest.
    Oldest,
    /// The newest.
    Newest,
}

/// Rules of O6 about which copies count.
const COPIES_COUNT: [Mutant; 5] = [
    Mutant::BelievesUnsigned,
    Mutant::CopiesAcrossDomains,
    Mutant::CopiesOfUnknownSessions,
    Mutant::CopiesUnasked,
    Mutant::CopiesOfRevoked,
];

/// What a collector that starts now would condemn.
pub(crate) fn candidates(setup: &Setup, state: &State, keep: Keep) -> Set {
    let (store, live) = (&state.store, marked(setup, state));
    let sound = (store.packs & store.indexed) - store.swept();
    let believed = store.believed(setup, &COPIES_COUNT);
    let mut candidates = Set::EMPTY;
    for chunk in 0..setup.chunk_count {
        let copies = Set::all(setup.packs(), |pack| setup.chunk(pack) == chunk);
        let kept = match keep {
            Keep::Oldest => (copies & sound).first(),
            Keep::Newest => (copies & sound).last(),
        };
        if live.has(chunk) && kept.is_none() {
            continue;
        }
        let kept = kept.filter(|_| live.has(chunk) && !believed.has(chunk));
        let rest = (copies & store.packs).iter().filter(|pack| Some(*pack) != kept);
        rest.filter(|pack| store.is_decided(setup, setup.writer(*pack)))
            .for_each(|pack| candidates.insert(pack));
    }
    candidates
}

/// Chunks in use, by a look at everything at once.
fn marked(setup: &Setup, state: &State) -> Set {
    let mut live = Set::EMPTY;
    for session in 0..setup.sessions() {
        let is_pinned = session == 0 && is_pinned(state);
        if is_alive(&state.store, session, Set::below(setup.sessions()), is_pinned) {
            live |= state.store.content[session];
        }
    }
    live
}

fn is_pinned(state: &State) -> bool {
    matches!(state.restorer, Restorer::Pinned | Restorer::Reading)
}

/// Whether a snapshot is in use: it is one, and not forgotten, or pinned. Only tombstones of
/// `forgotten` count.
fn is_alive(store: &Store, session: usize, forgotten: Set, is_pinned: bool) -> bool {
    let is_forgotten = store.tombed.has(session) && forgotten.has(session);
    store.is_snapshot(session) && (!is_forgotten || is_pinned)
}

/// O1: takes a new generation with what it will condemn. Nothing if there is nothing to condemn.
pub(crate) fn begin(setup: &Setup, state: &mut State, at: usize, keep: Keep) -> Option<()> {
    let candidates = candidates(setup, state, keep);
    if candidates.is_empty() || state.store.is_blocked(setup) {
        return None;
    }
    let opened = state.owners[at].opened;
    let generation = at * setup.generation_count + usize::from(opened);
    let is_early = setup.rotates && setup.lacks(Mutant::KeysUsedBeforeAnnounced);
    let knows_new = state.store.has_new_keys || is_early;
    let mut owner = Owner {
        step: OwnerStep::Condemn,
        opened: opened + 1,
        generation: generation as u8,
        knows_new,
        ..Owner::default()
    };
    if setup.restores && setup.pins == Pins::FromBarrier {
        owner.forgotten = state.store.tombed;
    }
    if setup.lacks(Mutant::NoSecondMark) {
        owner.live = marked(setup, state);
    }
    if setup.lacks(Mutant::OthersBeforeCondemn) {
        let skipped = Some(generation as u8);
        while !owner.reading.step(&state.store, setup, skipped, &mut owner.excluded) {}
    }
    state.owners[at] = owner;
    state.store.generations[generation].candidates = candidates;
    state.store.generations[generation].is_new = knows_new;
    Some(())
}

/// With [`Mutant::GenerationTakenOver`]: goes on where another owner stopped.
pub(crate) fn take_over(state: &mut State, at: usize, generation: usize) {
    let opened = state.owners[at].opened;
    let (step, generation) = (OwnerStep::ListSessions, generation as u8);
    state.owners[at] = Owner { step, opened, generation, ..Owner::default() };
}

/// The request that owner `at` would make next, if its answer may be lost.
pub(crate) fn request(state: &State, at: usize) -> Option<Request> {
    let owner = &state.owners[at];
    match owner.step {
        OwnerStep::Condemn => Some(Request::Condemn(owner.generation)),
        OwnerStep::Sweep => Some(Request::Sweep(owner.generation)),
        OwnerStep::Delete => owner.doomed.first().map(|pack| Request::Delete(pack as u8)),
        _ => None,
    }
}

/// It stops, and never goes on with this generation.
pub(crate) fn crash(state: &mut State, at: usize) {
    state.left.collector_crashes -= 1;
    rest(state, at);
}

fn rest(state: &mut State, at: usize) {
    state.owners[at] = Owner { opened: state.owners[at].opened, ..Owner::default() };
}

/// Whether a listing shows the commit of `session`, perhaps one that has no answer yet.
fn sees_commit_under_way(setup: &Setup, state: &State, session: usize) -> bool {
    setup.flickers && state.under_way.contains(&Some(Request::Commit(session as u8)))
}

/// The next step of owner `at`, or nothing if it has to wait.
pub(crate) fn step(setup: &Setup, state: &mut State, at: usize) -> Option<()> {
    let generation = usize::from(state.owners[at].generation);
    match state.owners[at].step {
        OwnerStep::Mark => return None,
        OwnerStep::Condemn => {
            state.store.generations[generation].is_condemned = true;
            state.owners[at].step = match setup.mutant {
                Some(Mutant::NoBarrier) => OwnerStep::MarkAgain,
                _ => OwnerStep::ListSessions,
            };
        }
        OwnerStep::ListSessions => {
            let sees_pin = is_pinned(state);
            let hidden = hidden(setup, state, at);
            if is_outdated(setup, state, state.store.registered & hidden) {
                rest(state, at);
                return Some(());
            }
            let owner = &mut state.owners[at];
            owner.registered = state.store.registered - hidden;
            owner.sees_pin |= sees_pin;
            owner.step = OwnerStep::Wait;
        }
        OwnerStep::Wait => wait(setup, state, at)?,
        OwnerStep::MarkAgain => mark_again(setup, state, at),
        OwnerStep::ListPins => {
            state.owners[at].sees_pin |= is_pinned(state);
            after_tombs(setup, state, at);
        }
        OwnerStep::ReadRecords => read_records(setup, state, at),
        OwnerStep::Decide => decide(setup, state, at),
        OwnerStep::Sweep => {
            let record = &mut state.store.generations[generation];
            (record.sweep, record.is_swept) = (state.owners[at].doomed, true);
            state.owners[at].step = match setup.mutant {
                Some(Mutant::NoLookForClose | Mutant::LookForCloseBeforeSweep) => OwnerStep::Trim,
                _ => OwnerStep::LookForClose,
            };
        }
        OwnerStep::LookForClose => {
            let is_closed = state.store.generations[generation].has_close;
            state.owners[at].step = if is_closed { OwnerStep::Void } else { OwnerStep::Trim };
        }
        OwnerStep::Trim => trim(setup, state, at),
        OwnerStep::Delete => delete(state, at),
        OwnerStep::Void => {
            state.store.generations[generation].is_void = true;
            rest(state, at);
        }
    }
    Some(())
}

/// O3: goes on when every session that was registered is decided.
fn wait(setup: &Setup, state: &mut State, at: usize) -> Option<()> {
    let registered = state.owners[at].registered;
    for session in registered.iter() {
        let under_way = sees_commit_under_way(setup, state, session);
        if under_way && !setup.lacks(Mutant::CommitSeenOnceForgotten) {
            // What was seen committed stays in use for this owner, whatever is seen later.
            let content = state.store.content[session];
            state.owners[at].live |= content;
        }
        let is_decided = state.store.is_decided(setup, session) || under_way;
        if !is_decided && !setup.lacks(Mutant::BarrierTimesOut) {
            return None;
        }
    }
    state.owners[at].registered = Set::EMPTY;
    state.owners[at].step = OwnerStep::MarkAgain;
    Some(())
}

/// Sessions whose names an owner with older keys cannot read.
fn hidden(setup: &Setup, state: &State, at: usize) -> Set {
    match setup.rotates && !state.owners[at].knows_new {
        true => state.store.new_sessions,
        false => Set::EMPTY,
    }
}

/// Whether names that a listing shows and that cannot be read tell an owner that keys were changed.
fn is_outdated(setup: &Setup, state: &State, strange: Set) -> bool {
    let looks = !setup.lacks(Mutant::StrangeNamesPassedOver);
    !strange.is_empty() && state.store.has_new_keys && looks
}

/// O4: one snapshot, or all at once.
fn mark_again(setup: &Setup, state: &mut State, at: usize) {
    let early_pin = setup.pins == Pins::FromBarrier && state.owners[at].sees_pin;
    let counts_all =
        !setup.restores || setup.pins == Pins::AfterTombs || setup.lacks(Mutant::PinsBeforeTombs);
    let hidden = hidden(setup, state, at);
    if is_outdated(setup, state, state.store.committed & hidden) {
        return rest(state, at);
    }
    let owner = &mut state.owners[at];
    let forgotten = if counts_all { Set::below(setup.sessions()) } else { owner.forgotten };
    loop {
        let session = usize::from(owner.cursor);
        let is_live = is_alive(&state.store, session, forgotten, session == 0 && early_pin);
        if is_live && !setup.lacks(Mutant::NoSecondMark) && !hidden.has(session) {
            owner.live |= state.store.content[session];
        }
        owner.cursor += 1;
        if usize::from(owner.cursor) == setup.sessions() {
            (owner.cursor, owner.forgotten) = (0, Set::EMPTY);
            break;
        }
        if setup.is_fine {
            return;
        }
    }
    match setup.restores && setup.pins == Pins::AfterTombs {
        true => owner.step = OwnerStep::ListPins,
        false => after_tombs(setup, state, at),
    }
}

fn after_tombs(setup: &Setup, state: &mut State, at: usize) {
    let owner = &mut state.owners[at];
    if owner.sees_pin {
        owner.live |= state.store.content[0];
    }
    owner.sees_pin = false;
    owner.step = match setup.mutant {
        Some(Mutant::OthersIgnored | Mutant::OthersBeforeCondemn) => OwnerStep::Decide,
        _ => OwnerStep::ReadRecords,
    };
}

/// O5: what other generations exclude, one's own earlier ones among them.
fn read_records(setup: &Setup, state: &mut State, at: usize) {
    let owner = &mut state.owners[at];
    let (before, skipped) = (owner.excluded, Some(owner.generation));
    owner.reading.is_blind = setup.rotates && !owner.knows_new;
    if owner.reading.step(&state.store, setup, skipped, &mut owner.excluded) {
        owner.step = OwnerStep::Decide;
    }
    if setup.lacks(Mutant::OthersSweptIgnored) {
        owner.excluded = before | (owner.excluded - state.store.swept());
    }
    if owner.reading.is_outdated || owner.reading.is_stopped {
        rest(state, at);
    }
}

/// O6: what is in use goes only if another copy of it stays.
fn decide(setup: &Setup, state: &mut State, at: usize) {
    let owner = &mut state.owners[at];
    let record = &state.store.generations[usize::from(owner.generation)];
    let candidates = record.candidates;
    let others = (state.store.packs & state.store.indexed) - (candidates | owner.excluded);
    let believed = state.store.believed(setup, &COPIES_COUNT);
    owner.doomed = Set::all(setup.packs(), |pack| {
        let chunk = setup.chunk(pack);
        let has_other = has_copy(setup, others, chunk) || believed.has(chunk);
        candidates.has(pack) && (!owner.live.has(chunk) || has_other)
    });
    (owner.live, owner.excluded) = (Set::EMPTY, Set::EMPTY);
    owner.step = OwnerStep::Sweep;
    if setup.lacks(Mutant::LookForCloseBeforeSweep) && record.has_close {
        rest(state, at);
    }
}

/// O9: segments without what this owner deletes.
fn trim(setup: &Setup, state: &mut State, at: usize) {
    let mut dropped = state.owners[at].doomed;
    if setup.trims_done {
        dropped |= state.store.done();
    }
    if setup.lacks(Mutant::TrimsEverySweep) {
        dropped |= state.store.named();
    }
    state.store.indexed = state.store.indexed - dropped;
    state.owners[at].step = OwnerStep::Delete;
}

/// O10 and O11: one pack, and after the last one the end.
fn delete(state: &mut State, at: usize) {
    let owner = &mut state.owners[at];
    if let Some(pack) = owner.doomed.first() {
        state.store.packs.remove(pack);
        owner.doomed.remove(pack);
    }
    if owner.doomed.is_empty() {
        state.store.generations[usize::from(owner.generation)].is_done = true;
        rest(state, at);
    }
}
