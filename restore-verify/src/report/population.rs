//! All runs of a period: what an auditor draws from, and what success is counted in.
//!
//! A run is a session that the store heard of: one with a confirmed snapshot, forgotten ones too,
//! or one without, which failed. Populations in evidence name both, and stay when the store no
//! longer knows the session. Where it is stated how often a system is backed up, a run that nobody
//! heard of is missed.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;
use serde::ser::{SerializeStruct, Serializer};

use crate::evidence::population::{RunOutcome, RunRow};
use crate::evidence::record::to_hex;
use crate::report::calendar;

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
    /// The newest population in evidence that names it, if one does.
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

/// A row of a population, and the newest record of evidence that has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recorded {
    /// The row.
    pub row: RunRow,
    /// The record, as `writer/number`; none if only the store knows the run so far.
    pub record: Option<String>,
}

/// Where runs come from.
pub struct Population<'a> {
    /// All snapshots, forgotten ones too.
    pub points: &'a [Point],
    /// Rows by their runs.
    pub recorded: &'a BTreeMap<[u8; 24], Recorded>,
    /// How often systems are stated to be backed up, in milliseconds.
    pub every_ms: BTreeMap<String, u64>,
    /// When it is asked, by this machine's clock: what began a day before has ended.
    pub now_ms: i64,
}

impl Population<'_> {
    /// The runs that began or were due from `from_ms` to before `to_ms`, by time.
    #[must_use]
    pub fn runs(&self, from_ms: i64, to_ms: i64) -> Vec<Run> {
        let is_within = |at_ms: i64| from_ms <= at_ms && at_ms < to_ms;
        let records: BTreeMap<String, Option<String>> =
            self.recorded.iter().map(|(run, it)| (to_hex(run), it.record.clone())).collect();
        let made: Vec<&Point> = self.points.iter().filter(|it| !it.is_brought_back).collect();
        let mut runs: Vec<Run> = made
            .iter()
            .filter(|it| is_within(it.started_ms))
            .map(|it| Run { record: records.get(&it.run).cloned().flatten(), ..run_of(it) })
            .collect();
        let known: BTreeSet<&str> = self.points.iter().map(|it| it.run.as_str()).collect();
        let mut last: BTreeMap<&str, i64> = BTreeMap::new();
        let began = made.iter().map(|it| (it.system.as_str(), it.started_ms));
        for (system, at_ms) in began.chain(self.rows().map(|row| (&*row.system, row.started_ms))) {
            let newest = last.entry(system).or_insert(at_ms);
            *newest = at_ms.max(*newest);
        }
        let others = self.recorded.values().filter(|it| is_within(it.row.started_ms));
        for one in others.filter(|it| !known.contains(to_hex(&it.row.run).as_str())) {
            let is_last = last.get(one.row.system.as_str()) == Some(&one.row.started_ms);
            runs.extend(run_without_point(one, is_last, self.now_ms));
        }
        for (system, every_ms) in &self.every_ms {
            let rows = self.rows().filter(|row| row.system == *system).map(|row| row.started_ms);
            let points = made.iter().filter(|it| it.system == *system).map(|it| it.started_ms);
            // A run that failed was not missed.
            let began: BTreeSet<i64> = rows.chain(points).collect();
            let began: Vec<i64> = began.into_iter().collect();
            let due = missed(&began, *every_ms, from_ms, to_ms);
            runs.extend(due.into_iter().map(|at_ms| missed_run(system, at_ms)));
        }
        runs.sort_by(|a, b| (a.at_ms, &a.id).cmp(&(b.at_ms, &b.id)));
        runs
    }

    fn rows(&self) -> impl Iterator<Item = &RunRow> {
        // A registration that could not be read says neither who nor when.
        self.recorded.values().map(|it| &it.row).filter(|row| !row.system.is_empty())
    }
}

/// A run that the store has no snapshot of; `None` while it may still be going on.
fn run_without_point(recorded: &Recorded, is_last: bool, now_ms: i64) -> Option<Run> {
    let Recorded { row, record } = recorded;
    let is_young = now_ms - row.started_ms < calendar::DAY_MS as i64;
    let (outcome, why) = match row.outcome {
        RunOutcome::Open if is_last && is_young => return None,
        RunOutcome::Open if is_last => (RunOutcome::Failed, "it did not end within a day"),
        RunOutcome::Open => (RunOutcome::Failed, "it was cut off: a later run began"),
        RunOutcome::Failed => (RunOutcome::Failed, "it ended without a snapshot"),
        // The record of evidence says that there was one; by now it is forgotten and collected.
        made => (made, "its snapshot is gone from the store"),
    };
    Some(Run {
        id: to_hex(&row.run),
        system: row.system.clone(),
        at_ms: row.started_ms,
        finished_ms: row.finished_ms,
        outcome,
        snapshot: None,
        entries: row.files,
        bytes: row.bytes,
        stored_bytes: row.bytes_stored,
        problems: row.problems,
        why: why.to_owned(),
        record: record.clone(),
    })
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
