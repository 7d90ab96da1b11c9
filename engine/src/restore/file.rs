//! A file that is being restored: written by several threads, finished by the last of them.
//!
//! Its name shows what was there before until everything is written, verified and set; then it shows
//! the new file. Only a file that is overwritten in its place is between for a while, and says so by
//! the time of its last change: the beginning of 1970.

use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use crate::base::error::in_one_line;
use crate::base::monitor::{Counter, Monitor, Problem};
use crate::base::path::TreePath;
use crate::disk::error::DiskError;
use crate::disk::write::{MetadataOptions, Target, TargetFile};
use crate::format::entry::Entry;
use crate::restore::journal::{Journal, Note};
use crate::restore::report::Tally;
use crate::restore::way::Way;

/// Files that are kept open between two writes; more are opened anew for each write.
const OPEN_FILES_MAX: usize = 256;

/// Where files go and how they are finished.
pub(super) struct Destination<'a> {
    pub(super) target: &'a Target,
    pub(super) metadata: MetadataOptions,
    pub(super) monitor: &'a dyn Monitor,
    pub(super) tally: &'a Tally,
    /// What the next run must know if this one is interrupted; none where nobody sees the target
    /// before everything is done.
    pub(super) journal: Option<&'a Journal>,
    pub(super) open_files: AtomicUsize,
}

impl Destination<'_> {
    /// Notes something in the journal before it is done.
    pub(super) fn note(&self, note: Note, path: &TreePath) -> Result<(), DiskError> {
        self.journal.map_or(Ok(()), |journal| journal.write(note, path))
    }
}

/// One file in the making.
pub(super) struct RestoredFile {
    /// Path below the target.
    pub(super) path: TreePath,
    pub(super) entry: Entry,
    way: Way,
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
    pub(super) fn new(path: TreePath, entry: Entry, way: Way) -> Self {
        Self {
            path,
            entry,
            way,
            pending: AtomicU64::new(1),
            handle: Mutex::new(Handle::NotCreated),
            is_damaged: AtomicBool::new(false),
        }
    }

    /// Whether its blocks are overwritten where they are.
    pub(super) fn is_in_place(&self) -> bool {
        self.way == Way::InPlace
    }

    /// One more write is planned.
    pub(super) fn expect_write(&self) {
        self.pending.fetch_add(1, Ordering::Relaxed);
    }

    /// Opens a file that is overwritten in its place, and marks it as unfinished first.
    pub(super) fn open_in_place(&self, to: &Destination<'_>) -> Option<Arc<TargetFile>> {
        let opened = to
            .note(Note::InPlace, &self.path)
            .and_then(|()| to.target.open_existing_file(&self.path))
            .and_then(|file| {
                to.tally.begin_in_place(&self.path);
                file.mark_unfinished()?;
                file.set_len(self.entry.size_bytes)?;
                file.mark_unfinished()?;
                Ok(file)
            });
        match opened {
            Ok(file) => {
                let file = Arc::new(file);
                to.open_files.fetch_add(1, Ordering::Relaxed);
                *self.handle.lock().unwrap_or_else(PoisonError::into_inner) =
                    Handle::Open(Arc::clone(&file));
                Some(file)
            }
            Err(error) => {
                self.fail(to, "opening for writing", &error);
                None
            }
        }
    }

    /// Writes bytes, which does so many of the planned steps. The first write creates the file: at
    /// its full size, holes included, unless the bytes are all of it.
    pub(super) fn write(&self, to: &Destination<'_>, bytes: &[u8], offset: u64, step_count: u64) {
        let is_whole = offset == 0 && bytes.len() as u64 == self.entry.size_bytes;
        let size_bytes = if is_whole { 0 } else { self.entry.size_bytes };
        let written = self.open(to, size_bytes, step_count).and_then(|file| match file {
            Some(file) => file.write_at(bytes, offset).and_then(|()| match self.way {
                // Each write gives it the time of now.
                Way::InPlace => file.mark_unfinished(),
                Way::Fresh | Way::Aside(_) => Ok(()),
            }),
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
                to.tally.spoil(&self.path, true);
            }
            to.tally.damage(to.monitor, problem);
        }
    }

    /// Whether it cannot be written any further, which was told.
    pub(super) fn has_failed(&self) -> bool {
        matches!(*self.handle.lock().unwrap_or_else(PoisonError::into_inner), Handle::Failed)
    }

