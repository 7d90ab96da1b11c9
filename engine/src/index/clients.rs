//! What the administrator has said about clients: which hosts they may name, whose history they go
//! on with, and from when on nothing counts that they sign.
//!
//! Records of clients never change, so one that was verified is kept in the index. A revocation
//! that was seen once stays in force here even if the store shows it no more, as marks do. One that
//! cannot be read revokes nobody: whoever holds any key can put up such an object, and a store that
//! wants a revocation out of the way can as well hide it. `check` names it as damage.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use crate::base::id::{ClientId, Nonce8};
use crate::base::time::Timestamp;
use crate::format::client::Client;
use crate::format::envelope::{decode_record, encode_record};
use crate::format::machine::Revocation;
use crate::format::slot::Role;
use crate::index::fetch::{Kind, fetch_all, is_of_one_object};
use crate::index::{Index, IndexError};
use crate::repo::Repo;
use crate::repo::error::RepoError;
use crate::repo::{machine, object};
use crate::store::name::{ObjectName, prefix};

/// A revocation, and when the store received it, by the store's clock.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ending {
    /// The record.
    pub revocation: Revocation,
    /// When the store received it.
    pub received: Timestamp,
}

/// All clients that the administrator has enrolled.
#[derive(Debug, Clone, Default)]
pub struct Clients {
    records: BTreeMap<ClientId, Client>,
    endings: BTreeMap<ClientId, Vec<Ending>>,
    successors: BTreeMap<ClientId, BTreeSet<ClientId>>,
}

impl Clients {
    /// From records and revocations that were verified.
    #[must_use]
    pub fn new(records: Vec<Client>, endings: Vec<Ending>) -> Self {
        let mut clients = Self::default();
        for record in records {
            for before in record.succeeds.iter().filter(|before| **before != record.client) {
                clients.successors.entry(*before).or_default().insert(record.client);
            }
            clients.records.insert(record.client, record);
        }
        for ending in endings {
            clients.endings.entry(ending.revocation.client).or_default().push(ending);
        }
        clients
    }

    /// The record of a client.
    #[must_use]
    pub fn get(&self, client: ClientId) -> Option<&Client> {
        self.records.get(&client)
    }

    /// All records, by id.
    pub fn all(&self) -> impl Iterator<Item = &Client> {
        self.records.values()
    }

    /// Those whose id begins so, or whose name is that.
    #[must_use]
    pub fn find(&self, wanted: &str) -> Vec<&Client> {
        let id = wanted.to_ascii_lowercase();
        let is_meant =
            |one: &&Client| one.name == wanted || one.client.to_string().starts_with(&id);
        self.all().filter(is_meant).collect()
    }

    /// What ended the client, if anything did; more than one administrator may have.
    #[must_use]
    pub fn endings(&self, client: ClientId) -> &[Ending] {
        self.endings.get(&client).map(Vec::as_slice).unwrap_or_default()
    }

    /// Clients of which nothing counts that they sign from now on.
    #[must_use]
    pub fn revoked(&self) -> HashSet<ClientId> {
        self.endings.keys().copied().collect()
    }

    /// Whether it may name any host: whoever may forget all snapshots needs no forged one.
    #[must_use]
    pub fn may_name_any(&self, client: ClientId) -> bool {
        self.get(client).is_some_and(|record| matches!(record.role, Role::Maintain | Role::Admin))
    }

    /// The client that a history goes on with: the last one that succeeds this one. Itself if
    /// nobody does, or several do that do not succeed each other.
    #[must_use]
    pub fn line(&self, client: ClientId) -> ClientId {
        let (mut seen, mut next) = (BTreeSet::from([client]), vec![client]);
        let mut last = BTreeSet::new();
        while let Some(one) = next.pop() {
            match self.successors.get(&one) {
                Some(after) => next.extend(after.iter().copied().filter(|one| seen.insert(*one))),
                None => drop(last.insert(one)),
            }
        }
        let mut last = last.into_iter();
        match (last.next(), last.next()) {
            (Some(only), None) => only,
            _ => client,
        }
    }

    /// The client and all whose history it goes on with.
    #[must_use]
    pub fn with_predecessors(&self, client: ClientId) -> BTreeSet<ClientId> {
        let (mut seen, mut next) = (BTreeSet::from([client]), vec![client]);
        while let Some(record) = next.pop().and_then(|one| self.get(one)) {
            next.extend(record.succeeds.iter().copied().filter(|one| seen.insert(*one)));
        }
        seen
    }

