//! Floor 7: where keys meet format: create and unlock a repository, read and write its small
//! objects, run the commit protocol.
//!
//! [`Repo`] is one concrete handle over store, clock, configuration and keys. It has few methods
//! on purpose: operations are functions that take a `Repo`.

pub mod error;
pub mod keyring;
pub mod object;
pub mod segments;
pub mod footer;
pub mod announcement;
pub mod slot_sets;
pub mod slots;
pub mod permits;
pub mod create;
mod tries;
mod configs;
pub mod open;
pub mod private;
pub mod commits;
pub mod marks;
pub mod consents;
pub mod session;
pub mod generations;
pub mod collect;
pub mod evidence;
pub mod machine;
pub mod history;

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex};

use bytes::Bytes;

use crate::base::id::{ClientId, SlotId};
use crate::base::time::Clock;
use crate::format::client::Client;
use crate::format::config::Config;
use crate::repo::keyring::Keyring;
use crate::store::Store;

/// An opened repository.
pub struct Repo {
    store: Store,
    clock: Arc<dyn Clock>,
    config: Config,
    config_object: Bytes,
    keys: Keyring,
    slot: Option<SlotId>,
    clients: Mutex<HashMap<ClientId, Client>>,
    unrevoked: Mutex<HashSet<ClientId>>,
}

impl Repo {
    fn new(
        store: Store,
        clock: Arc<dyn Clock>,
        (config, config_object): (Config, Bytes),
        (keys, slot): (Keyring, Option<SlotId>),
    ) -> Self {
        let store = store.with_codes(keys.codes());
        let (clients, unrevoked) = (Mutex::default(), Mutex::default());
        Self { store, clock, config, config_object, keys, slot, clients, unrevoked }
    }

    /// Where its objects lie.
    #[must_use]
    pub fn store(&self) -> &Store {
        &self.store
    }

    /// What time it is.
    #[must_use]
    pub fn clock(&self) -> &dyn Clock {
        self.clock.as_ref()
    }

    /// Its configuration, verified.
    #[must_use]
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// The same as it lies in the store; never changes, so it may be kept to open the repository
    /// again with one request less.
    #[must_use]
    pub fn config_object(&self) -> &Bytes {
        &self.config_object
    }

    /// The keys of the role that opened it.
    #[must_use]
    pub fn keys(&self) -> &Keyring {
        &self.keys
    }

    /// The slot that opened it; none if it was just made.
    #[must_use]
    pub fn slot(&self) -> Option<SlotId> {
        self.slot
    }

    /// Whether [`Repo::note_unrevoked`] was told of the client: one look serves a whole command.
    pub(crate) fn is_seen_unrevoked(&self, client: ClientId) -> bool {
        self.unrevoked.lock().is_ok_and(|seen| seen.contains(&client))
    }

    /// Notes that nothing had ended the client when somebody looked.
    pub(crate) fn note_unrevoked(&self, client: ClientId) {
        if let Ok(mut seen) = self.unrevoked.lock() {
            seen.insert(client);
        }
    }

    /// The identity of the repository as shown to people: BLAKE3 of the administrator's public
    /// key, the first 16 bytes in groups of four digits.
    #[must_use]
    pub fn fingerprint(&self) -> String {
        fingerprint(&self.config.admin_key)
    }
}

impl std::fmt::Debug for Repo {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("Repo")
            .field("store", &self.store.describe())
            .field("repository", &self.config.repository)
            .finish_non_exhaustive()
    }
}

/// The form of [`Repo::fingerprint`] for any administrator key.
#[must_use]
pub fn fingerprint(admin_key: &[u8; 32]) -> String {
    let digits = crate::crypt::hash::digest(admin_key).to_string();
    let groups: Vec<&str> = (0..8).filter_map(|n| digits.get(n * 4..n * 4 + 4)).collect();
    groups.join("-")
}

/// Program and version as records name it.
pub const PROGRAM: &str = concat!("mainstay ", env!("CARGO_PKG_VERSION"));
