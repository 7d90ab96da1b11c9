//! `timeline`: how much changed from snapshot to snapshot.

use std::cmp::Reverse;
use std::collections::{BTreeMap, HashMap};

use engine::base::limits::NODE_CACHE_BYTES;
use engine::base::path::{TreePath, escape};
use engine::base::time::Timestamp;
use engine::blob::fetch::ChunkFetcher;
use engine::format::entry::{Entry, EntryKind};
use engine::format::snapshot::{PathBytes, Snapshot};
use engine::index::catalog::Committed;
use engine::tree::diff::{Difference, differences};
use engine::tree::error::TreeError;

use crate::args::compare::TimelineArgs;
use crate::command::asked::in_tree;
use crate::command::change::{Changed, changed, require_path, share_ids};
use crate::command::clock;
use crate::command::context::Context;
use crate::command::open::{Opened, open, progress};
use crate::command::select::{Choice, short_id};
use crate::fault::{ExitCode, Fault};
use crate::ui::changes::{ExtensionCount, NightRecord};
use crate::ui::json::Message;
use crate::ui::records::JsonPath;
use crate::ui::table::{Align, Table};
use crate::units;

const DAY_S: i64 = 86_400;
/// Extensions that a line names.
const SHOWN_MAX: usize = 2;
/// Extensions that a record names.
const NAMED_MAX: usize = 20;
/// What is longer is hardly an extension.
const EXTENSION_MAX_BYTES: usize = 16;

/// Host and paths.
type Source<'a> = (&'a str, &'a [PathBytes]);

/// Shows a line for each snapshot that has one before it.
///
/// # Errors
/// Exit code 20 if a part of a tree cannot be read; the rest is compared all the same.
pub fn run(args: &TimelineArgs, context: &Context<'_>) -> Result<ExitCode, Fault> {
    let opened = open(context)?;
    opened.require_names()?;
    let catalog = opened.look(&progress(context))?;
    clock::tell(&args.filter, &opened, &catalog, context);
    let choice = Choice::new(&catalog, &args.filter, context);
    choice.require_client()?;
    let nodes = ChunkFetcher::new(&opened.repo, &opened.index, NODE_CACHE_BYTES)?;
    let chosen = choice.filtered();
    if chosen.is_empty() && !catalog.snapshots.is_empty() {
        return Err(Fault::usage("no snapshot meets the conditions, so nothing was compared")
            .hint("`mainstay snapshots` shows hosts, tags and paths as they are"));
    }
    if let Some(path) = &args.path {
        let snapshots: Vec<&Snapshot> = chosen.iter().map(|one| &one.snapshot).collect();
        require_path(&nodes, &snapshots, path)?;
    }
    let from_s = context.around.clock.now().seconds - i64::from(args.days) * DAY_S;
    let mut groups: BTreeMap<Source<'_>, Vec<(&Committed, Timestamp)>> = BTreeMap::new();
    for one in chosen {
        let (host, paths) = (one.snapshot.host.as_str(), one.snapshot.paths.as_slice());
        groups.entry((host, paths)).or_default().push((one, choice.made().at(&one.snapshot)));
    }
    let mut timeline = Timeline { args, opened: &opened, context, nodes: &nodes, damage: None };
    let mut night_count = 0;
    for ((host, paths), snapshots) in &groups {
        let pairs = snapshots.windows(2).filter(|pair| pair[1].1.seconds >= from_s);
        let mut nights = Vec::new();
        for pair in pairs {
            let [(before, _), (after, time)] = pair else { continue };
            let (before, after, time) = (&before.snapshot, &after.snapshot, *time);
            nights.push(Compared { before, after, time, night: timeline.compare(before, after)? });
        }
        night_count += nights.len();
        match context.ui.is_json() {
            true => print_records(host, paths, &nights, context),
            false => print_table(host, paths, &nights, context),
        }
        if context.ui.is_closed() {
            return Ok(ExitCode::Ok);
        }
    }
    if night_count == 0 && !context.ui.is_json() {
        context.ui.note(&format!(
            "no snapshot of the last {} has one before it of the same host and paths",
            units::counted(u64::from(args.days), "day")
        ));
    }
    timeline.damage.map_or(Ok(ExitCode::Ok), Err)
}

/// Two snapshots of one host and set of paths, one after the other.
struct Compared<'a> {
    before: &'a Snapshot,
    after: &'a Snapshot,
    /// When the later one was made.
    time: Timestamp,
    night: Night,
}

/// What differs between two snapshots, in numbers.
#[derive(Debug, Default)]
struct Night {
    files_new: u64,
    files_changed: u64,
    files_removed: u64,
    bytes_new: u64,
    bytes_removed: u64,
    /// By extension, how many files more there are than before.
    extensions: HashMap<Vec<u8>, i64>,
}

struct Timeline<'a> {
    args: &'a TimelineArgs,
    opened: &'a Opened,
    context: &'a Context<'a>,
    nodes: &'a ChunkFetcher<'a>,
    damage: Option<Fault>,
}

