//! What is done about sessions that an earlier run of this machine left open, before a new one.

use crate::base::id::SessionId;
use crate::base::monitor::Monitor;
use crate::index::identity::advance_chain;
use crate::index::{Index, IndexError};
use crate::repo::Repo;
use crate::repo::keyring::Identity;
use crate::repo::session::{self, Aftermath};

/// Adopts or gives up what earlier runs of this machine left open; returns the adopted snapshots.
///
/// # Errors
/// Those of the store and of the database.
pub fn settle_open_runs(
    repo: &Repo,
    index: &Index,
    identity: &Identity,
    monitor: &dyn Monitor,
) -> Result<Vec<SessionId>, IndexError> {
    let mut adopted = Vec::new();
    for session in index.open_runs()? {
        let now = repo.clock().now();
        if session.client() != identity.client {
            continue;
        }
        match session::settle(repo, identity, session)? {
            Aftermath::Adopted(digest) => {
                advance_chain(index, session, digest)?;
                index.finish_run(session, now, "adopted", "its commit had landed")?;
                monitor.note(&format!(
                    "an earlier run was interrupted after its commit: snapshot {} is complete",
                    &session.to_snapshot_hex()[..8]
                ));
                adopted.push(session);
            }
            Aftermath::GivenUp => {
                index.finish_run(session, now, "given up", "ended without a commit")?;
            }
        }
    }
    Ok(adopted)
}
