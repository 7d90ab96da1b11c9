//! Makes a tree on disk, always relative to an open folder, so that no path is ever too long.

use std::fs::File;
use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::path::Path;

use rustix::fs::{
    AtFlags, CWD, FileType, Mode, OFlags, Timespec, Timestamps, XattrFlags, chmodat, chownat,
    futimens, linkat, lsetxattr, makedev, mkdirat, mknodat, openat, symlinkat, utimensat,
};
use rustix::io::Errno;

use crate::trees::content::{self, Content, Piece};
use crate::trees::{ItemSpec, Kind, Meta, TreeSpec};

/// The length of each name in the deep chain.
pub const CHAIN_NAME_BYTES: usize = 200;

/// What became of a specification.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Created {
    /// Items that are on the disk.
    pub item_count: usize,
    /// Items left out because their name was taken, they link to nothing, or this user or file
    /// system cannot have them.
    pub skipped_count: usize,
    /// Owners and attributes that this user or file system cannot set.
    pub refused_meta_count: usize,
}

/// Makes `spec` below `dir`.
///
/// # Errors
/// What the file system refuses and other file systems would not.
pub fn tree(spec: &TreeSpec, dir: &Path) -> io::Result<Created> {
    let mut maker = Maker {
        folders: vec![open_folder(CWD, dir)?],
        linkable: Vec::new(),
        files: Vec::new(),
        made: Vec::new(),
        report: Created::default(),
    };
    for item in &spec.items {
        maker.item(item)?;
    }
    if spec.deep_chain_count > 0 {
        maker.deep_chain(spec.deep_chain_count)?;
    }
    maker.metadata()?;
    Ok(maker.report)
}

/// Makes one item in an existing folder; a hard link has nothing to link to there.
///
/// # Errors
/// As [`tree`].
pub fn item(item: &ItemSpec, folder: &Path) -> io::Result<Created> {
    let item = ItemSpec { parent: 0, ..item.clone() };
    tree(&TreeSpec { items: vec![item], deep_chain_count: 0 }, folder)
}

fn open_folder(at: impl std::os::fd::AsFd, path: impl rustix::path::Arg) -> io::Result<OwnedFd> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    Ok(openat(at, path, flags, Mode::empty())?)
}

/// Why an item cannot be here, although the file system is well.
const NO_SUCH_ITEM: [Errno; 4] = [Errno::EXIST, Errno::PERM, Errno::ACCESS, Errno::OPNOTSUPP];

/// Why an attribute cannot be here; a file system has little room for them.
const NO_SUCH_META: [Errno; 5] =
    [Errno::PERM, Errno::ACCESS, Errno::OPNOTSUPP, Errno::NOSPC, Errno::TOOBIG];

fn is_one_of(error: &io::Error, list: &[Errno]) -> bool {
    list.iter().any(|errno| error.raw_os_error() == Some(errno.raw_os_error()))
}

