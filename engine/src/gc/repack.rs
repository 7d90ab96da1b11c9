//! Repacking: what is needed of thin packs is copied into new ones, in a session of its own.
//!
//! The old packs are not touched: once every needed chunk in them has another copy, they are
//! candidates like any other. So this can stop anywhere, and the next run finds what was copied.
//! The session never commits. It ends with its own final, so that nobody waits for it.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::base::error::{Classified, ErrorClass};
use crate::base::id::{ChunkId, PackKind, SessionId};
use crate::base::limits::{PACK_MAX_BYTES, PACK_TARGET_BYTES, SEGMENT_MAX_PACKS};
use crate::base::monitor::{Counter, Phase};
use crate::blob::BlobError;
use crate::blob::block::OpenBlock;
use crate::blob::buffers::PackBuffers;
use crate::blob::open_pack::{PackOpener, key_of};
use crate::blob::pack::OpenPack;
use crate::chunk::squeeze::{Compressor, Decompressor, Level};
use crate::format::pack::PackTable;
use crate::format::segment::SegmentPack;
use crate::format::session::SessionKind;
use crate::gc::bits::Bits;
use crate::gc::collector::{Collector, Survey};
use crate::gc::error::GcError;
use crate::gc::options::MaxUnused;
use crate::gc::report::RepackReport;
use crate::gc::usage::PackUse;
use crate::index::IndexReader;
use crate::repo::keyring::WriteKeys;
use crate::repo::object::put_segment_of;
use crate::repo::session;
use crate::store::name::ObjectName;

/// A pack that holds more than what is needed.
#[derive(Debug, Clone, Copy)]
pub(super) struct Thin {
    pub(super) pack: PackUse,
    /// Stored bytes that nothing needs, about.
    pub(super) unused_bytes: u64,
}

/// Which thin packs to rewrite, thinnest first, until what stays unused is little enough.
pub(super) fn choose(
    thin: &[Thin],
    total_bytes: u64,
    max_unused: MaxUnused,
    max_repack_bytes: Option<u64>,
) -> Vec<Thin> {
    let allowed = match max_unused {
        MaxUnused::Unlimited => return Vec::new(),
        MaxUnused::Bytes(bytes) => bytes,
        MaxUnused::Percent(percent) => (total_bytes as f64 * percent / 100.0) as u64,
    };
    let mut sorted = thin.to_vec();
    // Most unused per byte that must be read; the name decides between equals.
    sorted.sort_by(|a, b| {
        let left = u128::from(a.unused_bytes) * u128::from(b.pack.row.stored_bytes);
        let right = u128::from(b.unused_bytes) * u128::from(a.pack.row.stored_bytes);
        right.cmp(&left).then(a.pack.row.pack.cmp(&b.pack.row.pack))
    });
    let mut unused: u64 = sorted.iter().map(|thin| thin.unused_bytes).sum();
    let mut budget = max_repack_bytes.unwrap_or(u64::MAX);
    let mut chosen = Vec::new();
    for thin in sorted {
        let bytes = u64::from(thin.pack.row.stored_bytes);
        if unused <= allowed || bytes > budget {
            break;
        }
        unused -= thin.unused_bytes;
        budget -= bytes;
        chosen.push(thin);
    }
    chosen
}

