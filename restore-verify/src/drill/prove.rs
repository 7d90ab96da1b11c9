//! What a file should be and what came back, as two hashes.
//!
//! Both are BLAKE3 over the extents in order: `01 ‖ length u32 ‖ chunk id` for a chunk, `02 ‖
//! length u64` for a hole, `03 ‖ bytes` for a file that lies in its entry, numbers big-endian. The
//! expected one takes the ids from the tree, the actual one computes each anew from the bytes that
//! were restored, under the key of chunk ids of the dedup domain that the chunk is stored in.

use engine::base::error::in_one_line;
use engine::base::id::{ChunkId, PackKind};
use engine::base::limits::CHUNK_MAX_BYTES;
use engine::blob::fetch::ChunkFetcher;
use engine::crypt::hash::ChunkIdKey;
use engine::disk::read::OpenFile;
use engine::format::entry::{Content, Entry};
use engine::format::extent::Extent;
use engine::tree::extents::ExtentCursor;

use crate::drill::survey::Picked;
use crate::evidence::record::Hash32;
use crate::evidence::table::ResultRow;

/// Bytes of a hole that are looked at in one piece.
const PIECE_BYTES: u64 = 256 * 1024;

/// Where the bytes of a restored file are.
#[derive(Clone, Copy)]
pub enum Restored<'a> {
    /// In a file in scratch.
    File(&'a OpenFile),
    /// Nowhere: they are fetched, looked at and dropped.
    Dropped,
}

/// Compares a file with the tree; the row says what should be and what is, the text why they
/// differ.
pub fn prove(
    fetcher: &ChunkFetcher<'_>,
    key: &ChunkIdKey,
    picked: &Picked,
    restored: Option<Restored<'_>>,
) -> (ResultRow, Result<(), String>) {
    let mut hashes = Hashes { expected: blake3::Hasher::new(), actual: blake3::Hasher::new() };
    let prover = Prover { fetcher, key, restored };
    let proved = prover.walk(&picked.entry, &mut hashes);
    let expected = Hash32(*hashes.expected.finalize().as_bytes());
    let (actual, proved) = match proved {
        Ok(()) => {
            let actual = Hash32(*hashes.actual.finalize().as_bytes());
            let is_equal = actual == expected;
            (actual, if is_equal { Ok(()) } else { Err("its bytes differ".to_owned()) })
        }
        Err(why) => (Hash32::default(), Err(why)),
    };
    let size_bytes = picked.entry.size_bytes;
    (ResultRow { path: picked.hash, size_bytes, expected, actual }, proved)
}

struct Hashes {
    expected: blake3::Hasher,
    actual: blake3::Hasher,
}

struct Prover<'a> {
    fetcher: &'a ChunkFetcher<'a>,
    key: &'a ChunkIdKey,
    restored: Option<Restored<'a>>,
}

