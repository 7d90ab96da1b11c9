//! Where all machines meet: every request waits here until the simulation lets it through.
//!
//! One request has its effect at a time, and none while some machine still computes. So the order
//! of effects is that of the seed, although each machine runs its own threads as always.

use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use system_tests::store::hook::{Moment, Verdict};

#[derive(Debug, Default)]
struct Place {
    is_running: bool,
    waiting: VecDeque<u64>,
}

#[derive(Debug, Default)]
struct State {
    places: Vec<Place>,
    tickets: u64,
    /// Requests that may go on, with what becomes of them.
    called: Vec<(u64, Verdict)>,
    /// A request that went on has not had its effect yet.
    is_busy: bool,
}

/// The meeting place; clones are the same.
#[derive(Debug, Clone, Default)]
pub(crate) struct Hall {
    shared: Arc<(Mutex<State>, Condvar)>,
}

impl Hall {
    pub(crate) fn new(machine_count: usize) -> Self {
        let hall = Self::default();
        hall.state().places.resize_with(machine_count, Place::default);
        hall
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.shared.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wait<'a>(&self, state: MutexGuard<'a, State>) -> MutexGuard<'a, State> {
        self.shared.1.wait(state).unwrap_or_else(PoisonError::into_inner)
    }

    /// A request of a machine, before and after its effect; called on a thread of its store.
    pub(crate) fn pass(&self, machine: usize, moment: Moment) -> Verdict {
        let mut state = self.state();
        if moment == Moment::After {
            state.is_busy = false;
            self.shared.1.notify_all();
            return Verdict::Go;
        }
        let ticket = state.tickets;
        state.tickets += 1;
        state.places[machine].waiting.push_back(ticket);
        self.shared.1.notify_all();
        loop {
            if let Some(at) = state.called.iter().position(|(called, _)| *called == ticket) {
                return state.called.swap_remove(at).1;
            }
            state = self.wait(state);
        }
    }

    /// A machine begins something.
    pub(crate) fn begin(&self, machine: usize) {
        self.state().places[machine].is_running = true;
    }

    /// A machine has ended what it began.
    pub(crate) fn end(&self, machine: usize) {
        self.state().places[machine].is_running = false;
        self.shared.1.notify_all();
    }

    /// Waits until every machine that does something waits here, and says which these are.
    pub(crate) fn waiting(&self) -> Vec<usize> {
        let mut state = self.state();
        loop {
            let is_waiting = |place: &Place| !place.waiting.is_empty();
            let computes = |place: &Place| place.is_running && !is_waiting(place);
            if !state.is_busy && !state.places.iter().any(computes) {
                let places = state.places.iter().enumerate();
                return places.filter(|(_, place)| is_waiting(place)).map(|(at, _)| at).collect();
            }
            state = self.wait(state);
        }
    }

    /// Lets the oldest request of a machine through.
    pub(crate) fn call(&self, machine: usize) {
        let mut state = self.state();
        if let Some(ticket) = state.places[machine].waiting.pop_front() {
            state.called.push((ticket, Verdict::Go));
            state.is_busy = true;
        }
        self.shared.1.notify_all();
    }

    /// Ends a machine: none of its requests has an effect any more.
    pub(crate) fn crash(&self, machine: usize) {
        let mut state = self.state();
        let waiting = std::mem::take(&mut state.places[machine].waiting);
        state.called.extend(waiting.into_iter().map(|ticket| (ticket, Verdict::Crash)));
        self.shared.1.notify_all();
    }
}
