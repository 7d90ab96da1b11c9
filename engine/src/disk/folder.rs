//! Directories of a walk: opened by name below their parent, closed when too many are open, and
//! opened again on demand.
//!
//! A walk can be thousands of levels deep and its results can be in use in thousands of
//! directories at once, while a process may have 1024 descriptors. So a [`Folder`] is an identity
//! with a descriptor that may come and go: the oldest open one is closed for a new one. If another
//! directory of the same file system lies at its place when it is opened again, then that is what is
//! looked at from then on; never what a link leads to.

use std::collections::VecDeque;
use std::io;
use std::os::fd::OwnedFd;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use rustix::fs::{CWD, Mode, OFlags};
use rustix::io::Errno;

use crate::base::limits::{FOLDER_MAX_NAMES, WALK_OPEN_FOLDERS};
use crate::disk::meta;
use crate::disk::owner::OwnerNames;

/// What all folders of one walk share.
#[derive(Debug, Default)]
pub(crate) struct Shared {
    /// Open folders, the oldest first.
    open: Mutex<VecDeque<Weak<Folder>>>,
    /// Names of users and groups seen so far.
    pub(crate) owners: Mutex<OwnerNames>,
    /// Whether entries carry the time of last access.
    pub(crate) with_atime: bool,
}

impl Shared {
    pub(crate) fn new(with_atime: bool) -> Arc<Self> {
        Arc::new(Self { with_atime, ..Self::default() })
    }

    fn remember(&self, folder: &Arc<Folder>) {
        let mut open = lock(&self.open);
        open.push_back(Arc::downgrade(folder));
        let surplus = open.len().saturating_sub(WALK_OPEN_FOLDERS);
        let oldest: Vec<_> = open.drain(..surplus).collect();
        drop(open);
        oldest.iter().filter_map(Weak::upgrade).for_each(|folder| folder.close());
    }

    /// Closes all folders that nobody is using at this moment.
    pub(crate) fn close_all(&self) {
        let all: Vec<_> = lock(&self.open).drain(..).collect();
        all.iter().filter_map(Weak::upgrade).for_each(|folder| folder.close());
    }

    /// Runs `call`; if the process has no descriptor left, closes folders and runs it again.
    pub(crate) fn with_descriptors<T>(
        &self,
        call: impl Fn() -> rustix::io::Result<T>,
    ) -> rustix::io::Result<T> {
        match call() {
            Err(Errno::MFILE | Errno::NFILE) => {
                self.close_all();
                call()
            }
            result => result,
        }
    }
}

/// What a directory is opened for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// To list what is in it.
    List,
    /// To look names up, which takes no right to list it.
    LookUp,
}

/// A directory that was there when the walk came by.
#[derive(Debug)]
pub(crate) struct Folder {
    place: Place,
    identity: (u64, u64),
    slot: Mutex<Option<Arc<OwnedFd>>>,
    pub(crate) shared: Arc<Shared>,
}

#[derive(Debug)]
enum Place {
    /// Opened by a path that the user named; links in it are followed.
    Absolute(Vec<u8>),
    /// A real directory of this name in another.
    Below(Arc<Folder>, Vec<u8>),
}

impl Folder {
    /// Opens a directory by its path for looking up names in it, following symbolic links.
    pub(crate) fn open_absolute(path: Vec<u8>, shared: &Arc<Shared>) -> io::Result<Arc<Self>> {
        let fd = open_absolute(&path)?;
        let identity = meta::identity(&meta::stat_open(&fd)?);
        Ok(Self::opened(Place::Absolute(path), identity, Arc::new(fd), shared))
    }

    /// Opens the directory `name` in `parent` for `purpose`, and gives the descriptor: one that is
    /// opened again later can only look names up. It must be the directory known by `identity`;
    /// the error says that it is stale if it is not.
    pub(crate) fn open_below(
        parent: &Arc<Self>,
        name: &[u8],
        identity: (u64, u64),
        purpose: Purpose,
    ) -> io::Result<(Arc<Self>, Arc<OwnedFd>)> {
        let parent_fd = parent.fd()?;
        let access = match purpose {
            Purpose::List => OFlags::RDONLY | OFlags::NOATIME,
            Purpose::LookUp => OFlags::PATH,
        };
        let fd = parent.shared.with_descriptors(|| match open_real(&parent_fd, name, access) {
            Err(Errno::PERM) => open_real(&parent_fd, name, OFlags::RDONLY),
            result => result,
        })?;
        if meta::identity(&meta::stat_open(&fd)?) != identity {
            return Err(Errno::STALE.into());
        }
        let place = Place::Below(Arc::clone(parent), name.to_vec());
        let fd = Arc::new(fd);
        Ok((Self::opened(place, identity, Arc::clone(&fd), &parent.shared), fd))
    }

    fn opened(
        place: Place,
        identity: (u64, u64),
        fd: Arc<OwnedFd>,
        shared: &Arc<Shared>,
    ) -> Arc<Self> {
        let slot = Mutex::new(Some(fd));
        let folder = Arc::new(Self { place, identity, slot, shared: Arc::clone(shared) });
        shared.remember(&folder);
        folder
    }

    /// Device and inode number.
    pub(crate) fn identity(&self) -> (u64, u64) {
        self.identity
    }

