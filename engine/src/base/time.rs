//! Points in time, and the clock that comes in through the door.
//!
//! Only this file reads the system clock. Safety never depends on it (see `docs/GC.md`): times
//! are shown to people, compared with other times of the same machine, and used for liveness.
#![expect(clippy::disallowed_methods, reason = "the one place that reads the system clock")]

use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// A point in time: seconds since 1970-01-01T00:00:00Z, before it negative, and nanoseconds
/// (0..1,000,000,000) after that second.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Default,
    minicbor::Encode,
    minicbor::Decode,
)]
#[cbor(array)]
pub struct Timestamp {
    /// Whole seconds.
    #[n(0)]
    pub seconds: i64,
    /// Nanoseconds after that second.
    #[n(1)]
    pub nanos: u32,
}

impl Timestamp {
    /// Whether the nanoseconds are within their second.
    #[must_use]
    pub fn is_valid(&self) -> bool {
        self.nanos < 1_000_000_000
    }

    /// How long after `earlier` this is; zero if it is not.
    #[must_use]
    pub fn since(&self, earlier: Self) -> Duration {
        let nanos = |t: Self| i128::from(t.seconds) * 1_000_000_000 + i128::from(t.nanos);
        let passed = (nanos(*self) - nanos(earlier)).max(0);
        Duration::new((passed / 1_000_000_000) as u64, (passed % 1_000_000_000) as u32)
    }
}

/// Where operations learn what time it is.
pub trait Clock: Send + Sync {
    /// The time of day, for people.
    fn now(&self) -> Timestamp;

    /// Time since some fixed moment that never jumps, for measuring.
    fn monotonic(&self) -> Duration;
}

/// The machine's own clock.
#[derive(Debug, Clone)]
pub struct SystemClock {
    start: std::time::Instant,
}

impl Default for SystemClock {
    fn default() -> Self {
        Self { start: std::time::Instant::now() }
    }
}

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        match SystemTime::now().duration_since(UNIX_EPOCH) {
            Ok(after) => Timestamp { seconds: after.as_secs() as i64, nanos: after.subsec_nanos() },
            // A clock before 1970 is wrong in any case; the epoch says so plainly.
            Err(_) => Timestamp::default(),
        }
    }

    fn monotonic(&self) -> Duration {
        self.start.elapsed()
    }
}
