//! Changes a tree on disk as its users would between two backups.
//!
//! An edit names what it changes by a number, taken modulo what is there when its turn comes; if
//! nothing fits, it does nothing. So scripts shrink by leaving edits out. What lies deeper than
//! a path can say is left alone.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::fs::{FileExt, PermissionsExt};
use std::path::{Path, PathBuf};

use bytes::Bytes;
use rustix::fs::{AtFlags, CWD, utimensat};

use crate::trees::content::random_bytes;
use crate::trees::create::{self, times};
use crate::trees::{ItemSpec, Meta};

/// Longer paths are left alone: the system refuses 4096 bytes, and an edit may add a name.
const PATH_BYTES_MAX: usize = 3800;

/// One change. `at` is the thing to change, `into` the folder to put something in, `place` a
/// point in a file as a share of its length in 1/65535.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(missing_docs, reason = "the fields are said above, for all variants at once")]
pub enum Edit {
    /// Writes over bytes of a file, perhaps beyond its end.
    Overwrite { at: usize, place: u16, seed: u64, length_bytes: u64 },
    /// Writes behind the end of a file.
    Append { at: usize, seed: u64, length_bytes: u64 },
    /// Cuts a file off.
    Truncate { at: usize, place: u16 },
    /// Sets the time of anything.
    Touch { at: usize, seconds: i64, nanos: u32 },
    /// Sets the mode of a file or folder.
    Chmod { at: usize, mode: u32 },
    /// Moves anything, perhaps over something else.
    Rename { at: usize, into: usize, name: Bytes },
    /// Gives a file one more name.
    Link { at: usize, into: usize, name: Bytes },
    /// Deletes anything, with what is in it.
    Delete { at: usize },
    /// Adds an item.
    Add { into: usize, item: ItemSpec },
    /// Puts a folder with one file where a file was.
    FileToFolder { at: usize },
    /// Puts a file where a folder was.
    FolderToFile { at: usize },
}

/// Edits in their order.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct EditScript {
    /// The edits.
    pub edits: Vec<Edit>,
}

impl EditScript {
    /// Changes the tree below `dir`; returns how many edits changed something.
    ///
    /// # Errors
    /// When the tree cannot be listed; an edit that the system refuses counts as none.
    pub fn apply(&self, dir: &Path) -> io::Result<usize> {
        let mut count = 0;
        for edit in &self.edits {
            let found = Found::below(dir)?;
            count += usize::from(edit.apply(&found).is_ok_and(|changed| changed.is_some()));
        }
        Ok(count)
    }
}

/// What is there, each list sorted.
struct Found {
    /// The root first.
    folders: Vec<PathBuf>,
    files: Vec<PathBuf>,
    /// Everything except the root.
    all: Vec<PathBuf>,
}

impl Found {
    fn below(dir: &Path) -> io::Result<Self> {
        let mut found = Self { folders: vec![dir.to_owned()], files: Vec::new(), all: Vec::new() };
        let mut next = 0;
        while let Some(folder) = found.folders.get(next).cloned() {
            next += 1;
            let mut names = fs::read_dir(&folder)?.collect::<io::Result<Vec<_>>>()?;
            names.sort_by_key(fs::DirEntry::file_name);
            for entry in names {
                let (path, kind) = (entry.path(), entry.file_type()?);
                if path.as_os_str().len() > PATH_BYTES_MAX {
                    continue;
                }
                if kind.is_dir() {
                    found.folders.push(path.clone());
                } else if kind.is_file() {
                    found.files.push(path.clone());
                }
                found.all.push(path);
            }
        }
        Ok(found)
    }

    fn folder(&self, number: usize) -> &Path {
        &self.folders[number % self.folders.len()]
    }

    fn file(&self, number: usize) -> Option<&Path> {
        pick(&self.files, number)
    }

    fn any(&self, number: usize) -> Option<&Path> {
        pick(&self.all, number)
    }
}

