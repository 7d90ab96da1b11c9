//! Adding packs with their chunks, remembering segments, and counting what is there.
//!
//! Rows of the look-up table are sorted within a transaction: on random keys the insert is four
//! times slower. Each transaction writes every page it touches, and the chunks of one segment are
//! spread over all pages; so whoever has many segments at hand adds them together with
//! [`Index::add_segments`], some hundred thousand chunks at a time.

use std::collections::HashSet;

use rusqlite::{OptionalExtension, Transaction};

use crate::base::id::{Digest, PackId, PackKind, SegmentId};
use crate::format::segment::SegmentPack;
use crate::index::database::{Index, Shared, draw_epoch};
use crate::index::error::{Failure, IndexError};
use crate::index::fingerprint::fingerprint;
use crate::index::place::PackStanding;
use crate::index::record::{self, RECORD_BYTES};
use crate::index::schema::PART_RECORDS;
use crate::index::table::{digest, encode_blocks, remove};

/// One segment as it was read from the store.
#[derive(Debug, Clone, Copy)]
pub struct NewSegment<'a> {
    /// Its name.
    pub id: SegmentId,
    /// How far it may be relied on.
    pub standing: PackStanding,
    /// What it lists.
    pub packs: &'a [SegmentPack],
}

/// Sizes and counts over everything that is indexed. Copies count as often as they are stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct IndexStatistics {
    /// Segments that were read.
    pub segment_count: u64,
    /// Packs of both kinds.
    pub pack_count: u64,
    /// Chunks and tree nodes.
    pub chunk_count: u64,
    /// Raw bytes of the chunks in data packs.
    pub data_raw_bytes: u64,
    /// Bytes of the data packs in the store.
    pub data_stored_bytes: u64,
    /// Raw bytes of the nodes in tree packs.
    pub tree_raw_bytes: u64,
    /// Bytes of the tree packs in the store.
    pub tree_stored_bytes: u64,
}

impl Index {
    /// The segments that are indexed.
    ///
    /// # Errors
    /// [`IndexError`] if the database fails or is damaged.
    pub fn known_segments(&self) -> Result<HashSet<SegmentId>, IndexError> {
        self.read(|connection| {
            let mut statement = connection.prepare("SELECT name FROM segment")?;
            let rows = statement.query_map((), |row| Ok(SegmentId::from_bytes(&row.get(0)?)))?;
            Ok(rows.collect::<Result<_, _>>()?)
        })
    }

    /// Segments that some key of this machine could not open, with their dedup domains.
    ///
    /// # Errors
    /// [`IndexError`] if the database fails or is damaged.
    pub fn closed_segments(&self) -> Result<Vec<(SegmentId, u32)>, IndexError> {
        self.read(|connection| {
            let mut statement = connection.prepare("SELECT name, domain FROM closed_segment")?;
            let rows = statement
                .query_map((), |row| Ok((SegmentId::from_bytes(&row.get(0)?), row.get(1)?)))?;
            Ok(rows.collect::<Result<_, _>>()?)
        })
    }

    /// Remembers that a segment belongs to a dedup domain that is closed to the key in use, so
    /// that it is not fetched again until a key comes that opens it.
    ///
    /// # Errors
    /// [`IndexError::Database`] if the database fails.
    pub fn add_closed_segment(&self, id: SegmentId, domain: u32) -> Result<(), IndexError> {
        self.write(|transaction| {
            let sql = "INSERT OR IGNORE INTO closed_segment (name, domain) VALUES (?1, ?2)";
            transaction.execute(sql, (id.to_bytes(), domain))?;
            Ok(())
        })
    }

    /// Adds one segment in one transaction. A segment that is known already changes nothing.
    ///
    /// # Errors
    /// As [`Index::add_segments`].
    pub fn add_segment(&self, id: SegmentId, packs: &[SegmentPack]) -> Result<(), IndexError> {
        self.add_segments(&[NewSegment { id, standing: PackStanding::Listed, packs }])
    }

    /// The same for one that this machine has just written, with its packs.
    ///
    /// # Errors
    /// As [`Index::add_segments`].
    pub fn add_own_segment(&self, id: SegmentId, packs: &[SegmentPack]) -> Result<(), IndexError> {
        self.add_segments(&[NewSegment { id, standing: PackStanding::Authenticated, packs }])
    }

