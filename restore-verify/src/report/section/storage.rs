//! What is stored, how it grows, what it costs; month by month, and twelve months ahead.

use std::collections::BTreeMap;

use crate::evidence::drill_event::Outcome;
use crate::evidence::event::Event;
use crate::evidence::population::RunOutcome;
use crate::objective::rpo::{self, RecoveryPoint};
use crate::report::calendar::{Month, month_after, months};
use crate::report::model::{
    Basis, Block, Chart, Figure, Mark, Section, Series, Table, Tone, Value,
};
use crate::report::trend::{self, Expected, Line, POINTS_MIN};
use crate::report::work::Work;

/// Months that are foretold.
const AHEAD: usize = 12;

/// Bytes at the end of a month, and what they are from.
struct Growth {
    months: Vec<Month>,
    /// Of the whole store, as rotations counted them.
    stored: Vec<Option<f64>>,
    /// Logical bytes of the newest snapshot of each system.
    logical: Vec<Option<f64>>,
    /// Bytes that runs added.
    added: Vec<f64>,
    rotations: Basis,
}

/// The section on storage.
#[must_use]
pub fn storage(work: &Work<'_>) -> Section {
    let growth = growth(work);
    let mut figures = now(work, &growth);
    let (name, values) = growth.best();
    let line = line(values);
    figures.extend(ahead(work, &growth, name, line));
    let mut blocks =
        vec![Block::Figures { figures }, Block::Chart(chart(&growth, name, values, line))];
    let words = match line {
        None => format!(
            "A forecast needs {POINTS_MIN} months with a known size; there are {}.",
            values.iter().flatten().count()
        ),
        Some(_) => format!(
            "Forecast: a straight line through the {name} bytes at the end of each month, with the \
             interval in which a new value lies with 95 % if growth goes on as it did."
        ),
    };
    blocks.push(Block::Text { text: words });
    Section {
        id: "storage",
        title: "Storage, cost, forecast",
        lead: "Stored bytes are those of all packs, as rotations counted them; they are shared by all \
               systems of the repository."
            .to_owned(),
        blocks,
    }
}

impl Growth {
    /// The series that a forecast is made from.
    fn best(&self) -> (&'static str, &[Option<f64>]) {
        match self.stored.iter().flatten().count() >= POINTS_MIN {
            true => ("stored", &self.stored),
            false => ("logical", &self.logical),
        }
    }
}

fn growth(work: &Work<'_>) -> Growth {
    let period = work.period();
    let months = months(period.from_ms, period.to_ms);
    let rotations: Vec<(i64, u64, &str)> = work
        .entries()
        .filter_map(|entry| match &entry.event {
            Event::Rotation(it) => Some((entry.at_ms, it.total_bytes, entry.id.as_str())),
            _ => None,
        })
        .collect();
    let mut used = Vec::new();
    let mut stored = Vec::new();
    for month in &months {
        let within = |it: &&(i64, u64, &str)| month.from_ms <= it.0 && it.0 < month.to_ms;
        let last = rotations.iter().rev().find(within);
        used.extend(last.map(|it| it.2.to_owned()));
        stored.push(last.map(|it| it.1 as f64));
    }
    let logical = months.iter().map(|month| logical_at(work, month.to_ms)).collect();
    let added = |month: &Month| {
        let within = |at: i64| month.from_ms <= at && at < month.to_ms;
        work.runs.iter().filter(|run| within(run.at_ms)).map(|run| run.stored_bytes as f64).sum()
    };
    let added = months.iter().map(added).collect();
    let rotations = Basis::of(used).by("the last rotation of each month");
    Growth { months, stored, logical, added, rotations }
}

fn logical_at(work: &Work<'_>, at_ms: i64) -> Option<f64> {
    let mut newest: BTreeMap<&str, (i64, u64)> = BTreeMap::new();
    let there =
        work.facts.points.iter().filter(|it| it.started_ms < at_ms && work.is_wanted(&it.system));
    for point in there {
        let kept = newest.entry(&point.system).or_insert((point.started_ms, point.bytes));
        *kept = (*kept).max((point.started_ms, point.bytes));
    }
    (!newest.is_empty()).then(|| newest.values().map(|it| it.1 as f64).sum())
}

