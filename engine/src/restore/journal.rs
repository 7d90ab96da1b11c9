//! What a restore has done to a target so far, beside the target's things: an interrupted run is
//! finished by the next one as if there had been one run.
//!
//! Most of it needs no journal: what has its place is whole, and what is not whole lies aside (see
//! [`crate::disk::stage`]). Only what the next run could not tell from what had been there before is
//! noted, before it is done: whether the target was empty, which files with several names were made,
//! which folders still want their metadata, which files are being overwritten block by block. The
//! journal goes when everything is done.
//!
//! It is a file of lines, each one letter and the path's key in hexadecimal. A line that a killed
//! process did not finish counts for nothing.

use std::collections::HashSet;
use std::fs::File;
use std::io::{BufRead, BufReader, Write};
use std::sync::{Mutex, PoisonError};

use crate::base::limits::RESTORE_JOURNAL_LINE_MAX_BYTES;
use crate::base::path::TreePath;
use crate::disk::error::DiskError;
use crate::disk::write::Target;

/// What is noted of a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Note {
    /// The target held nothing when the first run began.
    WasEmpty,
    /// A folder that has its place and wants its metadata.
    Folder,
    /// A file with several names that this restore made or found right.
    Linked,
    /// A file that is overwritten in its place.
    InPlace,
}

impl Note {
    const ALL: [Self; 4] = [Self::WasEmpty, Self::Folder, Self::Linked, Self::InPlace];

    const fn letter(self) -> u8 {
        match self {
            Self::WasEmpty => b'e',
            Self::Folder => b'f',
            Self::Linked => b'l',
            Self::InPlace => b'i',
        }
    }
}

/// The journal of one restore.
pub(super) struct Journal {
    name: String,
    file: Mutex<File>,
    /// What runs before this one noted.
    earlier: HashSet<(Note, Vec<u8>)>,
    is_resumed: bool,
}

impl Journal {
    /// Opens the journal of this restore in the target, or makes it; nobody else may have it open.
    ///
    /// # Errors
    /// [`DiskError::Busy`] if another process restores the same into the same target;
    /// [`DiskError::Io`].
    pub(super) fn open(target: &Target, name: &str) -> Result<Self, DiskError> {
        let (file, is_resumed) = target.open_journal(name)?;
        let mut earlier = HashSet::new();
        let failed = |error| DiskError::io("reading the journal in", &TreePath::root(), error);
        let mut lines = BufReader::new(&file);
        let mut line = Vec::new();
        loop {
            line.clear();
            let mut limited = std::io::Read::take(&mut lines, RESTORE_JOURNAL_LINE_MAX_BYTES);
            if limited.read_until(b'\n', &mut line).map_err(failed)? == 0 {
                break;
            }
            earlier.extend(read_line(&line));
        }
        Ok(Self { name: name.to_owned(), file: Mutex::new(file), earlier, is_resumed })
    }

    /// Whether an earlier run did not end.
    pub(super) fn is_resumed(&self) -> bool {
        self.is_resumed
    }

    /// Whether a run before this one noted so.
    pub(super) fn has(&self, note: Note, path: &TreePath) -> bool {
        self.earlier.contains(&(note, path.key().to_vec()))
    }

    /// Notes something before it is done.
    ///
    /// # Errors
    /// [`DiskError::Io`]: then it must not be done.
    pub(super) fn write(&self, note: Note, path: &TreePath) -> Result<(), DiskError> {
        if self.has(note, path) {
            return Ok(());
        }
        let mut line = Vec::with_capacity(2 * path.key().len() + 2);
        line.push(note.letter());
        for byte in path.key() {
            line.extend_from_slice(format!("{byte:02x}").as_bytes());
        }
        line.push(b'\n');
        let mut file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        file.write_all(&line).map_err(|error| DiskError::io("noting in the journal", path, error))
    }

    /// Removes the journal: everything is done.
    ///
    /// # Errors
    /// [`DiskError::Io`].
    pub(super) fn remove(self, target: &Target) -> Result<(), DiskError> {
        target.remove_journal(&self.name)
    }
}

/// What a line says; nothing if it is torn.
fn read_line(line: &[u8]) -> Option<(Note, Vec<u8>)> {
    let (letter, hex) = line.strip_suffix(b"\n")?.split_first()?;
    let note = Note::ALL.into_iter().find(|note| note.letter() == *letter)?;
    let digit = |byte: u8| char::from(byte).to_digit(16);
    let byte = |pair: &[u8]| match pair {
        [high, low] => u8::try_from(digit(*high)? * 16 + digit(*low)?).ok(),
        _ => None,
    };
    Some((note, hex.chunks(2).map(byte).collect::<Option<Vec<u8>>>()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn path(text: &str) -> TreePath {
        TreePath::from_slashes(text.as_bytes()).expect("because the test wrote a valid path")
    }

    #[test]
    fn what_one_run_notes_the_next_one_knows_and_torn_lines_count_for_nothing() {
        let folder = tempfile::tempdir().expect("because the test machine has space");
        let target = Target::create(folder.path()).expect("because it exists");
        let journal = Journal::open(&target, "1").expect("because nothing is in the way");
        assert!(!journal.is_resumed());
        assert!(Journal::open(&target, "1").is_err(), "only one process at a time");
        journal.write(Note::Folder, &path("/a/\u{1}")).expect("because there is space");
        journal.write(Note::WasEmpty, &TreePath::root()).expect("because there is space");
        let mut file = journal.file.lock().expect("because nobody panicked");
        file.write_all(b"l6").expect("because there is space");
        drop(file);
        drop(journal);
        let again = Journal::open(&target, "1").expect("because the first one ended");
        assert!(again.is_resumed());
        assert!(again.has(Note::Folder, &path("/a/\u{1}")));
        assert!(again.has(Note::WasEmpty, &TreePath::root()));
        assert!(!again.has(Note::Linked, &path("/a")) && again.earlier.len() == 2);
        again.remove(&target).expect("because it is there");
        assert_eq!(target.list(&TreePath::root()).expect("because it is there").len(), 0);
    }

    #[test]
    fn a_journal_that_is_a_link_is_not_followed() {
        let folder = tempfile::tempdir().expect("because the test machine has space");
        let precious = folder.path().join("precious");
        std::fs::write(&precious, "p").expect("because there is space");
        let target = Target::create(&folder.path().join("t")).expect("because it is new");
        let name = format!("t/{}1.journal", crate::disk::stage::STAGE_PREFIX);
        std::os::unix::fs::symlink(&precious, folder.path().join(name)).expect("it is new");
        assert!(Journal::open(&target, "1").is_err());
        assert_eq!(std::fs::read(&precious).expect("it is there"), b"p");
    }
}
