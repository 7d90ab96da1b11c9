//! Any tree in, the same tree out; the second time nothing is stored.

use std::fs;
use std::io::Write;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::atomic::{AtomicU32, Ordering};

use engine::backup::{self, BackupError, BackupOptions, BackupReport, Source};
use engine::base::id::{PackId, PackKind};
use engine::base::limits::{PACK_FULL_CHUNKS, PACK_TARGET_BYTES};
use engine::base::monitor::Monitor;
use engine::format::snapshot::SnapshotState;
use engine::restore;
use engine::store::{Location, Store, StoreOptions};
use proptest::test_runner::{Config, TestRunner};
use system_tests::trees::content::{self, Content, PAGE_BYTES, Piece};
use system_tests::trees::strategy::{Options, trees};
use system_tests::trees::{ItemSpec, Kind, Meta, TreeSpec, put};
use system_tests::world::{World, options, stamps_above, tree_path};

const MIB: u64 = 1 << 20;

/// Nothing was read, stored or counted as changed. What is above the source may have changed.
fn assert_all_unmodified(first: &BackupReport, second: &BackupReport) {
    let (before, now) = (&first.summary, &second.summary);
    assert_eq!(second.problems, []);
    let news = (now.files_new, now.files_changed, now.dirs_new, now.paths_gone);
    assert_eq!(news, (0, 0, 0, 0), "{now:#?}");
    assert_eq!(now.files_unmodified, before.files_new + before.files_unmodified);
    assert_eq!((now.bytes_read, now.data_chunks_new), (0, 0), "{now:#?}");
    assert_eq!((now.entries, now.total_bytes), (before.entries, before.total_bytes));
}

/// The number of cases in which nobody changed a folder above the source meanwhile.
fn run_property(world: &World, cases: u32) -> u32 {
    let (number, quiet) = (AtomicU32::new(0), AtomicU32::new(0));
    let config =
        Config { cases, failure_persistence: None, max_shrink_iters: 200, ..Config::default() };
    let outcome = TestRunner::new(config).run(&trees(Options::default()), |spec| {
        let number = number.fetch_add(1, Ordering::Relaxed);
        let source = world.new_folder(&format!("source-{number}"));
        spec.create(&source).expect("the disk takes it");
        let above = stamps_above(&source);
        let first = world.backup(&source).expect("the first backup runs");
        assert_eq!((first.state, &first.problems), (SnapshotState::Complete, &Vec::new()));
        let second = world.backup(&source).expect("the second backup runs");
        assert_all_unmodified(&first, &second);
        if stamps_above(&source) == above {
            quiet.fetch_add(1, Ordering::Relaxed);
            let summary = &second.summary;
            assert_eq!((summary.dirs_changed, summary.tree_nodes_new), (0, 0));
            assert_eq!(second.root, first.root);
        }
        world.assert_newest_is(&source);
        fs::remove_dir_all(&source).expect("a folder of ours");
        Ok(())
    });
    assert!(outcome.is_ok(), "{}", outcome.expect_err("because it is no success"));
    world.assert_sound();
    quiet.into_inner()
}

/// 256, unless `PROPTEST_CASES` says otherwise.
fn cases() -> u32 {
    Config::default().cases
}

#[test]
fn every_tree_comes_back_from_memory() {
    let quiet = run_property(&World::in_memory(), cases());
    assert!(quiet > cases() / 10, "only {quiet} cases saw whether the tree stays the same");
}

#[test]
fn every_tree_comes_back_from_a_folder() {
    let place = system_tests::world::new_place();
    let location = Location::parse(&place.path().display().to_string()).expect("a location");
    let store = Store::open(&location, &StoreOptions::default(), true).expect("opened");
    let quiet = run_property(&World::create(&store), (cases() / 8).max(1));
    assert!(quiet > 0, "no case saw whether the tree stays the same");
}

