//! A backup that builds on earlier ones makes the very tree that a fresh one makes.

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use engine::backup::{BackupOptions, BackupReport};
use engine::base::id::ChunkId;
use engine::base::limits::NODE_CACHE_BYTES;
use engine::base::path::TreePath;
use engine::blob::fetch::ChunkFetcher;
use engine::disk::exclude::ExcludeOptions;
use engine::format::entry::Entry;
use engine::store::Store;
use engine::tree::cursor::EntryCursor;
use object_store::memory::InMemory;
use proptest::prelude::{Just, Strategy, prop_oneof};
use proptest::test_runner::{Config, TestRunner};
use system_tests::trees::edit::EditScript;
use system_tests::trees::strategy::{Options, edit_scripts, trees};
use system_tests::world::{World, options, stamps_above, tree_path};

/// The most edits between two backups.
const EDITS_MAX: usize = 8;

fn store(inner: InMemory) -> Store {
    Store::from_object_store(Arc::new(inner), "memory", true)
}

/// The repository under test, and one with the same keys and nothing in it yet.
struct Pair {
    world: World,
    fresh: World,
}

impl Pair {
    fn new() -> Self {
        let inner = Arc::new(InMemory::new());
        let world = World::in_store(Arc::clone(&inner) as _);
        let fresh = world.another(&store(inner.fork())).expect("the words open the copy");
        Self { world, fresh }
    }

    fn backup(world: &World, source: &Path, force: bool) -> BackupReport {
        let options = BackupOptions { force, ..options() };
        let report = world.backup_with(source, &options).expect("the backup runs");
        assert_eq!(report.problems, []);
        report
    }

