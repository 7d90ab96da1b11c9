//! Reports over a simulated fleet: every number is counted a second time, without the report's code.

#![expect(clippy::disallowed_methods, reason = "tests write their own sources")]

mod controls;
mod files;
mod program;

use std::collections::BTreeSet;

use engine::base::id::ClientId;
use engine::crypt::sign::SigningKey;
use engine::format::session::SessionKind;
use engine::format::slot::Role;
use engine::index::identity::enrol;
use engine::index::{catalog, marks};
use engine::repo::keyring::Identity;
use engine::repo::session;
use engine::store::name::ObjectName;
use restore_verify::evidence::runs;
use restore_verify::evidence::shelf::{Author, Shelf};
use restore_verify::report::compose::{Cover, Kind, report};
use restore_verify::report::facts::Facts;
use restore_verify::report::json;
use restore_verify::report::model::{Block, Cell, Figure, Period, Report, Table, Value};
use restore_verify::report::plan::{Plan, Promise};
use restore_verify::report::work::{Price, Scope, Work};
use serde_json::Value as Json;
use system_tests::fleet::{BEGIN_MS, DAY_MS, Fleet, FleetOptions, Truth};
use system_tests::world::World;

const HOUR_MS: u64 = 3_600_000;

fn scope(to_ms: i64) -> Scope {
    let default = Promise {
        tier: None,
        rpo_ms: Some(26 * HOUR_MS),
        rto_ms: Some(4 * HOUR_MS),
        every_ms: Some(DAY_MS as u64),
    };
    Scope {
        period: Period { from_ms: BEGIN_MS, to_ms },
        hosts: Vec::new(),
        plan: Plan { default, ..Plan::default() },
        price: Some(Price { gib_month: 0.02, currency: "EUR".to_owned() }),
    }
}

fn facts(world: &World) -> Facts {
    let catalog = catalog::live(&world.repo, &world.index).expect("snapshots can be listed");
    let marks = marks::read(&world.repo, &world.index).expect("marks can be read");
    Facts::read(&world.repo, &world.state(), &catalog, &marks).expect("facts can be read")
}

fn make(kind: Kind, work: &Work<'_>) -> Report {
    let cover = Cover {
        client: "Acme & Sons <b>".to_owned(),
        host: "office".to_owned(),
        made_ms: work.period().to_ms + 60_000,
    };
    report(kind, work, &cover).expect("the table of controls is good")
}

fn figure<'r>(report: &'r Report, id: &str) -> &'r Figure {
    let found = report.figures().map(|(_, figure)| figure).find(|figure| figure.id == id);
    found.expect(id)
}

fn table<'r>(report: &'r Report, id: &str) -> &'r Table {
    let blocks = report.sections.iter().flat_map(|section| &section.blocks);
    let mut tables = blocks.filter_map(|block| match block {
        Block::Table(table) => Some(table),
        _ => None,
    });
    tables.find(|table| table.id == id).expect(id)
}

/// From the begin of each snapshot to the commit of the next one, of those that end in the period.
fn gaps(points: &[(i64, i64)], from_ms: i64, to_ms: i64) -> impl Iterator<Item = i64> {
    let next = points.iter().skip(1).map(|point| point.1).chain([to_ms]);
    let ends = points.iter().zip(next).filter(move |(_, next)| *next > from_ms);
    ends.map(|(point, next)| next - point.0)
}

/// The largest recovery point gap of a system, straight from the times of its snapshots.
fn worst_ms(points: &[(i64, i64)], from_ms: i64, to_ms: i64) -> u64 {
    gaps(points, from_ms, to_ms).max().expect("there is a snapshot") as u64
}

/// Breaches of 26 hours: gaps between a begin and the next commit that are longer.
fn breaches(points: &[(i64, i64)], from_ms: i64, to_ms: i64) -> u64 {
    gaps(points, from_ms, to_ms).filter(|gap| *gap > 26 * HOUR_MS as i64).count() as u64
}

