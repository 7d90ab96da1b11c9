//! PostgreSQL dumps in custom format: the table of contents, and every block of data to its end.
//!
//! The layout is that of `pg_backup_archiver.c` and `pg_backup_custom.c`, versions 1.12 to 1.16
//! (PostgreSQL 9.0 to 18).

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, BufReader, Read};
use std::path::Path;

use flate2::read::ZlibDecoder;

use crate::probe::stream::{self, Coding};
use crate::probe::verdict::{Bounded, Limits, Verdict, broken, drain, judge};

/// First bytes of a dump in custom format.
pub const MAGIC: &[u8; 5] = b"PGDMP";

const TEXT_MAX_BYTES: i64 = 256 << 20;
const ENTRIES_MAX: i64 = 10_000_000;
const DATA_BLOCK: u8 = 1;
const BLOBS_BLOCK: u8 = 3;
const OFFSET_SET: u8 = 2;
const OFFSET_NONE: u8 = 3;

/// Walks a dump.
#[must_use]
pub fn look(path: &Path, limits: &Limits) -> Verdict {
    match File::open(path) {
        Ok(file) => look_at(BufReader::new(file), limits),
        Err(error) => Verdict::NotProved(error.to_string()),
    }
}

/// Walks one that may come out of a stream.
#[must_use]
pub fn look_at(reader: impl Read, limits: &Limits) -> Verdict {
    let bounded = Bounded::new(reader, limits.decoded_bytes);
    let mut dump = match Dump::open(Counted { inner: bounded, at: 0 }) {
        Ok(Ok(dump)) => dump,
        Ok(Err(doubt)) => return Verdict::NotProved(doubt),
        Err(error) => return Verdict::Failed(in_words(&error)),
    };
    let doubt = (dump.compression == Compression::Other)
        .then(|| "its data is compressed in a way that is not read here".to_owned());
    match (judge(dump.walk(limits)), doubt) {
        (Verdict::Passed, Some(doubt)) => Verdict::NotProved(doubt),
        (Verdict::Failed(why), _) if why == "failed to fill whole buffer" => {
            Verdict::Failed("it ends too early".to_owned())
        }
        (verdict, _) => verdict,
    }
}

/// Knows where it is.
struct Counted<R> {
    inner: R,
    at: u64,
}

impl<R: Read> Read for Counted<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.inner.read(buffer)?;
        self.at += count as u64;
        Ok(count)
    }
}

