//! `diff`: what differs between two snapshots.

use std::collections::HashMap;

use engine::base::id::Digest;
use engine::base::limits::NODE_CACHE_BYTES;
use engine::base::path::TreePath;
use engine::blob::fetch::ChunkFetcher;
use engine::format::entry::{Entry, EntryKind};
use engine::tree::diff::{Difference, Side, content_digest, differences};
use unicode_width::UnicodeWidthStr;

use crate::args::compare::DiffArgs;
use crate::command::asked::in_tree;
use crate::command::change::{Changed, changed, file_bytes, require_path, share_ids};
use crate::command::clock;
use crate::command::context::Context;
use crate::command::open::{open, progress};
use crate::command::select::{Choice, short_id};
use crate::fault::{ExitCode, Fault};
use crate::ui::changes::{ChangeRecord, ChangeStatistics, ChangedNumbers};
use crate::ui::json::Message;
use crate::ui::records::JsonPath;
use crate::units;

/// Beyond so many differences nothing is kept to find renames by, and lines are printed as they come.
const RENAME_MAX_LINES: usize = 200_000;

/// Lists what differs.
///
/// # Errors
/// Exit code 20 if a part of a tree cannot be read; the rest is compared all the same.
pub fn run(args: &DiffArgs, context: &Context<'_>) -> Result<ExitCode, Fault> {
    let opened = open(context)?;
    opened.require_names()?;
    let catalog = opened.look(&progress(context))?;
    clock::tell(&args.filter, &opened, &catalog, context);
    let choice = Choice::new(&catalog, &args.filter, context);
    let before = &choice.one(&args.before)?.snapshot;
    let after = &choice.one(&args.after)?.snapshot;
    let nodes = ChunkFetcher::new(&opened.repo, &opened.index, NODE_CACHE_BYTES)?;
    let top = match &args.path {
        Some(path) => in_tree(&opened, after, path)?,
        None => TreePath::root(),
    };
    require_path(&nodes, &[before, after], &top)?;
    let has_shared_ids = share_ids(before, after);
    if !has_shared_ids {
        context.ui.note(
            "these snapshots share no chunks, so content is compared by size and time of change",
        );
    }
    let numbers = ChangeStatistics {
        source_snapshot: before.session.to_snapshot_hex(),
        target_snapshot: after.session.to_snapshot_hex(),
        ..ChangeStatistics::default()
    };
    let mut lines =
        Lines { args, context, has_shared_ids, waiting: Vec::new(), is_long: false, numbers };
    let (mut damage, mut said) = (None, None);
    for item in differences((&nodes, before.root), (&nodes, after.root), &top) {
        match item {
            Ok((path, difference)) => lines.take(path, &difference),
            Err((side, error)) if error.is_local_to_one_node() => {
                let snapshot = if side == Side::Before { before } else { after };
                if said.as_ref() != Some(&(side, error.to_string())) {
                    let words = error.to_string();
                    let snapshot = format!("snapshot {}", short_id(snapshot.session));
                    context.ui.problem("comparing", snapshot.as_bytes(), &words);
                    said = Some((side, words));
                }
                damage = Some(Fault::from(error));
            }
            Err((_, error)) => return Err(error.into()),
        }
        if context.ui.is_closed() {
            return Ok(ExitCode::Ok);
        }
    }
    lines.finish();
    damage.map_or(Ok(ExitCode::Ok), Err)
}

/// A difference that waits, because it may be half of a rename.
struct Line {
    path: TreePath,
    modifier: char,
    is_folder: bool,
    renamed_from: Option<TreePath>,
    size_before: Option<u64>,
    size_after: Option<u64>,
    /// Of the content of a file that was added or removed.
    content: Option<Digest>,
}

struct Lines<'a> {
    args: &'a DiffArgs,
    context: &'a Context<'a>,
    has_shared_ids: bool,
    waiting: Vec<Line>,
    /// There are too many to be kept.
    is_long: bool,
    numbers: ChangeStatistics,
}

