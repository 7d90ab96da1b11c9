//! When snapshots were made, and which of them a wrong clock dated.
//!
//! A snapshot was made when its client says or when the store received its commit, whichever is
//! earlier, and not after a later one of the same client, whose sessions are numbered. A clock that
//! runs ahead would otherwise make an old snapshot the latest for years. One that says that it was
//! made before an earlier one of its client comes from a clock that is behind, and was made when the
//! store received it; otherwise the last good state before a battery died would be the latest for
//! years. One whose time was only claimed, because it was brought from elsewhere, was made when the
//! claim says.

use std::cmp::Reverse;
use std::collections::HashMap;
use std::time::Duration;

use engine::base::id::{ClientId, SessionId};
use engine::base::limits::CLOCK_SLACK_S;
use engine::base::time::Timestamp;
use engine::format::snapshot::Snapshot;
use engine::index::catalog::{Catalog, Committed};

/// Times of all snapshots of a repository.
pub struct Made {
    times: HashMap<SessionId, Timestamp>,
    now: Timestamp,
}

/// How a clock was wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WrongClock {
    /// By all that is known the snapshot was made later than it is now: the clocks of client and
    /// store were ahead, or this machine's is behind.
    Future,
    /// The client says that it began after the store had received the whole snapshot.
    Ahead,
    /// The client says that it began before one that it made earlier.
    Behind,
}

impl WrongClock {
    /// The word that programs see.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Future => "future",
            Self::Ahead => "ahead",
            Self::Behind => "behind",
        }
    }

    /// What people see in a list.
    #[must_use]
    pub const fn words(self) -> &'static str {
        match self {
            Self::Future => "from the future",
            Self::Ahead => "from the future by its own clock",
            Self::Behind => "from the past by its own clock",
        }
    }
}

impl Made {
    /// Looks at all snapshots, forgotten ones too; `now` is what the clock of this machine shows.
    #[must_use]
    pub fn of(catalog: &Catalog, now: Timestamp) -> Self {
        Self { times: times(catalog), now }
    }

    /// When it was made.
    #[must_use]
    pub fn at(&self, snapshot: &Snapshot) -> Timestamp {
        self.times.get(&snapshot.session).copied().unwrap_or(snapshot.started)
    }

    /// What lists are ordered by: when it was made, and of equal times the order of its client, which
    /// is all that is known; what remains equal has an order that is the same everywhere.
    #[must_use]
    pub fn place(&self, snapshot: &Snapshot) -> (Timestamp, u64, Timestamp, SessionId) {
        let session = snapshot.session;
        (self.at(snapshot), session.sequence(), snapshot.started, session)
    }

    /// How old it is; `None` for one from the future, of which nobody knows.
    #[must_use]
    pub fn age(&self, snapshot: &Snapshot) -> Option<Duration> {
        let at = self.at(snapshot);
        (!is_after(at, self.now)).then(|| self.now.since(at))
    }

    /// Whether a clock was wrong.
    #[must_use]
    pub fn wrong_clock(&self, one: &Committed) -> Option<WrongClock> {
        if is_after(self.at(&one.snapshot), self.now) {
            return Some(WrongClock::Future);
        }
        if is_after(self.at(&one.snapshot), one.snapshot.started) {
            return Some(WrongClock::Behind);
        }
        is_after(one.snapshot.started, one.committed).then_some(WrongClock::Ahead)
    }

    /// Whether it may be the latest: its time was seen, and has come.
    #[must_use]
    pub fn may_be_latest(&self, one: &Committed) -> bool {
        one.snapshot.facts.claim.is_none() && !is_after(self.at(&one.snapshot), self.now)
    }
}

/// Whether `time` is later than clocks may differ.
fn is_after(time: Timestamp, than: Timestamp) -> bool {
    time.seconds > than.seconds.saturating_add(CLOCK_SLACK_S)
}

fn times(catalog: &Catalog) -> HashMap<SessionId, Timestamp> {
    let mut all: Vec<&Committed> = catalog.snapshots.iter().chain(&catalog.forgotten).collect();
    all.sort_by_key(|one| (one.snapshot.client, Reverse(one.snapshot.session.sequence())));
    let mut times = HashMap::with_capacity(all.len());
    let mut witnessed = HashMap::with_capacity(all.len());
    let mut later: Option<Later> = None;
    for one in &all {
        let snapshot = &one.snapshot;
        if snapshot.facts.claim.is_some() {
            times.insert(snapshot.session, snapshot.started);
            continue;
        }
        let own = snapshot.started.min(one.committed);
        let bound = later.filter(|later| later.client == snapshot.client);
        let at = match bound {
            // Equal times are then told apart by the numbers of their sessions.
            Some(later) if own > later.committed => later.at,
            _ => own,
        };
        times.insert(snapshot.session, at);
        let committed = bound.map_or(one.committed, |later| later.committed.min(one.committed));
        witnessed.insert(snapshot.session, committed);
        // One that was brought back says when its files were read, not when it was made.
        let at = if snapshot.original.is_some() { committed } else { at };
        // What does not count says nothing about what does.
        if one.doubt.is_none() {
            later = Some(Later { client: snapshot.client, committed, at });
        }
    }
    lift(&all, &witnessed, &mut times);
    times
}

/// No snapshot was made before an earlier one of its client: `all` has the last of each client first.
fn lift(
    all: &[&Committed],
    witnessed: &HashMap<SessionId, Timestamp>,
    times: &mut HashMap<SessionId, Timestamp>,
) {
    let mut earlier: Option<(ClientId, Timestamp)> = None;
    // What does not count says nothing about what does.
    for Committed { snapshot, .. } in all.iter().rev().filter(|one| one.doubt.is_none()) {
        let Some(at) = times.get_mut(&snapshot.session) else { continue };
        if snapshot.facts.claim.is_some() || snapshot.original.is_some() {
            continue;
        }
        if let Some((_, before)) = earlier.filter(|(client, _)| *client == snapshot.client) {
            // A clock that was set back by seconds changes the order and nothing else.
            let received = witnessed.get(&snapshot.session).filter(|_| is_after(before, *at));
            *at = (*at).max(before).max(received.copied().unwrap_or(before));
        }
        earlier = Some((snapshot.client, *at));
    }
}

/// What the later snapshots of a client say about those before.
#[derive(Clone, Copy)]
struct Later {
    client: ClientId,
    /// The first of their commits by the store's clock.
    committed: Timestamp,
    /// When the next of them was made.
    at: Timestamp,
}
