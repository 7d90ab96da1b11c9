//! tar with extended headers, as POSIX.1-2001 has them, written as a stream.
//!
//! What the plain header has no room for stands in a header of its own before it: long names, fractions
//! of seconds, large numbers, extended attributes (`SCHILY.xattr.`, as star, GNU tar and bsdtar read
//! them) and maps of holes (GNU.sparse 1.0).

use std::io::{self, Write};

use engine::base::time::Timestamp;
use engine::format::entry::{Entry, EntryKind};
use engine::format::extent::Extent;
use engine::restore::RestoreError;
use tar::{EntryType, Header};

use crate::command::dump::archive::{Archive, Content, whole_seconds};

const BLOCK_BYTES: u64 = 512;
/// What the plain header has room for.
const NAME_MAX_BYTES: usize = 100;
const ID_MAX: u32 = 0o7_777_777;
const SIZE_MAX_BYTES: u64 = 0o77_777_777_777;

/// Where an archive goes.
pub trait Sink: Write {
    /// Nothing more comes.
    ///
    /// # Errors
    /// Those of the output.
    fn end(self) -> io::Result<()>;
}

impl Sink for Box<dyn Write> {
    fn end(mut self) -> io::Result<()> {
        self.flush()
    }
}

impl Sink for zstd::Encoder<'static, Box<dyn Write>> {
    fn end(self) -> io::Result<()> {
        self.finish()?.flush()
    }
}

/// An archive in the making.
pub struct Pax<W> {
    output: W,
}

/// Records of an extended header.
#[derive(Default)]
struct Records(Vec<u8>);

impl Records {
    fn push(&mut self, key: &[u8], value: &[u8]) {
        // The length counts its own digits.
        let rest = key.len() + value.len() + 3;
        let mut length = rest + 1;
        while rest + length.to_string().len() != length {
            length = rest + length.to_string().len();
        }
        self.0.extend_from_slice(format!("{length} ").as_bytes());
        self.0.extend_from_slice(key);
        self.0.push(b'=');
        self.0.extend_from_slice(value);
        self.0.push(b'\n');
    }

    fn push_number(&mut self, key: &str, number: impl ToString) {
        self.push(key.as_bytes(), number.to_string().as_bytes());
    }
}

impl<W: Sink> Pax<W> {
    /// An empty archive that goes to `output`.
    pub fn new(output: W) -> Self {
        Self { output }
    }

    fn pad(&mut self, written_bytes: u64) -> io::Result<()> {
        let over = written_bytes % BLOCK_BYTES;
        let missing = if over == 0 { 0 } else { BLOCK_BYTES - over };
        self.output.write_all(&[0; BLOCK_BYTES as usize][..missing as usize])
    }

    /// Writes the headers of an entry that is followed by `size_bytes`.
    fn head(
        &mut self,
        name: &[u8],
        entry: &Entry,
        kind: EntryType,
        size_bytes: u64,
        mut records: Records,
    ) -> io::Result<()> {
        let is_link = kind == EntryType::Link;
        if name.len() > NAME_MAX_BYTES || !name.is_ascii() {
            records.push(b"path", name);
        }
        if entry.mtime.nanos != 0 || entry.mtime.seconds < 0 {
            records.push(b"mtime", decimal(entry.mtime).as_bytes());
        }
        for (key, id) in [("uid", entry.uid), ("gid", entry.gid)] {
            if id > ID_MAX {
                records.push_number(key, id);
            }
        }
        if size_bytes > SIZE_MAX_BYTES {
            records.push_number("size", size_bytes);
        }
        for xattr in entry.xattrs.iter().filter(|_| !is_link) {
            records.push(&[b"SCHILY.xattr.", xattr.name.as_slice()].concat(), &xattr.value);
        }
        if !records.0.is_empty() {
            let mut header = Header::new_ustar();
            set_name(&mut header, b"././@PaxHeader");
            header.set_entry_type(EntryType::XHeader);
            header.set_mode(0o644);
            header.set_size(records.0.len() as u64);
            self.put(&mut header)?;
            self.output.write_all(&records.0)?;
            self.pad(records.0.len() as u64)?;
        }
        let mut header = Header::new_ustar();
        set_name(&mut header, name);
        header.set_entry_type(kind);
        header.set_mode(entry.mode & 0o7777);
        header.set_uid(u64::from(entry.uid.min(ID_MAX)));
        header.set_gid(u64::from(entry.gid.min(ID_MAX)));
        header.set_mtime(whole_seconds(entry.mtime).min(SIZE_MAX_BYTES));
        header.set_size(size_bytes.min(SIZE_MAX_BYTES));
        let text = |name: &Option<Vec<u8>>| {
            let name = name.as_deref().and_then(|name| std::str::from_utf8(name).ok());
            name.filter(|name| name.len() < 32).map(str::to_owned)
        };
        if let Some(user) = text(&entry.user) {
            header.set_username(&user)?;
        }
        if let Some(group) = text(&entry.group) {
            header.set_groupname(&group)?;
        }
        if let (Some(number), EntryType::Char | EntryType::Block) = (entry.device_number, kind) {
            header.set_device_major(number.major)?;
            header.set_device_minor(number.minor)?;
        }
        let has_target = matches!(kind, EntryType::Symlink | EntryType::Link);
        if let Some(target) = entry.target.as_deref().filter(|_| has_target) {
            set_link(&mut header, target);
        }
        self.put(&mut header)
    }

    fn put(&mut self, header: &mut Header) -> io::Result<()> {
        header.set_cksum();
        self.output.write_all(header.as_bytes())
    }
}