struct Maker<'a> {
    folders: Vec<OwnedFd>,
    /// Everything a hard link can lead to: folder and name.
    linkable: Vec<(usize, &'a [u8])>,
    files: Vec<&'a [Piece]>,
    /// What gets metadata at the end: folder, name, item.
    made: Vec<(usize, &'a ItemSpec)>,
    report: Created,
}

impl<'a> Maker<'a> {
    fn item(&mut self, item: &'a ItemSpec) -> io::Result<()> {
        let parent = item.parent % self.folders.len();
        match self.make(parent, item) {
            Ok(true) => self.report.item_count += 1,
            Ok(false) => self.report.skipped_count += 1,
            Err(error) if is_one_of(&error, &NO_SUCH_ITEM) => self.report.skipped_count += 1,
            Err(error) => return Err(error),
        }
        Ok(())
    }

    /// Whether the item was made; `false` for a link to nothing.
    fn make(&mut self, parent: usize, item: &'a ItemSpec) -> io::Result<bool> {
        let (folder, name) = (&self.folders[parent], item.name.as_ref());
        let node = |kind, device| mknodat(folder, name, kind, Mode::RUSR | Mode::WUSR, device);
        match &item.kind {
            Kind::Folder => {
                mkdirat(folder, name, Mode::RWXU)?;
                let opened = open_folder(folder, name)?;
                self.folders.push(opened);
            }
            Kind::File(content) => {
                let pieces = self.pieces(content);
                let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::CLOEXEC;
                let file = openat(folder, name, flags, Mode::RUSR | Mode::WUSR)?;
                content::write(pieces, &File::from(file))?;
                self.files.push(pieces);
            }
            Kind::Symlink(target) => symlinkat(target.as_ref(), folder, name)?,
            Kind::Fifo => node(FileType::Fifo, 0)?,
            Kind::Socket => node(FileType::Socket, 0)?,
            Kind::CharDevice { major, minor } => {
                node(FileType::CharacterDevice, makedev(*major, *minor))?;
            }
            Kind::BlockDevice { major, minor } => {
                node(FileType::BlockDevice, makedev(*major, *minor))?;
            }
            Kind::HardLink(target) => {
                if self.linkable.is_empty() {
                    return Ok(false);
                }
                let (from, old) = self.linkable[target % self.linkable.len()];
                linkat(&self.folders[from], old, folder, name, AtFlags::empty())?;
                self.linkable.push((parent, name));
                return Ok(true);
            }
        }
        if item.kind != Kind::Folder {
            self.linkable.push((parent, name));
        }
        self.made.push((parent, item));
        Ok(true)
    }

    fn pieces(&self, content: &'a Content) -> &'a [Piece] {
        match content {
            Content::Pieces(pieces) => pieces,
            Content::SameAs(_) if self.files.is_empty() => &[],
            Content::SameAs(earlier) => self.files[earlier % self.files.len()],
        }
    }

    fn deep_chain(&mut self, count: usize) -> io::Result<()> {
        let name = "d".repeat(CHAIN_NAME_BYTES);
        let mut chain = vec![open_folder(&self.folders[0], ".")?];
        for depth in 0..count {
            mkdirat(&chain[depth], name.as_str(), Mode::RWXU)?;
            chain.push(open_folder(&chain[depth], name.as_str())?);
        }
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::CLOEXEC;
        let file = File::from(openat(&chain[count], "bottom", flags, Mode::RUSR | Mode::WUSR)?);
        content::write(&[Piece::Text { seed: 1, length_bytes: 700 }], &file)?;
        let times = times(&Meta::default());
        futimens(&file, &times)?;
        chain[1..].iter().try_for_each(|folder| Ok(futimens(folder, &times)?))
    }

    /// Last of all, because making a name in a folder changes the folder's time.
    fn metadata(&mut self) -> io::Result<()> {
        for (parent, item) in std::mem::take(&mut self.made) {
            let refused = apply(&self.folders[parent], item)?;
            self.report.refused_meta_count += refused;
        }
        Ok(())
    }
}

/// Sets owner, attributes, mode and time in the order in which none undoes another: a new owner
/// clears capabilities and suid, an ACL and the mode share bits.
fn apply(folder: &OwnedFd, item: &ItemSpec) -> io::Result<usize> {
    let (name, meta) = (item.name.as_ref(), &item.meta);
    let mut refused = 0;
    let mut allow = |result: rustix::io::Result<()>| match result.map_err(io::Error::from) {
        Err(error) if is_one_of(&error, &NO_SUCH_META) => {
            refused += 1;
            Ok(())
        }
        other => other,
    };
    if let Some((user, group)) = meta.owner {
        let (user, group) = (rustix::fs::Uid::from_raw(user), rustix::fs::Gid::from_raw(group));
        allow(chownat(folder, name, Some(user), Some(group), AtFlags::SYMLINK_NOFOLLOW))?;
    }
    let mut path = format!("/proc/self/fd/{}/", folder.as_raw_fd()).into_bytes();
    path.extend(name);
    for (key, value) in &meta.xattrs {
        allow(lsetxattr(path.as_slice(), key.as_ref(), value, XattrFlags::empty()))?;
    }
    if !matches!(item.kind, Kind::Symlink(_)) {
        allow(chmodat(folder, name, Mode::from_raw_mode(meta.mode), AtFlags::empty()))?;
    }
    utimensat(folder, name, &times(meta), AtFlags::SYMLINK_NOFOLLOW)?;
    Ok(refused)
}

/// The times of `meta` as the system call takes them; the access time gets the same value.
#[must_use]
pub fn times(meta: &Meta) -> Timestamps {
    let time = Timespec { tv_sec: meta.mtime_seconds, tv_nsec: i64::from(meta.mtime_nanos) };
    Timestamps { last_access: time, last_modification: time }
}
