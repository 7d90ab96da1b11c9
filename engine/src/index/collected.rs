//! What the index remembers of collections: records that were read once, packs that are deleted
//! and never come back, packs that must not be relied on for the moment.
//!
//! Dead packs leave the index at once and stay known by name, so that a segment that lists them
//! late adds nothing. Packs of generations that may still delete them stay in the index, because
//! a restore may need them, and are skipped by [`IndexReader::contains`](crate::index::IndexReader).

use std::collections::{BTreeMap, HashSet};
use std::sync::{Arc, PoisonError};

use rusqlite::{OptionalExtension, Transaction};

use crate::base::id::{GenerationId, Nonce8, PackId, SessionId};
use crate::format::envelope::{decode_record, encode_record};
use crate::format::generation::{PackSet, SegmentName};
use crate::index::database::{Index, Shared, draw_epoch};
use crate::index::error::{Failure, IndexError};
use crate::index::record;
use crate::index::schema::PART_RECORDS;
use crate::index::table::TableColumns;

/// What became of a generation, as far as its records tell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeptState {
    /// It excludes nothing and never will; its owner has ended.
    Void,
    /// What it condemned is excluded.
    Condemned,
    /// The same; its owner only announced it and has ended.
    Announced,
    /// What it swept is excluded.
    Swept,
    /// What it swept is deleted.
    Done,
    /// A successor closed it, and its owner may not know yet: its records must stay.
    Closed,
}

impl KeptState {
    const ALL: [Self; 6] =
        [Self::Void, Self::Condemned, Self::Announced, Self::Swept, Self::Done, Self::Closed];

    fn from_code(code: i64) -> Option<Self> {
        Self::ALL.into_iter().find(|state| *state as i64 == code)
    }
}

/// A generation as the index remembers it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeptGeneration {
    /// What became of it.
    pub state: KeptState,
    /// What it excludes; empty once it is done or void.
    pub packs: PackSet,
}

impl Index {
    /// The generations that are remembered.
    ///
    /// # Errors
    /// [`IndexError`] if the database fails or is damaged.
    pub fn kept_generations(&self) -> Result<BTreeMap<GenerationId, KeptGeneration>, IndexError> {
        self.read(|connection| {
            let mut statement =
                connection.prepare("SELECT id, exclusion, packs FROM generation")?;
            let mut rows = statement.query(())?;
            let mut kept = BTreeMap::new();
            while let Some(row) = rows.next()? {
                let damaged = Failure::Unreadable("the record of a generation");
                let bytes = row.get_ref(2)?.as_blob().map_err(rusqlite::Error::from)?;
                let (Some(state), Ok(packs)) =
                    (KeptState::from_code(row.get(1)?), decode_record(bytes, "packs"))
                else {
                    return Err(damaged);
                };
                kept.insert(GenerationId::new(row.get(0)?), KeptGeneration { state, packs });
            }
            Ok(kept)
        })
    }

    /// Remembers a generation; replaces what was remembered of it.
    ///
    /// # Errors
    /// [`IndexError::Database`] if the database fails.
    pub fn keep_generation(
        &self,
        id: GenerationId,
        kept: &KeptGeneration,
    ) -> Result<(), IndexError> {
        self.write(|transaction| {
            transaction.execute(
                "INSERT OR REPLACE INTO generation (id, exclusion, packs) VALUES (?1, ?2, ?3)",
                (id.as_bytes(), kept.state as i64, encode_record(&kept.packs)),
            )?;
            Ok(())
        })
    }

    /// Forgets generations whose records are gone from the store.
    ///
    /// # Errors
    /// [`IndexError::Database`] if the database fails.
    pub fn drop_generations(&self, gone: &[GenerationId]) -> Result<(), IndexError> {
        if gone.is_empty() {
            return Ok(());
        }
        self.write(|transaction| {
            let mut delete = transaction.prepare("DELETE FROM generation WHERE id = ?1")?;
            gone.iter().try_for_each(|id| delete.execute([id.as_bytes()]).map(drop))?;
            Ok(())
        })
    }

