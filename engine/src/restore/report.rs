//! What a restore did.

use std::collections::{BTreeSet, HashMap};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use crate::base::limits::SNAPSHOT_MAX_PROBLEMS;
use crate::base::monitor::{Monitor, Problem};
use crate::base::path::TreePath;
use crate::disk::apply::Applied;
use crate::disk::write::FolderTimes;
use crate::format::entry::Entry;
use crate::restore::untrusted::LeftOut;

/// Outcome of a restore.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RestoreReport {
    /// Regular files that were written.
    pub files: u64,
    /// Directories that were made or found.
    pub directories: u64,
    /// Links, pipes, sockets, devices.
    pub others: u64,
    /// Things that were there and stayed.
    pub skipped: u64,
    /// Things that were removed because the snapshot does not have them.
    pub deleted: u64,
    /// Things that the snapshot does not have and that stayed, because their folder was not backed up
    /// whole: they may have been there.
    pub unproven: u64,
    /// Logical bytes of all files.
    pub total_bytes: u64,
    /// Bytes of content that were written.
    pub written_bytes: u64,
    /// Bytes of blocks that were decoded for it.
    pub decoded_bytes: u64,
    /// Bytes of packs that were read from the store for it.
    pub fetched_bytes: u64,
    /// Bytes of content that were in the target already.
    pub reused_bytes: u64,
    /// Files that were compared afterwards.
    pub verified_files: u64,
    /// Entries that could not be restored as they should.
    pub problem_count: u64,
    /// Those of them where stored bytes are damaged or missing.
    pub damage_count: u64,
    /// The first problems.
    pub problems: Vec<Problem>,
    /// What was not readable when it was backed up, so that the snapshot only has its name.
    pub unread: u64,
    /// What was left out because the snapshot is not trusted.
    pub left_out: LeftOut,
    /// Whether the same command would go on where this one had to stop.
    pub is_unfinished: bool,
    /// Entries that lost set-id bits, because they belong to somebody else now than they did.
    pub lost_set_ids: u64,
    /// `include` patterns that matched only what was not readable when it was backed up.
    pub unread_includes: Vec<String>,
    /// Patterns that matched nothing.
    pub idle_patterns: Vec<String>,
    /// Whether an `include` pattern is among them.
    pub has_idle_include: bool,
    /// Wall time, in milliseconds.
    pub duration_ms: u64,
}

/// Counts while threads work.
#[derive(Default)]
pub(super) struct Tally {
    pub(super) written_bytes: AtomicU64,
    pub(super) decoded_bytes: AtomicU64,
    pub(super) fetched_bytes: AtomicU64,
    pub(super) reused_bytes: AtomicU64,
    pub(super) files: AtomicU64,
    damage: AtomicU64,
    lost_set_ids: AtomicU64,
    is_unfinished: AtomicBool,
    /// The times that the target itself was given.
    top_times: Mutex<Option<FolderTimes>>,
    /// Files that are being overwritten where they are.
    in_place: Mutex<BTreeSet<TreePath>>,
    problems: Mutex<(u64, Vec<Problem>)>,
    /// Files with several names that could not be restored, and whether stored bytes are to blame.
    spoilt: Mutex<HashMap<TreePath, bool>>,
    /// What lies aside, and could neither be finished nor removed.
    half_made: Mutex<Vec<TreePath>>,
    /// What gets flags in the end that forbid changes.
    pub(super) fixed: Mutex<Vec<(TreePath, Box<Entry>)>>,
}

impl Tally {
    pub(super) fn add(counter: &AtomicU64, amount: u64) {
        counter.fetch_add(amount, Ordering::Relaxed);
    }

    /// A problem with an entry; told at once.
    pub(super) fn problem(&self, monitor: &dyn Monitor, mut problem: Problem) {
        // Path and action stand beside the reason, which the layer below begins with them too.
        let said = format!("{} {}: ", problem.action, problem.path);
        if let Some(rest) = problem.why.strip_prefix(&said) {
            problem.why = rest.to_owned();
        }
        monitor.problem(&problem);
        let mut problems = match self.problems.lock() {
            Ok(problems) => problems,
            Err(poisoned) => poisoned.into_inner(),
        };
        problems.0 += 1;
        if problems.1.len() < SNAPSHOT_MAX_PROBLEMS {
            problems.1.push(problem);
        }
    }

