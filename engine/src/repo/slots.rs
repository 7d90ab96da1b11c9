//! Key slots: wrapping a bundle for a passphrase, recovery words or a key file, and unwrapping it.

use bytes::Bytes;

use crate::base::id::{RepositoryId, SlotId};
use crate::base::limits::CONTROL_MAX_BYTES;
use crate::base::time::Timestamp;
use crate::crypt::secret::SecretKey;
use crate::crypt::{aead, hash, kdf, random};
use crate::format::envelope::{associated_data, decode_record, encode_record};
use crate::format::slot::{Bundle, KdfCost, Slot, SlotAbout, SlotKind};
use crate::repo::Repo;
use crate::repo::error::RepoError;
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
    /// What unwraps it.
    pub kind: SlotKind,
    /// Whose it is; `None` if that part does not open.
    pub about: Option<SlotAbout>,
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
    let name = ObjectName::Slot(id);
    let bytes = store.get(&name, CONTROL_MAX_BYTES as u64)?;
    let slot = Slot::decode(&bytes).map_err(|e| RepoError::envelope(&name.key(), &e))?;
    if slot.repository != repository || slot.slot != id {
        return Err(RepoError::corrupt(&name.key(), "it belongs to another key or repository"));
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

/// All slots with what is known about them.
///
/// # Errors
/// Those of the store; a damaged slot is an error that names it.
pub fn list(repo: &Repo) -> Result<Vec<ListedSlot>, RepoError> {
    let repository = repo.config().repository;
    let mut found = Vec::new();
    for id in ids(repo.store())? {
        let slot = read(repo.store(), repository, id)?;
        found.push(ListedSlot { slot: id, kind: slot.kind, about: about(repo, &slot) });
    }
    Ok(found)
}

/// What a slot says of its holder; `None` if that part does not open.
#[must_use]
pub fn about(repo: &Repo, slot: &Slot) -> Option<SlotAbout> {
    let data = slot_data("slot about", repo.config().repository, slot.slot, &[]);
    let plain = aead::open(repo.keys().control().0, &data, &slot.about).ok()?;
    decode_record(&plain, "slot").ok()
}

/// Adds a slot for `bundle`.
///
/// # Errors
/// Those of wrapping and of the store.
pub fn add(
    repo: &Repo,
    label: &str,
    bundle: &Bundle,
    wrapping: &Wrapping<'_>,
    created: Timestamp,
) -> Result<SlotId, RepoError> {
    let about = SlotAbout { role: bundle.role, label: label.to_owned(), created };
    let control = repo.keys().control().0;
    let slot = wrap(repo.config().repository, control, &about, bundle, wrapping)?;
    repo.store().put_new(&ObjectName::Slot(slot.slot), Bytes::from(slot.encode()))?;
    Ok(slot.slot)
}

/// Removes the slot whose id begins with `wanted`, unless it is the last that an administrator
/// could open.
///
/// # Errors
/// [`RepoError::NotOneSlot`], [`RepoError::Refused`], [`RepoError::Denied`].
pub fn remove(repo: &Repo, wanted: &str) -> Result<ListedSlot, RepoError> {
    repo.keys().admin()?;
    let all = list(repo)?;
    let matching: Vec<_> =
        all.iter().filter(|slot| slot.slot.to_string().starts_with(wanted)).collect();
    let [slot] = matching.as_slice() else {
        return Err(RepoError::NotOneSlot { wanted: wanted.to_owned(), count: matching.len() });
    };
    let is_admin =
        |slot: &ListedSlot| slot.about.as_ref().is_some_and(|about| about.role.name() == "admin");
    if is_admin(slot) && all.iter().filter(|other| is_admin(other)).count() == 1 {
        return Err(RepoError::Refused {
            why: "this is the last slot with the role admin; add another one first".to_owned(),
        });
    }
    repo.store().delete(&ObjectName::Slot(slot.slot))?;
    Ok((*slot).clone())
}
