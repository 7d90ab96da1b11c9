//! Which system calls change a file system, and what they change.
//!
//! Only names count: a descriptor is followed to the path that it was opened under, a relative path
//! to the folder that it begins at. Links on the way are not followed; whoever asks only wants to
//! know whether a change is below some folder.

use std::fs::File;
use std::os::unix::ffi::OsStringExt;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use nix::libc;
use nix::unistd::Pid;

/// A system call about to be made: its number and arguments.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Raw {
    pub(crate) number: i64,
    pub(crate) arguments: [u64; 6],
}

/// A call that changes something, or asks that changes reach the disk.
#[derive(Debug, Clone)]
pub(crate) struct Call {
    pub(crate) name: &'static str,
    /// What it changes; the new name last.
    pub(crate) paths: Vec<PathBuf>,
    /// Whether a full disk can refuse it.
    pub(crate) takes_space: bool,
    /// Whether it sets metadata and nothing else.
    pub(crate) is_metadata: bool,
}

impl Call {
    /// How it is shown: names below `folder` without it.
    pub(crate) fn show(&self, folder: &Path) -> String {
        let show = |path: &PathBuf| {
            let short = path.strip_prefix(folder).unwrap_or(path);
            if short.as_os_str().is_empty() { ".".to_owned() } else { short.display().to_string() }
        };
        let shown: Vec<String> = self.paths.iter().map(show).collect();
        format!("{}({})", self.name, shown.join(", "))
    }
}

/// Where a call says what it changes: numbers of arguments.
#[derive(Debug, Clone, Copy)]
enum At {
    Fd(usize),
    Path(usize),
    /// Of a folder, and of a name in it.
    Name(usize, usize),
}

/// When a call that has this number changes something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum When {
    Always,
    /// If these flags make a file or empty it: number of the argument.
    Creates(usize),
    /// The flags are the first word of a structure.
    CreatesHow(usize),
    /// If the request is one that changes.
    Ioctl(usize),
}

struct Known {
    number: i64,
    name: &'static str,
    places: &'static [At],
    when: When,
}

const fn known(number: i64, name: &'static str, places: &'static [At]) -> Known {
    Known { number, name, places, when: When::Always }
}

const fn opening(number: i64, name: &'static str, places: &'static [At], when: When) -> Known {
    Known { number, name, places, when }
}

use At::{Fd, Name, Path as Whole};

