//! Runs of backups, from what the store holds: their registrations, commits, fences.
//!
//! Nobody has to report a run. It registers before it reads anything, so that one that was cut off
//! or that failed shows as well as one that made a snapshot; a client that was off shows as nothing
//! and is found by its schedule. Periods go by the store's clock, which no client sets.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::DirBuilder;
use std::io::Write;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use engine::base::error::{Classified, ErrorClass};
use engine::base::id::SessionId;
use engine::base::time::Timestamp;
use engine::format::session::SessionKind;
use engine::format::snapshot::SnapshotState;
use engine::index::belief::Claims;
use engine::index::catalog::{Catalog, Committed};
use engine::repo::Repo;
use engine::repo::commits::{self, Flags};
use engine::repo::session::{read_registration, registered};

use crate::evidence::copy::{CopyError, FOLDER};
use crate::evidence::event::{BackupPopulation, Event};
use crate::evidence::population::{
    ROWS_MAX, RunOutcome, RunRow, read_runs, runs_root, runs_text, tally,
};
use crate::evidence::record::{Reference, SignedRecord, Writer};
use crate::evidence::shelf::{Author, Shelf, ShelfError, millis};

/// A population is recorded again after so long, with whatever run comes then.
pub const DUE_MS: i64 = 20 * 3_600_000;
/// Periods overlap by so much: the clocks of store and machine differ.
const OVERLAP_MS: i64 = 3_600_000;

/// Records the population since the last one of this chain, if that is older than `due_ms`.
///
/// # Errors
/// Those of the store and of local files.
pub fn record(
    shelf: &mut Shelf<'_>,
    repo: &Repo,
    catalog: &Catalog,
    state: &Path,
    author: &Author<'_>,
    due_ms: i64,
) -> Result<Option<Reference>, ShelfError> {
    let own = Writer(*author.identity.client.as_bytes());
    let last = last_of(shelf, own);
    let to_ms = millis(repo.clock().now());
    if last.as_ref().is_some_and(|(_, last)| to_ms - last.to_ms < due_ms) {
        return Ok(None);
    }
    let from_ms = last.as_ref().map_or(0, |(_, last)| last.to_ms);
    let before = last.and_then(|(at, _)| kept(state, at)).unwrap_or_default();
    let open = before.into_iter().filter(|row| row.outcome == RunOutcome::Open);
    let carried: BTreeSet<SessionId> = open.map(|row| SessionId::new(row.run)).collect();
    let rows = gather(repo, catalog, from_ms, &carried)?;
    let population = BackupPopulation {
        from_ms,
        to_ms,
        runs: rows.len() as u64,
        root: runs_root(&rows),
        outcomes: tally(&rows),
    };
    let record = shelf.append(author, &Event::BackupPopulation(population))?.reference();
    keep(state, record, &rows)?;
    Ok(Some(record))
}

/// The newest population of a chain.
fn last_of(shelf: &Shelf<'_>, own: Writer) -> Option<(Reference, BackupPopulation)> {
    let chain = shelf.chains().get(&own).map(Vec::as_slice).unwrap_or_default();
    chain.iter().rev().find_map(|one| match Event::decode(&one.record.event, &one.record.body) {
        Ok(Event::BackupPopulation(population)) => Some((one.reference(), population)),
        _ => None,
    })
}

/// All runs that the store heard of since `from_ms`, and those of `carried`, by their ids.
///
/// # Errors
/// Those of the store; [`ShelfError::TooMuch`] for more than [`ROWS_MAX`].
pub fn gather(
    repo: &Repo,
    catalog: &Catalog,
    from_ms: i64,
    carried: &BTreeSet<SessionId>,
) -> Result<Vec<RunRow>, ShelfError> {
    let since_ms = from_ms.saturating_sub(OVERLAP_MS);
    let is_new = |time: Option<Timestamp>| time.is_some_and(|time| millis(time) >= since_ms);
    select(repo, catalog, &|session, registered, flags| {
        is_new(registered)
            || is_new(flags.commits.values().max().copied())
            || carried.contains(&session)
    })
}

/// All runs that the store knows of and has no snapshot of, by their ids.
///
/// # Errors
/// As of [`gather`].
pub fn without_snapshot(repo: &Repo, catalog: &Catalog) -> Result<Vec<RunRow>, ShelfError> {
    let all = catalog.snapshots.iter().chain(&catalog.forgotten);
    let made: BTreeSet<SessionId> = all.map(|one| one.snapshot.session).collect();
    select(repo, catalog, &|session, _, _| !made.contains(&session))
}

type IsWanted<'a> = dyn Fn(SessionId, Option<Timestamp>, &Flags) -> bool + 'a;

