//! From `statx` to [`Stat`] and [`Entry`], and the inode flags worth keeping.

use std::io;

use rustix::fd::AsFd;
use rustix::fs::{AtFlags, FileType, IFlags, Statx, StatxFlags, StatxTimestamp};

use crate::base::time::Timestamp;
use crate::disk::owner::OwnerNames;
use crate::format::entry::{DeviceNumber, Entry, EntryKind, Facts};

/// The inode flags that mean the same on every file system and can be set again; the others say
/// how a file is stored at the moment.
const KEPT_FLAGS: IFlags = IFlags::APPEND
    .union(IFlags::IMMUTABLE)
    .union(IFlags::NODUMP)
    .union(IFlags::NOATIME)
    .union(IFlags::SYNC)
    .union(IFlags::DIRSYNC)
    .union(IFlags::NOCOW)
    .union(IFlags::COMPRESSED)
    .union(IFlags::TOPDIR);

/// Mode of a file that is not finished yet: for its owner only.
pub(crate) const CLOSED_FILE: u32 = 0o600;

const WANTED: StatxFlags = StatxFlags::BASIC_STATS.union(StatxFlags::BTIME);

/// Metadata of `name` in `directory`; a symbolic link is not followed, nothing is mounted.
pub(crate) fn stat_at(directory: impl AsFd, name: &[u8]) -> rustix::io::Result<Statx> {
    let flags = AtFlags::SYMLINK_NOFOLLOW | AtFlags::NO_AUTOMOUNT;
    rustix::fs::statx(directory, name, flags, WANTED)
}

/// Metadata of something open.
pub(crate) fn stat_open(open: impl AsFd) -> rustix::io::Result<Statx> {
    rustix::fs::statx(open, "", AtFlags::EMPTY_PATH, WANTED)
}

/// Device and inode number, which together are a file's identity on this machine.
pub(crate) fn identity(stat: &Statx) -> (u64, u64) {
    (rustix::fs::makedev(stat.stx_dev_major, stat.stx_dev_minor), stat.stx_ino)
}

/// What it is; `None` for kinds that no Linux file system has today.
pub(crate) fn kind(stat: &Statx) -> Option<EntryKind> {
    match FileType::from_raw_mode(u32::from(stat.stx_mode)) {
        FileType::RegularFile => Some(EntryKind::File),
        FileType::Directory => Some(EntryKind::Directory),
        FileType::Symlink => Some(EntryKind::Symlink),
        FileType::Fifo => Some(EntryKind::Fifo),
        FileType::Socket => Some(EntryKind::Socket),
        FileType::CharacterDevice => Some(EntryKind::CharDevice),
        FileType::BlockDevice => Some(EntryKind::BlockDevice),
        FileType::Unknown => None,
    }
}

/// A point in time as `statx` gives it.
pub(crate) fn timestamp(time: StatxTimestamp) -> Timestamp {
    Timestamp { seconds: time.tv_sec, nanos: time.tv_nsec }
}

/// Everything that `statx` says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stat {
    /// What decides whether something changed.
    pub facts: Facts,
    /// Birth, where the file system knows it.
    pub(crate) btime: Option<Timestamp>,
    /// Last access.
    pub(crate) atime: Timestamp,
    /// Major and minor number of a device.
    pub(crate) device_number: Option<DeviceNumber>,
}