    /// Records of past generations that were taken in.
    ///
    /// # Errors
    /// [`IndexError`] if the database fails or is damaged.
    pub fn known_past(&self) -> Result<HashSet<(u32, Nonce8)>, IndexError> {
        self.read(|connection| {
            let mut statement = connection.prepare("SELECT number, random FROM past")?;
            let rows =
                statement.query_map((), |row| Ok((row.get(0)?, Nonce8::new(row.get(1)?))))?;
            Ok(rows.collect::<Result<_, _>>()?)
        })
    }

    /// Remembers that a record of past generations was taken in.
    ///
    /// # Errors
    /// [`IndexError::Database`] if the database fails.
    pub fn add_past(&self, number: u32, random: Nonce8) -> Result<(), IndexError> {
        self.write(|transaction| {
            let sql = "INSERT OR IGNORE INTO past (number, random) VALUES (?1, ?2)";
            transaction.execute(sql, (number, random.as_bytes()))?;
            Ok(())
        })
    }

    /// Forgets deleted packs with their chunks, for good. If anything was in the index, it gets a
    /// new epoch. Answers how many packs were.
    ///
    /// # Errors
    /// [`IndexError`] if the database fails or is damaged; then nothing is forgotten.
    pub fn bury(&self, packs: &PackSet) -> Result<u64, IndexError> {
        let epoch = draw_epoch()?;
        let removed = self.write(|transaction| {
            let mut insert =
                transaction.prepare("INSERT OR IGNORE INTO dead_pack (name) VALUES (?1)")?;
            let mut rows = Vec::new();
            let mut removed = 0;
            for pack in packs.iter() {
                insert.execute([pack.to_bytes()])?;
                removed += u64::from(remove(transaction, &pack.to_bytes(), &mut rows)?);
            }
            rows.sort_unstable();
            let mut delete =
                transaction.prepare("DELETE FROM chunk WHERE prefix = ?1 AND record = ?2")?;
            rows.iter().try_for_each(|row| delete.execute(*row).map(drop))?;
            if removed > 0 {
                transaction.execute("UPDATE identity SET epoch = ?1", [epoch])?;
            }
            Ok(removed)
        })?;
        if removed > 0 {
            self.set_epoch(epoch);
        }
        Ok(removed)
    }

    /// All packs that were buried.
    ///
    /// # Errors
    /// [`IndexError`] if the database fails or is damaged.
    pub fn dead_packs(&self) -> Result<PackSet, IndexError> {
        self.read(|connection| {
            let mut statement = connection.prepare("SELECT name FROM dead_pack ORDER BY name")?;
            let mut rows = statement.query(())?;
            let mut dead = PackSet::default();
            while let Some(row) = rows.next()? {
                let pack = PackId::from_bytes(&row.get(0)?);
                dead.insert(pack.ok_or(Failure::Unreadable("the name of a dead pack"))?);
            }
            Ok(dead)
        })
    }

    /// Segments that a collector replaced, or is about to: nobody misses them.
    ///
    /// # Errors
    /// [`IndexError`] if the database fails or is damaged.
    pub fn replaced_segments(&self) -> Result<HashSet<(SessionId, u32)>, IndexError> {
        self.read(|connection| {
            let mut statement =
                connection.prepare("SELECT session, number FROM replaced_segment")?;
            let rows =
                statement.query_map((), |row| Ok((SessionId::new(row.get(0)?), row.get(1)?)))?;
            Ok(rows.collect::<Result<_, _>>()?)
        })
    }

    /// Notes segments that a collector replaces.
    ///
    /// # Errors
    /// [`IndexError::Database`] if the database fails.
    pub fn add_replaced_segments(&self, segments: &[SegmentName]) -> Result<(), IndexError> {
        if segments.is_empty() {
            return Ok(());
        }
        self.write(|transaction| {
            let sql = "INSERT OR IGNORE INTO replaced_segment (session, number) VALUES (?1, ?2)";
            let mut insert = transaction.prepare(sql)?;
            for segment in segments {
                insert.execute((segment.session.as_bytes(), segment.number))?;
            }
            Ok(())
        })
    }

