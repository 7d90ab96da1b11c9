//! Facts, read from a store: its catalog and its evidence.

use std::collections::BTreeMap;
use std::path::Path;

use engine::base::error::{Classified, ErrorClass};
use engine::base::id::SessionId;
use engine::base::time::Timestamp;
use engine::format::machine::{RunOutcome, RunRecord};
use engine::format::snapshot::SnapshotState;
use engine::index::catalog::{Catalog, Committed};
use engine::index::{IndexError, outcomes};
use engine::repo::Repo;

use crate::evidence::drill_event::Outcome;
use crate::evidence::event::Event;
use crate::evidence::record::to_hex;
use crate::evidence::shelf::{Shelf, ShelfError, millis};
use crate::fleet::facts::{
    CheckFact, DrillFact, Facts, OutcomeFact, PointFact, PointState, RunEnd, SystemName,
};

/// The tag by which a source marks its snapshots.
const SOURCE: &str = "source=";
/// The tag of a snapshot that is not believed.
const SUSPICIOUS: &str = "suspicious";

/// Runs that began so long ago are of no interest: by now another one was due.
const RUNS_BACK_S: i64 = 26 * 3600;
/// The job whose outcomes count.
const BACKUP: &str = "backup";

/// Why facts cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// Evidence.
    #[error(transparent)]
    Shelf(#[from] ShelfError),
    /// How runs ended.
    #[error(transparent)]
    Index(#[from] IndexError),
}

impl Classified for ReadError {
    fn class(&self) -> ErrorClass {
        match self {
            Self::Shelf(error) => error.class(),
            Self::Index(error) => error.class(),
        }
    }
}

impl Facts {
    /// Reads them. The catalog has been read, so that this costs the evidence and the newest runs.
    ///
    /// # Errors
    /// Those of the store and of local files.
    pub fn read(repo: &Repo, state: &Path, catalog: &Catalog) -> Result<Self, ReadError> {
        let mut facts = Self::of_catalog(catalog);
        let now = repo.clock().now();
        let since = Timestamp { seconds: now.seconds - RUNS_BACK_S, nanos: 0 };
        facts.take_runs(&outcomes::read(repo, &catalog.claims, since)?.runs);
        let shelf = Shelf::open(repo, state)?;
        let systems: BTreeMap<[u8; 24], String> = catalog
            .snapshots
            .iter()
            .chain(&catalog.forgotten)
            .map(|one| (*one.snapshot.session.as_bytes(), catalog.claims.system_of(one)))
            .collect();
        for one in shelf.records() {
            let record = one.reference().to_string();
            match Event::decode(&one.record.event, &one.record.body) {
                Ok(Event::Drill(drill)) => {
                    let host = systems.get(&drill.snapshot).unwrap_or(&drill.system);
                    facts.drills.entry(host.clone()).or_default().push(DrillFact {
                        at_s: drill.finished_ms.div_euclid(1000),
                        is_passed: drill.outcome == Outcome::Passed,
                        is_failed: drill.outcome == Outcome::Failed,
                        record,
                        snapshot: SessionId::new(drill.snapshot).to_snapshot_hex(),
                    });
                }
                Ok(Event::Check(check)) => facts.checks.push(CheckFact {
                    at_s: one.record.at_ms.div_euclid(1000),
                    damaged: check.damaged,
                    is_complete: check.outcome != Outcome::NotProved,
                    record,
                }),
                Ok(Event::Rotation(rotation)) => facts.checks.push(CheckFact {
                    at_s: rotation.finished_ms.div_euclid(1000),
                    damaged: rotation.failed,
                    is_complete: true,
                    record,
                }),
                _ => {}
            }
        }
        facts.drills.values_mut().for_each(|all| all.sort_by_key(|drill| drill.at_s));
        facts.checks.sort_by_key(|check| check.at_s);
        Ok(facts)
    }

    /// How runs ended: one that names no source is of all sources of its host.
    fn take_runs(&mut self, runs: &[RunRecord]) {
        for run in runs.iter().filter(|run| run.job == BACKUP) {
            let Some(host) = &run.host else { continue };
            let outcome = match run.outcome {
                RunOutcome::Failed => RunEnd::Failed,
                RunOutcome::Missed => RunEnd::Missed,
                RunOutcome::Skipped => continue,
                _ => RunEnd::Good,
            };
            let fact = OutcomeFact {
                at_s: millis(run.ended).div_euclid(1000),
                outcome,
                reason: run
                    .reason
                    .clone()
                    .map_or_else(String::new, |why| format!("Reason: {why}.")),
                id: format!("run {}-{}", to_hex(run.client.as_bytes()), run.number),
            };
            let name = SystemName { host: host.clone(), source: run.source.clone() };
            let of_host: Vec<SystemName> = match run.source {
                Some(_) => vec![name],
                None => {
                    let known = self.systems.keys().filter(|it| it.host == *host).cloned();
                    let known: Vec<_> = known.collect();
                    if known.is_empty() { vec![name] } else { known }
                }
            };
            for name in of_host {
                self.systems.entry(name).or_default().outcomes.push(fact.clone());
            }
        }
    }

    /// What the catalog alone shows.
    #[must_use]
    pub fn of_catalog(catalog: &Catalog) -> Self {
        let mut facts = Self {
            gone: catalog.missing.iter().map(|id| id.to_snapshot_hex()).collect(),
            damaged: catalog.damaged.iter().map(|(id, _)| id.to_snapshot_hex()).collect(),
            ..Self::default()
        };
        for one in catalog.snapshots.iter().filter(|one| one.doubt.is_none()) {
            let host = catalog.claims.system_of(one);
            let tags = one.snapshot.tags.iter();
            let source = tags.filter_map(|tag| tag.strip_prefix(SOURCE)).next();
            let name = SystemName { host, source: source.map(str::to_owned) };
            facts.systems.entry(name).or_default().points.push(point(one));
        }
        facts
    }
}

fn point(one: &Committed) -> PointFact {
    let snapshot = &one.snapshot;
    // One that was brought back is as old as what it brings back.
    let stored = one.believed_original().map_or(one.committed, |original| original.committed);
    PointFact {
        snapshot: snapshot.session.to_snapshot_hex(),
        started_s: millis(snapshot.started).div_euclid(1000),
        stored_s: millis(stored).div_euclid(1000).max(0),
        state: match snapshot.state {
            SnapshotState::Complete | SnapshotState::CompleteWithNotes => PointState::Whole,
            SnapshotState::Partial => PointState::Partial,
        },
        problems: snapshot.problem_count,
        is_suspicious: snapshot.tags.iter().any(|tag| tag == SUSPICIOUS),
    }
}
