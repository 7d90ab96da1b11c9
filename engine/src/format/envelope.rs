//! What all objects share: magic numbers, versions, CBOR records, and the associated data that
//! binds sealed bytes to their place.
//!
//! A control object (session, flag, client) is `magic 4 | version u8 | kind u8 | epoch u32 |
//! sealed`. The sealed part opens to `signature 64 | CBOR body`. Kind, repository and key are part
//! of both the associated data and the signed message, so that an object copied to another key or
//! another repository, or read as another kind, does not open.

use crate::base::codec::{CodecError, Cursor, PutLe};
use crate::base::id::{Digest, RepositoryId};
use crate::base::limits::{CONTROL_MAX_BYTES, GENERATION_MAX_BYTES, SNAPSHOT_MAX_BYTES};

/// First bytes of a pack.
pub const PACK_MAGIC: [u8; 4] = *b"MSTY";
/// First bytes of an index segment.
pub const SEGMENT_MAGIC: [u8; 4] = *b"MSTX";
/// First bytes of a key slot.
pub const SLOT_MAGIC: [u8; 4] = *b"MSTK";
/// First bytes of a repository's configuration.
pub const CONFIG_MAGIC: [u8; 4] = *b"MSTG";
/// First bytes of a control object.
pub const CONTROL_MAGIC: [u8; 4] = *b"MSTC";

/// Version of every object this program writes.
pub const VERSION: u8 = 2;

/// The bytes are of another kind or version than expected.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EnvelopeError {
    /// The first bytes are not those of the expected kind of object.
    #[error("this is no {what}: it begins with {}", found.escape_ascii())]
    Magic {
        /// What was expected.
        what: &'static str,
        /// The first bytes that were found.
        found: [u8; 4],
    },
    /// The object was written by a newer program.
    #[error("{what} has version {version}, this program reads version {VERSION}")]
    Newer {
        /// What was read.
        what: &'static str,
        /// Its version.
        version: u8,
    },
    /// The object has a version that was never released.
    #[error("{what} has version {version}, which was never released")]
    Early {
        /// What was read.
        what: &'static str,
        /// Its version.
        version: u8,
    },
    /// The bytes do not decode.
    #[error(transparent)]
    Codec(#[from] CodecError),
}

/// Checks magic and version at the front of an object.
///
/// # Errors
/// [`EnvelopeError::Magic`], [`EnvelopeError::Newer`], [`EnvelopeError::Early`], or a truncation.
pub fn expect_magic(
    cursor: &mut Cursor<'_>,
    magic: [u8; 4],
    what: &'static str,
) -> Result<(), EnvelopeError> {
    let found = cursor.array::<4>()?;
    if found != magic {
        return Err(EnvelopeError::Magic { what, found });
    }
    match cursor.u8()? {
        VERSION => Ok(()),
        0 => Err(CodecError::Range { what: "version" }.into()),
        version if version < VERSION => Err(EnvelopeError::Early { what, version }),
        version => Err(EnvelopeError::Newer { what, version }),
    }
}

/// Kinds of control objects; the number is stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ControlKind {
    /// `clients/<client>`.
    Client,
    /// `sess/<sid>`.
    Session,
    /// `snap/<sid>.commit-<r>`.
    Commit,
    /// `snap/<sid>.ok`.
    Confirm,
    /// `snap/<sid>.fence-<r>`.
    Fence,
    /// `snap/<sid>.final-<r>`.
    Final,
    /// `tomb/<sid>-<r>`.
    Tomb,
    /// `hold/<id>`.
    Hold,
    /// `hold/<id>.release-<r>`.
    Release,
    /// `tag/<sid>-<r>`.
    Tags,
    /// `gc/<gid>.condemn`.
    Condemn,
    /// `gc/<gid>.sweep`.
    Sweep,
    /// `gc/<gid>.void`.
    Void,
    /// `gc/<gid>.done`.
    Done,
    /// `gc/<gid>.close-<r>`.
    Close,
    /// `gc/<gid>.closed-<r>`.
    Closed,
    /// `gc/past-<n>-<r>`.
    Base,
    /// `evidence/<client>/<n>`.
    Evidence,
    /// `clients/<client>.revoked-<r>`.
    Revocation,
    /// `run/<hour>/<client>-<n>-<r>`.
    Run,
    /// `conf/<client>/<n>-<r>`.
    Conf,
    /// `join/<i>-<r>`.
    Join,
    /// `fold/<n>-<r>`.
    Fold,
    /// `copied/<sid>-<r>`.
    Copied,
    /// `lock/<n>-<r>`.
    Lock,
    /// `consent/<r>`.
    Consent,
}

impl ControlKind {
    /// All kinds that this version writes.
    pub const ALL: [Self; 26] = [
        Self::Client,
        Self::Session,
        Self::Commit,
        Self::Confirm,
        Self::Fence,
        Self::Final,
        Self::Tomb,
        Self::Hold,
        Self::Release,
        Self::Tags,
        Self::Condemn,
        Self::Sweep,
        Self::Void,
        Self::Done,
        Self::Close,
        Self::Closed,
        Self::Base,
        Self::Evidence,
        Self::Revocation,
        Self::Run,
        Self::Conf,
        Self::Join,
        Self::Fold,
        Self::Copied,
        Self::Lock,
        Self::Consent,
    ];

