//! The tree of keys, and the algorithms that use them.

use chacha20poly1305::aead::{Aead, Payload};
use chacha20poly1305::{ChaCha20Poly1305, KeyInit, Nonce, XChaCha20Poly1305, XNonce};
use hpke::kdf::HkdfSha256;
use hpke::kem::{X25519HkdfSha256, XWing};
use hpke::{Deserializable, Kem, OpModeR};

use crate::reader::Result;
use crate::reader::cbor::Value;

/// A key of 32 bytes.
pub type Key = [u8; 32];

/// Plain BLAKE3.
#[must_use]
pub fn hash(bytes: &[u8]) -> [u8; 32] {
    *blake3::hash(bytes).as_bytes()
}

/// Keyed BLAKE3.
#[must_use]
pub fn id_of(key: &Key, bytes: &[u8]) -> [u8; 32] {
    *blake3::keyed_hash(key, bytes).as_bytes()
}

/// Derives a key from parts.
#[must_use]
pub fn derive(context: &str, parts: &[&[u8]]) -> Key {
    let mut material = Vec::new();
    for part in parts {
        material.extend_from_slice(&(part.len() as u32).to_le_bytes());
        material.extend_from_slice(part);
    }
    blake3::derive_key(context, &material)
}

/// What everything sealed or signed is bound to.
#[must_use]
pub fn bind(purpose: &str, repository: &[u8; 16], key: &str, further: &[u8]) -> Vec<u8> {
    [purpose.as_bytes(), &[0], repository, &hash(key.as_bytes()), further].concat()
}

/// Opens a sealed record: nonce, ciphertext, tag.
///
/// # Errors
/// Says that it does not open.
pub fn open_record(key: &Key, aad: &[u8], sealed: &[u8]) -> Result<Vec<u8>> {
    let (nonce, msg) = sealed.split_first_chunk::<24>().ok_or("a sealed record is too short")?;
    XChaCha20Poly1305::new(key.into())
        .decrypt(&XNonce::from(*nonce), Payload { msg, aad })
        .map_err(|_| "a sealed record does not open".to_owned())
}

/// Opens block `number` of a pack: eight random bytes, ciphertext, tag.
///
/// # Errors
/// Says that it does not open.
pub fn open_block(key: &Key, number: u32, aad: &[u8], sealed: &[u8]) -> Result<Vec<u8>> {
    let (random, msg) = sealed.split_first_chunk::<8>().ok_or("a block is too short")?;
    let mut nonce = [0; 12];
    nonce[..8].copy_from_slice(random);
    nonce[8..].copy_from_slice(&number.to_le_bytes());
    ChaCha20Poly1305::new(key.into())
        .decrypt(&Nonce::from(nonce), Payload { msg, aad })
        .map_err(|_| format!("block {number} does not open"))
}

/// Checks a signature strictly.
///
/// # Errors
/// Says that it is wrong.
pub fn verify(public: &Key, message: &[u8], signature: &[u8; 64]) -> Result<()> {
    let key = ed25519_dalek::VerifyingKey::from_bytes(public).map_err(|e| e.to_string())?;
    let signature = ed25519_dalek::Signature::from_bytes(signature);
    key.verify_strict(message, &signature).map_err(|_| "a signature is wrong".to_owned())
}

/// Which KEM a repository uses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Suite {
    /// Suite 1.
    XWing,
    /// Suite 2.
    X25519,
}

impl Suite {
    /// The suite of a stored number.
    ///
    /// # Errors
    /// Says that it is unknown.
    pub fn of(number: u8) -> Result<Self> {
        match number {
            1 => Ok(Self::XWing),
            2 => Ok(Self::X25519),
            _ => Err(format!("suite {number} is unknown")),
        }
    }

    /// Opens a data key with the pair that belongs to `seed`.
    pub(super) fn open(self, seed: &Key, info: &[u8], kem: &[u8], sealed: &[u8]) -> Result<Key> {
        let opened = match self {
            Self::XWing => open_with::<XWing>(seed, info, kem, sealed),
            Self::X25519 => open_with::<X25519HkdfSha256>(seed, info, kem, sealed),
        };
        let opened = opened.map_err(|error| format!("a data key does not open: {error}"))?;
        opened.try_into().map_err(|_| "a data key has another length".to_owned())
    }
}

