//! Making things aside and putting them in their place at once.

use std::fs::File;
use std::io;
use std::os::fd::{AsFd, OwnedFd};

use rustix::fs::{
    AtFlags, FlockOperation, Mode, OFlags, RenameFlags, Timespec, Timestamps, UTIME_OMIT,
};
use rustix::io::Errno;

use crate::base::path::TreePath;
use crate::base::time::Timestamp;
use crate::disk::error::DiskError;
use crate::disk::folder::lock;
use crate::disk::meta;
use crate::disk::stage::{STAGE_PREFIX, parent_end};
use crate::disk::write::{FolderTimes, Target, is_root};
use crate::format::entry::EntryKind;

/// How a journal is opened.
const JOURNAL: OFlags =
    OFlags::RDWR.union(OFlags::APPEND).union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC);

/// What the owner of a directory needs to work in it.
const OWNER_ALL: u32 = 0o700;

/// What a new thing takes the place of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Replaces {
    /// Nothing: whatever somebody puts there meanwhile stays.
    Nothing,
    /// Anything but a directory, by something that is no directory either.
    Name,
    /// Something of another kind, one of both being a directory.
    Kind,
}

impl Target {
    /// What gets `path` in the end is made aside from now on. Whether something lies there already:
    /// what an earlier run left, which may be gone on with.
    ///
    /// # Errors
    /// [`DiskError::Io`], [`DiskError::Obstructed`].
    pub fn begin_aside(&self, path: &TreePath) -> Result<bool, DiskError> {
        let key = self.stage.final_key(path.key()).into_owned();
        self.make_stage(&key[..parent_end(&key)], path)?;
        let staged = self.stage.staged_key(&key);
        self.stage.begin(key);
        let directory = self.directory_of(&staged[..parent_end(&staged)], path, "looking at")?;
        match meta::stat_at(&directory, path.name()) {
            Ok(_) => Ok(true),
            Err(Errno::NOENT) => Ok(false),
            Err(error) => Err(DiskError::io("looking at", path, error)),
        }
    }

    /// Gives what was made aside its place, all at once.
    ///
    /// # Errors
    /// [`DiskError::Io`], also if something is in the place that it does not replace. It lies aside
    /// as before then.
    pub fn publish(&self, path: &TreePath, replaces: Replaces) -> Result<(), DiskError> {
        let action = "putting in place";
        let key = self.stage.final_key(path.key()).into_owned();
        let staged = self.stage.staged_key(&key);
        let from = self.directory_of(&staged[..parent_end(&staged)], path, action)?;
        let to = self.directory_of(&key[..parent_end(&key)], path, action)?;
        let (from, to, name) = (&*from, &*to, path.name());
        let renamed = match replaces {
            Replaces::Nothing => rename_to_free(from, to, name),
            Replaces::Name => rustix::fs::renameat(from, name, to, name),
            Replaces::Kind => exchange(from, to, name),
        };
        renamed.map_err(|error| DiskError::io(action, path, error))?;
        self.beneath.forget(&staged);
        self.stage.end(&key);
        match replaces {
            Replaces::Nothing => Ok(()),
            // Renaming one name of a file onto another one does nothing at all.
            Replaces::Name => match rustix::fs::unlinkat(from, name, AtFlags::empty()) {
                Ok(()) | Err(Errno::NOENT) => Ok(()),
                Err(error) => Err(DiskError::io("removing", path, error)),
            },
            Replaces::Kind => self.remove_key(&staged, path),
        }
    }

    /// Removes what was made aside for `path`; what is in its place stays.
    ///
    /// # Errors
    /// [`DiskError::Io`], [`DiskError::Obstructed`].
    pub fn discard_aside(&self, path: &TreePath) -> Result<(), DiskError> {
        let key = self.stage.final_key(path.key()).into_owned();
        let removed = self.remove_key(&self.stage.staged_key(&key), path);
        self.stage.end(&key);
        removed
    }

    /// Looks whether an earlier run left a stage in the directory at `path`, which is removed in the
    /// end then.
    pub fn find_stage(&self, path: &TreePath) {
        let key = self.stage.final_key(path.key()).into_owned();
        let is_left = self.directory_of(&key, path, "looking at").is_ok_and(|directory| {
            meta::stat_at(&directory, &self.stage.name).is_ok_and(|stat| is_own_folder(&stat))
        });
        if is_left {
            lock(&self.stage.folders).insert(key.clone());
        }
        if key.is_empty() {
            // Nothing in it has a use. Where it cannot be removed none is made, and the end tells.
            let _ = self.remove_key(&self.stage.room_name(), path);
        }
    }

