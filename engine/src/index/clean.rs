//! Folders of the local state that nobody used for a long time, and their caches.
//!
//! What can be read again from the store goes: the database, damaged ones that were moved aside,
//! hints and the copy of the configuration. What was proved, who this machine is and which epoch of keys
//! it has seen stays, because nothing gives that back.

use std::path::{Path, PathBuf};
use std::time::SystemTime;

use crate::base::time::Timestamp;
use crate::index::error::IndexError;
use crate::index::lock::StateLock;

/// Digits of the name of such a folder: a repository's id.
const NAME_DIGITS: usize = 32;
/// How the names of the database and of all that belongs to it begin.
const DATABASE: &str = "index.sqlite";
/// Other caches in the folder.
const CACHES: [&str; 2] = ["hints", "config"];

/// What this machine keeps of one repository, as far as it is a cache.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CacheFolder {
    /// Where it is; its name is the repository's id.
    pub folder: PathBuf,
    /// Bytes of the files that are a cache.
    pub bytes: u64,
    /// When one of them was last written.
    pub used: Timestamp,
}

/// All of them below `states`; none if that is not there.
///
/// # Errors
/// [`IndexError::File`] if the folder cannot be listed.
pub fn caches(states: &Path) -> Result<Vec<CacheFolder>, IndexError> {
    let failed = |source| IndexError::file("listing", states)(source);
    let entries = match std::fs::read_dir(states) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(failed(error)),
    };
    let mut found = Vec::new();
    for entry in entries {
        let entry = entry.map_err(failed)?;
        let name = entry.file_name();
        let is_id = name.len() == NAME_DIGITS
            && name.as_encoded_bytes().iter().all(|digit| digit.is_ascii_hexdigit());
        if !is_id || !entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            continue;
        }
        let files = files(&entry.path())?;
        if files.is_empty() {
            continue;
        }
        let (mut bytes, mut used) = (0, SystemTime::UNIX_EPOCH);
        for file in &files {
            // What is gone meanwhile takes no space.
            let Ok(facts) = file.symlink_metadata() else { continue };
            bytes += facts.len();
            used = used.max(facts.modified().unwrap_or(SystemTime::UNIX_EPOCH));
        }
        let since = used.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        let used = Timestamp { seconds: since.as_secs() as i64, nanos: since.subsec_nanos() };
        found.push(CacheFolder { folder: entry.path(), bytes, used });
    }
    found.sort_by(|a, b| a.folder.cmp(&b.folder));
    Ok(found)
}

/// Removes the files of a cache, unless a run uses it.
///
/// # Errors
/// [`IndexError::Busy`], [`IndexError::File`].
pub fn remove(cache: &CacheFolder) -> Result<(), IndexError> {
    let _lock = StateLock::acquire(&cache.folder)?;
    for file in files(&cache.folder)? {
        std::fs::remove_file(&file).map_err(IndexError::file("removing", &file))?;
    }
    Ok(())
}

/// Files of a folder that are a cache.
fn files(folder: &Path) -> Result<Vec<PathBuf>, IndexError> {
    let mut found = Vec::new();
    let failed = |source| IndexError::file("listing", folder)(source);
    for entry in std::fs::read_dir(folder).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        let name = entry.file_name();
        let name = name.to_string_lossy();
        let is_folder = entry.file_type().is_ok_and(|kind| kind.is_dir());
        if name.starts_with(DATABASE) && !is_folder {
            found.push(entry.path());
        } else if CACHES.contains(&name.as_ref()) {
            match is_folder {
                true => found.extend(plain_files(&entry.path())?),
                false => found.push(entry.path()),
            }
        }
    }
    Ok(found)
}

fn plain_files(folder: &Path) -> Result<Vec<PathBuf>, IndexError> {
    let failed = |source| IndexError::file("listing", folder)(source);
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        if entry.file_type().is_ok_and(|kind| kind.is_file()) {
            found.push(entry.path());
        }
    }
    Ok(found)
}
