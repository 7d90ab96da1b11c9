//! A year of two hundred clients in a minute: calendars, state and decisions are the real ones, runs are
//! drawn, and every trouble happens that a night can have.
//!
//! What must be true is said by an oracle that shares nothing with what it checks: it finds slots by looking
//! at the wall every minute of the year.

/// Numbers that a seed gives.
mod seed;
/// When slots are, found minute by minute.
mod oracle;
/// A machine with its clock, its nights and its trouble.
mod machine;
/// What must be true at the end of the year.
mod promises;

use std::sync::atomic::{AtomicUsize, Ordering};

use jiff::tz::TimeZone;

use crate::machine::{Machine, Trouble};
use crate::oracle::Oracle;
use crate::seed::Seed;

/// Clients that are played.
const CLIENTS: u64 = 200;
/// 2027-01-01, with both odd nights of all zones before the next.
const BEGIN_S: i64 = 1_798_761_600;
/// A year.
const YEAR_S: i64 = 365 * 86_400;
/// Zones with nights of their own; London's clocks are set at another hour than Berlin's.
const ZONES: [&str; 5] =
    ["Europe/London", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kolkata"];
/// Times of the day, some of them in the hours that are missing or come twice.
const TIMES: [(i8, i8); 4] = [(1, 30), (2, 30), (2, 15), (22, 0)];

#[test]
#[expect(clippy::print_stdout, reason = "what happened is worth reading")]
fn no_slot_runs_twice_and_none_is_lost_without_a_record() {
    let oracles: Vec<Oracle> = ZONES
        .iter()
        .flat_map(|zone| TIMES.iter().map(move |time| (zone, time)))
        .map(|(zone, time)| Oracle::new(zone, *time, BEGIN_S - 2 * 86_400, BEGIN_S + YEAR_S))
        .collect();
    let folder = ["/dev/shm", "/tmp"].into_iter().find(|path| std::path::Path::new(path).is_dir());
    let folder = tempfile::tempdir_in(folder.expect("a folder")).expect("a folder");
    let (next, kills, runs) = (AtomicUsize::new(0), AtomicUsize::new(0), AtomicUsize::new(0));
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                loop {
                    let number = next.fetch_add(1, Ordering::SeqCst) as u64;
                    if number >= CLIENTS {
                        return;
                    }
                    let oracle = &oracles[number as usize % oracles.len()];
                    let path = folder.path().join(format!("{number}.sqlite"));
                    let mut machine = Machine::new(number, oracle, BEGIN_S, YEAR_S, path);
                    machine.live();
                    promises::check(&machine, oracle);
                    kills.fetch_add(machine.kills, Ordering::SeqCst);
                    runs.fetch_add(machine.snapshots.len(), Ordering::SeqCst);
                }
            });
        }
    });
    let (kills, runs) = (kills.into_inner(), runs.into_inner());
    println!("{CLIENTS} clients, {runs} snapshots, {kills} kills at writes");
    assert!(kills >= 2000, "only {kills} kills");
    assert!(runs as u64 > CLIENTS * 250, "only {runs} snapshots: nothing much happened");
}

#[test]
fn the_oracle_sees_the_odd_nights() {
    let at = |text: &str| text.parse::<jiff::Timestamp>().expect("a time").as_second();
    let (from, to) = (at("2027-03-20T00:00:00Z"), at("2027-11-10T00:00:00Z"));
    let london = Oracle::new("Europe/London", (1, 30), from, to);
    assert!(london.slots.contains(&at("2027-03-28T01:00:00Z")), "the first instant after the gap");
    assert!(london.slots.contains(&at("2027-10-31T00:30:00Z")), "the first half past one");
    assert!(!london.slots.contains(&at("2027-10-31T01:30:00Z")), "not the second");
}

/// What happens to a client, by its number: every kind to some, nothing to a few.
fn troubles(number: u64, seed: &mut Seed) -> Vec<(i64, Trouble)> {
    let mut found = Vec::new();
    let mut add = |count: u64, seed: &mut Seed, make: &dyn Fn(&mut Seed) -> Trouble| {
        for _ in 0..count {
            let at_s = BEGIN_S + seed.below(YEAR_S as u64) as i64;
            found.push((at_s, make(seed)));
        }
    };
    if number.is_multiple_of(10) {
        return found;
    }
    add(12, seed, &|seed| Trouble::Off(seed.between(600, 80 * 3600)));
    add(4, seed, &|seed| Trouble::DiskFull(seed.between(3600, 30 * 3600)));
    if number % 4 == 1 {
        add(3, seed, &|seed| Trouble::Clock {
            by_s: seed.pick(&[-7200, -3600, 3600, 5400, -86_400 / 2]),
            for_s: seed.between(600, 5 * 3600),
        });
    }
    if number % 8 == 3 {
        add(1, seed, &|seed| Trouble::Clock {
            by_s: seed.pick(&[366 * 86_400, 40 * 86_400]),
            for_s: seed.between(600, 5 * 3600),
        });
    }
    if number % 16 == 5 {
        add(1, seed, &|_| Trouble::Zone(TimeZone::fixed(jiff::tz::offset(7))));
    }
    found.sort_by_key(|(at_s, _)| *at_s);
    found
}
