//! Drills over good and over spoilt repositories: the good one passes, each spoilt one does not,
//! and the finding names what is wrong.

mod rotation;
mod spoilt;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use engine::base::path::TreePath;
use engine::format::slot::Role;
use engine::index::catalog;
use engine::repo::keyring::Identity;
use engine::repo::open::KeyFile;
use engine::store::Store;
use futures::executor::block_on;
use futures::stream::TryStreamExt;
use object_store::memory::InMemory;
use object_store::{ObjectStore, ObjectStoreExt};
use restore_verify::drill::{self, DrillOptions, DrillReport, options::Place};
use restore_verify::evidence::drill_event::{DrillKind, Outcome};
use restore_verify::evidence::event::{Event, RemedyStep};
use restore_verify::evidence::shelf::{Author, Shelf};
use restore_verify::sandbox::spawn::Budget;
use system_tests::damage::Damage;
use system_tests::world::World;

/// A repository with one snapshot of a tree of many kinds, and a machine with the role verify.
struct Scene {
    store: Arc<InMemory>,
    world: World,
    key: KeyFile,
    source: PathBuf,
}

fn sqlite(path: &Path, rows: u32) {
    let connection = rusqlite::Connection::open(path).expect("a database");
    connection.execute_batch("CREATE TABLE t (a INTEGER PRIMARY KEY, b TEXT)").expect("a table");
    for row in 0..rows {
        let text = format!("row {row} {}", "x".repeat(100));
        connection.execute("INSERT INTO t VALUES (?1, ?2)", (row, text)).expect("a row");
    }
}

fn put(path: &Path, bytes: &[u8]) {
    use std::io::Write;
    std::fs::create_dir_all(path.parent().expect("a folder")).expect("it can be made");
    std::fs::File::create(path).and_then(|mut file| file.write_all(bytes)).expect("a file");
}

fn noise(seed: u8, length: usize) -> Vec<u8> {
    let mut bytes = vec![0; length];
    blake3::Hasher::new().update(&[seed]).finalize_xof().fill(&mut bytes);
    bytes
}

const DUMP: &str = "-- MySQL dump 10.13\nINSERT INTO t VALUES (1);\n-- Dump completed on 2026\n";

fn fill(source: &Path) {
    for number in 0..40_u8 {
        put(&source.join(format!("d{}/f{number}", number % 5)), &noise(number, 3000));
    }
    put(&source.join("small"), b"inline");
    put(&source.join("large"), &noise(200, 3_000_000));
    put(&source.join("dump.sql"), DUMP.as_bytes());
    sqlite(&source.join("app.db"), 500);
}

impl Scene {
    fn new() -> Self {
        Self::with(|_| ())
    }

    /// A scene whose source was changed before it was backed up.
    fn with(change: impl Fn(&Path)) -> Self {
        let store = Arc::new(InMemory::new());
        let world = World::in_store(store.clone());
        let source = world.new_folder("source");
        fill(&source);
        change(&source);
        world.backup(&source).expect("it is backed up");
        let key = world.cut_key(Role::Verify, 0);
        Self { store, world, key, source }
    }

    fn engine_store(&self) -> Store {
        Store::from_object_store(self.store.clone(), "test store", true)
    }

    fn verifier(&self) -> World {
        World::with_key(&self.engine_store(), &self.key).expect("the key opens it")
    }

    fn keys(&self, below: &str) -> Vec<String> {
        let listed = self.store.list(None).try_collect::<Vec<_>>();
        let listed = block_on(listed).expect("it can be listed");
        let mut keys: Vec<_> = listed.iter().map(|meta| meta.location.to_string()).collect();
        keys.retain(|key| key.starts_with(below));
        keys.sort();
        keys
    }

    fn bytes(&self, key: &str) -> Bytes {
        let got = block_on(self.store.get(&key.into())).expect("it is there");
        block_on(got.bytes()).expect("it can be read")
    }

    fn set(&self, key: &str, bytes: Bytes) {
        block_on(self.store.put(&key.into(), bytes.into())).expect("it can be written");
    }

    fn spoil(&self, key: &str, damage: &Damage) {
        match damage.apply(&self.bytes(key)) {
            Some(bytes) => self.set(key, bytes),
            None => block_on(self.store.delete(&key.into())).expect("it can be deleted"),
        }
    }

    fn middle(&self, key: &str) -> Damage {
        Damage::Flip { at: self.bytes(key).len() / 2, bit: 3 }
    }
}

