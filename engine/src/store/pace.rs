//! How fast bytes may go to a store and come from it, for lines that others use too.
//!
//! A limit is spent piece by piece while a body is on its way, so that the line carries an even
//! stream, not a burst and a pause. Stores that share [`Limits`] share the rate. Requests and
//! listings count for nothing: they are small.

use std::num::NonZeroU32;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use futures::{Stream, StreamExt, stream};
use governor::{DefaultDirectRateLimiter, Quota, RateLimiter};

use crate::base::limits::{KIB, PACE_PIECE_BYTES, PACE_SHARERS_MAX};

/// The two directions of a line; clones share what is left of each.
#[derive(Debug, Clone, Default)]
pub struct Limits {
    pub(crate) upload: Option<Pace>,
    pub(crate) download: Option<Pace>,
}

/// Rates that depend on the time of day, in KiB per second; `None` for as fast as it goes.
pub trait Rates: std::fmt::Debug + Send + Sync {
    /// The limit now: of what goes to the store, and of what comes from it.
    fn now(&self) -> (Option<NonZeroU32>, Option<NonZeroU32>);

    /// The lowest limits that there are at any time.
    fn lowest(&self) -> (Option<NonZeroU32>, Option<NonZeroU32>);
}

impl Limits {
    /// Limits in KiB per second; `None` for as fast as it goes.
    #[must_use]
    pub fn new(upload: Option<NonZeroU32>, download: Option<NonZeroU32>) -> Self {
        Self { upload: upload.map(Pace::new), download: download.map(Pace::new) }
    }

    /// Limits that change while a transfer is on its way.
    #[must_use]
    pub fn changing(rates: &Arc<dyn Rates>) -> Self {
        let (upload, download) = rates.lowest();
        let pace = |lowest: Option<NonZeroU32>, is_upload| {
            lowest.map(|lowest| Pace::changing(lowest, Arc::clone(rates), is_upload))
        };
        Self { upload: pace(upload, true), download: pace(download, false) }
    }
}

/// A rate, and who shares it.
#[derive(Debug, Clone)]
pub(crate) struct Pace(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    gauge: Mutex<Arc<Gauge>>,
    /// Whether the rate changes, and which of the two it is.
    rates: Option<(Arc<dyn Rates>, bool)>,
    lowest_kib_per_s: NonZeroU32,
    asked_bytes: AtomicU64,
}

/// One rate.
#[derive(Debug)]
struct Gauge {
    /// Counts in KiB: the rates of bytes would be too coarse in its nanoseconds.
    limiter: DefaultDirectRateLimiter,
    kib_per_s: NonZeroU32,
    /// What can be let through at once: a tenth of a second's worth.
    burst_kib: NonZeroU32,
}

impl Gauge {
    fn new(kib_per_s: NonZeroU32) -> Self {
        let burst_kib = NonZeroU32::new(kib_per_s.get() / 10).unwrap_or(NonZeroU32::MIN);
        let quota = Quota::per_second(kib_per_s).allow_burst(burst_kib);
        Self { limiter: RateLimiter::direct(quota), kib_per_s, burst_kib }
    }
}

impl Pace {
    fn new(kib_per_s: NonZeroU32) -> Self {
        Self::with(kib_per_s, None)
    }

    fn changing(lowest: NonZeroU32, rates: Arc<dyn Rates>, is_upload: bool) -> Self {
        Self::with(lowest, Some((rates, is_upload)))
    }

    fn with(lowest_kib_per_s: NonZeroU32, rates: Option<(Arc<dyn Rates>, bool)>) -> Self {
        let gauge = Mutex::new(Arc::new(Gauge::new(lowest_kib_per_s)));
        let asked_bytes = AtomicU64::new(0);
        Self(Arc::new(Shared { gauge, rates, lowest_kib_per_s, asked_bytes }))
    }

    /// The rate that holds now; `None` for as fast as it goes.
    fn gauge(&self) -> Option<Arc<Gauge>> {
        let mut gauge = self.0.gauge.lock().unwrap_or_else(PoisonError::into_inner);
        let Some((rates, is_upload)) = &self.0.rates else { return Some(Arc::clone(&gauge)) };
        let (upload, download) = rates.now();
        let now = if *is_upload { upload } else { download }?;
        if gauge.kib_per_s != now {
            *gauge = Arc::new(Gauge::new(now));
        }
        Some(Arc::clone(&gauge))
    }

