//! The source, path by path, in exactly the order of a snapshot's tree.
//!
//! Names are sorted per directory and a directory comes directly before what it holds; that is
//! the order of [`TreePath`], so the walk can be merged with the previous snapshot in one pass.
//! Every directory is opened by its name in its parent and must be the one that was seen there.

use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustix::fs::{AtFlags, CWD, StatxFlags};
use rustix::io::Errno;

use crate::base::limits::WALK_HELPERS_MAX;
use crate::base::path::{TreePath, escape};
use crate::disk::ahead::Lookahead;
use crate::disk::error::DiskError;
use crate::disk::exclude::{Excludes, Standing};
use crate::disk::folder::{Folder, Shared, lock};
pub use crate::disk::found::Found;
use crate::disk::found::describe;
pub use crate::disk::look::WalkItem;
use crate::disk::look::{Looked, Looker, Seen, Way};
use crate::disk::meta;
use crate::disk::owner::Owners;

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

/// Iterates over everything below the roots in rising order of [`TreePath`], each path once.
///
/// The directories above a root appear once, as directories, even if the path leads through
/// symbolic links; a root that is a symbolic link itself is that link. The root of the file
/// system has no entry of its own. What vanishes during the walk is left out silently.
#[derive(Debug)]
pub struct Walk {
    shared: Arc<Shared>,
    roots: std::vec::IntoIter<TreePath>,
    last_root: Option<TreePath>,
    /// What was seen and not given out yet: from the root down to the current directory.
    levels: Vec<std::vec::IntoIter<Seen>>,
    ahead: Lookahead,
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
        let shared = Shared::new(options.with_atime);
        let looker = Looker {
            excludes: options.excludes,
            skip: options.skip.into_iter().collect(),
            shared: Arc::clone(&shared),
        };
        let (roots, last_root, levels) = (roots.into_iter(), None, Vec::new());
        Ok(Self { shared, roots, last_root, levels, ahead: Lookahead::new(looker) })
    }

    /// The same walk, with as many threads looking at directories ahead of it as the machine has use
    /// for.
    #[must_use]
    pub fn on_all_cores(self) -> Self {
        let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        self.with_helpers(cores.saturating_sub(1).clamp(1, WALK_HELPERS_MAX))
    }

    fn with_helpers(mut self, count: usize) -> Self {
        self.ahead.start_helpers(count);
        self
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
    fn begin(&self, root: &TreePath) -> Looked {
        let mut looked = Looked::default();
        let standing = self.ahead.looker().excludes.judge_all(root);
        if self.ahead.looker().excludes.is_out(standing) {
            return looked;
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
            match self.ancestor(&path) {
                Ok(found) => looked.seen.push(Seen::Item(WalkItem::Found(found))),
                Err(error) => looked.problem(&path, "looking at", &error),
            }
        }
        if let Err(error) = self.begin_at(root, standing, &mut looked) {
            looked.problem(root, "looking at", &error);
        }
        looked
    }

    fn ancestor(&self, path: &TreePath) -> std::io::Result<Found> {
        let folder = Folder::open_absolute(path.to_slashes(), &self.shared)?;
        let fd = folder.fd()?;
        let stat = meta::stat_open(&*fd)?;
        let stat = describe(&stat)?;
        Ok(Found { path: path.clone(), stat, folder, is_folder_itself: true })
    }

    fn begin_at(
        &self,
        root: &TreePath,
        standing: Standing,
        looked: &mut Looked,
    ) -> std::io::Result<()> {
        let looker = self.ahead.looker();
        let Some(parent) = root.parent() else { return looker.announce_base(standing, looked) };
        let folder = Folder::open_absolute(parent.to_slashes(), &self.shared)?;
        let fd = folder.fd()?;
        if let Some(stat) = looker.look(&fd, root.name(), None)? {
            let found = Found { path: root.clone(), stat, folder, is_folder_itself: false };
            looker.announce(found, Way { standing, device: stat.facts.device }, looked);
        }
        Ok(())
    }
}

impl Iterator for Walk {
    type Item = WalkItem;

    fn next(&mut self) -> Option<WalkItem> {
        loop {
            let seen = match self.levels.last_mut().map(Iterator::next) {
                Some(Some(Seen::Item(item))) => return Some(item),
                Some(Some(Seen::Later(place))) => self.ahead.fetch(&place),
                Some(None) => {
                    self.levels.pop();
                    continue;
                }
                None => {
                    let root = self.roots.next()?;
                    let looked = self.begin(&root);
                    self.last_root = Some(root);
                    self.ahead.put(looked)
                }
            };
            self.levels.push(seen.into_iter());
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

#[cfg(test)]
mod tests;
