//! Extended attributes: read all, set some; ACLs and capabilities are among them, as raw bytes.
//!
//! There are no calls relative to a directory before Linux 6.13, so what cannot be opened (links,
//! pipes, devices) is reached through `/proc/self/fd`, where the number stands for the open
//! directory itself and nothing above it is resolved again.

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd};

use rustix::fs::XattrFlags;
use rustix::io::Errno;

use crate::base::limits::{XATTR_MAX_BYTES, XATTRS_MAX_BYTES};
use crate::base::path::escape;
use crate::format::entry::Xattr;

/// What a file system needs for an attribute besides its name and its value, about.
const ENTRY_BYTES: usize = 16;
/// A file system with so much free space is not full.
const ROOM_BYTES: u64 = 1 << 20;

/// The way to the attributes of one file.
pub(crate) enum Reach<'a> {
    /// Through the file opened for reading or writing.
    Open(BorrowedFd<'a>),
    /// Through a path whose last component is not followed: `/proc/self/fd/DIRECTORY/NAME`.
    Name(Vec<u8>),
    /// Through the path of a descriptor that only points (`O_PATH`): `/proc/self/fd/NUMBER`.
    Pointer(Vec<u8>),
}

impl Reach<'_> {
    /// `name` in an open directory.
    pub(crate) fn name(directory: BorrowedFd<'_>, name: &[u8]) -> Self {
        let mut path = proc_path(directory);
        path.push(b'/');
        path.extend_from_slice(name);
        Self::Name(path)
    }

    /// The file that an `O_PATH` descriptor points to, be it a symbolic link.
    pub(crate) fn pointer(pointer: BorrowedFd<'_>) -> Self {
        Self::Pointer(proc_path(pointer))
    }

    fn list(&self, buffer: &mut [u8]) -> rustix::io::Result<usize> {
        match self {
            Self::Open(file) => rustix::fs::flistxattr(file, buffer),
            Self::Name(path) => rustix::fs::llistxattr(path.as_slice(), buffer),
            Self::Pointer(path) => rustix::fs::listxattr(path.as_slice(), buffer),
        }
    }

    fn get(&self, name: &[u8], buffer: &mut [u8]) -> rustix::io::Result<usize> {
        match self {
            Self::Open(file) => rustix::fs::fgetxattr(file, name, buffer),
            Self::Name(path) => rustix::fs::lgetxattr(path.as_slice(), name, buffer),
            Self::Pointer(path) => rustix::fs::getxattr(path.as_slice(), name, buffer),
        }
    }

    /// Sets one attribute.
    pub(crate) fn set(&self, name: &[u8], value: &[u8]) -> rustix::io::Result<()> {
        let flags = XattrFlags::empty();
        match self {
            Self::Open(file) => rustix::fs::fsetxattr(file, name, value, flags),
            Self::Name(path) => rustix::fs::lsetxattr(path.as_slice(), name, value, flags),
            Self::Pointer(path) => rustix::fs::setxattr(path.as_slice(), name, value, flags),
        }
    }

    /// Whether the file system has room, and so many bytes of attributes are more than it keeps with one
    /// file: those of the ext family have a block for them.
    fn is_too_small_for(&self, total_bytes: u64) -> bool {
        let space = match self {
            Self::Open(file) => rustix::fs::fstatvfs(file),
            Self::Name(path) | Self::Pointer(path) => rustix::fs::statvfs(path.as_slice()),
        };
        space.is_ok_and(|space| {
            let has_room = space.f_bavail.saturating_mul(space.f_frsize) > ROOM_BYTES;
            has_room && total_bytes.saturating_mul(2) > space.f_frsize
        })
    }

    /// Takes one attribute away.
    pub(crate) fn remove(&self, name: &[u8]) -> rustix::io::Result<()> {
        match self {
            Self::Open(file) => rustix::fs::fremovexattr(file, name),
            Self::Name(path) => rustix::fs::lremovexattr(path.as_slice(), name),
            Self::Pointer(path) => rustix::fs::removexattr(path.as_slice(), name),
        }
    }
}

/// The path under which this process finds one of its own descriptors.
pub(crate) fn proc_path(fd: BorrowedFd<'_>) -> Vec<u8> {
    format!("/proc/self/fd/{}", fd.as_raw_fd()).into_bytes()
}

/// All readable attributes, sorted by name, and in words what could not be read.
pub(crate) fn read_all(reach: &Reach<'_>) -> (Vec<Xattr>, Vec<String>) {
    let mut xattrs = Vec::new();
    let mut failures = Vec::new();
    let names = match with_room(|buffer| reach.list(buffer)) {
        Ok(names) => names,
        Err(error) if has_none(error) => return (xattrs, failures),
        Err(error) => return (xattrs, vec![io::Error::from(error).to_string()]),
    };
    let mut total_bytes = 0;
    for name in names.split(|byte| *byte == 0).filter(|name| !name.is_empty()) {
        let value = match with_room(|buffer| reach.get(name, buffer)) {
            Ok(value) => value,
            // Removed since it was listed, or listed by a file system that does not keep it.
            Err(error) if error == Errno::NODATA || has_none(error) => continue,
            Err(error) => {
                failures.push(format!("{}: {}", escape(name), io::Error::from(error)));
                continue;
            }
        };
        total_bytes += name.len() + value.len();
        if total_bytes > XATTRS_MAX_BYTES {
            failures.push(format!("more than {XATTRS_MAX_BYTES} bytes of attributes"));
            break;
        }
        xattrs.push(Xattr { name: name.to_vec(), value });
    }
    xattrs.sort();
    (xattrs, failures)
}

