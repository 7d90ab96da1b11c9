//! Reads restored files again and compares them with the snapshot, chunk by chunk.
//!
//! Nothing of the restore is trusted: sizes, holes and every chunk id are computed from what is on
//! the disk now.

use crate::base::error::in_one_line;
use crate::base::limits::{CHUNK_MAX_BYTES, KIB};
use crate::base::monitor::{Phase, Problem};
use crate::base::path::TreePath;
use crate::blob::fetch::ChunkFetcher;
use crate::chunk::squeeze::is_zero;
use crate::disk::read::OpenFile;
use crate::format::entry::{Content, Entry, EntryKind};
use crate::format::extent::Extent;
use crate::format::snapshot::Snapshot;
use crate::restore::carry::Work;
use crate::restore::error::RestoreError;
use crate::restore::matching::ChunkMatcher;
use crate::restore::report::RestoreReport;
use crate::tree::cursor::subtree;
use crate::tree::extents::ExtentCursor;

/// Where the restored files are and what they must be.
pub(super) struct Verifier<'a> {
    pub(super) fetcher: &'a ChunkFetcher<'a>,
    pub(super) work: &'a Work<'a>,
}

/// Compares all selected files; differences go into the tally.
pub(super) fn verify(
    verifier: &Verifier<'_>,
    snapshot: &Snapshot,
    from: &TreePath,
    report: &mut RestoreReport,
) -> Result<(), RestoreError> {
    let Verifier { fetcher, work } = verifier;
    let to = work.to;
    to.monitor.phase(&Phase { name: "verifying", total_items: None, total_bytes: None });
    let mut buffer = vec![0; CHUNK_MAX_BYTES];
    for (full, entry) in subtree(*fetcher, snapshot.root, from).filter_map(Result::ok) {
        let Some(path) = work.place_of(&full) else { continue };
        let is_file = entry.kind == EntryKind::File && !entry.is_unread();
        if !is_file || !work.options.selects(&full) {
            continue;
        }
        if to.monitor.is_cancelled() {
            return Err(RestoreError::Interrupted);
        }
        let compared = to
            .target
            .open_to_compare(&path)
            .map_err(|error| in_one_line(&error))
            .and_then(|file| compare(&file, &entry, fetcher, work.matcher, &mut buffer));
        match compared {
            Ok(()) => report.verified_files += 1,
            Err(why) => to.tally.problem(to.monitor, Problem { path, action: "verifying", why }),
        }
    }
    Ok(())
}

fn compare(
    file: &OpenFile,
    entry: &Entry,
    fetcher: &ChunkFetcher<'_>,
    matcher: &ChunkMatcher<'_>,
    buffer: &mut [u8],
) -> Result<(), String> {
    let size_bytes = file.stamp().map_err(|error| in_one_line(&error))?.size_bytes;
    if size_bytes != entry.size_bytes {
        return Err(format!("it has {size_bytes} bytes instead of {}", entry.size_bytes));
    }
    let mut read = |offset: u64, length: usize| -> Result<Vec<u8>, String> {
        let part = &mut buffer[..length];
        match file.read_at(part, offset) {
            Ok(count) if count == length => Ok(part.to_vec()),
            Ok(_) => Err(format!("it ends before byte {}", offset + length as u64)),
            Err(error) => Err(in_one_line(&error)),
        }
    };
    let content = match &entry.content {
        Some(Content::Inline(bytes)) => {
            let found = read(0, bytes.len())?;
            return if found == *bytes { Ok(()) } else { Err("its bytes differ".to_owned()) };
        }
        Some(content) => content,
        None => return Err("the snapshot has no content for it".to_owned()),
    };
    let mut offset = 0;
    for extent in ExtentCursor::new(fetcher, content) {
        match extent.map_err(|error| in_one_line(&error))? {
            Extent::Chunk { id, length_bytes } => {
                let length = (length_bytes as usize).min(CHUNK_MAX_BYTES);
                match matcher.matches(&id, &read(offset, length)?) {
                    Ok(true) => {}
                    Ok(false) => return Err(format!("its bytes differ at {offset}")),
                    Err(error) => return Err(in_one_line(&error)),
                }
                offset += u64::from(length_bytes);
            }
            Extent::Hole { length_bytes } => {
                let end = offset.saturating_add(length_bytes);
                check_hole(file, offset, end, &mut read)?;
                offset = end;
            }
        }
    }
    Ok(())
}

/// A hole may have become data that is zero, never anything else.
fn check_hole(
    file: &OpenFile,
    start: u64,
    end: u64,
    read: &mut dyn FnMut(u64, usize) -> Result<Vec<u8>, String>,
) -> Result<(), String> {
    let mut offset = start;
    while offset < end {
        let data = file.next_data(offset).map_err(|error| in_one_line(&error))?;
        let Some((from, to)) = data.filter(|(from, _)| *from < end) else { return Ok(()) };
        let length = (to.min(end) - from).min(256 * KIB as u64);
        if !is_zero(&read(from, length as usize)?) {
            return Err(format!("it has data at {from} where the snapshot has a hole"));
        }
        offset = from + length;
    }
    Ok(())
}