fn options(world: &World, kind: DrillKind) -> DrillOptions {
    let budget = Budget { program: env!("CARGO_BIN_EXE_victim").into(), ..Budget::default() };
    DrillOptions { budget, ..DrillOptions::new(kind, world.folder.path().join("scratch")) }
}

fn identity(world: &World) -> Identity {
    world.repo.keys().identity().expect("the role verify has one").clone()
}

fn run(world: &World, options: &DrillOptions) -> Result<DrillReport, String> {
    let identity = identity(world);
    let author = Author { identity: &identity, actor: "tester", host: "drill-host" };
    let place = Place {
        repo: &world.repo,
        index: &world.index,
        state: &world.state(),
        author,
        monitor: &world.monitor,
    };
    engine::index::refresh::refresh(&world.repo, &world.index, &world.monitor)
        .map_err(|error| error.to_string())?;
    let catalog = catalog::snapshots(&world.repo, &world.index).map_err(|e| e.to_string())?;
    let drilled = match catalog.snapshots.last() {
        Some(newest) => drill::run(&place, &catalog, newest, options),
        None => drill::absent::record(&place, &catalog, "test-host", options),
    };
    drilled.map_err(|error| error.to_string())
}

fn drill(world: &World, kind: DrillKind) -> Result<DrillReport, String> {
    run(world, &options(world, kind))
}

fn path_of(scene: &Scene, name: &str) -> TreePath {
    system_tests::world::tree_path(&scene.source.join(name))
}

#[test]
fn every_kind_of_drill_over_a_good_repository_passes_and_cleans_up() {
    let scene = Scene::new();
    let world = scene.verifier();
    let words = scene.world.recovery_words.clone();
    for kind in
        [DrillKind::Sample, DrillKind::Paths, DrillKind::Full, DrillKind::IndexLoss, DrillKind::Kit]
    {
        let mut options = options(&world, kind);
        options.paths = vec![path_of(&scene, "d1"), path_of(&scene, "app.db")];
        options.words = Some(words.clone().into());
        let report = run(&world, &options).expect("it is recorded");
        assert_eq!(report.outcome(), Outcome::Passed, "{kind:?}: {:#?}", report.findings);
        assert!(report.drill.files > 0);
        let wanted = match kind {
            DrillKind::Full => 6,
            // What somebody chose is no sample.
            DrillKind::Paths => 3,
            _ => 4,
        };
        assert_eq!(report.drill.level, wanted, "{kind:?} lacks {}", report.drill.lacks);
        let scratch = world.folder.path().join("scratch");
        assert_eq!(std::fs::read_dir(scratch).expect("a folder").count(), 0, "{kind:?}");
    }
    let shelf = Shelf::open(&world.repo, &world.state()).expect("it opens");
    // A beginning and an end of each, and once how backups ran.
    assert_eq!(shelf.records().len(), 11);
    assert_eq!(shelf.compare_with_store().expect("it can be read"), []);
}

#[test]
fn a_drill_that_drops_bytes_proves_them_and_needs_no_disk() {
    let scene = Scene::new();
    let world = scene.verifier();
    for kind in [DrillKind::Sample, DrillKind::Full] {
        let options = DrillOptions {
            discard: true,
            scratch: PathBuf::from("/nonexistent/nowhere"),
            ..options(&world, kind)
        };
        let report = run(&world, &options).expect("it is recorded");
        assert_eq!(report.outcome(), Outcome::Passed, "{:#?}", report.findings);
        assert_eq!(report.drill.files, 44);
    }
}

#[test]
fn quota_bounds_scratch_and_a_whole_restore_beyond_it_is_not_proved() {
    let scene = Scene::new();
    let world = scene.verifier();
    let small = |kind| DrillOptions { quota_bytes: 100_000, ..options(&world, kind) };
    let sample = run(&world, &small(DrillKind::Sample)).expect("it is recorded");
    assert_eq!((sample.outcome(), sample.drill.files), (Outcome::Passed, 44));
    let full = run(&world, &small(DrillKind::Full)).expect("it is recorded");
    assert_eq!(full.outcome(), Outcome::NotProved, "{:#?}", full.findings);
}

