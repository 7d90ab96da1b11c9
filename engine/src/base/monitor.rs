//! How operations tell somebody how far they are, and how they are asked to stop.
//!
//! The engine prints nothing. Counters go up as work is done; problems that do not stop the work
//! are handed over as values. All calls come from many threads and must return quickly.

use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::base::path::TreePath;

/// What is counted while an operation runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Counter {
    /// Items (files, directories, links …) dealt with.
    Items,
    /// Logical bytes dealt with: read from disk, written to disk, or authenticated.
    Bytes,
    /// Bytes that went into new packs, as stored.
    StoredBytes,
    /// Problems that did not stop the work.
    Problems,
}

impl Counter {
    const COUNT: usize = 4;

    const fn slot(self) -> usize {
        match self {
            Self::Items => 0,
            Self::Bytes => 1,
            Self::StoredBytes => 2,
            Self::Problems => 3,
        }
    }
}

/// A stretch of work with a name and, where it is known, a size.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Phase {
    /// Present participle, for people: `scanning`, `backing up`, `restoring`, `checking packs`.
    pub name: &'static str,
    /// Items that will be dealt with, if known.
    pub total_items: Option<u64>,
    /// Bytes that will be dealt with, if known.
    pub total_bytes: Option<u64>,
}

/// Something that went wrong with one item and did not stop the rest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// The path it concerns, below the root of the file system or of the snapshot.
    pub path: TreePath,
    /// What was being done: `reading`, `listing`, `setting the owner of` …
    pub action: &'static str,
    /// Why it failed, in words.
    pub why: String,
}

/// What happens to one path, in a backup or in a restore.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Action {
    /// It is new.
    Create,
    /// Its content differs.
    Content,
    /// Only its metadata differ.
    Metadata,
    /// It is of another kind.
    Kind,
    /// It goes.
    Remove,
}

impl Action {
    /// The mark that people and scripts see before the path.
    #[must_use]
    pub const fn mark(self) -> char {
        match self {
            Self::Create => '+',
            Self::Content => 'M',
            Self::Metadata => 'U',
            Self::Kind => 'T',
            Self::Remove => '-',
        }
    }

    /// The word that programs see.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Create => "new",
            Self::Content => "modified",
            Self::Metadata => "metadata",
            Self::Kind => "kind",
            Self::Remove => "removed",
        }
    }
}

/// One path that differs, and how.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Change<'a> {
    /// What happens to it.
    pub action: Action,
    /// The path, below the root of the file system or of the target.
    pub path: &'a TreePath,
    /// Logical bytes of its content.
    pub size_bytes: u64,
    /// What somebody should know before it happens.
    pub remark: Option<&'static str>,
}

/// Receives progress, problems and notes of an operation.
pub trait Monitor: Send + Sync {
    /// A new stretch of work begins; it replaces the one before.
    fn phase(&self, _phase: &Phase) {}

    /// So many bytes were counted so far by a scan that runs beside the work; more will come.
    fn counted(&self, _bytes: u64) {}

    /// The totals of the current phase are now known (a scan ran beside the work).
    fn totals(&self, _items: u64, _bytes: u64) {}

    /// `amount` more of something is done.
    fn add(&self, _counter: Counter, _amount: u64) {}

    /// Work on `path` begins; called at most once per file.
    fn current(&self, _path: &TreePath) {}

    /// One item failed.
    fn problem(&self, _problem: &Problem) {}

    /// Whether somebody wants to know of each change; asked once, before the work.
    fn wants_changes(&self) -> bool {
        false
    }

    /// One path differs. Called only if [`Monitor::wants_changes`] says so.
    fn change(&self, _change: &Change<'_>) {}

    /// A fact that the user should know once.
    fn note(&self, _note: &str) {}

    /// Whether the operation should stop as soon as it safely can.
    fn is_cancelled(&self) -> bool {
        false
    }
}

/// Hears nothing and never cancels.
#[derive(Debug, Clone, Copy, Default)]
pub struct Silent;

impl Monitor for Silent {}

/// Keeps everything it hears, for tests and for callers that look afterwards.
#[derive(Debug, Default)]
pub struct Recording {
    counts: [AtomicU64; Counter::COUNT],
    problems: Mutex<Vec<Problem>>,
    notes: Mutex<Vec<String>>,
}

impl Recording {
    /// How much was counted so far.
    #[must_use]
    pub fn count(&self, counter: Counter) -> u64 {
        self.counts[counter.slot()].load(Ordering::Relaxed)
    }

    /// The problems so far, in the order they came.
    #[must_use]
    pub fn problems(&self) -> Vec<Problem> {
        self.problems.lock().map(|list| list.clone()).unwrap_or_default()
    }

    /// The notes so far.
    #[must_use]
    pub fn notes(&self) -> Vec<String> {
        self.notes.lock().map(|list| list.clone()).unwrap_or_default()
    }
}

impl Monitor for Recording {
    fn add(&self, counter: Counter, amount: u64) {
        self.counts[counter.slot()].fetch_add(amount, Ordering::Relaxed);
    }

    fn problem(&self, problem: &Problem) {
        self.add(Counter::Problems, 1);
        if let Ok(mut list) = self.problems.lock() {
            list.push(problem.clone());
        }
    }

    fn note(&self, note: &str) {
        if let Ok(mut list) = self.notes.lock() {
            list.push(note.to_owned());
        }
    }
}
