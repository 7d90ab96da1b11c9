//! Every request of a workload fails once, in every way; nothing that was reported is ever lost.
//!
//! The workload: open, backup A, edit, backup B, restore. A run without faults says how many
//! requests there are; then one run for each of them and each fault, and after it a new process
//! without faults that works with whatever store and state folder the first one left.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use engine::backup::{self, BackupError};
use engine::base::error::{Classified, ErrorClass};
use engine::base::id::SessionId;
use engine::base::monitor::Recording;
use engine::base::time::SystemClock;
use engine::format::slot::KdfCost;
use engine::repo::create::{CreateOptions, create};
use engine::repo::error::RepoError;
use engine::repo::open::{Unlock, open};
use engine::store::Store;
use engine::store::retry::RetrySettings;
use object_store::memory::InMemory;
use system_tests::compare::compare;
use system_tests::store::fault::{Fault, Faulty, Plan};
use system_tests::trees::content::random_bytes;
use system_tests::trees::{put, set_mtime};
use system_tests::world::{PASSPHRASE, World, new_place, open_index, options, tree_path};

/// What a snapshot holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    A,
    B,
}

/// The same files with the same times, wherever they are made.
fn make(folder: &Path, state: State) {
    put(&folder.join("same"), &random_bytes(1, 90_000));
    put(&folder.join("sub/edited"), &random_bytes(2, 50_000));
    put(&folder.join("sub/small"), b"inline");
    if state == State::B {
        put(&folder.join("sub/edited"), &random_bytes(3, 60_000));
        put(&folder.join("new"), &random_bytes(4, 70_000));
        fs::remove_file(folder.join("sub/small")).expect("it is there");
    }
    for name in ["same", "sub/edited", "sub/small", "new", "sub", ""] {
        if folder.join(name).exists() {
            let seconds = if state == State::B && name != "same" { 2000 } else { 1000 };
            set_mtime(&folder.join(name), seconds);
        }
    }
}

/// A repository that was just made, copied for each run, and what its files should be.
struct Stage {
    store: Arc<InMemory>,
    world: World,
    like: tempfile::TempDir,
}

/// One process: it stops at its first error.
struct Process<'a> {
    store: Store,
    folder: &'a Path,
    words: &'a str,
    reported: BTreeMap<SessionId, State>,
    /// The state of the source.
    source_is: State,
}

fn retried(inner: Arc<dyn object_store::ObjectStore>, max_attempts: u32) -> Store {
    let retry = RetrySettings { max_attempts, ..RetrySettings::fast() };
    Store::from_object_store(inner, "faulty", true).with_retry(retry)
}

impl Process<'_> {
    fn source(&self) -> PathBuf {
        self.folder.join("source")
    }

    fn run(&mut self) -> Result<(), Box<dyn std::error::Error>> {
        self.backup()?;
        self.source_is = State::B;
        make(&self.source(), State::B);
        self.backup()?;
        let repo = self.open()?;
        let index = open_index(&repo, &self.folder.join("state"))?;
        let catalog = engine::index::catalog::snapshots(&repo, &index)?;
        let newest = catalog.snapshots.last().ok_or("there is no snapshot")?;
        let (from, target) = (tree_path(&self.source()), self.folder.join("restored"));
        let options = engine::restore::RestoreOptions::default();
        let monitor = Recording::default();
        let (snapshot, from) = (&newest.snapshot, &from);
        let report =
            engine::restore::run(&repo, &index, snapshot, from, &target, &options, &monitor)?;
        // What could not be read is told; what was restored without a word is right.
        if report.problem_count == 0 {
            let found = compare(&self.source(), &target)?;
            assert!(found.is_empty(), "{found:#?}");
        }
        Ok(())
    }

    fn open(&self) -> Result<engine::repo::Repo, RepoError> {
        open(&self.store, Arc::new(SystemClock::default()), &Unlock::Words(self.words))
    }

    fn backup(&mut self) -> Result<(), Box<dyn std::error::Error>> {
        let repo = self.open()?;
        let state = self.folder.join("state");
        let index = open_index(&repo, &state)?;
        let source = backup::Source::Paths(vec![self.source()]);
        let monitor = Recording::default();
        let done = backup::run(&repo, &index, &state, source, &options(), &monitor);
        if let Err(error) = &done {
            assert!(!matches!(error, BackupError::Lost), "a thread of the backup died");
            assert!(!matches!(error.class(), ErrorClass::Bug | ErrorClass::Corrupt), "{error:?}");
        }
        let report = done?;
        assert_eq!(report.problems, []);
        for adopted in &report.adopted {
            // Whatever was interrupted last is what was adopted: the source has not changed.
            self.reported.insert(*adopted, self.source_is);
        }
        let snapshot = report.snapshot.ok_or("nothing was committed")?;
        self.reported.insert(snapshot, self.source_is);
        Ok(())
    }
}

impl Stage {
    fn new() -> Self {
        let store = Arc::new(InMemory::new());
        let world = World::in_store(Arc::clone(&store) as _);
        let like = new_place();
        for (name, state) in [("A", State::A), ("B", State::B)] {
            make(&like.path().join(name), State::A);
            if state == State::B {
                make(&like.path().join(name), State::B);
            }
        }
        Self { store, world, like }
    }

    fn like(&self, state: State) -> PathBuf {
        self.like.path().join(format!("{state:?}"))
    }

