//! Archives: every member is read to its end and every checksum compared.

use std::fs::File;
use std::io::{self, BufReader, Read, Seek, SeekFrom};
use std::path::Path;

use flate2::Crc;
use tar::Archive;
use zip::ZipArchive;

use crate::probe::stream::{self, Coding};
use crate::probe::verdict::{Bounded, Limits, Verdict, broken, drain, judge};

/// Kinds of archives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// PKZIP and what is made like it: jars, open documents.
    Zip,
    /// A ZIP with the parts of an office document.
    Office,
    /// One compressed stream, with a tar inside or not.
    Coded(Coding),
    /// Files one after the other.
    Tar,
    /// Only its head and its directory are looked at.
    SevenZip,
}

/// Where the magic of a tar stands.
const TAR_MAGIC_AT: usize = 257;
/// A tar ends with two blocks of zeros.
const TAR_END_BYTES: usize = 1024;
/// Bytes of the first block of a tar, and where its checksum stands.
const TAR_BLOCK_BYTES: usize = 512;
const TAR_SUM: std::ops::Range<usize> = 148..156;
/// The part that says which parts an office document has.
const OFFICE_PART: &str = "[Content_Types].xml";
/// Bytes of the head of a 7z archive.
const SEVEN_ZIP_HEAD: usize = 32;

/// Walks an archive.
#[must_use]
pub fn look(path: &Path, format: Format, limits: &Limits) -> Verdict {
    let file = match File::open(path) {
        Ok(file) => BufReader::new(file),
        Err(error) => return Verdict::NotProved(error.to_string()),
    };
    match format {
        Format::Zip => walk_zip(file, None, limits),
        Format::Office => walk_zip(file, Some(OFFICE_PART), limits),
        Format::Coded(coding) => match stream::open(coding, file) {
            Ok(reader) => judge(walk_stream(Bounded::new(reader, limits.decoded_bytes))),
            Err(error) => Verdict::NotProved(error.to_string()),
        },
        Format::Tar => judge(walk_tar(file)),
        Format::SevenZip => seven_zip(file),
    }
}

/// Whether `head`, the first bytes of a file or stream, is that of a tar: by its mark, or, of the
/// oldest, which have none, by the sum over its first block.
#[must_use]
pub fn is_tar(head: &[u8]) -> bool {
    if head.get(TAR_MAGIC_AT..TAR_MAGIC_AT + 5) == Some(b"ustar".as_slice()) {
        return true;
    }
    let Some(block) = head.get(..TAR_BLOCK_BYTES) else { return false };
    let said = String::from_utf8_lossy(&block[TAR_SUM]);
    let said = said.trim_matches(|it: char| it == '\0' || it == ' ');
    let Ok(said) = u64::from_str_radix(said, 8) else { return false };
    let byte = |(at, byte): (usize, &u8)| if TAR_SUM.contains(&at) { b' ' } else { *byte };
    let sum: u64 = block.iter().enumerate().map(|it| u64::from(byte(it))).sum();
    block[0] != 0 && said == sum
}

/// The directory of a 7z archive lies where its head says, and is what that says. What is compressed
/// cannot be read here.
fn seven_zip(mut file: impl Read + Seek) -> Verdict {
    let check = |file: &mut dyn ReadSeek| -> io::Result<()> {
        let mut head = [0; SEVEN_ZIP_HEAD];
        file.read_exact(&mut head)?;
        let number = |from: usize, to: usize| {
            head[from..to].iter().rev().fold(0_u64, |sum, byte| sum << 8 | u64::from(*byte))
        };
        if u64::from(crc(&head[12..])) != number(8, 12) {
            return Err(broken("its head is damaged"));
        }
        let (offset, bytes) = (number(12, 20), number(20, 28));
        let length = file.seek(SeekFrom::End(0))?;
        let from = (SEVEN_ZIP_HEAD as u64).checked_add(offset);
        let end = from.and_then(|from| from.checked_add(bytes));
        let (Some(from), Some(end)) = (from, end) else {
            return Err(broken("its head is damaged"));
        };
        if end > length {
            return Err(broken("it ends too early"));
        }
        file.seek(SeekFrom::Start(from))?;
        let (mut sum, mut left, mut buffer) = (Crc::new(), bytes, vec![0; 64 * 1024]);
        while left > 0 {
            let most = buffer.len().min(usize::try_from(left).unwrap_or(usize::MAX));
            file.read_exact(&mut buffer[..most])?;
            sum.update(&buffer[..most]);
            left -= most as u64;
        }
        match u64::from(sum.sum()) == number(28, 32) {
            true => Ok(()),
            false => Err(broken("its directory is damaged")),
        }
    };
    match judge(check(&mut file)) {
        Verdict::Passed => Verdict::NotProved("its members are not read here".to_owned()),
        other => other,
    }
}