    /// Removes the stage of the directory at `path`, if it has one, with what lies in it.
    ///
    /// # Errors
    /// [`DiskError::Io`], [`DiskError::Obstructed`].
    pub fn remove_stage(&self, path: &TreePath) -> Result<(), DiskError> {
        let key = self.stage.final_key(path.key()).into_owned();
        if key.is_empty() && self.stage.room.is_made() {
            self.remove_key(&self.stage.room_name(), path)?;
        }
        if !lock(&self.stage.folders).remove(&key) {
            return Ok(());
        }
        self.remove_key(&self.stage_key(&key), path)
    }

    /// More will be made than a few files: directories get places where that is fast.
    pub fn expect_many(&self) {
        self.stage.room.expect_many();
    }

    /// As `mkdir`, with a mode for the owner only; where files can be made fast, if many are to come.
    pub(crate) fn make_in_good_place(&self, into: &OwnedFd, name: &[u8]) -> rustix::io::Result<()> {
        let (base, stage) = (self.beneath.base().as_fd(), &self.stage);
        stage.room.make_directory(base, &stage.room_name(), into, name)
    }

    /// The mode of the directory at `path` if it is this user's and may not be written to; then
    /// [`Target::unlock`] helps.
    ///
    /// # Errors
    /// [`DiskError::Io`].
    pub fn locked_mode(&self, path: &TreePath) -> Result<Option<u32>, DiskError> {
        let there = self.stat(path)?.filter(|there| there.kind == EntryKind::Directory);
        let own = there.filter(|there| there.uid == rustix::process::geteuid().as_raw());
        Ok(own.map(|there| there.mode).filter(|mode| mode & OWNER_ALL != OWNER_ALL))
    }

    /// Lets the owner write to the directory at `path`, whose mode is `mode`, until
    /// [`Target::lock_again`].
    ///
    /// # Errors
    /// [`DiskError::Io`].
    pub fn unlock(&self, path: &TreePath, mode: u32) -> Result<(), DiskError> {
        self.set_mode_of(path, mode | OWNER_ALL)?;
        lock(&self.stage.unlocked).insert(path.key().to_vec(), mode);
        Ok(())
    }

    /// Gives the directory at `path` the mode back that it had before it was opened for writing, by
    /// this run or, then with the mode `earlier`, by one before.
    ///
    /// # Errors
    /// [`DiskError::Io`].
    pub fn lock_again(&self, path: &TreePath, earlier: Option<u32>) -> Result<(), DiskError> {
        let own = lock(&self.stage.unlocked).remove(path.key());
        earlier.or(own).map_or(Ok(()), |mode| self.set_mode_of(path, mode))
    }

    fn set_mode_of(&self, path: &TreePath, mode: u32) -> Result<(), DiskError> {
        let action = "setting the mode of";
        let (directory, name) = self.holder(path, action)?;
        // Nothing was opened yet that could be changed through a descriptor: it may not be read.
        rustix::fs::chmodat(&directory, name, Mode::from_raw_mode(mode), AtFlags::empty())
            .map_err(|error| DiskError::io(action, path, error))
    }

    /// Follows the link at `path`, if it leads to a directory of the target through directories and
    /// links of the target alone; absolute ones begin at the target. Whether it does.
    ///
    /// # Errors
    /// [`DiskError::Io`] if it cannot be read.
    pub fn follow_link(&self, path: &TreePath) -> Result<bool, DiskError> {
        let mut at = path.clone();
        for _ in 0..8 {
            let link = self.read_link(&at)?;
            let start = if link.starts_with(b"/") { None } else { at.parent() };
            let mut next = start.unwrap_or_default();
            for name in link.split(|byte| *byte == b'/') {
                next = match name {
                    b"" | b"." => next,
                    b".." => match next.parent() {
                        Some(parent) => parent,
                        None => return Ok(false),
                    },
                    name => match next.join(name) {
                        Ok(next) => next,
                        Err(_) => return Ok(false),
                    },
                };
            }
            match self.stat(&next) {
                Ok(Some(stat)) if stat.kind == EntryKind::Directory => {
                    let to = self.stage.final_key(next.key()).into_owned();
                    self.stage.follow(path.key(), to);
                    return Ok(true);
                }
                Ok(Some(stat)) if stat.kind == EntryKind::Symlink => at = next,
                _ => return Ok(false),
            }
        }
        Ok(false)
    }

