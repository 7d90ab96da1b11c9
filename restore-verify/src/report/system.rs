//! Where each system stands at the end of a period, and how it fared in it.

use std::collections::{BTreeMap, BTreeSet};

use crate::evidence::drill_event::{Drill, DrillKind, Outcome};
use crate::evidence::event::Event;
use crate::evidence::population::RunOutcome;
use crate::evidence::record::to_hex;
use crate::objective::rpo::{self, Attained, RecoveryPoint};
use crate::report::facts::{Entry, Facts};
use crate::report::incident::Incident;
use crate::report::model::Period;
use crate::report::plan::{Plan, Promise};
use crate::report::population::{Point, Run};

/// Level at and above which a system counts as recoverable: files came back, equal byte for byte.
pub const RECOVERABLE_LEVEL: u8 = 4;

/// Of fewer entries or bytes it is not asked whether they have become fewer.
const SHRUNK_MIN_COUNT: u64 = 4;
const SHRUNK_MIN_BYTES: u64 = 64 * 1024;

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
    /// When its first snapshot was committed.
    pub first_ms: Option<i64>,
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

    /// Part of the runs that succeeded, of those that began or were due; nothing if nobody stated
    /// how often one is due.
    #[must_use]
    pub fn success_share(&self) -> Option<f64> {
        self.promise.every_ms?;
        let all: u64 = RunOutcome::FINAL.iter().map(|outcome| self.runs(*outcome)).sum();
        let good = self.runs(RunOutcome::Ok) + self.runs(RunOutcome::OkWithNotes);
        (all > 0).then(|| good as f64 / all as f64)
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
    (only, incidents): (&[String], &[Incident<'_>]),
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
        let mut state = state(name, plan, (drills, points), period, incidents);
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
    (drills, points): (Vec<DrillEntry<'a>>, &[&'a Point]),
    period: Period,
    incidents: &[Incident<'_>],
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
    let seen = Seen { is_young, newest, points, drills: &drills };
    let (mut level, mut lacks) = seen.level();
    let concerns = |one: &&Incident<'_>| one.system().is_empty() || one.system() == name;
    for one in incidents.iter().filter(concerns).filter(|one| !one.is_closed()) {
        let most = one.level_max();
        if level > most {
            (level, lacks) = (most, format!("a finding is open: {}", one.what));
        }
    }
    SystemState {
        name: name.to_owned(),
        promise,
        is_stated: (!plan.systems.is_empty()).then(|| plan.systems.contains_key(name)),
        level,
        lacks,
        first_ms,
        newest,
        attained,
        breaches,
        drills,
        tally: BTreeMap::new(),
    }
}

/// What is known of a system when its level is asked for.
struct Seen<'s, 'a> {
    is_young: bool,
    newest: Option<&'a Point>,
    points: &'s [&'a Point],
    drills: &'s [DrillEntry<'a>],
}

impl Seen<'_, '_> {
    /// What is shown of the newest snapshot: the best level that a drill of the period supports, of
    /// those after the last one that failed, as far as what it drilled is what is there now; nothing
    /// without a recovery point that is young enough.
    fn level(&self) -> (u8, String) {
        let Some(newest) = self.newest.filter(|_| self.is_young) else {
            let has_any = self.newest.is_some();
            let why = if has_any { "no snapshot is young enough" } else { "there is no snapshot" };
            return (0, why.to_owned());
        };
        let failed = self.drills.iter().rposition(|it| it.drill.outcome == Outcome::Failed);
        let since = &self.drills[failed.map_or(0, |at| at + 1)..];
        let passed = since.iter().filter(|it| it.drill.outcome == Outcome::Passed);
        let shown = passed.map(|it| match self.differs(it.drill, newest) {
            Some((most, why)) if it.drill.level > most => (most, why.to_owned()),
            _ => (it.drill.level.max(1), it.drill.lacks.clone()),
        });
        match shown.max_by_key(|(level, _)| *level) {
            Some(best) => best,
            None if failed.is_some() => {
                (1, "its last drill failed and none passed since".to_owned())
            }
            None => (1, "no drill passed in the period".to_owned()),
        }
    }

    /// The most that a drill shows of a newer snapshot, and why it is not all.
    fn differs(&self, drill: &Drill, newest: &Point) -> Option<(u8, &'static str)> {
        let drilled = to_hex(&drill.snapshot);
        if newest.run == drilled {
            return None;
        }
        let is_less = |now: u64, then: u64, least: u64| then >= least && now < then.div_ceil(2);
        if is_less(newest.entries, drill.total_files, SHRUNK_MIN_COUNT)
            || is_less(newest.bytes, drill.total_bytes, SHRUNK_MIN_BYTES)
        {
            return Some((1, "the newest snapshot holds much less than the one that was drilled"));
        }
        let later = self.points.iter().filter(|it| it.started_ms > drill.snapshot_ms);
        let new: u64 = later.map(|it| it.stored_bytes).sum();
        (new > newest.bytes / 2 && newest.bytes >= SHRUNK_MIN_BYTES).then_some((
            1,
            "most of the newest snapshot was written after the one that was drilled",
        ))
    }
}

/// Time of a whole restore that a drill measured.
#[must_use]
pub fn measured_full_ms(drill: &Drill) -> Option<u64> {
    let is_full = drill.kind == DrillKind::Full && drill.outcome == Outcome::Passed;
    (is_full && drill.dropped == 0).then_some(drill.restore_ms)
}

/// Time of a full restore, measured or else estimated, by the newest drill that passed and says it.
#[must_use]
pub fn full_time_ms<'a>(drills: &[DrillEntry<'a>]) -> Option<(u64, &'a Entry)> {
    let passed = drills.iter().rev().filter(|it| it.drill.outcome == Outcome::Passed);
    let mut timed = passed.filter_map(|it| {
        let estimated = it.drill.estimate.map(|estimate| estimate.likely_ms);
        Some((measured_full_ms(it.drill).or(estimated)?, it.entry))
    });
    timed.next()
}
