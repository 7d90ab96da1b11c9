//! What a probe answers, and what it may use.

use std::io::{self, Read};

/// What a probe says of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// It is whole, as far as the probe looks.
    Passed,
    /// It is not, in words.
    Failed(String),
    /// The probe cannot tell, in words.
    NotProved(String),
}

/// What one probe of one file may use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Bytes that come out of decompression: a small archive can hold more than any disk.
    pub decoded_bytes: u64,
    /// Bytes of memory for one decoded thing.
    pub memory_bytes: u64,
    /// Wall time, in milliseconds, where a library can be interrupted.
    pub time_ms: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self { decoded_bytes: 64 << 30, memory_bytes: 256 << 20, time_ms: 300_000 }
    }
}

/// A reader that stops with an error after so many bytes.
pub struct Bounded<R> {
    inner: R,
    left: u64,
}

/// What [`Bounded`] says; probes turn it into a doubt, not into a failure.
const TOO_MUCH: &str = "it decompresses to more than a probe reads";

impl<R: Read> Bounded<R> {
    /// Reads at most `limit` bytes.
    pub fn new(inner: R, limit: u64) -> Self {
        Self { inner, left: limit }
    }
}

impl<R: Read> Read for Bounded<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.inner.read(buffer)?;
        match self.left.checked_sub(count as u64) {
            Some(left) => {
                self.left = left;
                Ok(count)
            }
            None => Err(io::Error::other(TOO_MUCH)),
        }
    }
}

/// Reads to the end and drops the bytes; answers how many there were.
///
/// # Errors
/// Those of the reader.
pub fn drain(reader: &mut dyn Read) -> io::Result<u64> {
    io::copy(reader, &mut io::sink())
}

/// The verdict of a walk that ends with an error of reading.
#[must_use]
pub fn judge(walked: io::Result<()>) -> Verdict {
    match walked {
        Ok(()) => Verdict::Passed,
        Err(error) if error.to_string().contains(TOO_MUCH) => {
            Verdict::NotProved(TOO_MUCH.to_owned())
        }
        Err(error) if error.kind() == io::ErrorKind::OutOfMemory => {
            Verdict::NotProved("it needs more memory than a probe may have".to_owned())
        }
        Err(error) => Verdict::Failed(error.to_string()),
    }
}

/// A failed walk.
#[must_use]
pub fn broken(why: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, why)
}
