//! Values of options that have a form of their own, and how they are read.

use std::ffi::{OsStr, OsString};
use std::num::NonZeroU32;
use std::os::unix::ffi::{OsStrExt, OsStringExt};

use clap::ValueEnum;
use clap::builder::{OsStringValueParser, TypedValueParser};
use engine::base::limits::{
    FACT_MAX_BYTES, FILE_NAME_MAX_BYTES, KDF_MEMORY_KIB_MAX, KDF_MEMORY_KIB_MIN,
    PACK_TARGET_MAX_BYTES, PACK_TARGET_MIN_BYTES, WORDS_MAX_BYTES,
};
use engine::base::path::TreePath;

use crate::units::{self, UnitError};

/// Fewest digits of a snapshot's id that are taken: fewer match by accident.
const ID_MIN_DIGITS: usize = 4;
/// Digits of a whole id.
const ID_MAX_DIGITS: usize = 64;

/// Why a value is not understood, in words for clap to print.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct ValueError(String);

impl ValueError {
    /// An error with these words.
    #[must_use]
    pub fn new(words: impl Into<String>) -> Self {
        Self(words.into())
    }
}

impl From<UnitError> for ValueError {
    fn from(error: UnitError) -> Self {
        Self(error.to_string())
    }
}

/// Which snapshot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Selector {
    /// The newest that the filters let through, or the one that many before it.
    Latest {
        /// 0 for the newest.
        back: u32,
    },
    /// The one whose id begins like this, in lower-case hexadecimal.
    Prefix(String),
}

impl Selector {
    /// Whether it is for the tool to say which one is meant.
    #[must_use]
    pub const fn is_latest(&self) -> bool {
        matches!(self, Self::Latest { .. })
    }
}

impl std::str::FromStr for Selector {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Self, ValueError> {
        if let Some(rest) = text.strip_prefix("latest") {
            let back = match rest.strip_prefix('~') {
                Some(number) => number.parse().ok(),
                None => rest.is_empty().then_some(0),
            };
            if let Some(back) = back {
                return Ok(Self::Latest { back });
            }
        }
        let is_id = (ID_MIN_DIGITS..=ID_MAX_DIGITS).contains(&text.len())
            && text.bytes().all(|byte| byte.is_ascii_hexdigit());
        match is_id {
            true => Ok(Self::Prefix(text.to_ascii_lowercase())),
            false => Err(ValueError(format!(
                "no snapshot is called that; write `latest`, `latest~2`, or at least \
                 {ID_MIN_DIGITS} digits of an id"
            ))),
        }
    }
}

/// A snapshot, and perhaps a path in it: `SNAP[:PATH]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SnapshotPath {
    /// Which snapshot.
    pub snapshot: Selector,
    /// Where in it; `None` if no path was given.
    pub path: Option<TreePath>,
}

impl SnapshotPath {
    /// The parser for clap; paths may be any bytes.
    #[must_use]
    pub fn parser() -> impl TypedValueParser<Value = Self> {
        OsStringValueParser::new().try_map(|text| Self::read(&text))
    }

    fn read(text: &OsStr) -> Result<Self, ValueError> {
        let bytes = text.as_bytes();
        let colon = bytes.iter().position(|byte| *byte == b':');
        let (name, path) = match colon {
            Some(at) => (&bytes[..at], Some(&bytes[at + 1..])),
            None => (bytes, None),
        };
        let name = std::str::from_utf8(name).unwrap_or_default();
        let path = path.map(TreePath::from_slashes).transpose();
        Ok(Self { snapshot: name.parse()?, path: path.map_err(|e| ValueError(e.to_string()))? })
    }
}

/// The parser of a path in a snapshot that stands apart from it; it may be any bytes.
#[must_use]
pub fn path_in_snapshot() -> impl TypedValueParser<Value = TreePath> {
    OsStringValueParser::new().try_map(|text| {
        TreePath::from_slashes(text.as_bytes()).map_err(|error| ValueError(error.to_string()))
    })
}

