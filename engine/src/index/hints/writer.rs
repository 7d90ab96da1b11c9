//! Writes the hints of one source; they replace the old ones when finished, never before.

use std::fs::DirBuilder;
use std::io::{self, BufWriter, Write};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use tempfile::NamedTempFile;
use zstd::bulk::Compressor;

use crate::base::codec::PutLe;
use crate::base::limits::{HINT_LEAF_MAX_BYTES, PATH_MAX_BYTES};
use crate::format::entry::Entry;
use crate::format::node::Child;
use crate::index::error::IndexError;
use crate::index::hints::leaf::encode;
use crate::index::hints::{
    BUFFER_BYTES, HintLeaf, HintsHeader, MAGIC, VERSION, file_name, invalid, path,
};

/// The fastest regular level: entries are small beside the files they speak of.
const ZSTD_LEVEL: i32 = 1;

/// Writes hints, leaf by leaf.
pub struct HintsWriter {
    file: Hashing,
    compressor: Compressor<'static>,
    target: PathBuf,
    last_key: Option<Vec<u8>>,
    body: Vec<u8>,
    leaf_count: u64,
}

impl HintsWriter {
    /// Begins the hints of source `name` (any text) in `folder/hints`.
    ///
    /// # Errors
    /// [`IndexError::File`] if the folder or a file in it cannot be made.
    pub fn create(folder: &Path, name: &str) -> Result<Self, IndexError> {
        let target = path(folder, name);
        let folder = folder.join("hints");
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(&folder)
            .map_err(IndexError::file("creating", &folder))?;
        let begin = || {
            let prefix = format!("{}.new-", file_name(name));
            remove_leftovers(&folder, &prefix)?;
            let file = tempfile::Builder::new().prefix(&prefix).tempfile_in(&folder)?;
            let file = BufWriter::with_capacity(BUFFER_BYTES, file);
            let compressor = Compressor::new(ZSTD_LEVEL)?;
            Ok((Hashing { file, hasher: blake3::Hasher::new() }, compressor))
        };
        let (file, compressor) = begin().map_err(IndexError::file("creating", &target))?;
        Ok(Self { file, compressor, target, last_key: None, body: Vec::new(), leaf_count: 0 })
    }

    /// Adds the leaf `child` with its entries. Keys must rise; the root's key is empty and comes
    /// first.
    ///
    /// # Errors
    /// [`IndexError::Hints`] for a key out of order or entries beyond all limits,
    /// [`IndexError::File`] if the file cannot be written.
    pub fn push_leaf(
        &mut self,
        child: &Child,
        is_bounded: bool,
        entries: &[(Vec<u8>, Entry)],
    ) -> Result<(), IndexError> {
        let Some((first, _)) = entries.first() else { return Ok(()) };
        let rises = entries.is_sorted_by(|(a, _), (b, _)| a < b);
        self.advance(first, &child.last_key, rises)?;
        if entries.iter().any(|(key, _)| key.len() > PATH_MAX_BYTES) {
            return Err(IndexError::Hints { what: "a path beyond all limits" });
        }
        self.body.clear();
        encode(&mut self.body, child, is_bounded, entries)?;
        if self.body.len() > HINT_LEAF_MAX_BYTES {
            return Err(IndexError::Hints { what: "an entry beyond all limits" });
        }
        let mut write = || {
            let squeezed = self.compressor.compress(&self.body)?;
            let mut lengths = Vec::with_capacity(8);
            lengths.put_u32(squeezed.len() as u32);
            lengths.put_u32(self.body.len() as u32);
            self.file.write_all(&lengths)?;
            self.file.write_all(&squeezed)
        };
        write().map_err(IndexError::file("writing", &self.target))
    }

    /// Adds a leaf of earlier hints as it is.
    ///
    /// # Errors
    /// As [`HintsWriter::push_leaf`].
    pub fn copy_leaf(&mut self, leaf: &HintLeaf) -> Result<(), IndexError> {
        self.advance(leaf.key(0), &leaf.child.last_key, true)?;
        self.file.write_all(&leaf.stored).map_err(IndexError::file("writing", &self.target))
    }

    fn advance(&mut self, first: &[u8], last: &[u8], rises: bool) -> Result<(), IndexError> {
        if !rises || self.last_key.as_deref().is_some_and(|before| before >= first) {
            return Err(IndexError::Hints { what: "a key out of order" });
        }
        self.last_key = Some(last.to_vec());
        self.leaf_count += 1;
        Ok(())
    }

    /// Ends the file and puts it in the place of the old one. A writer that is dropped instead leaves
    /// the old one as it is.
    ///
    /// # Errors
    /// [`IndexError::File`] if any of it fails; the old hints are then still there.
    pub fn finish(self, header: &HintsHeader) -> Result<(), IndexError> {
        let Self { file: mut out, target, leaf_count, .. } = self;
        let end = || {
            let header = minicbor::to_vec(header).map_err(invalid)?;
            let mut tail = header.clone();
            tail.put(&MAGIC);
            tail.put_u8(VERSION);
            tail.put_u64(leaf_count);
            tail.put_u32(header.len() as u32);
            out.write_all(&tail)?;
            let hash = out.hasher.finalize();
            let mut file = out.file;
            file.write_all(hash.as_bytes())?;
            let file = file.into_inner().map_err(io::IntoInnerError::into_error)?;
            // Not synced: what a loss of power leaves is noticed by its hash and costs one reading.
            file.persist(&target)?;
            Ok(())
        };
        end().map_err(IndexError::file("writing", &target))
    }
}

/// Hashes what goes into a file.
struct Hashing {
    file: BufWriter<NamedTempFile>,
    hasher: blake3::Hasher,
}

impl Hashing {
    fn write_all(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.hasher.update(bytes);
        self.file.write_all(bytes)
    }
}

/// Removes what a run that was killed left unfinished.
fn remove_leftovers(folder: &Path, prefix: &str) -> io::Result<()> {
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        if entry.file_name().as_encoded_bytes().starts_with(prefix.as_bytes()) {
            std::fs::remove_file(entry.path())?;
        }
    }
    Ok(())
}
