//! What is mounted below a folder.

use std::os::unix::ffi::OsStrExt;
use std::path::Path;

/// Whether nothing is mounted below `folder`, as far as the system says: then all of it is one file
/// system.
#[must_use]
pub fn is_one_volume(folder: &Path) -> bool {
    let lookup = || {
        let folder = std::fs::canonicalize(folder).ok()?;
        let table = std::fs::read("/proc/self/mountinfo").ok()?;
        Some((folder, table))
    };
    let Some((folder, table)) = lookup() else { return false };
    let folder = folder.as_os_str().as_bytes();
    let is_below = |point: &[u8]| {
        let rest = point.strip_prefix(folder);
        rest.is_some_and(|rest| rest.first() == Some(&b'/') || (folder == b"/" && !rest.is_empty()))
    };
    let mut lines = table.split(|byte| *byte == b'\n');
    // The fifth field is the mount point; special characters in it are octal escapes.
    !lines.any(|line| {
        line.split(|byte| *byte == b' ').nth(4).is_some_and(|point| is_below(&unescape(point)))
    })
}

fn unescape(text: &[u8]) -> Vec<u8> {
    let mut plain = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((first, after)) = rest.split_first() {
        let digits = after.get(..3).and_then(|digits| std::str::from_utf8(digits).ok());
        let code = digits.and_then(|digits| u8::from_str_radix(digits, 8).ok());
        match code.filter(|_| *first == b'\\') {
            Some(byte) => {
                plain.push(byte);
                rest = &after[3..];
            }
            None => {
                plain.push(*first);
                rest = after;
            }
        }
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_root_has_mounts_below_it_and_a_new_folder_has_none() {
        let folder = tempfile::tempdir().expect("because the test machine has space");
        assert!(is_one_volume(folder.path()));
        assert!(!is_one_volume(Path::new("/")), "/proc at least is mounted");
        assert!(!is_one_volume(&folder.path().join("none")), "what is unknown is not one");
    }

    #[test]
    fn names_of_mount_points_are_read_as_they_are() {
        assert_eq!(unescape(br"/a\040b\134c"), br"/a b\c");
    }
}
