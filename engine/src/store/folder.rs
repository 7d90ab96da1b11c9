//! What a local folder needs beyond the library to be as durable as a remote store.
//!
//! * The library syncs a file and its folder; a folder that another thread or process has just
//!   made may itself not be durable yet. So each folder is synced up to the root before its first
//!   use by this process.
//! * A write that failed between publishing the file and syncing it looks complete to the next
//!   attempt; what is found in place of a repeated write is synced before it is believed.
//! * The library reads into fresh, zeroed memory on a thread of its own, which costs as much as the
//!   reading itself; objects are read here, into memory that the caller uses again.
//! * A disk that was unmounted leaves an empty folder behind, in which everything would be created
//!   anew and nothing be found. The root is therefore recognised by device and inode.

use std::collections::HashSet;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom};
use std::ops::Range;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use rustix::fs::OFlags;

use crate::base::limits::DURABLE_FOLDERS_MAX;
use crate::store::error::StoreError;

#[derive(Debug)]
pub(crate) struct Folder {
    root: PathBuf,
    identity: (u64, u64),
    durable: Mutex<HashSet<PathBuf>>,
}

impl Folder {
    /// Opens the folder, making it and its parents if `create_missing`.
    pub(crate) fn open(path: &Path, create_missing: bool) -> Result<Self, StoreError> {
        let missing = |source| StoreError::FolderMissing { path: path.to_owned(), source };
        if create_missing {
            let made = make_private(path).and_then(|()| sync_up(&fs::canonicalize(path)?));
            made.map_err(|source| {
                let key = path.display().to_string();
                StoreError::of_folder("making the folder", &key, Path::new(""), source)
            })?;
        }
        let root = fs::canonicalize(path).map_err(missing)?;
        let metadata = fs::metadata(&root).map_err(missing)?;
        if !metadata.is_dir() {
            return Err(missing(io::ErrorKind::NotADirectory.into()));
        }
        let identity = (metadata.dev(), metadata.ino());
        Ok(Self { root, identity, durable: Mutex::new(HashSet::new()) })
    }

    /// The folder itself, absolute and without symbolic links.
    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    /// Fails unless the folder is still the one that was opened.
    pub(crate) fn check(&self) -> Result<(), StoreError> {
        let gone = |source| StoreError::FolderMissing { path: self.root.clone(), source };
        let metadata = fs::metadata(&self.root).map_err(gone)?;
        if (metadata.dev(), metadata.ino()) != self.identity {
            return Err(gone(io::Error::other("another folder is in its place")));
        }
        Ok(())
    }

    /// Makes the folder of `key` exist, durably.
    pub(crate) fn prepare(&self, key: &str) -> Result<(), StoreError> {
        self.check()?;
        let path = self.root.join(key);
        let parent = path.parent().unwrap_or(&self.root);
        let mut durable = self.durable.lock().unwrap_or_else(PoisonError::into_inner);
        if durable.contains(parent) && parent.is_dir() {
            return Ok(());
        }
        let made = fs::create_dir_all(parent).and_then(|()| {
            parent.ancestors().take_while(|part| part.starts_with(&self.root)).try_for_each(sync)
        });
        made.map_err(|source| StoreError::of_folder("writing", key, parent, source))?;
        if durable.len() >= DURABLE_FOLDERS_MAX {
            durable.clear();
        }
        durable.insert(parent.to_owned());
        Ok(())
    }

    /// Syncs an object that is in place, and the folder it is in.
    pub(crate) fn sync(&self, key: &str) -> Result<(), StoreError> {
        let path = self.root.join(key);
        let synced = sync(&path).and_then(|()| path.parent().map_or(Ok(()), sync));
        synced.map_err(|source| StoreError::of_folder("syncing", key, &path, source))
    }

    /// Replaces what is in `into` by the whole object, if that has at most `max_bytes`.
    pub(crate) fn read(
        &self,
        key: &str,
        max_bytes: u64,
        into: &mut Vec<u8>,
    ) -> Result<(), StoreError> {
        let (file, size_bytes) = self.open_object(key)?;
        if size_bytes > max_bytes {
            return Err(StoreError::TooLarge { key: key.to_owned(), size_bytes, max_bytes });
        }
        read_part(&file, key, 0..size_bytes, into)
    }

    /// Replaces what is in `into` by exactly these bytes of an object.
    pub(crate) fn read_range(
        &self,
        key: &str,
        range: Range<u64>,
        into: &mut Vec<u8>,
    ) -> Result<(), StoreError> {
        let (file, size_bytes) = self.open_object(key)?;
        if size_bytes < range.end {
            let (start, end) = (range.start, range.end);
            return Err(StoreError::OutOfRange { key: key.to_owned(), start, end });
        }
        read_part(&file, key, range, into)
    }

