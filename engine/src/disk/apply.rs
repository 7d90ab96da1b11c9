//! Metadata of restored files, in the order in which one step does not undo another.
//!
//! Owner first: changing it takes set-id bits and capabilities away. Then extended attributes,
//! while the file still has the mode that lets its owner write them; then the mode; then the
//! times, which all of that has touched; inode flags last, because nothing can be changed once a
//! file is immutable. Everything goes through one descriptor, so all of it hits the same file.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::fs::{AtFlags, Gid, Mode, OFlags, Statx, Timespec, Timestamps, Uid};
use rustix::io::Errno;

use crate::base::monitor::Problem;
use crate::base::path::TreePath;
use crate::base::time::Timestamp;
use crate::disk::coarse;
use crate::disk::error::{DiskError, problem};
use crate::disk::meta;
use crate::disk::write::{MetadataOptions, Target, TargetFile};
use crate::disk::xattr::{self, Hope, Reach};
use crate::format::entry::{Entry, EntryKind};

const SET_UID: u32 = 0o4000;
const SET_GID: u32 = 0o2000;

/// What came of setting metadata.
#[derive(Debug, Default)]
#[must_use]
pub struct Applied {
    /// What could not be set.
    pub problems: Vec<Problem>,
    /// Whether there was no room for something: it can be set when there is.
    pub has_no_room: bool,
    /// Whether another try may set something.
    pub may_be_better: bool,
    /// Whether set-id bits were left out, because they would lend the rights of somebody else than they
    /// did.
    pub lost_set_ids: bool,
}

/// File systems round times by less.
const FAR_OFF_S: u64 = 3;

/// The file whose metadata is set.
struct Subject<'a> {
    fd: BorrowedFd<'a>,
    /// `fd` only points (`O_PATH`): it is a link or a special file, or cannot be opened.
    is_pointer: bool,
    /// The directory that holds it and its name there, for systems without `/proc`.
    place: Option<(BorrowedFd<'a>, &'a [u8])>,
}

impl Target {
    /// Gives what lies at `path` the metadata of `entry`; directories after all they hold. What
    /// could not be set is returned, and the rest is set nevertheless.
    ///
    /// Set-id bits are left out if the owner is not the one they were meant for.
    pub fn apply_metadata(
        &self,
        path: &TreePath,
        entry: &Entry,
        options: &MetadataOptions,
    ) -> Applied {
        match self.subject(path, entry.kind) {
            Ok((fd, is_pointer, stat)) => {
                let holder = self.holder(path, "opening for its metadata").ok();
                let place = holder.as_ref().map(|(folder, name)| (folder.as_fd(), *name));
                Subject { fd: fd.as_fd(), is_pointer, place }.apply(path, entry, &stat, options)
            }
            Err(error) => Applied { problems: vec![error.to_problem(path)], ..Applied::default() },
        }
    }

    /// Whether setting the metadata of `entry` would change what lies at `path`; also if that cannot
    /// be found out.
    #[must_use]
    pub fn has_other_metadata(
        &self,
        path: &TreePath,
        entry: &Entry,
        options: &MetadataOptions,
    ) -> bool {
        let Ok((fd, is_pointer, stat)) = self.subject(path, entry.kind) else { return true };
        Subject { fd: fd.as_fd(), is_pointer, place: None }.differs(entry, &stat, options)
    }

    /// Whether `found` is how the file system keeps the time `wanted` of what lies at `path`.
    ///
    /// # Errors
    /// As [`Target::stat`].
    pub fn keeps_time(
        &self,
        path: &TreePath,
        wanted: Timestamp,
        found: Timestamp,
    ) -> Result<bool, DiskError> {
        if wanted == found {
            return Ok(true);
        }
        let action = "looking at";
        let (fd, name) = self.holder(path, action)?;
        match meta::stat_at(&fd, name) {
            Ok(stat) => Ok(coarse::is_kept_as(&fd, &stat, wanted, found)),
            Err(Errno::NOENT) => Ok(false),
            Err(error) => Err(DiskError::io(action, path, error)),
        }
    }

    /// Sets only the inode flags of `entry`: those that forbid what has to be done before.
    #[must_use]
    pub fn apply_inode_flags(&self, path: &TreePath, entry: &Entry) -> Vec<Problem> {
        let flagged = self.subject(path, entry.kind).and_then(|(fd, is_pointer, _)| {
            let subject = Subject { fd: fd.as_fd(), is_pointer, place: None };
            let set = subject.set_inode_flags(entry.inode_flags);
            set.map_err(|error| DiskError::io("setting the inode flags of", path, error))
        });
        flagged.err().map(|error| error.to_problem(path)).into_iter().collect()
    }

