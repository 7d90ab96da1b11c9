//! Secrets of channels: in files of their own, never in a configuration, a log or an error.

use std::fmt;
use std::io::Read;
use std::path::{Path, PathBuf};

use engine::disk::trust::{self, Distrust, Purpose};
use zeroize::Zeroizing;

/// No secret is longer; a wrong file is noticed before it fills memory.
const FILE_MAX_BYTES: u64 = 16 * 1024;

/// A secret that is not printed.
#[derive(Clone)]
pub struct Secret(Zeroizing<String>);

impl fmt::Debug for Secret {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        to.write_str("Secret(…)")
    }
}

/// Why a secret cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum SecretError {
    /// The file cannot be read.
    #[error("cannot read the secret file {}", path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// Others can read it.
    #[error("the secret file is not safe: {0}")]
    Distrusted(#[from] Distrust),
    /// It holds nothing, or too much.
    #[error("the secret file {} {why}", path.display())]
    Content {
        /// Which.
        path: PathBuf,
        /// What is wrong with it, without a word of it.
        why: &'static str,
    },
}

impl Secret {
    /// The text itself, only to be used where it is needed.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// From text of a test or of another file.
    #[must_use]
    pub fn of(text: String) -> Self {
        Self(Zeroizing::new(text))
    }

    /// Reads a file that only its owner can read; white space around the secret does not count.
    ///
    /// # Errors
    /// [`SecretError`] if it cannot be read, others can read it, or it is empty or too long.
    pub fn read(path: &Path) -> Result<Self, SecretError> {
        let failed = |source| SecretError::File { path: path.to_owned(), source };
        let content = |why| SecretError::Content { path: path.to_owned(), why };
        let file = std::fs::File::open(path).map_err(failed)?;
        trust::judge(path, &file.metadata().map_err(failed)?, Purpose::Secret)?;
        let mut text = Zeroizing::new(String::new());
        let read = file.take(FILE_MAX_BYTES + 1).read_to_string(&mut text);
        match read {
            Err(error) if error.kind() == std::io::ErrorKind::InvalidData => {
                return Err(content("is not text"));
            }
            read => read.map_err(failed)?,
        };
        if text.len() as u64 > FILE_MAX_BYTES {
            return Err(content("is too long"));
        }
        match text.trim() {
            "" => Err(content("is empty")),
            secret => Ok(Self(Zeroizing::new(secret.to_owned()))),
        }
    }
}
