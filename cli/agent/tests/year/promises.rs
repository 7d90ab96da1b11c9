//! What must be true at the end of the year.

use std::collections::{BTreeMap, BTreeSet};

use agent::config::schedule::JobKind;
use agent::outcome::Outcome;
use agent::state::{Phase, RunRow};
use jiff::tz::TimeZone;

use crate::machine::Machine;
use crate::oracle::{Oracle, slots};

/// An agent that is there for so long has begun what was due.
const PATIENCE_S: i64 = 3 * 3600;

/// Checks one machine's year.
pub(crate) fn check(machine: &Machine, oracle: &Oracle) {
    let number = machine.number;
    let rows = machine.state().runs(10_000).expect("they can be read");
    assert!(rows.iter().all(|row| row.job == JobKind::Backup));
    let expected = expected(machine, oracle);
    once(machine);
    recorded(machine, &rows, &expected);
    outcomes(machine, &rows);
    if !machine.clock_was_wrong && machine.zone_changed_s.is_none() {
        missed(machine, &rows, &expected);
    }
    let open = rows.iter().filter(|row| row.phase != Phase::Ended).count();
    assert!(open <= 1, "client {number}: {open} runs are open");
}

/// The slots that the oracle sees, with those of another zone after it changed.
fn expected(machine: &Machine, oracle: &Oracle) -> BTreeSet<i64> {
    let Some(changed_s) = machine.zone_changed_s else { return oracle.slots.clone() };
    let zone: &TimeZone = &machine.plan.zone;
    let end_s = machine.now_s;
    let later = slots(zone, oracle.time, changed_s - changed_s % 60 - 2 * 86_400, end_s);
    let later = later.into_iter().filter(|slot| *slot > changed_s);
    // What had not begun when the rules changed is counted by the new ones, nights that it was off too.
    let before_s = changed_s - 4 * 86_400;
    oracle.slots.iter().copied().filter(|slot| *slot <= before_s).chain(later).collect()
}

/// No source is saved twice for one slot.
fn once(machine: &Machine) {
    let mut seen = BTreeSet::new();
    for snapshot in &machine.snapshots {
        let is_new = seen.insert((snapshot.source, snapshot.slot_s));
        // A clock that ran ahead by days took slots that were given back.
        assert!(
            is_new || machine.ran_ahead,
            "client {}: slot {} of {} ran twice",
            machine.number,
            snapshot.slot_s,
            snapshot.source
        );
    }
}

/// Each slot since the first is in exactly one row, and no row is about anything else.
fn recorded(machine: &Machine, rows: &[RunRow], expected: &BTreeSet<i64>) {
    let number = machine.number;
    let first_s = rows.iter().map(|row| row.first_slot_s).min().expect("something is written down");
    let last_s = rows.iter().map(|row| row.slot_s).max().unwrap_or(first_s);
    let mut covered: BTreeMap<i64, usize> = BTreeMap::new();
    for row in rows {
        let inside = expected.range(row.first_slot_s..=row.slot_s);
        let inside: Vec<i64> = inside.copied().collect();
        if !machine.clock_was_wrong && machine.zone_changed_s.is_none() {
            assert_eq!(inside.len() as i64, row.slots, "client {number}: {row:?}");
            assert_eq!(inside.last(), Some(&row.slot_s), "client {number}: {row:?}");
        }
        inside.iter().for_each(|slot| *covered.entry(*slot).or_default() += 1);
    }
    for slot in expected.range(first_s..=last_s.min(machine.now_s)) {
        let count = covered.get(slot).copied().unwrap_or_default();
        let is_odd = machine.ran_ahead || machine.zone_changed_s.is_some();
        assert!(count == 1 || (is_odd && count >= 1), "client {number}: slot {slot}: {count} rows");
    }
    // The newest slot is no older than two days: it did not fall silent.
    let newest = rows.iter().filter(|row| row.slot_s <= machine.now_s).map(|row| row.slot_s).max();
    let last_watch = machine.watches.iter().rev().find(|it| it.to_s - it.from_s > PATIENCE_S);
    let seen_s = last_watch.map_or(0, |watch| watch.to_s);
    assert!(
        newest.is_some_and(|newest_s| newest_s > seen_s - 2 * 86_400),
        "client {number} fell silent at {newest:?}"
    );
}

/// A run is called good exactly if what it should make is in the store.
fn outcomes(machine: &Machine, rows: &[RunRow]) {
    for row in rows.iter().filter(|row| row.phase == Phase::Ended && row.began_s.is_some()) {
        let made: BTreeSet<_> = machine
            .snapshots
            .iter()
            .filter(|snapshot| snapshot.slot_s == row.slot_s)
            // What a clock made that ran ahead by days is not of that night.
            .filter(|snapshot| snapshot.made_s >= row.slot_s - 86_400)
            .map(|snapshot| snapshot.source)
            .collect();
        let outcome = row.verdict.as_ref().map(|verdict| verdict.outcome);
        let is_done = outcome.is_some_and(Outcome::has_snapshot);
        let has_all = made.len() == machine.plan.sources.len();
        assert!(!is_done || has_all, "client {}: {row:?} has {made:?}", machine.number);
        // Given up between the last snapshot and its record only if the next slot came or it was killed
        // too often.
        let is_given_up = row.crashes > 0 || row.attempts == 0;
        assert!(
            is_done || !has_all || is_given_up || machine.ran_ahead,
            "client {}: {row:?} has all",
            machine.number
        );
        assert!(
            !matches!(outcome, Some(Outcome::Missed | Outcome::Skipped)),
            "client {}: {row:?} ran",
            machine.number
        );
    }
}

/// A slot is missed only if the agent was not there for long enough before the next one.
fn missed(machine: &Machine, rows: &[RunRow], expected: &BTreeSet<i64>) {
    for row in rows.iter().filter(|row| row.began_s.is_none()) {
        for slot in expected.range(row.first_slot_s..=row.slot_s) {
            let next = expected.range(slot + 1..).next().copied().unwrap_or(i64::MAX);
            let longest =
                machine.watches.iter().map(|watch| watch.to_s.min(next) - watch.from_s.max(*slot));
            let longest = longest.max().unwrap_or_default();
            assert!(
                longest < PATIENCE_S,
                "client {}: {row:?} is missed, though the agent was there for {longest} s",
                machine.number
            );
        }
    }
}
