//! Plants every kind of difference into two equal trees, one at a time: each must be found, and
//! nothing else.

use std::fs::{self, File, OpenOptions};
use std::os::unix::fs::{FileExt, PermissionsExt, symlink};
use std::path::Path;

use rustix::fs::{
    AtFlags, CWD, FileType, Mode, Timespec, Timestamps, XattrFlags, lsetxattr, makedev, mknodat,
    utimensat,
};

use super::{Aspect, compare, compare_with_roots};

/// A change to a tree, and everything that must be said about it.
type Plant = (&'static str, fn(&Path), &'static [(&'static str, Aspect)]);

const FOLDER_TIME: (&str, Aspect) = ("folder", Aspect::Mtime);

const PLANTS: &[Plant] = &[
    ("nothing", |_| (), &[]),
    (
        "a file is gone",
        |dir| fs::remove_file(dir.join("folder/small")).expect("planting"),
        &[FOLDER_TIME, ("folder/small", Aspect::Missing)],
    ),
    (
        "a folder is gone, with what is in it",
        |dir| fs::remove_dir_all(dir.join("folder")).expect("planting"),
        &[("folder", Aspect::Missing)],
    ),
    (
        "a file is added",
        |dir| drop(File::create_new(dir.join("folder/new")).expect("planting")),
        &[FOLDER_TIME, ("folder/new", Aspect::Extra)],
    ),
    (
        "a file became a link",
        |dir| {
            fs::remove_file(dir.join("folder/small")).expect("planting");
            symlink("x", dir.join("folder/small")).expect("planting");
        },
        &[FOLDER_TIME, ("folder/small", Aspect::Type)],
    ),
    (
        "a file is one byte longer",
        |dir| keeping_time(&dir.join("folder/small"), |file| file.write_all_at(b"!", 5)),
        &[("folder/small", Aspect::Size)],
    ),
    (
        "one byte is another",
        |dir| keeping_time(&dir.join("folder/small"), |file| file.write_all_at(b"!", 4)),
        &[("folder/small", Aspect::Bytes)],
    ),
    (
        "one byte in a hole is another",
        |dir| keeping_time(&dir.join("sparse"), |file| file.write_all_at(b"!", 9 << 20)),
        &[("sparse", Aspect::Bytes)],
    ),
    (
        "a hole is filled with zeros",
        |dir| keeping_time(&dir.join("sparse"), |file| file.write_all_at(&[0; 1 << 20], 5 << 20)),
        &[("sparse", Aspect::Holes)],
    ),
    (
        "a mode is another",
        |dir| {
            let mode = fs::Permissions::from_mode(0o4644);
            fs::set_permissions(dir.join("folder/small"), mode).expect("planting");
        },
        &[("folder/small", Aspect::Mode)],
    ),
    (
        "the time of a file is a nanosecond later",
        |dir| set_time(&dir.join("folder/small"), 7, 9),
        &[("folder/small", Aspect::Mtime)],
    ),
    ("the time of a folder", |dir| set_time(&dir.join("folder"), 8, 8), &[FOLDER_TIME]),
    (
        "the time of a link is before 1970",
        |dir| set_time(&dir.join("symlink"), -1, 8),
        &[("symlink", Aspect::Mtime)],
    ),
    (
        "a link leads elsewhere",
        |dir| {
            fs::remove_file(dir.join("symlink")).expect("planting");
            symlink("elsewhere", dir.join("symlink")).expect("planting");
            set_time(&dir.join("symlink"), 7, 8);
        },
        &[("symlink", Aspect::LinkTarget)],
    ),
    (
        "a hard link became a copy",
        |dir| {
            fs::remove_file(dir.join("link-a")).expect("planting");
            fs::copy(dir.join("folder/link-b"), dir.join("link-a")).expect("planting");
            set_time(&dir.join("link-a"), 7, 8);
        },
        &[("folder/link-b", Aspect::HardLinks), ("link-a", Aspect::HardLinks)],
    ),
    (
        "a copy became a hard link",
        |dir| {
            fs::remove_file(dir.join("other")).expect("planting");
            fs::hard_link(dir.join("folder/small"), dir.join("other")).expect("planting");
        },
        &[("folder/small", Aspect::HardLinks), ("other", Aspect::HardLinks)],
    ),
    (
        "an attribute is another",
        |dir| set_xattr(&dir.join("folder/small"), "user.note", b"other"),
        &[("folder/small", Aspect::Xattrs)],
    ),
    (
        "an attribute is new",
        |dir| set_xattr(&dir.join("folder"), "user.new", b""),
        &[("folder", Aspect::Xattrs)],
    ),
];

/// The same for what only root can plant.
const PLANTS_OF_ROOT: &[Plant] = &[
    (
        "a user is another",
        |dir| {
            let user = Some(rustix::fs::Uid::from_raw(4711));
            rustix::fs::chown(dir.join("other"), user, None).expect("planting");
        },
        &[("other", Aspect::Owner)],
    ),
    (
        "a device has another number",
        |dir| {
            fs::remove_file(dir.join("device")).expect("planting");
            device(dir, 4);
        },
        &[("device", Aspect::Device)],
    ),
];

fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

fn set_time(path: &Path, seconds: i64, nanos: i64) {
    let time = Timespec { tv_sec: seconds, tv_nsec: nanos };
    let times = Timestamps { last_access: time, last_modification: time };
    utimensat(CWD, path, &times, AtFlags::SYMLINK_NOFOLLOW).expect("planting");
}

fn set_xattr(path: &Path, name: &str, value: &[u8]) {
    lsetxattr(path, name, value, XattrFlags::empty()).expect("planting");
}

fn keeping_time(path: &Path, change: impl FnOnce(&File) -> std::io::Result<()>) {
    let file = OpenOptions::new().write(true).open(path).expect("planting");
    change(&file).expect("planting");
    set_time(path, 7, 8);
}

fn device(dir: &Path, minor: u32) {
    let (kind, mode) = (FileType::CharacterDevice, Mode::RUSR);
    mknodat(CWD, dir.join("device"), kind, mode, makedev(1, minor)).expect("planting");
    set_time(&dir.join("device"), 7, 8);
}

fn fill(dir: &Path) {
    fs::create_dir(dir.join("folder")).expect("filling");
    for name in ["folder/small", "other", "folder/link-b"] {
        File::create_new(dir.join(name))
            .and_then(|f| f.write_all_at(b"small", 0))
            .expect("filling");
    }
    fs::hard_link(dir.join("folder/link-b"), dir.join("link-a")).expect("filling");
    let sparse = File::create_new(dir.join("sparse")).expect("filling");
    sparse.write_all_at(b"data", 3 << 20).expect("filling");
    sparse.set_len(1 << 40).expect("filling");
    symlink("nowhere", dir.join("symlink")).expect("filling");
    mknodat(CWD, dir.join("fifo"), FileType::Fifo, Mode::RUSR, 0).expect("filling");
    if is_root() {
        device(dir, 3);
    }
    set_xattr(&dir.join("folder/small"), "user.note", b"value");
    set_xattr(&dir.join("other"), "user.note", b"value");
    let names = ["folder/small", "other", "link-a", "sparse", "symlink", "fifo", "folder"];
    names.iter().for_each(|name| set_time(&dir.join(name), 7, 8));
}

#[test]
fn every_planted_difference_is_found_and_nothing_else() {
    let of_root = if is_root() { PLANTS_OF_ROOT } else { &[] };
    for (what, plant, expected) in PLANTS.iter().chain(of_root) {
        let (left, right) = (tempfile::tempdir(), tempfile::tempdir());
        let (left, right) = (left.expect("a temporary folder"), right.expect("a temporary folder"));
        fill(left.path());
        fill(right.path());
        plant(right.path());
        let found = compare(left.path(), right.path()).expect("both trees can be read");
        let seen: Vec<_> = found
            .iter()
            .map(|difference| (str::from_utf8(&difference.path).expect("plain"), difference.aspect))
            .collect();
        assert_eq!(seen, *expected, "{what}: {found:#?}");
    }
}

#[test]
fn roots_are_compared_on_request_only() {
    let (left, right) = (tempfile::tempdir(), tempfile::tempdir());
    let (left, right) = (left.expect("a temporary folder"), right.expect("a temporary folder"));
    set_time(left.path(), 1, 1);
    set_time(right.path(), 1, 2);
    assert_eq!(compare(left.path(), right.path()).expect("readable"), []);
    let found = compare_with_roots(left.path(), right.path()).expect("readable");
    assert_eq!(found.iter().map(|one| one.aspect).collect::<Vec<_>>(), [Aspect::Mtime]);
}
