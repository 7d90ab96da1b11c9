//! How many requests things cost; each one is a round trip, and money with most providers.

use std::path::PathBuf;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use engine::backup::BackupOptions;
use engine::base::time::SystemClock;
use engine::format::slot::Role;
use engine::index::catalog;
use engine::index::identity::writer_identity;
use engine::repo::Repo;
use engine::repo::marks;
use engine::repo::open::{KeyFile, Known, Unlock, open_knowing};
use engine::store::Store;
use object_store::memory::InMemory;
use system_tests::store::hook::{Hooked, Moment, Verdict};
use system_tests::store::record::{Call, CallKind, Recorder};
use system_tests::trees::content::random_bytes;
use system_tests::trees::put;
use system_tests::world::{World, open_index, options};

/// A machine with a key of `role` that has worked with its repository before.
struct Stage {
    recorder: Recorder,
    store: Store,
    admin: World,
    key: KeyFile,
    machine: World,
    source: PathBuf,
}

impl Stage {
    fn new(role: Role) -> Self {
        let recorder = Recorder::new(Arc::new(InMemory::new()));
        // As over a network: what is local may be asked more often.
        let store = Store::from_object_store(Arc::new(recorder.clone()), "recorded", false);
        let admin = World::create(&store);
        let key = admin.cut_key(role, 7);
        let machine = World::with_key(&store, &key).expect("the key opens");
        let source = machine.new_folder("source");
        for number in 0..40_u64 {
            let bytes = random_bytes(number, 20_000);
            put(&source.join(format!("{}/{number}", number % 5)), &bytes);
        }
        Self { recorder, store, admin, key, machine, source }
    }

    /// A new process on that machine.
    fn next_process(&mut self) {
        self.machine.repo = reopen(&self.machine.repo, &self.key);
        self.machine.index =
            open_index(&self.machine.repo, &self.machine.state()).expect("the index opens");
    }
}

/// Opens a repository as a new process does on a machine that has kept its configuration.
fn reopen(repo: &Repo, key: &KeyFile) -> Repo {
    let (clock, known) = (Arc::new(SystemClock::default()), Some(repo.config_object().clone()));
    let known = Known { config: known, ..Known::default() };
    open_knowing(repo.store(), clock, &Unlock::KeyFile(key), known).expect("the key opens")
}

fn show(calls: &[Call]) -> String {
    let line =
        |call: &Call| format!("\n  {:?} {} ({} bytes)", call.kind, call.key, call.body_bytes);
    calls.iter().map(line).collect()
}

#[test]
fn an_unchanged_source_costs_eleven_requests() {
    let mut stage = Stage::new(Role::Backup);
    for _ in 0..3 {
        stage.machine.backup(&stage.source).expect("the backup runs");
        drop(stage.recorder.take());
        stage.next_process();
    }
    let report = stage.machine.backup(&stage.source).expect("the backup runs");
    let calls = stage.recorder.take();
    assert_eq!(report.summary.bytes_read, 0);
    // Key slot, epochs listed; registration; collections, segments, snapshots, clients listed; segments
    // listed again, commit, fences listed, confirmation.
    // A folder above the source that somebody changed adds a pack of names, a look at it and its segment.
    let above = if report.summary.tree_nodes_new > 0 { 3 } else { 0 };
    assert_eq!(calls.len(), 11 + above, "{}", show(&calls));
}

#[test]
fn one_file_out_of_a_known_repository_costs_seven_requests() {
    let stage = Stage::new(Role::Backup);
    stage.machine.backup(&stage.source).expect("the backup runs");
    let from = stage.source.join("3/8");
    // The reader has restored from here before: its index is warm, its process is new.
    let restore_key = stage.admin.cut_key(Role::Restore, 0);
    let mut reader = World::with_key(&stage.store, &restore_key).expect("the key opens");
    let target = reader.out.path().join("before");
    reader.restore(&reader.newest(), &from, &target).expect("the restore runs");
    drop(stage.recorder.take());
    reader.repo = reopen(&reader.repo, &restore_key);
    let target = reader.out.path().join("again");
    let report = reader.restore(&reader.newest(), &from, &target).expect("the restore runs");
    let calls = stage.recorder.take();
    assert_eq!((report.files, report.problem_count), (1, 0));
    // Key slot, epochs listed; snapshots, clients and segments listed; one block of the pack of names and
    // one of the pack of content, each with the header of its pack. A block far into a pack would cost one more.
    assert_eq!(calls.len(), 7, "{}", show(&calls));
}

