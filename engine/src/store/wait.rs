//! Waiting for a store: when it was last heard of, who is told, and when waiting ends.
//!
//! A store that is silent for seconds looks like a program that hangs, so whoever opens a store can
//! be told while it waits. The same place notices that the user wants to stop: a request that hangs
//! would otherwise hold the process for as long as its time limit.

use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use crate::base::error::in_one_line;
use crate::base::limits::{
    CONNECT_TIMEOUT_MS, STORE_CANCEL_MS, STORE_LATE_MS, STORE_OPENING_MS, STORE_SILENCE_MS,
};
use crate::base::time::{Clock, SystemClock};
use crate::store::error::StoreError;

/// What somebody is told while a store is waited for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Waiting {
    /// How long nothing came from the store.
    pub silent_ms: u64,
    /// Why the attempt before this one failed; `None` if it has not.
    pub last_failure: Option<String>,
}

/// Is told while a store is silent.
pub type Tell = dyn Fn(&Waiting) + Send + Sync;

/// Who is told, and who says when to stop.
#[derive(Clone, Default)]
pub struct Watch {
    /// Called about ten times a second while the store is silent; returns quickly.
    pub on_wait: Option<Arc<Tell>>,
    /// Called once when it is heard of again after somebody was told.
    pub on_answer: Option<Arc<dyn Fn() + Send + Sync>>,
    /// Whether the user wants to stop.
    pub is_cancelled: Option<Arc<dyn Fn() -> bool + Send + Sync>>,
}

impl fmt::Debug for Watch {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Watch").finish_non_exhaustive()
    }
}

/// What is known of the other side; shared by all requests of one store.
#[derive(Debug)]
pub(crate) struct Heard {
    clock: SystemClock,
    /// How long a store is waited for that has never answered.
    opening_ms: u64,
    last_ms: AtomicU64,
    /// Whether an answer ever began, whatever it was.
    is_speaking: AtomicBool,
    /// Whether an answer ever came that could be believed.
    is_answered: AtomicBool,
    /// Whether the first answer was waited for in vain.
    is_given_up: AtomicBool,
    /// When it was first seen that the user wants to stop; 0 if that was not seen.
    cancelled_ms: AtomicU64,
    /// Whether somebody was told of the present silence.
    is_told: AtomicBool,
    watch: Mutex<Watch>,
    last_failure: Mutex<Option<String>>,
}

impl Default for Heard {
    fn default() -> Self {
        Self::new(Watch::default(), STORE_OPENING_MS)
    }
}

impl Heard {
    /// Nothing was heard yet; a store that never answers is given up after `opening_ms`.
    pub(crate) fn new(watch: Watch, opening_ms: u64) -> Self {
        Self {
            clock: SystemClock::default(),
            opening_ms,
            last_ms: AtomicU64::new(0),
            is_speaking: AtomicBool::new(false),
            is_answered: AtomicBool::new(false),
            is_given_up: AtomicBool::new(false),
            cancelled_ms: AtomicU64::new(0),
            is_told: AtomicBool::new(false),
            watch: Mutex::new(watch),
            last_failure: Mutex::default(),
        }
    }

    fn now_ms(&self) -> u64 {
        self.clock.monotonic().as_millis() as u64
    }

    /// Something came, or a request begins that breaks the silence from our side.
    pub(crate) fn sign(&self) {
        self.last_ms.store(self.now_ms(), Ordering::Relaxed);
        if self.is_told.swap(false, Ordering::Relaxed) {
            let watch = self.watch.lock().unwrap_or_else(PoisonError::into_inner).clone();
            if let Some(answer) = watch.on_answer {
                answer();
            }
        }
    }

    /// A request could be carried out.
    pub(crate) fn answered(&self) {
        self.is_answered.store(true, Ordering::Relaxed);
        *self.last_failure.lock().unwrap_or_else(PoisonError::into_inner) = None;
        self.sign();
    }

    /// An attempt failed and will be repeated.
    pub(crate) fn failed(&self, error: &StoreError) {
        let words = match std::error::Error::source(error) {
            Some(source) => in_one_line(source),
            None => in_one_line(error),
        };
        *self.last_failure.lock().unwrap_or_else(PoisonError::into_inner) = Some(words);
    }

    /// An answer began: something on the other side works, and has its own time.
    pub(crate) fn speaks(&self) {
        self.is_speaking.store(true, Ordering::Relaxed);
        self.sign();
    }

    /// How long a store that has never answered is waited for, in milliseconds.
    pub(crate) fn opening_ms(&self) -> u64 {
        self.opening_ms
    }

    /// How long a connection may take to come about, in milliseconds: less than that, so that this is
    /// what is said if none does.
    pub(crate) fn connect_ms(&self) -> u64 {
        CONNECT_TIMEOUT_MS.min(self.opening_ms - self.opening_ms / 8)
    }

    /// The store was waited for in vain: whoever asks it something else all the same, to tidy up, does
    /// not wait for as long again.
    pub(crate) fn gave_up(&self) {
        self.is_given_up.store(true, Ordering::Relaxed);
    }

    /// How long the next answer may take to begin: `None` for as long as the request itself may
    /// take, because the store is known to answer.
    pub(crate) fn first_answer_limit(&self) -> Option<Duration> {
        let is_speaking = self.is_speaking.load(Ordering::Relaxed);
        let limit_ms = match self.is_given_up.load(Ordering::Relaxed) {
            true => STORE_CANCEL_MS.min(self.opening_ms),
            false => self.opening_ms,
        };
        (!is_speaking).then_some(Duration::from_millis(limit_ms))
    }

