//! `slots/<n>-<r>` and `epochs/<e>`: what the administrator says in the clear, so that it can be read
//! before a key slot is open, and by whoever has lost the right to read anything newer.

use minicbor::{Decode, Encode};

use crate::base::codec::{CodecError, Cursor, PutLe};
use crate::base::id::{ClientId, Digest, Nonce8, RepositoryId, SlotId};
use crate::base::limits::{ANNOUNCED_SLOTS_MAX, ANNOUNCEMENT_MAX_BYTES, RECIPIENT_MAX_BYTES};
use crate::base::time::Timestamp;
use crate::format::envelope::{
    EnvelopeError, SIGNATURE_BYTES, VERSION, decode_record, encode_record, expect_magic,
};
use crate::format::slot::{Role, SlotKind};

/// What is announced.
pub trait Announcement: Encode<()> + for<'b> Decode<'b, ()> {
    /// The first bytes of the object.
    const MAGIC: [u8; 4];
    /// What people call it.
    const WHAT: &'static str;

    /// Whether it has no more and no longer parts than it may have.
    fn is_bounded(&self) -> bool;
}

/// An announcement with what vouches for it, not yet verified.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Announced<T> {
    /// The content.
    pub record: T,
    /// The bytes that the signature covers.
    pub signed: Vec<u8>,
    /// The administrator's signature over `signed`, bound to the object's key.
    pub signature: [u8; SIGNATURE_BYTES],
}

/// The bytes that are to be signed.
#[must_use]
pub fn encode_announcement<T: Announcement>(record: &T) -> Vec<u8> {
    let record = encode_record(record);
    let mut bytes = Vec::with_capacity(9 + record.len() + SIGNATURE_BYTES);
    bytes.put(&T::MAGIC);
    bytes.put_u8(VERSION);
    bytes.put_u32(record.len() as u32);
    bytes.put(&record);
    bytes
}

/// Decodes an announcement; the caller verifies the signature.
///
/// # Errors
/// [`EnvelopeError`] for anything that is no announcement of this kind and version.
pub fn decode_announcement<T: Announcement>(bytes: &[u8]) -> Result<Announced<T>, EnvelopeError> {
    if bytes.len() > ANNOUNCEMENT_MAX_BYTES {
        return Err(CodecError::Range { what: "size of the announcement" }.into());
    }
    let mut cursor = Cursor::new(bytes);
    expect_magic(&mut cursor, T::MAGIC, T::WHAT)?;
    let length = cursor.count(1, ANNOUNCEMENT_MAX_BYTES, "length of the announcement")?;
    let record = cursor.take(length)?;
    let signed = bytes.get(..cursor.offset()).unwrap_or_default().to_vec();
    let signature = cursor.array()?;
    cursor.finish()?;
    let record: T = decode_record(record, T::WHAT)?;
    match record.is_bounded() {
        true => Ok(Announced { record, signed, signature }),
        false => Err(CodecError::Range { what: "parts of the announcement" }.into()),
    }
}

/// `slots/<n>-<r>`: which key slots there are. A slot that stands in no set that is in force was made
/// by somebody else.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct SlotSet {
    /// The repository.
    #[n(0)]
    pub repository: RepositoryId,
    /// Higher than that of every set that it replaces.
    #[n(1)]
    pub number: u32,
    /// When it was made.
    #[n(2)]
    pub at: Timestamp,
    /// The sets that it replaces. Those in force are all that no other replaces, taken together, so
    /// that two administrators lose neither change.
    #[cbor(n(3), default, skip_if = "Vec::is_empty")]
    pub replaces: Vec<(u32, Nonce8)>,
    /// The slots.
    #[n(4)]
    pub slots: Vec<KnownSlot>,
    /// Slots that were removed, the last one last. They count in no set that is in force beside this
    /// one, so that a removal is not lost to somebody who added a slot at the same time.
    #[cbor(n(5), default, skip_if = "Vec::is_empty")]
    pub removed: Vec<SlotId>,
}

/// A slot that the administrator made.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct KnownSlot {
    /// The slot.
    #[n(0)]
    pub slot: SlotId,
    /// Plain BLAKE3 of the object as stored.
    #[n(1)]
    pub digest: Digest,
    /// What unwraps it.
    #[n(2)]
    pub kind: SlotKind,
    /// What its holder may do.
    #[n(3)]
    pub role: Role,
    /// The client that its holder writes as.
    #[n(4)]
    pub client: Option<ClientId>,
    /// When it should no longer be used.
    #[n(5)]
    pub expires: Option<Timestamp>,
    /// HPKE public key that the keys of later epochs are sealed to for its holder.
    #[cbor(n(6), with = "minicbor::bytes")]
    pub recipient: Option<Vec<u8>>,
}

impl Announcement for SlotSet {
    const MAGIC: [u8; 4] = *b"MSTS";
    const WHAT: &'static str = "set of key slots";

    fn is_bounded(&self) -> bool {
        let is_short = |slot: &KnownSlot| {
            slot.recipient.as_ref().is_none_or(|key| key.len() <= RECIPIENT_MAX_BYTES)
        };
        self.slots.len() <= ANNOUNCED_SLOTS_MAX
            && self.replaces.len() <= ANNOUNCED_SLOTS_MAX
            && self.removed.len() <= ANNOUNCED_SLOTS_MAX
            && self.slots.iter().all(is_short)
    }
}

/// `epochs/<e>`: new keys, for everybody who is still to read what is written from now on.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct EpochRecord {
    /// The repository.
    #[n(0)]
    pub repository: RepositoryId,
    /// The epoch, also in the object's key; the first is 0 and has no such record.
    #[n(1)]
    pub epoch: u32,
    /// When it began.
    #[n(2)]
    pub at: Timestamp,
    /// Public key that packs of file content are sealed to.
    #[cbor(n(3), with = "minicbor::bytes")]
    pub data_public: Vec<u8>,
    /// Public key that packs of tree nodes are sealed to.
    #[cbor(n(4), with = "minicbor::bytes")]
    pub tree_public: Vec<u8>,
    /// Secrets of the epoch for the holders of slots that do not know the root secret.
    #[cbor(n(5), default, skip_if = "Vec::is_empty")]
    pub sealed: Vec<SealedEpoch>,
}

/// Secrets of an epoch for one holder.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct SealedEpoch {
    /// The slot of the holder.
    #[n(0)]
    pub slot: SlotId,
    /// A [`SealedPart`](crate::format::private::SealedPart) of [`EpochKeys`].
    #[cbor(n(1), with = "minicbor::bytes")]
    pub sealed: Vec<u8>,
}

impl Announcement for EpochRecord {
    const MAGIC: [u8; 4] = *b"MSTE";
    const WHAT: &'static str = "record of an epoch";

    fn is_bounded(&self) -> bool {
        self.sealed.len() <= ANNOUNCED_SLOTS_MAX
            && [&self.data_public, &self.tree_public]
                .iter()
                .all(|key| key.len() <= RECIPIENT_MAX_BYTES)
            && self.sealed.iter().all(|one| one.sealed.len() <= 2 * RECIPIENT_MAX_BYTES)
    }
}
