//! Who must agree before much is destroyed, and who has agreed.
//!
//! The administrator appoints approvers in client records. Where there is one, what [`Deed`] lists takes
//! the consent of an approver who is not the one that does it. A revoked approver still counts as
//! appointed: otherwise revoking would lift the rule. What an approver agreed to before it was revoked
//! counts.

use std::collections::BTreeMap;

use crate::base::id::{ClientId, HoldId, Nonce8};
use crate::base::time::Timestamp;
use crate::format::consent::{Consent, Deed};
use crate::format::envelope::{decode_record, encode_record};
use crate::index::clients::{self, Clients};
use crate::index::fetch::is_of_one_object;
use crate::index::{Index, IndexError};
use crate::repo::Repo;
use crate::repo::consents;
use crate::repo::error::RepoError;
use crate::store::name::{ObjectName, prefix};

/// Approvers and what they have agreed to, as of one reading.
#[derive(Debug, Default)]
pub struct Consents {
    /// Those that count, whether their time is over or not, with when the store received each.
    pub given: Vec<(Consent, Timestamp)>,
    /// When the administrator appointed the first approver; `None` if one person is enough.
    since: Option<Timestamp>,
}

impl Consents {
    /// Reads approvers, and what they have agreed to if there are any: a listing, and another one.
    ///
    /// # Errors
    /// Those of the store and of the database; consents that cannot be read are passed over.
    pub fn read(repo: &Repo, index: &Index) -> Result<Self, IndexError> {
        let clients = clients::read(repo, index)?;
        let appointed = clients.all().filter(|client| client.approves);
        let Some(since) = appointed.map(|client| client.enrolled).min() else {
            return Ok(Self::default());
        };
        Ok(Self { given: given(repo, index, &clients)?, since: Some(since) })
    }

    /// Whether it takes two.
    #[must_use]
    pub fn takes_two(&self) -> bool {
        self.since.is_some()
    }

    /// Refuses what `actor` is about to do unless somebody else has agreed to it.
    ///
    /// # Errors
    /// [`RepoError::TakesTwo`].
    pub fn require(
        &self,
        actor: ClientId,
        (deed, subject, count): (Deed, &str, u64),
        now: Timestamp,
    ) -> Result<(), RepoError> {
        let fits = |consent: &Consent| {
            consent.deed == deed
                && consent.subject == subject
                && consent.count >= count
                && consent.by != actor
                && consent.until >= now
        };
        match self.since.is_none() || self.given.iter().any(|(consent, _)| fits(consent)) {
            true => Ok(()),
            false => Err(RepoError::TakesTwo { deed, subject: subject.to_owned(), count }),
        }
    }

    /// Whether a release counts that `by` signed and the store received at `received`. One from before
    /// there were approvers does, so that appointing one brings no hold back.
    #[must_use]
    pub fn lets_go(&self, hold: HoldId, by: ClientId, received: Option<Timestamp>) -> bool {
        let Some(since) = self.since else { return true };
        if received.is_some_and(|received| received < since) {
            return true;
        }
        let subject = hold.to_string();
        self.given.iter().any(|(consent, _)| {
            consent.deed == Deed::Release && consent.subject == subject && consent.by != by
        })
    }
}

/// Consents that the store shows, and those that this machine remembers.
fn given(
    repo: &Repo,
    index: &Index,
    clients: &Clients,
) -> Result<Vec<(Consent, Timestamp)>, IndexError> {
    let mut listed: BTreeMap<Nonce8, Timestamp> = BTreeMap::new();
    let mut take = |object: crate::store::Listed| {
        if let Some(ObjectName::Consent(id)) = object.name {
            listed.insert(id, object.modified);
        }
        true
    };
    repo.store().list_each(prefix::CONSENTS, &mut take).map_err(RepoError::from)?;
    let mut given = BTreeMap::new();
    for bytes in index.kept_marks(prefix::CONSENTS)?.into_values() {
        if let Ok(kept) = decode_record::<(Consent, Timestamp)>(&bytes, "consent") {
            given.insert(kept.0.id, kept);
        }
    }
    for (id, received) in listed {
        if given.contains_key(&id) {
            continue;
        }
        match consents::get(repo, id) {
            Ok(consent) => {
                let record = (consent, received);
                index.keep_mark(&ObjectName::Consent(id).key(), &encode_record(&record))?;
                given.insert(id, record);
            }
            Err(error) if is_of_one_object(&error) => {}
            Err(error) => return Err(error.into()),
        }
    }
    let is_timely = |(consent, received): &(Consent, Timestamp)| {
        clients.endings(consent.by).iter().all(|ending| *received <= ending.received)
    };
    Ok(given.into_values().filter(is_timely).collect())
}
