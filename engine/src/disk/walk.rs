//! The source, path by path, in exactly the order of a snapshot's tree.
//!
//! Names are sorted per directory and a directory comes directly before what it holds; that is
//! the order of [`TreePath`], so the walk can be merged with the previous snapshot in one pass.
//! Every directory is opened by its name in its parent and must be the one that was seen there; one
//! that was replaced meanwhile is looked at again.
//!
//! The walk begins at the root of the file system and goes down to the named paths, then through
//! all that they hold. So a named path is walked from itself, also where the walk of another one
//! around it would not have gone: below an exclude, in a cache, on another file system.

use std::collections::VecDeque;
use std::path::PathBuf;
use std::sync::Arc;

use crate::base::limits::WALK_HELPERS_MAX;
use crate::base::path::TreePath;
use crate::disk::ahead::Lookahead;
use crate::disk::error::DiskError;
use crate::disk::exclude::Excludes;
use crate::disk::folder::{Shared, lock};
pub use crate::disk::found::Found;
use crate::disk::look::Looker;
use crate::disk::owner::Owners;
use crate::disk::roots::Named;
pub use crate::disk::roots::{Root, closed_roots, missing_roots};
pub use crate::disk::task::WalkItem;
use crate::disk::task::{Looked, Seen};

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

/// Iterates over everything at and below the roots in rising order of [`TreePath`], each path once.
///
/// The directories above a root appear once, and so do links that lead to one. The root of the file
/// system has no entry of its own.
#[derive(Debug)]
pub struct Walk {
    shared: Arc<Shared>,
    roots: Vec<Root>,
    has_begun: bool,
    /// What was seen and not given out yet: from the root down to the current directory.
    levels: Vec<std::vec::IntoIter<Seen>>,
    /// Directories above the present one that are left out unless something in them is not.
    provisional: Vec<Found>,
    /// What comes next.
    ready: VecDeque<WalkItem>,
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
        let roots: Vec<Root> =
            options.roots.iter().map(|root| Root::find(root)).collect::<Result<_, _>>()?;
        let shared = Shared::new(options.with_atime);
        let looker = Looker {
            excludes: options.excludes,
            skip: options.skip.into_iter().collect(),
            named: Named::new(&roots),
            shared: Arc::clone(&shared),
        };
        Ok(Self {
            shared,
            roots,
            has_begun: false,
            levels: Vec::new(),
            provisional: Vec::new(),
            ready: VecDeque::new(),
            ahead: Lookahead::new(looker),
        })
    }

    /// The roots, in the order they were given.
    #[must_use]
    pub fn roots(&self) -> &[Root] {
        &self.roots
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

    fn begin(&mut self) -> Option<Vec<Seen>> {
        if std::mem::replace(&mut self.has_begun, true) {
            return None;
        }
        let mut looked = Looked::default();
        if let Err(error) = self.ahead.looker().announce_base(&mut looked) {
            looked.problem(&TreePath::root(), "opening", &error);
        }
        Some(self.ahead.put(looked))
    }

    /// Puts a folder aside until something in it comes, and before an item the folders that it
    /// needs.
    fn arrange(&mut self, item: WalkItem) -> Option<WalkItem> {
        let (path, is_entry) = match &item {
            WalkItem::Found(found) => (&found.path, true),
            WalkItem::Unread(problem) => (&problem.path, true),
            WalkItem::Problem(problem) => (&problem.path, false),
            WalkItem::Vanished(path) => (path, false),
        };
        self.provisional.retain(|folder| folder.path.contains(path));
        match item {
            WalkItem::Found(found) if found.is_provisional => {
                self.provisional.push(found);
                None
            }
            item if is_entry && !self.provisional.is_empty() => {
                self.ready.extend(self.provisional.drain(..).map(WalkItem::Found));
                self.ready.push_back(item);
                None
            }
            item => Some(item),
        }
    }
}

impl Iterator for Walk {
    type Item = WalkItem;

    fn next(&mut self) -> Option<WalkItem> {
        loop {
            if let Some(item) = self.ready.pop_front() {
                return Some(item);
            }
            let seen = match self.levels.last_mut().map(Iterator::next) {
                Some(Some(Seen::Item(item))) => {
                    let is_plain = !matches!(&item, WalkItem::Found(it) if it.is_provisional);
                    if is_plain && self.provisional.is_empty() {
                        return Some(item);
                    }
                    match self.arrange(item) {
                        Some(item) => return Some(item),
                        None => continue,
                    }
                }
                Some(Some(Seen::Later(place))) => self.ahead.fetch(&place),
                Some(None) => {
                    self.levels.pop();
                    continue;
                }
                None => self.begin()?,
            };
            self.levels.push(seen.into_iter());
        }
    }
}

#[cfg(test)]
mod drawn;
#[cfg(test)]
mod tests;
