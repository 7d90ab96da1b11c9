//! What can go wrong with keys, sealed bytes, signatures and recovery phrases.
//!
//! Authentication never says why it failed: a wrong key, a flipped bit and bytes moved to another
//! place look the same, and must. A caller that knows more (a passphrase was just typed in) gives
//! the failure its own meaning.

use crate::base::error::{Classified, ErrorClass};

/// Why a cryptographic operation failed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CryptError {
    /// The bytes are damaged, forged, moved from elsewhere, or sealed with another key.
    #[error("the {what} does not authenticate")]
    Forged {
        /// What was opened or verified.
        what: &'static str,
    },
    /// As [`CryptError::Forged`], for a block of a pack.
    #[error("block {block} does not authenticate")]
    ForgedBlock {
        /// Number of the block in its pack.
        block: u32,
    },
    /// The bytes are no public key of the suite, or one that no secret key can belong to.
    #[error("{length_bytes} bytes are not a public key of suite {suite}")]
    PublicKey {
        /// Code of the suite.
        suite: u8,
        /// How many bytes the key has.
        length_bytes: usize,
    },
    /// The cost of stretching a passphrase is beyond what is allowed or possible.
    #[error("cannot stretch a passphrase with {memory_kib} KiB, {passes} passes, {lanes} lanes")]
    KdfCost {
        /// Memory in KiB.
        memory_kib: u32,
        /// Passes over the memory.
        passes: u32,
        /// Lanes.
        lanes: u32,
    },
    /// This machine does not have the memory that stretching a passphrase takes.
    #[error("stretching the passphrase needs {memory_kib} KiB of memory, which are not there")]
    KdfMemory {
        /// Memory in KiB.
        memory_kib: u32,
    },
    /// A recovery phrase has too few or too many words.
    #[error("the recovery phrase has {word_count} words instead of 24")]
    PhraseLength {
        /// How many words were given.
        word_count: usize,
    },
    /// A recovery phrase has a word that is not in the list.
    #[error("word {word_number} of the recovery phrase is not in the word list")]
    PhraseWord {
        /// Which word, counted from 1.
        word_number: usize,
    },
    /// All words of a recovery phrase exist, but they do not belong together.
    #[error("the recovery phrase has a wrong or misplaced word: its checksum does not match")]
    PhraseChecksum,
}

impl Classified for CryptError {
    fn class(&self) -> ErrorClass {
        match self {
            Self::Forged { .. } | Self::ForgedBlock { .. } | Self::PublicKey { .. } => {
                ErrorClass::Corrupt
            }
            Self::KdfMemory { .. } => ErrorClass::Local,
            Self::KdfCost { .. }
            | Self::PhraseLength { .. }
            | Self::PhraseWord { .. }
            | Self::PhraseChecksum => ErrorClass::Usage,
        }
    }
}
