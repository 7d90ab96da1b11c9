//! One machine commits; fencers and a forger interfere; retention counts.
//!
//! | of `docs/GC.md` | here | in the engine |
//! |---|---|---|
//! | B5 | `Step::Commit` to `Step::Confirm` | `repo/session.rs`: `commit` |
//! | after a crash | `Step::Settle`, `Step::SettleAgain` | `repo/session.rs`: `settle` |
//! | F1 to F3 | `Action::Fence` to `Action::Final` | `repo/session.rs`: `fence` |
//! | what counts as a snapshot | [`state::Count`] | `repo/commits.rs`: `standing`; `index/catalog.rs` |
//! | retention | `Action::Count`, `Action::Forget` | `retain` |
//!
//! Retention is the strictest policy there is: keep the newest snapshot, forget all others. If it
//! counts one that later turns out to be none, nothing is left. The forger may write anything into
//! the store but has no key: it makes fences, finals and confirmations that look right until their
//! signatures are checked.

/// What a run consists of.
pub mod setup;
/// Everything at one moment, and how it changes.
pub mod state;

use stateright::{Model, Property};

use crate::commit::setup::{Mutant, Setup};
use crate::commit::state::{State, Step};

/// Commits and fences.
#[derive(Debug, Clone)]
pub struct Commit(pub Setup);

/// What happens next.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Action {
    /// The client opens its next session, with everything uploaded already.
    Open,
    /// The client takes its next step.
    Client,
    /// The PUT of its next step goes out, and may land at any time; the client makes it again.
    ClientLoses,
    /// The client crashes.
    ClientCrashes,
    /// Somebody copies the memory of the client's machine, and it goes on a second time.
    Clone,
    /// The client's twin takes its next step.
    Twin,
    /// A PUT without an answer lands: a commit.
    CommitLands(usize),
    /// A PUT without an answer lands: a confirmation.
    ConfirmLands(usize),
    /// The same, of the commit of the twin.
    TwinConfirmLands(usize),
    /// F1.
    Fence(usize),
    /// F2: a fencer sees no commit.
    FencerSeesNoCommit(usize),
    /// F3.
    Final(usize),
    /// Somebody without a key writes what looks like a fence.
    ForgeFence(usize),
    /// The same for a final.
    ForgeFinal(usize),
    /// The same for a confirmation.
    ForgeConfirm(usize),
    /// Retention reads the next part of its listing.
    Count,
    /// Retention puts one tombstone.
    Forget,
}

impl Commit {
    fn others(&self, state: &State, actions: &mut Vec<Action>) {
        let setup = &self.0;
        for session in 1..=state.opened() {
            if state.left.fences > 0 && !state.fenced.has(session) {
                actions.push(Action::Fence(session));
            }
            let committed = state.committed | state.twin.committed;
            let sees_none = !committed.has(session) || setup.lacks(Mutant::FinalWithoutLook);
            if state.fenced.has(session) && sees_none && !state.missed.has(session) {
                actions.push(Action::FencerSeesNoCommit(session));
            }
            if state.missed.has(session) && !state.aborted.has(session) {
                actions.push(Action::Final(session));
            }
            if state.left.forgeries > 0 {
                let forged = state.forged;
                let kinds = [
                    (forged.fences, Action::ForgeFence(session)),
                    (forged.finals, Action::ForgeFinal(session)),
                    (forged.confirms | state.confirmed, Action::ForgeConfirm(session)),
                ];
                let new = kinds.into_iter().filter(|(done, _)| !done.has(session));
                actions.extend(new.map(|(_, action)| action));
            }
            if state.commits_under_way.has(session) {
                actions.push(Action::CommitLands(session));
            }
            if state.confirms_under_way.has(session) {
                actions.push(Action::ConfirmLands(session));
            }
            if state.twin.confirms_under_way.has(session) {
                actions.push(Action::TwinConfirmLands(session));
            }
        }
    }
}

impl Model for Commit {
    type State = State;
    type Action = Action;

    fn init_states(&self) -> Vec<State> {
        vec![State::first(&self.0)]
    }