fn counted(truth: &Truth, to_ms: i64) -> Vec<(&'static str, Value)> {
    let sum = |of: &std::collections::BTreeMap<String, u64>| of.values().sum::<u64>();
    let (ok, partial, missed) = (sum(&truth.ok), sum(&truth.partial), sum(&truth.missed));
    let failed = sum(&truth.failed_runs);
    let all = ok + partial + failed + missed;
    let worst = truth.points.values().map(|points| worst_ms(points, BEGIN_MS, to_ms)).max();
    let breached: u64 = truth.points.values().map(|points| breaches(points, BEGIN_MS, to_ms)).sum();
    vec![
        ("systems.total", Value::Count(truth.points.len() as u64)),
        ("runs.ok", Value::Count(ok)),
        ("runs.partial", Value::Count(partial)),
        ("runs.failed", Value::Count(failed)),
        ("runs.missed", Value::Count(missed)),
        ("runs.expected", Value::Count(all)),
        ("runs.success_share", Value::Share(ok as f64 / all as f64)),
        ("rpo.worst", worst.map_or(Value::NotRecorded, Value::Span)),
        ("rpo.breaches", Value::Count(breached)),
        ("verify.bytes_read", Value::Bytes(truth.bytes_read)),
        ("verify.draws", Value::Count(truth.draws)),
        ("drills.total", Value::Count(truth.passed + truth.failed + truth.not_proved)),
        ("drills.passed", Value::Count(truth.passed)),
        ("drills.failed", Value::Count(truth.failed)),
        ("drills.not_proved", Value::Count(truth.not_proved)),
        ("incidents.total", Value::Count(truth.findings)),
        ("incidents.open", Value::Count(truth.findings - truth.closed)),
        ("restores.total", Value::Count(truth.restores)),
        ("evidence.records", Value::Count(truth.records)),
        ("evidence.flaws", Value::Count(0)),
    ]
}

#[test]
fn every_number_of_a_report_is_the_one_that_was_counted_beside_it() {
    let folder = tempfile::tempdir().expect("a folder");
    let options = FleetOptions { systems: 8, days: 120, seed: 3 };
    let fleet =
        Fleet::create(&folder.path().join("repository"), &folder.path().join("prover"), options);
    let Fleet { repo, end_ms, truth, .. } = fleet;
    // Another machine, which keeps nothing yet.
    let world = World::around(repo);
    let facts = facts(&world);
    let mut scope = scope(end_ms);
    let work = Work::new(&facts, &scope);
    let made = make(Kind::Compliance, &work);
    for (id, expected) in counted(&truth, end_ms) {
        assert_eq!(figure(&made, id).value, expected, "{id}");
    }
    assert!(!truth.failed_runs.is_empty(), "{truth:?}");
    assert!(truth.failed > 0 && truth.closed > 0 && truth.restores > 0, "{truth:?}");
    by_system(&made, &truth);
    chains_are_whole(&made, &facts);
    everything_leads_to_evidence(&made, &work, &facts);
    // When every system is there, the worst gap is that of the snapshots' own times.
    let from_ms = BEGIN_MS + 2 * DAY_MS;
    scope.period.from_ms = from_ms;
    let work = Work::new(&facts, &scope);
    let made = make(Kind::Sla, &work);
    let worst = truth.points.values().map(|points| worst_ms(points, from_ms, end_ms)).max();
    assert_eq!(figure(&made, "rpo.worst").value, Value::Span(worst.expect("a gap")));
    let breached: u64 = truth.points.values().map(|points| breaches(points, from_ms, end_ms)).sum();
    assert_eq!(figure(&made, "rpo.breaches").value, Value::Count(breached));
    for kind in Kind::ALL {
        files::are_good(&make(kind, &work), &work);
    }
}

