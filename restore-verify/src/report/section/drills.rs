//! Drills and real restores: what was restored, how long it took, how long everything would take.

use std::collections::BTreeSet;

use crate::evidence::drill_event::{Drill, DrillKind, Outcome};
use crate::evidence::event::{Event, Restore};
use crate::report::calendar::DAY_MS;
use crate::report::facts::Entry;
use crate::report::model::{Basis, Block, Cell, Figure, Section, Table, Tone, Value};
use crate::report::system::{DrillEntry, full_time_ms, measured_full_ms};
use crate::report::work::Work;

/// The section on drills.
#[must_use]
pub fn drills(work: &Work<'_>) -> Section {
    let all = work.drills();
    let mut figures = counts(work, &all);
    figures.extend(times(work, &all));
    let blocks = vec![
        Block::Figures { figures },
        Block::Table(table(&all)),
        Block::Table(times_table(work)),
    ];
    Section {
        id: "drills",
        title: "Restore drills",
        lead:
            "A drill restores from the store, never from the client's own copy, and looks at what \
               came back. It passes, fails, or proves nothing; all three are recorded, and its \
               beginning is recorded before anything is restored."
                .to_owned(),
        blocks,
    }
}

fn ids<'d>(drills: impl IntoIterator<Item = &'d DrillEntry<'d>>) -> Basis {
    Basis::of(drills.into_iter().map(|it| it.entry.id.clone()))
}

fn counts(work: &Work<'_>, all: &[DrillEntry<'_>]) -> Vec<Figure> {
    let outcome = |id, label: &str, outcome: Outcome, tone: Tone| {
        let basis = ids(all.iter().filter(|it| it.drill.outcome == outcome));
        let count = basis.count;
        let tone = if count > 0 { tone } else { Tone::Plain };
        Figure::new(id, label, Value::Count(count), basis).tone(tone)
    };
    let passed: Vec<_> = all.iter().filter(|it| it.drill.outcome == Outcome::Passed).collect();
    let kind = |id, label: &str, kind: DrillKind| {
        let basis = ids(passed.iter().copied().filter(|it| it.drill.kind == kind));
        Figure::new(id, label, Value::Count(basis.count), basis)
    };
    let drilled: BTreeSet<&str> = passed.iter().map(|it| it.drill.system.as_str()).collect();
    let total = work.systems.len();
    let share = (total > 0).then(|| drilled.len() as f64 / total as f64);
    let last = passed.last().map(|it| it.entry.at_ms);
    let age = last.map(|at_ms| (work.period().to_ms - at_ms).max(0) as u64 / DAY_MS);
    let gap = longest_gap_days(work, &passed);
    let last_basis = || ids(passed.last().copied());
    vec![
        Figure::new("drills.total", "Drills", Value::Count(all.len() as u64), ids(all)),
        outcome("drills.passed", "Drills passed", Outcome::Passed, Tone::Good),
        outcome("drills.failed", "Drills failed", Outcome::Failed, Tone::Bad),
        outcome("drills.not_proved", "Drills not proved", Outcome::NotProved, Tone::Warn),
        cut_off(work),
        not_run(work),
        Figure::new(
            "drills.systems_share",
            "Systems drilled",
            Value::known(share, Value::Share),
            ids(passed.iter().copied()),
        )
        .note("with a drill that passed"),
        Figure::new(
            "drills.last",
            "Last restore test",
            Value::known(last, Value::Time),
            last_basis(),
        ),
        Figure::new(
            "drills.days_since",
            "Days since then",
            Value::known(age, Value::Count),
            last_basis(),
        ),
        Figure::new(
            "drills.longest_gap_days",
            "Longest time without a test",
            Value::known(gap, Value::Count),
            ids(passed.iter().copied()),
        )
        .note("days, within the period"),
        kind("drills.full_passed", "Full restores passed", DrillKind::Full),
        kind("drills.kit_passed", "Recovery kit tests passed", DrillKind::Kit),
        kind("drills.index_passed", "Index loss tests passed", DrillKind::IndexLoss),
    ]
}

