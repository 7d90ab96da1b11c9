//! The repository's configuration: what a program must know before it can read anything else.
//!
//! `magic 4 | version u8 | CBOR length u32 | CBOR | signature 64 | MAC 32`. The signature is the
//! administrator's over everything before it; the MAC is keyed by a key that every role holds, so
//! that a store cannot put up a configuration of its own for people who already have a key.

use minicbor::{Decode, Encode};

use crate::base::codec::{CodecError, Cursor, PutLe};
use crate::base::id::RepositoryId;
use crate::base::limits::CONTROL_MAX_BYTES;
use crate::base::time::Timestamp;
use crate::format::envelope::{
    CONFIG_MAGIC, EnvelopeError, SIGNATURE_BYTES, VERSION, decode_record, encode_record,
    expect_magic,
};

/// Features that a reader must know to read a repository; none exist yet.
pub const KNOWN_FEATURES: [&str; 0] = [];

/// What was found out about the store when the repository was made.
#[derive(Debug, Clone, PartialEq, Eq, Default, Encode, Decode)]
#[cbor(map)]
pub struct Capabilities {
    /// The bucket keeps old versions of objects.
    #[cbor(n(0), default)]
    pub versioning: bool,
    /// The bucket refuses to delete locked objects.
    #[cbor(n(1), default)]
    pub object_lock: bool,
    /// Creating an object that exists is refused, also in a race.
    #[cbor(n(2), default)]
    pub atomic_create: bool,
    /// The conformance probe passed its required checks.
    #[cbor(n(3), default)]
    pub probed: bool,
}

/// How content is cut; see [`crate::chunk::profile`] for the sizes that belong to it.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct ChunkerConfig {
    /// 1: FastCDC (2020, normalisation level 2) with a keyed gear table, and aligned pages.
    #[n(0)]
    pub kind: u32,
    /// Major version of the algorithm as implemented; cut points are equal within one.
    #[n(1)]
    pub version: u32,
}

/// Parameters of the prolly trees.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct TreeConfig {
    /// A node ends after a key whose hash has this many low bits zero.
    #[n(0)]
    pub boundary_bits: u32,
    /// ... but holds at least this many items,
    #[n(1)]
    pub min_items: u32,
    /// ... and at most this many.
    #[n(2)]
    pub max_items: u32,
}

impl Default for TreeConfig {
    fn default() -> Self {
        Self { boundary_bits: 4, min_items: 8, max_items: 256 }
    }
}

/// The configuration itself.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct Config {
    /// The repository; also part of the object's key.
    #[n(0)]
    pub repository: RepositoryId,
    /// When it was made.
    #[n(1)]
    pub created: Timestamp,
    /// Ed25519 public key of the administrator: the identity of the repository.
    #[cbor(n(2), with = "minicbor::bytes")]
    pub admin_key: [u8; 32],
    /// HPKE suite of packs: 1 X-Wing, 2 X25519.
    #[n(3)]
    pub suite: u8,
    /// How content is cut.
    #[n(4)]
    pub chunker: ChunkerConfig,
    /// How trees are cut.
    #[n(5)]
    pub tree: TreeConfig,
    /// Features that a reader must know.
    #[n(6)]
    pub features: Vec<String>,
    /// What the store can do.
    #[n(7)]
    pub capabilities: Capabilities,
    /// Least Argon2id memory of a passphrase slot, in KiB.
    #[n(8)]
    pub kdf_memory_kib_min: u32,
    /// Least Argon2id passes of a passphrase slot.
    #[n(9)]
    pub kdf_passes_min: u32,
}

/// A configuration with what vouches for it, not yet verified.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignedConfig {
    /// The content.
    pub config: Config,
    /// The bytes that the signature covers.
    pub signed: Vec<u8>,
    /// Administrator's signature over `signed`.
    pub signature: [u8; SIGNATURE_BYTES],
    /// Keyed MAC over `signed ‖ signature`.
    pub mac: [u8; 32],
}

/// The bytes that are to be signed.
#[must_use]
pub fn encode_for_signing(config: &Config) -> Vec<u8> {
    let record = encode_record(config);
    let mut bytes = Vec::with_capacity(9 + record.len() + SIGNATURE_BYTES + 32);
    bytes.put(&CONFIG_MAGIC);
    bytes.put_u8(VERSION);
    bytes.put_u32(record.len() as u32);
    bytes.put(&record);
    bytes
}

/// Decodes a configuration; the caller verifies signature and MAC.
///
/// # Errors
/// [`EnvelopeError`] for anything that is no configuration of this version.
pub fn decode(bytes: &[u8]) -> Result<SignedConfig, EnvelopeError> {
    if bytes.len() > CONTROL_MAX_BYTES {
        return Err(CodecError::Range { what: "size of the configuration" }.into());
    }
    let mut cursor = Cursor::new(bytes);
    expect_magic(&mut cursor, CONFIG_MAGIC, "repository configuration")?;
    let length = cursor.count(1, CONTROL_MAX_BYTES, "length of the configuration")?;
    let record = cursor.take(length)?;
    let signed = bytes[..cursor.offset()].to_vec();
    let signature = cursor.array()?;
    let mac = cursor.array()?;
    cursor.finish()?;
    let config: Config = decode_record(record, "configuration")?;
    let tree = &config.tree;
    // Nodes of one item each would be stacked on one another without end.
    let sound = (1..=16).contains(&tree.boundary_bits)
        && (2..=tree.max_items).contains(&tree.min_items)
        && tree.max_items <= 65_536;
    if !sound {
        return Err(CodecError::Range { what: "tree parameters" }.into());
    }
    Ok(SignedConfig { config, signed, signature, mac })
}