    /// How long the rest of an answer may stall: `None` as above.
    pub(crate) fn stall_limit(&self) -> Option<Duration> {
        (!self.has_answered()).then_some(Duration::from_millis(self.opening_ms))
    }

    /// Whether the store has answered since it was opened.
    pub(crate) fn has_answered(&self) -> bool {
        self.is_answered.load(Ordering::Relaxed)
    }

    /// Waits for `work`, telling and asking the watch meanwhile. `patience_ms` is silence that the
    /// request itself explains: an upload is heard of only when it has ended.
    pub(crate) async fn watched<T>(
        &self,
        patience_ms: u64,
        work: impl Future<Output = Result<T, StoreError>>,
    ) -> Result<T, StoreError> {
        let mut work = std::pin::pin!(work);
        let began_ms = self.now_ms();
        loop {
            if let Ok(done) = tokio::time::timeout(TICK, &mut work).await {
                return done;
            }
            let watch = self.watch.lock().unwrap_or_else(PoisonError::into_inner).clone();
            let now_ms = self.now_ms();
            if watch.is_cancelled.as_ref().is_some_and(|is_cancelled| is_cancelled()) {
                // Moments below one millisecond count as the first.
                let now_ms = now_ms.max(1);
                let first = self.cancelled_ms.compare_exchange(
                    0,
                    now_ms,
                    Ordering::Relaxed,
                    Ordering::Relaxed,
                );
                let since_ms = first.err().unwrap_or(now_ms);
                let is_late = now_ms.saturating_sub(since_ms) >= STORE_CANCEL_MS;
                if is_late && now_ms.saturating_sub(began_ms) >= STORE_LATE_MS {
                    return Err(StoreError::Interrupted);
                }
            }
            let heard_ms = self.last_ms.load(Ordering::Relaxed).max(began_ms.min(now_ms));
            let silent_ms = now_ms.saturating_sub(heard_ms);
            if silent_ms >= STORE_SILENCE_MS + patience_ms
                && let Some(tell) = &watch.on_wait
            {
                let failure = self.last_failure.lock().unwrap_or_else(PoisonError::into_inner);
                let last_failure = failure.clone();
                drop(failure);
                self.is_told.store(true, Ordering::Relaxed);
                tell(&Waiting { silent_ms, last_failure });
            }
        }
    }
}

/// How often a wait is looked at.
const TICK: Duration = Duration::from_millis(100);

#[cfg(test)]
mod tests {
    use super::*;

    fn run<T>(work: impl Future<Output = T>) -> T {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        runtime.expect("a runtime").block_on(work)
    }

    #[test]
    fn silence_is_told_once_it_lasts_and_ends_with_an_answer() {
        let told = Arc::new(Mutex::new(Vec::new()));
        let ended = Arc::new(AtomicBool::new(false));
        let (to, end) = (Arc::clone(&told), Arc::clone(&ended));
        let watch = Watch {
            on_wait: Some(Arc::new(move |wait: &Waiting| {
                to.lock().expect("not poisoned").push(wait.clone());
            })),
            on_answer: Some(Arc::new(move || end.store(true, Ordering::Relaxed))),
            is_cancelled: None,
        };
        let heard = Heard::new(watch, STORE_OPENING_MS);
        heard.failed(&StoreError::Interrupted);
        let sleep = |ms| tokio::time::sleep(Duration::from_millis(ms));
        run(heard.watched(0, async {
            sleep(1000).await;
            Ok(())
        }))
        .expect("it ends");
        assert!(told.lock().expect("not poisoned").is_empty(), "a second is no silence");
        run(heard.watched(0, async {
            sleep(STORE_SILENCE_MS + 1000).await;
            Ok(())
        }))
        .expect("it ends");
        let told = told.lock().expect("not poisoned");
        let first = told.first().expect("somebody was told");
        assert!(first.silent_ms >= STORE_SILENCE_MS && first.last_failure.is_some(), "{first:?}");
        assert!(!ended.load(Ordering::Relaxed));
        heard.answered();
        assert!(ended.load(Ordering::Relaxed) && heard.has_answered());
    }

    #[test]
    fn who_wants_to_stop_does_not_wait_for_a_request_that_hangs() {
        let watch = Watch { is_cancelled: Some(Arc::new(|| true)), ..Watch::default() };
        let heard = Heard::new(watch, STORE_OPENING_MS);
        let clock = SystemClock::default();
        let ended = run(heard.watched(0, std::future::pending::<Result<(), StoreError>>()));
        assert!(matches!(ended, Err(StoreError::Interrupted)));
        assert!(clock.monotonic() < Duration::from_millis(STORE_CANCEL_MS + 1500));
        // The next ones do not have that time again, and are still done if they are quick.
        let before = clock.monotonic();
        for _ in 0..3 {
            let ended = run(heard.watched(0, std::future::pending::<Result<(), StoreError>>()));
            assert!(matches!(ended, Err(StoreError::Interrupted)));
        }
        assert!(clock.monotonic() - before < Duration::from_millis(3 * (STORE_LATE_MS + 250)));
        run(heard.watched(0, async { Ok(()) })).expect("it is done");
    }
}
