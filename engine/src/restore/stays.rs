//! What keeps something in its place: flags, mounts, filters, and what this program needs itself.

use crate::base::error::in_one_line;
use crate::base::monitor::Problem;
use crate::base::path::TreePath;
use crate::disk::error::DiskError;
use crate::disk::stage::STAGE_PREFIX;
use crate::disk::write::ExistingStat;
use crate::format::entry::EntryKind;
use crate::restore::pass::Pass;
use crate::restore::place::IMMUTABLE;

/// What becomes of something that the snapshot does not have.
pub(super) enum Extra {
    /// It stays, and why if that is no matter of course.
    Stays(Option<&'static str>),
    Goes,
    /// It is a folder: what it holds decides.
    Folder,
}

/// That something does not get its place.
pub(super) fn refusal(path: &TreePath, why: String) -> Problem {
    Problem { path: path.clone(), action: "replacing", why }
}

impl Pass<'_> {
    pub(super) fn refuse(&self, path: &TreePath, why: &str) {
        let to = self.work.to;
        to.tally.problem(to.monitor, refusal(path, why.to_owned()));
    }

    /// Whether the folder of `path` forbids to make or remove anything in it.
    pub(super) fn is_in_fixed(&self, path: &TreePath) -> bool {
        let parent = path.parent().unwrap_or_default();
        self.open.iter().rev().any(|open| open.is_fixed && open.path == parent)
    }

    /// A folder that something else takes the place of goes with all it holds, or not at all.
    pub(super) fn require_all_goes(&self, path: &TreePath) -> Result<(), Problem> {
        let told = |error: DiskError| refusal(path, in_one_line(&error));
        let mut left = vec![path.clone()];
        while let Some(folder) = left.pop() {
            for name in self.work.to.target.list(&folder).map_err(told)? {
                let inner = folder.join(&name).map_err(|error| refusal(path, error.to_string()))?;
                match self.look_at_extra(&inner).map_err(told)? {
                    Extra::Goes => {}
                    Extra::Folder if self.is_selected(&inner) => left.push(inner),
                    Extra::Folder | Extra::Stays(_) => {
                        let why =
                            format!("a folder is in its place, and {inner} in it has to stay");
                        return Err(refusal(path, why));
                    }
                }
            }
        }
        Ok(())
    }

    /// Whether something that the snapshot does not have has to stay.
    pub(super) fn look_at_extra(&self, path: &TreePath) -> Result<Extra, DiskError> {
        if path.name().starts_with(STAGE_PREFIX.as_bytes()) {
            return Ok(Extra::Stays(None));
        }
        let Some(there) = self.work.to.target.stat(path)? else { return Ok(Extra::Stays(None)) };
        if there.is_mount_root || self.is_needed(&there) {
            return Ok(Extra::Stays(None));
        }
        let full = self.work.base.join_path(path).unwrap_or_default();
        let is_folder = there.kind == EntryKind::Directory;
        Ok(match (is_folder, there.is_immutable) {
            (true, _) if !self.work.options.may_select_below(&full) => Extra::Stays(None),
            (false, _) if !self.is_selected(path) => Extra::Stays(None),
            (_, true) => Extra::Stays(Some(IMMUTABLE)),
            (true, false) => Extra::Folder,
            (false, false) => Extra::Goes,
        })
    }

    /// Whether this program needs it: the repository, its state, the key that this run was opened with.
    fn is_needed(&self, there: &ExistingStat) -> bool {
        let options = self.work.options;
        let needed = options.protected.iter().chain(&options.needed);
        needed.into_iter().any(|one| *one == there.device_and_inode)
    }
}
