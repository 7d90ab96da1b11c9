//! A machine that backs up: B1 to B5 of `docs/GC.md`; in the engine `backup/run.rs`,
//! `backup/commit.rs` and `repo/session.rs`.

use crate::collect::setup::{Mutant, Second, Setup};
use crate::collect::state::{Client, ClientStep, Request, State, has_copy};
use crate::set::Set;

/// The session that client `at` has open.
pub(crate) fn session(setup: &Setup, state: &State, at: usize) -> usize {
    at * setup.session_count + usize::from(state.clients[at].opened)
}

/// Whether a client is between B1 and its commit, and the store has lost its registration.
pub(crate) fn is_unregistered(setup: &Setup, state: &State) -> bool {
    let is_open = |step| !matches!(step, ClientStep::Idle | ClientStep::Register);
    let is_lost = |at| !state.store.registered.has(session(setup, state, at));
    let is_it = |at: usize| is_open(state.clients[at].step) && is_lost(at);
    setup.budget.returns > 0 && (0..state.clients.len()).any(is_it)
}

fn copies(setup: &Setup, at: usize) -> bool {
    at == 1 && setup.second == Second::Repack
}

fn revives(setup: &Setup, at: usize) -> bool {
    at == 1 && setup.second == Second::Revive
}

/// Opens a session that backs up `content`.
pub(crate) fn open(setup: &Setup, state: &mut State, at: usize, content: Set) {
    state.clients[at].opened += 1;
    state.clients[at].content = content;
    state.clients[at].step = ClientStep::Register;
    state.clients[at].knows_new = state.store.has_new_keys;
    let session = session(setup, state, at);
    // A repacking session is no snapshot: nothing is alive because of it.
    state.store.content[session] = if copies(setup, at) { Set::EMPTY } else { content };
    if setup.lacks(Mutant::RecordsBeforeRegistering) {
        state.clients[at].excluded = state.store.excluded(setup);
    }
}

/// The request that client `at` would make next, if its answer may be lost.
pub(crate) fn request(setup: &Setup, state: &State, at: usize) -> Option<Request> {
    let (client, session) = (&state.clients[at], session(setup, state, at));
    let name = session as u8;
    match client.step {
        ClientStep::Register => Some(Request::Register(name)),
        ClientStep::PutPacks => {
            client.missing.first().map(|chunk| Request::Pack(setup.pack(session, chunk) as u8))
        }
        ClientStep::PutSegment => Some(Request::Segment(name)),
        ClientStep::Commit => Some(Request::Commit(name)),
        _ => None,
    }
}

/// The machine stops; if its session is registered, it will look at it when it starts again.
pub(crate) fn crash(setup: &Setup, state: &mut State, at: usize) {
    state.left.client_crashes -= 1;
    let was_registered = state.store.registered.has(session(setup, state, at));
    rest(state, at);
    if was_registered {
        state.clients[at].step = ClientStep::Settle;
    }
}

fn rest(state: &mut State, at: usize) {
    let client = &mut state.clients[at];
    let (opened, remembered) = (client.opened, client.remembered);
    *client = Client { opened, remembered, ..Default::default() };
}

/// The next step of client `at`, or nothing if it cannot take one.
pub(crate) fn step(setup: &Setup, state: &mut State, at: usize) -> Option<()> {
    let session = session(setup, state, at);
    match state.clients[at].step {
        ClientStep::Idle => return None,
        ClientStep::Register => {
            state.store.registered.insert(session);
            if state.clients[at].knows_new {
                state.store.new_sessions.insert(session);
            }
            state.clients[at].step = match setup.mutant {
                Some(Mutant::RecordsBeforeRegistering) => ClientStep::Choose,
                _ => ClientStep::ReadRecords,
            };
        }
        ClientStep::RegisterAgain => {
            state.store.registered.insert(session);
            state.clients[at].step = ClientStep::Commit;
        }
        ClientStep::ReadRecords => {
            let client = &mut state.clients[at];
            let mut reading = client.reading;
            reading.is_blind = setup.rotates && !client.knows_new;
            if reading.step(&state.store, setup, None, &mut client.excluded) {
                client.step = ClientStep::Choose;
            }
            (client.reading, client.asks) = (reading, reading.asks);
            if reading.is_outdated || reading.is_stopped {
                // It stops with an error; its user begins again, with the new keys.
                rest(state, at);
            }
        }
        ClientStep::Choose => choose(setup, state, at),
        ClientStep::PutPacks => put_pack(setup, state, at)?,
        ClientStep::PutSegment => put_segment(setup, state, at),
        ClientStep::Commit => commit(setup, state, at),
        ClientStep::Look | ClientStep::Settle => look(setup, state, at),
    }
    Some(())
}

