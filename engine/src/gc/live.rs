//! Which snapshots must stay: committed ones that nobody forgot, held ones, and pinned ones.
//!
//! The order of reading is part of the protocol: outcomes, then tombstones, then holds, then
//! registrations. A reader puts up its pin and then looks for a tombstone; whoever sees the
//! tombstone here looks for pins later still, and sees the pin.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use crate::base::error::{Classified, ErrorClass, in_one_line};
use crate::base::id::{ChunkId, ClientId, Digest, SessionId};
use crate::base::time::Timestamp;
use crate::format::session::{Session, SessionKind};
use crate::format::snapshot::Snapshot;
use crate::gc::error::GcError;
use crate::gc::sessions::{Outcome, outcomes};
use crate::index::belief::{Made, after_revocation};
use crate::index::catalog::{self, Committed};
use crate::index::{Index, IndexError, clients, marks};
use crate::repo::Repo;
use crate::repo::commits::{self, Standing};
use crate::repo::error::RepoError;
use crate::repo::session::read_registration;
use crate::repo::session::registered;
use crate::store::name::ObjectName;

/// The tree of a snapshot that must stay.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Root {
    pub(super) session: SessionId,
    pub(super) node: ChunkId,
    /// Whether somebody may rely on it: not on one that was made after its client was revoked.
    pub(super) is_promised: bool,
}

impl Root {
    /// For people.
    pub(super) fn describe(&self) -> String {
        format!("snapshot {}", &self.session.to_snapshot_hex()[..8])
    }
}

/// What one reading of the store says about sessions.
#[derive(Debug, Default)]
pub(super) struct Living {
    /// Snapshots that must stay.
    pub(super) roots: BTreeSet<Root>,
    /// Forgotten snapshots.
    pub(super) forgotten: Vec<Root>,
    /// Snapshots of each client, newest first.
    pub(super) by_client: BTreeMap<ClientId, Vec<SessionId>>,
    /// Sessions with a commit; and with a genuine final, as far as that matters.
    pub(super) decided: HashSet<SessionId>,
    /// Aborted sessions, and when the newest flag of each arrived.
    pub(super) aborted: BTreeMap<SessionId, Outcome>,
    /// Registered sessions, with the time of their registration.
    pub(super) registered: BTreeMap<SessionId, Timestamp>,
    /// Clients that were revoked.
    pub(super) revoked: HashSet<ClientId>,
    /// The newest time that the store gave any of these objects.
    pub(super) store_now: Timestamp,
}

/// Reads who lives. `carried` are sessions that an earlier look saw as committed: one that is not
/// there any more stops everything. `owners` are sessions of which it matters whether they have
/// decided, beside the registered ones.
pub(super) fn read(
    repo: &Repo,
    index: &Index,
    carried: &BTreeSet<SessionId>,
    owners: &HashSet<SessionId>,
) -> Result<Living, GcError> {
    let mut living = Living::default();
    let outcomes = outcomes(repo)?;
    let committed = read_commits(repo, index, &outcomes, &mut living)?;
    if let Some(gone) = carried.iter().find(|session| !living.decided.contains(session)) {
        let key = ObjectName::commit_of(*gone);
        return Err(GcError::RolledBack { why: format!("{key} was there a moment ago") });
    }
    let marks = marks::read(repo, index)?;
    if let Some(obstacle) = marks.obstacle() {
        return Err(GcError::RolledBack { why: obstacle });
    }
    living.registered = registered(repo)?;
    for (session, outcome) in outcomes.iter().filter(|(_, outcome)| !outcome.flags.has_commit()) {
        let matters = living.registered.contains_key(session) || owners.contains(session);
        if matters && commits::has_genuine_final(repo, *session, &outcome.flags)? {
            living.decided.insert(*session);
            living.aborted.insert(*session, outcome.clone());
        }
    }
    // After everything that they could have put up before.
    let clients = clients::read(repo, index)?;
    living.revoked = clients.revoked();
    let late = after_revocation(&clients, &committed.made);
    refuse_rollback(index, &committed, &living, (&marks, &late))?;
    let pinned = pinned(repo, &living)?;
    for (session, commit) in committed.records {
        let is_forgotten = marks.is_forgotten(session) && !pinned.contains(&session);
        let of_client = living.by_client.entry(session.client()).or_default();
        if of_client.last() != Some(&session) && !late.contains(&session) {
            of_client.push(session);
        }
        match commit {
            Ok(snapshot) => {
                let is_promised = !late.contains(&session);
                let root = Root { session, node: snapshot.root, is_promised };
                match is_forgotten {
                    true => living.forgotten.push(root),
                    false => drop(living.roots.insert(root)),
                }
            }
            // What it needs is unknown; somebody who forgets it says that it needs nothing.
            Err(_) if is_forgotten => {}
            Err(error) => {
                let what = ObjectName::commit_of(session);
                return Err(GcError::Unsure { what, why: in_one_line(&error) });
            }
        }
    }
    for snapshots in living.by_client.values_mut() {
        snapshots.sort_by_key(|session| std::cmp::Reverse(session.sequence()));
    }
    let times = outcomes.values().map(|outcome| outcome.newest);
    living.store_now = times.chain(living.registered.values().copied()).max().unwrap_or_default();
    Ok(living)
}

