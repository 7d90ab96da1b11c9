//! How backups went: expected, succeeded, partial, failed, missed; recovery points attained.

use crate::evidence::population::RunOutcome;
use crate::report::calendar::{self, DAY_MS, months};
use crate::report::model::{
    Basis, Block, Cell, Chart, Figure, Mark, Section, Series, Table, Tone, Value,
};
use crate::report::system::SystemState;
use crate::report::work::Work;

/// The section.
#[must_use]
pub fn section(work: &Work<'_>) -> Section {
    let blocks = vec![
        Block::Figures { figures: figures(work) },
        Block::Chart(chart(work)),
        Block::Table(by_system(work)),
        Block::Table(breaches(work)),
        Block::Table(not_ok(work)),
    ];
    Section {
        id: "performance",
        title: "Backup performance",
        lead:
            "Each session that the store heard of is a run, with a snapshot or without; where it \
               is stated how often a system is backed up, one that it did not hear of counts as \
               missed. Recovery points are computed from the \
               store, not from what clients say."
                .to_owned(),
        blocks,
    }
}

/// Whether missed runs can be told at all.
fn is_expected_known(work: &Work<'_>) -> bool {
    !work.systems.is_empty() && work.systems.iter().all(|it| it.promise.every_ms.is_some())
}

fn figures(work: &Work<'_>) -> Vec<Figure> {
    let [ok, notes, partial, failed, missed] = RunOutcome::FINAL;
    let (all, all_basis) = work.tally(&RunOutcome::FINAL);
    let (good, good_basis) = work.tally(&[ok, notes]);
    let is_known = is_expected_known(work);
    let if_known = |value: Value| if is_known { value } else { Value::NotRecorded };
    let bad = |count: u64, tone: Tone| if count > 0 { tone } else { Tone::Good };
    let count = |id, label: &str, outcome: RunOutcome, tone: Tone| {
        let (count, basis) = work.tally(&[outcome]);
        Figure::new(id, label, Value::Count(count), basis).tone(bad(count, tone))
    };
    let share = (all > 0).then(|| good as f64 / all as f64);
    let share_tone = match share {
        Some(share) if share >= 0.99 => Tone::Good,
        Some(share) if share >= 0.95 => Tone::Warn,
        Some(_) => Tone::Bad,
        None => Tone::Plain,
    };
    let (missed_count, missed_basis) = work.tally(&[missed]);
    let missed_figure = Figure::new(
        "runs.missed",
        "Missed runs",
        if_known(Value::Count(missed_count)),
        missed_basis,
    )
    .tone(if is_known { bad(missed_count, Tone::Bad) } else { Tone::Plain });
    let mut figures = vec![
        Figure::new(
            "runs.expected",
            "Runs expected",
            if_known(Value::Count(all)),
            all_basis.clone(),
        )
        .note("begun, and due without one"),
        Figure::new("runs.ok", "Runs succeeded", Value::Count(good), good_basis),
        count("runs.noted", "Of these with notes", notes, Tone::Warn)
            .note("something vanished or changed while it was read"),
        count("runs.partial", "Partial runs", partial, Tone::Warn)
            .note("snapshots that name what they lack"),
        count("runs.failed", "Failed runs", failed, Tone::Bad),
        missed_figure,
        Figure::new(
            "runs.success_share",
            "Success rate",
            if_known(Value::known(share, Value::Share)),
            all_basis.by("succeeded ÷ expected"),
        )
        .tone(if is_known { share_tone } else { Tone::Plain }),
    ];
    figures.extend(rpo_figures(work));
    figures
}