    fn actions(&self, state: &State, actions: &mut Vec<Action>) {
        match state.step {
            Step::Idle => {
                if state.opened() < self.0.session_count {
                    actions.push(Action::Open);
                }
            }
            step => {
                actions.push(Action::Client);
                if state.left.lost_requests > 0 && matches!(step, Step::Commit | Step::Confirm) {
                    actions.push(Action::ClientLoses);
                }
                if state.left.crashes > 0 {
                    actions.push(Action::ClientCrashes);
                }
            }
        }
        if state.step == Step::Commit && state.left.clones > 0 {
            actions.push(Action::Clone);
        }
        if state.twin.step != Step::Idle {
            actions.push(Action::Twin);
        }
        self.others(state, actions);
        if state.count.runs_left > 0 {
            actions.push(match state.count.to_forget.is_empty() {
                true => Action::Count,
                false => Action::Forget,
            });
        }
    }

    fn next_state(&self, before: &State, action: Action) -> Option<State> {
        let mut state = before.clone();
        match action {
            Action::Open => state.open(),
            Action::Client => state.step(&self.0),
            Action::Clone => state.clone_client(),
            Action::Twin => state.step_twin(&self.0),
            Action::ClientLoses => state.lose(),
            Action::ClientCrashes => state.crash(),
            Action::CommitLands(session) => {
                state.committed.insert(session);
                state.commits_under_way.remove(session);
            }
            Action::ConfirmLands(session) => {
                state.put_confirm(session);
                state.confirms_under_way.remove(session);
            }
            Action::TwinConfirmLands(session) => {
                state.put_twin_confirm(session);
                state.twin.confirms_under_way.remove(session);
            }
            Action::Fence(session) => {
                state.fenced.insert(session);
                state.left.fences -= 1;
            }
            Action::FencerSeesNoCommit(session) => state.missed.insert(session),
            Action::Final(session) => state.aborted.insert(session),
            Action::ForgeFence(session) => {
                state.forged.fences.insert(session);
                state.left.forgeries -= 1;
            }
            Action::ForgeFinal(session) => {
                state.forged.finals.insert(session);
                state.left.forgeries -= 1;
            }
            Action::ForgeConfirm(session) => {
                state.forged.confirms.insert(session);
                state.left.forgeries -= 1;
            }
            Action::Count => state.count(&self.0),
            Action::Forget => state.forget()?,
        }
        Some(state)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        let mut all = vec![
            Property::always(
                "S2: what was reported stays a snapshot",
                |model: &Self, state: &State| {
                    state.told.iter().all(|at| state.is_snapshot(&model.0, at))
                        && state.twin.told.iter().all(|at| state.is_twin_snapshot(&model.0, at))
                },
            ),
            Property::always("what was reported counts", |model: &Self, state: &State| {
                state.told.iter().all(|at| state.counts(&model.0, at).0)
                    && state.twin.told.iter().all(|at| state.counts(&model.0, at).1)
            }),
            Property::always("what was counted stays a snapshot", |_, state: &State| {
                let counted = state.counted - state.twin.confirmed;
                let of_twin = state.twin.counted - state.confirmed;
                let is_lost = |at| state.aborted.has(at) || state.is_contested_for_ever(at);
                counted == state.counted
                    && of_twin == state.twin.counted
                    && !(counted | of_twin).iter().any(is_lost)
            }),
            Property::always("retention leaves a snapshot", |_, state: &State| {
                let all = state.committed | state.twin.committed;
                !(all - state.aborted - state.tombed).is_empty()
            }),
        ];
        if self.0.mutant.is_none() {
            all.extend([
                Property::sometimes("something is forgotten", |_, state: &State| {
                    !state.tombed.is_empty()
                }),
                Property::sometimes("a commit comes after its final", |_, state: &State| {
                    !(state.committed & state.aborted).is_empty()
                }),
                Property::sometimes("both back off", |_, state: &State| {
                    let both = (state.committed & state.fenced) - state.missed - state.told;
                    state.step == Step::Idle && both.has(state.opened())
                }),
                Property::sometimes("twins both back off", |model: &Self, state: &State| {
                    let both = (state.committed & state.twin.committed) - state.told;
                    let is_over = state.step == Step::Idle && state.twin.step == Step::Idle;
                    model.0.budget.clones == 0 || (is_over && !(both - state.twin.told).is_empty())
                }),
                Property::sometimes(
                    "a twin's commit is a snapshot",
                    |model: &Self, state: &State| {
                        model.0.budget.clones == 0 || !state.twin.told.is_empty()
                    },
                ),
                Property::sometimes(
                    "a late fence meets a reported snapshot",
                    |_, state: &State| !(state.told & state.fenced).is_empty(),
                ),
            ]);
        }
        all
    }
}