    /// Whether there is an object that can be read.
    pub(crate) fn require_object(&self, key: &str) -> Result<(), StoreError> {
        self.open_object(key).map(drop)
    }

    /// The file of an object and its size. As for the library, a folder is no object.
    fn open_object(&self, key: &str) -> Result<(File, u64), StoreError> {
        let opened = open_for_reading(&self.root.join(key)).and_then(|file| {
            let metadata = file.metadata()?;
            Ok((file, metadata))
        });
        let absent = |source: io::Error| {
            let (action, key) = ("reading", key.to_owned());
            StoreError::NotFound { action, key, source: Box::new(source) }
        };
        match opened {
            Ok((_, metadata)) if metadata.is_dir() => {
                Err(absent(io::ErrorKind::IsADirectory.into()))
            }
            Ok((_, metadata)) if !metadata.is_file() => {
                let (action, key) = ("reading", key.to_owned());
                let source = Box::new(io::Error::other("it is not a regular file"));
                Err(StoreError::Unreadable { action, key, source })
            }
            Ok((file, metadata)) => Ok((file, metadata.len())),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Err(absent(error)),
            Err(error) => Err(unread(key, error)),
        }
    }

    /// Removes the folder `key` itself if it is empty: one call, so that nothing that is written
    /// meanwhile can go with it. It is made durable again by whoever writes there next.
    pub(crate) fn remove_if_empty(&self, key: &str) {
        let path = self.root.join(key);
        if fs::remove_dir(&path).is_ok() {
            self.durable.lock().unwrap_or_else(PoisonError::into_inner).remove(&path);
        }
    }

    /// Removes the folder `key` with all folders in it, as far as they hold no files.
    pub(crate) fn remove_empty(&self, key: &str) {
        fn remove(path: &Path) {
            for entry in fs::read_dir(path).into_iter().flatten().flatten() {
                if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                    remove(&entry.path());
                }
            }
            // What still holds a file stays; that is the point.
            let _ = fs::remove_dir(path);
        }
        remove(&self.root.join(key));
    }
}

/// Reads a part that lay within the file a moment ago. The room in `into` is not zeroed before.
fn read_part(
    mut file: &File,
    key: &str,
    range: Range<u64>,
    into: &mut Vec<u8>,
) -> Result<(), StoreError> {
    let announced_bytes = range.end.saturating_sub(range.start);
    into.clear();
    into.reserve_exact(announced_bytes as usize);
    let received = file
        .seek(SeekFrom::Start(range.start))
        .and_then(|_| file.take(announced_bytes).read_to_end(into));
    let received_bytes = received.map_err(|source| unread(key, source))? as u64;
    if received_bytes < announced_bytes {
        let key = key.to_owned();
        return Err(StoreError::ShortBody { key, received_bytes, announced_bytes });
    }
    Ok(())
}

/// Makes the folder for its owner alone, and whatever is missing above it as usual. A folder that
/// is there keeps the permissions that somebody gave it.
fn make_private(path: &Path) -> io::Result<()> {
    if path.is_dir() {
        return Ok(());
    }
    if let Some(parent) = path.parent().filter(|parent| !parent.as_os_str().is_empty()) {
        fs::create_dir_all(parent)?;
    }
    match fs::DirBuilder::new().mode(0o700).create(path) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists && path.is_dir() => Ok(()),
        made => made,
    }
}

fn sync(path: &Path) -> io::Result<()> {
    open_for_reading(path)?.sync_all()
}

/// Opens what lies there, and waits for nobody: whoever may write to the folder can put a pipe that
/// nobody writes to in the place of an object, or a link to anything.
fn open_for_reading(path: &Path) -> io::Result<File> {
    let flags = (OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY).bits();
    OpenOptions::new().read(true).custom_flags(flags as i32).open(path)
}

/// Syncs a folder and everything above it, passing over what may not be opened.
fn sync_up(path: &Path) -> io::Result<()> {
    for part in path.ancestors() {
        match sync(part) {
            // Folders above may be unreadable to us, or of a kind that cannot sync; then they
            // were not made by us either.
            Err(error) if part != path && error.kind() != io::ErrorKind::StorageFull => {}
            other => other?,
        }
    }
    Ok(())
}

/// Error numbers by which a file system says that one file cannot be read, not that all cannot.
const OF_ONE_FILE: [i32; 8] = [
    1,   /* EPERM */
    5,   /* EIO */
    13,  /* EACCES */
    20,  /* ENOTDIR */
    40,  /* ELOOP */
    74,  /* EBADMSG */
    116, /* ESTALE */
    117, /* EUCLEAN */
];

