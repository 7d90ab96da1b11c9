//! One record of evidence: who did what when, what came before it, and which other chains it saw.
//!
//! A record is a CBOR map with integer keys. What was proved is a map of its own inside, kept as
//! bytes under the name of the event, so that a reader that does not know an event still verifies
//! the chain. Numbers of fields are never used again; see `docs/EVIDENCE.md`.

use std::fmt;

use minicbor::{Decode, Encode};

/// Version of the record that this program writes.
pub const RECORD_VERSION: u32 = 1;
/// Length of the signature in front of a record.
pub const SIGNATURE_BYTES: usize = 64;
/// Heads of other chains that one record names; the most recently seen are kept.
pub const HEADS_MAX: usize = 64;
/// Number of the kind of object that evidence is, as it is signed.
pub const EVIDENCE_KIND: u8 = 18;
/// Number of the kind of object that a client record is.
pub const CLIENT_KIND: u8 = 1;

/// A BLAKE3 hash.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Encode, Decode)]
#[cbor(transparent)]
pub struct Hash32(
    /// The bytes.
    #[cbor(n(0), with = "minicbor::bytes")]
    pub [u8; 32],
);

impl Hash32 {
    /// Of some bytes.
    #[must_use]
    pub fn of(bytes: &[u8]) -> Self {
        Self(*blake3::hash(bytes).as_bytes())
    }

    /// Reads 64 lower-case hexadecimal digits.
    #[must_use]
    pub fn from_hex(text: &str) -> Option<Self> {
        from_hex(text).and_then(|bytes| bytes.try_into().ok()).map(Self)
    }
}

impl fmt::Display for Hash32 {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&to_hex(&self.0))
    }
}

impl fmt::Debug for Hash32 {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "Hash32({self})")
    }
}

/// Lower-case hexadecimal.
#[must_use]
pub fn to_hex(bytes: &[u8]) -> String {
    let digit = |value: u8| char::from_digit(u32::from(value), 16).unwrap_or('0');
    bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]).collect()
}

/// Bytes of lower-case hexadecimal.
#[must_use]
pub fn from_hex(text: &str) -> Option<Vec<u8>> {
    let value = |byte: u8| match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'a'..=b'f' => Some(byte - b'a' + 10),
        _ => None,
    };
    if !text.len().is_multiple_of(2) {
        return None;
    }
    let pairs = text.as_bytes().chunks_exact(2);
    pairs.map(|pair| Some(value(pair[0])? << 4 | value(pair[1])?)).collect()
}

/// Names a writer of evidence: its client id.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Encode, Decode)]
#[cbor(transparent)]
pub struct Writer(
    /// The bytes.
    #[cbor(n(0), with = "minicbor::bytes")]
    pub [u8; 8],
);

impl fmt::Display for Writer {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&to_hex(&self.0))
    }
}

impl fmt::Debug for Writer {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "Writer({self})")
    }
}

/// A place in a chain and what stands there: the newest one is the head of its chain.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Encode, Decode)]
#[cbor(array)]
pub struct Reference {
    /// Whose chain.
    #[n(0)]
    pub writer: Writer,
    /// Place in the chain, from 0.
    #[n(1)]
    pub number: u32,
    /// BLAKE3 of the signed bytes that stand there.
    #[n(2)]
    pub hash: Hash32,
}

impl fmt::Display for Reference {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}/{}", self.writer, self.number)
    }
}

