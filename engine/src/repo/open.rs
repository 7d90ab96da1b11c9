//! Opening a repository: find its configuration, unwrap a bundle, check that both belong together.

use std::sync::Arc;

use bytes::Bytes;

use crate::base::error::{Classified, ErrorClass};
use crate::base::id::{RepositoryId, SlotId};
use crate::base::time::Clock;
use crate::crypt::hash::mac;
use crate::crypt::phrase;
use crate::crypt::seal::Suite;
use crate::crypt::secret::SecretKey;
use crate::format::slot::{Bundle, Slot, SlotKind};
use crate::repo::Repo;
use crate::repo::configs::{self, FoundConfig};
use crate::repo::create::config_mac_key;
use crate::repo::epochs::{self, Holder};
use crate::repo::error::RepoError;
use crate::repo::keyring::Keyring;
use crate::repo::slots;
use crate::repo::tries::{Tries, try_slots};
use crate::store::Store;
use crate::store::name::ObjectName;

/// What a repository is opened with.
pub enum Unlock<'a> {
    /// A passphrase.
    Passphrase(&'a [u8]),
    /// The 24 recovery words.
    Words(&'a str),
    /// The content of a key file.
    KeyFile(&'a KeyFile),
}

/// Content of a key file: which slot of which repository it opens, and the key.
pub struct KeyFile {
    /// The repository.
    pub repository: RepositoryId,
    /// The slot.
    pub slot: SlotId,
    /// What unwraps it.
    pub key: SecretKey,
}

/// First line of a key file.
pub const KEY_FILE_HEAD: &str = "mainstay key file, version 1";

impl KeyFile {
    /// The text that goes into the file.
    #[must_use]
    pub fn to_text(&self) -> zeroize::Zeroizing<String> {
        let key = zeroize::Zeroizing::new(crate::base::id::encode_hex(self.key.expose()));
        zeroize::Zeroizing::new(format!(
            "{KEY_FILE_HEAD}\nrepository {}\nslot {}\nkey {}\n",
            self.repository, self.slot, *key
        ))
    }

    /// Reads the text of a key file.
    ///
    /// # Errors
    /// [`RepoError::KeyFile`] that says which line is wrong.
    pub fn parse(text: &str) -> Result<Self, RepoError> {
        let wrong = |why: &str| RepoError::KeyFile { why: why.to_owned() };
        let mut lines = text.lines();
        if lines.next() != Some(KEY_FILE_HEAD) {
            return Err(wrong("it does not begin as a key file of this program"));
        }
        let mut field = |name: &str| {
            let line = lines.next().and_then(|line| line.strip_prefix(name));
            line.map(str::trim).ok_or_else(|| wrong(&format!("the line {name:?} is missing")))
        };
        let repository = RepositoryId::from_hex(field("repository ")?)
            .map_err(|error| wrong(&error.to_string()))?;
        let slot = SlotId::from_hex(field("slot ")?).map_err(|error| wrong(&error.to_string()))?;
        let key = crate::base::id::Digest::from_hex(field("key ")?)
            .map_err(|_| wrong("its key is not 64 hexadecimal digits"))?;
        Ok(Self { repository, slot, key: SecretKey::new(*key.as_bytes()) })
    }
}

/// Opens the repository at `store`.
///
/// # Errors
/// [`RepoError::NoRepository`], [`RepoError::WrongKey`], [`RepoError::Newer`],
/// [`RepoError::Corrupt`], or errors of the store.
pub fn open(store: &Store, clock: Arc<dyn Clock>, unlock: &Unlock<'_>) -> Result<Repo, RepoError> {
    open_knowing(store, clock, unlock, Known::default())
}

/// What a machine knows of a repository before it opens it. Nothing of it is believed: it spares
/// requests, and tries.
#[derive(Default)]
pub struct Known<'a> {
    /// The configuration that a key file is for, as [`Repo::config_object`] gave it at an earlier
    /// time. It is checked like one from the store, and it never changes.
    pub config: Option<Bytes>,
    /// The slot that opened a repository last, as [`Repo::slot`] gave it.
    pub slot: Option<&'a dyn Fn(RepositoryId) -> Option<SlotId>>,
    /// The newest epoch of a repository that was seen, as [`Keyring::control`] gave it. To a store that
    /// shows less nothing is written.
    pub epoch: Option<&'a dyn Fn(RepositoryId) -> Option<u32>>,
}

/// The same with what is known from an earlier time.
///
/// # Errors
/// Those of [`open`].
pub fn open_knowing(
    store: &Store,
    clock: Arc<dyn Clock>,
    unlock: &Unlock<'_>,
    known: Known<'_>,
) -> Result<Repo, RepoError> {
    let known_config = match (unlock, known.config) {
        (Unlock::KeyFile(file), Some(known)) => {
            configs::check(&ObjectName::Config(file.repository), known).ok()
        }
        _ => None,
    };
    let seen = Seen { slot: known.slot, epoch: known.epoch };
    let open_one = |found| open_one(store, clock.clone(), unlock, &seen, found);
    match (known_config, unlock) {
        (Some(found), _) => open_one(found),
        (None, Unlock::KeyFile(file)) => {
            open_one(configs::read_of(store, &ObjectName::Config(file.repository))?)
        }
        (None, _) => configs::open_genuine(store, open_one),
    }
}

/// What a machine knows of any repository.
struct Seen<'a> {
    slot: Option<&'a dyn Fn(RepositoryId) -> Option<SlotId>>,
    epoch: Option<&'a dyn Fn(RepositoryId) -> Option<u32>>,
}

