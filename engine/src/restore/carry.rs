//! The second half of a restore: carries out one window while the next is planned.
//!
//! What has to wait for the files of a window, links to them and the metadata of directories, is
//! done while the files of the next window are written.

use crossbeam_channel::Receiver;

use crate::base::error::in_one_line;
use crate::base::monitor::Problem;
use crate::base::path::TreePath;
use crate::format::entry::Entry;
use crate::restore::error::RestoreError;
use crate::restore::execute::Executor;
use crate::restore::file::Destination;
use crate::restore::options::RestoreOptions;
use crate::restore::window::{Plan, Wanted};

/// What planning and carrying out both see.
pub(super) struct Work<'a> {
    /// What paths in the target are relative to.
    pub(super) base: &'a TreePath,
    /// Whether the target holds nothing.
    pub(super) is_empty: bool,
    pub(super) options: &'a RestoreOptions,
    pub(super) to: &'a Destination<'a>,
    pub(super) executor: &'a Executor<'a>,
}

/// A planned window and what follows it.
pub(super) struct Step {
    pub(super) wanted: Vec<Wanted>,
    pub(super) plan: Plan,
    pub(super) after: After,
}

/// What has to wait until a window and those before it are carried out.
#[derive(Default)]
pub(super) struct After {
    /// Hard links to files that are restored by then, as (first, later).
    pub(super) links: Vec<(TreePath, TreePath)>,
    /// Directories all of whose children are there by then, inner ones first.
    pub(super) left: Vec<(TreePath, Entry)>,
}

/// Carries out all steps in order, until the planner has no more.
pub(super) fn carry_out(steps: Receiver<Step>, work: &Work<'_>) -> Result<(), RestoreError> {
    let mut after = After::default();
    for step in steps {
        let ready = std::mem::replace(&mut after, step.after);
        work.executor.run(&step.wanted, &step.plan, || finish(work, ready))?;
    }
    finish(work, after);
    Ok(())
}

/// Makes links, then finishes the directories that are complete.
fn finish(work: &Work<'_>, After { links, left }: After) {
    let to = work.to;
    for (first, later) in links {
        let linked = to.target.make_hard_link(&first, &later);
        if to.tally.is_spoilt(&first) {
            let why = format!("it is the same file as {first}, which is damaged");
            let problem = Problem { path: later, action: "restoring", why };
            to.tally.damage(to.monitor, problem);
        } else if let Err(error) = linked {
            let problem = Problem { path: later, action: "linking", why: in_one_line(&error) };
            to.tally.problem(to.monitor, problem);
        }
    }
    if work.options.dry_run {
        return;
    }
    for (path, entry) in left {
        for problem in to.target.apply_metadata(&path, &entry, &to.metadata) {
            to.tally.problem(to.monitor, problem);
        }
    }
}
