//! The table of a pack as the database holds it: its digest, its blocks, and reading it back.

use rusqlite::{Connection, OptionalExtension, Row, Transaction};

use crate::base::codec::PutLe;
use crate::base::id::Digest;
use crate::base::limits::PACK_MAX_CHUNKS;
use crate::format::pack::PackTable;
use crate::index::error::Failure;
use crate::index::place::{BLOCK_BYTES, decode_block};
use crate::index::record;
use crate::index::schema::PART_RECORDS;

/// Tells two descriptions of one pack apart.
pub(crate) fn digest(
    (domain, stored_bytes): (u32, u32),
    footer: &Digest,
    table: &PackTable,
) -> Digest {
    let mut bytes = Vec::with_capacity(8 + Digest::LEN + table.len_bytes());
    bytes.put_u32(domain);
    bytes.put_u32(stored_bytes);
    bytes.put(footer.as_bytes());
    table.encode_into(&mut bytes);
    Digest::new(*blake3::hash(&bytes).as_bytes())
}

/// Column `blocks` of a pack.
pub(crate) fn encode_blocks(table: &PackTable) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(table.blocks.len() * BLOCK_BYTES);
    for block in &table.blocks {
        bytes.put_u32(block.offset);
        bytes.put_u32(block.stored_bytes);
        bytes.put_u32(block.raw_bytes);
    }
    bytes
}

/// The columns of a pack that lead to its table.
#[derive(Debug)]
pub(crate) struct TableColumns {
    row: i64,
    chunk_count: u32,
    first_part: i64,
    blocks: Vec<u8>,
}

impl TableColumns {
    /// Takes columns `id`, `chunk_count`, `first_part` and `blocks`, which must come first.
    pub(crate) fn from_row(row: &Row<'_>) -> Result<Self, rusqlite::Error> {
        Ok(Self {
            row: row.get(0)?,
            chunk_count: row.get(1)?,
            first_part: row.get(2)?,
            blocks: row.get(3)?,
        })
    }

    /// Number of the pack's first record; the others follow without a gap.
    pub(crate) fn first_record(&self) -> i64 {
        self.first_part.saturating_mul(PART_RECORDS as i64)
    }

    /// Reads the table.
    pub(crate) fn read(&self, connection: &Connection) -> Result<PackTable, Failure> {
        let chunk_count = self.chunk_count as usize;
        if chunk_count > PACK_MAX_CHUNKS {
            return Err(Failure::Unreadable("the chunk count of a pack"));
        }
        let mut statement = connection.prepare_cached(
            "SELECT records FROM part WHERE id >= ?1 AND id < ?2 AND pack = ?3 ORDER BY id",
        )?;
        let part_count = chunk_count.div_ceil(PART_RECORDS) as i64;
        let end = self.first_part.saturating_add(part_count);
        let mut chunks = Vec::with_capacity(chunk_count);
        let mut rows = statement.query((self.first_part, end, self.row))?;
        while let Some(row) = rows.next()? {
            let records = row.get_ref(0)?.as_blob().map_err(rusqlite::Error::from)?;
            chunks.extend((0..PART_RECORDS).map_while(|at| record::decode(records, at)));
        }
        if chunks.len() != chunk_count {
            return Err(Failure::Unreadable("the table of a pack"));
        }
        let block_count = (self.blocks.len() / BLOCK_BYTES) as u32;
        let blocks =
            (0..block_count).filter_map(|block| decode_block(&self.blocks, block)).collect();
        Ok(PackTable { blocks, chunks })
    }
}

/// Removes a pack and its records, and notes its rows in the look-up table.
pub(crate) fn remove(
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
