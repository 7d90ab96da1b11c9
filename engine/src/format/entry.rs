//! One path of a snapshot: its kind, its metadata and where its content is.

use minicbor::{Decode, Encode};

use crate::base::time::Timestamp;
use crate::format::extent::Extent;
use crate::format::ntfs::Ntfs;

pub use crate::format::content::Content;

/// What lies at a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Encode, Decode)]
#[cbor(index_only)]
pub enum EntryKind {
    /// A regular file.
    #[n(1)]
    File,
    /// A directory.
    #[n(2)]
    Directory,
    /// A symbolic link.
    #[n(3)]
    Symlink,
    /// A named pipe.
    #[n(4)]
    Fifo,
    /// A local socket.
    #[n(5)]
    Socket,
    /// A character device.
    #[n(6)]
    CharDevice,
    /// A block device.
    #[n(7)]
    BlockDevice,
}

/// One extended attribute; ACLs and file capabilities are among them, as raw bytes.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Encode, Decode)]
#[cbor(array)]
pub struct Xattr {
    /// Full name, for example `user.comment` or `system.posix_acl_access`.
    #[cbor(n(0), with = "minicbor::bytes")]
    pub name: Vec<u8>,
    /// Value.
    #[cbor(n(1), with = "minicbor::bytes")]
    pub value: Vec<u8>,
}

/// The file changed while it was read, three times: its bytes may never have been together.
pub const FLAG_INCONSISTENT: u8 = 1;
/// Part of the file or of its metadata could not be read.
pub const FLAG_PARTIAL: u8 = 2;

/// Something in the folder, or the folder itself, could not be read: what is missing from its listing
/// may have been there.
pub const LISTING_NOT_READ: u8 = 1;
/// A filter left something out of the folder.
pub const LISTING_FILTERED: u8 = 2;
/// The folder, or one in it, lies on another file system and was not entered.
pub const LISTING_OTHER_FILE_SYSTEM: u8 = 4;
/// The folder is only on the way to a path that was asked for: nothing else in it was looked at.
pub const LISTING_ON_THE_WAY: u8 = 8;
/// Something that had been listed was gone when it was looked at.
pub const LISTING_VANISHED: u8 = 16;

/// Everything known about one path, except the path itself, which is the key in the tree.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct Entry {
    /// What it is.
    #[n(0)]
    pub kind: EntryKind,
    /// Permission bits with set-id and sticky bits (the low 12 bits of `st_mode`).
    #[n(1)]
    pub mode: u32,
    /// Owner.
    #[n(2)]
    pub uid: u32,
    /// Group.
    #[n(3)]
    pub gid: u32,
    /// Name of the owner where the backup ran, if it had one.
    #[cbor(n(4), with = "minicbor::bytes")]
    pub user: Option<Vec<u8>>,
    /// Name of the group.
    #[cbor(n(5), with = "minicbor::bytes")]
    pub group: Option<Vec<u8>>,
    /// Last change of content.
    #[n(6)]
    pub mtime: Timestamp,
    /// Last change of metadata; cannot be restored, serves to notice changes.
    #[n(7)]
    pub ctime: Timestamp,
    /// Birth, where the file system knows it.
    #[n(8)]
    pub btime: Option<Timestamp>,
    /// Last access, only if asked for.
    #[n(9)]
    pub atime: Option<Timestamp>,
    /// Logical size in bytes; 0 for everything but files and symbolic links.
    #[cbor(n(10), default, skip_if = "is_zero_u64")]
    pub size_bytes: u64,
    /// Inode number; notices changes, groups hard links.
    #[n(11)]
    pub inode: u64,
    /// Device number of the file system; groups hard links.
    #[n(12)]
    pub device: u64,
    /// Number of hard links if there are several; otherwise, and for directories, 0.
    #[cbor(n(13), default, skip_if = "is_zero_u32")]
    pub link_count: u32,
    /// Extended attributes, sorted by name.
    #[cbor(n(14), default, skip_if = "Vec::is_empty")]
    pub xattrs: Vec<Xattr>,
    /// Inode flags as of `FS_IOC_GETFLAGS`, those that can be set again.
    #[cbor(n(15), default, skip_if = "is_zero_u32")]
    pub inode_flags: u32,
    /// Target of a symbolic link.
    #[cbor(n(16), with = "minicbor::bytes")]
    pub target: Option<Vec<u8>>,
    /// Major and minor number of a device.
    #[n(17)]
    pub device_number: Option<DeviceNumber>,
    /// [`FLAG_INCONSISTENT`], [`FLAG_PARTIAL`].
    #[cbor(n(18), default, skip_if = "is_zero_u8")]
    pub flags: u8,
    /// Content of a file; `None` for everything else, and for a file that could not be read.
    #[n(19)]
    pub content: Option<Content>,
    /// How complete the listing of a directory is: `LISTING_…` bits; 0 is whole.
    #[cbor(n(20), default, skip_if = "is_zero_u8")]
    pub listing: u8,
    /// What only Windows knows of it.
    #[n(21)]
    pub ntfs: Option<Box<Ntfs>>,
}

