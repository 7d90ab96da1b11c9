//! A folder that is gone afterwards, even after a crash.
//!
//! The folder holds a file with a lock of the kernel, which goes with its process. Before a new
//! one is made, folders beside it whose lock can be had are removed: their process is dead. Only
//! folders with the right name and a lock file are ever touched, and only if they belong to this user:
//! in a folder like `/tmp` everybody can put one, with a link or a pipe in the place of the lock.

use std::fs::{DirBuilder, File, OpenOptions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use rustix::fs::OFlags;
use rustix::process::geteuid;

use crate::base::id::encode_hex;
use crate::crypt::random;

/// The lock; the name says whose it is to people who find one.
const LOCK: &str = ".mainstay.lock";

/// The folder; removed when dropped.
#[derive(Debug)]
pub struct FleetingFolder {
    path: PathBuf,
    /// Held until the folder is gone.
    _lock: File,
}

impl FleetingFolder {
    /// Makes a folder in `parent` whose name begins with `prefix`, only for this user, and removes
    /// those of processes that died. `parent` is made if need be.
    ///
    /// # Errors
    /// If `parent` cannot be used.
    pub fn create(parent: &Path, prefix: &str) -> io::Result<Self> {
        DirBuilder::new().recursive(true).mode(0o700).create(parent)?;
        // Links on the way are resolved once and for all.
        let parent = parent.canonicalize()?;
        clear_leftovers(&parent, prefix)?;
        let path = parent.join(format!("{prefix}{}", encode_hex(&random::array::<8>())));
        DirBuilder::new().mode(0o700).create(&path)?;
        let mut options = OpenOptions::new();
        let lock = options.write(true).create_new(true).mode(0o600).open(path.join(LOCK))?;
        lock.lock()?;
        Ok(Self { path, _lock: lock })
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for FleetingFolder {
    fn drop(&mut self) {
        // What cannot be removed now is removed by the next one.
        drop(remove(&self.path));
    }
}

/// Removes folders in `parent` that no living process holds; answers how many.
///
/// # Errors
/// If `parent` cannot be listed.
pub fn clear_leftovers(parent: &Path, prefix: &str) -> io::Result<u64> {
    let mut count = 0;
    for entry in std::fs::read_dir(parent)? {
        let Ok(entry) = entry else { continue };
        // Of the entry itself: a link is none of ours.
        let is_mine =
            entry.metadata().is_ok_and(|it| it.is_dir() && it.uid() == geteuid().as_raw());
        if !is_mine || !entry.file_name().to_string_lossy().starts_with(prefix) {
            continue;
        }
        let Some(lock) = open_lock(&entry.path().join(LOCK)) else { continue };
        if lock.try_lock().is_ok() && remove(&entry.path()).is_ok() {
            count += 1;
        }
    }
    Ok(count)
}

/// The lock file, if it is one: a regular file of this user, not a link to one, and no pipe, which
/// would keep us waiting for whoever reads it.
fn open_lock(path: &Path) -> Option<File> {
    let flags = (OFlags::NOFOLLOW | OFlags::NONBLOCK).bits();
    let lock = OpenOptions::new().write(true).custom_flags(flags as i32).open(path).ok()?;
    let found = lock.metadata().ok()?;
    (found.is_file() && found.uid() == geteuid().as_raw()).then_some(lock)
}

/// Removes a folder with everything in it, folders without permissions too; one that is not there is
/// removed already.
///
/// # Errors
/// If something in it cannot be removed.
pub fn remove(path: &Path) -> io::Result<()> {
    match std::fs::remove_dir_all(path) {
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
            open_up(path);
            std::fs::remove_dir_all(path)
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        removed => removed,
    }
}

/// Restored folders may forbid their owner to change them.
fn open_up(path: &Path) {
    use std::os::unix::fs::PermissionsExt;
    drop(std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o700)));
    let Ok(entries) = std::fs::read_dir(path) else { return };
    for entry in entries.flatten() {
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            open_up(&entry.path());
        }
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use rustix::fs::{CWD, FileType, Mode, mknodat};

    use super::*;

    const PREFIX: &str = "mainstay-test-";

    fn create(parent: &Path) -> FleetingFolder {
        FleetingFolder::create(parent, PREFIX).unwrap()
    }

    #[test]
    fn what_the_dead_left_is_removed_and_what_lives_or_is_foreign_stays() {
        let parent = tempfile::tempdir().unwrap();
        let dead = parent.path().join(format!("{PREFIX}dead"));
        std::fs::create_dir_all(dead.join("in")).unwrap();
        File::create(dead.join(LOCK)).unwrap();
        let closed = std::fs::Permissions::from_mode(0o000);
        std::fs::set_permissions(dead.join("in"), closed).unwrap();
        let foreign = parent.path().join(format!("{PREFIX}notes"));
        std::fs::create_dir(&foreign).unwrap();
        let living = create(parent.path());
        assert!(!dead.exists() && foreign.exists() && living.path.exists());
        let second = create(parent.path());
        assert!(living.path.exists());
        let path = second.path.clone();
        drop(second);
        assert!(!path.exists() && living.path.exists());
    }

    #[test]
    fn what_somebody_planted_is_left_alone_and_keeps_nobody() {
        let parent = tempfile::tempdir().unwrap();
        let plant = |name: &str| {
            let folder = parent.path().join(format!("{PREFIX}{name}"));
            std::fs::create_dir(&folder).unwrap();
            folder
        };
        let pipe = plant("pipe");
        mknodat(CWD, pipe.join(LOCK), FileType::Fifo, Mode::RUSR | Mode::WUSR, 0).unwrap();
        let link = plant("link");
        let aim = parent.path().join("aim");
        File::create(&aim).unwrap();
        std::os::unix::fs::symlink(&aim, link.join(LOCK)).unwrap();
        let folder = plant("folder");
        std::fs::create_dir(folder.join(LOCK)).unwrap();
        let elsewhere = tempfile::tempdir().unwrap();
        File::create(elsewhere.path().join(LOCK)).unwrap();
        let alias = parent.path().join(format!("{PREFIX}alias"));
        std::os::unix::fs::symlink(elsewhere.path(), &alias).unwrap();
        assert_eq!(clear_leftovers(parent.path(), PREFIX).unwrap(), 0);
        for planted in [pipe.as_path(), &link, &folder, &alias, elsewhere.path()] {
            assert!(planted.exists(), "{}", planted.display());
        }
        if geteuid().is_root() {
            let foreign = plant("foreign");
            File::create(foreign.join(LOCK)).unwrap();
            std::os::unix::fs::chown(&foreign, Some(65534), None).unwrap();
            assert_eq!(clear_leftovers(parent.path(), PREFIX).unwrap(), 0);
        }
    }
}
