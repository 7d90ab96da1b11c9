//! Key slots: a bundle of keys for one role, wrapped for one passphrase, phrase or key file.
//!
//! `magic 4 | version u8 | kind u8 | repository 16 | slot 8 | memory KiB u32 | passes u32 |
//! lanes u32 | salt 16 | length u16 | about (sealed) | bundle (sealed)`. Everything before the
//! bundle is its associated data, so the cost parameters cannot be lowered unnoticed. `about` says
//! whose slot it is and opens with the control key, so that any role can list the slots.

use minicbor::{Decode, Encode};
use zeroize::{Zeroize, ZeroizeOnDrop};

use crate::base::codec::{CodecError, Cursor, PutLe};
use crate::base::id::{ClientId, RepositoryId, SlotId};
use crate::base::limits::{
    CONTROL_MAX_BYTES, KDF_LANES_MAX, KDF_MEMORY_KIB_MAX, KDF_MEMORY_KIB_MIN, KDF_PASSES_MAX,
    KDF_PASSES_MIN,
};
use crate::base::time::Timestamp;
use crate::format::envelope::{EnvelopeError, SLOT_MAGIC, VERSION, expect_magic};

/// What unwraps a slot.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Encode, Decode)]
#[cbor(index_only)]
pub enum SlotKind {
    /// A passphrase, stretched by Argon2id.
    #[n(1)]
    Passphrase,
    /// 24 words that are the key themselves.
    #[n(2)]
    Phrase,
    /// A file with the key, for unattended runs.
    #[n(3)]
    KeyFile,
}

impl SlotKind {
    const fn code(self) -> u8 {
        match self {
            Self::Passphrase => 1,
            Self::Phrase => 2,
            Self::KeyFile => 3,
        }
    }
}

/// What the holder of a slot may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Encode, Decode)]
#[cbor(index_only)]
pub enum Role {
    /// Add, deduplicate and commit; read nothing back.
    #[n(1)]
    Backup,
    /// List, find, compare, forget, collect; read no file content.
    #[n(2)]
    Maintain,
    /// Restore and drill; delete nothing.
    #[n(3)]
    Verify,
    /// Restore; write nothing.
    #[n(4)]
    Restore,
    /// Everything.
    #[n(5)]
    Admin,
}

impl Role {
    /// All roles.
    pub const ALL: [Self; 5] =
        [Self::Backup, Self::Maintain, Self::Verify, Self::Restore, Self::Admin];

    /// Whether records of collections count that are signed by a client of this role.
    #[must_use]
    pub const fn collects(self) -> bool {
        matches!(self, Self::Maintain | Self::Admin)
    }

    /// The role's name on the command line.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Backup => "backup",
            Self::Maintain => "maintain",
            Self::Verify => "verify",
            Self::Restore => "restore",
            Self::Admin => "admin",
        }
    }
}

/// Argon2id cost; all zero for slots without a passphrase.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KdfCost {
    /// Memory in KiB.
    pub memory_kib: u32,
    /// Passes over the memory.
    pub passes: u32,
    /// Lanes.
    pub lanes: u32,
}

impl KdfCost {
    /// The default for new passphrase slots.
    pub const DEFAULT: Self = Self { memory_kib: 256 * 1024, passes: 3, lanes: 4 };
    /// The least that is ever accepted.
    pub const FLOOR: Self =
        Self { memory_kib: KDF_MEMORY_KIB_MIN, passes: KDF_PASSES_MIN, lanes: 1 };

    /// Whether the cost lies between floor and ceiling.
    #[must_use]
    pub fn is_sound(&self) -> bool {
        (KDF_MEMORY_KIB_MIN..=KDF_MEMORY_KIB_MAX).contains(&self.memory_kib)
            && (KDF_PASSES_MIN..=KDF_PASSES_MAX).contains(&self.passes)
            && (1..=KDF_LANES_MAX).contains(&self.lanes)
    }
}

