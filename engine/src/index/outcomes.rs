//! What became of runs, in the store: written by whoever ran, read by whoever watches, and folded so
//! that there are never many of them.

use std::collections::{BTreeMap, HashSet};

use crate::base::id::{ClientId, Digest, Nonce8};
use crate::base::limits::{RUNS_FOLDED_AT_ONCE, RUNS_FOLDED_MAX};
use crate::base::time::Timestamp;
use crate::format::history::{FoldRecord, FoldedRun};
use crate::format::machine::{LastRecord, RunRecord};
use crate::index::belief::Claims;
use crate::index::clients::{Clients, refuse};
use crate::index::fetch::{Kind, costs_only_itself, fetch_all};
use crate::index::{Index, IndexError, clients};
use crate::repo::Repo;
use crate::repo::error::RepoError;
use crate::repo::keyring::Identity;
use crate::repo::{history, machine};
use crate::store::name::{ObjectName, prefix};

/// What became of runs, as far as it can be read.
#[derive(Debug, Clone, Default)]
pub struct Outcomes {
    /// Runs whose records are there, by the time at which they began.
    pub runs: Vec<RunRecord>,
    /// Older ones, of which only the outcome is known; by client and number.
    pub folded: Vec<FoldedRun>,
    /// Keys of records that cannot be read, each with the reason.
    pub unreadable: Vec<(String, String)>,
    /// How many records were passed over because their writer was revoked before, or may not speak for
    /// the host that they name.
    pub refused: u64,
}

/// A record that is listed.
#[derive(Debug, Clone, Copy)]
struct Found {
    name: ObjectName,
    writer: ClientId,
    number: u32,
    hour: u32,
    received: Timestamp,
}

/// Reads what became of runs that began in the hour of `since` or later; what was folded comes whole.
/// `claims` say who may speak for which host.
///
/// # Errors
/// Those of the store.
pub fn read(repo: &Repo, claims: &Claims, since: Timestamp) -> Result<Outcomes, IndexError> {
    let speaks = |client, host: Option<&String>| host.is_none_or(|it| claims.may_name(client, it));
    let from = hour_of(since);
    let listed: Vec<Found> = list(repo)?.into_iter().filter(|run| run.hour >= from).collect();
    let mut outcomes = Outcomes::default();
    let get = |found: &Found| machine::get_run(repo, &found.name).map(|(run, _)| run);
    fetch_all(repo, Kind::Records, &listed, get, |found, run| {
        match run {
            Ok(run)
                if counts(claims.clients(), run.client, found.received)
                    && speaks(run.client, run.host.as_ref()) =>
            {
                outcomes.runs.push(run);
            }
            Ok(_) => outcomes.refused += 1,
            // It was folded meanwhile.
            Err(error) if is_gone(&error) => {}
            Err(error) if costs_only_itself(&error) => {
                outcomes.unreadable.push((found.name.key(), error.to_string()));
            }
            Err(error) => return Err(error.into()),
        }
        Ok(())
    })?;
    let (folded, unreadable) = folds(repo)?;
    outcomes.unreadable.extend(unreadable);
    let folded = union(folded.values()).into_values();
    outcomes.folded = folded.filter(|run| speaks(run.client, run.host.as_ref())).collect();
    outcomes.runs = without_repetitions(std::mem::take(&mut outcomes.runs));
    Ok(outcomes)
}

/// Whoever was killed while recording says the same once more. Sorted by when they began.
fn without_repetitions(mut runs: Vec<RunRecord>) -> Vec<RunRecord> {
    runs.sort_by_key(|run| (run.begun, run.client, run.number));
    let mut seen = HashSet::new();
    runs.retain(|run| {
        let (job, host, source) = (run.job.clone(), run.host.clone(), run.source.clone());
        seen.insert((run.client, job, host, source, run.due, run.begun, run.ended))
    });
    runs
}

fn hour_of(at: Timestamp) -> u32 {
    u32::try_from(at.seconds.div_euclid(3600)).unwrap_or_default()
}

