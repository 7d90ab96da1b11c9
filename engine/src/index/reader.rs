//! Look-ups: is a chunk known, where are its copies, what is in a pack.
//!
//! A reader looks at the index through one long read transaction, which halves the cost of a
//! look-up. The write-ahead log cannot shrink while somebody looks at an old state, so the view is
//! renewed on its own after every commit of this process and after a number of look-ups; other
//! processes need not be waited for. Full ids are compared at every look-up.

use std::cell::{Cell, RefCell};
use std::sync::Arc;
use std::sync::atomic::Ordering;

use rusqlite::{Connection, OpenFlags, OptionalExtension};

use crate::base::id::{ChunkId, PackId};
use crate::base::limits::{INDEX_READER_CACHE_BYTES, INDEX_VIEW_LOOKUPS, KIB};
use crate::format::pack::{ChunkInfo, PackTable};
use crate::index::database::{Index, Shared, prepare_connection};
use crate::index::error::{Failure, IndexError};
use crate::index::place::{ChunkPlace, KnownPack, PackCache, PackStanding};
use crate::index::record;
use crate::index::schema::PART_RECORDS;
use crate::index::table::TableColumns;

/// One copy of a chunk by the number of its record, which no other copy shares.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ChunkCopy {
    /// Number of the record; those of one pack follow each other.
    pub record: i64,
    /// Row of the pack.
    pub pack_row: i64,
    /// Length of the chunk.
    pub length_bytes: u32,
}

/// A pack and where its records lie.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PackRow {
    /// Row in the database; never given twice.
    pub row: i64,
    /// The pack.
    pub pack: PackId,
    /// Size of its object.
    pub stored_bytes: u32,
    /// Raw bytes of its chunks.
    pub raw_bytes: u64,
    /// Number of its chunks.
    pub chunk_count: u32,
    /// Number of its first record.
    pub first_record: i64,
    /// Dedup domain of its chunks.
    pub domain: u32,
    /// How far what is said of it here may be relied on.
    pub standing: PackStanding,
    /// Whether a segment lists it; otherwise only its own footer told of it, and no machine that
    /// reads segments alone would find what is in it.
    pub is_listed: bool,
}

/// A read-only connection for one thread.
#[derive(Debug)]
pub struct IndexReader {
    connection: Connection,
    shared: Arc<Shared>,
    /// Commits of this process when the view was taken.
    seen_commits: Cell<u64>,
    /// Look-ups through this view.
    view_lookups: Cell<u32>,
    packs: RefCell<PackCache>,
}

impl Index {
    /// A reader with a connection of its own: make one per thread.
    ///
    /// # Errors
    /// [`IndexError::Database`] if the file cannot be opened again.
    pub fn reader(&self) -> Result<IndexReader, IndexError> {
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let open = || {
            let connection = Connection::open_with_flags(&self.shared.path, flags)?;
            prepare_connection(&connection)?;
            let cache_kib = (INDEX_READER_CACHE_BYTES / KIB) as i64;
            connection.pragma_update(None, "cache_size", -cache_kib)?;
            Ok(connection)
        };
        Ok(IndexReader {
            connection: open().map_err(self.shared.failed("opening"))?,
            shared: Arc::clone(&self.shared),
            seen_commits: Cell::new(0),
            view_lookups: Cell::new(0),
            packs: RefCell::default(),
        })
    }
}

impl IndexReader {
    /// Whether some indexed pack that may be relied on holds the chunk. The answer `true` rests on
    /// all 32 bytes.
    ///
    /// # Errors
    /// [`IndexError`] if the database fails or is damaged.
    pub fn contains(&self, id: &ChunkId) -> Result<bool, IndexError> {
        let (excluded, foreign) = (self.shared.excluded(), self.shared.foreign());
        let mut found = false;
        self.look_up(id, &mut |pack, _| {
            found = !excluded.contains(&pack) && !foreign.contains(&pack);
            Ok(!found)
        })?;
        Ok(found)
    }

    /// Calls `visit` with every copy of the chunk until it answers `false`, in the order they were
    /// indexed.
    ///
    /// # Errors
    /// [`IndexError`] if the database fails or is damaged.
    pub fn for_each_copy(
        &self,
        id: &ChunkId,
        visit: &mut dyn FnMut(ChunkCopy) -> bool,
    ) -> Result<(), IndexError> {
        self.look_up_records(id, &mut |record, pack, chunk| {
            Ok(visit(ChunkCopy { record, pack_row: pack, length_bytes: chunk.length_bytes }))
        })
    }

