//! The flags around commits: which sessions became snapshots. See `docs/GC.md`.
//!
//! *committed* = commit and no final. *confirmed* = `.ok`, or one listing that shows a commit and
//! no fence. Only confirmed snapshots are listed, serve as parents, and are counted.

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
    /// `.commit` is there.
    pub commit: bool,
    /// When the store received the commit, by the store's clock; only for people and retention.
    pub committed: Option<Timestamp>,
    /// `.ok` is there.
    pub confirm: bool,
    /// Fences.
    pub fences: Vec<Nonce8>,
    /// Finals.
    pub finals: Vec<Nonce8>,
}

impl Flags {
    /// Whether somebody tried to abort the session.
    #[must_use]
    pub fn is_contested(&self) -> bool {
        !self.fences.is_empty() || !self.finals.is_empty()
    }

    /// Whether, by this listing alone, the session is a snapshot that cannot be aborted any more.
    #[must_use]
    pub fn is_confirmed(&self) -> bool {
        self.commit && (self.confirm || !self.is_contested())
    }

    pub(crate) fn note(&mut self, name: &ObjectName, modified: Timestamp) {
        match name {
            ObjectName::Commit(_) => {
                self.commit = true;
                self.committed = Some(modified);
            }
            ObjectName::Confirm(_) => self.confirm = true,
            ObjectName::Fence(_, random) => self.fences.push(*random),
            ObjectName::Final(_, random) => self.finals.push(*random),
            _ => {}
        }
    }
}

pub(crate) fn session_of(name: &ObjectName) -> Option<SessionId> {
    match name {
        ObjectName::Commit(session)
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
        let name = ObjectName::parse(&object.key);
        if let Some((name, session)) = name.and_then(|name| Some((name, session_of(&name)?))) {
            sessions.entry(session).or_default().note(&name, object.modified);
        }
        true
    })?;
    Ok(sessions)
}

/// Reads and verifies a snapshot record.
///
/// # Errors
/// [`RepoError::Corrupt`] if it is damaged, forged or of another session; errors of the store. Root,
/// problems and details are in it if the key in use may read names.
pub fn read(repo: &Repo, session: SessionId) -> Result<Stored<Snapshot>, RepoError> {
    let name = ObjectName::Commit(session);
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
    let record = private::open(repo, &name, stored.record)?;
    Ok(Stored { record, digest: stored.digest })
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
    if !flags.is_contested() || (flags.confirm && has_genuine_confirm(repo, session, commit)?) {
        return Ok(Standing::Confirmed);
    }
    if has_genuine_final(repo, session, flags)? {
        return Ok(Standing::Aborted);
    }
    for random in &flags.fences {
        let name = ObjectName::Fence(session, *random);
        if is_genuine(repo, &name, ControlKind::Fence, session)? {
            return Ok(Standing::Open);
        }
    }
    Ok(Standing::Confirmed)
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

/// Whether the confirmation of a session is genuine and names this commit object.
///
/// # Errors
/// Those of the store.
pub(crate) fn has_genuine_confirm(
    repo: &Repo,
    session: SessionId,
    commit: &Digest,
) -> Result<bool, RepoError> {
    let name = ObjectName::Confirm(session);
    let read = get_control::<Confirm>(repo, &name, ControlKind::Confirm, |_| {
        signer(repo, session.client(), &WRITERS)
    });
    match read {
        Ok(confirm) => Ok(confirm.record.session == session && confirm.record.commit == *commit),
        Err(error) if matches!(error.class(), ErrorClass::Corrupt | ErrorClass::Missing) => {
            Ok(false)
        }
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
        Err(error) if matches!(error.class(), ErrorClass::Corrupt | ErrorClass::Missing) => {
            Ok(false)
        }
        Err(error) => Err(error),
    }
}
