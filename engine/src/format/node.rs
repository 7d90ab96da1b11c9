//! Nodes of the two prolly trees: entries sorted by path, and extents in file order.
//!
//! A node is a CBOR array `[kind, level, items]`, level 0 being the leaves. Keys are compressed
//! against the key before them: `[shared length, rest]`. A decoder checks that keys rise, so a
//! node that was put together wrongly is noticed where it is read, and that all keys together are
//! no longer written out than a node may be: a writer closes nodes long before, and a thousand
//! long keys that share almost everything would otherwise fill the memory of a reader.

use minicbor::{Decode, Decoder, Encode, Encoder};

use crate::base::codec::CodecError;
use crate::base::id::ChunkId;
use crate::base::limits::{NODE_MAX_BYTES, PATH_MAX_BYTES, TREE_MAX_LEVELS};
use crate::format::entry::Entry;
use crate::format::extent::Extent;

/// Number of the tree of entries.
const KIND_ENTRIES: u8 = 1;
/// Number of the tree of extents.
const KIND_EXTENTS: u8 = 2;

/// An inner node's view of one child.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Child {
    /// Key of the last item below the child; empty in an extent tree.
    pub last_key: Vec<u8>,
    /// The child.
    pub node: ChunkId,
    /// Items (entries or extents) below the child.
    pub item_count: u64,
    /// Logical bytes below the child.
    pub total_bytes: u64,
}

/// A decoded node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Node {
    /// Entries with their path keys, in rising order.
    Entries(Vec<(Vec<u8>, Entry)>),
    /// Children of an inner node of the entry tree, in rising order of their last keys.
    EntryChildren {
        /// Distance from the leaves, at least 1.
        level: u8,
        /// The children.
        children: Vec<Child>,
    },
    /// Extents in file order.
    Extents(Vec<Extent>),
    /// Children of an inner node of the extent tree, in file order.
    ExtentChildren {
        /// Distance from the leaves, at least 1.
        level: u8,
        /// The children.
        children: Vec<Child>,
    },
}

impl Node {
    /// The bytes of the node.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        let written = match self {
            Self::Entries(entries) => encode_entries(&mut bytes, entries),
            Self::EntryChildren { level, children } => {
                encode_children(&mut bytes, KIND_ENTRIES, *level, children)
            }
            Self::Extents(extents) => encode_extents(&mut bytes, extents),
            Self::ExtentChildren { level, children } => {
                encode_children(&mut bytes, KIND_EXTENTS, *level, children)
            }
        };
        debug_assert!(written.is_ok(), "writing to a Vec cannot fail");
        bytes
    }

    /// Reads a node that fills `bytes` exactly.
    ///
    /// # Errors
    /// [`CodecError`] for anything that [`Node::encode`] would not write.
    pub fn decode(bytes: &[u8]) -> Result<Self, CodecError> {
        if bytes.len() > NODE_MAX_BYTES {
            return Err(CodecError::Range { what: "size of a tree node" });
        }
        let mut decoder = Decoder::new(bytes);
        let node = decode_node(&mut decoder)
            .map_err(|error| CodecError::Record { what: "tree node", why: error.to_string() })?;
        match bytes.len() - decoder.position() {
            0 => Ok(node),
            extra_bytes => Err(CodecError::Trailing { extra_bytes }),
        }
    }
}

type Written = Result<(), minicbor::encode::Error<std::convert::Infallible>>;
type Read<T> = Result<T, minicbor::decode::Error>;

fn encode_key(encoder: &mut Encoder<&mut Vec<u8>>, last: &[u8], key: &[u8]) -> Written {
    let shared = last.iter().zip(key).take_while(|(a, b)| a == b).count();
    encoder.u32(shared as u32)?.bytes(&key[shared..])?;
    Ok(())
}

fn encode_entries(bytes: &mut Vec<u8>, entries: &[(Vec<u8>, Entry)]) -> Written {
    let mut encoder = Encoder::new(bytes);
    encoder.array(3)?.u8(KIND_ENTRIES)?.u8(0)?.array(entries.len() as u64)?;
    let mut last: &[u8] = &[];
    for (key, entry) in entries {
        encoder.array(3)?;
        encode_key(&mut encoder, last, key)?;
        entry.encode(&mut encoder, &mut ())?;
        last = key;
    }
    Ok(())
}

fn encode_extents(bytes: &mut Vec<u8>, extents: &[Extent]) -> Written {
    let mut encoder = Encoder::new(bytes);
    encoder.array(3)?.u8(KIND_EXTENTS)?.u8(0)?.array(extents.len() as u64)?;
    for extent in extents {
        extent.encode(&mut encoder, &mut ())?;
    }
    Ok(())
}

