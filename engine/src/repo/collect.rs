//! What a collector writes, each step by itself: O2, O7, O8 and O11 of an owner, K1 to K3 of a
//! successor. Every step starts after the acknowledgement of the one before.
//!
//! Two flags again: an owner puts up its sweep and then looks for a close; a successor puts up its
//! close and then looks for the sweep. Whoever sees the other backs off: the owner deletes
//! nothing, the successor closes nothing.

use minicbor::Encode;

use crate::base::id::{GenerationId, Nonce8};
use crate::crypt::random;
use crate::format::envelope::ControlKind;
use crate::format::generation::{Base, Close, Condemn, Ending, Sweep};
use crate::repo::Repo;
use crate::repo::error::RepoError;
use crate::repo::generations::{self, Testimony};
use crate::repo::keyring::Identity;
use crate::repo::object::put_control;
use crate::store::name::ObjectName;

/// A new generation's id. Whoever ends early never goes on with it.
#[must_use]
pub fn new_generation(identity: &Identity) -> GenerationId {
    GenerationId::from_parts(identity.client, Nonce8::new(random::array()))
}

/// O2: what may be deleted. Only afterwards may anybody be looked for who relies on it.
///
/// # Errors
/// Those of the store.
pub fn put_condemn(repo: &Repo, identity: &Identity, record: &Condemn) -> Result<(), RepoError> {
    let name = ObjectName::Condemn(record.generation);
    put(repo, identity, &name, ControlKind::Condemn, record)
}

/// O7: what will be deleted unless somebody closed the generation.
///
/// # Errors
/// Those of the store; a conflict if somebody occupied the name.
pub fn put_sweep(repo: &Repo, identity: &Identity, record: &Sweep) -> Result<(), RepoError> {
    let name = ObjectName::Sweep(record.generation);
    put(repo, identity, &name, ControlKind::Sweep, record)
}

/// O8: whether nobody has closed the generation, by a listing that starts after the sweep was
/// acknowledged. A close that cannot be read may be genuine; one that is forged does not count,
/// because whoever forged it cannot write a `closed` that counts.
///
/// # Errors
/// Those of the store.
pub fn may_delete(repo: &Repo, generation: GenerationId) -> Result<bool, RepoError> {
    let flags = generations::list_one(repo, generation)?;
    let closes = flags.closes.iter().map(|random| ObjectName::Close(generation, *random));
    let closed = flags.closed.iter().map(|random| ObjectName::Closed(generation, *random));
    for name in closes.chain(closed) {
        match generations::verdict(repo, &name)? {
            Testimony::Forged => {}
            Testimony::Absent | Testimony::Unreadable(_) | Testimony::Genuine(()) => {
                return Ok(false);
            }
        }
    }
    Ok(true)
}

/// O11 with [`ControlKind::Done`], or the end of an owner that deletes nothing with
/// [`ControlKind::Void`].
///
/// # Errors
/// Those of the store.
pub fn put_ending(
    repo: &Repo,
    identity: &Identity,
    generation: GenerationId,
    kind: ControlKind,
    detail: &str,
) -> Result<(), RepoError> {
    let name = match kind {
        ControlKind::Done => ObjectName::Done(generation),
        _ => ObjectName::Void(generation),
    };
    let kind = if kind == ControlKind::Done { kind } else { ControlKind::Void };
    let record = Ending { generation, detail: detail.to_owned() };
    put(repo, identity, &name, kind, &record)
}

/// What became of an attempt to close a generation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CloseOutcome {
    /// It never deletes anything, and excludes nothing any more.
    Closed,
    /// Its sweep is there: it may be deleting.
    BackedOff,
}

/// K1 to K3: puts a close, then looks for the sweep, and only if there is none declares the
/// generation closed.
///
/// # Errors
/// Those of the store.
pub fn close(
    repo: &Repo,
    identity: &Identity,
    generation: GenerationId,
    reason: &str,
) -> Result<CloseOutcome, RepoError> {
    let random = Nonce8::new(random::array());
    let record = Close { generation, by: identity.client, reason: reason.to_owned() };
    let name = ObjectName::Close(generation, random);
    put(repo, identity, &name, ControlKind::Close, &record)?;
    if generations::list_one(repo, generation)?.sweep.is_some() {
        return Ok(CloseOutcome::BackedOff);
    }
    let name = ObjectName::Closed(generation, random);
    put(repo, identity, &name, ControlKind::Closed, &record)?;
    Ok(CloseOutcome::Closed)
}

/// Writes down what finished generations deleted, so that their records can go. `number` must be
/// higher than that of every such record that was seen.
///
/// # Errors
/// Those of the store.
pub fn put_past(
    repo: &Repo,
    identity: &Identity,
    number: u32,
    record: &Base,
) -> Result<Nonce8, RepoError> {
    let random = Nonce8::new(random::array());
    put(repo, identity, &ObjectName::Past { number, random }, ControlKind::Base, record)?;
    Ok(random)
}

fn put<T: Encode<()>>(
    repo: &Repo,
    identity: &Identity,
    name: &ObjectName,
    kind: ControlKind,
    record: &T,
) -> Result<(), RepoError> {
    repo.keys().require_collector()?;
    put_control(repo, name, kind, record, &identity.signing)?;
    Ok(())
}
