//! Which probe looks at a file: by what its first bytes are, and by what its name promises.

use std::fs::File;
use std::io::{self, BufReader, Read, Seek, SeekFrom};
use std::path::Path;

use crate::probe::kind::{self, Promise, is_blank, is_placeholder, promised};
use crate::probe::stream::Coding;
use crate::probe::verdict::{Limits, Verdict};
use crate::probe::{archive, dump, image, postgres, script, sqlite, stream};

/// First bytes that decide, of a file and of what is compressed in it.
const HEAD_BYTES: u64 = 4096;
/// The end of a ZIP, its longest comment included: something may stand before the first member.
const ZIP_END_BYTES: u64 = 65_557;

/// Probes by name, as users switch them off.
pub const NAMES: [&str; 7] = ["meta", "kind", "sqlite", "archive", "dump", "image", "command"];

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
    /// A dump in a compressed stream.
    Packed(Coding, Dump),
    /// A picture or document.
    Image(image::Format),
    /// Its name says what it is, and that is known already: the verdict in words.
    Kind(Kind),
}

/// A dump that is compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dump {
    /// In custom format.
    Custom,
    /// As text.
    Text(dump::Dialect),
}

/// What a name promises against what is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// As promised, as far as one can tell.
    Right,
    /// Not what is promised: what that is, and what is there.
    Wrong(&'static str, &'static str),
    /// It cannot be told, and why.
    Unsure(&'static str),
}

/// What is there instead, in words.
const NOTHING: &str = "empty";
const ZEROS: &str = "nothing but zeros";
const MESSAGE: &str = "a message of a program";
const OTHER: &str = "something else";

impl Choice {
    /// The name of its probe.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Sqlite => "sqlite",
            Self::Archive(_) => "archive",
            Self::PostgresCustom | Self::Sql(_) | Self::Packed(..) => "dump",
            Self::Image(_) => "image",
            Self::Kind(_) => "kind",
        }
    }
}

