//! New snapshots: looked for when somebody lists what there is, and not more often than asked for. A mount
//! that nobody looks into asks the store nothing.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use engine::base::time::Clock;

/// Whoever lists snapshots waits so long for a look at the store, then sees what was there before.
const PATIENCE: Duration = Duration::from_secs(2);
/// A look that failed is repeated sooner.
const AGAIN: Duration = Duration::from_secs(10);

/// When it was looked, and whether somebody wants to know.
pub struct Fresh {
    interval: Duration,
    clock: Arc<dyn Clock>,
    state: Mutex<State>,
    changed: Condvar,
}

struct State {
    /// When the last look ended.
    looked: Duration,
    /// How long what it found may be shown.
    good_for: Duration,
    is_wanted: bool,
    is_over: bool,
}

impl Fresh {
    /// Looked just now.
    #[must_use]
    pub fn new(interval: Duration, clock: Arc<dyn Clock>) -> Self {
        let looked = clock.monotonic();
        let state = State { looked, good_for: interval, is_wanted: false, is_over: false };
        Self { interval, clock, state: Mutex::new(state), changed: Condvar::new() }
    }

    fn is_old(&self, state: &State) -> bool {
        self.clock.monotonic().saturating_sub(state.looked) >= state.good_for
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Somebody lists snapshots: waits for a look if the last was long ago.
    pub fn wait(&self) {
        let mut state = self.lock();
        if !self.is_old(&state) || state.is_over {
            return;
        }
        state.is_wanted = true;
        self.changed.notify_all();
        let is_old = |state: &mut State| self.is_old(state) && !state.is_over;
        let _ = self.changed.wait_timeout_while(state, PATIENCE, is_old);
    }

    /// Looks whenever it is wanted, until that is over; `look` answers whether it could.
    pub fn run(&self, look: &dyn Fn() -> bool) {
        let mut state = self.lock();
        loop {
            let is_idle = |state: &mut State| !state.is_wanted && !state.is_over;
            state = self.changed.wait_while(state, is_idle).unwrap_or_else(PoisonError::into_inner);
            if state.is_over {
                return;
            }
            state.is_wanted = false;
            drop(state);
            let could = look();
            state = self.lock();
            state.looked = self.clock.monotonic();
            state.good_for = if could { self.interval } else { self.interval.min(AGAIN) };
            self.changed.notify_all();
        }
    }

    /// It is over.
    pub fn stop(&self) {
        self.lock().is_over = true;
        self.changed.notify_all();
    }
}