    /// The open directory. It stays open as long as the result is held.
    pub(crate) fn fd(self: &Arc<Self>) -> io::Result<Arc<OwnedFd>> {
        if let Some(fd) = lock(&self.slot).clone() {
            return Ok(fd);
        }
        // Up to the next open ancestor, then down again; a loop, because trees can be deeper
        // than a stack.
        let mut closed = Vec::new();
        let mut at = self;
        let mut fd = loop {
            if let Some(fd) = lock(&at.slot).clone() {
                break fd;
            }
            match &at.place {
                Place::Absolute(path) => break at.keep(open_absolute(path)?)?,
                Place::Below(parent, name) => {
                    closed.push((at, name));
                    at = parent;
                }
            }
        };
        while let Some((folder, name)) = closed.pop() {
            let open = || open_real(&fd, name, OFlags::PATH);
            let opened = self.shared.with_descriptors(open)?;
            fd = folder.keep(opened)?;
        }
        Ok(fd)
    }

    /// Takes what lies at its place now. On another file system that is something else: most likely
    /// this one is no longer mounted, and its content must not pass for removed.
    fn keep(self: &Arc<Self>, fd: OwnedFd) -> io::Result<Arc<OwnedFd>> {
        if meta::identity(&meta::stat_open(&fd)?).0 != self.identity.0 {
            return Err(Errno::STALE.into());
        }
        let fd = Arc::new(fd);
        *lock(&self.slot) = Some(Arc::clone(&fd));
        self.shared.remember(self);
        Ok(fd)
    }

    fn close(&self) {
        lock(&self.slot).take();
    }
}

impl Drop for Folder {
    /// Lets go of a chain of ancestors one by one: the compiler's way recurses once per level.
    fn drop(&mut self) {
        let mut place = std::mem::replace(&mut self.place, Place::Absolute(Vec::new()));
        while let Place::Below(parent, _) = place {
            let Some(mut folder) = Arc::into_inner(parent) else { break };
            place = std::mem::replace(&mut folder.place, Place::Absolute(Vec::new()));
        }
    }
}

/// Waits for a lock. A thread that panicked while holding it left nothing half done here.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn open_absolute(path: &[u8]) -> rustix::io::Result<OwnedFd> {
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    rustix::fs::openat(CWD, path, flags, Mode::empty())
}

fn open_real(parent: &OwnedFd, name: &[u8], access: OFlags) -> rustix::io::Result<OwnedFd> {
    let flags = access | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    rustix::fs::openat(parent, name, flags, Mode::empty())
}

/// The names in a directory, sorted, in one piece of memory.
#[derive(Debug, Default)]
pub(crate) struct Names {
    bytes: Vec<u8>,
    spans: Vec<(usize, u16)>,
}

impl Names {
    /// Lists an open directory. What was listed before an error counts.
    pub(crate) fn list(fd: &OwnedFd, buffer: &mut Vec<u8>) -> (Self, io::Result<()>) {
        let mut names = Self::default();
        let result = names.fill(fd, buffer);
        let bytes = &names.bytes;
        names.spans.sort_unstable_by(|a, b| slice(bytes, *a).cmp(slice(bytes, *b)));
        // A directory that changes while it is listed can show a name twice.
        names.spans.dedup_by(|a, b| slice(bytes, *a) == slice(bytes, *b));
        (names, result)
    }

    fn fill(&mut self, fd: &OwnedFd, buffer: &mut Vec<u8>) -> io::Result<()> {
        let mut entries = rustix::fs::RawDir::new(fd, buffer.spare_capacity_mut());
        while let Some(entry) = entries.next() {
            let entry = entry?;
            let name = entry.file_name().to_bytes();
            if name == b"." || name == b".." {
                continue;
            }
            if self.spans.len() == FOLDER_MAX_NAMES {
                return Err(io::Error::other("the directory has too many names"));
            }
            let length = u16::try_from(name.len()).map_err(io::Error::other)?;
            self.spans.push((self.bytes.len(), length));
            self.bytes.extend_from_slice(name);
        }
        Ok(())
    }

    /// Whether a name is among them.
    pub(crate) fn contains(&self, name: &[u8]) -> bool {
        self.spans.binary_search_by(|span| slice(&self.bytes, *span).cmp(name)).is_ok()
    }

    /// These names, which must be in order.
    pub(crate) fn of(names: &[Vec<u8>]) -> Self {
        let mut made = Self::default();
        names.iter().for_each(|name| made.push(name));
        made
    }

    /// Adds names that may be among them already.
    pub(crate) fn add(&mut self, names: &[Vec<u8>]) {
        let new: Vec<_> = names.iter().filter(|name| !self.contains(name)).collect();
        new.into_iter().for_each(|name| self.push(name));
        let bytes = &self.bytes;
        self.spans.sort_unstable_by(|a, b| slice(bytes, *a).cmp(slice(bytes, *b)));
    }

    fn push(&mut self, name: &[u8]) {
        // A name of a path is not longer than a name may be.
        let length = u16::try_from(name.len()).unwrap_or(u16::MAX);
        self.spans.push((self.bytes.len(), length));
        self.bytes.extend_from_slice(&name[..usize::from(length)]);
    }

    /// Forgets all names but those that `is_kept` says.
    pub(crate) fn keep_only(&mut self, is_kept: impl Fn(&[u8]) -> bool) {
        let bytes = &self.bytes;
        self.spans.retain(|span| is_kept(slice(bytes, *span)));
    }

    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        self.spans.len()
    }

    /// All names.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &[u8]> {
        self.spans.iter().map(|span| slice(&self.bytes, *span))
    }

    /// The name of this number in order.
    pub(crate) fn get(&self, number: usize) -> Option<&[u8]> {
        self.spans.get(number).map(|span| slice(&self.bytes, *span))
    }
}

fn slice(bytes: &[u8], (start, length): (usize, u16)) -> &[u8] {
    &bytes[start..start + usize::from(length)]
}
