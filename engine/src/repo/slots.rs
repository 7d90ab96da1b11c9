//! Key slots: wrapping a bundle for a passphrase, recovery words or a key file, and unwrapping it.

use std::collections::BTreeSet;

use bytes::Bytes;

use crate::base::error::{Classified, ErrorClass, in_one_line};
use crate::base::id::{Digest, RepositoryId, SlotId};
use crate::base::limits::{ANNOUNCED_SLOTS_MAX, CONTROL_MAX_BYTES, SLOTS_READ_MAX};
use crate::base::time::Timestamp;
use crate::crypt::seal::{Suite, key_pair};
use crate::crypt::secret::SecretKey;
use crate::crypt::{aead, hash, kdf, random};
use crate::format::announcement::KnownSlot;
use crate::format::envelope::{associated_data, decode_record, encode_record};
use crate::format::slot::{Bundle, KdfCost, Role, Slot, SlotAbout, SlotKind};
use crate::repo::Repo;
use crate::repo::error::RepoError;
use crate::repo::slot_sets::{self, Change, KnownSlots};
use crate::store::Store;
use crate::store::name::{ObjectName, prefix};

/// What a slot is wrapped for.
pub enum Wrapping<'a> {
    /// A passphrase and what stretching it shall cost.
    Passphrase(&'a [u8], KdfCost),
    /// A random key that becomes recovery words.
    Phrase(&'a SecretKey),
    /// A random key that goes into a key file.
    KeyFile(&'a SecretKey),
}

/// A slot in a list, as any role sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListedSlot {
    /// The slot.
    pub slot: SlotId,
    /// What unwraps it; `None` if nobody can say.
    pub kind: Option<SlotKind>,
    /// What its holder may do: as the administrator has signed it, otherwise as the slot says.
    pub role: Option<Role>,
    /// Whose it is; `None` if that part does not open.
    pub about: Option<SlotAbout>,
    /// What the administrator's sets say of it.
    pub standing: Standing,
}

/// What the administrator's sets of key slots say of a slot in the store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Standing {
    /// It is the one that was made.
    Good,
    /// It stands in a set, and these are not its bytes.
    Changed,
    /// It stands in a set, and the store does not have it.
    Missing,
    /// It stands in a set, and cannot be read.
    Unreadable(String),
    /// It was removed, and is there all the same.
    Removed,
    /// It stands in no set.
    Unlisted,
}

impl Standing {
    /// Its name for programs.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Good => "good",
            Self::Changed => "changed",
            Self::Missing => "missing",
            Self::Unreadable(_) => "unreadable",
            Self::Removed => "removed",
            Self::Unlisted => "unlisted",
        }
    }

    /// Whether the administrator made it and wants it to be there.
    #[must_use]
    pub const fn is_listed(&self) -> bool {
        matches!(self, Self::Good | Self::Changed | Self::Missing | Self::Unreadable(_))
    }
}

fn slot_data(
    purpose: &'static str,
    repository: RepositoryId,
    slot: SlotId,
    head: &[u8],
) -> Vec<u8> {
    let key_hash = hash::digest(ObjectName::Slot(slot).key().as_bytes());
    associated_data(purpose, repository, key_hash, head)
}

/// Wraps `bundle` into a new slot.
///
/// # Errors
/// [`RepoError::Crypt`] if the cost of the passphrase is out of range.
pub fn wrap(
    repository: RepositoryId,
    control: &SecretKey,
    about: &SlotAbout,
    bundle: &Bundle,
    wrapping: &Wrapping<'_>,
) -> Result<Slot, RepoError> {
    let id = SlotId::new(random::array());
    let (kind, cost, salt) = match wrapping {
        Wrapping::Passphrase(_, cost) => (SlotKind::Passphrase, Some(*cost), random::array()),
        Wrapping::Phrase(_) => (SlotKind::Phrase, None, [0; 16]),
        Wrapping::KeyFile(_) => (SlotKind::KeyFile, None, [0; 16]),
    };
    let about_data = slot_data("slot about", repository, id, &[]);
    let sealed_about = aead::seal(control, &about_data, &encode_record(about));
    let mut slot =
        Slot { kind, repository, slot: id, cost, salt, about: sealed_about, bundle: Vec::new() };
    let key = match wrapping {
        Wrapping::Passphrase(passphrase, _) => stretch(&slot, passphrase)?,
        Wrapping::Phrase(key) | Wrapping::KeyFile(key) => (*key).clone(),
    };
    let data = slot_data("slot", repository, id, &slot.head());
    slot.bundle = aead::seal(&key, &data, &zeroize::Zeroizing::new(encode_record(bundle)));
    Ok(slot)
}

/// The key of a passphrase slot.
///
/// # Errors
/// [`RepoError::Crypt`] if the parameters are refused.
pub fn stretch(slot: &Slot, passphrase: &[u8]) -> Result<SecretKey, RepoError> {
    let cost = slot.cost.unwrap_or(KdfCost::FLOOR);
    Ok(kdf::stretch(passphrase, &slot.salt, cost.memory_kib, cost.passes, cost.lanes)?)
}

