//! Floor 2: algorithms on byte slices: keys in, bytes out; no format, no I/O.
//!
//! Every primitive is a published one from a maintained crate; this floor only fixes the choices
//! (one hash, one AEAD in two nonce sizes, one KDF, one KEM in two suites, one signature) and
//! gives them names that cannot be confused. Which key belongs to what is decided above; contexts
//! and associated data come in as arguments. Published test vectors hold each of them in place.

pub mod random;
pub mod error;
pub mod secret;
pub mod hash;
pub mod aead;
pub mod kdf;
pub mod seal;
pub mod sign;
pub mod phrase;

#[cfg(test)]
mod vectors;
