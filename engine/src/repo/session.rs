//! A session's way from registration to a confirmed commit: steps B1 and B5 of `docs/GC.md`, and
//! what is done about sessions that a crash left behind.
//!
//! Every step starts after the acknowledgement of the one before. Two flags decide: a client puts
//! up its commit and then looks for a fence; a fencer puts up its fence and then looks for the
//! commit. Whoever looks sees the other, and backs off. Nothing here needs a conditional write.

use std::collections::BTreeMap;

use crate::base::id::{Digest, Nonce8, SessionId};
use crate::base::time::Timestamp;
use crate::crypt::random;
use crate::format::envelope::ControlKind;
use crate::format::session::{Confirm, Fence, Session, SessionKind};
use crate::format::snapshot::Snapshot;
use crate::repo::commits::{self, Flags};
use crate::repo::error::RepoError;
use crate::repo::keyring::Identity;
use crate::repo::object::{client, get_control, put_control};
use crate::repo::private;
use crate::repo::{PROGRAM, Repo};
use crate::store::StoreError;
use crate::store::name::{ObjectName, prefix};

/// What became of a commit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CommitOutcome {
    /// Confirmed: nobody can abort it any more. Carries the hash of the commit object.
    Confirmed(Digest),
    /// Somebody fenced the session, or this machine goes on twice from one state of memory and has
    /// committed already; commit again under a new one. Uploaded packs stay usable.
    Fenced,
}

/// What became of a session that a crash left open.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Aftermath {
    /// Its commit had landed and nobody had fenced it: it is a snapshot.
    Adopted(Digest),
    /// It never becomes a snapshot.
    GivenUp,
}

/// A new session's id. Note it where a restart finds it, then [`register`] it.
#[must_use]
pub fn new_id(identity: &Identity, sequence: u64) -> SessionId {
    SessionId::from_parts(identity.client, sequence, Nonce8::new(random::array()))
}

/// B1: registers a session; only afterwards may anything be read that depends on collections.
///
/// # Errors
/// Those of the store.
pub fn register(
    repo: &Repo,
    identity: &Identity,
    session: SessionId,
    kind: SessionKind,
    host: &str,
) -> Result<(), RepoError> {
    repo.require_all_epochs()?;
    put_registration(repo, identity, (session, kind), host, Vec::new())
}

/// Registers a session that reads these snapshots: they stay as long as it has not ended.
///
/// # Errors
/// Those of the store.
pub fn register_reader(
    repo: &Repo,
    identity: &Identity,
    session: SessionId,
    host: &str,
    pinned: Vec<SessionId>,
) -> Result<(), RepoError> {
    put_registration(repo, identity, (session, SessionKind::Read), host, pinned)
}

fn put_registration(
    repo: &Repo,
    identity: &Identity,
    (session, kind): (SessionId, SessionKind),
    host: &str,
    pinned: Vec<SessionId>,
) -> Result<(), RepoError> {
    let record = Session {
        session,
        kind,
        started: repo.clock().now(),
        host: host.to_owned(),
        program: PROGRAM.to_owned(),
        pinned,
        generation: None,
    };
    let name = ObjectName::Session(session);
    put_control(repo, &name, ControlKind::Session, &record, &identity.signing)?;
    Ok(())
}

/// Registered sessions with the time of their registration by the store's clock, from one listing.
///
/// # Errors
/// Those of the store.
pub fn registered(repo: &Repo) -> Result<BTreeMap<SessionId, Timestamp>, RepoError> {
    let mut found = BTreeMap::new();
    repo.store().list_each(prefix::SESSIONS, &mut |object| {
        if let Some(ObjectName::Session(session)) = object.name {
            found.insert(session, object.modified);
        }
        true
    })?;
    Ok(found)
}

/// The registration of a session, verified.
///
/// # Errors
/// [`RepoError::Corrupt`] if it is damaged or forged; errors of the store.
pub fn read_registration(repo: &Repo, session: SessionId) -> Result<Session, RepoError> {
    let name = ObjectName::Session(session);
    let stored = get_control::<Session>(repo, &name, ControlKind::Session, |record| {
        if record.session != session {
            return Err(RepoError::corrupt(&name.key(), "it is the record of another session"));
        }
        client(repo, session.client()).map(|client| client.verifying_key)
    })?;
    Ok(stored.record)
}

