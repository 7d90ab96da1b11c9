//! Authenticated encryption: XChaCha20-Poly1305 for records, ChaCha20-Poly1305 for blocks.
//!
//! Records (footers, segments, control objects, slots) share keys that live for years, so their
//! nonces are random, and 192 bits long so that chance never repeats one. Blocks are sealed with a
//! key drawn for one pack, so their number is the nonce: nothing to draw, nothing to store, and a
//! block that is moved to another place does not open. AES would be faster where it is built in;
//! ChaCha20 is as fast everywhere and has no tables that a neighbour could time.

use std::fmt;

use chacha20poly1305::aead::inout::InOutBuf;
use chacha20poly1305::{
    AeadInOut, ChaCha20Poly1305, KeyInit, Nonce, Tag, XChaCha20Poly1305, XNonce,
};

use crate::crypt::error::CryptError;
use crate::crypt::random;
use crate::crypt::secret::SecretKey;

/// Bytes of the nonce in front of a sealed record.
const NONCE_BYTES: usize = 24;
/// Bytes of the tag at the end of everything sealed.
const TAG_BYTES: usize = 16;

/// Why sealing cannot fail: the cipher's own limit lies at 256 GiB.
const FITS: &str = "because nothing that is sealed in memory reaches the cipher's limit";

/// Seals a record: nonce 24 ‖ ciphertext ‖ tag 16. `associated` is authenticated, not stored.
#[must_use]
pub fn seal(key: &SecretKey, associated: &[u8], plain: &[u8]) -> Vec<u8> {
    let nonce = random::array::<NONCE_BYTES>();
    let mut sealed = Vec::with_capacity(NONCE_BYTES + plain.len() + TAG_BYTES);
    sealed.extend_from_slice(&nonce);
    sealed.extend_from_slice(plain);
    let tag = XChaCha20Poly1305::new(key.expose().into())
        .encrypt_inout_detached(
            &XNonce::from(nonce),
            associated,
            InOutBuf::from(&mut sealed[NONCE_BYTES..]),
        )
        .expect(FITS);
    sealed.extend_from_slice(&tag);
    sealed
}

/// Bytes that [`seal`] adds: nonce and tag.
pub const SEAL_BYTES: usize = NONCE_BYTES + TAG_BYTES;

/// Opens what [`seal`] made with the same key and associated data.
///
/// # Errors
/// [`CryptError::Forged`] for anything else.
pub fn open(key: &SecretKey, associated: &[u8], sealed: &[u8]) -> Result<Vec<u8>, CryptError> {
    const FORGED: CryptError = CryptError::Forged { what: "sealed record" };
    let (nonce, rest) = sealed.split_first_chunk::<NONCE_BYTES>().ok_or(FORGED)?;
    let (cipher, tag) = rest.split_last_chunk::<TAG_BYTES>().ok_or(FORGED)?;
    let mut plain = cipher.to_vec();
    XChaCha20Poly1305::new(key.expose().into())
        .decrypt_inout_detached(
            &XNonce::from(*nonce),
            associated,
            InOutBuf::from(plain.as_mut_slice()),
            &Tag::from(*tag),
        )
        .map_err(|_| FORGED)?;
    Ok(plain)
}

/// Seals and opens the blocks of one pack. The key must be used for that pack alone, and each
/// block number once: a second block under the same number would give both away.
#[derive(Clone)]
pub struct BlockCipher(ChaCha20Poly1305);

impl BlockCipher {
    /// Takes the data key of a pack.
    #[must_use]
    pub fn new(key: &SecretKey) -> Self {
        Self(ChaCha20Poly1305::new(key.expose().into()))
    }

    /// Encrypts `plain` where it lies and returns the tag that is to follow it. The nonce is
    /// `block` as a little-endian integer of 12 bytes.
    #[must_use]
    pub fn seal_in_place(&self, block: u32, associated: &[u8], plain: &mut [u8]) -> [u8; 16] {
        self.0
            .encrypt_inout_detached(&nonce(block), associated, InOutBuf::from(plain))
            .expect(FITS)
            .into()
    }