/// What a `stat` says of a path and what decides whether the path changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Facts {
    /// As in [`Entry`], like all that follows.
    pub kind: EntryKind,
    /// Permission bits.
    pub mode: u32,
    /// Owner.
    pub uid: u32,
    /// Group.
    pub gid: u32,
    /// Last change of content.
    pub mtime: Timestamp,
    /// Last change of metadata.
    pub ctime: Timestamp,
    /// Logical size in bytes.
    pub size_bytes: u64,
    /// Inode number.
    pub inode: u64,
    /// Device number of the file system.
    pub device: u64,
    /// Number of hard links if there are several.
    pub link_count: u32,
}

impl Facts {
    /// Whether nothing about the path changed since `before`, as far as the kernel tells: it
    /// changes ctime with every change of content or metadata. Numbers of devices may change with
    /// every start of the machine.
    #[must_use]
    pub fn is_unchanged_since(&self, before: &Self) -> bool {
        self.kind == before.kind
            && self.size_bytes == before.size_bytes
            && self.inode == before.inode
            && self.mtime == before.mtime
            && self.ctime == before.ctime
    }
}

impl Entry {
    /// Its facts.
    #[must_use]
    pub fn facts(&self) -> Facts {
        Facts {
            kind: self.kind,
            mode: self.mode,
            uid: self.uid,
            gid: self.gid,
            mtime: self.mtime,
            ctime: self.ctime,
            size_bytes: self.size_bytes,
            inode: self.inode,
            device: self.device,
            link_count: self.link_count,
        }
    }

    /// Whether what the snapshot does not have below this directory was not there either.
    #[must_use]
    pub fn has_whole_listing(&self) -> bool {
        self.kind == EntryKind::Directory && self.listing & !LISTING_VANISHED == 0
    }

    /// Whether its inode flags forbid changing and renaming it.
    #[must_use]
    pub fn forbids_changes(&self) -> bool {
        /// `FS_IMMUTABLE_FL` and `FS_APPEND_FL`.
        const IMMUTABLE_OR_APPEND: u32 = 0x10 | 0x20;
        self.inode_flags & IMMUTABLE_OR_APPEND != 0
    }

    /// Whether this only says that something lay here which could not be read: a file that is
    /// partial and has no content. Its metadata are what was known of it.
    #[must_use]
    pub fn is_unread(&self) -> bool {
        let is_partial = self.flags & FLAG_PARTIAL != 0;
        self.kind == EntryKind::File && self.content.is_none() && is_partial
    }

    /// Everything in it that lies in chunks of content: its own, and that of its streams.
    pub fn contents(&self) -> impl Iterator<Item = &Content> {
        let streams = self.ntfs.iter().flat_map(|ntfs| &ntfs.streams);
        self.content.iter().chain(streams.map(|stream| &stream.content))
    }

    /// The chunk of its security descriptor.
    #[must_use]
    pub fn security(&self) -> Option<Extent> {
        self.ntfs.as_ref().and_then(|ntfs| ntfs.security)
    }

    /// Whether its content was read whole and in one piece.
    #[must_use]
    pub fn is_sound(&self) -> bool {
        self.flags & (FLAG_INCONSISTENT | FLAG_PARTIAL) == 0
    }
}

/// Major and minor number of a device.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Encode, Decode)]
#[cbor(array)]
pub struct DeviceNumber {
    /// Major number.
    #[n(0)]
    pub major: u32,
    /// Minor number.
    #[n(1)]
    pub minor: u32,
}

fn is_zero_u64(value: &u64) -> bool {
    *value == 0
}

fn is_zero_u32(value: &u32) -> bool {
    *value == 0
}

fn is_zero_u8(value: &u8) -> bool {
    *value == 0
}