    /// Runs all four kinds of backup over one state of the disk; the first must be incremental.
    fn roots(&self, bare: &World, source: &Path) -> [(&'static str, ChunkId); 4] {
        let hints = Self::backup(&self.world, source, false);
        assert!(hints.parent.is_some(), "the backup was not incremental");
        // A machine that lost its state compares with the tree in the store.
        let tree = Self::backup(bare, source, false);
        assert_eq!(tree.parent, hints.snapshot, "the tree was not compared with the last one");
        assert_eq!(tree.summary.data_chunks_new, 0);
        let forced = Self::backup(&self.world, source, true);
        assert_eq!(forced.summary.data_chunks_new, 0);
        let fresh = Self::backup(&self.fresh, source, true);
        [("hints", hints.root), ("tree", tree.root), ("force", forced.root), ("fresh", fresh.root)]
    }
}

fn check_case(pair: &Pair, source: &Path, scripts: &[EditScript]) -> bool {
    let world = &pair.world;
    Pair::backup(world, source, false);
    let mut is_quiet = false;
    for script in scripts {
        script.apply(source).expect("the tree can be edited");
        let bare = world.another(world.repo.store()).expect("the words open it");
        let above = stamps_above(source);
        let roots = pair.roots(&bare, source);
        // The folders above the source are in the tree, and others use them too.
        if stamps_above(source) == above {
            is_quiet = true;
            assert!(roots.iter().all(|(_, root)| *root == roots[0].1), "{roots:?}");
        }
        world.assert_newest_is(source);
    }
    is_quiet
}

#[test]
fn after_any_edits_all_ways_of_backing_up_make_the_same_tree() {
    let pair = Pair::new();
    let (number, quiet) = (AtomicU32::new(0), AtomicU32::new(0));
    let config = Config { failure_persistence: None, max_shrink_iters: 200, ..Config::default() };
    // Each case costs ten backups: a quarter of the cases, with two scripts each.
    let config = Config { cases: (config.cases / 4).max(1), ..config };
    let cases = config.cases;
    let strange =
        Options { items_max: 15, piece_bytes_max: 150_000, deep: false, ..Options::default() };
    let scripts = [edit_scripts(strange, EDITS_MAX), edit_scripts(strange, EDITS_MAX)];
    let outcome = TestRunner::new(config).run(&(trees(strange), scripts), |(spec, scripts)| {
        let name = format!("source-{}", number.fetch_add(1, Ordering::Relaxed));
        let source = pair.world.new_folder(&name);
        spec.create(&source).expect("the disk takes it");
        let is_quiet = check_case(&pair, &source, &scripts);
        quiet.fetch_add(u32::from(is_quiet), Ordering::Relaxed);
        fs::remove_dir_all(&source).expect("a folder of ours");
        Ok(())
    });
    assert!(outcome.is_ok(), "{}", outcome.expect_err("because it is no success"));
    let quiet = quiet.into_inner();
    assert!(quiet > cases / 10, "only {quiet} of {cases} cases compared roots");
    pair.world.assert_sound();
    pair.fresh.assert_sound();
}

/// What a run leaves out, of names as they are drawn.
fn filters() -> impl Strategy<Value = ExcludeOptions> {
    let pattern = prop_oneof![
        Just("*a*"),
        Just("!*b*"),
        Just("[0-9A-Za-m]*"),
        Just("!*[0-9]"),
        Just("*.*"),
        Just("!?"),
    ];
    let patterns = proptest::collection::vec(pattern.prop_map(str::to_owned), 0..3);
    let larger_than_bytes = prop_oneof![2 => Just(None), 1 => Just(Some(2000))];
    (patterns, larger_than_bytes).prop_map(|(patterns, larger_than_bytes)| ExcludeOptions {
        patterns,
        larger_than_bytes,
        ..ExcludeOptions::default()
    })
}

/// Everything that a snapshot has at and below a folder.
fn entries(world: &World, root: ChunkId, folder: &Path) -> Vec<(TreePath, Entry)> {
    let fetcher = ChunkFetcher::new(&world.repo, &world.index, NODE_CACHE_BYTES);
    let fetcher = fetcher.expect("the tree can be read");
    let folder = tree_path(folder);
    let items = EntryCursor::from(&fetcher, root, &folder);
    let items = items.map(|item| item.expect("the tree is sound"));
    items.take_while(|(path, _)| folder.contains(path)).collect()
}

#[test]
fn after_any_change_of_filters_all_ways_of_backing_up_make_the_same_entries() {
    let pair = Pair::new();
    let number = AtomicU32::new(0);
    let config = Config { failure_persistence: None, max_shrink_iters: 100, ..Config::default() };
    // Each case costs nine backups.
    let config = Config { cases: (config.cases / 16).max(1), ..config };
    let strange =
        Options { items_max: 25, piece_bytes_max: 5_000, deep: false, ..Options::default() };
    let drawn = (trees(strange), [filters(), filters(), filters()]);
    let outcome = TestRunner::new(config).run(&drawn, |(spec, filters)| {
        let name = format!("source-{}", number.fetch_add(1, Ordering::Relaxed));
        let source = pair.world.new_folder(&name);
        spec.create(&source).expect("the disk takes it");
        let bare = pair.world.another(pair.world.repo.store()).expect("the words open it");
        let backup = |world: &World, excludes: &ExcludeOptions, force| {
            let excludes = excludes.clone();
            let options = BackupOptions { force, allow_empty: true, excludes, ..options() };
            let report = world.backup_with(&source, &options).expect("the backup runs");
            assert_eq!(report.problems, []);
            entries(world, report.root, &source)
        };
        for excludes in &filters {
            let fresh = backup(&pair.fresh, excludes, true);
            assert!(!fresh.is_empty(), "at least the folder itself");
            for world in [&pair.world, &bare] {
                assert_eq!(backup(world, excludes, false), fresh, "{excludes:?}");
            }
        }
        fs::remove_dir_all(&source).expect("a folder of ours");
        Ok(())
    });
    assert!(outcome.is_ok(), "{}", outcome.expect_err("because it is no success"));
}
