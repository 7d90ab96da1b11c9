//! One thing that a walk came across, and the ways to learn more about it later.

use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::Arc;

use rustix::fs::Statx;
use rustix::io::Errno;

use crate::base::monitor::Problem;
use crate::base::path::TreePath;
use crate::disk::error::{DiskError, is_gone, problem};
use crate::disk::folder::{Folder, lock};
use crate::disk::meta::{self, Stat};
use crate::disk::read::OpenFile;
use crate::disk::xattr::{self, Reach};
use crate::format::entry::{Entry, EntryKind, FLAG_PARTIAL};

/// One path of the source. It holds on to its directory, so it can be opened later even if the
/// path then leads elsewhere; descriptors are shared and bounded, however many of these exist.
#[derive(Debug)]
pub struct Found {
    /// Where it lies, below the root of the file system.
    pub path: TreePath,
    /// What `statx` says.
    pub stat: Stat,
    /// How complete the listing of a directory is: `LISTING_…` bits.
    pub listing: u8,
    /// Whether it is left out, unless something below it is not.
    pub(crate) is_provisional: bool,
    pub(crate) folder: Arc<Folder>,
}

impl Found {
    pub(crate) fn new(path: TreePath, stat: Stat, folder: Arc<Folder>) -> Self {
        Self { path, stat, listing: 0, is_provisional: false, folder }
    }

    /// What `statx` says as an entry, with the names of its owners and the completeness of its
    /// listing, and nothing else.
    #[must_use]
    pub fn stat_entry(&self) -> Entry {
        let with_atime = self.folder.shared.with_atime;
        let mut entry = self.stat.entry(with_atime, &mut lock(&self.folder.shared.owners));
        entry.listing = self.listing;
        entry
    }

    /// Its entry: what `statx` says, the names of its owners, the target of a symbolic link.
    /// Content, extended attributes and inode flags are left empty.
    ///
    /// # Errors
    /// [`DiskError::Replaced`] if it is a symbolic link no more, or another one; [`DiskError`] if the
    /// link cannot be read; missing if it is gone.
    pub fn entry(&self) -> Result<Entry, DiskError> {
        let mut entry = self.stat_entry();
        if entry.kind == EntryKind::Symlink {
            let target = self.target()?;
            entry.size_bytes = target.len() as u64;
            entry.target = Some(target);
        }
        Ok(entry)
    }

    /// Where the symbolic link leads that the metadata are those of.
    fn target(&self) -> Result<Vec<u8>, DiskError> {
        let error = |error: io::Error| self.error("reading the link", error);
        let folder = self.folder.fd().map_err(error)?;
        let target = match rustix::fs::readlinkat(&folder, self.name(), Vec::new()) {
            Ok(target) => target.into_bytes(),
            Err(Errno::INVAL) => return Err(self.replaced()),
            Err(errno) => return Err(error(errno.into())),
        };
        let now =
            meta::stat_at(folder.as_fd(), self.name()).map_err(|errno| error(errno.into()))?;
        let (now, then) = (describe(&now).map_err(error)?.facts, self.stat.facts);
        // Not the inode number: some file systems make them up.
        match (now.kind, now.mtime, now.size_bytes) == (then.kind, then.mtime, then.size_bytes) {
            true => Ok(target),
            false => Err(self.replaced()),
        }
    }

    /// Fills in extended attributes and inode flags. That takes several system calls, so it is
    /// for entries that are new or whose `ctime` changed. What could not be read is returned,
    /// and the entry is marked with [`FLAG_PARTIAL`]; so it is if something else or nothing lies
    /// there by now, which is no problem: the next run looks again.
    #[must_use]
    pub fn read_details(&self, entry: &mut Entry) -> Vec<Problem> {
        let folder = match self.folder.fd() {
            Ok(fd) => fd,
            Err(error) => {
                entry.flags |= FLAG_PARTIAL;
                let why = problem(&self.path, "reading the attributes of", &error);
                return if is_gone(&error) { Vec::new() } else { vec![why] };
            }
        };
        if matches!(entry.kind, EntryKind::File | EntryKind::Directory) {
            let open = || OpenFile::open_at(folder.as_fd(), self.name());
            if let Ok(fd) = self.folder.shared.with_descriptors(open) {
                let facts = self.stat.facts;
                let now = meta::stat_open(&fd).map(|stat| meta::identity(&stat));
                if now != Ok((facts.device, facts.inode)) {
                    entry.flags |= FLAG_PARTIAL;
                    return Vec::new();
                }
                return self.read_details_through(fd.as_fd(), entry);
            }
            // Not readable: that is said when the content is read; the attributes may still be.
        }
        let problems = self.fill_xattrs(&Reach::name(folder.as_fd(), self.name()), entry);
        let now = || meta::stat_at(folder.as_fd(), self.name());
        let is_gone = || now().is_err_and(|errno| errno == Errno::NOENT);
        if !problems.is_empty() && is_gone() { Vec::new() } else { problems }
    }

