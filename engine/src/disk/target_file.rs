//! A file of a restore's target, open for writing.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::fs::{FallocateFlags, Timespec, Timestamps};
use rustix::io::Errno;

use crate::base::limits::KIB;
use crate::base::path::TreePath;
use crate::disk::error::DiskError;

/// A file of the target, open for writing. Writing does not move any position; threads may share
/// it.
#[derive(Debug)]
pub struct TargetFile {
    pub(crate) fd: OwnedFd,
    pub(crate) path: TreePath,
}

impl TargetFile {
    /// Writes all of `bytes` at `offset`.
    ///
    /// # Errors
    /// [`DiskError::Io`]; part of the bytes may be written then.
    pub fn write_at(&self, mut bytes: &[u8], mut offset: u64) -> Result<(), DiskError> {
        while !bytes.is_empty() {
            match rustix::io::pwrite(&self.fd, bytes, offset) {
                Ok(0) => return Err(self.error("writing", io::ErrorKind::WriteZero)),
                Ok(count) => {
                    bytes = &bytes[count..];
                    offset += count as u64;
                }
                Err(Errno::INTR) => {}
                Err(error) => return Err(self.error("writing", error)),
            }
        }
        Ok(())
    }

    /// Makes `length_bytes` at `offset` read as zero, as a hole where the file system can.
    ///
    /// # Errors
    /// [`DiskError::Io`].
    pub fn make_hole(&self, offset: u64, length_bytes: u64) -> Result<(), DiskError> {
        if length_bytes == 0 {
            return Ok(());
        }
        let flags = FallocateFlags::PUNCH_HOLE | FallocateFlags::KEEP_SIZE;
        match rustix::fs::fallocate(&self.fd, flags, offset, length_bytes) {
            Ok(()) => return Ok(()),
            Err(Errno::OPNOTSUPP | Errno::NOSYS) => {}
            Err(error) => return Err(self.error("making a hole in", error)),
        }
        let zeros = vec![0; 64 * KIB];
        let mut done = 0;
        while done < length_bytes {
            let count = (length_bytes - done).min(zeros.len() as u64);
            self.write_at(&zeros[..count as usize], offset + done)?;
            done += count;
        }
        Ok(())
    }

    /// Cuts the file to this size or extends it with a hole.
    ///
    /// # Errors
    /// [`DiskError::Io`].
    pub fn set_len(&self, size_bytes: u64) -> Result<(), DiskError> {
        rustix::fs::ftruncate(&self.fd, size_bytes)
            .map_err(|error| self.error("setting the size of", error))
    }

    /// Reads from `offset` until the buffer is full or the file ends; returns the bytes read.
    ///
    /// # Errors
    /// [`DiskError::Io`].
    pub fn read_at(&self, buffer: &mut [u8], offset: u64) -> Result<usize, DiskError> {
        let mut filled = 0;
        while filled < buffer.len() {
            match rustix::io::pread(&self.fd, &mut buffer[filled..], offset + filled as u64) {
                Ok(0) => break,
                Ok(count) => filled += count,
                Err(Errno::INTR) => {}
                Err(error) => return Err(self.error("reading", error)),
            }
        }
        Ok(filled)
    }

    /// Marks the file as not finished: no program and no later restore takes it for what the
    /// snapshot has.
    ///
    /// # Errors
    /// [`DiskError::Io`].
    pub fn mark_unfinished(&self) -> Result<(), DiskError> {
        let never = Timespec { tv_sec: 0, tv_nsec: 0 };
        let times = Timestamps { last_access: never, last_modification: never };
        rustix::fs::futimens(&self.fd, &times)
            .map_err(|error| self.error("marking as unfinished", error))
    }

    /// Waits until content and size are on the storage.
    ///
    /// # Errors
    /// [`DiskError::Io`].
    pub fn sync(&self) -> Result<(), DiskError> {
        rustix::fs::fsync(&self.fd).map_err(|error| self.error("syncing", error))
    }

    /// The descriptor, for what belongs to the file besides its content.
    pub(crate) fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }

    /// Where it is in the target.
    pub(crate) fn path(&self) -> &TreePath {
        &self.path
    }

    fn error(&self, action: &'static str, error: impl Into<io::Error>) -> DiskError {
        DiskError::io(action, &self.path, error)
    }
}
