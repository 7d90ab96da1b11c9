//! Compresses blocks with zstd, or leaves them as they are when that saves next to nothing.
//!
//! A block is stored raw if under 1.5 % would be saved, because every reader pays for undoing.
//! Films and archives come in many blocks: after one that did not compress, samples of the next say
//! whether it is tried, so that they cost next to nothing. One context is kept for all blocks of a
//! worker. Frames bear neither checksum (the AEAD does that) nor content size (the block's own
//! header says it, and two truths could differ).
//!
//! The reader trusts no frame: output goes into room for exactly the promised length, which is
//! bounded before it is allocated, so neither a bomb nor a huge window costs any memory.

use std::fmt;

use zstd::zstd_safe;

use crate::base::error::{Classified, ErrorClass};
use crate::base::limits::BLOCK_MAX_RAW_BYTES;
use crate::chunk::level::Level;
use crate::chunk::ways::{Ways, append_squeezed};

/// The bytes are as they are.
pub const CODEC_STORED: u8 = 0;
/// The bytes are one zstd frame.
pub const CODEC_ZSTD: u8 = 1;

/// Largest window of a frame, as a power of two: no block is longer.
const WINDOW_MAX_LOG2: u32 = BLOCK_MAX_RAW_BYTES.ilog2();

/// Why a block does not decompress.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SqueezeError {
    /// The block promises to be longer than any block may be.
    #[error("a block of {raw_bytes} raw bytes is longer than {BLOCK_MAX_RAW_BYTES}")]
    TooLong {
        /// What it promises.
        raw_bytes: usize,
    },
    /// The block is compressed in a way this program does not know.
    #[error("a block is compressed with the unknown codec {codec}")]
    UnknownCodec {
        /// Its code.
        codec: u8,
    },
    /// The bytes are not one whole zstd frame.
    #[error("a block is no zstd frame: {why}")]
    Frame {
        /// What the decoder says.
        why: &'static str,
    },
    /// The block has another length than it promises.
    #[error("a block holds {found_bytes} raw bytes instead of {raw_bytes}")]
    Length {
        /// What it promises.
        raw_bytes: usize,
        /// What it holds.
        found_bytes: usize,
    },
}

impl Classified for SqueezeError {
    fn class(&self) -> ErrorClass {
        match self {
            Self::UnknownCodec { .. } => ErrorClass::Newer,
            Self::TooLong { .. } | Self::Frame { .. } | Self::Length { .. } => ErrorClass::Corrupt,
        }
    }
}

/// A block is judged by so many samples, spread evenly over it,
const SAMPLE_COUNT: usize = 8;
/// ... of so many bytes each,
const SAMPLE_BYTES: usize = 2 << 10;
/// ... if it has at least so many bytes: of a shorter one samples cost too much.
const SAMPLED_MIN_BYTES: usize = 8 * SAMPLE_COUNT * SAMPLE_BYTES;
/// One of so many is tried whatever samples say: they do not see what repeats far away.
const TRIED_ANYWAY: u32 = 64;

/// Compresses blocks, one after the other; each worker has its own.
pub struct Compressor {
    ways: Option<Ways>,
    /// Whether every block is tried.
    is_thorough: bool,
    /// Blocks since the last that was worth compressing.
    stored_in_row: u32,
    samples: Vec<u8>,
    squeezed_samples: Vec<u8>,
}

impl Compressor {
    /// Prepares a context; its memory grows with the level, is taken with the first block and kept.
    #[must_use]
    pub fn new(level: Level) -> Self {
        let (samples, squeezed_samples) = (Vec::new(), Vec::new());
        let is_thorough = level == Level::Max;
        Self { ways: Ways::of(level), is_thorough, stored_in_row: 0, samples, squeezed_samples }
    }

    /// Appends `raw` to `out`, compressed if that is worth it, and returns the codec. Should zstd
    /// fail (it lacks memory), the bytes are stored as they are.
    pub fn compress_into(&mut self, raw: &[u8], out: &mut Vec<u8>) -> u8 {
        let start = out.len();
        if !self.seems_in_vain(raw)
            && let Some(ways) = &mut self.ways
            && ways.append(raw, out)
        {
            self.stored_in_row = 0;
            return CODEC_ZSTD;
        }
        self.stored_in_row = self.stored_in_row.wrapping_add(1);
        out.truncate(start);
        out.extend_from_slice(raw);
        CODEC_STORED
    }

