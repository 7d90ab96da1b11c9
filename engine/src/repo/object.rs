//! Typed reading and writing of small sealed objects.
//!
//! A control object is sealed under the control key and signed by its writer; repository, key in
//! the store and kind are part of what is sealed and of what is signed.

use bytes::Bytes;
use minicbor::{Decode, Encode};

use crate::base::id::{ClientId, Digest, PackId};
use crate::crypt::sign::{SigningKey, verify};
use crate::crypt::{aead, hash};
use crate::format::client::Client;
use crate::format::envelope::{
    ControlKind, associated_data, decode_control, decode_record, encode_control, encode_record,
    split_signed,
};
use crate::format::slot::Role;
use crate::repo::Repo;
use crate::repo::error::RepoError;
use crate::repo::ring::unknown;
use crate::store::name::ObjectName;

/// An object as read: its record, and the hash of the stored bytes.
#[derive(Debug, Clone)]
pub struct Stored<T> {
    /// The record.
    pub record: T,
    /// Plain BLAKE3 of the object.
    pub digest: Digest,
    /// The epoch of the keys that it is sealed with.
    pub epoch: u32,
}

/// What is wrong with a record that opens and was signed by somebody else than it says.
pub(crate) const WRONG_SIGNATURE: &str = "its signature is wrong";

/// What is wrong with a record whose signer may not write such a one.
pub(crate) const POWERLESS: &str = "whoever signed it may not write it";

/// Whether that is what is wrong.
pub(crate) fn is_powerless(error: &RepoError) -> bool {
    matches!(error, RepoError::Corrupt { why, .. } if why == POWERLESS)
}

/// The bytes whose signature stands in a control object.
fn signed_message(repo: &Repo, name: &ObjectName, kind: ControlKind, body: &[u8]) -> Vec<u8> {
    let key_hash = hash::digest(name.key().as_bytes());
    let mut message = associated_data("signed", repo.config().repository, key_hash, &[kind.code()]);
    message.extend_from_slice(body);
    message
}

fn sealed_data(repo: &Repo, name: &ObjectName, kind: ControlKind) -> Vec<u8> {
    let key_hash = hash::digest(name.key().as_bytes());
    associated_data("control", repo.config().repository, key_hash, &[kind.code()])
}

/// Signs, seals and stores a control object; returns the hash of the stored bytes.
///
/// # Errors
/// [`RepoError::Store`]; [`RepoError::Refused`] if it is longer than readers take.
pub fn put_control<T: Encode<()>>(
    repo: &Repo,
    name: &ObjectName,
    kind: ControlKind,
    record: &T,
    signer: &SigningKey,
) -> Result<Digest, RepoError> {
    let bytes = seal_control(repo, name, kind, record, signer);
    require_bounded(kind, &bytes)?;
    let digest = hash::digest(&bytes);
    repo.store().put_new(name, Bytes::from(bytes))?;
    Ok(digest)
}

/// What readers refuse is not written.
fn require_bounded(kind: ControlKind, bytes: &[u8]) -> Result<(), RepoError> {
    let (most, what) = (kind.max_bytes(), kind.what());
    match bytes.len() <= most {
        true => Ok(()),
        false => {
            let why = format!("the {what} would have {} bytes, and may have {most}", bytes.len());
            Err(RepoError::Refused { why })
        }
    }
}

/// The stored form of a control object.
fn seal_control<T: Encode<()>>(
    repo: &Repo,
    name: &ObjectName,
    kind: ControlKind,
    record: &T,
    signer: &SigningKey,
) -> Vec<u8> {
    let plain = sign_body(repo, name, kind, &encode_record(record), signer);
    seal_signed(repo, name, kind, &plain)
}

/// Signature and body, as they stand inside the seal. They can be verified without any secret of
/// the repository: what is signed names the repository, the key in the store and the kind.
#[must_use]
pub fn sign_body(
    repo: &Repo,
    name: &ObjectName,
    kind: ControlKind,
    body: &[u8],
    signer: &SigningKey,
) -> Vec<u8> {
    let signature = signer.sign(&signed_message(repo, name, kind, body));
    [signature.as_slice(), body].concat()
}

