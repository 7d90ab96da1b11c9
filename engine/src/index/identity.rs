//! Who writes from this machine, and where its chain of snapshots stands.
//!
//! A key file carries an identity. An administrator who writes from a machine enrols that machine
//! once; its signing key stays in the local index, sealed, so that a copied state folder signs
//! nothing. Losing the state folder costs one more client record, nothing else.

use minicbor::{Decode, Encode};

use crate::base::id::{ClientId, Digest, SessionId};
use crate::crypt::secret::SecretKey;
use crate::crypt::sign::SigningKey;
use crate::crypt::{aead, random};
use crate::format::client::Client;
use crate::format::envelope::{decode_record, encode_record};
use crate::format::slot::Role;
use crate::index::{Index, IndexError};
use crate::repo::Repo;
use crate::repo::commits;
use crate::repo::error::RepoError;
use crate::repo::keyring::{Identity, SHARED_DOMAIN};
use crate::repo::object::put_client;

const SETTING_IDENTITY: &str = "identity";
const SETTING_CHAIN: &str = "chain";
const SEAL_PURPOSE: &[u8] = b"local identity";

#[derive(Encode, Decode)]
#[cbor(map)]
struct LocalIdentity {
    #[n(0)]
    client: ClientId,
    #[cbor(n(1), with = "minicbor::bytes")]
    seed: [u8; 32],
}

/// Where a client's chain of snapshots stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Encode, Decode)]
#[cbor(map)]
pub struct Chain {
    /// Snapshots committed so far; the next session bears this number.
    #[n(0)]
    pub next_sequence: u64,
    /// Hash of the newest commit object.
    #[n(1)]
    pub previous: Option<Digest>,
    /// The newest snapshot.
    #[n(2)]
    pub newest: Option<SessionId>,
}

/// The identity to write under; enrols this machine if an administrator writes from it the first
/// time.
///
/// # Errors
/// [`RepoError::Denied`] for roles without an identity; errors of store and database.
pub fn writer_identity(repo: &Repo, index: &Index, host: &str) -> Result<Identity, IndexError> {
    if let Some(identity) = repo.keys().identity() {
        return Ok(identity.clone());
    }
    let local = repo.keys().admin()?.local();
    if let Some(identity) = stored_identity(index, &local)? {
        return Ok(identity);
    }
    let identity =
        Identity { client: ClientId::new(random::array()), signing: SigningKey::generate() };
    enrol(repo, &identity, host, Role::Admin, SHARED_DOMAIN)?;
    let record = LocalIdentity { client: identity.client, seed: *identity.signing.seed().expose() };
    let plain = zeroize::Zeroizing::new(encode_record(&record));
    index.set_setting(SETTING_IDENTITY, &aead::seal(&local, SEAL_PURPOSE, &plain))?;
    Ok(identity)
}

/// The identity that this machine writes under, if it has one already; enrols nobody.
///
/// # Errors
/// Those of the database.
pub fn known_identity(repo: &Repo, index: &Index) -> Result<Option<Identity>, IndexError> {
    match (repo.keys().identity(), repo.keys().admin()) {
        (Some(identity), _) => Ok(Some(identity.clone())),
        (None, Ok(admin)) => stored_identity(index, &admin.local()),
        (None, Err(_)) => Ok(None),
    }
}

fn stored_identity(index: &Index, local: &SecretKey) -> Result<Option<Identity>, IndexError> {
    let Some(sealed) = index.setting(SETTING_IDENTITY)? else { return Ok(None) };
    let Ok(plain) = aead::open(local, SEAL_PURPOSE, &sealed).map(zeroize::Zeroizing::new) else {
        return Ok(None);
    };
    let Ok(record) = decode_record::<LocalIdentity>(&plain, "local identity") else {
        return Ok(None);
    };
    let signing = SigningKey::from_seed(&SecretKey::new(record.seed));
    Ok(Some(Identity { client: record.client, signing }))
}

/// Writes the client record of an identity.
///
/// # Errors
/// [`RepoError::Denied`] without the administrator's keys; errors of the store.
pub fn enrol(
    repo: &Repo,
    identity: &Identity,
    name: &str,
    role: Role,
    domain: u32,
) -> Result<(), RepoError> {
    let client = Client {
        client: identity.client,
        name: name.to_owned(),
        verifying_key: identity.signing.public(),
        role,
        domain,
        enrolled: repo.clock().now(),
        hosts: Vec::new(),
        succeeds: Vec::new(),
        recipient: None,
    };
    put_client(repo, &client)
}

/// Where the chain of `client` stands: from the index, or from the store if the index is new.
///
/// # Errors
/// Those of store and database; a damaged newest commit.
pub fn chain(repo: &Repo, index: &Index, client: ClientId) -> Result<Chain, IndexError> {
    let kept = index.setting(SETTING_CHAIN)?;
    let kept = kept.and_then(|bytes| decode_record::<(ClientId, Chain)>(&bytes, "chain").ok());
    if let Some((_, chain)) = kept.filter(|(owner, _)| *owner == client) {
        return Ok(chain);
    }
    let newest = commits::list_all(repo)?
        .into_iter()
        .filter(|(session, flags)| session.client() == client && flags.is_confirmed())
        .max_by_key(|(session, _)| session.sequence());
    let Some((session, flags)) = newest else { return Ok(Chain::default()) };
    let previous = match commits::meant(repo, session, &flags)? {
        Some(random) => Some(commits::read(repo, session, random)?.digest),
        None => None,
    };
    Ok(Chain { next_sequence: session.sequence() + 1, previous, newest: Some(session) })
}

/// The newest snapshot that was committed from this machine, if it has committed any.
///
/// # Errors
/// Those of the database.
pub fn newest_written(index: &Index) -> Result<Option<SessionId>, IndexError> {
    let kept = index.setting(SETTING_CHAIN)?;
    let kept = kept.and_then(|bytes| decode_record::<(ClientId, Chain)>(&bytes, "chain").ok());
    Ok(kept.and_then(|(_, chain)| chain.newest))
}

/// Remembers that `session` is now the newest snapshot of its client.
///
/// # Errors
/// Those of the database.
pub fn advance_chain(index: &Index, session: SessionId, commit: Digest) -> Result<(), IndexError> {
    let chain = Chain {
        next_sequence: session.sequence() + 1,
        previous: Some(commit),
        newest: Some(session),
    };
    index.set_setting(SETTING_CHAIN, &encode_record(&(session.client(), chain)))
}
