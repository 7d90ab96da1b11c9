//! A folder for restored files that is gone afterwards, even after a crash.

use std::fs::DirBuilder;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use engine::disk::fleeting::{FleetingFolder, remove};

use crate::drill::options::DrillError;

const PREFIX: &str = "mainstay-drill-";

/// The folder; removed when dropped.
#[derive(Debug)]
pub struct Scratch {
    folder: FleetingFolder,
}

impl Scratch {
    /// Makes a folder in `parent`, only for this user, and removes those of drills that died.
    ///
    /// # Errors
    /// If `parent` cannot be used.
    pub fn create(parent: &Path) -> Result<Self, DrillError> {
        let made = FleetingFolder::create(parent, PREFIX);
        made.map(|folder| Self { folder }).map_err(DrillError::file("making a folder in", parent))
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    /// A folder in it that does not exist yet; what was there before is removed.
    ///
    /// # Errors
    /// If it cannot be emptied.
    pub fn fresh(&self, name: &str) -> Result<PathBuf, DrillError> {
        self.clear(name)?;
        Ok(self.path().join(name))
    }

    /// An empty folder in it.
    ///
    /// # Errors
    /// If it cannot be made.
    pub fn folder(&self, name: &str) -> Result<PathBuf, DrillError> {
        let path = self.fresh(name)?;
        DirBuilder::new().mode(0o700).create(&path).map_err(DrillError::file("creating", &path))?;
        Ok(path)
    }

    /// Removes a folder in it.
    ///
    /// # Errors
    /// If that fails.
    pub fn clear(&self, name: &str) -> Result<(), DrillError> {
        let path = self.path().join(name);
        remove(&path).map_err(DrillError::file("removing", &path))
    }
}
