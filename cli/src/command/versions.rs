//! Versions of a path: from which snapshot to which it was the same.

use engine::base::path::TreePath;
use engine::base::time::Timestamp;
use engine::format::entry::Entry;
use engine::format::snapshot::Snapshot;
use engine::index::catalog::Committed;

use crate::command::change::{Changed, changed, file_bytes, share_ids};
use crate::command::context::Context;
use crate::command::node::{kind_name, permissions};
use crate::command::select::short_id;
use crate::ui::changes::VersionRecord;
use crate::ui::json::Message;
use crate::ui::records::JsonPath;
use crate::ui::table::{Align, Table};
use crate::units;

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
pub(crate) struct Versions<'a> {
    list: Vec<Version<'a>>,
}

impl<'a> Versions<'a> {
    /// Takes what the next snapshot has at the path.
    pub(crate) fn take(
        &mut self,
        one: &'a Committed,
        time: Timestamp,
        path: &TreePath,
        found: Option<Entry>,
    ) {
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

    /// Whether there are none.
    pub(crate) fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// Prints one message for each, the newest first.
    pub(crate) fn print_records(&self, host: &str, path: &TreePath, context: &Context<'_>) {
        for version in self.list.iter().rev() {
            let entry = version.entry.as_ref();
            context.ui.message(&Message::PathVersion(Box::new(VersionRecord {
                path: JsonPath::new(&path.to_slashes()),
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

    /// Prints a table, the newest first.
    pub(crate) fn print_table(&self, host: &str, is_one_host: bool, context: &Context<'_>) {
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