fn file(name: &str, pieces: Vec<Piece>) -> ItemSpec {
    let kind = Kind::File(Content::Pieces(pieces));
    ItemSpec { parent: 0, name: name.to_owned().into(), kind, meta: Meta::default() }
}

fn world_with(items: Vec<ItemSpec>, deep_chain_count: usize) -> (World, std::path::PathBuf) {
    let world = World::in_memory();
    let source = world.new_folder("source");
    let spec = TreeSpec { items, deep_chain_count };
    let made = spec.create(&source).expect("the disk takes it");
    assert_eq!(made.skipped_count, 0, "the tree is not what the test says");
    (world, source)
}

/// Backs up twice, restores, checks.
fn round_trip(world: &World, source: &Path) -> (BackupReport, BackupReport) {
    let first = world.backup(source).expect("the first backup runs");
    assert_eq!(first.problems, []);
    let second = world.backup(source).expect("the second backup runs");
    assert_all_unmodified(&first, &second);
    world.assert_newest_is(source);
    world.assert_sound();
    (first, second)
}

#[test]
fn a_chain_of_folders_deeper_than_any_path_comes_back() {
    let (world, source) = world_with(Vec::new(), 100);
    let (first, _) = round_trip(&world, &source);
    assert!(first.summary.dirs_new >= 101, "{:?}", first.summary);
}

#[test]
fn a_tebibyte_with_little_in_it_comes_back_with_its_holes() {
    let some = |seed| Piece::Random { seed, length_bytes: 70_000 };
    let hole = |length_bytes| Piece::Hole { length_bytes };
    let ends_in_data = vec![hole((1 << 40) - 4096), some(1)];
    let ends_in_hole = vec![some(2), hole(1 << 39), some(3), hole(1 << 39)];
    let items = vec![
        file("data last", ends_in_data),
        file("hole last", ends_in_hole),
        file("only hole", vec![hole(1 << 40)]),
    ];
    let (world, source) = world_with(items, 0);
    let (first, _) = round_trip(&world, &source);
    assert!(first.summary.total_bytes > 3 << 40);
    assert!(first.summary.bytes_read < MIB, "{:?}", first.summary);
}

#[test]
fn hard_links_stay_links_across_folders_and_for_things_that_are_no_files() {
    let item = |parent, name: &str, kind| ItemSpec {
        parent,
        name: name.to_owned().into(),
        kind,
        meta: Meta::default(),
    };
    let large = Content::Pieces(vec![Piece::Random { seed: 1, length_bytes: 400_000 }]);
    let items = vec![
        item(0, "a", Kind::Folder),
        item(0, "z", Kind::Folder),
        item(1, "large", Kind::File(large)),
        item(0, "small", Kind::File(Content::Pieces(Vec::new()))),
        item(0, "pipe", Kind::Fifo),
        item(0, "arrow", Kind::Symlink("nowhere".into())),
        item(2, "large too", Kind::HardLink(0)),
        item(0, "large three", Kind::HardLink(0)),
        item(2, "small too", Kind::HardLink(1)),
        item(1, "pipe too", Kind::HardLink(2)),
        item(1, "arrow too", Kind::HardLink(3)),
    ];
    let (world, source) = world_with(items, 0);
    let (first, _) = round_trip(&world, &source);
    assert!(first.summary.bytes_read < 500_000, "a link was read again: {:?}", first.summary);
}

/// Makes a file longer when a worker is about to read it, after the walk has seen all its names.
struct Grower {
    file: std::path::PathBuf,
}

impl Monitor for Grower {
    fn current(&self, path: &engine::base::path::TreePath) {
        if *path == tree_path(&self.file) {
            std::thread::sleep(std::time::Duration::from_millis(300));
            let file = fs::OpenOptions::new().append(true).open(&self.file).expect("it is there");
            (&file).write_all(&content::random_bytes(9, 5000)).expect("room");
        }
    }
}

