//! What each system must show by itself: the measures that conditions of controls go by.
//!
//! A measure is a number over the whole period, or nothing if it is not known. A test counts at the
//! time at which the store received its record if that is later than the record says: what was
//! dated back proves nothing of the time before.

use crate::evidence::drill_event::{DrillKind, Outcome};
use crate::report::calendar::DAY_MS;
use crate::report::system::{DrillEntry, RECOVERABLE_LEVEL, SystemState, full_time_ms};
use crate::report::work::Work;

/// A measure of one system.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Measure {
    /// Its name in conditions.
    pub id: &'static str,
    /// Its name for people.
    pub label: &'static str,
    /// In what it is counted.
    pub unit: Unit,
}

/// In what a measure is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    /// A number.
    Count,
    /// A part of one.
    Share,
    /// Milliseconds.
    Span,
    /// Days.
    Days,
    /// Whether it is so: 1 or 0.
    Fact,
}

/// All measures.
pub const ALL: [Measure; 14] = [
    Measure { id: "protected", label: "a snapshot that is young enough", unit: Unit::Fact },
    Measure { id: "success_share", label: "runs that succeeded", unit: Unit::Share },
    Measure { id: "worst_gap_ms", label: "the longest gap between backups", unit: Unit::Span },
    Measure { id: "reach_days", label: "days that can be gone back", unit: Unit::Days },
    Measure { id: "level", label: "the level of the newest snapshot", unit: Unit::Count },
    Measure { id: "test_gap_days", label: "the longest time without a test", unit: Unit::Days },
    Measure {
        id: "full_gap_days",
        label: "the longest time without a full test",
        unit: Unit::Days,
    },
    Measure { id: "open_findings", label: "open findings", unit: Unit::Count },
    Measure {
        id: "oldest_finding_days",
        label: "the age of the oldest open finding",
        unit: Unit::Days,
    },
    Measure {
        id: "rpo_breaches",
        label: "breaches of the recovery point objective",
        unit: Unit::Count,
    },
    Measure { id: "rto_kept", label: "a full restore within its objective", unit: Unit::Fact },
    Measure { id: "has_rpo", label: "a recovery point objective", unit: Unit::Fact },
    Measure { id: "has_rto", label: "a recovery time objective", unit: Unit::Fact },
    Measure { id: "has_tier", label: "a rank of importance", unit: Unit::Fact },
];

/// The measure of this name.
#[must_use]
pub fn named(id: &str) -> Option<&'static Measure> {
    ALL.iter().find(|measure| measure.id == id)
}

/// What a system shows; nothing if it is not known.
#[must_use]
pub fn of(work: &Work<'_>, system: &SystemState<'_>, id: &str) -> Option<f64> {
    let fact = |is_so: bool| Some(f64::from(u8::from(is_so)));
    let count = |number: usize| Some(number as f64);
    match id {
        "protected" => fact(system.newest.is_some() && !system.is_unprotected()),
        "success_share" => system.success_share(),
        "worst_gap_ms" => system.attained.worst_ms.map(|it| it as f64),
        "reach_days" => reach_days(work, system),
        "level" => Some(f64::from(system.level)),
        "test_gap_days" => gap_days(work, system, &is_test),
        "full_gap_days" => gap_days(work, system, &|it| is_test(it) && is_full(it)),
        "open_findings" => count(open(work, system).count()),
        "oldest_finding_days" => {
            let to_ms = work.period().to_ms;
            let ages = open(work, system).map(|found_ms| to_ms - found_ms);
            Some(ages.max().unwrap_or_default().max(0) as f64 / DAY_MS as f64)
        }
        "rpo_breaches" => system.promise.rpo_ms.map(|_| system.breaches.len() as f64),
        "rto_kept" => {
            let target = system.promise.rto_ms?;
            let (time_ms, _) = full_time_ms(&system.drills)?;
            fact(time_ms <= target)
        }
        "has_rpo" => fact(system.promise.rpo_ms.is_some()),
        "has_rto" => fact(system.promise.rto_ms.is_some()),
        "has_tier" => fact(system.promise.tier.is_some()),
        _ => None,
    }
}

/// Days of the period over which there is something to show: from the first snapshot of any system.
#[must_use]
pub fn shown_days(work: &Work<'_>) -> u64 {
    let period = work.period();
    let first = work.facts.points.iter().map(|point| point.committed_ms).min();
    let from_ms = first.unwrap_or(period.to_ms).max(period.from_ms);
    (period.to_ms - from_ms).max(0) as u64 / DAY_MS
}

/// A drill of files that nobody chose, or of all, that came back to a disk and passed.
fn is_test(it: &DrillEntry<'_>) -> bool {
    matches!(it.drill.kind, DrillKind::Sample | DrillKind::Full)
        && it.drill.outcome == Outcome::Passed
        && it.drill.level >= RECOVERABLE_LEVEL
}

fn is_full(it: &DrillEntry<'_>) -> bool {
    it.drill.kind == DrillKind::Full && it.drill.dropped == 0
}

/// The longest stretch without such a drill, from the first snapshot of the system or the begin of
/// the period on. That the period begins without one counts, because nobody knows of an earlier one.
fn gap_days(
    work: &Work<'_>,
    system: &SystemState<'_>,
    counts: &dyn Fn(&DrillEntry<'_>) -> bool,
) -> Option<f64> {
    let period = work.period();
    let from_ms = system.first_ms?.max(period.from_ms);
    let mut times: Vec<i64> = system
        .drills
        .iter()
        .filter(|it| counts(it))
        .map(|it| it.entry.proved_ms())
        .filter(|at_ms| *at_ms < period.to_ms)
        .collect();
    if times.is_empty() {
        return None;
    }
    times.sort_unstable();
    let points: Vec<i64> = [from_ms].into_iter().chain(times).chain([period.to_ms]).collect();
    let longest = points.windows(2).map(|pair| (pair[1] - pair[0]).max(0)).max()?;
    Some(longest as f64 / DAY_MS as f64)
}

/// When the findings of the system, and those of the whole repository, were found that are open.
fn open<'w>(work: &'w Work<'_>, system: &'w SystemState<'_>) -> impl Iterator<Item = i64> + 'w {
    let concerns = move |name: &str| name.is_empty() || name == system.name;
    let all = work.incidents.iter().filter(move |one| concerns(one.system()));
    all.filter(|one| !one.is_closed()).map(|one| one.case.found_ms)
}

fn reach_days(work: &Work<'_>, system: &SystemState<'_>) -> Option<f64> {
    let to_ms = work.period().to_ms;
    let live = work.facts.points.iter().filter(|it| it.system == system.name && !it.is_forgotten);
    let oldest = live.filter(|it| it.committed_ms < to_ms).map(|it| it.started_ms).min()?;
    Some((to_ms - oldest).max(0) as f64 / DAY_MS as f64)
}
