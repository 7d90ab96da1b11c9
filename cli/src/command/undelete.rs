//! `undelete`: forgotten snapshots come back.

use engine::retain::undelete::undelete;
use restore_verify::evidence::event::Event;

use crate::args::filter::FilterArgs;
use crate::args::retention::UndeleteArgs;
use crate::command::context::Context;
use crate::command::open::{open, progress};
use crate::command::select::{Choice, short_id};
use crate::command::trouble;
use crate::command::witness::{act, witness};
use crate::fault::{ExitCode, Fault};
use crate::ui::json::Message;
use crate::ui::retention::Undeleted;
use crate::units;

/// Brings forgotten snapshots back.
///
/// # Errors
/// Exit code 23 if one is not whole any more.
pub fn run(args: &UndeleteArgs, context: &Context<'_>) -> Result<ExitCode, Fault> {
    let opened = open(context)?;
    engine::repo::marks::require_may_mark(&opened.repo, "bring snapshots back")
        .map_err(|error| trouble::repo(&error))?;
    let _lock = opened.lock()?;
    let catalog = opened.catalog()?;
    let filter = FilterArgs::default();
    let choice = Choice::new(&catalog, &filter, context);
    let wanted = choice.several(&args.snapshots)?;
    for one in wanted {
        let session = one.snapshot.session;
        let progress = progress(context);
        let (repo, index) = (&opened.repo, &opened.index);
        let report = undelete(repo, index, &context.around.host, session, &progress);
        drop(progress);
        let report = report.map_err(|error| trouble::retain(&error))?;
        if !report.was_there {
            let (numbers, now) = ([("snapshots", 1)], context.around.clock.now());
            let detail = format!("{} as {}", short_id(report.original), short_id(report.snapshot));
            let done = act("snapshots", "brought back", &numbers, &detail, now);
            witness(&opened, &Event::Policy(done), context);
        }
        if context.ui.is_json() {
            context.ui.message(&Message::Undeleted(Undeleted {
                original: report.original.to_snapshot_hex(),
                snapshot_id: report.snapshot.to_snapshot_hex(),
                was_there: report.was_there,
                bytes_copied: report.copied_bytes,
            }));
        } else if !context.ui.is_quiet() {
            let (old, new) = (short_id(report.original), short_id(report.snapshot));
            let words = if report.was_there { "was back already" } else { "is back" };
            context.ui.result(&format!("{old} {words} as {new}"));
            if report.copied_bytes > 0 {
                let copied = units::size(report.copied_bytes);
                context
                    .ui
                    .note(&format!("{copied} that a collection was about to delete were copied"));
            }
        }
    }
    Ok(ExitCode::Ok)
}
