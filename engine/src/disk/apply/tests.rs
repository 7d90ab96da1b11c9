//! Metadata comes back as it was, and never gives away more than it should.

use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::Path;

use super::*;
use crate::disk::exclude::Excludes;
use crate::disk::walk::{Found, Walk, WalkItem, WalkOptions};
use crate::disk::write::is_root;
use crate::format::entry::Xattr;

const ALL: MetadataOptions = MetadataOptions { owners: true, xattrs: true, inode_flags: true };

fn path(text: &str) -> TreePath {
    TreePath::from_slashes(text.as_bytes()).expect("because the test wrote a valid path")
}

/// What a backup would say about a path, attributes included.
fn look(root: &Path, name: &str) -> Entry {
    let options = WalkOptions {
        roots: vec![root.to_path_buf()],
        excludes: Excludes::default(),
        with_atime: true,
        skip: Vec::new(),
    };
    let is_it = |found: &Found| found.path.to_slashes().ends_with(name.as_bytes());
    let found = Walk::new(options).expect("because the root exists").find_map(|item| match item {
        WalkItem::Found(found) if is_it(&found) => Some(found),
        _ => None,
    });
    let found = found.expect("because the test made it");
    let mut entry = found.entry().expect("it is there");
    assert_eq!(found.read_details(&mut entry), []);
    entry
}

/// The parts that a restore can bring back.
fn restorable(entry: &Entry) -> Entry {
    let (ctime, inode) = (Timestamp::default(), 0);
    Entry { ctime, btime: None, inode, ..entry.clone() }
}

fn scene() -> (tempfile::TempDir, Target) {
    let folder = tempfile::tempdir().expect("because the test machine has space");
    let target = Target::create(&folder.path().join("target")).expect("because it is new");
    target.make_directory(&path("dir")).expect("because it is new");
    target.create_file(&path("dir/file"), 5).expect("because it is new");
    target.make_symlink(&path("dir/link"), b"file").expect("because it is new");
    (folder, target)
}

#[test]
fn what_was_set_is_what_the_next_walk_sees() {
    let (folder, target) = scene();
    for (name, mode) in [("/dir/file", 0o444), ("/dir/link", 0o777), ("/dir", 0o1555)] {
        let mut wanted = look(folder.path(), name);
        wanted.mode = mode;
        wanted.mtime = Timestamp { seconds: -86_400, nanos: 123_456_789 };
        wanted.atime = Some(Timestamp { seconds: 4_000_000_000, nanos: 1 });
        let mut add = |name: &[u8], value: &[u8]| {
            wanted.xattrs.push(Xattr { name: name.to_vec(), value: value.to_vec() });
        };
        if wanted.kind != EntryKind::Symlink {
            add(b"user.text", b"some\0bytes");
        }
        if is_root() {
            add(b"trusted.t", b"t");
            (wanted.uid, wanted.gid) = (12_345, 54_321);
            (wanted.user, wanted.group) = (None, None);
        }
        if is_root() && wanted.kind == EntryKind::File {
            wanted.mode = 0o6755;
        }
        wanted.xattrs.sort();
        let problems = target.apply_metadata(&path(name), &wanted, &ALL).problems;
        assert_eq!(problems, []);
        let seen = look(folder.path(), name);
        // Opening a directory to look at it may count as an access.
        let mut seen = restorable(&seen);
        if wanted.kind == EntryKind::Directory {
            seen.atime = wanted.atime;
        }
        assert_eq!(seen, restorable(&wanted));
    }
    let open = std::fs::Permissions::from_mode(0o700);
    let _ = std::fs::set_permissions(folder.path().join("target/dir"), open);
}