impl Prover<'_> {
    /// Goes on to the end for the expected hash, whatever is wrong with the actual bytes.
    fn walk(&self, entry: &Entry, hashes: &mut Hashes) -> Result<(), String> {
        let mut first_wrong = match (self.restored, entry.size_bytes) {
            (None, _) => Some("it was not restored".to_owned()),
            (Some(Restored::File(file)), size) => match file.stamp() {
                Ok(stamp) if stamp.size_bytes == size => None,
                Ok(stamp) => Some(format!("it has {} bytes instead of {size}", stamp.size_bytes)),
                Err(error) => Some(in_one_line(&error)),
            },
            (Some(Restored::Dropped), _) => None,
        };
        let content = match &entry.content {
            Some(Content::Inline(bytes)) => {
                hashes.expected.update(&[3]).update(bytes);
                let found = self.inline(bytes);
                if let (None, Ok(found)) = (&first_wrong, &found) {
                    hashes.actual.update(&[3]).update(found);
                }
                return first_wrong.map_or(found.map(drop), Err);
            }
            Some(content) => content,
            None => return Err("the snapshot has no content for it".to_owned()),
        };
        let mut offset = 0;
        for extent in ExtentCursor::new(self.fetcher, content) {
            let extent = extent.map_err(|error| in_one_line(&error))?;
            token(&mut hashes.expected, &extent);
            if first_wrong.is_none() {
                match self.found(&extent, offset) {
                    Ok(found) => token(&mut hashes.actual, &found),
                    Err(why) => first_wrong = Some(why),
                }
            }
            offset = offset.saturating_add(extent.length_bytes());
        }
        if first_wrong.is_none() && offset != entry.size_bytes {
            first_wrong = Some("its extents are not as long as the file".to_owned());
        }
        first_wrong.map_or(Ok(()), Err)
    }

    fn inline(&self, bytes: &[u8]) -> Result<Vec<u8>, String> {
        match self.restored {
            Some(Restored::File(file)) => read(file, 0, bytes.len()),
            _ => Ok(bytes.to_vec()),
        }
    }

    /// What stands where the tree says that `extent` is.
    fn found(&self, extent: &Extent, offset: u64) -> Result<Extent, String> {
        match (extent, self.restored) {
            (Extent::Chunk { id, length_bytes }, Some(Restored::Dropped)) => {
                let bytes = self.fetcher.chunk(id).map_err(|error| in_one_line(&error))?;
                if bytes.len() != *length_bytes as usize {
                    return Err(format!("chunk {id} has another length than the file says"));
                }
                let id = self.id_of(&bytes, id)?;
                Ok(Extent::Chunk { id, length_bytes: *length_bytes })
            }
            (Extent::Chunk { id, length_bytes }, Some(Restored::File(file))) => {
                let length = (*length_bytes as usize).min(CHUNK_MAX_BYTES);
                let id = self.id_of(&read(file, offset, length)?, id)?;
                Ok(Extent::Chunk { id, length_bytes: *length_bytes })
            }
            (Extent::Hole { length_bytes }, Some(Restored::File(file))) => {
                check_hole(file, offset, offset.saturating_add(*length_bytes))?;
                Ok(*extent)
            }
            (Extent::Hole { .. }, _) => Ok(*extent),
            (Extent::Chunk { .. }, None) => Err("it was not restored".to_owned()),
        }
    }
}

impl Prover<'_> {
    /// The id of bytes, by the key of the snapshot's dedup domain, or by that of the domain in which
    /// the chunk lies that should be there: a machine whose key changed refers to both.
    fn id_of(&self, bytes: &[u8], expected: &ChunkId) -> Result<ChunkId, String> {
        let own = self.key.id(PackKind::Data, bytes);
        if own == *expected {
            return Ok(own);
        }
        match self.fetcher.is_chunk(expected, bytes) {
            Ok(true) => Ok(*expected),
            Ok(false) => Ok(own),
            Err(error) => Err(in_one_line(&error)),
        }
    }
}

fn token(hasher: &mut blake3::Hasher, extent: &Extent) {
    match extent {
        Extent::Chunk { id, length_bytes } => {
            hasher.update(&[1]).update(&length_bytes.to_be_bytes()).update(id.as_bytes());
        }
        Extent::Hole { length_bytes } => {
            hasher.update(&[2]).update(&length_bytes.to_be_bytes());
        }
    }
}

fn read(file: &OpenFile, offset: u64, length: usize) -> Result<Vec<u8>, String> {
    let mut bytes = vec![0; length];
    match file.read_at(&mut bytes, offset) {
        Ok(count) if count == length => Ok(bytes),
        Ok(_) => Err(format!("it ends before byte {}", offset + length as u64)),
        Err(error) => Err(in_one_line(&error)),
    }
}

/// A hole may have become data that is zero, never anything else.
fn check_hole(file: &OpenFile, start: u64, end: u64) -> Result<(), String> {
    let mut offset = start;
    while offset < end {
        let data = file.next_data(offset).map_err(|error| in_one_line(&error))?;
        let Some((from, to)) = data.filter(|(from, _)| *from < end) else { return Ok(()) };
        let from = from.max(offset);
        let length = (to.min(end) - from).min(PIECE_BYTES);
        if read(file, from, length as usize)?.iter().any(|byte| *byte != 0) {
            return Err(format!("it has data at {from} where the snapshot has a hole"));
        }
        offset = from + length;
    }
    Ok(())
}