    /// Opens the journal called `name` at the top of the target for reading and appending, or makes
    /// it with these first bytes, all at once, and locks it. Whether it was there.
    ///
    /// # Errors
    /// [`DiskError::Busy`] if another process has it; [`DiskError::Io`], also if it is not this
    /// user's regular file.
    pub fn open_journal(&self, name: &str, first: &[u8]) -> Result<(File, bool), DiskError> {
        let name = journal_name(name);
        let action = "opening the journal";
        let failed = |error: Errno| DiskError::io_at(action, name.as_bytes(), error);
        let open = || {
            let flags = JOURNAL.union(OFlags::NONBLOCK);
            rustix::fs::openat(self.beneath.base(), &name, flags, Mode::empty())
        };
        let (fd, is_new) = match open() {
            Ok(fd) => (fd, false),
            Err(Errno::NOENT) => (self.create_journal(&name, first).map_err(failed)?, true),
            Err(error) => return Err(failed(error)),
        };
        let stat = meta::stat_open(&fd).map_err(failed)?;
        let is_own = stat.stx_uid == rustix::process::geteuid().as_raw();
        if !is_own || meta::kind(&stat) != Some(EntryKind::File) {
            let why = io::Error::other("it is not a file of this user");
            return Err(DiskError::io_at(action, name.as_bytes(), why));
        }
        match rustix::fs::flock(&fd, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => Ok((File::from(fd), !is_new)),
            Err(Errno::WOULDBLOCK) => Err(DiskError::Busy { path: name }),
            // A file system without locks.
            Err(_) => Ok((File::from(fd), !is_new)),
        }
    }

    /// Makes a journal that has its first bytes from the moment on that its name is there, where the
    /// file system can do that.
    fn create_journal(&self, name: &str, first: &[u8]) -> rustix::io::Result<OwnedFd> {
        let (base, mode) = (self.beneath.base(), Mode::from_raw_mode(meta::CLOSED_FILE));
        let flags = OFlags::RDWR | OFlags::APPEND | OFlags::TMPFILE | OFlags::CLOEXEC;
        let unnamed = rustix::fs::openat(base, ".", flags, mode).and_then(|fd| {
            rustix::io::write(&fd, first)?;
            let path = crate::disk::xattr::proc_path(std::os::fd::AsFd::as_fd(&fd));
            rustix::fs::linkat(rustix::fs::CWD, path, base, name, AtFlags::SYMLINK_FOLLOW)?;
            Ok(fd)
        });
        match unnamed {
            Ok(fd) => Ok(fd),
            // What is in the way there is in the way here.
            Err(_) => {
                let flags = JOURNAL.union(OFlags::CREATE).union(OFlags::EXCL);
                let fd = rustix::fs::openat(base, name, flags, mode)?;
                rustix::io::write(&fd, first)?;
                Ok(fd)
            }
        }
    }

    /// The times of the target itself.
    ///
    /// # Errors
    /// [`DiskError::Io`].
    pub fn times(&self) -> Result<FolderTimes, DiskError> {
        let stat = meta::stat_open(self.beneath.base())
            .map_err(|error| DiskError::io_at("looking at", b".", error))?;
        let (accessed, modified) =
            (meta::timestamp(stat.stx_atime), meta::timestamp(stat.stx_mtime));
        Ok(FolderTimes { accessed, modified })
    }

    /// Gives the target itself these times, unless it has them. One that is somebody else's keeps its
    /// own.
    ///
    /// # Errors
    /// [`DiskError::Io`].
    pub fn set_times(&self, times: &FolderTimes) -> Result<(), DiskError> {
        if self.times()?.modified == times.modified {
            return Ok(());
        }
        let spec =
            |time: Timestamp| Timespec { tv_sec: time.seconds, tv_nsec: i64::from(time.nanos) };
        let times = Timestamps {
            last_access: spec(times.accessed),
            last_modification: spec(times.modified),
        };
        match rustix::fs::futimens(self.beneath.base(), &times) {
            Ok(()) => Ok(()),
            Err(Errno::PERM) if !is_root() => Ok(()),
            Err(error) => Err(DiskError::io_at("setting the times of", b".", error)),
        }
    }

    /// Gives the directory at `path` the time of its last change, unless it is somebody else's.
    ///
    /// # Errors
    /// [`DiskError::Io`].
    pub fn set_modified(&self, path: &TreePath, time: Timestamp) -> Result<(), DiskError> {
        let action = "setting the times of";
        let (directory, name) = self.holder(path, action)?;
        let times = Timestamps {
            last_access: Timespec { tv_sec: 0, tv_nsec: UTIME_OMIT },
            last_modification: timespec(time),
        };
        match rustix::fs::utimensat(&directory, name, &times, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(()) => Ok(()),
            Err(Errno::PERM) if !is_root() => Ok(()),
            Err(error) => Err(DiskError::io(action, path, error)),
        }
    }

