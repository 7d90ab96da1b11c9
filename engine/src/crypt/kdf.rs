//! Argon2id: makes guessing a passphrase cost memory and time.
//!
//! Argon2id version 1.3 (RFC 9106) withstands both graphics cards, for which memory is dear, and
//! neighbours who watch the cache. The cost is stored with the slot and authenticated there; the
//! ceiling is checked here once more before any memory is asked for, because the cost may come
//! from a hostile store. The floor is the caller's: it knows whether a slot or a test is at hand.

use argon2::{Algorithm, Argon2, Params, Version};
use zeroize::Zeroizing;

use crate::base::limits::{KDF_LANES_MAX, KDF_MEMORY_KIB_MAX, KDF_PASSES_MAX};
use crate::crypt::error::CryptError;
use crate::crypt::secret::SecretKey;

/// Turns a passphrase into a key. Takes `memory_kib` of memory and some hundred milliseconds at
/// the default cost; it runs on the calling thread alone.
///
/// # Errors
/// [`CryptError::KdfCost`] for a cost above the ceiling or one that Argon2 does not define (less
/// than one pass or lane, under 8 KiB a lane); [`CryptError::KdfMemory`] if memory is short.
pub fn stretch(
    passphrase: &[u8],
    salt: &[u8; 16],
    memory_kib: u32,
    passes: u32,
    lanes: u32,
) -> Result<SecretKey, CryptError> {
    let refused = || CryptError::KdfCost { memory_kib, passes, lanes };
    if memory_kib > KDF_MEMORY_KIB_MAX || passes > KDF_PASSES_MAX || lanes > KDF_LANES_MAX {
        return Err(refused());
    }
    let params =
        Params::new(memory_kib, passes, lanes, Some(SecretKey::LEN)).map_err(|_| refused())?;
    let mut key = Zeroizing::new([0; SecretKey::LEN]);
    Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
        .hash_password_into(passphrase, salt, key.as_mut())
        .map_err(|error| match error {
            argon2::Error::OutOfMemory => CryptError::KdfMemory { memory_kib },
            _ => refused(),
        })?;
    Ok(SecretKey::new(*key))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_input_changes_the_key() {
        let key = |passphrase: &[u8], salt, memory_kib, passes, lanes| {
            *stretch(passphrase, &[salt; 16], memory_kib, passes, lanes)
                .expect("because the cost is defined")
                .expose()
        };
        let plain = key(b"correct horse", 1, 64, 2, 1);
        assert_eq!(plain, key(b"correct horse", 1, 64, 2, 1));
        assert_ne!(plain, key(b"correct horsf", 1, 64, 2, 1));
        assert_ne!(plain, key(b"correct horse", 2, 64, 2, 1));
        assert_ne!(plain, key(b"correct horse", 1, 65, 2, 1));
        assert_ne!(plain, key(b"correct horse", 1, 64, 3, 1));
        assert_ne!(plain, key(b"correct horse", 1, 64, 2, 2));
    }

    #[test]
    fn costs_beyond_the_ceiling_or_undefined_are_refused_before_memory_is_taken() {
        for (memory_kib, passes, lanes) in [
            (KDF_MEMORY_KIB_MAX + 1, 1, 1),
            (u32::MAX, 1, 1),
            (64, KDF_PASSES_MAX + 1, 1),
            (256, 1, KDF_LANES_MAX + 1),
            (64, 0, 1),
            (64, 1, 0),
            (7, 1, 1),
            (0, 0, 0),
        ] {
            let outcome = stretch(b"x", &[0; 16], memory_kib, passes, lanes).err();
            assert_eq!(outcome, Some(CryptError::KdfCost { memory_kib, passes, lanes }));
        }
    }
}
