//! What to do about a file of this machine, by what the system says of it.

use std::error::Error;
use std::io::{self, ErrorKind};

use rustix::io::Errno;

/// What to do next, if what the system says has a usual way out.
#[must_use]
pub fn way_out(error: &io::Error) -> Option<&'static str> {
    if error.raw_os_error() == Some(Errno::PERM.raw_os_error()) {
        return Some(
            "if it is immutable or append-only (`lsattr -d` shows that), `chattr -i -a` lets it be \
             changed",
        );
    }
    if let Some(hint) = of_limits(error) {
        return Some(hint);
    }
    match error.kind() {
        ErrorKind::NotFound => Some("check the path; a relative one begins at the current folder"),
        ErrorKind::PermissionDenied => Some(
            "look at its permissions and at those of the folders above: `namei -l` shows them all",
        ),
        ErrorKind::IsADirectory => Some("name a file: this is a folder"),
        ErrorKind::NotADirectory => Some("check the path: a file stands where it needs a folder"),
        ErrorKind::ReadOnlyFilesystem => Some(
            "the file system is mounted read-only: mount it for writing, or choose another place",
        ),
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded => Some(
            "make room there, or choose another place: `df -h` and `df -i` show whether bytes or \
                 inodes are used up",
        ),
        ErrorKind::InvalidData => Some("check the file: it is not text in UTF-8"),
        _ => None,
    }
}

/// The same for what a limit of the process or of the system does not let through.
pub(super) fn of_limits(error: &io::Error) -> Option<&'static str> {
    match Errno::from_io_error(error)? {
        Errno::MFILE => Some(
            "let it open more files: `ulimit -n` shows how many it may, LimitNOFILE= sets it in a unit \
             of systemd",
        ),
        Errno::NFILE => Some("all programs together have opened too many files: see fs.file-max"),
        Errno::NAMETOOLONG => Some("a name has at most 255 bytes, a path at most 4,095"),
        Errno::FBIG => Some(
            "`ulimit -f` shows how large files may become; file systems have a limit of their own",
        ),
        _ => None,
    }
}

/// The same for an error that may be one of the system.
pub(super) fn of(error: &(dyn Error + 'static)) -> Option<&'static str> {
    error.downcast_ref::<io::Error>().and_then(way_out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn permission_that_root_lacks_too_is_another_thing_than_permission() {
        let hint = |errno: Errno| way_out(&errno.into()).unwrap_or_default();
        assert!(hint(Errno::PERM).contains("chattr"));
        assert!(hint(Errno::ACCESS).contains("permissions"));
        assert!(hint(Errno::ROFS).contains("read-only"));
        assert!(hint(Errno::NOSPC).contains("room"));
        assert!(hint(Errno::MFILE).contains("ulimit -n"));
        assert!(hint(Errno::FBIG).contains("ulimit -f"));
        assert_eq!(hint(Errno::IO), "");
    }
}