fn in_words(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::UnexpectedEof => "it ends too early".to_owned(),
        _ => error.to_string(),
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Compression {
    None,
    Zlib,
    Zstd,
    Other,
}

struct Dump<R> {
    file: Counted<R>,
    version: u32,
    int_bytes: usize,
    offset_bytes: usize,
    compression: Compression,
}

impl<R: Read> Dump<R> {
    /// Reads the head; the inner error says what is not known here.
    fn open(mut file: Counted<R>) -> io::Result<Result<Self, String>> {
        let mut head = [0; 11];
        file.read_exact(&mut head)?;
        if head[..5] != *MAGIC {
            return Err(broken("it does not begin as a dump"));
        }
        let version = u32::from(head[5]) << 8 | u32::from(head[6]);
        let (int_bytes, offset_bytes) = (usize::from(head[8]), usize::from(head[9]));
        if !(0x010c..=0x0110).contains(&version) {
            return Ok(Err(format!("dumps of version {}.{} are not known", head[5], head[6])));
        }
        if head[10] != 1 || !(2..=8).contains(&int_bytes) || !(4..=8).contains(&offset_bytes) {
            return Err(broken("its head says what cannot be"));
        }
        let mut dump =
            Self { file, version, int_bytes, offset_bytes, compression: Compression::None };
        dump.compression = match version {
            0x010f.. => match dump.byte()? {
                0 => Compression::None,
                1 => Compression::Zlib,
                3 => Compression::Zstd,
                _ => Compression::Other,
            },
            _ if dump.int()? == 0 => Compression::None,
            _ => Compression::Zlib,
        };
        // Time of creation, name of the database, versions of server and program.
        for _ in 0..7 {
            dump.int()?;
        }
        for _ in 0..3 {
            dump.text()?;
        }
        Ok(Ok(dump))
    }

    fn byte(&mut self) -> io::Result<u8> {
        let mut byte = [0];
        self.file.read_exact(&mut byte)?;
        Ok(byte[0])
    }

    fn int(&mut self) -> io::Result<i64> {
        let is_negative = self.byte()? != 0;
        let mut bytes = [0; 8];
        self.file.read_exact(&mut bytes[..self.int_bytes])?;
        let value = u64::from_le_bytes(bytes) as i64;
        Ok(if is_negative { value.wrapping_neg() } else { value })
    }

    /// Reads over a text; answers whether there is one.
    fn text(&mut self) -> io::Result<Option<Vec<u8>>> {
        let length = self.int()?;
        match length {
            ..0 => Ok(None),
            0..=TEXT_MAX_BYTES => {
                let mut text = Vec::new();
                let read = self.file.by_ref().take(length as u64).read_to_end(&mut text)?;
                if (read as i64) < length {
                    return Err(io::ErrorKind::UnexpectedEof.into());
                }
                Ok(Some(text))
            }
            _ => Err(broken("a text in its contents is longer than any")),
        }
    }

    /// One entry of the contents: its number, and where its data is, if it has some.
    fn entry(&mut self) -> io::Result<Option<(i64, Option<u64>)>> {
        let number = self.int()?;
        let has_data = self.int()? != 0;
        // Identity, name, kind.
        for _ in 0..4 {
            self.text()?;
        }
        self.int()?;
        // How to make, to drop, to copy; schema and table space.
        for _ in 0..5 {
            self.text()?;
        }
        if self.version >= 0x010e {
            self.text()?;
        }
        if self.version >= 0x0110 {
            self.int()?;
        }
        // Owner and a word that is always `false`, then what it depends on.
        for _ in 0..2 {
            self.text()?;
        }
        while self.text()?.is_some() {}
        let state = self.byte()?;
        let mut bytes = [0; 8];
        self.file.read_exact(&mut bytes[..self.offset_bytes])?;
        match state {
            OFFSET_NONE => Ok(None),
            OFFSET_SET => Ok(Some((number, Some(u64::from_le_bytes(bytes))))),
            _ if has_data => Ok(Some((number, None))),
            _ => Ok(None),
        }
    }

    fn walk(&mut self, limits: &Limits) -> io::Result<()> {
        let count = self.int()?;
        if !(0..=ENTRIES_MAX).contains(&count) {
            return Err(broken("its contents have more entries than any"));
        }
        let mut wanted = BTreeMap::new();
        for _ in 0..count {
            if let Some((number, offset)) = self.entry()? {
                wanted.insert(number, offset);
            }
        }
        let mut left = limits.decoded_bytes;
        loop {
            let at = self.file.at;
            let kind = match self.byte() {
                Ok(kind) => kind,
                Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => break,
                Err(error) => return Err(error),
            };
            let number = self.int()?;
            match wanted.remove(&number) {
                Some(Some(offset)) if offset != at => {
                    return Err(broken("data lies elsewhere than its contents say"));
                }
                Some(_) => {}
                None => return Err(broken("it has data that its contents do not know")),
            }
            match kind {
                DATA_BLOCK => left = self.data(left)?,
                BLOBS_BLOCK => {
                    while self.int()? != 0 {
                        left = self.data(left)?;
                    }
                }
                _ => return Err(broken("a block is of no kind that is known")),
            }
        }
        match wanted.first_key_value() {
            None => Ok(()),
            Some((number, _)) => {
                Err(broken(&format!("the data of entry {number} of its contents is missing")))
            }
        }
    }

    /// Reads the pieces of a block to the empty one at its end.
    fn data(&mut self, left: u64) -> io::Result<u64> {
        let compression = self.compression;
        let mut pieces = Pieces { dump: self, left_bytes: 0, is_done: false };
        let read = match compression {
            Compression::Zlib => drain(&mut Bounded::new(ZlibDecoder::new(&mut pieces), left))?,
            Compression::Zstd => {
                let reader = stream::open(Coding::Zstd, BufReader::new(&mut pieces))?;
                drain(&mut Bounded::new(reader, left))?
            }
            Compression::None | Compression::Other => drain(&mut Bounded::new(&mut pieces, left))?,
        };
        // What follows the end of the compressed stream.
        drain(&mut pieces)?;
        Ok(left - read)
    }
}

/// The pieces of a block as one stream.
struct Pieces<'a, R> {
    dump: &'a mut Dump<R>,
    left_bytes: u64,
    is_done: bool,
}

impl<R: Read> Read for Pieces<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.left_bytes == 0 && !self.is_done {
            let length = self.dump.int()?;
            self.left_bytes = u64::try_from(length).map_err(|_| broken("a piece has no length"))?;
            self.is_done = length == 0;
        }
        if self.is_done || buffer.is_empty() {
            return Ok(0);
        }
        let most = buffer.len().min(self.left_bytes as usize);
        let count = self.dump.file.read(&mut buffer[..most])?;
        if count == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        self.left_bytes -= count as u64;
        Ok(count)
    }
}
