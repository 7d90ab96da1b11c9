//! What the index remembers of collections: records that were read once, packs that are deleted
//! and never come back, packs that must not be relied on for the moment.
//!
//! Dead packs leave the index at once and stay known by name, so that a segment that lists them
//! late adds nothing. Packs of generations that may still delete them stay in the index, because
//! a restore may need them, and are skipped by [`IndexReader::contains`](crate::index::IndexReader).

use std::collections::{BTreeMap, HashSet};
use std::sync::{Arc, PoisonError};

use rusqlite::OptionalExtension;

use crate::base::id::{ClientId, GenerationId, Nonce8, PackId, SegmentId};
use crate::format::envelope::{decode_record, encode_record};
use crate::format::generation::PackSet;
use crate::index::database::{Index, Shared, draw_epoch};
use crate::index::error::{Failure, IndexError};
use crate::index::place::PackStanding;
use crate::index::table::remove;

const SETTING_DOUBT: &str = "doubted packs";

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
    /// Its records cannot be read, and somebody gave it up: it excludes nothing.
    GivenUp,
}

impl KeptState {
    const ALL: [Self; 7] = [
        Self::Void,
        Self::Condemned,
        Self::Announced,
        Self::Swept,
        Self::Done,
        Self::Closed,
        Self::GivenUp,
    ];

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

    /// From now on the index is not relied on: what the store has must be listed, and everything read
    /// again. On the disk when this returns.
    ///
    /// # Errors
    /// [`IndexError::Database`] if the database fails.
    pub fn doubt_packs(&self) -> Result<(), IndexError> {
        self.set_setting(SETTING_DOUBT, &[1])
    }

    /// Whether packs that the index lists may have been deleted without a word that can be read.
    ///
    /// # Errors
    /// [`IndexError`] if the database fails or is damaged.
    pub fn doubts_packs(&self) -> Result<bool, IndexError> {
        Ok(self.setting(SETTING_DOUBT)?.is_some_and(|value| !value.is_empty()))
    }

