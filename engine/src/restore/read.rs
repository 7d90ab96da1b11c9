//! Reads files of a snapshot to a stream.

use std::io::Write;

use crate::base::limits::{KIB, NODE_CACHE_BYTES};
use crate::base::path::TreePath;
use crate::blob::fetch::ChunkFetcher;
use crate::format::entry::{Content, Entry, EntryKind};
use crate::format::extent::Extent;
use crate::format::snapshot::Snapshot;
use crate::index::Index;
use crate::repo::Repo;
use crate::restore::error::RestoreError;
use crate::tree::cursor::find;
use crate::tree::error::TreeError;
use crate::tree::extents::ExtentCursor;

/// Writes the bytes of the file at `path`; returns how many. Every byte is verified before it is
/// written, so what was written before an error is right.
///
/// # Errors
/// [`RestoreError::NoSuchPath`], [`RestoreError::NotAFile`], [`RestoreError::Unread`], damage, or errors of `output`.
pub fn cat(
    repo: &Repo,
    index: &Index,
    snapshot: &Snapshot,
    path: &TreePath,
    output: &mut dyn Write,
) -> Result<u64, RestoreError> {
    repo.keys().data()?;
    let fetcher = ChunkFetcher::new(repo, index, NODE_CACHE_BYTES)?;
    let entry = find(&fetcher, snapshot.root, path)?
        .ok_or_else(|| RestoreError::NoSuchPath { path: path.to_string() })?;
    if entry.kind != EntryKind::File {
        return Err(RestoreError::NotAFile { path: path.to_string() });
    }
    write_content(&fetcher, path, &entry, Holes::AsZeros, output)?;
    Ok(entry.size_bytes)
}

/// What becomes of holes where content is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Holes {
    /// They are written out.
    AsZeros,
    /// Nothing is written for them.
    LeftOut,
}

/// Writes the content of the file `entry`, which lies at `path`; every byte is verified before it is
/// written.
///
/// # Errors
/// [`RestoreError::Unread`], damage, or errors of `output`.
pub fn write_content(
    fetcher: &ChunkFetcher<'_>,
    path: &TreePath,
    entry: &Entry,
    holes: Holes,
    output: &mut dyn Write,
) -> Result<(), RestoreError> {
    let mut put =
        |bytes: &[u8]| output.write_all(bytes).map_err(|source| RestoreError::Output { source });
    match &entry.content {
        Some(Content::Inline(bytes)) => put(bytes),
        Some(content) => {
            for extent in ExtentCursor::new(fetcher, content) {
                match extent? {
                    Extent::Chunk { id, length_bytes } => {
                        let bytes = fetcher.chunk(&id)?;
                        if bytes.len() != length_bytes as usize {
                            return Err(TreeError::BadExtents.into());
                        }
                        put(&bytes)?;
                    }
                    Extent::Hole { .. } if holes == Holes::LeftOut => {}
                    Extent::Hole { length_bytes } => put_zeros(length_bytes, &mut put)?,
                }
            }
            Ok(())
        }
        None => Err(RestoreError::Unread { path: path.to_string() }),
    }
}

/// The extents of a file with holes; nothing if it has none.
///
/// # Errors
/// Damage.
pub fn extents_with_holes(
    fetcher: &ChunkFetcher<'_>,
    entry: &Entry,
) -> Result<Vec<Extent>, RestoreError> {
    let Some(content) = entry.content.as_ref().filter(|it| !matches!(it, Content::Inline(_)))
    else {
        return Ok(Vec::new());
    };
    let extents = ExtentCursor::new(fetcher, content).collect::<Result<Vec<_>, _>>()?;
    let has_hole = extents.iter().any(|extent| matches!(extent, Extent::Hole { .. }));
    Ok(if has_hole { extents } else { Vec::new() })
}

fn put_zeros(
    length_bytes: u64,
    put: &mut dyn FnMut(&[u8]) -> Result<(), RestoreError>,
) -> Result<(), RestoreError> {
    let zeros = [0; 64 * KIB];
    let mut left = length_bytes;
    while left > 0 {
        let count = left.min(zeros.len() as u64);
        put(&zeros[..count as usize])?;
        left -= count;
    }
    Ok(())
}