/// How much of the stored data a check reads.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Subset {
    /// The `part`-th of `parts` equal parts, both from 1.
    Part {
        /// Which part.
        part: u32,
        /// How many parts there are.
        parts: u32,
    },
    /// A random share, in per cent.
    Percent(f64),
    /// Random packs of this size together.
    Bytes(u64),
}

impl std::str::FromStr for Subset {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Self, ValueError> {
        if text.ends_with('%') {
            return Ok(Self::Percent(units::parse_percent(text)?));
        }
        let Some((part, parts)) = text.split_once('/') else {
            return Ok(Self::Bytes(units::parse_size(text)?));
        };
        match (part.parse(), parts.parse()) {
            (Ok(part), Ok(parts)) if 1 <= part && part <= parts => Ok(Self::Part { part, parts }),
            _ => Err(ValueError("a part is written n/t with 1 ≤ n ≤ t, for example 2/7".into())),
        }
    }
}

/// A file whose presence excludes its folder: `NAME[:HEADER]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Marker {
    /// Name of the file.
    pub name: OsString,
    /// What it must begin with.
    pub header: Option<Vec<u8>>,
}

impl Marker {
    /// The parser for clap; names may be any bytes.
    #[must_use]
    pub fn parser() -> impl TypedValueParser<Value = Self> {
        OsStringValueParser::new().try_map(Self::read)
    }

    fn read(text: OsString) -> Result<Self, ValueError> {
        let bytes = text.into_vec();
        let (name, header) = match bytes.iter().position(|byte| *byte == b':') {
            Some(at) => (bytes[..at].to_vec(), Some(bytes[at + 1..].to_vec())),
            None => (bytes, None),
        };
        // A name that no directory can hold would exclude nothing and never say so.
        TreePath::root().join(&name).map_err(|error| ValueError(error.to_string()))?;
        Ok(Self { name: OsString::from_vec(name), header })
    }
}

/// Tags that must all be there: `a,b`; may be none.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct TagSet(pub Vec<String>);

impl std::str::FromStr for TagSet {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Self, ValueError> {
        if text.is_empty() {
            return Ok(Self::default());
        }
        let tags: Vec<_> = text.split(',').map(|tag| tag.trim().to_owned()).collect();
        if tags.iter().any(String::is_empty) {
            return Err(ValueError("a tag is empty; write for example daily or daily,db".into()));
        }
        tags.iter().try_for_each(|tag| bounded(tag, FACT_MAX_BYTES))?;
        Ok(Self(tags))
    }
}

/// The name of a host that snapshots are to have.
///
/// # Errors
/// [`ValueError`] for one that could not be asked for again on a command line.
pub fn host(text: &str) -> Result<String, ValueError> {
    if text.chars().any(char::is_control) {
        return Err(ValueError::new("it has control characters"));
    }
    bounded(text, FACT_MAX_BYTES)?;
    match text.trim() == text {
        true => Ok(text.to_owned()),
        false => Err(ValueError::new("it begins or ends with a space")),
    }
}

/// A name for people, or the number of a ticket: at most [`FACT_MAX_BYTES`] bytes.
///
/// # Errors
/// [`ValueError`] for a longer one: it would make lists unreadable, or the record.
pub fn label(text: &str) -> Result<String, ValueError> {
    bounded(text, FACT_MAX_BYTES).map(|()| text.to_owned())
}

/// Words for a record: at most [`WORDS_MAX_BYTES`] bytes.
///
/// # Errors
/// [`ValueError`] for more: nobody could read the record any more.
pub fn words(text: &str) -> Result<String, ValueError> {
    bounded(text, WORDS_MAX_BYTES).map(|()| text.to_owned())
}

fn bounded(text: &str, most_bytes: usize) -> Result<(), ValueError> {
    match text.len() <= most_bytes {
        true => Ok(()),
        false => Err(ValueError(format!(
            "it has {} bytes, and may have {}",
            units::count(text.len() as u64),
            units::count(most_bytes as u64)
        ))),
    }
}