    /// Every pack with where its records lie, by row.
    ///
    /// # Errors
    /// [`IndexError`] if the database fails or is damaged.
    pub fn pack_rows(&self) -> Result<Vec<PackRow>, IndexError> {
        self.view(|connection| {
            let mut statement = connection.prepare(
                "SELECT id, name, stored_bytes, raw_bytes, chunk_count, first_part, segment, domain,
                        standing
                 FROM pack
                 ORDER BY id",
            )?;
            let mut rows = statement.query(())?;
            let mut packs = Vec::new();
            while let Some(row) = rows.next()? {
                let first_part: i64 = row.get(5)?;
                packs.push(PackRow {
                    row: row.get(0)?,
                    pack: pack_id(row.get(1)?)?,
                    stored_bytes: row.get(2)?,
                    raw_bytes: row.get::<_, i64>(3)?.unsigned_abs(),
                    chunk_count: row.get(4)?,
                    first_record: first_part.saturating_mul(PART_RECORDS as i64),
                    is_listed: row.get::<_, i64>(6)? != 0,
                    domain: row.get(7)?,
                    standing: PackStanding::from_code(row.get(8)?)?,
                });
            }
            Ok(packs)
        })
    }

    /// One copy of the chunk: the one that was indexed first.
    ///
    /// # Errors
    /// [`IndexError`] if the database fails or is damaged.
    pub fn first_place(&self, id: &ChunkId) -> Result<Option<ChunkPlace>, IndexError> {
        let mut first = None;
        self.look_up(id, &mut |pack, chunk| {
            first = self.place(pack, chunk)?;
            Ok(first.is_none())
        })?;
        Ok(first)
    }

    /// All copies of the chunk, in the order they were indexed.
    ///
    /// # Errors
    /// [`IndexError`] if the database fails or is damaged.
    pub fn places(&self, id: &ChunkId) -> Result<Vec<ChunkPlace>, IndexError> {
        let mut places = Vec::new();
        self.look_up(id, &mut |pack, chunk| {
            places.extend(self.place(pack, chunk)?);
            Ok(true)
        })?;
        Ok(places)
    }

    /// Calls `visit` with every pack and the size of its object until it answers `false`, in no
    /// particular order. `visit` may use the reader.
    ///
    /// # Errors
    /// [`IndexError`] if the database fails or is damaged.
    pub fn for_each_pack(
        &self,
        visit: &mut dyn FnMut(PackId, u32) -> bool,
    ) -> Result<(), IndexError> {
        self.view(|connection| {
            let mut statement = connection.prepare("SELECT name, stored_bytes FROM pack")?;
            let mut rows = statement.query(())?;
            while let Some(row) = rows.next()? {
                if !visit(pack_id(row.get(0)?)?, row.get(1)?) {
                    break;
                }
            }
            Ok(())
        })
    }

    /// What is in a pack, exactly as it was added; `None` if the pack is not indexed.
    ///
    /// # Errors
    /// [`IndexError`] if the database fails or is damaged.
    pub fn pack_table(&self, pack: &PackId) -> Result<Option<PackTable>, IndexError> {
        self.view(|connection| {
            let mut statement = connection.prepare_cached(
                "SELECT id, chunk_count, first_part, blocks FROM pack WHERE name = ?1",
            )?;
            let columns = statement.query_row([pack.to_bytes()], TableColumns::from_row);
            columns.optional()?.map(|columns| columns.read(connection)).transpose()
        })
    }

    /// Ends the current view, so that the next look-up sees what is indexed by then. What this
    /// process adds is seen without it; what other processes add is seen after it.
    ///
    /// # Errors
    /// [`IndexError::Database`] if the database fails.
    pub fn refresh_view(&mut self) -> Result<(), IndexError> {
        self.end_view().map_err(self.shared.failed("reading"))
    }

    /// Runs `work` on a view that is current enough.
    pub(crate) fn view<T>(
        &self,
        work: impl FnOnce(&Connection) -> Result<T, Failure>,
    ) -> Result<T, IndexError> {
        self.enter_view()
            .and_then(|()| work(&self.connection))
            .map_err(self.shared.failed("reading"))
    }

