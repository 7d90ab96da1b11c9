//! Drawn trees as the file system shows them, without a kernel, against the engine's other ways to read.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU32, Ordering};

use engine::base::id::ChunkId;
use engine::base::path::TreePath;
use engine::format::entry::{Entry, EntryKind};
use engine::format::snapshot::Snapshot;
use engine::mount::attributes::Attributes;
use engine::mount::blocks::Blocks;
use engine::mount::inodes::TOP;
use engine::mount::scene::{Folder, Scene, Shown};
use engine::mount::view::View;
use engine::restore::read::cat;
use engine::tree::cursor::EntryCursor;
use proptest::test_runner::{Config, TestRunner};
use system_tests::scale::Chance;
use system_tests::trees::strategy::{Options, trees};
use system_tests::world::World;

fn scene_of(snapshot: &Snapshot) -> Scene {
    let mut top = Folder::default();
    let made = snapshot.started;
    top.add(b"shown", Shown { session: snapshot.session, root: snapshot.root, made });
    Scene { top, made }
}

/// Everything in a folder, taken a few items at a time.
fn names(view: &View<'_>, inode: u64, chance: &mut Chance) -> Vec<(Vec<u8>, EntryKind)> {
    let handle = view.open_folder(inode).expect("a folder can be opened");
    let (mut names, mut at) = (Vec::new(), 0);
    loop {
        let (most, before, from) = (chance.below(5), names.len(), at);
        let mut taken = 0;
        let mut take = |position: u64, listed: &engine::mount::listing::Listed| {
            if taken > most {
                return false;
            }
            taken += 1;
            at = position;
            names.push((listed.name.clone(), listed.kind));
            true
        };
        view.list(handle, from, &mut take).expect("it can be listed");
        if names.len() == before {
            break;
        }
    }
    // From somewhere else once more.
    if !names.is_empty() {
        let from = chance.below(names.len() as u64);
        let mut again = Vec::new();
        let mut take = |_: u64, listed: &engine::mount::listing::Listed| {
            again.push((listed.name.clone(), listed.kind));
            true
        };
        view.list(handle, from, &mut take).expect("it can be listed");
        assert_eq!(again, names[from as usize..]);
    }
    view.close_folder(handle);
    names
}

fn walk(
    view: &View<'_>,
    inode: u64,
    path: &TreePath,
    chance: &mut Chance,
    found: &mut BTreeMap<TreePath, Attributes>,
) {
    for (name, kind) in names(view, inode, chance) {
        let told = view.look_up(inode, &name).expect("what is listed is there");
        assert_eq!(told.kind, kind);
        assert_eq!(view.attributes(told.inode).expect("the kernel holds it"), told);
        let path = path.join(&name).expect("a name");
        if kind == EntryKind::Directory {
            walk(view, told.inode, &path, chance, found);
        }
        assert!(found.insert(path, told).is_none(), "a name comes once");
    }
    assert!(view.look_up(inode, b"is not \x01 there").is_err());
}

fn assert_is(told: &Attributes, entry: &Entry, view: &View<'_>) {
    assert_eq!((told.mode, told.uid, told.gid), (entry.mode, entry.uid, entry.gid));
    assert_eq!((told.mtime, told.ctime), (entry.mtime, entry.ctime));
    assert_eq!(told.link_count, entry.link_count.max(1));
    assert_eq!(told.device_number, entry.device_number);
    match entry.kind {
        EntryKind::File => assert_eq!(told.size_bytes, entry.size_bytes),
        EntryKind::Symlink => {
            assert_eq!(Some(view.link_target(told.inode).expect("a link")), entry.target);
        }
        _ => {}
    }
    let listed = view.xattr_names(told.inode).expect("they can be listed");
    let listed: Vec<_> = listed.split(|byte| *byte == 0).filter(|it| !it.is_empty()).collect();
    let wanted: Vec<_> = entry.xattrs.iter().map(|one| one.name.as_slice()).collect();
    assert_eq!(listed, wanted);
    for one in &entry.xattrs {
        assert_eq!(view.xattr(told.inode, &one.name).expect("it is listed"), one.value);
    }
}

/// Any stretch of a file is what the whole file has there.
fn assert_reads(view: &View<'_>, told: &Attributes, whole: &[u8], chance: &mut Chance) {
    let handle = view.open(told.inode).expect("a file can be opened");
    let size = whole.len() as u64;
    let read = |offset: u64, length: u32| {
        let read = view.read(handle, offset, length).expect("it can be read");
        let from = offset.min(size) as usize;
        let to = offset.saturating_add(u64::from(length)).min(size) as usize;
        assert!(read == whole[from..to], "{length} bytes at {offset} of {size}");
    };
    for _ in 0..6 {
        read(chance.below(size + 10), chance.below(200_000) as u32);
    }
    let step = 1 + chance.below(131_072) as u32;
    (0..=size).step_by(step as usize).take(100).for_each(|offset| read(offset, step));
    read(0, size as u32 + 1);
    read(u64::MAX, 7);
    view.close(handle);
    assert!(view.read(handle, 0, 1).is_err(), "it is closed");
}

