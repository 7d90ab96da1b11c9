//! Collections free what nobody needs and nothing else, whoever ends, sleeps or comes late.
//!
//! Most tests here let something happen at every single request of a run: the process ends, a
//! second collector runs whole, a backup sleeps while a collector runs whole. Afterwards all
//! snapshots that nobody forgot must restore, and the garbage must go within two generations.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use engine::backup::BackupOptions;
use engine::base::error::{Classified, ErrorClass};
use engine::base::id::SessionId;
use engine::base::monitor::Recording;
use engine::gc::{self, Collector, GcError, GcOptions, GcReport, MaxUnused};
use engine::index::identity::writer_identity;
use engine::index::pin::Pin;
use engine::repo::marks;
use engine::store::Store;
use engine::store::retry::RetrySettings;
use object_store::ObjectStore;
use object_store::memory::InMemory;
use system_tests::store::fault::{Faulty, Plan};
use system_tests::trees::content::random_bytes;
use system_tests::trees::put;
use system_tests::world::World;

/// Something happens at every request.
mod meeting;
/// Runs that were cut off.
mod cut_off;
/// Somebody makes records up.
mod forged;

fn options() -> GcOptions {
    GcOptions {
        grace: Duration::ZERO,
        confirm_mass_delete: Some(u64::MAX),
        host: "collector".to_owned(),
        ..GcOptions::default()
    }
}

fn prune(world: &World) -> Result<GcReport, GcError> {
    gc::run(&world.repo, &world.index, &options(), &Recording::default())
}

fn forget(world: &World, session: SessionId) {
    let identity = writer_identity(&world.repo, &world.index, "test-host").expect("it is admin");
    let snapshots = world.snapshots();
    let one = snapshots.iter().find(|one| one.snapshot.session == session).expect("it is there");
    marks::put_tomb(&world.repo, &identity, (session, one.digest), "test", None)
        .expect("it is forgotten");
}

fn plain(inner: &Arc<InMemory>) -> Store {
    Store::from_object_store(Arc::clone(inner) as _, "memory", true)
}

fn through(inner: Arc<dyn ObjectStore>) -> Store {
    Store::from_object_store(inner, "layered", true).with_retry(RetrySettings::fast())
}

/// Keys in the store that begin so.
fn keys(store: &Store, below: &str) -> BTreeSet<String> {
    store.list(below).expect("it lists").into_iter().map(|object| object.key).collect()
}

fn packs(store: &Store) -> BTreeSet<String> {
    keys(store, "data/").union(&keys(store, "tree/")).cloned().collect()
}

/// Two snapshots of one folder, of which the first is forgotten: it alone needs `gone`.
struct Stage {
    inner: Arc<InMemory>,
    world: World,
    source: PathBuf,
    kept: SessionId,
}

impl Stage {
    fn new() -> Self {
        let inner = Arc::new(InMemory::new());
        let world = World::in_store(Arc::clone(&inner) as _);
        let source = world.new_folder("source");
        put(&source.join("stays"), &random_bytes(1, 300_000));
        put(&source.join("gone"), &random_bytes(2, 400_000));
        // One worker, so that both files are in one pack.
        let one = BackupOptions { workers: 1, ..system_tests::world::options() };
        let first = world.backup_with(&source, &one).expect("runs").snapshot.expect("committed");
        std::fs::remove_file(source.join("gone")).expect("it is there");
        put(&source.join("new"), &random_bytes(3, 200_000));
        let kept = world.backup(&source).expect("runs").snapshot.expect("committed");
        forget(&world, first);
        Self { inner, world, source, kept }
    }

    /// Another machine at a copy of the store.
    fn fork(&self) -> (Arc<InMemory>, World) {
        let inner = Arc::new(self.inner.fork());
        let world = self.machine(&plain(&inner));
        (inner, world)
    }

    fn machine(&self, store: &Store) -> World {
        let mut world = self.world.another(store).expect("the words open it");
        world.recovery_words.clone_from(&self.world.recovery_words);
        world
    }

    /// What is kept restores, on a machine that knows nothing, and everything is sound.
    fn assert_kept(&self, store: &Store) {
        let later = self.machine(store);
        let snapshots = later.snapshots();
        let kept = snapshots.iter().find(|one| one.snapshot.session == self.kept);
        let kept = &kept.expect("the snapshot is listed").snapshot;
        let found = later.differences(kept, &self.source, &self.source);
        assert!(found.is_empty(), "{found:#?}");
        assert_sound(&later);
    }

