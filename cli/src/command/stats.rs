//! `stats`: how much there is, and how little of it had to be stored.

use std::collections::HashSet;

use engine::base::id::{ChunkId, PackId, PackKind};
use engine::base::limits::NODE_CACHE_BYTES;
use engine::base::path::TreePath;
use engine::blob::fetch::ChunkFetcher;
use engine::gc;
use engine::index::IndexReader;
use engine::index::catalog::Committed;
use engine::tree::error::TreeError;
use engine::tree::reach::{Reach, ReachVisitor};

use crate::args::repository::StatsArgs;
use crate::command::clock;
use crate::command::context::Context;
use crate::command::open::{Opened, open, progress};
use crate::command::select::Choice;
use crate::command::trouble;
use crate::fault::{ExitCode, Fault};
use crate::ui::json::Message;
use crate::ui::records::{Freed, Stats};
use crate::units;

/// Counts.
///
/// # Errors
/// Those of the store and of the index; exit code 20 if a tree that is to be counted is damaged.
pub fn run(args: &StatsArgs, context: &Context<'_>) -> Result<ExitCode, Fault> {
    let opened = open(context)?;
    opened.require_names()?;
    let catalog = opened.look(&progress(context))?;
    clock::tell(&args.filter, &opened, &catalog, context);
    let choice = Choice::new(&catalog, &args.filter, context);
    if !args.freed_by.is_empty() {
        return freed_by(&opened, &choice.several(&args.freed_by)?, context);
    }
    let chosen = choice.several(&args.snapshots)?;
    let is_whole = args.snapshots.is_empty() && chosen.len() == catalog.snapshots.len();
    let mut stats = Stats {
        snapshots_count: chosen.len() as u64,
        total_file_count: chosen.iter().map(|one| one.snapshot.summary.entries).sum(),
        total_restore_size: chosen.iter().map(|one| one.snapshot.summary.total_bytes).sum(),
        total_blob_count: 0,
        total_uncompressed_size: 0,
        total_size: None,
        packs_count: None,
        dedup_ratio: None,
        compression_ratio: None,
        fragmentation: None,
        requests: 0,
    };
    if is_whole {
        count_packs(&opened, &mut stats)?;
    } else {
        count_reachable(&opened, &chosen, &mut stats)?;
    }
    stats.dedup_ratio = ratio(stats.total_restore_size, stats.total_uncompressed_size);
    stats.requests = opened.repo.store().usage().requests();
    if context.ui.is_json() {
        context.ui.message(&Message::Stats(stats));
    } else {
        tell(&stats, context);
    }
    Ok(ExitCode::Ok)
}

/// Says what forgetting `chosen` would free.
fn freed_by(
    opened: &Opened,
    chosen: &[&Committed],
    context: &Context<'_>,
) -> Result<ExitCode, Fault> {
    let sessions: Vec<_> = chosen.iter().map(|one| one.snapshot.session).collect();
    let monitor = progress(context);
    let freed = gc::freed_by(&opened.repo, &opened.index, &sessions, &monitor);
    drop(monitor);
    let freed = freed.map_err(|error| trouble::collecting(&error))?;
    let freed = Freed {
        snapshots_count: sessions.len() as u64,
        packs_freed: freed.packs,
        bytes_freed: freed.bytes,
        bytes_in_shared_packs: freed.bytes_in_shared_packs,
        requests: opened.repo.store().usage().requests(),
    };
    if context.ui.is_json() {
        context.ui.message(&Message::Freed(freed));
        return Ok(ExitCode::Ok);
    }
    let line = |name: &str, text: String| context.ui.result(&format!("{name:<16}{text}"));
    let packs = units::counted(freed.packs_freed, "pack");
    line("freed", format!("{} in {packs}", units::size(freed.bytes_freed)));
    let shared = units::size(freed.bytes_in_shared_packs);
    line("with repacking", format!("about {shared} more, in packs that others need too"));
    Ok(ExitCode::Ok)
}

fn ratio(whole: u64, part: u64) -> Option<f64> {
    (part > 0).then(|| whole as f64 / part as f64)
}

