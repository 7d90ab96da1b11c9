//! The chunker's table of 256 numbers, made from a key instead of taken from the paper.
//!
//! With the published table anybody who sees chunk lengths could recognise files he knows. With a
//! keyed one he must first learn the key; that is "improved, but not sound" against somebody who
//! sees many lengths, which is why lengths never leave a pack unencrypted either. The key costs
//! nothing: the inner loop reads a table in any case.

use std::fmt;

use zeroize::{Zeroize, ZeroizeOnDrop};

use crate::crypt::secret::SecretKey;

/// Numbers in the table, one for each value of a byte.
const ENTRIES: usize = 256;

/// The gear table of one dedup domain, wiped when dropped. Two domains with the same key cut
/// equally.
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub struct GearTable {
    gear: [u64; ENTRIES],
    shifted: [u64; ENTRIES],
}

impl GearTable {
    /// Makes the table: the first 2048 bytes of keyed BLAKE3's extended output over the empty
    /// message, as little-endian numbers of eight bytes.
    #[must_use]
    pub fn new(key: &SecretKey) -> Self {
        let mut hasher = blake3::Hasher::new_keyed(key.expose());
        let mut stream = hasher.finalize_xof();
        let mut table = Self { gear: [0; ENTRIES], shifted: [0; ENTRIES] };
        for (number, shifted) in table.gear.iter_mut().zip(&mut table.shifted) {
            let mut bytes = [0; 8];
            stream.fill(&mut bytes);
            *number = u64::from_le_bytes(bytes);
            *shifted = *number << 1;
        }
        hasher.zeroize();
        stream.zeroize();
        table
    }

    /// The 256 numbers.
    #[must_use]
    pub fn gear(&self) -> &[u64; 256] {
        &self.gear
    }

    /// The same, each shifted left by one bit: for the step that takes two bytes at once.
    #[must_use]
    pub fn shifted(&self) -> &[u64; 256] {
        &self.shifted
    }
}

impl fmt::Debug for GearTable {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("GearTable(hidden)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_the_output_stream_of_the_key() {
        let table = GearTable::new(&SecretKey::new([7; 32]));
        let mut stream = [0; 2048];
        blake3::Hasher::new_keyed(&[7; 32]).finalize_xof().fill(&mut stream);
        for (index, bytes) in stream.chunks_exact(8).enumerate() {
            let number = bytes.iter().rev().fold(0, |sum, byte| sum << 8 | u64::from(*byte));
            assert_eq!(table.gear()[index], number);
            assert_eq!(table.shifted()[index], number.wrapping_mul(2));
        }
        assert_ne!(table.gear(), GearTable::new(&SecretKey::new([8; 32])).gear());
    }
}