/// Decides by content alone.
fn recognised(head: &[u8]) -> Option<Choice> {
    let begins = |magic: &[u8]| head.starts_with(magic);
    if begins(sqlite::MAGIC) {
        Some(Choice::Sqlite)
    } else if begins(postgres::MAGIC) {
        Some(Choice::PostgresCustom)
    } else if begins(b"PK\x03\x04") || begins(b"PK\x05\x06") {
        Some(Choice::Archive(archive::Format::Zip))
    } else if let Some(coding) = Coding::of(head) {
        Some(Choice::Archive(archive::Format::Coded(coding)))
    } else if begins(kind::SEVEN_ZIP) {
        Some(Choice::Archive(archive::Format::SevenZip))
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
pub fn by_content(path: &Path, name: &[u8]) -> io::Result<Option<Choice>> {
    let head = begin(File::open(path)?)?;
    let name = name.to_ascii_lowercase();
    let choice = decide(&head, &name);
    Ok(match choice {
        Some(Choice::Archive(archive::Format::Coded(coding))) => Some(
            inside(path, coding, &name).unwrap_or(Choice::Archive(archive::Format::Coded(coding))),
        ),
        // Something may stand before a ZIP: programs that unpack themselves are one.
        Some(Choice::Kind(Kind::Wrong(what, OTHER)))
            if what == Promise::Zip.what() && has_zip_end(path)? =>
        {
            Some(Choice::Archive(archive::Format::Zip))
        }
        other => other,
    })
}

fn begin(reader: impl Read) -> io::Result<Vec<u8>> {
    let mut head = Vec::new();
    reader.take(HEAD_BYTES).read_to_end(&mut head)?;
    Ok(head)
}

/// Decides for a content that begins with `head`, under a name in lower case.
fn decide(head: &[u8], name: &[u8]) -> Option<Choice> {
    if is_placeholder(head, name) {
        return None;
    }
    let promise = promised(name);
    if head.is_empty() {
        return promise.and_then(|promise| empty(promise, name)).map(Choice::Kind);
    }
    let found = recognised(head);
    let Some(promise) = promise else {
        return found;
    };
    let is_kept = promise.is_kept_by(head);
    match (found, promise) {
        // A container beside the name is no less than what was promised: a dump that was compressed
        // without saying so.
        (Some(found), Promise::Sql | Promise::Dump) => Some(found),
        (Some(Choice::Archive(archive::Format::Zip)), Promise::Office) => {
            Some(Choice::Archive(archive::Format::Office))
        }
        (Some(found), _) if is_kept => Some(found),
        // What is another archive than it says still opens.
        (Some(found @ Choice::Archive(_)), Promise::Coded(_) | Promise::Tar) => Some(found),
        _ if is_blank(head) => Some(Choice::Kind(match promise {
            Promise::Tar => Kind::Unsure("it is a tar archive without a member"),
            _ => Kind::Wrong(promise.what(), ZEROS),
        })),
        (_, Promise::Office) if head.starts_with(kind::OLE) => {
            Some(Choice::Kind(Kind::Unsure("it is encrypted, or an older document")))
        }
        (_, Promise::Sql) => Some(Choice::Kind(text(head))),
        (_, Promise::Dump) => match script::is_text(head) && script::is_message(head) {
            true => Some(Choice::Kind(Kind::Wrong(promise.what(), MESSAGE))),
            false => None,
        },
        (_, _) if is_kept => Some(Choice::Kind(Kind::Right)),
        (_, _) => {
            let is_message = script::is_text(head) && script::is_message(head);
            let found = if is_message { MESSAGE } else { OTHER };
            Some(Choice::Kind(Kind::Wrong(promise.what(), found)))
        }
    }
}

/// What an empty file of this promise is worth. A dump that was not made leaves one; so does a
/// document or a script that nobody has written yet.
fn empty(promise: Promise, name: &[u8]) -> Option<Kind> {
    let inside = Coding::named(name).and_then(|(_, bare)| promised(&bare));
    match (promise, inside) {
        (Promise::Dump, _) | (_, Some(Promise::Sql | Promise::Dump)) => {
            Some(Kind::Wrong("a dump", NOTHING))
        }
        (Promise::Sql, _) if script::is_dump_name(name) => Some(Kind::Wrong("a dump", NOTHING)),
        (Promise::Sql, _) if script::is_migration(name) => None,
        _ => Some(Kind::Unsure("it is empty")),
    }
}

/// Text that is no dump that is known.
fn text(head: &[u8]) -> Kind {
    let what = Promise::Sql.what();
    if !script::is_text(head) {
        Kind::Wrong(what, OTHER)
    } else if script::is_message(head) {
        Kind::Wrong(what, MESSAGE)
    } else if script::is_sql(head) {
        Kind::Right
    } else {
        Kind::Unsure("its first word is none of SQL")
    }
}

/// Whether an empty file of this name is a loss if it was not empty before: an application has
/// nothing to write into it by and by.
#[must_use]
pub fn is_lost_if_emptied(name: &[u8]) -> bool {
    let name = name.to_ascii_lowercase();
    let inside = Coding::named(&name).and_then(|(_, bare)| promised(&bare));
    let is_data = |promise| {
        matches!(promise, Some(Promise::Sql | Promise::Dump | Promise::Sqlite | Promise::Office))
    };
    !is_placeholder(b"", &name) && (is_data(promised(&name)) || is_data(inside))
}

/// Looks at the begin of what is compressed: a dump is looked at as one, and what is wrong there is
/// wrong of the file. Whether the stream can be read is for the probe to say.
fn inside(path: &Path, coding: Coding, name: &[u8]) -> Option<Choice> {
    let file = BufReader::new(File::open(path).ok()?);
    let head = begin(stream::open(coding, file).ok()?).ok()?;
    let bare = Coding::named(name).map(|(_, bare)| bare).unwrap_or_default();
    if head.is_empty() && matches!(promised(&bare), Some(Promise::Sql | Promise::Dump)) {
        return Some(Choice::Kind(Kind::Wrong("a dump", NOTHING)));
    }
    match decide(&head, &bare)? {
        Choice::PostgresCustom => Some(Choice::Packed(coding, Dump::Custom)),
        Choice::Sql(dialect) => Some(Choice::Packed(coding, Dump::Text(dialect))),
        Choice::Kind(Kind::Right) => None,
        wrong @ Choice::Kind(_) => Some(wrong),
        _ => None,
    }
}

fn has_zip_end(path: &Path) -> io::Result<bool> {
    let mut file = File::open(path)?;
    let length = file.seek(SeekFrom::End(0))?;
    file.seek(SeekFrom::Start(length.saturating_sub(ZIP_END_BYTES)))?;
    let mut tail = Vec::new();
    file.take(ZIP_END_BYTES).read_to_end(&mut tail)?;
    Ok(tail.windows(4).any(|window| window == b"PK\x05\x06"))
}

/// Looks at a restored file.
#[must_use]
pub fn look(path: &Path, choice: Choice, limits: &Limits) -> Verdict {
    match choice {
        Choice::Sqlite => sqlite::look(path, limits),
        Choice::Archive(format) => archive::look(path, format, limits),
        Choice::PostgresCustom => postgres::look(path, limits),
        Choice::Sql(dialect) => dump::look(path, dialect),
        Choice::Packed(coding, Dump::Text(dialect)) => {
            packed(path, coding, |reader| dump::look_at(reader, dialect, limits))
        }
        Choice::Packed(coding, Dump::Custom) => {
            packed(path, coding, |reader| postgres::look_at(reader, limits))
        }
        Choice::Image(format) => image::look(path, format, limits),
        Choice::Kind(Kind::Right) => Verdict::Passed,
        Choice::Kind(Kind::Wrong(what, found)) => {
            Verdict::Failed(format!("its name says {what}, and it is {found}"))
        }
        Choice::Kind(Kind::Unsure(why)) => Verdict::NotProved(why.to_owned()),
    }
}

fn packed(
    path: &Path,
    coding: Coding,
    judge: impl FnOnce(Box<dyn Read + '_>) -> Verdict,
) -> Verdict {
    let opened = File::open(path).and_then(|file| stream::open(coding, BufReader::new(file)));
    match opened {
        Ok(reader) => judge(reader),
        Err(error) => Verdict::NotProved(error.to_string()),
    }
}