    /// Adds many segments in one transaction, much faster than one by one. Needs 16 bytes of
    /// memory for each of their chunks, on top of the segments themselves.
    ///
    /// # Errors
    /// [`IndexError::PackDiffers`] if a pack is known with another table,
    /// [`IndexError::ImpossiblePack`] for a table that no decoder made, [`IndexError::Database`] if
    /// the database fails. Nothing is added then, so the caller can leave the bad one out.
    pub fn add_segments(&self, segments: &[NewSegment<'_>]) -> Result<(), IndexError> {
        self.write(|transaction| {
            let mut adding = Adding::begin(transaction, &self.shared)?;
            let mut remember =
                transaction.prepare_cached("INSERT OR IGNORE INTO segment (name) VALUES (?1)")?;
            for segment in segments {
                let new = remember.execute([segment.id.to_bytes()])? > 0;
                if new {
                    adding.segment = transaction.last_insert_rowid();
                    adding.standing = segment.standing;
                    segment.packs.iter().try_for_each(|pack| adding.pack(pack))?;
                }
            }
            adding.finish()
        })
    }

    /// Adds packs that no segment is known for: ones whose footers were read and verified. A pack
    /// that is known already is authenticated now, and nothing else changes.
    ///
    /// # Errors
    /// As [`Index::add_segments`].
    pub fn add_packs(&self, packs: &[SegmentPack]) -> Result<(), IndexError> {
        self.add_without_segment(packs, PackStanding::Authenticated)
    }

    /// Adds what a segment lists of which nobody can tell who signed it. The segment is not
    /// remembered: it is read again until somebody can.
    ///
    /// # Errors
    /// As [`Index::add_segments`].
    pub fn add_unsigned_packs(&self, packs: &[SegmentPack]) -> Result<(), IndexError> {
        self.add_without_segment(packs, PackStanding::Unsigned)
    }

    fn add_without_segment(
        &self,
        packs: &[SegmentPack],
        standing: PackStanding,
    ) -> Result<(), IndexError> {
        self.write(|transaction| {
            let mut adding = Adding::begin(transaction, &self.shared)?;
            adding.standing = standing;
            packs.iter().try_for_each(|pack| adding.pack(pack))?;
            adding.finish()
        })
    }

    /// Puts what a pack says of itself in place of what a segment said of it. The index gets a new
    /// epoch.
    ///
    /// # Errors
    /// As [`Index::add_segments`].
    pub fn replace_pack(&self, pack: &SegmentPack) -> Result<(), IndexError> {
        let epoch = draw_epoch()?;
        self.write(|transaction| {
            let mut rows = Vec::new();
            remove(transaction, &pack.pack.to_bytes(), &mut rows)?;
            let mut delete = transaction
                .prepare_cached("DELETE FROM chunk WHERE prefix = ?1 AND record = ?2")?;
            rows.iter().try_for_each(|row| delete.execute(*row).map(drop))?;
            let mut adding = Adding::begin(transaction, &self.shared)?;
            adding.standing = PackStanding::Authenticated;
            adding.pack(pack)?;
            adding.finish()?;
            transaction.execute("UPDATE identity SET epoch = ?1", [epoch])?;
            Ok(())
        })?;
        self.set_epoch(epoch);
        Ok(())
    }

    /// BLAKE3 over all packs and all chunks in them (id, pack, block, offset, length), sorted. Two
    /// indexes with the same fingerprint answer every look-up alike, whatever was added in
    /// whatever order. Reads everything, also the look-up table, which must lead to these chunks.
    ///
    /// # Errors
    /// [`IndexError::Damaged`] if anything in the tables of packs contradicts anything else,
    /// [`IndexError::Database`] if the database fails.
    pub fn fingerprint(&self) -> Result<Digest, IndexError> {
        self.reader()?.view(fingerprint)
    }

    /// Sums over all packs; reads one row per pack.
    ///
    /// # Errors
    /// [`IndexError`] if the database fails or is damaged.
    pub fn statistics(&self) -> Result<IndexStatistics, IndexError> {
        self.read(|connection| {
            let segments =
                connection.query_row("SELECT count(*) FROM segment", (), |r| r.get(0))?;
            let mut sums =
                IndexStatistics { segment_count: amount(segments)?, ..IndexStatistics::default() };
            let mut statement = connection.prepare(
                "SELECT kind, count(*), sum(chunk_count), sum(raw_bytes), sum(stored_bytes)
                 FROM pack GROUP BY kind",
            )?;
            let mut rows = statement.query(())?;
            while let Some(row) = rows.next()? {
                sums.pack_count += amount(row.get(1)?)?;
                sums.chunk_count += amount(row.get(2)?)?;
                let (raw_bytes, stored_bytes) = (amount(row.get(3)?)?, amount(row.get(4)?)?);
                match PackKind::from_code(row.get(0)?) {
                    Some(PackKind::Data) => {
                        (sums.data_raw_bytes, sums.data_stored_bytes) = (raw_bytes, stored_bytes);
                    }
                    Some(PackKind::Tree) => {
                        (sums.tree_raw_bytes, sums.tree_stored_bytes) = (raw_bytes, stored_bytes);
                    }
                    None => return Err(Failure::Unreadable("the kind of a pack")),
                }
            }
            Ok(sums)
        })
    }
}

fn amount(sum: i64) -> Result<u64, Failure> {
    u64::try_from(sum).map_err(|_| Failure::Unreadable("a sum over packs"))
}

/// One transaction that adds packs.
struct Adding<'t> {
    transaction: &'t Transaction<'t>,
    /// Number of the next row of `part`.
    next_part: i64,
    shared: &'t Shared,
    /// Row of the segment that lists the packs; 0 for none.
    segment: i64,
    standing: PackStanding,
    /// Rows that nobody who refers to chunks may rely on.
    unreliable: Vec<i64>,
    /// Whether any pack is known to be deleted: most repositories never look.
    has_dead: bool,
    /// Rows for the look-up table: prefix and record number.
    rows: Vec<(i64, i64)>,
    records: Vec<u8>,
}