#[test]
fn a_file_with_two_names_that_grows_while_it_is_read_is_whole_under_both() {
    let world = World::in_memory();
    let source = world.new_folder("source");
    put(&source.join("one"), &content::random_bytes(1, 100_000));
    fs::hard_link(source.join("one"), source.join("two")).expect("a file can have two names");
    let grower = Grower { file: source.join("one") };
    let paths = Source::Paths(vec![source.clone()]);
    backup::run(&world.repo, &world.index, &world.state(), paths, &options(), &grower)
        .expect("the backup runs");
    assert_eq!(fs::metadata(source.join("two")).expect("it is there").len(), 105_000);
    world.assert_newest_is(&source);
    // Alone, the second name is no link to the first.
    let target = world.out.path().join("two");
    let report = world.restore(&world.newest(), &source.join("two"), &target);
    assert_eq!(report.expect("the restore runs").problems, []);
    let restored = fs::read(target.join("two")).expect("it is there");
    assert!(restored == fs::read(source.join("one")).expect("it is there"));
    world.assert_sound();
}

#[test]
fn of_five_thousand_files_only_the_changed_one_is_read() {
    let world = World::in_memory();
    let source = world.new_folder("source");
    for number in 0..5000_u64 {
        let bytes = content::random_bytes(number, 100 + (number % 13) as usize * 100);
        put(&source.join(format!("{:02}/{number}", number % 97)), &bytes);
    }
    let (first, _) = round_trip(&world, &source);
    assert_eq!(first.summary.files_new, 5000);
    put(&source.join("42/new"), &[7; 900]);
    put(&source.join("00/0"), &[8; 900]);
    let third = world.backup(&source).expect("the backup runs").summary;
    assert_eq!((third.files_new, third.files_changed, third.files_unmodified), (1, 1, 4999));
    assert_eq!((third.bytes_read, third.data_chunks_new), (1800, 2));
    world.assert_newest_is(&source);
}

#[test]
fn large_files_of_noise_and_of_text_come_back() {
    let items = vec![
        file("noise", vec![Piece::Random { seed: 1, length_bytes: 40 * MIB }]),
        file("text", vec![Piece::Text { seed: 2, length_bytes: 40 * MIB }]),
    ];
    let (world, source) = world_with(items, 0);
    let (first, _) = round_trip(&world, &source);
    assert_eq!(first.summary.bytes_read, 80 * MIB);
    assert!(first.summary.bytes_stored < 60 * MIB, "{:?}", first.summary);
}

#[test]
fn packs_of_very_many_short_chunks_are_closed_before_they_are_long() {
    let world = World::in_memory();
    let source = world.new_folder("source");
    let file = fs::File::create(source.join("stretches")).expect("a file");
    let count = PACK_FULL_CHUNKS as u64 + 700;
    for number in 0..count {
        // Every second page of the file system is a hole.
        file.write_all_at(&(number + 1).to_le_bytes(), number * 8192).expect("the disk takes it");
    }
    let one_worker = BackupOptions { workers: 1, ..options() };
    let report = world.backup_with(&source, &one_worker).expect("the backup runs");
    assert_eq!(report.summary.data_chunks_new, count);
    let mut packs = Vec::new();
    let index = world.index.reader().expect("it opens");
    let collect = &mut |pack: PackId, stored_bytes| {
        packs.extend((pack.kind == PackKind::Data).then_some((pack, stored_bytes)));
        true
    };
    index.for_each_pack(collect).expect("it can be read");
    assert_eq!(packs.len(), 2, "{packs:?}");
    assert!(packs.iter().all(|(_, bytes)| (*bytes as usize) < PACK_TARGET_BYTES), "{packs:?}");
    world.assert_newest_is(&source);
}