    /// Two more generations by this machine, and nothing unneeded is left.
    fn assert_clean_after_two(&self, machine: &World) {
        for _ in 0..2 {
            prune(machine).expect("the next prune runs");
        }
        let (options, monitor) = (options(), Recording::default());
        let collector = Collector::new(&machine.repo, &machine.index, &options, &monitor);
        let survey = collector.expect("it is admin").survey().expect("it can look");
        assert!(survey.candidates().is_empty(), "garbage is left: {:?}", survey.candidates());
        self.assert_kept(machine.repo.store());
    }
}

/// Nothing is damaged that a snapshot needs which nobody forgot.
fn assert_sound(world: &World) {
    let marks = engine::index::marks::read(&world.repo, &world.index).expect("marks can be read");
    let forgotten: Vec<String> =
        marks.tombs.keys().map(|session| session.to_snapshot_hex()[..8].to_owned()).collect();
    let report = world.check_all().expect("the check runs");
    for (key, damage) in &report.damage {
        let is_forgotten = |path: &String| forgotten.iter().any(|id| path.starts_with(id));
        let hurts_none = !damage.paths.is_empty() && damage.paths.iter().all(is_forgotten);
        assert!(hurts_none, "{key}: {damage:#?}");
    }
}

/// Everything that nobody needs, and not one pack more.
#[test]
fn a_prune_frees_the_garbage_and_everything_kept_restores() {
    let stage = Stage::new();
    let store = plain(&stage.inner);
    let before = packs(&store);
    // Without repacking: only whole packs go.
    let only_whole = GcOptions { max_unused: MaxUnused::Unlimited, ..options() };
    let monitor = Recording::default();
    let (repo, index) = (&stage.world.repo, &stage.world.index);
    let report = gc::run(repo, index, &only_whole, &monitor).expect("it runs");
    let after = packs(&store);
    assert_eq!(report.deleted_packs as usize, before.len() - after.len(), "{report:#?}");
    stage.assert_kept(&store);
    // With it, the 400,000 bytes that are unneeded in a pack of two files go too.
    let report =
        gc::run(repo, index, &GcOptions { max_unused: MaxUnused::Bytes(0), ..options() }, &monitor)
            .expect("it runs");
    assert!(report.repack.packs > 0, "{report:#?}");
    let stored: u64 = ["data/", "tree/"]
        .iter()
        .flat_map(|below| store.list(below).expect("it lists"))
        .map(|object| object.size_bytes)
        .sum();
    assert!((500_000..600_000).contains(&stored), "{stored} bytes are left");
    stage.assert_kept(&store);
    assert_eq!(keys(&store, "sess/").len(), 0, "decided sessions need no registration");
    // The machine's own index has forgotten what is gone, and backs up as before.
    let next = stage.world.backup(&stage.source).expect("runs");
    assert_eq!(next.summary.data_chunks_new, 0);
    let again = prune(&stage.world).expect("it runs");
    assert_eq!((again.unneeded_packs, again.deleted_packs), (0, 0), "{again:#?}");
    stage.assert_kept(&store);
}

#[test]
fn a_dry_run_changes_nothing_and_tells_what_would_be_freed() {
    let stage = Stage::new();
    let store = plain(&stage.inner);
    let before = keys(&store, "");
    let options = GcOptions { dry_run: true, max_unused: MaxUnused::Bytes(0), ..options() };
    let (repo, index) = (&stage.world.repo, &stage.world.index);
    let report = gc::run(repo, index, &options, &Recording::default()).expect("it runs");
    assert_eq!(keys(&store, ""), before);
    assert!(report.unneeded_bytes + report.unused_bytes > 390_000, "{report:#?}");
    assert!(report.requests_to_come > 0);
    let freed = gc::freed_by(repo, index, &[stage.kept], &Recording::default()).expect("it runs");
    assert!(freed.bytes + freed.bytes_in_shared_packs > 490_000, "{freed:?}");
}

#[test]
fn with_a_grace_one_run_announces_and_a_later_one_deletes() {
    let stage = Stage::new();
    let store = plain(&stage.inner);
    let before = packs(&store);
    let run = |grace| {
        let options = GcOptions { grace, max_unused: MaxUnused::Unlimited, ..options() };
        let (repo, index) = (&stage.world.repo, &stage.world.index);
        gc::run(repo, index, &options, &Recording::default()).expect("it runs")
    };
    let day = Duration::from_secs(86_400);
    let first = run(day);
    assert!(first.announced_packs > 0 && first.deleted_packs == 0, "{first:#?}");
    let second = run(day);
    assert_eq!((second.announced_packs, second.deleted_packs), (0, 0), "{second:#?}");
    assert_eq!(second.waiting_packs, first.announced_packs);
    assert_eq!(packs(&store), before);
    // What is announced is not referred to: the same content is stored once more.
    put(&stage.source.join("gone"), &random_bytes(2, 400_000));
    std::thread::sleep(Duration::from_millis(2100));
    let machine = stage.machine(&store);
    let excluded: u64 = first.announced_packs;
    machine.backup(&stage.source).expect("runs");
    assert_eq!(machine.index.excluded().len() as u64, excluded);
    let last = run(Duration::from_secs(1));
    assert_eq!(last.deleted_packs, first.announced_packs, "{last:#?}");
    assert_eq!(last.closed_generations, 1, "the announcement has served");
    stage.assert_kept_without_gone(&store);
}

