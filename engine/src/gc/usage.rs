//! What of each pack is needed, by the marks.

use std::collections::{BTreeMap, HashMap, HashSet};

use crate::base::id::{ChunkId, PackId, SessionId};
use crate::base::time::Timestamp;
use crate::format::generation::PackSet;
use crate::gc::error::GcError;
use crate::gc::live::Living;
use crate::gc::mark::Marks;
use crate::index::reader::PackRow;
use crate::index::{IndexReader, PackStanding};
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
            if let Some(ObjectName::Pack(pack)) = object.name {
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
    /// Whether the store has it in the size that is told of it.
    pub(super) is_sound: bool,
    /// Whether its session has decided, so that nobody adds references to it by that session.
    pub(super) is_decided: bool,
    /// Whether its session has decided or is registered: nobody knows of another one.
    pub(super) is_registered: bool,
    /// Whether its client was revoked: what others need may rest on its bytes no more.
    pub(super) is_revoked: bool,
    /// Chunks that are needed.
    pub(super) live_count: u32,
    /// Of these, how many have another copy in some pack.
    pub(super) copied_count: u32,
}

impl PackUse {
    pub(super) fn new(
        row: PackRow,
        stored: &BTreeMap<PackId, StoredPack>,
        (living, owners): (&Living, &HashSet<SessionId>),
        marks: &Marks,
    ) -> Self {
        let (session, object) = (&row.pack.session, stored.get(&row.pack));
        let has_decided = living.decided.contains(session);
        Self {
            row,
            exists: object.is_some(),
            is_sound: object.is_some_and(|object| object.bytes == u64::from(row.stored_bytes)),
            is_decided: has_decided || !owners.contains(session),
            is_registered: has_decided || living.registered.contains_key(session),
            is_revoked: living.revoked.contains(&session.client()),
            live_count: marks.live.count(row.first_record, row.chunk_count),
            copied_count: marks.copied.count(row.first_record, row.chunk_count),
        }
    }
}

/// Looks for other copies of chunks: in packs of the same dedup domain that exist in their right
/// size, that a segment lists, whose session is known and whose client was not revoked, and that
/// nothing excludes.
pub(super) struct Copies<'a> {
    pub(super) reader: &'a IndexReader,
    pub(super) packs: &'a HashMap<i64, PackUse>,
    pub(super) marks: &'a Marks,
    /// What others exclude, and what this generation condemns.
    pub(super) not_in: [&'a PackSet; 2],
    /// Whether a copy counts only if what its pack says of itself was read once.
    pub(super) must_be_authenticated: bool,
}

impl Copies<'_> {
    /// Whether each needed chunk of `pack` has a copy elsewhere that stays.
    pub(super) fn all_elsewhere(&self, pack: &PackUse) -> Result<bool, GcError> {
        let mut found = true;
        self.for_each_live(pack, &mut |id| {
            found = self.has_other(&id, &pack.row)?;
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

    fn has_other(&self, id: &ChunkId, row: &PackRow) -> Result<bool, GcError> {
        let mut found = false;
        self.for_each_other(id, row, &mut |other| {
            found =
                !self.must_be_authenticated || other.row.standing == PackStanding::Authenticated;
            !found
        })?;
        Ok(found)
    }

    /// Calls `visit` with each pack that may hold another copy until it answers false.
    pub(super) fn for_each_other(
        &self,
        id: &ChunkId,
        row: &PackRow,
        visit: &mut dyn FnMut(&PackUse) -> bool,
    ) -> Result<(), GcError> {
        self.reader.for_each_copy(id, &mut |copy| {
            let Some(other) = self.packs.get(&copy.pack_row) else { return true };
            let counts = other.row.row != row.row
                && other.row.domain == row.domain
                && other.row.standing != PackStanding::Unsigned
                && other.row.is_listed
                && other.is_sound
                && other.is_registered
                && !other.is_revoked
                && self.not_in.iter().all(|set| !set.contains(&other.row.pack));
            !counts || visit(other)
        })?;
        Ok(())
    }
}