/// Opens a slot; `None` if `key` is not its key.
///
/// # Errors
/// [`RepoError::Corrupt`] if it opens and holds no bundle.
pub fn unwrap_bundle(slot: &Slot, key: &SecretKey) -> Result<Option<Bundle>, RepoError> {
    let data = slot_data("slot", slot.repository, slot.slot, &slot.head());
    let Ok(plain) = aead::open(key, &data, &slot.bundle).map(zeroize::Zeroizing::new) else {
        return Ok(None);
    };
    let name = ObjectName::Slot(slot.slot).key();
    decode_record(&plain, "key bundle").map(Some).map_err(|e| RepoError::codec(&name, &e))
}

/// Reads one slot and checks that it is the one that belongs at its key.
///
/// # Errors
/// [`RepoError::Corrupt`], [`RepoError::Newer`], or errors of the store.
pub fn read(store: &Store, repository: RepositoryId, id: SlotId) -> Result<Slot, RepoError> {
    read_hashed(store, repository, id).map(|(slot, _)| slot)
}

/// The same with the hash of the stored bytes.
pub(super) fn read_hashed(
    store: &Store,
    repository: RepositoryId,
    id: SlotId,
) -> Result<(Slot, Digest), RepoError> {
    let bytes = store.get(&ObjectName::Slot(id), CONTROL_MAX_BYTES as u64)?;
    Ok((decode(repository, id, &bytes)?, hash::digest(&bytes)))
}

fn decode(repository: RepositoryId, id: SlotId, bytes: &[u8]) -> Result<Slot, RepoError> {
    let key = ObjectName::Slot(id).key();
    let slot = Slot::decode(bytes).map_err(|e| RepoError::envelope(&key, &e))?;
    if slot.repository != repository || slot.slot != id {
        return Err(RepoError::corrupt(&key, "it belongs to another key or repository"));
    }
    Ok(slot)
}

/// Ids of all slots in the store.
///
/// # Errors
/// Those of the store.
pub fn ids(store: &Store) -> Result<Vec<SlotId>, RepoError> {
    let listed = store.list(prefix::SLOTS)?;
    let ids = listed.iter().filter_map(|object| match object.name {
        Some(ObjectName::Slot(id)) => Some(id),
        _ => None,
    });
    Ok(ids.collect())
}

/// The same where there must be some.
///
/// # Errors
/// [`RepoError::NoSlots`]; those of the store.
pub(super) fn require_any(store: &Store) -> Result<Vec<SlotId>, RepoError> {
    let ids = ids(store)?;
    match ids.is_empty() {
        true => Err(RepoError::NoSlots { place: store.describe().to_owned() }),
        false => Ok(ids),
    }
}

/// All slots that are in the store or should be, with what is known about them. Of those that stand in
/// no set the first ones are read: whoever may add objects can add them.
///
/// # Errors
/// Those of the store.
pub fn list(repo: &Repo) -> Result<Vec<ListedSlot>, RepoError> {
    list_by(repo, &slot_sets::known(repo)?)
}

/// The slot that opened the repository; of the others nothing is read, which not every key may do.
///
/// # Errors
/// Those of the store.
pub fn own(repo: &Repo) -> Result<Option<ListedSlot>, RepoError> {
    let known = slot_sets::known(repo)?;
    repo.slot().map(|id| look(repo, &known, id, true)).transpose()
}

/// As [`list`], by sets that are known.
///
/// # Errors
/// Those of the store.
pub fn list_by(repo: &Repo, known: &KnownSlots) -> Result<Vec<ListedSlot>, RepoError> {
    let (mut all, mut strays) = (BTreeSet::from_iter(ids(repo.store())?), 0);
    all.extend(known.iter().map(|slot| slot.slot));
    let mut listed = Vec::new();
    for id in all {
        strays += usize::from(known.get(id).is_none());
        let is_read = known.get(id).is_some() || strays <= SLOTS_READ_MAX;
        listed.push(look(repo, known, id, is_read)?);
    }
    Ok(listed)
}

fn look(
    repo: &Repo,
    known: &KnownSlots,
    id: SlotId,
    is_read: bool,
) -> Result<ListedSlot, RepoError> {
    let entry = known.get(id);
    let mut listed = ListedSlot {
        slot: id,
        kind: entry.map(|entry| entry.kind),
        role: entry.map(|entry| entry.role),
        about: None,
        standing: match entry {
            Some(_) => Standing::Good,
            None if known.has_removed(id) => Standing::Removed,
            None => Standing::Unlisted,
        },
    };
    if !is_read {
        return Ok(listed);
    }
    let bytes = match repo.store().get(&ObjectName::Slot(id), CONTROL_MAX_BYTES as u64) {
        Ok(bytes) => bytes,
        Err(error) => {
            let standing = match error.class() {
                ErrorClass::Missing => Standing::Missing,
                ErrorClass::Corrupt => Standing::Changed,
                ErrorClass::Unreadable => Standing::Unreadable(in_one_line(&error)),
                _ => return Err(error.into()),
            };
            listed.standing = if entry.is_some() { standing } else { listed.standing };
            return Ok(listed);
        }
    };
    if entry.is_some_and(|entry| entry.digest != hash::digest(&bytes)) {
        listed.standing = Standing::Changed;
    }
    if let Ok(slot) = decode(repo.config().repository, id, &bytes) {
        listed.about = about(repo, &slot);
        listed.kind = listed.kind.or(Some(slot.kind));
        listed.role = listed.role.or(listed.about.as_ref().map(|about| about.role));
    }
    Ok(listed)
}

