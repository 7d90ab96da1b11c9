//! Holds: put up first, then a look whether it was in time.

use crate::base::id::{HoldId, SessionId};
use crate::base::limits::HOLD_MAX_SNAPSHOTS;
use crate::base::time::Timestamp;
use crate::format::consent::Deed;
use crate::format::mark::Hold;
use crate::index::Index;
use crate::index::consents::Consents;
use crate::index::identity::writer_identity;
use crate::index::marks::{self as index_marks, Marks};
use crate::repo::Repo;
use crate::repo::marks::{put_hold, put_release, require_may_mark};
use crate::retain::RetainError;

/// What to hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HoldRequest<'a> {
    /// Name of this machine, if it has to be enrolled.
    pub host: &'a str,
    /// The snapshots.
    pub snapshots: &'a [SessionId],
    /// Why, for people.
    pub reason: &'a str,
    /// When somebody should release it.
    pub until: Option<Timestamp>,
    /// How the snapshots were chosen, in words.
    pub selection: Option<&'a str>,
}

/// What a hold protects.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HoldReport {
    /// The holds: several, if there are more snapshots than one can name.
    pub holds: Vec<Hold>,
    /// Snapshots that were forgotten before the hold was there. A collector may be about to take
    /// what they need, so the hold protects them only once they are brought back.
    pub too_late: Vec<SessionId>,
}

/// Puts up a hold and looks whether it protects everything that it names.
///
/// # Errors
/// [`crate::repo::error::RepoError::Denied`] for roles that may not; errors of store and index.
pub fn add(
    repo: &Repo,
    index: &Index,
    request: &HoldRequest<'_>,
) -> Result<HoldReport, RetainError> {
    require_may_mark(repo, "hold snapshots")?;
    let identity = writer_identity(repo, index, request.host)?;
    let mut holds = Vec::new();
    for part in request.snapshots.chunks(HOLD_MAX_SNAPSHOTS) {
        let (until, selection) = (request.until, request.selection);
        let hold = put_hold(repo, &identity, part.to_vec(), request.reason, until, selection)?;
        holds.push(hold);
    }
    // After the acknowledgement: only a listing that begins now tells what was in time.
    let marks = index_marks::read(repo, index)?;
    let tombs = |session: &&SessionId| marks.tombs.contains_key(session);
    let too_late = request.snapshots.iter().filter(tombs).copied().collect();
    Ok(HoldReport { holds, too_late })
}

/// What a release lets go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReleaseReport {
    /// Snapshots that were held, have a tombstone, and are forgotten now.
    pub forgotten: Vec<SessionId>,
}

/// Releases holds: all, or none if one of them takes somebody else's consent.
///
/// # Errors
/// [`crate::repo::error::RepoError::TakesTwo`];
/// [`crate::repo::error::RepoError::Denied`] for roles that may not; errors of store and index.
pub fn release(
    repo: &Repo,
    index: &Index,
    host: &str,
    holds: &[HoldId],
    reason: &str,
) -> Result<ReleaseReport, RetainError> {
    require_may_mark(repo, "release holds")?;
    let identity = writer_identity(repo, index, host)?;
    let consents = Consents::read(repo, index)?;
    let now = repo.clock().now();
    for hold in holds {
        consents.require(identity.client, (Deed::Release, &hold.to_string(), 0), now)?;
    }
    let before = index_marks::read(repo, index)?;
    for hold in holds {
        put_release(repo, &identity, *hold, reason)?;
    }
    let after = index_marks::read(repo, index)?;
    let let_go = |session: &SessionId| before.is_held(*session) && after.is_forgotten(*session);
    let forgotten = after.tombs.keys().copied().filter(let_go).collect();
    Ok(ReleaseReport { forgotten })
}

/// The holds whose time is over by `now`. Nothing ends them but a release.
#[must_use]
pub fn overdue(marks: &Marks, now: Timestamp) -> Vec<HoldId> {
    let over = |hold: &&Hold| hold.until.is_some_and(|until| until <= now);
    marks.holds.values().filter(over).map(|hold| hold.hold).collect()
}
