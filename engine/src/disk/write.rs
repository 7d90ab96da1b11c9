//! The target of a restore: everything is made below one directory and never through a link.
//!
//! New files and directories are closed to others until their metadata is applied (see
//! [`Target::apply_metadata`]), so half a restore exposes nothing. Nothing here replaces what
//! exists: a caller that may overwrite removes first.

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::DirBuilderExt;
use std::path::Path;
use std::sync::Arc;

use rustix::fs::{Access, AtFlags, FileType, Mode, OFlags, StatxAttributes};
use rustix::io::Errno;

use crate::base::limits::FOLDER_READ_BYTES;
use crate::base::path::TreePath;
use crate::base::time::Timestamp;
use crate::disk::beneath::Beneath;
use crate::disk::error::DiskError;
use crate::disk::folder::Names;
use crate::disk::meta;
use crate::disk::read::OpenFile;
use crate::disk::stage::Stage;
pub use crate::disk::target_file::TargetFile;
use crate::format::entry::{DeviceNumber, Entry, EntryKind};

/// Mode of a directory that is not finished yet: for its owner only.
const CLOSED_DIRECTORY: u32 = 0o700;

/// What already lies at a path of the target.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExistingStat {
    /// What it is.
    pub kind: EntryKind,
    /// Logical size of a file in bytes.
    pub size_bytes: u64,
    /// Last change of content.
    pub mtime: Timestamp,
    /// Last change of metadata.
    pub ctime: Timestamp,
    /// Permission, set-id and sticky bits.
    pub mode: u32,
    /// Owner.
    pub uid: u32,
    /// Group.
    pub gid: u32,
    /// How many names it has.
    pub link_count: u32,
    /// Device and inode number.
    pub device_and_inode: (u64, u64),
    /// Major and minor number of a device.
    pub device_number: Option<DeviceNumber>,
    /// Bytes of storage that it takes.
    pub allocated_bytes: u64,
    /// Whether something is mounted there.
    pub is_mount_root: bool,
    /// Whether its inode flags forbid changing it and putting something in its place.
    pub is_immutable: bool,
}

/// Times of a directory.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct FolderTimes {
    /// Last access.
    pub accessed: Timestamp,
    /// Last change of what it holds.
    pub modified: Timestamp,
}

/// Which metadata to apply besides mode and times.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MetadataOptions {
    /// Owner and group, by number. Only root can give files away.
    pub owners: bool,
    /// Extended attributes; those of the file that the entry does not have are removed.
    pub xattrs: bool,
    /// Inode flags, immutability among them.
    pub inode_flags: bool,
}

/// A directory that a restore fills. All paths are relative to it; threads may share it.
#[derive(Debug)]
pub struct Target {
    pub(crate) beneath: Beneath,
    pub(crate) stage: Stage,
    device_and_inode: (u64, u64),
}

impl Target {
    /// Opens the directory, making it (for its owner only) and those above it if necessary. The
    /// path itself is the user's word: links in it are followed.
    ///
    /// # Errors
    /// [`DiskError::Io`].
    pub fn create(path: &Path) -> Result<Self, DiskError> {
        let bytes = path.as_os_str().as_bytes();
        let mut builder = std::fs::DirBuilder::new();
        builder
            .recursive(true)
            .mode(CLOSED_DIRECTORY)
            .create(path)
            .map_err(|error| DiskError::io_at("making the target", bytes, error))?;
        Self::open(path)
    }

