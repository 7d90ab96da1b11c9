//! The local index may be lost, cut off, scribbled over or exchanged at any time: everything still
//! works, only slower.

use std::fs;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use engine::backup::{BackupError, BackupReport};
use engine::base::error::{Classified, ErrorClass};
use engine::format::snapshot::Snapshot;
use engine::index::refresh;
use engine::repo::Repo;
use engine::store::Store;
use object_store::memory::InMemory;
use system_tests::compare::compare_with_roots;
use system_tests::trees::content::random_bytes;
use system_tests::trees::put;
use system_tests::world::{World, new_place};

/// What happens to the state folder; gets the folder and a copy of it from an earlier time.
type Harm = fn(&Path, &Path);

const HARMS: [(&str, Harm); 7] = [
    ("state deleted", |state, _| fs::remove_dir_all(state).expect("a folder of ours")),
    ("index deleted", |state, _| {
        for file in ["index.sqlite", "index.sqlite-wal", "index.sqlite-shm"] {
            drop(fs::remove_file(state.join(file)));
        }
    }),
    ("index cut off", |state, _| {
        let file = open_index_file(state);
        let length = file.metadata().expect("readable").len();
        file.set_len(length / 2 + 100).expect("writable");
    }),
    ("index empty", |state, _| open_index_file(state).set_len(0).expect("writable")),
    ("index scribbled over", |state, _| {
        let file = open_index_file(state);
        let page_count = file.metadata().expect("readable").len() / 4096;
        for page in 1..page_count {
            let noise = random_bytes(page, 4096);
            file.write_all_at(&noise, page * 4096).expect("writable");
        }
    }),
    ("another file in its place", |state, _| {
        put(&state.join("index.sqlite"), &random_bytes(1, 9000));
    }),
    ("an older state", |state, older| {
        fs::remove_dir_all(state).expect("a folder of ours");
        copy_folder(older, state);
    }),
];

fn open_index_file(state: &Path) -> fs::File {
    let path = state.join("index.sqlite");
    fs::OpenOptions::new().write(true).open(path).expect("the index is there")
}

fn copy_folder(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("a folder can be made");
    for entry in fs::read_dir(from).expect("a folder of ours") {
        let entry = entry.expect("readable");
        let target = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy_folder(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).expect("a file can be copied");
        }
    }
}

/// The source of every backup: 60 files, so that the tree has something to it.
fn make_source(world: &World) -> PathBuf {
    let source = world.new_folder("source");
    for number in 0..60 {
        let name = source.join(format!("{}/{number}", number % 7));
        put(&name, &random_bytes(number, 3000 + number as usize * 700));
    }
    source
}

/// Runs an operation; if it meets damage in the index, opens the index again, as the next command
/// would, and runs it once more.
fn twice_at_most<T, E: Classified + std::fmt::Debug>(
    world: &mut World,
    run: impl Fn(&World) -> Result<T, E>,
) -> T {
    match run(world) {
        Ok(done) => done,
        Err(error) => {
            assert_eq!(error.class(), ErrorClass::Corrupt, "{error:?}");
            world.while_closed(|_| {});
            run(world).expect("after the index was opened again, it works")
        }
    }
}

fn backup(world: &mut World, source: &Path) -> BackupReport {
    let report: BackupReport = twice_at_most::<_, BackupError>(world, |world| world.backup(source));
    assert_eq!(report.problems, []);
    report
}

fn restore(world: &mut World, snapshot: &Snapshot, source: &Path, like: &Path) {
    let target = twice_at_most(world, |world| {
        let target = tempfile::tempdir_in(world.out.path()).expect("a folder can be made");
        let report = world.restore(snapshot, source, target.path())?;
        assert_eq!(report.problems, []);
        Ok::<_, engine::restore::RestoreError>(target)
    });
    let found = compare_with_roots(like, target.path()).expect("readable");
    assert!(found.is_empty(), "{found:#?}");
}

