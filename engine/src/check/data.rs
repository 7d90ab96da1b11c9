//! Reads packs whole: outer hash, header, footer, every block, every chunk id.

use std::sync::atomic::{AtomicUsize, Ordering};

use crate::base::error::{Classified, ErrorClass, in_one_line};
use crate::base::id::{PackId, PackKind};
use crate::base::limits::{BLOCK_MAX_RAW_BYTES, FETCH_THREADS_REMOTE, PACK_MAX_BYTES};
use crate::base::monitor::{Counter, Monitor, Phase};
use crate::blob::BlobError;
use crate::blob::open_pack::{PackOpener, key_of};
use crate::check::error::CheckError;
use crate::check::inventory::Inventory;
use crate::check::options::{CheckOptions, ReadData, pack_number};
use crate::check::report::CheckReport;
use crate::chunk::squeeze::Decompressor;
use crate::crypt::hash::digest;
use crate::format::pack::{PackTable, TRAILER_BYTES, footer_len};
use crate::repo::Repo;
use crate::repo::error::RepoError;
use crate::repo::footer::{decode_header, open_footer};
use crate::store::name::ObjectName;

/// Packs with which something is wrong.
#[derive(Debug, Default)]
pub(super) struct Spoilt {
    /// They were not what was written, or cannot be read; it is in the report.
    pub(super) damaged: Vec<PackId>,
    /// They were listed, and were not there when they were to be read.
    pub(super) gone: Vec<PackId>,
}

/// Reads the packs that the options choose, and returns those that are damaged or gone.
pub(super) fn read_packs(
    repo: &Repo,
    inventory: &Inventory,
    options: &CheckOptions,
    report: &mut CheckReport,
    monitor: &dyn Monitor,
) -> Result<Spoilt, CheckError> {
    let mut spoilt = Spoilt::default();
    let chosen = choose(inventory, options.read_data);
    if chosen.is_empty() {
        return Ok(spoilt);
    }
    if chosen.iter().any(|(pack, _)| pack.kind == PackKind::Data) {
        repo.keys().data()?;
    }
    monitor.phase(&Phase {
        name: "reading packs",
        total_items: Some(chosen.len() as u64),
        total_bytes: Some(chosen.iter().map(|(_, bytes)| bytes).sum()),
    });
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let threads = match (options.threads, repo.store().is_local()) {
        (0, true) => cores,
        // Each holds a whole pack: fewer than for ranges.
        (0, false) => cores.max(FETCH_THREADS_REMOTE / 2),
        (wanted, _) => wanted,
    };
    let largest_bytes = chosen.iter().map(|(_, bytes)| *bytes).max().unwrap_or_default();
    let largest_bytes = largest_bytes.min(PACK_MAX_BYTES as u64) as usize;
    let next = AtomicUsize::new(0);
    let (sender, receiver) = crossbeam_channel::bounded(threads);
    std::thread::scope(|scope| -> Result<(), BlobError> {
        for _ in 0..threads.min(chosen.len()) {
            let (sender, next, chosen) = (sender.clone(), &next, &chosen);
            scope.spawn(move || {
                let mut decoder = Decoder::with_room(largest_bytes);
                while let Some((pack, bytes)) = chosen.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let read = read_pack(repo, *pack, &mut decoder);
                    monitor.add(Counter::Bytes, *bytes);
                    monitor.add(Counter::Items, 1);
                    if monitor.is_cancelled() || sender.send((*pack, *bytes, read)).is_err() {
                        break;
                    }
                }
            });
        }
        drop(sender);
        for (pack, bytes, read) in receiver {
            match read {
                Ok(chunk_count) => {
                    report.chunks_read += chunk_count;
                    report.packs_read += 1;
                    report.bytes_read += bytes;
                    report.authenticated.push(pack);
                }
                Err(error) if error.is_gone() => spoilt.gone.push(pack),
                Err(error)
                    if matches!(error.class(), ErrorClass::Corrupt | ErrorClass::Unreadable) =>
                {
                    report.finding(&key_of(pack), strip_key(&error));
                    spoilt.damaged.push(pack);
                }
                Err(error) => return Err(error),
            }
        }
        Ok(())
    })?;
    if monitor.is_cancelled() { Err(CheckError::Interrupted) } else { Ok(spoilt) }
}

/// The finding without the key, which it stands under.
fn strip_key(error: &BlobError) -> String {
    match error {
        BlobError::Damaged { why, .. } | BlobError::Repo(RepoError::Corrupt { why, .. }) => {
            why.clone()
        }
        other => in_one_line(other),
    }
}

