//! What a worker does: reads a file, and looks again where something else lies meanwhile.
//!
//! Programs that save by renaming replace files and folders all the time, so what was seen and what
//! is opened need not be the same. Then the worker takes what is there now, as it is at that moment:
//! another file, a link, or a folder with all that it holds. What is gone is left out and counted;
//! only what is there and cannot be read is a problem.

use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;
use std::path::PathBuf;

use crossbeam_channel::Sender;

use crate::backup::error::BackupError;
use crate::backup::read::{Failure, FileReader};
use crate::backup::shared::Tally;
use crate::backup::step::{Job, unread_name};
use crate::base::limits::LOOK_AGAIN_MAX;
use crate::base::monitor::{Counter, Problem};
use crate::base::path::TreePath;
use crate::disk::error::DiskError;
use crate::disk::walk::{Found, Walk, WalkItem, WalkOptions};
use crate::format::entry::{Entry, EntryKind, FLAG_PARTIAL};

/// What a reader found.
pub(super) enum Read {
    /// An entry; a file without content could not be read.
    Entry(Box<Entry>),
    /// Nothing is there any more.
    Gone,
    /// There is a folder of this path now.
    Folder(TreePath),
}

impl FileReader<'_> {
    /// Does a job. What was replaced is looked at again, and what is there now is saved.
    pub(super) fn read(&mut self, job: Job) -> Result<Read, BackupError> {
        let Job { mut found, mut entry, before_bytes, .. } = job;
        self.shared.monitor.current(&found.path);
        let mut looks = 1;
        loop {
            let error = match found.stat.facts.kind {
                EntryKind::File => match self.read_attempts(&found, &mut entry) {
                    Ok(()) => return Ok(Read::Entry(Box::new(entry))),
                    Err(Failure::File(error)) => error,
                    Err(Failure::Run(error)) => return Err(error),
                },
                // What was a folder from the beginning is no job.
                EntryKind::Directory => return Ok(Read::Folder(found.path)),
                _ => match found.entry() {
                    Ok(mut entry) => {
                        self.tell(found.read_details(&mut entry));
                        return Ok(Read::Entry(Box::new(entry)));
                    }
                    Err(error) => error,
                },
            };
            if !error.may_be_replaced() || looks == LOOK_AGAIN_MAX {
                return Ok(Read::Entry(Box::new(self.unread(&found, &error))));
            }
            looks += 1;
            match found.look_again() {
                Ok(now) => found = now,
                Err(error) if error.is_gone() => {
                    self.count_vanished(&found.path, before_bytes);
                    return Ok(Read::Gone);
                }
                Err(error) => return Ok(Read::Entry(Box::new(self.unread(&found, &error)))),
            }
            entry = found.stat_entry();
        }
    }

    /// The entry of something that is there and cannot be read, which is told.
    fn unread(&self, found: &Found, error: &DiskError) -> Entry {
        self.shared.problem(error.to_problem(&found.path));
        let mut entry = found.stat_entry();
        entry.kind = EntryKind::File;
        entry.flags |= FLAG_PARTIAL;
        entry
    }

    fn count_vanished(&self, path: &TreePath, before_bytes: Option<u64>) {
        let tally = &self.shared.tally;
        match before_bytes {
            None => Tally::add(&tally.vanished_new, 1),
            Some(bytes) => {
                Tally::add(&tally.vanished_known, 1);
                Tally::add(&tally.vanished_bytes, bytes);
            }
        }
        self.shared.vanished(path);
    }

    fn tell(&self, problems: Vec<Problem>) {
        problems.into_iter().for_each(|problem| self.shared.problem(problem));
    }

    /// Saves a folder that came into the place of a file while the run went on: hands on itself and
    /// everything below it, in path order.
    pub(super) fn read_folder(
        &mut self,
        path: &TreePath,
        entries: &Sender<(Vec<u8>, Entry)>,
    ) -> Result<(), BackupError> {
        let root = PathBuf::from(OsString::from_vec(path.to_slashes()));
        let walk = match Walk::new(WalkOptions { roots: vec![root], ..self.rules.clone() }) {
            Ok(walk) => walk,
            Err(error) if error.is_missing() => {
                self.shared.vanished(path);
                return Ok(());
            }
            Err(error) => {
                self.shared.problem(error.to_problem(path));
                return Ok(());
            }
        };
        for item in walk {
            if self.shared.is_stopped() {
                return Err(BackupError::Interrupted);
            }
            let (path, entry) = match item {
                // The folders above are in the tree already.
                WalkItem::Found(found) if !path.contains(&found.path) => continue,
                WalkItem::Found(found) => {
                    let path = found.path.clone();
                    match self.read_in_folder(found)? {
                        Read::Entry(entry) => (path, *entry),
                        Read::Gone => continue,
                        Read::Folder(inner) => {
                            self.read_folder(&inner, entries)?;
                            continue;
                        }
                    }
                }
                WalkItem::Unread(problem) => {
                    let path = problem.path.clone();
                    self.shared.problem(problem);
                    (path, unread_name())
                }
                WalkItem::Problem(problem) => {
                    self.shared.problem(problem);
                    continue;
                }
                WalkItem::Vanished(path) => {
                    self.shared.vanished(&path);
                    continue;
                }
            };
            entries.send((path.key().to_vec(), entry)).map_err(|_| BackupError::Lost)?;
        }
        Ok(())
    }

    fn read_in_folder(&mut self, found: Found) -> Result<Read, BackupError> {
        self.shared.monitor.add(Counter::Items, 1);
        let mut entry = found.stat_entry();
        if found.stat.facts.kind == EntryKind::Directory {
            self.tell(found.read_details(&mut entry));
            return Ok(Read::Entry(Box::new(entry)));
        }
        self.read(Job { number: 0, found, entry, before_bytes: None })
    }
}
