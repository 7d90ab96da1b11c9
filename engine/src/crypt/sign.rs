//! Ed25519: who wrote a record.
//!
//! Deterministic, small and fast, and without a nonce that a bad random source could spoil.
//! Verification is the strict one: it refuses keys of small order and signatures in a second
//! spelling, so that one signed record has one signature and one possible signer.

use std::fmt;

use ed25519_dalek::Signer;

use crate::crypt::error::CryptError;
use crate::crypt::secret::SecretKey;

/// A key that signs; wiped when dropped.
#[derive(Clone)]
pub struct SigningKey(ed25519_dalek::SigningKey);

impl SigningKey {
    /// The key of RFC 8032 that belongs to a seed of 32 bytes.
    #[must_use]
    pub fn from_seed(seed: &SecretKey) -> Self {
        Self(ed25519_dalek::SigningKey::from_bytes(seed.expose()))
    }

    /// A new key.
    #[must_use]
    pub fn generate() -> Self {
        Self::from_seed(&SecretKey::random())
    }

    /// The seed it was made of.
    #[must_use]
    pub fn seed(&self) -> SecretKey {
        SecretKey::new(self.0.to_bytes())
    }

    /// The public half, for [`verify`].
    #[must_use]
    pub fn public(&self) -> [u8; 32] {
        self.0.verifying_key().to_bytes()
    }

    /// Signs `message`; the same message always gets the same signature.
    #[must_use]
    pub fn sign(&self, message: &[u8]) -> [u8; 64] {
        self.0.sign(message).to_bytes()
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("SigningKey(hidden)")
    }
}

/// Checks that the holder of the secret half of `public` signed `message`.
///
/// # Errors
/// [`CryptError::Forged`] if not, or if `public` is no key or a weak one.
pub fn verify(public: &[u8; 32], message: &[u8], signature: &[u8; 64]) -> Result<(), CryptError> {
    ed25519_dalek::VerifyingKey::from_bytes(public)
        .and_then(|key| key.verify_strict(message, &signature.into()))
        .map_err(|_| CryptError::Forged { what: "signature" })
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::{any, prop_assert, prop_assert_eq, proptest};
    use proptest::sample::Index;

    use super::*;

    #[test]
    fn a_seed_brings_back_the_key() {
        let key = SigningKey::generate();
        assert_eq!(SigningKey::from_seed(&key.seed()).public(), key.public());
        assert_ne!(SigningKey::generate().public(), key.public());
        assert_eq!(format!("{key:?}"), "SigningKey(hidden)");
    }

    #[test]
    fn the_neutral_point_signs_nothing() {
        // Under the key 1 (the neutral point), R = 1 and S = 0 satisfy the plain equation.
        let mut public = [0; 32];
        public[0] = 1;
        let mut signature = [0; 64];
        signature[0] = 1;
        assert!(verify(&public, b"anything", &signature).is_err());
    }

    proptest! {
        #[test]
        fn only_the_signed_message_verifies(
            message in vec(any::<u8>(), 1..500),
            place: Index,
            bit in 0..8_u8,
        ) {
            let key = SigningKey::generate();
            let mut signature = key.sign(&message);
            prop_assert_eq!(verify(&key.public(), &message, &signature), Ok(()));
            prop_assert!(verify(&SigningKey::generate().public(), &message, &signature).is_err());
            let mut other = message.clone();
            other[place.index(message.len())] ^= 1 << bit;
            prop_assert!(verify(&key.public(), &other, &signature).is_err());
            signature[place.index(64)] ^= 1 << bit;
            prop_assert!(verify(&key.public(), &message, &signature).is_err());
        }
    }
}
