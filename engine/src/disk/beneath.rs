//! Directories below the target of a restore, reached through real directories only.
//!
//! Paths of a snapshot are somebody else's bytes, and the target may hold links that somebody
//! else left there. `openat2` refuses every link on the way and every way out; where the kernel
//! does not have it, opening one component after the other without following links does the same.

use std::collections::BTreeMap;
use std::ops::Bound;
use std::os::fd::OwnedFd;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use rustix::fs::{Mode, OFlags, ResolveFlags};
use rustix::io::Errno;

use crate::base::limits::{SYSCALL_PATH_MAX_BYTES, TARGET_OPEN_FOLDERS};
use crate::disk::folder::lock;

/// An open directory and the directories below it that were used last.
#[derive(Debug)]
pub(crate) struct Beneath {
    base: Arc<OwnedFd>,
    recent: Mutex<Recent>,
    lacks_openat2: AtomicBool,
}

/// Open directories by path key, with the time of last use as a count.
#[derive(Debug, Default)]
struct Recent {
    open: BTreeMap<Vec<u8>, (Arc<OwnedFd>, u64)>,
    use_count: u64,
}

impl Beneath {
    pub(crate) fn new(base: OwnedFd) -> Self {
        let base = Arc::new(base);
        Self { base, recent: Mutex::default(), lacks_openat2: AtomicBool::new(false) }
    }

    /// The directory itself.
    pub(crate) fn base(&self) -> &OwnedFd {
        &self.base
    }

    /// A descriptor of the directory with this path key, good for paths relative to it only
    /// (`O_PATH`), so a directory that may not be listed is no obstacle.
    pub(crate) fn directory(&self, key: &[u8]) -> rustix::io::Result<Arc<OwnedFd>> {
        let (mut fd, mut done) = self.nearest(key);
        while done < key.len() {
            let rest = &key[done..];
            let rest = rest.strip_prefix(&[0]).unwrap_or(rest);
            let start = key.len() - rest.len();
            let length = fitting(rest);
            let text: Vec<u8> =
                rest[..length].iter().map(|byte| if *byte == 0 { b'/' } else { *byte }).collect();
            fd = Arc::new(self.open(&fd, &text)?);
            done = start + length;
            self.keep(&key[..done], &fd);
        }
        Ok(fd)
    }

    /// Forgets a directory and all below it, because they are about to be removed.
    pub(crate) fn forget(&self, key: &[u8]) {
        let mut recent = lock(&self.recent);
        let from = (Bound::Included(key), Bound::Unbounded);
        let near = recent.open.range::<[u8], _>(from).take_while(|(open, _)| open.starts_with(key));
        let doomed: Vec<_> =
            near.filter(|(open, _)| contains(key, open)).map(|(open, _)| open.clone()).collect();
        for open in doomed {
            recent.open.remove(&open);
        }
    }

    /// The nearest open directory on the way to `key`, and how much of the key it covers.
    fn nearest(&self, key: &[u8]) -> (Arc<OwnedFd>, usize) {
        let mut recent = lock(&self.recent);
        recent.use_count += 1;
        let now = recent.use_count;
        // Ancestors sort before the key, the nearest last.
        let until = (Bound::Unbounded, Bound::Included(key));
        for (open, (fd, last_use)) in recent.open.range_mut::<[u8], _>(until).rev() {
            if contains(open, key) {
                *last_use = now;
                return (Arc::clone(fd), open.len());
            }
        }
        (Arc::clone(&self.base), 0)
    }

    fn keep(&self, key: &[u8], fd: &Arc<OwnedFd>) {
        let mut recent = lock(&self.recent);
        if recent.open.len() >= TARGET_OPEN_FOLDERS {
            let oldest = recent.open.iter().min_by_key(|(_, (_, last_use))| *last_use);
            let oldest = oldest.map(|(key, _)| key.clone());
            oldest.and_then(|key| recent.open.remove(&key));
        }
        let now = recent.use_count;
        recent.open.insert(key.to_vec(), (Arc::clone(fd), now));
    }