/// One record.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct Record {
    /// [`RECORD_VERSION`].
    #[n(0)]
    pub version: u32,
    /// The repository.
    #[cbor(n(1), with = "minicbor::bytes")]
    pub repository: [u8; 16],
    /// Who wrote it.
    #[n(2)]
    pub writer: Writer,
    /// Its place in the writer's chain, from 0.
    #[n(3)]
    pub number: u32,
    /// Hash of the signed bytes of the record before it; zero for the first.
    #[n(4)]
    pub previous: Hash32,
    /// When it was written, in milliseconds since 1970, by the writer's clock.
    #[n(5)]
    pub at_ms: i64,
    /// Who caused it: a person or a job.
    #[n(6)]
    pub actor: String,
    /// Machine that it was written on.
    #[n(7)]
    pub host: String,
    /// Program and version.
    #[n(8)]
    pub program: String,
    /// The newest records of other chains that the writer had verified.
    #[cbor(n(9), default, skip_if = "Vec::is_empty")]
    pub heads: Vec<Reference>,
    /// Name of what happened.
    #[n(10)]
    pub event: String,
    /// What happened, as CBOR.
    #[cbor(n(11), with = "minicbor::bytes")]
    pub body: Vec<u8>,
    /// When the store received each of `heads`, as the writer saw, in milliseconds since 1970; none
    /// if it did not look.
    #[cbor(n(12), default, skip_if = "Vec::is_empty")]
    pub heads_ms: Vec<i64>,
}

/// A record with the bytes that were signed for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignedRecord {
    /// Signature (64) and CBOR.
    pub signed: Vec<u8>,
    /// What the CBOR says.
    pub record: Record,
    /// BLAKE3 of `signed`: what the next record names.
    pub hash: Hash32,
}

impl SignedRecord {
    /// Takes signed bytes apart; nothing is verified.
    ///
    /// # Errors
    /// In words, if this is no record.
    pub fn parse(signed: Vec<u8>) -> Result<Self, String> {
        let body = signed.get(SIGNATURE_BYTES..).ok_or("it is too short for a signature")?;
        let mut decoder = minicbor::Decoder::new(body);
        let record: Record = decoder.decode().map_err(|error| error.to_string())?;
        if decoder.position() != body.len() {
            return Err("bytes follow the record".to_owned());
        }
        if record.version != RECORD_VERSION {
            return Err(format!("it has version {}, which is not known", record.version));
        }
        if !record.heads_ms.is_empty() && record.heads_ms.len() != record.heads.len() {
            return Err("it has not one time for each head".to_owned());
        }
        let hash = Hash32::of(&signed);
        Ok(Self { signed, record, hash })
    }

    /// Its place and hash.
    #[must_use]
    pub fn reference(&self) -> Reference {
        Reference { writer: self.record.writer, number: self.record.number, hash: self.hash }
    }
}

/// The key of a record in the store; it is part of what is signed.
#[must_use]
pub fn record_key(writer: Writer, number: u32) -> String {
    format!("evidence/{writer}/{number:08x}")
}

/// The message whose signature stands in front of a body: `signed`, a zero byte, the repository,
/// the hash of the key in the store, the kind, the body.
#[must_use]
pub fn signed_message(repository: &[u8; 16], key: &str, kind: u8, body: &[u8]) -> Vec<u8> {
    let key_hash = Hash32::of(key.as_bytes());
    [b"signed\0".as_slice(), repository, &key_hash.0, &[kind], body].concat()
}

/// Checks the signature in front of `signed`.
#[must_use]
pub fn is_signed_by(
    public: &[u8; 32],
    repository: &[u8; 16],
    key: &str,
    kind: u8,
    signed: &[u8],
) -> bool {
    let Some((signature, body)) = signed.split_first_chunk::<SIGNATURE_BYTES>() else {
        return false;
    };
    let message = signed_message(repository, key, kind, body);
    ed25519_dalek::VerifyingKey::from_bytes(public)
        .and_then(|key| key.verify_strict(&message, &(*signature).into()))
        .is_ok()
}

/// Encodes a record or a body as CBOR.
pub fn encode<T: Encode<()>>(value: &T) -> Vec<u8> {
    let mut bytes = Vec::new();
    let encoded = minicbor::encode(value, &mut bytes);
    debug_assert!(encoded.is_ok(), "writing to a Vec cannot fail");
    bytes
}