impl Collector<'_> {
    /// Packs that hold more than what is needed, and are neither condemned nor excluded.
    pub(super) fn thin_packs(&self, survey: &Survey) -> Result<Vec<Thin>, GcError> {
        let reader = self.index.reader()?;
        let mut thin = Vec::new();
        for pack in survey.packs.values() {
            let is_partial = pack.live_count > 0 && pack.live_count < pack.row.chunk_count;
            let name = &pack.row.pack;
            let stays = pack.exists
                && pack.is_decided
                && !survey.candidates.contains(name)
                && !survey.excluded.packs.contains(name);
            if !is_partial || !stays {
                continue;
            }
            let live_bytes = live_raw_bytes(&reader, survey, pack)?;
            let raw_bytes = pack.row.raw_bytes.max(1);
            let unused = u128::from(raw_bytes.saturating_sub(live_bytes))
                * u128::from(pack.row.stored_bytes)
                / u128::from(raw_bytes);
            thin.push(Thin { pack: *pack, unused_bytes: unused as u64 });
        }
        Ok(thin)
    }

    /// Copies what is needed of `thin` into new packs.
    ///
    /// # Errors
    /// Those of reading, of the store and of the index. What was copied until then stays usable.
    pub(super) fn repack(
        &self,
        survey: &Survey,
        thin: &[Thin],
        deadline: Option<Duration>,
    ) -> Result<RepackReport, GcError> {
        let mut report = RepackReport::default();
        let can_read = |kind| match kind {
            PackKind::Data => self.repo.keys().data().is_ok(),
            PackKind::Tree => true,
        };
        let (readable, closed): (Vec<&Thin>, Vec<&Thin>) =
            thin.iter().partition(|thin| can_read(thin.pack.row.pack.kind));
        report.unreadable_packs = closed.len() as u64;
        if readable.is_empty() {
            return Ok(report);
        }
        self.monitor.phase(&Phase {
            name: "repacking",
            total_items: Some(readable.len() as u64),
            total_bytes: None,
        });
        let (repo, index) = (self.repo, self.index);
        let id = session::new_id(&self.identity()?, 0);
        index.begin_run(id, repo.clock().now(), "repack")?;
        let (kind, host) = (SessionKind::Repack, &self.options.host);
        session::register(repo, &self.identity()?, id, kind, host)?;
        let mut writer = Writer::new(self, id, index.reader()?);
        for thin in readable {
            let is_late = deadline.is_some_and(|end| repo.clock().monotonic() >= end);
            if self.monitor.is_cancelled() || is_late {
                break;
            }
            match writer.copy(survey, &thin.pack) {
                Ok(()) => {
                    report.packs += 1;
                    report.bytes += u64::from(thin.pack.row.stored_bytes);
                }
                // Damaged, or deleted by another collector since it was surveyed.
                Err(error)
                    if matches!(error.class(), ErrorClass::Corrupt | ErrorClass::Missing) =>
                {
                    self.monitor.note(&format!("a pack is left as it is: {error}"));
                }
                Err(error) => return Err(error),
            }
            self.monitor.add(Counter::Items, 1);
        }
        report.written_bytes = writer.finish()?;
        session::end(repo, &self.identity()?, id, "the repacking has ended")?;
        index.finish_run(id, repo.clock().now(), "repacked", "")?;
        Ok(report)
    }
}

fn live_raw_bytes(reader: &IndexReader, survey: &Survey, pack: &PackUse) -> Result<u64, GcError> {
    let Some(table) = reader.pack_table(&pack.row.pack)? else { return Ok(0) };
    let chunks = table.chunks.iter().zip(pack.row.first_record..);
    let live = chunks.filter(|(_, record)| survey.marks.live.get(*record));
    Ok(live.map(|(chunk, _)| u64::from(chunk.length_bytes)).sum())
}

/// Fills new packs, one at a time for each kind and dedup domain.
struct Writer<'a> {
    collector: &'a Collector<'a>,
    session: SessionId,
    reader: IndexReader,
    /// Copies of chunks that were written once.
    copied: Bits,
    counter: u32,
    segment: u32,
    open: Option<Open>,
    listed: BTreeMap<u32, Vec<SegmentPack>>,
    buffers: PackBuffers,
    compressor: Compressor,
    decompressor: Decompressor,
    written_bytes: u64,
}

/// A thin pack that is being read.
struct Source<'a> {
    key: String,
    bytes: &'a [u8],
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

impl<'a> Writer<'a> {
    fn new(collector: &'a Collector<'a>, session: SessionId, reader: IndexReader) -> Self {
        Self {
            collector,
            session,
            reader,
            copied: Bits::default(),
            counter: 0,
            segment: 0,
            open: None,
            listed: BTreeMap::new(),
            buffers: PackBuffers::default(),
            compressor: Compressor::new(Level::default()),
            decompressor: Decompressor::new(),
            written_bytes: 0,
        }
    }

    fn copy(&mut self, survey: &Survey, pack: &PackUse) -> Result<(), GcError> {
        let repo = self.collector.repo;
        let name = pack.row.pack;
        let Some(table) = self.reader.pack_table(&name)? else { return Ok(()) };
        let bytes = repo.store().get(&ObjectName::Pack(name), PACK_MAX_BYTES as u64)?;
        let opener = PackOpener::new(repo, name, &bytes)?;
        self.require_open(name.kind, opener.domain())?;
        let wanted: Vec<bool> = (pack.row.first_record..)
            .take(table.chunks.len())
            .map(|record| survey.marks.live.get(record))
            .collect();
        let source = Source { key: key_of(name), bytes: &bytes, table, opener, wanted };
        for number in 0..source.table.blocks.len() as u32 {
            self.copy_block(&source, number)?;
        }
        Ok(())
    }