fn select(
    repo: &Repo,
    catalog: &Catalog,
    is_wanted: &IsWanted<'_>,
) -> Result<Vec<RunRow>, ShelfError> {
    // Outcomes first: a session that is registered later is then open, never failed.
    let flags = commits::list_all(repo)?;
    let registered = registered(repo)?;
    let all = catalog.snapshots.iter().chain(&catalog.forgotten);
    let snapshots: BTreeMap<SessionId, &Committed> =
        all.map(|one| (one.snapshot.session, one)).collect();
    let sessions: BTreeSet<SessionId> = registered.keys().chain(flags.keys()).copied().collect();
    let mut rows = Vec::new();
    for session in sessions {
        let flags = flags.get(&session).cloned().unwrap_or_default();
        if !is_wanted(session, registered.get(&session).copied(), &flags) {
            continue;
        }
        let row = match snapshots.get(&session) {
            // One that was brought back is no run.
            Some(one) if one.believed_original().is_some() => None,
            Some(one) => Some(of_snapshot(one, &catalog.claims)),
            None => of_session(repo, session, &flags, &catalog.claims)?,
        };
        rows.extend(row);
        if rows.len() > ROWS_MAX {
            return Err(ShelfError::TooMuch { max_bytes: (ROWS_MAX * 128) as u64 });
        }
    }
    Ok(rows)
}

fn of_snapshot(one: &Committed, claims: &Claims) -> RunRow {
    let snapshot = &one.snapshot;
    RunRow {
        run: *snapshot.session.as_bytes(),
        system: claims.system_of(one),
        started_ms: millis(snapshot.started),
        finished_ms: Some(millis(snapshot.finished)),
        outcome: match snapshot.state {
            SnapshotState::Complete => RunOutcome::Ok,
            SnapshotState::CompleteWithNotes => RunOutcome::OkWithNotes,
            SnapshotState::Partial => RunOutcome::Partial,
        },
        files: snapshot.summary.entries,
        bytes: snapshot.summary.total_bytes,
        bytes_stored: snapshot.summary.bytes_stored,
        problems: snapshot.problem_count,
    }
}

/// A session without a snapshot, if it was a backup.
fn of_session(
    repo: &Repo,
    session: SessionId,
    flags: &Flags,
    claims: &Claims,
) -> Result<Option<RunRow>, ShelfError> {
    let (system, started_ms) = match read_registration(repo, session) {
        Ok(record) if record.kind != SessionKind::Backup => return Ok(None),
        Ok(record) => (record.host, millis(record.started)),
        // Collected meanwhile, or one whose record is damaged: of that its outcome is known.
        Err(error) if error.class() == ErrorClass::Missing && !flags.has_commit() => {
            return Ok(None);
        }
        Err(error) if matches!(error.class(), ErrorClass::Missing | ErrorClass::Corrupt) => {
            (String::new(), 0)
        }
        Err(error) => return Err(error.into()),
    };
    // With a commit and no snapshot: not confirmed yet, aborted, or a record that is damaged.
    let is_open = flags.finals.is_empty() && !flags.is_confirmed();
    Ok(Some(RunRow {
        run: *session.as_bytes(),
        system: claims.system_of_run(session.client(), &system),
        started_ms,
        finished_ms: None,
        outcome: if is_open { RunOutcome::Open } else { RunOutcome::Failed },
        files: 0,
        bytes: 0,
        bytes_stored: 0,
        problems: 0,
    }))
}

fn place(state: &Path, at: Reference) -> PathBuf {
    state.join(FOLDER).join("runs").join(format!("{}-{:08x}.csv", at.writer, at.number))
}

/// The runs of a population that this machine recorded, as text.
#[must_use]
pub fn kept_text(state: &Path, at: Reference) -> Option<Vec<u8>> {
    std::fs::read(place(state, at)).ok()
}

fn kept(state: &Path, at: Reference) -> Option<Vec<RunRow>> {
    read_runs(&kept_text(state, at)?)
}

/// The rows of all populations, the oldest first, as far as this machine has them and their records
/// vouch for them.
#[must_use]
pub fn recorded(shelf: &Shelf<'_>, state: &Path) -> Vec<(Reference, Vec<RunRow>)> {
    let of = |one: &&SignedRecord| {
        let event = Event::decode(&one.record.event, &one.record.body);
        let Ok(Event::BackupPopulation(population)) = event else { return None };
        let rows = kept(state, one.reference())?;
        (runs_root(&rows) == population.root).then(|| (one.reference(), rows))
    };
    shelf.records().iter().filter_map(of).collect()
}

fn keep(state: &Path, at: Reference, rows: &[RunRow]) -> Result<(), CopyError> {
    let path = place(state, at);
    let folder = state.join(FOLDER).join("runs");
    let write = || -> std::io::Result<()> {
        DirBuilder::new().recursive(true).mode(0o700).create(&folder)?;
        let mut file = tempfile::NamedTempFile::new_in(&folder)?;
        file.write_all(runs_text(rows).as_bytes())?;
        file.as_file().sync_all()?;
        file.persist(&path)?;
        Ok(())
    };
    write().map_err(CopyError::during("writing", &path))
}
