//! Waiting for a store: when it was last heard of, who is told, and when waiting ends.
//!
//! A store that is silent for seconds looks like a program that hangs, so whoever opens a store can
//! be told while it waits. The same place notices that the user wants to stop: a request that hangs
//! would otherwise hold the process for as long as its time limit.

use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use crate::base::error::{Classified, ErrorClass, in_one_line};
use crate::base::limits::{
    CONNECT_TIMEOUT_MS, STORE_CANCEL_MS, STORE_LATE_MS, STORE_OPENING_MS, STORE_OUTAGE_MS,
    STORE_SILENCE_MS,
};
use crate::base::time::{Clock, SystemClock, Timestamp};
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
    /// How long one that has answered and goes away is tried.
    outage_ms: AtomicU64,
    last_ms: AtomicU64,
    /// Whether an answer ever began, whatever it was.
    is_speaking: AtomicBool,
    /// Whether an answer ever came that could be believed.
    is_answered: AtomicBool,
    /// Whether the first answer was waited for in vain.
    is_given_up: AtomicBool,
    /// When it was first seen that the user wants to stop; 0 if that was not seen.
    cancelled_ms: AtomicU64,
    /// Operations at present of whose silence somebody was told.
    told_count: AtomicU64,
    watch: Mutex<Watch>,
    /// What the clock of the store showed in its last answer, as it writes it, and ours then.
    date: Mutex<Option<(String, Timestamp)>>,
}

/// One operation that is waited for: whether it failed and is tried again.
#[derive(Debug, Default)]
pub(crate) struct Attempts {
    last_failure: Mutex<Option<String>>,
}

impl Attempts {
    /// One failed, and another will be made.
    pub(crate) fn failed(&self, error: &StoreError) {
        let words = match std::error::Error::source(error) {
            Some(source) => in_one_line(source),
            None => in_one_line(error),
        };
        *self.last_failure.lock().unwrap_or_else(PoisonError::into_inner) = Some(words);
    }

