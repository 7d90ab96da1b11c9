//! A bounds-checked cursor over bytes, and its writing side, for the fixed little-endian layouts.
//!
//! Used by pack headers, footers and index segments, which are read by the million. Everything
//! else is CBOR. No read allocates; a count is compared with what is left before it is believed.

/// Why bytes do not decode.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CodecError {
    /// The bytes end before the value does.
    #[error("truncated at byte {offset}: {wanted_bytes} more bytes expected")]
    Truncated {
        /// Where the read began.
        offset: usize,
        /// How many bytes were wanted.
        wanted_bytes: usize,
    },
    /// Bytes follow after the value.
    #[error("{extra_bytes} bytes too many after the end")]
    Trailing {
        /// How many follow.
        extra_bytes: usize,
    },
    /// A field holds a value that the format does not allow.
    #[error("{what} is out of range")]
    Range {
        /// The name of the field.
        what: &'static str,
    },
    /// The record is not the CBOR that is expected there.
    #[error("not a valid {what} record: {why}")]
    Record {
        /// The kind of record.
        what: &'static str,
        /// What the decoder says.
        why: String,
    },
}

/// Reads fixed-size values from the front of a slice.
#[derive(Debug, Clone)]
pub struct Cursor<'a> {
    bytes: &'a [u8],
    offset: usize,
}

impl<'a> Cursor<'a> {
    /// Starts at the front of `bytes`.
    #[must_use]
    pub fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, offset: 0 }
    }

    /// Bytes not read yet.
    #[must_use]
    pub fn remaining(&self) -> usize {
        self.bytes.len() - self.offset
    }

    /// Offset of the next byte.
    #[must_use]
    pub fn offset(&self) -> usize {
        self.offset
    }

    /// The next `count` bytes.
    ///
    /// # Errors
    /// [`CodecError::Truncated`] if fewer are left.
    pub fn take(&mut self, count: usize) -> Result<&'a [u8], CodecError> {
        if count > self.remaining() {
            return Err(CodecError::Truncated { offset: self.offset, wanted_bytes: count });
        }
        let taken = &self.bytes[self.offset..self.offset + count];
        self.offset += count;
        Ok(taken)
    }

    /// The next `N` bytes as an array.
    ///
    /// # Errors
    /// [`CodecError::Truncated`] if fewer are left.
    pub fn array<const N: usize>(&mut self) -> Result<[u8; N], CodecError> {
        let mut out = [0; N];
        out.copy_from_slice(self.take(N)?);
        Ok(out)
    }

    /// One byte.
    ///
    /// # Errors
    /// [`CodecError::Truncated`] at the end.
    pub fn u8(&mut self) -> Result<u8, CodecError> {
        Ok(self.array::<1>()?[0])
    }

    /// Two bytes, little-endian.
    ///
    /// # Errors
    /// [`CodecError::Truncated`] at the end.
    pub fn u16(&mut self) -> Result<u16, CodecError> {
        Ok(u16::from_le_bytes(self.array()?))
    }

    /// Four bytes, little-endian.
    ///
    /// # Errors
    /// [`CodecError::Truncated`] at the end.
    pub fn u32(&mut self) -> Result<u32, CodecError> {
        Ok(u32::from_le_bytes(self.array()?))
    }

    /// Eight bytes, little-endian.
    ///
    /// # Errors
    /// [`CodecError::Truncated`] at the end.
    pub fn u64(&mut self) -> Result<u64, CodecError> {
        Ok(u64::from_le_bytes(self.array()?))
    }

    /// A count of records of `record_bytes` each that must all fit into what is left.
    ///
    /// # Errors
    /// [`CodecError::Range`] if `max` or the remaining bytes do not allow it.
    pub fn count(
        &mut self,
        record_bytes: usize,
        max: usize,
        what: &'static str,
    ) -> Result<usize, CodecError> {
        let count = self.u32()? as usize;
        if count > max || count.saturating_mul(record_bytes) > self.remaining() {
            return Err(CodecError::Range { what });
        }
        Ok(count)
    }

    /// Ends the reading.
    ///
    /// # Errors
    /// [`CodecError::Trailing`] if bytes are left.
    pub fn finish(self) -> Result<(), CodecError> {
        match self.remaining() {
            0 => Ok(()),
            extra_bytes => Err(CodecError::Trailing { extra_bytes }),
        }
    }
}

/// Appends fixed-size little-endian values to a buffer.
pub trait PutLe {
    /// Appends raw bytes.
    fn put(&mut self, bytes: &[u8]);

    /// Appends one byte.
    fn put_u8(&mut self, value: u8) {
        self.put(&[value]);
    }

    /// Appends two bytes.
    fn put_u16(&mut self, value: u16) {
        self.put(&value.to_le_bytes());
    }

    /// Appends four bytes.
    fn put_u32(&mut self, value: u32) {
        self.put(&value.to_le_bytes());
    }

    /// Appends eight bytes.
    fn put_u64(&mut self, value: u64) {
        self.put(&value.to_le_bytes());
    }
}

impl PutLe for Vec<u8> {
    fn put(&mut self, bytes: &[u8]) {
        self.extend_from_slice(bytes);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_back_what_was_put_and_notices_the_end() {
        let mut bytes = Vec::new();
        bytes.put_u8(1);
        bytes.put_u16(2);
        bytes.put_u32(3);
        bytes.put_u64(4);
        let mut cursor = Cursor::new(&bytes);
        assert_eq!(cursor.u8(), Ok(1));
        assert_eq!(cursor.u16(), Ok(2));
        assert_eq!(cursor.u32(), Ok(3));
        assert_eq!(cursor.clone().finish(), Err(CodecError::Trailing { extra_bytes: 8 }));
        assert_eq!(cursor.u64(), Ok(4));
        assert_eq!(cursor.u8(), Err(CodecError::Truncated { offset: 15, wanted_bytes: 1 }));
        assert_eq!(cursor.finish(), Ok(()));
    }

    #[test]
    fn a_count_is_not_believed_beyond_the_bytes_that_are_left() {
        let mut bytes = Vec::new();
        bytes.put_u32(3);
        bytes.put(&[0; 20]);
        assert!(Cursor::new(&bytes).count(8, 100, "records").is_err());
        assert_eq!(Cursor::new(&bytes).count(5, 100, "records"), Ok(3));
        assert!(Cursor::new(&bytes).count(5, 2, "records").is_err());
    }
}
