//! What must hold in every state, and what must occur in some.

use stateright::Property;

use crate::collect::Collect;
use crate::collect::setup::{Mutant, Second, Setup};
use crate::collect::state::{ClientStep, Restorer, State};
use crate::set::Set;

/// What restore does not look at.
fn refused(setup: &Setup, state: &State) -> Set {
    match setup.lacks(Mutant::RestoreRefusesSwept) {
        true => state.store.named(),
        false if setup.trims_done => state.store.done(),
        false => Set::EMPTY,
    }
}

fn restores(model: &Collect, state: &State, session: usize) -> bool {
    state.store.is_complete(&model.0, session, refused(&model.0, state))
}

fn every(model: &Collect, holds: impl Fn(usize) -> bool) -> bool {
    (0..model.0.sessions()).all(holds)
}

/// Promises, and the occurrences that this setup allows.
pub(crate) fn all(setup: &Setup) -> Vec<Property<Collect>> {
    let mut all = vec![
        Property::always(
            "S1: what was reported and not forgotten restores",
            |model: &Collect, state: &State| {
                every(model, |session| {
                    let is_gone = state.store.tombed.has(session);
                    !state.told.has(session) || is_gone || restores(model, state, session)
                })
            },
        ),
        Property::always(
            "S1: what is committed and not forgotten restores",
            |model: &Collect, state: &State| {
                every(model, |session| {
                    let is_gone = state.store.tombed.has(session);
                    !state.store.is_snapshot(session) || is_gone || restores(model, state, session)
                })
            },
        ),
        Property::always(
            "S2: what was reported stays a snapshot",
            |model: &Collect, state: &State| {
                every(model, |session| !state.told.has(session) || state.store.is_snapshot(session))
            },
        ),
        Property::always(
            "a restore under a pin finds everything",
            |model: &Collect, state: &State| {
                state.restorer != Restorer::Reading || restores(model, state, 0)
            },
        ),
    ];
    occurrences(setup, &mut all);
    all
}

fn occurrences(setup: &Setup, all: &mut Vec<Property<Collect>>) {
    if setup.mutant.is_some() {
        return;
    }
    all.push(Property::sometimes("garbage goes", |_, state: &State| {
        state.store.generations.iter().any(|at| at.is_done && !at.sweep.is_empty())
    }));
    all.push(Property::sometimes("a condemned pack is spared", |_, state: &State| {
        state.store.generations.iter().any(|at| at.is_swept && at.sweep != at.candidates)
    }));
    if setup.budget.closes > 0 {
        all.push(Property::sometimes("a generation is closed", |_, state: &State| {
            state.store.generations.iter().any(|at| at.is_closed)
        }));
        all.push(Property::sometimes(
            "owner and successor both back off",
            |model: &Collect, state: &State| {
                (0..model.0.generations()).any(|at| {
                    let record = &state.store.generations[at];
                    record.is_void && !record.is_closed && !state.missed_sweep.has(at)
                })
            },
        ));
    }
    if setup.budget.fences > 0 {
        all.push(Property::sometimes(
            "a session is aborted after its commit",
            |_, state: &State| !(state.store.committed & state.store.aborted).is_empty(),
        ));
    }
    what_goes_wrong(setup, all);
    if setup.collector_count > 1 {
        all.push(Property::sometimes("two owners sweep", |_, state: &State| {
            let swept = state.store.generations.iter();
            swept.filter(|at| at.is_done && !at.sweep.is_empty()).count() > 1
        }));
    }
    // Where a tree comes back, what the pin keeps is all that could go: no collection is done beside it.
    if setup.restores && setup.second != Second::Revive {
        all.push(Property::sometimes("only a pin keeps a snapshot", |_, state: &State| {
            let is_forgotten = state.store.tombed.has(0);
            let is_spared = state.store.generations.iter().any(|at| at.is_done);
            state.restorer == Restorer::Reading && is_forgotten && is_spared
        }));
    }
    if setup.second == Second::Revive {
        all.push(Property::sometimes("a tree comes back", |model: &Collect, state: &State| {
            let revived = 1 + model.0.session_count;
            state.store.tombed.has(0) && state.told.has(revived)
        }));
        all.push(Property::sometimes(
            "it is too late for that",
            |model: &Collect, state: &State| {
                let is_open = usize::from(state.clients[1].opened) == model.0.session_count;
                let last = model.0.sessions() - 1;
                let is_given_up = is_open && state.clients[1].step == ClientStep::Idle;
                is_given_up && !state.store.committed.has(last)
            },
        ));
    }
}

/// Where keys change, records rot, or the store is put back.
fn what_goes_wrong(setup: &Setup, all: &mut Vec<Property<Collect>>) {
    if setup.rotates {
        all.push(Property::sometimes(
            "new keys stop a machine",
            |model: &Collect, state: &State| {
                (0..state.clients.len()).any(|at| {
                    let session = crate::collect::client::session(&model.0, state, at);
                    let is_idle = state.clients[at].step == ClientStep::Idle;
                    let has_begun = state.store.registered.has(session) && session > 0;
                    is_idle && has_begun && !state.store.committed.has(session)
                })
            },
        ));
    }
    if setup.budget.rots > 0 {
        all.push(Property::sometimes("a generation is given up", |_, state: &State| {
            state.store.generations.iter().any(|at| at.is_given_up)
        }));
    }
    if setup.budget.returns > 0 {
        all.push(Property::sometimes(
            "a store that was put back stops a commit",
            |_, state: &State| state.has_given_up,
        ));
        all.push(Property::sometimes("a snapshot is made after it", |_, state: &State| {
            state.left.returns == 0 && !state.told.is_empty()
        }));
    }
}
