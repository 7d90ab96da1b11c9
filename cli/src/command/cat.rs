//! `cat`: the content of one file.

use engine::restore::RestoreError;
use engine::restore::read::cat;

use crate::args::look::CatArgs;
use crate::command::asked::in_tree;
use crate::command::clock;
use crate::command::context::Context;
use crate::command::open::{open, progress};
use crate::command::select::Choice;
use crate::command::trouble;
use crate::fault::{ExitCode, Fault};

/// Writes the bytes of a file to standard output.
///
/// # Errors
/// Exit code 2 for a path that is no file of the snapshot, 20 for damage; what was written before
/// is right.
pub fn run(args: &CatArgs, context: &Context<'_>) -> Result<ExitCode, Fault> {
    let Some(path) = args.source.path.as_ref().filter(|path| !path.is_root()) else {
        return Err(Fault::usage("no file is named").hint("write SNAP:/path/of/the/file"));
    };
    let opened = open(context)?;
    opened.require_content()?;
    let catalog = opened.look(&progress(context))?;
    if args.source.snapshot.is_latest() {
        clock::require(&args.filter, &opened, &catalog, context)?;
    }
    let choice = Choice::new(&catalog, &args.filter, context);
    let snapshot = &choice.one(&args.source.snapshot)?.snapshot;
    let mut output = context.ui.stdout();
    let path = in_tree(&opened, snapshot, path)?;
    match cat(&opened.repo, &opened.index, snapshot, &path, &mut output) {
        Ok(_) => Ok(ExitCode::Ok),
        // Whoever read has seen enough; another failure is noticed at the end of the process.
        Err(RestoreError::Output { .. }) => Ok(ExitCode::Ok),
        Err(error) => Err(trouble::restore(&error)),
    }
}
