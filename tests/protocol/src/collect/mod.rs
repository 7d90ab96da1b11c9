//! Machines deduplicate while collectors delete.
//!
//! | of `docs/GC.md` | here | in the engine |
//! |---|---|---|
//! | B1 to B5, restart | [`client`] | `backup`, `repo/session.rs` |
//! | O1 to O11 | [`owner`] | `gc` |
//! | rule X | [`reading`] | `repo/generations.rs`, `index/collections.rs` |
//! | F1 to F3, K1 to K3, forgetting, pins | [`surroundings`] | `repo/session.rs`, `gc`, `retain` |
//!
//! What is coarser than the real thing, and why that is no loss:
//!
//! * *A pack holds one chunk.* A pack of many chunks is deleted when all of them may go.
//! * *Condemn and sweep are read together.* Both are there for good once they are there, and a
//!   sweep names a part of what the condemn names. So a reader that looks at one after the other
//!   finds what is there at one of the two moments, or more.
//! * *The first mark is one step.* Any set of candidates is safe; it is the second look that counts.
//! * *Who forges signs nothing.* What it may write that is believed by whoever keeps to the rules is
//!   what any client may write. So a claim is only what it lacks, and without a mutant it is looked
//!   at by nobody.
//! * *Keys are changed once*, and a machine has the keys of the moment when it began. What has names of
//!   newer keys it either passes over or is stopped by; flags of fencers and successors, which it would
//!   be stopped by as well, are visible to all.
//! * *A record of past generations is a generation that is done*: if it rots, a reader knows as little. A
//!   generation is given up when nobody deletes anything for it any more, requests under way among that.
//! * *A store that is put back* takes nothing from collectors that are at work, and none begins as long as a
//!   run is under way whose registration went with that: nothing tells a collector of it.
//! * *A repeated request is one in `under_way` and one that was answered.* Without the repetition,
//!   the machine has crashed.

/// What a run consists of.
pub mod setup;
/// Everything at one moment.
pub mod state;
/// What a reader makes of records of collections.
pub mod reading;
/// Machines that back up.
pub mod client;
/// Machines that collect.
pub mod owner;
/// Everybody else.
pub mod surroundings;
/// What must hold, and what must occur.
pub mod promises;

use stateright::{Model, Property};

use crate::collect::owner::Keep;
use crate::collect::setup::{Mutant, Setup};
use crate::collect::state::{ClientStep, OwnerStep, State};
use crate::collect::surroundings::Event;
use crate::set::Set;

/// Deduplication and collection.
#[derive(Debug, Clone)]
pub struct Collect(pub Setup);

/// What happens next.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Action {
    /// A client begins to back up these chunks.
    Open(usize, Set),
    /// A client takes its next step.
    Client(usize),
    /// The request of its next step goes out without an answer; it will make it again.
    ClientLoses(usize),
    /// A client crashes.
    ClientCrashes(usize),
    /// A collector begins.
    Begin(usize, Keep),
    /// It takes its next step.
    Owner(usize),
    /// The request of its next step goes out without an answer.
    OwnerLoses(usize),
    /// It crashes.
    OwnerCrashes(usize),
    /// With [`Mutant::GenerationTakenOver`]: it goes on with the generation of another.
    TakeOver(usize, usize),
    /// Somebody else does something.
    Other(Event),
}

impl Collect {
    fn client_actions(&self, state: &State, at: usize, actions: &mut Vec<Action>) {
        let (setup, client) = (&self.0, &state.clients[at]);
        match client.step {
            ClientStep::Idle => {
                if usize::from(client.opened) < setup.session_count {
                    let contents = (1..1_u16 << setup.chunk_count)
                        .map(|bits| Set::all(setup.chunk_count, |chunk| bits >> chunk & 1 == 1));
                    actions.extend(contents.map(|content| Action::Open(at, content)));
                }
                return;
            }
            _ => actions.push(Action::Client(at)),
        }
        if state.left.lost_requests > 0 && client::request(setup, state, at).is_some() {
            actions.push(Action::ClientLoses(at));
        }
        if state.left.client_crashes > 0 && client.step != ClientStep::Settle {
            actions.push(Action::ClientCrashes(at));
        }
    }

    fn owner_actions(&self, state: &State, at: usize, actions: &mut Vec<Action>) {
        let (setup, owner) = (&self.0, &state.owners[at]);
        if owner.step == OwnerStep::Mark {
            if usize::from(owner.opened) < setup.generation_count
                && !client::is_unregistered(setup, state)
            {
                let oldest = owner::candidates(setup, state, Keep::Oldest);
                let newest = owner::candidates(setup, state, Keep::Newest);
                if !oldest.is_empty() {
                    actions.push(Action::Begin(at, Keep::Oldest));
                }
                if !newest.is_empty() && newest != oldest {
                    actions.push(Action::Begin(at, Keep::Newest));
                }
            }
            if setup.lacks(Mutant::GenerationTakenOver) {
                let generations = &state.store.generations[..setup.generations()];
                for (generation, record) in generations.iter().enumerate() {
                    let is_foreign = generation / setup.generation_count != at;
                    if is_foreign && record.is_condemned && !record.is_swept {
                        actions.push(Action::TakeOver(at, generation));
                    }
                }
            }
            return;
        }
        actions.push(Action::Owner(at));
        if state.left.lost_requests > 0 && owner::request(state, at).is_some() {
            actions.push(Action::OwnerLoses(at));
        }
        if state.left.collector_crashes > 0 {
            actions.push(Action::OwnerCrashes(at));
        }
    }
}

impl Model for Collect {
    type State = State;
    type Action = Action;

    fn init_states(&self) -> Vec<State> {
        vec![State::first(&self.0)]
    }

    fn actions(&self, state: &State, actions: &mut Vec<Action>) {
        for at in 0..state.clients.len() {
            self.client_actions(state, at, actions);
        }
        for at in 0..self.0.collector_count {
            self.owner_actions(state, at, actions);
        }
        surroundings::events(&self.0, state, |event| actions.push(Action::Other(event)));
    }

    fn next_state(&self, before: &State, action: Action) -> Option<State> {
        let (setup, mut state) = (&self.0, before.clone());
        match action {
            Action::Open(at, content) => client::open(setup, &mut state, at, content),
            Action::Client(at) => client::step(setup, &mut state, at)?,
            Action::ClientLoses(at) => {
                let request = client::request(setup, before, at)?;
                state.lose(request);
            }
            Action::ClientCrashes(at) => client::crash(setup, &mut state, at),
            Action::Begin(at, keep) => owner::begin(setup, &mut state, at, keep)?,
            Action::Owner(at) => owner::step(setup, &mut state, at)?,
            Action::OwnerLoses(at) => {
                let request = owner::request(before, at)?;
                let owner = &state.owners[at];
                if owner.step == OwnerStep::Sweep {
                    state.store.generations[usize::from(owner.generation)].sweep = owner.doomed;
                }
                state.lose(request);
            }
            Action::OwnerCrashes(at) => owner::crash(&mut state, at),
            Action::TakeOver(at, generation) => owner::take_over(&mut state, at, generation),
            Action::Other(event) => surroundings::apply(setup, &mut state, event),
        }
        state.drop_spent();
        Some(state)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        promises::all(&self.0)
    }
}