fn rpo_figures(work: &Work<'_>) -> Vec<Figure> {
    let rule = "age of the newest confirmed snapshot over the whole period, by the store's clock";
    let basis =
        || Basis { ids: Vec::new(), count: work.runs.len() as u64, rule: Some(rule.into()) };
    // A system that had no snapshot at some time has no worst value: it is told by its breaches.
    let worst = work.systems.iter().filter_map(|it| Some((it.attained.worst_ms?, &it.name))).max();
    let aimed: Vec<_> = work.systems.iter().filter(|it| it.promise.rpo_ms.is_some()).collect();
    let kept = aimed.iter().filter(|it| it.breaches.is_empty()).count();
    let breach_count: usize = aimed.iter().map(|it| it.breaches.len()).sum();
    let is_aimed = !aimed.is_empty();
    let share = is_aimed.then(|| kept as f64 / aimed.len() as f64);
    vec![
        Figure::new(
            "rpo.worst",
            "Worst RPO attained",
            Value::known(worst.map(|(worst, _)| worst), Value::Span),
            basis(),
        )
        .note(worst.map_or_else(String::new, |(_, name)| format!("of {name}"))),
        Figure::new(
            "rpo.kept_share",
            "Systems within their RPO",
            Value::known(share, Value::Share),
            basis(),
        )
        .note(match is_aimed {
            true => "during the whole period",
            false => "no RPO is stated or recorded",
        })
        .tone(match share {
            Some(1.0) => Tone::Good,
            Some(_) => Tone::Warn,
            None => Tone::Plain,
        }),
        Figure::new(
            "rpo.breaches",
            "RPO breaches",
            Value::known(is_aimed.then_some(breach_count as u64), Value::Count),
            basis(),
        )
        .tone(match (is_aimed, breach_count) {
            (false, _) => Tone::Plain,
            (true, 0) => Tone::Good,
            (true, _) => Tone::Bad,
        }),
    ]
}

fn chart(work: &Work<'_>) -> Chart {
    let period = work.period();
    let months = months(period.from_ms, period.to_ms);
    // A short period is shown by days.
    let stretches: Vec<(String, i64, i64)> = if months.len() > 2 {
        months.into_iter().map(|month| (month.name, month.from_ms, month.to_ms)).collect()
    } else {
        let day = DAY_MS as i64;
        let first = period.from_ms.div_euclid(day);
        let last = (period.to_ms - 1).div_euclid(day);
        let of = |n: i64| (calendar::day(n * day)[5..].to_owned(), n * day, (n + 1) * day);
        (first..=last.max(first)).map(of).collect()
    };
    let series = |name: &str, outcomes: &[RunOutcome], tone: Tone| {
        let count = |from: i64, to: i64| {
            let those = work.runs.iter().filter(|run| from <= run.at_ms && run.at_ms < to);
            those.filter(|run| outcomes.contains(&run.outcome)).count() as f64
        };
        let values = stretches.iter().map(|(_, from, to)| Some(count(*from, *to))).collect();
        Series { name: name.to_owned(), mark: Mark::Bar, tone, values }
    };
    let [ok, notes, partial, failed, missed] = RunOutcome::FINAL;
    Chart {
        id: "runs",
        title: "Runs".to_owned(),
        description: "Runs by outcome over the period; the tables below name those that did not \
                      succeed."
            .to_owned(),
        unit: "count",
        series: vec![
            series("succeeded", &[ok, notes], Tone::Good),
            series("partial", &[partial], Tone::Warn),
            series("failed or missed", &[failed, missed], Tone::Bad),
        ],
        points: stretches.into_iter().map(|(name, ..)| name).collect(),
        band: Vec::new(),
        evidence: Basis::default().by("runs by the day on which they began or were due"),
    }
}