/// Calls that change what is on a disk.
static CHANGES: [Known; 55] = [
    opening(libc::SYS_openat, "openat", &[Name(0, 1)], When::Creates(2)),
    opening(libc::SYS_open, "open", &[Whole(0)], When::Creates(1)),
    opening(libc::SYS_openat2, "openat2", &[Name(0, 1)], When::CreatesHow(2)),
    opening(libc::SYS_ioctl, "ioctl", &[Fd(0)], When::Ioctl(1)),
    known(libc::SYS_creat, "creat", &[Whole(0)]),
    known(libc::SYS_write, "write", &[Fd(0)]),
    known(libc::SYS_pwrite64, "pwrite64", &[Fd(0)]),
    known(libc::SYS_writev, "writev", &[Fd(0)]),
    known(libc::SYS_pwritev, "pwritev", &[Fd(0)]),
    known(libc::SYS_pwritev2, "pwritev2", &[Fd(0)]),
    known(libc::SYS_copy_file_range, "copy_file_range", &[Fd(2)]),
    known(libc::SYS_sendfile, "sendfile", &[Fd(0)]),
    known(libc::SYS_splice, "splice", &[Fd(2)]),
    known(libc::SYS_ftruncate, "ftruncate", &[Fd(0)]),
    known(libc::SYS_truncate, "truncate", &[Whole(0)]),
    known(libc::SYS_fallocate, "fallocate", &[Fd(0)]),
    known(libc::SYS_rename, "rename", &[Whole(0), Whole(1)]),
    known(libc::SYS_renameat, "renameat", &[Name(0, 1), Name(2, 3)]),
    known(libc::SYS_renameat2, "renameat2", &[Name(0, 1), Name(2, 3)]),
    known(libc::SYS_link, "link", &[Whole(0), Whole(1)]),
    known(libc::SYS_linkat, "linkat", &[Name(0, 1), Name(2, 3)]),
    known(libc::SYS_symlink, "symlink", &[Whole(1)]),
    known(libc::SYS_symlinkat, "symlinkat", &[Name(1, 2)]),
    known(libc::SYS_unlink, "unlink", &[Whole(0)]),
    known(libc::SYS_unlinkat, "unlinkat", &[Name(0, 1)]),
    known(libc::SYS_rmdir, "rmdir", &[Whole(0)]),
    known(libc::SYS_mkdir, "mkdir", &[Whole(0)]),
    known(libc::SYS_mkdirat, "mkdirat", &[Name(0, 1)]),
    known(libc::SYS_mknod, "mknod", &[Whole(0)]),
    known(libc::SYS_mknodat, "mknodat", &[Name(0, 1)]),
    known(libc::SYS_chmod, "chmod", &[Whole(0)]),
    known(libc::SYS_fchmod, "fchmod", &[Fd(0)]),
    known(libc::SYS_fchmodat, "fchmodat", &[Name(0, 1)]),
    known(libc::SYS_fchmodat2, "fchmodat2", &[Name(0, 1)]),
    known(libc::SYS_chown, "chown", &[Whole(0)]),
    known(libc::SYS_lchown, "lchown", &[Whole(0)]),
    known(libc::SYS_fchown, "fchown", &[Fd(0)]),
    known(libc::SYS_fchownat, "fchownat", &[Name(0, 1)]),
    known(libc::SYS_utimensat, "utimensat", &[Name(0, 1)]),
    known(libc::SYS_futimesat, "futimesat", &[Name(0, 1)]),
    known(libc::SYS_utime, "utime", &[Whole(0)]),
    known(libc::SYS_utimes, "utimes", &[Whole(0)]),
    known(libc::SYS_setxattr, "setxattr", &[Whole(0)]),
    known(libc::SYS_lsetxattr, "lsetxattr", &[Whole(0)]),
    known(libc::SYS_fsetxattr, "fsetxattr", &[Fd(0)]),
    known(SYS_SETXATTRAT, "setxattrat", &[Name(0, 1)]),
    known(libc::SYS_removexattr, "removexattr", &[Whole(0)]),
    known(libc::SYS_lremovexattr, "lremovexattr", &[Whole(0)]),
    known(libc::SYS_fremovexattr, "fremovexattr", &[Fd(0)]),
    known(SYS_REMOVEXATTRAT, "removexattrat", &[Name(0, 1)]),
    known(SYS_FILE_SETATTR, "file_setattr", &[Name(0, 1)]),
    known(libc::SYS_fsync, "fsync", &[Fd(0)]),
    known(libc::SYS_fdatasync, "fdatasync", &[Fd(0)]),
    known(libc::SYS_syncfs, "syncfs", &[Fd(0)]),
    known(libc::SYS_sync_file_range, "sync_file_range", &[Fd(0)]),
];

/// Numbers that the library of C does not name yet.
const SYS_SETXATTRAT: i64 = 463;
const SYS_REMOVEXATTRAT: i64 = 466;
const SYS_FILE_SETATTR: i64 = 469;

/// Requests that change a file: flags, project and extent size, whole and ranges of clones.
const IOCTLS: [u64; 5] = [0x4008_6602, 0x401c_5820, 0x4004_9409, 0x4020_940d, 0xc018_9436];

/// Calls that need room on the disk.
const TAKERS: [&str; 19] = [
    "openat",
    "open",
    "openat2",
    "creat",
    "write",
    "pwrite64",
    "writev",
    "pwritev",
    "pwritev2",
    "copy_file_range",
    "fallocate",
    "mkdir",
    "mkdirat",
    "symlinkat",
    "mknodat",
    "linkat",
    "fsetxattr",
    "lsetxattr",
    "setxattr",
];

/// What stands in the names of calls that set metadata.
const DRESSERS: [&str; 6] = ["chmod", "chown", "xattr", "utime", "futimesat", "ioctl"];

