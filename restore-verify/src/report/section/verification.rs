//! How much of what is stored was read and authenticated, and what samples show.

use crate::evidence::drill_event::{DrillKind, Outcome};
use crate::evidence::event::{Check, Event, Rotation};
use crate::report::calendar;
use crate::report::facts::Entry;
use crate::report::model::{Basis, Block, Cell, Figure, Section, Table, Tone, Value};
use crate::report::system::DrillEntry;
use crate::report::work::Work;
use crate::sample::confidence::{CONFIDENCE, defect_bound, statement};

/// Parts of one that a share is shown in.
const SHOWN_PARTS: f64 = 1000.0;

/// The section.
#[must_use]
pub fn section(work: &Work<'_>) -> Section {
    let rotations: Vec<(&Entry, &Rotation)> = of(work, |event| match event {
        Event::Rotation(rotation) => Some(rotation),
        _ => None,
    });
    let checks: Vec<(&Entry, &Check)> = of(work, |event| match event {
        Event::Check(check) => Some(check),
        _ => None,
    });
    let mut figures = stored(work, &rotations, &checks);
    let (draws, failures, basis) = samples(work);
    figures.extend(sampled(draws, failures, &basis));
    let words = match draws {
        0 => "No sample was drawn in the period.".to_owned(),
        _ => format!(
            "Samples: {}. Files are drawn by a public rule from what was signed before, stratified \
             by age, size and folder; the seed of each draw stands in its record.",
            statement(draws, failures)
        ),
    };
    let blocks = vec![
        Block::Figures { figures },
        Block::Text { text: words },
        Block::Table(table(&rotations, &checks)),
    ];
    Section {
        id: "verification",
        title: "Verification",
        lead: "Packs are read in their turn and every byte is authenticated; samples of files are \
               restored and compared."
            .to_owned(),
        blocks,
    }
}

fn of<'a, T>(work: &Work<'a>, pick: fn(&'a Event) -> Option<&'a T>) -> Vec<(&'a Entry, &'a T)> {
    work.entries().filter_map(|entry| Some((entry, pick(&entry.event)?))).collect()
}

/// Draws, failures among them, and the drills that drew.
fn samples(work: &Work<'_>) -> (u64, u64, Basis) {
    let drills = work.drills();
    let drawn: Vec<_> = drills
        .iter()
        .filter(|it| it.drill.kind == DrillKind::Sample && it.drill.outcome != Outcome::NotProved)
        .collect();
    let failures = |it: &&DrillEntry<'_>| {
        let certain =
            it.drill.findings.iter().filter(|found| !found.is_doubt && found.file.is_some());
        let of_bytes = it.drill.probes.iter().find(|tally| tally.probe == "bytes");
        of_bytes.map_or(certain.count() as u64, |tally| tally.failed)
    };
    let draws = drawn.iter().map(|it| it.drill.result_count).sum();
    let failed = drawn.iter().map(failures).sum();
    let basis = Basis::of(drawn.iter().map(|it| it.entry.id.clone()))
        .by("sample drills of the period that passed or failed");
    (draws, failed, basis)
}

fn stored(
    work: &Work<'_>,
    rotations: &[(&Entry, &Rotation)],
    checks: &[(&Entry, &Check)],
) -> Vec<Figure> {
    let newest = rotations.last();
    let newest_basis = || Basis::of(newest.map(|(entry, _)| entry.id.clone()));
    let share = newest.filter(|(_, it)| it.total_bytes > 0);
    let share = share.map(|(_, it)| it.covered_bytes as f64 / it.total_bytes as f64);
    let ids =
        rotations.iter().map(|(entry, _)| *entry).chain(checks.iter().map(|(entry, _)| *entry));
    let all = Basis::of(ids.map(|entry| entry.id.clone())).by("rotations and checks of the period");
    let has_any = all.count > 0;
    let read: u64 = rotations.iter().map(|(_, it)| it.bytes).sum::<u64>()
        + checks.iter().map(|(_, it)| it.bytes_read).sum::<u64>();
    let damaged: u64 = rotations.iter().map(|(_, it)| it.failed).sum::<u64>()
        + checks.iter().map(|(_, it)| it.damaged).sum::<u64>();
    let oldest = newest.map(|(_, it)| match it.oldest_ms {
        Some(oldest) => Value::Span((work.period().to_ms - oldest).max(0) as u64),
        None => Value::text("a pack was never read"),
    });
    let is_never = matches!(oldest, Some(Value::Text(_)));
    vec![
        Figure::new(
            "verify.bytes_share",
            "Stored bytes authenticated",
            Value::known(share, Value::Share),
            newest_basis(),
        )
        .note(newest.map_or_else(String::new, |(_, it)| {
            format!("within {}", calendar::counted(u64::from(it.days), "day"))
        }))
        .tone(match share {
            Some(1.0) => Tone::Good,
            Some(_) => Tone::Warn,
            None => Tone::Plain,
        }),
        Figure::new(
            "verify.bytes_read",
            "Read and authenticated",
            if has_any { Value::Bytes(read) } else { Value::NotRecorded },
            all.clone(),
        )
        .note("in the period"),
        Figure::new(
            "verify.damaged",
            "Damaged objects",
            if has_any { Value::Count(damaged) } else { Value::NotRecorded },
            all,
        )
        .tone(match (has_any, damaged) {
            (false, _) => Tone::Plain,
            (true, 0) => Tone::Good,
            (true, _) => Tone::Bad,
        }),
        Figure::new(
            "verify.oldest",
            "Longest without verification",
            oldest.unwrap_or(Value::NotRecorded),
            newest_basis(),
        )
        .note("the pack whose turn is the longest ago")
        .tone(if is_never { Tone::Warn } else { Tone::Plain }),
    ]
}