    /// So many planned steps are done; the last one finishes the file, through the descriptor that
    /// wrote it if it is still open.
    pub(super) fn steps_done(&self, to: &Destination<'_>, step_count: u64) {
        if self.pending.fetch_sub(step_count, Ordering::AcqRel) != step_count {
            return;
        }
        if !self.is_damaged.load(Ordering::Acquire) {
            // Also creates a file that has no chunk at all.
            if let Err(error) = self.open(to, self.entry.size_bytes, 0) {
                self.fail(to, "creating", &error);
            }
        }
        let mut handle = self.handle.lock().unwrap_or_else(PoisonError::into_inner);
        let last = std::mem::replace(&mut *handle, Handle::Closed);
        drop(handle);
        if matches!(last, Handle::Open(_)) {
            to.open_files.fetch_sub(1, Ordering::Relaxed);
        }
        if matches!(last, Handle::Failed) || self.is_damaged.load(Ordering::Acquire) {
            return self.give_up(to);
        }
        let file = match last {
            Handle::Open(file) => Some(file),
            _ => None,
        };
        self.finish(to, file.as_deref());
    }

    /// Sets the metadata and puts the file in its place.
    fn finish(&self, to: &Destination<'_>, file: Option<&TargetFile>) {
        // What may not be changed any more can be renamed no more either.
        let has_names = self.entry.link_count > 1;
        let is_late = to.fixes(&self.entry) && (has_names || matches!(self.way, Way::Aside(_)));
        let options = if is_late { to.metadata_before_fixing(&self.entry) } else { to.metadata };
        let mut applied = match file {
            Some(file) => file.apply_metadata(&self.entry, &options),
            None => to.target.apply_metadata(&self.path, &self.entry, &options),
        };
        to.tally.take_in(to.monitor, &mut applied);
        if applied.has_no_room {
            // The next run sets what had no room; until then the file is not whole.
            if has_names {
                to.tally.spoil(&self.path, false);
            }
            return self.give_up(to);
        }
        if applied.may_be_better {
            to.tally.leave_unfinished();
        }
        // The next run must know that this one made it.
        let noted = match has_names || is_late || applied.may_be_better {
            true => to.note(Note::Made, &self.path),
            false => Ok(()),
        };
        let placed = noted.and_then(|()| match self.way {
            Way::Aside(replaces) => to.target.publish(&self.path, replaces),
            Way::Fresh | Way::InPlace => Ok(()),
        });
        if let Err(error) = placed {
            self.fail(to, "putting in place", &error);
            return self.give_up(to);
        }
        if is_late && has_names {
            to.fix_later(&self.path, &self.entry);
        } else if is_late {
            for problem in to.target.apply_inode_flags(&self.path, &self.entry) {
                to.tally.problem(to.monitor, problem);
            }
        }
        if self.way == Way::InPlace {
            to.tally.end_in_place(&self.path);
        }
        Tally::add(&to.tally.files, 1);
        to.monitor.add(Counter::Items, 1);
    }

    /// Removes what was made of a file that does not become whole. What was there before stays; a
    /// file that was overwritten in its place stays marked.
    fn give_up(&self, to: &Destination<'_>) {
        to.tally.leave_unfinished();
        let removed = match self.way {
            Way::Fresh => to.target.remove_one(&self.path),
            Way::Aside(_) => to.target.discard_aside(&self.path),
            Way::InPlace => Ok(()),
        };
        if let Err(error) = removed {
            let path = self.path.clone();
            to.tally.leave_half_made(&path);
            let problem = Problem { path, action: "removing", why: in_one_line(&error) };
            to.tally.problem(to.monitor, problem);
        }
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
            Handle::NotCreated => {
                to.target.create_file_of(&self.path, &self.entry, size_bytes, &to.metadata)?
            }
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

    /// Says that it cannot be written.
    pub(super) fn fail(&self, to: &Destination<'_>, action: &'static str, error: &DiskError) {
        let mut handle = self.handle.lock().unwrap_or_else(PoisonError::into_inner);
        match std::mem::replace(&mut *handle, Handle::Failed) {
            Handle::Failed => return,
            Handle::Open(_) => {
                to.open_files.fetch_sub(1, Ordering::Relaxed);
            }
            Handle::NotCreated | Handle::Closed => {}
        }
        drop(handle);
        if self.entry.link_count > 1 {
            to.tally.spoil(&self.path, false);
        }
        let problem = Problem { path: self.path.clone(), action, why: in_one_line(error) };
        to.tally.problem(to.monitor, problem);
    }
}
