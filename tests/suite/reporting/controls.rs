//! Each control over a fleet that just meets its conditions, and over one that just does not.
//!
//! The fleet is made of plain values: three systems, four hundred days, a backup each night, a sample
//! each month, a full restore twice a year. For each measure and each figure there is one way to be
//! exactly at a limit, and one to be beyond it by the least that there is.

use std::collections::BTreeMap;

use engine::format::slot::Role;
use restore_verify::evidence::drill_event::{Drill, DrillKind, Outcome};
use restore_verify::evidence::event::{Act, Check, Event, Restore, Rotation};
use restore_verify::evidence::population::RunOutcome;
use restore_verify::evidence::record::{Hash32, Reference, Writer};
use restore_verify::evidence::remedy::Case;
use restore_verify::report::compose::Kind;
use restore_verify::report::facts::{Entry, Facts, KeyFact};
use restore_verify::report::model::{Block, Period};
use restore_verify::report::plan::{Plan, Promise};
use restore_verify::report::population::Point;
use restore_verify::report::section::matrix::{Asked, Condition, asked};
use restore_verify::report::work::{Scope, Work};

const DAY: i64 = 86_400_000;
const HOUR: i64 = 3_600_000;
const DAYS: i64 = 400;
const FROM: i64 = 1_700_000_000_000;
const TO: i64 = FROM + DAYS * DAY;
const SYSTEMS: [&str; 3] = ["db1", "mail1", "web1"];
/// The system that is at a limit, or beyond it.
const ONE: &str = "mail1";

#[derive(Clone)]
struct Fleet {
    facts: Facts,
    scope: Scope,
}

fn hash(number: u8) -> Hash32 {
    Hash32([number; 32])
}

fn point(system: &str, started_ms: i64) -> Point {
    let run = format!("{system}-{started_ms}");
    Point {
        snapshot: run.clone(),
        run,
        system: system.to_owned(),
        started_ms,
        finished_ms: started_ms + 50_000,
        committed_ms: started_ms + 60_000,
        outcome: RunOutcome::Ok,
        entries: 1000,
        bytes: 1 << 30,
        stored_bytes: 1000,
        problems: 0,
        is_forgotten: false,
        is_brought_back: false,
    }
}

fn drill(system: &str, at_ms: i64, kind: DrillKind) -> Event {
    let is_full = kind == DrillKind::Full;
    let begun = Reference { writer: Writer([1; 8]), number: 0, hash: hash(0) };
    Event::Drill(Box::new(Drill {
        begun,
        kind,
        snapshot: [1; 24],
        system: system.to_owned(),
        snapshot_ms: at_ms - HOUR,
        outcome: Outcome::Passed,
        level: if is_full { 6 } else { 4 },
        lacks: String::new(),
        started_ms: at_ms - HOUR,
        finished_ms: at_ms,
        restore_ms: 2 * HOUR as u64,
        files: 300,
        bytes: 1 << 20,
        decoded_bytes: 1 << 20,
        requests: 9,
        results: hash(0),
        result_count: 300,
        probes: Vec::new(),
        finding_count: 0,
        findings: Vec::new(),
        total_files: 900,
        total_bytes: 1 << 30,
        estimate: None,
        rpo_ms: HOUR as u64,
        rpo_target_ms: None,
        rto_target_ms: None,
        retest_of: None,
        ticket: None,
        authenticated_ppm: 1_000_000,
        retested: Vec::new(),
        dropped: 0,
        not_saved: 0,
        confinement: None,
    }))
}

fn rotation() -> Rotation {
    Rotation {
        packs: 10,
        bytes: 1 << 20,
        failed: 0,
        total_packs: 100,
        total_bytes: 1 << 30,
        covered_bytes: 1 << 30,
        days: 28,
        oldest_ms: Some(TO - 20 * DAY),
        requests: 1,
        results: hash(0),
        finding_count: 0,
        findings: Vec::new(),
        started_ms: TO - 2 * DAY,
        finished_ms: TO - DAY,
    }
}

fn restore() -> Restore {
    Restore {
        snapshot: [1; 24],
        system: "web1".to_owned(),
        outcome: Outcome::Passed,
        files: 1,
        bytes: 1,
        duration_ms: 1,
        is_verified: true,
        reason: String::new(),
        ticket: None,
        started_ms: TO - DAY,
        problems: 0,
        damaged: 0,
        is_whole: false,
        snapshot_ms: TO - 2 * DAY,
    }
}

