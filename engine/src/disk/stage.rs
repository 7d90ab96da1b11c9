//! What is made aside in a target: under which name it lies until it is whole.
//!
//! A name of the target always means something whole. So whatever a restore makes in a folder that
//! was there before takes shape in a folder of its own beside it, the stage, and is renamed when it
//! is done: a file when its last byte is written, a new folder when everything below it is. Callers
//! use final paths throughout; this map says where they lie at the moment.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::disk::folder::lock;
use crate::disk::room::Room;

/// What the names of all stages begin with; nothing else in a target is called so.
pub const STAGE_PREFIX: &str = ".mainstay-restore-";

/// Links that lead to links are followed so often.
const LINKS_MAX: usize = 40;

/// Where the paths of a target lie at the moment.
#[derive(Debug, Default)]
pub(crate) struct Stage {
    /// Name of the folder in each folder.
    pub(crate) name: Vec<u8>,
    /// Keys of what is being made aside; none lies below another.
    aside: Mutex<BTreeSet<Vec<u8>>>,
    /// Links to folders that are followed, and where they lead.
    links: Mutex<BTreeMap<Vec<u8>, Vec<u8>>>,
    /// Keys of folders that have a stage now.
    pub(crate) folders: Mutex<BTreeSet<Vec<u8>>>,
    /// Directories that were opened for writing, and the modes that they had.
    pub(crate) unlocked: Mutex<BTreeMap<Vec<u8>, u32>>,
    /// Where directories are made before they get their names.
    pub(crate) room: Room,
    is_used: AtomicBool,
}

impl Stage {
    pub(crate) fn named(name: &str) -> Self {
        Self { name: format!("{STAGE_PREFIX}{name}").into_bytes(), ..Self::default() }
    }

    /// What has this key in the end is made aside from now on.
    pub(crate) fn begin(&self, key: Vec<u8>) {
        lock(&self.aside).insert(key);
        self.is_used.store(true, Ordering::Release);
    }

    /// The name that the room has at the top of the target.
    pub(crate) fn room_name(&self) -> Vec<u8> {
        [self.name.as_slice(), b".room"].concat()
    }

    /// It has its place, or is given up.
    pub(crate) fn end(&self, key: &[u8]) {
        lock(&self.aside).remove(key);
    }

    /// The link with key `link` is followed: what lies below it lies below `to`.
    pub(crate) fn follow(&self, link: &[u8], to: Vec<u8>) {
        lock(&self.links).insert(link.to_vec(), to);
        self.is_used.store(true, Ordering::Release);
    }

    /// The key without links that are followed, wherever it is made.
    pub(crate) fn final_key<'k>(&self, key: &'k [u8]) -> Cow<'k, [u8]> {
        let mut key = Cow::Borrowed(key);
        if !self.is_used.load(Ordering::Acquire) {
            return key;
        }
        let links = lock(&self.links);
        for _ in 0..LINKS_MAX {
            let until = (Bound::Unbounded, Bound::Excluded(key.as_ref()));
            let mut before = links.range::<[u8], _>(until).rev();
            let Some((link, to)) = before.find(|(link, _)| is_below(link, &key)) else { break };
            let rest = &key[link.len()..];
            let rest = if to.is_empty() { &rest[1..] } else { rest };
            key = Cow::Owned([to.as_slice(), rest].concat());
        }
        key
    }

    /// The key under which it lies now.
    pub(crate) fn actual_key<'k>(&self, key: &'k [u8]) -> Cow<'k, [u8]> {
        if !self.is_used.load(Ordering::Acquire) {
            return Cow::Borrowed(key);
        }
        let key = self.final_key(key);
        let aside = lock(&self.aside);
        let until = (Bound::Unbounded, Bound::Included(key.as_ref()));
        // None lies below another, so the last one before the key is the only candidate.
        let Some(top) = aside.range::<[u8], _>(until).next_back() else { return key };
        if top.as_slice() != key.as_ref() && !is_below(top, &key) {
            return key;
        }
        let end = parent_end(top);
        Cow::Owned(self.staged(&key, end))
    }

    /// Where something lies while it is made aside.
    pub(crate) fn staged_key(&self, key: &[u8]) -> Vec<u8> {
        self.staged(key, parent_end(key))
    }

    /// `key` with the stage between the first `end` bytes and the rest.
    fn staged(&self, key: &[u8], end: usize) -> Vec<u8> {
        let mut staged = Vec::with_capacity(key.len() + self.name.len() + 2);
        staged.extend_from_slice(&key[..end]);
        if end > 0 {
            staged.push(0);
        }
        staged.extend_from_slice(&self.name);
        staged.push(0);
        staged.extend_from_slice(key[end..].strip_prefix(&[0]).unwrap_or(&key[end..]));
        staged
    }
}

/// Length of the key of the folder that holds `key`.
pub(crate) fn parent_end(key: &[u8]) -> usize {
    key.iter().rposition(|byte| *byte == 0).unwrap_or(0)
}

/// Whether `inner` lies below `outer`, which is not the root.
fn is_below(outer: &[u8], inner: &[u8]) -> bool {
    inner.strip_prefix(outer).is_some_and(|rest| rest.first() == Some(&0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_made_aside_lies_in_the_stage_with_all_it_holds() {
        let stage = Stage::named("1");
        let actual = |key: &[u8]| stage.actual_key(key).into_owned();
        assert_eq!(actual(b"a\0b"), b"a\0b");
        stage.begin(b"a\0b".to_vec());
        stage.begin(b"c".to_vec());
        assert_eq!(actual(b"a\0b"), b"a\0.mainstay-restore-1\0b");
        assert_eq!(actual(b"a\0b\0x"), b"a\0.mainstay-restore-1\0b\0x");
        assert_eq!(actual(b"c\0x"), b".mainstay-restore-1\0c\0x");
        for elsewhere in [&b"a"[..], b"a\0bb", b"a\0b-", b"a\0c", b"cc", b""] {
            assert_eq!(actual(elsewhere), elsewhere);
        }
        stage.end(b"a\0b");
        assert_eq!(actual(b"a\0b\0x"), b"a\0b\0x");
    }

    #[test]
    fn links_are_followed_and_a_circle_ends() {
        let stage = Stage::named("1");
        stage.follow(b"lib", b"usr\0lib".to_vec());
        stage.follow(b"usr\0lib\0up", Vec::new());
        assert_eq!(stage.final_key(b"lib\0x").as_ref(), b"usr\0lib\0x");
        assert_eq!(stage.final_key(b"lib").as_ref(), b"lib");
        assert_eq!(stage.final_key(b"lib\0up\0x").as_ref(), b"x");
        stage.begin(b"usr\0lib\0x".to_vec());
        assert_eq!(stage.actual_key(b"lib\0x\0y").as_ref(), b"usr\0lib\0.mainstay-restore-1\0x\0y");
        stage.follow(b"p", b"p\0q".to_vec());
        assert!(stage.final_key(b"p\0z").ends_with(b"\0z"));
    }
}
