//! The source, path by path, in exactly the order of a snapshot's tree.
//!
//! Names are sorted per directory and a directory comes directly before what it holds; that is
//! the order of [`TreePath`], so the walk can be merged with the previous snapshot in one pass.
//! Every directory is opened by its name in its parent and must be the one that was seen there.

use std::collections::{HashSet, VecDeque};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustix::fs::{AtFlags, CWD, Mode, OFlags, Statx, StatxAttributes, StatxFlags};
use rustix::io::Errno;

use crate::base::limits::FOLDER_READ_BYTES;
use crate::base::monitor::Problem;
use crate::base::path::{TreePath, escape};
use crate::disk::error::{DiskError, problem};
use crate::disk::exclude::{Excludes, IfPresent, Standing};
use crate::disk::folder::{Folder, Names, Shared, lock};
pub use crate::disk::found::Found;
use crate::disk::found::describe;
use crate::disk::meta::{self, Stat};
use crate::disk::owner::Owners;
use crate::disk::read::OpenFile;
use crate::format::entry::EntryKind;

/// What to walk and what to leave out.
#[derive(Debug, Clone, Default)]
pub struct WalkOptions {
    /// Absolute paths of files or directories.
    pub roots: Vec<PathBuf>,
    /// What to leave out.
    pub excludes: Excludes,
    /// Whether entries carry the time of last access.
    pub with_atime: bool,
    /// Device and inode number of directories that appear but are not entered: the repository
    /// and the program's own state.
    pub skip: Vec<(u64, u64)>,
}

/// One step of a [`Walk`].
#[derive(Debug)]
pub enum WalkItem {
    /// Something to back up.
    Found(Found),
    /// Something that could not be looked at; the walk goes on beside it.
    Problem(Problem),
}

/// Iterates over everything below the roots in rising order of [`TreePath`], each path once.
///
/// The directories above a root appear once, as directories, even if the path leads through
/// symbolic links; a root that is a symbolic link itself is that link. The root of the file
/// system has no entry of its own. What vanishes during the walk is left out silently.
#[derive(Debug)]
pub struct Walk {
    excludes: Excludes,
    skip: HashSet<(u64, u64)>,
    shared: Arc<Shared>,
    roots: std::vec::IntoIter<TreePath>,
    last_root: Option<TreePath>,
    levels: Vec<Level>,
    ready: VecDeque<WalkItem>,
    buffer: Vec<u8>,
}

/// The owners' names of a walk.
#[derive(Debug)]
pub struct OwnerBook(Arc<Shared>);

impl OwnerBook {
    /// Whether all of them still have the names they had.
    #[must_use]
    pub fn agree_with(&self, then: &Owners) -> bool {
        lock(&self.0.owners).agree_with(then)
    }

    /// All that were asked for.
    #[must_use]
    pub fn list(&self) -> Owners {
        lock(&self.0.owners).list()
    }
}

/// A directory on the way down.
#[derive(Debug)]
struct Level {
    folder: Arc<Folder>,
    path: TreePath,
    names: Names,
    standing: Standing,
    /// Device of the root that the walk came from.
    device: u64,
}

impl Walk {
    /// Prepares a walk.
    ///
    /// # Errors
    /// [`DiskError::BadRoot`] for a root that is not absolute or contains `..`;
    /// [`DiskError::Io`] naming the first root that cannot be looked at.
    pub fn new(options: WalkOptions) -> Result<Self, DiskError> {
        let mut roots =
            options.roots.iter().map(|root| root_path(root)).collect::<Result<Vec<_>, _>>()?;
        for root in &roots {
            look_at(root).map_err(|error| DiskError::io("looking for the source", root, error))?;
        }
        roots.sort();
        roots.dedup_by(|later, earlier| earlier.contains(later));
        Ok(Self {
            excludes: options.excludes,
            skip: options.skip.into_iter().collect(),
            shared: Shared::new(options.with_atime),
            roots: roots.into_iter(),
            last_root: None,
            levels: Vec::new(),
            ready: VecDeque::new(),
            buffer: Vec::with_capacity(FOLDER_READ_BYTES),
        })
    }

    /// Whether entries carry the time of last access.
    #[must_use]
    pub fn with_atime(&self) -> bool {
        self.shared.with_atime
    }

    /// The names of owners that this walk knows; it stays usable while and after the walk runs.
    #[must_use]
    pub fn owners(&self) -> OwnerBook {
        OwnerBook(Arc::clone(&self.shared))
    }

