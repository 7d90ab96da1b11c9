//! What is on a disk: every name below a folder, with everything that a restore could spoil.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::os::fd::OwnedFd;
use std::path::Path;

use rustix::fs::{AtFlags, CWD, Dir, Mode, OFlags, openat, statat};
use system_tests::compare::facts::{Facts, Kind};

/// How names begin that belong to a restore that has not ended.
pub(crate) const STAGED: &str = ".mainstay-restore-";

/// A name and what it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Seen {
    pub(crate) facts: Facts,
    pub(crate) ctime: (i64, i64),
    /// Of the bytes of a regular file.
    pub(crate) digest: Option<[u8; 8]>,
}

impl Seen {
    pub(crate) fn is_folder(&self) -> bool {
        self.facts.kind == Kind::Folder
    }

    /// Bytes, kind and where a link leads, without metadata.
    pub(crate) fn has_content_of(&self, other: &Self) -> bool {
        let (mine, others) = (&self.facts, &other.facts);
        mine.kind == others.kind
            && mine.link_target == others.link_target
            && mine.device == others.device
            && self.digest == other.digest
            && (self.digest.is_none() || mine.size_bytes == others.size_bytes)
    }

    /// Names of the metadata in which two differ.
    pub(crate) fn differing_meta(&self, other: &Self) -> Vec<&'static str> {
        let (mine, others) = (&self.facts, &other.facts);
        let has_mode = mine.kind != Kind::Symlink;
        let all = [
            (has_mode && mine.mode != others.mode, "mode"),
            (mine.owner != others.owner, "owner"),
            (mine.mtime != others.mtime, "mtime"),
            (mine.xattrs != others.xattrs, "xattrs"),
        ];
        all.into_iter().filter(|(differs, _)| *differs).map(|(_, name)| name).collect()
    }

    /// Whether nobody touched it: the same file with the same time of change.
    pub(crate) fn is_untouched(&self, before: &Self) -> bool {
        self.facts.inode == before.facts.inode && self.ctime == before.ctime
    }

    pub(crate) fn show(&self) -> String {
        let facts = &self.facts;
        let (mode, owner, mtime) = (facts.mode, facts.owner.0, facts.mtime);
        let mut text =
            format!("{:?} {mode:o} owner {owner} mtime {}.{}", facts.kind, mtime.0, mtime.1);
        if facts.kind == Kind::File {
            let digest: String =
                self.digest.iter().flatten().take(4).map(|byte| format!("{byte:02x}")).collect();
            text += &format!(" {} bytes #{digest}", facts.size_bytes);
        }
        if let Some(target) = &facts.link_target {
            text += &format!(" -> {target}");
        }
        if !facts.xattrs.is_empty() {
            text += &format!(" {:?}", facts.xattrs);
        }
        text + &format!(" ino {} ctime {}.{}", facts.inode.1, self.ctime.0, self.ctime.1)
    }
}

/// Every name below a folder, the folder itself under the empty name.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Tree(pub(crate) BTreeMap<String, Seen>);

impl Tree {
    /// Looks at everything below `folder`.
    ///
    /// # Errors
    /// What the system refuses.
    pub(crate) fn of(folder: &Path) -> io::Result<Self> {
        let mut tree = Self::default();
        let opened = open_folder(CWD, folder)?;
        tree.0.insert(String::new(), see(&opened, ".")?);
        tree.walk(&opened, "")?;
        Ok(tree)
    }

    fn walk(&mut self, folder: &OwnedFd, above: &str) -> io::Result<()> {
        for entry in Dir::read_from(folder)? {
            let name = entry?.file_name().to_string_lossy().into_owned();
            if name == "." || name == ".." {
                continue;
            }
            let path = if above.is_empty() { name.clone() } else { format!("{above}/{name}") };
            let seen = see(folder, &name)?;
            let is_folder = seen.is_folder();
            self.0.insert(path.clone(), seen);
            if is_folder {
                self.walk(&open_folder(folder, name.as_str())?, &path)?;
            }
        }
        Ok(())
    }

    pub(crate) fn get(&self, path: &str) -> Option<&Seen> {
        self.0.get(path)
    }

    /// Names directly in a folder, each with what it is.
    pub(crate) fn children<'a>(
        &'a self,
        folder: &'a str,
    ) -> impl Iterator<Item = (&'a str, &'a Seen)> {
        let all = self.0.iter().filter(move |(path, _)| {
            !path.is_empty() && path.rsplit_once('/').map_or("", |(parent, _)| parent) == folder
        });
        all.map(|(path, seen)| (path.as_str(), seen))
    }

    /// Which names are one file, for each file that is no folder and has several names.
    pub(crate) fn link_groups(&self) -> BTreeSet<BTreeSet<&str>> {
        let mut groups: BTreeMap<(u64, u64), BTreeSet<&str>> = BTreeMap::new();
        for (path, seen) in &self.0 {
            if !seen.is_folder() && !is_staged(path) {
                groups.entry(seen.facts.inode).or_default().insert(path);
            }
        }
        groups.into_values().filter(|names| names.len() > 1).collect()
    }
}

/// Names that two looks at one folder see differently; space on the disk is given when a file
/// system likes to, and access times are everybody's.
pub(crate) fn touched<'a>(before: &'a Tree, after: &'a Tree) -> BTreeSet<&'a str> {
    let is_same = |old: &Seen, new: &Seen| {
        new.is_untouched(old) && new.has_content_of(old) && new.differing_meta(old).is_empty()
    };
    let paths = before.0.keys().chain(after.0.keys());
    let touched = paths.filter(|path| match (before.get(path), after.get(path)) {
        (Some(old), Some(new)) => !is_same(old, new),
        _ => true,
    });
    touched.map(String::as_str).collect()
}

/// Whether a path is, or is below, a name that a restore made for itself.
pub(crate) fn is_staged(path: &str) -> bool {
    path.split('/').any(|name| name.starts_with(STAGED))
}

fn see(folder: &OwnedFd, name: &str) -> io::Result<Seen> {
    let facts = Facts::read(folder, name.as_bytes())?;
    let stat = statat(folder, name, AtFlags::SYMLINK_NOFOLLOW)?;
    let digest = match facts.kind {
        Kind::File => {
            let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
            let mut file = std::fs::File::from(openat(folder, name, flags, Mode::empty())?);
            let mut hasher = blake3::Hasher::new();
            io::copy(&mut file, &mut hasher)?;
            let mut short = [0; 8];
            short.copy_from_slice(&hasher.finalize().as_bytes()[..8]);
            Some(short)
        }
        _ => None,
    };
    Ok(Seen { facts, ctime: (stat.st_ctime, stat.st_ctime_nsec as i64), digest })
}

fn open_folder(at: impl std::os::fd::AsFd, name: impl rustix::path::Arg) -> io::Result<OwnedFd> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    Ok(openat(at, name, flags, Mode::empty())?)
}
