//! The store: how long a request takes, and how fast packs become durable.
//!
//! Everything is written below `probe-<random>/`, as by the probe, and removed again.

use std::time::Duration;

use bytes::Bytes;

use crate::base::id::encode_hex;
use crate::base::limits::{MIB, PACK_TARGET_BYTES, UPLOAD_THREADS_LOCAL, UPLOAD_THREADS_REMOTE};
use crate::benchmark::error::BenchmarkError;
use crate::benchmark::report::{BenchmarkReport, StageKind};
use crate::benchmark::turns::Turns;
use crate::crypt::random;
use crate::store::{Store, StoreError};

/// How long small requests are made.
const LATENCY_BUDGET: Duration = Duration::from_millis(800);
/// How long packs are written.
const WRITE_BUDGET: Duration = Duration::from_millis(2500);
/// No further object grows once one took this long, so that a slow line does not take minutes.
const GROW_WITHIN: Duration = Duration::from_millis(300);
/// The first object that is written.
const FIRST_BYTES: usize = MIB;

/// Makes small requests one after the other, then writes packs as a backup does.
pub(super) fn measure(
    store: &Store,
    turns: &Turns<'_>,
    report: &mut BenchmarkReport,
) -> Result<(), BenchmarkError> {
    let folder = format!("probe-{}", encode_hex(&random::array::<8>()));
    let measured = latency(store, &folder, turns, report)
        .and_then(|()| writing(store, &folder, turns, report));
    if let Err(error) = clean(store, &folder) {
        turns.monitor.note(&format!("what was written below {folder}/ is left: {error}"));
    }
    measured
}

fn latency(
    store: &Store,
    folder: &str,
    turns: &Turns<'_>,
    report: &mut BenchmarkReport,
) -> Result<(), BenchmarkError> {
    let started = turns.clock.monotonic();
    let (mut puts, mut gets) = (Vec::new(), Vec::new());
    while puts.is_empty() || turns.clock.monotonic().saturating_sub(started) < LATENCY_BUDGET {
        if turns.monitor.is_cancelled() {
            return Err(BenchmarkError::Interrupted);
        }
        let key = format!("{folder}/small/{}", puts.len());
        let before = turns.clock.monotonic();
        store.raw_put_new(&key, Bytes::from_static(b"how long does this take"))?;
        let between = turns.clock.monotonic();
        store.raw_get(&key, MIB as u64)?;
        puts.push(between.saturating_sub(before));
        gets.push(turns.clock.monotonic().saturating_sub(between));
    }
    report.put_latency = median(puts);
    report.get_latency = median(gets);
    Ok(())
}

fn median(mut times: Vec<Duration>) -> Option<Duration> {
    times.sort();
    times.get(times.len() / 2).copied()
}

fn writing(
    store: &Store,
    folder: &str,
    turns: &Turns<'_>,
    report: &mut BenchmarkReport,
) -> Result<(), BenchmarkError> {
    let mut noise = vec![0; PACK_TARGET_BYTES];
    random::fill(&mut noise);
    let noise = Bytes::from(noise);
    let workers = if store.is_local() { UPLOAD_THREADS_LOCAL } else { UPLOAD_THREADS_REMOTE };
    let put = |byte_count: &mut usize, number| -> Result<Option<u64>, StoreError> {
        let body = noise.slice(..*byte_count);
        let before = turns.clock.monotonic();
        store.raw_put_new(&format!("{folder}/large/{number}"), body.clone())?;
        if turns.clock.monotonic().saturating_sub(before) < GROW_WITHIN {
            *byte_count = (*byte_count * 2).min(PACK_TARGET_BYTES);
        }
        Ok(Some(body.len() as u64))
    };
    let turns = Turns { workers, ..*turns };
    let stage = turns.measure(StageKind::Store, WRITE_BUDGET, || FIRST_BYTES, put)?;
    report.stages.push(stage);
    Ok(())
}

fn clean(store: &Store, folder: &str) -> Result<(), StoreError> {
    for object in store.list(&format!("{folder}/"))? {
        store.raw_delete(&object.key)?;
    }
    store.raw_remove_empty(folder);
    Ok(())
}
