//! The snapshots of a repository: listed from the store, records kept in the index.
//!
//! A record never changes, so one that was read and verified once is not read again. Which
//! sessions are snapshots is decided by the listing alone, each time anew; but one that was there
//! before and is gone without a tombstone stays known as missing: a store that hides a snapshot, or
//! that was put back to an older state, cannot be told from a healthy one by what it shows.

use std::collections::{BTreeSet, HashSet};

use crate::base::id::{Nonce8, SessionId};
use crate::format::envelope::{decode_record, encode_record};
use crate::format::snapshot::Snapshot;
pub use crate::index::belief::Committed;
use crate::index::belief::{self, Claims};
use crate::index::clients;
use crate::index::fetch::{Kind, costs_only_itself, fetch_all};
use crate::index::identity::newest_written;
use crate::index::marks::{self, Marks, TagChanges};
use crate::index::{Index, IndexError};
use crate::repo::Repo;
use crate::repo::commits::{self, Flags, Standing};
use crate::repo::error::RepoError;

/// All snapshots, oldest first, and those whose records cannot be read.
#[derive(Debug, Default)]
pub struct Catalog {
    /// Confirmed snapshots by the time they were started. [`live`] takes the forgotten ones out.
    pub snapshots: Vec<Committed>,
    /// Confirmed snapshots that are forgotten, as far as they were told apart.
    pub forgotten: Vec<Committed>,
    /// Commits that are there and cannot be used, without those that are known to be forgotten.
    pub damaged: Vec<(SessionId, RepoError)>,
    /// Sessions with a commit that is not confirmed yet.
    pub unconfirmed: Vec<SessionId>,
    /// Snapshots that this machine has seen or written and that are gone, though nobody forgot
    /// them.
    pub missing: Vec<SessionId>,
    /// Whose they are, and who may say so.
    pub claims: Claims,
}

impl Catalog {
    /// Takes the forgotten ones out of the snapshots.
    pub fn set_apart_forgotten(&mut self, marks: &Marks) {
        let all = std::mem::take(&mut self.snapshots);
        for one in all {
            match marks.is_forgotten(one.snapshot.session) {
                true => self.forgotten.push(one),
                false => self.snapshots.push(one),
            }
        }
        // Whoever forgot one that cannot be used knows that.
        self.damaged.retain(|(session, _)| !marks.is_forgotten(*session));
    }

    /// Puts the tags in force in place of those that the records bear.
    pub fn apply(&mut self, changes: &TagChanges) {
        for one in self.snapshots.iter_mut().chain(&mut self.forgotten) {
            one.snapshot.tags = changes.of(one.snapshot.session, &one.snapshot.tags);
        }
    }
}

/// Lists the snapshots, and the forgotten ones apart.
///
/// # Errors
/// Those of [`snapshots`] and of [`marks::read_forgotten`].
pub fn live(repo: &Repo, index: &Index) -> Result<Catalog, IndexError> {
    std::thread::scope(|scope| {
        // What was forgotten before this began is seen to be, whichever listing is answered first.
        let marks = scope.spawn(|| marks::read_forgotten(repo, index));
        let catalog = snapshots(repo, index);
        let marks = marks.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        let mut catalog = catalog?;
        catalog.set_apart_forgotten(&marks?);
        Ok(catalog)
    })
}

/// All snapshots with the tags in force, the forgotten ones apart, and what people decided.
///
/// # Errors
/// Those of [`snapshots`], [`marks::read`] and [`TagChanges::read`].
pub fn marked(repo: &Repo, index: &Index) -> Result<(Catalog, Marks), IndexError> {
    let (catalog, marks, changes) = std::thread::scope(|scope| {
        // As in `live`.
        let marks = scope.spawn(|| marks::read(repo, index));
        let changes = scope.spawn(|| TagChanges::read(repo, index));
        let catalog = snapshots(repo, index);
        let marks = marks.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        let changes = changes.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        (catalog, marks, changes)
    });
    let (mut catalog, marks) = (catalog?, marks?);
    catalog.set_apart_forgotten(&marks);
    catalog.apply(&changes?);
    Ok((catalog, marks))
}

