//! BLAKE3 in its three modes: plain digests, keyed ids and codes, derivation of keys.
//!
//! One hash for everything: it is the fastest per core of those without known weakness, and its
//! modes are separated from each other by construction, so that a digest can never be taken for
//! an id or a key. Parts of derived material are preceded by their lengths, so that `ab ‖ c` and
//! `a ‖ bc` give different keys.

use std::fmt;

use zeroize::Zeroize;

use crate::base::id::{ChunkId, Digest, PackKind};
use crate::crypt::error::CryptError;
use crate::crypt::secret::SecretKey;

/// Context of [`commitment`].
const COMMITMENT_CONTEXT: &str = "mainstay v2 commitment to the data key of a pack";

/// Contexts of the two keys of [`ChunkIdKey`].
const DATA_ID_CONTEXT: &str = "mainstay v2 ids of chunks of file content";
const TREE_ID_CONTEXT: &str = "mainstay v2 ids of tree nodes";

/// Plain BLAKE3 of `bytes`.
#[must_use]
pub fn digest(bytes: &[u8]) -> Digest {
    Digest::new(*blake3::hash(bytes).as_bytes())
}

/// Plain BLAKE3 of bytes that come in pieces.
#[derive(Debug, Clone, Default)]
pub struct DigestHasher(blake3::Hasher);

impl DigestHasher {
    /// Starts with nothing hashed.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Appends `bytes`. Pieces of 16 KiB and more, a power of two long, are fastest.
    pub fn update(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    /// The digest of everything appended.
    #[must_use]
    pub fn finish(self) -> Digest {
        Digest::new(*self.0.finalize().as_bytes())
    }
}

/// Names chunks and tree nodes of one dedup domain.
///
/// Each kind has a key of its own, so that a chunk of content never bears the id of a tree node.
/// A kind byte in front of the bytes would do the same, and would move everything behind it across
/// BLAKE3's chunk borders: half the speed for 16 KiB.
#[derive(Clone)]
pub struct ChunkIdKey {
    data: SecretKey,
    tree: SecretKey,
}

impl ChunkIdKey {
    /// Derives the keys of both kinds from the key of a dedup domain.
    #[must_use]
    pub fn new(key: &SecretKey) -> Self {
        let of = |context| derive(context, &[key.expose()]);
        Self { data: of(DATA_ID_CONTEXT), tree: of(TREE_ID_CONTEXT) }
    }

    /// Keyed BLAKE3 over `bytes`, under the key of the kind.
    #[must_use]
    pub fn id(&self, kind: PackKind, bytes: &[u8]) -> ChunkId {
        let key = match kind {
            PackKind::Data => &self.data,
            PackKind::Tree => &self.tree,
        };
        ChunkId::new(*blake3::keyed_hash(key.expose(), bytes).as_bytes())
    }
}

impl fmt::Debug for ChunkIdKey {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("ChunkIdKey(hidden)")
    }
}

/// A key for the purpose that `context` names, derived from all of `material`: BLAKE3 in its
/// key derivation mode over each part, preceded by its length as u32 little-endian.
///
/// The context is a constant of the program, unique to the purpose, and never holds secrets.
#[must_use]
pub fn derive(context: &'static str, material: &[&[u8]]) -> SecretKey {
    let mut hasher = blake3::Hasher::new_derive_key(context);
    for part in material {
        hasher.update(&(part.len() as u32).to_le_bytes()).update(part);
    }
    let key = SecretKey::new(*hasher.finalize().as_bytes());
    hasher.zeroize();
    key
}

/// Keyed BLAKE3 of `bytes`.
#[must_use]
pub fn mac(key: &SecretKey, bytes: &[u8]) -> [u8; 32] {
    *blake3::keyed_hash(key.expose(), bytes).as_bytes()
}

/// Checks a code that [`mac`] made, in a time that does not depend on where they differ.
///
/// # Errors
/// [`CryptError::Forged`] if the code is another.
pub fn check_mac(key: &SecretKey, bytes: &[u8], code: &[u8; 32]) -> Result<(), CryptError> {
    // Comparing blake3::Hash takes constant time.
    match blake3::keyed_hash(key.expose(), bytes) == *code {
        true => Ok(()),
        false => Err(CryptError::Forged { what: "authentication code" }),
    }
}

/// Commits to a pack's data key without giving anything of it away.
///
/// ChaCha20-Poly1305 does not bind a ciphertext to one key: bytes can be made that open under two.
/// A reader compares this value before it uses a key, so a pack means the same to everybody.
#[must_use]
pub fn commitment(key: &SecretKey) -> [u8; 16] {
    let mut short = [0; 16];
    short.copy_from_slice(&derive(COMMITMENT_CONTEXT, &[key.expose()]).expose()[..16]);
    short
}

#[cfg(test)]
mod tests {
    use proptest::prelude::{any, proptest};

    use super::*;

    #[test]
    fn pieces_give_the_digest_of_the_whole() {
        let bytes: Vec<u8> = (0..100_000_u32).map(|number| number as u8).collect();
        let mut hasher = DigestHasher::new();
        bytes.chunks(777).for_each(|piece| hasher.update(piece));
        assert_eq!(hasher.finish(), digest(&bytes));
    }

    #[test]
    fn an_id_is_the_keyed_hash_under_the_key_of_its_kind() {
        let domain = SecretKey::new([3; 32]);
        let bytes = [7; 70_000];
        let key = ChunkIdKey::new(&domain);
        let own = derive(DATA_ID_CONTEXT, &[domain.expose()]);
        let wanted = *blake3::keyed_hash(own.expose(), &bytes).as_bytes();
        assert_eq!(key.id(PackKind::Data, &bytes), ChunkId::new(wanted));
        assert_ne!(key.id(PackKind::Tree, &bytes), ChunkId::new(wanted));
    }

    #[test]
    fn parts_cannot_shift_and_contexts_separate() {
        let derived = |context, parts: &[&[u8]]| *derive(context, parts).expose();
        assert_ne!(derived("one", &[b"ab", b"c"]), derived("one", &[b"a", b"bc"]));
        assert_ne!(derived("one", &[b"ab"]), derived("one", &[b"ab", b""]));
        assert_ne!(derived("one", &[b"ab"]), derived("two", &[b"ab"]));
        assert_ne!(commitment(&SecretKey::new([1; 32])), commitment(&SecretKey::new([2; 32])));
    }

    #[test]
    fn a_code_is_good_for_one_key_and_one_message() {
        let key = SecretKey::new([1; 32]);
        let mut code = mac(&key, b"message");
        assert_eq!(check_mac(&key, b"message", &code), Ok(()));
        assert!(check_mac(&key, b"messagf", &code).is_err());
        assert!(check_mac(&SecretKey::new([2; 32]), b"message", &code).is_err());
        code[31] ^= 1;
        assert!(check_mac(&key, b"message", &code).is_err());
    }

    proptest! {
        #[test]
        fn ids_do_not_depend_on_what_was_hashed_before(
            one in proptest::collection::vec(any::<u8>(), 0..5000),
            two in proptest::collection::vec(any::<u8>(), 0..5000),
        ) {
            let key = ChunkIdKey::new(&SecretKey::new([9; 32]));
            let first = key.id(PackKind::Data, &one);
            let _ = key.id(PackKind::Tree, &two);
            assert_eq!(key.clone().id(PackKind::Data, &one), first);
        }
    }
}
