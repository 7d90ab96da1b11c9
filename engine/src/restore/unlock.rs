//! Folders that their owner may not write to, opened for the time of a restore.

use crate::base::error::{Classified, ErrorClass};
use crate::base::path::TreePath;
use crate::disk::error::DiskError;
use crate::restore::pass::Pass;

impl Pass<'_> {
    /// Opens the folder that holds `path` for writing, if that was what `error` is about and the
    /// folder is this user's. Whether it is worth another try. The mode that it had comes back when
    /// the folder is finished, by the next run if this one is killed.
    pub(super) fn unlock(&self, path: &TreePath, error: &DiskError) -> bool {
        let (to, folder) = (self.work.to, path.parent().unwrap_or_default());
        if error.class() != ErrorClass::Denied {
            return false;
        }
        let Ok(Some(mode)) = to.target.locked_mode(&folder) else { return false };
        let noted = to.journal.map_or(Ok(()), |journal| journal.write_mode(&folder, mode));
        noted.is_ok() && to.target.unlock(&folder, mode).is_ok()
    }
}