impl<W: Sink> Archive for Pax<W> {
    fn add(&mut self, name: &[u8], entry: &Entry) -> io::Result<bool> {
        let kind = match entry.kind {
            EntryKind::Directory => EntryType::Directory,
            EntryKind::Symlink => EntryType::Symlink,
            EntryKind::Fifo => EntryType::Fifo,
            EntryKind::CharDevice => EntryType::Char,
            EntryKind::BlockDevice => EntryType::Block,
            EntryKind::Socket | EntryKind::File => return Ok(false),
        };
        let mut records = Records::default();
        if let Some(target) = entry.target.as_deref().filter(|_| kind == EntryType::Symlink)
            && (target.len() > NAME_MAX_BYTES || !target.is_ascii())
        {
            records.push(b"linkpath", target);
        }
        let slash: &[u8] = if kind == EntryType::Directory { b"/" } else { b"" };
        self.head(&[name, slash].concat(), entry, kind, 0, records)?;
        Ok(true)
    }

    fn add_hard_link(&mut self, name: &[u8], entry: &Entry, first: &[u8]) -> io::Result<()> {
        let mut records = Records::default();
        if first.len() > NAME_MAX_BYTES || !first.is_ascii() {
            records.push(b"linkpath", first);
        }
        let link = Entry { target: Some(first.to_vec()), ..entry.clone() };
        self.head(name, &link, EntryType::Link, 0, records)
    }

    fn add_file(
        &mut self,
        name: &[u8],
        entry: &Entry,
        extents: &[Extent],
        content: &mut Content<'_>,
    ) -> Result<(), RestoreError> {
        let failed = |source| RestoreError::Output { source };
        let (mut records, mut map, mut stored_bytes) =
            (Records::default(), Vec::new(), entry.size_bytes);
        if !extents.is_empty() {
            (map, stored_bytes) = sparse_map(extents);
            records.push(b"GNU.sparse.major", b"1");
            records.push(b"GNU.sparse.minor", b"0");
            records.push(b"GNU.sparse.name", name);
            records.push_number("GNU.sparse.realsize", entry.size_bytes);
        }
        let size_bytes = map.len() as u64 + stored_bytes;
        self.head(name, entry, EntryType::Regular, size_bytes, records).map_err(failed)?;
        self.output.write_all(&map).map_err(failed)?;
        content(&mut self.output)?;
        self.pad(size_bytes).map_err(failed)
    }

    fn keeps_holes(&self) -> bool {
        true
    }

    fn keeps_hard_links(&self) -> bool {
        true
    }

    fn finish(self: Box<Self>) -> io::Result<()> {
        let mut output = self.output;
        output.write_all(&[0; 2 * BLOCK_BYTES as usize])?;
        output.end()
    }
}

/// Where the data of a file with holes lies, as decimal numbers, a block full; and the bytes of data.
fn sparse_map(extents: &[Extent]) -> (Vec<u8>, u64) {
    let (mut at, mut stored_bytes) = (0, 0);
    let mut pieces: Vec<(u64, u64)> = Vec::new();
    for extent in extents {
        let length_bytes = match extent {
            Extent::Hole { length_bytes } => {
                at += length_bytes;
                continue;
            }
            Extent::Chunk { length_bytes, .. } => u64::from(*length_bytes),
        };
        match pieces.last_mut().filter(|(start, length)| start + length == at) {
            Some((_, length)) => *length += length_bytes,
            None => pieces.push((at, length_bytes)),
        }
        at += length_bytes;
        stored_bytes += length_bytes;
    }
    // Where a file ends in a hole, an empty piece says so.
    if pieces.last().is_none_or(|(start, length)| start + length < at) {
        pieces.push((at, 0));
    }
    let mut map = format!("{}\n", pieces.len()).into_bytes();
    for (start, length) in pieces {
        map.extend_from_slice(format!("{start}\n{length}\n").as_bytes());
    }
    map.resize(map.len().next_multiple_of(BLOCK_BYTES as usize), 0);
    (map, stored_bytes)
}

fn set_name(header: &mut Header, name: &[u8]) {
    let name = &name[..name.len().min(NAME_MAX_BYTES)];
    if let Some(field) = header.as_mut_bytes().get_mut(..name.len()) {
        field.copy_from_slice(name);
    }
}

fn set_link(header: &mut Header, target: &[u8]) {
    /// Where the field begins.
    const AT: usize = 157;
    let target = &target[..target.len().min(NAME_MAX_BYTES)];
    if let Some(field) = header.as_mut_bytes().get_mut(AT..AT + target.len()) {
        field.copy_from_slice(target);
    }
}

/// Seconds with a fraction; times before 1970 count backwards.
fn decimal(time: Timestamp) -> String {
    let nanos = i128::from(time.seconds) * 1_000_000_000 + i128::from(time.nanos);
    let (sign, nanos) = (if nanos < 0 { "-" } else { "" }, nanos.unsigned_abs());
    format!("{sign}{}.{:09}", nanos / 1_000_000_000, nanos % 1_000_000_000)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_length_of_a_record_counts_itself() {
        for (value_bytes, length) in [(1, 8), (2, 9), (3, 11), (91, 99), (92, 101)] {
            let mut records = Records::default();
            records.push(b"key", &vec![b'v'; value_bytes]);
            assert_eq!(records.0.len(), length, "{value_bytes}");
            assert!(records.0.starts_with(format!("{length} ").as_bytes()));
        }
    }

    #[test]
    fn times_before_1970_count_backwards() {
        for (seconds, nanos, text) in [
            (1, 500_000_000, "1.500000000"),
            (-1, 500_000_000, "-0.500000000"),
            (-2, 0, "-2.000000000"),
        ] {
            assert_eq!(decimal(Timestamp { seconds, nanos }), text);
        }
    }
}