/// The name of the file that a stream becomes.
///
/// # Errors
/// [`ValueError`] for one that no folder could hold when it is restored.
pub fn file_name(name: &OsStr) -> Result<OsString, ValueError> {
    if matches!(name.as_bytes(), b"." | b"..") {
        return Err(ValueError::new("a folder is called that; write for example shop.sql"));
    }
    match name.len() <= FILE_NAME_MAX_BYTES {
        true => Ok(name.to_owned()),
        false => Err(ValueError(format!(
            "it has {} bytes, and no file system of this machine takes more than \
             {FILE_NAME_MAX_BYTES}",
            units::count(name.len() as u64)
        ))),
    }
}

/// A size in bytes, as in [`units::parse_size`].
///
/// # Errors
/// [`UnitError`] with the forms that are understood.
pub fn size(text: &str) -> Result<u64, UnitError> {
    units::parse_size(text)
}

/// Reads a rate: KiB per second.
///
/// # Errors
/// [`ValueError`] for anything but a whole number above 0.
pub fn rate(text: &str) -> Result<NonZeroU32, ValueError> {
    text.parse().map_err(|_| {
        ValueError::new(
            "a rate is a whole number of KiB per second, at least 1; without the option there is no \
             limit",
        )
    })
}

/// Memory of the key derivation; answers KiB.
///
/// # Errors
/// [`ValueError`] if it is no size or outside what a reader accepts.
pub fn kdf_memory(text: &str) -> Result<u32, ValueError> {
    let kib = units::parse_size(text)? / 1024;
    match u32::try_from(kib) {
        Ok(kib) if (KDF_MEMORY_KIB_MIN..=KDF_MEMORY_KIB_MAX).contains(&kib) => Ok(kib),
        _ => Err(ValueError(format!(
            "it must be from {} to {}",
            units::size(u64::from(KDF_MEMORY_KIB_MIN) * 1024),
            units::size(u64::from(KDF_MEMORY_KIB_MAX) * 1024)
        ))),
    }
}

/// Size of packs in bytes; a bare number is MiB, as in restic.
///
/// # Errors
/// [`ValueError`] if it is no size or not one that packs can have.
pub fn pack_size(text: &str) -> Result<u64, ValueError> {
    let is_bare = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let with_unit = if is_bare { format!("{text}MiB") } else { text.to_owned() };
    let allowed = PACK_TARGET_MIN_BYTES as u64..=PACK_TARGET_MAX_BYTES as u64;
    match units::parse_size(&with_unit)? {
        bytes if allowed.contains(&bytes) => Ok(bytes),
        _ => Err(ValueError(format!(
            "it must be from {} to {}",
            units::size(*allowed.start()),
            units::size(*allowed.end())
        ))),
    }
}

/// How hard content is compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub enum Compression {
    /// Not at all.
    Off,
    /// Little, for fast disks and networks.
    Fast,
    /// What fits most data.
    #[default]
    Auto,
    /// More, for slow networks.
    Better,
    /// As much as possible; slow.
    Max,
}

/// What happens to files that exist in the target.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Overwrite {
    /// They are replaced.
    Always,
    /// They are replaced if size or time differ.
    IfChanged,
    /// They are replaced if the snapshot has a newer one.
    IfNewer,
    /// They stay.
    Never,
}

/// Algorithms that packs are sealed with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub enum Suite {
    /// ML-KEM-768 and X25519 together: safe also against a future quantum computer.
    #[default]
    XWing,
    /// X25519 alone: smaller and older.
    X25519,
}

/// What a key allows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Role {
    /// Add snapshots; cannot read anything back.
    Backup,
    /// List, find, forget and free space; cannot read file content.
    Maintain,
    /// Restore and check; cannot forget.
    Verify,
    /// Restore; cannot write.
    Restore,
    /// Everything.
    Admin,
}

/// In whose language permissions of a store are printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum PolicyKind {
    /// A policy of AWS IAM for the user or role of a machine.
    S3,
}

/// Whose data a new client deduplicates against.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub enum Domain {
    /// Only its own.
    #[default]
    Own,
    /// That of all clients that share; they trust each other not to store wrong content.
    Shared,
}