impl<'t> Adding<'t> {
    fn begin(transaction: &'t Transaction<'t>, shared: &'t Shared) -> Result<Self, Failure> {
        let last: i64 =
            transaction
                .query_row("SELECT coalesce(max(id), -1) FROM part", (), |row| row.get(0))?;
        let has_dead = transaction.prepare_cached("SELECT 1 FROM dead_pack LIMIT 1")?.exists(())?;
        Ok(Self {
            transaction,
            next_part: last + 1,
            shared,
            segment: 0,
            standing: PackStanding::Listed,
            unreliable: Vec::new(),
            has_dead,
            rows: Vec::new(),
            records: Vec::new(),
        })
    }

    fn pack(&mut self, new: &SegmentPack) -> Result<(), Failure> {
        let digest = digest((new.domain, new.stored_bytes), &new.footer, &new.table);
        let name = new.pack.to_bytes();
        if self.has_dead && self.is_dead(name)? {
            return Ok(());
        }
        let known: Option<[u8; 32]> = self
            .transaction
            .prepare_cached("SELECT digest FROM pack WHERE name = ?1")?
            .query_row([name], |row| row.get(0))
            .optional()?;
        match known {
            Some(known) if known == *digest.as_bytes() => return self.listed_again(name),
            Some(_) => return Err(IndexError::PackDiffers { pack: new.pack }.into()),
            None => {}
        }
        let raw_bytes: i64 =
            new.table.chunks.iter().map(|chunk| i64::from(chunk.length_bytes)).sum();
        let row = self
            .transaction
            .prepare_cached(
                "INSERT INTO pack (name, kind, domain, standing, stored_bytes, raw_bytes,
                                   chunk_count, first_part, digest, footer, segment, blocks)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)",
            )?
            .insert((
                name,
                new.pack.kind.code(),
                new.domain,
                self.standing as i64,
                new.stored_bytes,
                raw_bytes,
                new.table.chunks.len() as i64,
                self.next_part,
                digest.as_bytes(),
                new.footer.as_bytes(),
                self.segment,
                encode_blocks(&new.table),
            ))?;
        if self.standing == PackStanding::Unsigned
            || !self.shared.is_reliable(new.pack.session.client(), new.domain)
        {
            self.unreliable.push(row);
        }
        self.parts(row, new)
    }

    /// A collection deleted it: whatever still lists it is late.
    fn is_dead(&self, name: [u8; PackId::LEN]) -> Result<bool, Failure> {
        let sql = "SELECT 1 FROM dead_pack WHERE name = ?1";
        Ok(self.transaction.prepare_cached(sql)?.exists([name])?)
    }

    /// Notes the newest segment that lists a known pack, and what is known better now.
    fn listed_again(&self, name: [u8; PackId::LEN]) -> Result<(), Failure> {
        let sql = "UPDATE pack SET standing = ?1 WHERE name = ?2 AND standing < ?1";
        self.transaction.prepare_cached(sql)?.execute((self.standing as i64, name))?;
        if self.segment != 0 {
            let sql = "UPDATE pack SET segment = ?1 WHERE name = ?2";
            self.transaction.prepare_cached(sql)?.execute((self.segment, name))?;
        }
        Ok(())
    }

    /// Writes the records of a pack and notes its rows for the look-up table.
    fn parts(&mut self, row: i64, new: &SegmentPack) -> Result<(), Failure> {
        let mut insert = self
            .transaction
            .prepare_cached("INSERT INTO part (id, pack, records) VALUES (?1, ?2, ?3)")?;
        for chunks in new.table.chunks.chunks(PART_RECORDS) {
            self.records.clear();
            self.records.reserve(chunks.len() * RECORD_BYTES);
            let first = self.next_part * PART_RECORDS as i64;
            for (chunk, number) in chunks.iter().zip(first..) {
                if chunk.block as usize >= new.table.blocks.len() {
                    return Err(impossible(new, "number of a block").into());
                }
                record::encode(chunk, &mut self.records).map_err(|what| impossible(new, what))?;
                self.rows.push((record::prefix(&chunk.id), number));
            }
            insert.execute((self.next_part, row, &self.records))?;
            self.next_part += 1;
        }
        Ok(())
    }

    fn finish(mut self) -> Result<(), Failure> {
        // Before anybody sees the rows; that they may come to nothing does no harm, since no number
        // of a row is given twice.
        self.shared.exclude_more(&self.unreliable);
        self.rows.sort_unstable();
        let mut insert = self
            .transaction
            .prepare_cached("INSERT INTO chunk (prefix, record) VALUES (?1, ?2)")?;
        for row in &self.rows {
            insert.execute(*row)?;
        }
        Ok(())
    }
}

fn impossible(new: &SegmentPack, what: &'static str) -> IndexError {
    IndexError::ImpossiblePack { pack: new.pack, what }
}

#[cfg(test)]
mod tests;
