//! Seals what only those may read of a snapshot record who may read names, and opens it for them.

use crate::crypt::secret::SecretKey;
use crate::crypt::{aead, hash};
use crate::format::envelope::{associated_data, decode_record, encode_record};
use crate::format::private::{Commit, Private, SealedPart};
use crate::format::snapshot::Snapshot;
use crate::repo::Repo;
use crate::repo::error::RepoError;
use crate::store::name::ObjectName;

fn bound(repo: &Repo, purpose: &'static str, name: &ObjectName) -> Vec<u8> {
    let key_hash = hash::digest(name.key().as_bytes());
    associated_data(purpose, repo.config().repository, key_hash, &[])
}

/// The stored form of the snapshot record `name`.
///
/// # Errors
/// [`RepoError::Denied`] for roles that cannot write; [`RepoError::Refused`] for a record whose
/// private part this key could not read, or that is longer than anybody reads.
pub fn seal(repo: &Repo, name: &ObjectName, snapshot: &Snapshot) -> Result<Commit, RepoError> {
    let mut readable = snapshot.clone();
    let private = readable.take_private();
    if snapshot.is_sealed() || !private.is_bounded() || !readable.facts.is_bounded() {
        let why = format!("{} would have parts that nobody reads", name.key());
        return Err(RepoError::Refused { why });
    }
    let sealed = seal_part(repo, name, &encode_record(&private))?;
    Ok(Commit { readable, sealed })
}

/// Seals `plain` to those who may read names, in the object `name`.
///
/// # Errors
/// [`RepoError::Denied`] for roles that cannot write.
pub(crate) fn seal_part(
    repo: &Repo,
    name: &ObjectName,
    plain: &[u8],
) -> Result<Vec<u8>, RepoError> {
    let key = SecretKey::random();
    let tree = &repo.keys().write()?.tree;
    let (encapsulation, sealed_key) = tree.seal_key(&bound(repo, "private key", name), &key)?;
    let sealed = aead::seal(&key, &bound(repo, "private", name), plain);
    Ok(SealedPart { encapsulation, sealed_key, sealed }.encode())
}

/// Opens what [`seal_part`] sealed in an object of that epoch; `None` if the key in use may not read names.
///
/// # Errors
/// [`RepoError::Corrupt`] naming the object if it is not that.
pub(crate) fn open_part(
    repo: &Repo,
    name: &ObjectName,
    sealed: &[u8],
    epoch: u32,
) -> Result<Option<Vec<u8>>, RepoError> {
    let key = name.key();
    let part = SealedPart::decode(sealed).map_err(|e| RepoError::codec(&key, &e))?;
    if repo.keys().tree().is_err() {
        return Ok(None);
    }
    let tree = repo.keys().tree_in(epoch, &key)?;
    let closed = |_| RepoError::corrupt(&key, "its private part does not open");
    let bound_key = bound(repo, "private key", name);
    let opened =
        tree.open_key(&bound_key, &part.encapsulation, &part.sealed_key).map_err(closed)?;
    aead::open(&opened, &bound(repo, "private", name), &part.sealed).map(Some).map_err(closed)
}

/// The record of that epoch with its private part, if the key in use may read that.
///
/// # Errors
/// [`RepoError::Corrupt`] if the private part does not open or decode, if it lies open, or if
/// something is longer than it may be.
pub fn open(
    repo: &Repo,
    name: &ObjectName,
    commit: Commit,
    epoch: u32,
) -> Result<Snapshot, RepoError> {
    let key = name.key();
    let mut snapshot = commit.readable;
    if snapshot.tells_too_much() {
        return Err(RepoError::corrupt(&key, "its private part is not sealed"));
    }
    let too_long = || RepoError::corrupt(&key, "a part of it is too long");
    if !snapshot.facts.is_bounded() {
        return Err(too_long());
    }
    let Some(plain) = open_part(repo, name, &commit.sealed, epoch)? else { return Ok(snapshot) };
    let private: Private = decode_record(&plain, "private part of a snapshot record")
        .map_err(|e| RepoError::codec(&key, &e))?;
    if !private.is_bounded() {
        return Err(too_long());
    }
    snapshot.put_private(private);
    match snapshot.is_sealed() {
        true => Err(RepoError::corrupt(&key, "its root is no chunk")),
        false => Ok(snapshot),
    }
}
