//! How machines are set up, in the store: sealed, so that only keys that may read names see it, and
//! each version beside those before.

use std::collections::BTreeMap;

use crate::base::id::ClientId;
use crate::base::time::Timestamp;
use crate::format::machine::Configuration;
use crate::index::clients::{self, refuse};
use crate::index::fetch::{Kind, costs_only_itself, fetch_all};
use crate::index::{Index, IndexError};
use crate::repo::Repo;
use crate::repo::error::RepoError;
use crate::repo::keyring::Identity;
use crate::repo::machine;
use crate::store::name::{ObjectName, prefix};

/// One version of how a machine is set up.
#[derive(Debug, Clone)]
pub struct Setup {
    /// The client that wrote it.
    pub client: ClientId,
    /// What the administrator calls it.
    pub name: String,
    /// Its number; the highest of a client is in force.
    pub number: u32,
    /// When the store received it.
    pub received: Timestamp,
    /// What it says, or why that cannot be read.
    pub configuration: Result<Configuration, String>,
}

/// Stores how the machine of `identity` is set up from now on; answers the number of that version.
///
/// # Errors
/// [`RepoError::Denied`] for roles that cannot write, [`RepoError::Revoked`] for a client that was
/// ended, [`RepoError::Refused`] if it is longer than readers take; errors of store and database.
pub fn put(
    repo: &Repo,
    index: &Index,
    identity: &Identity,
    configuration: &Configuration,
) -> Result<u32, IndexError> {
    refuse(&clients::endings_of(repo, index, identity.client)?)?;
    let below = format!("{}{}/", prefix::CONFIGURATIONS, identity.client);
    let last = list(repo, &below)?.into_iter().map(|(_, number, ..)| number).max();
    let number = last.map_or(0, |number| number.saturating_add(1));
    machine::put_conf(repo, identity, number, configuration)?;
    Ok(number)
}

/// All versions that count, by client and number.
///
/// # Errors
/// [`RepoError::Denied`] for roles that may not read names; errors of store and database.
pub fn read(repo: &Repo, index: &Index) -> Result<Vec<Setup>, IndexError> {
    repo.keys().tree()?;
    let clients = clients::read(repo, index)?;
    let mut listed = list(repo, prefix::CONFIGURATIONS)?;
    listed.retain(|(writer, _, _, received)| {
        let is_revoked = clients.endings(*writer).iter().any(|ending| ending.received <= *received);
        clients.get(*writer).is_some() && !is_revoked
    });
    let mut found = BTreeMap::new();
    let get = |(_, _, name, _): &Listing| machine::get_conf(repo, name);
    fetch_all(repo, Kind::Records, &listed, get, |(client, number, name, received), read| {
        let configuration = match read {
            Ok(Some(configuration)) => Ok(configuration),
            Ok(None) => Err("this key may not read it".to_owned()),
            Err(error) if costs_only_itself(&error) => Err(error.to_string()),
            Err(error) => return Err(error.into()),
        };
        let title = clients.get(client).map(|client| client.name.clone()).unwrap_or_default();
        let setup = Setup { client, name: title, number, received, configuration };
        found.insert((client, number, name.key()), setup);
        Ok(())
    })?;
    Ok(found.into_values().collect())
}

type Listing = (ClientId, u32, ObjectName, Timestamp);

fn list(repo: &Repo, below: &str) -> Result<Vec<Listing>, IndexError> {
    let mut found = Vec::new();
    repo.store()
        .list_each(below, &mut |object| {
            if let Some(name @ ObjectName::Conf { writer, number, .. }) = object.name {
                found.push((writer, number, name, object.modified));
            }
            true
        })
        .map_err(RepoError::from)?;
    Ok(found)
}