    /// Decrypts `sealed`, ciphertext ‖ tag, where it lies; the plaintext is at the front, and its
    /// length is returned. If it fails, the bytes are as they were.
    ///
    /// # Errors
    /// [`CryptError::ForgedBlock`] if it is not block `block` of this pack with that associated
    /// data.
    pub fn open_in_place(
        &self,
        block: u32,
        associated: &[u8],
        sealed: &mut [u8],
    ) -> Result<usize, CryptError> {
        let forged = CryptError::ForgedBlock { block };
        let Some((cipher, tag)) = sealed.split_last_chunk_mut::<TAG_BYTES>() else {
            return Err(forged);
        };
        let plain_bytes = cipher.len();
        self.0
            .decrypt_inout_detached(
                &nonce(block),
                associated,
                InOutBuf::from(cipher),
                &Tag::from(*tag),
            )
            .map_err(|_| forged)?;
        Ok(plain_bytes)
    }
}

impl fmt::Debug for BlockCipher {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("BlockCipher(hidden)")
    }
}

fn nonce(block: u32) -> Nonce {
    let mut bytes = [0; 12];
    bytes[..4].copy_from_slice(&block.to_le_bytes());
    Nonce::from(bytes)
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::{any, prop_assert, prop_assert_eq, proptest};
    use proptest::sample::Index;

    use super::*;

    #[test]
    fn truncated_records_and_blocks_are_refused_without_panic() {
        let key = SecretKey::new([1; 32]);
        let sealed = seal(&key, b"", b"");
        assert_eq!(sealed.len(), NONCE_BYTES + TAG_BYTES);
        for length in 0..sealed.len() {
            assert!(open(&key, b"", &sealed[..length]).is_err());
            let mut block = sealed[..length].to_vec();
            assert!(BlockCipher::new(&key).open_in_place(0, b"", &mut block).is_err());
        }
    }

    #[test]
    fn sealing_twice_gives_different_bytes() {
        let key = SecretKey::new([1; 32]);
        assert_ne!(seal(&key, b"", b"same"), seal(&key, b"", b"same"));
    }

    proptest! {
        #[test]
        fn records_open_only_as_they_were_sealed(
            plain in vec(any::<u8>(), 0..3000),
            associated in vec(any::<u8>(), 0..64),
            place: Index,
            bit in 0..8_u8,
        ) {
            let key = SecretKey::random();
            let mut sealed = seal(&key, &associated, &plain);
            let opened = open(&key, &associated, &sealed);
            prop_assert_eq!(opened.as_ref(), Ok(&plain));
            prop_assert!(open(&SecretKey::random(), &associated, &sealed).is_err());
            let other = [associated.as_slice(), &[0]].concat();
            prop_assert!(open(&key, &other, &sealed).is_err());
            let place = place.index(sealed.len());
            sealed[place] ^= 1 << bit;
            prop_assert!(open(&key, &associated, &sealed).is_err());
        }

        #[test]
        fn blocks_open_only_in_their_place(
            plain in vec(any::<u8>(), 0..3000),
            associated in vec(any::<u8>(), 0..64),
            block: u32,
            place: Index,
            bit in 0..8_u8,
        ) {
            let cipher = BlockCipher::new(&SecretKey::random());
            let mut sealed = plain.clone();
            let tag = cipher.seal_in_place(block, &associated, &mut sealed);
            sealed.extend_from_slice(&tag);

            let mut opened = sealed.clone();
            let plain_bytes = cipher.open_in_place(block, &associated, &mut opened);
            prop_assert_eq!(plain_bytes, Ok(plain.len()));
            prop_assert_eq!(&opened[..plain.len()], plain.as_slice());

            let refused = |block, associated: &[u8], bytes: &[u8]| {
                let mut copy = bytes.to_vec();
                let outcome = cipher.open_in_place(block, associated, &mut copy);
                outcome == Err(CryptError::ForgedBlock { block }) && copy == bytes
            };
            prop_assert!(refused(block.wrapping_add(1), &associated, &sealed));
            prop_assert!(refused(block, &[associated.as_slice(), &[0]].concat(), &sealed));
            let place = place.index(sealed.len());
            sealed[place] ^= 1 << bit;
            prop_assert!(refused(block, &associated, &sealed));
        }
    }
}
