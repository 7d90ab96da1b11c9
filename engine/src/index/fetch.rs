//! Reads many objects at once, so that a remote store is waited for once and not once for each.

use std::sync::atomic::{AtomicUsize, Ordering};

use crate::base::error::{Classified, ErrorClass};
use crate::base::limits::{FETCH_RECORD_THREADS_REMOTE, FETCH_THREADS_REMOTE};
use crate::index::IndexError;
use crate::repo::Repo;
use crate::repo::error::RepoError;

/// How large the objects are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// A few hundred bytes: what takes time is the way there and back.
    Records,
    /// Up to many MiB: only few may be in memory.
    Large,
}

/// Whether other objects can still be read: a flipped bit can make one claim a later version, and
/// one that a listing showed can be gone by now.
pub(super) fn is_of_one_object(error: &RepoError) -> bool {
    matches!(error.class(), ErrorClass::Corrupt | ErrorClass::Missing | ErrorClass::Newer)
}

/// The same of what only adds something, so that nothing is wrongly freed or believed without it: also
/// an object that the store or the disk does not hand out, for as long as that lasts.
pub(super) fn costs_only_itself(error: &RepoError) -> bool {
    is_of_one_object(error) || error.class() == ErrorClass::Unreadable
}

/// Runs `fetch` for every item on a few threads and `take` on this one, in the order in which they
/// come.
///
/// # Errors
/// The first one of `take`; nothing more is fetched then.
pub(super) fn fetch_all<K: Clone + Send + Sync, T: Send>(
    repo: &Repo,
    kind: Kind,
    items: &[K],
    fetch: impl Fn(&K) -> Result<T, RepoError> + Sync,
    mut take: impl FnMut(K, Result<T, RepoError>) -> Result<(), IndexError>,
) -> Result<(), IndexError> {
    let threads = match (repo.store().is_local(), kind) {
        (true, _) => 2,
        (false, Kind::Large) => FETCH_THREADS_REMOTE,
        (false, Kind::Records) => FETCH_RECORD_THREADS_REMOTE,
    };
    let next = AtomicUsize::new(0);
    // A small bound: a segment in memory can be large.
    let (sender, receiver) = crossbeam_channel::bounded(2);
    std::thread::scope(|scope| {
        for _ in 0..threads.min(items.len()) {
            let (sender, next, fetch) = (sender.clone(), &next, &fetch);
            scope.spawn(move || {
                while let Some(item) = items.get(next.fetch_add(1, Ordering::Relaxed)) {
                    if sender.send((item.clone(), fetch(item))).is_err() {
                        break;
                    }
                }
            });
        }
        drop(sender);
        for (item, fetched) in &receiver {
            if let Err(error) = take(item, fetched) {
                // Dropping the receiver ends the threads at their next item.
                drop(receiver);
                return Err(error);
            }
        }
        Ok(())
    })
}
