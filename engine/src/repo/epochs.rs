//! Epochs: the keys of each, and how a machine takes in those that were announced.
//!
//! Two rules carry what is said in `docs/GC.md` over a change of keys. New keys are announced before
//! anything is written with them. And whoever passes over a name because of its code looks for
//! announcements afterwards: if there is one that this process has no keys of, it stops. So nobody
//! takes a record for junk that only others can read yet.

use crate::base::error::{Classified, ErrorClass};
use crate::base::id::{RepositoryId, SlotId};
use crate::base::limits::EPOCHS_MAX;
use crate::crypt::seal::{SealPublic, key_pair};
use crate::crypt::secret::SecretKey;
use crate::format::announcement::EpochRecord;
use crate::format::slot::{Bundle, Role};
use crate::repo::announcement::{open_epoch_keys, read_epoch};
use crate::repo::error::RepoError;
use crate::repo::keyring::Keyring;
use crate::store::name::{ObjectName, prefix};
use crate::store::{Listed, Store, StoreError, StrangeNames};

/// Something that could be an announcement and cannot be read: new keys that were damaged or lost, or
/// what a holder of some key put there.
#[derive(Debug)]
pub struct Doubt {
    /// The epoch that it would begin.
    pub epoch: u32,
    /// Its key in the store, without a code.
    pub key: String,
    /// What is wrong with it.
    pub error: RepoError,
    /// Whether it is gone: this machine has seen it.
    pub is_gone: bool,
}

/// Who opens.
pub(super) struct Holder<'a> {
    pub(super) slot: SlotId,
    pub(super) bundle: &'a Bundle,
    /// The newest epoch that this machine has seen.
    pub(super) seen: Option<u32>,
}

/// Takes in the keys of all epochs that were announced, and answers which announcements cannot be
/// read. Whoever has the root secret knows the keys of those as well, and reads with them.
///
/// # Errors
/// [`RepoError::LeftOut`] if the holder was not given those of one; errors of the store.
pub(super) fn enter_all(
    store: &Store,
    identity: (RepositoryId, &[u8; 32]),
    keys: &mut Keyring,
    holder: &Holder<'_>,
) -> Result<Vec<Doubt>, RepoError> {
    let store = store.without_watch();
    let listed = store.list(prefix::EPOCHS)?;
    let mut doubts = Vec::new();
    let mut last = keys.control().1;
    while let Some(epoch) = last.checked_add(1).filter(|epoch| *epoch as usize <= EPOCHS_MAX) {
        // The name of an epoch has the code of the one before: each opens the way to the next.
        let store = store.with_codes(keys.codes());
        let (is_there, is_seen) = (is_listed(&store, &listed, epoch), holder.seen >= Some(epoch));
        let record = match (is_there, is_seen) {
            (true, _) => read_epoch(&store, identity, epoch),
            (false, true) => Err(lost(epoch)),
            (false, false) => break,
        };
        match record {
            Ok(record) if doubts.is_empty() => enter(identity.0, keys, holder, &record)?,
            // What was announced after something that nobody can read is for reading only.
            Ok(_) => keys.read_by_root(epoch)?,
            Err(error) if tells_nothing(error.class()) => {
                let key = ObjectName::Epoch(epoch).key();
                doubts.push(Doubt { epoch, key, error, is_gone: !is_there });
                if keys.read_by_root(epoch).is_err() {
                    break;
                }
            }
            Err(error) => return Err(error),
        }
        last = epoch;
    }
    Ok(doubts)
}

fn is_listed(store: &Store, listed: &[Listed], epoch: u32) -> bool {
    listed.iter().any(|object| store.name_at(&object.key) == Some(ObjectName::Epoch(epoch)))
}

fn lost(epoch: u32) -> RepoError {
    let why = "this machine has seen it, and the store does not show it any more";
    RepoError::corrupt(&ObjectName::Epoch(epoch).key(), why)
}

/// Whether reading an announcement failed for good.
fn tells_nothing(class: ErrorClass) -> bool {
    use ErrorClass::{Corrupt, Missing, Newer, Unreadable};
    matches!(class, Corrupt | Newer | Unreadable | Missing)
}

fn enter(
    repository: RepositoryId,
    keys: &mut Keyring,
    holder: &Holder<'_>,
    record: &EpochRecord,
) -> Result<(), RepoError> {
    let epoch = record.epoch;
    if keys.role() == Role::Admin {
        return keys.enter_by_root(epoch);
    }
    let suite = keys.suite();
    let sealed = record.sealed.iter().find(|one| one.slot == holder.slot);
    let (Some(sealed), Some(seed)) = (sealed, holder.bundle.recipient) else {
        return Err(RepoError::LeftOut { epoch });
    };
    let (secret, _) = key_pair(suite, &SecretKey::new(seed));
    let given = open_epoch_keys(repository, (epoch, holder.slot), &secret, &sealed.sealed)?;
    let public = |bytes: &[u8]| SealPublic::from_bytes(suite, bytes);
    let publics = (public(&record.data_public)?, public(&record.tree_public)?);
    keys.enter(epoch, &given, publics).ok_or_else(|| {
        RepoError::corrupt(&ObjectName::Epoch(epoch).key(), "keys of the role are missing in it")
    })
}

/// Tells junk from names of an epoch that began after this process.
pub(super) struct Watch {
    pub(super) repository: RepositoryId,
    pub(super) admin_key: [u8; 32],
    pub(super) newest: u32,
    /// Epochs whose announcements could not be read when the repository was opened; that was told.
    pub(super) doubted: Vec<u32>,
}

impl StrangeNames for Watch {
    fn explain(&self, store: &Store) -> Result<(), StoreError> {
        let store = store.without_watch();
        for object in store.list(prefix::EPOCHS)? {
            let Some(ObjectName::Epoch(epoch)) = object.name else { continue };
            if epoch <= self.newest || self.doubted.iter().any(|doubted| *doubted <= epoch) {
                continue;
            }
            match read_epoch(&store, (self.repository, &self.admin_key), epoch) {
                Err(RepoError::Store(error)) if error.class() == ErrorClass::Missing => {}
                Err(RepoError::Store(error)) if !tells_nothing(error.class()) => return Err(error),
                // What cannot be read may be genuine: the next run says what is wrong with it.
                _ => return Err(StoreError::NewEpoch { epoch }),
            }
        }
        Ok(())
    }
}
