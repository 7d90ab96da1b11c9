//! The second half of a restore: carries out one window while the next is planned.
//!
//! All folders of a window are there before its first file: file systems of the ext family then
//! spread them over the disk, and do not have to pass over what was just deleted, file by file. What
//! has to wait for the files of a window, links to them and the metadata of folders, is done while
//! the files of the next window are written.

use crossbeam_channel::Receiver;

use crate::base::error::in_one_line;
use crate::base::monitor::Problem;
use crate::base::path::TreePath;
use crate::base::time::Timestamp;
use crate::disk::aside::Replaces;
use crate::disk::error::DiskError;
use crate::disk::write::{FolderTimes, MetadataOptions};
use crate::restore::error::RestoreError;
use crate::restore::execute::Executor;
use crate::restore::file::Destination;
use crate::restore::folder::LeftFolder;
use crate::restore::journal::Note;
use crate::restore::links::LaterName;
use crate::restore::matching::ChunkMatcher;
use crate::restore::options::RestoreOptions;
use crate::restore::ready::{Ready, discard, make, place};
use crate::restore::window::{Plan, Wanted};

/// What planning and carrying out both see.
pub(super) struct Work<'a> {
    /// What paths in the target are relative to.
    pub(super) base: &'a TreePath,
    /// The name that a single file gets, if another than its own.
    pub(super) name: Option<Vec<u8>>,
    /// Whether nobody sees the target before the restore is done, and nothing is in it.
    pub(super) is_fresh: bool,
    /// Whether this restore made the target itself.
    pub(super) made_target: bool,
    /// The time that the target had before the first run.
    pub(super) modified_before: Timestamp,
    /// Content that one window holds at most: what it replaces is gone before the next one.
    pub(super) window_bytes_max: u64,
    pub(super) options: &'a RestoreOptions,
    pub(super) to: &'a Destination<'a>,
    pub(super) executor: &'a Executor<'a>,
    pub(super) matcher: &'a ChunkMatcher<'a>,
}

impl Work<'_> {
    /// Where an entry of the snapshot goes; nowhere if it is not below what was asked for.
    pub(super) fn place_of(&self, full: &TreePath) -> Option<TreePath> {
        let path = self.base.strip_prefix_of(full)?;
        match &self.name {
            Some(name) => TreePath::root().join(name).ok(),
            None => Some(path),
        }
    }
}

/// A planned window and what follows it.
pub(super) struct Step {
    pub(super) wanted: Vec<Wanted>,
    pub(super) ready: Vec<Ready>,
    pub(super) plan: Plan,
    pub(super) after: After,
}

/// What has to wait until a window and those before it are carried out.
#[derive(Default)]
pub(super) struct After {
    /// Hard links to files that are restored by then.
    pub(super) links: Vec<LaterName>,
    /// Folders all of whose children are there by then, inner ones first.
    pub(super) left: Vec<LeftFolder>,
}

/// Carries out all steps in order, until the planner has no more.
pub(super) fn carry_out(steps: Receiver<Step>, work: &Work<'_>) -> Result<(), RestoreError> {
    let mut after = After::default();
    for step in steps {
        let before = std::mem::replace(&mut after, step.after);
        work.executor.run(&step.wanted, &step.plan, || {
            finish(work, before);
            step.ready.into_iter().for_each(|ready| make(work.to, ready));
        })?;
    }
    finish(work, after);
    Ok(())
}

/// Makes links, then finishes the folders that are complete.
fn finish(work: &Work<'_>, After { links, left }: After) {
    for link in links {
        make_link(work.to, link);
    }
    for folder in left {
        finish_folder(work.to, folder);
    }
}

fn make_link(to: &Destination<'_>, link: LaterName) {
    let LaterName { first, path, way } = link;
    if let Some(is_damage) = to.tally.spoilt_by_damage(&first) {
        discard(to, &path, way);
        let why = format!("it is the same file as {first}, which could not be restored");
        let problem = Problem { path, action: "restoring", why };
        to.tally.leave_unfinished();
        return match is_damage {
            true => to.tally.damage(to.monitor, problem),
            false => to.tally.problem(to.monitor, problem),
        };
    }
    let target = to.target;
    let linked = target.make_hard_link(&first, &path).and_then(|()| place(to, &path, way));
    if let Err(error) = linked {
        discard(to, &path, way);
        to.tally.leave_unfinished();
        let problem = Problem { path, action: "linking", why: in_one_line(&error) };
        to.tally.problem(to.monitor, problem);
    }
}

/// Gives a folder its place and its metadata.
fn finish_folder(to: &Destination<'_>, folder: LeftFolder) {
    let LeftFolder { path, entry, publishes, was_there, keeps_time } = folder;
    let told = |action, error: &DiskError| {
        let problem = Problem { path: path.clone(), action, why: in_one_line(error) };
        to.tally.problem(to.monitor, problem);
    };
    let is_half_made = to.tally.is_half_made(&path);
    if was_there
        && !is_half_made
        && let Err(error) = to.target.remove_stage(&path)
    {
        to.tally.leave_unfinished();
        told("removing what was left aside in", &error);
    }
    if publishes.is_some() && is_half_made {
        to.tally.leave_unfinished();
        let why = "something in it is half made; the same command goes on".to_owned();
        let problem = Problem { path, action: "putting in place", why };
        return to.tally.problem(to.monitor, problem);
    }
    if let Some(replaces) = publishes
        && let Err(error) = publish_folder(to, &path, replaces)
    {
        // It stays aside: other names of the files in it may have their places already.
        to.tally.leave_half_made(&path);
        return told("putting in place", &error);
    }
    let Some(entry) = entry else {
        if let Err(error) = lock_again(to, &path) {
            to.tally.leave_unfinished();
            told("setting the mode of", &error);
        }
        if let Some(time) = keeps_time
            && let Err(error) = to.target.set_modified(&path, time)
        {
            to.tally.leave_unfinished();
            told("setting the times of", &error);
        }
        return;
    };
    let options = to.metadata_before_fixing(&entry);
    let mut applied = to.target.apply_metadata(&path, &entry, &options);
    let is_fixed = to.fixes(&entry);
    if is_fixed {
        to.fix_later(&path, &entry);
    }
    if path.is_root() {
        let accessed = entry.atime.unwrap_or(entry.mtime);
        to.tally.set_top_times(FolderTimes { accessed, modified: entry.mtime });
    }
    to.tally.take_in(to.monitor, &mut applied);
    if applied.may_be_better {
        to.tally.leave_unfinished();
    }
    if (applied.may_be_better || is_fixed)
        && let Err(error) = to.note(Note::Folder, &path)
    {
        told("noting in the journal", &error);
    }
}

/// Gives a folder that was opened for writing the mode that it had.
fn lock_again(to: &Destination<'_>, path: &TreePath) -> Result<(), DiskError> {
    let earlier = to.journal.and_then(|journal| journal.mode_before(path));
    to.target.lock_again(path, earlier)
}

/// The metadata of a folder follows when it has its place: one that may not be written to cannot be
/// moved.
fn publish_folder(
    to: &Destination<'_>,
    path: &TreePath,
    replaces: Replaces,
) -> Result<(), DiskError> {
    to.note(Note::Folder, path)?;
    to.target.publish(path, replaces)
}

/// Which metadata a restore sets.
pub(super) fn metadata_of(options: &RestoreOptions, is_root: bool) -> MetadataOptions {
    MetadataOptions {
        owners: is_root && !options.no_owner && !options.untrusted,
        xattrs: !options.no_xattrs,
        inode_flags: !options.no_flags,
    }
}
