//! An open file: any stretch of it, and what is read ahead.
//!
//! The kernel asks for stretches, several at once and not always in order. Whoever reads on where the last
//! stretch ended is taken to read the whole file: then what follows is fetched before it is asked for.

use std::sync::{Arc, Mutex, PoisonError};

use crate::base::id::ChunkId;
use crate::base::limits::{MIB, MOUNT_WINDOW_EXTENTS};
use crate::format::content::Content;
use crate::format::entry::{Entry, EntryKind};
use crate::format::extent::Extent;
use crate::mount::blocks::Blocks;
use crate::mount::error::MountError;
use crate::tree::error::TreeError;
use crate::tree::extents::ExtentCursor;

/// Stretches so far apart may still be of one reader: the kernel asks for several at once.
const ORDER_SLACK_BYTES: u64 = MIB as u64;
/// So many stretches in order make a reader of the whole file.
const ORDERLY_READS: u32 = 2;

/// What is read ahead, and where to.
pub struct Ahead<'a> {
    /// How far.
    pub bytes: u64,
    /// Takes a chunk that will be wanted; `false` if there is no room.
    pub take: &'a dyn Fn(ChunkId) -> bool,
}

/// An open file.
pub struct OpenFile {
    entry: Arc<Entry>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// Extents that follow each other, with where each begins.
    window: Vec<(u64, Extent)>,
    /// Where the next stretch begins if somebody reads on.
    expected: u64,
    /// Stretches in order.
    orderly: u32,
    /// All up to here was read ahead.
    ahead_to: u64,
}

impl State {
    fn covers(&self, from: u64, to: u64) -> bool {
        let begin = self.window.first().map(|(at, _)| *at);
        let end = self.window.last().map(|(at, extent)| at.saturating_add(extent.length_bytes()));
        begin.is_some_and(|begin| begin <= from) && end.is_some_and(|end| end >= to)
    }

    /// Whether somebody reads on; notes that `from..to` is read.
    fn is_orderly(&mut self, from: u64, to: u64) -> bool {
        let near = from.abs_diff(self.expected) <= ORDER_SLACK_BYTES;
        self.orderly = if near { self.orderly.saturating_add(1) } else { 0 };
        if !near {
            self.ahead_to = to;
        }
        self.expected = if near { self.expected.max(to) } else { to };
        self.orderly >= ORDERLY_READS
    }

    fn overlapping(&self, from: u64, to: u64) -> impl Iterator<Item = &(u64, Extent)> {
        let first = self
            .window
            .partition_point(|(at, extent)| at.saturating_add(extent.length_bytes()) <= from);
        self.window[first..].iter().take_while(move |(at, _)| *at < to)
    }
}

impl OpenFile {
    /// Opens a file.
    ///
    /// # Errors
    /// [`MountError::NotAFile`], [`MountError::Unread`].
    pub fn new(entry: Arc<Entry>) -> Result<Self, MountError> {
        match (entry.kind, &entry.content) {
            (EntryKind::File, Some(_)) => Ok(Self { entry, state: Mutex::default() }),
            (EntryKind::File, None) => Err(MountError::Unread),
            _ => Err(MountError::NotAFile),
        }
    }

    /// Up to `length_bytes` bytes from `offset` on; less only at the end of the file.
    ///
    /// # Errors
    /// [`MountError`] if any of them cannot be read: less bytes would count as the end of the file.
    pub fn read(
        &self,
        blocks: &Blocks<'_>,
        ahead: &Ahead<'_>,
        offset: u64,
        length_bytes: u32,
    ) -> Result<Vec<u8>, MountError> {
        let to = offset.saturating_add(u64::from(length_bytes)).min(self.entry.size_bytes);
        if offset >= to {
            return Ok(Vec::new());
        }
        match &self.entry.content {
            Some(Content::Inline(bytes)) => {
                let wanted = bytes.get(offset as usize..to as usize);
                wanted.map(<[u8]>::to_vec).ok_or_else(|| TreeError::BadExtents.into())
            }
            Some(content) => {
                let extents = self.extents(blocks, content, ahead, offset, to)?;
                fill(blocks, &extents, offset, to)
            }
            None => Err(MountError::Unread),
        }
    }

