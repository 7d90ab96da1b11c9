//! Everything that snapshots reach: is it indexed, and is one good copy of it in the store.

use crate::base::error::in_one_line;
use crate::base::id::ChunkId;
use crate::base::monitor::{Counter, Monitor, Phase};
use crate::base::path::TreePath;
use crate::blob::open_pack::key_of;
use crate::check::error::CheckError;
use crate::check::inventory::Inventory;
use crate::check::report::CheckReport;
use crate::format::entry::Entry;
use crate::index::catalog::Catalog;
use crate::index::{IndexError, IndexReader};
use crate::tree::TreeError;
use crate::tree::reach::{Reach, ReachVisitor};
use crate::tree::source::NodeRead;

/// Walks all snapshots and looks up every reference; what was found stands alone in the report
/// that is returned.
pub(super) fn check(
    catalog: &Catalog,
    source: &dyn NodeRead,
    reader: &IndexReader,
    inventory: &Inventory,
    monitor: &dyn Monitor,
) -> Result<CheckReport, CheckError> {
    let mut report = CheckReport::default();
    monitor.phase(&Phase {
        name: "checking snapshots",
        total_items: Some(catalog.snapshots.len() as u64),
        total_bytes: None,
    });
    let mut reach = Reach::default();
    for one in &catalog.snapshots {
        let snapshot = one.snapshot.session.to_snapshot_hex()[..8].to_owned();
        let report = &mut report;
        let mut looker = Looker { snapshot, reader, inventory, report, failure: None };
        reach.visit(source, one.snapshot.root, &mut looker);
        if let Some(error) = looker.failure {
            return Err(error.into());
        }
        if monitor.is_cancelled() {
            return Err(CheckError::Interrupted);
        }
        monitor.add(Counter::Items, 1);
    }
    report.nodes = reach.node_count();
    Ok(report)
}

struct Looker<'a> {
    snapshot: String,
    reader: &'a IndexReader,
    inventory: &'a Inventory,
    report: &'a mut CheckReport,
    failure: Option<IndexError>,
}

impl Looker<'_> {
    fn place_of(&self, path: &TreePath) -> String {
        format!("{}:{path}", self.snapshot)
    }

    /// Reports the objects that should hold a chunk and do not.
    fn look_up(&mut self, path: &TreePath, id: &ChunkId, length_bytes: Option<u32>) {
        let places = match self.reader.places(id) {
            Ok(places) => places,
            Err(error) => {
                self.failure.get_or_insert(error);
                return;
            }
        };
        let is_good = |pack| self.inventory.get(pack).is_some_and(|stored| stored.is_good);
        let fits = |found: u32| length_bytes.is_none_or(|wanted| wanted == found);
        if places.iter().any(|place| is_good(&place.pack) && fits(place.length_bytes)) {
            return;
        }
        let hurt = self.place_of(path);
        if places.is_empty() {
            let key = format!("chunk {id}");
            self.report.finding(&key, "no pack in the index holds it".to_owned());
            self.report.hurts(&key, hurt);
            return;
        }
        for place in places {
            let key = key_of(place.pack);
            if !fits(place.length_bytes) {
                self.report
                    .finding(&key, format!("chunk {id} has another length than its file says"));
            }
            self.report.hurts(&key, hurt.clone());
        }
    }
}

impl ReachVisitor for Looker<'_> {
    fn entry(&mut self, path: &TreePath, entry: &Entry) {
        let is_file = entry.kind == crate::format::entry::EntryKind::File;
        if is_file && entry.content.is_none() && !entry.is_unread() {
            let key = format!("snapshot {}", self.snapshot);
            self.report.finding(&key, "a file has no content".to_owned());
            let hurt = self.place_of(path);
            self.report.hurts(&key, hurt);
        }
    }

    fn chunk(&mut self, path: &TreePath, id: &ChunkId, length_bytes: u32) {
        self.report.chunk_references += 1;
        self.look_up(path, id, Some(length_bytes));
    }

    fn broken(&mut self, near: &TreePath, id: &ChunkId, error: &TreeError) {
        let places = self.reader.places(id).unwrap_or_default();
        let key = match places.first() {
            Some(place) => key_of(place.pack),
            None => format!("tree node {id}"),
        };
        self.report.finding(&key, in_one_line(error));
        let hurt = format!("{} and what follows in its folder", self.place_of(near));
        self.report.hurts(&key, hurt);
    }
}
