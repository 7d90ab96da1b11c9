//! Compressed streams: opened with bounded memory, read to the end.

use std::io::{self, BufRead, Read};

use bzip2::bufread::MultiBzDecoder;
use flate2::bufread::MultiGzDecoder;
use lzma_rust2::XzReader;

/// How a stream is compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Coding {
    /// RFC 1952.
    Gzip,
    /// As `xz` writes it.
    Xz,
    /// RFC 8878.
    Zstd,
    /// As `bzip2` writes it.
    Bzip2,
}

/// Memory for the dictionary of an xz stream, in KiB: as the largest preset needs.
const XZ_MEMORY_KIB: u32 = 100 * 1024;
/// Logarithm of the largest window of zstd that is held: as `zstd -d` without an option.
const ZSTD_WINDOW_LOG: u32 = 27;

/// Names, and what a name without them ends with: a `.tgz` is a `.tar` that is compressed.
const ENDINGS: [(&[u8], Coding, &[u8]); 15] = [
    (b".gz", Coding::Gzip, b""),
    (b".gzip", Coding::Gzip, b""),
    (b".tgz", Coding::Gzip, b".tar"),
    (b".taz", Coding::Gzip, b".tar"),
    (b".svgz", Coding::Gzip, b".svg"),
    (b".xz", Coding::Xz, b""),
    (b".txz", Coding::Xz, b".tar"),
    (b".zst", Coding::Zstd, b""),
    (b".zstd", Coding::Zstd, b""),
    (b".tzst", Coding::Zstd, b".tar"),
    (b".bz2", Coding::Bzip2, b""),
    (b".bzip2", Coding::Bzip2, b""),
    (b".tbz", Coding::Bzip2, b".tar"),
    (b".tbz2", Coding::Bzip2, b".tar"),
    (b".tb2", Coding::Bzip2, b".tar"),
];

impl Coding {
    /// By the first bytes of a file.
    #[must_use]
    pub fn of(head: &[u8]) -> Option<Self> {
        match head {
            [0x1f, 0x8b, 8, ..] => Some(Self::Gzip),
            [0xfd, b'7', b'z', b'X', b'Z', 0, ..] => Some(Self::Xz),
            // A frame, or one to be skipped, with which some programs begin.
            [0x28, 0xb5, 0x2f, 0xfd, ..] | [0x50..=0x5f, 0x2a, 0x4d, 0x18, ..] => Some(Self::Zstd),
            [b'B', b'Z', b'h', b'1'..=b'9', ..] => Some(Self::Bzip2),
            _ => None,
        }
    }

    /// By a name in lower case, with the name of what is inside.
    #[must_use]
    pub fn named(name: &[u8]) -> Option<(Self, Vec<u8>)> {
        let (coding, bare) = ENDINGS.iter().find_map(|(ending, coding, instead)| {
            Some((*coding, [name.strip_suffix(*ending)?, *instead].concat()))
        })?;
        Some((coding, bare))
    }

    /// What it is called.
    #[must_use]
    pub const fn what(self) -> &'static str {
        match self {
            Self::Gzip => "a gzip stream",
            Self::Xz => "an xz stream",
            Self::Zstd => "a zstd stream",
            Self::Bzip2 => "a bzip2 stream",
        }
    }
}

/// What is inside. A stream that ends too early or does not decode is an error of reading.
///
/// # Errors
/// If there is no memory for it.
pub fn open<'r>(coding: Coding, reader: impl BufRead + 'r) -> io::Result<Box<dyn Read + 'r>> {
    Ok(match coding {
        Coding::Gzip => Box::new(MultiGzDecoder::new(reader)),
        Coding::Xz => Box::new(XzReader::new_mem_limit(reader, true, XZ_MEMORY_KIB)),
        Coding::Bzip2 => Box::new(MultiBzDecoder::new(reader)),
        Coding::Zstd => {
            let mut decoder = zstd::stream::read::Decoder::with_buffer(reader)?;
            decoder.window_log_max(ZSTD_WINDOW_LOG)?;
            Box::new(decoder)
        }
    })
}
