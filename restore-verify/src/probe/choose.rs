//! Which probe looks at a file: by its first bytes, and for dumps by its name as well.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use crate::probe::verdict::{Limits, Verdict};
use crate::probe::{archive, dump, image, postgres, sqlite};

/// First bytes that decide.
const HEAD_BYTES: u64 = 600;

/// Probes by name, as users switch them off.
pub const NAMES: [&str; 6] = ["meta", "sqlite", "archive", "dump", "image", "command"];

/// What looks at a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Choice {
    /// A database.
    Sqlite,
    /// An archive.
    Archive(archive::Format),
    /// A dump in custom format.
    PostgresCustom,
    /// A dump as text.
    Sql(dump::Dialect),
    /// A picture or document.
    Image(image::Format),
    /// It should hold a dump and is empty.
    EmptyDump,
}

impl Choice {
    /// The name of its probe.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Sqlite => "sqlite",
            Self::Archive(_) => "archive",
            Self::PostgresCustom | Self::Sql(_) | Self::EmptyDump => "dump",
            Self::Image(_) => "image",
        }
    }
}

/// Decides for a file with these first bytes and this name.
#[must_use]
pub fn by_head(head: &[u8], name: &[u8]) -> Option<Choice> {
    if head.is_empty() {
        let name = name.to_ascii_lowercase();
        let is_dump = [&b".sql"[..], b".dump", b".pgdump"].iter().any(|end| name.ends_with(end));
        return is_dump.then_some(Choice::EmptyDump);
    }
    let begins = |magic: &[u8]| head.starts_with(magic);
    if begins(sqlite::MAGIC) {
        Some(Choice::Sqlite)
    } else if begins(postgres::MAGIC) {
        Some(Choice::PostgresCustom)
    } else if begins(b"PK\x03\x04") || begins(b"PK\x05\x06") {
        Some(Choice::Archive(archive::Format::Zip))
    } else if begins(b"\x1f\x8b\x08") {
        Some(Choice::Archive(archive::Format::Gzip))
    } else if begins(b"\xfd7zXZ\0") {
        Some(Choice::Archive(archive::Format::Xz))
    } else if begins(b"\x89PNG\r\n\x1a\n") {
        Some(Choice::Image(image::Format::Png))
    } else if begins(b"\xff\xd8\xff") {
        Some(Choice::Image(image::Format::Jpeg))
    } else if begins(b"%PDF-") {
        Some(Choice::Image(image::Format::Pdf))
    } else if archive::is_tar(head) {
        Some(Choice::Archive(archive::Format::Tar))
    } else {
        dump::recognise(head).map(Choice::Sql)
    }
}

/// Decides for a restored file whose name in the snapshot is `name`.
///
/// # Errors
/// If it cannot be read.
pub fn by_content(path: &Path, name: &[u8]) -> std::io::Result<Option<Choice>> {
    let mut head = Vec::new();
    File::open(path)?.take(HEAD_BYTES).read_to_end(&mut head)?;
    Ok(by_head(&head, name))
}

/// Looks at a restored file.
#[must_use]
pub fn look(path: &Path, choice: Choice, limits: &Limits) -> Verdict {
    match choice {
        Choice::Sqlite => sqlite::look(path, limits),
        Choice::Archive(format) => archive::look(path, format, limits),
        Choice::PostgresCustom => postgres::look(path, limits),
        Choice::Sql(dialect) => dump::look(path, dialect),
        Choice::Image(format) => image::look(path, format, limits),
        Choice::EmptyDump => Verdict::Failed("a dump that is empty".to_owned()),
    }
}
