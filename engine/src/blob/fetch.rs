//! Single chunks by id: every copy is tried, every byte authenticated, every id computed again.

use std::collections::HashMap;
use std::ops::Range;
use std::sync::{Arc, Mutex};

use crate::base::id::{ChunkId, PackId};
use crate::base::limits::FETCH_GAP_MAX_BYTES;
use crate::base::monitor::Silent;
use crate::blob::cache::BlockCache;
use crate::blob::error::BlobError;
use crate::blob::open_pack::{PackOpener, key_of};
use crate::chunk::squeeze::Decompressor;
use crate::format::pack::PackHeader;
use crate::index::refresh::refresh;
use crate::index::{ChunkPlace, Index, IndexReader};
use crate::repo::Repo;
use crate::store::name::ObjectName;

/// Data keys that are kept: one is 100 bytes, opening one costs a KEM decapsulation and a request.
const OPENERS_MAX: usize = 4096;

/// Opened packs, shared by whoever reads blocks.
pub struct Openers<'a> {
    repo: &'a Repo,
    known: Mutex<HashMap<PackId, Arc<PackOpener>>>,
}

impl<'a> Openers<'a> {
    /// None opened yet.
    #[must_use]
    pub fn new(repo: &'a Repo) -> Self {
        Self { repo, known: Mutex::default() }
    }

    /// The opener of a pack; reads the header if it is not known.
    ///
    /// # Errors
    /// [`BlobError::Damaged`], errors of the store.
    pub fn get(&self, pack: PackId, pack_bytes: u32) -> Result<Arc<PackOpener>, BlobError> {
        if let Some(known) = self.known(pack) {
            return Ok(known);
        }
        let end = u64::from(pack_bytes).min(PackHeader::MAX_BYTES as u64);
        let header = self.repo.store().get_range(&ObjectName::Pack(pack), 0..end)?;
        self.with_header(pack, &header)
    }

    /// Reads a stretch of a pack, and tells where in `into` it begins: the header comes along if it
    /// is not known yet and lies near, which saves a request.
    ///
    /// # Errors
    /// [`BlobError::Damaged`], errors of the store.
    pub fn read(
        &self,
        pack: PackId,
        pack_bytes: u32,
        bytes: Range<u64>,
        into: &mut Vec<u8>,
    ) -> Result<(Arc<PackOpener>, usize), BlobError> {
        let name = ObjectName::Pack(pack);
        let is_near = bytes.start <= FETCH_GAP_MAX_BYTES as u64;
        if is_near && self.known(pack).is_none() {
            self.repo.store().get_range_into(&name, 0..bytes.end, into)?;
            return Ok((self.with_header(pack, into)?, bytes.start as usize));
        }
        // The header afterwards: whoever reads the beginning of the pack meanwhile brings it along.
        self.repo.store().get_range_into(&name, bytes, into)?;
        Ok((self.get(pack, pack_bytes)?, 0))
    }

    fn known(&self, pack: PackId) -> Option<Arc<PackOpener>> {
        self.known.lock().ok().and_then(|known| known.get(&pack).cloned())
    }

    /// The opener of a pack whose first bytes were read already.
    ///
    /// # Errors
    /// [`BlobError::Damaged`].
    pub fn with_header(&self, pack: PackId, bytes: &[u8]) -> Result<Arc<PackOpener>, BlobError> {
        let opener = Arc::new(PackOpener::new(self.repo, pack, bytes)?);
        if let Ok(mut known) = self.known.lock() {
            if known.len() >= OPENERS_MAX {
                known.clear();
            }
            known.insert(pack, Arc::clone(&opener));
        }
        Ok(opener)
    }
}

/// Reads chunks one at a time through a cache of blocks; for trees, `cat` and small reads.
///
/// If no copy that the index knows is there any more, a collector may have moved the chunk since:
/// the index is brought up to date, and the copies that it knows then are tried.
pub struct ChunkFetcher<'a> {
    repo: &'a Repo,
    index: &'a Index,
    openers: Openers<'a>,
    state: Mutex<FetchState>,
}

struct FetchState {
    reader: IndexReader,
    cache: BlockCache,
    decompressor: Decompressor,
    sealed: Vec<u8>,
    raw: Vec<u8>,
    refreshes_left: u32,
}

