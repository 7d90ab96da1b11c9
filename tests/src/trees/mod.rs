//! File trees for property tests: as values that can be drawn and shrunk, and on a real disk.
//!
//! A [`TreeSpec`] is a flat list. Every item names its folder by a number that is taken modulo
//! the folders before it, a hard link its target in the same way; so any part of the list is
//! again a tree, and shrinking is nothing but leaving items out. What a list says twice (the same
//! name in the same folder) counts the first time.

/// Bytes of files, from seeds.
pub mod content;
/// From the value to the disk.
pub mod create;
/// How trees and edits are drawn.
pub mod strategy;
/// Changes to a tree on disk.
pub mod edit;

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::Path;
use std::time::{Duration, SystemTime};

use bytes::Bytes;

use crate::trees::content::Content;
use crate::trees::create::Created;

/// A tree that does not exist yet.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct TreeSpec {
    /// Its items; the first folder is the root itself, which is not in the list.
    pub items: Vec<ItemSpec>,
    /// How many folders with names of 200 bytes are put into each other below the root, with one
    /// file in the last. Over 20 of them no path reaches the bottom in one system call.
    pub deep_chain_count: usize,
}

/// One name in one folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ItemSpec {
    /// Its folder: modulo the number of folders that exist when its turn comes.
    pub parent: usize,
    /// Its name: 1 to 255 bytes, none of them `/` or 0, not `.` or `..`.
    pub name: Bytes,
    /// What it is.
    pub kind: Kind,
    /// Everything else about it; a hard link has its target's.
    pub meta: Meta,
}

/// What an item is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Kind {
    /// A folder, in which later items can be.
    Folder,
    /// A regular file.
    File(Content),
    /// A symbolic link with this target, which need not exist.
    Symlink(Bytes),
    /// A named pipe.
    Fifo,
    /// The name of a Unix socket.
    Socket,
    /// A character device; made by root only.
    CharDevice {
        /// Its major number.
        major: u32,
        /// Its minor number.
        minor: u32,
    },
    /// A block device; made by root only.
    BlockDevice {
        /// Its major number.
        major: u32,
        /// Its minor number.
        minor: u32,
    },
    /// One more name of an item that is no folder: modulo the number of those before it.
    HardLink(usize),
}

/// Metadata of an item.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Meta {
    /// Permission, suid, sgid and sticky bits.
    pub mode: u32,
    /// Seconds since 1970, below zero before it.
    pub mtime_seconds: i64,
    /// Nanoseconds after that, below 10⁹.
    pub mtime_nanos: u32,
    /// User and group, or whoever makes the tree.
    pub owner: Option<(u32, u32)>,
    /// Extended attributes: whole names and values.
    pub xattrs: Vec<(Bytes, Bytes)>,
}

impl Default for Meta {
    fn default() -> Self {
        Self { mode: 0o755, mtime_seconds: 1, mtime_nanos: 0, owner: None, xattrs: Vec::new() }
    }
}

impl TreeSpec {
    /// Makes the tree below `dir`, which exists and is empty.
    ///
    /// # Errors
    /// What the file system refuses, except for what only some file systems and users can do at
    /// all: that is counted as skipped.
    pub fn create(&self, dir: &Path) -> io::Result<Created> {
        create::tree(self, dir)
    }
}

/// Writes a file, and the folders that it needs.
///
/// # Panics
/// If the system refuses.
pub fn put(path: &Path, bytes: &[u8]) {
    let parent = path.parent().expect("a file is in a folder");
    fs::create_dir_all(parent).expect("a folder can be made");
    let mut file = File::create(path).expect("a file can be made");
    file.write_all(bytes).expect("the disk has room");
}

/// Sets the time of the last change of a file or folder to `seconds` after 1970.
///
/// # Panics
/// If the system refuses.
pub fn set_mtime(path: &Path, seconds: u64) {
    let file = File::open(path).expect("it is there");
    let time = SystemTime::UNIX_EPOCH + Duration::from_secs(seconds);
    file.set_modified(time).expect("its owner may set its time");
}

#[cfg(test)]
mod tests;
