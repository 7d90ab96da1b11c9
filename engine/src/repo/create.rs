//! Making a repository: keys first, the configuration last, so that a crash leaves no repository.

use std::sync::Arc;

use bytes::Bytes;

use crate::base::id::RepositoryId;
use crate::base::monitor::Monitor;
use crate::base::time::Clock;
use crate::crypt::hash::{derive, mac};
use crate::crypt::seal::Suite;
use crate::crypt::secret::SecretKey;
use crate::crypt::{phrase, random};
use crate::format::config::{
    Capabilities, ChunkerConfig, Config, KNOWN_FEATURES, TreeConfig, encode_for_signing,
};
use crate::format::slot::{KdfCost, Role, SlotAbout};
use crate::repo::Repo;
use crate::repo::error::RepoError;
use crate::repo::keyring::{Keyring, SHARED_DOMAIN};
use crate::repo::slot_sets::{self, Change, KnownSlots};
use crate::repo::slots::{self, Wrapping, wrap};
use crate::store::Store;
use crate::store::contract::{Effort, ProbeOptions, ProbeReport, probe};
use crate::store::name::ObjectName;

/// How a repository is made.
#[derive(Debug, Clone)]
pub struct CreateOptions {
    /// HPKE suite of its packs.
    pub suite: Suite,
    /// Cost of the passphrase.
    pub cost: KdfCost,
    /// Test the store first; a store that fails what safety needs is refused.
    pub probe: bool,
    /// Go on although the store failed.
    pub allow_unsafe_store: bool,
}

impl Default for CreateOptions {
    fn default() -> Self {
        Self { suite: Suite::XWing, cost: KdfCost::DEFAULT, probe: true, allow_unsafe_store: false }
    }
}

/// A repository that was just made.
pub struct Created {
    /// The opened repository.
    pub repo: Repo,
    /// 24 words that open it when everything else is lost. Shown once, stored nowhere.
    pub recovery_words: zeroize::Zeroizing<String>,
    /// What the probe found, if it ran.
    pub probe: Option<ProbeReport>,
}

/// Makes a repository at `store`, opened by `passphrase` and by recovery words.
///
/// # Errors
/// [`RepoError::Occupied`] if anything is there, [`RepoError::UnsafeStore`], errors of the store.
pub fn create(
    store: &Store,
    clock: Arc<dyn Clock>,
    passphrase: &[u8],
    options: &CreateOptions,
    monitor: &dyn Monitor,
) -> Result<Created, RepoError> {
    require_empty(store)?;
    let report = if options.probe { Some(run_probe(store, options, monitor)?) } else { None };
    let capabilities = report.as_ref().map(|r| r.capabilities.clone()).unwrap_or_default();
    let keys = Keyring::from_root(SecretKey::random(), options.suite, SHARED_DOMAIN, 0);
    let config = new_config(&keys, options, capabilities, clock.as_ref());
    let phrase_key = SecretKey::random();
    let admin = keys.admin()?;
    let bundle = Keyring::cut_bundle(admin, options.suite, Role::Admin, (SHARED_DOMAIN, 0), None);
    let wrappings = [
        ("passphrase", Wrapping::Passphrase(passphrase, options.cost)),
        ("recovery words", Wrapping::Phrase(&phrase_key)),
    ];
    let mut entries = Vec::new();
    for (label, wrapping) in &wrappings {
        let about =
            SlotAbout { role: Role::Admin, label: (*label).to_owned(), created: config.created };
        let slot = wrap(config.repository, keys.control().0, &about, &bundle, wrapping)?;
        entries.push(slots::put(store, &slot, &bundle, Some(options.suite))?);
    }
    let (identity, none) = ((config.repository, admin), KnownSlots::default());
    slot_sets::write(store, identity, config.created, &none, Change::Add(entries))?;
    let bytes = Bytes::from(seal_config(&config, &keys)?);
    store.put_new(&ObjectName::Config(config.repository), bytes.clone())?;
    let recovery_words = zeroize::Zeroizing::new(phrase::words(&phrase_key));
    let repo = Repo::new(store.clone(), clock, (config, bytes), (keys, None), Vec::new());
    Ok(Created { repo, recovery_words, probe: report })
}

/// Signature and MAC around a configuration.
fn seal_config(config: &Config, keys: &Keyring) -> Result<Vec<u8>, RepoError> {
    let mut bytes = encode_for_signing(config);
    let signature = keys.admin()?.signing().sign(&bytes);
    bytes.extend_from_slice(&signature);
    let mac = mac(&config_mac_key(keys), &bytes);
    bytes.extend_from_slice(&mac);
    Ok(bytes)
}

/// Key of the configuration's MAC: follows from what every role holds.
pub(super) fn config_mac_key(keys: &Keyring) -> SecretKey {
    derive("mainstay v2 configuration mac", &[keys.first_control().expose()])
}

fn new_config(
    keys: &Keyring,
    options: &CreateOptions,
    capabilities: Capabilities,
    clock: &dyn Clock,
) -> Config {
    Config {
        repository: RepositoryId::new(random::array()),
        created: clock.now(),
        admin_key: *keys.admin_key(),
        suite: options.suite.code(),
        chunker: ChunkerConfig { kind: 1, version: 5 },
        tree: TreeConfig::default(),
        features: KNOWN_FEATURES.iter().map(|name| (*name).to_owned()).collect(),
        capabilities,
        kdf_memory_kib_min: KdfCost::FLOOR.memory_kib,
        kdf_passes_min: KdfCost::FLOOR.passes,
    }
}

fn require_empty(store: &Store) -> Result<(), RepoError> {
    let mut first = None;
    store.list_each("", &mut |object| {
        first = Some(object.key);
        false
    })?;
    let Some(key) = first else { return Ok(()) };
    let found = match store.name_at(&key) {
        Some(ObjectName::Config(id)) => format!("the repository {id} is there already"),
        _ => format!("it holds {}", crate::base::path::escape(key.as_bytes())),
    };
    Err(RepoError::Occupied { place: store.describe().to_owned(), found })
}

fn run_probe(
    store: &Store,
    options: &CreateOptions,
    monitor: &dyn Monitor,
) -> Result<ProbeReport, RepoError> {
    let probe_options = ProbeOptions { effort: Effort::Quick, second: None };
    let report = probe(store, &probe_options, monitor)?;
    match report.first_failed() {
        Some(failed) if failed.required && !options.allow_unsafe_store => {
            Err(RepoError::UnsafeStore {
                place: store.describe().to_owned(),
                check: format!("{} ({})", failed.number, failed.name),
                detail: failed.detail.clone(),
            })
        }
        _ => Ok(report),
    }
}
