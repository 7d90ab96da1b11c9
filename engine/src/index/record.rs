//! One chunk of one pack as it lies in a row of `part`: 40 bytes, little-endian.
//!
//! `id 32 | block u16 | offset u24 | length u24`. The limits of the format leave room: a pack has
//! at most 2^16 blocks, a block at most 8 MiB of raw bytes.

use crate::base::id::ChunkId;
use crate::base::limits::{BLOCK_MAX_RAW_BYTES, PACK_MAX_BLOCKS};
use crate::format::pack::ChunkInfo;

/// Bytes of a record.
pub(crate) const RECORD_BYTES: usize = 40;

const _: () = assert!(PACK_MAX_BLOCKS <= 1 << 16);
const _: () = assert!(BLOCK_MAX_RAW_BYTES < 1 << 24);

/// Appends the record of `chunk`, or answers which field does not fit.
pub(crate) fn encode(chunk: &ChunkInfo, out: &mut Vec<u8>) -> Result<(), &'static str> {
    let block = u16::try_from(chunk.block).map_err(|_| "number of a block")?;
    if chunk.offset >= 1 << 24 || chunk.length_bytes >= 1 << 24 {
        return Err("place of a chunk");
    }
    out.extend_from_slice(chunk.id.as_bytes());
    out.extend_from_slice(&block.to_le_bytes());
    out.extend_from_slice(&chunk.offset.to_le_bytes()[..3]);
    out.extend_from_slice(&chunk.length_bytes.to_le_bytes()[..3]);
    Ok(())
}

/// Reads record `position` of a part; `None` beyond its end.
pub(crate) fn decode(records: &[u8], position: usize) -> Option<ChunkInfo> {
    let start = position.checked_mul(RECORD_BYTES)?;
    let bytes: &[u8; RECORD_BYTES] =
        records.get(start..start.checked_add(RECORD_BYTES)?)?.try_into().ok()?;
    let mut id = [0; 32];
    id.copy_from_slice(&bytes[..32]);
    Some(ChunkInfo {
        id: ChunkId::new(id),
        block: u32::from(u16::from_le_bytes([bytes[32], bytes[33]])),
        offset: u32::from_le_bytes([bytes[34], bytes[35], bytes[36], 0]),
        length_bytes: u32::from_le_bytes([bytes[37], bytes[38], bytes[39], 0]),
    })
}

/// The id of record `position`, without the rest.
pub(crate) fn id_at(records: &[u8], position: usize) -> Option<&[u8]> {
    let start = position.checked_mul(RECORD_BYTES)?;
    records.get(start..start.checked_add(ChunkId::LEN)?)
}

/// What the look-up table is sorted by: the first 48 bits of the id as a signed number, because
/// SQLite stores a number of 48 bits in six bytes. Among 10^9 chunks one look-up of an unknown id
/// in 280,000 meets a stranger's prefix, and then reads one record more.
pub(crate) fn prefix(id: &ChunkId) -> i64 {
    let b = id.as_bytes();
    i64::from_be_bytes([b[0], b[1], b[2], b[3], b[4], b[5], 0, 0]) >> 16
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn every_chunk_the_format_allows_round_trips(
            id: [u8; 32], block in 0u32..1 << 16, offset in 0u32..1 << 23, length in 1u32..1 << 23,
        ) {
            let chunk = ChunkInfo { id: ChunkId::new(id), block, offset, length_bytes: length };
            let mut records = vec![0; RECORD_BYTES];
            prop_assert_eq!(encode(&chunk, &mut records), Ok(()));
            prop_assert_eq!(records.len(), 2 * RECORD_BYTES);
            prop_assert_eq!(decode(&records, 1), Some(chunk));
            prop_assert_eq!(id_at(&records, 1), Some(&id[..]));
            prop_assert_eq!(decode(&records, 2), None);
            prop_assert_eq!(decode(&records, usize::MAX), None);
        }
    }

    #[test]
    fn what_does_not_fit_is_refused_and_prefixes_stay_within_48_bits() {
        let chunk = |block, offset, length_bytes| {
            let id = ChunkId::new([255; 32]);
            encode(&ChunkInfo { id, block, offset, length_bytes }, &mut Vec::new())
        };
        assert!(chunk(1 << 16, 0, 1).is_err());
        assert!(chunk(0, 1 << 24, 1).is_err());
        assert!(chunk(0, 0, 1 << 24).is_err());
        assert_eq!(prefix(&ChunkId::new([255; 32])), -1);
        assert_eq!(prefix(&ChunkId::new([127; 32])), 0x7f7f_7f7f_7f7f);
    }
}
