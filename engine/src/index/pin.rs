//! Pins: snapshots that are being read stay, also if somebody forgets them meanwhile.

use crate::base::id::SessionId;
use crate::index::{Index, IndexError, marks};
use crate::repo::Repo;
use crate::repo::error::RepoError;
use crate::repo::keyring::Identity;
use crate::repo::session;

/// Keeps snapshots alive while they are read, also if somebody forgets them meanwhile.
pub struct Pin {
    session: SessionId,
    identity: Identity,
}

impl Pin {
    /// Registers a reader of these snapshots, and then looks for tombstones: whoever puts one up
    /// later is followed by a collector that sees the reader.
    ///
    /// # Errors
    /// [`RepoError::Refused`] if one of them is forgotten already; errors of store and database.
    pub fn new(
        repo: &Repo,
        index: &Index,
        identity: &Identity,
        host: &str,
        snapshots: &[SessionId],
    ) -> Result<Self, IndexError> {
        let pin = Self { session: session::new_id(identity, 0), identity: identity.clone() };
        session::register_reader(repo, identity, pin.session, host, snapshots.to_vec())?;
        let marks = marks::read_forgotten(repo, index)?;
        let Some(gone) = snapshots.iter().find(|session| marks.is_forgotten(**session)) else {
            return Ok(pin);
        };
        let why = format!("snapshot {} is forgotten", &gone.to_snapshot_hex()[..8]);
        pin.release(repo)?;
        Err(RepoError::Refused { why }.into())
    }

    /// Ends the reading. A pin that is never released is given up by a collector after a week. It
    /// is not noted as a run of this machine, because readers run beside backups, which would give
    /// it up.
    ///
    /// # Errors
    /// Those of the store.
    pub fn release(self, repo: &Repo) -> Result<(), IndexError> {
        session::end(repo, &self.identity, self.session, "the reading has ended")?;
        Ok(())
    }
}
