//! Folders that no snapshot has, in which snapshots lie: made by whoever mounts, replaced as a whole when
//! there are new snapshots.

use std::collections::BTreeMap;

use crate::base::id::{ChunkId, SessionId};
use crate::base::limits::NAME_MAX_BYTES;
use crate::base::time::Timestamp;
use crate::crypt::hash::digest;

/// A snapshot in a folder.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shown {
    /// Which.
    pub session: SessionId,
    /// The root of its tree.
    pub root: ChunkId,
    /// When it was made.
    pub made: Timestamp,
}

/// What lies in a folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Item {
    /// Another folder.
    Folder(Folder),
    /// A symbolic link.
    Link(Vec<u8>),
    /// A snapshot.
    Snapshot(Shown),
}

/// A folder that no snapshot has.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Folder {
    items: BTreeMap<Vec<u8>, Item>,
    /// Long names to those that are listed: whoever asks for the beginning of one finds it.
    aliases: BTreeMap<Vec<u8>, Vec<u8>>,
}

/// What a name leads to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Found<'a> {
    /// A folder.
    Folder(&'a Folder),
    /// A link to this.
    Link(&'a [u8]),
    /// A snapshot.
    Snapshot(Shown),
}

impl Folder {
    /// Puts another folder into it.
    pub fn put(&mut self, name: &[u8], folder: Folder) {
        self.items.insert(name.to_vec(), Item::Folder(folder));
    }

    /// Puts a snapshot into it. If the name is taken, the next that is free: `NAME_2`, `NAME_3`.
    pub fn add(&mut self, name: &[u8], snapshot: Shown) -> Vec<u8> {
        let mut free = name.to_vec();
        let mut count = 1_u64;
        while self.items.contains_key(&free) {
            count += 1;
            free = [name, format!("_{count}").as_bytes()].concat();
        }
        self.items.insert(free.clone(), Item::Snapshot(snapshot));
        free
    }

    /// Puts a link into it.
    pub fn link(&mut self, name: &[u8], target: Vec<u8>) {
        self.items.insert(name.to_vec(), Item::Link(target));
    }

    /// Lets the beginnings of `long` lead to `name`, where only one fits.
    pub fn alias(&mut self, long: Vec<u8>, name: Vec<u8>) {
        self.aliases.insert(long, name);
    }

    /// What is listed.
    pub fn items(&self) -> impl Iterator<Item = (&[u8], &Item)> {
        self.items.iter().map(|(name, item)| (name.as_slice(), item))
    }

    /// What a name leads to.
    #[must_use]
    pub fn find(&self, name: &[u8]) -> Option<Found<'_>> {
        match self.items.get(name) {
            Some(Item::Folder(folder)) => Some(Found::Folder(folder)),
            Some(Item::Link(target)) => Some(Found::Link(target)),
            Some(Item::Snapshot(shown)) => Some(Found::Snapshot(*shown)),
            None => {
                let from = (std::ops::Bound::Included(name), std::ops::Bound::Unbounded);
                let after = self.aliases.range::<[u8], _>(from);
                let mut fit = after.take_while(|(long, _)| long.starts_with(name));
                match (fit.next(), fit.next()) {
                    (Some((_, listed)), None) if !name.is_empty() => Some(Found::Link(listed)),
                    _ => None,
                }
            }
        }
    }
}

/// All folders that no snapshot has.
#[derive(Debug, Clone, Default)]
pub struct Scene {
    /// The folder at the top.
    pub top: Folder,
    /// When it was made.
    pub made: Timestamp,
}

impl Scene {
    /// What lies at a path from the top.
    #[must_use]
    pub fn at(&self, path: &[Vec<u8>]) -> Option<Found<'_>> {
        path.iter().try_fold(Found::Folder(&self.top), |found, name| match found {
            Found::Folder(folder) => folder.find(name),
            _ => None,
        })
    }
}

/// What a host or a tag is called as a folder: itself, but for bytes that no name may have or that drive a
/// terminal, which become `%` and two digits, as does `%`. No two are called the same: names that would be
/// too long end with a hash.
#[must_use]
pub fn safe_name(text: &str) -> Vec<u8> {
    let is_dots = matches!(text, "." | "..");
    let mut name = Vec::with_capacity(text.len());
    for character in text.chars() {
        let is_odd = character.is_control()
            || matches!(character, '/' | '%' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
            || (is_dots && character == '.');
        let mut bytes = [0; 4];
        let bytes = character.encode_utf8(&mut bytes).as_bytes();
        match is_odd {
            true => name.extend(bytes.iter().flat_map(|byte| format!("%{byte:02X}").into_bytes())),
            false => name.extend(bytes),
        }
    }
    if name.is_empty() {
        // Nothing else is called that: of a real `%` there are two digits behind.
        return b"%".to_vec();
    }
    if name.len() > NAME_MAX_BYTES {
        let hash = digest(text.as_bytes()).to_string();
        let end = format!("%{}", &hash[..32.min(hash.len())]);
        let mut kept = NAME_MAX_BYTES - end.len();
        // Not in the middle of a character.
        while kept > 0 && name[kept] & 0xc0 == 0x80 {
            kept -= 1;
        }
        name.truncate(kept);
        name.extend(end.as_bytes());
    }
    name
}
