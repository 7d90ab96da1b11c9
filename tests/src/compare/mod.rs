//! Says how two trees on disk differ, without any code of the engine.
//!
//! A restore is right if this finds nothing. It looks with plain system calls, so that a mistake
//! in how the engine reads a tree cannot hide the same mistake in how it was written. Both trees
//! are walked together, relative to open folders, so depth does not matter. Access and change
//! times are not compared: nobody can set the one without changing the other.

/// What can be told of one name.
pub mod facts;
/// The bytes of two files, and where they are holes.
pub mod content;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;

use rustix::fs::{CWD, Dir, Mode, OFlags, openat};

use crate::compare::content::compare_files;
use crate::compare::facts::{Facts, Kind};

/// In what two trees differ.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Aspect {
    /// The name is in the first tree only.
    Missing,
    /// The name is in the second tree only.
    Extra,
    /// One is a file, the other a folder, and so on.
    Type,
    /// Files of different length.
    Size,
    /// Files of the same length with different bytes.
    Bytes,
    /// Permission, suid, sgid and sticky bits.
    Mode,
    /// User or group; compared by root only, as nobody else can set them.
    Owner,
    /// Time of the last change of content, to the nanosecond.
    Mtime,
    /// Where a symbolic link leads.
    LinkTarget,
    /// Which names are one file.
    HardLinks,
    /// Extended attributes, ACLs and capabilities among them.
    Xattrs,
    /// Numbers of a device.
    Device,
    /// The second file takes up more of the disk than the first.
    Holes,
}

/// One difference.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Difference {
    /// Below both roots, with `/` between names; empty for the roots themselves.
    pub path: Vec<u8>,
    /// In what.
    pub aspect: Aspect,
    /// What it is in the first tree.
    pub left: String,
    /// What it is in the second tree.
    pub right: String,
}

impl fmt::Display for Difference {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = &self.path[self.path.len().saturating_sub(SHOWN_PATH_BYTES_MAX)..];
        let dots = if shown.len() < self.path.len() { "…" } else { "" };
        let path = shown.escape_ascii();
        write!(out, "{dots}{path}: {:?}: {} became {}", self.aspect, self.left, self.right)
    }
}

/// The same as for people: a failed test prints it, and a path as a list of numbers helps nobody.
impl fmt::Debug for Difference {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, out)
    }
}

/// How much of the end of a path is shown.
const SHOWN_PATH_BYTES_MAX: usize = 300;

/// Compares what is in the folder `left` with what is in the folder `right`; the two folders
/// themselves are not compared. Of what is missing as a whole only the top is named.
///
/// # Errors
/// When something cannot be read: that is never taken for equal, nor for a difference.
pub fn compare(left: &Path, right: &Path) -> io::Result<Vec<Difference>> {
    let mut walk = Walk::default();
    walk.folder(&open_folder(CWD, left)?, &open_folder(CWD, right)?)?;
    Ok(walk.finish())
}

/// As [`compare`], and compares the metadata of the two folders themselves too.
///
/// # Errors
/// As [`compare`].
pub fn compare_with_roots(left: &Path, right: &Path) -> io::Result<Vec<Difference>> {
    let mut walk = Walk::default();
    let (left, right) = (open_folder(CWD, left)?, open_folder(CWD, right)?);
    walk.facts(&Facts::read(&left, b".")?, &Facts::read(&right, b".")?);
    walk.folder(&left, &right)?;
    Ok(walk.finish())
}

fn open_folder(at: impl AsFd, name: impl rustix::path::Arg) -> io::Result<OwnedFd> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    Ok(openat(at, name, flags, Mode::empty())?)
}

fn names(folder: &OwnedFd) -> io::Result<BTreeSet<Vec<u8>>> {
    let mut names = BTreeSet::new();
    for entry in Dir::read_from(folder)? {
        let name = entry?.file_name().to_bytes().to_vec();
        if name != b"." && name != b".." {
            names.insert(name);
        }
    }
    Ok(names)
}

/// The paths that each inode with several names was met under.
type LinkGroups = BTreeMap<(u64, u64), BTreeSet<Vec<u8>>>;

#[derive(Default)]
struct Walk {
    path: Vec<u8>,
    left_links: LinkGroups,
    right_links: LinkGroups,
    differences: Vec<Difference>,
}

