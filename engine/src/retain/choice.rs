//! Snapshots that somebody names to be forgotten, and the limits of what one run may take.

use std::collections::{BTreeMap, BTreeSet};

use crate::base::id::{ClientId, SessionId};
use crate::base::limits::RETAIN_NEWEST_KEPT;
use crate::retain::RetainError;
use crate::retain::candidate::Candidate;
use crate::retain::plan::newest_of_clients;

/// How much one run may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Brake {
    /// The newest of each client stay.
    On,
    /// The user has said that up to so many may go, the newest among them.
    UpTo(u64),
    /// The user has said that all may go.
    Off,
}

impl Brake {
    /// Whether the newest of a client stay.
    #[must_use]
    pub fn spares_newest(self) -> bool {
        self == Self::On
    }

    /// Refuses a run that would forget more than was confirmed.
    ///
    /// # Errors
    /// [`RetainError::MoreThanConfirmed`].
    pub fn check(self, count: usize) -> Result<(), RetainError> {
        match self {
            Self::UpTo(confirmed) if count as u64 > confirmed => {
                Err(RetainError::MoreThanConfirmed { count, confirmed })
            }
            _ => Ok(()),
        }
    }
}

/// Checks that `named` may be forgotten in one run: none is held, and with the brake on neither the
/// newest snapshot of a client is among them nor more than one of its newest three.
///
/// Who names one snapshot means it, so one of the newest three may go; what would hurt is a script
/// that names them all.
///
/// # Errors
/// [`RetainError::Held`], [`RetainError::Newest`], [`RetainError::MoreThanConfirmed`].
pub fn check_named(
    all: &[Candidate],
    named: &BTreeSet<SessionId>,
    brake: Brake,
) -> Result<(), RetainError> {
    let chosen: Vec<_> = all.iter().filter(|one| named.contains(&one.session)).collect();
    if let Some((one, hold)) = chosen.iter().find_map(|one| Some((one, one.holds.first()?))) {
        return Err(RetainError::Held {
            snapshot: one.session.to_snapshot_hex()[..8].to_owned(),
            hold: hold.to_string(),
        });
    }
    brake.check(chosen.len())?;
    if !brake.spares_newest() {
        return Ok(());
    }
    let newest = newest_of_clients(all);
    let mut taken: BTreeMap<ClientId, Vec<&Candidate>> = BTreeMap::new();
    for one in chosen.iter().filter(|one| newest.contains(&one.session)) {
        taken.entry(one.client).or_default().push(one);
    }
    for (client, mut taken) in taken {
        taken.sort_by_key(|one| std::cmp::Reverse((one.store_time, one.sequence)));
        let is_head = |one: &&&Candidate| {
            let others = all.iter().filter(|it| it.client == client && it.doubt.is_none());
            let (by_store, by_chain) = (
                others.clone().map(|other| (other.store_time, other.sequence)).max(),
                others.map(|other| (other.sequence, other.store_time)).max(),
            );
            by_store == Some((one.store_time, one.sequence))
                || by_chain == Some((one.sequence, one.store_time))
        };
        let head = taken.iter().find(is_head);
        if let Some(named) = head.or(if taken.len() > 1 { taken.first() } else { None }) {
            return Err(RetainError::Newest {
                client: client.to_string(),
                count: taken.len(),
                of: RETAIN_NEWEST_KEPT,
                snapshot: named.session.to_snapshot_hex()[..8].to_owned(),
            });
        }
    }
    Ok(())
}
