//! The flags around commits: which sessions became snapshots. See `docs/GC.md`.
//!
//! *committed* = commit and no final. *confirmed* = `.ok`, or one listing that shows a single commit
//! and no fence. Only confirmed snapshots are listed and serve as parents; only those with `.ok` are
//! counted. A machine that goes on twice from one state of memory may commit twice.

use std::collections::BTreeMap;

use crate::base::error::{Classified, ErrorClass};
use crate::base::id::{Digest, Nonce8, SessionId};
use crate::base::time::Timestamp;
use crate::format::envelope::ControlKind;
use crate::format::private::Commit;
use crate::format::session::{Confirm, Fence};
use crate::format::snapshot::Snapshot;
use crate::repo::Repo;
use crate::repo::error::RepoError;
use crate::repo::object::{Stored, WRITERS, client, get_control, signer};
use crate::repo::private;
use crate::store::name::{ObjectName, prefix};

/// Which flags of a session a listing showed.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Flags {
    /// Commits by their random parts, and when the store received each, by its clock; the times are
    /// only for people and retention.
    pub commits: BTreeMap<Nonce8, Timestamp>,
    /// `.ok` is there.
    pub confirm: bool,
    /// Fences.
    pub fences: Vec<Nonce8>,
    /// Finals.
    pub finals: Vec<Nonce8>,
}

impl Flags {
    /// Whether there is a commit.
    #[must_use]
    pub fn has_commit(&self) -> bool {
        !self.commits.is_empty()
    }

    /// Whether somebody tried to abort the session, or there are several commits.
    #[must_use]
    pub fn is_contested(&self) -> bool {
        !self.fences.is_empty() || !self.finals.is_empty() || self.commits.len() > 1
    }

    /// Whether, by this listing alone, the session is a snapshot that cannot be aborted any more.
    #[must_use]
    pub fn is_confirmed(&self) -> bool {
        self.has_commit() && (self.confirm || !self.is_contested())
    }

    pub(crate) fn note(&mut self, name: &ObjectName, modified: Timestamp) {
        match name {
            ObjectName::Commit(_, random) => drop(self.commits.insert(*random, modified)),
            ObjectName::Confirm(_) => self.confirm = true,
            ObjectName::Fence(_, random) => self.fences.push(*random),
            ObjectName::Final(_, random) => self.finals.push(*random),
            _ => {}
        }
    }
}

pub(crate) fn session_of(name: &ObjectName) -> Option<SessionId> {
    match name {
        ObjectName::Commit(session, _)
        | ObjectName::Confirm(session)
        | ObjectName::Fence(session, _)
        | ObjectName::Final(session, _) => Some(*session),
        _ => None,
    }
}

/// Flags of all sessions, from one listing.
///
/// # Errors
/// Those of the store.
pub fn list_all(repo: &Repo) -> Result<BTreeMap<SessionId, Flags>, RepoError> {
    list_below(repo, prefix::SNAPSHOTS)
}

/// Flags of one session, from one listing that starts now.
///
/// # Errors
/// Those of the store.
pub fn list_one(repo: &Repo, session: SessionId) -> Result<Flags, RepoError> {
    let below = format!("{}{session}.", prefix::SNAPSHOTS);
    Ok(list_below(repo, &below)?.remove(&session).unwrap_or_default())
}

fn list_below(repo: &Repo, below: &str) -> Result<BTreeMap<SessionId, Flags>, RepoError> {
    let mut sessions: BTreeMap<SessionId, Flags> = BTreeMap::new();
    repo.store().list_each(below, &mut |object| {
        if let Some((name, session)) = object.name.and_then(|it| Some((it, session_of(&it)?))) {
            sessions.entry(session).or_default().note(&name, object.modified);
        }
        true
    })?;
    Ok(sessions)
}

/// The random part of the commit that is meant: the only one, or of several the one that a genuine
/// confirmation names. `None` if there is none, or nobody can say which.
///
/// # Errors
/// Those of the store.
pub fn meant(repo: &Repo, session: SessionId, flags: &Flags) -> Result<Option<Nonce8>, RepoError> {
    let mut commits = flags.commits.keys();
    match (commits.next(), commits.next()) {
        (Some(random), None) => Ok(Some(*random)),
        (Some(_), Some(_)) if flags.confirm => {
            let confirm = genuine_confirm(repo, session)?.map(|confirm| confirm.random);
            Ok(confirm.filter(|random| flags.commits.contains_key(random)))
        }
        _ => Ok(None),
    }
}

