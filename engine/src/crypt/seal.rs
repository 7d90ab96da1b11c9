//! HPKE (RFC 9180, base mode): seals a pack's data key so that its writer cannot open it again.
//!
//! A machine that backs up holds only public halves, which is what makes it write-only. X-Wing
//! (ML-KEM-768 and X25519 together) is the default: backups are kept for decades, and a recording
//! of today must not fall to a machine of tomorrow, nor to a flaw in either half alone. Plain
//! X25519 is the suite for those who may not use a KEM that is not yet a finished standard. The
//! key schedule (HKDF-SHA256) and the cipher (ChaCha20-Poly1305) are the same for both.

use std::fmt;

use hpke::aead::{AeadTag, ChaCha20Poly1305};
use hpke::inout::InOutBuf;
use hpke::kdf::HkdfSha256;
use hpke::kem::{X25519HkdfSha256, XWing};
use hpke::{Deserializable, HpkeError, Kem, OpModeR, OpModeS, Serializable};
use zeroize::Zeroizing;

use crate::crypt::error::CryptError;
use crate::crypt::secret::SecretKey;

/// Bytes of a sealed key: the key and a tag.
const SEALED_BYTES: usize = SecretKey::LEN + 16;

/// Which KEM encapsulates.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Suite {
    /// X-Wing: ML-KEM-768 and X25519, safe as long as one of them is.
    XWing,
    /// DHKEM(X25519, HKDF-SHA256).
    X25519,
}

impl Suite {
    /// The stored number.
    #[must_use]
    pub const fn code(self) -> u8 {
        match self {
            Self::XWing => 1,
            Self::X25519 => 2,
        }
    }

    /// The suite of a stored number, if there is one.
    #[must_use]
    pub const fn from_code(code: u8) -> Option<Self> {
        match code {
            1 => Some(Self::XWing),
            2 => Some(Self::X25519),
            _ => None,
        }
    }
}

/// The half that seals.
#[derive(Clone)]
pub struct SealPublic(Public);

#[derive(Clone)]
enum Public {
    XWing(Box<<XWing as Kem>::PublicKey>),
    X25519(<X25519HkdfSha256 as Kem>::PublicKey),
}

/// The half that opens; wiped when dropped.
#[derive(Clone)]
pub struct SealSecret(Secret);

#[derive(Clone)]
enum Secret {
    XWing(Box<<XWing as Kem>::PrivateKey>),
    X25519(<X25519HkdfSha256 as Kem>::PrivateKey),
}

/// The pair that belongs to `seed`: the KEM's own derivation (RFC 9180 §7.1.3, and for X-Wing that
/// of draft-ietf-hpke-pq), so that one secret of 32 bytes brings back both halves.
#[must_use]
pub fn key_pair(suite: Suite, seed: &SecretKey) -> (SealSecret, SealPublic) {
    match suite {
        Suite::XWing => {
            let (secret, public) = XWing::derive_keypair(seed.expose());
            let secret = Secret::XWing(Box::new(secret));
            (SealSecret(secret), SealPublic(Public::XWing(Box::new(public))))
        }
        Suite::X25519 => {
            let (secret, public) = X25519HkdfSha256::derive_keypair(seed.expose());
            (SealSecret(Secret::X25519(secret)), SealPublic(Public::X25519(public)))
        }
    }
}

impl SealPublic {
    /// Reads a public key: 1216 bytes for X-Wing, 32 for X25519.
    ///
    /// # Errors
    /// [`CryptError::PublicKey`] for a wrong length or bytes that no key pair has.
    pub fn from_bytes(suite: Suite, bytes: &[u8]) -> Result<Self, CryptError> {
        let key = match suite {
            Suite::XWing => Deserializable::from_bytes(bytes).map(Box::new).map(Public::XWing),
            Suite::X25519 => Deserializable::from_bytes(bytes).map(Public::X25519),
        };
        let refused = |_| CryptError::PublicKey { suite: suite.code(), length_bytes: bytes.len() };
        key.map(Self).map_err(refused)
    }