impl Lines<'_> {
    fn take(&mut self, path: TreePath, difference: &Difference) {
        let line = match difference {
            Difference::Added(entry) => self.one_sided(path, entry, '+'),
            Difference::Removed(entry) => self.one_sided(path, entry, '-'),
            Difference::Changed { before, after } => {
                let Some(line) = self.changed(path, before, after) else { return };
                line
            }
        };
        if self.is_long {
            return self.print(&line);
        }
        self.waiting.push(line);
        if self.waiting.len() > RENAME_MAX_LINES {
            self.is_long = true;
            for line in std::mem::take(&mut self.waiting) {
                self.count(&line);
                self.print(&line);
            }
        }
    }

    fn one_sided(&self, path: TreePath, entry: &Entry, modifier: char) -> Line {
        let size = file_bytes(entry);
        // Empty files are all alike.
        let content =
            entry.content.as_ref().filter(|_| self.has_shared_ids && entry.size_bytes > 0);
        Line {
            path,
            modifier,
            is_folder: entry.kind == EntryKind::Directory,
            renamed_from: None,
            size_before: size.filter(|_| modifier == '-'),
            size_after: size.filter(|_| modifier == '+'),
            content: content.and_then(content_digest),
        }
    }

    fn changed(&mut self, path: TreePath, before: &Entry, after: &Entry) -> Option<Line> {
        let changed = changed(before, after, self.has_shared_ids)?;
        let modifier = match changed {
            Changed::Kind => 'T',
            Changed::Content => 'M',
            Changed::Metadata => 'U',
        };
        if changed == Changed::Metadata && !self.args.metadata {
            self.numbers.changed_metadata += 1;
            return None;
        }
        Some(Line {
            path,
            modifier,
            is_folder: after.kind == EntryKind::Directory,
            renamed_from: None,
            size_before: file_bytes(before),
            size_after: file_bytes(after),
            content: None,
        })
    }

    fn finish(mut self) {
        let mut waiting = std::mem::take(&mut self.waiting);
        find_renames(&mut waiting);
        for line in &waiting {
            self.count(line);
            self.print(line);
        }
        if self.context.ui.is_json() {
            self.context.ui.message(&Message::Statistics(self.numbers));
        } else {
            self.context.ui.note(&self.words());
        }
    }

    fn count(&mut self, line: &Line) {
        let numbers = &mut self.numbers;
        let add = |side: &mut ChangedNumbers, size: Option<u64>| {
            match (size, line.is_folder) {
                (Some(_), _) => side.files += 1,
                (None, true) => side.dirs += 1,
                (None, false) => side.others += 1,
            }
            side.bytes += size.unwrap_or(0);
        };
        match line.modifier {
            '+' => add(&mut numbers.added, line.size_after),
            '-' => add(&mut numbers.removed, line.size_before),
            'R' => numbers.renamed_files += 1,
            'U' => numbers.changed_metadata += 1,
            _ => {
                numbers.changed_files += 1;
                numbers.added.bytes += line.size_after.unwrap_or(0);
                numbers.removed.bytes += line.size_before.unwrap_or(0);
            }
        }
    }

    fn print(&self, line: &Line) {
        if self.context.ui.is_json() {
            let from = line.renamed_from.as_ref();
            // Without the flush of a message: there can be millions.
            let record = Message::Change(ChangeRecord {
                path: JsonPath::new(&line.path.to_slashes()),
                modifier: line.modifier,
                renamed_from: from.map(|from| JsonPath::new(&from.to_slashes()).path),
                size_before: line.size_before,
                size_after: line.size_after,
            });
            self.context.ui.stdout().line_as_it_is(&record.to_line());
            return;
        }
        let (slash, modifier) = (if line.is_folder { "/" } else { "" }, line.modifier);
        let path = format!("{}{slash}", line.path);
        let whole = match &line.renamed_from {
            Some(from) => format!("{modifier}    {from} -> {path}"),
            None => format!("{modifier}    {path}"),
        };
        let is_wide = self.context.ui.width().is_some_and(|width| whole.width() > width);
        if !is_wide {
            return self.context.ui.result(&whole);
        }
        // Paths are never cut, and have lines of their own.
        self.context.ui.result(&modifier.to_string());
        for path in line.renamed_from.iter().map(ToString::to_string).chain([path]) {
            self.context.ui.result(&format!("  {path}"));
        }
    }

    fn words(&self) -> String {
        let ChangeStatistics { added, removed, changed_files, .. } = &self.numbers;
        let side = |side: &ChangedNumbers, what| {
            let items = side.files + side.dirs + side.others;
            format!("{} {what}", units::counted(items, "item"))
        };
        let mut parts = vec![
            side(added, "added"),
            side(removed, "removed"),
            format!("{} changed", units::count(*changed_files)),
        ];
        if self.numbers.renamed_files > 0 {
            parts.push(format!("{} renamed", units::count(self.numbers.renamed_files)));
        }
        if self.numbers.changed_metadata > 0 {
            let count = units::count(self.numbers.changed_metadata);
            parts.push(format!("{count} with other metadata"));
        }
        format!(
            "{}; files: {} added, {} removed",
            parts.join(", "),
            units::size(added.bytes),
            units::size(removed.bytes)
        )
    }
}

/// Makes one line of a file that was removed and one that was added with the same content; of several
/// with the same content those with the same name belong together.
fn find_renames(lines: &mut Vec<Line>) {
    let mut removed: HashMap<Digest, Vec<usize>> = HashMap::new();
    for (at, line) in lines.iter().enumerate().filter(|(_, line)| line.modifier == '-') {
        if let Some(content) = line.content {
            removed.entry(content).or_default().push(at);
        }
    }
    let mut halves = Vec::new();
    for at in 0..lines.len() {
        let line = &lines[at];
        let Some(content) = line.content.filter(|_| line.modifier == '+') else { continue };
        let Some(candidates) = removed.get_mut(&content) else { continue };
        let same_name = candidates.iter().position(|it| lines[*it].path.name() == line.path.name());
        let Some(chosen) = same_name.or(candidates.len().checked_sub(1)) else { continue };
        let half = candidates.swap_remove(chosen);
        let (from, size) = (lines[half].path.clone(), lines[half].size_before);
        let line = &mut lines[at];
        (line.modifier, line.renamed_from, line.size_before) = ('R', Some(from), size);
        halves.push(half);
    }
    halves.sort_unstable();
    let mut at = 0;
    lines.retain(|_| {
        at += 1;
        halves.binary_search(&(at - 1)).is_err()
    });
}
