//! Local paths that commands are given: made absolute, compared, and new files made safely.

use std::ffi::OsStr;
use std::fs::File;
use std::io::Write;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Component, Path, PathBuf};

use crate::config::surroundings::Surroundings;
use crate::fault::Fault;

/// `path` absolute and without `.`, `..` and doubled `/`. Only what stands before a `..` is
/// followed through links, as the system does; the rest stays as it was given.
///
/// # Errors
/// A fault of usage if a folder before a `..` is not there.
pub fn absolute(path: &Path, around: &Surroundings) -> Result<PathBuf, Fault> {
    let mut clean = PathBuf::new();
    for component in around.absolute(path).components() {
        match component {
            Component::ParentDir => {
                clean = clean.canonicalize().map_err(|error| {
                    Fault::usage(format!("cannot find {}", path.display())).because(&error)
                })?;
                clean.pop();
            }
            Component::CurDir => {}
            other => clean.push(other),
        }
    }
    Ok(clean)
}

/// Whether `path` is `folder` or lies in it, links resolved; what does not exist yet is seen from
/// the deepest folder that does.
#[must_use]
pub fn is_inside(path: &Path, folder: &Path) -> bool {
    match (resolved(path), folder.canonicalize()) {
        (Some(path), Ok(folder)) => path.starts_with(folder),
        _ => false,
    }
}

/// Whether one of two folders lies in the other, or both are one; links resolved, what does not
/// exist yet included.
#[must_use]
pub fn overlap(one: &Path, other: &Path) -> bool {
    match (resolved(one), resolved(other)) {
        (Some(one), Some(other)) => one.starts_with(&other) || other.starts_with(&one),
        _ => false,
    }
}

fn resolved(path: &Path) -> Option<PathBuf> {
    let mut rest: Vec<&OsStr> = Vec::new();
    for existing in path.ancestors() {
        if let Ok(mut whole) = existing.canonicalize() {
            whole.extend(rest.iter().rev());
            return Some(whole);
        }
        rest.push(existing.file_name()?);
    }
    None
}

/// Device and inode number of a folder, if it is there.
#[must_use]
pub fn device_and_inode(folder: &Path) -> Option<(u64, u64)> {
    let metadata = std::fs::metadata(folder).ok()?;
    Some((metadata.dev(), metadata.ino()))
}

/// A new file that only its owner reads. It is made at once, so that a place that cannot be
/// written to is noticed before anything else is done, and removed again unless it is kept.
pub struct PrivateFile {
    path: PathBuf,
    file: Option<File>,
}

impl PrivateFile {
    /// Makes the file, empty.
    ///
    /// # Errors
    /// A fault of usage if it exists, of the local machine if it cannot be made.
    pub fn create(path: PathBuf, what: &str) -> Result<Self, Fault> {
        let made = File::options().write(true).create_new(true).mode(0o600).open(&path);
        match made {
            Ok(file) => Ok(Self { path, file: Some(file) }),
            Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {
                Err(Fault::usage(format!("{} exists already", path.display()))
                    .hint(format!("choose another name for {what}; no file is overwritten")))
            }
            Err(error) => {
                Err(Fault::local(format!("cannot make {}", path.display())).because(&error))
            }
        }
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Writes the content to the disk and keeps the file.
    ///
    /// # Errors
    /// A fault of the local machine; the file is removed then.
    pub fn keep(mut self, content: &[u8]) -> Result<PathBuf, Fault> {
        let Some(mut file) = self.file.take() else { return Ok(self.path.clone()) };
        if let Err(error) = file.write_all(content).and_then(|()| file.sync_all()) {
            self.file = Some(file);
            return Err(
                Fault::local(format!("cannot write {}", self.path.display())).because(&error)
            );
        }
        Ok(self.path.clone())
    }
}

impl Drop for PrivateFile {
    fn drop(&mut self) {
        if self.file.is_some() {
            // What cannot be removed is empty or incomplete and says so when it is used.
            let _ = std::fs::remove_file(&self.path);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn dots_are_followed_as_the_system_does_and_the_rest_stays() {
        let folder = tempfile::tempdir().expect("a folder");
        let root = folder.path().canonicalize().expect("a path");
        std::fs::create_dir_all(root.join("a/b")).expect("folders");
        std::os::unix::fs::symlink("a/b", root.join("link")).expect("a link");
        let mut around = Surroundings::isolated(&[]);
        around.current_dir = root.clone();
        let absolute = |path: &str| absolute(Path::new(path), &around).ok();
        assert_eq!(absolute("./x//y/."), Some(root.join("x/y")));
        assert_eq!(absolute("link"), Some(root.join("link")));
        assert_eq!(absolute("link/../c"), Some(root.join("a/c")));
        assert_eq!(absolute("missing/../c"), None);
        assert!(is_inside(&root.join("link/new/er"), &root.join("a")));
        assert!(!is_inside(&root.join("ab"), &root.join("a")));
    }

    #[test]
    fn a_private_file_is_private_new_and_gone_if_not_kept() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("key");
        drop(PrivateFile::create(path.clone(), "it").expect("a file"));
        assert!(!path.exists());
        let kept = PrivateFile::create(path.clone(), "it").expect("a file").keep(b"secret");
        assert!(kept.is_ok());
        let mode = path.metadata().expect("it is there").permissions().mode();
        assert_eq!(mode & 0o7777, 0o600);
        let again = PrivateFile::create(path.clone(), "it").map(|_| ()).map_err(|f| f.code());
        assert_eq!(again, Err("E_USAGE"));
        assert_eq!(std::fs::read(&path).expect("it is there"), b"secret");
    }
}