    /// Whether the block before did not compress, and neither do samples of this one.
    fn seems_in_vain(&mut self, raw: &[u8]) -> bool {
        let Some(ways) = &mut self.ways else { return true };
        if self.is_thorough
            || self.stored_in_row.is_multiple_of(TRIED_ANYWAY)
            || raw.len() < SAMPLED_MIN_BYTES
        {
            return false;
        }
        self.samples.clear();
        self.squeezed_samples.clear();
        for part in raw.chunks_exact(raw.len() / SAMPLE_COUNT).take(SAMPLE_COUNT) {
            self.samples.extend_from_slice(&part[..SAMPLE_BYTES]);
        }
        !append_squeezed(&mut ways.context, &self.samples, &mut self.squeezed_samples)
    }
}

impl fmt::Debug for Compressor {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("Compressor")
    }
}

/// Undoes [`Compressor::compress_into`]; each reading thread has its own.
pub struct Decompressor(zstd_safe::DCtx<'static>);

impl Decompressor {
    /// Prepares a context.
    #[must_use]
    pub fn new() -> Self {
        const VALID: &str = "because the window is within what zstd supports";
        let mut context = zstd_safe::DCtx::create();
        let window = zstd_safe::DParameter::WindowLogMax(WINDOW_MAX_LOG2);
        context.set_parameter(window).map_err(zstd_safe::get_error_name).expect(VALID);
        Self(context)
    }

    /// Replaces the content of `out` by the `raw_bytes` bytes that `bytes` stand for. After an
    /// error `out` is empty.
    ///
    /// # Errors
    /// [`SqueezeError`] if the bytes do not yield exactly that many.
    pub fn decompress_into(
        &mut self,
        codec: u8,
        bytes: &[u8],
        raw_bytes: usize,
        out: &mut Vec<u8>,
    ) -> Result<(), SqueezeError> {
        out.clear();
        if raw_bytes > BLOCK_MAX_RAW_BYTES {
            return Err(SqueezeError::TooLong { raw_bytes });
        }
        let outcome = match codec {
            CODEC_STORED if bytes.len() == raw_bytes => {
                out.extend_from_slice(bytes);
                Ok(raw_bytes)
            }
            CODEC_STORED => Ok(bytes.len()),
            CODEC_ZSTD => self.unpack(bytes, raw_bytes, out),
            _ => Err(SqueezeError::UnknownCodec { codec }),
        };
        match outcome {
            Ok(found_bytes) if found_bytes == raw_bytes => Ok(()),
            Ok(found_bytes) => {
                out.clear();
                Err(SqueezeError::Length { raw_bytes, found_bytes })
            }
            Err(error) => {
                out.clear();
                Err(error)
            }
        }
    }

    fn unpack(
        &mut self,
        bytes: &[u8],
        raw_bytes: usize,
        out: &mut Vec<u8>,
    ) -> Result<usize, SqueezeError> {
        let refused = |code| SqueezeError::Frame { why: zstd_safe::get_error_name(code) };
        // zstd would also accept several frames, and skip some: then one block had many spellings.
        let frame_bytes = zstd_safe::find_frame_compressed_size(bytes).map_err(refused)?;
        if frame_bytes != bytes.len() {
            return Err(SqueezeError::Frame { why: "more bytes follow" });
        }
        out.reserve(raw_bytes);
        self.0.decompress(out, bytes).map_err(refused)
    }
}

impl Default for Decompressor {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Decompressor {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("Decompressor")
    }
}

/// Whether all bytes are zero; at the speed of memory.
#[must_use]
pub fn is_zero(bytes: &[u8]) -> bool {
    // Blocks without a branch inside become vector instructions; one branch per block ends early.
    let (blocks, rest) = bytes.as_chunks::<128>();
    blocks.iter().all(|block| block.iter().fold(0, |all, byte| all | byte) == 0)
        && rest.iter().all(|byte| *byte == 0)
}

#[cfg(test)]
mod tests;