/// Reads and verifies a snapshot record.
///
/// # Errors
/// [`RepoError::Corrupt`] if it is damaged, forged or of another session; errors of the store. Root,
/// problems and details are in it if the key in use may read names.
pub fn read(
    repo: &Repo,
    session: SessionId,
    random: Nonce8,
) -> Result<Stored<Snapshot>, RepoError> {
    let name = ObjectName::Commit(session, random);
    let stored = get_control::<Commit>(repo, &name, ControlKind::Commit, |commit| {
        let record = &commit.readable;
        let belongs = record.session == session
            && record.client == session.client()
            && record.repository == repo.config().repository;
        if !belongs {
            return Err(RepoError::corrupt(&name.key(), "it is the record of another snapshot"));
        }
        signer(repo, record.client, &WRITERS)
    })?;
    let Stored { record, digest, epoch } = stored;
    let record = private::open(repo, &name, record, epoch)?;
    Ok(Stored { record, digest, epoch })
}

/// What a commit amounts to, given the flags beside it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// A snapshot: confirmed by its client, or all fences and finals are forged.
    Confirmed,
    /// It may still become either.
    Open,
    /// It never becomes a snapshot.
    Aborted,
}

/// Weighs the flags beside a commit object; only those that were really signed count. Without a
/// fence or final, the commit is enough and nothing is read.
///
/// # Errors
/// Those of the store.
pub fn standing(
    repo: &Repo,
    session: SessionId,
    flags: &Flags,
    commit: &Digest,
) -> Result<Standing, RepoError> {
    if !flags.is_contested() {
        return Ok(Standing::Confirmed);
    }
    if flags.confirm
        && let Some(confirm) = genuine_confirm(repo, session)?
    {
        if confirm.commit == *commit {
            return Ok(Standing::Confirmed);
        }
        // Whoever commits and sees another commit backs off: this one was never reported.
        if flags.commits.contains_key(&confirm.random) {
            return Ok(Standing::Aborted);
        }
    }
    if has_genuine_final(repo, session, flags)? {
        return Ok(Standing::Aborted);
    }
    if flags.commits.len() > 1 {
        return Ok(Standing::Open);
    }
    for random in &flags.fences {
        let name = ObjectName::Fence(session, *random);
        if is_genuine(repo, &name, ControlKind::Fence, session)? {
            return Ok(Standing::Open);
        }
    }
    Ok(Standing::Confirmed)
}

/// Whether the session was confirmed with another of its commits, which is there. Then this one was
/// never reported, whatever is in it: whoever commits and sees another commit backs off.
///
/// # Errors
/// Those of the store.
pub fn is_beside_confirmed(
    repo: &Repo,
    session: SessionId,
    random: Nonce8,
    flags: &Flags,
) -> Result<bool, RepoError> {
    if !flags.confirm || flags.commits.len() < 2 {
        return Ok(false);
    }
    let confirm = genuine_confirm(repo, session)?.map(|confirm| confirm.random);
    Ok(confirm.is_some_and(|meant| meant != random && flags.commits.contains_key(&meant)))
}

/// Whether an enrolled client declared the session aborted.
///
/// # Errors
/// Those of the store.
pub fn has_genuine_final(
    repo: &Repo,
    session: SessionId,
    flags: &Flags,
) -> Result<bool, RepoError> {
    for random in &flags.finals {
        let name = ObjectName::Final(session, *random);
        if is_genuine(repo, &name, ControlKind::Final, session)? {
            return Ok(true);
        }
    }
    Ok(false)
}

/// The confirmation of a session, if it is genuine.
///
/// # Errors
/// Those of the store.
pub(crate) fn genuine_confirm(
    repo: &Repo,
    session: SessionId,
) -> Result<Option<Confirm>, RepoError> {
    let name = ObjectName::Confirm(session);
    let read = get_control::<Confirm>(repo, &name, ControlKind::Confirm, |_| {
        signer(repo, session.client(), &WRITERS)
    });
    match read {
        Ok(confirm) => Ok(Some(confirm.record).filter(|record| record.session == session)),
        Err(error) if is_of_one_object(&error) => Ok(None),
        Err(error) => Err(error),
    }
}

/// Whether an enrolled client wrote a fence or final of this session.
fn is_genuine(
    repo: &Repo,
    name: &ObjectName,
    kind: ControlKind,
    session: SessionId,
) -> Result<bool, RepoError> {
    let read = get_control::<Fence>(repo, name, kind, |fence| match fence.by == session.client() {
        // Whoever opened a session may end it.
        true => client(repo, fence.by).map(|client| client.verifying_key),
        false => signer(repo, fence.by, &WRITERS),
    });
    match read {
        Ok(fence) => Ok(fence.record.session == session),
        // Nobody who is not enrolled can speak for anybody who is.
        Err(error) if is_of_one_object(&error) => Ok(false),
        Err(error) => Err(error),
    }
}

/// Whether only this flag is of no use: who has any key can put up one of a version, or of an epoch,
/// that there is not, and must not keep anybody from all other snapshots.
fn is_of_one_object(error: &RepoError) -> bool {
    matches!(error.class(), ErrorClass::Corrupt | ErrorClass::Missing | ErrorClass::Newer)
}
