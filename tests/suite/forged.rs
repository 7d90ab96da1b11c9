//! Forged objects by the thousand: whatever somebody adds, honest machines lose nothing.
//!
//! For each thief and each kind of object, batches of objects are drawn from a grammar and put into a
//! fork of a small genuine repository. Honest machines open, list, restore, check, back up and collect.
//! None may panic, hang or take much memory; nothing genuine may be lost; whatever ends early does so
//! with a documented exit code. What was noticed must be what `docs/FORGED.md` says, cell by cell.
//!
//! `MAINSTAY_TEST_FORGED` is how many objects are drawn for each cell and way, `MAINSTAY_TEST_SEED`
//! what they follow from; with another seed than the usual one nothing may happen that the document
//! does not allow.

mod base;
mod clear;
mod forger;
mod grammar;
mod honest;
mod junk;
mod kinds;
mod packs;
mod table;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::mpsc::{RecvTimeoutError, sync_channel};
use std::time::Duration;

use engine::repo::open::{Unlock, open};
use system_tests::scale::{count, tell};
use system_tests::world::clock;

use crate::forged::base::{Base, plain};
use crate::forged::forger::{Forger, Way};
use crate::forged::honest::{Effects, Honest};
use crate::forged::kinds::{Kind, Thief};

/// Objects of each cell and way, in CI.
const SHORT: u64 = 20;
/// Of those that are drawn, some would stand where something is; so many are drawn for each at most.
const ATTEMPTS: u64 = 6;
/// Objects that a thief with a key puts up, in CI: six of them make the ten thousand.
const FEWEST: u64 = 1700;
/// What CI draws from.
const USUAL_SEED: u64 = 1;
/// No batch may take longer.
const LONGEST: Duration = Duration::from_secs(120);
/// What honest machines and the repository in memory may take together.
const MOST_MIB: u64 = 256;

/// What was noticed, and how many objects were put up; or which promise was broken.
type Outcome = Result<(Effects, u64), String>;

/// One batch: forged objects of one kind, and what honest machines make of them.
fn batch(base: &Base, (who, kind, way): (Thief, Kind, Way), seed: u64) -> Outcome {
    let inner = Arc::new(base.inner.fork());
    let tool = open(&plain(&inner), clock(), &Unlock::Words(&base.admin.recovery_words));
    let tool = tool.map_err(|error| format!("the genuine repository does not open: {error}"))?;
    let mut forger = Forger::new(base, &inner, &tool, who, seed);
    let wanted = count("MAINSTAY_TEST_FORGED", SHORT);
    for _ in 0..ATTEMPTS * wanted {
        if forger.count < wanted {
            forger.forge(kind, way);
        }
    }
    let mut effects = Honest::new(base, &inner, who, kind).work()?;
    forger.put_back();
    effects.extend(Honest::new(base, &inner, who, kind).look_again()?);
    Ok((effects, forger.count))
}

/// The same on a thread of its own, so that a hang and a panic have a name.
fn watched(base: &Base, which: (Thief, Kind, Way), seed: u64) -> Outcome {
    let (sender, receiver) = sync_channel(1);
    std::thread::scope(|scope| {
        let worker = scope.spawn(move || sender.send(batch(base, which, seed)).is_ok());
        match receiver.recv_timeout(LONGEST) {
            Ok(done) => done,
            Err(RecvTimeoutError::Disconnected) => {
                let panic = worker.join().err();
                let text = panic.and_then(|it| it.downcast_ref::<String>().cloned());
                Err(format!("panicked: {}", text.unwrap_or_default()))
            }
            Err(RecvTimeoutError::Timeout) => {
                // The thread cannot be ended, and a scope would wait for it.
                tell(&format!("{which:?} with seed {seed} hangs"));
                std::process::abort();
            }
        }
    })
}

/// The most that this process had in memory, in MiB.
fn peak_mib() -> u64 {
    let text = std::fs::read_to_string("/proc/self/status").expect("the kernel says it");
    let line = text.lines().find_map(|line| line.strip_prefix("VmHWM:")).expect("it is there");
    let kib = line.split_whitespace().next().and_then(|number| number.parse::<u64>().ok());
    kib.expect("a number") >> 10
}

/// Draws a column of the table, and holds it against the document.
fn column(who: Thief) {
    let seed = count("MAINSTAY_TEST_SEED", USUAL_SEED);
    let base = Base::new();
    let mut cells = BTreeMap::new();
    let (mut broken, mut drawn) = (Vec::new(), 0);
    for (number, kind) in (0..).zip(Kind::all()) {
        let mut effects = Effects::new();
        for (way_number, way) in (0..).zip(Way::ALL) {
            let is_one_way = matches!(who, Thief::Stranger) && matches!(kind, Kind::Control(_));
            if way != Way::Junk && (is_one_way || who == Thief::Store) {
                continue;
            }
            let seed = (seed << 32) + (who as u64) * 1000 + number * 10 + way_number;
            match watched(&base, (who, kind, way), seed) {
                Ok((found, count)) => {
                    effects.extend(found);
                    drawn += count;
                }
                Err(why) => broken.push(format!("{} {way:?}: {why}", kind.form())),
            }
        }
        cells.insert(kind, effects);
    }
    let peak_mib = peak_mib();
    tell(&format!("{}: {drawn} objects, {peak_mib} MiB", who.title()));
    assert!(broken.is_empty(), "{}, seed {seed}:\n{}", who.title(), broken.join("\n"));
    table::compare(who, &cells, seed == USUAL_SEED);
    assert!(who.role().is_none() || drawn >= FEWEST, "only {drawn} objects");
    assert!(peak_mib <= MOST_MIB, "{} took {peak_mib} MiB", who.title());
}

#[test]
fn who_has_no_key_changes_nothing() {
    column(Thief::Stranger);
}

#[test]
fn a_backup_key_of_another_domain_changes_nothing() {
    column(Thief::OwnDomain);
}

#[test]
fn a_backup_key_changes_nothing_of_others() {
    column(Thief::Backup);
}

#[test]
fn a_verify_key_changes_nothing() {
    column(Thief::Verify);
}

#[test]
fn a_restore_key_changes_nothing() {
    column(Thief::Restore);
}

#[test]
fn a_maintain_key_does_what_it_may() {
    column(Thief::Maintain);
}

#[test]
fn the_root_secret_gives_nobody_wrong_bytes() {
    column(Thief::Admin);
}

#[test]
fn a_store_that_overwrites_gives_nobody_wrong_bytes() {
    column(Thief::Store);
}
