//! Sources that change while they are backed up, at moments that are chosen: a monitor that is told
//! what is read next changes it before it is opened.

use std::ffi::CString;
use std::fs;
use std::os::unix::fs::{FileExt, symlink};
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU32, Ordering};

use engine::backup::{self, BackupOptions, BackupReport, Source};
use engine::base::limits::{MIB, NODE_CACHE_BYTES};
use engine::base::monitor::{Counter, Monitor};
use engine::base::path::TreePath;
use engine::blob::fetch::ChunkFetcher;
use engine::format::entry::{Entry, EntryKind, FLAG_INCONSISTENT};
use engine::format::snapshot::{RootState, SnapshotState};
use engine::tree::cursor::find;
use system_tests::compare::{Aspect, Difference};
use system_tests::trees::put;
use system_tests::world::{World, options, tree_path};

/// Does something once, just before a path is read.
struct Meddler<F: Fn() + Send + Sync> {
    path: TreePath,
    act: F,
    is_done: Mutex<bool>,
}

impl<F: Fn() + Send + Sync> Monitor for Meddler<F> {
    fn current(&self, path: &TreePath) {
        let mut is_done = self.is_done.lock().expect("nobody panics");
        if *path == self.path && !std::mem::replace(&mut *is_done, true) {
            (self.act)();
        }
    }
}

struct Place {
    world: World,
    source: PathBuf,
}

impl Place {
    /// A source with a file `m/it` between others.
    fn new() -> Self {
        let world = World::in_memory();
        let source = world.new_folder("source");
        for name in ["a", "m/before", "m/it", "m/later", "z"] {
            put(&source.join(name), name.as_bytes());
        }
        Self { world, source }
    }

    fn it(&self) -> PathBuf {
        self.source.join("m/it")
    }

    fn run(&self, monitor: &dyn Monitor, options: &BackupOptions) -> BackupReport {
        let World { repo, index, .. } = &self.world;
        let source = Source::Paths(vec![self.source.clone()]);
        let report = backup::run(repo, index, &self.world.state(), source, options, monitor);
        report.expect("the backup runs")
    }

    /// Backs up, and does this just before `m/it` is opened.
    fn backup_while(&self, act: impl Fn() + Send + Sync) -> BackupReport {
        let monitor = Meddler { path: tree_path(&self.it()), act, is_done: Mutex::new(false) };
        let report = self.run(&monitor, &options());
        assert!(*monitor.is_done.lock().expect("nobody panics"), "the file was not read");
        report
    }

    fn entry(&self, path: &Path) -> Option<Entry> {
        let fetcher = ChunkFetcher::new(&self.world.repo, &self.world.index, NODE_CACHE_BYTES);
        let fetcher = fetcher.expect("the tree can be read");
        find(&fetcher, self.world.newest().root, &tree_path(path)).expect("the tree is sound")
    }

    /// The newest snapshot is the source as it is now, and nothing was wrong.
    fn is_saved(&self, report: &BackupReport) {
        assert_eq!(report.problems, []);
        assert_eq!(report.state, SnapshotState::Complete);
        // The folder was looked at before it changed.
        let mut found = self.world.differences(&self.world.newest(), &self.source, &self.source);
        found.retain(|it| it.path != b"m" || it.aspect != Aspect::Mtime);
        Self::are_none(found);
        self.world.assert_sound();
        // The next run finds nothing to do but what it could not compare.
        let again = self.world.backup(&self.source).expect("the backup runs");
        assert_eq!((again.problems.as_slice(), again.summary.data_chunks_new), (&[][..], 0));
        Self::are_none(self.world.differences(&self.world.newest(), &self.source, &self.source));
    }

    /// The target was there before, and its time is not the restore's to set.
    fn are_none(mut found: Vec<Difference>) {
        found.retain(|it| !it.path.is_empty() || it.aspect != Aspect::Mtime);
        assert!(found.is_empty(), "{found:#?}");
    }
}

#[test]
fn a_file_that_is_replaced_by_rename_is_saved_as_it_is_then() {
    let place = Place::new();
    let aside = place.world.new_folder("aside").join("new");
    put(&aside, &vec![b'n'; 2 * MIB]);
    let report = place.backup_while(|| fs::rename(&aside, place.it()).expect("one file system"));
    place.is_saved(&report);
    assert_eq!(report.summary.vanished, 0);
}