/// What a slot says of its holder; `None` if that part does not open.
#[must_use]
pub fn about(repo: &Repo, slot: &Slot) -> Option<SlotAbout> {
    let data = slot_data("slot about", repo.config().repository, slot.slot, &[]);
    // It does not say in which epoch it was made.
    let keys = repo.keys();
    let mut controls = keys.epochs().filter_map(|epoch| keys.control_of(epoch));
    let plain = controls.find_map(|key| aead::open(key, &data, &slot.about).ok())?;
    decode_record(&plain, "slot").ok()
}

/// Adds a slot for `bundle`, and puts it into the set of key slots. Holders without the root secret get
/// a key pair that keys of later epochs can be sealed to.
///
/// # Errors
/// [`RepoError::Denied`] without the administrator's keys; those of wrapping and of the store.
pub fn add(
    repo: &Repo,
    label: &str,
    bundle: &Bundle,
    wrapping: &Wrapping<'_>,
    created: Timestamp,
) -> Result<SlotId, RepoError> {
    let admin = repo.keys().admin()?;
    let known = slot_sets::known(repo)?;
    if known.iter().count() >= ANNOUNCED_SLOTS_MAX {
        let why = format!("a repository has at most {ANNOUNCED_SLOTS_MAX} key slots");
        return Err(RepoError::Refused { why });
    }
    let mut bundle = bundle.clone();
    if bundle.role != Role::Admin && bundle.recipient.is_none() {
        bundle.recipient = Some(*SecretKey::random().expose());
    }
    let about = SlotAbout { role: bundle.role, label: label.to_owned(), created };
    let repository = repo.config().repository;
    let slot = wrap(repository, repo.keys().control().0, &about, &bundle, wrapping)?;
    // The slot first: a set names what is there.
    let entry = put(repo.store(), &slot, &bundle, Suite::from_code(repo.config().suite))?;
    let change = Change::Add(vec![entry]);
    slot_sets::write(repo.store(), (repository, admin), created, &known, change)?;
    Ok(slot.slot)
}

/// Stores a slot; answers what a set says of it.
pub(super) fn put(
    store: &Store,
    slot: &Slot,
    bundle: &Bundle,
    suite: Option<Suite>,
) -> Result<KnownSlot, RepoError> {
    let bytes = slot.encode();
    if bytes.len() > CONTROL_MAX_BYTES {
        let why = format!("the slot would have {} bytes: take a shorter label", bytes.len());
        return Err(RepoError::Refused { why });
    }
    let digest = hash::digest(&bytes);
    store.put_new(&ObjectName::Slot(slot.slot), Bytes::from(bytes))?;
    let recipient = bundle.recipient.zip(suite);
    let public = |(seed, suite)| key_pair(suite, &SecretKey::new(seed)).1.to_bytes();
    Ok(KnownSlot {
        slot: slot.slot,
        digest,
        kind: slot.kind,
        role: bundle.role,
        client: bundle.client,
        expires: None,
        recipient: recipient.map(public),
    })
}

/// Removes the slot whose id begins with `wanted`, unless it is the last that an administrator
/// could open.
///
/// # Errors
/// [`RepoError::NotOneSlot`], [`RepoError::Refused`], [`RepoError::Denied`].
pub fn remove(repo: &Repo, wanted: &str) -> Result<ListedSlot, RepoError> {
    let admin = repo.keys().admin()?;
    let known = slot_sets::known(repo)?;
    let all = list_by(repo, &known)?;
    let matching: Vec<_> =
        all.iter().filter(|slot| slot.slot.to_string().starts_with(wanted)).collect();
    let [slot] = matching.as_slice() else {
        return Err(RepoError::NotOneSlot { wanted: wanted.to_owned(), count: matching.len() });
    };
    // What stands in no set may say anything of itself, unless there is no set at all.
    let opens_all = |slot: &ListedSlot| {
        let counts = slot.standing == Standing::Good || !known.is_signed();
        counts && slot.role == Some(Role::Admin)
    };
    let others = all.iter().filter(|other| other.slot != slot.slot);
    if slot.role == Some(Role::Admin) && !others.into_iter().any(opens_all) {
        return Err(RepoError::Refused {
            why: "this is the last slot with the role admin; add another one first".to_owned(),
        });
    }
    if known.get(slot.slot).is_some() {
        let identity = (repo.config().repository, admin);
        let change = Change::Remove(slot.slot);
        // The set first: a slot that stands in none is named by whoever checks, and can be removed again.
        slot_sets::write(repo.store(), identity, repo.clock().now(), &known, change)?;
    }
    repo.store().delete(&ObjectName::Slot(slot.slot))?;
    Ok((*slot).clone())
}