    /// The same as [`Found::read_details`] for a file that is open already, at less cost.
    #[must_use]
    pub fn read_details_of(&self, file: &OpenFile, entry: &mut Entry) -> Vec<Problem> {
        self.read_details_through(file.as_fd(), entry)
    }

    /// Opens the file for reading.
    ///
    /// # Errors
    /// [`DiskError::Replaced`] if something else lies there now, a link for instance (see
    /// [`Found::look_again`]); [`DiskError::NotRegular`]; [`DiskError::Io`].
    pub fn open(&self) -> Result<OpenFile, DiskError> {
        let folder = self.folder.fd().map_err(|error| self.error("opening", error))?;
        let open = || OpenFile::open_at(folder.as_fd(), self.name());
        let fd = match self.folder.shared.with_descriptors(open) {
            Ok(fd) => fd,
            // A symbolic link, a socket or a device without driver.
            Err(Errno::LOOP | Errno::NXIO | Errno::NODEV) => return Err(self.replaced()),
            Err(error) => return Err(self.error("opening", error)),
        };
        let stat = meta::stat_open(&fd).map_err(|error| self.error("opening", error))?;
        if meta::identity(&stat) != (self.stat.facts.device, self.stat.facts.inode) {
            return Err(self.replaced());
        }
        if meta::kind(&stat) != Some(EntryKind::File) {
            return Err(DiskError::NotRegular { path: self.path.to_string() });
        }
        Ok(OpenFile::new(fd, self.path.clone(), &stat))
    }

    /// What lies at the same path now. Programs that save by renaming a new file over the old one
    /// replace files all the time.
    ///
    /// # Errors
    /// [`DiskError::Io`]; it is missing if nothing lies there any more.
    pub fn look_again(&self) -> Result<Self, DiskError> {
        let action = "looking again at";
        let folder = self.folder.fd().map_err(|error| self.error(action, error))?;
        let stat = meta::stat_at(folder.as_fd(), self.name())
            .map_err(|error| self.error(action, error))?;
        let stat = describe(&stat).map_err(|error| self.error(action, error))?;
        Ok(Self::new(self.path.clone(), stat, Arc::clone(&self.folder)))
    }

    fn read_details_through(&self, open: BorrowedFd<'_>, entry: &mut Entry) -> Vec<Problem> {
        let mut problems = self.fill_xattrs(&Reach::Open(open), entry);
        match meta::inode_flags(open) {
            Ok(flags) => entry.inode_flags = flags,
            Err(error) => {
                entry.flags |= FLAG_PARTIAL;
                problems.push(problem(&self.path, "reading the inode flags of", &error));
            }
        }
        problems
    }

    fn fill_xattrs(&self, reach: &Reach<'_>, entry: &mut Entry) -> Vec<Problem> {
        let (xattrs, failures) = xattr::read_all(reach);
        entry.xattrs = xattrs;
        if !failures.is_empty() {
            entry.flags |= FLAG_PARTIAL;
        }
        let action = "reading the extended attributes of";
        failures.iter().map(|why| problem(&self.path, action, why)).collect()
    }

    pub(crate) fn name(&self) -> &[u8] {
        self.path.name()
    }

    fn replaced(&self) -> DiskError {
        DiskError::Replaced { path: self.path.to_string() }
    }

    fn error(&self, action: &'static str, error: impl Into<io::Error>) -> DiskError {
        DiskError::io(action, &self.path, error)
    }
}

/// What `statx` said, if it is of a kind that is known.
pub(crate) fn describe(stat: &Statx) -> io::Result<Stat> {
    match meta::kind(stat) {
        Some(kind) => Ok(Stat::new(kind, stat)),
        None => Err(io::Error::other("this kind of file is unknown")),
    }
}
