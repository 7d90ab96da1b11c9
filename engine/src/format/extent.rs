//! Extents: where the bytes of a file come from, in file order.

use minicbor::data::Type;
use minicbor::encode::Write;
use minicbor::{Decode, Decoder, Encode, Encoder, decode, encode};

use crate::base::id::ChunkId;

/// A stretch of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Extent {
    /// The bytes of one chunk.
    Chunk {
        /// The chunk.
        id: ChunkId,
        /// Its length in bytes.
        length_bytes: u32,
    },
    /// Zero bytes that occupy no space.
    Hole {
        /// How many.
        length_bytes: u64,
    },
}

impl Extent {
    /// Logical bytes of the file that this extent covers.
    #[must_use]
    pub fn length_bytes(&self) -> u64 {
        match self {
            Self::Chunk { length_bytes, .. } => u64::from(*length_bytes),
            Self::Hole { length_bytes } => *length_bytes,
        }
    }
}

/// A chunk is the array `[id, length]`, a hole is a bare length.
impl<C> Encode<C> for Extent {
    fn encode<W: Write>(
        &self,
        encoder: &mut Encoder<W>,
        context: &mut C,
    ) -> Result<(), encode::Error<W::Error>> {
        match self {
            Self::Chunk { id, length_bytes } => {
                encoder.array(2)?;
                id.encode(encoder, context)?;
                encoder.u32(*length_bytes)?;
            }
            Self::Hole { length_bytes } => {
                encoder.u64(*length_bytes)?;
            }
        }
        Ok(())
    }
}

impl<'b, C> Decode<'b, C> for Extent {
    fn decode(decoder: &mut Decoder<'b>, context: &mut C) -> Result<Self, decode::Error> {
        match decoder.datatype()? {
            Type::Array => {
                if decoder.array()? != Some(2) {
                    return Err(decode::Error::message("extent of wrong length"));
                }
                let id = ChunkId::decode(decoder, context)?;
                Ok(Self::Chunk { id, length_bytes: decoder.u32()? })
            }
            _ => Ok(Self::Hole { length_bytes: decoder.u64()? }),
        }
    }
}