fn is_gone(error: &RepoError) -> bool {
    use crate::base::error::{Classified, ErrorClass};
    error.class() == ErrorClass::Missing
}

/// Whether a record says something: of a client that was not revoked before the store received it.
fn counts(clients: &Clients, client: ClientId, received: Timestamp) -> bool {
    let is_revoked = clients.endings(client).iter().any(|ending| ending.received <= received);
    clients.get(client).is_some() && !is_revoked
}

fn list(repo: &Repo) -> Result<Vec<Found>, IndexError> {
    let mut found = Vec::new();
    repo.store()
        .list_each(prefix::RUNS, &mut |object| {
            if let Some(name @ ObjectName::Run { hour, writer, number, .. }) = object.name {
                let received = object.modified;
                found.push(Found { name, writer, number, hour, received });
            }
            true
        })
        .map_err(RepoError::from)?;
    Ok(found)
}

/// All folded history that is there and genuine, and what cannot be read of it.
type Folds = (BTreeMap<(u32, Nonce8), FoldRecord>, Vec<(String, String)>);

fn folds(repo: &Repo) -> Result<Folds, IndexError> {
    let mut names = Vec::new();
    repo.store()
        .list_each(prefix::FOLDS, &mut |object| {
            if let Some(ObjectName::Fold { number, random }) = object.name {
                names.push((number, random));
            }
            true
        })
        .map_err(RepoError::from)?;
    let (mut found, mut unreadable) = (BTreeMap::new(), Vec::new());
    for (number, random) in names {
        let name = ObjectName::Fold { number, random };
        match history::get_fold(repo, &name) {
            Ok(stored) => {
                found.insert((number, random), stored.record);
            }
            Err(error) if is_gone(&error) => {}
            Err(error) if costs_only_itself(&error) => {
                unreadable.push((name.key(), error.to_string()));
            }
            Err(error) => return Err(error.into()),
        }
    }
    Ok((found, unreadable))
}

/// Runs of all folded history: two that fold at once know different ones.
fn union<'a>(
    folds: impl IntoIterator<Item = &'a FoldRecord>,
) -> BTreeMap<(ClientId, u32), FoldedRun> {
    let runs = folds.into_iter().flat_map(|fold| &fold.runs);
    runs.map(|run| ((run.client, run.record.number), run.clone())).collect()
}

/// Records runs, in this order, each with its client, its number and the hash of the one before.
///
/// Where the chain stands is read from the store: a state folder that is lost or copied makes no
/// number twice on purpose, and where two machines use one key both records are there.
///
/// # Errors
/// [`RepoError::Revoked`] for a client that was ended; errors of store and database. What was
/// recorded before stays: `done` is told of each.
pub fn record(
    repo: &Repo,
    index: &Index,
    identity: &Identity,
    runs: Vec<RunRecord>,
    done: &mut dyn FnMut(usize),
) -> Result<(), IndexError> {
    refuse(&clients::endings_of(repo, index, identity.client)?)?;
    let mut last = last_of(repo, identity)?;
    for (place, run) in runs.into_iter().enumerate() {
        let number = last.map_or(0, |last| last.number.saturating_add(1));
        let previous = last.and_then(|last| last.hash);
        let run = RunRecord { client: identity.client, number, previous, ..run };
        let hash = machine::put_run(repo, identity, &run)?;
        last = Some(Last { number, hash: Some(hash) });
        done(place);
    }
    Ok(())
}

#[derive(Clone, Copy)]
struct Last {
    number: u32,
    hash: Option<Digest>,
}

/// The newest record of the own chain.
fn last_of(repo: &Repo, own: &Identity) -> Result<Option<Last>, IndexError> {
    let listed = list(repo)?;
    let mine = listed.iter().filter(|run| run.writer == own.client);
    if let Some(found) = mine.max_by_key(|run| (run.number, run.received)) {
        // One that cannot be read leaves a gap that shows, and keeps nobody from going on.
        let hash = match machine::get_run(repo, &found.name) {
            Ok((_, hash)) => Some(hash),
            Err(error) if costs_only_itself(&error) => None,
            Err(error) => return Err(error.into()),
        };
        return Ok(Some(Last { number: found.number, hash }));
    }
    let (folds, _) = folds(repo)?;
    let runs = union(folds.values());
    let last = runs.range((own.client, 0)..=(own.client, u32::MAX)).next_back();
    Ok(last.map(|((_, number), run)| Last { number: *number, hash: Some(run.record.hash) }))
}