fn open_with<K: Kem>(
    seed: &Key,
    info: &[u8],
    encapsulation: &[u8],
    sealed: &[u8],
) -> std::result::Result<Vec<u8>, hpke::HpkeError> {
    let (secret, _) = K::derive_keypair(seed);
    let encapsulation = K::EncappedKey::from_bytes(encapsulation)?;
    hpke::single_shot_open::<hpke::aead::ChaCha20Poly1305, HkdfSha256, K>(
        &OpModeR::Base,
        &secret,
        &encapsulation,
        info,
        sealed,
        b"",
    )
}

/// A key of one domain, or the key from which that of every domain follows.
#[derive(Clone, Copy)]
enum Domains {
    All(Key),
    One(u32, Key),
}

impl Domains {
    fn of(self, domain: u32) -> Result<Key> {
        match self {
            Self::All(key) => {
                Ok(derive("mainstay v2 key of a dedup domain", &[&key, &domain.to_le_bytes()]))
            }
            Self::One(own, key) if own == domain => Ok(key),
            Self::One(..) => Err(format!("domain {domain} is closed to this key")),
        }
    }
}

/// The keys of one epoch.
pub struct Epoch {
    /// Its number.
    pub number: u32,
    /// The key of control objects.
    pub control: Key,
    index: Domains,
    data: Option<Key>,
    tree: Option<Key>,
}

impl Epoch {
    fn of_root(root: &Key, number: u32) -> Self {
        let of = |first: &str, later: &str| match number {
            0 => derive(first, &[root]),
            _ => derive(later, &[root, &number.to_le_bytes()]),
        };
        Self {
            number,
            control: derive("mainstay v2 control key of an epoch", &[root, &number.to_le_bytes()]),
            index: Domains::All(of(
                "mainstay v2 index keys",
                "mainstay v2 index keys of a later epoch",
            )),
            data: Some(of(
                "mainstay v2 key pair of file content",
                "mainstay v2 key pair of file content in a later epoch",
            )),
            tree: Some(of(
                "mainstay v2 key pair of names and metadata",
                "mainstay v2 key pair of names and metadata in a later epoch",
            )),
        }
    }
}

/// The keys of a role.
pub struct Keys {
    /// The administrator's public key.
    pub admin_key: Key,
    /// The suite of packs.
    pub suite: Suite,
    /// All epochs that are known, rising.
    pub epochs: Vec<Epoch>,
    role: u64,
    domain: u32,
    root: Option<Key>,
    recipient: Option<Key>,
    chunk_id: Domains,
    cut: Option<Domains>,
}

impl Keys {
    /// Everything that follows from the root secret, for the first epoch.
    #[must_use]
    pub fn from_root(root: &Key, suite: Suite) -> Self {
        let of = |context: &str| derive(context, &[root]);
        let seed = of("mainstay v2 administrator signing key");
        let admin_key = ed25519_dalek::SigningKey::from_bytes(&seed).verifying_key().to_bytes();
        Self {
            admin_key,
            suite,
            epochs: vec![Epoch::of_root(root, 0)],
            role: 5,
            domain: 0,
            root: Some(*root),
            recipient: None,
            chunk_id: Domains::All(of("mainstay v2 chunk id keys")),
            cut: Some(Domains::All(of("mainstay v2 cut point keys"))),
        }
    }

    /// The keys in a bundle.
    ///
    /// # Errors
    /// Says what is missing or wrong.
    pub fn from_bundle(bundle: &Value, suite: Suite) -> Result<Self> {
        let role = bundle.field(0)?.uint()?;
        let admin_key = bundle.field(1)?.array()?;
        let (domain, number) = (uint32(bundle.field(2)?)?, uint32(bundle.field(3)?)?);
        if let (5, Some(root)) = (role, bundle.optional(4)) {
            let keys = Self::from_root(&root.array()?, suite);
            return match keys.admin_key == admin_key {
                true => Ok(keys),
                false => Err("the root secret is of another administrator".to_owned()),
            };
        }
        let optional = |field| bundle.optional(field).map(Value::array::<32>).transpose();
        let domains = |key| if role == 1 { Domains::One(domain, key) } else { Domains::All(key) };
        let mut keys = Self {
            admin_key,
            suite,
            epochs: Vec::new(),
            role,
            domain,
            root: None,
            recipient: optional(16)?,
            chunk_id: domains(bundle.field(7)?.array()?),
            cut: optional(8)?.map(domains),
        };
        for older in bundle.optional(17).map_or(Ok(&[][..]), Value::items)? {
            let [number, given] = older.items()? else { return Err("no pair".to_owned()) };
            keys.enter_given(uint32(number)?, given)?;
        }
        keys.epochs.push(Epoch {
            number,
            control: bundle.field(5)?.array()?,
            index: domains(bundle.field(6)?.array()?),
            data: optional(11)?,
            tree: optional(12)?,
        });
        Ok(keys)
    }

