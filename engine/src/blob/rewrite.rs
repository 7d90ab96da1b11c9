//! Copying chunks from packs that shall go into new ones, by a few threads.
//!
//! The threads share what must be one: the numbers of packs and segments, and which chunks were
//! copied already. Each holds one pack that it reads and one that it fills, so that memory is
//! bounded by the number of threads.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::base::bits::Bits;
use crate::base::id::{ChunkId, PackKind, SessionId};
use crate::base::limits::{PACK_MAX_BYTES, PACK_TARGET_BYTES};
use crate::base::monitor::{Counter, Monitor};
use crate::blob::BlobError;
use crate::blob::block::OpenBlock;
use crate::blob::buffers::PackBuffers;
use crate::blob::open_pack::{PackOpener, key_of};
use crate::blob::pack::OpenPack;
use crate::chunk::level::Level;
use crate::chunk::squeeze::{Compressor, Decompressor};
use crate::format::pack::PackTable;
use crate::format::segment::{SegmentPack, is_full};
use crate::index::reader::PackRow;
use crate::index::{Index, IndexReader};
use crate::repo::Repo;
use crate::repo::keyring::{Identity, WriteKeys};
use crate::repo::segments::{self, put_segment};
use crate::store::name::ObjectName;

/// What all threads write to.
pub struct Output<'a> {
    repo: &'a Repo,
    index: &'a Index,
    monitor: &'a dyn Monitor,
    /// Who signs what is written.
    identity: &'a Identity,
    session: SessionId,
    /// Copies of chunks that were written once.
    copied: Mutex<Bits>,
    packs: AtomicU32,
    listed: Mutex<Listed>,
    buffers: PackBuffers,
    written_bytes: AtomicU64,
}

/// Packs that were stored and are in no segment yet, by dedup domain.
#[derive(Default)]
struct Listed {
    segments: u32,
    packs: BTreeMap<u32, Vec<SegmentPack>>,
}

fn locked<T>(shared: &Mutex<T>) -> MutexGuard<'_, T> {
    // Whoever panicked here ends the run; what is in the lock is sound.
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

impl<'a> Output<'a> {
    /// For a session that is registered.
    #[must_use]
    pub fn new(
        repo: &'a Repo,
        index: &'a Index,
        monitor: &'a dyn Monitor,
        (identity, session): (&'a Identity, SessionId),
    ) -> Self {
        Self {
            repo,
            index,
            monitor,
            identity,
            session,
            copied: Mutex::default(),
            packs: AtomicU32::new(0),
            listed: Mutex::default(),
            buffers: PackBuffers::default(),
            written_bytes: AtomicU64::new(0),
        }
    }

    fn add(&self, domain: u32, pack: SegmentPack) -> Result<(), BlobError> {
        let mut listed = locked(&self.listed);
        let packs = listed.packs.entry(domain).or_default();
        packs.push(pack);
        if !is_full(packs) {
            return Ok(());
        }
        let full = std::mem::take(packs);
        self.write_segment(&mut listed.segments, domain, &full)
    }

    fn write_segment(
        &self,
        number: &mut u32,
        domain: u32,
        packs: &[SegmentPack],
    ) -> Result<(), BlobError> {
        let id = segments::new_id(self.session, *number);
        put_segment(self.repo, &self.identity.signing, domain, id, packs)?;
        self.index.add_own_segment(id, packs)?;
        *number += 1;
        Ok(())
    }

    /// Lists what is not listed yet; answers how many bytes were written in all.
    ///
    /// # Errors
    /// Those of the store and the index.
    pub fn finish(self) -> Result<u64, BlobError> {
        let mut listed = std::mem::take(&mut *locked(&self.listed));
        for (domain, packs) in std::mem::take(&mut listed.packs) {
            if !packs.is_empty() {
                self.write_segment(&mut listed.segments, domain, &packs)?;
            }
        }
        Ok(self.written_bytes.into_inner())
    }
}

/// What one thread works with: fills one new pack at a time, of one kind and dedup domain.
pub struct Rewriter<'a> {
    output: &'a Output<'a>,
    reader: IndexReader,
    open: Option<Open>,
    compressor: Compressor,
    decompressor: Decompressor,
    /// What is read: a pack, a block of it, and what is in that.
    bytes: Vec<u8>,
    sealed: Vec<u8>,
    raw: Vec<u8>,
    /// Copies of one chunk.
    records: Vec<i64>,
}

/// A pack that is being read.
struct Source {
    key: String,
    table: PackTable,
    opener: PackOpener,
    /// Which of its chunks are needed.
    wanted: Vec<bool>,
}

struct Open {
    kind: PackKind,
    write: WriteKeys,
    pack: Option<OpenPack>,
    block: OpenBlock,
}

impl<'a> Rewriter<'a> {
    /// Each thread has one.
    #[must_use]
    pub fn new(output: &'a Output<'a>, reader: IndexReader) -> Self {
        Self {
            output,
            reader,
            open: None,
            compressor: Compressor::new(Level::default()),
            decompressor: Decompressor::new(),
            bytes: Vec::new(),
            sealed: Vec::new(),
            raw: Vec::new(),
            records: Vec::new(),
        }
    }

