//! Where each system stands at the end of a period, and how it fared in it.

use std::collections::{BTreeMap, BTreeSet};

use crate::evidence::drill_event::{Drill, DrillKind, Outcome};
use crate::evidence::event::Event;
use crate::evidence::population::RunOutcome;
use crate::objective::rpo::{self, Attained, RecoveryPoint};
use crate::report::facts::{Entry, Facts};
use crate::report::model::Period;
use crate::report::plan::{Plan, Promise};
use crate::report::population::{Point, Run};

/// Level at and above which a system counts as recoverable: files came back, equal byte for byte.
pub const RECOVERABLE_LEVEL: u8 = 4;

/// A drill with the record that ends it.
#[derive(Debug, Clone, Copy)]
pub struct DrillEntry<'a> {
    /// The record.
    pub entry: &'a Entry,
    /// What it says.
    pub drill: &'a Drill,
}

/// One system.
#[derive(Debug, Clone)]
pub struct SystemState<'a> {
    /// Its name.
    pub name: String,
    /// What was promised: stated, or else as its drills recorded it.
    pub promise: Promise,
    /// Whether it is in the list of what should be protected; `None` without a list.
    pub is_stated: Option<bool>,
    /// Evidence level at the end of the period.
    pub level: u8,
    /// Why it is not higher.
    pub lacks: String,
    /// The newest snapshot at the end of the period.
    pub newest: Option<&'a Point>,
    /// Recovery points over the period.
    pub attained: Attained,
    /// Stretches in which the objective was not kept: from, to, in milliseconds since 1970.
    pub breaches: Vec<(i64, i64)>,
    /// Drills that ended in the period, oldest first.
    pub drills: Vec<DrillEntry<'a>>,
    /// Runs by outcome.
    pub tally: BTreeMap<RunOutcome, u64>,
}

impl SystemState<'_> {
    /// How many runs ended so.
    #[must_use]
    pub fn runs(&self, outcome: RunOutcome) -> u64 {
        self.tally.get(&outcome).copied().unwrap_or_default()
    }

    /// Whether there was no snapshot at all, or none young enough.
    #[must_use]
    pub fn is_unprotected(&self) -> bool {
        self.level == 0
    }
}

/// All systems: those that are stated, that have snapshots, and that were drilled.
#[must_use]
pub fn systems<'a>(
    facts: &'a Facts,
    plan: &Plan,
    runs: &[Run],
    period: Period,
    only: &[String],
) -> Vec<SystemState<'a>> {
    let mut names: BTreeSet<&str> = plan.systems.keys().map(String::as_str).collect();
    let seen = facts.points.iter().filter(|point| point.started_ms < period.to_ms);
    names.extend(seen.map(|point| point.system.as_str()));
    // One whose backups all fail has no snapshot.
    names.extend(runs.iter().map(|run| run.system.as_str()));
    let mut drills: BTreeMap<&str, Vec<DrillEntry<'a>>> = BTreeMap::new();
    for one in all_drills(facts).filter(|one| period.holds(one.entry.at_ms)) {
        names.insert(&one.drill.system);
        drills.entry(&one.drill.system).or_default().push(one);
    }
    names.retain(|name| !name.is_empty() && (only.is_empty() || only.iter().any(|it| it == name)));
    let mut points: BTreeMap<&str, Vec<&'a Point>> = BTreeMap::new();
    for point in &facts.points {
        points.entry(&point.system).or_default().push(point);
    }
    let mut tallies: BTreeMap<&str, BTreeMap<RunOutcome, u64>> = BTreeMap::new();
    for run in runs {
        *tallies.entry(&run.system).or_default().entry(run.outcome).or_default() += 1;
    }
    let make = |name: &str| {
        let drills = drills.get(name).cloned().unwrap_or_default();
        let points = points.get(name).map(Vec::as_slice).unwrap_or_default();
        let mut state = state(name, plan, drills, points, period);
        state.tally = tallies.get(name).cloned().unwrap_or_default();
        state
    };
    names.into_iter().map(make).collect()
}

/// All drills that ended, oldest first.
pub fn all_drills(facts: &Facts) -> impl Iterator<Item = DrillEntry<'_>> {
    facts.entries.iter().filter_map(|entry| match &entry.event {
        Event::Drill(drill) => Some(DrillEntry { entry, drill }),
        _ => None,
    })
}

fn state<'a>(
    name: &str,
    plan: &Plan,
    drills: Vec<DrillEntry<'a>>,
    points: &[&'a Point],
    period: Period,
) -> SystemState<'a> {
    let mut promise = plan.of(name);
    let recorded = |of: fn(&Drill) -> Option<u64>| drills.iter().rev().find_map(|it| of(it.drill));
    promise.rpo_ms = promise.rpo_ms.or_else(|| recorded(|drill| drill.rpo_target_ms));
    promise.rto_ms = promise.rto_ms.or_else(|| recorded(|drill| drill.rto_target_ms));
    let counts = |point: &&&Point| !point.is_brought_back;
    let recovery: Vec<RecoveryPoint> = points
        .iter()
        .filter(counts)
        .map(|it| RecoveryPoint { started_ms: it.started_ms, committed_ms: it.committed_ms })
        .collect();
    // Before its first snapshot a system was not there; one that never had any is late from the
    // beginning.
    let first_ms = recovery.iter().map(|it| it.committed_ms).min().filter(|it| *it < period.to_ms);
    let from_ms = first_ms.map_or(period.from_ms, |first| first.max(period.from_ms));
    let attained = rpo::attained(&recovery, from_ms, period.to_ms);
    let newest = points
        .iter()
        .filter(counts)
        .filter(|point| point.committed_ms <= period.to_ms)
        .max_by_key(|point| point.started_ms)
        .copied();
    let breaches = promise
        .rpo_ms
        .map_or_else(Vec::new, |target| rpo::breaches(&recovery, target, from_ms, period.to_ms));
    let is_young = match (attained.now_ms, promise.rpo_ms) {
        (None, _) => false,
        (Some(_), None) => true,
        (Some(age), Some(target)) => age <= target,
    };
    let (level, lacks) = level(is_young, newest.is_some(), &drills);
    SystemState {
        name: name.to_owned(),
        promise,
        is_stated: (!plan.systems.is_empty()).then(|| plan.systems.contains_key(name)),
        level,
        lacks,
        newest,
        attained,
        breaches,
        drills,
        tally: BTreeMap::new(),
    }
}

/// The best level that a drill of the period supports, of those after the last one that failed;
/// nothing without a recovery point that is young enough.
fn level(is_young: bool, has_any: bool, drills: &[DrillEntry<'_>]) -> (u8, String) {
    if !is_young {
        let why = if has_any { "no snapshot is young enough" } else { "there is no snapshot" };
        return (0, why.to_owned());
    }
    let failed = drills.iter().rposition(|it| it.drill.outcome == Outcome::Failed);
    let since = &drills[failed.map_or(0, |at| at + 1)..];
    let passed = since.iter().filter(|it| it.drill.outcome == Outcome::Passed);
    match passed.max_by_key(|it| it.drill.level) {
        Some(best) => (best.drill.level.max(1), best.drill.lacks.clone()),
        None if failed.is_some() => (1, "its last drill failed and none passed since".to_owned()),
        None => (1, "no drill passed in the period".to_owned()),
    }
}

/// Time of a whole restore that a drill measured.
#[must_use]
pub fn measured_full_ms(drill: &Drill) -> Option<u64> {
    let is_full = drill.kind == DrillKind::Full && drill.outcome == Outcome::Passed;
    is_full.then_some(drill.restore_ms)
}
