//! Compares two folders by what the system says of them: names, kinds, bytes, permissions, times.
//!
//! Nothing of the engine's walk or restore is used: what restored a folder must not be what judges
//! it.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs::{File, Metadata};
use std::io::{self, ErrorKind, Read};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use engine::base::path::escape;

/// Differences that are named; more are not looked for.
const DIFFERENCES_MAX: usize = 20;
/// Bytes that are read from both files at a time.
const PIECE_BYTES: usize = 256 * 1024;

/// What a comparison found.
#[derive(Debug, Default)]
pub struct Comparison {
    /// Files, folders, links and others that were compared.
    pub items: u64,
    /// Bytes of files that were compared.
    pub bytes: u64,
    /// Items of the original that this user may not read.
    pub unreadable: u64,
    /// What differs, the first of it, names escaped.
    pub differences: Vec<String>,
}

/// Compares `copy` with `original`.
///
/// # Errors
/// If one of the two folders itself cannot be read.
pub fn compare(original: &Path, copy: &Path) -> io::Result<Comparison> {
    let mut comparison = Comparison::default();
    // The folder itself: only what is in it was restored.
    folders(original, copy, &mut comparison)?;
    Ok(comparison)
}

fn folders(original: &Path, copy: &Path, found: &mut Comparison) -> io::Result<()> {
    let originals = names(original)?;
    let mut copies = names(copy)?;
    for (name, metadata) in originals {
        if found.differences.len() >= DIFFERENCES_MAX {
            return Ok(());
        }
        let path = original.join(&name);
        match copies.remove(&name) {
            Some(other) => {
                one(&path, &copy.join(&name), &metadata, &other, found);
            }
            None if may_not_read(&path, &metadata) => found.unreadable += 1,
            None => found.differ(&path, "is missing in the copy"),
        }
    }
    for name in copies.keys() {
        found.differ(&original.join(name), "is only in the copy");
    }
    Ok(())
}

fn names(folder: &Path) -> io::Result<BTreeMap<OsString, Metadata>> {
    let mut names = BTreeMap::new();
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        names.insert(entry.file_name(), entry.metadata()?);
    }
    Ok(names)
}

fn may_not_read(path: &Path, metadata: &Metadata) -> bool {
    let denied = |error: io::Error| error.kind() == ErrorKind::PermissionDenied;
    match metadata.is_dir() {
        true => std::fs::read_dir(path).err().is_some_and(denied),
        false if metadata.is_file() => File::open(path).err().is_some_and(denied),
        false => false,
    }
}

fn one(original: &Path, copy: &Path, left: &Metadata, right: &Metadata, found: &mut Comparison) {
    if left.file_type() != right.file_type() {
        return found.differ(original, "is of another kind");
    }
    if may_not_read(original, left) {
        found.unreadable += 1;
        return;
    }
    found.items += 1;
    if left.is_symlink() {
        if std::fs::read_link(original).ok() != std::fs::read_link(copy).ok() {
            found.differ(original, "leads elsewhere");
        }
    } else if left.mode() != right.mode() {
        found.differ(original, "has other permissions");
    }
    if (left.mtime(), left.mtime_nsec()) != (right.mtime(), right.mtime_nsec()) {
        found.differ(original, "has another time");
    }
    if left.is_file() {
        match same_bytes(original, copy) {
            Ok(Some(bytes)) => found.bytes += bytes,
            Ok(None) => found.differ(original, "has other content"),
            Err(error) => found.differ(original, &format!("cannot be compared: {error}")),
        }
    } else if left.is_dir()
        && let Err(error) = folders(original, copy, found)
    {
        found.differ(original, &format!("cannot be listed: {error}"));
    }
}

/// How many bytes are equal, if all are.
fn same_bytes(left: &Path, right: &Path) -> io::Result<Option<u64>> {
    let (mut left, mut right) = (File::open(left)?, File::open(right)?);
    let (mut one, mut other) = (Vec::new(), Vec::new());
    let mut count = 0;
    loop {
        one.clear();
        other.clear();
        left.by_ref().take(PIECE_BYTES as u64).read_to_end(&mut one)?;
        right.by_ref().take(PIECE_BYTES as u64).read_to_end(&mut other)?;
        if one != other {
            return Ok(None);
        }
        if one.is_empty() {
            return Ok(Some(count));
        }
        count += one.len() as u64;
    }
}

impl Comparison {
    fn differ(&mut self, path: &Path, how: &str) {
        if self.differences.len() < DIFFERENCES_MAX {
            self.differences.push(format!("{} {how}", escape(path.as_os_str().as_bytes())));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    fn fill(folder: &Path, content: &[u8]) {
        std::fs::create_dir(folder).expect("a folder");
        let mut file = File::create(folder.join("f")).expect("a file");
        file.write_all(content).expect("bytes");
        file.set_modified(std::time::UNIX_EPOCH).expect("a time");
        std::os::unix::fs::symlink("f", folder.join("l")).expect("a link");
    }

    #[test]
    fn every_kind_of_difference_is_seen() {
        let work = tempfile::tempdir().expect("a folder");
        let (a, b) = (work.path().join("a"), work.path().join("b"));
        fill(&a, b"same");
        fill(&b, b"samE");
        File::create(b.join("more")).expect("a file");
        let file = File::open(b.join("f")).expect("a file");
        file.set_modified(std::time::UNIX_EPOCH + std::time::Duration::from_nanos(1))
            .expect("a time");
        let mode = std::os::unix::fs::PermissionsExt::from_mode(0o600);
        std::fs::set_permissions(b.join("f"), mode).expect("permissions");
        std::fs::remove_file(b.join("l")).expect("it is there");
        let found = compare(&a, &b).expect("both are there");
        let all = found.differences.join("\n");
        for words in ["other content", "another time", "other permissions", "missing", "only in"] {
            assert!(all.contains(words), "{words} is not in {all}");
        }
        let equal = compare(&a, &a).expect("it is there");
        assert!(equal.differences.is_empty());
        assert_eq!((equal.items, equal.bytes), (2, 4));
    }
}
