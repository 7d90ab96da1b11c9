//! What the repository says of writers: which were revoked, and their roles.

use engine::format::slot::Role;
use engine::repo::error::RepoError;
use engine::repo::{Repo, machine};

use crate::evidence::record::{Hash32, Writer};
use crate::evidence::revoked::{Ending, Endings, Last};

/// Reads all revocations. After the records were listed: one that was there before is seen.
///
/// # Errors
/// Those of the store.
pub(super) fn endings(repo: &Repo) -> Result<Endings, RepoError> {
    let mut endings = Endings::default();
    for revocation in machine::revocations(repo)? {
        let last = revocation
            .evidence
            .map(|last| Last { number: last.number, hash: Hash32(*last.hash.as_bytes()) });
        let (at_seconds, reason) = (revocation.at.seconds, revocation.reason);
        let writer = Writer(*revocation.client.as_bytes());
        endings.add(writer, Ending { at_seconds, reason, last });
    }
    Ok(endings)
}

/// The number of a role in a client record, by which a verifier knows it.
#[must_use]
pub const fn role_number(role: Role) -> u8 {
    match role {
        Role::Backup => 1,
        Role::Maintain => 2,
        Role::Verify => 3,
        Role::Restore => 4,
        Role::Admin => 5,
    }
}
