//! A folder for restored files that is gone afterwards, even after a crash.
//!
//! The folder holds a file with a lock of the kernel, which goes with its process. Before a new
//! one is made, folders beside it whose lock can be had are removed: their drill is dead. Only
//! folders with the name and the lock file of a drill are ever touched.

use std::fs::{DirBuilder, File, OpenOptions};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use engine::base::id::encode_hex;
use engine::crypt::random;

use crate::drill::options::DrillError;

const PREFIX: &str = "mainstay-drill-";
const LOCK: &str = ".mainstay-drill.lock";

/// The folder; removed when dropped.
#[derive(Debug)]
pub struct Scratch {
    path: PathBuf,
    /// Held until the folder is gone.
    _lock: File,
}

impl Scratch {
    /// Makes a folder in `parent`, only for this user, and removes those of drills that died.
    ///
    /// # Errors
    /// If `parent` cannot be used.
    pub fn create(parent: &Path) -> Result<Self, DrillError> {
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(parent)
            .map_err(DrillError::file("creating", parent))?;
        clear_leftovers(parent)?;
        let path = parent.join(format!("{PREFIX}{}", encode_hex(&random::array::<8>())));
        DirBuilder::new().mode(0o700).create(&path).map_err(DrillError::file("creating", &path))?;
        let lock = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(path.join(LOCK))
            .map_err(DrillError::file("creating", &path))?;
        lock.lock().map_err(DrillError::file("locking", &path))?;
        Ok(Self { path, _lock: lock })
    }

    /// A folder in it that does not exist yet; what was there before is removed.
    ///
    /// # Errors
    /// If it cannot be emptied.
    pub fn fresh(&self, name: &str) -> Result<PathBuf, DrillError> {
        let path = self.path.join(name);
        remove(&path)?;
        Ok(path)
    }

    /// Removes a folder in it.
    ///
    /// # Errors
    /// If that fails.
    pub fn clear(&self, name: &str) -> Result<(), DrillError> {
        remove(&self.path.join(name))
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // What cannot be removed now is removed by the next drill.
        drop(remove(&self.path));
    }
}

/// Removes scratch folders in `parent` that no living drill holds; answers how many.
///
/// # Errors
/// If `parent` cannot be listed.
pub fn clear_leftovers(parent: &Path) -> Result<u64, DrillError> {
    let mut count = 0;
    for entry in std::fs::read_dir(parent).map_err(DrillError::file("listing", parent))? {
        let Ok(entry) = entry else { continue };
        let is_ours = entry.file_name().to_string_lossy().starts_with(PREFIX)
            && entry.file_type().is_ok_and(|kind| kind.is_dir());
        if !is_ours {
            continue;
        }
        let Ok(lock) = OpenOptions::new().write(true).open(entry.path().join(LOCK)) else {
            continue;
        };
        if lock.try_lock().is_ok() && remove(&entry.path()).is_ok() {
            count += 1;
        }
    }
    Ok(count)
}

/// Removes a folder with everything in it, folders without permissions too.
fn remove(path: &Path) -> Result<(), DrillError> {
    match std::fs::remove_dir_all(path) {
        Err(error) if error.kind() == std::io::ErrorKind::PermissionDenied => {
            open_up(path);
            std::fs::remove_dir_all(path).map_err(DrillError::file("removing", path))
        }
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(DrillError::file("removing", path)(error))
        }
        _ => Ok(()),
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
    use super::*;

    #[test]
    fn what_a_dead_drill_left_is_removed_and_what_lives_or_is_foreign_stays() {
        let parent = tempfile::tempdir().expect("a folder");
        let dead = parent.path().join(format!("{PREFIX}dead"));
        std::fs::create_dir_all(dead.join("in")).expect("a folder");
        File::create(dead.join(LOCK)).expect("a file");
        use std::os::unix::fs::PermissionsExt;
        let closed = std::fs::Permissions::from_mode(0o000);
        std::fs::set_permissions(dead.join("in"), closed).expect("it is ours");
        let foreign = parent.path().join(format!("{PREFIX}notes"));
        std::fs::create_dir(&foreign).expect("a folder");
        let living = Scratch::create(parent.path()).expect("it is made");
        assert!(!dead.exists() && foreign.exists() && living.path.exists());
        let second = Scratch::create(parent.path()).expect("it is made");
        assert!(living.path.exists());
        let path = second.path.clone();
        drop(second);
        assert!(!path.exists() && living.path.exists());
    }
}