/// Counts everything in the store, by the index. Chunks that several packs hold count once in
/// each, because they are stored so.
fn count_packs(opened: &Opened, stats: &mut Stats) -> Result<(), Fault> {
    let reader = opened.index.reader()?;
    let mut packs = Vec::new();
    reader.for_each_pack(&mut |pack, stored_bytes| {
        packs.push((pack, u64::from(stored_bytes)));
        true
    })?;
    let (mut raw_bytes, mut stored_bytes) = (0, 0);
    for (pack, bytes) in &packs {
        stored_bytes += bytes;
        let Some(table) = reader.pack_table(pack)? else { continue };
        let chunk_bytes: u64 = table.chunks.iter().map(|c| u64::from(c.length_bytes)).sum();
        raw_bytes += chunk_bytes;
        if pack.kind == PackKind::Data {
            stats.total_blob_count += table.chunks.len() as u64;
            stats.total_uncompressed_size += chunk_bytes;
        }
    }
    stats.total_size = Some(stored_bytes);
    stats.packs_count = Some(packs.len() as u64);
    stats.compression_ratio = ratio(raw_bytes, stored_bytes);
    Ok(())
}

/// Counts the content that the trees of `chosen` refer to, each chunk once.
fn count_reachable(opened: &Opened, chosen: &[&Committed], stats: &mut Stats) -> Result<(), Fault> {
    let fetcher = ChunkFetcher::new(&opened.repo, &opened.index, NODE_CACHE_BYTES)?;
    let mut reach = Reach::default();
    let mut counter = Counter {
        seen: HashSet::new(),
        blocks: HashSet::new(),
        bytes: 0,
        decoded_bytes: 0,
        reader: opened.index.reader()?,
        failure: None,
    };
    for one in chosen {
        reach.visit(&fetcher, one.snapshot.root, &mut counter);
    }
    stats.total_blob_count = counter.seen.len() as u64;
    stats.total_uncompressed_size = counter.bytes;
    stats.fragmentation = ratio(counter.decoded_bytes, counter.bytes);
    counter.failure.map_or(Ok(()), Err)
}

struct Counter {
    /// The first half of each id: it tells chunks apart as well and takes half the memory.
    seen: HashSet<[u8; 16]>,
    /// Blocks that a restore would decode, for one chunk or for many.
    blocks: HashSet<(PackId, u32)>,
    bytes: u64,
    decoded_bytes: u64,
    reader: IndexReader,
    failure: Option<Fault>,
}

impl Counter {
    fn count(&mut self, id: &ChunkId, length_bytes: u32) -> Result<(), Fault> {
        self.bytes += u64::from(length_bytes);
        // What no pack holds is for `check` to say.
        if let Some(place) = self.reader.first_place(id)?
            && self.blocks.insert((place.pack, place.block))
        {
            self.decoded_bytes += u64::from(place.block_raw_bytes);
        }
        Ok(())
    }
}

impl ReachVisitor for Counter {
    fn chunk(&mut self, _path: &TreePath, id: &ChunkId, length_bytes: u32) {
        let mut half = [0; 16];
        half.copy_from_slice(&id.as_bytes()[..16]);
        if self.seen.insert(half)
            && let Err(fault) = self.count(id, length_bytes)
        {
            self.failure.get_or_insert(fault);
        }
    }

    fn broken(&mut self, near: &TreePath, _id: &ChunkId, error: &TreeError) {
        let fault = Fault::new(
            ExitCode::Damage,
            "E_CORRUPT",
            format!("what follows {near} cannot be counted"),
        );
        self.failure.get_or_insert(fault.because(error));
    }
}

fn tell(stats: &Stats, context: &Context<'_>) {
    let line = |name: &str, text: String| context.ui.prose(&format!("{name:<15}{text}"), 15);
    let times = |ratio: Option<f64>| {
        ratio.map(|ratio| match ratio < 1.0 {
            true => format!(", {:.2} times that", 1.0 / ratio),
            false => format!(", 1/{ratio:.2} of that"),
        })
    };
    line("snapshots", units::count(stats.snapshots_count));
    if stats.snapshots_count == 0 && stats.packs_count.unwrap_or(0) == 0 {
        return line("stored", "nothing yet".to_owned());
    }
    line(
        "restorable",
        format!(
            "{} in {} (files, folders, links)",
            units::size(stats.total_restore_size),
            units::counted(stats.total_file_count, "path")
        ),
    );
    line(
        "deduplicated",
        format!(
            "{} in {}{}",
            units::size(stats.total_uncompressed_size),
            units::counted(stats.total_blob_count, "chunk"),
            times(stats.dedup_ratio).unwrap_or_default()
        ),
    );
    if let (Some(size), Some(packs)) = (stats.total_size, stats.packs_count) {
        line(
            "stored",
            format!(
                "{} in {}, with names and metadata{}",
                units::size(size),
                units::counted(packs, "pack"),
                times(stats.compression_ratio).unwrap_or_default()
            ),
        );
    }
    if let Some(fragmentation) = stats.fragmentation {
        line("fragmentation", format!("{fragmentation:.2} bytes decoded for each one restored"));
    }
    line("requests", format!("{} for this answer", units::count(stats.requests)));
}