/// Drills that began and have no end: what they would have shown nobody knows.
fn cut_off(work: &Work<'_>) -> Figure {
    let ended: BTreeSet<_> =
        crate::report::system::all_drills(work.facts).map(|it| it.drill.begun).collect();
    let is_cut_off = |entry: &&Entry| match &entry.event {
        Event::DrillBegun(begun) => {
            let is_young = work.facts.read_ms - entry.at_ms < DAY_MS as i64;
            work.is_wanted(&begun.system) && !is_young && !ended.contains(&entry.reference)
        }
        _ => false,
    };
    let basis = Basis::of(work.entries().filter(is_cut_off).map(|entry| entry.id.clone()));
    let tone = if basis.count > 0 { Tone::Warn } else { Tone::Plain };
    Figure::new("drills.cut_off", "Drills cut off", Value::Count(basis.count), basis)
        .note("begun and never ended")
        .tone(tone)
}

/// Systems of which no drill was even tried.
fn not_run(work: &Work<'_>) -> Figure {
    let never = work.systems.iter().filter(|system| system.drills.is_empty());
    let basis = Basis::of(never.map(|system| format!("system:{}", system.name)));
    let tone = if basis.count > 0 { Tone::Warn } else { Tone::Plain };
    Figure::new("drills.not_run", "Systems without a drill", Value::Count(basis.count), basis)
        .tone(tone)
}

/// The longest stretch of the period, in days, in which no drill passed.
fn longest_gap_days(work: &Work<'_>, passed: &[&DrillEntry<'_>]) -> Option<u64> {
    let period = work.period();
    let times = passed.iter().map(|it| it.entry.at_ms);
    let points: Vec<i64> =
        [period.from_ms].into_iter().chain(times).chain([period.to_ms]).collect();
    let longest = points.windows(2).map(|pair| (pair[1] - pair[0]).max(0)).max()?;
    (!passed.is_empty()).then_some(longest as u64 / DAY_MS)
}

fn times(work: &Work<'_>, all: &[DrillEntry<'_>]) -> Vec<Figure> {
    let good =
        |it: &&DrillEntry<'_>| it.drill.outcome == Outcome::Passed && it.drill.restore_ms > 0;
    let bytes: u64 = all.iter().filter(good).map(|it| it.drill.bytes).sum();
    let wall: u64 = all.iter().filter(good).map(|it| it.drill.restore_ms).sum();
    let rate = (wall > 0).then(|| bytes as f64 * 1000.0 / wall as f64);
    let mut aimed = Vec::new();
    for system in &work.systems {
        if let (Some(target), Some((time_ms, entry))) =
            (system.promise.rto_ms, full_time_ms(&system.drills))
        {
            aimed.push((time_ms <= target, entry));
        }
    }
    let kept = aimed.iter().filter(|(is_kept, _)| *is_kept).count();
    let share = (!aimed.is_empty()).then(|| kept as f64 / aimed.len() as f64);
    let longest =
        work.systems.iter().filter_map(|it| full_time_ms(&it.drills)).max_by_key(|it| it.0);
    let errors: Vec<f64> = work.systems.iter().flat_map(|it| estimate_errors(&it.drills)).collect();
    let error = errors.iter().map(|error| error.abs()).reduce(f64::max);
    vec![
        Figure::new(
            "drills.rto_kept_share",
            "Systems within their RTO",
            Value::known(share, Value::Share),
            Basis::of(aimed.iter().map(|(_, entry)| entry.id.clone()))
                .by("newest measured or estimated time of a full restore ≤ objective"),
        )
        .note(if aimed.is_empty() {
            "no RTO is stated or recorded"
        } else {
            "measured or estimated"
        })
        .tone(match share {
            Some(1.0) => Tone::Good,
            Some(_) => Tone::Bad,
            None => Tone::Plain,
        }),
        Figure::new(
            "drills.longest_full",
            "Longest full restore",
            Value::known(longest.map(|it| it.0), Value::Span),
            Basis::of(longest.map(|it| it.1.id.clone())),
        )
        .note("of one system, measured or estimated"),
        Figure::new(
            "drills.rate",
            "Throughput of restores",
            Value::known(rate, Value::Rate),
            ids(all.iter().filter(good)).by("bytes ÷ wall time, over drills that passed"),
        ),
        Figure::new(
            "drills.estimate_error",
            "Largest error of an estimate",
            Value::known(error, Value::Share),
            Basis {
                ids: Vec::new(),
                count: errors.len() as u64,
                rule: Some(
                    "each full restore against the newest estimate of its system before it"
                        .to_owned(),
                ),
            },
        )
        .note("estimates against full restores"),
    ]
}

