//! One machine: its state folder, its clock that anybody may set, and what it does with the engine.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::Duration;

use engine::backup::{self, BackupError};
use engine::base::error::{Classified, ErrorClass};
use engine::base::id::SessionId;
use engine::base::monitor::Recording;
use engine::base::time::{Clock, Timestamp};
use engine::index::catalog::{self, Committed};
use engine::index::{Index, refresh};
use engine::repo::Repo;
use engine::repo::open::{Unlock, open};
use engine::restore::{self, RestoreOptions};
use engine::store::Store;
use engine::store::retry::RetrySettings;
use object_store::ObjectStore;
use system_tests::store::hook::Hooked;
use system_tests::world::{open_index, options, tree_path};

use crate::files::{Files, holds};
use crate::simulator::collector::Manner;
use crate::simulator::hall::Hall;
use crate::simulator::truth::Truth;

/// A clock that is set from outside, also backwards.
#[derive(Debug, Default)]
pub(crate) struct WrongClock {
    seconds: AtomicI64,
    passed_ms: AtomicU64,
}

impl WrongClock {
    pub(crate) fn jump(&self, seconds: i64) {
        self.seconds.fetch_add(seconds, Ordering::Relaxed);
    }
}

impl Clock for WrongClock {
    fn now(&self) -> Timestamp {
        Timestamp { seconds: self.seconds.fetch_add(1, Ordering::Relaxed), nanos: 0 }
    }

    fn monotonic(&self) -> Duration {
        Duration::from_millis(self.passed_ms.fetch_add(1, Ordering::Relaxed))
    }
}

/// What a machine is told to do.
#[derive(Debug, Clone)]
pub(crate) enum Task {
    /// Back up its folder, which holds these files.
    Backup(Files),
    /// Restore the snapshot with this number modulo how many there are.
    Restore(u64),
    /// Forget the snapshot with this number, but never the newest.
    Forget(u64),
    /// Hold the snapshot with this number.
    Hold(u64),
    /// Bring back the forgotten snapshot with this number.
    Undelete(u64),
    /// Delete what nothing needs.
    Prune(Manner),
}

/// How it ended.
#[derive(Debug)]
pub(crate) enum Ending {
    /// As it should.
    Done,
    /// It could not be done, which is allowed to happen.
    Refused(String),
    /// A promise is broken.
    Broken(String),
}

/// A machine.
#[derive(Clone)]
pub(crate) struct Machine {
    /// Its place in the hall.
    pub(crate) place: usize,
    /// Holds `state`, `source` and what is restored.
    pub(crate) folder: PathBuf,
    pub(crate) clock: Arc<WrongClock>,
    pub(crate) words: Arc<str>,
    pub(crate) truth: Truth,
}

/// What one process of a machine works with.
pub(super) struct Process {
    pub(super) repo: Repo,
    pub(super) index: Index,
    pub(super) monitor: Recording,
}

impl Machine {
    /// Its door to the store, for one process.
    pub(crate) fn door(&self, hall: &Hall, inner: Arc<dyn ObjectStore>) -> Hooked {
        let (hall, place) = (hall.clone(), self.place);
        Hooked::new(inner, move |moment, _, _| hall.pass(place, moment))
    }

    pub(crate) fn source(&self) -> PathBuf {
        self.folder.join("source")
    }

    /// One process, from its start to its end.
    pub(crate) fn run(&self, door: &Hooked, task: &Task) -> Ending {
        let ended = self.start(door).and_then(|process| match task {
            Task::Backup(files) => self.backup(&process, files),
            Task::Restore(choice) => self.restore(&process, *choice),
            Task::Forget(choice) => self.forget(&process, *choice),
            Task::Hold(choice) => self.hold(&process, *choice),
            Task::Undelete(choice) => self.undelete(&process, *choice),
            Task::Prune(manner) => self.prune(&process, *manner),
        });
        match ended {
            Ok(ending) => ending,
            // A process that ended in the middle says anything.
            Err(error) if door.is_crashed() => Ending::Refused(error.1),
            Err((ErrorClass::Bug | ErrorClass::Corrupt | ErrorClass::Missing, text)) => {
                Ending::Broken(text)
            }
            Err((_, text)) => Ending::Refused(text),
        }
    }

    pub(super) fn start(&self, door: &Hooked) -> Result<Process, (ErrorClass, String)> {
        let store = Store::from_object_store(Arc::new(door.clone()), "simulated", true)
            .with_retry(RetrySettings::fast());
        let clock = Arc::clone(&self.clock) as Arc<dyn Clock>;
        let repo = open(&store, clock, &Unlock::Words(&self.words)).map_err(told)?;
        let index = open_index(&repo, &self.folder.join("state")).map_err(told)?;
        Ok(Process { repo, index, monitor: Recording::default() })
    }

