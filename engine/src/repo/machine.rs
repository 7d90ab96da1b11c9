//! Records about machines and their runs, typed, verified, and bound to their names.

use crate::base::error::{Classified, ErrorClass};
use crate::base::id::{ClientId, Digest, Nonce8};
use crate::crypt::{hash, random};
use crate::format::envelope::{ControlKind, decode_record, encode_record, split_signed};
use crate::format::machine::{ConfRecord, Configuration, Revocation, RunRecord};
use crate::repo::error::RepoError;
use crate::repo::keyring::Identity;
use crate::repo::object::{
    Stored, client, get_control, get_signed, put_control, put_signed, sign_body,
};
use crate::repo::{Repo, private};
use crate::store::name::{ObjectName, prefix};

fn of_another(name: &ObjectName) -> RepoError {
    RepoError::corrupt(&name.key(), "it is the record of another object")
}

/// Revokes a client: writes the record, signed by the administrator.
///
/// # Errors
/// [`RepoError::Denied`] without the administrator's keys; errors of the store.
pub fn put_revocation(repo: &Repo, record: &Revocation) -> Result<ObjectName, RepoError> {
    let admin = repo.keys().admin()?;
    let name = ObjectName::Revoked(record.client, Nonce8::new(random::array()));
    put_control(repo, &name, ControlKind::Revocation, record, admin.signing())?;
    Ok(name)
}

/// The revocation under that name, verified against the administrator's key.
///
/// # Errors
/// [`RepoError::Corrupt`] if it is damaged or forged; errors of the store.
pub fn get_revocation(
    repo: &Repo,
    of: ClientId,
    random: Nonce8,
) -> Result<Stored<Revocation>, RepoError> {
    let name = ObjectName::Revoked(of, random);
    get_control::<Revocation>(repo, &name, ControlKind::Revocation, |record| {
        match record.client == of {
            true => Ok(repo.config().admin_key),
            false => Err(of_another(&name)),
        }
    })
}

/// All revocations that are there and genuine.
///
/// # Errors
/// Those of the store.
pub fn revocations(repo: &Repo) -> Result<Vec<Revocation>, RepoError> {
    let mut found = Vec::new();
    for (of, name) in revocation_names(repo)? {
        let ObjectName::Revoked(_, random) = name else { continue };
        found.extend(genuine(get_revocation(repo, of, random))?.map(|stored| stored.record));
    }
    Ok(found)
}

/// Names of all revocations that are listed, each with its client, genuine or not.
///
/// # Errors
/// Those of the store.
pub fn revocation_names(repo: &Repo) -> Result<Vec<(ClientId, ObjectName)>, RepoError> {
    let mut names = Vec::new();
    repo.store().list_each(prefix::CLIENTS, &mut |object| {
        if let Some(name @ ObjectName::Revoked(of, _)) = object.name {
            names.push((of, name));
        }
        true
    })?;
    Ok(names)
}

/// Signature and body of a revocation, which can be verified with the administrator's public key and
/// without the repository; `None` if it is not genuine.
///
/// # Errors
/// Those of the store.
pub fn signed_revocation(repo: &Repo, name: &ObjectName) -> Result<Option<Vec<u8>>, RepoError> {
    genuine(get_signed(repo, name, ControlKind::Revocation, &repo.config().admin_key))
}

/// Junk counts for nothing, and what is hidden could as well be hidden wholly; `check` names it.
fn genuine<T>(read: Result<T, RepoError>) -> Result<Option<T>, RepoError> {
    match read {
        Ok(read) => Ok(Some(read)),
        Err(error) => match error.class() {
            ErrorClass::Corrupt | ErrorClass::Missing | ErrorClass::Newer => Ok(None),
            _ => Err(error),
        },
    }
}

/// Stores what became of a run; answers BLAKE3 of the signed bytes, which the next one names.
///
/// # Errors
/// [`RepoError::Refused`] for a record that is longer than anybody reads; errors of the store.
pub fn put_run(repo: &Repo, identity: &Identity, record: &RunRecord) -> Result<Digest, RepoError> {
    let (hour, number, writer) = (record.hour(), record.number, identity.client);
    let name = ObjectName::Run { hour, writer, number, random: Nonce8::new(random::array()) };
    if !record.is_bounded() || record.client != writer {
        return Err(RepoError::Refused { why: format!("{name} would be read by nobody") });
    }
    let body = encode_record(record);
    let signed = sign_body(repo, &name, ControlKind::Run, &body, &identity.signing);
    put_signed(repo, &name, ControlKind::Run, &signed)?;
    Ok(hash::digest(&signed))
}

/// The run under that name, verified against its client's key, whatever role that has; and BLAKE3 of
/// the signed bytes.
///
/// # Errors
/// [`RepoError::Corrupt`] if it is damaged, forged or longer than it may be; errors of the store.
pub fn get_run(repo: &Repo, name: &ObjectName) -> Result<(RunRecord, Digest), RepoError> {
    let ObjectName::Run { hour, writer, number, .. } = name else { return Err(of_another(name)) };
    let key = client(repo, *writer)?.verifying_key;
    let signed = get_signed(repo, name, ControlKind::Run, &key)?;
    let codec = |error| RepoError::codec(&name.key(), &error);
    let (_, body) = split_signed(&signed).map_err(codec)?;
    let record: RunRecord = decode_record(body, ControlKind::Run.what()).map_err(codec)?;
    let belongs = (*hour, *writer, *number) == (record.hour(), record.client, record.number);
    match belongs && record.is_bounded() {
        true => Ok((record, hash::digest(&signed))),
        false => Err(of_another(name)),
    }
}

/// Stores how a machine is set up; answers the name.
///
/// # Errors
/// [`RepoError::Denied`] for roles that cannot write; errors of the store.
pub fn put_conf(
    repo: &Repo,
    identity: &Identity,
    number: u32,
    configuration: &Configuration,
) -> Result<ObjectName, RepoError> {
    let writer = identity.client;
    let name = ObjectName::Conf { writer, number, random: Nonce8::new(random::array()) };
    let sealed = private::seal_part(repo, &name, &encode_record(configuration))?;
    let record = ConfRecord { client: writer, number, at: repo.clock().now(), sealed };
    put_control(repo, &name, ControlKind::Conf, &record, &identity.signing)?;
    Ok(name)
}

/// How a machine was set up; `None` if the key in use may not read names.
///
/// # Errors
/// [`RepoError::Corrupt`] if it is damaged or forged; errors of the store.
pub fn get_conf(repo: &Repo, name: &ObjectName) -> Result<Option<Configuration>, RepoError> {
    let stored = get_control::<ConfRecord>(repo, name, ControlKind::Conf, |record| {
        let belongs = matches!(name, ObjectName::Conf { writer, number, .. }
            if (*writer, *number) == (record.client, record.number));
        match belongs {
            true => client(repo, record.client).map(|client| client.verifying_key),
            false => Err(of_another(name)),
        }
    })?;
    let Some(plain) = private::open_part(repo, name, &stored.record.sealed, stored.epoch)? else {
        return Ok(None);
    };
    decode_record(&plain, "configuration of a machine")
        .map(Some)
        .map_err(|e| RepoError::codec(&name.key(), &e))
}
