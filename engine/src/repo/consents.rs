//! Consents: typed, verified, and bound to their names.

use crate::base::id::Nonce8;
use crate::base::time::Timestamp;
use crate::format::consent::{Consent, Deed};
use crate::format::envelope::ControlKind;
use crate::repo::Repo;
use crate::repo::error::RepoError;
use crate::repo::keyring::Identity;
use crate::repo::marks::{may_mark, require_may_mark};
use crate::repo::object::{client, get_control, put_control};
use crate::store::name::ObjectName;

/// What is agreed to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Agreed<'a> {
    /// To what.
    pub deed: Deed,
    /// The hold or the host; empty for a collection.
    pub subject: &'a str,
    /// The most packs that a collection may delete.
    pub count: u64,
    /// Until when.
    pub until: Timestamp,
    /// Why, for people.
    pub reason: &'a str,
}

/// Agrees to a deed of somebody else.
///
/// # Errors
/// [`RepoError::Denied`] for roles that may not, [`RepoError::Refused`] for a client that nobody has
/// appointed for this; errors of the store.
pub fn put(repo: &Repo, identity: &Identity, agreed: &Agreed<'_>) -> Result<Consent, RepoError> {
    require_may_mark(repo, "approve")?;
    if !client(repo, identity.client)?.approves {
        let why = format!(
            "the client {} is no approver: the administrator has not appointed it",
            identity.client
        );
        return Err(RepoError::Refused { why });
    }
    let record = Consent {
        id: repo.store().draw(ObjectName::Consent),
        by: identity.client,
        at: repo.clock().now(),
        until: agreed.until,
        deed: agreed.deed,
        subject: agreed.subject.to_owned(),
        count: agreed.count,
        reason: agreed.reason.to_owned(),
    };
    let name = ObjectName::Consent(record.id);
    if !record.is_bounded() {
        return Err(RepoError::Refused { why: format!("{name} would be read by nobody") });
    }
    put_control(repo, &name, ControlKind::Consent, &record, &identity.signing)?;
    Ok(record)
}

/// A consent, verified: of a client that was appointed for this and may forget.
///
/// # Errors
/// [`RepoError::Corrupt`] if it is damaged, forged or of somebody else; errors of the store.
pub fn get(repo: &Repo, id: Nonce8) -> Result<Consent, RepoError> {
    let name = ObjectName::Consent(id);
    let stored = get_control::<Consent>(repo, &name, ControlKind::Consent, |record| {
        if record.id != id || !record.is_bounded() {
            return Err(RepoError::corrupt(&name.key(), "it is the record of another object"));
        }
        let client = client(repo, record.by)?;
        match client.approves && may_mark(client.role) {
            true => Ok(client.verifying_key),
            false => Err(RepoError::corrupt(&name.key(), "its signer was not appointed for this")),
        }
    })?;
    Ok(stored.record)
}