    fn open(&self, from: &OwnedFd, text: &[u8]) -> rustix::io::Result<OwnedFd> {
        if !self.lacks_openat2.load(Ordering::Relaxed) {
            let resolve =
                ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_MAGICLINKS;
            match rustix::fs::openat2(from, text, FLAGS, Mode::empty(), resolve) {
                // Filters of older containers answer unknown calls with EPERM.
                Err(Errno::NOSYS | Errno::PERM) => {
                    self.lacks_openat2.store(true, Ordering::Relaxed);
                }
                result => return result,
            }
        }
        open_stepwise(from, text)
    }
}

const FLAGS: OFlags =
    OFlags::PATH.union(OFlags::DIRECTORY).union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC);

/// Opens one component after the other. With `O_DIRECTORY | O_NOFOLLOW` a link is refused, and
/// names of a snapshot are never `..`.
fn open_stepwise(from: &OwnedFd, text: &[u8]) -> rustix::io::Result<OwnedFd> {
    let mut names = text.split(|byte| *byte == b'/');
    let first = names.next().unwrap_or_default();
    let mut fd = rustix::fs::openat(from, first, FLAGS, Mode::empty())?;
    for name in names {
        fd = rustix::fs::openat(&fd, name, FLAGS, Mode::empty())?;
    }
    Ok(fd)
}

/// Whether the path key `inner` is `outer` or lies below it.
fn contains(outer: &[u8], inner: &[u8]) -> bool {
    let rest = inner.strip_prefix(outer);
    rest.is_some_and(|rest| outer.is_empty() || rest.first().is_none_or(|byte| *byte == 0))
}

/// How many bytes of a key, in whole components, the kernel takes at once.
fn fitting(key: &[u8]) -> usize {
    if key.len() <= SYSCALL_PATH_MAX_BYTES {
        return key.len();
    }
    // A component has at most 255 bytes, so there is a joint among so many.
    let joint = key[..SYSCALL_PATH_MAX_BYTES].iter().rposition(|byte| *byte == 0);
    joint.unwrap_or(key.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_ways_of_opening_refuse_links_and_agree_otherwise() {
        let folder = tempfile::tempdir().expect("because the test machine has space");
        std::fs::create_dir_all(folder.path().join("a/b/c")).expect("because it is new");
        std::os::unix::fs::symlink("b", folder.path().join("a/link")).expect("because it is new");
        let base = || {
            let base = rustix::fs::open(folder.path(), FLAGS, Mode::empty());
            Beneath::new(base.expect("because it exists"))
        };
        let stepwise = base();
        stepwise.lacks_openat2.store(true, Ordering::Relaxed);
        for beneath in [base(), stepwise] {
            assert!(beneath.directory(b"a\0b\0c").is_ok());
            let error = beneath.directory(b"a\0link\0c").expect_err("because a link is in the way");
            assert!([Errno::LOOP, Errno::NOTDIR].contains(&error));
            assert_eq!(beneath.directory(b"a\0none").err(), Some(Errno::NOENT));
            beneath.forget(b"a\0b");
            assert_eq!(beneath.nearest(b"a\0b\0c").1, 0);
        }
    }

    #[test]
    fn the_number_of_open_directories_is_bounded() {
        let folder = tempfile::tempdir().expect("because the test machine has space");
        let base = rustix::fs::open(folder.path(), FLAGS, Mode::empty());
        let beneath = Beneath::new(base.expect("because it exists"));
        for number in 0..TARGET_OPEN_FOLDERS * 2 {
            let name = number.to_string();
            std::fs::create_dir(folder.path().join(&name)).expect("because it is new");
            beneath.directory(name.as_bytes()).expect("because it was just made");
        }
        assert_eq!(lock(&beneath.recent).open.len(), TARGET_OPEN_FOLDERS);
    }
}