/// Looks at the store for copies of chunks that moved, per fetcher: where a pack is really lost,
/// most of its chunks would ask.
const REFRESHES_MAX: u32 = 3;

impl<'a> ChunkFetcher<'a> {
    /// A fetcher with a cache of `cache_bytes`.
    ///
    /// # Errors
    /// Those of the database.
    pub fn new(repo: &'a Repo, index: &'a Index, cache_bytes: usize) -> Result<Self, BlobError> {
        let state = FetchState {
            reader: index.reader()?,
            cache: BlockCache::new(cache_bytes),
            decompressor: Decompressor::new(),
            sealed: Vec::new(),
            raw: Vec::new(),
            refreshes_left: REFRESHES_MAX,
        };
        Ok(Self { repo, index, openers: Openers::new(repo), state: Mutex::new(state) })
    }

    /// The bytes of a chunk, verified.
    ///
    /// # Errors
    /// [`BlobError::Unknown`] if no copy is known, otherwise the error of the last copy.
    pub fn chunk(&self, id: &ChunkId) -> Result<Vec<u8>, BlobError> {
        let mut state = match self.state.lock() {
            Ok(state) => state,
            // The state is a cache and a connection: sound whatever happened to another thread.
            Err(poisoned) => poisoned.into_inner(),
        };
        match self.any_copy(&mut state, id) {
            Err(error) if error.is_gone() && state.refreshes_left > 0 => {
                state.refreshes_left -= 1;
                refresh(self.repo, self.index, &Silent)?;
                state.reader.refresh_view()?;
                self.any_copy(&mut state, id)
            }
            other => other,
        }
    }

    /// Whether `bytes` are the chunk with this id, by the key of the dedup domain that it is stored in:
    /// what one snapshot refers to may be of several domains.
    ///
    /// # Errors
    /// [`BlobError::Unknown`] if no copy is known whose domain could be asked for.
    pub fn is_chunk(&self, id: &ChunkId, bytes: &[u8]) -> Result<bool, BlobError> {
        let places = match self.state.lock() {
            Ok(state) => state.reader.places(id)?,
            Err(poisoned) => poisoned.into_inner().reader.places(id)?,
        };
        let mut last = BlobError::Unknown { id: *id };
        for place in places {
            match self.openers.get(place.pack, place.pack_bytes) {
                Ok(opener) => return Ok(opener.verify_chunk(id, bytes).is_ok()),
                Err(error) if error.is_local_to_one_copy() => last = error,
                Err(error) => return Err(error),
            }
        }
        Err(last)
    }

    /// The bytes of the first copy that is good.
    fn any_copy(&self, state: &mut FetchState, id: &ChunkId) -> Result<Vec<u8>, BlobError> {
        let mut last = BlobError::Unknown { id: *id };
        for place in state.reader.places(id)? {
            match self.read_copy(state, id, &place) {
                Ok(bytes) => return Ok(bytes),
                Err(error) if error.is_local_to_one_copy() => last = error,
                Err(error) => return Err(error),
            }
        }
        Err(last)
    }

    fn read_copy(
        &self,
        state: &mut FetchState,
        id: &ChunkId,
        place: &ChunkPlace,
    ) -> Result<Vec<u8>, BlobError> {
        let key = (place.pack, place.block);
        let (opener, block) = match state.cache.get(&key) {
            Some(block) => (self.openers.get(place.pack, place.pack_bytes)?, block),
            None => {
                let start = u64::from(place.block_offset);
                let range = start..start + u64::from(place.block_stored_bytes);
                let FetchState { sealed, raw, decompressor, .. } = &mut *state;
                let (opener, begin) =
                    self.openers.read(place.pack, place.pack_bytes, range, sealed)?;
                let raw = opener.open_block(
                    place.block,
                    &mut sealed[begin..],
                    place.block_raw_bytes,
                    decompressor,
                    raw,
                )?;
                let block = Arc::new(raw.to_vec());
                state.cache.insert(key, Arc::clone(&block));
                (opener, block)
            }
        };
        let start = place.offset as usize;
        let bytes = block.get(start..start + place.length_bytes as usize).ok_or_else(|| {
            BlobError::Damaged {
                key: key_of(place.pack),
                why: format!("chunk {id} lies outside its block"),
            }
        })?;
        opener.verify_chunk(id, bytes)?;
        Ok(bytes.to_vec())
    }
}
