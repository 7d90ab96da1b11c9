//! What is in a file: pieces of bytes that follow from a seed, and holes.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

/// How many bytes are generated and written at once.
const STEP_BYTES: usize = 64 << 10;

/// A page of something like a database.
pub const PAGE_BYTES: u64 = 4096;

/// The content of a regular file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Content {
    /// These pieces one after the other; none for an empty file.
    Pieces(Vec<Piece>),
    /// The same as an earlier file: modulo the number of files before it.
    SameAs(usize),
}

/// A stretch of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Piece {
    /// Bytes that nothing compresses.
    Random {
        /// Decides the bytes.
        seed: u64,
        /// How many.
        length_bytes: u64,
    },
    /// Words and lines.
    Text {
        /// Decides the words.
        seed: u64,
        /// How many bytes.
        length_bytes: u64,
    },
    /// Pages with a number, a few cells and much zero, like those of SQLite.
    Pages {
        /// Decides the cells.
        seed: u64,
        /// How many pages.
        page_count: u64,
    },
    /// Zeros that are really written.
    Zeros {
        /// How many.
        length_bytes: u64,
    },
    /// Zeros that are not written.
    Hole {
        /// How many.
        length_bytes: u64,
    },
}

impl Piece {
    /// Its length in the file.
    #[must_use]
    pub fn length_bytes(&self) -> u64 {
        match self {
            Self::Random { length_bytes, .. }
            | Self::Text { length_bytes, .. }
            | Self::Zeros { length_bytes }
            | Self::Hole { length_bytes } => *length_bytes,
            Self::Pages { page_count, .. } => page_count * PAGE_BYTES,
        }
    }
}

/// Writes pieces to a new file; holes stay holes, also at the end.
///
/// # Errors
/// What the file system refuses.
pub fn write(pieces: &[Piece], file: &File) -> io::Result<()> {
    let mut offset = 0;
    for piece in pieces {
        let mut made = Maker::new(piece);
        let mut left = if matches!(piece, Piece::Hole { .. }) { 0 } else { piece.length_bytes() };
        let mut at = offset;
        while left > 0 {
            let step = STEP_BYTES.min(usize::try_from(left).unwrap_or(STEP_BYTES));
            let bytes = made.take(step);
            file.write_all_at(&bytes, at)?;
            at += step as u64;
            left -= step as u64;
        }
        offset += piece.length_bytes();
    }
    file.set_len(offset)
}

/// `length` bytes that follow from `seed` and that nothing compresses.
#[must_use]
pub fn random_bytes(seed: u64, length: usize) -> Vec<u8> {
    Maker::new(&Piece::Random { seed, length_bytes: length as u64 }).take(length)
}

const WORDS: [&str; 16] = [
    "and", "the", "chunk", "of", "a", "store", "\n", "is", "let", "restore", "return", "{", "}",
    "backup", "to", "0x00",
];

/// Makes the bytes of one piece from the front to the back.
struct Maker<'a> {
    piece: &'a Piece,
    state: u64,
    ready: Vec<u8>,
    page: u64,
}

impl<'a> Maker<'a> {
    fn new(piece: &'a Piece) -> Self {
        let state = match piece {
            Piece::Random { seed, .. } | Piece::Text { seed, .. } | Piece::Pages { seed, .. } => {
                *seed
            }
            Piece::Zeros { .. } | Piece::Hole { .. } => 0,
        };
        Self { piece, state, ready: Vec::new(), page: 0 }
    }

    fn take(&mut self, count: usize) -> Vec<u8> {
        while self.ready.len() < count {
            self.make_more();
        }
        let rest = self.ready.split_off(count);
        std::mem::replace(&mut self.ready, rest)
    }

    fn make_more(&mut self) {
        match self.piece {
            Piece::Random { .. } => {
                for _ in 0..STEP_BYTES / 8 {
                    let word = self.next();
                    self.ready.extend(word.to_le_bytes());
                }
            }
            Piece::Text { .. } => {
                for _ in 0..1024 {
                    let word = WORDS[(self.next() >> 60) as usize];
                    self.ready.extend(word.bytes());
                    self.ready.push(b' ');
                }
            }
            Piece::Pages { .. } => {
                let mut page = vec![0; PAGE_BYTES as usize];
                page[..8].copy_from_slice(&self.page.to_be_bytes());
                for cell in page.rchunks_exact_mut(64).take(20) {
                    cell[..8].copy_from_slice(&self.next().to_le_bytes());
                    cell[8..16].copy_from_slice(&self.page.to_le_bytes());
                }
                self.page += 1;
                self.ready.extend(page);
            }
            Piece::Zeros { .. } | Piece::Hole { .. } => {
                self.ready.resize(self.ready.len() + STEP_BYTES, 0);
            }
        }
    }

    /// SplitMix64 (Steele, Lea, Flood 2014): every seed gives another stream.
    fn next(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut word = self.state;
        word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        word ^ (word >> 31)
    }
}
