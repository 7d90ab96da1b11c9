//! When a request is worth repeating, and how long to wait before.
//!
//! Only errors of class *transient* are repeated, with identical bytes. Waits double and are drawn
//! from the upper half of their range, so that machines that failed together do not return
//! together. The library's own retries are switched off: each repetition is counted here, once.

use std::time::Duration;

use crate::base::limits::{
    RETRY_ATTEMPTS_MAX, RETRY_DEADLINE_MS, RETRY_FIRST_WAIT_MS, RETRY_MAX_WAIT_MS,
};
use crate::base::time::{Clock, SystemClock};

/// How often and how long an operation is repeated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RetrySettings {
    /// Attempts in all, the first one included.
    pub max_attempts: u32,
    /// The wait before the second attempt.
    pub first_wait_ms: u64,
    /// No wait is longer.
    pub max_wait_ms: u64,
    /// No attempt begins later than this after the first one began.
    pub deadline_ms: u64,
}

impl Default for RetrySettings {
    fn default() -> Self {
        Self {
            max_attempts: RETRY_ATTEMPTS_MAX,
            first_wait_ms: RETRY_FIRST_WAIT_MS,
            max_wait_ms: RETRY_MAX_WAIT_MS,
            deadline_ms: RETRY_DEADLINE_MS,
        }
    }
}

impl RetrySettings {
    /// Four attempts within milliseconds, for tests with faults.
    #[must_use]
    pub const fn fast() -> Self {
        Self { max_attempts: 4, first_wait_ms: 1, max_wait_ms: 4, deadline_ms: 10_000 }
    }
}

/// The state of one repeated operation.
#[derive(Debug)]
pub(crate) struct Backoff {
    settings: RetrySettings,
    failed_count: u32,
    clock: SystemClock,
}

impl Backoff {
    pub(crate) fn new(settings: RetrySettings) -> Self {
        Self { settings, failed_count: 0, clock: SystemClock::default() }
    }

    /// An attempt failed: how long to wait before the next, or `None` to give up.
    pub(crate) fn next_wait(&mut self) -> Option<Duration> {
        self.failed_count += 1;
        if self.failed_count >= self.settings.max_attempts {
            return None;
        }
        let doubled = self.settings.first_wait_ms << (self.failed_count - 1).min(20);
        let wait = drawn(doubled.min(self.settings.max_wait_ms));
        let ends = self.clock.monotonic() + wait;
        (ends <= Duration::from_millis(self.settings.deadline_ms)).then_some(wait)
    }
}

impl Backoff {
    /// A wait before one more attempt where their number does not matter.
    pub(crate) fn longest_wait(&self) -> Duration {
        drawn(self.settings.max_wait_ms)
    }

    /// Attempts that failed and were waited after.
    pub(crate) fn failed_count(&self) -> u32 {
        self.failed_count
    }

    /// Whether `wait` from now is later than so long after the first attempt began.
    pub(crate) fn is_past(&self, limit_ms: u64, wait: Duration) -> bool {
        self.clock.monotonic() + wait > Duration::from_millis(limit_ms)
    }
}

/// A wait from the upper half of the range up to `full_ms`.
fn drawn(full_ms: u64) -> Duration {
    Duration::from_millis(full_ms / 2 + random_below(full_ms / 2 + 1))
}

/// A number below `bound`; without a working random source always zero, which only costs spread.
pub(crate) fn random_below(bound: u64) -> u64 {
    let mut bytes = [0; 8];
    match getrandom::fill(&mut bytes) {
        Ok(()) => u64::from_le_bytes(bytes) % bound.max(1),
        Err(_) => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_the_maximum_and_end() {
        let settings = RetrySettings {
            max_attempts: 6,
            first_wait_ms: 100,
            max_wait_ms: 400,
            deadline_ms: 100_000,
        };
        let mut backoff = Backoff::new(settings);
        for full_ms in [100, 200, 400, 400, 400] {
            let wait = backoff.next_wait().expect("because attempts are left");
            assert!((full_ms / 2..=full_ms).contains(&(wait.as_millis() as u64)), "{wait:?}");
        }
        assert_eq!(backoff.next_wait(), None);
    }

    #[test]
    fn no_attempt_begins_after_the_deadline() {
        let settings = RetrySettings { deadline_ms: 10, ..RetrySettings::default() };
        assert_eq!(Backoff::new(settings).next_wait(), None);
    }
}
