//! What this machine has seen of chains: the copy that pins them, and who may write to it.
//!
//! One process at a time writes the copy and the chains that this machine signs; the lock is the
//! kernel's and goes with its process. Others read meanwhile, and keep nothing.

use std::collections::BTreeMap;
use std::fs::{DirBuilder, File, OpenOptions, TryLockError};
use std::io::{ErrorKind, Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use engine::base::id::ClientId;
use engine::base::limits::CONTROL_MAX_BYTES;

use crate::evidence::record::{SignedRecord, Writer};

/// Folder below the state folder of a repository.
pub(crate) const FOLDER: &str = "proof";

/// A file of the copy cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("{action} {path} failed")]
pub struct CopyError {
    /// What was done.
    pub action: &'static str,
    /// The file.
    pub path: PathBuf,
    /// The cause.
    pub source: std::io::Error,
}

impl CopyError {
    /// For `map_err`.
    pub(crate) fn during(action: &'static str, path: &Path) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self { action, path, source }
    }
}

/// The copy of all chains on this machine.
#[derive(Debug)]
pub struct LocalCopy {
    folder: PathBuf,
    /// Closing it releases the lock; `None` if another process holds it.
    lock: Option<File>,
}

impl LocalCopy {
    /// Below `state`; its folder is made if need be.
    ///
    /// # Errors
    /// If it cannot be used.
    pub fn open(state: &Path) -> Result<Self, CopyError> {
        let proof = state.join(FOLDER);
        let folder = proof.join("chains");
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(&folder)
            .map_err(CopyError::during("creating", &folder))?;
        let path = proof.join("lock");
        let file = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(&path)
            .map_err(CopyError::during("opening", &path))?;
        let lock = match file.try_lock() {
            Ok(()) => Some(file),
            Err(TryLockError::WouldBlock) => None,
            Err(TryLockError::Error(source)) => {
                return Err(CopyError::during("locking", &path)(source));
            }
        };
        Ok(Self { folder, lock })
    }

    /// Whether this process may write chains and copy.
    #[must_use]
    pub fn is_ours(&self) -> bool {
        self.lock.is_some()
    }

    /// Appends to the copy, if this process may: length as u32 little-endian, signed bytes.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn keep(&self, writer: Writer, records: &[SignedRecord]) -> Result<(), CopyError> {
        if records.is_empty() || !self.is_ours() {
            return Ok(());
        }
        let path = self.folder.join(writer.to_string());
        let bytes: Vec<u8> = records
            .iter()
            .flat_map(|one| {
                [&(one.signed.len() as u32).to_le_bytes(), one.signed.as_slice()].concat()
            })
            .collect();
        let append = || -> std::io::Result<()> {
            let mut file = OpenOptions::new().append(true).create(true).mode(0o600).open(&path)?;
            file.write_all(&bytes)?;
            file.sync_all()
        };
        append().map_err(CopyError::during("writing", &path))
    }

    /// Whose chains are kept.
    ///
    /// # Errors
    /// If the folder cannot be read.
    pub fn writers(&self) -> Result<Vec<Writer>, CopyError> {
        let failed = |source| CopyError::during("reading", &self.folder)(source);
        let mut writers = Vec::new();
        for entry in std::fs::read_dir(&self.folder).map_err(failed)? {
            let name = entry.map_err(failed)?.file_name().to_string_lossy().into_owned();
            if let Ok(client) = ClientId::from_hex(&name) {
                writers.push(Writer(*client.as_bytes()));
            }
        }
        writers.sort_unstable();
        Ok(writers)
    }

    /// Visits what was kept of a chain, record by record. A copy that a crash cut short ends with
    /// its last whole record.
    ///
    /// # Errors
    /// If it cannot be read.
    pub fn each(&self, writer: Writer, visit: &mut dyn FnMut(Vec<u8>)) -> Result<(), CopyError> {
        let path = self.folder.join(writer.to_string());
        let failed = |source| CopyError::during("reading", &path)(source);
        let mut file = match File::open(&path) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
            opened => std::io::BufReader::new(opened.map_err(failed)?),
        };
        let mut whole_bytes = 0;
        while let Some(signed) = read_one(&mut file).map_err(failed)? {
            whole_bytes += 4 + signed.len() as u64;
            visit(signed);
        }
        if self.is_ours() && file.get_ref().metadata().map_err(failed)?.len() != whole_bytes {
            let writable = OpenOptions::new().write(true).open(&path).map_err(failed)?;
            writable.set_len(whole_bytes).map_err(failed)?;
        }
        Ok(())
    }

    /// The newest record of every chain that was kept.
    ///
    /// # Errors
    /// If it cannot be read.
    pub fn heads(&self) -> Result<BTreeMap<Writer, SignedRecord>, CopyError> {
        let mut heads = BTreeMap::new();
        for writer in self.writers()? {
            let mut last = None;
            self.each(writer, &mut |signed| last = Some(signed))?;
            // What is kept was verified before.
            if let Some(Ok(head)) = last.map(SignedRecord::parse) {
                heads.insert(writer, head);
            }
        }
        Ok(heads)
    }
}

fn read_one(file: &mut impl Read) -> std::io::Result<Option<Vec<u8>>> {
    let mut length = [0; 4];
    let mut filled = 0;
    while filled < length.len() {
        match file.read(&mut length[filled..])? {
            0 => return Ok(None),
            count => filled += count,
        }
    }
    let length = u32::from_le_bytes(length) as usize;
    if length > CONTROL_MAX_BYTES {
        return Ok(None);
    }
    let mut record = Vec::new();
    file.take(length as u64).read_to_end(&mut record)?;
    Ok((record.len() == length).then_some(record))
}