#[test]
fn of_a_database_little_more_than_its_changed_pages_is_stored() {
    let (world, source) =
        world_with(vec![file("db", vec![Piece::Pages { seed: 1, page_count: 4096 }])], 0);
    let file = fs::OpenOptions::new().write(true).open(source.join("db")).expect("it is there");
    file.write_all_at(b"SQLite format 3\0\x10\0", 0).expect("room");
    round_trip(&world, &source);
    for edit in 0..40 {
        let offset = (edit * 977 % 4096) * PAGE_BYTES + 100;
        file.write_all_at(&content::random_bytes(edit, 64), offset).expect("room");
    }
    let second = world.backup(&source).expect("the backup runs").summary;
    assert_eq!((second.files_changed, second.data_chunks_new), (1, 40));
    world.assert_newest_is(&source);
    world.assert_sound();
}

#[test]
fn with_force_everything_is_read_and_nothing_is_stored() {
    let (world, source) =
        world_with(vec![file("a", vec![Piece::Random { seed: 1, length_bytes: 300_000 }])], 0);
    round_trip(&world, &source);
    let forced = BackupOptions { force: true, ..options() };
    let third = world.backup_with(&source, &forced).expect("the backup runs");
    assert!(third.parent.is_some(), "it is compared, and not believed");
    assert_eq!((third.summary.bytes_read, third.summary.data_chunks_new), (300_000, 0));
    world.assert_newest_is(&source);
}

fn backup_stream(world: &World, source: Source) -> Result<BackupReport, BackupError> {
    let (repo, index) = (&world.repo, &world.index);
    backup::run(repo, index, &world.state(), source, &options(), &world.monitor)
}

fn cat_newest(world: &World, name: &str) -> Vec<u8> {
    let (mut bytes, path) = (Vec::new(), tree_path(Path::new(name)));
    let snapshot = world.newest();
    restore::read::cat(&world.repo, &world.index, &snapshot, &path, &mut bytes)
        .expect("the file is in the snapshot");
    bytes
}

#[test]
fn a_stream_becomes_a_file_of_any_length() {
    let world = World::in_memory();
    for length in [1, 600, 70_000, 3_000_000] {
        let bytes = content::random_bytes(length as u64, length);
        let input = Box::new(std::io::Cursor::new(bytes.clone()));
        let source = Source::Stream { name: b"dump.sql".to_vec(), input };
        let report = backup_stream(&world, source).expect("the backup runs");
        assert_eq!((report.summary.files_new, report.summary.total_bytes), (1, length as u64));
        assert!(cat_newest(&world, "/dump.sql") == bytes, "{length} bytes came back wrong");
    }
    assert_eq!(world.snapshots().len(), 4);
    world.assert_sound();
}

#[test]
fn a_command_that_fails_leaves_no_snapshot() {
    let world = World::in_memory();
    let run = |script: &str| {
        let argv = ["sh", "-c", script].map(Into::into).to_vec();
        let variables = vec![("PATH".into(), "/usr/bin:/bin".into())];
        backup_stream(&world, Source::Command { name: b"out".to_vec(), argv, variables })
    };
    run("printf hello").expect("the command ends well");
    assert_eq!(cat_newest(&world, "/out"), b"hello");
    let error = run("head -c 200000 /dev/zero; exit 3").expect_err("the command fails");
    assert!(error.to_string().contains('3'), "{error}");
    run("kill -9 $$").expect_err("the command is killed");
    assert_eq!(world.snapshots().len(), 1, "half an output became a snapshot");
    run("printf again").expect("a later run is not in the way");
    assert_eq!(cat_newest(&world, "/out"), b"again");
    assert_eq!(world.snapshots().len(), 2);
    world.assert_sound();
}

#[test]
fn a_stream_that_breaks_leaves_no_snapshot() {
    struct Breaks(usize);
    impl std::io::Read for Breaks {
        fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
            let count = self.0.min(buffer.len());
            self.0 -= count;
            if count == 0 { Err(std::io::Error::other("the line broke")) } else { Ok(count) }
        }
    }
    let world = World::in_memory();
    for length in [0, 100, 3_000_000] {
        let source = Source::Stream { name: b"in".to_vec(), input: Box::new(Breaks(length)) };
        backup_stream(&world, source).expect_err("a broken stream is no file");
    }
    assert_eq!(world.snapshots().len(), 0);
}