    /// A client for people: its name, if it has one, and the first digits of its id.
    #[must_use]
    pub fn title(&self, client: ClientId) -> String {
        let id = &client.to_string()[..8];
        match self.get(client).map(|record| record.name.as_str()).filter(|name| !name.is_empty()) {
            Some(name) => format!("{name} {id}"),
            None => id.to_owned(),
        }
    }
}

/// Reads the records of all clients and all revocations: one listing, and each new object once.
///
/// # Errors
/// Those of the store and of the database; records that cannot be read are passed over.
pub fn read(repo: &Repo, index: &Index) -> Result<Clients, IndexError> {
    let (mut ids, mut revoked) = (BTreeSet::new(), BTreeMap::new());
    list(repo, prefix::CLIENTS, &mut ids, &mut revoked)?;
    let endings = endings(repo, index, prefix::CLIENTS, &revoked)?;
    let mut records = BTreeMap::new();
    for (id, bytes) in index.kept_clients()? {
        // One that does not decode any more was kept by another version: it is read again.
        if let Ok(record) = decode_record::<Client>(&bytes, "client record") {
            records.insert(id, record);
        }
    }
    let unknown: Vec<_> = ids.into_iter().filter(|id| !records.contains_key(id)).collect();
    let read = |id: &ClientId| object::client(repo, *id);
    fetch_all(repo, Kind::Records, &unknown, read, |id, fetched| match fetched {
        Ok(record) => {
            index.put_client(id, &encode_record(&record))?;
            records.insert(id, record);
            Ok(())
        }
        // Nothing that it signed counts either.
        Err(error) if is_of_one_object(&error) => Ok(()),
        Err(error) => Err(error.into()),
    })?;
    Ok(Clients::new(records.into_values().collect(), endings))
}

/// Clients of which this machine has seen that they were revoked; no request.
///
/// # Errors
/// [`IndexError`] if the database fails or is damaged.
pub fn remembered(index: &Index) -> Result<HashSet<ClientId>, IndexError> {
    let kept = kept_endings(index, prefix::CLIENTS)?;
    Ok(kept.values().map(|ending| ending.revocation.client).collect())
}

/// Clients that were revoked, each with when the store received the first revocation, without a look
/// at any other record: one listing.
///
/// # Errors
/// As [`read`].
pub fn revoked_since(
    repo: &Repo,
    index: &Index,
) -> Result<BTreeMap<ClientId, Timestamp>, IndexError> {
    let mut listed = BTreeMap::new();
    list(repo, prefix::CLIENTS, &mut BTreeSet::new(), &mut listed)?;
    let mut first: BTreeMap<ClientId, Timestamp> = BTreeMap::new();
    for Ending { revocation, received } in endings(repo, index, prefix::CLIENTS, &listed)? {
        let kept = first.entry(revocation.client).or_insert(received);
        *kept = received.min(*kept);
    }
    Ok(first)
}

/// What ended one client.
///
/// # Errors
/// As [`read`].
pub fn endings_of(repo: &Repo, index: &Index, client: ClientId) -> Result<Vec<Ending>, IndexError> {
    let below = format!("{}{client}.", prefix::CLIENTS);
    let mut revoked = BTreeMap::new();
    list(repo, &below, &mut BTreeSet::new(), &mut revoked)?;
    endings(repo, index, &below, &revoked)
}

type Revoked = BTreeMap<(ClientId, Nonce8), Timestamp>;

fn list(
    repo: &Repo,
    below: &str,
    ids: &mut BTreeSet<ClientId>,
    revoked: &mut Revoked,
) -> Result<(), IndexError> {
    let mut take = |object: crate::store::Listed| {
        match object.name {
            Some(ObjectName::Client(id)) => drop(ids.insert(id)),
            Some(ObjectName::Revoked(id, random)) => {
                revoked.insert((id, random), object.modified);
            }
            _ => {}
        }
        true
    };
    repo.store().list_each(below, &mut take).map_err(RepoError::from)?;
    Ok(())
}