/// Of each full restore, how far the estimate before it was off: estimate ÷ measured − 1.
fn estimate_errors(drills: &[DrillEntry<'_>]) -> Vec<f64> {
    let mut estimate: Option<u64> = None;
    let mut errors = Vec::new();
    for it in drills {
        if let (Some(measured), Some(estimate)) = (measured_full_ms(it.drill), estimate) {
            errors.push(estimate as f64 / measured.max(1) as f64 - 1.0);
        }
        estimate = it.drill.estimate.map(|one| one.likely_ms).or(estimate);
    }
    errors
}

fn outcome_cell(outcome: Outcome) -> Cell {
    let tone = match outcome {
        Outcome::Passed => Tone::Good,
        Outcome::Failed => Tone::Bad,
        Outcome::NotProved => Tone::Warn,
    };
    Cell::toned(Value::text(outcome.name()), tone)
}

fn table(all: &[DrillEntry<'_>]) -> Table {
    let mut table = Table::new(
        "drills",
        "Drills",
        &[
            ("time", "Ended", 1.5),
            ("system", "System", 1.7),
            ("kind", "Kind", 1.0),
            ("outcome", "Outcome", 1.0),
            ("level", "Level", 0.7),
            ("files", "Files", 0.8),
            ("bytes", "Bytes", 1.0),
            ("restore", "Restoring", 1.1),
            ("rate", "Throughput", 1.2),
            ("findings", "Findings", 0.9),
            ("ticket", "Ticket", 1.5),
        ],
        "No drill is recorded in the period.",
    );
    table.printed_max = 45;
    let mut sorted: Vec<&DrillEntry<'_>> = all.iter().collect();
    // Not all are printed: what failed comes first, then the newest.
    sorted.sort_by_key(|it| {
        let is_good = it.drill.outcome == Outcome::Passed;
        (is_good, std::cmp::Reverse((it.entry.at_ms, it.entry.reference)))
    });
    for DrillEntry { entry, drill } in sorted {
        let cells = vec![
            Value::Time(drill.finished_ms).into(),
            drill.system.as_str().into(),
            drill.kind.name().into(),
            outcome_cell(drill.outcome),
            Value::Level(drill.level).into(),
            Value::Count(drill.files).into(),
            Value::Bytes(drill.bytes).into(),
            Value::Span(drill.restore_ms).into(),
            Value::known(rate(drill), Value::Rate).into(),
            Value::Count(drill.finding_count).into(),
            drill.ticket.clone().map_or_else(|| "".into(), Cell::from),
        ];
        table.push(cells, Basis::of([entry.id.clone(), drill.begun.to_string()]));
    }
    table
}

fn rate(drill: &Drill) -> Option<f64> {
    (drill.restore_ms > 0).then(|| drill.bytes as f64 * 1000.0 / drill.restore_ms as f64)
}

fn times_table(work: &Work<'_>) -> Table {
    let mut table = Table::new(
        "recovery_times",
        "Time of a full restore",
        &[
            ("system", "System", 2.0),
            ("files", "Files", 1.0),
            ("bytes", "Bytes", 1.0),
            ("measured", "Measured", 1.2),
            ("estimate", "Estimated", 1.2),
            ("interval", "Interval", 2.0),
            ("rto_target", "Objective", 1.1),
            ("verdict", "Verdict", 1.2),
        ],
        "No drill of the period measured or estimated a full restore.",
    );
    table.printed_max = 200;
    for system in &work.systems {
        let passed = || system.drills.iter().rev().filter(|it| it.drill.outcome == Outcome::Passed);
        let full = passed().find(|it| measured_full_ms(it.drill).is_some());
        let guess = passed().find_map(|it| Some((it, it.drill.estimate?)));
        let Some(newest) = full.or(guess.map(|it| it.0)) else { continue };
        let measured = full.map(|it| it.drill.restore_ms);
        let interval = guess.map(|(_, it)| {
            let (low, high) = (Value::Span(it.low_ms).shown(), Value::Span(it.high_ms).shown());
            format!("{low} to {high}")
        });
        let time = full_time_ms(&system.drills).map(|it| it.0);
        let verdict = match time.zip(system.promise.rto_ms) {
            Some((time, target)) if time <= target => Cell::toned(Value::text("kept"), Tone::Good),
            Some(_) => Cell::toned(Value::text("exceeded"), Tone::Bad),
            None => Value::text("no objective").into(),
        };
        let cells = vec![
            system.name.as_str().into(),
            Value::Count(newest.drill.total_files).into(),
            Value::Bytes(newest.drill.total_bytes).into(),
            Value::known(measured, Value::Span).into(),
            Value::known(guess.map(|(_, it)| it.likely_ms), Value::Span).into(),
            Value::known(interval, Value::Text).into(),
            Value::known(system.promise.rto_ms, Value::Span).into(),
            verdict,
        ];
        table.push(cells, ids(full.into_iter().chain(guess.map(|it| it.0))));
    }
    table
}

/// The section on real restores.
#[must_use]
pub fn restores(work: &Work<'_>) -> Section {
    let all: Vec<(&Entry, &Restore)> = work
        .entries()
        .filter_map(|entry| match &entry.event {
            Event::Restore(restore) if work.is_wanted(&restore.system) => Some((entry, restore)),
            _ => None,
        })
        .collect();
    let basis = |keep: &dyn Fn(&Restore) -> bool| {
        Basis::of(all.iter().filter(|it| keep(it.1)).map(|it| it.0.id.clone()))
    };
    let failed = basis(&|it| it.outcome == Outcome::Failed);
    let verified = basis(&|it| it.is_verified);
    let share = (!all.is_empty()).then(|| verified.count as f64 / all.len() as f64);
    let tone = if failed.count > 0 { Tone::Bad } else { Tone::Plain };
    let figures = vec![
        Figure::new(
            "restores.total",
            "Real restores",
            Value::Count(all.len() as u64),
            basis(&|_| true),
        )
        .note("that are recorded as evidence"),
        Figure::new("restores.failed", "Restores failed", Value::Count(failed.count), failed)
            .tone(tone),
        Figure::new(
            "restores.verified_share",
            "Restores compared with the store",
            Value::known(share, Value::Share),
            verified,
        ),
    ];
    Section {
        id: "restores",
        title: "Real restores",
        lead: "Restores that were not drills: who restored what, why, and with which result."
            .to_owned(),
        blocks: vec![Block::Figures { figures }, Block::Table(restores_table(&all))],
    }
}

fn restores_table(all: &[(&Entry, &Restore)]) -> Table {
    let mut table = Table::new(
        "restores",
        "Restores",
        &[
            ("time", "Time", 1.5),
            ("system", "System", 1.5),
            ("by", "By", 1.3),
            ("outcome", "Outcome", 1.0),
            ("files", "Files", 0.8),
            ("bytes", "Bytes", 1.0),
            ("duration", "Took", 1.0),
            ("verified", "Compared", 1.0),
            ("reason", "Reason", 2.2),
            ("ticket", "Ticket", 1.2),
        ],
        "No real restore is recorded in the period.",
    );
    for (entry, it) in all.iter().rev() {
        let cells = vec![
            Value::Time(entry.at_ms).into(),
            it.system.as_str().into(),
            entry.actor.as_str().into(),
            outcome_cell(it.outcome),
            Value::Count(it.files).into(),
            Value::Bytes(it.bytes).into(),
            Value::Span(it.duration_ms).into(),
            (if it.is_verified { "yes" } else { "no" }).into(),
            it.reason.as_str().into(),
            it.ticket.clone().map_or_else(|| "".into(), Cell::from),
        ];
        table.push(cells, Basis::of([entry.id.clone()]));
    }
    table
}
