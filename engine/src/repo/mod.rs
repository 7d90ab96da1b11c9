//! Floor 7: where keys meet format: create and unlock a repository, read and write its small
//! objects, run the commit protocol.
//!
//! [`Repo`] is one concrete handle over store, clock, configuration and keys. It has few methods
//! on purpose: operations are functions that take a `Repo`.

pub mod error;
mod ring;
pub mod keyring;
mod cut;
pub mod object;
pub mod segments;
pub mod footer;
pub mod announcement;
pub mod slot_sets;
pub mod slots;
pub mod permits;
pub mod epochs;
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
pub mod rotation;
pub mod history;

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex};

use bytes::Bytes;

use crate::base::error::in_one_line;
use crate::base::id::{ClientId, SlotId};
use crate::base::time::Clock;
use crate::format::client::Client;
use crate::format::config::Config;
use crate::repo::epochs::{Doubt, Watch};
use crate::repo::error::RepoError;
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
    doubts: Vec<Doubt>,
    clients: Mutex<HashMap<ClientId, Client>>,
    unrevoked: Mutex<HashSet<ClientId>>,
}

impl Repo {
    fn new(
        store: Store,
        clock: Arc<dyn Clock>,
        (config, config_object): (Config, Bytes),
        (keys, slot): (Keyring, Option<SlotId>),
        doubts: Vec<Doubt>,
    ) -> Self {
        let (clients, unrevoked) = (Mutex::default(), Mutex::default());
        let mut repo =
            Self { store, clock, config, config_object, keys, slot, doubts, clients, unrevoked };
        repo.use_keys();
        repo
    }

    /// Names end in what the keys in use make of them, and what is said of others is looked after.
    fn use_keys(&mut self) {
        let watch = Watch {
            repository: self.config.repository,
            admin_key: self.config.admin_key,
            newest: self.keys.control().1,
            doubted: self.doubts.iter().map(|doubt| doubt.epoch).collect(),
        };
        self.store = self.store.with_codes(self.keys.codes()).with_watch(Arc::new(watch));
    }

    /// Uses the keys of an epoch from now on that was just announced.
    fn go_over(&mut self, epoch: u32) -> Result<(), RepoError> {
        self.keys.enter_by_root(epoch)?;
        self.doubts.retain(|doubt| doubt.epoch != epoch);
        self.use_keys();
        Ok(())
    }

    /// What could be an announcement of new keys and cannot be read. Reading goes on.
    #[must_use]
    pub fn doubts(&self) -> &[Doubt] {
        &self.doubts
    }

    /// Nothing that others may have announced is unknown here.
    ///
    /// # Errors
    /// [`RepoError::Corrupt`] with the announcement that cannot be read.
    pub fn require_all_epochs(&self) -> Result<(), RepoError> {
        match self.doubts.first() {
            None => Ok(()),
            Some(doubt) if doubt.is_gone => {
                let why = "it announced new keys, and the store does not show it any more: nothing is \
                           written until an administrator announces them again (`mainstay key rotate`)";
                Err(RepoError::corrupt(&doubt.key, why))
            }
            Some(doubt) => {
                let why = format!(
                    "{}; it may announce new keys, so nothing is written. If it cannot be got back, an \
                     administrator announces them in its place: `mainstay unblock {}`",
                    in_one_line(&doubt.error),
                    doubt.key
                );
                Err(RepoError::corrupt(&doubt.key, why))
            }
        }
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
