//! Paths in a snapshot as they are asked for: by their bytes, or as lists print them.
//!
//! A name with control characters, or with bytes that are no text, is printed with escapes, so that it
//! stays on its line and does nothing to a terminal. What was copied from a list shall lead there:
//! where nothing has the name that was typed, its escapes are read.

use engine::base::limits::NODE_CACHE_BYTES;
use engine::base::path::TreePath;
use engine::blob::fetch::ChunkFetcher;
use engine::format::snapshot::Snapshot;
use engine::tree::cursor::find;

use crate::command::open::Opened;
use crate::fault::Fault;

/// Where in the tree of `snapshot` what was asked for is, or would be.
///
/// # Errors
/// Those of the index.
pub fn in_tree(opened: &Opened, snapshot: &Snapshot, asked: &TreePath) -> Result<TreePath, Fault> {
    let literal = snapshot.in_tree(asked);
    let Some(read) = asked.unescaped() else { return Ok(literal) };
    let fetcher = ChunkFetcher::new(&opened.repo, &opened.index, NODE_CACHE_BYTES)?;
    // A part of the tree that cannot be read is told of by whoever needs it.
    let is_there = |path| find(&fetcher, snapshot.root, path).is_ok_and(|entry| entry.is_some());
    let read = snapshot.in_tree(&read);
    match !is_there(&literal) && is_there(&read) {
        true => Ok(read),
        false => Ok(literal),
    }
}