    /// Waits until so many bytes may have passed.
    pub(crate) async fn wait(&self, byte_count: usize) {
        let shared = &self.0;
        let kib = KIB as u64;
        let before = shared.asked_bytes.fetch_add(byte_count as u64, Ordering::Relaxed);
        // Parts of a KiB add up between calls.
        let mut left_kib = (before + byte_count as u64) / kib - before / kib;
        while left_kib > 0 {
            let Some(gauge) = self.gauge() else { return };
            let step = NonZeroU32::new(left_kib.min(gauge.burst_kib.get().into()) as u32);
            let step = step.unwrap_or(NonZeroU32::MIN);
            // No step is larger than the burst, the only thing that it could be refused for.
            let _ = gauge.limiter.until_n_ready(step).await;
            left_kib = left_kib.saturating_sub(u64::from(step.get()));
        }
    }

    /// How much longer a transfer may take because of the limit, if others use it as well.
    pub(crate) fn allowance(&self, byte_count: u64) -> Duration {
        let bytes_per_s = u64::from(self.0.lowest_kib_per_s.get()) * KIB as u64;
        Duration::from_millis(byte_count * 1000 * PACE_SHARERS_MAX / bytes_per_s)
    }

    /// A body in pieces, each of which waits for its turn.
    pub(crate) fn pieces(
        self,
        body: Bytes,
    ) -> impl Stream<Item = Result<Bytes, std::io::Error>> + Send + 'static {
        let count = body.len().div_ceil(PACE_PIECE_BYTES);
        stream::iter(0..count).then(move |number| {
            let start = number * PACE_PIECE_BYTES;
            let piece = body.slice(start..body.len().min(start + PACE_PIECE_BYTES));
            let pace = self.clone();
            async move {
                pace.wait(piece.len()).await;
                Ok(piece)
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::time::{Clock, SystemClock};

    fn kib_per_s(rate: u32) -> Option<NonZeroU32> {
        NonZeroU32::new(rate)
    }

    fn took_ms(work: impl Future<Output = ()>) -> u128 {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let clock = SystemClock::default();
        runtime.expect("a runtime").block_on(work);
        clock.monotonic().as_millis()
    }

    #[test]
    fn sharers_share_one_rate() {
        let limits = Limits::new(kib_per_s(1000), None);
        let pace = limits.upload.expect("there is one");
        let other = pace.clone();
        // 200 KiB each, of which the first 100 KiB are let through at once.
        let took = took_ms(async {
            futures::join!(pace.wait(200 * KIB), other.wait(200 * KIB));
        });
        assert!((250..2000).contains(&took), "{took} ms");
    }

    #[derive(Debug)]
    struct Switch(std::sync::atomic::AtomicBool);

    impl Rates for Switch {
        fn now(&self) -> (Option<NonZeroU32>, Option<NonZeroU32>) {
            let is_open = self.0.load(Ordering::Relaxed);
            (kib_per_s(1000).filter(|_| !is_open), None)
        }

        fn lowest(&self) -> (Option<NonZeroU32>, Option<NonZeroU32>) {
            (kib_per_s(1000), None)
        }
    }

    #[test]
    fn a_rate_changes_while_something_is_on_its_way() {
        let switch = Arc::new(Switch(false.into()));
        let rates: Arc<dyn Rates> = switch.clone();
        let limits = Limits::changing(&rates);
        assert!(limits.download.is_none());
        let pace = limits.upload.expect("there is one");
        // Ten seconds' worth, the limit of which is lifted after some of it.
        let took = took_ms(async {
            let open = async {
                tokio::time::sleep(Duration::from_millis(300)).await;
                switch.0.store(true, Ordering::Relaxed);
            };
            futures::join!(pace.wait(10_000 * KIB), open);
        });
        assert!((250..3000).contains(&took), "{took} ms");
    }

    #[test]
    fn parts_of_a_kib_add_up() {
        let pace = Pace::new(NonZeroU32::MIN);
        // Two KiB in bytes at one KiB a second, one of them at once.
        let took = took_ms(async {
            for _ in 0..2 * KIB {
                pace.wait(1).await;
            }
        });
        assert!((900..3000).contains(&took), "{took} ms");
    }

    #[test]
    fn the_pieces_are_the_body() {
        let body =
            Bytes::from((0..=255).cycle().take(3 * PACE_PIECE_BYTES + 1).collect::<Vec<_>>());
        let pace = Pace::new(NonZeroU32::MAX);
        let pieces = futures::executor::block_on(pace.pieces(body.clone()).collect::<Vec<_>>());
        assert_eq!(pieces.len(), 4);
        let joined: Vec<u8> = pieces.into_iter().flatten().flatten().collect();
        assert_eq!(joined, body);
    }
}
