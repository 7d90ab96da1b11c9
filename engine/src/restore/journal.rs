//! What a restore has done to a target so far, beside the target's things: an interrupted run is
//! finished by the next one as if there had been one run.
//!
//! Most of it needs no journal: what has its place is whole, and what is not whole lies aside (see
//! [`crate::disk::stage`]). Only what the next run could not tell from what had been there before is
//! noted, before it is done: whether the target was empty, which files with several names were made,
//! which folders still want their metadata or the mode and the time that they had, which files are
//! being overwritten block by block. The journal goes when everything is done.
//!
//! It is a file of lines, each one letter and the path's key in hexadecimal. A line that a killed
//! process did not finish counts for nothing.

use std::collections::{HashMap, HashSet};
use std::fs::File;
use std::io::{BufRead, BufReader, Seek, SeekFrom, Write};
use std::sync::{Mutex, PoisonError};

use crate::base::limits::RESTORE_JOURNAL_LINE_MAX_BYTES;
use crate::base::path::TreePath;
use crate::base::time::Timestamp;
use crate::disk::error::DiskError;
use crate::disk::write::Target;

/// What is noted of a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Note {
    /// The target held nothing when the first run began.
    WasEmpty,
    /// The target was not there when the first run began.
    WasAbsent,
    /// A folder that has its place and wants its metadata.
    Folder,
    /// Something that this restore made and the next run could not tell from what was there: a file
    /// with several names, or one whose metadata were refused.
    Made,
    /// A file that is overwritten in its place.
    InPlace,
}

impl Note {
    const ALL: [Self; 5] =
        [Self::WasEmpty, Self::WasAbsent, Self::Folder, Self::Made, Self::InPlace];

    const fn letter(self) -> u8 {
        match self {
            Self::WasEmpty => b'e',
            Self::WasAbsent => b'a',
            Self::Folder => b'f',
            Self::Made => b'l',
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
    /// Folders that they opened for writing, and the modes that those had.
    modes: HashMap<Vec<u8>, u32>,
    /// Folders that stay as they are, and the times that those had.
    times: HashMap<Vec<u8>, Timestamp>,
    is_resumed: bool,
}

impl Journal {
    /// Opens the journal of this restore in the target, or makes it with [`first_lines`]; nobody else
    /// may have it open.
    ///
    /// # Errors
    /// [`DiskError::Busy`] if another process restores the same into the same target;
    /// [`DiskError::Io`].
    pub(super) fn open(target: &Target, name: &str, first: &[u8]) -> Result<Self, DiskError> {
        let (file, is_resumed) = target.open_journal(name, first)?;
        let (mut earlier, mut modes) = (HashSet::new(), HashMap::new());
        let mut times = HashMap::new();
        let failed = |error| DiskError::io_at("reading the journal", name.as_bytes(), error);
        // What this run began with counts as well, which changes nothing.
        (&file).seek(SeekFrom::Start(0)).map_err(failed)?;
        let mut lines = BufReader::new(&file);
        let mut line = Vec::new();
        loop {
            line.clear();
            let mut limited = std::io::Read::take(&mut lines, RESTORE_JOURNAL_LINE_MAX_BYTES);
            if limited.read_until(b'\n', &mut line).map_err(failed)? == 0 {
                break;
            }
            match read_line(&line) {
                Some((b'm', key)) => modes.extend(read_mode(key)),
                Some((b't', key)) => {
                    // The first one is that of before.
                    if let Some((key, time)) = read_time(key) {
                        times.entry(key).or_insert(time);
                    }
                }
                Some((letter, key)) => {
                    let note = Note::ALL.into_iter().find(|note| note.letter() == letter);
                    earlier.extend(note.map(|note| (note, key)));
                }
                None => {}
            }
        }
        let (name, file) = (name.to_owned(), Mutex::new(file));
        Ok(Self { name, file, earlier, modes, times, is_resumed })
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
        self.write_line(note.letter(), path.key(), path)
    }

    /// The mode that a folder had which an earlier run opened for writing.
    pub(super) fn mode_before(&self, path: &TreePath) -> Option<u32> {
        self.modes.get(path.key()).copied()
    }

    /// Notes the mode of a folder before it is opened for writing.
    ///
    /// # Errors
    /// [`DiskError::Io`]: then it must not be opened.
    pub(super) fn write_mode(&self, path: &TreePath, mode: u32) -> Result<(), DiskError> {
        if self.modes.contains_key(path.key()) {
            return Ok(());
        }
        let [.., high, low] = mode.to_be_bytes();
        self.write_line(b'm', &[path.key(), &[high, low]].concat(), path)
    }

    /// The time that a folder had before an earlier run worked in it.
    pub(super) fn time_before(&self, path: &TreePath) -> Option<Timestamp> {
        self.times.get(path.key()).copied()
    }

    /// Notes the time of a folder before anything is done in it.
    ///
    /// # Errors
    /// [`DiskError::Io`].
    pub(super) fn write_time(&self, path: &TreePath, time: Timestamp) -> Result<(), DiskError> {
        if self.times.contains_key(path.key()) {
            return Ok(());
        }
        self.write_line(b't', &with_time(path, time), path)
    }

    fn write_line(&self, letter: u8, bytes: &[u8], path: &TreePath) -> Result<(), DiskError> {
        let line = line_of(letter, bytes);
        let mut file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        file.write_all(&line).map_err(|error| DiskError::io("noting in the journal", path, error))
    }

    /// Removes the journal: everything is done.
    ///
    /// # Errors
    /// [`DiskError::Io`].
    pub(super) fn remove(&self, target: &Target) -> Result<(), DiskError> {
        target.remove_journal(&self.name)
    }
}

/// What a journal begins with: the time that the target had, and what else is known of it.
pub(super) fn first_lines(modified: Timestamp, notes: &[Note]) -> Vec<u8> {
    let top = TreePath::root();
    let mut lines = line_of(b't', &with_time(&top, modified));
    lines.extend(notes.iter().flat_map(|note| line_of(note.letter(), top.key())));
    lines
}

fn with_time(path: &TreePath, time: Timestamp) -> Vec<u8> {
    [path.key(), &time.seconds.to_be_bytes(), &time.nanos.to_be_bytes()].concat()
}

fn line_of(letter: u8, bytes: &[u8]) -> Vec<u8> {
    let mut line = Vec::with_capacity(2 * bytes.len() + 2);
    line.push(letter);
    for byte in bytes {
        line.extend_from_slice(format!("{byte:02x}").as_bytes());
    }
    line.push(b'\n');
    line
}

/// A key and the mode after it.
fn read_mode(mut bytes: Vec<u8>) -> Option<(Vec<u8>, u32)> {
    let at = bytes.len().checked_sub(2)?;
    let mode = bytes.split_off(at);
    Some((bytes, u32::from(mode[0]) << 8 | u32::from(mode[1])))
}

/// A key and the time after it.
fn read_time(mut bytes: Vec<u8>) -> Option<(Vec<u8>, Timestamp)> {
    let at = bytes.len().checked_sub(12)?;
    let time = bytes.split_off(at);
    let seconds = i64::from_be_bytes(time[..8].try_into().ok()?);
    let nanos = u32::from_be_bytes(time[8..].try_into().ok()?);
    Some((bytes, Timestamp { seconds, nanos }))
}

/// What a line says; nothing if it is torn.
fn read_line(line: &[u8]) -> Option<(u8, Vec<u8>)> {
    let (letter, hex) = line.strip_suffix(b"\n")?.split_first()?;
    let digit = |byte: u8| char::from(byte).to_digit(16);
    let byte = |pair: &[u8]| match pair {
        [high, low] => u8::try_from(digit(*high)? * 16 + digit(*low)?).ok(),
        _ => None,
    };
    Some((*letter, hex.chunks(2).map(byte).collect::<Option<Vec<u8>>>()?))
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "files of a test need no sync")]
mod tests {
    use super::*;