    fn copy_block(&mut self, source: &Source<'_>, number: u32) -> Result<(), GcError> {
        let Source { key, bytes, table, opener, wanted } = source;
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
        let sealed = bytes.get(start..start + block.stored_bytes as usize);
        let mut sealed = sealed.ok_or_else(outside)?.to_vec();
        let mut room = Vec::new();
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
        Ok(())
    }

    /// Whether no copy of the chunk was written by this run.
    fn is_first(&mut self, id: &ChunkId) -> Result<bool, GcError> {
        let copied = &mut self.copied;
        let mut is_first = true;
        self.reader.for_each_copy(id, &mut |copy| {
            is_first &= copied.set(copy.record);
            true
        })?;
        Ok(is_first)
    }

    fn require_open(&mut self, kind: PackKind, domain: u32) -> Result<(), GcError> {
        let fits = |open: &Open| open.kind == kind && open.write.domain == domain;
        if !self.open.as_ref().is_some_and(fits) {
            self.close_pack()?;
            let write = self.collector.repo.keys().write_to(domain)?;
            self.open = Some(Open { kind, write, pack: None, block: OpenBlock::default() });
        }
        Ok(())
    }

    fn push(&mut self, id: ChunkId, bytes: &[u8]) -> Result<(), GcError> {
        let Some(open) = &mut self.open else { return Ok(()) };
        if open.block.is_full_for(bytes.len()) {
            self.close_block()?;
        }
        if let Some(open) = &mut self.open {
            open.block.push(id, bytes);
        }
        Ok(())
    }

    fn close_block(&mut self) -> Result<(), GcError> {
        let Some(open) = self.open.as_mut().filter(|open| !open.block.is_empty()) else {
            return Ok(());
        };
        let mut pack = match open.pack.take() {
            Some(pack) => pack,
            None => {
                let (repo, number) = (self.collector.repo, self.counter);
                self.counter += 1;
                OpenPack::new(repo, &open.write, &self.buffers, open.kind, self.session, number)?
            }
        };
        pack.add_block(&open.block, &mut self.compressor);
        open.block.clear();
        let is_full = pack.is_full(PACK_TARGET_BYTES);
        open.pack = Some(pack);
        if is_full { self.close_pack() } else { Ok(()) }
    }

    fn close_pack(&mut self) -> Result<(), GcError> {
        if self.open.as_ref().is_some_and(|open| !open.block.is_empty()) {
            self.close_block()?;
        }
        let Some(open) = &mut self.open else { return Ok(()) };
        let Some(pack) = open.pack.take() else { return Ok(()) };
        let repo = self.collector.repo;
        let domain = open.write.domain;
        let finished = pack.finish(repo, &open.write);
        self.written_bytes += finished.bytes.len() as u64;
        self.collector.monitor.add(Counter::StoredBytes, finished.bytes.len() as u64);
        repo.store().put_new(&ObjectName::Pack(finished.listed.pack), finished.bytes)?;
        let listed = self.listed.entry(domain).or_default();
        listed.push(finished.listed);
        if listed.len() >= SEGMENT_MAX_PACKS {
            let full = std::mem::take(listed);
            self.write_segment(domain, &full)?;
        }
        Ok(())
    }

    fn write_segment(&mut self, domain: u32, packs: &[SegmentPack]) -> Result<(), GcError> {
        let Collector { repo, index, .. } = self.collector;
        put_segment_of(repo, domain, self.session, self.segment, packs)?;
        index.add_segment(self.session, self.segment, packs)?;
        self.segment += 1;
        Ok(())
    }

    /// Closes what is open; answers how many bytes were written in all.
    fn finish(mut self) -> Result<u64, GcError> {
        self.close_pack()?;
        for (domain, packs) in std::mem::take(&mut self.listed) {
            if !packs.is_empty() {
                self.write_segment(domain, &packs)?;
            }
        }
        Ok(self.written_bytes)
    }
}
