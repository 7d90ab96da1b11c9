//! The key of a pack that is read, and opening its blocks.

use crate::base::codec::Cursor;
use crate::base::id::{ChunkId, PackId, PackKind};
use crate::blob::error::BlobError;
use crate::blob::pack::{block_data, key_data};
use crate::chunk::squeeze::{CODEC_STORED, Decompressor};
use crate::crypt::aead::BlockCipher;
use crate::crypt::hash::{ChunkIdKey, commitment};
use crate::format::pack::{BLOCK_HEADER_BYTES, PackHeader};
use crate::repo::Repo;
use crate::repo::footer::decode_header;
use crate::store::name::ObjectName;

/// A pack whose data key is known.
pub struct PackOpener {
    pack: PackId,
    domain: u32,
    cipher: BlockCipher,
    block_data: Vec<u8>,
    chunk_id: Option<ChunkIdKey>,
}

impl PackOpener {
    /// Opens the data key in a pack's header.
    ///
    /// # Errors
    /// [`BlobError::Damaged`] naming the pack, or the role may not read such packs.
    pub fn new(repo: &Repo, pack: PackId, header_bytes: &[u8]) -> Result<Self, BlobError> {
        let header = decode_header(repo, pack, header_bytes)?;
        let secret = match pack.kind {
            PackKind::Data => repo.keys().data_in(header.epoch, &key_of(pack))?,
            PackKind::Tree => repo.keys().tree_in(header.epoch, &key_of(pack))?,
        };
        Self::with_header(repo, pack, &header, secret)
    }

    fn with_header(
        repo: &Repo,
        pack: PackId,
        header: &PackHeader,
        secret: &crate::crypt::seal::SealSecret,
    ) -> Result<Self, BlobError> {
        let damaged = |why: &str| BlobError::Damaged { key: key_of(pack), why: why.to_owned() };
        let data_key = secret
            .open_key(&key_data(pack, header), &header.encapsulation, &header.sealed_key)
            .map_err(|_| damaged("its data key does not open"))?;
        if commitment(&data_key) != header.commitment {
            return Err(damaged("its data key is not the one it commits to"));
        }
        Ok(Self {
            pack,
            domain: header.domain,
            cipher: BlockCipher::new(&data_key),
            block_data: block_data(pack, header),
            chunk_id: repo.keys().chunk_id_key(header.domain),
        })
    }

    /// Dedup domain of its chunks.
    #[must_use]
    pub fn domain(&self) -> u32 {
        self.domain
    }

    /// Opens and decompresses block `number`: exactly `raw_bytes` bytes. They lie in `sealed`,
    /// which is decrypted in place, if the block is stored as it is, otherwise in `space`.
    ///
    /// # Errors
    /// [`BlobError::Damaged`] naming the pack and the block.
    pub fn open_block<'b>(
        &self,
        number: u32,
        sealed: &'b mut [u8],
        raw_bytes: u32,
        decompressor: &mut Decompressor,
        space: &'b mut Vec<u8>,
    ) -> Result<&'b [u8], BlobError> {
        let damaged = |why: String| BlobError::Damaged {
            key: key_of(self.pack),
            why: format!("block {number} {why}"),
        };
        let place = self
            .cipher
            .open_in_place(number, &self.block_data, sealed)
            .map_err(|_| damaged("does not authenticate".to_owned()))?;
        let opened = &sealed[place];
        let mut cursor = Cursor::new(opened);
        let header = cursor.u8().and_then(|codec| Ok((codec, cursor.u32()?)));
        let (codec, stated_bytes) = header.map_err(|error| damaged(error.to_string()))?;
        if stated_bytes != raw_bytes {
            return Err(damaged(format!("has {stated_bytes} bytes, its table says {raw_bytes}")));
        }
        let stored = &opened[BLOCK_HEADER_BYTES..];
        if codec == CODEC_STORED && stored.len() == raw_bytes as usize {
            return Ok(stored);
        }
        decompressor
            .decompress_into(codec, stored, raw_bytes as usize, space)
            .map_err(|error| damaged(format!("does not decompress: {error}")))?;
        Ok(space)
    }

    /// Checks that bytes are the chunk they are said to be.
    ///
    /// # Errors
    /// [`BlobError::Damaged`] naming the pack and the chunk.
    pub fn verify_chunk(&self, id: &ChunkId, bytes: &[u8]) -> Result<(), BlobError> {
        let key = self.chunk_id.as_ref().ok_or_else(|| BlobError::Damaged {
            key: key_of(self.pack),
            why: format!("this key may not read dedup domain {}", self.domain),
        })?;
        if key.id(self.pack.kind, bytes) == *id {
            return Ok(());
        }
        Err(BlobError::Damaged {
            key: key_of(self.pack),
            why: format!("the bytes under chunk {id} are other bytes"),
        })
    }
}

/// Key of a pack in the store, for errors.
#[must_use]
pub fn key_of(pack: PackId) -> String {
    ObjectName::Pack(pack).key()
}