    /// The pack of a row, from memory or from the database.
    fn known_pack(&self, row: i64) -> Result<Arc<KnownPack>, Failure> {
        if let Some(known) = self.packs.borrow_mut().get(row) {
            return Ok(known);
        }
        let mut statement = self
            .connection
            .prepare_cached("SELECT name, stored_bytes, blocks FROM pack WHERE id = ?1")?;
        let (name, stored_bytes, blocks) = statement
            .query_row([row], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))
            .optional()?
            .ok_or(Failure::Unreadable("the pack of a chunk"))?;
        let known = Arc::new(KnownPack { id: pack_id(name)?, stored_bytes, blocks });
        self.packs.borrow_mut().insert(row, Arc::clone(&known));
        Ok(known)
    }

    /// Calls `visit` with the row of the pack and the record of each copy until it answers false.
    fn look_up(
        &self,
        id: &ChunkId,
        visit: &mut dyn FnMut(i64, &ChunkInfo) -> Result<bool, Failure>,
    ) -> Result<(), IndexError> {
        self.look_up_records(id, &mut |_, pack, chunk| visit(pack, chunk))
    }

    /// The same with the number of the record in front.
    fn look_up_records(
        &self,
        id: &ChunkId,
        visit: &mut dyn FnMut(i64, i64, &ChunkInfo) -> Result<bool, Failure>,
    ) -> Result<(), IndexError> {
        self.view(|connection| {
            let mut statement = connection.prepare_cached(LOOK_UP)?;
            let mut rows = statement.query([record::prefix(id)])?;
            while let Some(row) = rows.next()? {
                let position = position(row.get(0)?)?;
                let records = row.get_ref(2)?.as_blob().map_err(rusqlite::Error::from)?;
                if record::id_at(records, position) != Some(id.as_bytes()) {
                    continue;
                }
                let chunk = record::decode(records, position)
                    .ok_or(Failure::Unreadable("the record of a chunk"))?;
                if !visit(row.get(0)?, row.get(1)?, &chunk)? {
                    break;
                }
            }
            Ok(())
        })
    }

    /// The place of a record in the pack of a row. A record that names no block of its pack is
    /// damaged: no place, since other copies may be sound, but the file is suspected.
    fn place(&self, row: i64, chunk: &ChunkInfo) -> Result<Option<ChunkPlace>, Failure> {
        let place = self.known_pack(row)?.place(chunk);
        if place.is_none() {
            crate::index::damage::suspect(&self.shared.path);
        }
        Ok(place)
    }

    fn enter_view(&self) -> Result<(), Failure> {
        let commits = self.shared.commits.load(Ordering::Acquire);
        let lookups = self.view_lookups.get();
        if commits != self.seen_commits.get() || lookups >= INDEX_VIEW_LOOKUPS {
            self.end_view()?;
        }
        if self.connection.is_autocommit() {
            self.connection.execute_batch("BEGIN")?;
            self.seen_commits.set(commits);
            self.view_lookups.set(0);
        }
        self.view_lookups.set(self.view_lookups.get() + 1);
        Ok(())
    }

    fn end_view(&self) -> Result<(), Failure> {
        if !self.connection.is_autocommit() {
            self.connection.execute_batch("COMMIT")?;
        }
        Ok(())
    }
}

/// Record number, row of the pack and records of the part for every row with a prefix. The order
/// of the join is forced: the other one would read all parts.
const LOOK_UP: &str = "
SELECT chunk.record, part.pack, part.records
FROM chunk CROSS JOIN part ON part.id = chunk.record / 25
WHERE chunk.prefix = ?1 ORDER BY chunk.record";

const _: () = assert!(PART_RECORDS == 25, "LOOK_UP divides by it");

/// Position within its part of a record.
fn position(record: i64) -> Result<usize, Failure> {
    let record = usize::try_from(record).map_err(|_| Failure::Unreadable("a record number"))?;
    Ok(record % PART_RECORDS)
}

/// A pack's name in column `name`.
fn pack_id(name: [u8; PackId::LEN]) -> Result<PackId, Failure> {
    PackId::from_bytes(&name).ok_or(Failure::Unreadable("the name of a pack"))
}

#[cfg(test)]
mod tests;
