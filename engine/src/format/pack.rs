//! Packs: many sealed blocks, a sealed table of what is in them, and a hash for everybody.
//!
//! ```text
//! header   magic 4 | version u8 | kind u8 | suite u8 | flags u8 | domain u32 | epoch u32 |
//!          repository 16 | key hash 32 | encapsulation length u16 | encapsulation |
//!          sealed data key 48 | commitment 16
//! blocks   random 8 | sealed: codec u8, raw length u32, bytes; the nonce is the random bytes and
//!          the number of the block
//! padding  zero bytes up to the Padmé size of the whole object
//! footer   sealed: signature 64, table
//! trailer  footer length u32 | BLAKE3 32 of everything before it
//! ```
//!
//! The padding stands before the footer, so that one read of the tail finds the table. The hash
//! needs no key: the owner of the storage can scrub packs without being able to read them. The
//! signature is that of the client whose session wrote the pack: who can only read cannot make one.

use crate::base::codec::{CodecError, Cursor, PutLe};
use crate::base::id::{ChunkId, Digest, PackKind, RepositoryId};
use crate::base::limits::{
    BLOCK_MAX_RAW_BYTES, CHUNK_MAX_BYTES, FOOTER_MAX_BYTES, PACK_MAX_BLOCKS, PACK_MAX_BYTES,
    PACK_MAX_CHUNKS,
};
use crate::format::envelope::{EnvelopeError, PACK_MAGIC, VERSION, expect_magic};

/// Longest encapsulation of any suite: X-Wing's 1120 bytes, with room.
pub(crate) const ENCAPSULATION_MAX_BYTES: usize = 2048;
/// Bytes of the header without the encapsulation.
const HEADER_FIXED_BYTES: usize = 4 + 1 + 1 + 1 + 1 + 4 + 4 + 16 + 32 + 2 + 48 + 16;
/// Bytes after the footer: its length and the hash.
pub const TRAILER_BYTES: usize = 4 + 32;
/// Bytes at the front of a block's plaintext: codec and raw length.
pub const BLOCK_HEADER_BYTES: usize = 5;
/// Bytes that sealing adds to a block: random bytes in front, a tag behind.
pub const BLOCK_SEAL_BYTES: usize = 8 + 16;

/// Front of a pack; readable without a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PackHeader {
    /// What the pack holds.
    pub kind: PackKind,
    /// HPKE suite of the encapsulation.
    pub suite: u8,
    /// Dedup domain of its chunk ids.
    pub domain: u32,
    /// Epoch of the keys that it is sealed with.
    pub epoch: u32,
    /// The repository it belongs to.
    pub repository: RepositoryId,
    /// BLAKE3 of the pack's key in the store.
    pub key_hash: Digest,
    /// HPKE encapsulation.
    pub encapsulation: Vec<u8>,
    /// The data key, sealed to the public half of the kind.
    pub sealed_key: [u8; 48],
    /// Commitment to the data key: one key cannot open two different packs.
    pub commitment: [u8; 16],
}

impl PackHeader {
    /// Bytes that this header takes up.
    #[must_use]
    pub fn len_bytes(&self) -> usize {
        HEADER_FIXED_BYTES + self.encapsulation.len()
    }

    /// What the data key is bound to: everything in front of the encapsulation.
    #[must_use]
    pub fn front(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(self.len_bytes());
        bytes.put(&PACK_MAGIC);
        bytes.put_u8(VERSION);
        bytes.put_u8(self.kind.code());
        bytes.put_u8(self.suite);
        bytes.put_u8(0);
        bytes.put_u32(self.domain);
        bytes.put_u32(self.epoch);
        bytes.put(self.repository.as_bytes());
        bytes.put(self.key_hash.as_bytes());
        bytes
    }

    /// The bytes of the header: what [`PackHeader::decode`] takes, and nothing else.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = self.front();
        bytes.put_u16(self.encapsulation.len() as u16);
        bytes.put(&self.encapsulation);
        bytes.put(&self.sealed_key);
        bytes.put(&self.commitment);
        bytes
    }

    /// Reads the header at the front of `bytes`, which may go on after it.
    ///
    /// # Errors
    /// [`EnvelopeError`] if this is no pack of this version.
    pub fn decode(bytes: &[u8]) -> Result<Self, EnvelopeError> {
        let mut cursor = Cursor::new(bytes);
        expect_magic(&mut cursor, PACK_MAGIC, "pack")?;
        let kind = PackKind::from_code(cursor.u8()?)
            .ok_or(CodecError::Range { what: "kind of the pack" })?;
        let suite = cursor.u8()?;
        if cursor.u8()? != 0 {
            return Err(CodecError::Range { what: "flags of the pack" }.into());
        }
        let domain = cursor.u32()?;
        let epoch = cursor.u32()?;
        let repository = RepositoryId::new(cursor.array()?);
        let key_hash = Digest::new(cursor.array()?);
        let encapsulation_bytes = usize::from(cursor.u16()?);
        if encapsulation_bytes > ENCAPSULATION_MAX_BYTES {
            return Err(CodecError::Range { what: "length of the encapsulation" }.into());
        }
        let encapsulation = cursor.take(encapsulation_bytes)?.to_vec();
        let sealed_key = cursor.array()?;
        let commitment = cursor.array()?;
        Ok(Self {
            kind,
            suite,
            domain,
            epoch,
            repository,
            key_hash,
            encapsulation,
            sealed_key,
            commitment,
        })
    }

    /// The most bytes that a header can take up; enough to read for [`PackHeader::decode`].
    pub const MAX_BYTES: usize = HEADER_FIXED_BYTES + ENCAPSULATION_MAX_BYTES;
}