impl Timeline<'_> {
    fn compare(&mut self, before: &Snapshot, after: &Snapshot) -> Result<Night, Fault> {
        let top = match &self.args.path {
            Some(path) => in_tree(self.opened, after, path)?,
            None => TreePath::root(),
        };
        let has_shared_ids = share_ids(before, after);
        let mut night = Night::default();
        let mut is_said = false;
        for item in differences((self.nodes, before.root), (self.nodes, after.root), &top) {
            match item {
                Ok((path, difference)) => night.take(&path, &difference, has_shared_ids),
                Err((_, error)) if error.is_local_to_one_node() => {
                    if !std::mem::replace(&mut is_said, true) {
                        self.tell(after, &error);
                    }
                    self.damage = Some(Fault::from(error));
                }
                Err((_, error)) => return Err(error.into()),
            }
        }
        Ok(night)
    }

    fn tell(&self, after: &Snapshot, error: &TreeError) {
        let snapshot = format!("snapshot {} with the one before", short_id(after.session));
        self.context.ui.problem("comparing", snapshot.as_bytes(), &error.to_string());
    }
}

impl Night {
    fn take(&mut self, path: &TreePath, difference: &Difference, has_shared_ids: bool) {
        let is_file = |entry: &Entry| entry.kind == EntryKind::File;
        match difference {
            Difference::Added(entry) if is_file(entry) => {
                self.files_new += 1;
                self.bytes_new += entry.size_bytes;
                self.count_extension(path, 1);
            }
            Difference::Removed(entry) if is_file(entry) => {
                self.files_removed += 1;
                self.bytes_removed += entry.size_bytes;
                self.count_extension(path, -1);
            }
            Difference::Changed { before, after } if is_file(after) || is_file(before) => {
                let changed = changed(before, after, has_shared_ids);
                if matches!(changed, Some(Changed::Content | Changed::Kind)) {
                    self.files_changed += 1;
                    self.bytes_new += after.size_bytes;
                    self.bytes_removed += before.size_bytes;
                }
            }
            _ => {}
        }
    }

    fn count_extension(&mut self, path: &TreePath, more: i64) {
        let name = path.name();
        let dot = name.iter().rposition(|byte| *byte == b'.').filter(|at| *at > 0);
        let Some(extension) = dot.map(|at| &name[at + 1..]) else { return };
        if (1..=EXTENSION_MAX_BYTES).contains(&extension.len()) {
            *self.extensions.entry(extension.to_vec()).or_default() += more;
        }
    }

    /// Extensions of which there are more files than before, the greatest growth first.
    fn grown(&self) -> Vec<ExtensionCount> {
        let grown = self.extensions.iter().filter(|(_, more)| **more > 0);
        let mut grown: Vec<_> = grown.map(|(name, more)| (Reverse(*more), name)).collect();
        grown.sort_unstable();
        let counts = grown.into_iter().take(NAMED_MAX).map(|(Reverse(more), name)| {
            ExtensionCount { extension: escape(name), files: more.unsigned_abs() }
        });
        counts.collect()
    }
}

fn print_records(host: &str, paths: &[PathBytes], nights: &[Compared<'_>], context: &Context<'_>) {
    for Compared { before, after, time, night } in nights {
        context.ui.message(&Message::Night(Box::new(NightRecord {
            snapshot: after.session.to_snapshot_hex(),
            previous: before.session.to_snapshot_hex(),
            time: units::rfc3339(*time),
            host: host.to_owned(),
            paths: paths.iter().map(|path| JsonPath::new(&path.0)).collect(),
            files_new: night.files_new,
            files_changed: night.files_changed,
            files_removed: night.files_removed,
            bytes_new: night.bytes_new,
            bytes_removed: night.bytes_removed,
            extensions_grown: night.grown(),
        })));
    }
}

fn print_table(host: &str, paths: &[PathBytes], nights: &[Compared<'_>], context: &Context<'_>) {
    if nights.is_empty() {
        return;
    }
    let paths: Vec<_> = paths.iter().map(|path| escape(&path.0)).collect();
    context.ui.result(&format!(
        "host {}, paths {}",
        crate::ui::output::printable(host),
        paths.join(", ")
    ));
    let mut table = Table::new(&[
        ("Time", Align::Left),
        ("Snapshot", Align::Left),
        ("New", Align::Right),
        ("Changed", Align::Right),
        ("Removed", Align::Right),
        ("Bytes new", Align::Right),
        ("More of", Align::Left),
    ]);
    for Compared { after, time, night, .. } in nights {
        let grown = night.grown();
        let more: Vec<_> = grown
            .iter()
            .take(SHOWN_MAX)
            .map(|one| format!(".{} {}", one.extension, units::short_count(one.files)))
            .collect();
        table.row([
            units::local_minute(*time, &context.around.time_zone),
            short_id(after.session),
            units::short_count(night.files_new),
            units::short_count(night.files_changed),
            units::short_count(night.files_removed),
            units::size(night.bytes_new),
            more.join(", "),
        ]);
    }
    table.lines_within(context.ui.width()).iter().for_each(|line| context.ui.result(line));
}
