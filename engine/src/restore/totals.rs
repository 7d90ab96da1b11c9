//! How much a restore has to do, for a display with an end.

use crate::base::path::TreePath;
use crate::blob::fetch::ChunkFetcher;
use crate::format::entry::EntryKind;
use crate::format::snapshot::Snapshot;
use crate::restore::options::RestoreOptions;
use crate::tree::cursor::subtree;

/// Items and bytes that are selected. Of a whole snapshot its summary says it; of a part the tree is
/// read once more, which takes a moment for each 100,000 entries.
pub(super) fn totals(
    fetcher: &ChunkFetcher<'_>,
    snapshot: &Snapshot,
    from: &TreePath,
    options: &RestoreOptions,
) -> (Option<u64>, Option<u64>) {
    if from.is_root() && !options.has_filters() {
        return (Some(snapshot.summary.entries), Some(snapshot.summary.total_bytes));
    }
    let (mut items, mut bytes) = (0u64, 0u64);
    for (path, entry) in subtree(fetcher, snapshot.root, from).filter_map(Result::ok) {
        if options.selects(&path) {
            items += 1;
            let is_file = entry.kind == EntryKind::File && !entry.is_unread();
            bytes = bytes.saturating_add(if is_file { entry.size_bytes } else { 0 });
        }
    }
    (Some(items), Some(bytes))
}