/// A block of a pack.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BlockInfo {
    /// Offset of the sealed bytes in the pack.
    pub offset: u32,
    /// Sealed bytes, tag included.
    pub stored_bytes: u32,
    /// Bytes after opening and decompressing.
    pub raw_bytes: u32,
}

/// A chunk in a block of a pack.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ChunkInfo {
    /// The chunk.
    pub id: ChunkId,
    /// Number of the block in the pack.
    pub block: u32,
    /// Offset in the decompressed block.
    pub offset: u32,
    /// Length in bytes.
    pub length_bytes: u32,
}

/// What is in a pack: content of the footer, and of index segments.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct PackTable {
    /// Blocks in the order of their offsets.
    pub blocks: Vec<BlockInfo>,
    /// Chunks in the order of block and offset.
    pub chunks: Vec<ChunkInfo>,
}

const BLOCK_RECORD_BYTES: usize = 12;
const CHUNK_RECORD_BYTES: usize = 44;

impl PackTable {
    /// Bytes of the encoded table.
    #[must_use]
    pub fn len_bytes(&self) -> usize {
        8 + self.blocks.len() * BLOCK_RECORD_BYTES + self.chunks.len() * CHUNK_RECORD_BYTES
    }

    /// Appends the table to `bytes`.
    pub fn encode_into(&self, bytes: &mut Vec<u8>) {
        bytes.reserve(self.len_bytes());
        bytes.put_u32(self.blocks.len() as u32);
        for block in &self.blocks {
            bytes.put_u32(block.offset);
            bytes.put_u32(block.stored_bytes);
            bytes.put_u32(block.raw_bytes);
        }
        bytes.put_u32(self.chunks.len() as u32);
        for chunk in &self.chunks {
            bytes.put(chunk.id.as_bytes());
            bytes.put_u32(chunk.block);
            bytes.put_u32(chunk.offset);
            bytes.put_u32(chunk.length_bytes);
        }
    }

    /// Reads a table that fills `bytes` exactly, of a pack of `pack_bytes` in all.
    ///
    /// # Errors
    /// [`CodecError`] if counts, offsets or order are impossible: blocks must lie inside the pack
    /// one after the other, chunks inside their block one after the other.
    pub fn decode(bytes: &[u8], pack_bytes: u64) -> Result<Self, CodecError> {
        let mut cursor = Cursor::new(bytes);
        let blocks = decode_blocks(&mut cursor, pack_bytes)?;
        let chunks = decode_chunks(&mut cursor, &blocks)?;
        cursor.finish()?;
        Ok(Self { blocks, chunks })
    }
}

fn decode_blocks(cursor: &mut Cursor<'_>, pack_bytes: u64) -> Result<Vec<BlockInfo>, CodecError> {
    let count = cursor.count(BLOCK_RECORD_BYTES, PACK_MAX_BLOCKS, "number of blocks")?;
    let mut blocks = Vec::with_capacity(count);
    let mut end: u64 = 0;
    for _ in 0..count {
        let block = BlockInfo {
            offset: cursor.u32()?,
            stored_bytes: cursor.u32()?,
            raw_bytes: cursor.u32()?,
        };
        let starts_after_the_last = u64::from(block.offset) >= end;
        end = u64::from(block.offset) + u64::from(block.stored_bytes);
        let sound = starts_after_the_last
            && end <= pack_bytes
            && block.stored_bytes as usize >= BLOCK_HEADER_BYTES + BLOCK_SEAL_BYTES
            && block.raw_bytes as usize <= BLOCK_MAX_RAW_BYTES;
        if !sound {
            return Err(CodecError::Range { what: "place of a block" });
        }
        blocks.push(block);
    }
    Ok(blocks)
}

fn decode_chunks(
    cursor: &mut Cursor<'_>,
    blocks: &[BlockInfo],
) -> Result<Vec<ChunkInfo>, CodecError> {
    let count = cursor.count(CHUNK_RECORD_BYTES, PACK_MAX_CHUNKS, "number of chunks")?;
    let mut chunks = Vec::with_capacity(count);
    let mut last = (0, 0);
    for _ in 0..count {
        let chunk = ChunkInfo {
            id: ChunkId::new(cursor.array()?),
            block: cursor.u32()?,
            offset: cursor.u32()?,
            length_bytes: cursor.u32()?,
        };
        let end = u64::from(chunk.offset) + u64::from(chunk.length_bytes);
        let fits =
            blocks.get(chunk.block as usize).is_some_and(|block| end <= u64::from(block.raw_bytes));
        let sound = fits
            && (chunk.block, chunk.offset) >= last
            && chunk.length_bytes > 0
            && chunk.length_bytes as usize <= CHUNK_MAX_BYTES;
        if !sound {
            return Err(CodecError::Range { what: "place of a chunk" });
        }
        last = (chunk.block, end as u32);
        chunks.push(chunk);
    }
    Ok(chunks)
}

