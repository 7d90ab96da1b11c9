//! What of each pack is needed, by the marks.

use std::collections::{BTreeMap, HashMap, HashSet};

use crate::base::id::{ChunkId, PackId, SessionId};
use crate::base::time::Timestamp;
use crate::format::generation::PackSet;
use crate::gc::error::GcError;
use crate::gc::mark::Marks;
use crate::index::IndexReader;
use crate::index::reader::PackRow;
use crate::repo::Repo;
use crate::store::name::{ObjectName, prefix};

/// A pack as a listing of the store shows it.
#[derive(Debug, Clone, Copy)]
pub(super) struct StoredPack {
    pub(super) bytes: u64,
    pub(super) modified: Timestamp,
}

/// Packs in the store, from two listings.
pub(super) fn stored_packs(repo: &Repo) -> Result<BTreeMap<PackId, StoredPack>, GcError> {
    let mut packs = BTreeMap::new();
    for below in [prefix::DATA, prefix::TREE] {
        repo.store().list_each(below, &mut |object| {
            if let Some(ObjectName::Pack(pack)) = ObjectName::parse(&object.key) {
                let stored = StoredPack { bytes: object.size_bytes, modified: object.modified };
                packs.insert(pack, stored);
            }
            true
        })?;
    }
    Ok(packs)
}

/// An indexed pack and how much of it is needed.
#[derive(Debug, Clone, Copy)]
pub(super) struct PackUse {
    pub(super) row: PackRow,
    /// Whether the store has it.
    pub(super) exists: bool,
    /// Whether its session has decided, so that nobody adds references to it by that session.
    pub(super) is_decided: bool,
    /// Chunks that are needed.
    pub(super) live_count: u32,
    /// Of these, how many have another copy in some pack.
    pub(super) copied_count: u32,
}

impl PackUse {
    pub(super) fn new(
        row: PackRow,
        stored: &BTreeMap<PackId, StoredPack>,
        undecided: &HashSet<SessionId>,
        marks: &Marks,
    ) -> Self {
        Self {
            row,
            exists: stored.contains_key(&row.pack),
            is_decided: !undecided.contains(&row.pack.session),
            live_count: marks.live.count(row.first_record, row.chunk_count),
            copied_count: marks.copied.count(row.first_record, row.chunk_count),
        }
    }
}

/// Looks for other copies of chunks: in packs that exist, that a segment lists, and that nothing
/// excludes.
pub(super) struct Copies<'a> {
    pub(super) reader: &'a IndexReader,
    pub(super) packs: &'a HashMap<i64, PackUse>,
    pub(super) marks: &'a Marks,
    /// What others exclude, and what this generation condemns.
    pub(super) not_in: [&'a PackSet; 2],
}

impl Copies<'_> {
    /// Whether each needed chunk of `pack` has a copy elsewhere that stays.
    pub(super) fn all_elsewhere(&self, pack: &PackUse) -> Result<bool, GcError> {
        let mut found = true;
        self.for_each_live(pack, &mut |id| {
            found = self.has_other(&id, pack.row.row)?;
            Ok(found)
        })?;
        Ok(found)
    }

    /// Calls `visit` with each needed chunk of a pack until it answers false.
    pub(super) fn for_each_live(
        &self,
        pack: &PackUse,
        visit: &mut dyn FnMut(ChunkId) -> Result<bool, GcError>,
    ) -> Result<(), GcError> {
        let Some(table) = self.reader.pack_table(&pack.row.pack)? else { return Ok(()) };
        for (chunk, record) in table.chunks.iter().zip(pack.row.first_record..) {
            if self.marks.live.get(record) && !visit(chunk.id)? {
                break;
            }
        }
        Ok(())
    }

    fn has_other(&self, id: &ChunkId, row: i64) -> Result<bool, GcError> {
        let mut found = false;
        self.reader.for_each_copy(id, &mut |copy| {
            found = copy.pack_row != row
                && self.packs.get(&copy.pack_row).is_some_and(|other| {
                    other.exists
                        && other.row.is_listed
                        && self.not_in.iter().all(|set| !set.contains(&other.row.pack))
                });
            !found
        })?;
        Ok(found)
    }
}