/// Backup, edit, backup, restore of both, check, with the harm done before step `when`.
fn run_with_harm(name: &str, harm: Harm, when: usize) {
    let mut world = World::in_memory();
    let (source, older) = (make_source(&world), new_place());
    let like = world.out.path().join("like");
    world.while_closed(|state| copy_folder(state, older.path()));
    let step = |world: &mut World, number| {
        if number == when {
            world.while_closed(|state| harm(state, older.path()));
        }
    };
    step(&mut world, 0);
    backup(&mut world, &source);
    world.restore(&world.newest(), &source, &like).expect("the restore runs");
    if when > 1 {
        world.while_closed(|state| copy_folder(state, older.path()));
    }
    put(&source.join("3/new"), &random_bytes(99, 9000));
    step(&mut world, 1);
    let second = backup(&mut world, &source);
    assert_eq!(second.summary.data_chunks_new, 1, "{name} before the second backup: stored again");
    step(&mut world, 2);
    let (old, new) = {
        let listed = twice_at_most(&mut world, |world| {
            engine::index::catalog::snapshots(&world.repo, &world.index)
        });
        assert_eq!(listed.snapshots.len(), 2);
        (listed.snapshots[0].snapshot.clone(), listed.snapshots[1].snapshot.clone())
    };
    restore(&mut world, &new, &source, &source);
    step(&mut world, 3);
    restore(&mut world, &old, &source, &like);
    step(&mut world, 4);
    let third = backup(&mut world, &source);
    assert_eq!(third.summary.data_chunks_new, 0, "{name} before the third backup");
    backup(&mut world, &source);
    step(&mut world, 5);
    let report = twice_at_most(&mut world, World::check_all);
    assert!(report.is_sound(), "{name} before step {when}: {report:#?}");
    assert_eq!(report.snapshots, 4);
}

fn run_all_steps(number: usize) {
    let (name, harm) = HARMS[number];
    for when in 0..6 {
        run_with_harm(name, harm, when);
    }
}

#[test]
fn without_the_state_folder_everything_still_works() {
    run_all_steps(0);
}

#[test]
fn without_the_index_but_with_hints_everything_still_works() {
    run_all_steps(1);
}

#[test]
fn with_half_an_index_everything_still_works() {
    run_all_steps(2);
    run_all_steps(3);
}

#[test]
fn with_a_spoilt_index_everything_still_works() {
    run_all_steps(4);
    run_all_steps(5);
}

#[test]
fn with_an_older_state_folder_everything_still_works() {
    run_all_steps(6);
}

#[test]
fn an_older_state_folder_that_is_put_back_raises_no_false_alarm() {
    let mut world = World::in_memory();
    let (source, older) = (make_source(&world), new_place());
    backup(&mut world, &source);
    world.while_closed(|state| copy_folder(state, older.path()));
    backup(&mut world, &source);
    backup(&mut world, &source);
    world.while_closed(|state| {
        fs::remove_dir_all(state).expect("a folder of ours");
        copy_folder(older.path(), state);
    });
    // It bears the number of the second snapshot, after which the third was made.
    backup(&mut world, &source);
    let numbers: Vec<_> =
        world.snapshots().iter().map(|one| one.snapshot.session.sequence()).collect();
    assert_eq!(numbers, [0, 1, 2, 1]);
    world.assert_sound();
}

#[test]
fn the_state_of_another_repository_is_put_aside() {
    let (mut world, mut other) = (World::in_memory(), World::in_memory());
    let (source, other_source) = (make_source(&world), make_source(&other));
    backup(&mut world, &source);
    backup(&mut other, &other_source);
    let kept = new_place();
    other.while_closed(|state| copy_folder(state, kept.path()));
    world.while_closed(|state| {
        fs::remove_dir_all(state).expect("a folder of ours");
        copy_folder(kept.path(), state);
    });
    let report = backup(&mut world, &source);
    assert_eq!(report.summary.data_chunks_new, 0, "{report:?}");
    world.assert_newest_is(&source);
    world.assert_sound();
    let aside = fs::read_dir(world.state()).expect("readable").flatten();
    let aside = aside.filter(|entry| entry.file_name().to_string_lossy().contains(".bad-"));
    assert!(aside.count() > 0, "the foreign index was not kept for a look");
}

