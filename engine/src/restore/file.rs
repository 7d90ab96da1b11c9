//! A file that is being restored: written by several threads, finished by the last of them.

use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use crate::base::error::in_one_line;
use crate::base::monitor::{Counter, Monitor, Problem};
use crate::base::path::TreePath;
use crate::disk::error::DiskError;
use crate::disk::write::{MetadataOptions, Target, TargetFile};
use crate::format::entry::Entry;
use crate::restore::report::Tally;

/// Files that are kept open between two writes; more are opened anew for each write.
const OPEN_FILES_MAX: usize = 256;

/// Where files go and how they are finished.
pub(super) struct Destination<'a> {
    pub(super) target: &'a Target,
    pub(super) metadata: MetadataOptions,
    pub(super) monitor: &'a dyn Monitor,
    pub(super) tally: &'a Tally,
    pub(super) open_files: AtomicUsize,
}

/// One file in the making.
pub(super) struct RestoredFile {
    /// Path below the target.
    pub(super) path: TreePath,
    pub(super) entry: Entry,
    /// Writes that are still to come, plus one while the plan of the file is not complete.
    pending: AtomicU64,
    handle: Mutex<Handle>,
    is_damaged: AtomicBool,
}

enum Handle {
    NotCreated,
    Open(Arc<TargetFile>),
    Closed,
    Failed,
}

impl RestoredFile {
    pub(super) fn new(path: TreePath, entry: Entry) -> Self {
        Self {
            path,
            entry,
            pending: AtomicU64::new(1),
            handle: Mutex::new(Handle::NotCreated),
            is_damaged: AtomicBool::new(false),
        }
    }

    /// One more write is planned.
    pub(super) fn expect_write(&self) {
        self.pending.fetch_add(1, Ordering::Relaxed);
    }

    /// Writes bytes, which does so many of the planned steps. The first write creates the file: at
    /// its full size, holes included, unless the bytes are all of it.
    pub(super) fn write(&self, to: &Destination<'_>, bytes: &[u8], offset: u64, step_count: u64) {
        let is_whole = offset == 0 && bytes.len() as u64 == self.entry.size_bytes;
        let size_bytes = if is_whole { 0 } else { self.entry.size_bytes };
        let written = self.open(to, size_bytes, step_count).and_then(|file| match file {
            Some(file) => file.write_at(bytes, offset),
            None => Ok(()),
        });
        match written {
            Ok(()) => {
                Tally::add(&to.tally.written_bytes, bytes.len() as u64);
                to.monitor.add(Counter::Bytes, bytes.len() as u64);
            }
            Err(error) => self.fail(to, "writing", &error),
        }
        self.steps_done(to, step_count);
    }

    /// Says that some of its bytes cannot be had.
    pub(super) fn mark_damaged(&self, to: &Destination<'_>, why: String) {
        if !self.is_damaged.swap(true, Ordering::AcqRel) {
            let problem = Problem { path: self.path.clone(), action: "restoring", why };
            if self.entry.link_count > 1 {
                to.tally.spoil(&self.path);
            }
            to.tally.damage(to.monitor, problem);
        }
    }

    /// Whether it cannot be written any further, which was told.
    pub(super) fn has_failed(&self) -> bool {
        matches!(*self.handle.lock().unwrap_or_else(PoisonError::into_inner), Handle::Failed)
    }

    /// So many planned steps are done; the last one sets the metadata, through the descriptor that
    /// wrote the file if it is still open.
    pub(super) fn steps_done(&self, to: &Destination<'_>, step_count: u64) {
        if self.pending.fetch_sub(step_count, Ordering::AcqRel) != step_count {
            return;
        }
        // Also creates a file that has no chunk at all.
        if let Err(error) = self.open(to, self.entry.size_bytes, 0) {
            self.fail(to, "creating", &error);
        }
        let mut handle = self.handle.lock().unwrap_or_else(PoisonError::into_inner);
        if matches!(*handle, Handle::Failed) {
            return;
        }
        let last = std::mem::replace(&mut *handle, Handle::Closed);
        drop(handle);
        let problems = match last {
            Handle::Open(file) => {
                to.open_files.fetch_sub(1, Ordering::Relaxed);
                file.apply_metadata(&self.entry, &to.metadata)
            }
            _ => to.target.apply_metadata(&self.path, &self.entry, &to.metadata),
        };
        for problem in problems {
            to.tally.problem(to.monitor, problem);
        }
        Tally::add(&to.tally.files, 1);
        to.monitor.add(Counter::Items, 1);
    }

    /// The open file, made with `size_bytes` if it is not there yet; `None` if it failed before,
    /// which was told. `step_count` of the steps that are pending are what it is opened for.
    fn open(
        &self,
        to: &Destination<'_>,
        size_bytes: u64,
        step_count: u64,
    ) -> Result<Option<Arc<TargetFile>>, DiskError> {
        let mut handle = self.handle.lock().unwrap_or_else(PoisonError::into_inner);
        let file = match &*handle {
            Handle::Failed => return Ok(None),
            Handle::Open(file) => return Ok(Some(Arc::clone(file))),
            // The last step finds it at its path.
            Handle::Closed if step_count == 0 => return Ok(None),
            Handle::NotCreated if size_bytes == 0 => {
                to.target.create_whole_file(&self.path, &self.entry)?
            }
            Handle::NotCreated => to.target.create_file(&self.path, size_bytes)?,
            Handle::Closed => to.target.open_existing_file(&self.path)?,
        };
        let file = Arc::new(file);
        // It is closed at once if nothing else is to come.
        let is_last = self.pending.load(Ordering::Acquire) <= step_count;
        if is_last || to.open_files.load(Ordering::Relaxed) < OPEN_FILES_MAX {
            to.open_files.fetch_add(1, Ordering::Relaxed);
            *handle = Handle::Open(Arc::clone(&file));
        } else {
            *handle = Handle::Closed;
        }
        Ok(Some(file))
    }

    fn fail(&self, to: &Destination<'_>, action: &'static str, error: &DiskError) {
        let mut handle = self.handle.lock().unwrap_or_else(PoisonError::into_inner);
        match std::mem::replace(&mut *handle, Handle::Failed) {
            Handle::Failed => return,
            Handle::Open(_) => {
                to.open_files.fetch_sub(1, Ordering::Relaxed);
            }
            Handle::NotCreated | Handle::Closed => {}
        }
        if self.entry.link_count > 1 {
            to.tally.spoil(&self.path);
        }
        let problem = Problem { path: self.path.clone(), action, why: in_one_line(error) };
        to.tally.problem(to.monitor, problem);
    }
}
