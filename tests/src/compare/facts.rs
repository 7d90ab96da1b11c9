//! What the system says of one name: its kind and metadata, without its content.

use std::collections::BTreeMap;
use std::io;
use std::os::fd::{AsRawFd, OwnedFd};

use rustix::fs::{
    AtFlags, FileType, Stat, lgetxattr, llistxattr, major, minor, readlinkat, statat,
};
use rustix::io::Errno;

/// Attributes of a file are at most this long together (Linux: `XATTR_SIZE_MAX`).
const XATTR_BYTES_MAX: usize = 64 << 10;

/// What an item is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A regular file.
    File,
    /// A folder.
    Folder,
    /// A symbolic link.
    Symlink,
    /// A named pipe.
    Fifo,
    /// A socket.
    Socket,
    /// A character device.
    CharDevice,
    /// A block device.
    BlockDevice,
}

/// Everything but the content.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Facts {
    /// What it is.
    pub kind: Kind,
    /// Permission, suid, sgid and sticky bits.
    pub mode: u32,
    /// User and group.
    pub owner: (u32, u32),
    /// Seconds since 1970 and nanoseconds.
    pub mtime: (i64, u64),
    /// Logical size.
    pub size_bytes: u64,
    /// Space on the disk.
    pub allocated_bytes: u64,
    /// The unit in which the file system gives space to files.
    pub block_bytes: u64,
    /// Numbers of the file system and of the file in it.
    pub inode: (u64, u64),
    /// Major and minor number of a device.
    pub device: Option<(u32, u32)>,
    /// Where a symbolic link leads, escaped.
    pub link_target: Option<String>,
    /// Extended attributes: name and value, escaped.
    pub xattrs: BTreeMap<String, String>,
}

impl Facts {
    /// Looks at `name` in an open folder, and never through a symbolic link.
    ///
    /// # Errors
    /// When the system does not say, or names a kind of file that Linux does not have.
    pub fn read(folder: &OwnedFd, name: &[u8]) -> io::Result<Self> {
        let stat = statat(folder, name, AtFlags::SYMLINK_NOFOLLOW)?;
        let kind = kind(&stat)?;
        let is_device = matches!(kind, Kind::CharDevice | Kind::BlockDevice);
        let link_target = if kind == Kind::Symlink {
            let target = readlinkat(folder, name, Vec::new())?;
            Some(target.to_bytes().escape_ascii().to_string())
        } else {
            None
        };
        Ok(Self {
            kind,
            mode: stat.st_mode & 0o7777,
            owner: (stat.st_uid, stat.st_gid),
            mtime: (stat.st_mtime, stat.st_mtime_nsec),
            size_bytes: u64::try_from(stat.st_size).map_err(io::Error::other)?,
            allocated_bytes: u64::try_from(stat.st_blocks).map_err(io::Error::other)? * 512,
            block_bytes: u64::try_from(stat.st_blksize).map_err(io::Error::other)?,
            inode: (stat.st_dev, stat.st_ino),
            device: is_device.then(|| (major(stat.st_rdev), minor(stat.st_rdev))),
            link_target,
            xattrs: xattrs(folder, name)?,
        })
    }
}

fn kind(stat: &Stat) -> io::Result<Kind> {
    Ok(match FileType::from_raw_mode(stat.st_mode) {
        FileType::RegularFile => Kind::File,
        FileType::Directory => Kind::Folder,
        FileType::Symlink => Kind::Symlink,
        FileType::Fifo => Kind::Fifo,
        FileType::Socket => Kind::Socket,
        FileType::CharacterDevice => Kind::CharDevice,
        FileType::BlockDevice => Kind::BlockDevice,
        FileType::Unknown => return Err(io::Error::other("a file of a kind that is not known")),
    })
}

fn xattrs(folder: &OwnedFd, name: &[u8]) -> io::Result<BTreeMap<String, String>> {
    // There is no call that takes a folder, but there is a path to every open folder.
    let mut path = format!("/proc/self/fd/{}/", folder.as_raw_fd()).into_bytes();
    path.extend(name);
    let mut buffer = vec![0; XATTR_BYTES_MAX];
    let length = match llistxattr(path.as_slice(), &mut buffer[..]) {
        Err(Errno::OPNOTSUPP) => 0,
        other => other?,
    };
    let keys = buffer[..length].to_vec();
    let mut found = BTreeMap::new();
    for key in keys.split(|byte| *byte == 0).filter(|key| !key.is_empty()) {
        let length = lgetxattr(path.as_slice(), key, &mut buffer[..])?;
        let value = buffer[..length].escape_ascii().to_string();
        found.insert(key.escape_ascii().to_string(), value);
    }
    Ok(found)
}
