//! Whether a file may be believed: whose it is, and who else can read or change it.
//!
//! As ssh does: a file that somebody else owns, or that others may write, says what somebody else
//! wants. Root is nobody else: whoever is root has this process anyway.

use std::fs::Metadata;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use rustix::process::geteuid;

use crate::base::path::escape;

/// What a file is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// Nobody else may read it.
    Secret,
    /// Nobody else may change it.
    Instruction,
}

/// Why a file is not believed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Distrust {
    /// It is somebody else's.
    #[error("{path} belongs to another user (uid {owner})")]
    Owner {
        /// The file, escaped.
        path: String,
        /// Its owner.
        owner: u32,
    },
    /// It is a link that somebody else made.
    #[error("{path} is a link of another user (uid {owner})")]
    Link {
        /// The link, escaped.
        path: String,
        /// Its owner.
        owner: u32,
    },
    /// Others can read it.
    #[error("others on this machine can read or change {path} (mode {mode:o})")]
    Readable {
        /// The file, escaped.
        path: String,
        /// Its permissions.
        mode: u32,
    },
    /// Others can change it.
    #[error("others on this machine can change {path} (mode {mode:o})")]
    Writable {
        /// The file, escaped.
        path: String,
        /// Its permissions.
        mode: u32,
    },
}

impl Distrust {
    /// What to do about it.
    #[must_use]
    pub fn remedy(&self) -> String {
        match self {
            Self::Owner { path, .. } => {
                format!("chown it to this user if you trust what is in it: {path}")
            }
            Self::Link { path, .. } => format!("name the file itself instead of the link {path}"),
            Self::Readable { path, .. } => format!("chmod go= {path}"),
            Self::Writable { path, .. } => format!("chmod go-w {path}"),
        }
    }
}

/// Looks at a file that was opened by `path`, which `found` describes. Pipes and other things that are
/// not files are left alone: a shell's `<(…)` is one.
///
/// # Errors
/// [`Distrust`] if it is not to be believed.
pub fn judge(path: &Path, found: &Metadata, purpose: Purpose) -> Result<(), Distrust> {
    if !found.is_file() && !found.is_dir() {
        return Ok(());
    }
    let me = geteuid().as_raw();
    let is_else = |owner: u32| owner != me && owner != 0;
    let shown = escape(path.as_os_str().as_bytes());
    if is_else(found.uid()) {
        return Err(Distrust::Owner { path: shown, owner: found.uid() });
    }
    if let Ok(link) = std::fs::symlink_metadata(path)
        && link.is_symlink()
        && is_else(link.uid())
    {
        return Err(Distrust::Link { path: shown, owner: link.uid() });
    }
    let mode = found.mode() & 0o7777;
    // What root gives to a group, it gives on purpose: without that nobody else could read it.
    let closed = if found.uid() == me { 0o077 } else { 0o027 };
    match purpose {
        Purpose::Secret if mode & closed != 0 => Err(Distrust::Readable { path: shown, mode }),
        Purpose::Instruction if mode & 0o022 != 0 => Err(Distrust::Writable { path: shown, mode }),
        Purpose::Secret | Purpose::Instruction => Ok(()),
    }
}

/// Looks at what lies at `path`, links followed; what is not there is nobody's.
///
/// # Errors
/// [`Distrust`] as an error of the system if it is not to be believed, or whatever the system says.
pub fn look(path: &Path, purpose: Purpose) -> io::Result<()> {
    match std::fs::metadata(path) {
        Ok(found) => judge(path, &found, purpose)
            .map_err(|distrust| io::Error::new(io::ErrorKind::PermissionDenied, distrust)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use std::fs::{File, Permissions, set_permissions};
    use std::os::unix::fs::{PermissionsExt, chown, lchown, symlink};

    use super::*;

    #[test]
    fn owner_mode_and_link_decide() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        File::create(&path).unwrap();
        let judged = |path: &Path, purpose| judge(path, &path.metadata().unwrap(), purpose);
        for (mode, secret, instruction) in [
            (0o600, true, true),
            (0o400, true, true),
            (0o700, true, true),
            (0o640, false, true),
            (0o644, false, true),
            (0o660, false, false),
            (0o602, false, false),
            (0o620, false, false),
        ] {
            set_permissions(&path, Permissions::from_mode(mode)).unwrap();
            assert_eq!(judged(&path, Purpose::Secret).is_ok(), secret, "{mode:o}");
            assert_eq!(judged(&path, Purpose::Instruction).is_ok(), instruction, "{mode:o}");
        }
        set_permissions(&path, Permissions::from_mode(0o600)).unwrap();
        let link = folder.path().join("link");
        symlink(&path, &link).unwrap();
        assert_eq!(judged(&link, Purpose::Secret), Ok(()));
        assert!(look(&folder.path().join("none"), Purpose::Secret).is_ok());
        if geteuid().is_root() {
            lchown(&link, Some(65534), None).unwrap();
            assert!(matches!(judged(&link, Purpose::Secret), Err(Distrust::Link { .. })));
            chown(&path, Some(65534), None).unwrap();
            for purpose in [Purpose::Secret, Purpose::Instruction] {
                assert!(matches!(
                    judged(&path, purpose),
                    Err(Distrust::Owner { owner: 65534, .. })
                ));
            }
        }
    }
}