fn by_system(made: &Report, truth: &Truth) {
    let rows = &table(made, "runs_by_system").rows;
    assert_eq!(rows.len(), truth.points.len());
    for row in rows {
        let name = &row.cells[0].value.shown();
        let of = |counts: &std::collections::BTreeMap<String, u64>| {
            Value::Count(counts.get(name).copied().unwrap_or_default())
        };
        let found: Vec<&Value> = row.cells[2..6].iter().map(|cell| &cell.value).collect();
        let counted = [&truth.ok, &truth.partial, &truth.failed_runs, &truth.missed];
        assert_eq!(found, counted.map(of).iter().collect::<Vec<_>>(), "{name}");
    }
}

/// A closed finding: failed drill, ticket, fix, drill that passed, closing; each a record.
fn chains_are_whole(made: &Report, facts: &Facts) {
    let event = |id: &String| {
        let entry = facts.entries.iter().find(|entry| entry.id == *id).expect("it is a record");
        entry.event.name()
    };
    let mut closed = 0;
    for row in &table(made, "incidents").rows {
        let state: &Cell = row.cells.last().expect("a state");
        let events: Vec<&str> = row.evidence.ids.iter().map(event).collect();
        if state.value == Value::text("closed") {
            closed += 1;
            assert_eq!(events, ["drill", "remedy", "remedy", "drill", "remedy"]);
        } else {
            assert_eq!(events, ["drill", "remedy"]);
        }
    }
    assert!(closed > 0);
}

/// Every figure that states something names what it is from, and the names lead somewhere.
fn everything_leads_to_evidence(made: &Report, work: &Work<'_>, facts: &Facts) {
    let runs: BTreeSet<&str> = work.runs.iter().map(|run| run.id.as_str()).collect();
    let records: BTreeSet<&str> = facts.entries.iter().map(|entry| entry.id.as_str()).collect();
    let things = ["snapshot:", "key:", "hold:", "system:", "repository:"];
    let check = |ids: &[String], place: &str| {
        for id in ids {
            let is_known = runs.contains(id.as_str())
                || records.contains(id.as_str())
                || things.iter().any(|thing| id.starts_with(thing));
            assert!(is_known, "{id} of {place} leads nowhere");
        }
    };
    let mut figure_count = 0;
    for (section, figure) in made.figures() {
        let place = format!("{} in {}", figure.id, section.id);
        check(&figure.evidence.ids, &place);
        let states = figure.value.number().is_some_and(|number| number > 0.0);
        let is_count_of_systems = figure.id == "systems.total";
        let has_basis = figure.evidence.count > 0 || figure.evidence.rule.is_some();
        assert!(!states || has_basis || is_count_of_systems, "{place} is from nowhere");
        figure_count += 1;
    }
    assert!(figure_count > 50, "only {figure_count} figures");
    for block in made.sections.iter().flat_map(|section| &section.blocks) {
        if let Block::Table(table) = block {
            table.rows.iter().for_each(|row| check(&row.evidence.ids, table.id));
        }
    }
}

#[test]
fn a_repository_without_anything_gives_reports_that_claim_nothing() {
    let world = World::in_memory();
    let facts = facts(&world);
    let mut scope = scope(BEGIN_MS + 30 * DAY_MS);
    scope.price = None;
    let work = Work::new(&facts, &scope);
    for kind in Kind::ALL {
        let made = make(kind, &work);
        files::are_good(&made, &work);
        assert!(made.headline.starts_with("0 of 0 systems recoverable"), "{}", made.headline);
    }
    let made = make(Kind::Compliance, &work);
    for id in ["rpo.worst", "verify.bytes_share", "drills.last", "storage.stored", "cost.month"] {
        assert_eq!(figure(&made, id).value, Value::NotRecorded, "{id}");
    }
    // What nobody proved is a gap, never a pass; that nothing is encrypted shows nothing either.
    let document: Json =
        serde_json::from_slice(&json::write(&made, &[]).expect("it is written")).expect("JSON");
    let text = document.to_string();
    assert!(text.contains("not covered by this tool"));
    for block in made.sections.iter().flat_map(|section| &section.blocks) {
        let Block::Table(table) = block else { continue };
        for row in table.rows.iter().filter(|_| table.id == "controls") {
            let (control, verdict) = (row.cells[0].value.shown(), row.cells[3].value.shown());
            assert!(verdict != "pass", "{control} passes without any evidence");
        }
    }
}