    /// Everything was read again.
    ///
    /// # Errors
    /// [`IndexError::Database`] if the database fails.
    pub fn trust_packs(&self) -> Result<(), IndexError> {
        match self.doubts_packs()? {
            true => self.set_setting(SETTING_DOUBT, &[]),
            false => Ok(()),
        }
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

    /// Notes that the footers of these packs were read and verified.
    ///
    /// # Errors
    /// [`IndexError::Database`] if the database fails.
    pub fn set_authenticated(&self, packs: &[PackId]) -> Result<(), IndexError> {
        if packs.is_empty() {
            return Ok(());
        }
        self.write(|transaction| {
            let mut update =
                transaction.prepare("UPDATE pack SET standing = ?1 WHERE name = ?2")?;
            let standing = PackStanding::Authenticated as i64;
            packs
                .iter()
                .try_for_each(|pack| update.execute((standing, pack.to_bytes())).map(drop))?;
            Ok(())
        })
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
    pub fn replaced_segments(&self) -> Result<HashSet<SegmentId>, IndexError> {
        self.read(|connection| {
            let mut statement = connection.prepare("SELECT name FROM replaced_segment")?;
            let rows = statement.query_map((), |row| Ok(SegmentId::from_bytes(&row.get(0)?)))?;
            Ok(rows.collect::<Result<_, _>>()?)
        })
    }

    /// Notes segments that a collector replaces.
    ///
    /// # Errors
    /// [`IndexError::Database`] if the database fails.
    pub fn add_replaced_segments(&self, segments: &[SegmentId]) -> Result<(), IndexError> {
        if segments.is_empty() {
            return Ok(());
        }
        self.write(|transaction| {
            let sql = "INSERT OR IGNORE INTO replaced_segment (name) VALUES (?1)";
            let mut insert = transaction.prepare(sql)?;
            for segment in segments {
                insert.execute([segment.to_bytes()])?;
            }
            Ok(())
        })
    }

    /// Forgets that segments are known, not what they listed.
    ///
    /// # Errors
    /// [`IndexError::Database`] if the database fails.
    pub fn forget_segments(&self, segments: &[SegmentId]) -> Result<(), IndexError> {
        if segments.is_empty() {
            return Ok(());
        }
        self.write(|transaction| {
            let mut delete = transaction.prepare("DELETE FROM segment WHERE name = ?1")?;
            for segment in segments {
                delete.execute([segment.to_bytes()])?;
            }
            Ok(())
        })
    }

    /// The segments by which the index knows these packs: the newest that lists each.
    ///
    /// # Errors
    /// [`IndexError`] if the database fails or is damaged.
    pub fn segments_of(&self, packs: &PackSet) -> Result<Vec<SegmentId>, IndexError> {
        self.read(|connection| {
            let mut statement = connection.prepare(
                "SELECT segment.name
                 FROM pack JOIN segment ON segment.id = pack.segment WHERE pack.name = ?1",
            )?;
            let mut found = std::collections::BTreeSet::new();
            for pack in packs.iter() {
                let segment = statement
                    .query_row([pack.to_bytes()], |row| Ok(SegmentId::from_bytes(&row.get(0)?)));
                found.extend(segment.optional()?);
            }
            Ok(found.into_iter().collect())
        })
    }

    /// From now on, [`IndexReader::contains`](crate::index::IndexReader::contains) finds no copy in
    /// these packs, in packs of other dedup domains than `domain`, and in packs of which nobody can
    /// tell who listed them, for all readers of this process. Answers the rows of `packs` that are
    /// indexed.
    ///
    /// # Errors
    /// [`IndexError`] if the database fails or is damaged.
    pub fn exclude(&self, packs: &PackSet, domain: u32) -> Result<Arc<HashSet<i64>>, IndexError> {
        self.shared.reliable.write().unwrap_or_else(PoisonError::into_inner).domain = Some(domain);
        let (rows, foreign) = self.read(|connection| {
            let sql = "SELECT id FROM pack WHERE domain <> ?1 OR standing = ?2";
            let mut foreign = connection.prepare(sql)?;
            let unsigned = PackStanding::Unsigned as i64;
            let foreign = foreign.query_map((domain, unsigned), |row| row.get::<_, i64>(0))?;
            let foreign = foreign.collect::<Result<HashSet<_>, _>>()?;
            let mut rows = HashSet::new();
            let mut statement = connection.prepare("SELECT id FROM pack WHERE name = ?1")?;
            for pack in packs.iter() {
                let row = statement.query_row([pack.to_bytes()], |row| row.get::<_, i64>(0));
                rows.extend(row.optional()?);
            }
            Ok((rows, foreign))
        })?;
        let rows = Arc::new(rows);
        *self.shared.foreign.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(foreign);
        *self.shared.excluded.write().unwrap_or_else(PoisonError::into_inner) = Arc::clone(&rows);
        Ok(rows)
    }

    /// The same for packs of these clients, in addition to what [`Index::exclude`] said last.
    ///
    /// # Errors
    /// [`IndexError`] if the database fails or is damaged.
    pub fn distrust(&self, revoked: &HashSet<ClientId>) -> Result<(), IndexError> {
        if revoked.is_empty() {
            return Ok(());
        }
        let names = {
            let mut reliable = self.shared.reliable.write().unwrap_or_else(PoisonError::into_inner);
            reliable.revoked.extend(revoked);
            reliable.unreliable_names().collect::<Vec<_>>()
        };
        let rows = self.read(|connection| {
            let sql = "SELECT id FROM pack WHERE name BETWEEN ?1 AND ?2";
            let mut statement = connection.prepare(sql)?;
            let mut found = Vec::new();
            for [first, last] in &names {
                let rows = statement.query_map([first, last], |row| row.get::<_, i64>(0))?;
                found.extend(rows.collect::<Result<Vec<_>, _>>()?);
            }
            Ok(found)
        })?;
        self.shared.exclude_more(&rows);
        Ok(())
    }

    /// Rows of the packs that collections exclude at the moment.
    #[must_use]
    pub fn excluded(&self) -> Arc<HashSet<i64>> {
        self.shared.excluded()
    }
}

impl Shared {
    pub(crate) fn excluded(&self) -> Arc<HashSet<i64>> {
        Arc::clone(&self.excluded.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Whether packs of the client in the domain may be relied on.
    pub(crate) fn is_reliable(&self, client: ClientId, domain: u32) -> bool {
        let limit = self.reliable.read().unwrap_or_else(PoisonError::into_inner);
        limit.domain.is_none_or(|limit| limit == domain) && !limit.revoked.contains(&client)
    }

    /// These rows must not be relied on either.
    pub(crate) fn exclude_more(&self, rows: &[i64]) {
        if rows.is_empty() {
            return;
        }
        let mut foreign = self.foreign.write().unwrap_or_else(PoisonError::into_inner);
        Arc::make_mut(&mut foreign).extend(rows);
    }

    /// Rows that must not be relied on, whatever collections say.
    pub(crate) fn foreign(&self) -> Arc<HashSet<i64>> {
        Arc::clone(&self.foreign.read().unwrap_or_else(PoisonError::into_inner))
    }
}
