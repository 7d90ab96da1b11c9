//! Archives: every member is read to its end and every checksum compared.

use std::fs::File;
use std::io::{self, BufReader, Read, Seek};
use std::path::Path;

use flate2::bufread::MultiGzDecoder;
use lzma_rust2::XzReader;
use tar::Archive;
use zip::ZipArchive;

use crate::probe::verdict::{Bounded, Limits, Verdict, broken, drain, judge};

/// Kinds of archives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// PKZIP and what is made like it: office documents, jars.
    Zip,
    /// One compressed stream, with a tar inside or not.
    Gzip,
    /// One compressed stream, with a tar inside or not.
    Xz,
    /// Files one after the other.
    Tar,
}

/// Where the magic of a tar stands.
const TAR_MAGIC_AT: usize = 257;
/// A tar ends with two blocks of zeros.
const TAR_END_BYTES: usize = 1024;
/// Memory for the dictionary of an xz stream, in KiB: as the largest preset needs.
const XZ_MEMORY_KIB: u32 = 100 * 1024;

/// Walks an archive.
#[must_use]
pub fn look(path: &Path, format: Format, limits: &Limits) -> Verdict {
    let file = match File::open(path) {
        Ok(file) => BufReader::new(file),
        Err(error) => return Verdict::NotProved(error.to_string()),
    };
    match format {
        Format::Zip => walk_zip(file, limits),
        Format::Gzip => {
            judge(walk_stream(Bounded::new(MultiGzDecoder::new(file), limits.decoded_bytes)))
        }
        Format::Xz => {
            let reader = XzReader::new_mem_limit(file, true, XZ_MEMORY_KIB);
            judge(walk_stream(Bounded::new(reader, limits.decoded_bytes)))
        }
        Format::Tar => judge(walk_tar(file)),
    }
}

/// Whether `head`, the first bytes of a file or stream, is that of a tar.
#[must_use]
pub fn is_tar(head: &[u8]) -> bool {
    head.get(TAR_MAGIC_AT..TAR_MAGIC_AT + 5) == Some(b"ustar".as_slice())
}

fn walk_zip(file: impl Read + Seek, limits: &Limits) -> Verdict {
    let mut archive = match ZipArchive::new(file) {
        Ok(archive) => archive,
        Err(error) => return Verdict::Failed(error.to_string()),
    };
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
