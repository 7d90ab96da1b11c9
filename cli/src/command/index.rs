//! `index`: work on what this machine keeps of a repository.

use engine::index::catalog;
use engine::index::refresh::rebuild;

use crate::args::repository::{IndexArgs, IndexCommand};
use crate::command::context::Context;
use crate::command::lost;
use crate::command::open::{open, progress};
use crate::command::trouble;
use crate::fault::{ExitCode, Fault};
use crate::ui::json::Message;
use crate::ui::records::Rebuilt;
use crate::units;

/// Does what is wanted with the index.
///
/// # Errors
/// Exit code 11 if another run uses it.
pub fn run(args: &IndexArgs, context: &Context<'_>) -> Result<ExitCode, Fault> {
    let IndexCommand::Rebuild { accept_losses } = args.command;
    let opened = open(context)?;
    let _lock = opened.lock()?;
    let monitor = progress(context);
    if accept_losses {
        let lost = opened.catalog()?.missing;
        catalog::accept_missing(&opened.index, &lost)?;
        lost::tell(&lost, context);
    }
    let refreshed = rebuild(&opened.repo, &opened.index, true, &monitor);
    drop(monitor);
    let refreshed = refreshed.map_err(|error| trouble::index(&error))?;
    let mut packs_count = 0;
    opened.index.reader()?.for_each_pack(&mut |_, _| {
        packs_count += 1;
        true
    })?;
    let rebuilt = Rebuilt {
        segments_read: refreshed.segments_added,
        segments_damaged: refreshed.damaged.len() as u64,
        packs_from_footers: refreshed.packs_from_footers,
        packs_count,
    };
    if context.ui.is_json() {
        context.ui.message(&Message::IndexRebuilt(rebuilt));
    } else if !context.ui.is_quiet() {
        context.ui.result(&format!(
            "the index was read again: {} from {} and {}",
            units::counted(rebuilt.packs_count, "pack"),
            units::counted(rebuilt.segments_read, "segment"),
            units::counted(rebuilt.packs_from_footers, "footer")
        ));
    }
    for error in &refreshed.damaged {
        let why = engine::base::error::in_one_line(error);
        context.ui.problem("reading", b"a segment of the index", &why);
    }
    match refreshed.damaged.is_empty() {
        true => Ok(ExitCode::Ok),
        false => Err(Fault::new(
            ExitCode::Damage,
            "E_CORRUPT",
            "segments of the index are damaged; their packs were read by their footers",
        )
        .hint("`mainstay check` shows whether anything else is affected")),
    }
}
