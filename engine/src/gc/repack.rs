//! Repacking: what is needed of thin packs is copied into new ones, in a session of its own.
//!
//! The old packs are not touched: once every needed chunk in them has another copy, they are
//! candidates like any other. So this can stop anywhere, and the next run finds what was copied.
//! The session never commits. It ends with its own final, so that nobody waits for it.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use crate::base::error::{Classified, ErrorClass};
use crate::base::id::PackKind;
use crate::base::limits::{GC_REPACK_THREADS, PACK_TARGET_BYTES};
use crate::base::monitor::{Counter, Phase};
use crate::blob::rewrite::{Output, Rewriter};
use crate::format::session::SessionKind;
use crate::gc::collector::{Collector, Survey};
use crate::gc::error::GcError;
use crate::gc::options::MaxUnused;
use crate::gc::report::RepackReport;
use crate::gc::usage::PackUse;
use crate::index::IndexReader;
use crate::repo::session;

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
        let (mut readable, closed): (Vec<&Thin>, Vec<&Thin>) =
            thin.iter().partition(|thin| can_read(thin.pack.row.pack.kind));
        // One kind after the other: a thread fills packs of one kind only.
        readable.sort_by_key(|thin| thin.pack.row.pack.kind == PackKind::Data);
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
        let identity = self.identity()?;
        let id = session::new_id(&identity, 0);
        index.begin_run(id, repo.clock().now(), "repack")?;
        let (kind, host) = (SessionKind::Repack, &self.options.host);
        session::register(repo, &identity, id, kind, host)?;
        let output = Output::new(repo, index, self.monitor, (&identity, id));
        for part in self.rewrite(survey, &readable, deadline, &output)? {
            report.packs += part.packs;
            report.bytes += part.bytes;
        }
        report.written_bytes = output.finish()?;
        session::end(repo, &identity, id, "the repacking has ended")?;
        index.finish_run(id, repo.clock().now(), "repacked", "")?;
        Ok(report)
    }

    /// Lets a few threads take thin packs until none is left; one report of each thread.
    fn rewrite(
        &self,
        survey: &Survey,
        thin: &[&Thin],
        deadline: Option<Duration>,
        output: &Output<'_>,
    ) -> Result<Vec<RepackReport>, GcError> {
        let next = AtomicUsize::new(0);
        let work = |reader: IndexReader| {
            let mut rewriter = Rewriter::new(output, reader);
            let mut part = RepackReport::default();
            while let Some(one) = thin.get(next.fetch_add(1, Ordering::Relaxed)) {
                let is_late = deadline.is_some_and(|end| self.repo.clock().monotonic() >= end);
                if self.monitor.is_cancelled() || is_late {
                    break;
                }
                match rewriter.copy(&survey.marks.live, &one.pack.row) {
                    Ok(()) => {
                        part.packs += 1;
                        part.bytes += u64::from(one.pack.row.stored_bytes);
                    }
                    // Damaged, deleted by another collector since it was surveyed, or not to be read
                    // today: it stays, and costs nobody the rest.
                    Err(error)
                        if matches!(
                            error.class(),
                            ErrorClass::Corrupt | ErrorClass::Missing | ErrorClass::Unreadable
                        ) =>
                    {
                        self.monitor.note(&format!("a pack is left as it is: {error}"));
                    }
                    Err(error) => {
                        // The others need not begin anything more.
                        next.store(thin.len(), Ordering::Relaxed);
                        return Err(error.into());
                    }
                }
                self.monitor.add(Counter::Items, 1);
            }
            rewriter.close_pack()?;
            Ok(part)
        };
        let readers = (0..threads_for(thin)).map(|_| self.index.reader());
        let readers = readers.collect::<Result<Vec<_>, _>>()?;
        std::thread::scope(|scope| {
            let work = &work;
            let threads: Vec<_> =
                readers.into_iter().map(|reader| scope.spawn(move || work(reader))).collect();
            let ended = threads.into_iter().map(|thread| match thread.join() {
                Ok(ended) => ended,
                Err(panic) => std::panic::resume_unwind(panic),
            });
            ended.collect()
        })
    }
}

/// As many threads as there are cores, unless each would hardly fill a pack.
fn threads_for(thin: &[&Thin]) -> usize {
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let bytes: u64 = thin.iter().map(|thin| u64::from(thin.pack.row.stored_bytes)).sum();
    let worth = bytes.div_ceil(2 * PACK_TARGET_BYTES as u64) as usize;
    cores.min(GC_REPACK_THREADS).min(worth).max(1)
}

fn live_raw_bytes(reader: &IndexReader, survey: &Survey, pack: &PackUse) -> Result<u64, GcError> {
    let Some(table) = reader.pack_table(&pack.row.pack)? else { return Ok(0) };
    let chunks = table.chunks.iter().zip(pack.row.first_record..);
    let live = chunks.filter(|(_, record)| survey.marks.live.get(*record));
    Ok(live.map(|(chunk, _)| u64::from(chunk.length_bytes)).sum())
}