    fn path(text: &str) -> TreePath {
        TreePath::from_slashes(text.as_bytes()).expect("because the test wrote a valid path")
    }

    #[test]
    fn what_one_run_notes_the_next_one_knows_and_torn_lines_count_for_nothing() {
        let folder = tempfile::tempdir().expect("because the test machine has space");
        let target = Target::create(folder.path()).expect("because it exists");
        let journal = Journal::open(&target, "1", b"").expect("because nothing is in the way");
        assert!(!journal.is_resumed());
        assert!(Journal::open(&target, "1", b"").is_err(), "only one process at a time");
        journal.write(Note::Folder, &path("/a/\u{1}")).expect("because there is space");
        journal.write(Note::WasEmpty, &TreePath::root()).expect("because there is space");
        let time = Timestamp { seconds: -5, nanos: 7 };
        journal.write_time(&path("/a"), time).expect("because there is space");
        journal.write_mode(&path("/a/b"), 0o2555).expect("because there is space");
        let mut file = journal.file.lock().expect("because nobody panicked");
        file.write_all(b"l6").expect("because there is space");
        drop(file);
        drop(journal);
        let again = Journal::open(&target, "1", b"").expect("because the first one ended");
        assert!(again.is_resumed());
        assert!(again.has(Note::Folder, &path("/a/\u{1}")));
        assert!(again.has(Note::WasEmpty, &TreePath::root()));
        assert_eq!(again.mode_before(&path("/a/b")), Some(0o2555));
        assert_eq!(again.time_before(&path("/a")), Some(Timestamp { seconds: -5, nanos: 7 }));
        assert!(!again.has(Note::Made, &path("/a")) && again.earlier.len() == 2);
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
        assert!(Journal::open(&target, "1", b"").is_err());
        assert_eq!(std::fs::read(&precious).expect("it is there"), b"p");
    }
}