impl Stage {
    fn assert_kept_without_gone(&self, store: &Store) {
        let later = self.machine(store);
        let newest = later.newest();
        let found = later.differences(&newest, &self.source, &self.source);
        assert!(found.is_empty(), "{found:#?}");
        assert_sound(&later);
    }
}

#[test]
fn too_much_at_once_is_refused_until_it_is_confirmed() {
    let stage = Stage::new();
    forget(&stage.world, stage.kept);
    let careful = GcOptions { confirm_mass_delete: None, ..options() };
    let (repo, index) = (&stage.world.repo, &stage.world.index);
    let before = packs(&plain(&stage.inner));
    let refused = gc::run(repo, index, &careful, &Recording::default()).expect_err("refused");
    let GcError::MassDelete { confirm, .. } = refused else { panic!("{refused}") };
    assert_eq!((confirm as usize, packs(&plain(&stage.inner))), (before.len(), before));
    let sure = GcOptions { confirm_mass_delete: Some(confirm), ..careful };
    gc::run(repo, index, &sure, &Recording::default()).expect("it runs");
    assert_eq!(packs(&plain(&stage.inner)).len(), 0);
}

#[test]
fn a_running_session_is_waited_for() {
    let stage = Stage::new();
    let (inner, world) = stage.fork();
    let identity = writer_identity(&world.repo, &world.index, "other").expect("it is admin");
    let running = engine::repo::session::new_id(&identity, 9);
    let kind = engine::format::session::SessionKind::Backup;
    engine::repo::session::register(&world.repo, &identity, running, kind, "other")
        .expect("registered");
    let (options, monitor) = (options(), Recording::default());
    let mine = stage.machine(&plain(&inner));
    let collector = Collector::new(&mine.repo, &mine.index, &options, &monitor).expect("admin");
    let survey = collector.survey().expect("it can look");
    let mut generation = collector.condemn(survey.candidates().clone(), false).expect("condemned");
    for _ in 0..2 {
        let waiting = collector.barrier_look(&mut generation).expect("it can look");
        assert_eq!(waiting.iter().map(|one| one.session).collect::<Vec<_>>(), [running]);
    }
    engine::repo::session::end(&world.repo, &identity, running, "over").expect("ended");
    assert_eq!(collector.barrier_look(&mut generation).expect("it can look"), []);
}

#[test]
fn what_a_reader_pinned_stays_though_it_is_forgotten() {
    let stage = Stage::new();
    let (inner, world) = stage.fork();
    let identity = writer_identity(&world.repo, &world.index, "reader").expect("it is admin");
    let pin = Pin::new(&world.repo, &world.index, &identity, "reader", &[stage.kept])
        .expect("it is pinned");
    let kept = world.newest();
    forget(&world, stage.kept);
    let collector = stage.machine(&plain(&inner));
    prune(&collector).expect("it runs");
    let found = world.differences(&kept, &stage.source, &stage.source);
    assert!(found.is_empty(), "{found:#?}");
    let late = Pin::new(&world.repo, &world.index, &identity, "reader", &[stage.kept]);
    assert!(late.is_err(), "it was forgotten before");
    pin.release(&world.repo).expect("released");
    prune(&collector).expect("it runs");
    assert_eq!(packs(&plain(&inner)).len(), 0, "nothing keeps it any more");
}

impl Stage {
    fn assert_restores(&self, store: &Store) {
        let later = self.machine(store);
        let newest = later.newest();
        let found = later.differences(&newest, &self.source, &self.source);
        assert!(found.is_empty(), "{found:#?}");
    }
}

