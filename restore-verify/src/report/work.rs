//! Everything that sections are made of, computed once.

use std::collections::BTreeMap;

use crate::evidence::event::Event;
use crate::evidence::population::RunOutcome;
use crate::report::facts::{Entry, Facts};
use crate::report::incident::{Incident, incidents};
use crate::report::model::{Basis, Period};
use crate::report::plan::Plan;
use crate::report::population::{Population, Run};
use crate::report::system::{DrillEntry, SystemState, systems};

/// What storage costs, as it was stated.
#[derive(Debug, Clone, PartialEq)]
pub struct Price {
    /// For one GiB in a month.
    pub gib_month: f64,
    /// In this currency.
    pub currency: String,
}

/// What a report shall be about.
#[derive(Debug, Clone, PartialEq)]
pub struct Scope {
    /// From when to when.
    pub period: Period,
    /// Only these systems; all if there is none.
    pub hosts: Vec<String>,
    /// What is stated.
    pub plan: Plan,
    /// What storage costs, if that is stated.
    pub price: Option<Price>,
}

/// Facts, and what follows from them.
pub struct Work<'a> {
    /// What was read.
    pub facts: &'a Facts,
    /// What the report is about.
    pub scope: &'a Scope,
    /// All runs of the period, of the systems that it is about.
    pub runs: Vec<Run>,
    /// The systems.
    pub systems: Vec<SystemState<'a>>,
    /// What went wrong.
    pub incidents: Vec<Incident<'a>>,
}

impl<'a> Work<'a> {
    /// Computes.
    #[must_use]
    pub fn new(facts: &'a Facts, scope: &'a Scope) -> Self {
        let period = scope.period;
        let runs = runs(facts, scope);
        let mut incidents = incidents(facts, period);
        incidents.retain(|one| one.system().is_empty() || is_wanted(scope, one.system()));
        let systems = systems(facts, &scope.plan, &runs, period, (&scope.hosts, &incidents));
        Self { facts, scope, runs, systems, incidents }
    }

    /// From when to when.
    #[must_use]
    pub const fn period(&self) -> Period {
        self.scope.period
    }

    /// The records of the period.
    pub fn entries(&self) -> impl Iterator<Item = &'a Entry> {
        let period = self.period();
        self.facts.entries.iter().filter(move |entry| period.holds(entry.at_ms))
    }

    /// The drills of the period, of the systems that it is about, oldest first.
    #[must_use]
    pub fn drills(&self) -> Vec<DrillEntry<'a>> {
        let mut all: Vec<_> =
            self.systems.iter().flat_map(|system| system.drills.iter().copied()).collect();
        all.sort_by_key(|one| (one.entry.at_ms, one.entry.reference));
        all
    }

    /// Whether the report is about a system.
    #[must_use]
    pub fn is_wanted(&self, system: &str) -> bool {
        is_wanted(self.scope, system)
    }

    /// How many runs ended so, and which.
    #[must_use]
    pub fn tally(&self, outcomes: &[RunOutcome]) -> (u64, Basis) {
        let those = self.runs.iter().filter(|run| outcomes.contains(&run.outcome));
        let names: Vec<&str> = outcomes.iter().map(|outcome| outcome.name()).collect();
        let basis = Basis::of(those.map(|run| run.id.clone()));
        (basis.count, basis.by(format!("runs whose outcome is {}", names.join(" or "))))
    }
}

fn is_wanted(scope: &Scope, system: &str) -> bool {
    scope.hosts.is_empty() || scope.hosts.iter().any(|host| host == system)
}

/// All runs of the period, of the systems that the report is about. The one place that knows
/// where runs come from.
#[must_use]
pub fn runs(facts: &Facts, scope: &Scope) -> Vec<Run> {
    let mut every_ms: BTreeMap<String, u64> = BTreeMap::new();
    let seen = facts.points.iter().map(|point| &point.system);
    for system in scope.plan.systems.keys().chain(seen) {
        if let Some(every) = scope.plan.of(system).every_ms {
            every_ms.insert(system.clone(), every);
        }
    }
    let population = Population {
        points: &facts.points,
        recorded: &facts.recorded,
        every_ms,
        now_ms: facts.read_ms,
    };
    let mut runs = population.runs(scope.period.from_ms, scope.period.to_ms);
    runs.retain(|run| is_wanted(scope, &run.system));
    runs
}

/// When a time stamp authority last saw a record, and the record that says so.
#[must_use]
pub fn timestamped(facts: &Facts) -> Option<(i64, String)> {
    let stamp = |entry: &Entry| match entry.event {
        Event::Timestamp(_) => Some((entry.at_ms, entry.id.clone())),
        _ => None,
    };
    facts.entries.iter().rev().find_map(stamp)
}