    /// The bytes of [`SealPublic::from_bytes`].
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        match &self.0 {
            Public::XWing(key) => key.to_bytes().to_vec(),
            Public::X25519(key) => key.to_bytes().to_vec(),
        }
    }

    /// The suite it belongs to.
    #[must_use]
    pub fn suite(&self) -> Suite {
        match self.0 {
            Public::XWing(_) => Suite::XWing,
            Public::X25519(_) => Suite::X25519,
        }
    }

    /// Seals `key`; returns the encapsulation (1120 bytes for X-Wing, 32 for X25519) and the
    /// sealed key. `info` binds both to their place and is not stored.
    ///
    /// # Errors
    /// [`CryptError::PublicKey`] if this is a point of small order, to which nothing can be sealed.
    pub fn seal_key(
        &self,
        info: &[u8],
        key: &SecretKey,
    ) -> Result<(Vec<u8>, [u8; 48]), CryptError> {
        let outcome = match &self.0 {
            Public::XWing(public) => seal_to::<XWing>(public, info, key),
            Public::X25519(public) => seal_to::<X25519HkdfSha256>(public, info, key),
        };
        outcome.map_err(|_| CryptError::PublicKey {
            suite: self.suite().code(),
            length_bytes: self.to_bytes().len(),
        })
    }
}

impl SealSecret {
    /// The suite it belongs to.
    #[must_use]
    pub fn suite(&self) -> Suite {
        match self.0 {
            Secret::XWing(_) => Suite::XWing,
            Secret::X25519(_) => Suite::X25519,
        }
    }

    /// Opens what [`SealPublic::seal_key`] made with the other half and the same `info`.
    ///
    /// # Errors
    /// [`CryptError::Forged`] for anything else.
    pub fn open_key(
        &self,
        info: &[u8],
        encapsulation: &[u8],
        sealed: &[u8; 48],
    ) -> Result<SecretKey, CryptError> {
        let outcome = match &self.0 {
            Secret::XWing(secret) => open_with::<XWing>(secret, info, encapsulation, sealed),
            Secret::X25519(secret) => {
                open_with::<X25519HkdfSha256>(secret, info, encapsulation, sealed)
            }
        };
        outcome.map_err(|_| CryptError::Forged { what: "sealed data key" })
    }
}

impl fmt::Debug for SealPublic {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "SealPublic({:?})", self.suite())
    }
}

impl fmt::Debug for SealSecret {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "SealSecret({:?}, hidden)", self.suite())
    }
}

fn seal_to<K: Kem>(
    public: &K::PublicKey,
    info: &[u8],
    key: &SecretKey,
) -> Result<(Vec<u8>, [u8; SEALED_BYTES]), HpkeError> {
    let mut sealed = [0; SEALED_BYTES];
    let (body, tail) = sealed.split_at_mut(SecretKey::LEN);
    body.copy_from_slice(key.expose());
    let (encapsulation, tag) = hpke::single_shot_seal_inout_detached::<
        ChaCha20Poly1305,
        HkdfSha256,
        K,
    >(&OpModeS::Base, public, info, InOutBuf::from(body), b"")?;
    tail.copy_from_slice(&tag.to_bytes());
    Ok((encapsulation.to_bytes().to_vec(), sealed))
}

