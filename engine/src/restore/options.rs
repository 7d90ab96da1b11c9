//! What a restore is asked to do.

use crate::base::path::TreePath;
use crate::disk::exclude::PathMatcher;

/// What happens to a file that is there already.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Overwrite {
    /// It is replaced.
    Always,
    /// It is replaced unless size and mtime are equal.
    IfChanged,
    /// It is replaced if the snapshot's is newer.
    IfNewer,
    /// It stays.
    Never,
}

/// Options that have defaults.
#[derive(Default)]
pub struct RestoreOptions {
    /// Restore only what one of these matches; all if there is none.
    pub include: Vec<PathMatcher>,
    /// Leave out what one of these matches.
    pub exclude: Vec<PathMatcher>,
    /// What to do about files that are there; without it the target must be empty.
    pub overwrite: Option<Overwrite>,
    /// Remove from restored folders what the snapshot does not have.
    pub delete: bool,
    /// Write nothing; count.
    pub dry_run: bool,
    /// Read everything again afterwards and compare.
    pub verify: bool,
    /// Do not set owners.
    pub no_owner: bool,
    /// Do not set inode flags: what is immutable could not be removed again.
    pub no_flags: bool,
    /// Threads; 0 means as many as suit the store.
    pub threads: usize,
}

impl RestoreOptions {
    /// Whether the entry at `path` of the snapshot is wanted.
    #[must_use]
    pub fn selects(&self, path: &TreePath) -> bool {
        let included =
            self.include.is_empty() || self.include.iter().any(|matcher| matcher.matches(path));
        included && !self.exclude.iter().any(|matcher| matcher.matches(path))
    }

    /// Whether something below the directory at `path` may be wanted.
    #[must_use]
    pub fn may_select_below(&self, path: &TreePath) -> bool {
        let included = self.include.is_empty()
            || self.include.iter().any(|m| m.matches(path) || m.may_match_below(path));
        included && !self.exclude.iter().any(|matcher| matcher.matches(path))
    }
}