/// What came of setting attributes.
#[derive(Debug, Default)]
pub(crate) struct Written {
    /// In words what could not be done.
    pub(crate) failures: Vec<String>,
    /// Whether anything was changed.
    pub(crate) is_changed: bool,
    /// What another try may do.
    pub(crate) hope: Hope,
}

/// Whether what could not be done may be done another time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub(crate) enum Hope {
    /// Not as things are: the file system cannot, or this user may not.
    #[default]
    None,
    /// Perhaps: it was refused, and should not have been.
    Another,
    /// When there is room, or the disk is well: what was made is not worth keeping.
    Room,
}

impl Hope {
    pub(crate) fn after(error: Errno) -> Self {
        match error {
            Errno::NOSPC | Errno::DQUOT | Errno::IO => Self::Room,
            Errno::PERM | Errno::ACCESS if is_root() => Self::Another,
            _ => Self::None,
        }
    }
}

fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

/// Makes the attributes equal to `wanted`.
///
/// Attributes that belong to the machine rather than to the file (security labels, what file
/// systems derive) are set where wanted, but never taken away.
pub(crate) fn write_all(reach: &Reach<'_>, wanted: &[Xattr]) -> Written {
    let (present, failures) = read_all(reach);
    let mut written = Written { failures, ..Written::default() };
    let bytes_of = |xattr: &Xattr| (xattr.name.len() + xattr.value.len() + ENTRY_BYTES) as u64;
    let total_bytes = wanted.iter().map(bytes_of).sum();
    let mut take = |name: &[u8], result: rustix::io::Result<()>| match result {
        Ok(()) => written.is_changed = true,
        Err(Errno::NOSPC | Errno::TOOBIG) if reach.is_too_small_for(total_bytes) => {
            let why = "this file system has no room for it beside a file";
            written.failures.push(format!("{}: {why}; --no-xattrs leaves it out", escape(name)));
        }
        Err(error) => {
            written.hope = written.hope.max(Hope::after(error));
            written.failures.push(format!("{}: {}", escape(name), io::Error::from(error)));
        }
    };
    for old in surplus(&present, wanted) {
        take(&old.name, reach.remove(&old.name));
    }
    for xattr in wanted.iter().filter(|xattr| !present.contains(xattr)) {
        take(&xattr.name, reach.set(&xattr.name, &xattr.value));
    }
    written
}

/// Whether the attributes are equal to `wanted`, as far as setting them would make them so.
pub(crate) fn are_equal(reach: &Reach<'_>, wanted: &[Xattr]) -> bool {
    let (present, failures) = read_all(reach);
    let is_complete = wanted.iter().all(|xattr| present.contains(xattr));
    failures.is_empty() && is_complete && surplus(&present, wanted).next().is_none()
}

/// Attributes of the file that nobody wants.
fn surplus<'x>(present: &'x [Xattr], wanted: &'x [Xattr]) -> impl Iterator<Item = &'x Xattr> {
    let is_wanted = |old: &Xattr| wanted.iter().any(|xattr| xattr.name == old.name);
    present.iter().filter(move |old| !is_wanted(old) && is_of_the_file(&old.name))
}

/// Whether an attribute is data of the file: an ACL inherited from a directory would otherwise
/// grant access that the snapshot did not.
fn is_of_the_file(name: &[u8]) -> bool {
    let kept: [&[u8]; 5] = [
        b"user.",
        b"trusted.",
        b"security.capability",
        b"system.posix_acl_access",
        b"system.posix_acl_default",
    ];
    // The overlay file system keeps its own state in `trusted.overlay.`.
    kept.iter().any(|start| name.starts_with(start)) && !name.starts_with(b"trusted.overlay.")
}

fn has_none(error: Errno) -> bool {
    [Errno::OPNOTSUPP, Errno::NOSYS].contains(&error)
}

/// Calls with a small buffer first, which nearly always suffices, then with the largest.
fn with_room(call: impl Fn(&mut [u8]) -> rustix::io::Result<usize>) -> rustix::io::Result<Vec<u8>> {
    let mut small = [0; 512];
    match call(&mut small) {
        Ok(length) => return Ok(small[..length].to_vec()),
        Err(Errno::RANGE) => {}
        Err(error) => return Err(error),
    }
    let mut large = vec![0; XATTR_MAX_BYTES];
    let length = call(&mut large)?;
    large.truncate(length);
    Ok(large)
}