    /// Runs the workload under a plan, then everything that must hold afterwards. Answers how many
    /// requests there were and whether the fault fired.
    fn run(&self, plan: Plan, max_attempts: u32) -> (u64, bool) {
        let place = new_place();
        let inner = Arc::new(self.store.fork());
        let faulty = Faulty::new(Arc::clone(&inner) as _, plan);
        make(&place.path().join("source"), State::A);
        let mut process = Process {
            store: retried(Arc::new(faulty.clone()), max_attempts),
            folder: place.path(),
            words: &self.world.recovery_words,
            reported: BTreeMap::new(),
            source_is: State::A,
        };
        let done = process.run();
        let (request_count, fired) = (faulty.request_count(), !faulty.fired().is_empty());
        assert!(fired || done.is_ok(), "without a fault: {done:?}");
        tokio::runtime::Builder::new_current_thread()
            .build()
            .expect("a thread can wait")
            .block_on(faulty.settle());
        process.store = retried(inner, 4);
        process.backup().expect("the next run succeeds");
        self.judge(&process);
        (request_count, fired)
    }

    /// Everything reported is there and right; nothing is there that nobody reported.
    fn judge(&self, process: &Process<'_>) {
        let later = self.world.another(&process.store).expect("the words open it");
        let source = process.source();
        let listed = later.snapshots();
        let names: Vec<_> = listed.iter().map(|one| one.snapshot.session).collect();
        for session in process.reported.keys() {
            let count = names.iter().filter(|name| *name == session).count();
            assert_eq!(count, 1, "a reported snapshot is listed {count} times");
        }
        assert_eq!(names.len(), process.reported.len(), "not every snapshot was reported");
        for one in &listed {
            let state = process.reported[&one.snapshot.session];
            let found = later.differences(&one.snapshot, &source, &self.like(state));
            assert!(found.is_empty(), "{found:#?}");
        }
        later.assert_sound();
    }

    fn every_request_fails(&self, fault: Fault, max_attempts: u32) {
        let (request_count, _) = self.run(Plan::none(), 4);
        assert!(request_count > 20, "only {request_count} requests");
        let mut fired_count = 0;
        // Packs are uploaded beside each other, so that a run may have one request more.
        for number in 0..request_count + 4 {
            let attempt =
                std::panic::AssertUnwindSafe(|| self.run(Plan::at(number, fault), max_attempts));
            match std::panic::catch_unwind(attempt) {
                Ok((_, fired)) => fired_count += u64::from(fired),
                Err(panic) => {
                    let _ = tell(&format!("{fault:?} at request {number} of {request_count}"));
                    std::panic::resume_unwind(panic);
                }
            }
        }
        // Which worker closes a pack of its own is chance, and with it a few of the requests.
        assert!(fired_count * 5 >= request_count * 4, "{fired_count} of {request_count} fired");
    }
}

/// Says which run failed, above the message of the failed assertion.
fn tell(which: &str) -> std::io::Result<()> {
    use std::io::Write;
    writeln!(std::io::stderr(), "it failed under {which}")
}

#[test]
fn every_request_is_lost_once_and_repeated() {
    Stage::new().every_request_fails(Fault::ErrorBefore, 4);
}

#[test]
fn every_answer_is_lost_once_and_the_request_repeated() {
    Stage::new().every_request_fails(Fault::ErrorAfter, 4);
}

#[test]
fn every_request_is_lost_once_and_the_run_ends() {
    Stage::new().every_request_fails(Fault::ErrorBefore, 1);
}

#[test]
fn every_answer_is_lost_once_and_the_run_ends() {
    Stage::new().every_request_fails(Fault::ErrorAfter, 1);
}

#[test]
fn every_request_lands_late_once_and_the_run_ends() {
    Stage::new().every_request_fails(Fault::Late { after_requests: 2 }, 1);
}

#[test]
fn the_process_ends_before_every_request() {
    Stage::new().every_request_fails(Fault::CrashBefore, 4);
}

#[test]
fn the_process_ends_after_every_request() {
    Stage::new().every_request_fails(Fault::CrashAfter, 4);
}

#[test]
fn every_body_breaks_off_once() {
    Stage::new().every_request_fails(Fault::TornBody, 4);
}

/// The configuration comes last: until it is there, there is no repository.
#[test]
fn a_repository_is_made_whole_or_not_at_all() {
    let make = |store: &Store| {
        let options =
            CreateOptions { cost: KdfCost::FLOOR, probe: false, ..CreateOptions::default() };
        let clock = Arc::new(SystemClock::default());
        create(store, clock, PASSPHRASE, &options, &Recording::default()).map(|made| made.repo)
    };
    let faultless = Faulty::new(Arc::new(InMemory::new()), Plan::none());
    make(&retried(Arc::new(faultless.clone()), 4)).expect("it can be made");
    for number in 0..faultless.request_count() {
        for fault in [Fault::CrashBefore, Fault::CrashAfter, Fault::ErrorBefore, Fault::ErrorAfter]
        {
            let inner = Arc::new(InMemory::new());
            let faulty = Faulty::new(Arc::clone(&inner) as _, Plan::at(number, fault));
            let made = make(&retried(Arc::new(faulty.clone()), 4));
            assert!(!faulty.fired().is_empty(), "{fault:?} at {number} did not fire");
            let store = retried(inner, 4);
            let clock = Arc::new(SystemClock::default());
            let opened = open(&store, clock, &Unlock::Passphrase(PASSPHRASE));
            match (&made, &opened) {
                (Ok(_), Ok(_)) | (Err(_), Err(RepoError::NoRepository { .. })) => {}
                // The answer to the last request was lost with the process.
                (Err(_), Ok(_)) => {
                    assert_eq!((fault, number + 1), (Fault::CrashAfter, faultless.request_count()));
                }
                _ => assert!(opened.is_ok(), "{fault:?} at {number}: {made:?}, {opened:?}"),
            }
        }
    }
}