fn choose(inventory: &Inventory, read_data: ReadData) -> Vec<(PackId, u64)> {
    let all = inventory.iter().map(|(pack, stored)| (*pack, stored.bytes));
    match read_data {
        ReadData::None => Vec::new(),
        ReadData::All => all.collect(),
        ReadData::Part { part, of } => {
            let wanted = u64::from(part.saturating_sub(1));
            all.filter(|(pack, _)| pack_number(pack, 0) % u64::from(of.max(1)) == wanted).collect()
        }
        ReadData::Bytes { bytes, seed } => {
            let mut shuffled: Vec<_> = all.collect();
            shuffled.sort_by_key(|(pack, _)| pack_number(pack, seed));
            let mut sum = 0;
            shuffled.retain(|(_, size)| {
                let is_wanted = sum < bytes;
                sum += size;
                is_wanted
            });
            shuffled
        }
    }
}

/// Buffers of one thread.
#[derive(Default)]
struct Decoder {
    decompressor: Decompressor,
    pack: Vec<u8>,
    raw: Vec<u8>,
}

impl Decoder {
    /// With room from the start for the largest pack and block: buffers that grow leave holes in the
    /// memory of their thread. What is not used of it costs nothing.
    fn with_room(pack_bytes: usize) -> Self {
        Self {
            decompressor: Decompressor::default(),
            pack: Vec::with_capacity(pack_bytes),
            raw: Vec::with_capacity(BLOCK_MAX_RAW_BYTES),
        }
    }
}

/// Reads a pack whole and authenticates every byte of it.
///
/// # Errors
/// [`BlobError::Damaged`] and the like if it is not what was written; errors of the store.
pub fn authenticate(repo: &Repo, pack: PackId) -> Result<(), BlobError> {
    read_pack(repo, pack, &mut Decoder::default()).map(drop)
}

/// Authenticates every byte of a pack; returns the number of its chunks.
fn read_pack(repo: &Repo, pack: PackId, decoder: &mut Decoder) -> Result<u64, BlobError> {
    let damaged = |why: &str| BlobError::Damaged { key: key_of(pack), why: why.to_owned() };
    let Decoder { decompressor, pack: bytes, raw } = decoder;
    repo.store().get_into(&ObjectName::Pack(pack), PACK_MAX_BYTES as u64, bytes)?;
    let covered = bytes.len().checked_sub(32).ok_or_else(|| damaged("it is too short"))?;
    if digest(&bytes[..covered]).as_bytes() != &bytes[covered..] {
        return Err(damaged("its hash is wrong"));
    }
    let header = decode_header(repo, pack, bytes)?;
    let sealed_footer = footer_len(bytes, bytes.len() as u64)
        .map_err(|error| damaged(&error.to_string()))
        .map(|length| &bytes[bytes.len() - TRAILER_BYTES - length..bytes.len() - TRAILER_BYTES])?;
    let listed = open_footer(repo, pack, &header, sealed_footer, bytes.len() as u64)?
        .ok_or_else(|| damaged("this key may not read its dedup domain"))?;
    let padding_end = bytes.len() - TRAILER_BYTES - sealed_footer.len();
    let opener = PackOpener::new(repo, pack, bytes)?;
    read_blocks(bytes, &listed.table, &opener, (decompressor, raw), &damaged)?;
    // Nothing may hide between the blocks and the footer.
    let used = listed
        .table
        .blocks
        .last()
        .map_or(header.len_bytes(), |block| (block.offset + block.stored_bytes) as usize);
    match bytes.get(used..padding_end) {
        Some(padding) if padding.iter().all(|byte| *byte == 0) => {
            Ok(listed.table.chunks.len() as u64)
        }
        _ => Err(damaged("its padding is not empty")),
    }
}

/// Decrypts the blocks where they lie, and computes every chunk id again.
fn read_blocks(
    bytes: &mut [u8],
    table: &PackTable,
    opener: &PackOpener,
    (decompressor, space): (&mut Decompressor, &mut Vec<u8>),
    damaged: &dyn Fn(&str) -> BlobError,
) -> Result<(), BlobError> {
    let mut chunks = table.chunks.iter().peekable();
    for (number, block) in (0u32..).zip(&table.blocks) {
        let start = block.offset as usize;
        let sealed = bytes
            .get_mut(start..start + block.stored_bytes as usize)
            .ok_or_else(|| damaged("a block lies outside"))?;
        let raw = opener.open_block(number, sealed, block.raw_bytes, decompressor, space)?;
        while let Some(chunk) = chunks.next_if(|chunk| chunk.block == number) {
            let start = chunk.offset as usize;
            let chunk_bytes = raw
                .get(start..start + chunk.length_bytes as usize)
                .ok_or_else(|| damaged("a chunk lies outside its block"))?;
            opener.verify_chunk(&chunk.id, chunk_bytes)?;
        }
    }
    Ok(())
}
