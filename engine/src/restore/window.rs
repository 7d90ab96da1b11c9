//! A bounded part of a restore's plan: which chunks go where, and in which order blocks are read.

use std::sync::Arc;

use hashbrown::HashMap;

use crate::base::id::{ChunkId, PackId};
use crate::base::limits::{RESTORE_FIRST_WINDOW_PART, RESTORE_WINDOW_CHUNKS, RESTORE_WINDOW_FILES};
use crate::blob::gather::gather;
use crate::index::{ChunkPlace, IndexError, IndexReader};
use crate::restore::file::RestoredFile;
use crate::restore::ready::Ready;

/// A chunk and where its bytes belong.
pub(super) struct Wanted {
    pub(super) id: ChunkId,
    /// Its length as the file says.
    pub(super) length_bytes: u32,
    pub(super) file: Arc<RestoredFile>,
    pub(super) offset: u64,
}

/// How much goes into one window. Small ones at the beginning let writing begin at once; large ones
/// decode fewer blocks twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WindowSize {
    /// This part of the limits, `1 / part`.
    part: usize,
}

impl WindowSize {
    /// That of the first window.
    pub const FIRST: Self = Self { part: RESTORE_FIRST_WINDOW_PART };

    /// That of the window that follows: twice as large, up to the limits.
    #[must_use]
    pub fn next(self) -> Self {
        Self { part: self.part.div_ceil(2) }
    }

    /// Whether so much is enough.
    #[must_use]
    pub fn is_full(self, chunk_count: usize, file_count: usize) -> bool {
        self.is_full_of_chunks(chunk_count) || file_count >= RESTORE_WINDOW_FILES / self.part
    }

    /// Whether so many chunks are enough.
    #[must_use]
    pub fn is_full_of_chunks(self, chunk_count: usize) -> bool {
        chunk_count >= RESTORE_WINDOW_CHUNKS / self.part
    }
}

/// Files and chunks that were planned and not carried out yet.
pub(super) struct Window {
    pub(super) wanted: Vec<Wanted>,
    pub(super) ready: Vec<Ready>,
    pub(super) file_count: usize,
    /// Content that its files hold in the end, and when that is enough.
    pub(super) bytes: u64,
    bytes_max: u64,
    size: WindowSize,
}

impl Window {
    /// The first window. No window takes more than one file beyond `bytes_max`.
    pub(super) fn first(bytes_max: u64) -> Self {
        let (wanted, ready) = (Vec::new(), Vec::new());
        Self { wanted, ready, file_count: 0, bytes: 0, bytes_max, size: WindowSize::FIRST }
    }

    /// The window that follows.
    pub(super) fn next(&self) -> Self {
        Self { size: self.size.next(), ..Self::first(self.bytes_max) }
    }

    pub(super) fn is_full(&self) -> bool {
        self.bytes >= self.bytes_max || self.size.is_full(self.wanted.len(), self.file_count)
    }

    pub(super) fn is_full_of_chunks(&self) -> bool {
        self.size.is_full_of_chunks(self.wanted.len())
    }
}

/// A chunk inside a block, and which of the window's wishes it serves.
pub(super) struct PlannedChunk {
    pub(super) offset: u32,
    pub(super) length_bytes: u32,
    pub(super) wanted: u32,
}

/// A block that is decoded once.
pub(super) struct PlannedBlock {
    pub(super) number: u32,
    pub(super) offset: u32,
    pub(super) stored_bytes: u32,
    pub(super) raw_bytes: u32,
    pub(super) chunks: Vec<PlannedChunk>,
}

/// A range of a pack that is read with one request.
pub(super) struct PlannedRead {
    pub(super) pack: PackId,
    pub(super) pack_bytes: u32,
    pub(super) bytes: std::ops::Range<u64>,
    pub(super) blocks: Vec<PlannedBlock>,
}

/// Reads of a window, and the wishes that no pack can fulfil.
pub(super) struct Plan {
    pub(super) reads: Vec<PlannedRead>,
    /// Unknown chunks, and those of another length than their file says.
    pub(super) unknown: Vec<u32>,
}

type Blocks = HashMap<u32, PlannedBlock>;

/// Orders the wishes of a window by pack and block, in reads of at most `range_max_bytes`.
pub(super) fn plan(
    wanted: &[Wanted],
    reader: &IndexReader,
    range_max_bytes: usize,
) -> Result<Plan, IndexError> {
    let mut packs: HashMap<PackId, (u32, Blocks)> = HashMap::new();
    let mut unknown = Vec::new();
    for (number, wish) in wanted.iter().enumerate() {
        let number = number as u32;
        let place = reader.first_place(&wish.id)?;
        let Some(place) = place.filter(|place| place.length_bytes == wish.length_bytes) else {
            unknown.push(number);
            continue;
        };
        let pack = packs.entry(place.pack).or_insert_with(|| (place.pack_bytes, Blocks::new()));
        let block = pack.1.entry(place.block).or_insert_with(|| new_block(&place));
        block.chunks.push(PlannedChunk {
            offset: place.offset,
            length_bytes: place.length_bytes,
            wanted: number,
        });
    }
    let mut packs: Vec<_> = packs.into_iter().collect();
    // Packs in the order they were written: neighbours in time are neighbours in the tree.
    packs.sort_by_key(|(pack, _)| *pack);
    let mut reads = Vec::new();
    for (pack, (pack_bytes, blocks)) in packs {
        reads_of(pack, pack_bytes, blocks, range_max_bytes, &mut reads);
    }
    Ok(Plan { reads, unknown })
}

fn new_block(place: &ChunkPlace) -> PlannedBlock {
    PlannedBlock {
        number: place.block,
        offset: place.block_offset,
        stored_bytes: place.block_stored_bytes,
        raw_bytes: place.block_raw_bytes,
        chunks: Vec::new(),
    }
}

fn reads_of(
    pack: PackId,
    pack_bytes: u32,
    blocks: Blocks,
    range_max_bytes: usize,
    reads: &mut Vec<PlannedRead>,
) {
    let mut blocks: Vec<_> = blocks.into_values().collect();
    blocks.sort_by_key(|block| block.offset);
    let extents: Vec<_> = blocks.iter().map(|b| (b.offset, b.stored_bytes)).collect();
    let mut blocks = blocks.into_iter();
    reads.extend(gather(&extents, range_max_bytes).into_iter().map(|range| PlannedRead {
        pack,
        pack_bytes,
        bytes: range.bytes,
        blocks: blocks.by_ref().take(range.wanted.len()).collect(),
    }));
}
