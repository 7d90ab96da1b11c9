//! Reads the hints of one source, leaf by leaf in tree order.

use std::fs::File;
use std::io::{self, BufReader, ErrorKind, Read, Seek, SeekFrom, Take};
use std::path::{Path, PathBuf};

use zstd::bulk::Decompressor;

use crate::base::codec::Cursor;
use crate::base::limits::{HINT_HEADER_MAX_BYTES, HINT_LEAF_MAX_BYTES};
use crate::index::error::IndexError;
use crate::index::hints::{
    BUFFER_BYTES, HintLeaf, HintsHeader, MAGIC, TRAILER_BYTES, VERSION, invalid, path, remove,
};

/// Iterates over leaves.
pub struct HintsReader {
    file: BufReader<Take<File>>,
    decompressor: Decompressor<'static>,
    path: PathBuf,
    left: u64,
}

impl HintsReader {
    /// Opens the hints of source `name`, hashing the whole file first. `None` if there are none,
    /// also if they were damaged or of another version; such a file is removed.
    ///
    /// # Errors
    /// [`IndexError::File`] if a file is there that cannot be read or removed.
    pub fn open(folder: &Path, name: &str) -> Result<Option<(Self, HintsHeader)>, IndexError> {
        let path = path(folder, name);
        let file = match File::open(&path) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            opened => opened.map_err(IndexError::file("opening", &path))?,
        };
        match Self::verify(file, &path).map_err(IndexError::file("reading", &path))? {
            Some(opened) => Ok(Some(opened)),
            None => {
                remove(folder, name)?;
                Ok(None)
            }
        }
    }

    fn verify(mut file: File, path: &Path) -> io::Result<Option<(Self, HintsHeader)>> {
        let Some(tail_start) = file.metadata()?.len().checked_sub(TRAILER_BYTES as u64) else {
            return Ok(None);
        };
        let mut hasher = blake3::Hasher::new();
        hasher.update_reader((&mut file).take(tail_start + (TRAILER_BYTES - 32) as u64))?;
        file.seek(SeekFrom::Start(tail_start))?;
        let mut trailer = [0; TRAILER_BYTES];
        file.read_exact(&mut trailer)?;
        if hasher.finalize().as_bytes()[..] != trailer[TRAILER_BYTES - 32..] {
            return Ok(None);
        }
        let Some((left, header_bytes)) = decode_trailer(&trailer) else { return Ok(None) };
        let Some(header_start) = tail_start.checked_sub(header_bytes) else { return Ok(None) };
        let mut header = vec![0; header_bytes as usize];
        file.seek(SeekFrom::Start(header_start))?;
        file.read_exact(&mut header)?;
        let Ok(header) = minicbor::decode(&header) else { return Ok(None) };
        file.seek(SeekFrom::Start(0))?;
        let file = BufReader::with_capacity(BUFFER_BYTES, file.take(header_start));
        let decompressor = Decompressor::new()?;
        Ok(Some((Self { file, decompressor, path: path.to_owned(), left }, header)))
    }

    fn read_leaf(&mut self) -> io::Result<HintLeaf> {
        let mut stored = vec![0; 8];
        self.file.read_exact(&mut stored)?;
        let mut cursor = Cursor::new(&stored);
        let mut length = || cursor.u32().map(|length| length as usize).map_err(invalid);
        let (stored_bytes, raw_bytes) = (length()?, length()?);
        if stored_bytes > 2 * HINT_LEAF_MAX_BYTES || raw_bytes > HINT_LEAF_MAX_BYTES {
            return Err(invalid("a length is out of range"));
        }
        stored.resize(8 + stored_bytes, 0);
        self.file.read_exact(&mut stored[8..])?;
        let body = self.decompressor.decompress(&stored[8..], raw_bytes)?;
        HintLeaf::decode(stored, body).map_err(invalid)
    }
}

impl Iterator for HintsReader {
    type Item = Result<HintLeaf, IndexError>;

    /// The next leaf. After an error nothing follows.
    fn next(&mut self) -> Option<Self::Item> {
        self.left = self.left.checked_sub(1)?;
        let read = self.read_leaf();
        if read.is_err() {
            self.left = 0;
        }
        Some(read.map_err(IndexError::file("reading", &self.path)))
    }
}

/// Number of leaves and length of the header.
fn decode_trailer(trailer: &[u8]) -> Option<(u64, u64)> {
    let mut cursor = Cursor::new(trailer);
    let known = cursor.array() == Ok(MAGIC) && cursor.u8() == Ok(VERSION);
    let (leaf_count, header_bytes) = (cursor.u64().ok()?, cursor.u32().ok()?);
    (known && header_bytes as usize <= HINT_HEADER_MAX_BYTES)
        .then_some((leaf_count, u64::from(header_bytes)))
}
