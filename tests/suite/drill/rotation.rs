//! A rotation over simulated days, while packs are added and go: everything has its turn in time.

use std::collections::BTreeMap;
use std::sync::Arc;

use engine::base::id::PackKind;
use engine::format::slot::Role;
use engine::repo::open::{Unlock, open};
use restore_verify::drill::memory::Memory;
use restore_verify::drill::options::Place;
use restore_verify::drill::rotate::{RotateOptions, RotateReport, rotate};
use restore_verify::evidence::shelf::Author;
use restore_verify::sample::coverage::Budget;
use system_tests::store::dated::SetClock;
use system_tests::world::World;

use crate::drill::{Scene, identity, noise, put};

const DAY_S: i64 = 86_400;
const PERIOD_DAYS: u32 = 7;

/// A prover whose clock stands where it is put.
struct Prover {
    world: World,
    clock: SetClock,
}

impl Prover {
    fn new(scene: &Scene) -> Self {
        let clock = SetClock::at(1_800_000_000);
        let key = scene.world.cut_key(Role::Verify, 0);
        let unlock = Unlock::KeyFile(&key);
        let repo = open(&scene.engine_store(), Arc::new(clock.clone()), &unlock).expect("it opens");
        Self { world: World::around(repo), clock }
    }

    fn turn(&self, day: i64, budget: Budget) -> RotateReport {
        self.clock.set(1_800_000_000 + day * DAY_S);
        let identity = identity(&self.world);
        let place = Place {
            repo: &self.world.repo,
            index: &self.world.index,
            state: &self.world.state(),
            author: Author { identity: &identity, actor: "tester", host: "prover" },
            monitor: &self.world.monitor,
        };
        let options = RotateOptions { days: PERIOD_DAYS, interval_ms: DAY_S as u64 * 1000, budget };
        rotate(&place, &options).expect("it is recorded")
    }
}

#[test]
fn everything_is_authenticated_within_the_period_while_packs_come_and_a_turn_is_a_part() {
    let scene = Scene::new();
    let prover = Prover::new(&scene);
    let mut turns: BTreeMap<i64, (u64, u64)> = BTreeMap::new();
    for day in 0..4 * i64::from(PERIOD_DAYS) {
        put(&scene.source.join(format!("day/{day}")), &noise(day as u8, 40_000));
        scene.world.backup(&scene.source).expect("it is backed up");
        let report = prover.turn(day, Budget::default());
        let rotation = &report.rotation;
        assert_eq!((rotation.failed, report.short_bytes), (0, 0));
        turns.insert(day, (rotation.bytes, rotation.total_bytes));
        if day + 1 >= i64::from(PERIOD_DAYS) {
            assert_eq!(rotation.covered_bytes, rotation.total_bytes, "day {day}");
            let oldest_ms = rotation.oldest_ms.expect("all had a turn");
            let age_days = (rotation.finished_ms - oldest_ms) / (DAY_S * 1000);
            assert!(age_days < i64::from(PERIOD_DAYS), "day {day}: {age_days}");
        }
    }
    // A part each day: never everything at once. The first days are one large pack's.
    let read: u64 = turns.values().map(|turn| turn.0).sum();
    let all: u64 = turns.values().map(|turn| turn.1).sum();
    assert!(read < all / 2, "{read} of {all}");
}

#[test]
fn what_the_budget_keeps_from_its_turn_is_said_and_comes_first_the_next_time() {
    let scene = Scene::new();
    for number in 0..6_u8 {
        put(&scene.source.join(format!("more/{number}")), &noise(100 + number, 50_000));
        scene.world.backup(&scene.source).expect("it is backed up");
    }
    let prover = Prover::new(&scene);
    let one = Budget { requests: Some(1), ..Budget::default() };
    let packs = scene.keys("data/").len() + scene.keys("tree/").len();
    let mut short = 0;
    for day in 0..packs as i64 {
        let report = prover.turn(day, one);
        assert_eq!(report.rotation.packs, 1, "day {day}");
        short += u64::from(report.short_bytes > 0);
    }
    let turns = Memory::open(&prover.world.state()).and_then(|memory| memory.pack_turns());
    assert_eq!(turns.expect("it is kept").len(), packs, "each had one turn before any had two");
    assert!(short > 0, "{packs} packs in {PERIOD_DAYS} days need more than one request a day");
}

#[test]
fn a_pack_that_is_gone_or_spoilt_opens_a_ticket() {
    let scene = Scene::new();
    let prover = Prover::new(&scene);
    let key = scene.keys(&format!("{}/", PackKind::Data.prefix())).remove(0);
    scene.spoil(&key, &scene.middle(&key));
    let reports: Vec<_> =
        (0..i64::from(PERIOD_DAYS)).map(|day| prover.turn(day, Budget::default())).collect();
    let failed = reports.iter().find(|report| report.rotation.failed > 0).expect("it is found");
    assert_eq!(failed.findings[0].finding.object.as_deref(), Some(key.as_str()));
    assert!(failed.ticket.is_some());
    // What failed was not authenticated.
    let last = &reports.last().expect("there are turns").rotation;
    assert!(last.covered_bytes < last.total_bytes);
}

/// A listing does not show what is gone; the index does.
#[test]
fn a_pack_that_is_gone_fails_the_next_turn() {
    let scene = Scene::new();
    let prover = Prover::new(&scene);
    let refresh = || {
        engine::index::refresh::refresh(
            &prover.world.repo,
            &prover.world.index,
            &prover.world.monitor,
        )
        .expect("it is brought up to date")
    };
    refresh();
    let sound = prover.turn(0, Budget::default());
    assert_eq!(sound.rotation.failed, 0, "{:?}", sound.findings);
    let key = scene.keys(&format!("{}/", PackKind::Data.prefix())).remove(0);
    scene.spoil(&key, &system_tests::damage::Damage::Delete);
    let report = prover.turn(1, Budget::default());
    assert_eq!(report.rotation.failed, 1);
    let finding = &report.findings[0].finding;
    assert_eq!(
        (finding.object.as_deref(), finding.why.as_str()),
        (Some(key.as_str()), "the pack is missing")
    );
    assert!(report.ticket.is_some());
    assert!(report.rotation.covered_bytes < report.rotation.total_bytes);
}

/// What a check finds damaged has had no turn, however often it was read before.
#[test]
fn a_check_gives_good_packs_their_turn_and_takes_it_from_damaged_ones() {
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let memory = Memory::open(folder.path()).expect("it opens");
    let scene = Scene::new();
    let keys = scene.keys("data/");
    let packs: Vec<_> = keys
        .iter()
        .map(|key| match engine::store::code::spelled(key) {
            Some(engine::store::name::ObjectName::Pack(pack)) => pack,
            other => panic!("{key} is no pack but {other:?}"),
        })
        .collect();
    memory.add_pack_turns(&packs, [], 5).expect("it is kept");
    assert_eq!(memory.pack_turns().expect("kept").len(), packs.len());
    memory.add_pack_turns(&packs[1..], &keys[..1], 7).expect("it is kept");
    let turns = memory.pack_turns().expect("kept");
    assert_eq!(turns.get(&keys[0]), None);
    assert!(turns.values().all(|at| *at == 7) && turns.len() == packs.len() - 1);
}
