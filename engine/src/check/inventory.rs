//! What is in the store, against what the index says should be.

use std::collections::{BTreeMap, BTreeSet};

use crate::base::error::{Classified, ErrorClass, in_one_line};
use crate::base::id::{ClientId, PackId};
use crate::base::limits::{CONTROL_MAX_BYTES, PACK_MAX_BYTES};
use crate::base::path::escape;
use crate::check::error::CheckError;
use crate::check::report::CheckReport;
use crate::index::Index;
use crate::repo::Repo;
use crate::repo::error::RepoError;
use crate::store::name::{Coding, ObjectName};

/// Head, nonce and tag: what is sealed is no shorter.
const RECORD_MIN_BYTES: u64 = 50;

/// Names of foreign keys that are reported.
const FOREIGN_MAX: usize = 20;

/// A pack in the store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct StoredPack {
    /// Size of the object.
    pub(super) bytes: u64,
    /// Whether the index lists it.
    pub(super) is_indexed: bool,
    /// Whether what is in it can be relied on, as far as it was looked at.
    pub(super) is_good: bool,
}

/// All packs that are in the store.
pub(super) type Inventory = BTreeMap<PackId, StoredPack>;

/// Lists the store and compares names and sizes with the index. Answers also which packs of the
/// index the store does not have.
pub(super) fn take(
    repo: &Repo,
    index: &Index,
    report: &mut CheckReport,
) -> Result<(Inventory, Vec<PackId>), CheckError> {
    let mut missing = Vec::new();
    let mut inventory = Inventory::new();
    let mut clients = BTreeSet::new();
    repo.store().list_each("", &mut |object| {
        match object.name {
            Some(ObjectName::Pack(pack)) => {
                let bytes = object.size_bytes;
                inventory.insert(pack, StoredPack { bytes, is_indexed: false, is_good: true });
            }
            Some(ObjectName::Config(other)) if other != repo.config().repository => {
                foreign(report, &object.key);
            }
            Some(name) => {
                // What anybody can have put there is looked at elsewhere.
                let is_coded = name.coding() != Coding::None;
                if is_coded && object.size_bytes < RECORD_MIN_BYTES {
                    let why = format!(
                        "it has {} bytes, too few for what it should be",
                        object.size_bytes
                    );
                    report.finding(&name.key(), why);
                }
                clients.extend(client_in(&name));
            }
            None => foreign(report, &object.key),
        }
        true
    })?;
    check_configuration(repo, report)?;
    for (client, _) in index.kept_clients()? {
        if !clients.contains(&client) {
            let why = "this machine has seen it, now it is missing".to_owned();
            report.finding(&ObjectName::Client(client).key(), why);
        }
    }
    index.reader()?.for_each_pack(&mut |pack, stored_bytes| {
        let key = ObjectName::Pack(pack).key();
        match inventory.get_mut(&pack) {
            None => missing.push(pack),
            Some(stored) => {
                stored.is_indexed = true;
                if stored.bytes != u64::from(stored_bytes) {
                    stored.is_good = false;
                    let found = stored.bytes;
                    let why = format!("it has {found} bytes, the index says {stored_bytes}");
                    report.finding(&key, why);
                }
            }
        }
        true
    })?;
    // What is too large for a pack is none, unless the index knows better; then it was changed.
    inventory.retain(|pack, stored| {
        let may_be = stored.is_indexed || stored.bytes <= PACK_MAX_BYTES as u64;
        if !may_be {
            foreign(report, &ObjectName::Pack(*pack).key());
        }
        may_be
    });
    report.packs = inventory.len() as u64;
    report.pack_bytes = inventory.values().map(|pack| pack.bytes).sum();
    report.unlisted_packs = inventory.values().filter(|pack| !pack.is_indexed).count() as u64;
    Ok((inventory, missing))
}

fn client_in(name: &ObjectName) -> Option<ClientId> {
    match name {
        ObjectName::Client(client) => Some(*client),
        _ => None,
    }
}

/// The store's configuration must be the one that this machine opened with, which it may know by heart:
/// nobody else opens without it.
fn check_configuration(repo: &Repo, report: &mut CheckReport) -> Result<(), CheckError> {
    let name = ObjectName::Config(repo.config().repository);
    match repo.store().get(&name, CONTROL_MAX_BYTES as u64) {
        Ok(bytes) if bytes == *repo.config_object() => {}
        Ok(_) => report.finding(&name.key(), "this is not what was stored".to_owned()),
        Err(error)
            if matches!(
                error.class(),
                ErrorClass::Missing | ErrorClass::Corrupt | ErrorClass::Unreadable
            ) =>
        {
            report.finding(&name.key(), in_one_line(&error));
        }
        Err(error) => return Err(RepoError::from(error).into()),
    }
    Ok(())
}

fn foreign(report: &mut CheckReport, key: &str) {
    if report.foreign_keys.len() < FOREIGN_MAX {
        report.foreign_keys.push(escape(key.as_bytes()));
    }
}