impl Walk {
    fn folder(&mut self, left: &OwnedFd, right: &OwnedFd) -> io::Result<()> {
        let (left_names, right_names) = (names(left)?, names(right)?);
        for name in left_names.union(&right_names) {
            let length = self.path.len();
            if length > 0 {
                self.path.push(b'/');
            }
            self.path.extend(name);
            match (left_names.contains(name), right_names.contains(name)) {
                (true, true) => self.pair(left, right, name)?,
                (true, false) => self.report(Aspect::Missing, "there", "missing"),
                _ => self.report(Aspect::Extra, "not there", "there"),
            }
            self.path.truncate(length);
        }
        Ok(())
    }

    fn pair(&mut self, left: &OwnedFd, right: &OwnedFd, name: &[u8]) -> io::Result<()> {
        let (left_facts, right_facts) = (Facts::read(left, name)?, Facts::read(right, name)?);
        let groups = [&mut self.left_links, &mut self.right_links];
        for (groups, facts) in groups.into_iter().zip([&left_facts, &right_facts]) {
            if facts.kind != Kind::Folder {
                groups.entry(facts.inode).or_default().insert(self.path.clone());
            }
        }
        self.facts(&left_facts, &right_facts);
        if left_facts.kind != right_facts.kind {
            return Ok(());
        }
        match left_facts.kind {
            Kind::Folder => self.folder(&open_folder(left, name)?, &open_folder(right, name)?),
            Kind::File => {
                for (aspect, left, right) in
                    compare_files((left, &left_facts), (right, &right_facts), name)?
                {
                    self.report(aspect, &left, &right);
                }
                Ok(())
            }
            _ => Ok(()),
        }
    }

    fn facts(&mut self, left: &Facts, right: &Facts) {
        if left.kind != right.kind {
            self.differ(Aspect::Type, &left.kind, &right.kind);
            return;
        }
        if left.kind == Kind::File {
            self.differ(Aspect::Size, &left.size_bytes, &right.size_bytes);
        }
        if left.kind != Kind::Symlink {
            let octal = |mode: u32| format!("{mode:04o}");
            self.differ(Aspect::Mode, &octal(left.mode), &octal(right.mode));
        }
        if rustix::process::geteuid().is_root() {
            self.differ(Aspect::Owner, &left.owner, &right.owner);
        }
        self.differ(Aspect::Mtime, &left.mtime, &right.mtime);
        self.differ(Aspect::LinkTarget, &left.link_target, &right.link_target);
        self.differ(Aspect::Device, &left.device, &right.device);
        self.differ(Aspect::Xattrs, &left.xattrs, &right.xattrs);
    }

    fn differ<T: PartialEq + fmt::Debug>(&mut self, aspect: Aspect, left: &T, right: &T) {
        if left != right {
            self.report(aspect, &format!("{left:?}"), &format!("{right:?}"));
        }
    }

    fn report(&mut self, aspect: Aspect, left: &str, right: &str) {
        let path = self.path.clone();
        self.differences.push(Difference {
            path,
            aspect,
            left: left.to_owned(),
            right: right.to_owned(),
        });
    }

    /// Names that are one file on one side must be one file on the other; each group that is not
    /// whole is reported once, under its first name.
    fn finish(mut self) -> Vec<Difference> {
        let left: BTreeSet<_> = std::mem::take(&mut self.left_links).into_values().collect();
        let right: BTreeSet<_> = std::mem::take(&mut self.right_links).into_values().collect();
        let group_of = |groups: &BTreeSet<BTreeSet<Vec<u8>>>, path: &Vec<u8>| {
            groups.iter().find(|group| group.contains(path)).map(show).unwrap_or_default()
        };
        let mut told = BTreeSet::new();
        for group in left.symmetric_difference(&right) {
            let Some(first) = group.first().filter(|first| told.insert((*first).clone())) else {
                continue;
            };
            self.path.clone_from(first);
            let (was, is) = (group_of(&left, first), group_of(&right, first));
            self.report(Aspect::HardLinks, &was, &is);
        }
        self.differences.sort();
        self.differences
    }
}

fn show(group: &BTreeSet<Vec<u8>>) -> String {
    let names: Vec<String> = group.iter().map(|name| name.escape_ascii().to_string()).collect();
    format!("{{{}}}", names.join(", "))
}

#[cfg(test)]
mod tests;