/// A restore that began before chunks were moved finds them where they are now.
#[test]
fn what_was_repacked_meanwhile_is_found_by_an_index_that_is_older() {
    let stage = Stage::new();
    let store = plain(&stage.inner);
    let reader = stage.machine(&store);
    let kept = reader.newest();
    engine::index::refresh::refresh(&reader.repo, &reader.index, &Recording::default())
        .expect("it can look");
    let all = GcOptions { max_unused: MaxUnused::Bytes(0), ..options() };
    let (repo, index) = (&stage.world.repo, &stage.world.index);
    let report = gc::run(repo, index, &all, &Recording::default()).expect("it runs");
    assert!(report.repack.packs > 0 && report.deleted_packs > 0, "{report:#?}");
    let target = reader.out.path().join("late");
    let from = system_tests::world::tree_path(&stage.source);
    let options = engine::restore::RestoreOptions::default();
    let restored = engine::restore::run(
        &reader.repo,
        &reader.index,
        &kept,
        &from,
        &target,
        &options,
        &reader.monitor,
    )
    .expect("it runs");
    assert_eq!(restored.problems, []);
    let found = system_tests::compare::compare(&stage.source, &target).expect("both can be read");
    assert!(found.is_empty(), "{found:#?}");
}

/// Folders of a local store go with the last pack in them.
#[test]
fn where_nothing_may_be_deleted_a_prune_says_so_and_loses_nothing() {
    let stage = Stage::new();
    let inner = Arc::new(stage.inner.fork());
    let before = keys(&plain(&inner), "");
    let refusing = Faulty::new(Arc::clone(&inner) as _, Plan::without_deletes());
    let mut machine = stage.machine(&through(Arc::new(refusing)));
    for _ in 0..3 {
        let error = prune(&machine).expect_err("the store refuses every delete");
        assert_eq!(error.class(), ErrorClass::Denied, "{error}");
        let now = keys(&plain(&inner), "");
        assert!(now.is_superset(&before), "something is gone");
        // Who collects is enrolled, once.
        let added = now.difference(&before).filter(|key| !key.starts_with("clients/"));
        let added: Vec<_> = added.collect();
        assert_eq!(added, Vec::<&String>::new(), "each night adds something");
        stage.assert_kept(&plain(&inner));
    }
    // Somebody allows it: the garbage goes as always.
    machine.repo = stage.machine(&plain(&inner)).repo;
    stage.assert_clean_after_two(&machine);
    stage.assert_kept(&plain(&inner));
}

#[test]
fn a_folder_is_pruned_like_a_bucket() {
    let place = tempfile::tempdir().expect("a folder");
    let location = engine::store::Location::parse(&place.path().join("r").display().to_string())
        .expect("a location");
    let store =
        Store::open(&location, &engine::store::StoreOptions::default(), true).expect("a store");
    let world = World::create(&store);
    let source = world.new_folder("source");
    put(&source.join("one"), &random_bytes(1, 100_000));
    let first = world.backup(&source).expect("runs").snapshot.expect("committed");
    put(&source.join("one"), &random_bytes(2, 100_000));
    world.backup(&source).expect("runs");
    forget(&world, first);
    let report = prune(&world).expect("it runs");
    assert!(report.deleted_packs >= 2, "{report:#?}");
    assert!(!below(place.path(), &first).exists(), "an empty folder is left");
    world.assert_newest_is(&source);
}

fn below(place: &Path, session: &SessionId) -> PathBuf {
    place.join("r/data").join(session.to_string())
}

/// The records of many generations become one, which still says what they deleted.
#[test]
fn ended_generations_are_folded_and_what_they_deleted_stays_excluded() {
    let stage = Stage::new();
    let store = plain(&stage.inner);
    let old = stage.machine(&store);
    assert_eq!(old.snapshots().len(), 2);
    engine::index::refresh::refresh(&old.repo, &old.index, &Recording::default())
        .expect("it can look");
    let mut last = stage.kept;
    let generations = 2 * engine::base::limits::GC_FOLD_AT as u64;
    for round in 0..generations {
        put(&stage.source.join("new"), &random_bytes(100 + round, 20_000));
        let next = stage.world.backup(&stage.source).expect("runs").snapshot.expect("committed");
        forget(&stage.world, std::mem::replace(&mut last, next));
        let report = prune(&stage.world).expect("it runs");
        assert!(report.deleted_packs > 0, "{report:#?}");
    }
    let left = keys(&store, "gc/");
    let past = left.iter().filter(|key| key.starts_with("gc/past-")).count();
    assert_eq!(past, 1, "{left:#?}");
    assert!(left.len() < 3 * (generations as usize), "{} records", left.len());
    // A machine that knows nothing, and one that has slept all the while, know what is dead.
    let dead = stage.world.index.dead_packs().expect("it can be read");
    for machine in [stage.machine(&store), old] {
        machine.backup(&stage.source).expect("runs");
        let known = machine.index.dead_packs().expect("it can be read");
        assert!(dead.iter().all(|pack| known.contains(&pack)), "{} of {}", known.len(), dead.len());
        machine.assert_newest_is(&stage.source);
    }
}