#[test]
fn files_that_were_never_drilled_come_first_and_then_all_again() {
    let scene = Scene::new();
    let world = scene.verifier();
    let options = DrillOptions { sample_files: 20, ..options(&world, DrillKind::Sample) };
    let mut generations = Vec::new();
    for _ in 0..4 {
        let report = run(&world, &options).expect("it is recorded");
        assert_eq!((report.outcome(), report.drill.files), (Outcome::Passed, 20));
        let shelf = Shelf::open(&world.repo, &world.state()).expect("it opens");
        let begun = shelf.find(&report.drill.begun.to_string()).expect("it is there");
        let Ok(Event::DrillBegun(event)) = Event::decode(&begun.record.event, &begun.record.body)
        else {
            panic!("it is another event")
        };
        let fresh = event.population.expect("it was drawn").fresh;
        generations.push((event.generation, fresh));
    }
    assert_eq!(generations, [(0, 44), (0, 24), (0, 4), (1, 44)]);
}

#[test]
fn finding_ticket_and_retest_are_one_chain() {
    let scene = Scene::new();
    let world = scene.verifier();
    let pack = &scene.keys("data/")[0];
    let good = scene.bytes(pack);
    scene.spoil(pack, &Damage::Delete);
    let failed = drill(&world, DrillKind::Sample).expect("it is recorded");
    assert_eq!(failed.outcome(), Outcome::Failed);
    let ticket = failed.ticket.clone().expect("a ticket is opened");
    scene.set(pack, good);
    let again = scene.verifier();
    let retest =
        DrillOptions { retest_of: Some(failed.record), ..options(&again, DrillKind::Sample) };
    let passed = run(&again, &retest).expect("it is recorded");
    assert_eq!((passed.outcome(), passed.ticket), (Outcome::Passed, Some(ticket.clone())));
    let shelf = Shelf::open(&world.repo, &world.state()).expect("it opens");
    let steps: Vec<_> = shelf
        .records()
        .iter()
        .filter_map(|one| match Event::decode(&one.record.event, &one.record.body) {
            Ok(Event::Remedy(remedy)) => Some((remedy.finding, remedy.ticket, remedy.step)),
            _ => None,
        })
        .collect();
    let step = |step| (failed.record, ticket.clone(), step);
    assert_eq!(steps, [step(RemedyStep::Opened), step(RemedyStep::Closed)]);
}

/// A sample of another file says nothing of the one that failed.
#[test]
fn a_retest_looks_at_what_failed_whatever_it_draws() {
    let scene = Scene::with(|source| {
        let mut bytes = std::fs::read(source.join("app.db")).expect("there is a database");
        bytes[8192..12_288].fill(0xee);
        put(&source.join("broken.db"), &bytes);
    });
    let world = scene.verifier();
    let failed = drill(&world, DrillKind::Sample).expect("it is recorded");
    assert_eq!((failed.outcome(), failed.findings.len()), (Outcome::Failed, 1));
    let options = options(&world, DrillKind::Sample);
    let mut drew_another = 0;
    for _ in 0..3 {
        let one = DrillOptions { sample_files: 1, ..options.clone() };
        let without = run(&world, &one).expect("it is recorded");
        let retest = DrillOptions { retest_of: Some(failed.record), ..one };
        let again = run(&world, &retest).expect("it is recorded");
        assert_eq!(again.outcome(), Outcome::Failed);
        drew_another += u32::from(without.outcome() == Outcome::Passed);
    }
    assert!(drew_another > 0);
}

/// The key of a drill can write evidence and a pin, and no snapshot that anybody believes.
#[test]
fn the_role_verify_suffices_and_does_no_more() {
    let scene = Scene::new();
    let world = scene.verifier();
    let before = scene.keys("");
    assert_eq!(drill(&world, DrillKind::Sample).expect("recorded").outcome(), Outcome::Passed);
    let mut written = scene.keys("");
    written.retain(|key| !before.contains(key));
    let own = identity(&world).client.to_string();
    let is_allowed = |key: &String| {
        key.starts_with(&format!("evidence/{own}/"))
            || key.starts_with(&format!("sess/{own}"))
            || key.starts_with(&format!("snap/{own}")) && !key.contains(".commit-")
    };
    assert!(written.iter().all(is_allowed), "{written:?}");
    assert!(world.repo.keys().write().is_err() && world.repo.keys().admin().is_err());
    // It cannot even seal what a commit says, whatever it signs.
    let mut forged = scene.world.newest();
    let identity = identity(&world);
    forged.session = engine::repo::session::new_id(&identity, 7);
    forged.client = identity.client;
    let committed = engine::repo::session::commit(&world.repo, &identity, &forged);
    assert!(committed.is_err(), "it has no key to seal a snapshot with");
    let fresh = scene.verifier();
    let catalog = catalog::snapshots(&fresh.repo, &fresh.index).expect("it can be listed");
    assert_eq!((catalog.snapshots.len(), catalog.damaged.len()), (1, 0));
}
