//! Records of joins, folded history, copies and locks: typed, verified, and bound to their names.
//!
//! Nothing in this program acts on copies and locks yet; `check` reads them.

use minicbor::Encode;

use crate::base::error::{Classified, ErrorClass};
use crate::base::id::{ClientId, Nonce8};
use crate::base::time::Timestamp;
use crate::crypt::random;
use crate::format::envelope::ControlKind;
use crate::format::history::{CopiedRecord, FoldRecord, JoinRecord, LockRecord};
use crate::format::slot::Role;
use crate::repo::Repo;
use crate::repo::error::RepoError;
use crate::repo::keyring::Identity;
use crate::repo::object::{Stored, WRITERS, client, get_control, put_control};
use crate::store::name::{ObjectName, prefix};

/// Whose folded history and locks count.
const KEEPERS: [Role; 2] = [Role::Maintain, Role::Admin];

fn require(name: &ObjectName, is_right: bool) -> Result<(), RepoError> {
    match is_right {
        true => Ok(()),
        false => Err(RepoError::corrupt(&name.key(), "it is the record of another object")),
    }
}

/// The key of a client that may write `name` by its role.
fn signer_of(
    repo: &Repo,
    name: &ObjectName,
    by: ClientId,
    roles: &[Role],
) -> Result<[u8; 32], RepoError> {
    let client = client(repo, by)?;
    match roles.contains(&client.role) {
        true => Ok(client.verifying_key),
        false => {
            let why = format!("a client of role {} must not write this", client.role.name());
            Err(RepoError::corrupt(&name.key(), why))
        }
    }
}

fn put<T: Encode<()>>(
    repo: &Repo,
    identity: &Identity,
    (name, kind): (ObjectName, ControlKind),
    record: &T,
    is_read: bool,
) -> Result<ObjectName, RepoError> {
    if !is_read {
        return Err(RepoError::Refused { why: format!("{name} would be read by nobody") });
    }
    put_control(repo, &name, kind, record, &identity.signing)?;
    Ok(name)
}

fn drawn() -> Nonce8 {
    Nonce8::new(random::array())
}

/// Stores that an invitation was taken.
///
/// # Errors
/// [`RepoError::Refused`] for a record that nobody reads; errors of the store.
pub fn put_join(
    repo: &Repo,
    identity: &Identity,
    record: &JoinRecord,
) -> Result<ObjectName, RepoError> {
    let name = ObjectName::Join(record.invitation, drawn());
    let is_read = record.is_bounded() && record.client == identity.client;
    put(repo, identity, (name, ControlKind::Join), record, is_read)
}

/// The record of an invitation, verified against the key of the client that took it.
///
/// # Errors
/// [`RepoError::Corrupt`] if it is damaged or forged; errors of the store.
pub fn get_join(repo: &Repo, name: &ObjectName) -> Result<Stored<JoinRecord>, RepoError> {
    get_control::<JoinRecord>(repo, name, ControlKind::Join, |record| {
        let invitation = record.invitation;
        require(name, matches!(name, ObjectName::Join(id, _) if *id == invitation))?;
        require(name, record.is_bounded())?;
        client(repo, record.client).map(|client| client.verifying_key)
    })
}

/// All invitations that were taken and whose records can be read, each with the time at which the store
/// received it, in the order of those; and how many records cannot be read.
///
/// # Errors
/// Those of the store.
pub fn joins(repo: &Repo) -> Result<(Vec<(JoinRecord, Timestamp)>, u64), RepoError> {
    let mut names = Vec::new();
    repo.store().list_each(prefix::JOINS, &mut |object| {
        if let Some(name @ ObjectName::Join(..)) = object.name {
            names.push((name, object.modified));
        }
        true
    })?;
    let (mut found, mut unreadable) = (Vec::new(), 0);
    for (name, received) in names {
        match get_join(repo, &name) {
            Ok(stored) => found.push((stored.record, received)),
            Err(error) => match error.class() {
                // Junk says nothing; `check` names it.
                ErrorClass::Corrupt | ErrorClass::Missing | ErrorClass::Newer => unreadable += 1,
                _ => return Err(error),
            },
        }
    }
    found.sort_by_key(|(_, received)| *received);
    Ok((found, unreadable))
}

/// Stores folded history.
///
/// # Errors
/// As [`put_join`].
pub fn put_fold(
    repo: &Repo,
    identity: &Identity,
    record: &FoldRecord,
) -> Result<ObjectName, RepoError> {
    let name = ObjectName::Fold { number: record.number, random: drawn() };
    let is_read = record.is_sound() && record.by == identity.client;
    put(repo, identity, (name, ControlKind::Fold), record, is_read)
}

/// Folded history, verified: of a client that may collect.
///
/// # Errors
/// As [`get_join`].
pub fn get_fold(repo: &Repo, name: &ObjectName) -> Result<Stored<FoldRecord>, RepoError> {
    get_control::<FoldRecord>(repo, name, ControlKind::Fold, |record| {
        let told = record.number;
        require(name, matches!(name, ObjectName::Fold { number, .. } if *number == told))?;
        require(name, record.is_sound())?;
        signer_of(repo, name, record.by, &KEEPERS)
    })
}

/// Stores where a snapshot came from.
///
/// # Errors
/// As [`put_join`].
pub fn put_copied(
    repo: &Repo,
    identity: &Identity,
    record: &CopiedRecord,
) -> Result<ObjectName, RepoError> {
    let name = ObjectName::Copied(record.session, drawn());
    let is_read = record.session.client() == identity.client;
    put(repo, identity, (name, ControlKind::Copied), record, is_read)
}

/// Where a snapshot came from, verified against the key of the client that copied it.
///
/// # Errors
/// As [`get_join`].
pub fn get_copied(repo: &Repo, name: &ObjectName) -> Result<Stored<CopiedRecord>, RepoError> {
    get_control::<CopiedRecord>(repo, name, ControlKind::Copied, |record| {
        let told = record.session;
        require(name, matches!(name, ObjectName::Copied(session, _) if *session == told))?;
        signer_of(repo, name, told.client(), &WRITERS)
    })
}

/// Stores how long objects are locked.
///
/// # Errors
/// As [`put_join`].
pub fn put_lock(
    repo: &Repo,
    identity: &Identity,
    record: &LockRecord,
) -> Result<ObjectName, RepoError> {
    let name = ObjectName::Lock { number: record.number, random: drawn() };
    put(repo, identity, (name, ControlKind::Lock), record, record.by == identity.client)
}

/// How long objects are locked, verified: of a client that may collect.
///
/// # Errors
/// As [`get_join`].
pub fn get_lock(repo: &Repo, name: &ObjectName) -> Result<Stored<LockRecord>, RepoError> {
    get_control::<LockRecord>(repo, name, ControlKind::Lock, |record| {
        let told = record.number;
        require(name, matches!(name, ObjectName::Lock { number, .. } if *number == told))?;
        signer_of(repo, name, record.by, &KEEPERS)
    })
}
