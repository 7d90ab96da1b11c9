//! A secret key of 32 bytes, the only shape in which key material passes between floors.
//!
//! It is wiped when dropped, never printed, and cannot be compared: nothing here needs to know
//! whether two keys are equal, and a comparison would have to take constant time. Typed keys for
//! one purpose each are made of it above, where the purposes are known.

use std::fmt;

use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

use crate::crypt::random;

/// Key material of 256 bits.
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub struct SecretKey([u8; 32]);

impl SecretKey {
    /// Length in bytes.
    pub const LEN: usize = 32;

    /// Wraps raw key material.
    #[must_use]
    pub const fn new(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// Draws a new key.
    #[must_use]
    pub fn random() -> Self {
        Self(*Zeroizing::new(random::array()))
    }

    /// The raw key material, to hand to an algorithm or to put into a sealed record.
    #[must_use]
    pub const fn expose(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Debug for SecretKey {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("SecretKey(hidden)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn printing_shows_nothing_of_the_key() {
        let key = SecretKey::new([0xab; 32]);
        assert_eq!(format!("{key:?}"), "SecretKey(hidden)");
        assert_eq!(key.clone().expose(), &[0xab; 32]);
    }

    #[test]
    fn wiping_leaves_zeros() {
        let mut key = SecretKey::random();
        assert_ne!(key.expose(), &[0; 32]);
        key.zeroize();
        assert_eq!(key.expose(), &[0; 32]);
    }
}
