//! Which sessions there are, how far they are, and when the store last heard of each.

use std::collections::BTreeMap;

use crate::base::id::SessionId;
use crate::base::time::Timestamp;
use crate::repo::Repo;
use crate::repo::commits::{Flags, session_of};
use crate::repo::error::RepoError;
use crate::store::name::prefix;

/// Flags of a session and when the newest arrived, by the store's clock.
#[derive(Debug, Clone, Default)]
pub(super) struct Outcome {
    pub(super) flags: Flags,
    pub(super) newest: Timestamp,
}

/// Outcomes of all sessions, from one listing.
pub(super) fn outcomes(repo: &Repo) -> Result<BTreeMap<SessionId, Outcome>, RepoError> {
    let mut found: BTreeMap<SessionId, Outcome> = BTreeMap::new();
    repo.store().list_each(prefix::SNAPSHOTS, &mut |object| {
        if let Some((name, session)) = object.name.and_then(|it| Some((it, session_of(&it)?))) {
            let outcome = found.entry(session).or_default();
            outcome.flags.note(&name, object.modified);
            outcome.newest = outcome.newest.max(object.modified);
        }
        true
    })?;
    Ok(found)
}

/// When the store last received a pack or a segment of a session; three listings.
pub(super) fn last_upload(repo: &Repo, session: SessionId) -> Result<Timestamp, RepoError> {
    let mut newest = Timestamp::default();
    for below in [prefix::DATA, prefix::TREE, prefix::INDEX] {
        repo.store().list_each(&format!("{below}{session}/"), &mut |object| {
            newest = newest.max(object.modified);
            true
        })?;
    }
    Ok(newest)
}