    fn backup(&self, process: &Process, files: &Files) -> Result<Ending, (ErrorClass, String)> {
        let (repo, index) = (&process.repo, &process.index);
        let source = backup::Source::Paths(vec![self.source()]);
        let state = self.folder.join("state");
        let options = backup::BackupOptions { workers: 1, ..options() };
        let done = backup::run(repo, index, &state, source, &options, &process.monitor);
        if let Err(BackupError::Lost) = done {
            return Ok(Ending::Broken("a thread of the backup died".to_owned()));
        }
        let report = done.map_err(told)?;
        for session in &report.adopted {
            // It may have been bringing something back.
            let brought_back = self.original_of(process, *session)?;
            let held = brought_back.and_then(|original| self.truth.reported(original));
            self.truth.report(*session, held.as_ref().unwrap_or(files));
        }
        report.snapshot.iter().for_each(|session| self.truth.report(*session, files));
        Ok(Ending::Done)
    }

    fn original_of(
        &self,
        process: &Process,
        session: SessionId,
    ) -> Result<Option<SessionId>, (ErrorClass, String)> {
        let catalog = catalog::snapshots(&process.repo, &process.index).map_err(told)?;
        let adopted = catalog.snapshots.iter().find(|one| one.snapshot.session == session);
        let original = adopted.and_then(|one| one.snapshot.original.as_ref());
        Ok(original.map(|original| original.session))
    }

    fn restore(&self, process: &Process, choice: u64) -> Result<Ending, (ErrorClass, String)> {
        let snapshots = self.not_forgotten(process)?;
        if snapshots.is_empty() {
            return Ok(Ending::Refused("there is no snapshot".to_owned()));
        }
        let chosen = &snapshots[(choice % snapshots.len() as u64) as usize];
        refresh::refresh(&process.repo, &process.index, &process.monitor).map_err(told)?;
        let session = chosen.snapshot.session;
        let was_promised = self.truth.promised(session).is_some();
        let ended = self.restore_one(process, chosen);
        // Who forgets a snapshot meanwhile takes the promise back.
        match (self.truth.promised(session), ended) {
            (Some(files), Ok(target)) if holds(&target, &files) => Ok(Ending::Done),
            (Some(_), Ok(_)) => Ok(Ending::Broken(format!("{session} is not what it was"))),
            (Some(_), Err(error)) => Err(error),
            (None, _) if was_promised => Ok(Ending::Refused("it was forgotten".to_owned())),
            (None, _) => Ok(Ending::Refused("nobody was told of it".to_owned())),
        }
    }

    pub(super) fn not_forgotten(
        &self,
        process: &Process,
    ) -> Result<Vec<Committed>, (ErrorClass, String)> {
        let mut snapshots =
            catalog::snapshots(&process.repo, &process.index).map_err(told)?.snapshots;
        snapshots.retain(|one| !self.truth.is_forgotten(one.snapshot.session));
        Ok(snapshots)
    }

    fn restore_one(
        &self,
        process: &Process,
        chosen: &Committed,
    ) -> Result<PathBuf, (ErrorClass, String)> {
        let target = self.folder.join("restored");
        if target.exists() {
            std::fs::remove_dir_all(&target).expect("a folder of this machine");
        }
        // The snapshot says where it was made.
        let from = chosen.snapshot.paths.first().map(|path| path_of(&path.0));
        let from = from.unwrap_or_else(|| self.source());
        let options = RestoreOptions { threads: 1, ..RestoreOptions::default() };
        let (repo, index) = (&process.repo, &process.index);
        let (from, snapshot) = (tree_path(&from), &chosen.snapshot);
        let report =
            restore::run(repo, index, snapshot, &from, &target, &options, &process.monitor)
                .map_err(told)?;
        match report.problems.first() {
            Some(problem) => Err((ErrorClass::Corrupt, format!("{problem:?}"))),
            None => Ok(target),
        }
    }

    /// Restores everything that is promised, without faults and without waiting for others.
    pub(crate) fn judge(&self, inner: Arc<dyn ObjectStore>) -> Result<(), String> {
        let door = Hooked::new(inner, |_, _, _| system_tests::store::hook::Verdict::Go);
        let process = self.start(&door).map_err(|(_, text)| text)?;
        let catalog =
            catalog::snapshots(&process.repo, &process.index).map_err(|e| e.to_string())?;
        refresh::refresh(&process.repo, &process.index, &process.monitor)
            .map_err(|error| error.to_string())?;
        if let Some(damaged) = catalog.damaged.first() {
            return Err(format!("a snapshot is damaged: {damaged:?}"));
        }
        for (session, files) in self.truth.all() {
            let listed = catalog.snapshots.iter().find(|one| one.snapshot.session == session);
            let one = listed.ok_or_else(|| format!("{session} was reported and is not listed"))?;
            let target = self.restore_one(&process, one).map_err(|(_, text)| text)?;
            if !holds(&target, &files) {
                return Err(format!("{session} restores to something else"));
            }
        }
        Ok(())
    }

    /// Forgets the state folder, as if the machine had a new disk.
    pub(crate) fn lose_state(&self) {
        let state = self.folder.join("state");
        if state.exists() {
            std::fs::remove_dir_all(state).expect("a folder of this machine");
        }
    }
}

fn path_of(bytes: &[u8]) -> PathBuf {
    use std::os::unix::ffi::OsStrExt;
    Path::new(std::ffi::OsStr::from_bytes(bytes)).to_owned()
}

pub(super) fn told(error: impl Classified + std::fmt::Display) -> (ErrorClass, String) {
    (error.class(), error.to_string())
}