fn bytes_of(world: &World, snapshot: &Snapshot, path: &TreePath) -> Vec<u8> {
    let mut whole = Vec::new();
    cat(&world.repo, &world.index, snapshot, path, &mut whole).expect("it can be read");
    whole
}

fn compare(world: &World, snapshot: &Snapshot, chance: &mut Chance) {
    let blocks = Blocks::new(&world.repo, &world.index).expect("there is an index");
    let view = View::new(&blocks, true, (7, 8), scene_of(snapshot));
    let shown = view.look_up(TOP, b"shown").expect("it is shown");
    assert_eq!((shown.uid, shown.gid), (7, 8));
    let mut found = BTreeMap::new();
    walk(&view, shown.inode, &TreePath::root(), chance, &mut found);
    let fetcher = engine::blob::fetch::ChunkFetcher::new(&world.repo, &world.index, 1 << 20);
    let fetcher = fetcher.expect("there is an index");
    let entries = EntryCursor::new(&fetcher, snapshot.root);
    let entries: BTreeMap<_, _> = entries.map(|item| item.expect("it is whole")).collect();
    assert!(found.keys().eq(entries.keys()), "{:?} {:?}", found.keys(), entries.keys());
    let mut links: BTreeMap<(u64, u64), u64> = BTreeMap::new();
    let mut inodes = BTreeMap::new();
    for (path, told) in &found {
        let entry = &entries[path];
        assert_is(told, entry, &view);
        if entry.kind == EntryKind::File && entry.content.is_some() {
            assert_reads(&view, told, &bytes_of(world, snapshot, path), chance);
        }
        // Names of one file have one number, and nothing else has it.
        let is_linked = entry.link_count > 1;
        let own = if is_linked { Some((entry.device, entry.inode)) } else { None };
        if let Some(own) = own {
            assert_eq!(*links.entry(own).or_insert(told.inode), told.inode, "{path}");
        }
        let other = inodes.insert(told.inode, (own, path.clone()));
        assert!(other.is_none_or(|(other, _)| other == own && own.is_some()), "{path}");
    }
    assert!(view.inode_count() > 0);
    // The kernel gives back what it was told, each time that it was told.
    found.values().chain([&shown]).for_each(|told| view.forget(told.inode, 1));
    assert_eq!(view.inode_count(), 0);
    assert_same_numbers(snapshot, &blocks, &found);
}

/// In another mount everything has the same number.
fn assert_same_numbers(
    snapshot: &Snapshot,
    blocks: &Blocks<'_>,
    found: &BTreeMap<TreePath, Attributes>,
) {
    let view = View::new(blocks, false, (0, 0), scene_of(snapshot));
    for (path, told) in found {
        let mut inode = view.look_up(TOP, b"shown").expect("it is shown").inode;
        for name in path.components() {
            inode = view.look_up(inode, name).expect("it was there").inode;
        }
        assert_eq!(inode, told.inode, "{path}");
    }
}

#[test]
fn drawn_trees_are_shown_as_they_are() {
    let world = World::in_memory();
    let number = AtomicU32::new(0);
    let config = Config { cases: 32, failure_persistence: None, ..Config::default() };
    let options = Options { huge: false, ..Options::default() };
    let outcome = TestRunner::new(config).run(&trees(options), |spec| {
        let number = number.fetch_add(1, Ordering::Relaxed);
        let source = world.new_folder(&format!("source-{number}"));
        spec.create(&source).expect("the disk takes it");
        world.backup(&source).expect("the backup runs");
        compare(&world, &world.newest(), &mut Chance::new(u64::from(number)));
        std::fs::remove_dir_all(&source).expect("a folder of ours");
        Ok(())
    });
    assert!(outcome.is_ok(), "{}", outcome.expect_err("because it is no success"));
}

#[test]
fn a_file_with_a_tree_of_extents_is_read_from_anywhere() {
    let world = World::in_memory();
    let source = world.new_folder("source");
    let bytes = system_tests::trees::content::random_bytes(3, 48 << 20);
    system_tests::trees::put(&source.join("large"), &bytes);
    world.backup(&source).expect("the backup runs");
    let snapshot = world.newest();
    compare(&world, &snapshot, &mut Chance::new(1));
    let path = system_tests::world::tree_path(&source.join("large"));
    let fetcher = engine::blob::fetch::ChunkFetcher::new(&world.repo, &world.index, 1 << 20);
    let fetcher = fetcher.expect("there is an index");
    let entry = engine::tree::cursor::find(&fetcher, snapshot.root, &path);
    let entry = entry.expect("it can be read").expect("it is there");
    let content = entry.content.expect("a file");
    let is_tree = matches!(content, engine::format::content::Content::Tree { .. });
    assert!(is_tree, "the file is too short for what the test is about");
    let unknown = ChunkId::new([9; 32]);
    let blocks = Blocks::new(&world.repo, &world.index).expect("there is an index");
    assert!(blocks.chunk(&unknown).is_err() && blocks.chunk(&unknown).is_err());
}
