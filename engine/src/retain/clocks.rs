//! Whether this machine and the store agree on what time it is.

use std::time::Duration;

use crate::base::limits::CLOCK_SLACK_S;
use crate::repo::Repo;
use crate::retain::RetainError;

/// Asks the store for its time and compares. Nothing is unsafe if they differ: rules ask both
/// clocks. But somebody should look before snapshots are forgotten by rules about time.
///
/// # Errors
/// [`RetainError::ClocksDiffer`] if they are more than an hour apart; errors of the store.
pub fn require_agreement(repo: &Repo) -> Result<(), RetainError> {
    let here = repo.clock().now();
    let there = repo.store().time_of_store()?;
    let apart = here.since(there).max(there.since(here));
    match apart > Duration::from_secs(CLOCK_SLACK_S as u64) {
        true => Err(RetainError::ClocksDiffer { apart }),
        false => Ok(()),
    }
}
