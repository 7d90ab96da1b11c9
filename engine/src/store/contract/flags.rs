//! Check 2, the promise on which every decision of the protocol rests: each of two sides puts up
//! its flag and then lists; never may both miss the other's.

use std::sync::Barrier;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use crate::format::config::Capabilities;
use crate::store::client::Store;
use crate::store::contract::bench::{Bench, Failure, pattern};
use crate::store::error::StoreError;
use crate::store::retry::random_below;

/// One side begins later than the other by up to this many microseconds, so that the two requests
/// of both sides meet in every order.
const SKEW_US: u64 = 3000;

pub(super) fn two_flags(bench: &Bench<'_>, _: &mut Capabilities) -> Result<String, Failure> {
    let count = bench.sizes.race_count;
    let (both_count, one_count) = (AtomicUsize::new(0), AtomicUsize::new(0));
    bench.each(count, |round| {
        let is_both = race(bench, round)?;
        let counter = if is_both { &both_count } else { &one_count };
        counter.fetch_add(1, Ordering::Relaxed);
        Ok::<_, Failure>(())
    })?;
    let (both_count, one_count) = (both_count.into_inner(), one_count.into_inner());
    Ok(format!("{count} races: both saw in {both_count}, one in {one_count}, none in 0"))
}

/// One race; whether both sides saw the other's flag.
fn race(bench: &Bench<'_>, round: usize) -> Result<bool, Failure> {
    let folder = bench.key(&format!("2/{round:04x}"));
    let start = Barrier::new(2);
    let side = |store: &Store, own: &str, other: &str| -> Result<bool, StoreError> {
        start.wait();
        thread::sleep(Duration::from_micros(random_below(SKEW_US)));
        store.raw_put_new(&format!("{folder}/{own}"), pattern(round as u64, 32))?;
        let listed = store.list(&format!("{folder}/"))?;
        Ok(listed.iter().any(|object| object.key == format!("{folder}/{other}")))
    };
    let (a_saw, b_saw) = thread::scope(|scope| {
        let b = scope.spawn(|| side(bench.second, "b", "a"));
        let a = side(bench.first, "a", "b");
        (a, b.join())
    });
    let b_saw = b_saw.map_err(|_| Failure::Skipped("a thread of the race died".to_owned()))?;
    match (a_saw?, b_saw?) {
        (false, false) => Err(Failure::Wrong(format!(
            "in round {} of {} neither side saw the other's flag",
            round + 1,
            bench.sizes.race_count
        ))),
        (a_saw, b_saw) => Ok(a_saw && b_saw),
    }
}
