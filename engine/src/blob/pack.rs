//! A pack in the making: blocks are compressed into its buffer and sealed in place.

use bytes::Bytes;

use crate::base::codec::PutLe;
use crate::base::id::{ChunkId, Nonce8, PackId, PackKind, SessionId};
use crate::base::limits::{
    PACK_FULL_CHUNKS, PACK_MAX_BLOCKS, PACK_OVERSHOOT_MAX_BYTES, PACK_TARGET_MAX_BYTES,
};
use crate::blob::buffers::{PackBuffer, PackBuffers};
use crate::chunk::squeeze::Compressor;
use crate::crypt::aead::BlockCipher;
use crate::crypt::secret::SecretKey;
use crate::crypt::sign::SigningKey;
use crate::crypt::{aead, hash, random};
use crate::format::envelope::associated_data;
use crate::format::pack::{
    BLOCK_HEADER_BYTES, BlockInfo, ChunkInfo, PackHeader, PackTable, TRAILER_BYTES, padme,
};
use crate::format::segment::SegmentPack;
use crate::repo::Repo;
use crate::repo::error::RepoError;
use crate::repo::footer::{FOOTER_BARE_BYTES, pack_data, seal_footer};
use crate::repo::keyring::WriteKeys;
use crate::store::name::ObjectName;

/// A pack that is complete and not stored yet.
pub struct FinishedPack {
    /// What a segment will say of it.
    pub listed: SegmentPack,
    /// The object.
    pub bytes: Bytes,
}

/// Builds one pack.
pub struct OpenPack {
    pack: PackId,
    header: PackHeader,
    bytes: PackBuffer,
    table: PackTable,
    cipher: BlockCipher,
    block_data: Vec<u8>,
}

/// Associated data of blocks: the number of the block is in its nonce, so it need not be here.
pub(super) fn block_data(pack: PackId, header: &PackHeader) -> Vec<u8> {
    pack_data("block", header.repository, pack, header)
}

/// What the sealed data key of a pack is bound to: all that stands in the header before it.
#[must_use]
pub fn key_data(pack: PackId, header: &PackHeader) -> Vec<u8> {
    let key_hash = hash::digest(ObjectName::Pack(pack).key().as_bytes());
    associated_data("pack key", header.repository, key_hash, &header.front())
}

impl OpenPack {
    /// Begins a pack with a fresh data key, in a buffer of `buffers`.
    ///
    /// # Errors
    /// Those of sealing the data key.
    pub fn new(
        repo: &Repo,
        write: &WriteKeys,
        buffers: &PackBuffers,
        kind: PackKind,
        session: SessionId,
        counter: u32,
    ) -> Result<Self, RepoError> {
        let pack = PackId { kind, session, counter, random: Nonce8::new(random::array()) };
        let data_key = SecretKey::random();
        let public = match kind {
            PackKind::Data => &write.data,
            PackKind::Tree => &write.tree,
        };
        let mut header = PackHeader {
            kind,
            suite: public.suite().code(),
            domain: write.domain,
            epoch: repo.keys().control().1,
            repository: repo.config().repository,
            key_hash: hash::digest(ObjectName::Pack(pack).key().as_bytes()),
            encapsulation: Vec::new(),
            sealed_key: [0; 48],
            commitment: hash::commitment(&data_key),
        };
        let bound = key_data(pack, &header);
        (header.encapsulation, header.sealed_key) = public.seal_key(&bound, &data_key)?;
        let mut bytes = buffers.take();
        bytes.put(&header.encode());
        Ok(Self {
            pack,
            bytes,
            table: PackTable::default(),
            cipher: BlockCipher::new(&data_key),
            block_data: block_data(pack, &header),
            header,
        })
    }