#[test]
fn the_descriptor_that_wrote_a_file_sets_what_its_path_would() {
    let (folder, target) = scene();
    let mut wanted = look(folder.path(), "/dir/file");
    wanted.mode = 0o6751;
    wanted.mtime = Timestamp { seconds: 1_234_567_890, nanos: 987_654_321 };
    wanted.atime = Some(wanted.mtime);
    wanted.xattrs = vec![Xattr { name: b"user.text".to_vec(), value: b"kept".to_vec() }];
    if is_root() {
        (wanted.uid, wanted.gid) = (12_345, 54_321);
        (wanted.user, wanted.group) = (None, None);
    }
    for options in [ALL, MetadataOptions { owners: false, ..ALL }] {
        assert_eq!(target.apply_metadata(&path("dir/file"), &wanted, &options).problems, []);
        let by_path = restorable(&look(folder.path(), "/dir/file"));
        let file = target.create_file(&path("dir/new"), 0).expect("because it is new");
        // What the file got from somewhere else goes.
        rustix::fs::fsetxattr(file.as_fd(), "user.other", b"x", rustix::fs::XattrFlags::CREATE)
            .expect("because the file system has attributes");
        file.write_at(&[0; 5], 0).expect("because there is space");
        assert_eq!(file.apply_metadata(&wanted, &options).problems, []);
        assert_eq!(restorable(&look(folder.path(), "/dir/new")), by_path);
        target.remove(&path("dir/file")).expect("because it can go");
        target.remove(&path("dir/new")).expect("because it can go");
        target.create_file(&path("dir/file"), 5).expect("because it is new");
    }
}

/// A default ACL (`acl(5)`, as the kernel stores it) that lets user 12,345 write.
fn default_acl() -> Vec<u8> {
    let none = u32::MAX;
    let entries = [
        (0x01_u16, 7_u16, none),
        (0x02, 7, 12_345),
        (0x04, 5, none),
        (0x10, 7, none),
        (0x20, 5, none),
    ];
    let mut bytes = 2_u32.to_le_bytes().to_vec();
    for (tag, rights, id) in entries {
        bytes.extend([tag.to_le_bytes(), rights.to_le_bytes()].concat());
        bytes.extend(id.to_le_bytes());
    }
    bytes
}

#[test]
fn files_that_are_made_with_their_mode_end_like_all_others() {
    let (folder, target) = scene();
    let mut wanted = look(folder.path(), "/dir/file");
    wanted.xattrs.clear();
    let directory = folder.path().join("target/dir");
    for has_acl in [false, true] {
        if has_acl {
            let flags = rustix::fs::XattrFlags::empty();
            let name = "system.posix_acl_default";
            if rustix::fs::setxattr(&directory, name, &default_acl(), flags).is_err() {
                return; // a file system without ACLs
            }
        }
        for mode in [0o644, 0o755, 0o600, 0o666, 0o640, 0o664, 0o4755, 0o2755, 0o1644, 0o400, 0] {
            wanted.mode = mode;
            let new = path("dir/new");
            let file = target.create_whole_file(&new, &wanted).expect("because it is new");
            let early = look(folder.path(), "/dir/new").mode;
            assert_eq!(early & !(mode | 0o600), 0, "{mode:o} was opened to others as {early:o}");
            file.write_at(b"x", 0).expect("because there is space");
            assert_eq!(file.apply_metadata(&wanted, &ALL).problems, []);
            let seen = look(folder.path(), "/dir/new");
            assert_eq!((seen.mode, seen.xattrs), (mode, Vec::new()));
            target.remove(&new).expect("because it can go");
        }
    }
}

#[test]
fn special_files_and_the_target_itself_get_metadata_too() {
    let (folder, target) = scene();
    let mut wanted = look(folder.path(), "/dir/file");
    for kind in [EntryKind::Fifo, EntryKind::Socket] {
        wanted.kind = kind;
        wanted.size_bytes = 0;
        wanted.mode = 0o640;
        wanted.mtime = Timestamp { seconds: 77, nanos: 7 };
        wanted.atime = Some(wanted.mtime);
        target.make_special(&path("special"), &wanted).expect("because anybody may");
        assert_eq!(target.apply_metadata(&path("special"), &wanted, &ALL).problems, []);
        assert_eq!(restorable(&look(folder.path(), "/special")), restorable(&wanted));
        target.remove(&path("special")).expect("because it can go");
    }
    let mut wanted = look(folder.path(), "/target");
    wanted.mode = 0o751;
    assert_eq!(target.apply_metadata(&TreePath::root(), &wanted, &ALL).problems, []);
    assert_eq!(look(folder.path(), "/target").mode, 0o751);
}

