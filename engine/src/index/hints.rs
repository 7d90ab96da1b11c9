//! Hints: the entries of a source's last run, for clients that cannot read snapshots back, and for
//! all others because they cost no request.
//!
//! The walk of the next run is merged with them: what has not changed is not read again. Entries
//! are grouped as the leaves of the tree that was committed, together with the leaves' ids; so a
//! leaf in which nothing changed is neither encoded nor hashed again, and its hints are copied as
//! they are. One file per source, streamed both ways in constant memory:
//!
//! ```text
//! leaf*    stored length u32 | raw length u32 | zstd( head | record* )
//! head     bounded u8 | node 32 | entry count u32 | total bytes u64
//! record   facts 66 | state u8 | shared length u32 | rest length u32 | entry length u32 | rest | entry
//! header   CBOR of HintsHeader
//! trailer  magic "MSTH" | version u8 | leaf count u64 | header length u32 | BLAKE3 32
//! ```
//!
//! Bit 0 of the state says that the entry is sound; those above it are the listing of a directory.
//! Keys are compressed against the key before them in the leaf. The hash covers every byte before
//! it and is checked over the whole file before any entry is believed; so a torn or damaged file is
//! the same as none, which costs one full re-read and never a wrong backup. The trailer stands at
//! the end because the root is known only when the run is over.

mod leaf;
mod reader;
mod writer;

use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use minicbor::{Decode, Encode};

use crate::base::id::{ChunkId, SessionId};
use crate::base::limits::KIB;
use crate::disk::owner::Owners;
use crate::index::error::IndexError;

pub use leaf::HintLeaf;
pub use reader::HintsReader;
pub use writer::HintsWriter;

const MAGIC: [u8; 4] = *b"MSTH";
const VERSION: u8 = 2;
const TRAILER_BYTES: usize = 4 + 1 + 8 + 4 + 32;
const BUFFER_BYTES: usize = 128 * KIB;

/// What the hints were made of.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct HintsHeader {
    /// The session that committed these entries.
    #[n(0)]
    pub session: SessionId,
    /// Epoch of the index at that time: with another epoch, the chunks that entries name may no
    /// longer be known.
    #[cbor(n(1), with = "minicbor::bytes")]
    pub epoch: [u8; 16],
    /// Root of the tree that was committed.
    #[n(2)]
    pub root: ChunkId,
    /// The owners that entries name, so that a change of a name is noticed without looking at
    /// every entry.
    #[n(3)]
    pub owners: Owners,
}

/// Removes the hints of source `name`, if there are any.
///
/// # Errors
/// [`IndexError::File`] if the file is there and cannot be removed.
pub fn remove(folder: &Path, name: &str) -> Result<(), IndexError> {
    let path = path(folder, name);
    match std::fs::remove_file(&path) {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        removed => removed.map_err(IndexError::file("removing", &path)),
    }
}

/// The file of a source: a hash of its name, so that every name is possible and none leads out.
fn path(folder: &Path, name: &str) -> PathBuf {
    folder.join("hints").join(file_name(name))
}

fn file_name(name: &str) -> String {
    blake3::hash(name.as_bytes()).to_hex()[..32].to_owned()
}

fn invalid(why: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> io::Error {
    io::Error::new(ErrorKind::InvalidData, why)
}

#[cfg(test)]
mod tests;