    /// Opens a directory that exists; links in the path are followed.
    ///
    /// # Errors
    /// [`DiskError::Io`].
    pub fn open(path: &Path) -> Result<Self, DiskError> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let open = || {
            let base = rustix::fs::open(path, flags, Mode::empty())?;
            let device_and_inode = meta::identity(&meta::stat_open(&base)?);
            Ok(Self { beneath: Beneath::new(base), stage: Stage::default(), device_and_inode })
        };
        let bytes = path.as_os_str().as_bytes();
        open().map_err(|error: Errno| DiskError::io_at("opening the target", bytes, error))
    }

    /// The same target; what is made aside in it lies in folders of this name.
    #[must_use]
    pub fn with_stage(mut self, name: &str) -> Self {
        self.stage = Stage::named(name);
        self
    }

    /// Device and inode number of the directory.
    #[must_use]
    pub fn device_and_inode(&self) -> (u64, u64) {
        self.device_and_inode
    }

    /// Whether nothing lies in it.
    ///
    /// # Errors
    /// [`DiskError::Io`].
    pub fn is_empty(&self) -> Result<bool, DiskError> {
        Ok(self.list(&TreePath::root())?.is_empty())
    }

    /// Whether this user may make something in it, as far as the system tells beforehand.
    ///
    /// # Errors
    /// [`DiskError::Io`] with the reason.
    pub fn require_writable(&self) -> Result<(), DiskError> {
        let access = Access::WRITE_OK | Access::EXEC_OK;
        let failed = |error| DiskError::io_at("making something in", b".", error);
        rustix::fs::accessat(self.beneath.base(), ".", access, AtFlags::EACCESS).map_err(failed)?;
        // In a folder to which one can only add, nothing can be renamed or removed.
        match self.stat(&TreePath::root())? {
            Some(there) if there.is_immutable => Err(failed(Errno::PERM)),
            _ => Ok(()),
        }
    }

    /// Bytes that this user can still write to the file system.
    ///
    /// # Errors
    /// [`DiskError::Io`].
    pub fn free_bytes(&self) -> Result<u64, DiskError> {
        let space = rustix::fs::fstatvfs(self.beneath.base()).map_err(|error| {
            DiskError::io("asking for the free space of", &TreePath::root(), error)
        })?;
        Ok(space.f_bavail.saturating_mul(space.f_frsize))
    }

    /// The same for the file system of the folder at `path`, or of the nearest one above it that is
    /// there; `otherwise` where that cannot be found out.
    #[must_use]
    pub fn free_bytes_at(&self, path: &TreePath, otherwise: u64) -> u64 {
        let mut at = Some(path.clone());
        while let Some(folder) = at {
            if let Ok(fd) = self.directory(&folder, "opening") {
                return match rustix::fs::fstatvfs(&fd) {
                    Ok(space) => space.f_bavail.saturating_mul(space.f_frsize),
                    Err(_) => otherwise,
                };
            }
            at = folder.parent();
        }
        otherwise
    }

    /// What lies at `path`; `None` if nothing does.
    ///
    /// # Errors
    /// [`DiskError::Obstructed`] if the way there is none; [`DiskError::Io`].
    pub fn stat(&self, path: &TreePath) -> Result<Option<ExistingStat>, DiskError> {
        let action = "looking at";
        let stat = match self.holder(path, action) {
            Ok((fd, name)) => meta::stat_at(&fd, name),
            Err(error) if error.is_missing() => return Ok(None),
            Err(error) => return Err(error),
        };
        let stat = match stat {
            Ok(stat) => stat,
            Err(Errno::NOENT) => return Ok(None),
            Err(error) => return Err(DiskError::io(action, path, error)),
        };
        let unknown = || DiskError::io(action, path, io::Error::other("its kind is unknown"));
        let kind = meta::kind(&stat).ok_or_else(unknown)?;
        let is_device = matches!(kind, EntryKind::CharDevice | EntryKind::BlockDevice);
        Ok(Some(ExistingStat {
            kind,
            size_bytes: stat.stx_size,
            mtime: meta::timestamp(stat.stx_mtime),
            ctime: meta::timestamp(stat.stx_ctime),
            mode: u32::from(stat.stx_mode) & 0o7777,
            uid: stat.stx_uid,
            gid: stat.stx_gid,
            link_count: stat.stx_nlink,
            device_and_inode: meta::identity(&stat),
            device_number: is_device
                .then_some(DeviceNumber { major: stat.stx_rdev_major, minor: stat.stx_rdev_minor }),
            allocated_bytes: stat.stx_blocks.saturating_mul(512),
            is_mount_root: stat.stx_attributes.contains(StatxAttributes::MOUNT_ROOT),
            is_immutable: stat
                .stx_attributes
                .intersects(StatxAttributes::IMMUTABLE.union(StatxAttributes::APPEND)),
        }))
    }

    /// The names in the directory at `path`, sorted.
    ///
    /// # Errors
    /// [`DiskError::Obstructed`], [`DiskError::Io`].
    pub fn list(&self, path: &TreePath) -> Result<Vec<Vec<u8>>, DiskError> {
        self.list_key(&self.actual_key(path.key()), path)
    }

    /// The same for what lies at a key of the target now.
    pub(crate) fn list_key(&self, key: &[u8], path: &TreePath) -> Result<Vec<Vec<u8>>, DiskError> {
        let action = "listing";
        let directory = self.directory_of(key, path, action)?;
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let fd = rustix::fs::openat(&directory, ".", flags, Mode::empty())
            .map_err(|error| DiskError::io(action, path, error))?;
        let (names, result) = Names::list(&fd, &mut Vec::with_capacity(FOLDER_READ_BYTES));
        result.map_err(|error| DiskError::io(action, path, error))?;
        Ok(names.iter().map(<[u8]>::to_vec).collect())
    }

    /// Makes a directory; one that exists is fine. Whether it was made: then it is empty, as far
    /// as this process knows.
    ///
    /// # Errors
    /// [`DiskError::Obstructed`] if something else lies there; [`DiskError::Io`].
    pub fn make_directory(&self, path: &TreePath) -> Result<bool, DiskError> {
        if path.is_root() {
            return Ok(false);
        }
        let action = "making the directory";
        let (fd, name) = self.holder(path, action)?;
        match self.make_in_good_place(&fd, name) {
            Ok(()) => Ok(true),
            Err(Errno::EXIST) => match self.stat(path)?.map(|stat| stat.kind) {
                Some(EntryKind::Directory) => Ok(false),
                _ => Err(DiskError::Obstructed { path: path.to_string() }),
            },
            Err(error) => Err(DiskError::io(action, path, error)),
        }
    }

    /// Makes a new file of this size, all hole, for its owner only.
    ///
    /// # Errors
    /// [`DiskError::Io`], also if anything lies there; [`DiskError::Obstructed`].
    pub fn create_file(&self, path: &TreePath, size_bytes: u64) -> Result<TargetFile, DiskError> {
        self.create_with(path, size_bytes, meta::CLOSED_FILE, false)
    }

    /// Makes a new file that one write completes, with the mode of `entry` if that opens it to nobody
    /// who will not be allowed to read it: this saves a system call and a change of the inode.
    ///
    /// # Errors
    /// As [`Target::create_file`].
    pub fn create_whole_file(
        &self,
        path: &TreePath,
        entry: &Entry,
    ) -> Result<TargetFile, DiskError> {
        self.create_with(path, 0, meta::early_mode(entry.mode), false)
    }

    /// Makes the new file that `entry` is of, whole or not, with the inode flags that can only be set
    /// while it is empty.
    ///
    /// # Errors
    /// As [`Target::create_file`].
    pub fn create_file_of(
        &self,
        path: &TreePath,
        entry: &Entry,
        size_bytes: u64,
        options: &MetadataOptions,
    ) -> Result<TargetFile, DiskError> {
        let mode = match size_bytes {
            0 => meta::early_mode(entry.mode),
            _ => meta::CLOSED_FILE,
        };
        let no_cow = options.inode_flags && meta::is_no_copy_on_write(entry.inode_flags);
        self.create_with(path, size_bytes, mode, no_cow)
    }

    fn create_with(
        &self,
        path: &TreePath,
        size_bytes: u64,
        mode: u32,
        no_cow: bool,
    ) -> Result<TargetFile, DiskError> {
        let action = "creating";
        let (directory, name) = self.holder(path, action)?;
        let flags =
            OFlags::RDWR | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let fd = rustix::fs::openat(&directory, name, flags, Mode::from_raw_mode(mode))
            .map_err(|error| DiskError::io(action, path, error))?;
        if no_cow {
            meta::set_no_copy_on_write(&fd);
        }
        let file = TargetFile { fd, path: path.clone() };
        if size_bytes > 0
            && let Err(error) = file.set_len(size_bytes)
        {
            // Nothing of it would be right; the first error is the one to tell.
            let _ = rustix::fs::unlinkat(&directory, name, AtFlags::empty());
            return Err(error);
        }
        Ok(file)
    }

    /// Opens a file that exists, for reading and writing.
    ///
    /// # Errors
    /// [`DiskError::NotRegular`]; [`DiskError::Shared`] if it has other names, which may lie
    /// outside the target; [`DiskError::Io`].
    pub fn open_existing_file(&self, path: &TreePath) -> Result<TargetFile, DiskError> {
        let action = "opening for writing";
        let (directory, name) = self.holder(path, action)?;
        let failed = |error: Errno| DiskError::io(action, path, error);
        // Opening a device can already do something, so look first.
        let seen = meta::stat_at(&directory, name).map_err(failed)?;
        if meta::kind(&seen) != Some(EntryKind::File) {
            return Err(DiskError::NotRegular { path: path.to_string() });
        }
        let flags = OFlags::RDWR | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let fd = rustix::fs::openat(&directory, name, flags, Mode::empty()).map_err(failed)?;
        let stat = meta::stat_open(&fd).map_err(failed)?;
        if meta::identity(&stat) != meta::identity(&seen) {
            return Err(DiskError::Replaced { path: path.to_string() });
        }
        if stat.stx_nlink != 1 {
            let link_count = stat.stx_nlink;
            return Err(DiskError::Shared { path: path.to_string(), link_count });
        }
        Ok(TargetFile { fd, path: path.clone() })
    }

    /// Opens a file for reading what was written.
    ///
    /// # Errors
    /// [`DiskError::NotRegular`], [`DiskError::Obstructed`], [`DiskError::Io`].
    pub fn open_for_reading(&self, path: &TreePath) -> Result<OpenFile, DiskError> {
        let action = "opening";
        let (directory, name) = self.holder(path, action)?;
        let failed = |error: Errno| DiskError::io(action, path, error);
        let fd = match OpenFile::open_at(directory.as_fd(), name) {
            Ok(fd) => fd,
            Err(Errno::LOOP | Errno::NXIO) => {
                return Err(DiskError::NotRegular { path: path.to_string() });
            }
            Err(error) => return Err(failed(error)),
        };
        let stat = meta::stat_open(&fd).map_err(failed)?;
        if meta::kind(&stat) != Some(EntryKind::File) {
            return Err(DiskError::NotRegular { path: path.to_string() });
        }
        Ok(OpenFile::new(fd, path.clone(), &stat))
    }

    /// Where the symbolic link at `path` points.
    ///
    /// # Errors
    /// [`DiskError::Io`], also if it is no link; [`DiskError::Obstructed`].
    pub fn read_link(&self, path: &TreePath) -> Result<Vec<u8>, DiskError> {
        let action = "reading the link";
        let (fd, name) = self.holder(path, action)?;
        let target = rustix::fs::readlinkat(&fd, name, Vec::new());
        Ok(target.map_err(|error| DiskError::io(action, path, error))?.into_bytes())
    }

    /// Makes a symbolic link; where it points is not looked at.
    ///
    /// # Errors
    /// [`DiskError::Io`], also if anything lies there; [`DiskError::Obstructed`].
    pub fn make_symlink(&self, path: &TreePath, target: &[u8]) -> Result<(), DiskError> {
        let action = "making the symbolic link";
        let (fd, name) = self.holder(path, action)?;
        rustix::fs::symlinkat(target, &fd, name).map_err(|error| DiskError::io(action, path, error))
    }

    /// Gives what lies at `existing` a second name. A link at `existing` is not followed.
    ///
    /// # Errors
    /// [`DiskError::Io`], also if anything lies at `new`; [`DiskError::Obstructed`].
    pub fn make_hard_link(&self, existing: &TreePath, new: &TreePath) -> Result<(), DiskError> {
        let action = "making the hard link";
        let (old_fd, old_name) = self.holder(existing, action)?;
        let (new_fd, new_name) = self.holder(new, action)?;
        rustix::fs::linkat(&old_fd, old_name, &new_fd, new_name, AtFlags::empty())
            .map_err(|error| DiskError::io(action, new, error))
    }

    /// Makes a pipe, socket or device as `entry` says, for its owner only.
    ///
    /// # Errors
    /// [`DiskError::Io`], also if anything lies there, if the right to make devices is missing,
    /// or if the entry is of another kind or lacks its device number; [`DiskError::Obstructed`].
    pub fn make_special(&self, path: &TreePath, entry: &Entry) -> Result<(), DiskError> {
        let action = "making the special file";
        let (fd, name) = self.holder(path, action)?;
        let number = || entry.device_number.map(|it| rustix::fs::makedev(it.major, it.minor));
        let (file_type, device) = match entry.kind {
            EntryKind::Fifo => (FileType::Fifo, Some(0)),
            EntryKind::Socket => (FileType::Socket, Some(0)),
            EntryKind::CharDevice => (FileType::CharacterDevice, number()),
            EntryKind::BlockDevice => (FileType::BlockDevice, number()),
            EntryKind::File | EntryKind::Directory | EntryKind::Symlink => {
                (FileType::Unknown, None)
            }
        };
        let Some(device) = device else {
            return Err(DiskError::io(action, path, io::ErrorKind::InvalidInput));
        };
        rustix::fs::mknodat(&fd, name, file_type, Mode::from_raw_mode(meta::CLOSED_FILE), device)
            .map_err(|error| DiskError::io(action, path, error))
    }

    /// Writes everything of the target's file system to its storage.
    ///
    /// # Errors
    /// [`DiskError::Io`].
    pub fn sync(&self) -> Result<(), DiskError> {
        rustix::fs::syncfs(self.beneath.base())
            .map_err(|error| DiskError::io("syncing", &TreePath::root(), error))
    }

    /// The directory at `path`.
    pub(crate) fn directory(
        &self,
        path: &TreePath,
        action: &'static str,
    ) -> Result<Arc<OwnedFd>, DiskError> {
        self.directory_of(&self.actual_key(path.key()), path, action)
    }

    /// The directory with this key, as it lies in the target now; `path` is for messages.
    pub(crate) fn directory_of(
        &self,
        key: &[u8],
        path: &TreePath,
        action: &'static str,
    ) -> Result<Arc<OwnedFd>, DiskError> {
        self.beneath.directory(key).map_err(|error| match error {
            Errno::LOOP | Errno::NOTDIR | Errno::XDEV => {
                DiskError::Obstructed { path: path.to_string() }
            }
            error => DiskError::io(action, path, error),
        })
    }

    /// The directory that holds `path`, and the name there.
    pub(crate) fn holder<'a>(
        &self,
        path: &'a TreePath,
        action: &'static str,
    ) -> Result<(Arc<OwnedFd>, &'a [u8]), DiskError> {
        if path.is_root() {
            return Ok((self.directory(path, action)?, b"."));
        }
        let key = self.actual_key(path.key());
        let end = key.iter().rposition(|byte| *byte == 0).unwrap_or(0);
        Ok((self.directory_of(&key[..end], path, action)?, path.name()))
    }
}

/// Whether this process may do what only root may: give files away, make devices.
#[must_use]
pub fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

#[cfg(test)]
mod tests;