    /// Counts what setting metadata left out, and tells what it could not do.
    pub(super) fn take_in(&self, monitor: &dyn Monitor, applied: &mut Applied) {
        for problem in std::mem::take(&mut applied.problems) {
            self.problem(monitor, problem);
        }
        Self::add(&self.lost_set_ids, u64::from(applied.lost_set_ids));
    }

    /// Something that was wanted is not there: the same command again may bring it.
    pub(super) fn leave_unfinished(&self) {
        self.is_unfinished.store(true, Ordering::Relaxed);
    }

    /// The target itself was given these times.
    pub(super) fn set_top_times(&self, times: FolderTimes) {
        *self.top_times.lock().unwrap_or_else(PoisonError::into_inner) = Some(times);
    }

    pub(super) fn top_times(&self) -> Option<FolderTimes> {
        *self.top_times.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A file is between old and new from now on.
    pub(super) fn begin_in_place(&self, path: &TreePath) {
        self.in_place.lock().unwrap_or_else(PoisonError::into_inner).insert(path.clone());
    }

    /// It is new.
    pub(super) fn end_in_place(&self, path: &TreePath) {
        self.in_place.lock().unwrap_or_else(PoisonError::into_inner).remove(path);
    }

    /// Names the files that are still between old and new.
    pub(super) fn name_in_place(&self, monitor: &dyn Monitor) {
        let paths =
            std::mem::take(&mut *self.in_place.lock().unwrap_or_else(PoisonError::into_inner));
        for path in paths {
            let why = "it is between old and new, and its time is 1970; the same command goes on";
            let why = why.to_owned();
            self.problem(monitor, Problem { path, action: "overwriting in place", why });
        }
    }

    pub(super) fn is_unfinished(&self) -> bool {
        self.is_unfinished.load(Ordering::Relaxed)
    }

    /// Remembers a file with several names that is not as it should be.
    pub(super) fn spoil(&self, path: &TreePath, is_damage: bool) {
        let mut spoilt = self.spoilt.lock().unwrap_or_else(PoisonError::into_inner);
        *spoilt.entry(path.clone()).or_default() |= is_damage;
    }

    /// Whether stored bytes are to blame, if a file with several names could not be restored.
    pub(super) fn spoilt_by_damage(&self, path: &TreePath) -> Option<bool> {
        self.spoilt.lock().unwrap_or_else(PoisonError::into_inner).get(path).copied()
    }

    /// Something that is not finished is aside at `path`: no folder around it may get its place, and
    /// the stage that it lies in stays.
    pub(super) fn leave_half_made(&self, path: &TreePath) {
        self.leave_unfinished();
        self.half_made.lock().unwrap_or_else(PoisonError::into_inner).push(path.clone());
    }

    /// Whether something half made may be in a folder.
    pub(super) fn is_half_made(&self, folder: &TreePath) -> bool {
        let half_made = self.half_made.lock().unwrap_or_else(PoisonError::into_inner);
        half_made.iter().any(|path| folder.contains(path))
    }

    /// A problem whose cause lies in the repository.
    pub(super) fn damage(&self, monitor: &dyn Monitor, problem: Problem) {
        Self::add(&self.damage, 1);
        self.problem(monitor, problem);
    }

    /// The same after the counts were handed over.
    pub(super) fn late_problem(
        &self,
        monitor: &dyn Monitor,
        problem: Problem,
        report: &mut RestoreReport,
    ) {
        self.problem(monitor, problem);
        self.fill_problems(report);
    }

    pub(super) fn fill_problems(&self, report: &mut RestoreReport) {
        if let Ok(problems) = self.problems.lock() {
            (report.problem_count, report.problems) = problems.clone();
        }
    }

    pub(super) fn fill(&self, report: &mut RestoreReport) {
        let get = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        report.written_bytes = get(&self.written_bytes);
        report.decoded_bytes = get(&self.decoded_bytes);
        report.fetched_bytes = get(&self.fetched_bytes);
        report.reused_bytes = get(&self.reused_bytes);
        report.files += get(&self.files);
        report.damage_count = get(&self.damage);
        report.lost_set_ids = get(&self.lost_set_ids);
        report.is_unfinished = self.is_unfinished();
        self.fill_problems(report);
    }
}