/// A slot as it lies in the store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Slot {
    /// What unwraps it.
    pub kind: SlotKind,
    /// The repository it belongs to.
    pub repository: RepositoryId,
    /// Its id, part of its key in the store.
    pub slot: SlotId,
    /// Argon2id cost, only for passphrases.
    pub cost: Option<KdfCost>,
    /// Argon2id salt; zero for the other kinds.
    pub salt: [u8; 16],
    /// Sealed [`SlotAbout`].
    pub about: Vec<u8>,
    /// Sealed [`Bundle`].
    pub bundle: Vec<u8>,
}

impl Slot {
    /// Everything before the bundle: its associated data.
    #[must_use]
    pub fn head(&self) -> Vec<u8> {
        let cost = self.cost.unwrap_or(KdfCost { memory_kib: 0, passes: 0, lanes: 0 });
        let mut bytes = Vec::with_capacity(64 + self.about.len() + self.bundle.len());
        bytes.put(&SLOT_MAGIC);
        bytes.put_u8(VERSION);
        bytes.put_u8(self.kind.code());
        bytes.put(self.repository.as_bytes());
        bytes.put(self.slot.as_bytes());
        bytes.put_u32(cost.memory_kib);
        bytes.put_u32(cost.passes);
        bytes.put_u32(cost.lanes);
        bytes.put(&self.salt);
        bytes.put_u16(self.about.len() as u16);
        bytes.put(&self.about);
        bytes
    }

    /// The whole object.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = self.head();
        bytes.put(&self.bundle);
        bytes
    }

    /// Reads a slot; refuses cost parameters outside floor and ceiling.
    ///
    /// # Errors
    /// [`EnvelopeError`] for anything else than a slot of this version.
    pub fn decode(bytes: &[u8]) -> Result<Self, EnvelopeError> {
        if bytes.len() > CONTROL_MAX_BYTES {
            return Err(CodecError::Range { what: "size of the key slot" }.into());
        }
        let mut cursor = Cursor::new(bytes);
        expect_magic(&mut cursor, SLOT_MAGIC, "key slot")?;
        let kind = match cursor.u8()? {
            1 => SlotKind::Passphrase,
            2 => SlotKind::Phrase,
            3 => SlotKind::KeyFile,
            _ => return Err(CodecError::Range { what: "kind of key slot" }.into()),
        };
        let repository = RepositoryId::new(cursor.array()?);
        let slot = SlotId::new(cursor.array()?);
        let cost =
            KdfCost { memory_kib: cursor.u32()?, passes: cursor.u32()?, lanes: cursor.u32()? };
        let cost = match kind {
            SlotKind::Passphrase if cost.is_sound() => Some(cost),
            SlotKind::Phrase | SlotKind::KeyFile
                if cost == (KdfCost { memory_kib: 0, passes: 0, lanes: 0 }) =>
            {
                None
            }
            _ => return Err(CodecError::Range { what: "cost of the passphrase" }.into()),
        };
        let salt = cursor.array()?;
        let about_bytes = usize::from(cursor.u16()?);
        let about = cursor.take(about_bytes)?.to_vec();
        let bundle = cursor.take(cursor.remaining())?.to_vec();
        Ok(Self { kind, repository, slot, cost, salt, about, bundle })
    }
}

/// What people see of a slot in a list.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct SlotAbout {
    /// What the holder may do.
    #[n(0)]
    pub role: Role,
    /// A name for people: a machine, a person, a purpose.
    #[n(1)]
    pub label: String,
    /// When it was made.
    #[n(2)]
    pub created: Timestamp,
}

/// What changes in a bundle with an epoch; which fields are there follows from the role.
#[derive(Clone, PartialEq, Eq, Encode, Decode, Zeroize, ZeroizeOnDrop)]
#[cbor(map)]
pub struct EpochKeys {
    /// Key of control objects.
    #[cbor(n(0), with = "minicbor::bytes")]
    pub control: [u8; 32],
    /// Key of the codes in names of marks.
    #[cbor(n(1), with = "minicbor::bytes")]
    pub keeper: Option<[u8; 32]>,
    /// Key of footers and segments: of the own dedup domain for role backup, otherwise the key from
    /// which that of every domain follows.
    #[cbor(n(2), with = "minicbor::bytes")]
    pub index: Option<[u8; 32]>,
    /// Secret half of file content (a seed).
    #[cbor(n(3), with = "minicbor::bytes")]
    pub data_secret: Option<[u8; 32]>,
    /// Secret half of names and metadata (a seed).
    #[cbor(n(4), with = "minicbor::bytes")]
    pub tree_secret: Option<[u8; 32]>,
}

