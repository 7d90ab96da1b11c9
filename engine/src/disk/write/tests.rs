//! Attacks on the target, and what writing there promises.

use std::fs::File;
use std::io::{Read, Write};
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt, symlink};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};

use super::*;

/// A target with something precious beside it.
struct Scene {
    folder: tempfile::TempDir,
    target: Target,
}

impl Scene {
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("because the test machine has space");
        std::fs::create_dir(folder.path().join("outside")).expect("because it is new");
        put(&folder.path().join("outside/precious"), b"precious");
        let target = Target::create(&folder.path().join("new/target")).expect("because it is new");
        Self { folder, target }
    }

    fn inside(&self, name: &str) -> PathBuf {
        self.folder.path().join("new/target").join(name)
    }

    fn outside(&self, name: &str) -> PathBuf {
        self.folder.path().join("outside").join(name)
    }

    fn assert_untouched(&self) {
        let names = std::fs::read_dir(self.folder.path().join("outside")).map(Iterator::count);
        assert_eq!(names.expect("because it can be listed"), 1);
        assert_eq!(get(&self.outside("precious")), b"precious");
    }
}

fn put(path: &Path, bytes: &[u8]) {
    let mut file = File::create(path).expect("because the test may write here");
    file.write_all(bytes).expect("because there is space");
}

fn get(path: &Path) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut file = File::open(path).expect("because the test made it");
    file.read_to_end(&mut bytes).expect("because it is a file");
    bytes
}

fn path(text: &str) -> TreePath {
    TreePath::from_slashes(text.as_bytes()).expect("because the test wrote a valid path")
}

#[test]
fn files_directories_and_links_are_made_and_closed_to_others() {
    let scene = Scene::new();
    let target = &scene.target;
    assert!(target.is_empty().expect("because it can be listed"));
    assert!(target.free_bytes().expect("because the system says") > 0);
    target.make_directory(&path("a")).expect("because it is new");
    target.make_directory(&path("a")).expect("because it is a directory");
    let file = target.create_file(&path("a/f"), 1 << 40).expect("because a hole costs nothing");
    file.write_at(b"end", (1 << 40) - 3).expect("because there is space");
    file.sync().expect("because it is open");
    let meta = std::fs::metadata(scene.inside("a/f")).expect("because it was made");
    assert_eq!((meta.len(), meta.mode() & 0o7777), (1 << 40, 0o600));
    assert!(meta.blocks() < 100);
    assert_eq!(std::fs::metadata(scene.inside("a")).map(|m| m.mode() & 0o7777).ok(), Some(0o700));
    assert!(target.create_file(&path("a/f"), 0).is_err(), "nothing is replaced");
    target.make_symlink(&path("a/l"), b"/anywhere").expect("because it is new");
    target.make_hard_link(&path("a/f"), &path("h")).expect("because it is new");
    assert_eq!(target.list(&path("a")).expect("because it exists"), [b"f", b"l"]);
    let stat = target.stat(&path("h")).expect("because the way is there");
    assert_eq!(stat.map(|stat| (stat.kind, stat.link_count)), Some((EntryKind::File, 2)));
    assert_eq!(target.stat(&path("x/y")).expect("because nothing is there"), None);
    target.sync().expect("because it is open");
}

#[test]
fn a_link_among_the_directories_leads_nowhere() {
    let scene = Scene::new();
    let target = &scene.target;
    symlink(scene.folder.path().join("outside"), scene.inside("link")).expect("because it is new");
    symlink("../../outside", scene.inside("up")).expect("because it is new");
    put(&scene.inside("file"), b"");
    for way in ["link", "up", "file"] {
        let inner = path(way).join(b"precious").expect("because it is a name");
        let new = path(way).join(b"new").expect("because it is a name");
        let obstructed = |result: Result<(), DiskError>| {
            assert!(matches!(result, Err(DiskError::Obstructed { .. })), "{way}: {result:?}");
        };
        obstructed(target.create_file(&new, 0).map(|_| ()));
        obstructed(target.make_directory(&new).map(|_| ()));
        obstructed(target.make_directory(&path(way)).map(|_| ()));
        obstructed(target.make_symlink(&new, b"x"));
        obstructed(target.make_hard_link(&inner, &path("stolen")));
        obstructed(target.open_existing_file(&inner).map(|_| ()));
        obstructed(target.open_for_reading(&inner).map(|_| ()));
        obstructed(target.remove(&inner));
        obstructed(target.stat(&inner).map(|_| ()));
        obstructed(target.list(&path(way)).map(|_| ()));
    }
    scene.assert_untouched();
}