    /// Whether nothing lies in the target but what an earlier run of the restore called `name` left.
    ///
    /// # Errors
    /// [`DiskError::Io`].
    pub fn is_empty_but_for(&self, name: &str) -> Result<bool, DiskError> {
        let stage = format!("{STAGE_PREFIX}{name}");
        let own = [format!("{stage}.room"), journal_name(name), stage];
        let names = self.list(&TreePath::root())?;
        Ok(names.iter().all(|one| own.iter().any(|own| one == own.as_bytes())))
    }

    /// Whether there is a journal of this name.
    #[must_use]
    pub fn has_journal(&self, name: &str) -> bool {
        meta::stat_at(self.beneath.base(), journal_name(name).as_bytes()).is_ok()
    }

    /// Removes a journal.
    ///
    /// # Errors
    /// [`DiskError::Io`].
    pub fn remove_journal(&self, name: &str) -> Result<(), DiskError> {
        let name = journal_name(name);
        match rustix::fs::unlinkat(self.beneath.base(), &name, AtFlags::empty()) {
            Ok(()) | Err(Errno::NOENT) => Ok(()),
            Err(error) => Err(DiskError::io("removing the journal in", &TreePath::root(), error)),
        }
    }

    pub(crate) fn actual_key<'k>(&self, key: &'k [u8]) -> std::borrow::Cow<'k, [u8]> {
        self.stage.actual_key(key)
    }

    fn stage_key(&self, folder: &[u8]) -> Vec<u8> {
        let joint: &[u8] = if folder.is_empty() { b"" } else { &[0] };
        [folder, joint, &self.stage.name].concat()
    }

    /// Makes the stage of a folder, for its owner only.
    fn make_stage(&self, folder: &[u8], path: &TreePath) -> Result<(), DiskError> {
        if lock(&self.stage.folders).contains(folder) {
            return Ok(());
        }
        let action = "making room beside";
        let directory = self.directory_of(folder, path, action)?;
        let name = &self.stage.name;
        match self.make_in_good_place(&directory, name) {
            Ok(()) => {}
            Err(Errno::EXIST) => {
                let stat = meta::stat_at(&directory, name)
                    .map_err(|error| DiskError::io(action, path, error))?;
                if !is_own_folder(&stat) {
                    let why = format!("{} is in the way", String::from_utf8_lossy(name));
                    return Err(DiskError::io(action, path, io::Error::other(why)));
                }
            }
            Err(error) => return Err(DiskError::io(action, path, error)),
        }
        lock(&self.stage.folders).insert(folder.to_vec());
        Ok(())
    }
}

fn timespec(time: Timestamp) -> Timespec {
    Timespec { tv_sec: time.seconds, tv_nsec: i64::from(time.nanos) }
}

fn journal_name(name: &str) -> String {
    format!("{STAGE_PREFIX}{name}.journal")
}

/// Whether it is a directory of this user, as the stages of its restores are.
fn is_own_folder(stat: &rustix::fs::Statx) -> bool {
    meta::kind(stat) == Some(EntryKind::Directory)
        && stat.stx_uid == rustix::process::geteuid().as_raw()
}

/// Renames to a name that nothing has, also where the file system cannot promise that.
fn rename_to_free(from: &OwnedFd, to: &OwnedFd, name: &[u8]) -> rustix::io::Result<()> {
    match rustix::fs::renameat_with(from, name, to, name, RenameFlags::NOREPLACE) {
        Err(Errno::INVAL | Errno::NOSYS) => match meta::stat_at(to, name) {
            Err(Errno::NOENT) => rustix::fs::renameat(from, name, to, name),
            Ok(_) => Err(Errno::EXIST),
            Err(error) => Err(error),
        },
        result => result,
    }
}

/// Exchanges two names at once; where the file system cannot, one after the other.
fn exchange(from: &OwnedFd, to: &OwnedFd, name: &[u8]) -> rustix::io::Result<()> {
    match rustix::fs::renameat_with(from, name, to, name, RenameFlags::EXCHANGE) {
        Err(Errno::INVAL | Errno::NOSYS) => {
            let old: &[u8] = b".replaced";
            rustix::fs::renameat(to, name, from, old)?;
            if let Err(error) = rustix::fs::renameat(from, name, to, name) {
                rustix::fs::renameat(from, old, to, name)?;
                return Err(error);
            }
            rustix::fs::renameat(from, old, from, name)
        }
        result => result,
    }
}
