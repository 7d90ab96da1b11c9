//! `tag`: other tags for snapshots that never change.

use engine::repo::marks::require_may_mark;
use engine::retain::tag::{TagEdit, tag};
use restore_verify::evidence::event::Event;

use crate::args::filter::FilterArgs;
use crate::args::retention::{TagArgs, TagCommand};
use crate::command::clock;
use crate::command::context::Context;
use crate::command::open::open;
use crate::command::select::{Choice, short_id};
use crate::command::trouble;
use crate::command::witness::{act, witness};
use crate::fault::{ExitCode, Fault};
use crate::ui::json::Message;
use crate::ui::retention::TagsChanged;

/// Changes tags.
///
/// # Errors
/// Exit code 12 if the key does not allow it.
pub fn run(args: &TagArgs, context: &Context<'_>) -> Result<ExitCode, Fault> {
    let (args, edit) = match &args.command {
        TagCommand::Add(args) => (args, TagEdit::Add(args.tags.0.clone())),
        TagCommand::Remove(args) => (args, TagEdit::Remove(args.tags.0.clone())),
        TagCommand::Set(args) => (args, TagEdit::Set(args.tags.0.clone())),
    };
    if args.tags.0.is_empty() && !matches!(edit, TagEdit::Set(_)) {
        return Err(
            Fault::usage("no tag is named").hint("`mainstay tag set '' SNAP` takes all tags away")
        );
    }
    let opened = open(context)?;
    require_may_mark(&opened.repo, "change tags").map_err(|error| trouble::repo(&error))?;
    if args.snapshots.is_empty() && args.filter == FilterArgs::default() {
        return Err(Fault::usage("nothing says whose tags to change")
            .hint("name snapshots, or say --host, --tag or --path"));
    }
    let catalog = opened.catalog()?;
    clock::require(&args.filter, &opened, &catalog, context)?;
    let choice = Choice::new(&catalog, &args.filter, context);
    let chosen = choice.several(&args.snapshots)?;
    if chosen.is_empty() {
        let words = "no snapshot meets the conditions; no tags were changed";
        return Err(Fault::new(ExitCode::Refused, "E_NO_MATCH", words)
            .hint("`mainstay snapshots` shows hosts, tags and paths as they are"));
    }
    let chosen: Vec<_> =
        chosen.iter().map(|one| (one.snapshot.session, one.snapshot.tags.as_slice())).collect();
    let changed = tag(&opened.repo, &opened.index, &context.around.host, &chosen, &edit)
        .map_err(|error| trouble::retain(&error))?;
    if !changed.is_empty() {
        let numbers = [("snapshots", changed.len() as u64)];
        let done = act("tags", "changed", &numbers, "", context.around.clock.now());
        witness(&opened, &Event::Policy(done), context);
    }
    for one in &changed {
        if context.ui.is_json() {
            context.ui.message(&Message::TagsChanged(TagsChanged {
                snapshot_id: one.session.to_snapshot_hex(),
                before: one.before.clone(),
                after: one.after.clone(),
            }));
        } else if !context.ui.is_quiet() {
            let tags = if one.after.is_empty() { "none".to_owned() } else { one.after.join(",") };
            context.ui.result(&format!("{}: {tags}", short_id(one.session)));
        }
    }
    if changed.is_empty() {
        context.ui.note("no tags changed");
    }
    Ok(ExitCode::Ok)
}