fn open_with<K: Kem>(
    secret: &K::PrivateKey,
    info: &[u8],
    encapsulation: &[u8],
    sealed: &[u8; SEALED_BYTES],
) -> Result<SecretKey, HpkeError> {
    let encapsulation = K::EncappedKey::from_bytes(encapsulation)?;
    let tag = AeadTag::<ChaCha20Poly1305>::from_bytes(&sealed[SecretKey::LEN..])?;
    let mut key = Zeroizing::new([0; SecretKey::LEN]);
    key.copy_from_slice(&sealed[..SecretKey::LEN]);
    hpke::single_shot_open_inout_detached::<ChaCha20Poly1305, HkdfSha256, K>(
        &OpModeR::Base,
        secret,
        &encapsulation,
        info,
        InOutBuf::from(key.as_mut_slice()),
        b"",
        &tag,
    )?;
    Ok(SecretKey::new(*key))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::{any, prop_assert, prop_assert_eq, proptest};
    use proptest::sample::Index;

    use super::*;

    const SUITES: [Suite; 2] = [Suite::XWing, Suite::X25519];

    #[test]
    fn codes_are_those_of_the_format() {
        for suite in SUITES {
            assert_eq!(Suite::from_code(suite.code()), Some(suite));
        }
        assert_eq!((Suite::XWing.code(), Suite::X25519.code()), (1, 2));
        assert_eq!((Suite::from_code(0), Suite::from_code(3)), (None, None));
    }

    #[test]
    fn keys_can_be_shared_between_threads_and_show_nothing() {
        fn shared<T: Send + Sync + Clone>(_: &T) {}
        let (secret, public) = key_pair(Suite::XWing, &SecretKey::new([1; 32]));
        shared(&secret);
        shared(&public);
        assert_eq!(format!("{secret:?}"), "SealSecret(XWing, hidden)");
        assert_eq!(format!("{public:?}"), "SealPublic(XWing)");
    }

    #[test]
    fn wrong_lengths_and_hopeless_keys_are_refused() {
        for suite in SUITES {
            let (secret, public) = key_pair(suite, &SecretKey::new([1; 32]));
            let bytes = public.to_bytes();
            for length in [0, 31, bytes.len() - 1] {
                assert!(SealPublic::from_bytes(suite, &bytes[..length]).is_err());
                assert!(secret.open_key(b"", &bytes[..length], &[0; 48]).is_err());
            }
        }
        let neutral = SealPublic::from_bytes(Suite::X25519, &[0; 32]).expect("because 32 bytes do");
        assert_eq!(
            neutral.seal_key(b"", &SecretKey::new([1; 32])).err(),
            Some(CryptError::PublicKey { suite: 2, length_bytes: 32 })
        );
        // Coefficients of ML-KEM above its modulus.
        assert!(SealPublic::from_bytes(Suite::XWing, &[0xff; 1216]).is_err());
    }

    proptest! {
        #![proptest_config(proptest::test_runner::Config::with_cases(24))]
        #[test]
        fn only_the_other_half_opens_and_only_in_the_same_place(
            is_hybrid: bool,
            info in proptest::collection::vec(any::<u8>(), 0..80),
            place: Index,
            bit in 0..8_u8,
        ) {
            let suite = if is_hybrid { Suite::XWing } else { Suite::X25519 };
            let key = SecretKey::random();
            let (secret, public) = key_pair(suite, &SecretKey::random());
            let public = SealPublic::from_bytes(suite, &public.to_bytes())
                .expect("because it was just written");
            let (mut encapsulation, mut sealed) =
                public.seal_key(&info, &key).expect("because the key pair is sound");

            let opened = secret.open_key(&info, &encapsulation, &sealed);
            prop_assert_eq!(opened.map(|found| *found.expose()), Ok(*key.expose()));
            let (stranger, _) = key_pair(suite, &SecretKey::random());
            prop_assert!(stranger.open_key(&info, &encapsulation, &sealed).is_err());
            let moved = [info.as_slice(), &[0]].concat();
            prop_assert!(secret.open_key(&moved, &encapsulation, &sealed).is_err());

            sealed[place.index(48)] ^= 1 << bit;
            prop_assert!(secret.open_key(&info, &encapsulation, &sealed).is_err());
            sealed[place.index(48)] ^= 1 << bit;
            let place = place.index(encapsulation.len());
            encapsulation[place] ^= 1 << bit;
            prop_assert!(secret.open_key(&info, &encapsulation, &sealed).is_err());
        }
    }
}
