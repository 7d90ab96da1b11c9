//! What a restore is asked to do.

use crate::base::path::TreePath;
use crate::disk::exclude::PathMatcher;
use crate::disk::selection::{Judgement, Selection};

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

/// One pattern as the user gave it.
pub struct Pattern {
    /// Its text.
    pub text: String,
    /// Whether it says what is restored, rather than what is not.
    pub is_include: bool,
    /// It alone; of one that takes back, what it takes back.
    pub matcher: PathMatcher,
}

/// Options that have defaults.
#[derive(Default)]
pub struct RestoreOptions {
    /// What of it is restored.
    pub selection: Selection,
    /// The patterns one by one, to find out which of them match nothing.
    pub patterns: Vec<Pattern>,
    /// What to do about files that are there; without it the target must be empty.
    pub overwrite: Option<Overwrite>,
    /// Remove from restored folders what the snapshot proves not to have been there.
    pub delete: bool,
    /// Put a folder in the place of a link or a file, and the reverse.
    pub replace_kind: bool,
    /// A single file gets the name of the target, unless a folder is there.
    pub as_file: bool,
    /// Write into files that are there instead of putting new ones in their place.
    pub in_place: bool,
    /// Do not ask whether the target has room.
    pub no_space_check: bool,
    /// Write nothing; find out what would be done.
    pub dry_run: bool,
    /// Read everything again afterwards and compare.
    pub verify: bool,
    /// Do not set owners.
    pub no_owner: bool,
    /// Do not set extended attributes, ACLs among them.
    pub no_xattrs: bool,
    /// Do not set inode flags: what is immutable could not be removed again.
    pub no_flags: bool,
    /// Leave out what could do harm: see [`LeftOut`](crate::restore::untrusted::LeftOut). Owners are
    /// not set either.
    pub untrusted: bool,
    /// Threads; 0 means as many as suit the store.
    pub threads: usize,
    /// Device and inode numbers of folders that are never deleted nor written into: the repository
    /// and the state folder of this machine.
    pub protected: Vec<(u64, u64)>,
    /// The same of files that are never deleted for not being in the snapshot: the key file and the
    /// configuration that this run was opened with.
    pub needed: Vec<(u64, u64)>,
}

impl RestoreOptions {
    /// Whether the entry at `path` of the snapshot is wanted.
    #[must_use]
    pub fn selects(&self, path: &TreePath) -> bool {
        self.selection.judge(path) == Judgement::Selected
    }

    /// Whether something below the directory at `path` may be wanted.
    #[must_use]
    pub fn may_select_below(&self, path: &TreePath) -> bool {
        self.selection.may_select_below(path)
    }

    /// Whether filters choose what is restored.
    #[must_use]
    pub fn has_filters(&self) -> bool {
        !self.selection.include.is_empty() || !self.selection.exclude.is_empty()
    }
}