fn encode_children(bytes: &mut Vec<u8>, kind: u8, level: u8, children: &[Child]) -> Written {
    let mut encoder = Encoder::new(bytes);
    encoder.array(3)?.u8(kind)?.u8(level)?.array(children.len() as u64)?;
    let mut last: &[u8] = &[];
    for child in children {
        encoder.array(5)?;
        encode_key(&mut encoder, last, &child.last_key)?;
        child.node.encode(&mut encoder, &mut ())?;
        encoder.u64(child.item_count)?.u64(child.total_bytes)?;
        last = &child.last_key;
    }
    Ok(())
}

fn decode_node(decoder: &mut Decoder<'_>) -> Read<Node> {
    expect_array(decoder, 3)?;
    let kind = decoder.u8()?;
    let level = decoder.u8()?;
    if usize::from(level) > TREE_MAX_LEVELS {
        return Err(minicbor::decode::Error::message("too many levels"));
    }
    let count = decoder.array()?.ok_or_else(|| minicbor::decode::Error::message("open array"))?;
    if count == 0 && level > 0 {
        return Err(minicbor::decode::Error::message("inner node without children"));
    }
    match (kind, level) {
        (KIND_ENTRIES, 0) => decode_entries(decoder, count),
        (KIND_ENTRIES, _) => {
            Ok(Node::EntryChildren { level, children: decode_children(decoder, count, true)? })
        }
        (KIND_EXTENTS, 0) => {
            // Grown as items are read, never reserved from the stored count.
            let mut extents = Vec::new();
            for _ in 0..count {
                extents.push(Extent::decode(decoder, &mut ())?);
            }
            Ok(Node::Extents(extents))
        }
        (KIND_EXTENTS, _) => {
            Ok(Node::ExtentChildren { level, children: decode_children(decoder, count, false)? })
        }
        _ => Err(minicbor::decode::Error::message("unknown kind of node")),
    }
}

fn expect_array(decoder: &mut Decoder<'_>, length: u64) -> Read<()> {
    match decoder.array()? {
        Some(found) if found == length => Ok(()),
        _ => Err(minicbor::decode::Error::message("array of another length expected")),
    }
}

/// Reads a key; with `must_rise` it must be greater than `last`, unless it is the first.
fn decode_key(decoder: &mut Decoder<'_>, last: Option<&[u8]>, must_rise: bool) -> Read<Vec<u8>> {
    let shared = decoder.u32()? as usize;
    let rest = decoder.bytes()?;
    let before = last.unwrap_or_default();
    if shared > before.len() || shared + rest.len() > PATH_MAX_BYTES {
        return Err(minicbor::decode::Error::message("impossible key"));
    }
    let mut key = Vec::with_capacity(shared + rest.len());
    key.extend_from_slice(&before[..shared]);
    key.extend_from_slice(rest);
    if must_rise && last.is_some_and(|last| last >= key.as_slice()) {
        return Err(minicbor::decode::Error::message("keys do not rise"));
    }
    Ok(key)
}

fn take_room(room_bytes: &mut usize, key: &[u8]) -> Read<()> {
    *room_bytes = room_bytes
        .checked_sub(key.len())
        .ok_or_else(|| minicbor::decode::Error::message("keys are too long together"))?;
    Ok(())
}

fn decode_entries(decoder: &mut Decoder<'_>, count: u64) -> Read<Node> {
    let mut entries: Vec<(Vec<u8>, Entry)> = Vec::new();
    let mut room_bytes = NODE_MAX_BYTES;
    for _ in 0..count {
        expect_array(decoder, 3)?;
        let last = entries.last().map(|(key, _)| key.as_slice());
        let key = decode_key(decoder, last, true)?;
        take_room(&mut room_bytes, &key)?;
        let entry = Entry::decode(decoder, &mut ())?;
        if entry.ntfs.as_ref().is_some_and(|ntfs| !ntfs.is_sound()) {
            return Err(minicbor::decode::Error::message("impossible fields of NTFS"));
        }
        entries.push((key, entry));
    }
    Ok(Node::Entries(entries))
}

fn decode_children(decoder: &mut Decoder<'_>, count: u64, must_rise: bool) -> Read<Vec<Child>> {
    let mut children: Vec<Child> = Vec::new();
    let mut room_bytes = NODE_MAX_BYTES;
    for _ in 0..count {
        expect_array(decoder, 5)?;
        let last = children.last().map(|child| child.last_key.as_slice());
        let last_key = decode_key(decoder, last, must_rise)?;
        take_room(&mut room_bytes, &last_key)?;
        children.push(Child {
            last_key,
            node: ChunkId::decode(decoder, &mut ())?,
            item_count: decoder.u64()?,
            total_bytes: decoder.u64()?,
        });
    }
    Ok(children)
}
