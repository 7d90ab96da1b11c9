//! Runs one piece of work on all threads at once until its time is over.

use std::panic::resume_unwind;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use crate::base::monitor::{Counter, Monitor};
use crate::base::time::Clock;
use crate::benchmark::error::BenchmarkError;
use crate::benchmark::report::{Stage, StageKind};

/// The threads and their clock.
#[derive(Clone, Copy)]
pub(super) struct Turns<'a> {
    pub(super) clock: &'a dyn Clock,
    pub(super) monitor: &'a dyn Monitor,
    pub(super) workers: usize,
}

impl Turns<'_> {
    /// Calls `step` with 0, 1, 2, … on all threads, each with a state of its own that `begin`
    /// makes, until `budget` is over or `step` answers `None`: it answers the bytes that it dealt
    /// with. At least one step is taken by each thread.
    pub(super) fn measure<S, E: Send>(
        &self,
        kind: StageKind,
        budget: Duration,
        begin: impl Fn() -> S + Sync,
        step: impl Fn(&mut S, u64) -> Result<Option<u64>, E> + Sync,
    ) -> Result<Stage, BenchmarkError>
    where
        BenchmarkError: From<E>,
    {
        let (next, items, bytes) = (AtomicU64::new(0), AtomicU64::new(0), AtomicU64::new(0));
        let started = self.clock.monotonic();
        let work = || -> Result<(), E> {
            let mut state = begin();
            loop {
                let number = next.fetch_add(1, Ordering::Relaxed);
                let Some(byte_count) = step(&mut state, number)? else { return Ok(()) };
                items.fetch_add(1, Ordering::Relaxed);
                bytes.fetch_add(byte_count, Ordering::Relaxed);
                self.monitor.add(Counter::Bytes, byte_count);
                let passed = self.clock.monotonic().saturating_sub(started);
                if passed >= budget || self.monitor.is_cancelled() {
                    return Ok(());
                }
            }
        };
        let outcomes: Vec<_> = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..self.workers.max(1)).map(|_| scope.spawn(work)).collect();
            let joined = threads.into_iter().map(|thread| thread.join());
            // A mistake in a thread is one of the caller's.
            joined.map(|outcome| outcome.unwrap_or_else(|panic| resume_unwind(panic))).collect()
        });
        for outcome in outcomes {
            outcome?;
        }
        if self.monitor.is_cancelled() {
            return Err(BenchmarkError::Interrupted);
        }
        let took = self.clock.monotonic().saturating_sub(started);
        let (items, bytes) = (items.into_inner(), bytes.into_inner());
        Ok(Stage { kind, items, bytes, took })
    }
}
