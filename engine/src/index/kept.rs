//! Small files beside the index.
//!
//! The configuration of the repository never changes, and having it saves each run a request; whoever
//! uses it checks it like one from the store. The identity of the machine and the newest epoch of
//! keys are no cache: nothing gives them back, so they do not lie in the index.

use std::io::{Read, Write};
use std::path::{Path, PathBuf};

use bytes::Bytes;

use crate::base::id::SlotId;
use crate::base::limits::CONTROL_MAX_BYTES;
use crate::index::error::IndexError;

fn place(folder: &Path) -> PathBuf {
    folder.join("config")
}

/// What was kept in `folder`, if anything that could be a configuration.
#[must_use]
pub fn config(folder: &Path) -> Option<Bytes> {
    let place = place(folder);
    let is_small = std::fs::metadata(&place)
        .is_ok_and(|about| about.is_file() && about.len() <= CONTROL_MAX_BYTES as u64);
    if is_small { std::fs::read(&place).ok().map(Bytes::from) } else { None }
}

/// Keeps `bytes` in `folder`, which exists.
///
/// # Errors
/// [`IndexError::File`] if it cannot be written.
pub fn keep_config(folder: &Path, bytes: &[u8]) -> Result<(), IndexError> {
    let write = || {
        let mut file = tempfile::NamedTempFile::new_in(folder)?;
        file.write_all(bytes)?;
        file.persist(place(folder))?;
        Ok(())
    };
    write().map_err(IndexError::file("writing", &place(folder)))
}

/// The slot that opened the repository last.
#[must_use]
pub fn slot(folder: &Path) -> Option<SlotId> {
    let mut text = String::new();
    let file = std::fs::File::open(folder.join("slot")).ok()?;
    file.take(64).read_to_string(&mut text).ok()?;
    SlotId::from_hex(text.trim()).ok()
}

/// Keeps the slot that opened the repository in `folder`, which exists.
///
/// # Errors
/// [`IndexError::File`] if it cannot be written.
pub fn keep_slot(folder: &Path, slot: SlotId) -> Result<(), IndexError> {
    let place = folder.join("slot");
    let write = || {
        let mut file = tempfile::NamedTempFile::new_in(folder)?;
        writeln!(file, "{slot}")?;
        file.persist(&place)?;
        Ok(())
    };
    write().map_err(IndexError::file("writing", &place))
}

/// The newest epoch of keys that was seen.
#[must_use]
pub fn epoch(folder: &Path) -> Option<u32> {
    let mut text = String::new();
    let file = std::fs::File::open(folder.join("epoch")).ok()?;
    file.take(64).read_to_string(&mut text).ok()?;
    text.trim().parse().ok()
}

/// Keeps the newest epoch that was seen in `folder`, which exists.
///
/// # Errors
/// [`IndexError::File`] if it cannot be written.
pub fn keep_epoch(folder: &Path, epoch: u32) -> Result<(), IndexError> {
    let place = folder.join("epoch");
    let write = || {
        let mut file = tempfile::NamedTempFile::new_in(folder)?;
        writeln!(file, "{epoch}")?;
        file.persist(&place)?;
        Ok(())
    };
    write().map_err(IndexError::file("writing", &place))
}

/// The sealed identity of this machine, where an administrator writes from it.
#[must_use]
pub fn identity(folder: &Path) -> Option<Vec<u8>> {
    let mut sealed = Vec::new();
    let file = std::fs::File::open(folder.join("identity")).ok()?;
    file.take(CONTROL_MAX_BYTES as u64).read_to_end(&mut sealed).ok()?;
    Some(sealed)
}

/// Keeps the sealed identity in `folder`, which exists; the disk has it when this returns.
///
/// # Errors
/// [`IndexError::File`] if it cannot be written.
pub fn keep_identity(folder: &Path, sealed: &[u8]) -> Result<(), IndexError> {
    let place = folder.join("identity");
    let write = || {
        let mut file = tempfile::NamedTempFile::new_in(folder)?;
        file.write_all(sealed)?;
        file.as_file().sync_all()?;
        file.persist(&place)?;
        std::fs::File::open(folder)?.sync_all()
    };
    write().map_err(IndexError::file("writing", &place))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_kept_comes_back_and_nothing_else_does() {
        let folder = tempfile::tempdir().expect("a scratch folder");
        assert_eq!(config(folder.path()), None);
        keep_config(folder.path(), b"abc").expect("it can be written");
        keep_config(folder.path(), b"abcd").expect("it can be replaced");
        assert_eq!(config(folder.path()).as_deref(), Some(&b"abcd"[..]));
        keep_config(folder.path(), &vec![0; CONTROL_MAX_BYTES + 1]).expect("it can be written");
        assert_eq!(config(folder.path()), None);
        assert_eq!(slot(folder.path()), None);
        keep_slot(folder.path(), SlotId::new([7; 8])).expect("it can be written");
        assert_eq!(slot(folder.path()), Some(SlotId::new([7; 8])));
        assert_eq!(epoch(folder.path()), None);
        keep_epoch(folder.path(), 3).expect("it can be written");
        assert_eq!(epoch(folder.path()), Some(3));
        assert_eq!(identity(folder.path()), None);
        keep_identity(folder.path(), b"sealed").expect("it can be written");
        assert_eq!(identity(folder.path()).as_deref(), Some(&b"sealed"[..]));
    }
}
