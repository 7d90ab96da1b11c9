//! A snapshot as retention sees it: whose it is, when it was made by two clocks, what holds it.

use crate::base::id::{ClientId, HoldId, SessionId};
use crate::base::limits::CLOCK_SLACK_S;
use crate::base::time::Timestamp;
use crate::format::snapshot::PathBytes;
use crate::index::belief::Doubt;

/// The longest run whose beginning, by its client's clock, is believed: a client could otherwise
/// place a snapshot into any year of the past.
const RUN_MAX_S: i64 = 86_400;

/// A confirmed snapshot that is not forgotten.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Candidate {
    /// The snapshot.
    pub session: SessionId,
    /// Whose it is; of one that was brought back, whose the original was.
    pub client: ClientId,
    /// The client that its history goes on with.
    pub line: ClientId,
    /// Why it does not count, if so.
    pub doubt: Option<Doubt>,
    /// Its number in the chain of that client.
    pub sequence: u64,
    /// Host.
    pub host: String,
    /// Paths.
    pub paths: Vec<PathBytes>,
    /// Tags in force, sorted.
    pub tags: Vec<String>,
    /// Whether something is missing in it.
    pub is_partial: bool,
    /// Whether its client has confirmed it.
    pub is_settled: bool,
    /// When it was made, as far as the store's clock vouches for it.
    pub store_time: Timestamp,
    /// When it was made, by the clock of its client.
    pub own_time: Timestamp,
    /// What holds it.
    pub holds: Vec<HoldId>,
}

/// When a snapshot was made, by the store's clock: the beginning of the run if the client's clock
/// agreed with the store's when it ended, otherwise the moment when the store received the commit.
#[must_use]
pub fn store_time(started: Timestamp, finished: Timestamp, committed: Timestamp) -> Timestamp {
    let gap = |a: Timestamp, b: Timestamp| a.seconds.saturating_sub(b.seconds);
    let agrees = gap(finished, committed).saturating_abs() <= CLOCK_SLACK_S;
    let lasted_s = gap(finished, started);
    if agrees && (0..=RUN_MAX_S).contains(&lasted_s) { started } else { committed }
}

impl Candidate {
    /// Whether it may take the place of another one.
    #[must_use]
    pub fn counts(&self) -> bool {
        self.is_settled && self.doubt.is_none()
    }

    /// Whether the two clocks tell the same.
    #[must_use]
    pub fn clocks_agree(&self) -> bool {
        self.store_time == self.own_time
    }
}

/// What snapshots must have in common for one set of rules to apply to them together, beside their
/// client: nobody's snapshots take the place of another one's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct GroupBy {
    /// The host.
    pub host: bool,
    /// The paths.
    pub paths: bool,
    /// The tags.
    pub tags: bool,
    /// The client alone.
    pub client: bool,
}

impl GroupBy {
    /// Host and paths, as restic does it.
    pub const USUAL: Self = Self { host: true, paths: true, tags: false, client: false };

    /// What a snapshot has of it.
    #[must_use]
    pub fn key(&self, candidate: &Candidate) -> GroupKey {
        GroupKey {
            host: self.host.then(|| candidate.host.clone()),
            paths: self.paths.then(|| candidate.paths.clone()),
            tags: self.tags.then(|| candidate.tags.clone()),
            client: Some(candidate.line),
        }
    }
}

/// What all snapshots of a group have in common.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct GroupKey {
    /// The host, if grouped by it.
    pub host: Option<String>,
    /// The paths, if grouped by them.
    pub paths: Option<Vec<PathBytes>>,
    /// The tags, if grouped by them.
    pub tags: Option<Vec<String>>,
    /// The client that their history goes on with.
    pub client: Option<ClientId>,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp { seconds, nanos: 0 }
    }

    #[test]
    fn the_beginning_counts_only_if_the_store_vouches_for_the_end() {
        let day = 86_400;
        assert_eq!(store_time(at(1000), at(8000), at(8100)), at(1000));
        // A clock ten years off, in both directions.
        assert_eq!(store_time(at(1000), at(8000), at(3650 * day)), at(3650 * day));
        assert_eq!(store_time(at(3650 * day), at(3650 * day + 60), at(8100)), at(8100));
        // An end that agrees does not make a beginning years ago believable.
        assert_eq!(store_time(at(0), at(800 * day), at(800 * day)), at(800 * day));
        assert_eq!(store_time(at(9000), at(8000), at(8000)), at(8000));
        assert_eq!(store_time(at(i64::MIN), at(i64::MAX), at(0)), at(0));
    }
}
