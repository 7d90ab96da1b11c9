//! Hints: the entries of a source's last run, for clients that cannot read snapshots back.
//!
//! The walk of the next run is merged with them: what has not changed is not read again. One file
//! per source, streamed both ways in constant memory:
//!
//! ```text
//! zstd( record* )  record: rest length u32 | shared length u32 | entry length u32 | rest | entry
//! header           CBOR of HintsHeader
//! trailer          magic "MSTH" | version u8 | entry count u64 | header length u32 | BLAKE3 32
//! ```
//!
//! Keys are compressed against the key before them. The hash covers every byte before it and is
//! checked over the whole file before any entry is believed; so a torn or damaged file is the same
//! as none, which costs one full re-read and never a wrong backup. The trailer stands at the end
//! because the root is known only when the run is over.

use std::fs::{DirBuilder, File};
use std::io::{self, BufReader, BufWriter, ErrorKind, Read, Seek, SeekFrom, Take, Write};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use minicbor::{Decode, Encode};
use tempfile::NamedTempFile;

use crate::base::codec::{Cursor, PutLe};
use crate::base::id::{ChunkId, SessionId};
use crate::base::limits::{CONTROL_MAX_BYTES, HINT_RECORD_MAX_BYTES, KIB, PATH_MAX_BYTES};
use crate::format::entry::Entry;
use crate::index::error::IndexError;

const MAGIC: [u8; 4] = *b"MSTH";
const VERSION: u8 = 1;
const TRAILER_BYTES: usize = 4 + 1 + 8 + 4 + 32;
const RECORD_HEADER_BYTES: usize = 12;
/// The fastest regular level: entries are small beside the files they speak of.
const ZSTD_LEVEL: i32 = 1;
/// Decompression needs no larger window than the level above makes.
const ZSTD_WINDOW_LOG_MAX: u32 = 22;
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
}

/// Writes the hints of one source; they replace the old ones when finished, never before.
pub struct HintsWriter {
    file: zstd::Encoder<'static, Hashing>,
    target: PathBuf,
    last_key: Vec<u8>,
    record: Vec<u8>,
    entry_count: u64,
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
            let prefix = leftover_prefix(name);
            remove_leftovers(&folder, &prefix)?;
            let file = tempfile::Builder::new().prefix(&prefix).tempfile_in(&folder)?;
            let file = BufWriter::with_capacity(BUFFER_BYTES, file);
            zstd::Encoder::new(Hashing { file, hasher: blake3::Hasher::new() }, ZSTD_LEVEL)
        };
        let file = begin().map_err(IndexError::file("creating", &target))?;
        Ok(Self { file, target, last_key: Vec::new(), record: Vec::new(), entry_count: 0 })
    }

    /// Adds an entry. Keys must rise; the root's key is empty and comes first.
    ///
    /// # Errors
    /// [`IndexError::Hints`] for a key out of order or an entry beyond all limits,
    /// [`IndexError::File`] if the file cannot be written.
    pub fn push(&mut self, key: &[u8], entry: &Entry) -> Result<(), IndexError> {
        if self.entry_count > 0 && key <= self.last_key.as_slice() {
            return Err(IndexError::Hints { what: "a key out of order" });
        }
        if key.len() > PATH_MAX_BYTES {
            return Err(IndexError::Hints { what: "a path beyond all limits" });
        }
        let shared = self.last_key.iter().zip(key).take_while(|(a, b)| a == b).count();
        let rest = &key[shared..];
        self.record.clear();
        self.record.put_u32(rest.len() as u32);
        self.record.put_u32(shared as u32);
        self.record.put_u32(0);
        self.record.put(rest);
        let entry_start = self.record.len();
        minicbor::encode(entry, &mut self.record)
            .map_err(|_| IndexError::Hints { what: "an entry that does not encode" })?;
        let entry_bytes = self.record.len() - entry_start;
        if entry_bytes > HINT_RECORD_MAX_BYTES {
            return Err(IndexError::Hints { what: "an entry beyond all limits" });
        }
        self.record[8..RECORD_HEADER_BYTES].copy_from_slice(&(entry_bytes as u32).to_le_bytes());
        self.file.write_all(&self.record).map_err(IndexError::file("writing", &self.target))?;
        self.last_key.truncate(shared);
        self.last_key.extend_from_slice(rest);
        self.entry_count += 1;
        Ok(())
    }

    /// Ends the file, brings it to the disk and puts it in the place of the old one. A writer that
    /// is dropped instead leaves the old one as it is.
    ///
    /// # Errors
    /// [`IndexError::File`] if any of it fails; the old hints are then still there.
    pub fn finish(self, header: &HintsHeader) -> Result<(), IndexError> {
        let Self { file, target, entry_count, .. } = self;
        let end = || {
            let mut out = file.finish()?;
            let header = minicbor::to_vec(header).map_err(invalid)?;
            let mut tail = header.clone();
            tail.put(&MAGIC);
            tail.put_u8(VERSION);
            tail.put_u64(entry_count);
            tail.put_u32(header.len() as u32);
            out.write_all(&tail)?;
            let hash = out.hasher.finalize();
            let mut file = out.file;
            file.write_all(hash.as_bytes())?;
            let file = file.into_inner().map_err(io::IntoInnerError::into_error)?;
            file.as_file().sync_all()?;
            file.persist(&target)?;
            target.parent().map_or(Ok(()), |folder| File::open(folder)?.sync_all())
        };
        end().map_err(IndexError::file("writing", &target))
    }
}