    /// Takes in the keys of an epoch that were given to a holder.
    fn enter_given(&mut self, number: u32, given: &Value) -> Result<()> {
        let optional = |field| given.optional(field).map(Value::array::<32>).transpose();
        let index = given.field(2)?.array()?;
        self.epochs.push(Epoch {
            number,
            control: given.field(0)?.array()?,
            index: match self.role {
                1 => Domains::One(self.domain, index),
                _ => Domains::All(index),
            },
            data: optional(3)?,
            tree: optional(4)?,
        });
        Ok(())
    }

    /// Takes in an epoch by its record, for whoever opened this slot.
    ///
    /// # Errors
    /// Says so if the slot was left out.
    pub(super) fn enter(
        &mut self,
        record: &Value,
        repository: &[u8; 16],
        slot: &[u8; 8],
    ) -> Result<()> {
        let number = uint32(record.field(1)?)?;
        if let Some(root) = &self.root {
            self.epochs.push(Epoch::of_root(root, number));
            return Ok(());
        }
        for sealed in record.optional(5).map_or(Ok(&[][..]), Value::items)? {
            let [whose, sealed] = sealed.items()? else { return Err("no pair".to_owned()) };
            if whose.bytes()? == slot {
                let name = format!("epochs/{number:08x}");
                let seed = self.recipient.ok_or("the bundle has no key for later epochs")?;
                let bound = |purpose| bind(purpose, repository, &name, slot);
                let given =
                    self.open_part(&seed, &bound("epoch key"), &bound("epoch"), sealed.bytes()?)?;
                return self.enter_given(number, &given);
            }
        }
        Err(format!("this key was not given the keys of epoch {number}"))
    }

    /// Opens a key that is sealed to a pair, and what is sealed with it.
    pub(super) fn open_part(
        &self,
        seed: &Key,
        info: &[u8],
        aad: &[u8],
        sealed: &[u8],
    ) -> Result<Value> {
        let (length, rest) = sealed.split_first_chunk::<2>().ok_or("a part is too short")?;
        let length = usize::from(u16::from_le_bytes(*length));
        let (encapsulation, rest) = rest.split_at_checked(length).ok_or("a part is too short")?;
        let (sealed_key, rest) = rest.split_at_checked(48).ok_or("a part is too short")?;
        let key = self.suite.open(seed, info, encapsulation, sealed_key)?;
        Value::decode(&open_record(&key, aad, rest)?)
    }

    /// The keys of an epoch.
    ///
    /// # Errors
    /// Says that they are not known.
    pub fn at(&self, epoch: u32) -> Result<&Epoch> {
        let found = self.epochs.iter().find(|one| one.number == epoch);
        found.ok_or_else(|| format!("the keys of epoch {epoch} are not known"))
    }

    /// The keys that codes of names are made with, the newest first.
    pub(super) fn names(&self) -> Vec<Key> {
        let of = |epoch: &Epoch| derive("mainstay v2 codes of names", &[&epoch.control]);
        self.epochs.iter().rev().map(of).collect()
    }

    /// Key of footers and segments of a domain in an epoch.
    ///
    /// # Errors
    /// Says that the role does not have it.
    pub fn index_key(&self, domain: u32, epoch: u32) -> Result<Key> {
        self.at(epoch)?.index.of(domain)
    }

    /// Key of ids of content (1) or nodes (2) in a domain.
    ///
    /// # Errors
    /// Says that the role does not have it.
    pub fn id_key(&self, domain: u32, kind: u8) -> Result<Key> {
        let context = match kind {
            1 => "mainstay v2 ids of chunks of file content",
            _ => "mainstay v2 ids of tree nodes",
        };
        Ok(derive(context, &[&self.chunk_id.of(domain)?]))
    }

    /// Key of the gear table of a domain.
    ///
    /// # Errors
    /// Says that the role does not have it.
    pub fn cut_key(&self, domain: u32) -> Result<Key> {
        self.cut.ok_or("this role cuts nothing")?.of(domain)
    }

    /// The seed that opens packs of a kind in an epoch, if the role has it.
    pub(super) fn seed(&self, kind: u8, epoch: u32) -> Result<Option<&Key>> {
        let epoch = self.at(epoch)?;
        Ok(if kind == 1 { epoch.data.as_ref() } else { epoch.tree.as_ref() })
    }
}

fn uint32(value: &Value) -> Result<u32> {
    u32::try_from(value.uint()?).map_err(|error| error.to_string())
}