fn now(work: &Work<'_>, growth: &Growth) -> Vec<Figure> {
    let stored = growth.stored.iter().flatten().next_back().copied();
    let logical = growth.logical.iter().flatten().next_back().copied();
    let added: f64 = growth.added.iter().sum();
    let bytes = |value: Option<f64>| Value::known(value, |value| Value::Bytes(value as u64));
    let newest = || Basis::of(growth.rotations.ids.last().cloned());
    let snapshots =
        || Basis::default().by("newest snapshot of each system at the end of the period");
    let ratio = logical.zip(stored).filter(|(_, stored)| *stored > 0.0);
    let mut figures = vec![
        Figure::new("storage.stored", "Stored", bytes(stored), newest())
            .note("all packs, by the newest rotation"),
        Figure::new("storage.logical", "Protected", bytes(logical), snapshots())
            .note("logical bytes of the newest snapshots"),
        Figure::new(
            "storage.added",
            "Added by runs",
            Value::Bytes(added as u64),
            Basis {
                ids: Vec::new(),
                count: work.runs.len() as u64,
                rule: Some("sum of stored_bytes over all runs".to_owned()),
            },
        )
        .note("in the period, before anything is freed"),
        Figure::new(
            "storage.ratio",
            "Stored of protected",
            Value::known(ratio, |(logical, stored)| Value::Share(stored / logical.max(1.0))),
            newest(),
        )
        .note("with all kept snapshots"),
    ];
    figures.push(cost(work, "cost.month", "Storage a month, now", stored, newest()));
    figures
}

fn cost(
    work: &Work<'_>,
    id: &'static str,
    label: &str,
    bytes: Option<f64>,
    basis: Basis,
) -> Figure {
    match &work.scope.price {
        None => {
            Figure::new(id, label, Value::NotRecorded, Basis::default()).note("no price is stated")
        }
        Some(price) => {
            let money = bytes.map(|bytes| bytes / f64::from(1 << 30) * price.gib_month);
            let label = format!("{label}, {}", price.currency);
            Figure::new(id, label, Value::known(money, Value::Money), basis)
                .note(format!("stated price: {} for 1 GiB", price.gib_month))
        }
    }
}

fn line(values: &[Option<f64>]) -> Option<Line> {
    let known = values.iter().enumerate().filter_map(|(x, value)| Some((x as f64, (*value)?)));
    trend::fit(&known.collect::<Vec<_>>())
}

fn ahead(work: &Work<'_>, growth: &Growth, name: &str, line: Option<Line>) -> Vec<Figure> {
    let last = growth.months.len().saturating_sub(1) as f64;
    let expected = line.map(|line| line.at(last + AHEAD as f64));
    let bytes = |value: f64| Value::Bytes(value.max(0.0) as u64);
    let basis = || match name {
        "stored" => growth.rotations.clone(),
        _ => Basis::default().by("newest snapshot of each system at the end of each month"),
    };
    let slope = line.map(|line| line.slope());
    let growing = match slope {
        Some(slope) if slope < 0.0 => "shrinking by",
        _ => "growing by",
    };
    let interval = expected.map_or_else(String::new, |it: Expected| {
        format!("{} to {} at 95 %", bytes(it.low).shown(), bytes(it.high).shown())
    });
    let stored = (name == "stored").then_some(()).and(expected);
    vec![
        Figure::new(
            "storage.growth",
            format!("{}{} a month, {growing}", capital(name), &name[1..]),
            Value::known(slope, |slope| bytes(slope.abs())),
            basis(),
        ),
        Figure::new(
            "storage.forecast",
            format!("{}{} in 12 months", capital(name), &name[1..]),
            Value::known(expected, |it| bytes(it.likely)),
            basis(),
        )
        .note(interval),
        cost(
            work,
            "cost.forecast",
            "Storage a month, in 12 months",
            stored.map(|it| it.likely),
            basis(),
        ),
    ]
}

fn chart(growth: &Growth, name: &str, values: &[Option<f64>], line: Option<Line>) -> Chart {
    let known = growth.months.len();
    let ahead = if line.is_some() { AHEAD } else { 0 };
    let mut points: Vec<String> = growth.months.iter().map(|month| month.name.clone()).collect();
    let last = points.last().cloned().unwrap_or_default();
    points.extend((1..=ahead).map(|n| month_after(&last, n)));
    let padded = |values: &[Option<f64>]| {
        values.iter().copied().chain(std::iter::repeat_n(None, ahead)).collect::<Vec<_>>()
    };
    let mut series = vec![Series {
        name: format!("{name} bytes"),
        mark: Mark::Line,
        tone: Tone::Good,
        values: padded(values),
    }];
    let mut band = Vec::new();
    if let Some(line) = line {
        let at = |x: usize| line.at(x as f64);
        let future = |x: usize| x + 1 >= known;
        let values = (0..known + ahead).map(|x| future(x).then(|| at(x).likely.max(0.0)));
        series.push(Series {
            name: "forecast".to_owned(),
            mark: Mark::Dashed,
            tone: Tone::Plain,
            values: values.collect(),
        });
        let ends = |x| {
            let it = at(x);
            (it.low.max(0.0), it.high.max(0.0))
        };
        band = (0..known + ahead).map(|x| future(x).then(|| ends(x))).collect();
    }
    Chart {
        id: "storage",
        title: format!("{}{} bytes", capital(name), &name[1..]),
        description: "Bytes at the end of each month and, dashed, what is to be expected with its \
                      interval."
            .to_owned(),
        unit: "bytes",
        points,
        series,
        band,
        evidence: growth.rotations.clone(),
    }
}