/// Reads the hints of one source, entry by entry in tree order.
pub struct HintsReader {
    file: zstd::Decoder<'static, BufReader<Take<File>>>,
    path: PathBuf,
    key: Vec<u8>,
    record: Vec<u8>,
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
        let mut file = zstd::Decoder::with_buffer(BufReader::with_capacity(
            BUFFER_BYTES,
            file.take(header_start),
        ))?;
        file.window_log_max(ZSTD_WINDOW_LOG_MAX)?;
        let reader =
            Self { file, path: path.to_owned(), key: Vec::new(), record: Vec::new(), left };
        Ok(Some((reader, header)))
    }

    fn read_entry(&mut self) -> io::Result<(Vec<u8>, Entry)> {
        let mut lengths = [0; RECORD_HEADER_BYTES];
        self.file.read_exact(&mut lengths)?;
        let mut cursor = Cursor::new(&lengths);
        let mut length = || cursor.u32().map(|length| length as usize).map_err(invalid);
        let (rest, shared, entry) = (length()?, length()?, length()?);
        if shared > self.key.len()
            || shared + rest > PATH_MAX_BYTES
            || entry > HINT_RECORD_MAX_BYTES
        {
            return Err(invalid("a length is out of range"));
        }
        self.record.resize(rest + entry, 0);
        self.file.read_exact(&mut self.record)?;
        self.key.truncate(shared);
        self.key.extend_from_slice(&self.record[..rest]);
        let entry = minicbor::decode(&self.record[rest..]).map_err(invalid)?;
        Ok((self.key.clone(), entry))
    }
}

impl Iterator for HintsReader {
    type Item = Result<(Vec<u8>, Entry), IndexError>;

    /// The next key and entry. After an error nothing follows.
    fn next(&mut self) -> Option<Self::Item> {
        self.left = self.left.checked_sub(1)?;
        let read = self.read_entry();
        if read.is_err() {
            self.left = 0;
        }
        Some(read.map_err(IndexError::file("reading", &self.path)))
    }
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

/// Hashes what goes into a file.
struct Hashing {
    file: BufWriter<NamedTempFile>,
    hasher: blake3::Hasher,
}

impl Write for Hashing {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.file.write(bytes)?;
        self.hasher.update(&bytes[..written]);
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

/// Number of entries and length of the header.
fn decode_trailer(trailer: &[u8]) -> Option<(u64, u64)> {
    let mut cursor = Cursor::new(trailer);
    let known = cursor.array() == Ok(MAGIC) && cursor.u8() == Ok(VERSION);
    let (entry_count, header_bytes) = (cursor.u64().ok()?, cursor.u32().ok()?);
    (known && header_bytes as usize <= CONTROL_MAX_BYTES)
        .then_some((entry_count, u64::from(header_bytes)))
}

/// The file of a source: a hash of its name, so that every name is possible and none leads out.
fn path(folder: &Path, name: &str) -> PathBuf {
    folder.join("hints").join(file_name(name))
}

fn file_name(name: &str) -> String {
    blake3::hash(name.as_bytes()).to_hex()[..32].to_owned()
}

fn leftover_prefix(name: &str) -> String {
    format!("{}.new-", file_name(name))
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

fn invalid(why: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> io::Error {
    io::Error::new(ErrorKind::InvalidData, why)
}

#[cfg(test)]
mod tests;
