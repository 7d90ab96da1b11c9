//! `ls`: what is in a snapshot.

use engine::base::limits::{NAME_MAX_BYTES, NODE_CACHE_BYTES};
use engine::base::path::TreePath;
use engine::blob::fetch::ChunkFetcher;
use engine::format::entry::{Entry, EntryKind};
use engine::format::snapshot::Snapshot;
use engine::restore::RestoreError;
use engine::tree::cursor::{EntryCursor, find};

use crate::args::look::{LsArgs, Sort};
use crate::command::asked::in_tree;
use crate::command::clock;
use crate::command::context::Context;
use crate::command::node::{long_lines, node};
use crate::command::open::{Opened, open, progress};
use crate::command::select::Choice;
use crate::command::snapshots::record;
use crate::command::trouble;
use crate::fault::{ExitCode, Fault};
use crate::ui::json::Message;

/// Lists the entries below paths.
///
/// # Errors
/// Exit code 20 if a part of the tree cannot be read; the rest is listed all the same.
pub fn run(args: &LsArgs, context: &Context<'_>) -> Result<ExitCode, Fault> {
    let opened = open(context)?;
    opened.require_names()?;
    let catalog = opened.look(&progress(context))?;
    clock::tell(&args.filter, &opened, &catalog, context);
    let choice = Choice::new(&catalog, &args.filter, context);
    let snapshot = &choice.one(&args.source.snapshot)?.snapshot;
    let fetcher = ChunkFetcher::new(&opened.repo, &opened.index, NODE_CACHE_BYTES)?;
    let mut lister =
        Lister { opened: &opened, args, context, fetcher: &fetcher, snapshot, sorted: Vec::new() };
    let tops = lister.tops()?;
    if context.ui.is_json() {
        context.ui.message(&Message::Snapshot(Box::new(record(snapshot, &catalog))));
    }
    let mut damage = None;
    for (top, entry) in tops {
        match entry {
            Some(entry) if entry.kind != EntryKind::Directory => lister.take(top, entry),
            _ => damage = lister.list(&top).err().or(damage),
        }
    }
    lister.finish();
    damage.map_or(Ok(ExitCode::Ok), Err)
}

struct Lister<'a> {
    opened: &'a Opened,
    args: &'a LsArgs,
    context: &'a Context<'a>,
    fetcher: &'a ChunkFetcher<'a>,
    snapshot: &'a Snapshot,
    /// What waits to be sorted.
    sorted: Vec<(TreePath, Entry)>,
}

impl Lister<'_> {
    /// What was asked for, all of which must be there. The root has no entry, and nothing whose entry
    /// cannot be read.
    fn tops(&self) -> Result<Vec<(TreePath, Option<Entry>)>, Fault> {
        let asked = match (self.args.paths.is_empty(), &self.args.source.path) {
            (true, path) => vec![path.clone().unwrap_or_default()],
            (false, None) => self.args.paths.clone(),
            (false, Some(_)) => {
                return Err(Fault::usage(
                    "paths are given both behind the colon and apart from it",
                )
                .hint("write SNAP:PATH, or SNAP PATH…"));
            }
        };
        let mut tops = Vec::new();
        for asked in asked {
            let top = in_tree(self.opened, self.snapshot, &asked)?;
            if top.is_root() {
                tops.push((top, None));
                continue;
            }
            match find(self.fetcher, self.snapshot.root, &top) {
                Ok(Some(entry)) => tops.push((top, Some(entry))),
                Ok(None) => {
                    let missing = RestoreError::NoSuchPath { path: top.to_string() };
                    return Err(trouble::restore(&missing));
                }
                // Listing says it, with what can be read below.
                Err(error) if error.is_local_to_one_node() => tops.push((top, None)),
                Err(error) => return Err(error.into()),
            }
        }
        Ok(tops)
    }

    /// Lists what is in a folder. What cannot be read is told and answered in the end.
    fn list(&mut self, top: &TreePath) -> Result<(), Fault> {
        let (mut damage, mut said) = (Ok(()), None);
        let mut cursor = EntryCursor::from(self.fetcher, self.snapshot.root, top);
        while let Some(item) = cursor.next().filter(|_| !self.context.ui.is_closed()) {
            let (path, entry) = match item {
                Ok(item) => item,
                Err(error) => {
                    if said.as_ref() != Some(&error.to_string()) {
                        let words = error.to_string();
                        self.context.ui.problem("listing", &top.to_slashes(), &words);
                        said = Some(words);
                    }
                    let is_over = cursor.is_past(top);
                    damage = Err(Fault::from(error));
                    match is_over {
                        true => break,
                        false => continue,
                    }
                }
            };
            if !top.contains(&path) {
                break;
            }
            if path == *top {
                continue;
            }
            let skipped = match entry.kind == EntryKind::Directory && !self.args.is_recursive() {
                true => after_everything_in(&path),
                false => None,
            };
            self.take(path, entry);
            if let Some(next) = skipped {
                cursor = EntryCursor::from(self.fetcher, self.snapshot.root, &next);
            }
        }
        damage
    }

    fn take(&mut self, path: TreePath, entry: Entry) {
        match self.args.is_in_tree_order() {
            true => show(&path, &entry, self.args, self.context),
            false => self.sorted.push((path, entry)),
        }
    }

    fn finish(mut self) {
        let sorted = &mut self.sorted;
        match self.args.sort {
            Sort::Name => sorted.sort_by(|(a, _), (b, _)| a.cmp(b)),
            Sort::Size => sorted.sort_by_key(|(_, entry)| std::cmp::Reverse(entry.size_bytes)),
            Sort::Time => sorted.sort_by_key(|(_, entry)| std::cmp::Reverse(entry.mtime)),
        }
        if self.args.reverse {
            sorted.reverse();
        }
        for (path, entry) in sorted {
            show(path, entry, self.args, self.context);
        }
    }
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
        context.ui.stdout().line_as_it_is(&Message::Node(node(path, entry)).to_line());
    } else if args.long {
        let (ui, zone) = (context.ui, &context.around.time_zone);
        long_lines(path, entry, zone, ui.width()).iter().for_each(|line| ui.result(line));
    } else {
        context.ui.result(&path.to_string());
    }
}