/// The records of all sessions that are committed and not aborted, confirmed or not.
#[derive(Default)]
struct Commits {
    records: Vec<(SessionId, Result<Snapshot, RepoError>)>,
    /// Hashes of all commit objects that could be read.
    digests: HashSet<Digest>,
    /// What revocations are compared with.
    made: Vec<Made>,
}

fn read_commits(
    repo: &Repo,
    index: &Index,
    outcomes: &BTreeMap<SessionId, Outcome>,
    living: &mut Living,
) -> Result<Commits, GcError> {
    let mut commits = Commits::default();
    for (session, outcome) in outcomes.iter().filter(|(_, outcome)| outcome.flags.has_commit()) {
        living.decided.insert(*session);
        let mut lives = false;
        // Of several commits all live until one is confirmed.
        for random in outcome.flags.commits.keys() {
            match catalog::load(repo, index, (*session, *random), &outcome.flags) {
                Ok(one) => {
                    commits.made.push(Made::of(&one));
                    let Committed { snapshot, digest, .. } = one;
                    commits.digests.insert(digest);
                    match commits::standing(repo, *session, &outcome.flags, &digest)? {
                        Standing::Confirmed | Standing::Open => {
                            commits.records.push((*session, Ok(snapshot)));
                            lives = true;
                        }
                        Standing::Aborted => {}
                    }
                }
                Err(IndexError::Repo(error)) if is_of_one_object(&error) => {
                    if commits::is_beside_confirmed(repo, *session, *random, &outcome.flags)? {
                        continue;
                    }
                    commits.records.push((*session, Err(error)));
                    lives = true;
                }
                Err(error) => return Err(error.into()),
            }
        }
        if !lives {
            living.aborted.insert(*session, outcome.clone());
        }
    }
    Ok(commits)
}

fn is_of_one_object(error: &RepoError) -> bool {
    matches!(error.class(), ErrorClass::Corrupt | ErrorClass::Newer | ErrorClass::Missing)
}

/// Snapshots that readers which have not ended keep alive.
fn pinned(repo: &Repo, living: &Living) -> Result<HashSet<SessionId>, GcError> {
    let mut pinned = HashSet::new();
    for session in living.registered.keys().filter(|session| !living.decided.contains(session)) {
        if let Some(record) = reader(repo, *session)? {
            pinned.extend(record.pinned);
        }
    }
    Ok(pinned)
}

/// The registration of a session that only reads; `None` for every other kind, and for one that
/// cannot be read: whoever cannot say that it only reads is waited for.
pub(super) fn reader(repo: &Repo, session: SessionId) -> Result<Option<Session>, GcError> {
    match read_registration(repo, session) {
        Ok(record) if record.kind == SessionKind::Read => Ok(Some(record)),
        Ok(_) => Ok(None),
        Err(error) if is_of_one_object(&error) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// A snapshot that this machine, or any snapshot, has seen and that is gone without a tombstone:
/// the store shows less than it has, and so may hide what is needed.
fn refuse_rollback(
    index: &Index,
    committed: &Commits,
    living: &Living,
    (marks, late): (&marks::Marks, &HashSet<SessionId>),
) -> Result<(), GcError> {
    let is_known =
        |session: &SessionId| living.decided.contains(session) || marks.tombs.contains_key(session);
    let gone = |session: &SessionId, who: &str| {
        let key = ObjectName::commit_of(*session);
        GcError::RolledBack { why: format!("{who} has seen {key}, which is not there any more") }
    };
    if let Some(session) = index.kept_snapshots()?.iter().find(|session| !is_known(session)) {
        return Err(gone(session, "this machine"));
    }
    let buried: HashSet<Digest> = marks.tombs.values().map(|tomb| tomb.commit).collect();
    let records = || committed.records.iter().map(|(_, record)| record);
    let unread = || committed.records.iter().filter(|(_, record)| record.is_err());
    // What cannot be read may be what the next one of its client was made after.
    let is_explained = |later: SessionId| {
        let is_earlier = |session: &SessionId| {
            session.client() == later.client() && session.sequence() < later.sequence()
        };
        unread().any(|(session, _)| is_earlier(session))
    };
    // What a client says that was revoked before stops nobody.
    let counting = records().flatten().filter(|snapshot| !late.contains(&snapshot.session));
    for snapshot in counting {
        if let Some(session) = snapshot.seen.iter().find(|session| !is_known(session)) {
            return Err(gone(session, "another client"));
        }
        let knows = |digest: &Digest| committed.digests.contains(digest) || buried.contains(digest);
        let is_gone = snapshot.previous.is_some_and(|previous| !knows(&previous));
        if is_gone && !is_explained(snapshot.session) {
            let key = ObjectName::commit_of(snapshot.session);
            let why = format!("the snapshot that {key} was made after is not there any more");
            return Err(GcError::RolledBack { why });
        }
    }
    Ok(())
}
