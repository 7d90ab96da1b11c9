//! Entries and extents.

use crate::reader::Result;
use crate::reader::cbor::Value;

/// A stretch of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Extent {
    /// The bytes of a chunk.
    Chunk {
        /// Its id.
        id: [u8; 32],
        /// Its length.
        length: u64,
    },
    /// That many zero bytes.
    Hole(u64),
}

impl Extent {
    pub(super) fn read(value: &Value) -> Result<Self> {
        match value {
            Value::Int(_) => Ok(Self::Hole(value.uint()?)),
            _ => match value.items()? {
                [id, length] => Ok(Self::Chunk { id: id.array()?, length: length.uint()? }),
                other => Err(format!("{other:?} is no extent")),
            },
        }
    }

    /// Bytes of the file that it covers.
    #[must_use]
    pub fn length(&self) -> u64 {
        match self {
            Self::Chunk { length, .. } | Self::Hole(length) => *length,
        }
    }
}

/// Where the content of a file is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Content {
    /// In the entry.
    Inline(Vec<u8>),
    /// In extents of the entry.
    Extents(Vec<Extent>),
    /// In an extent tree.
    Tree {
        /// Its root.
        root: [u8; 32],
        /// Extents in it.
        extent_count: u64,
    },
}

impl Content {
    fn read(value: &Value) -> Result<Self> {
        let [variant, fields] = value.items()? else { return Err("no content".to_owned()) };
        match (variant.uint()?, fields.items()?) {
            (0, [bytes]) => Ok(Self::Inline(bytes.bytes()?.to_vec())),
            (1, [extents]) => {
                extents.items()?.iter().map(Extent::read).collect::<Result<_>>().map(Self::Extents)
            }
            (2, [root, count]) => {
                Ok(Self::Tree { root: root.array()?, extent_count: count.uint()? })
            }
            (other, _) => Err(format!("content {other} is unknown")),
        }
    }
}

/// The streams among what only NTFS knows, everything else looked at for its form.
fn streams(ntfs: &Value) -> Result<Vec<(Vec<u8>, u64, Content)>> {
    ntfs.optional(0).map(Value::uint).transpose()?;
    if let Some(Extent::Hole(_)) = ntfs.optional(1).map(Extent::read).transpose()? {
        return Err("a security descriptor is a hole".to_owned());
    }
    if let Some(reparse) = ntfs.optional(3) {
        let [tag, data] = reparse.items()? else { return Err("no reparse point".to_owned()) };
        tag.uint()?;
        data.bytes()?;
    }
    ntfs.optional(4).map(Value::array::<16>).transpose()?;
    for field in [5, 6, 8] {
        ntfs.optional(field).map(Value::bytes).transpose()?;
    }
    for field in [9, 10] {
        ntfs.optional(field).map(Value::uint).transpose()?;
    }
    let mut found: Vec<(Vec<u8>, u64, Content)> = Vec::new();
    for stream in ntfs.optional(2).map_or(Ok(&[][..]), Value::items)? {
        let name = stream.field(0)?.bytes()?.to_vec();
        if found.last().is_some_and(|(last, ..)| *last >= name) {
            return Err("streams do not rise".to_owned());
        }
        found.push((name, stream.field(1)?.uint()?, Content::read(stream.field(2)?)?));
    }
    Ok(found)
}

/// One path of a snapshot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Names joined by zero bytes.
    pub key: Vec<u8>,
    /// 1 file, 2 directory, 3 symbolic link, 4 pipe, 5 socket, 6 and 7 devices.
    pub kind: u64,
    /// The low 12 bits.
    pub mode: u64,
    /// Owner and group.
    pub owner: (u64, u64),
    /// Seconds and nanoseconds.
    pub mtime: (i64, u32),
    /// Size in bytes.
    pub size: u64,
    /// Device and inode.
    pub inode: (u64, u64),
    /// Number of hard links, 0 if one.
    pub link_count: u64,
    /// Extended attributes.
    pub xattrs: Vec<(Vec<u8>, Vec<u8>)>,
    /// Target of a symbolic link.
    pub target: Option<Vec<u8>>,
    /// 1 inconsistent, 2 partial.
    pub flags: u64,
    /// How complete a directory's listing is; 0 is whole.
    pub listing: u64,
    /// Content of a file.
    pub content: Option<Content>,
    /// Named streams: name, size, content.
    pub streams: Vec<(Vec<u8>, u64, Content)>,
}

impl Entry {
    pub(super) fn read(key: Vec<u8>, value: &Value) -> Result<Self> {
        let or_zero = |field| value.optional(field).map_or(Ok(0), Value::uint);
        let number = |field| value.field(field)?.uint();
        value.field(7)?.time()?;
        let mut xattrs = Vec::new();
        for pair in value.optional(14).map_or(Ok(&[][..]), Value::items)? {
            let [name, content] = pair.items()? else { return Err("no attribute".to_owned()) };
            xattrs.push((name.bytes()?.to_vec(), content.bytes()?.to_vec()));
        }
        let target = value.optional(16).map(Value::bytes).transpose()?;
        let entry = Self {
            key,
            kind: number(0)?,
            mode: number(1)?,
            owner: (number(2)?, number(3)?),
            mtime: value.field(6)?.time()?,
            size: or_zero(10)?,
            inode: (number(12)?, number(11)?),
            link_count: or_zero(13)?,
            xattrs,
            target: target.map(<[u8]>::to_vec),
            flags: or_zero(18)?,
            listing: or_zero(20)?,
            content: value.optional(19).map(Content::read).transpose()?,
            streams: value.optional(21).map_or(Ok(Vec::new()), streams)?,
        };
        let has_content = entry.content.is_some();
        // What could not be read is a file that is partial and has no content.
        let is_unread = entry.kind == 1 && !has_content && entry.flags & 2 != 0;
        let is_right = is_unread || has_content == (entry.kind == 1);
        match (1..=7).contains(&entry.kind) && is_right {
            true => Ok(entry),
            false => Err(format!("an entry of kind {} with content {has_content}", entry.kind)),
        }
    }
}