/// Revocations below a prefix: what the store shows, and what this machine remembers.
fn endings(
    repo: &Repo,
    index: &Index,
    below: &str,
    listed: &Revoked,
) -> Result<Vec<Ending>, IndexError> {
    let mut kept = kept_endings(index, below)?;
    for ((id, random), received) in listed {
        let key = ObjectName::Revoked(*id, *random).key();
        if kept.contains_key(&key) {
            continue;
        }
        match machine::get_revocation(repo, *id, *random) {
            Ok(stored) => {
                let record = (stored.record, *received);
                index.keep_mark(&key, &encode_record(&record))?;
                kept.insert(key, Ending { revocation: record.0, received: record.1 });
            }
            Err(error) if is_of_one_object(&error) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(kept.into_values().collect())
}

fn kept_endings(index: &Index, below: &str) -> Result<BTreeMap<String, Ending>, IndexError> {
    let mut kept = BTreeMap::new();
    for (key, bytes) in index.kept_marks(below)? {
        let decoded = decode_record::<(Revocation, Timestamp)>(&bytes, "revocation");
        if let Ok((revocation, received)) = decoded {
            kept.insert(key, Ending { revocation, received });
        }
    }
    Ok(kept)
}

/// Whether a client may still sign what counts.
///
/// # Errors
/// [`RepoError::Revoked`] if the administrator has ended it; as [`read`].
pub fn require_unrevoked(repo: &Repo, index: &Index, client: ClientId) -> Result<(), IndexError> {
    if repo.is_seen_unrevoked(client) {
        return Ok(());
    }
    refuse(&endings_of(repo, index, client)?)?;
    repo.note_unrevoked(client);
    Ok(())
}

/// Refuses to write for a client that something has ended.
///
/// # Errors
/// [`RepoError::Revoked`].
pub fn refuse(endings: &[Ending]) -> Result<(), RepoError> {
    match endings.first() {
        None => Ok(()),
        Some(Ending { revocation, .. }) => {
            let (client, reason) = (revocation.client.to_string(), revocation.reason.clone());
            Err(RepoError::Revoked { client, reason })
        }
    }
}

/// The same, by what this machine remembers; no request.
///
/// # Errors
/// [`RepoError::Revoked`]; [`IndexError`] if the database fails or is damaged.
pub fn refuse_remembered(index: &Index, client: ClientId) -> Result<(), IndexError> {
    let below = format!("{}{client}.", prefix::CLIENTS);
    let kept: Vec<_> = kept_endings(index, &below)?.into_values().collect();
    Ok(refuse(&kept)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(byte: u8) -> ClientId {
        ClientId::new([byte; 8])
    }

    fn client(byte: u8, succeeds: &[u8]) -> Client {
        Client {
            client: id(byte),
            name: format!("m{byte}"),
            verifying_key: [byte; 32],
            role: Role::Backup,
            domain: 0,
            enrolled: Timestamp::default(),
            hosts: Vec::new(),
            succeeds: succeeds.iter().map(|byte| id(*byte)).collect(),
            recipient: None,
            approves: false,
        }
    }

    fn clients(all: &[(u8, &[u8])]) -> Clients {
        Clients::new(all.iter().map(|(one, before)| client(*one, before)).collect(), Vec::new())
    }

    #[test]
    fn a_line_ends_with_the_last_successor() {
        let all = clients(&[(1, &[]), (2, &[1]), (3, &[2]), (4, &[])]);
        assert_eq!([1, 2, 3, 4].map(|one| all.line(id(one))), [3, 3, 3, 4].map(id));
        assert_eq!(all.line(id(9)), id(9), "one that nobody knows");
        assert_eq!(all.with_predecessors(id(2)), BTreeSet::from([id(1), id(2)]));
    }

    #[test]
    fn two_that_claim_one_history_have_none_of_it_until_somebody_joins_them() {
        let fork = [(1, &[] as &[u8]), (2, &[1]), (3, &[1])];
        let all = clients(&fork);
        assert_eq!([1, 2, 3].map(|one| all.line(id(one))), [1, 2, 3].map(id));
        let joined = clients(&[fork[0], fork[1], fork[2], (4, &[2, 3])]);
        assert_eq!([1, 2, 3, 4].map(|one| joined.line(id(one))), [4, 4, 4, 4].map(id));
    }

    #[test]
    fn a_circle_ends() {
        let all = clients(&[(1, &[2]), (2, &[1]), (3, &[3])]);
        assert_eq!([1, 2, 3].map(|one| all.line(id(one))), [1, 2, 3].map(id));
        assert_eq!(all.with_predecessors(id(1)), BTreeSet::from([id(1), id(2)]));
    }

    #[test]
    fn clients_are_found_by_name_and_by_the_beginning_of_their_id() {
        let all = clients(&[(1, &[]), (2, &[])]);
        let found = |wanted| all.find(wanted).iter().map(|one| one.client).collect::<Vec<_>>();
        assert_eq!(found("m2"), [id(2)]);
        assert_eq!(found("0101"), [id(1)]);
        assert_eq!(found("0"), [id(1), id(2)]);
        assert_eq!(found("m"), []);
        assert_eq!(all.title(id(1)), "m1 01010101");
        assert_eq!(all.title(id(7)), "07070707");
    }
}
