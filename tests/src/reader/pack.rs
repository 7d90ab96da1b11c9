//! Packs and segments.

use std::io::Read;

use crate::reader::Result;
use crate::reader::disk::hex;
use crate::reader::key::{Key, Keys, Suite, bind, derive, hash, open_block, open_record, verify};
use crate::reader::object::{array, expect, number, number32, take};

const PACK_MAX_BYTES: usize = 64 << 20;
const FOOTER_MAX_BYTES: usize = 16 << 20;
const BLOCKS_MAX: u32 = 65_536;
const CHUNKS_MAX: u32 = 262_144;
const RAW_MAX_BYTES: u32 = 8 << 20;
const CHUNK_MAX_BYTES: u32 = 4 << 20;
const TRAILER_BYTES: usize = 36;

/// A block in a table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Block {
    offset: u32,
    stored: u32,
    raw: u32,
}

/// A chunk in a table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Chunk {
    /// Its id.
    pub id: [u8; 32],
    /// Number of its block.
    pub block: u32,
    /// Offset in the raw block.
    pub offset: u32,
    /// Length in bytes.
    pub length: u32,
}

/// Where a chunk is.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place {
    pub(super) pack: usize,
    pub(super) chunk: Chunk,
}

/// What is in a pack.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Table {
    /// Its blocks.
    pub blocks: Vec<Block>,
    /// Its chunks.
    pub chunks: Vec<Chunk>,
}

impl Table {
    /// Reads a table that fills `bytes`, of a pack of `pack_bytes`.
    ///
    /// # Errors
    /// Says what is wrong.
    pub fn read(bytes: &[u8], pack_bytes: usize) -> Result<Self> {
        let mut rest = bytes;
        let (mut blocks, mut chunks) = (Vec::new(), Vec::new());
        let mut end = 0;
        for _ in 0..bounded(&mut rest, BLOCKS_MAX)? {
            let [offset, stored, raw] = numbers(&mut rest)?;
            let sound = u64::from(offset) >= end && stored >= 29 && raw <= RAW_MAX_BYTES;
            end = u64::from(offset) + u64::from(stored);
            if !sound || end > pack_bytes as u64 {
                return Err("a block is in an impossible place".to_owned());
            }
            blocks.push(Block { offset, stored, raw });
        }
        let mut last = (0, 0);
        for _ in 0..bounded(&mut rest, CHUNKS_MAX)? {
            let id = array(&mut rest)?;
            let [block, offset, length] = numbers(&mut rest)?;
            let raw = blocks.get(block as usize).map_or(0, |block| u64::from(block.raw));
            let end = u64::from(offset) + u64::from(length);
            let sound = (1..=CHUNK_MAX_BYTES).contains(&length) && (block, offset) >= last;
            if !sound || end > raw {
                return Err("a chunk is in an impossible place".to_owned());
            }
            last = (block, end as u32);
            chunks.push(Chunk { id, block, offset, length });
        }
        match rest.is_empty() {
            true => Ok(Self { blocks, chunks }),
            false => Err("bytes follow a table".to_owned()),
        }
    }
}

fn bounded(rest: &mut &[u8], max: u32) -> Result<u32> {
    let count = number32(rest)?;
    if count > max { Err(format!("{count} records are too many")) } else { Ok(count) }
}

fn numbers(rest: &mut &[u8]) -> Result<[u32; 3]> {
    Ok([number32(rest)?, number32(rest)?, number32(rest)?])
}

/// The front of a pack.
pub struct Header {
    /// The repository.
    pub repository: [u8; 16],
    /// The suite.
    pub suite: u8,
    kind: u8,
    domain: u32,
    epoch: u32,
    encapsulation: Vec<u8>,
    sealed_key: [u8; 48],
    commitment: [u8; 16],
    /// What blocks and footer are bound to.
    bound: Vec<u8>,
    /// What the data key is bound to.
    info: Vec<u8>,
}

/// Reads the header of the pack `name`.
pub(super) fn read_header(bytes: &[u8], name: &str) -> Result<Header> {
    let mut rest = bytes;
    expect(&mut rest, b"MSTY", "a pack")?;
    let kind = take(&mut rest, 1)?[0];
    let suite = take(&mut rest, 1)?[0];
    let flags = take(&mut rest, 1)?[0];
    let (domain, epoch) = (number32(&mut rest)?, number32(&mut rest)?);
    let repository = array(&mut rest)?;
    let named = array::<32>(&mut rest)? == hash(name.as_bytes());
    let wanted = if name.starts_with("data/") { 1 } else { 2 };
    if kind != wanted || flags != 0 || !named {
        return Err("its header is that of another pack".to_owned());
    }
    let length = number(&mut rest, 2)? as usize;
    let encapsulation = take(&mut rest, length)?.to_vec();
    let (sealed_key, commitment) = (array(&mut rest)?, array(&mut rest)?);
    let bound = [&[kind][..], &hash(&bytes[..bytes.len() - rest.len()])].concat();
    let info = bytes[..64].to_vec();
    Ok(Header {
        repository,
        suite,
        kind,
        domain,
        epoch,
        encapsulation,
        sealed_key,
        commitment,
        bound,
        info,
    })
}

