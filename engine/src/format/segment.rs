//! Index segments: the tables of many packs in one object, so that an index refresh is one read.
//!
//! `magic 4 | version u8 | flags u8 | domain u32 | sealed`; the domain tells which index key opens
//! the sealed part, to
//! `pack count u32 | (pack id 37 | stored bytes u32 | table length u32 | table)*`.
//!
//! A segment names only packs whose upload was acknowledged before it was written.

use crate::base::codec::{CodecError, Cursor, PutLe};
use crate::base::id::PackId;
use crate::base::limits::{
    PACK_MAX_BYTES, SEGMENT_FULL_BYTES, SEGMENT_MAX_BYTES, SEGMENT_MAX_PACKS,
};
use crate::format::envelope::{EnvelopeError, SEGMENT_MAGIC, VERSION, expect_magic};
use crate::format::pack::PackTable;

/// One pack as a segment lists it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SegmentPack {
    /// The pack.
    pub pack: PackId,
    /// Size of the object.
    pub stored_bytes: u32,
    /// What is in it.
    pub table: PackTable,
}

/// Fewest bytes of a pack in a segment.
const PACK_RECORD_MIN_BYTES: usize = PackId::LEN + 4 + 4 + 8;

/// Whether so many packs, or packs with so large tables, should be written as a segment.
#[must_use]
pub fn is_full(packs: &[SegmentPack]) -> bool {
    let bytes: usize = packs.iter().map(|pack| pack.table.len_bytes()).sum();
    packs.len() >= SEGMENT_MAX_PACKS || bytes >= SEGMENT_FULL_BYTES
}

/// The plaintext of a segment.
#[must_use]
pub fn encode_packs(packs: &[SegmentPack]) -> Vec<u8> {
    let length: usize =
        packs.iter().map(|pack| PackId::LEN + 8 + pack.table.len_bytes()).sum::<usize>() + 4;
    let mut bytes = Vec::with_capacity(length);
    bytes.put_u32(packs.len() as u32);
    for pack in packs {
        bytes.put(&pack.pack.to_bytes());
        bytes.put_u32(pack.stored_bytes);
        bytes.put_u32(pack.table.len_bytes() as u32);
        pack.table.encode_into(&mut bytes);
    }
    bytes
}

/// Reads the plaintext of a segment.
///
/// # Errors
/// [`CodecError`] if it is not exactly a list of possible packs.
pub fn decode_packs(bytes: &[u8]) -> Result<Vec<SegmentPack>, CodecError> {
    let mut cursor = Cursor::new(bytes);
    let max = SEGMENT_MAX_BYTES / PACK_RECORD_MIN_BYTES;
    let count = cursor.count(PACK_RECORD_MIN_BYTES, max, "number of packs in a segment")?;
    let mut packs = Vec::with_capacity(count);
    for _ in 0..count {
        let pack = PackId::from_bytes(&cursor.array()?)
            .ok_or(CodecError::Range { what: "kind of a pack" })?;
        let stored_bytes = cursor.u32()?;
        if stored_bytes as usize > PACK_MAX_BYTES {
            return Err(CodecError::Range { what: "size of a pack" });
        }
        let table_bytes = cursor.count(1, SEGMENT_MAX_BYTES, "length of a pack's table")?;
        let table = PackTable::decode(cursor.take(table_bytes)?, u64::from(stored_bytes))?;
        packs.push(SegmentPack { pack, stored_bytes, table });
    }
    cursor.finish()?;
    Ok(packs)
}

/// Puts the outside around a sealed segment.
#[must_use]
pub fn encode_frame(domain: u32, sealed: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(10 + sealed.len());
    bytes.put(&SEGMENT_MAGIC);
    bytes.put_u8(VERSION);
    bytes.put_u8(0);
    bytes.put_u32(domain);
    bytes.put(sealed);
    bytes
}

/// Takes the outside off: the dedup domain, and what is sealed.
///
/// # Errors
/// [`EnvelopeError`] if this is no segment of version 1.
pub fn decode_frame(bytes: &[u8]) -> Result<(u32, &[u8]), EnvelopeError> {
    if bytes.len() > SEGMENT_MAX_BYTES {
        return Err(CodecError::Range { what: "size of the segment" }.into());
    }
    let mut cursor = Cursor::new(bytes);
    expect_magic(&mut cursor, SEGMENT_MAGIC, "index segment")?;
    if cursor.u8()? != 0 {
        return Err(CodecError::Range { what: "flags of the segment" }.into());
    }
    let domain = cursor.u32()?;
    Ok((domain, cursor.take(cursor.remaining())?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::id::{ChunkId, Nonce8, PackKind, SessionId};
    use crate::format::pack::ChunkInfo;

    fn pack(number: u32, chunks: usize) -> SegmentPack {
        let chunk =
            ChunkInfo { id: ChunkId::new([1; 32]), block: 0, offset: 0, length_bytes: 16_384 };
        let table = PackTable { blocks: Vec::new(), chunks: vec![chunk; chunks] };
        let session = SessionId::new([2; 24]);
        let pack =
            PackId { kind: PackKind::Data, session, counter: number, random: Nonce8::new([3; 8]) };
        SegmentPack { pack, stored_bytes: 12 << 20, table }
    }

    #[test]
    fn packs_of_very_many_chunks_fill_a_segment_long_before_nobody_may_read_it() {
        let mut packs = Vec::new();
        while !is_full(&packs) {
            packs.push(pack(packs.len() as u32, crate::base::limits::PACK_FULL_CHUNKS));
        }
        assert!((2..SEGMENT_MAX_PACKS / 4).contains(&packs.len()), "{}", packs.len());
        assert!(encode_packs(&packs).len() < SEGMENT_MAX_BYTES / 2);
        let ordinary: Vec<_> = (0..SEGMENT_MAX_PACKS as u32).map(|n| pack(n, 500)).collect();
        assert!(is_full(&ordinary) && !is_full(&ordinary[1..]));
    }
}