/// Reading failed, of this object or of all.
fn unread(key: &str, source: io::Error) -> StoreError {
    match source.raw_os_error().is_some_and(|number| OF_ONE_FILE.contains(&number)) {
        true => {
            let (action, key) = ("reading", key.to_owned());
            StoreError::Unreadable { action, key, source: Box::new(source) }
        }
        false => StoreError::Local { action: "reading", key: key.to_owned(), source },
    }
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "files of a test need no sync")]
mod tests {
    use super::*;
    use crate::base::error::{Classified, ErrorClass};

    #[test]
    fn a_folder_that_was_replaced_is_not_taken_for_the_old_one() {
        let place = tempfile::tempdir().expect("a scratch folder");
        let path = place.path().join("a/b");
        assert!(matches!(Folder::open(&path, false), Err(StoreError::FolderMissing { .. })));
        let folder = Folder::open(&path, true).expect("made");
        folder.prepare("x/y/z").expect("prepared");
        assert!(path.join("x/y").is_dir());
        let mode = fs::metadata(&path).expect("it is there").mode();
        assert_eq!(mode & 0o7777, 0o700, "what is in it is nobody else's");
        fs::rename(&path, place.path().join("moved")).expect("renamed");
        assert!(matches!(folder.check(), Err(StoreError::FolderMissing { .. })));
        fs::create_dir(&path).expect("made");
        assert!(matches!(folder.prepare("x/y/z"), Err(StoreError::FolderMissing { .. })));
    }

    #[test]
    fn one_file_that_cannot_be_read_is_not_the_disk() {
        let place = tempfile::tempdir().expect("a scratch folder");
        let folder = Folder::open(place.path(), false).expect("opened");
        std::os::unix::fs::symlink("loop", place.path().join("loop")).expect("made");
        std::fs::write(place.path().join("file"), b"x").expect("made");
        for key in ["loop", "file/below"] {
            let errors = [
                folder.read(key, 10, &mut Vec::new()).expect_err(key),
                folder.read_range(key, 0..1, &mut Vec::new()).expect_err(key),
            ];
            for error in errors {
                assert_eq!(error.class(), ErrorClass::Unreadable, "{key}: {error:?}");
            }
        }
        let absent = folder.read("none", 10, &mut Vec::new()).expect_err("it is absent");
        assert_eq!(absent.class(), ErrorClass::Missing);
    }

    #[test]
    fn what_is_no_regular_file_is_an_object_that_cannot_be_read_and_keeps_nobody() {
        use rustix::fs::{CWD, FileType, Mode, mknodat};
        let place = tempfile::tempdir().expect("a scratch folder");
        let folder = Folder::open(place.path(), false).expect("opened");
        let mode = Mode::RUSR | Mode::WUSR;
        mknodat(CWD, place.path().join("pipe"), FileType::Fifo, mode, 0).expect("made");
        std::fs::write(place.path().join("aim"), b"x").expect("made");
        for (name, aim) in [("file", "aim"), ("null", "/dev/zero"), ("root", "/")] {
            std::os::unix::fs::symlink(aim, place.path().join(name)).expect("made");
        }
        for key in ["pipe", "file", "null", "root"] {
            let error = folder.read(key, 10, &mut Vec::new()).expect_err(key);
            assert_eq!(error.class(), ErrorClass::Unreadable, "{key}: {error:?}");
            let error = folder.read_range(key, 0..1, &mut Vec::new()).expect_err(key);
            assert_eq!(error.class(), ErrorClass::Unreadable, "{key}: {error:?}");
        }
        assert!(folder.sync("file").is_err());
        // It returns; whether a pipe can be synced is the system's business.
        drop(folder.sync("pipe"));
        let listed = crate::store::walk::list(place.path(), "").expect("it lists");
        let keys: Vec<_> = listed.iter().map(|one| one.key.as_str()).collect();
        assert_eq!(keys, ["aim", "file", "null", "pipe", "root"]);
    }

    #[test]
    fn only_empty_folders_are_removed() {
        let place = tempfile::tempdir().expect("a scratch folder");
        let folder = Folder::open(place.path(), false).expect("opened");
        folder.prepare("p/q/r/file").expect("prepared");
        folder.prepare("p/s/file").expect("prepared");
        File::create(place.path().join("p/s/file")).expect("made");
        folder.remove_empty("p");
        assert!(!place.path().join("p/q").exists());
        assert!(place.path().join("p/s/file").exists());
    }
}
