//! What all threads of a run share: the first error, counters, problems.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::backup::error::BackupError;
use crate::base::limits::SNAPSHOT_MAX_PROBLEMS;
use crate::base::monitor::{Monitor, Problem};

/// How long a thread waits for another before it looks whether the run is still going on.
pub(super) const LOOK_AROUND: Duration = Duration::from_millis(100);

/// Numbers that several threads add to.
#[derive(Debug, Default)]
pub(super) struct Tally {
    pub(super) bytes_read: AtomicU64,
    pub(super) bytes_new: AtomicU64,
    pub(super) bytes_stored: AtomicU64,
    pub(super) data_chunks_new: AtomicU64,
    pub(super) tree_nodes_new: AtomicU64,
    pub(super) inconsistent: AtomicU64,
}

impl Tally {
    pub(super) fn add(counter: &AtomicU64, amount: u64) {
        counter.fetch_add(amount, Ordering::Relaxed);
    }

    pub(super) fn get(counter: &AtomicU64) -> u64 {
        counter.load(Ordering::Relaxed)
    }
}

/// Shared by all threads of one run.
pub(super) struct Shared<'a> {
    pub(super) monitor: &'a dyn Monitor,
    pub(super) tally: Tally,
    stop: AtomicBool,
    error: Mutex<Option<BackupError>>,
    problems: Mutex<(u64, Vec<Problem>)>,
}

impl<'a> Shared<'a> {
    pub(super) fn new(monitor: &'a dyn Monitor) -> Self {
        Self {
            monitor,
            tally: Tally::default(),
            stop: AtomicBool::new(false),
            error: Mutex::default(),
            problems: Mutex::default(),
        }
    }

    /// Keeps the first error and tells all threads to end.
    pub(super) fn fail(&self, error: BackupError) {
        let mut first = lock(&self.error);
        if first.is_none() {
            *first = Some(error);
        }
        self.stop.store(true, Ordering::Release);
    }

    /// Whether the run is over, because of an error or because somebody asked.
    pub(super) fn is_stopped(&self) -> bool {
        if !self.stop.load(Ordering::Acquire) && self.monitor.is_cancelled() {
            self.fail(BackupError::Interrupted);
        }
        self.stop.load(Ordering::Acquire)
    }

    pub(super) fn take_error(&self) -> Option<BackupError> {
        lock(&self.error).take()
    }

    /// A problem with one item: counted, named while there is room, told at once.
    pub(super) fn problem(&self, problem: Problem) {
        self.monitor.problem(&problem);
        let mut problems = lock(&self.problems);
        problems.0 += 1;
        if problems.1.len() < SNAPSHOT_MAX_PROBLEMS {
            problems.1.push(problem);
        }
    }

    pub(super) fn problems(&self) -> (u64, Vec<Problem>) {
        lock(&self.problems).clone()
    }
}

/// Locks; what another thread left behind while it died is still a plain value here.
pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Tells the run when a thread dies of a panic, so that nobody waits for it.
pub(super) struct Watch<'a>(pub(super) &'a Shared<'a>);

impl Drop for Watch<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.fail(BackupError::Lost);
        }
    }
}
