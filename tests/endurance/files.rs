//! Folders with a few files whose contents follow from numbers. Machines have contents in common,
//! so that what one of them uploaded, another refers to.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use system_tests::trees::content::random_bytes;
use system_tests::trees::put;

use crate::scale::Chance;

/// Different contents that files may have.
const CONTENTS: u64 = 8;

/// Files by name, each with the number of its content.
pub(crate) type Files = BTreeMap<String, u64>;

/// One to four files.
pub(crate) fn draw(chance: &mut Chance) -> Files {
    let files = chance.below(4) + 1;
    (0..files).map(|at| (format!("file-{at}"), chance.below(CONTENTS))).collect()
}

fn bytes_of(content: u64) -> Vec<u8> {
    random_bytes(content, 5_000 + (content as usize % 5) * 40_000)
}

/// Makes `folder` hold exactly these files.
///
/// # Panics
/// If it cannot be made.
pub(crate) fn write(folder: &Path, files: &Files) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        fs::remove_file(entry.path()).expect("the folder holds files only");
    }
    files.iter().for_each(|(name, content)| put(&folder.join(name), &bytes_of(*content)));
}

/// Whether `folder` holds exactly these files.
pub(crate) fn holds(folder: &Path, files: &Files) -> bool {
    let entries = fs::read_dir(folder).map(|entries| entries.flatten().count()).unwrap_or(0);
    let is_same = |(name, content): (&String, &u64)| {
        fs::read(folder.join(name)).is_ok_and(|bytes| bytes == bytes_of(*content))
    };
    entries == files.len() && files.iter().all(is_same)
}

/// A folder in memory where there is such a place: thousands of databases are opened.
///
/// # Panics
/// If it cannot be made.
pub(crate) fn new_folder() -> tempfile::TempDir {
    tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).expect("a temporary folder")
}