impl Stat {
    pub(crate) fn new(kind: EntryKind, stat: &Statx) -> Self {
        let (device, inode) = identity(stat);
        let is_device = matches!(kind, EntryKind::CharDevice | EntryKind::BlockDevice);
        let has_links = stat.stx_nlink > 1 && kind != EntryKind::Directory;
        let has_size = matches!(kind, EntryKind::File | EntryKind::Symlink);
        let knows_birth = stat.stx_mask & StatxFlags::BTIME.bits() != 0;
        let facts = Facts {
            kind,
            mode: u32::from(stat.stx_mode) & 0o7777,
            uid: stat.stx_uid,
            gid: stat.stx_gid,
            mtime: timestamp(stat.stx_mtime),
            ctime: timestamp(stat.stx_ctime),
            size_bytes: if has_size { stat.stx_size } else { 0 },
            inode,
            device,
            link_count: if has_links { stat.stx_nlink } else { 0 },
        };
        let number = DeviceNumber { major: stat.stx_rdev_major, minor: stat.stx_rdev_minor };
        Self {
            facts,
            btime: knows_birth.then(|| timestamp(stat.stx_btime)),
            atime: timestamp(stat.stx_atime),
            device_number: is_device.then_some(number),
        }
    }

    /// The entry with the owners' names; link target, extended attributes, inode flags and
    /// content are left empty.
    pub(crate) fn entry(&self, with_atime: bool, names: &mut OwnerNames) -> Entry {
        let facts = self.facts;
        Entry {
            kind: facts.kind,
            mode: facts.mode,
            uid: facts.uid,
            gid: facts.gid,
            user: names.user(facts.uid),
            group: names.group(facts.gid),
            mtime: facts.mtime,
            ctime: facts.ctime,
            btime: self.btime,
            atime: with_atime.then_some(self.atime),
            size_bytes: facts.size_bytes,
            inode: facts.inode,
            device: facts.device,
            link_count: facts.link_count,
            xattrs: Vec::new(),
            inode_flags: 0,
            target: None,
            device_number: self.device_number,
            flags: 0,
            content: None,
            listing: 0,
            ntfs: None,
        }
    }
}

/// The inode flags of an open file or directory that are worth keeping; 0 where the file system
/// has none.
pub(crate) fn inode_flags(open: impl AsFd) -> io::Result<u32> {
    match rustix::fs::ioctl_getflags(open) {
        Ok(flags) => Ok((flags & KEPT_FLAGS).bits()),
        Err(error) if has_no_flags(error) => Ok(0),
        Err(error) => Err(error.into()),
    }
}

/// Sets the kept flags of an open file or directory to `wanted` and leaves the others alone.
pub(crate) fn set_inode_flags(open: impl AsFd, wanted: u32) -> io::Result<()> {
    let now = rustix::fs::ioctl_getflags(&open)?.bits();
    // Bits that have no name here stay: they say how the file system stores the file.
    let next = (now & !KEPT_FLAGS.bits()) | (wanted & KEPT_FLAGS.bits());
    if next != now {
        rustix::fs::ioctl_setflags(&open, IFlags::from_bits_retain(next))?;
    }
    Ok(())
}

/// Makes an open, empty file one that is not copied on write, which it can only become while empty.
/// Where the file system does not know that, nothing is lost but speed.
pub(crate) fn set_no_copy_on_write(open: impl AsFd) {
    if let Ok(now) = rustix::fs::ioctl_getflags(&open) {
        let wanted = IFlags::from_bits_retain(now.bits() | IFlags::NOCOW.bits());
        let _ = rustix::fs::ioctl_setflags(&open, wanted);
    }
}

/// Whether a file must be made without copying on write.
pub(crate) fn is_no_copy_on_write(flags: u32) -> bool {
    flags & IFlags::NOCOW.bits() != 0
}

/// The answers of file systems without inode flags.
fn has_no_flags(error: rustix::io::Errno) -> bool {
    use rustix::io::Errno;
    [Errno::NOTTY, Errno::OPNOTSUPP, Errno::NOSYS, Errno::INVAL].contains(&error)
}

/// The mode with which a file can be made that gets this one: until it gets its own, it belongs to
/// this process's user and group, and its owner still writes attributes.
pub(crate) fn early_mode(mode: u32) -> u32 {
    let (group, others) = (mode >> 3 & 0o7, mode & 0o7);
    let is_safe = mode & 0o7600 == 0o600 && group & !others == 0;
    if is_safe { mode } else { CLOSED_FILE }
}