/// A file as [`seven_zip`] needs it.
trait ReadSeek: Read + Seek {}
impl<R: Read + Seek> ReadSeek for R {}

fn crc(bytes: &[u8]) -> u32 {
    let mut sum = Crc::new();
    sum.update(bytes);
    sum.sum()
}

fn walk_zip(file: impl Read + Seek, part: Option<&str>, limits: &Limits) -> Verdict {
    let mut archive = match ZipArchive::new(file) {
        Ok(archive) => archive,
        Err(error) => return Verdict::Failed(error.to_string()),
    };
    if let Some(part) = part.filter(|part| archive.index_for_name(part).is_none()) {
        return Verdict::Failed(format!("it is no office document: it has no part {part}"));
    }
    let mut left = limits.decoded_bytes;
    let mut unread = 0;
    for index in 0..archive.len() {
        let member = match archive.by_index(index) {
            Ok(member) => member,
            Err(zip::result::ZipError::UnsupportedArchive(_)) => {
                unread += 1;
                continue;
            }
            Err(error) => return Verdict::Failed(format!("member {index}: {error}")),
        };
        match drain(&mut Bounded::new(member, left)) {
            Ok(count) => left -= count,
            Err(error) => return judge(Err(error)),
        }
    }
    match unread {
        0 => Verdict::Passed,
        count => Verdict::NotProved(format!(
            "{count} members are encrypted or compressed in a way that is not read here"
        )),
    }
}

fn walk_stream(mut reader: impl Read) -> io::Result<()> {
    let mut head = vec![0; TAR_MAGIC_AT + 5];
    let mut filled = 0;
    while filled < head.len() {
        match reader.read(&mut head[filled..])? {
            0 => break,
            count => filled += count,
        }
    }
    head.truncate(filled);
    if is_tar(&head) {
        walk_tar(io::Cursor::new(head).chain(reader))
    } else {
        drain(&mut reader).map(drop)
    }
}

/// Reads all members, and then whatever is left: a tar that was cut off between two members looks
/// whole but for the zeros at its end.
fn walk_tar(reader: impl Read) -> io::Result<()> {
    let mut tail = Tail { inner: reader, last: Vec::new() };
    {
        let mut archive = Archive::new(&mut tail);
        for member in archive.entries()? {
            let mut member = member?;
            let size = member.header().entry_size()?;
            let is_sparse = member.header().entry_type().is_gnu_sparse();
            let read = drain(&mut member)?;
            if read != size && !is_sparse {
                return Err(broken("a member is shorter than it says"));
            }
        }
    }
    drain(&mut tail)?;
    match tail.last.len() == TAR_END_BYTES && tail.last.iter().all(|byte| *byte == 0) {
        true => Ok(()),
        false => Err(broken("its end is missing")),
    }
}

/// Remembers the last bytes that went through.
struct Tail<R> {
    inner: R,
    last: Vec<u8>,
}

impl<R: Read> Read for Tail<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.inner.read(buffer)?;
        self.last.extend_from_slice(&buffer[count.saturating_sub(TAR_END_BYTES)..count]);
        let surplus = self.last.len().saturating_sub(TAR_END_BYTES);
        self.last.drain(..surplus);
        Ok(count)
    }
}