#[test]
fn a_list_of_systems_makes_the_unprotected_seen() {
    let world = World::in_memory();
    let source = world.new_folder("source");
    std::fs::write(source.join("file"), b"bytes").expect("a file");
    world.backup(&source).expect("it is backed up");
    let host = world.newest().host;
    let facts = facts(&world);
    let now_ms = facts.points[0].committed_ms + 1000;
    let mut scope = scope(now_ms);
    scope.period.from_ms = now_ms - 3 * DAY_MS;
    let text =
        format!("[[system]]\nhost = {host:?}\ntier = 'gold'\n[[system]]\nhost = 'forgotten'\n");
    let span = |_: &str| Ok(0);
    scope.plan.read(&text, &span).expect("it is a list");
    let work = Work::new(&facts, &scope);
    let made = make(Kind::Recoverability, &work);
    let rows = &table(&made, "unprotected").rows;
    assert_eq!(rows.len(), 1);
    assert_eq!(rows[0].cells[0].value, Value::text("forgotten"));
    assert_eq!(figure(&made, "systems.unprotected").value, Value::Count(1));
    // It never ran: every run that was due is missed. The other one came just now.
    let missed: Vec<&str> = work
        .runs
        .iter()
        .filter(|run| run.outcome.name() == "missed")
        .map(|run| run.system.as_str())
        .collect();
    assert_eq!(missed, ["forgotten"; 3]);
    assert!(made.headline.contains("1 unprotected"), "{}", made.headline);
}

#[test]
fn a_run_that_failed_stays_in_reports_when_the_store_has_forgotten_it() {
    let world = World::in_memory();
    let source = world.new_folder("source");
    std::fs::write(source.join("file"), b"bytes").expect("a file");
    let identity = Identity { client: ClientId::new([3; 8]), signing: SigningKey::generate() };
    enrol(&world.repo, &identity, "db01", Role::Admin, 0).expect("it can be enrolled");
    let cut_off = session::new_id(&identity, 0);
    session::register(&world.repo, &identity, cut_off, SessionKind::Backup, "db01")
        .expect("it can be registered");
    let run_of = |facts: &Facts, now_ms: i64| {
        let mut scope = scope(now_ms);
        scope.plan.default.every_ms = None;
        let runs = Work::new(facts, &scope).runs;
        runs.into_iter().find(|run| run.system == "db01")
    };
    let now_ms = facts(&world).read_ms;
    assert_eq!(run_of(&facts(&world), now_ms + 1), None, "it may still be going on");
    let mut later = facts(&world);
    later.read_ms += 2 * DAY_MS;
    let run = run_of(&later, now_ms + 1).expect("it has ended");
    assert_eq!((run.outcome.name(), run.record), ("failed", None));
    // A population names it, and a collector takes its registration away.
    let mut shelf = Shelf::open(&world.repo, &world.state()).expect("the chains can be read");
    let catalog = catalog::live(&world.repo, &world.index).expect("snapshots can be listed");
    let author = Author { identity: &identity, actor: "test", host: "here" };
    let at = runs::record(&mut shelf, &world.repo, &catalog, &world.state(), &author, 0)
        .expect("it is recorded")
        .expect("it was due");
    drop(shelf);
    world.repo.store().delete(&ObjectName::Session(cut_off)).expect("it can be deleted");
    let mut later = facts(&world);
    later.read_ms += 2 * DAY_MS;
    let run = run_of(&later, now_ms + 1).expect("evidence knows it");
    assert_eq!((run.outcome.name(), run.record), ("failed", Some(at.to_string())));
}
