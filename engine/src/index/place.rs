//! Where a chunk lies, and the bounded memory of packs that answers with it.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use crate::base::codec::Cursor;
use crate::base::id::{ClientId, PackId, PackKind};
use crate::base::limits::INDEX_PACK_CACHE_BYTES;
use crate::format::pack::{BlockInfo, ChunkInfo};
use crate::index::error::Failure;

/// Bytes of a block in column `blocks`: offset u32 | stored bytes u32 | raw bytes u32.
pub(crate) const BLOCK_BYTES: usize = 12;

/// How far what the index says of a pack may be relied on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum PackStanding {
    /// Who signed it could not be told: chunks may be read from it, since their ids are computed
    /// again.
    Unsigned = 0,
    /// A client that may say so has listed it.
    Listed = 1,
    /// This machine wrote it, or read its footer and verified that.
    Authenticated = 2,
}

impl PackStanding {
    /// The standing of a stored number.
    pub(crate) fn from_code(code: i64) -> Result<Self, Failure> {
        match code {
            0 => Ok(Self::Unsigned),
            1 => Ok(Self::Listed),
            2 => Ok(Self::Authenticated),
            _ => Err(Failure::Unreadable("the standing of a pack")),
        }
    }
}

/// One copy of a chunk: the pack, the block to fetch, and the chunk within it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ChunkPlace {
    /// The pack.
    pub pack: PackId,
    /// Size of the pack's object.
    pub pack_bytes: u32,
    /// Number of the block in the pack, which its nonce is made of.
    pub block: u32,
    /// Offset of the sealed block in the pack.
    pub block_offset: u32,
    /// Length of the sealed block.
    pub block_stored_bytes: u32,
    /// Length of the block after opening and decompressing.
    pub block_raw_bytes: u32,
    /// Offset of the chunk in the raw block.
    pub offset: u32,
    /// Length of the chunk.
    pub length_bytes: u32,
}

/// Which packs whoever writes may rely on.
#[derive(Debug, Default)]
pub(crate) struct Reliable {
    /// Those of this dedup domain, once a run has said which.
    pub(crate) domain: Option<u32>,
    /// Of clients that are none of these.
    pub(crate) revoked: HashSet<ClientId>,
}

impl Reliable {
    /// Between which names all packs lie that may not be: those of one kind and one client.
    pub(crate) fn unreliable_names(&self) -> impl Iterator<Item = [[u8; PackId::LEN]; 2]> {
        self.revoked.iter().flat_map(|client| {
            [PackKind::Data, PackKind::Tree].map(|kind| {
                [0, 0xff].map(|fill| {
                    let mut name = [fill; PackId::LEN];
                    name[0] = kind.code();
                    name[1..=ClientId::LEN].copy_from_slice(client.as_bytes());
                    name
                })
            })
        })
    }
}

/// What a reader keeps of a pack.
#[derive(Debug)]
pub(crate) struct KnownPack {
    pub(crate) id: PackId,
    pub(crate) stored_bytes: u32,
    /// The column as it is: decoding one block is cheaper than keeping all of them decoded.
    pub(crate) blocks: Vec<u8>,
}

impl KnownPack {
    /// The place of `chunk` in this pack; `None` if its block does not exist.
    pub(crate) fn place(&self, chunk: &ChunkInfo) -> Option<ChunkPlace> {
        let block = decode_block(&self.blocks, chunk.block)?;
        Some(ChunkPlace {
            pack: self.id,
            pack_bytes: self.stored_bytes,
            block: chunk.block,
            block_offset: block.offset,
            block_stored_bytes: block.stored_bytes,
            block_raw_bytes: block.raw_bytes,
            offset: chunk.offset,
            length_bytes: chunk.length_bytes,
        })
    }
}

/// Block `number` of column `blocks`.
pub(crate) fn decode_block(blocks: &[u8], number: u32) -> Option<BlockInfo> {
    let start = (number as usize).checked_mul(BLOCK_BYTES)?;
    let mut cursor = Cursor::new(blocks.get(start..start.checked_add(BLOCK_BYTES)?)?);
    Some(BlockInfo {
        offset: cursor.u32().ok()?,
        stored_bytes: cursor.u32().ok()?,
        raw_bytes: cursor.u32().ok()?,
    })
}

/// Packs by row number, in two generations: when the young one is full it becomes the old one and
/// what was in the old one and not asked for since is forgotten.
#[derive(Debug, Default)]
pub(crate) struct PackCache {
    young: HashMap<i64, Arc<KnownPack>>,
    old: HashMap<i64, Arc<KnownPack>>,
    young_bytes: usize,
}

impl PackCache {
    pub(crate) fn get(&mut self, row: i64) -> Option<Arc<KnownPack>> {
        if let Some(pack) = self.young.get(&row) {
            return Some(Arc::clone(pack));
        }
        let pack = self.old.remove(&row)?;
        self.insert(row, Arc::clone(&pack));
        Some(pack)
    }

    pub(crate) fn insert(&mut self, row: i64, pack: Arc<KnownPack>) {
        let bytes = pack.blocks.len() + size_of::<KnownPack>() + 4 * size_of::<i64>();
        if self.young_bytes + bytes > INDEX_PACK_CACHE_BYTES / 2 {
            self.old = std::mem::take(&mut self.young);
            self.young_bytes = 0;
        }
        self.young_bytes += bytes;
        self.young.insert(row, pack);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::id::{Nonce8, PackKind, SessionId};

    fn pack(counter: u32, blocks: usize) -> Arc<KnownPack> {
        let session = SessionId::new([1; 24]);
        let random = Nonce8::new([0; 8]);
        let id = PackId { kind: PackKind::Data, session, counter, random };
        Arc::new(KnownPack { id, stored_bytes: 9, blocks: vec![0; blocks * BLOCK_BYTES] })
    }

    #[test]
    fn the_cache_stays_within_its_bound_and_keeps_what_is_used() {
        let mut cache = PackCache::default();
        cache.insert(0, pack(0, 1));
        for row in 1..20_000 {
            cache.insert(row, pack(row as u32, 40));
            assert_eq!(cache.get(0).map(|pack| pack.id.counter), Some(0), "after {row}");
        }
        assert!(cache.get(1).is_none());
        let kept: usize =
            cache.young.values().chain(cache.old.values()).map(|pack| pack.blocks.len()).sum();
        assert!(kept <= INDEX_PACK_CACHE_BYTES, "{kept} bytes kept");
    }

    #[test]
    fn a_chunk_of_a_block_that_does_not_exist_has_no_place() {
        let id = crate::base::id::ChunkId::new([0; 32]);
        let chunk = |block| ChunkInfo { id, block, offset: 0, length_bytes: 1 };
        assert!(pack(0, 2).place(&chunk(1)).is_some());
        assert!(pack(0, 2).place(&chunk(2)).is_none());
        assert!(pack(0, 2).place(&chunk(u32::MAX)).is_none());
    }
}
