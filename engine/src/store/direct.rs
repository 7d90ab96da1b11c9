//! Writes large new files past the kernel's page cache.
//!
//! A pack is written once and not read soon. Through the page cache it would be copied into memory
//! that is taken from the files people work with, only to be written from there; where a virtual
//! machine has to get that memory from its host, this costs more than compressing. File systems
//! that cannot do without the cache say so at the first write, and get the rest in the usual way.
//!
//! Nobody sees a file that is not whole and on the disk: it gets its name afterwards, by a hard link,
//! which fails if the name is taken.

use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use rustix::fs::OFlags;

use crate::base::limits::{DIRECT_WRITE_ALIGNMENT_BYTES, DIRECT_WRITE_PIECE_BYTES};

/// Writes `bytes` to a new file at `path`. It is durable, and so is its name, when this returns.
///
/// # Errors
/// [`ErrorKind::AlreadyExists`] if the name is taken; whatever the file system says. Nothing is
/// left behind then, unless the last error came from making the name durable.
pub(crate) fn write_new(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let (file, staged) = stage(path)?;
    let named = write(&file, bytes)
        .and_then(|()| file.sync_all())
        .and_then(|()| fs::hard_link(&staged, path));
    // What cannot be removed is passed over by listings.
    let _ = fs::remove_file(&staged);
    named?;
    path.parent().map_or(Ok(()), sync_folder)
}

/// A new file beside `path` under a name that listings pass over, as the library makes it.
fn stage(path: &Path) -> io::Result<(File, PathBuf)> {
    let mut number = 1_u32;
    loop {
        let mut name = path.as_os_str().to_owned();
        name.push(format!("#{number}"));
        let staged = PathBuf::from(name);
        match OpenOptions::new().write(true).create_new(true).open(&staged) {
            Ok(file) => return Ok((file, staged)),
            Err(error) if error.kind() == ErrorKind::AlreadyExists => number += 1,
            // Somebody removed the folder because it was empty a moment ago.
            Err(error) if error.kind() == ErrorKind::NotFound => make_folder(path, error)?,
            Err(error) => return Err(error),
        }
    }
}

fn make_folder(path: &Path, missing: io::Error) -> io::Result<()> {
    let Some(folder) = path.parent() else { return Err(missing) };
    fs::create_dir_all(folder)?;
    // Whatever of these was just made has a name in the one above.
    folder.ancestors().skip(1).take(2).try_for_each(sync_folder)
}

fn sync_folder(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

/// Direct writes need memory, places and lengths that are multiples of a block of the disk: pieces
/// are copied to where that is so, and the end of the file goes through the cache.
fn write(file: &File, bytes: &[u8]) -> io::Result<()> {
    let mut room = vec![0; DIRECT_WRITE_PIECE_BYTES + DIRECT_WRITE_ALIGNMENT_BYTES];
    let start = room.as_ptr().align_offset(DIRECT_WRITE_ALIGNMENT_BYTES);
    let aligned = room.get_mut(start..).unwrap_or_default();
    let mut written = 0;
    let mut is_direct = set_direct(file, true).is_ok();
    while is_direct && bytes.len() - written >= DIRECT_WRITE_ALIGNMENT_BYTES {
        let rest = &bytes[written..];
        let whole_blocks = rest.len() - rest.len() % DIRECT_WRITE_ALIGNMENT_BYTES;
        let length = whole_blocks.min(DIRECT_WRITE_PIECE_BYTES).min(aligned.len());
        aligned[..length].copy_from_slice(&rest[..length]);
        match file.write_at(&aligned[..length], written as u64) {
            // A file system may stop within a block; the cache can go on there.
            Ok(count) => {
                written += count;
                is_direct = count > 0 && count % DIRECT_WRITE_ALIGNMENT_BYTES == 0;
            }
            Err(error) if error.kind() == ErrorKind::InvalidInput => is_direct = false,
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    set_direct(file, false)?;
    file.write_all_at(&bytes[written..], written as u64)
}

fn set_direct(file: &File, is_direct: bool) -> rustix::io::Result<()> {
    let mut flags = rustix::fs::fcntl_getfl(file)?;
    flags.set(OFlags::DIRECT, is_direct);
    rustix::fs::fcntl_setfl(file, flags)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes(length: usize) -> Vec<u8> {
        (0..length).map(|number| (number * 31 / 7) as u8).collect()
    }

    fn places() -> Vec<tempfile::TempDir> {
        // A disk and a file system in memory.
        let mut places = vec![tempfile::tempdir().expect("a folder")];
        places.extend(tempfile::tempdir_in("/dev/shm"));
        places
    }

    #[test]
    fn files_of_any_length_are_written_whole() {
        let (block, piece) = (DIRECT_WRITE_ALIGNMENT_BYTES, DIRECT_WRITE_PIECE_BYTES);
        for place in places() {
            for length in
                [0, 1, block - 1, block, block + 1, piece, piece + block + 5, 3 * piece - 1]
            {
                let path = place.path().join(length.to_string());
                write_new(&path, &bytes(length)).expect("it is new");
                assert!(fs::read(&path).expect("it is there") == bytes(length), "{length}");
            }
            assert_eq!(fs::read_dir(place.path()).expect("a folder").count(), 8);
        }
    }

    #[test]
    fn a_name_that_is_taken_stays_and_nothing_is_left_behind() {
        for place in places() {
            let path = place.path().join("taken");
            write_new(&path, b"first").expect("it is new");
            File::create(place.path().join("taken#1")).expect("somebody else is at it");
            let failed = write_new(&path, &bytes(10_000)).expect_err("it is taken");
            assert_eq!(failed.kind(), ErrorKind::AlreadyExists);
            assert_eq!(fs::read(&path).expect("it is there"), b"first");
            assert_eq!(fs::read_dir(place.path()).expect("a folder").count(), 2);
        }
    }

    #[test]
    fn a_folder_that_is_gone_is_made_again() {
        let place = tempfile::tempdir().expect("a folder");
        let path = place.path().join("a/b/file");
        write_new(&path, &bytes(10_000)).expect("its folder is made");
        assert_eq!(fs::read(&path).expect("it is there").len(), 10_000);
    }
}