/// B4, the listing of own packs and the segment. What happens between the two nobody can see.
fn put_segment(setup: &Setup, state: &mut State, at: usize) {
    let session = session(setup, state, at);
    let own = state.store.uploaded[session].iter().map(|chunk| setup.pack(session, chunk));
    let are_there = own.into_iter().all(|pack| state.store.packs.has(pack));
    let is_put_back = setup.budget.returns > 0 && !are_there;
    if is_put_back && !setup.lacks(Mutant::ListsUnlooked) {
        state.has_given_up = true;
        return rest(state, at);
    }
    state.land(setup, Request::Segment(session as u8));
    state.clients[at].step = ClientStep::Commit;
}

/// B5, the listing of segments and the commit. What happens between the two nobody can see.
fn commit(setup: &Setup, state: &mut State, at: usize) {
    let session = session(setup, state, at);
    let own = state.store.uploaded[session].iter().map(|chunk| setup.pack(session, chunk));
    let known = own.fold(state.clients[at].known, |known, pack| known | Set::of(pack));
    if lost(state, known).is_empty() || setup.lacks(Mutant::CommitsUnlooked) {
        state.store.committed.insert(session);
        state.clients[at].step = ClientStep::Look;
    } else {
        state.has_given_up = true;
        rest(state, at);
    }
}

/// Packs of segments that are gone and that no sweep explains.
fn lost(state: &State, known: Set) -> Set {
    known - state.store.indexed - state.store.named()
}

/// B3: what is indexed and not excluded need not be uploaded.
fn choose(setup: &Setup, state: &mut State, at: usize) {
    let session = session(setup, state, at);
    if !lost(state, state.clients[at].remembered).is_empty()
        && !setup.lacks(Mutant::LostSegmentsIgnored)
    {
        // It reads everything again.
        state.clients[at].remembered = Set::EMPTY;
    }
    let client = &mut state.clients[at];
    let mut known = state.store.indexed;
    if client.asks && !setup.lacks(Mutant::GivenUpTrusted) {
        // It reads everything again, without what is not there.
        client.remembered = Set::EMPTY;
        known = known & state.store.packs;
    }
    if setup.stale_index {
        known |= client.remembered;
        client.remembered |= state.store.indexed;
    }
    if setup.budget.returns > 0 {
        // What the listing of segments shows; what was known before and is gone was explained then.
        client.known = state.store.indexed;
    }
    let mut usable = known - client.excluded;
    if setup.lacks(Mutant::ParentIsTrusted) && state.store.is_snapshot(0) {
        usable |= known & Set::below(setup.chunk_count);
    }
    if at == 1 && matches!(setup.second, Second::Stranger | Second::Repack) {
        usable = Set::EMPTY;
    }
    if setup.lacks(Mutant::RevivesBlindly) && revives(setup, at) {
        usable = known;
    }
    let rules = [Mutant::BelievesUnsigned, Mutant::RefersAcrossDomains, Mutant::RefersToRevoked];
    let believed = state.store.believed(setup, &rules);
    let is_missing = |chunk| !has_copy(setup, usable, chunk) && !believed.has(chunk);
    client.missing = Set::all(setup.chunk_count, is_missing) & client.content;
    (client.excluded, client.asks) = (Set::EMPTY, false);
    state.store.uploaded[session] = client.missing;
    client.step = match client.missing.is_empty() {
        true => ClientStep::Commit,
        false => ClientStep::PutPacks,
    };
    if client.step == ClientStep::PutPacks && revives(setup, at) {
        rest(state, at);
        state.store.uploaded[session] = Set::EMPTY;
    }
}

/// B4: one pack. Who repacks reads the chunk from a pack that is still there.
fn put_pack(setup: &Setup, state: &mut State, at: usize) -> Option<()> {
    let chunk = state.clients[at].missing.first()?;
    let readable = state.store.packs & state.store.indexed;
    if copies(setup, at) && !has_copy(setup, readable, chunk) {
        rest(state, at);
        return Some(());
    }
    let pack = setup.pack(session(setup, state, at), chunk);
    state.store.packs.insert(pack);
    let client = &mut state.clients[at];
    client.missing.remove(chunk);
    if client.missing.is_empty() {
        client.step = ClientStep::PutSegment;
    }
    Some(())
}

/// B5: no fence and no final after the commit means success.
fn look(setup: &Setup, state: &mut State, at: usize) {
    let session = session(setup, state, at);
    let store = &mut state.store;
    let is_contested = store.fenced.has(session) || store.aborted.has(session);
    let is_seen = store.committed.has(session) || setup.lacks(Mutant::ReportsUnseen);
    if is_seen && !is_contested {
        state.told.insert(session);
        if copies(setup, at) && setup.lacks(Mutant::RepackDeletes) {
            let copied = state.clients[at].content;
            copied.iter().for_each(|chunk| store.packs.remove(setup.pack(0, chunk)));
        }
    }
    let content = state.clients[at].content;
    let may_retry = usize::from(state.clients[at].opened) < setup.session_count;
    rest(state, at);
    if setup.lacks(Mutant::RetryKeepsChoice) && is_contested && may_retry {
        open(setup, state, at, content);
        state.clients[at].step = ClientStep::RegisterAgain;
    }
}
