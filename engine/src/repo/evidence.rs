//! Chains of evidence as objects: `evidence/<client>/<n>`, one chain for each client that proves.
//!
//! What a record says is not this floor's matter: it stores and returns signed bytes. They are
//! verifiable outside, with public keys alone, so that whoever gets them exported needs neither
//! the repository nor a secret.

use std::collections::BTreeMap;

use crate::base::id::ClientId;
use crate::format::envelope::ControlKind;
use crate::format::slot::Role;
use crate::repo::Repo;
use crate::repo::error::RepoError;
use crate::repo::keyring::Identity;
use crate::repo::object::{get_signed, put_signed, sign_body, signer};
use crate::store::name::{ObjectName, prefix};

/// Who may write evidence; which events of whom count is decided by who reads them.
const WRITERS: [Role; 3] = [Role::Maintain, Role::Verify, Role::Admin];

/// Signs `body` and stores it as record `number` of the identity's chain; returns the signed
/// bytes: signature (64) and body.
///
/// # Errors
/// Those of the store; a conflict if another record stands there.
pub fn put(
    repo: &Repo,
    identity: &Identity,
    number: u32,
    body: &[u8],
) -> Result<Vec<u8>, RepoError> {
    let name = ObjectName::Evidence { writer: identity.client, number };
    let signed = sign_body(repo, &name, ControlKind::Evidence, body, &identity.signing);
    put_signed(repo, &name, ControlKind::Evidence, &signed)?;
    Ok(signed)
}

/// The signed bytes of a record, verified against its writer, whom the administrator vouched for.
///
/// # Errors
/// [`RepoError::Corrupt`] if it is damaged or forged; errors of the store.
pub fn get(repo: &Repo, writer: ClientId, number: u32) -> Result<Vec<u8>, RepoError> {
    let key = signer(repo, writer, &WRITERS)?;
    get_signed(repo, &ObjectName::Evidence { writer, number }, ControlKind::Evidence, &key)
}

/// The signed bytes of a record of the own chain; its key is known without asking.
///
/// # Errors
/// As [`get`].
pub fn get_by(repo: &Repo, own: &Identity, number: u32) -> Result<Vec<u8>, RepoError> {
    let name = ObjectName::Evidence { writer: own.client, number };
    get_signed(repo, &name, ControlKind::Evidence, &own.signing.public())
}

/// The signed client record of a writer: with it and the administrator's public key anybody can
/// verify the writer's chain.
///
/// # Errors
/// [`RepoError::Corrupt`] if it is forged; errors of the store.
pub fn voucher(repo: &Repo, writer: ClientId) -> Result<Vec<u8>, RepoError> {
    get_signed(repo, &ObjectName::Client(writer), ControlKind::Client, &repo.config().admin_key)
}

/// Which records one writer has, in order.
///
/// # Errors
/// Those of the store.
pub fn list_of(repo: &Repo, writer: ClientId) -> Result<Vec<u32>, RepoError> {
    let below = format!("{}{writer}/", prefix::EVIDENCE);
    Ok(list_below(repo, &below)?.remove(&writer).unwrap_or_default())
}

/// Which records are there, by writer, in order.
///
/// # Errors
/// Those of the store.
pub fn list(repo: &Repo) -> Result<BTreeMap<ClientId, Vec<u32>>, RepoError> {
    list_below(repo, prefix::EVIDENCE)
}

fn list_below(repo: &Repo, below: &str) -> Result<BTreeMap<ClientId, Vec<u32>>, RepoError> {
    let mut chains: BTreeMap<ClientId, Vec<u32>> = BTreeMap::new();
    repo.store().list_each(below, &mut |object| {
        if let Some(ObjectName::Evidence { writer, number }) = object.name {
            chains.entry(writer).or_default().push(number);
        }
        true
    })?;
    chains.values_mut().for_each(|numbers| numbers.sort_unstable());
    Ok(chains)
}
