//! Putting up tombstones.

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::base::id::{Digest, SessionId};
use crate::base::limits::FETCH_THREADS_REMOTE;
use crate::base::monitor::{Counter, Monitor, Phase};
use crate::index::identity::writer_identity;
use crate::index::{Index, marks as index_marks};
use crate::repo::Repo;
use crate::repo::marks::{put_tomb, require_may_mark};
use crate::retain::RetainError;

/// Who forgets, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reasoned<'a> {
    /// Name of this machine, if it has to be enrolled.
    pub host: &'a str,
    /// Why, for people.
    pub reason: &'a str,
    /// The rules that decided, if rules did.
    pub policy: Option<&'a str>,
}

/// What a run did.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ForgetReport {
    /// Snapshots that have a tombstone now.
    pub forgotten: Vec<SessionId>,
    /// Those of them that somebody holds meanwhile: they stay live.
    pub held_meanwhile: Vec<SessionId>,
}

/// Puts up a tombstone for each snapshot. One that fails does not undo the others.
///
/// # Errors
/// [`crate::repo::error::RepoError::Denied`] for roles that may not; errors of the store.
pub fn forget(
    repo: &Repo,
    index: &Index,
    snapshots: &[(SessionId, Digest)],
    because: &Reasoned<'_>,
    monitor: &dyn Monitor,
) -> Result<ForgetReport, RetainError> {
    require_may_mark(repo, "forget snapshots")?;
    if snapshots.is_empty() {
        return Ok(ForgetReport::default());
    }
    let identity = writer_identity(repo, index, because.host)?;
    monitor.phase(&Phase {
        name: "forgetting",
        total_items: Some(snapshots.len() as u64),
        total_bytes: None,
    });
    let threads = if repo.store().is_local() { 1 } else { FETCH_THREADS_REMOTE };
    let (next, failure) = (AtomicUsize::new(0), Mutex::new(None));
    std::thread::scope(|scope| {
        for _ in 0..threads.min(snapshots.len()) {
            scope.spawn(|| {
                while let Some(target) = snapshots.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let failed = || failure.lock().is_ok_and(|failure| failure.is_some());
                    if monitor.is_cancelled() || failed() {
                        break;
                    }
                    match put_tomb(repo, &identity, *target, because.reason, because.policy) {
                        Ok(_) => monitor.add(Counter::Items, 1),
                        Err(error) => {
                            if let Ok(mut failure) = failure.lock() {
                                failure.get_or_insert(error);
                            }
                        }
                    }
                }
            });
        }
    });
    if let Some(error) = failure.into_inner().ok().flatten() {
        return Err(error.into());
    }
    if monitor.is_cancelled() {
        return Err(RetainError::Interrupted);
    }
    // Only to tell the user: a hold that was there first wins whatever we do now.
    let marks = index_marks::read(repo, index)?;
    let forgotten: Vec<_> = snapshots.iter().map(|(session, _)| *session).collect();
    let held_meanwhile = forgotten.iter().copied().filter(|one| marks.is_held(*one)).collect();
    Ok(ForgetReport { forgotten, held_meanwhile })
}
