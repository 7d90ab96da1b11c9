//! Listing a local folder by any prefix.
//!
//! The library lists whole folders and asks for the size and time of every file in them, by its full
//! path. Whoever looks for the flags of one session in a folder with those of ten thousand others
//! needs three files of it: here the names are compared first.

use std::fs::{self, DirEntry};
use std::io::{self, ErrorKind};
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use crate::base::limits::LIST_MAX_OBJECTS;
use crate::base::time::Timestamp;
use crate::store::error::StoreError;
use crate::store::listed::Listed;

/// All objects below `root` whose key begins with `prefix`, sorted by key.
pub(super) fn list(root: &Path, prefix: &str) -> Result<Vec<Listed>, StoreError> {
    let (folder, name_prefix) = match prefix.rfind('/') {
        Some(at) => prefix.split_at(at + 1),
        None => ("", prefix),
    };
    let mut walk = Walk { prefix, found: Vec::new() };
    walk.folder(&root.join(folder), folder, name_prefix)?;
    walk.found.sort_by(|a, b| a.key.cmp(&b.key));
    Ok(walk.found)
}

struct Walk<'a> {
    prefix: &'a str,
    found: Vec<Listed>,
}

impl Walk<'_> {
    /// Entries of the folder `path`, whose key is `key`, with names that begin with `name_prefix`.
    fn folder(&mut self, path: &Path, key: &str, name_prefix: &str) -> Result<(), StoreError> {
        let failed = |source| StoreError::of_folder("listing", key, path, source);
        let entries = match fs::read_dir(path) {
            Err(error) if is_no_folder(&error) => return Ok(()),
            entries => entries.map_err(failed)?,
        };
        for entry in entries {
            let entry = entry.map_err(failed)?;
            let name = entry.file_name();
            let name = name.to_string_lossy();
            if name.starts_with(name_prefix) && !is_staged(&name) {
                self.entry(&entry, &format!("{key}{name}"))?;
            }
        }
        Ok(())
    }

    fn entry(&mut self, entry: &DirEntry, key: &str) -> Result<(), StoreError> {
        let failed = |source| StoreError::of_folder("listing", key, &entry.path(), source);
        // Of the link, if it is one: it is an object that cannot be read, wherever it leads.
        let metadata = match entry.metadata() {
            // Deleted since the folder was read.
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
            Err(source) => return Err(failed(source)),
            Ok(metadata) => metadata,
        };
        if metadata.is_dir() {
            return self.folder(&entry.path(), &format!("{key}/"), "");
        }
        if self.found.len() >= LIST_MAX_OBJECTS {
            return Err(StoreError::EndlessListing { prefix: self.prefix.to_owned() });
        }
        let nanos = u32::try_from(metadata.mtime_nsec()).unwrap_or_default();
        let modified = Timestamp { seconds: metadata.mtime(), nanos };
        self.found.push(Listed {
            key: key.to_owned(),
            name: None,
            // A link is an object that cannot be read; a pipe is none.
            is_object: metadata.is_file() || metadata.is_symlink(),
            size_bytes: metadata.len(),
            modified,
        });
        Ok(())
    }
}

/// Folders are made with the first object in them, and go with the last.
fn is_no_folder(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory)
}

fn is_staged(name: &str) -> bool {
    without_stage(name).is_some()
}

/// What is being written bears a number behind a hash until it is complete: the name that it will
/// have then.
pub(super) fn without_stage(name: &str) -> Option<&str> {
    let (object, number) = name.rsplit_once('#')?;
    number.bytes().all(|b| b.is_ascii_digit()).then_some(object)
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "files of a test need no sync")]
mod tests {
    use std::io::Write;

    use super::*;

    #[test]
    fn any_prefix_lists_what_begins_with_it_and_nothing_half_written() {
        let place = tempfile::tempdir().expect("a scratch folder");
        for key in ["a/1.x", "a/1.y", "a/2.x", "a/3/deep/z", "a/1.z#7", "b", "ab/c"] {
            let path = place.path().join(key);
            fs::create_dir_all(path.parent().expect("it has one")).expect("made");
            let mut file = fs::File::create(path).expect("made");
            file.write_all(key.as_bytes()).expect("written");
        }
        let keys = |prefix: &str| {
            let listed = list(place.path(), prefix).expect("it lists");
            assert!(listed.iter().all(|one| one.size_bytes == one.key.len() as u64));
            assert!(listed.iter().all(|one| one.modified.seconds > 1_000_000_000));
            listed.into_iter().map(|one| one.key).collect::<Vec<_>>()
        };
        assert_eq!(keys("a/1."), ["a/1.x", "a/1.y"]);
        assert_eq!(keys("a/"), ["a/1.x", "a/1.y", "a/2.x", "a/3/deep/z"]);
        assert_eq!(keys("a/3"), ["a/3/deep/z"]);
        assert_eq!(keys("a"), ["a/1.x", "a/1.y", "a/2.x", "a/3/deep/z", "ab/c"]);
        assert_eq!(keys(""), ["a/1.x", "a/1.y", "a/2.x", "a/3/deep/z", "ab/c", "b"]);
        assert_eq!(keys("a/1.x/"), [""; 0]);
        assert_eq!(keys("none/"), [""; 0]);
    }

    #[test]
    fn an_object_that_cannot_be_read_is_listed_and_not_absent() {
        let place = tempfile::tempdir().expect("a scratch folder");
        std::os::unix::fs::symlink("loop", place.path().join("loop")).expect("made");
        fs::write(place.path().join("other"), b"x").expect("made");
        let listed = list(place.path(), "").expect("it lists");
        let keys: Vec<_> = listed.iter().map(|one| one.key.as_str()).collect();
        assert_eq!(keys, ["loop", "other"]);
    }

    #[test]
    fn a_folder_that_cannot_be_read_is_an_error_and_not_empty() {
        let place = tempfile::tempdir().expect("a scratch folder");
        let name = "x".repeat(300);
        // No file system has such names, so that this fails for root as well.
        let error = list(place.path(), &format!("{name}/")).expect_err("it cannot be opened");
        assert!(matches!(error, StoreError::Local { action: "listing", .. }), "{error}");
    }
}
