//! All runs of a period: what an auditor draws from, and what success is counted in.
//!
//! [`Population`] is the one door through which runs come. [`Snapshots`] answers from what the
//! store holds: each confirmed snapshot, forgotten ones too, is a run. A run that failed leaves no
//! snapshot; it shows as missed where it is stated how often a system is backed up.

use std::collections::BTreeMap;

use serde::Serialize;
use serde::ser::{SerializeStruct, Serializer};

use crate::report::calendar;

/// How a run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum RunOutcome {
    /// Everything is in the snapshot.
    Ok,
    /// Everything is, but files changed while they were read.
    OkWithNotes,
    /// A snapshot that names what it lacks.
    Partial,
    /// No snapshot.
    Failed,
    /// There was none, and there should have been.
    Missed,
}

impl RunOutcome {
    /// All, the best first.
    pub const ALL: [Self; 5] =
        [Self::Ok, Self::OkWithNotes, Self::Partial, Self::Failed, Self::Missed];

    /// The word that people and programs see.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::OkWithNotes => "ok-with-notes",
            Self::Partial => "partial",
            Self::Failed => "failed",
            Self::Missed => "missed",
        }
    }

    /// Whether everything that was asked for can be restored.
    #[must_use]
    pub const fn is_ok(self) -> bool {
        matches!(self, Self::Ok | Self::OkWithNotes)
    }

    /// Whether there is a snapshot.
    #[must_use]
    pub const fn has_snapshot(self) -> bool {
        matches!(self, Self::Ok | Self::OkWithNotes | Self::Partial)
    }
}

/// One run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Run {
    /// Stays the same in every report and in populations of evidence: the digits of its session, or
    /// `missed:<system>:<when it was due>`.
    pub id: String,
    /// The system.
    pub system: String,
    /// When it began, or was due, in milliseconds since 1970.
    pub at_ms: i64,
    /// When it ended.
    pub finished_ms: Option<i64>,
    /// How.
    pub outcome: RunOutcome,
    /// The snapshot that it made.
    pub snapshot: Option<String>,
    /// Entries in the snapshot.
    pub entries: u64,
    /// Logical bytes of the snapshot.
    pub bytes: u64,
    /// Bytes that it added to the store.
    pub stored_bytes: u64,
    /// Items that could not be read.
    pub problems: u64,
    /// What went wrong, in words.
    pub why: String,
    /// The record of evidence that says so, if there is one beside the signed snapshot.
    pub record: Option<String>,
}

impl Serialize for Run {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut out = serializer.serialize_struct("Run", 12)?;
        out.serialize_field("id", &self.id)?;
        out.serialize_field("system", &self.system)?;
        out.serialize_field("time", &calendar::rfc3339(self.at_ms))?;
        out.serialize_field("finished", &self.finished_ms.map(calendar::rfc3339))?;
        out.serialize_field("outcome", self.outcome.name())?;
        out.serialize_field("snapshot", &self.snapshot)?;
        out.serialize_field("entries", &self.entries)?;
        out.serialize_field("bytes", &self.bytes)?;
        out.serialize_field("stored_bytes", &self.stored_bytes)?;
        out.serialize_field("problems", &self.problems)?;
        out.serialize_field("why", &self.why)?;
        out.serialize_field("evidence", &self.record)?;
        out.end()
    }
}

/// A confirmed snapshot, as far as reports go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Point {
    /// Id of the run that made it: its session.
    pub run: String,
    /// Its id as people see it.
    pub snapshot: String,
    /// The system.
    pub system: String,
    /// When its run began.
    pub started_ms: i64,
    /// When its run ended.
    pub finished_ms: i64,
    /// When the store received it, by the store's clock.
    pub committed_ms: i64,
    /// How it ended.
    pub outcome: RunOutcome,
    /// Entries.
    pub entries: u64,
    /// Logical bytes.
    pub bytes: u64,
    /// Bytes that were added to the store.
    pub stored_bytes: u64,
    /// Items that could not be read.
    pub problems: u64,
    /// Whether it is forgotten by now.
    pub is_forgotten: bool,
    /// Whether it only brings back a forgotten one: no run made it.
    pub is_brought_back: bool,
}

/// Where runs come from.
pub trait Population {
    /// The runs that began or were due from `from_ms` to before `to_ms`, by time.
    fn runs(&self, from_ms: i64, to_ms: i64) -> Vec<Run>;
}

