//! Removing what lies in a restore's target, never through a link and never across a mount.

use std::io;

use rustix::fs::{AtFlags, StatxAttributes};
use rustix::io::Errno;

use crate::base::path::TreePath;
use crate::disk::error::DiskError;
use crate::disk::meta;
use crate::disk::stage::parent_end;
use crate::disk::write::Target;

impl Target {
    /// Removes what lies at `path`, a directory with all it holds; links in it are removed, not
    /// followed. Nothing there is fine. The target itself is emptied, not removed.
    ///
    /// # Errors
    /// [`DiskError::Io`] at the first thing that cannot be removed, a mounted file system among them;
    /// [`DiskError::Obstructed`].
    pub fn remove(&self, path: &TreePath) -> Result<(), DiskError> {
        self.remove_key(&self.actual_key(path.key()), path)
    }

    /// Removes one name that is no directory, or a directory that is empty. Nothing there is fine.
    ///
    /// # Errors
    /// As [`Target::remove`].
    pub fn remove_one(&self, path: &TreePath) -> Result<(), DiskError> {
        let key = self.actual_key(path.key());
        if !self.unlink(&key, path, AtFlags::empty())? {
            self.beneath.forget(&key);
            self.unlink(&key, path, AtFlags::REMOVEDIR)?;
        }
        Ok(())
    }

    /// The same as [`Target::remove`] for what lies at a key of the target now.
    pub(crate) fn remove_key(&self, key: &[u8], path: &TreePath) -> Result<(), DiskError> {
        // A list instead of recursion: a tree can be deeper than a stack. A directory stays in
        // the list below what it holds, marked as listed.
        let mut left = vec![(key.to_vec(), false)];
        while let Some((key, is_listed)) = left.pop() {
            if is_listed {
                self.beneath.forget(&key);
                if !key.is_empty() {
                    self.unlink(&key, path, AtFlags::REMOVEDIR)?;
                }
            } else if key.is_empty() || !self.unlink(&key, path, AtFlags::empty())? {
                self.require_same_mount(&key, path)?;
                let names = self.list_key(&key, path)?;
                left.push((key.clone(), true));
                for name in names {
                    let joint: &[u8] = if key.is_empty() { b"" } else { &[0] };
                    left.push(([key.as_slice(), joint, &name].concat(), false));
                }
            }
        }
        Ok(())
    }

    /// Unlinks one name; `false` if it is a directory and `flags` do not say so.
    fn unlink(&self, key: &[u8], path: &TreePath, flags: AtFlags) -> Result<bool, DiskError> {
        let action = "removing";
        let end = parent_end(key);
        let directory = match self.directory_of(&key[..end], path, action) {
            Ok(directory) => directory,
            Err(error) if error.is_missing() => return Ok(true),
            Err(error) => return Err(error),
        };
        match rustix::fs::unlinkat(&directory, name_of(key), flags) {
            Ok(()) | Err(Errno::NOENT) => Ok(true),
            Err(Errno::ISDIR) if flags.is_empty() => Ok(false),
            Err(error) => Err(DiskError::io(action, path, error)),
        }
    }

    /// Whether a directory lies in the file system of the one that holds it, as one must that goes.
    fn require_same_mount(&self, key: &[u8], path: &TreePath) -> Result<(), DiskError> {
        if key.is_empty() {
            return Ok(());
        }
        let action = "removing";
        let failed = |error: Errno| DiskError::io(action, path, error);
        let directory = self.directory_of(&key[..parent_end(key)], path, action)?;
        let stat = match meta::stat_at(&directory, name_of(key)) {
            Ok(stat) => stat,
            Err(Errno::NOENT) => return Ok(()),
            Err(error) => return Err(failed(error)),
        };
        let above = meta::stat_open(&directory).map_err(failed)?;
        let is_elsewhere = meta::identity(&stat).0 != meta::identity(&above).0;
        if is_elsewhere || stat.stx_attributes.contains(StatxAttributes::MOUNT_ROOT) {
            let why = io::Error::other("a file system is mounted there");
            return Err(DiskError::io(action, path, why));
        }
        Ok(())
    }
}

fn name_of(key: &[u8]) -> &[u8] {
    let end = parent_end(key);
    key[end..].strip_prefix(&[0]).unwrap_or(&key[end..])
}