/// The padded size of an object.
#[must_use]
pub fn padded(length: u64) -> u64 {
    let exponent = length.ilog2();
    let granule = 1 << (exponent - (exponent.ilog2() + 1));
    length.div_ceil(granule) * granule
}

/// What is told of a footer beside its table.
pub(super) struct Footer {
    /// Hash of the sealed footer.
    pub(super) hash: [u8; 32],
    signature: [u8; 64],
    signed: Vec<u8>,
}

impl Footer {
    /// Whether `signer` signed it.
    pub(super) fn verify(&self, signer: &Key) -> Result<()> {
        verify(signer, &self.signed, &self.signature)
    }
}

/// A pack, whole and verified as far as the role allows.
pub struct Pack {
    /// 1 data, 2 tree.
    pub(super) kind: u8,
    /// Dedup domain of its ids.
    pub(super) domain: u32,
    /// What is in it.
    pub table: Table,
    /// Its footer, for whoever knows the client of its session.
    pub(super) footer: Footer,
    name: String,
    data_key: Option<Key>,
    block_aad: Vec<u8>,
    bytes: Vec<u8>,
}

impl Pack {
    /// Reads a pack: size, hash, header, padding, table, and its data key if the role has it.
    ///
    /// # Errors
    /// Says what is wrong, naming the pack.
    pub fn open(bytes: Vec<u8>, name: &str, repository: &[u8; 16], keys: &Keys) -> Result<Self> {
        Self::open_named(bytes, name, repository, keys).map_err(|why| format!("{name}: {why}"))
    }

    fn open_named(bytes: Vec<u8>, name: &str, repository: &[u8; 16], keys: &Keys) -> Result<Self> {
        let size = bytes.len();
        let (before, digest) = bytes.split_last_chunk::<32>().ok_or("it is too short")?;
        if size > PACK_MAX_BYTES || padded(size as u64) != size as u64 || hash(before) != *digest {
            return Err("its size or its hash is wrong".to_owned());
        }
        let header = read_header(&bytes, name)?;
        if header.repository != *repository || Suite::of(header.suite)? != keys.suite {
            return Err("it is of another repository".to_owned());
        }
        let footer_bytes = before.last_chunk::<4>().map(|bytes| u32::from_le_bytes(*bytes));
        let footer_bytes = footer_bytes.unwrap_or(u32::MAX) as usize;
        let footer_end = size - TRAILER_BYTES;
        let start = footer_end.checked_sub(footer_bytes).ok_or("its footer is too long")?;
        if footer_bytes > FOOTER_MAX_BYTES {
            return Err("its footer is too long".to_owned());
        }
        let aad = |purpose| bind(purpose, repository, name, &header.bound);
        let index_key = keys.index_key(header.domain, header.epoch)?;
        let sealed = &bytes[start..footer_end];
        let plain = open_record(&index_key, &aad("footer"), sealed)?;
        let (signature, body) = plain.split_first_chunk().ok_or("its footer is too short")?;
        let table = Table::read(body, size)?;
        let signed = [&aad("signed footer"), &(size as u32).to_le_bytes()[..], body].concat();
        let footer = Footer { hash: hash(sealed), signature: *signature, signed };
        require_padding(&bytes[..start], &header, &table)?;
        let data_key = match keys.seed(header.kind, header.epoch)? {
            None => None,
            Some(seed) => {
                let info = bind("pack key", repository, name, &header.info);
                let (kem, sealed) = (&header.encapsulation, &header.sealed_key);
                let key = keys.suite.open(seed, &info, kem, sealed)?;
                let context = "mainstay v2 commitment to the data key of a pack";
                if derive(context, &[&key])[..16] != header.commitment {
                    return Err("its data key is not the one it commits to".to_owned());
                }
                Some(key)
            }
        };
        Ok(Self {
            kind: header.kind,
            domain: header.domain,
            table,
            footer,
            name: name.to_owned(),
            data_key,
            block_aad: aad("block"),
            bytes,
        })
    }

    /// The raw bytes of a block.
    pub(super) fn block(&self, number: u32) -> Result<Vec<u8>> {
        self.open_block(number).map_err(|why| format!("{}: {why}", self.name))
    }