/// Ends a session that never commits, by a final of its owner: collectors need not wait for it.
///
/// # Errors
/// Those of the store.
pub fn end(
    repo: &Repo,
    identity: &Identity,
    session: SessionId,
    reason: &str,
) -> Result<(), RepoError> {
    let record = Fence { session, by: identity.client, reason: reason.to_owned() };
    let name = ObjectName::Final(session, Nonce8::new(random::array()));
    put_control(repo, &name, ControlKind::Final, &record, &identity.signing)?;
    Ok(())
}

/// B5: puts the commit, then looks for a fence and for another commit, then confirms.
///
/// # Errors
/// Those of the store. After an error the outcome is open: [`settle`] finds out.
pub fn commit(
    repo: &Repo,
    identity: &Identity,
    snapshot: &Snapshot,
) -> Result<CommitOutcome, RepoError> {
    let session = snapshot.session;
    let random = Nonce8::new(random::array());
    let name = ObjectName::Commit(session, random);
    let record = private::seal(repo, &name, snapshot)?;
    let digest = put_control(repo, &name, ControlKind::Commit, &record, &identity.signing)?;
    let flags = commits::list_one(repo, session)?;
    // A store that was put back has lost it again.
    if flags.is_contested() || !flags.commits.contains_key(&random) {
        return Ok(CommitOutcome::Fenced);
    }
    match confirm(repo, identity, Confirm { session, commit: digest, random })? {
        true => Ok(CommitOutcome::Confirmed(digest)),
        false => Ok(CommitOutcome::Fenced),
    }
}

/// Puts the confirmation; false if somebody confirmed another commit of this session. That somebody
/// else has confirmed this one is as good.
fn confirm(repo: &Repo, identity: &Identity, record: Confirm) -> Result<bool, RepoError> {
    let name = ObjectName::Confirm(record.session);
    match put_control(repo, &name, ControlKind::Confirm, &record, &identity.signing) {
        Ok(_) => Ok(true),
        Err(RepoError::Store(StoreError::Conflict { key })) => {
            match commits::genuine_confirm(repo, record.session)? {
                Some(there) => Ok(there.commit == record.commit),
                None => Err(RepoError::Store(StoreError::Conflict { key })),
            }
        }
        Err(error) => Err(error),
    }
}

/// After a crash: adopts an own session whose commit landed unfenced, gives up every other one,
/// and fences it to spare collectors the wait.
///
/// # Errors
/// Those of the store.
pub fn settle(
    repo: &Repo,
    identity: &Identity,
    session: SessionId,
) -> Result<Aftermath, RepoError> {
    let mut flags = commits::list_one(repo, session)?;
    if flags.has_commit() && !flags.confirm {
        // Only a listing that begins after the commit was seen can tell that there is no fence.
        flags = commits::list_one(repo, session)?;
    }
    let meant = commits::meant(repo, session, &flags)?;
    if let Some(random) = meant.filter(|_| flags.is_confirmed()) {
        let stored = commits::read(repo, session, random)?;
        let is_confirmed = match flags.confirm {
            // Whoever has a key can make one of that name; beside a fence it would lead to a report
            // of what a fencer may still abort.
            true => {
                let genuine = commits::genuine_confirm(repo, session)?;
                genuine.is_some_and(|confirm| confirm.commit == stored.digest)
            }
            false => confirm(repo, identity, Confirm { session, commit: stored.digest, random })?,
        };
        if is_confirmed {
            return Ok(Aftermath::Adopted(stored.digest));
        }
    }
    if flags.finals.is_empty() {
        fence(repo, identity, session, "left open by a run that ended early", &flags)?;
    }
    Ok(Aftermath::GivenUp)
}

/// F1–F3: puts a fence, then looks for the commit, and only if there is none declares the session
/// aborted.
///
/// # Errors
/// Those of the store.
pub fn fence(
    repo: &Repo,
    identity: &Identity,
    session: SessionId,
    reason: &str,
    seen: &Flags,
) -> Result<(), RepoError> {
    if seen.has_commit() {
        return Ok(());
    }
    let random = Nonce8::new(random::array());
    let record = Fence { session, by: identity.client, reason: reason.to_owned() };
    let name = ObjectName::Fence(session, random);
    put_control(repo, &name, ControlKind::Fence, &record, &identity.signing)?;
    if commits::list_one(repo, session)?.has_commit() {
        return Ok(());
    }
    let name = ObjectName::Final(session, random);
    put_control(repo, &name, ControlKind::Final, &record, &identity.signing)?;
    Ok(())
}