/// The stored form of what [`sign_body`] made.
#[must_use]
pub fn seal_signed(repo: &Repo, name: &ObjectName, kind: ControlKind, signed: &[u8]) -> Vec<u8> {
    let (key, epoch) = repo.keys().control();
    let sealed = aead::seal(key, &sealed_data(repo, name, kind), signed);
    encode_control(kind, epoch, &sealed)
}

/// Seals and stores what [`sign_body`] made.
///
/// # Errors
/// [`RepoError::Store`]; [`RepoError::Refused`] if it is longer than readers take.
pub fn put_signed(
    repo: &Repo,
    name: &ObjectName,
    kind: ControlKind,
    signed: &[u8],
) -> Result<(), RepoError> {
    let bytes = seal_signed(repo, name, kind, signed);
    require_bounded(kind, &bytes)?;
    repo.store().put_new(name, Bytes::from(bytes))?;
    Ok(())
}

/// Reads a control object; `signer_of` names the key that must have signed the record.
///
/// # Errors
/// [`RepoError::Corrupt`] if it does not open, decode or verify; errors of the store and of
/// `signer_of`.
pub fn get_control<T>(
    repo: &Repo,
    name: &ObjectName,
    kind: ControlKind,
    signer_of: impl Fn(&T) -> Result<[u8; 32], RepoError>,
) -> Result<Stored<T>, RepoError>
where
    T: for<'b> Decode<'b, ()>,
{
    get_accepted(repo, name, kind, signer_of, |_| Ok(()))
}

/// The same for a record that counts only if `accept` says so of it, once its signature is verified.
/// One that does not count hides none that lies under another code of the name.
///
/// # Errors
/// As [`get_control`], and those of `accept`.
pub fn get_accepted<T>(
    repo: &Repo,
    name: &ObjectName,
    kind: ControlKind,
    signer_of: impl Fn(&T) -> Result<[u8; 32], RepoError>,
    accept: impl Fn(&T) -> Result<(), RepoError>,
) -> Result<Stored<T>, RepoError>
where
    T: for<'b> Decode<'b, ()>,
{
    let key = name.key();
    repo.store().get_genuine(name, kind.max_bytes() as u64, |bytes| {
        let (plain, digest, epoch) = open_signed(repo, name, kind, &bytes)?;
        let (signature, body) = split_signed(&plain).map_err(|e| RepoError::codec(&key, &e))?;
        let record: T = decode_record(body, kind.what()).map_err(|e| RepoError::codec(&key, &e))?;
        let signer = signer_of(&record)?;
        verify(&signer, &signed_message(repo, name, kind, body), &signature)
            .map_err(|_| RepoError::corrupt(&key, WRONG_SIGNATURE))?;
        accept(&record)?;
        Ok(Stored { record, digest, epoch })
    })
}

/// Reads a control object whose signer is known beforehand, and leaves its body undecoded:
/// signature and body as [`sign_body`] made them, verified.
///
/// # Errors
/// [`RepoError::Corrupt`] if it does not open or verify; errors of the store.
pub fn get_signed(
    repo: &Repo,
    name: &ObjectName,
    kind: ControlKind,
    signer: &[u8; 32],
) -> Result<Vec<u8>, RepoError> {
    let key = name.key();
    repo.store().get_genuine(name, kind.max_bytes() as u64, |bytes| {
        let (plain, ..) = open_signed(repo, name, kind, &bytes)?;
        let (signature, body) = split_signed(&plain).map_err(|e| RepoError::codec(&key, &e))?;
        verify(signer, &signed_message(repo, name, kind, body), &signature)
            .map_err(|_| RepoError::corrupt(&key, WRONG_SIGNATURE))?;
        Ok(plain)
    })
}

