//! One writer to a state folder at a time.
//!
//! The lock is the kernel's (`flock`), so it goes when its process goes, however that ends. The
//! file stays: removing it would let two processes lock two files of one name. It protects the
//! local state only; several machines need no lock between them.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read, Seek, SeekFrom, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use crate::index::database::make_folder;
use crate::index::error::IndexError;

/// Holds the lock of a state folder until it is dropped.
#[derive(Debug)]
pub struct StateLock {
    /// Closing it releases the lock.
    _file: File,
}

impl StateLock {
    /// Locks `folder`, which is made (mode 0700) if need be, without waiting.
    ///
    /// # Errors
    /// [`IndexError::Busy`] with the holder's process id if another process or thread holds it;
    /// [`IndexError::File`] if the folder cannot be used.
    pub fn acquire(folder: &Path) -> Result<Self, IndexError> {
        make_folder(folder)?;
        let path = folder.join("lock");
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(&path)
            .map_err(IndexError::file("opening", &path))?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let pid = read_pid(&mut file);
                return Err(IndexError::Busy { folder: folder.to_owned(), pid });
            }
            Err(TryLockError::Error(source)) => {
                return Err(IndexError::file("locking", &path)(source));
            }
        }
        write_pid(&mut file).map_err(IndexError::file("writing", &path))?;
        Ok(Self { _file: file })
    }
}

fn read_pid(file: &mut File) -> Option<u32> {
    let mut text = String::new();
    file.take(16).read_to_string(&mut text).ok()?;
    text.trim().parse().ok()
}

/// For people who ask who holds the lock; nothing is decided by it.
fn write_pid(file: &mut File) -> Result<(), std::io::Error> {
    file.set_len(0)?;
    file.seek(SeekFrom::Start(0))?;
    writeln!(file, "{}", std::process::id())
}

#[cfg(test)]
mod tests {
    use std::io::BufRead;
    use std::process::{Command, Stdio};

    use super::*;
    use crate::base::error::{Classified, ErrorClass};

    #[test]
    fn one_thread_at_a_time_and_the_holder_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let held = StateLock::acquire(&folder.path().join("state")).unwrap();
        let second = std::thread::scope(|scope| {
            scope.spawn(|| StateLock::acquire(&folder.path().join("state"))).join().unwrap()
        });
        let error = second.unwrap_err();
        assert_eq!(error.class(), ErrorClass::Conflict);
        assert!(error.to_string().contains(&std::process::id().to_string()), "{error}");
        drop(held);
        StateLock::acquire(&folder.path().join("state")).unwrap();
    }

    /// The other process of the test below, in its current folder.
    #[test]
    #[ignore = "started by the_lock_goes_with_its_process"]
    fn hold_the_lock_until_killed() {
        if !Path::new("child").exists() {
            return;
        }
        let _held = StateLock::acquire(Path::new(".")).unwrap();
        writeln!(std::io::stdout(), "locked").unwrap();
        std::io::stdin().read_line(&mut String::new()).unwrap();
    }

    #[test]
    fn the_lock_goes_with_its_process() {
        let folder = tempfile::tempdir().unwrap();
        File::create(folder.path().join("child")).unwrap();
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--ignored", "--exact", "--nocapture"])
            .arg("index::lock::tests::hold_the_lock_until_killed")
            .current_dir(folder.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = std::io::BufReader::new(child.stdout.take().unwrap()).lines();
        assert!(lines.map_while(Result::ok).any(|line| line.contains("locked")));
        match StateLock::acquire(folder.path()) {
            Err(IndexError::Busy { pid, .. }) => assert_eq!(pid, Some(child.id())),
            other => panic!("another process holds the lock, yet: {other:?}"),
        }
        child.kill().unwrap();
        child.wait().unwrap();
        StateLock::acquire(folder.path()).unwrap();
    }
}