fn sampled(draws: u64, failures: u64, basis: &Basis) -> Vec<Figure> {
    // In tenths of a percent as it is shown, and outwards.
    let bound = (draws > 0)
        .then(|| (defect_bound(draws, failures, CONFIDENCE) * SHOWN_PARTS).ceil() / SHOWN_PARTS);
    let count = |id, label: &str, count: u64| {
        let value = if draws > 0 { Value::Count(count) } else { Value::NotRecorded };
        Figure::new(id, label, value, basis.clone())
    };
    vec![
        count("verify.draws", "Files drawn and restored", draws),
        count("verify.draw_failures", "Drawn and defective", failures).tone(if failures > 0 {
            Tone::Bad
        } else {
            Tone::Plain
        }),
        Figure::new(
            "verify.defect_bound",
            "Defective at most",
            Value::known(bound, Value::Share),
            basis.clone(),
        )
        .note("of all files, at 95 % confidence"),
    ]
}

fn table(rotations: &[(&Entry, &Rotation)], checks: &[(&Entry, &Check)]) -> Table {
    let mut table = Table::new(
        "verification_runs",
        "Rotations and checks",
        &[
            ("time", "Time", 1.6),
            ("method", "Method", 2.2),
            ("read", "Read", 1.1),
            ("of", "Of", 1.1),
            ("covered", "Covered", 1.0),
            ("damaged", "Damaged", 1.0),
        ],
        "No rotation and no check is recorded in the period.",
    );
    table.printed_max = 24;
    let damaged = |count: u64| match count {
        0 => Cell::from(Value::Count(0)),
        count => Cell::toned(Value::Count(count), Tone::Bad),
    };
    let mut rows: Vec<(bool, i64, Vec<Cell>, &Entry)> = Vec::new();
    for (entry, it) in rotations {
        let share = (it.total_bytes > 0).then(|| it.covered_bytes as f64 / it.total_bytes as f64);
        let cells = vec![
            Value::Time(entry.at_ms).into(),
            format!(
                "rotation, {}, {}",
                calendar::counted(it.packs, "pack"),
                calendar::counted(u64::from(it.days), "day")
            )
            .into(),
            Value::Bytes(it.bytes).into(),
            Value::Bytes(it.total_bytes).into(),
            Value::known(share, Value::Share).into(),
            damaged(it.failed),
        ];
        rows.push((it.failed > 0, entry.at_ms, cells, entry));
    }
    for (entry, it) in checks {
        let cells = vec![
            Value::Time(entry.at_ms).into(),
            format!("check of {}", calendar::counted(it.snapshots, "snapshot")).into(),
            Value::Bytes(it.bytes_read).into(),
            Value::Bytes(it.pack_bytes).into(),
            Value::NotRecorded.into(),
            damaged(it.damaged),
        ];
        rows.push((it.damaged > 0, entry.at_ms, cells, entry));
    }
    rows.sort_by_key(|(is_bad, at_ms, ..)| (!is_bad, std::cmp::Reverse(*at_ms)));
    for (_, _, cells, entry) in rows {
        table.push(cells, Basis::of([entry.id.clone()]));
    }
    table
}