    /// Compresses, seals and appends a block: `raw` is the bytes of all its chunks, one after the
    /// other, whose ids and lengths are `chunks`.
    pub fn add_block(
        &mut self,
        raw: &[u8],
        chunks: &[(ChunkId, u32)],
        compressor: &mut Compressor,
    ) {
        let start = self.bytes.len();
        let number = self.table.blocks.len() as u32;
        let raw_bytes = raw.len() as u32;
        self.bytes.put(&[0; aead::BLOCK_SALT_BYTES]);
        self.bytes.put_u8(0);
        self.bytes.put_u32(raw_bytes);
        let codec_at = start + aead::BLOCK_SALT_BYTES;
        debug_assert_eq!(self.bytes.len() - codec_at, BLOCK_HEADER_BYTES);
        let codec = compressor.compress_into(raw, &mut self.bytes);
        self.bytes[codec_at] = codec;
        let tag = self.cipher.seal_in_place(number, &self.block_data, &mut self.bytes[start..]);
        self.bytes.put(&tag);
        let mut offset = 0;
        for &(id, length_bytes) in chunks {
            self.table.chunks.push(ChunkInfo { id, block: number, offset, length_bytes });
            offset += length_bytes;
        }
        self.table.blocks.push(BlockInfo {
            offset: start as u32,
            stored_bytes: (self.bytes.len() - start) as u32,
            raw_bytes,
        });
    }

    /// Whether it should be finished before another block is added, if packs should have about
    /// `target_bytes` (at most [`PACK_TARGET_MAX_BYTES`]).
    ///
    /// Padding rounds a pack of 12 MiB up to the next quarter of a MiB. So a pack that is large enough
    /// still takes blocks until it ends shortly below such a step, and becomes less choosy with
    /// every block; on average 0.4 % of a pack is padding then, instead of 1.5 %.
    #[must_use]
    pub fn is_full(&self, target_bytes: usize) -> bool {
        // One more block adds at most `BLOCK_MAX_CHUNKS`: it still fits below the limit.
        if self.table.blocks.len() + 1 >= PACK_MAX_BLOCKS
            || self.table.chunks.len() >= PACK_FULL_CHUNKS
        {
            return true;
        }
        let bare = self.bare_bytes();
        let target_bytes = target_bytes.min(PACK_TARGET_MAX_BYTES);
        let Some(overshoot) = bare.checked_sub(target_bytes) else { return false };
        let padding = padme(bare as u64) as usize - bare;
        overshoot >= PACK_OVERSHOOT_MAX_BYTES || padding <= bare / 512 + overshoot / 16
    }

    /// Its size if it were finished now, without padding.
    fn bare_bytes(&self) -> usize {
        self.bytes.len() + FOOTER_BARE_BYTES + self.table.len_bytes() + TRAILER_BYTES
    }

    /// Whether no block is in it.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.table.blocks.is_empty()
    }

    /// Pads it, appends footer and trailer. `signing` is the key of the client that opened the
    /// session.
    #[must_use]
    pub fn finish(self, write: &WriteKeys, signing: &SigningKey) -> FinishedPack {
        let bare = self.bare_bytes() as u64;
        let Self { pack, header, mut bytes, table, .. } = self;
        let stored_bytes = padme(bare);
        let padding = (stored_bytes - bare) as usize;
        let stored_bytes = stored_bytes as u32;
        let footer = seal_footer(&write.index, signing, (pack, &header), stored_bytes, &table);
        bytes.reserve_exact(padding + footer.len() + TRAILER_BYTES);
        let padded_bytes = bytes.len() + padding;
        bytes.resize(padded_bytes, 0);
        bytes.put(&footer);
        bytes.put_u32(footer.len() as u32);
        let digest = hash::digest(&bytes);
        bytes.put(digest.as_bytes());
        debug_assert_eq!(bytes.len(), stored_bytes as usize);
        let (domain, footer) = (header.domain, hash::digest(&footer));
        FinishedPack {
            listed: SegmentPack { pack, domain, stored_bytes, footer, table },
            bytes: Bytes::from_owner(bytes),
        }
    }
}
