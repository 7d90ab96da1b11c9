//! Chunks for many readers at once: whoever waits for the store keeps nobody from what is there.
//!
//! A block that somebody reads already is waited for rather than read twice. Nothing that failed is kept.
//! Where no copy of a chunk is there any more, a collector may have moved it: then the index is brought up
//! to date, but not again and again where a pack is really lost.

use std::collections::HashSet;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::base::id::ChunkId;
use crate::base::limits::{MOUNT_CACHE_BYTES, MOUNT_LOOK_AGAIN_MS};
use crate::base::monitor::Silent;
use crate::base::time::{Clock, SystemClock};
use crate::blob::BlobError;
use crate::blob::cache::{BlockCache, BlockKey};
use crate::blob::fetch::Openers;
use crate::blob::open_pack::key_of;
use crate::chunk::squeeze::Decompressor;
use crate::format::node::Node;
use crate::index::refresh::refresh;
use crate::index::{ChunkPlace, Index, IndexReader};
use crate::repo::Repo;
use crate::tree::error::TreeError;
use crate::tree::source::NodeRead;

/// The blocks of a repository, shared by all readers of a mount.
pub struct Blocks<'a> {
    repo: &'a Repo,
    index: &'a Index,
    openers: Openers<'a>,
    places: Mutex<Places>,
    held: Mutex<Held>,
    arrived: Condvar,
    spare: Mutex<Vec<Buffers>>,
    clock: SystemClock,
}

struct Places {
    reader: IndexReader,
    /// How often the index was brought up to date.
    looks: u64,
    /// When it was last.
    looked: Option<Duration>,
}

struct Held {
    cache: BlockCache,
    /// Blocks that somebody reads at present.
    awaited: HashSet<BlockKey>,
}

/// What one reading takes; kept for the next.
#[derive(Default)]
struct Buffers {
    decompressor: Decompressor,
    sealed: Vec<u8>,
    raw: Vec<u8>,
}

/// Buffers that are kept: more readers than that are rare.
const SPARE_BUFFERS: usize = 8;

/// A lock whose holder may have panicked: what it guards is a cache, sound whatever happened.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Lets others read a block when whoever read it is done, whatever became of it.
struct Awaited<'b, 'a> {
    blocks: &'b Blocks<'a>,
    key: BlockKey,
}

impl Drop for Awaited<'_, '_> {
    fn drop(&mut self) {
        lock(&self.blocks.held).awaited.remove(&self.key);
        self.blocks.arrived.notify_all();
    }
}

impl<'a> Blocks<'a> {
    /// None read yet.
    ///
    /// # Errors
    /// Those of the database.
    pub fn new(repo: &'a Repo, index: &'a Index) -> Result<Self, BlobError> {
        let cache = BlockCache::new(MOUNT_CACHE_BYTES);
        Ok(Self {
            repo,
            index,
            openers: Openers::new(repo),
            places: Mutex::new(Places { reader: index.reader()?, looks: 0, looked: None }),
            held: Mutex::new(Held { cache, awaited: HashSet::new() }),
            arrived: Condvar::new(),
            spare: Mutex::default(),
            clock: SystemClock::default(),
        })
    }

    /// The bytes of a chunk, verified.
    ///
    /// # Errors
    /// [`BlobError::Unknown`] if no copy is known, otherwise the error of the last copy.
    pub fn chunk(&self, id: &ChunkId) -> Result<Vec<u8>, BlobError> {
        let (places, looks) = self.places(id)?;
        match self.any_copy(id, &places) {
            Err(error) if error.is_gone() && self.look_again(looks)? => {
                let (places, _) = self.places(id)?;
                self.any_copy(id, &places)
            }
            other => other,
        }
    }

    /// Reads the block of a chunk, unless it is there or somebody reads it.
    ///
    /// # Errors
    /// As [`Blocks::chunk`]; whoever reads the chunk will meet the error again.
    pub fn warm(&self, id: &ChunkId) -> Result<(), BlobError> {
        let (places, _) = self.places(id)?;
        let Some(place) = places.first() else { return Ok(()) };
        let key = (place.pack, place.block);
        {
            let mut held = lock(&self.held);
            if held.awaited.contains(&key) || held.cache.get(&key).is_some() {
                return Ok(());
            }
        }
        self.block(place).map(drop)
    }

