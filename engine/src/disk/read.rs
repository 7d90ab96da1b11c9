//! Reading one file: at offsets, past holes, and noticing when it changes meanwhile.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::fs::{Advice, OFlags, SeekFrom, Statx};
use rustix::io::Errno;

use crate::base::path::TreePath;
use crate::base::time::Timestamp;
use crate::disk::error::DiskError;
use crate::disk::meta;

/// What changes when a file's content changes: equal before and after reading means that nobody
/// wrote to it in between (as far as the clock of the file system is fine enough).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stamp {
    /// Last change of content.
    pub mtime: Timestamp,
    /// Last change of metadata.
    pub ctime: Timestamp,
    /// Size in bytes.
    pub size_bytes: u64,
}

impl From<&Statx> for Stamp {
    fn from(stat: &Statx) -> Self {
        Self {
            mtime: meta::timestamp(stat.stx_mtime),
            ctime: meta::timestamp(stat.stx_ctime),
            size_bytes: stat.stx_size,
        }
    }
}

/// A regular file open for reading. Reading does not move any position; threads may share it.
#[derive(Debug)]
pub struct OpenFile {
    fd: OwnedFd,
    path: TreePath,
    opened: Stamp,
    allocated_bytes: u64,
}

impl OpenFile {
    /// Opens `name` in a directory, not following a link, not waiting for a pipe's other end, and
    /// not touching the time of last access where the system allows that.
    pub(crate) fn open_at(directory: BorrowedFd<'_>, name: &[u8]) -> rustix::io::Result<OwnedFd> {
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let open = |flags| rustix::fs::openat(directory, name, flags, rustix::fs::Mode::empty());
        match open(flags | OFlags::NOATIME) {
            // Only owners and root may leave the access time alone.
            Err(Errno::PERM) => open(flags),
            result => result,
        }
    }

    /// Takes a descriptor whose `stat` says that it is a regular file.
    pub(crate) fn new(fd: OwnedFd, path: TreePath, stat: &Statx) -> Self {
        let allocated_bytes = stat.stx_blocks.saturating_mul(512);
        Self { fd, path, opened: Stamp::from(stat), allocated_bytes }
    }

    /// The stamp of this moment.
    ///
    /// # Errors
    /// [`DiskError::Io`].
    pub fn stamp(&self) -> Result<Stamp, DiskError> {
        let stat = meta::stat_open(&self.fd).map_err(|error| self.error(error))?;
        Ok(Stamp::from(&stat))
    }

    /// The stamp at the moment of opening.
    #[must_use]
    pub fn opened_stamp(&self) -> Stamp {
        self.opened
    }

    /// Whether the file had fewer bytes allocated than its size when it was opened, so that
    /// looking for holes is worth while.
    #[must_use]
    pub fn is_sparse(&self) -> bool {
        self.allocated_bytes < self.opened.size_bytes
    }

    /// The next stretch of data at or after `offset` as `(start, end)`; `None` if only a hole
    /// follows. Where the file system does not know its holes, everything is data.
    ///
    /// # Errors
    /// [`DiskError::Io`].
    pub fn next_data(&self, offset: u64) -> Result<Option<(u64, u64)>, DiskError> {
        let start = match rustix::fs::seek(&self.fd, SeekFrom::Data(offset)) {
            Ok(start) => start,
            Err(Errno::NXIO) => return Ok(None),
            Err(Errno::INVAL | Errno::OPNOTSUPP) => {
                let size_bytes = self.stamp()?.size_bytes;
                return Ok((offset < size_bytes).then_some((offset, size_bytes)));
            }
            Err(error) => return Err(self.error(error)),
        };
        match rustix::fs::seek(&self.fd, SeekFrom::Hole(start)) {
            Ok(end) if end > start => Ok(Some((start, end))),
            // The file shrank between the two questions.
            Ok(_) | Err(Errno::NXIO) => Ok(None),
            Err(error) => Err(self.error(error)),
        }
    }

    /// Reads from `offset` until the buffer is full or the file ends; returns the bytes read.
    ///
    /// # Errors
    /// [`DiskError::Io`]; the buffer's content is undefined then.
    pub fn read_at(&self, buffer: &mut [u8], offset: u64) -> Result<usize, DiskError> {
        let mut filled = 0;
        while filled < buffer.len() {
            match rustix::io::pread(&self.fd, &mut buffer[filled..], offset + filled as u64) {
                Ok(0) => break,
                Ok(count) => filled += count,
                Err(Errno::INTR) => {}
                Err(error) => return Err(self.error(error)),
            }
        }
        Ok(filled)
    }

    /// Tells the system that the file will be read from front to back; only a hint.
    pub fn advise_sequential(&self) {
        let _ = rustix::fs::fadvise(&self.fd, 0, None, Advice::Sequential);
    }

    fn error(&self, error: impl Into<io::Error>) -> DiskError {
        DiskError::io("reading", &self.path, error)
    }
}

impl AsFd for OpenFile {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

#[cfg(test)]
mod tests;