/// Folds runs that began before an instant into one record and removes theirs; answers how many.
///
/// The new record is written before anything is removed, and each record is removed only if it stands
/// in the new one, so that a run that is killed has lost nothing.
///
/// # Errors
/// [`RepoError::Denied`] for roles that may not fold; errors of store and database.
pub fn fold(
    repo: &Repo,
    index: &Index,
    identity: &Identity,
    before: Timestamp,
) -> Result<u64, IndexError> {
    let until = hour_of(before);
    let mut old: Vec<Found> = list(repo)?.into_iter().filter(|run| run.hour < until).collect();
    if old.len() < RUNS_FOLDED_AT_ONCE {
        return Ok(0);
    }
    old.sort_by_key(|run| (run.hour, run.writer, run.number));
    let clients = clients::read(repo, index)?;
    let (folds, _) = folds(repo)?;
    let mut runs = union(folds.values());
    let (mut removable, mut failed) = (Vec::new(), None);
    let get = |found: &Found| machine::get_run(repo, &found.name);
    fetch_all(repo, Kind::Records, &old, get, |found, read| {
        match read {
            Ok((run, hash)) => {
                if counts(&clients, run.client, found.received) {
                    // Two records of one number are both kept as they are.
                    if runs.contains_key(&(run.client, run.number)) {
                        return Ok(());
                    }
                    runs.insert((run.client, run.number), folded(run, hash));
                }
                removable.push(found.name);
            }
            // What cannot be read stays, and `check` names it.
            Err(error) if costs_only_itself(&error) => {}
            Err(error) => failed = Some(error),
        }
        Ok(())
    })?;
    if let Some(error) = failed {
        return Err(error.into());
    }
    let number = folds.keys().map(|(number, _)| number + 1).max().unwrap_or_default();
    let record = FoldRecord {
        by: identity.client,
        number,
        at: repo.clock().now(),
        replaces: folds.keys().copied().collect(),
        sessions: Vec::new(),
        runs: newest_runs(runs.into_values().collect()),
        revoked: Vec::new(),
        evidence: Vec::new(),
    };
    // Where nothing may be deleted, folded history would only add up with each run.
    let nobody = Nonce8::new([0; 8]);
    let probe = ObjectName::Run { hour: 0, writer: identity.client, number: 0, random: nobody };
    repo.store().delete(&probe).map_err(RepoError::from)?;
    history::put_fold(repo, identity, &record)?;
    for name in &removable {
        repo.store().delete(name).map_err(RepoError::from)?;
        repo.store().remove_empty_folder(name);
    }
    for (number, random) in folds.keys() {
        let name = ObjectName::Fold { number: *number, random: *random };
        repo.store().delete(&name).map_err(RepoError::from)?;
    }
    Ok(removable.len() as u64)
}

fn folded(run: RunRecord, hash: Digest) -> FoldedRun {
    FoldedRun {
        client: run.client,
        record: LastRecord { number: run.number, hash },
        outcome: run.outcome,
        begun: run.begun,
        ended: run.ended,
        job: run.job,
        host: run.host,
        source: run.source,
    }
}

/// The newest, as many as a record may have, in the order of the format.
fn newest_runs(mut runs: Vec<FoldedRun>) -> Vec<FoldedRun> {
    if runs.len() > RUNS_FOLDED_MAX {
        runs.sort_by_key(|run| std::cmp::Reverse(run.begun));
        runs.truncate(RUNS_FOLDED_MAX);
        runs.sort_by_key(|run| (run.client, run.record.number));
    }
    runs
}
