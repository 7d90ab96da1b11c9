//! Keeps snapshots alive while somebody reads them: a session of kind read that names them.
//!
//! Collectors treat what an undecided reading session names as live. So a reader first registers,
//! then looks whether a snapshot was forgotten before; a tombstone that comes later comes too late
//! to take anything away before the reader has ended.

use crate::base::id::SessionId;
use crate::repo::Repo;
use crate::repo::error::RepoError;
use crate::repo::keyring::Identity;
use crate::repo::session::{end, new_id, register_reader};
use crate::store::name::prefix;

/// Registers a reading session that names `pinned`.
///
/// # Errors
/// [`RepoError::Refused`] if one of them is forgotten already; errors of the store.
pub fn hold(
    repo: &Repo,
    identity: &Identity,
    host: &str,
    pinned: Vec<SessionId>,
) -> Result<SessionId, RepoError> {
    let session = new_id(identity, 0);
    register_reader(repo, identity, session, host, pinned.clone())?;
    for snapshot in pinned {
        let tombs = format!("{}{snapshot}-", prefix::TOMBS);
        if !repo.store().list(&tombs)?.is_empty() {
            release(repo, identity, session)?;
            let why = format!("snapshot {} is forgotten", snapshot.to_snapshot_hex());
            return Err(RepoError::Refused { why });
        }
    }
    Ok(session)
}

/// Ends a reading session: nobody waits for it any more.
///
/// # Errors
/// Those of the store. What is left undecided, collectors decide after their waiting time.
pub fn release(repo: &Repo, identity: &Identity, session: SessionId) -> Result<(), RepoError> {
    end(repo, identity, session, "the reading has ended")
}