/// Runs as the snapshots in the store show them.
pub struct Snapshots<'a> {
    /// All snapshots, forgotten ones too.
    pub points: &'a [Point],
    /// How often systems are stated to be backed up, in milliseconds.
    pub every_ms: BTreeMap<String, u64>,
}

impl Population for Snapshots<'_> {
    fn runs(&self, from_ms: i64, to_ms: i64) -> Vec<Run> {
        let made = self.points.iter().filter(|point| !point.is_brought_back);
        let mut runs: Vec<Run> = made
            .filter(|it| from_ms <= it.started_ms && it.started_ms < to_ms)
            .map(run_of)
            .collect();
        for (system, every_ms) in &self.every_ms {
            let began = |it: &&Point| it.system == *system && !it.is_brought_back;
            let mut began: Vec<i64> =
                self.points.iter().filter(began).map(|point| point.started_ms).collect();
            began.sort_unstable();
            let due = missed(&began, *every_ms, from_ms, to_ms);
            runs.extend(due.into_iter().map(|at_ms| missed_run(system, at_ms)));
        }
        runs.sort_by(|a, b| (a.at_ms, &a.id).cmp(&(b.at_ms, &b.id)));
        runs
    }
}

fn run_of(point: &Point) -> Run {
    let why = match point.problems {
        0 => String::new(),
        1 => "1 item could not be read".to_owned(),
        count => format!("{} items could not be read", calendar::count(count)),
    };
    Run {
        id: point.run.clone(),
        system: point.system.clone(),
        at_ms: point.started_ms,
        finished_ms: Some(point.finished_ms),
        outcome: point.outcome,
        snapshot: Some(point.snapshot.clone()),
        entries: point.entries,
        bytes: point.bytes,
        stored_bytes: point.stored_bytes,
        problems: point.problems,
        why,
        record: None,
    }
}

/// A run that there should have been.
#[must_use]
pub fn missed_run(system: &str, at_ms: i64) -> Run {
    Run {
        id: format!("missed:{system}:{}", calendar::rfc3339(at_ms)),
        system: system.to_owned(),
        at_ms,
        finished_ms: None,
        outcome: RunOutcome::Missed,
        snapshot: None,
        entries: 0,
        bytes: 0,
        stored_bytes: 0,
        problems: 0,
        why: "no run began when one was due".to_owned(),
        record: None,
    }
}

/// When runs were due and none began. Between two runs as many are missed as whole intervals fit,
/// to the nearest, less one: a run that is a little late is not missed. Before the first run that
/// there ever was nothing is missed, unless there never was one.
#[must_use]
pub fn missed(began: &[i64], every_ms: u64, from_ms: i64, to_ms: i64) -> Vec<i64> {
    let every = every_ms.max(60_000) as i64;
    let mut found = Vec::new();
    let mut last = match began.first() {
        Some(first) => *first,
        // Never backed up: due at the begin of the period, and from there on.
        None => from_ms - every,
    };
    for next in began.iter().skip(1).copied().map(Some).chain([None]) {
        // The end of the period is no run: what is due shortly before it may still come.
        let intervals = match next {
            Some(next) => (next - last + every / 2) / every - 1,
            None => (to_ms - 1 - last - every / 2).max(0) / every,
        };
        found.extend((1..=intervals).map(|n| last + n * every));
        last = next.unwrap_or(last);
    }
    found.retain(|at| from_ms <= *at && *at < to_ms);
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: i64 = calendar::DAY_MS as i64;
    const EVERY: u64 = calendar::DAY_MS;

    #[test]
    fn late_runs_are_not_missed_and_missed_ones_are_counted_where_they_were_due() {
        let hour = DAY / 24;
        assert!(missed(&[0, DAY + 3 * hour, 2 * DAY - hour], EVERY, 0, 3 * DAY).is_empty());
        assert_eq!(missed(&[0, 3 * DAY], EVERY, 0, 4 * DAY), [DAY, 2 * DAY]);
        assert_eq!(missed(&[0, 3 * DAY], EVERY, 2 * DAY, 4 * DAY), [2 * DAY]);
    }

    #[test]
    fn a_system_that_is_dead_or_was_never_there_misses_every_run() {
        assert_eq!(missed(&[0], EVERY, 0, 4 * DAY), [DAY, 2 * DAY, 3 * DAY]);
        assert_eq!(missed(&[], EVERY, 0, 3 * DAY), [0, DAY, 2 * DAY]);
        assert!(missed(&[2 * DAY], EVERY, 0, 3 * DAY).is_empty(), "it came later");
    }
}