#[test]
fn a_link_at_the_place_of_a_file_is_not_written_through() {
    let scene = Scene::new();
    let target = &scene.target;
    symlink(scene.outside("precious"), scene.inside("f")).expect("because it is new");
    assert!(target.create_file(&path("f"), 0).is_err());
    assert!(matches!(target.open_existing_file(&path("f")), Err(DiskError::NotRegular { .. })));
    assert!(matches!(target.open_for_reading(&path("f")), Err(DiskError::NotRegular { .. })));
    symlink(scene.outside("made"), scene.inside("dangling")).expect("because it is new");
    assert!(target.create_file(&path("dangling"), 0).is_err());
    scene.assert_untouched();
    target.remove(&path("f")).expect("because the link can be removed");
    target.create_file(&path("f"), 0).expect("because the place is free");
    scene.assert_untouched();
}

#[test]
fn a_file_with_a_name_outside_is_not_written_into() {
    let scene = Scene::new();
    std::fs::hard_link(scene.outside("precious"), scene.inside("f")).expect("because it is new");
    let result = scene.target.open_existing_file(&path("f"));
    assert!(matches!(result, Err(DiskError::Shared { link_count: 2, .. })));
    scene.target.remove(&path("f")).expect("because the name can go");
    scene.assert_untouched();
    put(&scene.inside("own"), b"0123456789");
    let file = scene.target.open_existing_file(&path("own")).expect("because it has one name");
    file.write_at(b"ab", 2).expect("because there is space");
    file.make_hole(5, 2).expect("because zeros can be written");
    file.set_len(8).expect("because it is open");
    assert_eq!(get(&scene.inside("own")), b"01ab4\0\x007");
}

#[test]
fn removing_a_tree_leaves_what_its_links_point_to() {
    let scene = Scene::new();
    let target = &scene.target;
    for name in ["t", "t/a", "t/a/b", "u"] {
        target.make_directory(&path(name)).expect("because its parent came before");
    }
    target.create_file(&path("t/a/b/f"), 3).expect("because it is new");
    target.make_symlink(&path("t/a/out"), b"../../../../outside").expect("because it is new");
    target.remove(&path("t")).expect("because it can go");
    target.remove(&path("t")).expect("because nothing there is fine");
    assert_eq!(target.list(&TreePath::root()).expect("because it exists"), [b"u"]);
    target.make_directory(&path("t")).expect("because the place is free");
    target.create_file(&path("t/f"), 0).expect("because no old directory is remembered");
    scene.assert_untouched();
}

#[test]
fn directories_swapped_for_links_during_the_restore_are_never_followed() {
    let scene = Scene::new();
    let stop = AtomicBool::new(false);
    std::thread::scope(|threads| {
        threads.spawn(|| {
            while !stop.load(Ordering::Relaxed) {
                let _ = std::fs::remove_dir_all(scene.inside("d"));
                let _ = symlink("../../outside", scene.inside("d"));
                let _ = std::fs::remove_file(scene.inside("d"));
            }
        });
        for round in 0..1000 {
            let file = path(&format!("d/{round}"));
            scene.target.beneath.forget(b"");
            let _ = scene.target.make_directory(&path("d"));
            let _ = scene.target.create_file(&file, 0);
            let _ = scene.target.make_symlink(&path("d/l"), b"x");
            let _ = scene.target.remove(&path("d"));
        }
        stop.store(true, Ordering::Relaxed);
    });
    scene.assert_untouched();
}

#[test]
fn pipes_and_devices_are_made_as_told() {
    let scene = Scene::new();
    let target = &scene.target;
    put(&scene.inside("model"), b"");
    let model = meta::stat_at(target.beneath.base(), b"model").expect("because it was made");
    let names = &mut crate::disk::owner::OwnerNames::default();
    let mut entry = meta::Stat::new(EntryKind::Fifo, &model).entry(false, names);
    target.make_special(&path("fifo"), &entry).expect("because anybody may");
    entry.kind = EntryKind::Socket;
    target.make_special(&path("socket"), &entry).expect("because anybody may");
    assert!(matches!(target.open_for_reading(&path("fifo")), Err(DiskError::NotRegular { .. })));
    assert!(matches!(target.open_existing_file(&path("fifo")), Err(DiskError::NotRegular { .. })));
    entry.kind = EntryKind::CharDevice;
    assert!(target.make_special(&path("device"), &entry).is_err(), "without a number");
    entry.kind = EntryKind::File;
    assert!(target.make_special(&path("file"), &entry).is_err());
    if is_root() {
        use crate::format::entry::DeviceNumber;
        entry.kind = EntryKind::CharDevice;
        entry.device_number = Some(DeviceNumber { major: 1, minor: 3 });
        if target.make_special(&path("null"), &entry).is_ok() {
            let meta = std::fs::symlink_metadata(scene.inside("null"));
            let meta = meta.expect("because it was made");
            assert!(meta.file_type().is_char_device());
            assert_eq!(meta.permissions().mode() & 0o777, 0o600);
        }
    }
}
