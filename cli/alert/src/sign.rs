//! Signatures of webhooks as Standard Webhooks 1.0.0 has them: `v1` with a shared secret, `v1a` with a
//! key whose public half is enough to check.

use std::path::PathBuf;

use data_encoding::BASE64;
use ed25519_dalek::{Signer as _, SigningKey};
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use zeroize::Zeroizing;

use crate::secret::Secret;

const SYMMETRIC: &str = "whsec_";
const ASYMMETRIC: &str = "whsk_";
/// The public half, as receivers get it.
const PUBLIC: &str = "whpk_";
/// What the standard wants of a shared secret.
const SECRET_BYTES: std::ops::RangeInclusive<usize> = 24..=64;

/// A key that signs.
pub enum Signer {
    /// HMAC-SHA256.
    Symmetric(Zeroizing<Vec<u8>>),
    /// Ed25519.
    Asymmetric(Box<SigningKey>),
}

impl std::fmt::Debug for Signer {
    fn fmt(&self, to: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        to.write_str(match self {
            Self::Symmetric(_) => "Signer(v1)",
            Self::Asymmetric(_) => "Signer(v1a)",
        })
    }
}

/// A text is no signing secret; nothing of it is said.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct SignerError(&'static str);

impl Signer {
    /// Reads `whsec_` or `whsk_` with base64 behind it.
    ///
    /// # Errors
    /// [`SignerError`] for anything else, and for lengths that the standard does not allow.
    pub fn parse(secret: &Secret) -> Result<Self, SignerError> {
        let text = secret.expose();
        let decode = |text: &str| {
            BASE64
                .decode(text.as_bytes())
                .map(Zeroizing::new)
                .map_err(|_| SignerError("what follows the prefix is not base64"))
        };
        if let Some(rest) = text.strip_prefix(SYMMETRIC) {
            let bytes = decode(rest)?;
            return match SECRET_BYTES.contains(&bytes.len()) {
                true => Ok(Self::Symmetric(bytes)),
                false => Err(SignerError("a whsec_ secret has from 24 to 64 bytes")),
            };
        }
        let rest = text.strip_prefix(ASYMMETRIC).ok_or(SignerError(
            "a signing secret begins with whsec_ (shared secret) or whsk_ (signing key)",
        ))?;
        let bytes = decode(rest)?;
        // A seed alone, or with its public half behind it.
        let seed = bytes.first_chunk::<32>().filter(|_| matches!(bytes.len(), 32 | 64));
        let key =
            SigningKey::from_bytes(seed.ok_or(SignerError("a whsk_ key has 32 or 64 bytes"))?);
        match bytes.len() == 64 && bytes[32..] != *key.verifying_key().as_bytes() {
            true => Err(SignerError("the two halves of the whsk_ key do not belong together")),
            false => Ok(Self::Asymmetric(Box::new(key))),
        }
    }

    /// What receivers need to check, if it is no secret.
    #[must_use]
    pub fn public(&self) -> Option<String> {
        match self {
            Self::Symmetric(_) => None,
            Self::Asymmetric(key) => {
                Some(format!("{PUBLIC}{}", BASE64.encode(key.verifying_key().as_bytes())))
            }
        }
    }

    fn sign(&self, message: &[u8]) -> String {
        match self {
            Self::Symmetric(secret) => {
                let mut mac = Hmac::<Sha256>::new_from_slice(secret)
                    .expect("because HMAC takes keys of any length");
                mac.update(message);
                format!("v1,{}", BASE64.encode(&mac.finalize().into_bytes()))
            }
            Self::Asymmetric(key) => {
                format!("v1a,{}", BASE64.encode(&key.sign(message).to_bytes()))
            }
        }
    }
}

/// The value of `webhook-signature`: one signature of each key, so that keys change without a gap.
#[must_use]
pub fn signature(signers: &[Signer], id: &str, at_s: i64, body: &[u8]) -> String {
    let mut message = format!("{id}.{at_s}.").into_bytes();
    message.extend_from_slice(body);
    let all: Vec<_> = signers.iter().map(|signer| signer.sign(&message)).collect();
    all.join(" ")
}

/// The secrets of a file: one in each line, the new and the old one while receivers change over.
///
/// # Errors
/// [`SignerError`] of the first that is none.
pub fn signers(secret: &Secret) -> Result<Vec<Signer>, SignerError> {
    let lines = secret.expose().lines().map(str::trim).filter(|line| !line.is_empty());
    lines.map(|line| Signer::parse(&Secret::of(line.to_owned()))).collect()
}

/// The public halves of all keys in files that can be read.
#[must_use]
pub fn public_keys(files: &[PathBuf]) -> Vec<String> {
    let secrets = files.iter().filter_map(|path| Secret::read(path).ok());
    let all = secrets.filter_map(|secret| signers(&secret).ok()).flatten();
    all.filter_map(|signer| signer.public()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn signer(text: &str) -> Result<Signer, SignerError> {
        Signer::parse(&Secret::of(text.to_owned()))
    }

    /// The vector that the libraries of the standard test themselves with.
    #[test]
    fn the_published_vector_comes_out() {
        let key = signer("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").expect("it is one");
        let body = br#"{"test": 2432232314}"#;
        assert_eq!(
            signature(&[key], "msg_p5jXN8AQM9LWM0D4loKWxJek", 1_614_265_330, body),
            "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
        );
    }

    #[test]
    fn the_public_half_checks_what_the_other_signed() {
        let text = format!("whsk_{}", BASE64.encode(&[7; 32]));
        let key = signer(&text).expect("it is one");
        let public = key.public().expect("it has one");
        let bytes = BASE64.decode(public.trim_start_matches("whpk_").as_bytes()).expect("base64");
        let public: [u8; 32] = bytes.try_into().expect("32 bytes");
        let public = ed25519_dalek::VerifyingKey::from_bytes(&public).expect("a key");
        let signed = signature(&[key], "msg_1", 5, b"{}");
        let raw = BASE64.decode(signed.trim_start_matches("v1a,").as_bytes()).expect("base64");
        let raw = ed25519_dalek::Signature::from_slice(&raw).expect("a signature");
        assert!(public.verify_strict(b"msg_1.5.{}", &raw).is_ok());
        assert!(public.verify_strict(b"msg_1.6.{}", &raw).is_err());
    }

    #[test]
    fn a_wrong_secret_is_refused_without_a_word_of_it() {
        for wrong in
            ["hunter2", "whsec_", "whsec_aHVudGVyMg==", "whsec_hunter2!", "whsk_aHVudGVyMg=="]
        {
            let error = signer(wrong).expect_err(wrong).to_string();
            assert!(!error.contains("hunter2") && !error.contains("aHVu"), "{error}");
        }
    }
}