#[test]
fn a_file_that_something_else_replaces_is_saved_as_what_it_is() {
    let link = Place::new();
    let it = link.it();
    let report = link.backup_while(|| {
        fs::remove_file(&it).expect("it is there");
        symlink("before", &it).expect("the name is free");
    });
    link.is_saved(&report);

    let pipe = Place::new();
    let it = pipe.it();
    let report = pipe.backup_while(|| {
        fs::remove_file(&it).expect("it is there");
        let name = CString::new(it.as_os_str().as_encoded_bytes()).expect("a path");
        let made =
            std::process::Command::new("mkfifo").arg(name.to_string_lossy().as_ref()).status();
        assert!(made.is_ok_and(|status| status.success()));
    });
    pipe.is_saved(&report);

    let folder = Place::new();
    let it = folder.it();
    let report = folder.backup_while(|| {
        fs::remove_file(&it).expect("it is there");
        for number in 0..300 {
            put(&it.join(format!("{}/{number}", number % 7)), &[b'x'; 5000]);
        }
        symlink("0", it.join("link")).expect("the name is free");
    });
    folder.is_saved(&report);
}

#[test]
fn what_vanishes_is_left_out_and_no_problem() {
    let place = Place::new();
    place.world.backup(&place.source).expect("the backup runs");
    put(&place.it(), b"changed, so that it is read");
    let report = place.backup_while(|| fs::remove_file(place.it()).expect("it is there"));
    assert_eq!((report.summary.vanished, report.summary.paths_gone), (1, 1));
    assert_eq!((report.files_gone, report.summary.bytes_gone), (1, 4));
    assert_eq!((report.summary.files_changed, report.summary.files_unmodified), (0, 4));
    assert!(place.entry(&place.it()).is_none());
    place.is_saved(&report);

    let folder = Place::new();
    let inside = folder.source.join("m");
    let report = folder.backup_while(|| fs::remove_dir_all(&inside).expect("it is there"));
    assert_eq!((report.problems.as_slice(), report.state), (&[][..], SnapshotState::Complete));
    assert!(report.summary.vanished >= 1);
    assert!(
        folder.entry(&folder.it()).is_none() && folder.entry(&folder.source.join("z")).is_some()
    );
}

#[test]
fn another_name_of_a_file_is_read_if_its_first_is_replaced() {
    for vanishes in [true, false] {
        let place = Place::new();
        fs::hard_link(place.it(), place.source.join("m/x")).expect("the name is free");
        fs::hard_link(place.it(), place.source.join("y")).expect("the name is free");
        let report = place.backup_while(|| {
            fs::remove_file(place.it()).expect("it is there");
            if !vanishes {
                put(&place.it(), b"another file");
            }
        });
        place.is_saved(&report);
        let linked = place.entry(&place.source.join("y")).expect("it is saved");
        assert_eq!(linked.size_bytes, 4);
    }
}

#[test]
fn a_named_path_that_vanishes_is_a_problem() {
    let place = Place::new();
    let paths = vec![place.it(), place.source.join("z")];
    let (world, state) = (&place.world, place.world.state());
    let act = || fs::remove_file(place.it()).expect("it is there");
    let monitor = Meddler { path: tree_path(&place.it()), act, is_done: Mutex::new(false) };
    let source = Source::Paths(paths);
    let report = backup::run(&world.repo, &world.index, &state, source, &options(), &monitor);
    let report = report.expect("the backup runs");
    assert_eq!((report.problem_count, report.state), (1, SnapshotState::Partial));
    assert_eq!(report.problems[0].path, tree_path(&place.it()));
    let states: Vec<_> = report.roots.iter().map(|root| root.state).collect();
    assert_eq!(states, [RootState::Missing, RootState::Saved]);
}

/// Makes a file shorter whenever bytes of it were read.
struct Shortener {
    file: fs::File,
    left: AtomicU32,
}

impl Monitor for Shortener {
    fn add(&self, counter: Counter, amount: u64) {
        let is_hole = counter == Counter::Bytes && amount == MIB as u64;
        if is_hole && self.left.load(Ordering::SeqCst) > 0 {
            let left = self.left.fetch_sub(1, Ordering::SeqCst);
            self.file.set_len(MIB as u64 + 100 + u64::from(left)).expect("it is ours");
        }
    }
}

#[test]
fn a_file_with_holes_that_gets_shorter_is_not_filled_up() {
    for times in [1, 3] {
        let place = Place::new();
        let file =
            fs::File::options().read(true).write(true).open(place.it()).expect("it is there");
        file.set_len(0).expect("it is ours");
        file.write_all_at(&[b'd'; 4096], MIB as u64).expect("there is space");
        file.set_len(8 * MIB as u64).expect("it is ours");
        let monitor = Shortener { file, left: AtomicU32::new(times) };
        let report = place.run(&monitor, &options());
        assert_eq!(report.problems, []);
        let entry = place.entry(&place.it()).expect("it is saved");
        assert_eq!(entry.kind, EntryKind::File);
        assert_eq!(entry.size_bytes, MIB as u64 + 101, "after {times} times");
        assert_eq!(entry.flags & FLAG_INCONSISTENT != 0, times == 3);
        place.world.assert_sound();
    }
}
