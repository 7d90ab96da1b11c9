//! Overwriting a file where it is: only blocks that differ are fetched and written.

use std::sync::Arc;

use crate::base::error::in_one_line;
use crate::base::limits::CHUNK_MAX_BYTES;
use crate::base::monitor::Counter;
use crate::disk::write::TargetFile;
use crate::format::entry::Content;
use crate::format::extent::Extent;
use crate::restore::error::RestoreError;
use crate::restore::file::RestoredFile;
use crate::restore::pass::Pass;
use crate::restore::report::Tally;
use crate::restore::window::Wanted;
use crate::tree::extents::ExtentCursor;

impl Pass<'_> {
    /// Compares a file with the snapshot, block by block, and plans what differs.
    pub(super) fn plan_in_place(
        &mut self,
        file: &Arc<RestoredFile>,
        content: &Content,
    ) -> Result<(), RestoreError> {
        let work = self.work;
        self.window.file_count += 1;
        let Some(open) = file.open_in_place(work.to) else { return Ok(()) };
        if let Content::Inline(bytes) = content {
            file.expect_write();
            file.write(work.to, bytes, 0, 1);
            return Ok(());
        }
        let mut buffer = vec![0; CHUNK_MAX_BYTES];
        let mut offset = 0u64;
        for extent in ExtentCursor::new(work.executor.fetcher, content) {
            let extent = match extent {
                Ok(extent) => extent,
                Err(error) => {
                    file.mark_damaged(work.to, in_one_line(&error));
                    return Ok(());
                }
            };
            if file.has_failed() {
                return Ok(());
            }
            let end = offset.saturating_add(extent.length_bytes());
            if end > file.entry.size_bytes {
                file.mark_damaged(work.to, "its extents are longer than the file".to_owned());
                return Ok(());
            }
            match extent {
                Extent::Hole { length_bytes } => {
                    let made = open.make_hole(offset, length_bytes);
                    if let Err(error) = made.and_then(|()| open.mark_unfinished()) {
                        file.fail(work.to, "writing", &error);
                        return Ok(());
                    }
                    work.to.monitor.add(Counter::Bytes, length_bytes);
                }
                Extent::Chunk { id, length_bytes } => {
                    let part = &mut buffer[..(length_bytes as usize).min(CHUNK_MAX_BYTES)];
                    if self.has(&open, &id, part, offset)? {
                        work.to.monitor.add(Counter::Bytes, u64::from(length_bytes));
                        Tally::add(&work.to.tally.reused_bytes, u64::from(length_bytes));
                    } else {
                        let file = Arc::clone(file);
                        self.want(Wanted { id, length_bytes, file, offset })?;
                    }
                }
            }
            offset = end;
        }
        if offset != file.entry.size_bytes {
            file.mark_damaged(work.to, "its extents are shorter than the file".to_owned());
        }
        Ok(())
    }

    /// Whether the file has the chunk at `offset` already.
    fn has(
        &self,
        file: &TargetFile,
        id: &crate::base::id::ChunkId,
        part: &mut [u8],
        offset: u64,
    ) -> Result<bool, RestoreError> {
        match file.read_at(part, offset) {
            // What cannot be read is written anew; what cannot be told apart as well.
            Ok(count) if count == part.len() => {
                Ok(self.work.matcher.matches(id, part).unwrap_or(false))
            }
            _ => Ok(false),
        }
    }
}
