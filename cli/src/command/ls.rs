//! `ls`: what is in a snapshot.

use engine::base::limits::{NAME_MAX_BYTES, NODE_CACHE_BYTES};
use engine::base::path::TreePath;
use engine::blob::fetch::ChunkFetcher;
use engine::format::entry::{Entry, EntryKind};
use engine::restore::RestoreError;
use engine::tree::cursor::{EntryCursor, find};

use crate::args::look::LsArgs;
use crate::command::context::Context;
use crate::command::node::{long_line, node};
use crate::command::open::{open, progress};
use crate::command::select::Choice;
use crate::command::snapshots::record;
use crate::command::trouble;
use crate::fault::{ExitCode, Fault};
use crate::ui::json::Message;

/// Lists the entries below a path.
///
/// # Errors
/// Exit code 20 if a part of the tree cannot be read; the rest is listed all the same.
pub fn run(args: &LsArgs, context: &Context<'_>) -> Result<ExitCode, Fault> {
    let opened = open(context)?;
    opened.require_names()?;
    let catalog = opened.look(&progress(context))?;
    let choice = Choice { catalog: &catalog, filter: &args.filter, around: context.around };
    let snapshot = &choice.one(&args.source.snapshot)?.snapshot;
    let fetcher = ChunkFetcher::new(&opened.repo, &opened.index, NODE_CACHE_BYTES)?;
    let top = snapshot.in_tree(&args.source.path.clone().unwrap_or_default());
    if context.ui.is_json() {
        context.ui.message(&Message::Snapshot(Box::new(record(snapshot, &catalog))));
    }
    let show = |path: &TreePath, entry: &Entry| show(path, entry, args, context);
    if !top.is_root() {
        let entry = find(&fetcher, snapshot.root, &top)?;
        let missing = RestoreError::NoSuchPath { path: top.to_string() };
        let entry = entry.ok_or_else(|| trouble::restore(&missing))?;
        if entry.kind != EntryKind::Directory {
            show(&top, &entry);
            return Ok(ExitCode::Ok);
        }
    }
    let mut damage = None;
    let mut cursor = EntryCursor::from(&fetcher, snapshot.root, &top);
    while let Some(item) = cursor.next().filter(|_| !context.ui.is_closed()) {
        let (path, entry) = match item {
            Ok(item) => item,
            Err(error) => {
                context.ui.problem("listing", &top.to_slashes(), &error.to_string());
                damage = Some(Fault::from(error));
                continue;
            }
        };
        if !top.contains(&path) {
            break;
        }
        if path == top {
            continue;
        }
        show(&path, &entry);
        if !args.is_recursive()
            && entry.kind == EntryKind::Directory
            && let Some(next) = after_everything_in(&path)
        {
            cursor = EntryCursor::from(&fetcher, snapshot.root, &next);
        }
    }
    damage.map_or(Ok(ExitCode::Ok), Err)
}

/// The first path that can come after all that is in `folder`: its name with the smallest byte
/// that a name can have. Only a name of the greatest length has none; then nothing is skipped.
fn after_everything_in(folder: &TreePath) -> Option<TreePath> {
    let name = folder.name();
    let next = [name, &[1]].concat();
    (next.len() <= NAME_MAX_BYTES).then(|| folder.parent()?.join(&next).ok()).flatten()
}

fn show(path: &TreePath, entry: &Entry, args: &LsArgs, context: &Context<'_>) {
    if context.ui.is_json() {
        // Without the flush of a message: there can be millions.
        context.ui.stdout().line(&Message::Node(node(path, entry)).to_line());
    } else if args.long {
        context.ui.result(&long_line(path, entry, &context.around.time_zone));
    } else {
        context.ui.result(&path.to_string());
    }
}
