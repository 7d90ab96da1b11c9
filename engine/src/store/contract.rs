//! The conformance probe: whether a store keeps the promises that safety rests on.
//!
//! Ten checks, made side by side, with the numbers of `docs/GC.md`; the first five are required. A
//! store that fails one of them is refused with its number, since the protocol would lose data on
//! it. The others record what the store can do and how it behaves where nothing depends on it.
//!
//! The probe writes only below `probe-<random>/` and removes what it wrote. It is also the contract
//! test of every store that the engine itself provides.
//!
//! Where a check needs a request that goes wrong on its way (half a body and a dead connection, a
//! body held back, a body or a signature that was changed), our own transport makes it: such
//! requests are signed like all others. Local and in-memory stores have no such way; there an upload
//! in parts that is never completed stands for half a PUT, and the rest is reported as skipped.
//! Versioning and Object Lock are asked of S3 buckets by signed requests; elsewhere versioning is
//! told from the answer to a PUT and Object Lock counts as absent.

use std::thread;

use crate::base::error::{Classified, ErrorClass};
use crate::base::monitor::{Monitor, Phase};
use crate::format::config::Capabilities;
use crate::store::client::{Store, is_unreachable};
use crate::store::error::StoreError;
use crate::store::retry::RetrySettings;

mod bench;
mod visible;
mod flags;
mod whole;
mod pages;
mod content;
mod answers;
mod create;
#[cfg(test)]
mod tests;

use bench::{Bench, Failure};

/// How much the probe does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Effort {
    /// Seconds: for `init`.
    #[default]
    Quick,
    /// Minutes over a slow line: thousands of keys, 1,000 races, a PUT of 64 MiB.
    Full,
}

/// What to probe with.
#[derive(Clone, Default)]
pub struct ProbeOptions {
    /// How much to do.
    pub effort: Effort,
    /// The same place through another connection or gateway; without it both sides of every check
    /// share one connection pool, which proves less.
    pub second: Option<Store>,
}

/// How a check ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// The store does what is wanted.
    Passed,
    /// The store does not.
    Failed,
    /// It could not be found out.
    Skipped,
}

/// One check.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CheckResult {
    /// 1 to 10.
    pub number: u8,
    /// What was looked at, for people.
    pub name: &'static str,
    /// Whether safety rests on it.
    pub required: bool,
    /// How it ended.
    pub outcome: Outcome,
    /// What was seen, for people.
    pub detail: String,
}

/// What the probe found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProbeReport {
    /// All ten checks in order.
    pub checks: Vec<CheckResult>,
    /// What is recorded in the configuration of a new repository.
    pub capabilities: Capabilities,
}

impl ProbeReport {
    /// Whether the protocol is safe on this store: no required check failed.
    #[must_use]
    pub fn is_safe(&self) -> bool {
        self.first_failed().is_none()
    }

    /// The required check that failed first.
    #[must_use]
    pub fn first_failed(&self) -> Option<&CheckResult> {
        self.checks.iter().find(|check| check.required && check.outcome == Outcome::Failed)
    }
}