    /// The stored number.
    #[must_use]
    pub const fn code(self) -> u8 {
        match self {
            Self::Client => 1,
            Self::Session => 2,
            Self::Commit => 3,
            Self::Confirm => 4,
            Self::Fence => 5,
            Self::Final => 6,
            Self::Tomb => 7,
            Self::Hold => 8,
            Self::Release => 19,
            Self::Tags => 20,
            Self::Condemn => 9,
            Self::Sweep => 10,
            Self::Void => 11,
            Self::Done => 12,
            Self::Close => 13,
            Self::Closed => 14,
            Self::Base => 15,
            Self::Evidence => 18,
            Self::Revocation => 21,
            Self::Run => 22,
            Self::Conf => 23,
            Self::Join => 24,
            Self::Fold => 25,
            Self::Copied => 26,
            Self::Lock => 27,
            Self::Consent => 28,
        }
    }

    /// No object of this kind is longer, in bytes.
    #[must_use]
    pub const fn max_bytes(self) -> usize {
        match self {
            Self::Commit => SNAPSHOT_MAX_BYTES,
            Self::Condemn | Self::Sweep | Self::Base | Self::Fold => GENERATION_MAX_BYTES,
            _ => CONTROL_MAX_BYTES,
        }
    }

    /// What people call such an object.
    #[must_use]
    pub const fn what(self) -> &'static str {
        match self {
            Self::Client => "client record",
            Self::Session => "session record",
            Self::Commit => "snapshot record",
            Self::Confirm => "confirmation",
            Self::Fence => "fence",
            Self::Final => "final record",
            Self::Tomb => "tombstone",
            Self::Hold => "hold",
            Self::Release => "release of a hold",
            Self::Tags => "tag record",
            Self::Condemn => "record of condemned packs",
            Self::Sweep => "record of a sweep",
            Self::Void => "end of a void generation",
            Self::Done => "end of a generation",
            Self::Close => "close of a generation",
            Self::Closed => "record of a closed generation",
            Self::Base => "record of past generations",
            Self::Evidence => "evidence record",
            Self::Revocation => "revocation of a client",
            Self::Run => "record of a run",
            Self::Conf => "record of a machine's setup",
            Self::Join => "record of an invitation",
            Self::Fold => "folded history",
            Self::Copied => "record of a copy",
            Self::Lock => "record of a lock",
            Self::Consent => "consent",
        }
    }
}

/// The outside of a control object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ControlFrame<'a> {
    /// Epoch of the control key that opens it.
    pub epoch: u32,
    /// Nonce, ciphertext and tag.
    pub sealed: &'a [u8],
}

/// Puts the outside around sealed bytes.
#[must_use]
pub fn encode_control(kind: ControlKind, epoch: u32, sealed: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(10 + sealed.len());
    bytes.put(&CONTROL_MAGIC);
    bytes.put_u8(VERSION);
    bytes.put_u8(kind.code());
    bytes.put_u32(epoch);
    bytes.put(sealed);
    bytes
}

/// Takes the outside off.
///
/// # Errors
/// [`EnvelopeError`] if this is no control object of `kind`.
pub fn decode_control(bytes: &[u8], kind: ControlKind) -> Result<ControlFrame<'_>, EnvelopeError> {
    let mut cursor = Cursor::new(bytes);
    expect_magic(&mut cursor, CONTROL_MAGIC, kind.what())?;
    if cursor.u8()? != kind.code() {
        return Err(CodecError::Range { what: "kind of control object" }.into());
    }
    let epoch = cursor.u32()?;
    let sealed = cursor.take(cursor.remaining())?;
    Ok(ControlFrame { epoch, sealed })
}

/// Length of a signature at the front of an opened control object.
pub const SIGNATURE_BYTES: usize = 64;

/// Splits an opened control object into signature and body.
///
/// # Errors
/// A truncation.
pub fn split_signed(opened: &[u8]) -> Result<([u8; SIGNATURE_BYTES], &[u8]), CodecError> {
    let mut cursor = Cursor::new(opened);
    let signature = cursor.array()?;
    let body = cursor.take(cursor.remaining())?;
    Ok((signature, body))
}

/// Associated data: purpose ‖ repository ‖ hash of the key in the store ‖ further bytes.
#[must_use]
pub fn associated_data(
    purpose: &'static str,
    repository: RepositoryId,
    key_hash: Digest,
    further: &[u8],
) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(purpose.len() + 1 + 16 + 32 + further.len());
    bytes.put(purpose.as_bytes());
    bytes.put_u8(0);
    bytes.put(repository.as_bytes());
    bytes.put(key_hash.as_bytes());
    bytes.put(further);
    bytes
}

/// Encodes a record as CBOR.
pub fn encode_record<T: minicbor::Encode<()>>(record: &T) -> Vec<u8> {
    let mut bytes = Vec::new();
    let encoded = minicbor::encode(record, &mut bytes);
    debug_assert!(encoded.is_ok(), "writing to a Vec cannot fail");
    bytes
}

/// Decodes a CBOR record that fills `bytes` exactly. Unknown optional fields are skipped.
///
/// # Errors
/// [`CodecError`] with `what` if the bytes are no such record or go on after it.
pub fn decode_record<'b, T: minicbor::Decode<'b, ()>>(
    bytes: &'b [u8],
    what: &'static str,
) -> Result<T, CodecError> {
    let mut decoder = minicbor::Decoder::new(bytes);
    let record: T =
        decoder.decode().map_err(|error| CodecError::Record { what, why: error.to_string() })?;
    match bytes.len() - decoder.position() {
        0 => Ok(record),
        extra_bytes => Err(CodecError::Trailing { extra_bytes }),
    }
}