impl Fleet {
    fn good() -> Self {
        let mut fleet = Self { facts: Facts::default(), scope: scope() };
        for system in SYSTEMS {
            for day in 0..DAYS {
                fleet.facts.points.push(point(system, FROM + day * DAY));
            }
            for day in (10..DAYS).step_by(30) {
                fleet.add(FROM + day * DAY, drill(system, FROM + day * DAY, DrillKind::Sample));
            }
            for day in [11, 190, DAYS - 5] {
                fleet.add(FROM + day * DAY, drill(system, FROM + day * DAY, DrillKind::Full));
            }
        }
        fleet.add(TO - 2190 * DAY, Event::Policy(Act::default()));
        fleet.add(TO - DAY, Event::Rotation(rotation()));
        fleet.add(TO - DAY, Event::Restore(restore()));
        fleet.facts.read_ms = TO;
        fleet.facts.locks_objects = Some(true);
        fleet.facts.keys = vec![KeyFact {
            id: "k".to_owned(),
            kind: "key file",
            role: Some(Role::Backup),
            label: None,
            created_ms: None,
        }];
        fleet
    }

    fn add(&mut self, at_ms: i64, event: Event) -> Reference {
        let number = self.facts.entries.len() as u32;
        let reference = Reference { writer: Writer([1; 8]), number, hash: hash(7) };
        self.facts.entries.push(Entry {
            id: reference.to_string(),
            reference,
            at_ms,
            stored_ms: Some(at_ms),
            actor: "kim".to_owned(),
            host: "prover".to_owned(),
            program: String::new(),
            event,
        });
        reference
    }

    /// What is said of each control: its verdict and why.
    fn verdicts(&self) -> BTreeMap<String, (String, String)> {
        let mut fleet = self.clone();
        fleet.facts.entries.sort_by_key(|entry| entry.at_ms);
        let work = Work::new(&fleet.facts, &fleet.scope);
        let mut found = BTreeMap::new();
        for kind in [Kind::Compliance, Kind::Insurer] {
            let made = super::make(kind, &work);
            for block in made.sections.iter().flat_map(|section| &section.blocks) {
                let Block::Table(table) = block else { continue };
                for row in table.rows.iter().filter(|_| table.id == "controls") {
                    let cell = |at: usize| row.cells[at].value.shown();
                    found.insert(cell(0), (cell(3), cell(4)));
                }
            }
        }
        found
    }

    fn points(&mut self) -> impl Iterator<Item = &mut Point> {
        self.facts.points.iter_mut().filter(|point| point.system == ONE)
    }

    fn drills(&mut self) -> impl Iterator<Item = &mut Drill> {
        self.facts.entries.iter_mut().filter_map(|entry| match &mut entry.event {
            Event::Drill(drill) if drill.system == ONE => Some(drill.as_mut()),
            _ => None,
        })
    }

    fn promise(&mut self) -> &mut Promise {
        self.scope.plan.systems.get_mut(ONE).expect("it is stated")
    }

    /// Leaves drills of a kind out, and puts full ones so far apart.
    fn space_drills(&mut self, keeps_samples: bool, apart_ms: i64, more_ms: i64) {
        self.facts.entries.retain(|entry| match &entry.event {
            Event::Drill(drill) if drill.system == ONE => {
                keeps_samples && drill.kind == DrillKind::Sample
            }
            _ => true,
        });
        let mut at_ms = FROM + 10 * DAY;
        while at_ms < TO {
            let late = if at_ms == FROM + 10 * DAY + apart_ms { more_ms } else { 0 };
            self.add(at_ms + late, drill(ONE, at_ms + late, DrillKind::Full));
            at_ms += apart_ms;
        }
    }

    /// Between two snapshots lies so much.
    fn space_points(&mut self, gap_ms: i64) {
        let (first, next_ms) = (FROM + 100 * DAY, FROM + 100 * DAY + gap_ms - 60_000);
        let is_between = |point: &Point| {
            point.system == ONE && point.started_ms > first && point.started_ms <= next_ms
        };
        self.facts.points.retain(|point| !is_between(point));
        self.facts.points.push(point(ONE, next_ms));
    }

    fn find_damage(&mut self, at_ms: i64) {
        let check = Check {
            snapshots: 1,
            packs: 1,
            pack_bytes: 1,
            bytes_read: 1,
            damaged: 0,
            findings: Vec::new(),
            duration_ms: 1,
            started_ms: at_ms,
            outcome: Outcome::Failed,
            method: "all".to_owned(),
            packs_read: 1,
            hurt_paths: 0,
            retest_of: None,
            ticket: None,
        };
        let finding = self.add(at_ms, Event::Check(check));
        self.facts.cases.push(Case {
            finding,
            event: "check".to_owned(),
            found_ms: at_ms,
            system: ONE.to_owned(),
            breaches: Vec::new(),
            finding_count: 1,
            steps: Vec::new(),
            retests: Vec::new(),
        });
    }
}