    /// Starts with a root: the directories above it that did not appear yet, then itself.
    fn begin(&mut self, root: &TreePath) {
        let standing = self.excludes.judge_all(root);
        if self.excludes.is_out(standing) {
            return;
        }
        let mut above = Vec::new();
        let mut next = root.parent();
        while let Some(path) = next.filter(|path| !path.is_root()) {
            let is_new = self.last_root.as_ref().is_none_or(|last| !path.contains(last));
            next = path.parent();
            if is_new {
                above.push(path);
            }
        }
        while let Some(path) = above.pop() {
            let item = match self.ancestor(&path) {
                Ok(found) => WalkItem::Found(found),
                Err(error) => WalkItem::Problem(problem(&path, "looking at", &error)),
            };
            self.ready.push_back(item);
        }
        if let Err(error) = self.begin_at(root, standing) {
            self.ready.push_back(WalkItem::Problem(problem(root, "looking at", &error)));
        }
        self.last_root = Some(root.clone());
    }

    fn ancestor(&self, path: &TreePath) -> std::io::Result<Found> {
        let folder = Folder::open_absolute(path.to_slashes(), &self.shared)?;
        let fd = folder.fd()?;
        let stat = meta::stat_open(&*fd)?;
        let stat = describe(&stat)?;
        Ok(Found { path: path.clone(), stat, folder, is_folder_itself: true })
    }

    fn begin_at(&mut self, root: &TreePath, standing: Standing) -> std::io::Result<()> {
        let Some(parent) = root.parent() else {
            let base = Folder::open_absolute(b"/".to_vec(), &self.shared)?;
            let device = base.identity().0;
            self.enter(&base, root, base.identity(), (standing, device));
            return Ok(());
        };
        let folder = Folder::open_absolute(parent.to_slashes(), &self.shared)?;
        let fd = folder.fd()?;
        if let Some(stat) = self.look(&fd, root.name(), None)? {
            let found = Found { path: root.clone(), stat, folder, is_folder_itself: false };
            self.announce(found, (standing, stat.facts.device));
        }
        Ok(())
    }

    /// What `name` is, unless it is gone or its size or its file system leave it out.
    fn look(
        &self,
        fd: &OwnedFd,
        name: &[u8],
        device: Option<u64>,
    ) -> std::io::Result<Option<Stat>> {
        let stat = match self.stat(fd, name) {
            Ok(stat) => stat,
            Err(Errno::NOENT) => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        let stat = describe(&stat)?;
        let is_elsewhere = self.is_elsewhere(stat.facts.device, device);
        let is_out = match stat.facts.kind {
            EntryKind::Directory => false,
            EntryKind::File => is_elsewhere || self.excludes.is_too_large(stat.facts.size_bytes),
            _ => is_elsewhere,
        };
        Ok((!is_out).then_some(stat))
    }

    /// Metadata of a name. What is mounted only when somebody looks inside is mounted now if the
    /// walk will go there, because entering it later must find the same directory.
    fn stat(&self, fd: &OwnedFd, name: &[u8]) -> rustix::io::Result<Statx> {
        let stat = meta::stat_at(fd, name)?;
        let mounts_itself = stat.stx_attributes.contains(StatxAttributes::AUTOMOUNT);
        if !mounts_itself || self.excludes.one_file_system() {
            return Ok(stat);
        }
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let _ = rustix::fs::openat(fd, name, flags, Mode::empty());
        meta::stat_at(fd, name)
    }

    /// Puts an item in the queue, with a new level if it is a directory to enter.
    fn announce(&mut self, found: Found, (standing, device): (Standing, u64)) {
        let facts = found.stat.facts;
        let identity = (facts.device, facts.inode);
        let enters = facts.kind == EntryKind::Directory
            && !self.skip.contains(&identity)
            && !self.is_elsewhere(identity.0, Some(device));
        let place = enters.then(|| (Arc::clone(&found.folder), found.path.clone()));
        self.ready.push_back(WalkItem::Found(found));
        if let Some((folder, path)) = place {
            self.enter(&folder, &path, identity, (standing, device));
        }
    }

    /// Lists a directory and goes down into it; `parent` is itself for the root of everything.
    fn enter(
        &mut self,
        parent: &Arc<Folder>,
        path: &TreePath,
        identity: (u64, u64),
        (standing, device): (Standing, u64),
    ) {
        let name = if path.is_root() { b"." } else { path.name() };
        let opened = Folder::open_below(parent, name, identity)
            .and_then(|folder| folder.fd().map(|fd| (folder, fd)));
        let (folder, fd) = match opened {
            Ok(opened) => opened,
            // Removed since it was seen: then there is nothing in it.
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return,
            Err(error) => {
                self.ready.push_back(WalkItem::Problem(problem(path, "opening", &error)));
                return;
            }
        };
        let (mut names, result) = Names::list(&fd, &mut self.buffer);
        if let Err(error) = result {
            self.ready.push_back(WalkItem::Problem(problem(path, "listing", &error)));
        }
        let tags = self.excludes.tags().iter().filter(|tag| is_tagged(&fd, &names, tag));
        let kept: Vec<&[u8]> = tags.map(|tag| tag.name.as_bytes()).collect();
        if !kept.is_empty() {
            names.keep_only(&kept);
        }
        self.levels.push(Level { folder, path: path.clone(), names, standing, device });
    }

    /// Takes the next name of the current directory; `false` if there is none left.
    fn advance(&mut self) -> bool {
        let Some(level) = self.levels.last_mut() else { return false };
        let Some(name) = level.names.take() else {
            self.levels.pop();
            return !self.levels.is_empty();
        };
        let path = match level.path.join(name) {
            Ok(path) => path,
            Err(error) => {
                let why = format!("{}: {error}", escape(name));
                let item = problem(&level.path, "taking a name of", &why);
                self.ready.push_back(WalkItem::Problem(item));
                return true;
            }
        };
        let standing = self.excludes.judge(level.standing, &path);
        if self.excludes.is_out(standing) {
            return true;
        }
        let (folder, device) = (Arc::clone(&level.folder), level.device);
        match folder.fd().and_then(|fd| self.look(&fd, path.name(), Some(device))) {
            Ok(Some(stat)) => {
                let found = Found { path, stat, folder, is_folder_itself: false };
                self.announce(found, (standing, device));
            }
            Ok(None) => {}
            Err(error) => {
                let item = problem(&path, "reading the metadata of", &error);
                self.ready.push_back(WalkItem::Problem(item));
            }
        }
        true
    }

    fn is_elsewhere(&self, device: u64, root_device: Option<u64>) -> bool {
        self.excludes.one_file_system() && root_device.is_some_and(|root| root != device)
    }
}

impl Iterator for Walk {
    type Item = WalkItem;

