//! The hints of one leaf of the tree: as stored, and as looked at.

use std::ops::Range;

use crate::base::codec::{CodecError, Cursor, PutLe};
use crate::base::id::ChunkId;
use crate::base::limits::{HINT_LEAF_MAX_BYTES, NODE_MAX_BYTES, PATH_MAX_BYTES};
use crate::base::time::Timestamp;
use crate::format::entry::{Entry, EntryKind, Facts};
use crate::format::node::Child;
use crate::index::error::IndexError;

/// Facts, soundness and three lengths.
const RECORD_HEADER_BYTES: usize = 66 + 1 + 12;

/// The entries below one leaf, compared one by one and taken over as a whole where possible.
#[derive(Debug)]
pub struct HintLeaf {
    /// The leaf as its parent named it.
    pub child: Child,
    /// Whether its last key ends a leaf, whatever follows; the last leaf of a tree just ends.
    pub is_bounded: bool,
    pub(super) stored: Vec<u8>,
    body: Vec<u8>,
    keys: Vec<u8>,
    records: Vec<Record>,
}

#[derive(Debug)]
struct Record {
    key: Range<usize>,
    facts: Facts,
    is_sound: bool,
    listing: u8,
    entry: Range<usize>,
}

impl HintLeaf {
    /// How many entries it has; at least one.
    #[must_use]
    pub fn entry_count(&self) -> usize {
        self.records.len()
    }

    /// Path key of an entry; empty beyond the last.
    #[must_use]
    pub fn key(&self, number: usize) -> &[u8] {
        self.records.get(number).map_or(&[], |record| &self.keys[record.key.clone()])
    }

    /// Facts of an entry and how complete its listing is, provided it was read whole and in one
    /// piece.
    #[must_use]
    pub fn sound_facts(&self, number: usize) -> Option<(&Facts, u8)> {
        let record = self.records.get(number).filter(|record| record.is_sound)?;
        Some((&record.facts, record.listing))
    }

    /// An entry, decoded.
    ///
    /// # Errors
    /// [`IndexError::Hints`] if there is none of that number, or it is none.
    pub fn entry(&self, number: usize) -> Result<Entry, IndexError> {
        let none = || IndexError::Hints { what: "an entry that does not decode" };
        let record = self.records.get(number).ok_or_else(none)?;
        minicbor::decode(&self.body[record.entry.clone()]).map_err(|_| none())
    }

    /// Takes apart the hints of a leaf; `stored` is what they were stored as.
    pub(super) fn decode(stored: Vec<u8>, body: Vec<u8>) -> Result<Self, CodecError> {
        let mut cursor = Cursor::new(&body);
        let is_bounded = cursor.u8()? == 1;
        let node = ChunkId::new(cursor.array()?);
        let entry_count = cursor.count(RECORD_HEADER_BYTES, NODE_MAX_BYTES, "hints of a leaf")?;
        let total_bytes = cursor.u64()?;
        let mut keys: Vec<u8> = Vec::with_capacity(entry_count * 64);
        let mut records = Vec::with_capacity(entry_count);
        let mut last = 0..0;
        for _ in 0..entry_count {
            let facts = take_facts(&mut cursor)?;
            let state = cursor.u8()?;
            let (shared, rest, length) =
                (cursor.u32()? as usize, cursor.u32()? as usize, cursor.u32()? as usize);
            let grown = keys.len() + shared + rest;
            if shared > last.len()
                || shared + rest > PATH_MAX_BYTES
                || grown > HINT_LEAF_MAX_BYTES
                || length > HINT_LEAF_MAX_BYTES
            {
                return Err(CodecError::Range { what: "a length in the hints" });
            }
            let start = keys.len();
            keys.extend_from_within(last.start..last.start + shared);
            keys.extend_from_slice(cursor.take(rest)?);
            last = start..keys.len();
            let entry = cursor.offset()..cursor.offset() + length;
            cursor.take(length)?;
            let (is_sound, listing) = (state & 1 == 1, state >> 1);
            records.push(Record { key: last.clone(), facts, is_sound, listing, entry });
        }
        cursor.finish()?;
        if records.is_empty() {
            return Err(CodecError::Range { what: "hints of a leaf" });
        }
        let last_key = keys[last].to_vec();
        let item_count = records.len() as u64;
        let child = Child { last_key, node, item_count, total_bytes };
        Ok(Self { child, is_bounded, stored, body, keys, records })
    }
}

/// Appends the hints of a leaf to `body`.
pub(super) fn encode(
    body: &mut Vec<u8>,
    child: &Child,
    is_bounded: bool,
    entries: &[(Vec<u8>, Entry)],
) -> Result<(), IndexError> {
    body.put_u8(is_bounded.into());
    body.put(child.node.as_bytes());
    body.put_u32(entries.len() as u32);
    body.put_u64(child.total_bytes);
    let mut last: &[u8] = &[];
    for (key, entry) in entries {
        let shared = last.iter().zip(key).take_while(|(a, b)| a == b).count();
        put_facts(body, &entry.facts());
        body.put_u8(u8::from(entry.is_sound()) | entry.listing << 1);
        body.put_u32(shared as u32);
        body.put_u32((key.len() - shared) as u32);
        let length_at = body.len();
        body.put_u32(0);
        body.put(&key[shared..]);
        let start = body.len();
        minicbor::encode(entry, &mut *body)
            .map_err(|_| IndexError::Hints { what: "an entry that does not encode" })?;
        let length = (body.len() - start) as u32;
        body[length_at..length_at + 4].copy_from_slice(&length.to_le_bytes());
        last = key;
    }
    Ok(())
}

fn put_facts(body: &mut Vec<u8>, facts: &Facts) {
    body.put_u8(facts.kind as u8);
    body.put_u8(0);
    body.put_u32(facts.mode);
    body.put_u32(facts.uid);
    body.put_u32(facts.gid);
    for time in [facts.mtime, facts.ctime] {
        body.put_u64(time.seconds.cast_unsigned());
        body.put_u32(time.nanos);
    }
    body.put_u64(facts.size_bytes);
    body.put_u64(facts.inode);
    body.put_u64(facts.device);
    body.put_u32(facts.link_count);
}

fn take_facts(cursor: &mut Cursor<'_>) -> Result<Facts, CodecError> {
    let kind = kind_of(cursor.u8()?).ok_or(CodecError::Range { what: "kind of an entry" })?;
    cursor.u8()?;
    let (mode, uid, gid) = (cursor.u32()?, cursor.u32()?, cursor.u32()?);
    let mut time = || {
        let seconds = cursor.u64()?.cast_signed();
        Ok::<_, CodecError>(Timestamp { seconds, nanos: cursor.u32()? })
    };
    let (mtime, ctime) = (time()?, time()?);
    let (size_bytes, inode, device) = (cursor.u64()?, cursor.u64()?, cursor.u64()?);
    let link_count = cursor.u32()?;
    Ok(Facts { kind, mode, uid, gid, mtime, ctime, size_bytes, inode, device, link_count })
}

fn kind_of(code: u8) -> Option<EntryKind> {
    use EntryKind::{BlockDevice, CharDevice, Directory, Fifo, File, Socket, Symlink};
    let all = [File, Directory, Symlink, Fifo, Socket, CharDevice, BlockDevice];
    all.into_iter().find(|kind| *kind as u8 == code)
}