    /// Opens what lies at `path`, provided it is of this kind.
    fn subject(
        &self,
        path: &TreePath,
        kind: EntryKind,
    ) -> Result<(OwnedFd, bool, Statx), DiskError> {
        let action = "opening for its metadata";
        let (directory, name) = self.holder(path, action)?;
        let failed = |error: Errno| DiskError::io(action, path, error);
        let flags = OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let open = |flags| rustix::fs::openat(&directory, name, flags, Mode::empty());
        let readable = match kind {
            EntryKind::File => Some(OFlags::RDONLY | OFlags::NONBLOCK),
            EntryKind::Directory => Some(OFlags::RDONLY | OFlags::DIRECTORY),
            _ => None,
        };
        let (fd, is_pointer) = match readable.and_then(|access| open(flags | access).ok()) {
            Some(fd) => (fd, false),
            None => (open(flags | OFlags::PATH).map_err(failed)?, true),
        };
        let stat = meta::stat_open(&fd).map_err(failed)?;
        if meta::kind(&stat) != Some(kind) {
            return Err(DiskError::Replaced { path: path.to_string() });
        }
        Ok((fd, is_pointer, stat))
    }
}

impl TargetFile {
    /// Gives the file the metadata of `entry`, as [`Target::apply_metadata`] does, through the
    /// descriptor that wrote it: nothing is looked up again. Nothing may be written after it.
    pub fn apply_metadata(&self, entry: &Entry, options: &MetadataOptions) -> Applied {
        let subject = Subject { fd: self.as_fd(), is_pointer: false, place: None };
        match meta::stat_open(self.as_fd()) {
            Ok(stat) => subject.apply(self.path(), entry, &stat, options),
            Err(error) => {
                let error = DiskError::io("looking at", self.path(), error);
                Applied { problems: vec![error.to_problem(self.path())], ..Applied::default() }
            }
        }
    }
}

impl Subject<'_> {
    /// Sets everything that is not so yet; `present` is what it is now.
    fn apply(
        &self,
        path: &TreePath,
        entry: &Entry,
        present: &Statx,
        options: &MetadataOptions,
    ) -> Applied {
        let mut owner = (present.stx_uid, present.stx_gid);
        let mut applied = Applied::default();
        let mut is_changed = false;
        if options.owners && owner != (entry.uid, entry.gid) {
            let set = self.set_owner(entry.uid, entry.gid);
            if applied.take(path, "setting the owner of", set) {
                (owner, is_changed) = ((entry.uid, entry.gid), true);
            }
        }
        if options.xattrs && may_have_xattrs(entry) {
            let written = xattr::write_all(&self.reach(), &entry.xattrs);
            applied.hope_for(written.hope);
            is_changed |= written.is_changed;
            for why in written.failures {
                let action = "setting the extended attributes of";
                applied.problems.push(problem(path, action, &why));
            }
        }
        if entry.kind != EntryKind::Symlink {
            let mode = allowed_mode(entry, owner);
            applied.lost_set_ids = mode != entry.mode & 0o7777;
            // A new owner takes set-id bits away, and an ACL among the attributes changes the mode.
            let may_differ =
                is_changed && (mode & (SET_UID | SET_GID) != 0 || !entry.xattrs.is_empty());
            if may_differ || mode != mode_of(present) {
                applied.take(path, "setting the mode of", self.set_mode(mode));
            }
        }
        let mut note = |action, result: io::Result<()>| {
            let Err(error) = result else { return };
            applied.hope_for(Errno::from_io_error(&error).map_or(Hope::None, Hope::after));
            applied.problems.push(problem(path, action, &error));
        };
        if !self.has_times(entry, present) {
            let set = self.set_times(entry).and_then(|()| self.check_times(entry));
            note("setting the times of", set);
        }
        if sets_flags(entry, options) {
            note("setting the inode flags of", self.set_inode_flags(entry.inode_flags));
        }
        applied
    }

    /// Whether [`Subject::apply`] would change anything.
    fn differs(&self, entry: &Entry, present: &Statx, options: &MetadataOptions) -> bool {
        let owner = (present.stx_uid, present.stx_gid);
        let next = if options.owners { (entry.uid, entry.gid) } else { owner };
        let is_link = entry.kind == EntryKind::Symlink;
        owner != next
            || (!is_link && allowed_mode(entry, next) != mode_of(present))
            || !self.has_times(entry, present)
            || (options.xattrs
                && may_have_xattrs(entry)
                && !xattr::are_equal(&self.reach(), &entry.xattrs))
            || (sets_flags(entry, options)
                && !self.is_pointer
                && meta::inode_flags(self.fd).ok() != Some(entry.inode_flags))
    }

    /// Whether the times are as well set as this file system can keep them.
    fn has_times(&self, entry: &Entry, present: &Statx) -> bool {
        let is_kept =
            |wanted, found| coarse::is_kept_as(self.fd, present, wanted, meta::timestamp(found));
        is_kept(entry.mtime, present.stx_mtime)
            && entry.atime.is_none_or(|atime| is_kept(atime, present.stx_atime))
    }

    /// After times were set: whether what the file system made of one of another century is far off.
    fn check_times(&self, entry: &Entry) -> io::Result<()> {
        if i32::try_from(entry.mtime.seconds).is_ok() {
            return Ok(());
        }
        let found = meta::timestamp(meta::stat_open(self.fd)?.stx_mtime);
        match found.seconds.abs_diff(entry.mtime.seconds) > FAR_OFF_S {
            true => Err(io::Error::other(
                "the file system cannot hold a time of that year, and keeps another in its place",
            )),
            false => Ok(()),
        }
    }

    fn reach(&self) -> Reach<'_> {
        if self.is_pointer { Reach::pointer(self.fd) } else { Reach::Open(self.fd) }
    }

    fn set_owner(&self, uid: u32, gid: u32) -> rustix::io::Result<()> {
        // All ones mean "leave as it is" to the kernel and belong to nobody.
        if uid == u32::MAX || gid == u32::MAX {
            return Err(Errno::INVAL);
        }
        let (uid, gid) = (Some(Uid::from_raw(uid)), Some(Gid::from_raw(gid)));
        rustix::fs::chownat(self.fd, "", uid, gid, AtFlags::EMPTY_PATH)
    }

    fn set_mode(&self, mode: u32) -> rustix::io::Result<()> {
        let mode = Mode::from_raw_mode(mode);
        if !self.is_pointer {
            return rustix::fs::fchmod(self.fd, mode);
        }
        match (rustix::fs::chmod(xattr::proc_path(self.fd), mode), self.place) {
            // There is no `/proc`, as in a rescue system: by name, if that is still the same file.
            (Err(Errno::NOENT | Errno::NOTDIR), Some((folder, name))) => {
                let named = meta::stat_at(folder, name)?;
                let same = meta::identity(&named) == meta::identity(&meta::stat_open(self.fd)?);
                match same && meta::kind(&named) != Some(EntryKind::Symlink) {
                    true => rustix::fs::chmodat(folder, name, mode, AtFlags::empty()),
                    false => Err(Errno::NOENT),
                }
            }
            (result, _) => result,
        }
    }

    fn set_times(&self, entry: &Entry) -> io::Result<()> {
        let times = Timestamps {
            last_access: timespec(entry.atime.unwrap_or(entry.mtime))?,
            last_modification: timespec(entry.mtime)?,
        };
        if self.is_pointer {
            match rustix::fs::utimensat(self.fd, "", &times, AtFlags::EMPTY_PATH) {
                // Linux before 5.8 knows no empty path here.
                Err(Errno::INVAL) => {
                    let path = xattr::proc_path(self.fd);
                    rustix::fs::utimensat(rustix::fs::CWD, path, &times, AtFlags::empty())?;
                }
                result => result?,
            }
            return Ok(());
        }
        Ok(rustix::fs::futimens(self.fd, &times)?)
    }

    fn set_inode_flags(&self, flags: u32) -> io::Result<()> {
        if self.is_pointer {
            let path = xattr::proc_path(self.fd);
            let open = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::CLOEXEC;
            let fd = rustix::fs::open(path, open, Mode::empty())?;
            return meta::set_inode_flags(&fd, flags);
        }
        meta::set_inode_flags(self.fd, flags)
    }
}