fn pick(paths: &[PathBuf], number: usize) -> Option<&Path> {
    let place = number.checked_rem(paths.len())?;
    paths.get(place).map(PathBuf::as_path)
}

impl Edit {
    fn apply(&self, found: &Found) -> io::Result<Option<()>> {
        match self {
            Self::Overwrite { at, place, seed, length_bytes } => {
                let Some(path) = found.file(*at) else { return Ok(None) };
                overwrite(path, *place, *seed, *length_bytes)?;
            }
            Self::Append { at, seed, length_bytes } => {
                let Some(path) = found.file(*at) else { return Ok(None) };
                overwrite(path, u16::MAX, *seed, *length_bytes)?;
            }
            Self::Truncate { at, place } => {
                let Some(path) = found.file(*at) else { return Ok(None) };
                let file = OpenOptions::new().write(true).open(path)?;
                file.set_len(point(file.metadata()?.len(), *place))?;
            }
            Self::Touch { at, seconds, nanos } => {
                let Some(path) = found.any(*at) else { return Ok(None) };
                let meta = Meta { mtime_seconds: *seconds, mtime_nanos: *nanos, ..Meta::default() };
                utimensat(CWD, path, &times(&meta), AtFlags::SYMLINK_NOFOLLOW)?;
            }
            Self::Chmod { at, mode } => {
                let Some(path) = found.any(*at) else { return Ok(None) };
                if path.is_symlink() {
                    return Ok(None);
                }
                fs::set_permissions(path, fs::Permissions::from_mode(*mode))?;
            }
            Self::Rename { at, into, name } => {
                let Some(path) = found.any(*at) else { return Ok(None) };
                fs::rename(path, target(found, *into, name))?;
            }
            Self::Link { at, into, name } => {
                let Some(path) = found.file(*at) else { return Ok(None) };
                fs::hard_link(path, target(found, *into, name))?;
            }
            Self::Delete { at } => {
                let Some(path) = found.any(*at) else { return Ok(None) };
                remove(path)?;
            }
            Self::Add { into, item } => {
                let made = create::item(item, found.folder(*into))?;
                return Ok((made.item_count > 0).then_some(()));
            }
            Self::FileToFolder { at } => {
                let Some(path) = found.file(*at) else { return Ok(None) };
                remove(path)?;
                fs::create_dir(path)?;
                overwrite_new(&path.join("inside"))?;
            }
            Self::FolderToFile { at } => {
                let Some(path) = pick(&found.folders[1..], *at) else { return Ok(None) };
                remove(path)?;
                overwrite_new(path)?;
            }
        }
        Ok(Some(()))
    }
}

fn point(length_bytes: u64, place: u16) -> u64 {
    let share = u128::from(length_bytes) * u128::from(place) / u128::from(u16::MAX);
    u64::try_from(share).unwrap_or(length_bytes)
}

fn overwrite(path: &Path, place: u16, seed: u64, length_bytes: u64) -> io::Result<()> {
    let file = OpenOptions::new().write(true).open(path)?;
    let at = point(file.metadata()?.len(), place);
    let length = usize::try_from(length_bytes).map_err(io::Error::other)?;
    file.write_all_at(&random_bytes(seed, length), at)
}

fn overwrite_new(path: &Path) -> io::Result<()> {
    File::create_new(path)?.write_all_at(b"put here by an edit", 0)
}

fn remove(path: &Path) -> io::Result<()> {
    let is_folder = fs::symlink_metadata(path)?.is_dir();
    if is_folder { fs::remove_dir_all(path) } else { fs::remove_file(path) }
}

fn target(found: &Found, into: usize, name: &[u8]) -> PathBuf {
    let mut path = found.folder(into).as_os_str().as_bytes().to_vec();
    path.push(b'/');
    path.extend(name);
    PathBuf::from(std::ffi::OsString::from_vec(path))
}
