//! A hash over everything that look-ups can answer, to compare an index with its rebuilt self.
//!
//! Walking the look-up table and fetching each record would read the file in random order. So the
//! hash is taken over the packs, and two sums over (prefix, record number), one from the look-up
//! table and one from the records, show that the look-up table leads to exactly these records. A
//! sum of hashes does not depend on order; it is no defence against somebody who computes rows to
//! fit, who could as well write both tables.

use rusqlite::Connection;

use crate::base::id::{Digest, PackId};
use crate::index::error::Failure;
use crate::index::record;
use crate::index::table::{TableColumns, digest};

/// BLAKE3 over name and digest of all packs, sorted by name. Every table is read and compared with
/// its digest, which covers dedup domain, size, footer, the blocks, and every chunk with id, block, offset and
/// length; and the look-up table is compared with them. So this is also the deepest check there is.
pub(crate) fn fingerprint(connection: &Connection) -> Result<Digest, Failure> {
    let mut hasher = blake3::Hasher::new();
    let mut sum = 0u128;
    let mut packs = connection.prepare(
        "SELECT id, chunk_count, first_part, blocks, name, domain, stored_bytes, footer, digest
         FROM pack ORDER BY name",
    )?;
    let mut rows = packs.query(())?;
    while let Some(row) = rows.next()? {
        let columns = TableColumns::from_row(row)?;
        let table = columns.read(connection)?;
        let name: [u8; PackId::LEN] = row.get(4)?;
        let known: [u8; Digest::LEN] = row.get(8)?;
        let footer = Digest::new(row.get(7)?);
        let told = digest((row.get(5)?, row.get(6)?), &footer, &table);
        let readable = PackId::from_bytes(&name).is_some();
        if !readable || *told.as_bytes() != known {
            return Err(Failure::Unreadable("the table of a pack"));
        }
        hasher.update(&name).update(&known);
        for (chunk, number) in table.chunks.iter().zip(columns.first_record()..) {
            sum = sum.wrapping_add(row_hash(record::prefix(&chunk.id), number));
        }
    }
    if sum_look_up_table(connection)? != sum {
        return Err(Failure::Unreadable("the look-up table of chunks"));
    }
    Ok(Digest::new(*hasher.finalize().as_bytes()))
}

fn sum_look_up_table(connection: &Connection) -> Result<u128, Failure> {
    let mut sum = 0u128;
    let mut statement = connection.prepare("SELECT prefix, record FROM chunk")?;
    let mut rows = statement.query(())?;
    while let Some(row) = rows.next()? {
        sum = sum.wrapping_add(row_hash(row.get(0)?, row.get(1)?));
    }
    Ok(sum)
}

fn row_hash(prefix: i64, number: i64) -> u128 {
    let mut bytes = [0; 16];
    bytes[..8].copy_from_slice(&prefix.to_le_bytes());
    bytes[8..].copy_from_slice(&number.to_le_bytes());
    let hash = blake3::hash(&bytes);
    let (low, _) = hash.as_bytes().split_at(16);
    low.iter().rev().fold(0, |sum, byte| sum << 8 | u128::from(*byte))
}