type Check = fn(&Bench<'_>, &mut Capabilities) -> Result<String, Failure>;

const CHECKS: [(&str, Check); 10] = [
    ("what is written is seen at once", visible::fresh_objects),
    ("of two flags at least one is seen", flags::two_flags),
    ("half an upload leaves nothing", whole::half_uploads),
    ("what is deleted is not listed", visible::deleted_objects),
    ("listings are complete", pages::complete_listings),
    ("parts of objects are exact", content::exact_ranges),
    ("large and damaged uploads", content::large_and_damaged),
    ("all characters of our keys", content::key_characters),
    ("versions, locks, atomic creation", create::abilities),
    ("meaning of answers", answers::meanings),
];

/// Checks with numbers up to this one are required.
const REQUIRED: u8 = 5;

/// So many checks go first. Those behind them send requests that are not repeated when a store has
/// too much to do, so they have it for themselves.
const FIRST_COUNT: usize = 8;

/// Probes a store.
///
/// # Errors
/// [`StoreError`] if the store cannot be reached or used at all (missing bucket, no permission to
/// write, no connection); a store that behaves wrongly is no error but a failed check.
/// [`StoreError::Interrupted`] if the monitor says so.
pub fn probe(
    store: &Store,
    options: &ProbeOptions,
    monitor: &dyn Monitor,
) -> Result<ProbeReport, StoreError> {
    let first = store.with_retry(patience(store));
    let second = options.second.as_ref().unwrap_or(store);
    let second = second.with_retry(patience(second));
    let bench = Bench::new(&first, &second, options.effort, monitor)?;
    // One question first, so that a store that never answers is waited for once and not by each check.
    if first.raw_can_misbehave()
        && let Err(error) = first.raw_page("probe-", None, Some(1))
        && is_unreachable(&error)
    {
        return Err(error);
    }
    let total_items = Some(CHECKS.len() as u64);
    monitor.phase(&Phase { name: "probing the store", total_items, total_bytes: None });
    let (firsts, races) = CHECKS.split_at(FIRST_COUNT);
    let mut ended = side_by_side(&bench, firsts);
    if (1..).zip(&ended).all(|(number, (_, ended))| !is_the_end(ended, number)) {
        ended.extend(side_by_side(&bench, races));
    }
    bench.clean();
    let mut capabilities = Capabilities::default();
    let mut checks = Vec::with_capacity(CHECKS.len());
    for ((number, (name, _)), (seen, failure)) in (1..).zip(CHECKS).zip(ended) {
        let required = number <= REQUIRED;
        let (outcome, detail) = match failure {
            Ok(detail) => (Outcome::Passed, detail),
            Err(Failure::Skipped(why)) => (Outcome::Skipped, why),
            Err(Failure::Wrong(why)) => (Outcome::Failed, why),
            // Checks after it may not have been made.
            Err(Failure::Store(error)) if stops(&error, required) => return Err(error),
            Err(Failure::Store(error)) => (Outcome::Failed, in_words(&error)),
        };
        checks.push(CheckResult { number, name, required, outcome, detail });
        // Only one check looks for abilities.
        if seen != Capabilities::default() {
            capabilities = seen;
        }
    }
    let mut report = ProbeReport { checks, capabilities };
    report.capabilities.probed = report.is_safe();
    Ok(report)
}

/// What a check found.
type Ended = (Capabilities, Result<String, Failure>);

/// Checks work in folders of their own, so that none has to wait for another: most of their time is
/// that of the line to the store.
fn side_by_side(bench: &Bench<'_>, checks: &[(&'static str, Check)]) -> Vec<Ended> {
    let carry_out = |check: Check| {
        let mut capabilities = Capabilities::default();
        let ended = check(bench, &mut capabilities);
        bench.count();
        (capabilities, ended)
    };
    thread::scope(|scope| {
        let threads: Vec<_> =
            checks.iter().map(|(_, check)| scope.spawn(|| carry_out(*check))).collect();
        let ended = threads.into_iter().map(thread::ScopedJoinHandle::join);
        ended.map(|it| it.unwrap_or_else(|panic| std::panic::resume_unwind(panic))).collect()
    })
}

/// A store that needs many repetitions is not worth waiting for here.
fn patience(store: &Store) -> RetrySettings {
    let own = store.retry();
    RetrySettings {
        max_attempts: own.max_attempts.min(6),
        first_wait_ms: own.first_wait_ms.min(100),
        max_wait_ms: own.max_wait_ms.min(2000),
        deadline_ms: own.deadline_ms.min(120_000),
    }
}

/// Whether an error says that the store cannot be used, rather than that it behaves wrongly.
fn stops(error: &StoreError, required: bool) -> bool {
    match error {
        StoreError::Interrupted => true,
        StoreError::Unavailable { .. } => required,
        // These two come from wrong answers, not from a lack of answers.
        StoreError::ShortBody { .. } | StoreError::Inconsistent { .. } => false,
        // A bucket may be missing; an object that was written may not.
        StoreError::NotFound { action: "reading", .. } => false,
        _ => {
            required
                && matches!(
                    error.class(),
                    ErrorClass::Denied
                        | ErrorClass::Usage
                        | ErrorClass::Local
                        | ErrorClass::Missing
                )
        }
    }
}

fn is_the_end(ended: &Result<String, Failure>, number: u8) -> bool {
    matches!(ended, Err(Failure::Store(error)) if stops(error, number <= REQUIRED))
}

fn in_words(error: &StoreError) -> String {
    match std::error::Error::source(error) {
        Some(source) => format!("{error}: {source}"),
        None => error.to_string(),
    }
}
