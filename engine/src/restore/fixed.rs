//! Inode flags that forbid changes. They come last: what is immutable gets no further name, and a folder
//! that is immutable gives nothing away, this restore's own journal included.

use std::sync::PoisonError;

use crate::base::path::TreePath;
use crate::disk::write::MetadataOptions;
use crate::format::entry::Entry;
use crate::restore::file::Destination;

impl Destination<'_> {
    /// Whether an entry gets flags after which it cannot be changed.
    pub(super) fn fixes(&self, entry: &Entry) -> bool {
        self.metadata.inode_flags && entry.forbids_changes()
    }

    /// What is set of the metadata of an entry while there is still something to be done with it.
    pub(super) fn metadata_before_fixing(&self, entry: &Entry) -> MetadataOptions {
        let inode_flags = self.metadata.inode_flags && !entry.forbids_changes();
        MetadataOptions { inode_flags, ..self.metadata }
    }

    /// Remembers an entry whose flags are set when everything else is done. The next run must know of
    /// it: that is for the caller to note.
    pub(super) fn fix_later(&self, path: &TreePath, entry: &Entry) {
        let bare = Entry { content: None, ..entry.clone() };
        let mut fixed = self.tally.fixed.lock().unwrap_or_else(PoisonError::into_inner);
        fixed.push((path.clone(), Box::new(bare)));
    }

    /// Sets the flags that were left for the end; what is inside a folder comes before it.
    pub(super) fn fix_all(&self) {
        let mut fixed = self.tally.fixed.lock().unwrap_or_else(PoisonError::into_inner);
        for (path, entry) in std::mem::take(&mut *fixed) {
            for problem in self.target.apply_inode_flags(&path, &entry) {
                self.tally.problem(self.monitor, problem);
            }
        }
    }
}
