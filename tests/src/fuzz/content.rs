//! Files of users that probes look into, and blocks of packs.

use std::io::Write;

use engine::chunk::squeeze::Decompressor;
use restore_verify::probe::choose::{self, Choice};
use restore_verify::probe::stream::Coding;
use restore_verify::probe::verdict::{Bounded, Limits, Verdict, drain};
use restore_verify::probe::{archive, dump, image, postgres, stream};

use crate::fuzz::Decoder;

/// What a probe of an input may use: less than of a file of a user.
const LIMITS: Limits = Limits { decoded_bytes: 4 << 20, memory_bytes: 32 << 20, time_ms: 2000 };

/// Probes; the file has a name that promises nothing, or what it is.
pub const PROBES: &[Decoder] = &[
    ("file of any kind", |bytes| with_file(bytes, by_content)),
    ("zip", |bytes| look(bytes, Choice::Archive(archive::Format::Zip))),
    ("office document", |bytes| look(bytes, Choice::Archive(archive::Format::Office))),
    ("tar", |bytes| look(bytes, Choice::Archive(archive::Format::Tar))),
    ("7z", |bytes| look(bytes, Choice::Archive(archive::Format::SevenZip))),
    ("gzip", |bytes| coded(bytes, Coding::Gzip)),
    ("bzip2", |bytes| coded(bytes, Coding::Bzip2)),
    ("xz", |bytes| coded(bytes, Coding::Xz)),
    ("zstd", |bytes| coded(bytes, Coding::Zstd)),
    ("png", |bytes| look(bytes, Choice::Image(image::Format::Png))),
    ("jpeg", |bytes| look(bytes, Choice::Image(image::Format::Jpeg))),
    ("pdf", |bytes| look(bytes, Choice::Image(image::Format::Pdf))),
    ("sqlite", |bytes| look(bytes, Choice::Sqlite)),
    ("dump in custom format", |bytes| postgres::look_at(bytes, &LIMITS) == Verdict::Passed),
    ("dump as text", |bytes| {
        dump::recognise(bytes)
            .is_some_and(|dialect| dump::look_at(bytes, dialect, &LIMITS) == Verdict::Passed)
    }),
];

/// Blocks as they come out of the cipher.
pub const BLOCKS: &[Decoder] = &[("block", block)];

fn block(bytes: &[u8]) -> bool {
    let Some((head, stored)) = bytes.split_at_checked(4) else { return false };
    let [codec, length @ ..] = [head[0], head[1], head[2], head[3]];
    let raw_bytes = u32::from_le_bytes([length[0], length[1], length[2], 0]) as usize;
    let mut raw = Vec::new();
    let done = Decompressor::new().decompress_into(codec, stored, raw_bytes, &mut raw);
    assert_eq!(raw.len(), if done.is_ok() { raw_bytes } else { 0 });
    done.is_ok()
}

fn with_file(bytes: &[u8], check: impl Fn(&std::path::Path) -> bool) -> bool {
    let made =
        tempfile::NamedTempFile::new_in("/dev/shm").or_else(|_| tempfile::NamedTempFile::new());
    made.is_ok_and(|mut file| file.write_all(bytes).is_ok() && check(file.path()))
}

fn look(bytes: &[u8], choice: Choice) -> bool {
    with_file(bytes, |path| choose::look(path, choice, &LIMITS) == Verdict::Passed)
}

fn by_content(path: &std::path::Path) -> bool {
    let choice = choose::by_content(path, b"file");
    let Ok(Some(choice)) = choice else { return false };
    choose::look(path, choice, &LIMITS) == Verdict::Passed
}

fn coded(bytes: &[u8], coding: Coding) -> bool {
    let Ok(reader) = stream::open(coding, bytes) else { return false };
    drain(&mut Bounded::new(reader, LIMITS.decoded_bytes)).is_ok()
}
