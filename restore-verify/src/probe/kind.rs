//! What a name promises: the kinds of files whose content must begin in a known way.
//!
//! Names are promises of people and programs, and many are kept in more than one way: a picture is
//! often of another format than it says and shows all the same, an encrypted document is another
//! container, a placeholder stands for a file that is elsewhere. Only what no program would take for
//! what the name says is wrong.

use crate::probe::archive::is_tar;
use crate::probe::{script, sqlite, stream};

/// What a name promises.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Promise {
    /// A SQLite database.
    Sqlite,
    /// Members with a directory at the end; office documents among them.
    Zip,
    /// An office document: a ZIP, or sealed in an OLE file.
    Office,
    /// A compressed stream.
    Coded(stream::Coding),
    /// Files one after the other.
    Tar,
    /// Any picture.
    Picture,
    /// Portable document format.
    Pdf,
    /// Statements of SQL, or a dump.
    Sql,
    /// A dump of any make.
    Dump,
    /// Something that begins with these bytes.
    Magic(&'static str, &'static [&'static [u8]]),
}

/// What OLE files begin with: old office documents, encrypted new ones, `Thumbs.db`.
pub const OLE: &[u8] = &[0xd0, 0xcf, 0x11, 0xe0, 0xa1, 0xb1, 0x1a, 0xe1];
/// What a 7z archive begins with.
pub const SEVEN_ZIP: &[u8] = b"7z\xbc\xaf\x27\x1c";

const PROMISES: [(&[&str], Promise); 15] = [
    (&["sqlite", "sqlite3", "sqlitedb"], Promise::Sqlite),
    (
        &[
            "docx", "docm", "dotx", "dotm", "xlsx", "xlsm", "xltx", "xltm", "xlsb", "pptx", "pptm",
            "potx", "ppsx", "vsdx",
        ],
        Promise::Office,
    ),
    (
        &[
            "zip", "odt", "ods", "odp", "odg", "ott", "epub", "jar", "war", "ear", "apk", "kmz",
            "whl", "cbz", "3mf", "nupkg",
        ],
        Promise::Zip,
    ),
    (&["tar"], Promise::Tar),
    (
        &["png", "jpg", "jpeg", "jpe", "gif", "webp", "bmp", "tif", "tiff", "heic", "avif", "psd"],
        Promise::Picture,
    ),
    (&["pdf"], Promise::Pdf),
    (&["sql"], Promise::Sql),
    (&["dump", "pgdump"], Promise::Dump),
    (&["7z"], Promise::Magic("a 7z archive", &[SEVEN_ZIP])),
    (&["rar"], Promise::Magic("a RAR archive", &[b"Rar!\x1a\x07", b"MZ"])),
    (&["pst", "ost"], Promise::Magic("an Outlook data file", &[b"!BDN"])),
    (
        &["accdb"],
        Promise::Magic(
            "an Access database",
            &[b"\0\x01\0\0Standard Jet DB", b"\0\x01\0\0Standard ACE DB"],
        ),
    ),
    (&["vhdx"], Promise::Magic("a virtual disk", &[b"vhdxfile"])),
    (&["qcow2"], Promise::Magic("a virtual disk", &[b"QFI\xfb"])),
    (&["kdbx"], Promise::Magic("a KeePass database", &[b"\x03\xd9\xa2\x9a"])),
];

/// How pictures begin.
const PICTURES: [&[u8]; 16] = [
    b"\x89PNG\r\n\x1a\n",
    b"\xff\xd8\xff",
    b"GIF87a",
    b"GIF89a",
    b"BM",
    b"II*\0",
    b"MM\0*",
    b"II+\0",
    b"MM\0+",
    b"8BPS",
    b"\0\0\x01\0",
    b"\0\0\0\x0cJXL ",
    b"\xff\x0a",
    b"\0\0\0\x0cjP  ",
    b"\xff\x4f\xff\x51",
    b"II\xbc\x01",
];

/// What the name of a file promises, if it is one of those that are known. `name` is in lower case.
#[must_use]
pub fn promised(name: &[u8]) -> Option<Promise> {
    if let Some((coding, _)) = stream::Coding::named(name) {
        return Some(Promise::Coded(coding));
    }
    let dot = name.iter().rposition(|byte| *byte == b'.').filter(|at| *at > 0)?;
    let ending = std::str::from_utf8(&name[dot + 1..]).ok()?;
    PROMISES.iter().find(|(endings, _)| endings.contains(&ending)).map(|(_, promise)| *promise)
}

/// Whether this is no file of its kind and not meant to be one: a note that somebody has the document
/// open, what a Mac keeps beside a file, a pointer to where the content is.
#[must_use]
pub fn is_placeholder(head: &[u8], name: &[u8]) -> bool {
    name.starts_with(b"~$")
        || head.starts_with(&[0, 5, 0x16, 7])
        || head.starts_with(&[0, 5, 0x16, 0])
        || head.starts_with(b"version https://git-lfs.github.com/spec/")
        || head.starts_with(b"/annex/objects/")
        || head.starts_with(b"../") && head.len() < 1024
}

/// Whether all of it is zero: what a file system leaves of a file whose content it had not written.
#[must_use]
pub fn is_blank(head: &[u8]) -> bool {
    head.iter().all(|byte| *byte == 0)
}

impl Promise {
    /// What it is called.
    #[must_use]
    pub const fn what(self) -> &'static str {
        match self {
            Self::Sqlite => "a SQLite database",
            Self::Zip => "a ZIP archive",
            Self::Office => "an office document",
            Self::Coded(coding) => coding.what(),
            Self::Tar => "a tar archive",
            Self::Picture => "a picture",
            Self::Pdf => "a PDF",
            Self::Sql => "a script or dump of SQL",
            Self::Dump => "a dump",
            Self::Magic(what, _) => what,
        }
    }

    /// Whether content that begins like this can be what is promised.
    #[must_use]
    pub fn is_kept_by(self, head: &[u8]) -> bool {
        let any = |all: &[&[u8]]| all.iter().any(|magic| head.starts_with(magic));
        let is_zip = || any(&[b"PK\x03\x04", b"PK\x05\x06", b"PK\x07\x08", b"PK00PK\x03\x04"]);
        match self {
            Self::Sqlite => head.starts_with(sqlite::MAGIC),
            Self::Zip => is_zip(),
            Self::Office => is_zip() || head.starts_with(OLE),
            Self::Coded(coding) => stream::Coding::of(head) == Some(coding),
            Self::Tar => is_tar(head),
            Self::Picture => any(&PICTURES) || is_named_picture(head),
            Self::Pdf => {
                let near = &head[..head.len().min(1024)];
                near.windows(5).any(|window| window == b"%PDF-")
            }
            Self::Sql => script::is_text(head),
            // A name that programs use for anything.
            Self::Dump => true,
            Self::Magic(_, all) => any(all),
        }
    }
}

/// RIFF and ISO containers, and what is drawn with markup.
fn is_named_picture(head: &[u8]) -> bool {
    let at = |from: usize, wanted: &[u8]| head.get(from..from + wanted.len()) == Some(wanted);
    let is_iso = at(4, b"ftyp");
    let text = head.trim_ascii_start();
    (at(0, b"RIFF") && at(8, b"WEBP")) || is_iso || text.starts_with(b"<svg") || is_svg(text)
}

fn is_svg(text: &[u8]) -> bool {
    text.starts_with(b"<?xml") && text.windows(4).any(|window| window == b"<svg")
}
