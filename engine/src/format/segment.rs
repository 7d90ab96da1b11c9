//! Index segments: the tables of many packs in one object, so that an index refresh is one read.
//!
//! `magic 4 | version u8 | flags u8 | domain u32 | epoch u32 | sealed`; the domain tells which
//! index key opens the sealed part, to `signature 64 | pack count u32 |
//! (pack id 37 | stored bytes u32 | hash of the footer 32 | table length u32 | table)*`.
//!
//! A segment names only packs whose upload was acknowledged before it was written. It is signed by
//! the client that begins its session: whoever can only read the index must not be able to say
//! where chunks are.

use crate::base::codec::{CodecError, Cursor, PutLe};
use crate::base::id::{Digest, PackId};
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
    /// Dedup domain of its chunks; in a segment, that of the segment.
    pub domain: u32,
    /// Size of the object.
    pub stored_bytes: u32,
    /// BLAKE3 of its sealed footer.
    pub footer: Digest,
    /// What is in it.
    pub table: PackTable,
}

/// Fewest bytes of a pack in a segment.
const PACK_RECORD_MIN_BYTES: usize = PackId::LEN + 4 + Digest::LEN + 4 + 8;

/// Whether so many packs, or packs with so large tables, should be written as a segment.
#[must_use]
pub fn is_full(packs: &[SegmentPack]) -> bool {
    let bytes: usize = packs.iter().map(|pack| pack.table.len_bytes()).sum();
    packs.len() >= SEGMENT_MAX_PACKS || bytes >= SEGMENT_FULL_BYTES
}

/// What a segment lists.
#[must_use]
pub fn encode_packs(packs: &[SegmentPack]) -> Vec<u8> {
    let table_bytes = packs.iter().map(|pack| pack.table.len_bytes()).sum::<usize>();
    let length = 4 + packs.len() * PACK_RECORD_MIN_BYTES + table_bytes;
    let mut bytes = Vec::with_capacity(length);
    bytes.put_u32(packs.len() as u32);
    for pack in packs {
        bytes.put(&pack.pack.to_bytes());
        bytes.put_u32(pack.stored_bytes);
        bytes.put(pack.footer.as_bytes());
        bytes.put_u32(pack.table.len_bytes() as u32);
        pack.table.encode_into(&mut bytes);
    }
    bytes
}

/// Reads what a segment of `domain` lists.
///
/// # Errors
/// [`CodecError`] if it is not exactly a list of possible packs.
pub fn decode_packs(bytes: &[u8], domain: u32) -> Result<Vec<SegmentPack>, CodecError> {
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
        let footer = Digest::new(cursor.array()?);
        let table_bytes = cursor.count(1, SEGMENT_MAX_BYTES, "length of a pack's table")?;
        let table = PackTable::decode(cursor.take(table_bytes)?, u64::from(stored_bytes))?;
        packs.push(SegmentPack { pack, domain, stored_bytes, footer, table });
    }
    cursor.finish()?;
    Ok(packs)
}

/// The outside of a segment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SegmentFrame<'a> {
    /// Dedup domain of all packs in it.
    pub domain: u32,
    /// Epoch of the index key that opens it.
    pub epoch: u32,
    /// Nonce, ciphertext and tag.
    pub sealed: &'a [u8],
}

impl SegmentFrame<'_> {
    /// What the sealed part and the signature are bound to: domain ‖ epoch.
    #[must_use]
    pub fn bound(&self) -> [u8; 8] {
        let mut bytes = [0; 8];
        bytes[..4].copy_from_slice(&self.domain.to_le_bytes());
        bytes[4..].copy_from_slice(&self.epoch.to_le_bytes());
        bytes
    }

    /// Puts the outside around the sealed part.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(14 + self.sealed.len());
        bytes.put(&SEGMENT_MAGIC);
        bytes.put_u8(VERSION);
        bytes.put_u8(0);
        bytes.put_u32(self.domain);
        bytes.put_u32(self.epoch);
        bytes.put(self.sealed);
        bytes
    }
}

/// Takes the outside off.
///
/// # Errors
/// [`EnvelopeError`] if this is no segment of this version.
pub fn decode_frame(bytes: &[u8]) -> Result<SegmentFrame<'_>, EnvelopeError> {
    if bytes.len() > SEGMENT_MAX_BYTES {
        return Err(CodecError::Range { what: "size of the segment" }.into());
    }
    let mut cursor = Cursor::new(bytes);
    expect_magic(&mut cursor, SEGMENT_MAGIC, "index segment")?;
    if cursor.u8()? != 0 {
        return Err(CodecError::Range { what: "flags of the segment" }.into());
    }
    let (domain, epoch) = (cursor.u32()?, cursor.u32()?);
    Ok(SegmentFrame { domain, epoch, sealed: cursor.take(cursor.remaining())? })
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
        let footer = Digest::new([4; 32]);
        SegmentPack { pack, domain: 0, stored_bytes: 12 << 20, footer, table }
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
