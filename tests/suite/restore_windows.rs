//! A restore in several windows: planned by one thread, carried out by others.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use engine::base::limits::{
    INLINE_MAX_BYTES, RESTORE_FIRST_WINDOW_PART, RESTORE_WINDOW_CHUNKS, RESTORE_WINDOW_FILES,
};
use engine::base::monitor::{Counter, Monitor, Silent};
use engine::base::path::TreePath;
use engine::restore::{self, RestoreError, RestoreOptions, RestoreReport};
use system_tests::compare::compare;
use system_tests::trees::content::random_bytes;
use system_tests::trees::{put, set_mtime};
use system_tests::world::{World, tree_path};

/// Files of a first window, which is the smallest.
const FIRST_FILES: usize = RESTORE_WINDOW_FILES / RESTORE_FIRST_WINDOW_PART;
const _: () = assert!(FIRST_FILES <= RESTORE_WINDOW_CHUNKS / RESTORE_FIRST_WINDOW_PART);

/// So many files of one chunk each, twenty to a folder.
fn files(source: &Path, count: usize) {
    for number in 0..count {
        let bytes = random_bytes(number as u64, INLINE_MAX_BYTES + 1 + number % 700);
        put(&source.join(format!("{:04}/{number}", number / 20)), &bytes);
    }
}

fn restore(
    world: &World,
    source: &Path,
    target: &Path,
    monitor: &dyn Monitor,
) -> Result<RestoreReport, RestoreError> {
    let (from, options) = (tree_path(source), RestoreOptions::default());
    restore::run(&world.repo, &world.index, &world.newest(), &from, target, &options, monitor)
}

#[test]
fn folders_and_links_are_right_after_several_windows() {
    let world = World::in_memory();
    let source = world.new_folder("source");
    files(&source, 4 * FIRST_FILES);
    // Names of one file in the first window and in the last, and a file over several blocks.
    fs::hard_link(source.join("0000/0"), source.join("0000/again")).expect("a link can be made");
    fs::hard_link(source.join("0000/0"), source.join("zzzz")).expect("a link can be made");
    put(&source.join("0001/large"), &random_bytes(1, 5 << 20));
    for entry in fs::read_dir(&source).expect("ours") {
        let path = entry.expect("readable").path();
        if path.is_dir() {
            set_mtime(&path, 1_600_000_000);
            let closed = fs::Permissions::from_mode(0o555);
            fs::set_permissions(&path, closed).expect("ours");
        }
    }
    world.backup(&source).expect("the backup runs");
    world.assert_newest_is(&source);
}

#[test]
fn holes_come_back_wherever_they_are() {
    const MIB: u64 = 1 << 20;
    let world = World::in_memory();
    let source = world.new_folder("source");
    for (name, start, data, end) in [
        ("all", 0, 0, 3 * MIB),
        ("at the end", 0, 1000, 3 * MIB),
        ("at the beginning", 2 * MIB, 1000, 2 * MIB + 1000),
        ("on both sides", 2 * MIB, 300_000, 9 * MIB),
        ("none", 0, 1000, 1000),
        ("empty", 0, 0, 0),
    ] {
        put(&source.join(name), b"");
        let file = fs::OpenOptions::new().write(true).open(source.join(name)).expect("ours");
        file.set_len(end).expect("a hole costs nothing");
        let data = random_bytes(start, data);
        std::os::unix::fs::FileExt::write_all_at(&file, &data, start).expect("room");
    }
    world.backup(&source).expect("the backup runs");
    world.assert_newest_is(&source);
}

/// Puts a file where the restore is about to create one.
struct Intruder {
    victim: &'static [u8],
    file: PathBuf,
}

impl Monitor for Intruder {
    fn current(&self, path: &TreePath) {
        if path.to_slashes().ends_with(self.victim) {
            put(&self.file, b"somebody came between");
        }
    }
}