fn scope() -> Scope {
    let promise = || Promise {
        tier: Some("gold".to_owned()),
        rpo_ms: Some(26 * HOUR as u64),
        rto_ms: Some(4 * HOUR as u64),
        every_ms: Some(DAY as u64),
    };
    let systems = SYSTEMS.iter().map(|system| ((*system).to_owned(), promise())).collect();
    Scope {
        period: Period { from_ms: FROM, to_ms: TO },
        hosts: Vec::new(),
        plan: Plan { systems, ..Plan::default() },
        price: None,
    }
}

/// Puts one system at the limit of a measure, or the least beyond it.
fn put_measure(fleet: &mut Fleet, id: &str, limit: f64, is_beyond: bool) {
    let beyond = i64::from(is_beyond);
    match id {
        "protected" => {
            // The newest snapshot is as old as its objective.
            fleet.promise().rpo_ms = Some((24 * HOUR - beyond) as u64);
            let last = TO - 24 * HOUR;
            fleet.facts.points.retain(|it| it.system != ONE || it.started_ms <= last);
        }
        "success_share" => {
            let bad = ((1.0 - limit) * DAYS as f64).round() as usize + beyond as usize;
            fleet.points().take(bad).for_each(|point| point.outcome = RunOutcome::Partial);
        }
        "worst_gap_ms" => fleet.space_points(limit as i64 + beyond),
        "reach_days" => {
            let oldest = TO - limit as i64 * DAY;
            fleet
                .points()
                .filter(|it| it.started_ms < oldest)
                .for_each(|it| it.is_forgotten = true);
            let first = fleet.points().find(|it| it.started_ms == oldest).expect("one each day");
            first.started_ms += beyond;
        }
        "level" => {
            let level = limit as u8 - beyond as u8;
            fleet.drills().for_each(|drill| drill.level = drill.level.min(level));
        }
        "test_gap_days" => fleet.space_drills(false, limit as i64 * DAY, beyond),
        "full_gap_days" => fleet.space_drills(true, limit as i64 * DAY, beyond),
        "open_findings" if is_beyond => fleet.find_damage(TO - DAY),
        "open_findings" => {}
        "oldest_finding_days" => fleet.find_damage(TO - limit as i64 * DAY - beyond),
        "rpo_breaches" => {
            fleet.promise().rpo_ms = Some((24 * HOUR + 60_000 - beyond) as u64);
        }
        "rto_kept" => fleet.promise().rto_ms = Some((2 * HOUR - beyond) as u64),
        "has_rpo" if is_beyond => fleet.promise().rpo_ms = None,
        "has_rto" if is_beyond => fleet.promise().rto_ms = None,
        "has_tier" if is_beyond => fleet.promise().tier = None,
        "has_rpo" | "has_rto" | "has_tier" => {}
        other => unreachable!("no way to be at the limit of the measure {other}"),
    }
}

/// Puts the repository at the limit of a figure, or the least beyond it.
fn put_figure(fleet: &mut Fleet, id: &str, is_beyond: bool) {
    if !is_beyond {
        return;
    }
    let event = |fleet: &mut Fleet, change: &dyn Fn(&mut Event)| {
        fleet.facts.entries.iter_mut().for_each(|entry| change(&mut entry.event));
    };
    match id {
        "restores.failed" => event(fleet, &|it| {
            if let Event::Restore(restore) = it {
                restore.outcome = Outcome::Failed;
            }
        }),
        "restores.verified_share" => event(fleet, &|it| {
            if let Event::Restore(restore) = it {
                restore.is_verified = false;
            }
        }),
        "restores.total" => {
            fleet.facts.entries.retain(|it| !matches!(it.event, Event::Restore(_)));
        }
        "evidence.kept_days" => {
            let first = fleet.facts.entries.iter_mut().min_by_key(|entry| entry.at_ms);
            first.expect("there are records").at_ms += 1;
        }
        "verify.bytes_share" => event(fleet, &|it| {
            if let Event::Rotation(rotation) = it {
                rotation.covered_bytes -= 1;
            }
        }),
        "verify.damaged" => event(fleet, &|it| {
            if let Event::Rotation(rotation) = it {
                rotation.failed = 1;
            }
        }),
        "protect.keys" | "protect.write_only_keys" => fleet.facts.keys.clear(),
        "protect.gone" => fleet.facts.gone.push("gone".to_owned()),
        "protect.lock" => fleet.facts.locks_objects = Some(false),
        other => unreachable!("no way to be beyond the limit of the figure {other}"),
    }
}

fn put(fleet: &mut Fleet, condition: &Condition, is_beyond: bool) {
    let limit = condition.at_least.or(condition.at_most).expect("a limit");
    match (&condition.each, &condition.figure) {
        (Some(id), None) => put_measure(fleet, id, limit, is_beyond),
        (None, Some(id)) => put_figure(fleet, id, is_beyond),
        _ => unreachable!("a condition is of one thing"),
    }
}