impl std::fmt::Debug for EpochKeys {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str("EpochKeys(hidden)")
    }
}

/// Keys of an epoch before that of a bundle.
#[derive(Clone, PartialEq, Eq, Encode, Decode, Zeroize, ZeroizeOnDrop)]
#[cbor(array)]
pub struct OlderKeys {
    /// The epoch.
    #[n(0)]
    pub epoch: u32,
    /// Its keys.
    #[n(1)]
    pub keys: EpochKeys,
}

/// The keys of one role. Which fields are there follows from the role; see `docs/FORMAT.md`.
#[derive(Clone, PartialEq, Eq, Encode, Decode, Zeroize, ZeroizeOnDrop)]
#[cbor(map)]
pub struct Bundle {
    /// The role.
    #[zeroize(skip)]
    #[n(0)]
    pub role: Role,
    /// Administrator's public key: pins the identity of the repository.
    #[zeroize(skip)]
    #[cbor(n(1), with = "minicbor::bytes")]
    pub admin_key: [u8; 32],
    /// Dedup domain of what this holder writes.
    #[n(2)]
    pub domain: u32,
    /// Current epoch of the control key.
    #[n(3)]
    pub epoch: u32,
    /// Root secret; admin only. All other keys follow from it.
    #[cbor(n(4), with = "minicbor::bytes")]
    pub root: Option<[u8; 32]>,
    /// Key of control objects.
    #[cbor(n(5), with = "minicbor::bytes")]
    pub control: Option<[u8; 32]>,
    /// Key of footers and segments: of its own domain for role backup, otherwise the key from
    /// which that of every domain follows.
    #[cbor(n(6), with = "minicbor::bytes")]
    pub index: Option<[u8; 32]>,
    /// Key of chunk ids; the same holds.
    #[cbor(n(7), with = "minicbor::bytes")]
    pub chunk_id: Option<[u8; 32]>,
    /// Key of the gear table; the same holds.
    #[cbor(n(8), with = "minicbor::bytes")]
    pub cut: Option<[u8; 32]>,
    /// Public half that seals file content.
    #[cbor(n(9), with = "minicbor::bytes")]
    pub data_public: Option<Vec<u8>>,
    /// Public half that seals names and metadata.
    #[cbor(n(10), with = "minicbor::bytes")]
    pub tree_public: Option<Vec<u8>>,
    /// Secret half of file content (a seed).
    #[cbor(n(11), with = "minicbor::bytes")]
    pub data_secret: Option<[u8; 32]>,
    /// Secret half of names and metadata (a seed).
    #[cbor(n(12), with = "minicbor::bytes")]
    pub tree_secret: Option<[u8; 32]>,
    /// The identity this holder writes under.
    #[zeroize(skip)]
    #[n(13)]
    pub client: Option<ClientId>,
    /// Ed25519 seed of that identity.
    #[cbor(n(14), with = "minicbor::bytes")]
    pub signing_seed: Option<[u8; 32]>,
    /// Key of the codes in names of marks; maintain only.
    #[cbor(n(15), with = "minicbor::bytes")]
    pub keeper: Option<[u8; 32]>,
    /// Seed of the key pair that keys of later epochs are sealed to.
    #[cbor(n(16), with = "minicbor::bytes")]
    pub recipient: Option<[u8; 32]>,
    /// Keys of all epochs before that of this bundle, rising; none for admin.
    #[cbor(n(17), default, skip_if = "Vec::is_empty")]
    pub older: Vec<OlderKeys>,
}

impl std::fmt::Debug for Bundle {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("Bundle").field("role", &self.role).finish_non_exhaustive()
    }
}