/// Length of the signature in front of the table in an opened footer.
pub const FOOTER_SIGNATURE_BYTES: usize = 64;

/// Splits an opened footer into signature and table.
///
/// # Errors
/// A truncation.
pub fn split_footer(opened: &[u8]) -> Result<([u8; FOOTER_SIGNATURE_BYTES], &[u8]), CodecError> {
    let mut cursor = Cursor::new(opened);
    let signature = cursor.array()?;
    let table = cursor.take(cursor.remaining())?;
    Ok((signature, table))
}

/// Where the sealed footer lies, from the last bytes of a pack.
///
/// `tail` is any number of bytes up to the end of the pack, `pack_bytes` the size of the whole.
/// Returns the length of the sealed footer, which ends [`TRAILER_BYTES`] before the end.
///
/// # Errors
/// [`CodecError`] if the sizes are impossible.
pub fn footer_len(tail: &[u8], pack_bytes: u64) -> Result<usize, CodecError> {
    let start = tail
        .len()
        .checked_sub(TRAILER_BYTES)
        .ok_or(CodecError::Truncated { offset: tail.len(), wanted_bytes: TRAILER_BYTES })?;
    let length = Cursor::new(&tail[start..]).u32()? as usize;
    let room = pack_bytes.saturating_sub((HEADER_FIXED_BYTES + TRAILER_BYTES) as u64);
    if pack_bytes > PACK_MAX_BYTES as u64 || length > FOOTER_MAX_BYTES || length as u64 > room {
        return Err(CodecError::Range { what: "length of the footer" });
    }
    Ok(length)
}

/// The Padmé size for `length`: at most 12 % more, and only O(log log n) bits of it show.
/// (Nikitin et al., "Reducing Metadata Leakage from Encrypted Files", PETS 2019, algorithm 1.)
#[must_use]
pub fn padme(length: u64) -> u64 {
    if length < 2 {
        return length;
    }
    let exponent = u64::from(length.ilog2());
    let last_bits = exponent - (u64::from(exponent.ilog2().min(63)) + 1).min(exponent);
    let mask = (1u64 << last_bits) - 1;
    length.saturating_add(mask) & !mask
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table() -> PackTable {
        PackTable {
            blocks: vec![
                BlockInfo { offset: 100, stored_bytes: 50, raw_bytes: 40 },
                BlockInfo { offset: 150, stored_bytes: 60, raw_bytes: 70 },
            ],
            chunks: vec![
                ChunkInfo { id: ChunkId::new([1; 32]), block: 0, offset: 0, length_bytes: 40 },
                ChunkInfo { id: ChunkId::new([2; 32]), block: 1, offset: 0, length_bytes: 30 },
                ChunkInfo { id: ChunkId::new([3; 32]), block: 1, offset: 30, length_bytes: 40 },
            ],
        }
    }

    fn encoded(table: &PackTable) -> Vec<u8> {
        let mut bytes = Vec::new();
        table.encode_into(&mut bytes);
        bytes
    }

    #[test]
    fn table_round_trips() {
        assert_eq!(PackTable::decode(&encoded(&table()), 1000), Ok(table()));
        assert_eq!(encoded(&table()).len(), table().len_bytes());
    }

    #[test]
    fn impossible_tables_are_refused() {
        let spoil = |change: fn(&mut PackTable)| {
            let mut table = table();
            change(&mut table);
            PackTable::decode(&encoded(&table), 1000)
        };
        assert!(spoil(|t| t.blocks[1].offset = 149).is_err(), "overlapping blocks");
        assert!(spoil(|t| t.blocks[1].stored_bytes = 900).is_err(), "beyond the pack");
        assert!(spoil(|t| t.blocks[0].raw_bytes = 1 << 30).is_err(), "too large to decompress");
        assert!(spoil(|t| t.chunks[2].offset = 29).is_err(), "overlapping chunks");
        assert!(spoil(|t| t.chunks[2].length_bytes = 41).is_err(), "beyond its block");
        assert!(spoil(|t| t.chunks[0].block = 2).is_err(), "block that is not there");
        assert!(spoil(|t| t.chunks.swap(0, 1)).is_err(), "unsorted");
        assert!(PackTable::decode(&[&encoded(&table())[..], b"x"].concat(), 1000).is_err());
    }

    #[test]
    fn padme_adds_little_and_never_shrinks() {
        for length in (0..100_000).chain([1 << 25, (1 << 25) + 1, 33_554_431, 40_000_003]) {
            let padded = padme(length);
            assert!(padded >= length);
            assert!(padded as f64 <= length as f64 * 1.12 + 1.0, "{length} became {padded}");
            assert_eq!(padme(padded), padded);
        }
        assert_eq!(padme(40_000_003), 40_894_464);
    }
}
