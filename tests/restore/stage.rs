//! Scenes on a real disk: the source, and the arena in which a restore has its target.

use std::fs::{self, File, Permissions};
use std::os::unix::fs::{FileExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;

use rustix::fs::{
    AtFlags, CWD, FileType, Gid, Mode, Timespec, Timestamps, Uid, XattrFlags, chownat, lsetxattr,
    mknodat, utimensat,
};
use system_tests::trees::content::random_bytes;

use crate::scene::{Bytes, Hidden, Item, Meta, Node, OUTSIDE, Part, Scene, TARGET};

/// Another name of the target, for a file that gets a name of its own.
const NEW_NAME: &str = "new-name";

impl Scene {
    /// Where the entry at `path` of the source belongs, below the arena; nothing if it is not asked
    /// for.
    pub(crate) fn place(&self, path: &str, source: &Path) -> Option<String> {
        let below = |base: &str| match path.strip_prefix(base) {
            Some("") => Some(TARGET.to_owned()),
            Some(rest) if base.is_empty() => Some(format!("{TARGET}/{rest}")),
            Some(rest) => rest.strip_prefix('/').map(|rest| format!("{TARGET}/{rest}")),
            None => None,
        };
        match &self.order.part {
            Part::Source => below(""),
            Part::Folder(base) => below(base),
            Part::Whole => {
                let source = source.to_str()?.trim_start_matches('/');
                let slash = if path.is_empty() { "" } else { "/" };
                Some(format!("{TARGET}/{source}{slash}{path}"))
            }
            Part::File(file) => below(file.rsplit_once('/').map_or("", |(parent, _)| parent)),
            Part::FileAs(file) => (path == file).then(|| NEW_NAME.to_owned()),
        }
    }

    /// What the command restores and where to: `SNAP…` without the snapshot, and the target's name
    /// below the arena.
    pub(crate) fn asks(&self, source: &Path) -> (String, &'static str) {
        let path = |inner: &str| match inner {
            "" => format!(":{}", source.display()),
            inner => format!(":{}/{inner}", source.display()),
        };
        match &self.order.part {
            Part::Whole => (String::new(), TARGET),
            Part::Source => (path(""), TARGET),
            Part::Folder(inner) | Part::File(inner) => (path(inner), TARGET),
            Part::FileAs(inner) => (path(inner), NEW_NAME),
        }
    }

    /// Makes the source: everything as it was when the snapshot was made.
    pub(crate) fn make_source(&self, source: &Path) {
        fs::create_dir(source).expect("the place is free");
        let mut made: Vec<(PathBuf, &Node)> = Vec::new();
        let mut groups: [Option<PathBuf>; 4] = [const { None }; 4];
        for item in &self.items {
            let Some(node) = &item.saved else { continue };
            let path = source.join(&item.path);
            let group = item.saved_link.map(usize::from);
            match group.and_then(|group| groups[group].clone()) {
                Some(first) => fs::hard_link(first, path).expect("the source can be made"),
                None => {
                    make(&path, node);
                    if let Some(group) = group {
                        groups[group] = Some(path.clone());
                    }
                    made.push((path, node));
                }
            }
        }
        made.iter().rev().for_each(|(path, node)| dress(path, node));
        dress(source, &Node::Folder(self.tops.0.clone()));
    }

    /// Makes the arena: the target as it is before the restore, and what lies outside.
    pub(crate) fn make_arena(&self, arena: &Path, source: &Path) {
        fs::create_dir(arena).expect("the place is free");
        self.make_outside(arena);
        let is_new = matches!(self.order.part, Part::FileAs(_));
        let has_target = !is_new
            && (self.items.iter().any(|item| item.there.is_some())
                || self.seed.is_multiple_of(2)
                || matches!(self.order.part, Part::File(_)));
        if !has_target {
            return;
        }
        fs::create_dir(arena.join(TARGET)).expect("the place is free");
        let mut made: Vec<(PathBuf, &Node)> = Vec::new();
        for item in self.items.iter().filter(|item| item.there.is_some()) {
            let (Some(node), Some(place)) = (&item.there, self.place(&item.path, source)) else {
                continue;
            };
            let path = arena.join(&place);
            if place == TARGET {
                continue;
            }
            fs::create_dir_all(path.parent().expect("it is below")).expect("folders can be made");
            self.make_there(item, node, &path, arena);
            made.push((path, node));
        }
        made.iter().rev().for_each(|(path, node)| dress(path, node));
        dress(&arena.join(TARGET), &Node::Folder(self.tops.1.clone()));
    }

    fn make_there(&self, item: &Item, node: &Node, path: &Path, arena: &Path) {
        let Some(group) = item.there_link else {
            make(path, node);
            if item.is_mount {
                mount(path);
            }
            return;
        };
        let outside = arena.join(OUTSIDE).join(format!("link-{group}"));
        if !outside.exists() {
            make(&outside, node);
        }
        fs::hard_link(outside, path).expect("one file system");
    }

    /// What links lead to, and second names of files: none of it belongs to the restore.
    fn make_outside(&self, arena: &Path) {
        let outside = arena.join(OUTSIDE);
        fs::create_dir(&outside).expect("the place is free");
        fs::create_dir(outside.join("folder")).expect("the place is free");
        let meta = Meta { mode: 0o640, owner: 0, mtime: (1_650_000_000, 1), note: None };
        let bytes = Bytes { seed: 99, length_bytes: 200, hole_bytes: 0 };
        let file = Node::File(bytes, meta);
        for name in ["file", "folder/a", "folder/mine"] {
            make(&outside.join(name), &file);
            dress(&outside.join(name), &file);
        }
    }
}

fn make(path: &Path, node: &Node) {
    let made = match node {
        Node::Folder(_) => fs::create_dir(path),
        Node::File(bytes, _) => File::create_new(path).and_then(|file| fill(&file, *bytes)),
        Node::Symlink(to, _) => symlink(to, path),
        Node::Fifo(_) => {
            mknodat(CWD, path, FileType::Fifo, Mode::RUSR, 0).map_err(std::io::Error::from)
        }
    };
    made.unwrap_or_else(|error| panic!("{} cannot be made: {error}", path.display()));
}

fn fill(file: &File, bytes: Bytes) -> std::io::Result<()> {
    let real = random_bytes(bytes.seed, bytes.length_bytes as usize);
    file.write_all_at(&real, 0)?;
    if bytes.hole_bytes > 0 {
        file.write_all_at(&real, bytes.length_bytes + bytes.hole_bytes)?;
    }
    Ok(())
}

fn dress(path: &Path, node: &Node) {
    let meta = node.meta();
    let is_link = matches!(node, Node::Symlink(..));
    if rustix::process::geteuid().is_root() {
        let owner = (Some(Uid::from_raw(meta.owner)), Some(Gid::from_raw(meta.owner)));
        chownat(CWD, path, owner.0, owner.1, AtFlags::SYMLINK_NOFOLLOW).expect("root may");
    }
    if let (Some(note), Node::Folder(_) | Node::File(..)) = (&meta.note, node) {
        lsetxattr(path, "user.note", note.as_bytes(), XattrFlags::empty())
            .expect("the file system has attributes");
    }
    if !is_link {
        fs::set_permissions(path, Permissions::from_mode(meta.mode)).expect("it is ours");
    }
    let time = Timespec { tv_sec: meta.mtime.0, tv_nsec: i64::from(meta.mtime.1) };
    let times = Timestamps { last_access: time, last_modification: time };
    utimensat(CWD, path, &times, AtFlags::SYMLINK_NOFOLLOW).expect("it is ours");
}

fn mount(path: &Path) {
    let status = Command::new("mount").args(["-t", "tmpfs", "none"]).arg(path).status();
    assert!(status.is_ok_and(|status| status.success()), "cannot mount at {}", path.display());
}

/// Removes a tree with everything that is mounted in it; mounts of others are not there.
pub(crate) fn clear(folder: &Path, has_mounts: bool) {
    if !folder.exists() {
        return;
    }
    if has_mounts {
        unmount_below(folder);
    }
    fs::remove_dir_all(folder).expect("a folder of ours");
}

fn unmount_below(folder: &Path) {
    let table = fs::read_to_string("/proc/thread-self/mounts").expect("the system says");
    let below = format!("{}/", folder.display());
    // What the table escapes: a space.
    let places: Vec<String> = table
        .lines()
        .filter_map(|line| line.split(' ').nth(1))
        .map(|place| place.replace("\\040", " "))
        .filter(|place| place.starts_with(&below))
        .collect();
    for place in places.iter().rev() {
        let status = Command::new("umount").arg("-l").arg(place).status();
        assert!(status.is_ok_and(|status| status.success()), "cannot unmount {place}");
    }
}

/// What the backup leaves out, as options.
pub(crate) fn backup_options(scene: &Scene) -> Vec<String> {
    scene.excluded.iter().flat_map(|name| ["--exclude".to_owned(), name.clone()]).collect()
}

/// Makes the saved side readable by `reader`, except for what must not be.
pub(crate) fn own(scene: &mut Scene, reader: u32) {
    scene.tops.0.owner = reader;
    for item in &mut scene.items {
        let is_secret = item.hidden == Some(Hidden::Unreadable);
        let Some(node) = &mut item.saved else { continue };
        let mode = if node.is_folder() { 0o700 } else { 0o600 };
        let meta = node.meta_mut();
        meta.owner = if is_secret { 0 } else { reader };
        if is_secret {
            meta.mode = mode;
        }
    }
}