fn by_system(work: &Work<'_>) -> Table {
    let mut table = Table::new(
        "runs_by_system",
        "By system",
        &[
            ("system", "System", 2.0),
            ("expected", "Expected", 1.0),
            ("ok", "Succeeded", 1.0),
            ("partial", "Partial", 0.9),
            ("failed", "Failed", 0.9),
            ("missed", "Missed", 0.9),
            ("rpo_worst", "RPO worst", 1.2),
            ("rpo_p95", "RPO 95 %", 1.2),
            ("rpo_target", "Objective", 1.1),
            ("breaches", "Breaches", 1.0),
        ],
        "There is no system.",
    );
    table.printed_max = 200;
    let mut systems: Vec<&SystemState<'_>> = work.systems.iter().collect();
    systems.sort_by_key(|it| (std::cmp::Reverse(it.breaches.len()), &it.name));
    for system in systems {
        let row = |outcome: RunOutcome, tone: Tone| match system.runs(outcome) {
            0 => Cell::from(Value::Count(0)),
            count => Cell::toned(Value::Count(count), tone),
        };
        let is_known = system.promise.every_ms.is_some();
        let all: u64 = system.tally.values().sum();
        let ok = system.runs(RunOutcome::Ok) + system.runs(RunOutcome::OkWithNotes);
        let unless = |cell: Cell| if is_known { cell } else { Value::NotRecorded.into() };
        let gap = |value: Option<u64>| match value {
            Some(span) => Value::Span(span),
            None => Value::text("no snapshot"),
        };
        let has_target = system.promise.rpo_ms.is_some();
        let breaches = match (has_target, system.breaches.len()) {
            (false, _) => Value::NotRecorded.into(),
            (true, 0) => Value::Count(0).into(),
            (true, count) => Cell::toned(Value::Count(count as u64), Tone::Bad),
        };
        let cells = vec![
            system.name.as_str().into(),
            unless(Value::Count(all).into()),
            Value::Count(ok).into(),
            row(RunOutcome::Partial, Tone::Warn),
            row(RunOutcome::Failed, Tone::Bad),
            unless(row(RunOutcome::Missed, Tone::Bad)),
            gap(system.attained.worst_ms).into(),
            gap(system.attained.p95_ms).into(),
            Value::known(system.promise.rpo_ms, Value::Span).into(),
            breaches,
        ];
        let rule = format!("runs whose system is {}", system.name);
        table.push(cells, Basis { ids: Vec::new(), count: all, rule: Some(rule) });
    }
    table
}

fn breaches(work: &Work<'_>) -> Table {
    let mut table = Table::new(
        "rpo_breaches",
        "RPO breaches",
        &[
            ("system", "System", 2.0),
            ("from", "From", 1.5),
            ("to", "Until", 1.5),
            ("lasted", "Lasted", 1.2),
            ("runs", "Runs that did not succeed then", 3.0),
        ],
        "No recovery point objective was breached, or none is stated.",
    );
    let mut all: Vec<(i64, i64, &SystemState<'_>)> = work
        .systems
        .iter()
        .flat_map(|system| system.breaches.iter().map(move |(from, to)| (*from, *to, system)))
        .collect();
    all.sort_by_key(|(from, to, system)| (std::cmp::Reverse(to - from), *from, &system.name));
    for (from, to, system) in all {
        let reach = system.promise.rpo_ms.unwrap_or_default() as i64;
        let near: Vec<_> = work
            .runs
            .iter()
            .filter(|run| run.system == system.name && !run.outcome.is_ok())
            .filter(|run| from - reach <= run.at_ms && run.at_ms <= to)
            .collect();
        let words: Vec<String> = near
            .iter()
            .take(3)
            .map(|run| format!("{} {}", run.outcome.name(), calendar::day(run.at_ms)))
            .collect();
        let until =
            if to == work.period().to_ms { Value::text("goes on") } else { Value::Time(to) };
        let cells = vec![
            system.name.as_str().into(),
            Value::Time(from).into(),
            until.into(),
            Cell::toned(Value::Span((to - from) as u64), Tone::Bad),
            if words.is_empty() { "none is recorded".into() } else { words.join(", ").into() },
        ];
        table.push(cells, Basis::of(near.iter().map(|run| run.id.clone())));
    }
    table
}

fn not_ok(work: &Work<'_>) -> Table {
    let mut table = Table::new(
        "runs_not_ok",
        "Runs that did not succeed",
        &[
            ("time", "Begun or due", 1.6),
            ("system", "System", 2.0),
            ("outcome", "Outcome", 1.0),
            ("why", "Why", 3.5),
        ],
        "All runs succeeded.",
    );
    table.printed_max = 40;
    for run in work.runs.iter().rev().filter(|run| !run.outcome.is_ok()) {
        let tone = if run.outcome == RunOutcome::Partial { Tone::Warn } else { Tone::Bad };
        let cells = vec![
            Value::Time(run.at_ms).into(),
            run.system.as_str().into(),
            Cell::toned(Value::text(run.outcome.name()), tone),
            run.why.as_str().into(),
        ];
        table.push(cells, Basis::of(run.record.iter().chain([&run.id])));
    }
    table
}