fn delete_segments(repo: &Repo) -> usize {
    let store = repo.store();
    let listed = store.list("index/").expect("the store lists");
    for object in &listed {
        let name = engine::store::code::spelled(&object.key).expect("a segment");
        store.delete(&name).expect("memory deletes");
    }
    listed.len()
}

#[test]
fn an_index_rebuilt_from_segments_or_from_packs_answers_alike() {
    let inner = Arc::new(InMemory::new());
    let mut world = World::in_store(Arc::clone(&inner) as _);
    let source = make_source(&world);
    for number in 0..3 {
        put(&source.join("more"), &random_bytes(1000 + number, 50_000));
        backup(&mut world, &source);
    }
    let another =
        world.another(&Store::from_object_store(inner, "memory", true)).expect("the words open it");
    backup(&mut world, &source);
    let (repo, monitor) = (&world.repo, &world.monitor);
    refresh::refresh(repo, &world.index, monitor).expect("refreshed");
    let grown = world.index.fingerprint().expect("sound");
    let statistics = world.index.statistics().expect("sound");
    refresh::refresh(&another.repo, &another.index, monitor).expect("refreshed");
    assert_eq!(another.index.fingerprint().expect("sound"), grown, "another machine");
    let epoch = world.index.epoch();
    let rebuilt = refresh::rebuild(repo, &world.index, false, monitor).expect("rebuilt");
    assert!(rebuilt.segments_added >= 3 && rebuilt.packs_from_footers == 0, "{rebuilt:?}");
    assert_eq!(world.index.fingerprint().expect("sound"), grown, "from segments");
    assert_eq!(world.index.statistics().expect("sound"), statistics);
    assert_ne!(world.index.epoch(), epoch, "hints would trust an index that forgot something");
    assert!(delete_segments(repo) >= 3);
    let rebuilt = refresh::rebuild(repo, &world.index, true, monitor).expect("rebuilt");
    assert_eq!((rebuilt.segments_added, rebuilt.packs_from_footers), (0, statistics.pack_count));
    assert_eq!(world.index.fingerprint().expect("sound"), grown, "from footers");
    world.assert_newest_is(&source);
    let report = world.backup(&source).expect("the backup runs");
    assert_eq!(report.summary.data_chunks_new, 0);
    world.assert_sound();
}

#[test]
fn what_the_store_lost_is_stored_again_after_a_rebuild() {
    let world = World::in_memory();
    let source = make_source(&world);
    world.backup(&source).expect("the backup runs");
    let store = world.repo.store();
    for lost in store.list("data/").expect("packs can be listed") {
        let name = engine::store::code::spelled(&lost.key).expect("a pack has a name");
        store.delete(&name).expect("it can be deleted");
    }
    let hurt = world.check_all().expect("the check runs");
    assert!(!hurt.is_sound());
    refresh::rebuild(&world.repo, &world.index, true, &world.monitor).expect("it is rebuilt");
    let again = world.backup(&source).expect("the backup runs");
    assert!(again.summary.data_chunks_new > 0, "{:?}", again.summary);
    let check = world.check_all().expect("the check runs");
    assert!(check.is_sound(), "{check:#?}");
    for committed in world.snapshots() {
        let target = world.folder.path().join(committed.snapshot.session.to_string());
        let report = world.restore(&committed.snapshot, &source, &target).expect("it restores");
        assert_eq!(report.problems, [], "the older snapshot is whole again too");
    }
}
