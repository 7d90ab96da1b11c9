//! What a restore leaves out of a snapshot that somebody may have made to do harm.
//!
//! Content, names, times, and what a mode says of reading, writing and running come back; whatever
//! lends rights, reaches a device, waits for somebody or binds the hands of whoever cleans up does not.

use crate::format::entry::{Entry, EntryKind};

/// Bits of a mode that lend the rights of an owner or a group.
const SET_ID: u32 = 0o6000;
/// Attributes that users set for themselves; all others mean something to the system.
const HARMLESS: &[u8] = b"user.";

/// What was left out.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct LeftOut {
    /// Devices, pipes and sockets.
    pub specials: u64,
    /// Set-user and set-group bits.
    pub set_ids: u64,
    /// Extended attributes of the system: capabilities, labels, ACLs.
    pub attributes: u64,
    /// Inode flags of files.
    pub flags: u64,
}

impl LeftOut {
    /// Whether it is nothing.
    #[must_use]
    pub fn is_nothing(&self) -> bool {
        *self == Self::default()
    }

    /// The entry as it may come back, counted; nothing of what may not.
    pub(super) fn trim(&mut self, mut entry: Entry) -> Option<Entry> {
        if !matches!(entry.kind, EntryKind::File | EntryKind::Directory | EntryKind::Symlink) {
            self.specials += 1;
            return None;
        }
        if entry.kind != EntryKind::Symlink && entry.mode & SET_ID != 0 {
            self.set_ids += 1;
        }
        entry.mode &= !SET_ID;
        let before = entry.xattrs.len();
        entry.xattrs.retain(|one| one.name.starts_with(HARMLESS));
        self.attributes += (before - entry.xattrs.len()) as u64;
        self.flags += u64::from(entry.inode_flags != 0);
        entry.inode_flags = 0;
        Some(entry)
    }
}