    /// Forgets that segments are known, not what they listed.
    ///
    /// # Errors
    /// [`IndexError::Database`] if the database fails.
    pub fn forget_segments(&self, segments: &[(SessionId, u32)]) -> Result<(), IndexError> {
        if segments.is_empty() {
            return Ok(());
        }
        self.write(|transaction| {
            let sql = "DELETE FROM segment WHERE session = ?1 AND number = ?2";
            let mut delete = transaction.prepare(sql)?;
            for (session, number) in segments {
                delete.execute((session.as_bytes(), number))?;
            }
            Ok(())
        })
    }

    /// The segments by which the index knows these packs: the newest that lists each.
    ///
    /// # Errors
    /// [`IndexError`] if the database fails or is damaged.
    pub fn segments_of(&self, packs: &PackSet) -> Result<Vec<SegmentName>, IndexError> {
        self.read(|connection| {
            let mut statement = connection.prepare(
                "SELECT segment.session, segment.number
                 FROM pack JOIN segment ON segment.id = pack.segment WHERE pack.name = ?1",
            )?;
            let mut found = std::collections::BTreeSet::new();
            for pack in packs.iter() {
                let segment = statement.query_row([pack.to_bytes()], |row| {
                    Ok(SegmentName { session: SessionId::new(row.get(0)?), number: row.get(1)? })
                });
                found.extend(segment.optional()?);
            }
            Ok(found.into_iter().collect())
        })
    }

    /// From now on, [`IndexReader::contains`](crate::index::IndexReader::contains) finds no copy in
    /// these packs, for all readers of this process. Answers the rows of those that are indexed.
    ///
    /// # Errors
    /// [`IndexError`] if the database fails or is damaged.
    pub fn exclude(&self, packs: &PackSet) -> Result<Arc<HashSet<i64>>, IndexError> {
        let rows = self.read(|connection| {
            let mut statement = connection.prepare("SELECT id FROM pack WHERE name = ?1")?;
            let mut rows = HashSet::new();
            for pack in packs.iter() {
                let row = statement.query_row([pack.to_bytes()], |row| row.get::<_, i64>(0));
                rows.extend(row.optional()?);
            }
            Ok(rows)
        })?;
        let rows = Arc::new(rows);
        *self.shared.excluded.write().unwrap_or_else(PoisonError::into_inner) = Arc::clone(&rows);
        Ok(rows)
    }

    /// Rows of the packs that are excluded at the moment.
    #[must_use]
    pub fn excluded(&self) -> Arc<HashSet<i64>> {
        self.shared.excluded()
    }
}

impl Shared {
    pub(crate) fn excluded(&self) -> Arc<HashSet<i64>> {
        Arc::clone(&self.excluded.read().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Removes a pack and its records, and notes its rows in the look-up table.
fn remove(
    transaction: &Transaction<'_>,
    name: &[u8],
    rows: &mut Vec<(i64, i64)>,
) -> Result<bool, Failure> {
    let columns = transaction
        .prepare_cached("SELECT id, chunk_count, first_part, blocks FROM pack WHERE name = ?1")?
        .query_row([name], TableColumns::from_row)
        .optional()?;
    let Some(columns) = columns else { return Ok(false) };
    let table = columns.read(transaction)?;
    let first = columns.first_record();
    rows.extend(
        table.chunks.iter().zip(first..).map(|(c, number)| (record::prefix(&c.id), number)),
    );
    let first_part = first / PART_RECORDS as i64;
    let end = first_part + table.chunks.len().div_ceil(PART_RECORDS) as i64;
    transaction
        .prepare_cached("DELETE FROM part WHERE id >= ?1 AND id < ?2")?
        .execute((first_part, end))?;
    transaction.prepare_cached("DELETE FROM pack WHERE name = ?1")?.execute([name])?;
    Ok(true)
}
