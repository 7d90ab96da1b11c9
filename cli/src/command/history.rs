//! `history`: the versions of one path.

use std::collections::BTreeMap;

use engine::base::limits::NODE_CACHE_BYTES;
use engine::base::path::TreePath;
use engine::base::time::Timestamp;
use engine::blob::fetch::ChunkFetcher;
use engine::format::entry::Entry;
use engine::format::snapshot::Snapshot;
use engine::index::catalog::Committed;
use engine::tree::cursor::find;

use crate::args::compare::HistoryArgs;
use crate::command::asked::in_tree;
use crate::command::change::{Changed, changed, file_bytes, require_path, share_ids};
use crate::command::clock;
use crate::command::context::Context;
use crate::command::node::{kind_name, permissions};
use crate::command::open::{open, progress};
use crate::command::select::{Choice, short_id};
use crate::fault::{ExitCode, Fault};
use crate::ui::changes::VersionRecord;
use crate::ui::json::Message;
use crate::ui::records::JsonPath;
use crate::ui::table::{Align, Table};
use crate::units;

/// Lists versions, the newest first.
///
/// # Errors
/// Exit code 2 if no snapshot has the path, 20 if a part of a tree cannot be read; the rest is listed
/// all the same.
pub fn run(args: &HistoryArgs, context: &Context<'_>) -> Result<ExitCode, Fault> {
    let opened = open(context)?;
    opened.require_names()?;
    let catalog = opened.look(&progress(context))?;
    clock::tell(&args.filter, &opened, &catalog, context);
    let choice = Choice::new(&catalog, &args.filter, context);
    choice.require_client()?;
    let chosen = choice.filtered();
    if chosen.is_empty() {
        return Err(Fault::usage("no snapshot meets the conditions, so there is no history")
            .hint("`mainstay snapshots` shows hosts, tags and paths as they are"));
    }
    let nodes = ChunkFetcher::new(&opened.repo, &opened.index, NODE_CACHE_BYTES)?;
    let (mut hosts, mut damage): (BTreeMap<&str, Versions<'_>>, _) = (BTreeMap::new(), None);
    for one in &chosen {
        let path = in_tree(&opened, &one.snapshot, &args.path)?;
        let found = match find(&nodes, one.snapshot.root, &path) {
            Ok(found) => found,
            Err(error) if error.is_local_to_one_node() => {
                let snapshot = format!("snapshot {}", short_id(one.snapshot.session));
                context.ui.problem("looking into", snapshot.as_bytes(), &error.to_string());
                damage = Some(Fault::from(error));
                continue;
            }
            Err(error) => return Err(error.into()),
        };
        let time = choice.made().at(&one.snapshot);
        let versions = hosts.entry(one.snapshot.host.as_str()).or_default();
        versions.take(one, time, &path, found);
    }
    hosts.retain(|_, versions| !versions.list.is_empty());
    if hosts.is_empty() && damage.is_none() {
        let snapshots: Vec<&Snapshot> = chosen.iter().map(|one| &one.snapshot).collect();
        require_path(&nodes, &snapshots, &args.path)?;
    }
    let is_one_host = hosts.len() == 1;
    for (host, versions) in hosts {
        match context.ui.is_json() {
            true => versions.print_records(host, args, context),
            false => versions.print_table(host, is_one_host, context),
        }
    }
    damage.map_or(Ok(ExitCode::Ok), Err)
}

/// One version, and the snapshots that have it.
struct Version<'a> {
    first: (&'a Snapshot, Timestamp),
    last: (&'a Snapshot, Timestamp),
    count: u64,
    /// `None` where the path is gone.
    entry: Option<Entry>,
    change: &'static str,
}

/// The versions of a path on one host, the oldest first.
#[derive(Default)]
struct Versions<'a> {
    list: Vec<Version<'a>>,
}

impl<'a> Versions<'a> {
    fn take(&mut self, one: &'a Committed, time: Timestamp, path: &TreePath, found: Option<Entry>) {
        let snapshot = &one.snapshot;
        // A snapshot of other paths does not say that this one is gone.
        if found.is_none() && !could_have(snapshot, path) {
            return;
        }
        let change = match self.list.last() {
            None if found.is_none() => return,
            None => "new",
            Some(version) => match compare(version, snapshot, found.as_ref()) {
                Some(change) => change,
                None => {
                    if let Some(version) = self.list.last_mut() {
                        version.last = (snapshot, time);
                        version.count += 1;
                    }
                    return;
                }
            },
        };
        let at = (snapshot, time);
        self.list.push(Version { first: at, last: at, count: 1, entry: found, change });
    }

    fn print_records(&self, host: &str, args: &HistoryArgs, context: &Context<'_>) {
        for version in self.list.iter().rev() {
            let entry = version.entry.as_ref();
            context.ui.message(&Message::PathVersion(Box::new(VersionRecord {
                path: JsonPath::new(&args.path.to_slashes()),
                host: host.to_owned(),
                first: version.first.0.session.to_snapshot_hex(),
                last: version.last.0.session.to_snapshot_hex(),
                first_time: units::rfc3339(version.first.1),
                last_time: units::rfc3339(version.last.1),
                snapshots_count: version.count,
                change: version.change,
                kind: entry.map(|entry| kind_name(entry.kind)),
                size: entry.and_then(file_bytes),
                mtime: entry.map(|entry| units::rfc3339(entry.mtime)),
                permissions: entry.map(permissions),
                uid: entry.map(|entry| entry.uid),
                gid: entry.map(|entry| entry.gid),
            })));
        }
    }

    fn print_table(&self, host: &str, is_one_host: bool, context: &Context<'_>) {
        if !is_one_host {
            context.ui.result(&format!("host {}", crate::ui::output::printable(host)));
        }
        let mut table = Table::new(&[
            ("First in", Align::Left),
            ("Until", Align::Left),
            ("Snapshot", Align::Left),
            ("Size", Align::Right),
            ("Modified", Align::Left),
            ("Change", Align::Left),
        ]);
        let zone = &context.around.time_zone;
        for version in self.list.iter().rev() {
            let entry = version.entry.as_ref();
            table.row([
                units::local_minute(version.first.1, zone),
                units::local_minute(version.last.1, zone),
                short_id(version.last.0.session),
                entry.and_then(file_bytes).map_or_else(|| "-".to_owned(), units::size),
                entry.map_or_else(|| "-".to_owned(), |it| units::local_minute(it.mtime, zone)),
                version.change.to_owned(),
            ]);
        }
        table.lines_within(context.ui.width()).iter().for_each(|line| context.ui.result(line));
    }
}

/// Whether `path` would be in the snapshot if it were there.
fn could_have(snapshot: &Snapshot, path: &TreePath) -> bool {
    let roots = snapshot.paths.iter().filter_map(|root| TreePath::from_slashes(&root.0).ok());
    let mut roots = roots.map(|root| snapshot.in_tree(&root));
    roots.any(|root| root.contains(path) || path.contains(&root))
}

/// How what a snapshot has differs from the version before; `None` if it does not.
fn compare(
    version: &Version<'_>,
    snapshot: &Snapshot,
    found: Option<&Entry>,
) -> Option<&'static str> {
    match (&version.entry, found) {
        (None, None) => None,
        (Some(_), None) => Some("deleted"),
        (None, Some(_)) => Some("back"),
        (Some(before), Some(after)) => changed(before, after, share_ids(version.last.0, snapshot))
            .map(|changed| match changed {
                Changed::Kind => "kind",
                Changed::Content => "content",
                Changed::Metadata => "metadata",
            }),
    }
}
