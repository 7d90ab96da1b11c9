//! Which systems there are, how far each is proved, and which are not protected.

use crate::objective::level;
use crate::report::model::{Basis, Block, Cell, Figure, Section, Table, Tone, Value};
use crate::report::system::{RECOVERABLE_LEVEL, SystemState};
use crate::report::work::Work;

/// The section.
#[must_use]
pub fn section(work: &Work<'_>) -> Section {
    let mut blocks = vec![Block::Figures { figures: figures(work) }, Block::Table(table(work))];
    blocks.push(Block::Table(unprotected(work)));
    if work.scope.plan.systems.is_empty() {
        let text = "Nobody stated which systems there should be: a system that was never backed up \
                    cannot be in these lists.";
        blocks.push(Block::Text { text: text.to_owned() });
    }
    Section {
        id: "coverage",
        title: "Coverage",
        lead: "Every system with the evidence level that signed records support at the end of the \
               period, and those without protection."
            .to_owned(),
        blocks,
    }
}

fn basis(system: &SystemState<'_>) -> Basis {
    let drills = system.drills.iter().rev().take(1).map(|it| it.entry.id.clone());
    let newest = system.newest.map(|point| format!("snapshot:{}", point.snapshot));
    Basis::of(drills.chain(newest))
}

fn figures(work: &Work<'_>) -> Vec<Figure> {
    let total = work.systems.len() as u64;
    let recoverable: Vec<_> =
        work.systems.iter().filter(|system| system.level >= RECOVERABLE_LEVEL).collect();
    let unprotected = work.systems.iter().filter(|system| system.is_unprotected());
    let unprotected = Basis::of(unprotected.map(|system| format!("system:{}", system.name)));
    let with_objectives =
        work.systems.iter().filter(|it| it.promise.rpo_ms.is_some() && it.promise.rto_ms.is_some());
    let with_tier = work.systems.iter().filter(|it| it.promise.tier.is_some()).count() as u64;
    let drills = recoverable
        .iter()
        .filter_map(|it| it.drills.iter().rev().find(|one| one.drill.level >= RECOVERABLE_LEVEL));
    let proof = Basis::of(drills.map(|it| it.entry.id.clone()))
        .by("the newest drill of each system that supports level 4 or more");
    let share = |count: u64| (total > 0).then(|| count as f64 / total as f64);
    let all = recoverable.len() as u64 == total && total > 0;
    let open = unprotected.count;
    let stated = (!work.scope.plan.systems.is_empty()).then_some(work.scope.plan.systems.len());
    vec![
        Figure::new("systems.total", "Systems", Value::Count(total), Basis::default()).note(
            match stated {
                Some(count) => format!("{count} are stated"),
                None => "with snapshots or drills".to_owned(),
            },
        ),
        Figure::new(
            "systems.recoverable",
            "Recoverable (L4 or higher)",
            Value::Count(recoverable.len() as u64),
            proof.clone(),
        )
        .note("files came back, equal byte for byte")
        .tone(if all { Tone::Good } else { Tone::Warn }),
        Figure::new(
            "systems.recoverable_share",
            "Share recoverable",
            Value::known(share(recoverable.len() as u64), Value::Share),
            proof,
        ),
        Figure::new("systems.unprotected", "Unprotected", Value::Count(open), unprotected)
            .note("without a snapshot that is young enough")
            .tone(if open > 0 { Tone::Bad } else { Tone::Good }),
        Figure::new(
            "systems.with_objectives",
            "With objectives",
            Value::known(share(with_objectives.count() as u64), Value::Share),
            Basis::default().by("systems with an RPO and an RTO, stated or recorded by drills"),
        ),
        Figure::new(
            "systems.with_tier",
            "Ranked by importance",
            Value::known(share(with_tier).filter(|_| with_tier > 0), Value::Share),
            Basis::default().by("systems with a tier in the stated list"),
        ),
    ]
}

fn table(work: &Work<'_>) -> Table {
    let mut table = Table::new(
        "systems",
        "Systems",
        &[
            ("system", "System", 2.0),
            ("tier", "Tier", 0.8),
            ("level", "Level", 0.8),
            ("newest", "Newest snapshot", 1.7),
            ("rpo_target", "RPO", 0.9),
            ("rto_target", "RTO", 0.9),
            ("lacks", "Shown, or lacking for the next level", 3.2),
        ],
        "There is no system.",
    );
    let mut systems: Vec<_> = work.systems.iter().collect();
    systems.sort_by(|a, b| (a.level, &a.name).cmp(&(b.level, &b.name)));
    table.printed_max = 200;
    for system in systems {
        let tone = match system.level {
            0 => Tone::Bad,
            1..RECOVERABLE_LEVEL => Tone::Warn,
            _ => Tone::Good,
        };
        let cells = vec![
            system.name.as_str().into(),
            Value::known(system.promise.tier.clone(), Value::Text).into(),
            Cell::toned(Value::Level(system.level), tone),
            match system.newest {
                Some(newest) => Value::Time(newest.started_ms).into(),
                None => "none".into(),
            },
            Value::known(system.promise.rpo_ms, Value::Span).into(),
            Value::known(system.promise.rto_ms, Value::Span).into(),
            match system.lacks.as_str() {
                "" => level::meaning(system.level).into(),
                lacks => lacks.into(),
            },
        ];
        table.push(cells, basis(system));
    }
    table
}

fn unprotected(work: &Work<'_>) -> Table {
    let mut table = Table::new(
        "unprotected",
        "Unprotected",
        &[("system", "System", 2.0), ("why", "Why", 4.0), ("stated", "In the stated list", 1.5)],
        "No system is unprotected.",
    );
    for system in work.systems.iter().filter(|system| system.is_unprotected()) {
        let stated = match system.is_stated {
            None => Value::NotRecorded,
            Some(true) => Value::text("yes"),
            Some(false) => Value::text("no"),
        };
        let why = Cell::toned(Value::text(system.lacks.as_str()), Tone::Bad);
        table.push(vec![system.name.as_str().into(), why, stated.into()], basis(system));
    }
    table
}
