//! What all threads of a run share: the first error, counters, problems.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use crate::backup::error::BackupError;
use crate::base::limits::SNAPSHOT_MAX_PROBLEMS;
use crate::base::monitor::{Monitor, Problem};
use crate::base::path::TreePath;
use crate::disk::walk::Root;

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
    /// Files whose content changed and whose size and times did not.
    pub(super) changed_unseen: AtomicU64,
    /// Paths that had been listed and were gone when they were looked at.
    pub(super) vanished: AtomicU64,
    /// Those of them that were counted as new files, and as changed ones.
    pub(super) vanished_new: AtomicU64,
    pub(super) vanished_known: AtomicU64,
    /// Logical bytes that the last run saw in the latter.
    pub(super) vanished_bytes: AtomicU64,
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
    /// What was asked for, once that is known, and what is wrong with it.
    roots: OnceLock<HashMap<TreePath, RootTrouble>>,
}

/// What is wrong with a path that was asked for.
#[derive(Debug, Default)]
pub(super) struct RootTrouble {
    /// Something at or below it could not be read.
    pub(super) has_problem: AtomicBool,
    /// It was there and is gone.
    pub(super) is_gone: AtomicBool,
}

impl<'a> Shared<'a> {
    pub(super) fn new(monitor: &'a dyn Monitor) -> Self {
        Self {
            monitor,
            tally: Tally::default(),
            stop: AtomicBool::new(false),
            error: Mutex::default(),
            problems: Mutex::default(),
            roots: OnceLock::new(),
        }
    }

    /// From now on problems are noted with the roots around them.
    pub(super) fn watch_roots(&self, roots: &[Root]) {
        let roots = roots.iter().map(|root| (root.path.clone(), RootTrouble::default()));
        let _ = self.roots.set(roots.collect());
    }

    pub(super) fn trouble(&self, root: &TreePath) -> Option<&RootTrouble> {
        self.roots.get()?.get(root)
    }

    /// Something is gone that had been listed.
    pub(super) fn vanished(&self, path: &TreePath) {
        Tally::add(&self.tally.vanished, 1);
        if self.trouble(path).is_some() {
            self.lose_root(path);
        }
    }

    /// A path that was asked for is gone; that must not pass without a word.
    pub(super) fn lose_root(&self, path: &TreePath) {
        let Some(trouble) = self.trouble(path) else { return };
        if !trouble.is_gone.swap(true, Ordering::Relaxed) {
            let why = "it was there when the run began, and is not any more".to_owned();
            self.problem(Problem { path: path.clone(), action: "looking for", why });
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
        if self.roots.get().is_some() {
            let mut around = Some(problem.path.clone());
            while let Some(path) = around {
                if let Some(trouble) = self.trouble(&path) {
                    trouble.has_problem.store(true, Ordering::Relaxed);
                }
                around = path.parent();
            }
        }
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
