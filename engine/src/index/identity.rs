//! Who writes from this machine, and where its chain of snapshots stands.
//!
//! A key file carries an identity. An administrator who writes from a machine enrols that machine
//! once; its signing key stays in the state folder, sealed, so that a copied state folder signs
//! nothing. It lies beside the local index and not in it: an index can be read again, and is thrown
//! away when it is damaged. Losing the state folder costs one more client record, nothing else.

use minicbor::{Decode, Encode};

use crate::base::id::{ClientId, Digest, SessionId};
use crate::crypt::secret::SecretKey;
use crate::crypt::sign::SigningKey;
use crate::crypt::{aead, random};
use crate::format::client::Client;
use crate::format::envelope::{decode_record, encode_record};
use crate::format::slot::Role;
use crate::index::clients::{refuse_remembered, require_unrevoked};
use crate::index::{Index, IndexError, kept};
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
/// [`RepoError::Denied`] for roles without an identity, [`RepoError::Revoked`] for one that was
/// ended; errors of store and database.
pub fn writer_identity(repo: &Repo, index: &Index, host: &str) -> Result<Identity, IndexError> {
    let identity = identity_to_check(repo, index, host)?;
    require_unrevoked(repo, index, identity.client)?;
    Ok(identity)
}

/// The same for whoever looks at all clients before anything counts that is written, and then asks
/// [`refuse`](crate::index::clients::refuse); saves a request.
///
/// # Errors
/// As [`writer_identity`], which says of a revocation that this machine has not seen yet as well.
pub fn identity_to_check(repo: &Repo, index: &Index, host: &str) -> Result<Identity, IndexError> {
    match known_identity(repo, index)? {
        Some(identity) => {
            refuse_remembered(index, identity.client)?;
            Ok(identity)
        }
        None => {
            let identity = begin_identity(repo, index, host, Vec::new())?;
            repo.note_unrevoked(identity.client);
            Ok(identity)
        }
    }
}

/// Enrols this machine anew, as the one that goes on with the history of others: of machines that it
/// replaces, or of its own before its state folder was lost. From now on it writes as that.
///
/// # Errors
/// [`RepoError::Denied`] without the administrator's keys; errors of store and database.
pub fn begin_identity(
    repo: &Repo,
    index: &Index,
    host: &str,
    succeeds: Vec<ClientId>,
) -> Result<Identity, IndexError> {
    let local = repo.keys().admin()?.local();
    let identity =
        Identity { client: ClientId::new(random::array()), signing: SigningKey::generate() };
    let enrolment = Enrolment { succeeds, ..Enrolment::new(host, Role::Admin, SHARED_DOMAIN) };
    enrol_as(repo, &identity, enrolment)?;
    let record = LocalIdentity { client: identity.client, seed: *identity.signing.seed().expose() };
    let plain = zeroize::Zeroizing::new(encode_record(&record));
    kept::keep_identity(index.folder(), &aead::seal(&local, SEAL_PURPOSE, &plain))?;
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
    let kept = kept::identity(index.folder());
    let Some(sealed) = (match &kept {
        Some(_) => kept,
        None => index.setting(SETTING_IDENTITY)?,
    }) else {
        return Ok(None);
    };
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
    enrol_as(repo, identity, Enrolment::new(name, role, domain))
}

/// What the administrator says of a client when it is enrolled.
#[derive(Debug, Clone)]
pub struct Enrolment {
    /// A name for people.
    pub name: String,
    /// What it may do.
    pub role: Role,
    /// Dedup domain of what it writes.
    pub domain: u32,
    /// Hosts that it may name; none are stated for roles that may name any. A client of role backup
    /// of which nothing is stated may name the host that it names first.
    pub hosts: Vec<String>,
    /// Clients whose history goes on with its own.
    pub succeeds: Vec<ClientId>,
    /// Whether it may agree to what takes two people.
    pub approves: bool,
}

impl Enrolment {
    /// With no word about hosts and predecessors.
    #[must_use]
    pub fn new(name: &str, role: Role, domain: u32) -> Self {
        let (hosts, succeeds) = (Vec::new(), Vec::new());
        Self { name: name.to_owned(), role, domain, hosts, succeeds, approves: false }
    }
}

/// Writes the client record of an identity.
///
/// # Errors
/// [`RepoError::Denied`] without the administrator's keys, [`RepoError::Refused`] for lists that
/// nobody reads; errors of the store.
pub fn enrol_as(repo: &Repo, identity: &Identity, as_what: Enrolment) -> Result<(), RepoError> {
    let client = Client {
        client: identity.client,
        name: as_what.name,
        verifying_key: identity.signing.public(),
        role: as_what.role,
        domain: as_what.domain,
        enrolled: repo.clock().now(),
        hosts: as_what.hosts,
        succeeds: as_what.succeeds,
        recipient: None,
        approves: as_what.approves,
    };
    if !client.is_bounded() {
        let why = "a client names at most 64 hosts and 64 predecessors".to_owned();
        return Err(RepoError::Refused { why });
    }
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