/// Threads that restore read one pack in several stretches. The one that reads its beginning brings
/// the header along; if the others asked for it first, each would wait once more for nothing.
#[test]
fn the_header_of_a_pack_is_asked_for_after_the_stretch_that_needs_it() {
    let stage = Stage::new(Role::Backup);
    put(&stage.source.join("3/7"), &random_bytes(7, 2_000_000));
    // One worker makes one pack.
    let options = BackupOptions { workers: 1, ..options() };
    stage.machine.backup_with(&stage.source, &options).expect("the backup runs");
    let restore_key = stage.admin.cut_key(Role::Restore, 0);
    let reader = World::with_key(&stage.store, &restore_key).expect("the key opens");
    let (newest, target) = (reader.newest(), reader.out.path().join("out"));
    drop(stage.recorder.take());
    // Behind two megabytes that do not compress.
    reader.restore(&newest, &stage.source.join("3/8"), &target).expect("the restore runs");
    let calls = stage.recorder.take();
    let of_data: Vec<&Call> = calls.iter().filter(|call| call.key.contains("data/")).collect();
    let sizes: Vec<u64> = of_data.iter().map(|call| call.body_bytes).collect();
    assert!(matches!(sizes[..], [stretch, header] if stretch > header), "{}", show(&calls));
}

/// The way there and back is long, and a machine that knows nothing needs the record of every
/// snapshot and of every one that was forgotten.
#[test]
fn records_that_a_machine_does_not_know_are_asked_for_beside_each_other() {
    let inner = Arc::new(InMemory::new());
    let world = World::in_store(Arc::clone(&inner) as _);
    let source = world.new_folder("source");
    for number in 0..12_u64 {
        put(&source.join("file"), &random_bytes(number, 100));
        world.backup(&source).expect("the backup runs");
    }
    let identity = writer_identity(&world.repo, &world.index, "test-host").expect("it is admin");
    for one in &world.snapshots()[..8] {
        let target = (one.snapshot.session, one.digest);
        marks::put_tomb(&world.repo, &identity, target, "old", None).expect("it is forgotten");
    }
    let (open, most) = (Arc::new(Mutex::new([0_u32; 2])), Arc::new(Mutex::new([0_u32; 2])));
    let (now, high) = (Arc::clone(&open), Arc::clone(&most));
    let hooked = Hooked::new(inner, move |moment, kind, key| {
        let at = usize::from(key.contains("tomb/"));
        if kind == CallKind::Get && (at == 1 || key.contains("snap/")) {
            let (mut now, mut high) = (locked(&now), locked(&high));
            match moment {
                Moment::Before => now[at] += 1,
                Moment::After => now[at] -= 1,
            }
            high[at] = high[at].max(now[at]);
            drop((now, high));
            std::thread::sleep(Duration::from_millis(5));
        }
        Verdict::Go
    });
    let far = Store::from_object_store(Arc::new(hooked), "far", false);
    let machine = world.another(&far).expect("the words open it");
    let live = catalog::live(&machine.repo, &machine.index).expect("they can be listed");
    assert_eq!((live.snapshots.len(), live.forgotten.len()), (4, 8));
    let most = *locked(&most);
    assert!(most.iter().all(|count| *count > 1), "one after the other: {most:?}");
}

/// Who lists snapshots to read them waits for one answer, not for one after the other: each listing
/// is held back here until all three were asked for.
#[test]
fn snapshots_marks_and_tags_are_listed_beside_each_other() {
    const LISTED: [&str; 3] = ["snap", "tomb", "tag"];
    let inner = Arc::new(InMemory::new());
    let world = World::in_store(Arc::clone(&inner) as _);
    let source = world.new_folder("source");
    put(&source.join("file"), b"x");
    world.backup(&source).expect("the backup runs");
    let meeting = Arc::new((Mutex::new([false; 3]), Condvar::new()));
    let place = Arc::clone(&meeting);
    let hooked = Hooked::new(inner, move |moment, kind, key| {
        let at = LISTED.iter().position(|below| key.trim_end_matches('/').ends_with(below));
        if let (CallKind::List, Moment::Before, Some(at)) = (kind, moment, at) {
            let (seen, arrived) = &*place;
            let mut seen = locked(seen);
            seen[at] = true;
            arrived.notify_all();
            let is_missing = |seen: &mut [bool; 3]| seen.contains(&false);
            let waited = arrived.wait_timeout_while(seen, Duration::from_secs(20), is_missing);
            if waited.map_or(true, |(_, timeout)| timeout.timed_out()) {
                return Verdict::Crash;
            }
        }
        Verdict::Go
    });
    let far = Store::from_object_store(Arc::new(hooked), "far", false);
    let machine = world.another(&far).expect("the words open it");
    let (catalog, _) = catalog::marked(&machine.repo, &machine.index).expect("none waited in vain");
    assert_eq!((catalog.snapshots.len(), *locked(&meeting.0)), (1, [true; 3]));
}

fn locked<T>(shared: &Mutex<T>) -> MutexGuard<'_, T> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}
