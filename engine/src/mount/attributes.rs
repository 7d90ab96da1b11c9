//! What `stat` says, and extended attributes.

use crate::base::time::Timestamp;
use crate::format::content::Content;
use crate::format::entry::{DeviceNumber, Entry, EntryKind};
use crate::format::extent::Extent;
use crate::mount::error::MountError;

/// Bytes of what `stat` counts as a block.
const STAT_BLOCK_BYTES: u64 = 512;

/// What `stat` says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Attributes {
    /// Its number.
    pub inode: u64,
    /// What it is.
    pub kind: EntryKind,
    /// Permission bits with set-id and sticky bits.
    pub mode: u32,
    /// Owner.
    pub uid: u32,
    /// Group.
    pub gid: u32,
    /// Logical size.
    pub size_bytes: u64,
    /// Blocks of 512 bytes that hold something else than holes.
    pub blocks: u64,
    /// Last access, or last change of content where that is not known.
    pub atime: Timestamp,
    /// Last change of content.
    pub mtime: Timestamp,
    /// Last change of metadata.
    pub ctime: Timestamp,
    /// Names of a file. 1 for folders, which says that nobody counted those in it.
    pub link_count: u32,
    /// Of a device.
    pub device_number: Option<DeviceNumber>,
    /// Whether it can never be another: then the kernel may keep it for long.
    pub is_lasting: bool,
}

impl Attributes {
    /// Of a folder that has no entry: it is nobody's, and all may look into it.
    #[must_use]
    pub fn of_folder(inode: u64, owner: (u32, u32), time: Timestamp) -> Self {
        Self {
            inode,
            kind: EntryKind::Directory,
            mode: 0o555,
            uid: owner.0,
            gid: owner.1,
            size_bytes: 0,
            blocks: 0,
            atime: time,
            mtime: time,
            ctime: time,
            link_count: 1,
            device_number: None,
            is_lasting: false,
        }
    }

    /// Of a link that no snapshot has.
    #[must_use]
    pub fn of_link(inode: u64, owner: (u32, u32), time: Timestamp, target: &[u8]) -> Self {
        let folder = Self::of_folder(inode, owner, time);
        let size_bytes = target.len() as u64;
        Self { kind: EntryKind::Symlink, mode: 0o777, size_bytes, ..folder }
    }

    /// Of an entry.
    #[must_use]
    pub fn of_entry(inode: u64, entry: &Entry) -> Self {
        Self {
            inode,
            kind: entry.kind,
            mode: entry.mode & 0o7777,
            uid: entry.uid,
            gid: entry.gid,
            size_bytes: match entry.kind {
                EntryKind::Symlink => entry.target.as_ref().map_or(0, |it| it.len() as u64),
                _ => entry.size_bytes,
            },
            blocks: stored_bytes(entry).div_ceil(STAT_BLOCK_BYTES),
            atime: entry.atime.unwrap_or(entry.mtime),
            mtime: entry.mtime,
            ctime: entry.ctime,
            link_count: entry.link_count.max(1),
            device_number: entry.device_number,
            is_lasting: true,
        }
    }
}

/// Bytes of a file that are no holes, as far as that is known without reading more than its entry: a file
/// whose extents fill a tree of their own counts as a whole.
fn stored_bytes(entry: &Entry) -> u64 {
    match (&entry.content, entry.kind) {
        (Some(Content::Extents(extents)), EntryKind::File) => {
            let chunks = extents.iter().filter(|one| matches!(one, Extent::Chunk { .. }));
            chunks.fold(0_u64, |sum, one| sum.saturating_add(one.length_bytes()))
        }
        (Some(_), EntryKind::File) => entry.size_bytes,
        _ => 0,
    }
}

/// The names of its extended attributes, each with a zero byte behind.
#[must_use]
pub fn xattr_names(entry: &Entry) -> Vec<u8> {
    entry.xattrs.iter().flat_map(|one| one.name.iter().copied().chain([0])).collect()
}

/// The value of an extended attribute.
///
/// # Errors
/// [`MountError::NoAttribute`].
pub fn xattr<'a>(entry: &'a Entry, name: &[u8]) -> Result<&'a [u8], MountError> {
    let found = entry.xattrs.iter().find(|one| one.name == name);
    found.map(|one| one.value.as_slice()).ok_or(MountError::NoAttribute)
}