impl Applied {
    fn hope_for(&mut self, hope: Hope) {
        self.has_no_room |= hope == Hope::Room;
        self.may_be_better |= hope != Hope::None;
    }

    /// Takes in how one step ended; whether well.
    fn take(
        &mut self,
        path: &TreePath,
        action: &'static str,
        result: rustix::io::Result<()>,
    ) -> bool {
        let Err(error) = result else { return true };
        self.hope_for(Hope::after(error));
        self.problems.push(problem(path, action, &io::Error::from(error)));
        false
    }
}

/// A link inherits nothing, so one without attributes has none to lose.
fn may_have_xattrs(entry: &Entry) -> bool {
    entry.kind != EntryKind::Symlink || !entry.xattrs.is_empty()
}

fn mode_of(stat: &Statx) -> u32 {
    u32::from(stat.stx_mode) & 0o7777
}

fn sets_flags(entry: &Entry, options: &MetadataOptions) -> bool {
    let has_flags = matches!(entry.kind, EntryKind::File | EntryKind::Directory);
    options.inode_flags && has_flags && entry.inode_flags != 0
}

/// The mode of an entry without the set-id bits that would lend somebody else's rights.
fn allowed_mode(entry: &Entry, (uid, gid): (u32, u32)) -> u32 {
    let mut mode = entry.mode & 0o7777;
    if uid != entry.uid {
        mode &= !SET_UID;
    }
    if gid != entry.gid {
        mode &= !SET_GID;
    }
    mode
}

/// A time for the kernel. Some numbers of nanoseconds mean "now" or "leave it" to it.
fn timespec(time: Timestamp) -> io::Result<Timespec> {
    if !time.is_valid() {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "the time is out of range"));
    }
    Ok(Timespec { tv_sec: time.seconds, tv_nsec: i64::from(time.nanos) })
}

#[cfg(test)]
mod tests;