/// Lists the snapshots, forgotten or not.
///
/// # Errors
/// Those of the store and of the database; damaged records are part of the result.
pub fn snapshots(repo: &Repo, index: &Index) -> Result<Catalog, IndexError> {
    let mut catalog = Catalog::default();
    let mut seen = HashSet::new();
    let listed = commits::list_all(repo)?;
    let only = |(session, flags): (&SessionId, &Flags)| match flags.commits.len() {
        1 => flags.commits.keys().next().map(|random| (*session, *random)),
        _ => None,
    };
    fetch_unknown(repo, index, listed.iter().filter_map(only))?;
    for (session, mut flags) in listed {
        if !flags.has_commit() {
            continue;
        }
        if !flags.confirm {
            // A listing in no order may have passed a fence before the commit came: only one that
            // begins after the commit was seen can tell that there is none.
            flags = commits::list_one(repo, session)?;
        }
        seen.insert(session);
        let Some(random) = commits::meant(repo, session, &flags)? else {
            catalog.unconfirmed.push(session);
            continue;
        };
        match load(repo, index, (session, random), &flags) {
            Ok(committed) => match commits::standing(repo, session, &flags, &committed.digest)? {
                Standing::Confirmed => catalog.snapshots.push(committed),
                Standing::Open => catalog.unconfirmed.push(session),
                Standing::Aborted => {}
            },
            Err(IndexError::Repo(error)) if costs_only_itself(&error) => {
                catalog.damaged.push((session, error));
            }
            Err(error) => return Err(error),
        }
    }
    catalog.missing = missing(repo, index, seen)?;
    // After the snapshots were listed: a revocation that was there before one of them is seen.
    catalog.claims = belief::judge(clients::read(repo, index)?, &mut catalog.snapshots);
    catalog.snapshots.sort_by_key(|one| (one.snapshot.started, one.snapshot.session));
    Ok(catalog)
}

/// Reads the records that this machine does not have, many at once. Those that cannot be read are
/// met again one by one.
fn fetch_unknown(
    repo: &Repo,
    index: &Index,
    committed: impl Iterator<Item = (SessionId, Nonce8)>,
) -> Result<(), IndexError> {
    let kept = index.kept_snapshots()?;
    let unknown: Vec<_> = committed.filter(|(session, _)| !kept.contains(session)).collect();
    let read = |(session, random): &(SessionId, Nonce8)| commits::read(repo, *session, *random);
    fetch_all(repo, Kind::Records, &unknown, read, |(session, _), fetched| match fetched {
        Ok(stored) => index.put_snapshot(session, stored.digest, &encode_record(&stored.record)),
        Err(error) if costs_only_itself(&error) => Ok(()),
        Err(error) => Err(error.into()),
    })
}

/// What was known and is not in `seen`; what was forgotten on purpose is dropped from the index.
fn missing(
    repo: &Repo,
    index: &Index,
    mut seen: HashSet<SessionId>,
) -> Result<Vec<SessionId>, IndexError> {
    let mut known = index.kept_snapshots()?;
    known.extend(newest_written(index)?);
    let mut missing: Vec<_> = known.difference(&seen).copied().collect();
    if !missing.is_empty() {
        let accepted = accepted(index)?;
        missing.retain(|session| !accepted.contains(session));
    }
    if missing.is_empty() {
        return Ok(missing);
    }
    let marks = marks::read_forgotten(repo, index)?;
    missing.retain(|session| !marks.is_forgotten(*session));
    missing.sort_unstable();
    seen.extend(&missing);
    index.drop_snapshots_except(&seen)?;
    Ok(missing)
}

/// The setting with the snapshots whose loss somebody has accepted.
const SETTING_ACCEPTED: &str = "accepted losses";

/// From now on these are not missing any more: somebody knows that the store was put back.
///
/// # Errors
/// Those of the database.
pub fn accept_missing(index: &Index, missing: &[SessionId]) -> Result<(), IndexError> {
    let mut all = accepted(index)?;
    all.extend(missing);
    let bytes: Vec<u8> = all.iter().flat_map(|session| *session.as_bytes()).collect();
    index.set_setting(SETTING_ACCEPTED, &bytes)
}

fn accepted(index: &Index) -> Result<BTreeSet<SessionId>, IndexError> {
    let bytes = index.setting(SETTING_ACCEPTED)?.unwrap_or_default();
    let (ids, _) = bytes.as_chunks::<{ SessionId::LEN }>();
    Ok(ids.iter().map(|id| SessionId::new(*id)).collect())
}

/// The record of a commit, from the index or from the store, verified. Of a session with several
/// commits the index does not say which one it has kept.
pub(crate) fn load(
    repo: &Repo,
    index: &Index,
    (session, random): (SessionId, Nonce8),
    flags: &Flags,
) -> Result<Committed, IndexError> {
    let committed = flags.commits.get(&random).copied().unwrap_or_default();
    let standing = (committed, flags.confirm);
    if let Some((digest, record)) = index.snapshot(session)?.filter(|_| flags.commits.len() == 1) {
        // A record that does not decode any more was kept by another version: read it again.
        // One that another key read lacks what this key may read.
        let may_open = |snapshot: &Snapshot| snapshot.is_sealed() && repo.keys().tree().is_ok();
        if let Ok(snapshot) = decode_record::<Snapshot>(&record, "snapshot record")
            && !may_open(&snapshot)
        {
            return Ok(Committed::new(snapshot, digest, standing));
        }
    }
    let stored = commits::read(repo, session, random)?;
    index.put_snapshot(session, stored.digest, &encode_record(&stored.record))?;
    Ok(Committed::new(stored.record, stored.digest, standing))
}
