//! Authenticated encryption: XChaCha20-Poly1305 for records, ChaCha20-Poly1305 for blocks.
//!
//! Records (footers, segments, control objects, slots) share keys that live for years, so their
//! nonces are random, and 192 bits long so that chance never repeats one. Blocks are sealed with a
//! key drawn for one pack; their nonce is eight random bytes and their number. The number keeps a
//! block in its place. The random part is for machines whose memory is copied and that go on twice:
//! both would seal other bytes under the next number of the same pack. AES would be faster where it
//! is built in; ChaCha20 is as fast everywhere and has no tables that a neighbour could time.

use std::fmt;
use std::ops::Range;

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

/// Random bytes in front of a sealed block.
pub const BLOCK_SALT_BYTES: usize = 8;

/// Seals and opens the blocks of one pack. The key must be used for that pack alone.
#[derive(Clone)]
pub struct BlockCipher(ChaCha20Poly1305);

impl BlockCipher {
    /// Takes the data key of a pack.
    #[must_use]
    pub fn new(key: &SecretKey) -> Self {
        Self(ChaCha20Poly1305::new(key.expose().into()))
    }

    /// Encrypts what stands behind the first [`BLOCK_SALT_BYTES`] of `bytes` where it lies, puts
    /// random bytes into these, and returns the tag that is to follow. The nonce is the random
    /// bytes and `block` as a little-endian u32.
    ///
    /// # Panics
    /// If `bytes` has no room for the random bytes.
    #[must_use]
    pub fn seal_in_place(&self, block: u32, associated: &[u8], bytes: &mut [u8]) -> [u8; 16] {
        let (salt, plain) = bytes.split_at_mut(BLOCK_SALT_BYTES);
        let drawn = random::array::<BLOCK_SALT_BYTES>();
        salt.copy_from_slice(&drawn);
        self.0
            .encrypt_inout_detached(&nonce(drawn, block), associated, InOutBuf::from(plain))
            .expect(FITS)
            .into()
    }

    /// Decrypts `sealed`, random bytes ‖ ciphertext ‖ tag, where it lies; answers where the
    /// plaintext is. If it fails, the bytes are as they were.
    ///
    /// # Errors
    /// [`CryptError::ForgedBlock`] if it is not block `block` of this pack with that associated
    /// data.
    pub fn open_in_place(
        &self,
        block: u32,
        associated: &[u8],
        sealed: &mut [u8],
    ) -> Result<Range<usize>, CryptError> {
        let forged = CryptError::ForgedBlock { block };
        let Some((salt, rest)) = sealed.split_first_chunk_mut::<BLOCK_SALT_BYTES>() else {
            return Err(forged);
        };
        let Some((cipher, tag)) = rest.split_last_chunk_mut::<TAG_BYTES>() else {
            return Err(forged);
        };
        let end = BLOCK_SALT_BYTES + cipher.len();
        self.0
            .decrypt_inout_detached(
                &nonce(*salt, block),
                associated,
                InOutBuf::from(cipher),
                &Tag::from(*tag),
            )
            .map_err(|_| forged)?;
        Ok(BLOCK_SALT_BYTES..end)
    }
}

impl fmt::Debug for BlockCipher {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("BlockCipher(hidden)")
    }
}

fn nonce(salt: [u8; BLOCK_SALT_BYTES], block: u32) -> Nonce {
    let mut bytes = [0; 12];
    bytes[..BLOCK_SALT_BYTES].copy_from_slice(&salt);
    bytes[BLOCK_SALT_BYTES..].copy_from_slice(&block.to_le_bytes());
    Nonce::from(bytes)
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::{any, prop_assert, prop_assert_eq, prop_assert_ne, proptest};
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
            let seal = || {
                let mut sealed = [&[0; BLOCK_SALT_BYTES], plain.as_slice()].concat();
                let tag = cipher.seal_in_place(block, &associated, &mut sealed);
                sealed.extend_from_slice(&tag);
                sealed
            };
            let mut sealed = seal();
            // Who goes on twice from one state of memory uses no nonce twice.
            prop_assert_ne!(&sealed[..BLOCK_SALT_BYTES], &seal()[..BLOCK_SALT_BYTES]);

            let mut opened = sealed.clone();
            let place_of_plain = cipher.open_in_place(block, &associated, &mut opened);
            let place_of_plain = place_of_plain.expect("it was just sealed");
            prop_assert_eq!(&opened[place_of_plain], plain.as_slice());

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