    /// The extents that cover a stretch; sends off what is to be read ahead.
    fn extents(
        &self,
        blocks: &Blocks<'_>,
        content: &Content,
        ahead: &Ahead<'_>,
        from: u64,
        to: u64,
    ) -> Result<Vec<(u64, Extent)>, MountError> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let is_orderly = state.is_orderly(from, to);
        let until = match is_orderly {
            true => to.saturating_add(ahead.bytes).min(self.entry.size_bytes),
            false => to,
        };
        if !state.covers(from, until) {
            let count = if is_orderly { MOUNT_WINDOW_EXTENTS } else { 0 };
            state.window = window(blocks, content, from, until, count)?;
            if !state.covers(from, to) {
                return Err(TreeError::BadExtents.into());
            }
        }
        if is_orderly && state.ahead_to < until {
            let next: Vec<_> = state.overlapping(state.ahead_to.max(to), until).copied().collect();
            // A chunk for which there is no room is tried again with the next stretch.
            let refused = next.into_iter().find(|(_, extent)| match extent {
                Extent::Chunk { id, .. } => !(ahead.take)(*id),
                Extent::Hole { .. } => false,
            });
            state.ahead_to = refused.map_or(until, |(at, _)| at);
        }
        Ok(state.overlapping(from, to).copied().collect())
    }

    /// Where data (or a hole) begins at or behind `offset`; the end of the file counts as a hole.
    ///
    /// # Errors
    /// [`MountError::NothingBehind`]; damage.
    pub fn seek(
        &self,
        blocks: &Blocks<'_>,
        offset: u64,
        is_for_data: bool,
    ) -> Result<u64, MountError> {
        let size = self.entry.size_bytes;
        if offset >= size {
            return Err(MountError::NothingBehind);
        }
        let content = match &self.entry.content {
            Some(content) if !matches!(content, Content::Inline(_)) => content,
            Some(_) if is_for_data => return Ok(offset),
            _ => return Ok(size),
        };
        let mut cursor = ExtentCursor::from(blocks, content, offset);
        while let Some(extent) = cursor.next() {
            let extent = extent?;
            if matches!(extent, Extent::Chunk { .. }) == is_for_data {
                let at = cursor.at_bytes().saturating_sub(extent.length_bytes());
                return Ok(at.max(offset));
            }
        }
        match is_for_data {
            true => Err(MountError::NothingBehind),
            false => Ok(size),
        }
    }
}

/// The extents from `from` on, up to `until` and until there are `count`.
fn window(
    blocks: &Blocks<'_>,
    content: &Content,
    from: u64,
    until: u64,
    count: usize,
) -> Result<Vec<(u64, Extent)>, MountError> {
    let mut cursor = ExtentCursor::from(blocks, content, from);
    let mut window = Vec::new();
    while cursor.at_bytes() < until || window.len() < count {
        let Some(extent) = cursor.next() else { break };
        match extent {
            Ok(extent) => {
                let at = cursor.at_bytes().saturating_sub(extent.length_bytes());
                window.push((at, extent));
            }
            // What comes before the damage is not damaged.
            Err(_) if !window.is_empty() => break,
            Err(error) => return Err(error.into()),
        }
    }
    Ok(window)
}

fn fill(
    blocks: &Blocks<'_>,
    extents: &[(u64, Extent)],
    from: u64,
    to: u64,
) -> Result<Vec<u8>, MountError> {
    let mut bytes = Vec::with_capacity((to - from) as usize);
    for (at, extent) in extents {
        let begin = from.saturating_sub(*at);
        let end = extent.length_bytes().min(to - at);
        if end <= begin {
            continue;
        }
        match extent {
            Extent::Hole { .. } => bytes.resize(bytes.len() + (end - begin) as usize, 0),
            Extent::Chunk { id, length_bytes } => {
                let chunk = blocks.chunk(id)?;
                if chunk.len() != *length_bytes as usize {
                    return Err(TreeError::BadExtents.into());
                }
                bytes.extend_from_slice(&chunk[begin as usize..end as usize]);
            }
        }
    }
    match bytes.len() as u64 == to - from {
        true => Ok(bytes),
        false => Err(TreeError::BadExtents.into()),
    }
}