    /// Copies the chunks of a pack whose record numbers are in `wanted`, verified, each once however
    /// many packs have it.
    ///
    /// # Errors
    /// [`BlobError::Damaged`]; those of the store and the index, and of keys that cannot read it.
    pub fn copy(&mut self, wanted: &Bits, pack: &PackRow) -> Result<(), BlobError> {
        let (repo, name) = (self.output.repo, pack.pack);
        let Some(table) = self.reader.pack_table(&name)? else { return Ok(()) };
        let mut bytes = std::mem::take(&mut self.bytes);
        repo.store().get_into(&ObjectName::Pack(name), PACK_MAX_BYTES as u64, &mut bytes)?;
        let opener = PackOpener::new(repo, name, &bytes)?;
        self.require_open(name.kind, opener.domain())?;
        let records = (pack.first_record..).take(table.chunks.len());
        let wanted: Vec<bool> = records.map(|record| wanted.get(record)).collect();
        let source = Source { key: key_of(name), table, opener, wanted };
        for number in 0..source.table.blocks.len() as u32 {
            self.copy_block(&source, &bytes, number)?;
        }
        self.bytes = bytes;
        Ok(())
    }

    fn copy_block(&mut self, source: &Source, bytes: &[u8], number: u32) -> Result<(), BlobError> {
        let Source { key, table, opener, wanted } = source;
        let chunks = table.chunks.iter().zip(wanted);
        let chunks: Vec<_> = chunks
            .filter(|(chunk, wanted)| **wanted && chunk.block == number)
            .map(|(chunk, _)| *chunk)
            .collect();
        let Some(block) = table.blocks.get(number as usize).filter(|_| !chunks.is_empty()) else {
            return Ok(());
        };
        let outside = || BlobError::Damaged {
            key: key.clone(),
            why: "a block or chunk lies outside".to_owned(),
        };
        let start = block.offset as usize;
        let stored = bytes.get(start..start + block.stored_bytes as usize).ok_or_else(outside)?;
        let (mut sealed, mut room) =
            (std::mem::take(&mut self.sealed), std::mem::take(&mut self.raw));
        sealed.clear();
        sealed.extend_from_slice(stored);
        let raw_bytes = block.raw_bytes;
        let raw =
            opener.open_block(number, &mut sealed, raw_bytes, &mut self.decompressor, &mut room)?;
        for chunk in chunks {
            let start = chunk.offset as usize;
            let bytes = raw.get(start..start + chunk.length_bytes as usize).ok_or_else(outside)?;
            opener.verify_chunk(&chunk.id, bytes)?;
            if self.is_first(&chunk.id)? {
                self.push(chunk.id, bytes)?;
            }
        }
        (self.sealed, self.raw) = (sealed, room);
        Ok(())
    }

    /// Whether no copy of the chunk was written by this run; from now on one is.
    fn is_first(&mut self, id: &ChunkId) -> Result<bool, BlobError> {
        let records = &mut self.records;
        records.clear();
        self.reader.for_each_copy(id, &mut |copy| {
            records.push(copy.record);
            true
        })?;
        let mut copied = locked(&self.output.copied);
        // All of them are set, whatever the first one says.
        let known = records.iter().filter(|record| !copied.set(**record)).count();
        Ok(known == 0)
    }

    fn require_open(&mut self, kind: PackKind, domain: u32) -> Result<(), BlobError> {
        let fits = |open: &Open| open.kind == kind && open.write.domain == domain;
        if !self.open.as_ref().is_some_and(fits) {
            self.close_pack()?;
            let write = self.output.repo.keys().write_to(domain)?;
            self.open = Some(Open { kind, write, pack: None, block: OpenBlock::default() });
        }
        Ok(())
    }

    fn push(&mut self, id: ChunkId, bytes: &[u8]) -> Result<(), BlobError> {
        let Some(open) = &mut self.open else { return Ok(()) };
        if open.block.is_full_for(bytes.len()) {
            self.close_block()?;
        }
        if let Some(open) = &mut self.open {
            open.block.push(id, bytes);
        }
        Ok(())
    }

    fn close_block(&mut self) -> Result<(), BlobError> {
        let Some(open) = self.open.as_mut().filter(|open| !open.block.is_empty()) else {
            return Ok(());
        };
        let mut pack = match open.pack.take() {
            Some(pack) => pack,
            None => {
                let Output { repo, session, packs, buffers, .. } = self.output;
                let number = packs.fetch_add(1, Ordering::Relaxed);
                OpenPack::new(repo, &open.write, buffers, open.kind, *session, number)?
            }
        };
        pack.add_block(open.block.raw(), open.block.chunks(), &mut self.compressor);
        open.block.clear();
        let is_full = pack.is_full(PACK_TARGET_BYTES);
        open.pack = Some(pack);
        if is_full { self.close_pack() } else { Ok(()) }
    }

    /// Stores what is open.
    ///
    /// # Errors
    /// Those of the store and the index.
    pub fn close_pack(&mut self) -> Result<(), BlobError> {
        if self.open.as_ref().is_some_and(|open| !open.block.is_empty()) {
            self.close_block()?;
        }
        let Some(open) = &mut self.open else { return Ok(()) };
        let Some(pack) = open.pack.take() else { return Ok(()) };
        let Output { repo, monitor, identity, .. } = self.output;
        let finished = pack.finish(&open.write, &identity.signing);
        let stored_bytes = finished.bytes.len() as u64;
        self.output.written_bytes.fetch_add(stored_bytes, Ordering::Relaxed);
        monitor.add(Counter::StoredBytes, stored_bytes);
        repo.store().put_new(&ObjectName::Pack(finished.listed.pack), finished.bytes)?;
        self.output.add(open.write.domain, finished.listed)
    }
}
