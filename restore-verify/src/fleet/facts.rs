//! What a store shows of its systems.

use std::collections::BTreeMap;

/// A system: a machine, or one source of it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SystemName {
    /// The machine, as snapshots name it.
    pub host: String,
    /// Its source; none for snapshots that no source made.
    pub source: Option<String>,
}

impl std::fmt::Display for SystemName {
    fn fmt(&self, to: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.source {
            Some(source) => write!(to, "{}/{source}", self.host),
            None => to.write_str(&self.host),
        }
    }
}

/// How a snapshot ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum PointState {
    /// It holds everything.
    Whole,
    /// Something that was there could not be read.
    Partial,
}

/// A snapshot that counts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PointFact {
    /// Its id.
    pub snapshot: String,
    /// When it began, by the clock of its machine, in seconds since 1970.
    pub started_s: i64,
    /// When the store received it, by the clock of the store.
    pub stored_s: i64,
    /// How it ended.
    pub state: PointState,
    /// Items that could not be read.
    pub problems: u64,
    /// Whether it was marked as suspicious.
    pub is_suspicious: bool,
}

/// How a run ended, as whoever ran it wrote into the store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OutcomeFact {
    /// When it ended, in seconds since 1970.
    pub at_s: i64,
    /// What it came to.
    pub outcome: RunEnd,
    /// Why, for people.
    pub reason: String,
    /// What names it in the store.
    pub id: String,
}

/// What a run came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum RunEnd {
    /// There is a snapshot.
    Good,
    /// There is none.
    Failed,
    /// It did not run.
    Missed,
}

/// How a drill of a machine ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DrillFact {
    /// When, in seconds since 1970.
    pub at_s: i64,
    /// Whether everything was as it should be.
    pub is_passed: bool,
    /// Whether it failed; one that could not be carried out proves nothing.
    pub is_failed: bool,
    /// Its record.
    pub record: String,
    /// The snapshot that was drilled.
    pub snapshot: String,
}

/// A check of stored data, or a turn of the rotation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CheckFact {
    /// When it ended, in seconds since 1970.
    pub at_s: i64,
    /// Objects that are damaged or missing.
    pub damaged: u64,
    /// Whether it came to its end.
    pub is_complete: bool,
    /// Its record.
    pub record: String,
}

/// What is known of one system.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SystemFacts {
    /// Its snapshots, oldest first.
    pub points: Vec<PointFact>,
    /// How its runs ended, oldest first. Empty where runs leave nothing but snapshots.
    pub outcomes: Vec<OutcomeFact>,
}

/// What a store shows.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Facts {
    /// The systems that have snapshots or outcomes.
    pub systems: BTreeMap<SystemName, SystemFacts>,
    /// Drills by machine, oldest first.
    pub drills: BTreeMap<String, Vec<DrillFact>>,
    /// Checks, oldest first.
    pub checks: Vec<CheckFact>,
    /// Snapshots that are gone though nobody forgot them.
    pub gone: Vec<String>,
    /// Snapshots whose record cannot be read.
    pub damaged: Vec<String>,
}