/// Unseals what was stored: signature and body, the hash of the stored bytes, and the epoch.
fn open_signed(
    repo: &Repo,
    name: &ObjectName,
    kind: ControlKind,
    bytes: &[u8],
) -> Result<(Vec<u8>, Digest, u32), RepoError> {
    let key = name.key();
    let frame = decode_control(bytes, kind).map_err(|e| RepoError::envelope(&key, &e))?;
    let epoch = frame.epoch;
    let control = repo.keys().control_of(epoch).ok_or_else(|| unknown(epoch, &key))?;
    let plain =
        aead::open(control, &sealed_data(repo, name, kind), frame.sealed).map_err(|_| {
            RepoError::corrupt(&key, "it does not open with the key of this repository")
        })?;
    Ok((plain, hash::digest(bytes), epoch))
}

/// The record of a client, verified against the administrator's key. Kept for the life of `repo`.
///
/// # Errors
/// [`RepoError::Corrupt`] if it is forged; errors of the store.
pub fn client(repo: &Repo, id: ClientId) -> Result<Client, RepoError> {
    if let Some(known) = repo.clients.lock().ok().and_then(|known| known.get(&id).cloned()) {
        return Ok(known);
    }
    let name = ObjectName::Client(id);
    let admin = repo.config().admin_key;
    let stored = get_control::<Client>(repo, &name, ControlKind::Client, |_| Ok(admin))?;
    if stored.record.client != id {
        return Err(RepoError::corrupt(&name.key(), "it is the record of another client"));
    }
    if !stored.record.is_bounded() {
        return Err(RepoError::corrupt(&name.key(), "a part of it is too long"));
    }
    if let Ok(mut known) = repo.clients.lock() {
        known.insert(id, stored.record.clone());
    }
    Ok(stored.record)
}

/// The key of a client that may do what one of `roles` may.
///
/// # Errors
/// [`RepoError::Corrupt`] for a client of another role: its key signs, but not this.
pub fn signer(repo: &Repo, id: ClientId, roles: &[Role]) -> Result<[u8; 32], RepoError> {
    let client = client(repo, id)?;
    match roles.contains(&client.role) {
        true => Ok(client.verifying_key),
        false => {
            let why = format!("a client of role {} must not write this", client.role.name());
            Err(RepoError::corrupt(&ObjectName::Client(id).key(), why))
        }
    }
}

/// Enrols a client: writes its record, signed by the administrator.
///
/// # Errors
/// [`RepoError::Denied`] without the administrator's keys; errors of the store.
pub fn put_client(repo: &Repo, client: &Client) -> Result<(), RepoError> {
    let admin = repo.keys().admin()?;
    let name = ObjectName::Client(client.client);
    put_control(repo, &name, ControlKind::Client, client, admin.signing())?;
    Ok(())
}

/// Whose packs, segments and commits count: a key that only reads must not be able to say what is
/// stored.
pub(crate) const WRITERS: [Role; 3] = [Role::Backup, Role::Maintain, Role::Admin];

/// The record of a client that may write to a dedup domain: role backup to its own, maintain and
/// admin to any.
///
/// # Errors
/// [`RepoError::Corrupt`] for a client that may not, with the object `key` that it wrote.
pub(crate) fn writer(
    repo: &Repo,
    id: ClientId,
    domain: u32,
    key: &str,
) -> Result<Client, RepoError> {
    let client = client(repo, id)?;
    if !WRITERS.contains(&client.role) {
        let why = format!("a client of role {} must not write this", client.role.name());
        return Err(RepoError::corrupt(key, why));
    }
    if client.role == Role::Backup && client.domain != domain {
        let own = client.domain;
        let why = format!("its client may write to dedup domain {own}, not to {domain}");
        return Err(RepoError::corrupt(key, why));
    }
    Ok(client)
}

/// Who must have signed the footer of a pack.
///
/// # Errors
/// As [`writer`].
pub(crate) fn pack_signer(repo: &Repo, pack: PackId, domain: u32) -> Result<[u8; 32], RepoError> {
    let key = ObjectName::Pack(pack).key();
    writer(repo, pack.session.client(), domain, &key).map(|client| client.verifying_key)
}
