//! What happens to an index that is damaged, foreign or of another version: it is put aside.
//!
//! A look through the whole file at every open would cost seconds for a large repository, so it
//! happens only on suspicion: whoever meets damage leaves a mark beside the file, and the next
//! open looks at everything. The mark is a file, because the damaged file is no place for it.

use std::fs::{self, File};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use crate::base::limits::INDEX_BAD_FILES_KEPT;
use crate::base::time::Timestamp;
use crate::index::error::IndexError;

/// Files that belong to a database, by what is appended to its name.
const COMPANIONS: [&str; 3] = ["-wal", "-shm", "-journal"];

/// Remembers that `path` gave an answer that only a damaged file gives.
pub(crate) fn suspect(path: &Path) {
    // Without the mark the next open looks less closely; the error itself is reported anyway.
    drop(File::create(with_suffix(path, ".suspect")));
}

/// Whether [`suspect`] was called since the file was last found sound.
pub(crate) fn is_suspect(path: &Path) -> bool {
    with_suffix(path, ".suspect").exists()
}

/// Takes the suspicion back.
///
/// # Errors
/// [`IndexError::File`] if the mark cannot be removed.
pub(crate) fn clear_suspicion(path: &Path) -> Result<(), IndexError> {
    let mark = with_suffix(path, ".suspect");
    match fs::remove_file(&mark) {
        Err(error) if error.kind() != ErrorKind::NotFound => {
            Err(IndexError::file("removing", &mark)(error))
        }
        _ => Ok(()),
    }
}

/// Renames the database with its companions to `<name>.bad-<unix seconds>` and returns the new
/// name. Of files put aside before only the newest few stay: they are there to be looked at once.
///
/// # Errors
/// [`IndexError::File`] if the file cannot be renamed.
pub(crate) fn move_aside(path: &Path, now: Timestamp) -> Result<PathBuf, IndexError> {
    let stamp = with_suffix(path, &format!(".bad-{}", now.seconds));
    let mut target = stamp.clone();
    let mut attempt = 1;
    while target.symlink_metadata().is_ok() {
        target = with_suffix(&stamp, &format!(".{attempt}"));
        attempt += 1;
    }
    fs::rename(path, &target).map_err(IndexError::file("moving aside", path))?;
    // The log after its database: should the machine stop in between, SQLite removes a log that
    // it finds beside no database, but would believe a database whose log is gone.
    for companion in COMPANIONS {
        let (from, to) = (with_suffix(path, companion), with_suffix(&target, companion));
        match fs::rename(&from, &to) {
            Err(error) if error.kind() != ErrorKind::NotFound => {
                return Err(IndexError::file("moving aside", &from)(error));
            }
            _ => {}
        }
    }
    clear_suspicion(path)?;
    forget_oldest(path);
    Ok(target)
}

/// Removes all but the newest files put aside; what cannot be removed stays.
fn forget_oldest(path: &Path) {
    let (Some(folder), Some(name)) = (path.parent(), path.file_name()) else { return };
    let prefix = format!("{}.bad-", name.to_string_lossy());
    let Ok(listing) = fs::read_dir(folder) else { return };
    let mut bad: Vec<_> = listing
        .flatten()
        .filter(|entry| {
            let name = entry.file_name();
            let name = name.to_string_lossy();
            name.starts_with(&prefix) && !COMPANIONS.iter().any(|end| name.ends_with(end))
        })
        .filter_map(|entry| Some((entry.metadata().ok()?.modified().ok()?, entry.path())))
        .collect();
    bad.sort();
    let surplus = bad.len().saturating_sub(INDEX_BAD_FILES_KEPT);
    for (_, old) in &bad[..surplus] {
        drop(fs::remove_file(old));
        for companion in COMPANIONS {
            drop(fs::remove_file(with_suffix(old, companion)));
        }
    }
}

/// `path` with `suffix` appended to its last component.
pub(crate) fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    PathBuf::from(name)
}