#[test]
fn without_the_right_owner_no_set_id_bit_is_set() {
    let (folder, target) = scene();
    let mut wanted = look(folder.path(), "/dir/file");
    wanted.mode = 0o6755;
    wanted.uid += 1;
    wanted.gid += 1;
    let options = MetadataOptions { owners: false, ..ALL };
    assert_eq!(target.apply_metadata(&path("dir/file"), &wanted, &options).problems, []);
    assert_eq!(look(folder.path(), "/dir/file").mode, 0o755);
    if !is_root() {
        let problems = target.apply_metadata(&path("dir/file"), &wanted, &ALL).problems;
        assert_eq!(problems.len(), 1);
        assert_eq!(look(folder.path(), "/dir/file").mode, 0o755);
    }
    wanted.uid = u32::MAX;
    assert_eq!(target.apply_metadata(&path("dir/file"), &wanted, &ALL).problems.len(), 1);
}

#[test]
fn nothing_is_applied_to_something_else_or_through_a_link() {
    let (folder, target) = scene();
    let outside = folder.path().join("outside");
    std::fs::File::create(&outside).expect("because it is new");
    let before = std::fs::metadata(&outside).expect("because it was made");
    let mut wanted = look(folder.path(), "/dir/file");
    wanted.mode = 0o777;
    target.remove(&path("dir/file")).expect("because it can go");
    symlink("../../outside", folder.path().join("target/dir/file")).expect("because it is free");
    assert_eq!(target.apply_metadata(&path("dir/file"), &wanted, &ALL).problems.len(), 1);
    wanted.kind = EntryKind::Symlink;
    assert_eq!(target.apply_metadata(&path("dir/file"), &wanted, &ALL).problems, []);
    let after = std::fs::metadata(&outside).expect("because it was made");
    assert_eq!((after.mode(), after.ctime_nsec()), (before.mode(), before.ctime_nsec()));
}

#[test]
fn attributes_that_the_entry_does_not_have_are_removed() {
    let (folder, target) = scene();
    let file = folder.path().join("target/dir/file");
    let set = rustix::fs::setxattr(&file, "user.old", b"x", rustix::fs::XattrFlags::empty());
    if set.is_err() {
        return; // a file system without attributes
    }
    let mut wanted = look(folder.path(), "/dir/file");
    wanted.xattrs.retain(|xattr| xattr.name != b"user.old");
    let options = MetadataOptions { xattrs: false, ..ALL };
    assert_eq!(target.apply_metadata(&path("dir/file"), &wanted, &options).problems, []);
    assert_ne!(look(folder.path(), "/dir/file").xattrs, wanted.xattrs);
    assert_eq!(target.apply_metadata(&path("dir/file"), &wanted, &ALL).problems, []);
    assert_eq!(look(folder.path(), "/dir/file").xattrs, wanted.xattrs);
}

#[test]
fn times_that_mean_something_else_to_the_kernel_are_refused() {
    let (folder, target) = scene();
    let mut wanted = look(folder.path(), "/dir/file");
    for nanos in [0x3fff_ffff, 0x3fff_fffe, 1_000_000_000] {
        wanted.mtime = Timestamp { seconds: 5, nanos };
        let problems = target.apply_metadata(&path("dir/file"), &wanted, &ALL).problems;
        assert!(matches!(problems.as_slice(), [only] if only.action == "setting the times of"));
    }
}

#[test]
fn inode_flags_come_back_and_come_last() {
    let (folder, target) = scene();
    let mut wanted = look(folder.path(), "/dir/file");
    let immutable = rustix::fs::IFlags::IMMUTABLE.bits();
    let nodump = rustix::fs::IFlags::NODUMP.bits();
    wanted.inode_flags = if is_root() { immutable | nodump } else { nodump };
    let problems = target.apply_metadata(&path("dir/file"), &wanted, &ALL).problems;
    if problems.is_empty() {
        assert_eq!(look(folder.path(), "/dir/file").inode_flags, wanted.inode_flags);
        assert_eq!(look(folder.path(), "/dir/file").mtime, wanted.mtime);
    }
    let file = std::fs::File::open(folder.path().join("target/dir/file"));
    let _ = meta::set_inode_flags(file.expect("because it was made"), 0);
}