/// A second copy is recorded nowhere yet, so nothing that asks for one passes.
fn can_pass(control: &Asked) -> bool {
    let is_copy = |it: &Condition| it.figure.as_deref() == Some("protect.second_copy");
    !control.pass.iter().any(is_copy)
}

#[test]
fn each_control_passes_at_its_limits_and_not_beyond_them() {
    let controls = asked().expect("the table can be read");
    assert!(controls.len() > 25, "only {} controls can be answered", controls.len());
    let good = Fleet::good();
    let verdicts = good.verdicts();
    let mut condition_count = 0;
    for control in &controls {
        assert!(!control.text.is_empty() && !control.source.is_empty(), "{}", control.id);
        let of = |verdicts: &BTreeMap<String, (String, String)>| verdicts[&control.id].clone();
        let (verdict, why) = of(&verdicts);
        if !can_pass(control) {
            assert_eq!(verdict, "gap", "{}", control.id);
            continue;
        }
        assert_eq!(verdict, "pass", "{}: {why}", control.id);
        for condition in &control.pass {
            let (mut at, mut beyond) = (good.clone(), good.clone());
            put(&mut at, condition, false);
            put(&mut beyond, condition, true);
            let (verdict, why) = of(&at.verdicts());
            assert_eq!(verdict, "pass", "{} at the limit of {condition:?}: {why}", control.id);
            let (verdict, why) = of(&beyond.verdicts());
            assert_eq!(verdict, "gap", "{} beyond the limit of {condition:?}", control.id);
            let names_it = condition.each.is_none() || why.contains(ONE);
            assert!(names_it, "{}: {why} does not say which system", control.id);
            condition_count += 1;
        }
    }
    assert!(condition_count > 50, "only {condition_count} conditions were played");
}

#[test]
fn evidence_of_too_short_a_time_passes_for_nothing_that_wants_more() {
    let controls = asked().expect("the table can be read");
    for control in controls.iter().filter(|control| control.days > 0 && can_pass(control)) {
        for (short_ms, wanted) in [(0, "pass"), (1, "gap")] {
            let mut fleet = Fleet::good();
            let from_ms = TO - control.days as i64 * DAY;
            fleet.facts.points.retain(|point| point.started_ms >= from_ms);
            for point in fleet.facts.points.iter_mut().filter(|it| it.started_ms == from_ms) {
                point.committed_ms = from_ms + short_ms;
            }
            let (verdict, why) = fleet.verdicts()[&control.id].clone();
            assert_eq!(verdict, wanted, "{} with {short_ms} ms less: {why}", control.id);
            assert!(short_ms == 0 || why.contains("of evidence show it"), "{why}");
        }
    }
}

/// Ways to have a good report without the evidence for it.
#[test]
fn nothing_passes_on_less_than_every_system_shows() {
    type Spoil = fn(&mut Fleet);
    let ways: [(&str, Spoil); 9] = [
        ("nobody stated the systems", |it| it.scope.plan.systems.clear()),
        ("the chains are not whole", |it| it.facts.flaws.push("a record is gone".to_owned())),
        ("only chosen systems", |it| it.scope.hosts = vec!["web1".to_owned(), "db1".to_owned()]),
        ("a system that was never backed up", |it| {
            it.scope.plan.systems.insert("file1".to_owned(), Promise::default());
        }),
        ("one system that was drilled", |it| {
            it.facts.entries.retain(|entry| match &entry.event {
                Event::Drill(drill) => drill.system == "web1",
                _ => true,
            });
        }),
        ("paths that somebody chose", |it| {
            it.drills().for_each(|drill| drill.kind = DrillKind::Paths);
        }),
        ("drills that proved nothing", |it| {
            it.drills().for_each(|drill| drill.outcome = Outcome::NotProved);
        }),
        ("drills that were dated back", |it| {
            for entry in &mut it.facts.entries {
                let is_drill = matches!(&entry.event, Event::Drill(drill) if drill.system == ONE);
                entry.stored_ms = if is_drill { Some(TO - 1) } else { entry.stored_ms };
            }
        }),
        ("a newest snapshot without anything", |it| {
            let newest = it.points().last().expect("there is one");
            (newest.entries, newest.bytes) = (1, 0);
            it.drills().for_each(|drill| drill.snapshot_ms = FROM);
        }),
    ];
    for (what, spoil) in ways {
        let mut fleet = Fleet::good();
        spoil(&mut fleet);
        let verdicts = fleet.verdicts();
        // An emptied snapshot is no matter of how often tests were made, only of what they show.
        let asks = if what.contains("newest") { ["CP-9(2)", "32(1)(c)"] } else { ["A1.3", "8.5"] };
        for control in asks {
            assert_eq!(verdicts[control].0, "gap", "{what}: {control}");
        }
    }
}
