//! Somebody does something whole at the worst moment of a command that only looks.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::Duration;

use engine::backup::BackupOptions;
use engine::check::{self, CheckOptions, ReadData};
use engine::gc::{self, GcOptions, MaxUnused};
use engine::index::identity::writer_identity;
use engine::repo::marks;
use engine::store::Store;
use object_store::memory::InMemory;
use system_tests::store::hook::{Hooked, Moment, Verdict};
use system_tests::store::record::CallKind;
use system_tests::trees::content::random_bytes;
use system_tests::trees::put;
use system_tests::world::World;

/// What another machine does meanwhile.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Other {
    /// A backup of something new.
    Backup,
    /// A collection that rewrites the only pack of content, and deletes it.
    Prune,
}

impl Other {
    fn act(self, machine: &World) -> Result<(), String> {
        if self == Self::Backup {
            let source = machine.folder.path().join("source");
            return machine.backup(&source).map(drop).map_err(|error| error.to_string());
        }
        let options = GcOptions {
            grace: Duration::ZERO,
            max_unused: MaxUnused::Percent(0.0),
            confirm_mass_delete: Some(u64::MAX),
            ..GcOptions::default()
        };
        let report = gc::run(&machine.repo, &machine.index, &options, &machine.monitor)
            .map_err(|error| error.to_string())?;
        assert!(report.deleted_packs > 0 && report.repack.packs > 0, "{report:?}");
        Ok(())
    }
}

/// Two snapshots, of which the first is forgotten, and something new in the source.
fn prepare(machine: &World) {
    let source = machine.new_folder("source");
    put(&source.join("file"), &random_bytes(1, 50_000));
    put(&source.join("gone"), &random_bytes(2, 50_000));
    // One worker, so that both files are in one pack.
    let one = BackupOptions { workers: 1, ..system_tests::world::options() };
    let first = machine.backup_with(&source, &one).expect("the first backup runs").snapshot;
    std::fs::remove_file(source.join("gone")).expect("it was just made");
    machine.backup(&source).expect("the second backup runs");
    let identity = writer_identity(&machine.repo, &machine.index, "test-host").expect("admin");
    let snapshots = machine.snapshots();
    let forgotten = snapshots.iter().find(|one| Some(one.snapshot.session) == first);
    let digest = forgotten.expect("it is listed").digest;
    let target = (first.expect("it was reported"), digest);
    marks::put_tomb(&machine.repo, &identity, target, "test", None).expect("it is forgotten");
    put(&source.join("more"), &random_bytes(3, 50_000));
}

/// Another machine does something before the `number`th request, or listing, of a check. Answers
/// whether there was such a request.
fn is_sound_beside(other: Other, number: u32) -> bool {
    let store = Arc::new(InMemory::new());
    let maker = World::in_store(Arc::clone(&store) as _);
    let plain = Store::from_object_store(Arc::clone(&store) as _, "memory", true);
    let machine = maker.another(&plain).expect("the words open it");
    prepare(&machine);
    let (is_armed, is_done) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicBool::new(false)));
    let (armed, done) = (Arc::clone(&is_armed), Arc::clone(&is_done));
    let (seen, machine) = (AtomicU32::new(0), std::sync::Mutex::new(machine));
    let hooked = Hooked::new(Arc::clone(&store) as _, move |moment, kind, _| {
        let counts = moment == Moment::Before && (other == Other::Prune || kind == CallKind::List);
        if armed.load(Ordering::Acquire) && counts && seen.fetch_add(1, Ordering::AcqRel) == number
        {
            let machine = machine.lock().expect("nobody panicked");
            // On a thread of its own: its store has a runtime of its own.
            let act = || other.act(&machine);
            let made = std::thread::scope(|scope| scope.spawn(act).join());
            assert_eq!(made.expect("it does not panic"), Ok(()));
            done.store(true, Ordering::Release);
        }
        Verdict::Go
    });
    let through = Store::from_object_store(Arc::new(hooked), "hooked", true);
    let looker = maker.another(&through).expect("the words open it");
    is_armed.store(true, Ordering::Release);
    let options = CheckOptions { read_data: ReadData::All, threads: 0 };
    let report = check::run(&looker.repo, &looker.index, &options, &looker.monitor);
    let report = report.expect("the check runs");
    assert!(report.is_sound(), "{other:?} before {number}: {report:#?}");
    is_done.load(Ordering::Acquire)
}

#[test]
fn a_check_beside_a_backup_finds_no_damage() {
    let listings = (0..100).take_while(|number| is_sound_beside(Other::Backup, *number)).count();
    assert!(listings > 3, "only {listings} listings");
}

#[test]
fn a_check_beside_a_prune_finds_no_damage() {
    let requests = (0..200).take_while(|number| is_sound_beside(Other::Prune, *number)).count();
    assert!(requests > 20, "only {requests} requests");
}
