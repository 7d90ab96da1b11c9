//! What forgetting certain snapshots would free.

use std::collections::HashSet;

use crate::base::id::SessionId;
use crate::base::monitor::Monitor;
use crate::gc::collector::Collector;
use crate::gc::error::GcError;
use crate::gc::live::Root;
use crate::gc::mark::{Marks, mark};
use crate::gc::options::GcOptions;
use crate::index::Index;
use crate::repo::Repo;

/// What would become unneeded, beside what is unneeded already.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Freed {
    /// Packs that nothing else needs.
    pub packs: u64,
    /// Bytes of these packs: free after a prune.
    pub bytes: u64,
    /// Stored bytes, about, in packs that others need too: free once they are repacked.
    pub bytes_in_shared_packs: u64,
    /// Chunks and tree nodes that nothing else needs; copies count.
    pub chunks: u64,
}

/// Computes what forgetting `snapshots` would free. Changes nothing.
///
/// # Errors
/// As a collection, before it begins to delete.
pub fn freed_by(
    repo: &Repo,
    index: &Index,
    snapshots: &[SessionId],
    monitor: &dyn Monitor,
) -> Result<Freed, GcError> {
    let options = GcOptions::default();
    let survey = Collector::new(repo, index, &options, monitor)?.survey()?;
    let gone: HashSet<&SessionId> = snapshots.iter().collect();
    let rest: Vec<Root> =
        survey.living.roots.iter().filter(|root| !gone.contains(&root.session)).copied().collect();
    let mut without = Marks::new(index);
    mark(repo, index, &rest, &mut without, monitor)?;
    let mut freed = Freed::default();
    let reader = index.reader()?;
    for pack in survey.packs.values().filter(|pack| pack.exists && pack.live_count > 0) {
        let row = pack.row;
        let left = without.live.count(row.first_record, row.chunk_count);
        freed.chunks += u64::from(pack.live_count - left.min(pack.live_count));
        if left == 0 {
            freed.packs += 1;
            freed.bytes += u64::from(row.stored_bytes);
        } else if left < pack.live_count {
            let Some(table) = reader.pack_table(&row.pack)? else { continue };
            let chunks = table.chunks.iter().zip(row.first_record..);
            let unneeded = chunks
                .filter(|(_, record)| survey.marks.live.get(*record) && !without.live.get(*record));
            let raw: u64 = unneeded.map(|(chunk, _)| u64::from(chunk.length_bytes)).sum();
            let stored =
                u128::from(raw) * u128::from(row.stored_bytes) / u128::from(row.raw_bytes.max(1));
            freed.bytes_in_shared_packs += stored as u64;
        }
    }
    Ok(freed)
}