/// Opens the repository that a configuration describes.
fn open_one(
    store: &Store,
    clock: Arc<dyn Clock>,
    unlock: &Unlock<'_>,
    seen: &Seen<'_>,
    found: FoundConfig,
) -> Result<Repo, RepoError> {
    let FoundConfig { signed, object } = found;
    let config = &signed.config;
    let suite = Suite::from_code(config.suite)
        .ok_or_else(|| RepoError::Newer { why: format!("suite {} of packs", config.suite) })?;
    let last = seen.slot.and_then(|last| last(config.repository));
    let identity = (config.repository, &config.admin_key);
    let tries = Tries { store, clock: clock.as_ref(), identity, last };
    let (bundle, slot) = unlock_bundle(&tries, unlock)?;
    let slot_key = ObjectName::Slot(slot.slot).key();
    let config_key = ObjectName::Config(config.repository).key();
    if bundle.admin_key != config.admin_key {
        return Err(RepoError::corrupt(
            &config_key,
            "it is signed by another administrator than the one this key belongs to",
        ));
    }
    let mut keys = Keyring::from_bundle(&bundle, suite, &slot_key)?;
    let mut covered = signed.signed.clone();
    covered.extend_from_slice(&signed.signature);
    if mac(&config_mac_key(&keys), &covered) != signed.mac {
        return Err(RepoError::corrupt(&config_key, "its authentication code is wrong"));
    }
    if let Some(cost) = slot.cost {
        let too_weak =
            cost.memory_kib < config.kdf_memory_kib_min || cost.passes < config.kdf_passes_min;
        if too_weak {
            return Err(RepoError::corrupt(&slot_key, "it is weaker than the repository allows"));
        }
    }
    let epoch = seen.epoch.and_then(|epoch| epoch(config.repository));
    let holder = Holder { slot: slot.slot, bundle: &bundle, seen: epoch };
    let doubts = epochs::enter_all(store, identity, &mut keys, &holder)?;
    let (about, keys) = ((signed.config, object), (keys, Some(slot.slot)));
    Ok(Repo::new(store.clone(), clock, about, keys, doubts))
}

fn unlock_bundle(tries: &Tries<'_>, unlock: &Unlock<'_>) -> Result<(Bundle, Slot), RepoError> {
    let Tries { store, identity: (repository, _), .. } = *tries;
    match unlock {
        Unlock::KeyFile(file) => {
            let slot = match slots::read(store, repository, file.slot) {
                Err(RepoError::Store(error)) if error.class() == ErrorClass::Missing => {
                    configs::require_listed(store, &ObjectName::Config(file.repository))?;
                    slots::require_any(store)?;
                    return Err(RepoError::WrongKey { what: "the key file", slot_count: 0 });
                }
                other => other?,
            };
            let opened = slots::unwrap_bundle(&slot, &file.key)?;
            let bundle =
                opened.ok_or(RepoError::WrongKey { what: "the key file", slot_count: 1 })?;
            Ok((bundle, slot))
        }
        Unlock::Words(words) => {
            let key = phrase::from_words(words)?;
            try_slots(tries, SlotKind::Phrase, "these recovery words", |_| Ok(key.clone()))
        }
        Unlock::Passphrase(passphrase) => {
            try_slots(tries, SlotKind::Passphrase, "the passphrase", |slot| {
                slots::stretch(slot, passphrase)
            })
        }
    }
}