    fn next(&mut self) -> Option<WalkItem> {
        loop {
            if let Some(item) = self.ready.pop_front() {
                return Some(item);
            }
            if !self.advance() {
                let root = self.roots.next()?;
                self.begin(&root);
            }
        }
    }
}

/// Which of these roots do not exist, for callers that may go on without them.
#[must_use]
pub fn missing_roots(roots: &[PathBuf]) -> Vec<PathBuf> {
    let is_missing =
        |root: &&PathBuf| root_path(root).is_ok_and(|path| look_at(&path) == Err(Errno::NOENT));
    roots.iter().filter(is_missing).cloned().collect()
}

fn root_path(root: &Path) -> Result<TreePath, DiskError> {
    let bytes = root.as_os_str().as_bytes();
    let bad = |why: String| DiskError::BadRoot { path: escape(bytes), why };
    if !root.is_absolute() {
        return Err(bad("is not absolute".to_owned()));
    }
    TreePath::from_slashes(bytes).map_err(|error| bad(format!("cannot be walked: {error}")))
}

fn look_at(root: &TreePath) -> Result<(), Errno> {
    let flags = AtFlags::SYMLINK_NOFOLLOW;
    rustix::fs::statx(CWD, root.to_slashes(), flags, StatxFlags::TYPE).map(|_| ())
}

/// Whether a directory holds the file that excludes the rest of it.
fn is_tagged(folder: &OwnedFd, names: &Names, tag: &IfPresent) -> bool {
    if !names.contains(tag.name.as_bytes()) {
        return false;
    }
    let Some(header) = &tag.header else { return true };
    let starts_right = || {
        let fd = OpenFile::open_at(folder.as_fd(), tag.name.as_bytes()).ok()?;
        let stat = meta::stat_open(&fd).ok().filter(|s| meta::kind(s) == Some(EntryKind::File))?;
        let file = OpenFile::new(fd, TreePath::root(), &stat);
        let mut start = vec![0; header.len()];
        let count = file.read_at(&mut start, 0).ok()?;
        Some(count == header.len() && start == header.as_bytes())
    };
    starts_right().unwrap_or(false)
}

#[cfg(test)]
mod tests;