/// The section on how things went month by month.
#[must_use]
pub fn trends(work: &Work<'_>) -> Section {
    let growth = growth(work);
    let mut table = Table::new(
        "months",
        "Month by month",
        &[
            ("month", "Month", 1.0),
            ("runs", "Runs", 0.9),
            ("success", "Succeeded", 1.0),
            ("missed", "Failed, missed", 1.2),
            ("rpo_worst", "RPO worst", 1.2),
            ("drills", "Drills passed", 1.1),
            ("drills_failed", "Drills failed", 1.1),
            ("found", "Findings", 0.9),
            ("logical", "Protected", 1.1),
            ("stored", "Stored", 1.1),
        ],
        "The period touches no month.",
    );
    let mut worst_values = Vec::new();
    for (at, month) in growth.months.iter().enumerate() {
        let within = |at_ms: i64| month.from_ms <= at_ms && at_ms < month.to_ms;
        let runs: Vec<_> = work.runs.iter().filter(|run| within(run.at_ms)).collect();
        let count = |keep: &dyn Fn(RunOutcome) -> bool| {
            runs.iter().filter(|run| keep(run.outcome)).count() as u64
        };
        let ok = count(&RunOutcome::is_ok);
        let lost = count(&|it| matches!(it, RunOutcome::Failed | RunOutcome::Missed));
        let share = (!runs.is_empty()).then(|| ok as f64 / runs.len() as f64);
        let drills: Vec<_> =
            work.drills().into_iter().filter(|it| within(it.entry.at_ms)).collect();
        let ended = |outcome| drills.iter().filter(|it| it.drill.outcome == outcome).count() as u64;
        let found = work.incidents.iter().filter(|one| within(one.case.found_ms)).count();
        let worst = worst_rpo(work, month);
        worst_values.push(worst.map(|worst| worst as f64));
        let bytes = |value: Option<f64>| Value::known(value, |value| Value::Bytes(value as u64));
        let cells = vec![
            month.name.as_str().into(),
            Value::Count(runs.len() as u64).into(),
            Value::known(share, Value::Share).into(),
            Value::Count(lost).into(),
            Value::known(worst, Value::Span).into(),
            Value::Count(ended(Outcome::Passed)).into(),
            Value::Count(ended(Outcome::Failed)).into(),
            Value::Count(found as u64).into(),
            bytes(growth.logical[at]).into(),
            bytes(growth.stored[at]).into(),
        ];
        table.push(cells, Basis::of(drills.iter().map(|it| it.entry.id.clone())));
    }
    Section {
        id: "trends",
        title: "How it went",
        lead: "The months of the period beside each other.".to_owned(),
        blocks: vec![Block::Chart(rpo_chart(&growth.months, worst_values)), Block::Table(table)],
    }
}

fn rpo_chart(months: &[Month], worst_values: Vec<Option<f64>>) -> Chart {
    Chart {
        id: "rpo_by_month",
        title: "Worst RPO attained".to_owned(),
        description: "The largest age of the newest snapshot of any system in each month."
            .to_owned(),
        unit: "milliseconds",
        points: months.iter().map(|month| month.name.clone()).collect(),
        series: vec![Series {
            name: "worst RPO of any system".to_owned(),
            mark: Mark::Line,
            tone: Tone::Warn,
            values: worst_values,
        }],
        band: Vec::new(),
        evidence: Basis::default().by("confirmed snapshots, by the store's clock"),
    }
}

/// Of all systems that had a snapshot before the month or in it.
fn worst_rpo(work: &Work<'_>, month: &Month) -> Option<u64> {
    let mut points: BTreeMap<&str, Vec<RecoveryPoint>> = BTreeMap::new();
    let wanted =
        |it: &&crate::report::population::Point| !it.is_brought_back && work.is_wanted(&it.system);
    for point in work.facts.points.iter().filter(wanted) {
        let one = RecoveryPoint { started_ms: point.started_ms, committed_ms: point.committed_ms };
        points.entry(&point.system).or_default().push(one);
    }
    let worst = |points: &Vec<RecoveryPoint>| {
        let first = points.iter().map(|it| it.committed_ms).min()?.max(month.from_ms);
        if first >= month.to_ms {
            return None;
        }
        rpo::attained(points, first, month.to_ms).worst_ms
    };
    points.values().filter_map(worst).max()
}

fn capital(name: &str) -> String {
    name[..1].to_uppercase()
}
