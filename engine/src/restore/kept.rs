//! What is there and stays: passed over, or given the metadata of the snapshot.

use crate::base::monitor::{Action, Counter};
use crate::base::path::TreePath;
use crate::disk::write::ExistingStat;
use crate::format::entry::{Entry, EntryKind};
use crate::restore::folder::Standing;
use crate::restore::journal::Note;
use crate::restore::options::Overwrite;
use crate::restore::pass::Pass;

impl Pass<'_> {
    /// Tells of something that stays and gets other metadata.
    pub(super) fn tell_metadata(&self, path: &TreePath, entry: &Entry) {
        let to = self.work.to;
        if self.tells_changes && to.target.has_other_metadata(path, entry, &to.metadata) {
            self.tell(path, entry, Action::Metadata);
        }
    }

    /// Whether setting the metadata of what is there might change names of the same file that the
    /// snapshot does not have: then a new file takes its place. How many of its names the snapshot has
    /// says nothing, because others may lie where those are missing.
    pub(super) fn is_shared_outside(
        &self,
        path: &TreePath,
        entry: &Entry,
        there: &ExistingStat,
    ) -> bool {
        let to = self.work.to;
        entry.kind == EntryKind::File
            && there.link_count > 1
            // All names of a file that this restore made are its own.
            && !self.noted(Note::Made, path)
            && self.overwrite != Overwrite::Never
            && !there.is_mount_root
            && to.target.has_other_metadata(path, entry, &to.metadata)
    }

    /// What is there stays, and so is dealt with.
    pub(super) fn pass_over(&mut self, entry: &Entry) {
        self.report.skipped += 1;
        self.count_done(entry);
    }

    pub(super) fn count_done(&self, entry: &Entry) {
        let bytes = if entry.kind == EntryKind::File { entry.size_bytes } else { 0 };
        self.work.to.monitor.add(Counter::Items, 1);
        self.work.to.monitor.add(Counter::Bytes, bytes);
    }

    /// What is there is right; metadata that differ are set.
    pub(super) fn keep(&self, path: &TreePath, entry: &Entry) {
        // What an earlier run began is finished whatever the rule says of what was there.
        let is_own = self.standing() == Standing::Left || self.noted(Note::Made, path);
        if self.overwrite == Overwrite::Never && !is_own {
            return;
        }
        self.tell_metadata(path, entry);
        if self.work.options.dry_run {
            return;
        }
        let to = self.work.to;
        let is_late = to.fixes(entry) && entry.link_count > 1;
        let options = if is_late { to.metadata_before_fixing(entry) } else { to.metadata };
        let mut applied = to.target.apply_metadata(path, entry, &options);
        if is_late {
            to.fix_later(path, entry);
        }
        to.tally.take_in(to.monitor, &mut applied);
        if is_own && (applied.may_be_better || applied.has_no_room) {
            // The next run must know as well as this one whose it is.
            to.tally.leave_unfinished();
            if let Err(error) = to.note(Note::Made, path) {
                self.problem(path, "noting", &error);
            }
        }
    }
}