    fn open_block(&self, number: u32) -> Result<Vec<u8>> {
        let block = self.table.blocks[number as usize];
        let start = block.offset as usize;
        let sealed = &self.bytes[start..start + block.stored as usize];
        let key = self.data_key.as_ref().ok_or("this role cannot read it")?;
        let plain = open_block(key, number, &self.block_aad, sealed)?;
        raw_block(&plain, block.raw)
    }
}

/// Blocks follow the header and each other without gaps; what is left is zero.
fn require_padding(bytes: &[u8], header: &Header, table: &Table) -> Result<()> {
    let mut end = 130 + header.encapsulation.len();
    for block in &table.blocks {
        if block.offset as usize != end {
            return Err("there is a gap between blocks".to_owned());
        }
        end += block.stored as usize;
    }
    match bytes.get(end..).is_some_and(|padding| padding.iter().all(|byte| *byte == 0)) {
        true => Ok(()),
        false => Err("its padding is not zero".to_owned()),
    }
}

/// The raw bytes in the plaintext of a block.
///
/// # Errors
/// Says what is wrong.
pub fn raw_block(plain: &[u8], raw_bytes: u32) -> Result<Vec<u8>> {
    let mut rest = plain;
    let codec = take(&mut rest, 1)?[0];
    if number32(&mut rest)? != raw_bytes {
        return Err("a block and its table differ in length".to_owned());
    }
    let raw = match codec {
        0 => rest.to_vec(),
        1 => {
            let mut raw = Vec::new();
            zstd::Decoder::with_buffer(rest)
                .map(zstd::Decoder::single_frame)
                .and_then(|mut decoder| {
                    decoder.window_log_max(23)?;
                    decoder.take(u64::from(RAW_MAX_BYTES) + 1).read_to_end(&mut raw)
                })
                .map_err(|error| format!("a block does not decompress: {error}"))?;
            raw
        }
        _ => return Err(format!("codec {codec} is unknown")),
    };
    match raw.len() == raw_bytes as usize {
        true => Ok(raw),
        false => Err("a block has another length than it says".to_owned()),
    }
}

/// A pack as a segment lists it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Listed {
    /// The pack's key.
    pub(super) name: String,
    /// Its dedup domain.
    pub(super) domain: u32,
    /// Its size.
    pub(super) size: usize,
    /// Hash of its sealed footer.
    pub(super) footer: [u8; 32],
    /// Its table.
    pub(super) table: Table,
}

/// What a segment lists, and a check of who signed it.
pub(super) fn read_segment(
    bytes: &[u8],
    name: &str,
    repository: &[u8; 16],
    keys: &Keys,
    signer: &Key,
) -> Result<Vec<Listed>> {
    let mut rest = bytes;
    expect(&mut rest, b"MSTX", "a segment")?;
    if take(&mut rest, 1)? != [0] || bytes.len() > PACK_MAX_BYTES {
        return Err(format!("{name} has flags or is too large"));
    }
    let bound = rest.get(..8).ok_or("a segment is too short")?.to_vec();
    let (domain, epoch) = (number32(&mut rest)?, number32(&mut rest)?);
    let aad = bind("segment", repository, name, &bound);
    let plain = open_record(&keys.index_key(domain, epoch)?, &aad, rest)
        .map_err(|why| format!("{name}: {why}"))?;
    let (signature, body) = plain.split_first_chunk().ok_or("a segment is too short")?;
    let front = bind("signed segment", repository, name, &bound);
    let message = [front.as_slice(), blake3::hash(body).as_bytes()].concat();
    verify(signer, &message, signature).map_err(|why| format!("{name}: {why}"))?;
    let mut rest = body;
    let mut packs = Vec::new();
    for _ in 0..number32(&mut rest)? {
        let kind = match take(&mut rest, 1)?[0] {
            1 => "data",
            2 => "tree",
            other => return Err(format!("{name} lists a pack of kind {other}")),
        };
        let session = hex(take(&mut rest, 24)?);
        let counter = hex(take(&mut rest, 4)?);
        let random = hex(take(&mut rest, 8)?);
        let size = number32(&mut rest)? as usize;
        let footer = array(&mut rest)?;
        let length = number32(&mut rest)? as usize;
        let table = Table::read(take(&mut rest, length)?, size)?;
        let name = format!("{kind}/{session}/{counter}-{random}");
        packs.push(Listed { name, domain, size, footer, table });
    }
    match rest.is_empty() {
        true => Ok(packs),
        false => Err(format!("bytes follow the packs of {name}")),
    }
}
