//! Reading again what was written, although its mode keeps even its owner from it.
//!
//! Whoever is not root can restore a file of mode 000 and not read it back. The owner gets the right for
//! the moment of opening it; anybody else is told that it cannot be read. Should the program end in
//! that moment, the owner can read a file that is the owner's own.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;

use crate::base::path::TreePath;
use crate::disk::error::DiskError;
use crate::disk::meta;
use crate::disk::read::OpenFile;
use crate::disk::write::Target;
use crate::disk::xattr::proc_path;
use crate::format::entry::EntryKind;

/// The right that is lent.
const OWNER_READS: u32 = 0o400;

impl Target {
    /// Opens a file that was written by this user, to compare it with what it should be.
    ///
    /// # Errors
    /// As [`Target::open_for_reading`].
    pub fn open_to_compare(&self, path: &TreePath) -> Result<OpenFile, DiskError> {
        match self.open_for_reading(path) {
            Err(DiskError::Io { source, .. })
                if source.kind() == std::io::ErrorKind::PermissionDenied =>
            {
                let action = "opening";
                let (directory, name) = self.holder(path, action)?;
                let failed = |error: Errno| DiskError::io(action, path, error);
                let fd = open_own(directory.as_fd(), name).map_err(failed)?;
                let stat = meta::stat_open(&fd).map_err(failed)?;
                Ok(OpenFile::new(fd, path.clone(), &stat))
            }
            opened => opened,
        }
    }
}

fn open_own(directory: BorrowedFd<'_>, name: &[u8]) -> rustix::io::Result<OwnedFd> {
    let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let pointer = rustix::fs::openat(directory, name, flags, Mode::empty())?;
    let stat = meta::stat_open(&pointer)?;
    let is_own = stat.stx_uid == rustix::process::geteuid().as_raw();
    if !is_own || meta::kind(&stat) != Some(EntryKind::File) {
        return Err(Errno::ACCESS);
    }
    let place = proc_path(pointer.as_fd());
    let mode = u32::from(stat.stx_mode) & 0o7777;
    rustix::fs::chmod(&place, Mode::from_raw_mode(mode | OWNER_READS))?;
    let opened = OpenFile::open_at(directory, name);
    rustix::fs::chmod(&place, Mode::from_raw_mode(mode))?;
    let opened = opened?;
    // Another file may have come by that name.
    match meta::identity(&meta::stat_open(&opened)?) == meta::identity(&stat) {
        true => Ok(opened),
        false => Err(Errno::ACCESS),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::{MetadataExt, PermissionsExt};

    #[test]
    fn a_file_that_even_its_owner_may_not_read_is_compared_and_stays_so() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("file");
        drop(std::fs::File::create(&file).expect("it is new"));
        let locked = std::fs::Permissions::from_mode(0o000);
        std::fs::set_permissions(&file, locked).expect("it is ours");
        let before = std::fs::metadata(&file).expect("it is there");
        // Root opens it anyway; then the right is lent for nothing.
        let directory = std::fs::File::open(folder.path()).expect("it is there");
        open_own(directory.as_fd(), b"file").expect("it is ours");
        let after = std::fs::metadata(&file).expect("it is there");
        assert_eq!((before.mode(), before.mtime_nsec()), (after.mode(), after.mtime_nsec()));
        std::os::unix::fs::symlink("file", folder.path().join("link")).expect("it is free");
        assert!(open_own(directory.as_fd(), b"link").is_err(), "no link is followed");
    }
}
