//! Folders that stay as they are although a restore works in them: those that their owner may not
//! write to are opened for the time, and the time that a folder had comes back.

use crate::base::error::{Classified, ErrorClass};
use crate::base::path::TreePath;
use crate::base::time::Timestamp;
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

    /// Notes the time of a folder that was there before anything is done in it.
    pub(super) fn keep_time(&self, folder: &TreePath) {
        let to = self.work.to;
        let mut kept = self.kept_times.borrow_mut();
        if kept.contains_key(folder) {
            return;
        }
        let Ok(Some(there)) = to.target.stat(folder) else { return };
        // Without the note a killed run leaves the folder with another time, and nothing worse.
        let _ = to.journal.map(|journal| journal.write_time(folder, there.mtime));
        kept.insert(folder.clone(), there.mtime);
    }

    /// The time that a folder had, if anything was done in it.
    pub(super) fn kept_time(&self, folder: &TreePath) -> Option<Timestamp> {
        let own = self.kept_times.borrow_mut().remove(folder);
        let earlier = self.work.to.journal.and_then(|journal| journal.time_before(folder));
        earlier.or(own)
    }
}
