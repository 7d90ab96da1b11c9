//! Sets of key slots and records of epochs: written by the administrator, read by everybody.

use bytes::Bytes;

use crate::base::id::{Nonce8, RepositoryId, SlotId};
use crate::base::limits::ANNOUNCEMENT_MAX_BYTES;
use crate::crypt::seal::{SealPublic, SealSecret};
use crate::crypt::secret::SecretKey;
use crate::crypt::sign::verify;
use crate::crypt::{aead, hash, random};
use crate::format::announcement::{
    Announcement, EpochRecord, SlotSet, decode_announcement, encode_announcement,
};
use crate::format::envelope::{associated_data, decode_record, encode_record};
use crate::format::private::SealedPart;
use crate::format::slot::EpochKeys;
use crate::repo::Repo;
use crate::repo::error::RepoError;
use crate::repo::keyring::AdminKeys;
use crate::repo::object::WRONG_SIGNATURE;
use crate::store::Store;
use crate::store::name::ObjectName;

fn message(repository: RepositoryId, name: &ObjectName, signed: &[u8]) -> Vec<u8> {
    let key_hash = hash::digest(name.key().as_bytes());
    let mut message = associated_data("announcement", repository, key_hash, &[]);
    message.extend_from_slice(signed);
    message
}

fn put<T: Announcement>(
    store: &Store,
    (repository, admin): (RepositoryId, &AdminKeys),
    name: &ObjectName,
    record: &T,
) -> Result<(), RepoError> {
    if !record.is_bounded() {
        return Err(RepoError::Refused { why: format!("{name} would be read by nobody") });
    }
    let mut bytes = encode_announcement(record);
    let signature = admin.signing().sign(&message(repository, name, &bytes));
    bytes.extend_from_slice(&signature);
    store.put_new(name, Bytes::from(bytes))?;
    Ok(())
}

/// Reads an announcement and verifies it against the administrator's key.
fn get<T: Announcement>(
    store: &Store,
    (repository, admin): (RepositoryId, &[u8; 32]),
    name: &ObjectName,
) -> Result<T, RepoError> {
    let bytes = store.get(name, ANNOUNCEMENT_MAX_BYTES as u64)?;
    let key = name.key();
    let found = decode_announcement::<T>(&bytes).map_err(|e| RepoError::envelope(&key, &e))?;
    verify(admin, &message(repository, name, &found.signed), &found.signature)
        .map_err(|_| RepoError::corrupt(&key, WRONG_SIGNATURE))?;
    Ok(found.record)
}

/// Stores a set of key slots, signed by the administrator; answers its name.
///
/// # Errors
/// [`RepoError::Denied`] without the administrator's keys, [`RepoError::Refused`] for one that
/// nobody reads; errors of the store.
pub fn put_slot_set(repo: &Repo, record: &SlotSet) -> Result<ObjectName, RepoError> {
    put_set(repo.store(), repo.keys().admin()?, record)
}

/// The same for a repository that is being made.
pub(super) fn put_set(
    store: &Store,
    admin: &AdminKeys,
    record: &SlotSet,
) -> Result<ObjectName, RepoError> {
    let random = Nonce8::new(random::array());
    let name = ObjectName::SlotSet { number: record.number, random };
    put(store, (record.repository, admin), &name, record)?;
    Ok(name)
}

/// Reads a set of key slots, verified.
///
/// # Errors
/// [`RepoError::Corrupt`] if it is damaged or forged; errors of the store.
pub fn get_slot_set(repo: &Repo, name: &ObjectName) -> Result<SlotSet, RepoError> {
    let config = repo.config();
    get_set(repo.store(), (config.repository, &config.admin_key), name)
}

/// The same before a slot is open.
pub(super) fn get_set(
    store: &Store,
    (repository, admin): (RepositoryId, &[u8; 32]),
    name: &ObjectName,
) -> Result<SlotSet, RepoError> {
    let set: SlotSet = get(store, (repository, admin), name)?;
    let is_right = set.repository == repository
        && matches!(name, ObjectName::SlotSet { number, .. } if *number == set.number);
    match is_right {
        true => Ok(set),
        false => Err(RepoError::corrupt(&name.key(), "it is another set")),
    }
}

/// Announces new keys, signed by the administrator; answers the name.
///
/// # Errors
/// As [`put_slot_set`].
pub fn put_epoch(repo: &Repo, record: &EpochRecord) -> Result<ObjectName, RepoError> {
    let name = ObjectName::Epoch(record.epoch);
    put(repo.store(), (repo.config().repository, repo.keys().admin()?), &name, record)?;
    Ok(name)
}

/// Reads the record of an epoch, verified.
///
/// # Errors
/// As [`get_slot_set`].
pub fn get_epoch(repo: &Repo, epoch: u32) -> Result<EpochRecord, RepoError> {
    let config = repo.config();
    read_epoch(repo.store(), (config.repository, &config.admin_key), epoch)
}

/// The same while a repository is opened.
pub(super) fn read_epoch(
    store: &Store,
    (repository, admin): (RepositoryId, &[u8; 32]),
    epoch: u32,
) -> Result<EpochRecord, RepoError> {
    let name = ObjectName::Epoch(epoch);
    let record: EpochRecord = get(store, (repository, admin), &name)?;
    match record.repository == repository && record.epoch == epoch {
        true => Ok(record),
        false => Err(RepoError::corrupt(&name.key(), "it is the record of another epoch")),
    }
}

fn bound(purpose: &'static str, repository: RepositoryId, (epoch, slot): (u32, SlotId)) -> Vec<u8> {
    let key_hash = hash::digest(ObjectName::Epoch(epoch).key().as_bytes());
    associated_data(purpose, repository, key_hash, slot.as_bytes())
}

/// Seals the keys of an epoch to the holder of a slot.
///
/// # Errors
/// [`RepoError::Crypt`] if the recipient's key is none.
pub fn seal_epoch_keys(
    repository: RepositoryId,
    place: (u32, SlotId),
    recipient: &SealPublic,
    keys: &EpochKeys,
) -> Result<Vec<u8>, RepoError> {
    let key = SecretKey::random();
    let info = bound("epoch key", repository, place);
    let (encapsulation, sealed_key) = recipient.seal_key(&info, &key)?;
    let plain = zeroize::Zeroizing::new(encode_record(keys));
    let sealed = aead::seal(&key, &bound("epoch", repository, place), &plain);
    Ok(SealedPart { encapsulation, sealed_key, sealed }.encode())
}

/// Opens what [`seal_epoch_keys`] sealed.
///
/// # Errors
/// [`RepoError::Corrupt`] if it does not open or decode.
pub fn open_epoch_keys(
    repository: RepositoryId,
    place: (u32, SlotId),
    recipient: &SealSecret,
    sealed: &[u8],
) -> Result<EpochKeys, RepoError> {
    let key = ObjectName::Epoch(place.0).key();
    let part = SealedPart::decode(sealed).map_err(|e| RepoError::codec(&key, &e))?;
    let closed = |_| RepoError::corrupt(&key, "the keys for this slot do not open");
    let info = bound("epoch key", repository, place);
    let opened =
        recipient.open_key(&info, &part.encapsulation, &part.sealed_key).map_err(closed)?;
    let plain = aead::open(&opened, &bound("epoch", repository, place), &part.sealed)
        .map(zeroize::Zeroizing::new)
        .map_err(closed)?;
    decode_record(&plain, "keys of an epoch").map_err(|e| RepoError::codec(&key, &e))
}