    fn last_failure(&self) -> Option<String> {
        self.last_failure.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
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
            outage_ms: AtomicU64::new(STORE_OUTAGE_MS),
            last_ms: AtomicU64::new(0),
            is_speaking: AtomicBool::new(false),
            is_answered: AtomicBool::new(false),
            is_given_up: AtomicBool::new(false),
            cancelled_ms: AtomicU64::new(0),
            told_count: AtomicU64::new(0),
            watch: Mutex::new(watch),
            date: Mutex::default(),
        }
    }

    fn now_ms(&self) -> u64 {
        self.clock.monotonic().as_millis() as u64
    }

    /// Something came, or a request begins that breaks the silence from our side.
    pub(crate) fn sign(&self) {
        self.last_ms.store(self.now_ms(), Ordering::Relaxed);
    }

    /// A request could be carried out.
    pub(crate) fn answered(&self) {
        self.is_answered.store(true, Ordering::Relaxed);
        self.sign();
    }

    /// An answer says what time it is.
    pub(crate) fn dated(&self, date: &str) {
        let seen = Some((date.to_owned(), self.clock.now()));
        *self.date.lock().unwrap_or_else(PoisonError::into_inner) = seen;
    }

    /// What the clocks of the store and of this machine showed when it last answered.
    pub(crate) fn clocks(&self) -> Option<(Timestamp, Timestamp)> {
        let date = self.date.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let (date, here) = date?;
        let there = jiff::fmt::rfc2822::parse(&date).ok()?;
        Some((Timestamp { seconds: there.timestamp().as_second(), nanos: 0 }, here))
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

    /// How long a store that has answered before is tried when it goes away, in milliseconds.
    pub(crate) fn outage_ms(&self) -> u64 {
        self.outage_ms.load(Ordering::Relaxed)
    }

    /// Changes that.
    pub(crate) fn bear_outages_for(&self, outage_ms: u64) {
        self.outage_ms.store(outage_ms, Ordering::Relaxed);
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

    /// Whether the user wants to stop.
    pub(crate) fn is_cancelled(&self) -> bool {
        self.watch().is_cancelled.is_some_and(|is_cancelled| is_cancelled())
    }

    fn watch(&self) -> Watch {
        self.watch.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Waits for `work`, telling and asking the watch meanwhile. `patience_ms` is silence that the
    /// request itself explains: an upload is heard of only when it has ended. While its attempts fail,
    /// nothing that comes from the store ends the silence.
    pub(crate) async fn watched<T>(
        &self,
        patience_ms: u64,
        attempts: &Attempts,
        work: impl Future<Output = Result<T, StoreError>>,
    ) -> Result<T, StoreError> {
        let mut work = std::pin::pin!(work);
        let began_ms = self.now_ms();
        let mut is_told = false;
        let done = loop {
            if let Ok(done) = tokio::time::timeout(TICK, &mut work).await {
                break done;
            }
            if self.is_abandoned(began_ms) {
                break Err(StoreError::Interrupted);
            }
            let last_failure = attempts.last_failure();
            let heard_ms = match last_failure {
                Some(_) => began_ms,
                None => self.last_ms.load(Ordering::Relaxed).max(began_ms),
            };
            let silent_ms = self.now_ms().saturating_sub(heard_ms);
            if silent_ms < STORE_SILENCE_MS + patience_ms {
                if std::mem::take(&mut is_told) {
                    self.is_over(true);
                }
            } else if let Some(tell) = &self.watch().on_wait {
                if !std::mem::replace(&mut is_told, true) {
                    self.told_count.fetch_add(1, Ordering::Relaxed);
                }
                tell(&Waiting { silent_ms, last_failure });
            }
        };
        if is_told {
            // What is wrong with one object is an answer.
            let is_lost = |error: &StoreError| {
                matches!(error.class(), ErrorClass::Transient | ErrorClass::Interrupted)
            };
            self.is_over(!done.as_ref().is_err_and(is_lost));
        }
        done
    }

    /// An operation of whose silence somebody was told is heard of again, or has ended.
    fn is_over(&self, is_answered: bool) {
        let is_last = self.told_count.fetch_sub(1, Ordering::Relaxed) == 1;
        if let Some(answer) = self.watch().on_answer.filter(|_| is_last && is_answered) {
            answer();
        }
    }

    /// Whether the user asked to stop and an operation that began then has had its time.
    fn is_abandoned(&self, began_ms: u64) -> bool {
        if !self.is_cancelled() {
            return false;
        }
        // Moments below one millisecond count as the first.
        let now_ms = self.now_ms().max(1);
        let first =
            self.cancelled_ms.compare_exchange(0, now_ms, Ordering::Relaxed, Ordering::Relaxed);
        let since_ms = first.err().unwrap_or(now_ms);
        now_ms.saturating_sub(since_ms) >= STORE_CANCEL_MS
            && now_ms.saturating_sub(began_ms) >= STORE_LATE_MS
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

    /// What is told, and whether it is said that the store answers again.
    fn listening() -> (Heard, Arc<Mutex<Vec<Waiting>>>, Arc<AtomicBool>) {
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
        (heard, told, ended)
    }

    #[test]
    fn silence_is_told_once_it_lasts_and_ends_with_an_answer() {
        let (heard, told, ended) = listening();
        let sleep = |ms| tokio::time::sleep(Duration::from_millis(ms));
        let waits = |ms, attempts: &Attempts| {
            run(heard.watched(0, attempts, async {
                sleep(ms).await;
                heard.answered();
                Ok(())
            }))
        };
        waits(1000, &Attempts::default()).expect("it ends");
        assert!(told.lock().expect("not poisoned").is_empty(), "a second is no silence");
        waits(STORE_SILENCE_MS + 1000, &Attempts::default()).expect("it ends");
        let told = told.lock().expect("not poisoned");
        let first = told.first().expect("somebody was told");
        assert!(first.silent_ms >= STORE_SILENCE_MS && first.last_failure.is_none(), "{first:?}");
        assert!(ended.load(Ordering::Relaxed) && heard.has_answered());
    }

    #[test]
    fn an_operation_that_fails_again_and_again_is_silent_whatever_comes_meanwhile() {
        let (heard, told, ended) = listening();
        let attempts = Attempts::default();
        let done = run(heard.watched(0, &attempts, async {
            for _ in 0..(STORE_SILENCE_MS + 1000) / 250 {
                heard.answered();
                attempts.failed(&StoreError::Interrupted);
                tokio::time::sleep(Duration::from_millis(250)).await;
            }
            Err::<(), _>(StoreError::EndlessListing { prefix: String::new() })
        }));
        assert!(done.is_err());
        let told = told.lock().expect("not poisoned");
        assert!(told.iter().all(|wait| wait.last_failure.is_some()) && !told.is_empty());
        assert!(!ended.load(Ordering::Relaxed), "it did not answer this");
    }

    #[test]
    fn the_time_of_the_store_is_read_from_its_answers() {
        let heard = Heard::default();
        assert_eq!(heard.clocks(), None);
        heard.dated("Sat, 21 Nov 2026 10:00:00 GMT");
        let there = heard.clocks().map(|(there, _)| there.seconds);
        assert_eq!(there, Some(1_795_255_200));
        heard.dated("yesterday");
        assert_eq!(heard.clocks(), None);
    }

    #[test]
    fn who_wants_to_stop_does_not_wait_for_a_request_that_hangs() {
        let watch = Watch { is_cancelled: Some(Arc::new(|| true)), ..Watch::default() };
        let heard = Heard::new(watch, STORE_OPENING_MS);
        let clock = SystemClock::default();
        let ended = run(heard.watched(
            0,
            &Attempts::default(),
            std::future::pending::<Result<(), StoreError>>(),
        ));
        assert!(matches!(ended, Err(StoreError::Interrupted)));
        assert!(clock.monotonic() < Duration::from_millis(STORE_CANCEL_MS + 1500));
        // The next ones do not have that time again, and are still done if they are quick.
        let before = clock.monotonic();
        for _ in 0..3 {
            let ended = run(heard.watched(
                0,
                &Attempts::default(),
                std::future::pending::<Result<(), StoreError>>(),
            ));
            assert!(matches!(ended, Err(StoreError::Interrupted)));
        }
        assert!(clock.monotonic() - before < Duration::from_millis(3 * (STORE_LATE_MS + 250)));
        run(heard.watched(0, &Attempts::default(), async { Ok(()) })).expect("it is done");
    }
}