#[test]
fn what_appears_in_a_new_folder_is_not_replaced() {
    let world = World::in_memory();
    let source = world.new_folder("source");
    files(&source, 40);
    world.backup(&source).expect("the backup runs");
    let target = world.out.path().join("target");
    // The folder is made aside, so what appears is in the way of all of it.
    let intruder = Intruder { victim: b"0001/25", file: target.join("0001/25") };
    let report = restore(&world, &source, &target, &intruder).expect("the restore goes on");
    assert_eq!(report.problem_count, 1, "{report:?}");
    assert_eq!(report.problems[0].path.to_slashes(), b"/0001");
    assert!(report.is_unfinished);
    assert_eq!(report.damage_count, 0, "the repository is not to blame");
    let found = fs::read(&intruder.file).expect("it is there");
    assert_eq!(found, b"somebody came between");
    // Once it is out of the way, the same restore brings the folder.
    fs::remove_dir_all(target.join("0001")).expect("ours");
    let again = restore(&world, &source, &target, &Silent).expect("the restore goes on");
    assert_eq!((again.problem_count, again.is_unfinished), (0, false), "{again:?}");
    assert_eq!(compare(&source, &target).expect("readable"), []);
}

/// Fails or cancels at a certain point.
struct Breaking {
    at_file: u64,
    at_write: u64,
    cancels: bool,
    file_count: AtomicU64,
    write_count: AtomicU64,
}

impl Breaking {
    fn new(at_file: u64, at_write: u64, cancels: bool) -> Self {
        let (file_count, write_count) = (AtomicU64::new(0), AtomicU64::new(0));
        Self { at_file, at_write, cancels, file_count, write_count }
    }
}

impl Monitor for Breaking {
    fn current(&self, _: &TreePath) {
        let count = self.file_count.fetch_add(1, Ordering::Relaxed) + 1;
        assert!(self.cancels || count != self.at_file, "the planning thread breaks");
    }

    fn add(&self, counter: Counter, _: u64) {
        if counter == Counter::Bytes {
            let count = self.write_count.fetch_add(1, Ordering::Relaxed) + 1;
            assert!(self.cancels || count != self.at_write, "a writing thread breaks");
        }
    }

    fn is_cancelled(&self) -> bool {
        self.cancels
            && (self.file_count.load(Ordering::Relaxed) >= self.at_file
                || self.write_count.load(Ordering::Relaxed) >= self.at_write)
    }
}

#[test]
fn a_thread_that_breaks_or_is_cancelled_ends_the_restore() {
    let world = World::in_memory();
    let source = world.new_folder("source");
    files(&source, 4 * FIRST_FILES);
    world.backup(&source).expect("the backup runs");
    let run = |name: &str, monitor: &Breaking| {
        let target = world.out.path().join(name);
        catch_unwind(AssertUnwindSafe(|| restore(&world, &source, &target, monitor)))
    };
    let never = u64::MAX;
    let in_second = FIRST_FILES as u64 + 10;
    for at in [10, in_second] {
        let planning = run(&format!("planning {at}"), &Breaking::new(at, never, false));
        assert!(planning.is_err(), "the panic is gone");
        let writing = run(&format!("writing {at}"), &Breaking::new(never, at, false));
        assert!(matches!(writing, Ok(Err(RestoreError::Lost))), "{writing:?}");
        for monitor in [Breaking::new(at, never, true), Breaking::new(never, at, true)] {
            let target = format!("cancelled {at} {}", monitor.at_file);
            let cancelled = run(&target, &monitor);
            assert!(matches!(cancelled, Ok(Err(RestoreError::Interrupted))), "{cancelled:?}");
            // A folder that is open to others is complete.
            for number in 0..FIRST_FILES / 20 {
                let name = format!("{number:04}");
                let found = world.out.path().join(&target).join(&name);
                let is_open = |found: fs::Metadata| found.mode() & 0o077 != 0;
                if fs::metadata(&found).is_ok_and(is_open) {
                    let differences = compare(&source.join(&name), &found).expect("readable");
                    assert_eq!(differences, [], "{target}/{name}");
                }
            }
        }
    }
}