    /// Lets go of the view of the index, so that the log of other processes can shrink.
    pub fn rest(&self) {
        // It is taken again with the next look.
        let _ = lock(&self.places).reader.refresh_view();
    }

    fn places(&self, id: &ChunkId) -> Result<(Vec<ChunkPlace>, u64), BlobError> {
        let places = lock(&self.places);
        Ok((places.reader.places(id)?, places.looks))
    }

    /// Brings the index up to date, unless somebody did since `looks`; whether a chunk may be elsewhere now.
    fn look_again(&self, looks: u64) -> Result<bool, BlobError> {
        let mut places = lock(&self.places);
        if places.looks != looks {
            return Ok(true);
        }
        let now = self.clock.monotonic();
        let again = Duration::from_millis(MOUNT_LOOK_AGAIN_MS);
        if places.looked.is_some_and(|looked| now.saturating_sub(looked) < again) {
            return Ok(false);
        }
        places.looked = Some(now);
        // Others who look for chunks wait: what they would find is old.
        refresh(self.repo, self.index, &Silent)?;
        places.reader.refresh_view()?;
        places.looks += 1;
        Ok(true)
    }

    fn any_copy(&self, id: &ChunkId, places: &[ChunkPlace]) -> Result<Vec<u8>, BlobError> {
        let mut last = BlobError::Unknown { id: *id };
        for place in places {
            match self.copy(id, place) {
                Ok(bytes) => return Ok(bytes),
                Err(error) if error.is_local_to_one_copy() => last = error,
                Err(error) => return Err(error),
            }
        }
        Err(last)
    }

    fn copy(&self, id: &ChunkId, place: &ChunkPlace) -> Result<Vec<u8>, BlobError> {
        let block = self.block(place)?;
        let start = place.offset as usize;
        let bytes = block.get(start..start + place.length_bytes as usize).ok_or_else(|| {
            BlobError::Damaged {
                key: key_of(place.pack),
                why: format!("chunk {id} lies outside its block"),
            }
        })?;
        self.openers.get(place.pack, place.pack_bytes)?.verify_chunk(id, bytes)?;
        Ok(bytes.to_vec())
    }

    fn block(&self, place: &ChunkPlace) -> Result<Arc<Vec<u8>>, BlobError> {
        let key = (place.pack, place.block);
        let mut held = lock(&self.held);
        loop {
            if let Some(block) = held.cache.get(&key) {
                return Ok(block);
            }
            if held.awaited.insert(key) {
                break;
            }
            held = self.arrived.wait(held).unwrap_or_else(PoisonError::into_inner);
        }
        drop(held);
        let _awaited = Awaited { blocks: self, key };
        let block = Arc::new(self.fetch(place)?);
        lock(&self.held).cache.insert(key, Arc::clone(&block));
        Ok(block)
    }

    fn fetch(&self, place: &ChunkPlace) -> Result<Vec<u8>, BlobError> {
        let mut buffers = lock(&self.spare).pop().unwrap_or_default();
        let Buffers { decompressor, sealed, raw } = &mut buffers;
        let start = u64::from(place.block_offset);
        let range = start..start + u64::from(place.block_stored_bytes);
        let (opener, begin) = self.openers.read(place.pack, place.pack_bytes, range, sealed)?;
        let block = opener
            .open_block(
                place.block,
                &mut sealed[begin..],
                place.block_raw_bytes,
                decompressor,
                raw,
            )?
            .to_vec();
        let mut spare = lock(&self.spare);
        if spare.len() < SPARE_BUFFERS {
            spare.push(buffers);
        }
        Ok(block)
    }
}

impl NodeRead for Blocks<'_> {
    fn read_node(&self, id: &ChunkId) -> Result<Node, TreeError> {
        let bytes = self.chunk(id)?;
        Node::decode(&bytes).map_err(|source| TreeError::Decode { node: *id, source })
    }
}