/// The change that a call of `thread` is about to make, if it is one.
pub(crate) fn change(thread: Pid, raw: &Raw) -> Option<Call> {
    let known = CHANGES.iter().find(|known| known.number == raw.number)?;
    let creates = |flags: u64| {
        let making =
            (libc::O_CREAT | libc::O_TRUNC | (libc::O_TMPFILE & !libc::O_DIRECTORY)) as u64;
        flags & making != 0
    };
    let changes = match known.when {
        When::Always => true,
        When::Creates(at) => creates(raw.arguments[at]),
        When::CreatesHow(at) => creates(word(thread, raw.arguments[at])?),
        When::Ioctl(at) => IOCTLS.contains(&(raw.arguments[at] & 0xffff_ffff)),
    };
    if !changes {
        return None;
    }
    let paths =
        known.places.iter().map(|place| resolve(thread, raw, *place)).collect::<Option<_>>()?;
    Some(Call {
        name: known.name,
        paths,
        takes_space: TAKERS.contains(&known.name),
        is_metadata: DRESSERS.iter().any(|part| known.name.contains(part)),
    })
}

fn resolve(thread: Pid, raw: &Raw, place: At) -> Option<PathBuf> {
    match place {
        Fd(at) => descriptor(thread, raw.arguments[at] as i32),
        Whole(at) => Some(below(thread, &descriptor(thread, libc::AT_FDCWD)?, raw.arguments[at])),
        Name(folder, name) => Some(below(
            thread,
            &descriptor(thread, raw.arguments[folder] as i32)?,
            raw.arguments[name],
        )),
    }
}

/// What a name means in a folder; no name at all is the folder itself.
fn below(thread: Pid, folder: &Path, pointer: u64) -> PathBuf {
    let bytes = if pointer == 0 { Vec::new() } else { text(thread, pointer) };
    let name = PathBuf::from(std::ffi::OsString::from_vec(bytes));
    let mut parts = name.components();
    // A path through the table of descriptors begins at one of them.
    for prefix in ["/proc/self/fd", "/proc/thread-self/fd"] {
        if let Ok(rest) = name.strip_prefix(prefix) {
            let mut rest = rest.components();
            let number = rest.next().and_then(|part| part.as_os_str().to_str()?.parse().ok());
            if let Some(start) = number.and_then(|number| descriptor(thread, number)) {
                return start.join(rest.as_path());
            }
        }
    }
    if name.as_os_str().is_empty() || name.as_os_str() == "." {
        return folder.to_owned();
    }
    if parts.next().is_some_and(|part| part.as_os_str() == ".") {
        return folder.join(parts.as_path());
    }
    folder.join(name)
}

fn descriptor(thread: Pid, number: i32) -> Option<PathBuf> {
    let link = match number {
        libc::AT_FDCWD => format!("/proc/{thread}/cwd"),
        number => format!("/proc/{thread}/fd/{number}"),
    };
    std::fs::read_link(link).ok()
}

fn word(thread: Pid, pointer: u64) -> Option<u64> {
    let mut bytes = [0; 8];
    memory(thread)?.read_exact_at(&mut bytes, pointer).ok()?;
    Some(u64::from_le_bytes(bytes))
}

/// The bytes up to a zero, read page by page: the next page may not be there.
fn text(thread: Pid, mut pointer: u64) -> Vec<u8> {
    let mut found = Vec::new();
    let Some(memory) = memory(thread) else { return found };
    while found.len() <= libc::PATH_MAX as usize {
        let mut page = vec![0; (4096 - pointer % 4096) as usize];
        let Ok(count) = memory.read_at(&mut page, pointer) else { break };
        let end = page[..count].iter().position(|byte| *byte == 0);
        found.extend(&page[..end.unwrap_or(count)]);
        if end.is_some() || count == 0 {
            break;
        }
        pointer += count as u64;
    }
    found
}

fn memory(thread: Pid) -> Option<File> {
    File::open(format!("/proc/{thread}/mem")).ok()
}
