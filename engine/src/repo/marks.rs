//! Tombstones, holds, releases and tag records: writing them, and reading them with a verdict on
//! who wrote them.
//!
//! Only roles that may forget (maintain, admin) can put up a mark. One that is signed by anybody
//! else is read and not believed; one that cannot be read at all is an error, because a hold that
//! is damaged may hold anything.

use std::cell::Cell;

use minicbor::{Decode, Encode};

use crate::base::id::{ClientId, Digest, HoldId, Nonce8, SessionId};
use crate::base::limits::HOLD_MAX_SNAPSHOTS;
use crate::base::time::Timestamp;
use crate::crypt::random;
use crate::format::envelope::ControlKind;
use crate::format::mark::{Hold, Release, TagRecord, Tomb};
use crate::format::slot::Role;
use crate::repo::Repo;
use crate::repo::error::RepoError;
use crate::repo::keyring::Identity;
use crate::repo::object::{POWERLESS, client, get_accepted, is_powerless, put_control};
use crate::store::name::ObjectName;

/// A mark as it was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Mark<T> {
    /// Signed by somebody who may put it up.
    Genuine(T),
    /// Signed by a client whose role may not; it counts for nothing.
    Powerless {
        /// Who signed it.
        by: ClientId,
        /// The role that it has.
        role: Role,
    },
}

/// Whether the holder of a role may forget snapshots, hold them, and change their tags.
#[must_use]
pub fn may_mark(role: Role) -> bool {
    matches!(role, Role::Maintain | Role::Admin)
}

/// Refuses roles that may not put up marks.
///
/// # Errors
/// [`RepoError::Denied`] with `action`.
pub fn require_may_mark(repo: &Repo, action: &'static str) -> Result<(), RepoError> {
    let role = repo.keys().role();
    if may_mark(role) { Ok(()) } else { Err(RepoError::Denied { role, action }) }
}

/// Forgets a snapshot; returns the key of the tombstone. Look for holds before, to tell the user:
/// a snapshot that is held stays live whatever tombstones it has.
///
/// # Errors
/// [`RepoError::Denied`] for roles that may not; errors of the store.
pub fn put_tomb(
    repo: &Repo,
    identity: &Identity,
    (session, commit): (SessionId, Digest),
    reason: &str,
    policy: Option<&str>,
) -> Result<ObjectName, RepoError> {
    require_may_mark(repo, "forget snapshots")?;
    // By its rules it may have been chosen among fewer snapshots than there are.
    repo.require_all_epochs()?;
    let record = Tomb {
        session,
        commit,
        by: identity.client,
        at: repo.clock().now(),
        reason: reason.to_owned(),
        policy: policy.map(str::to_owned),
    };
    let name = ObjectName::Tomb(session, repo.store().draw(|it| ObjectName::Tomb(session, it)));
    put_control(repo, &name, ControlKind::Tomb, &record, &identity.signing)?;
    Ok(name)
}

/// Puts up a hold. It protects a snapshot only if a listing of `tomb/` that begins *afterwards*
/// shows no tombstone of it: a collector may have looked for holds before.
///
/// # Errors
/// [`RepoError::Denied`] for roles that may not, [`RepoError::Refused`] for too many snapshots;
/// errors of the store.
pub fn put_hold(
    repo: &Repo,
    identity: &Identity,
    snapshots: Vec<SessionId>,
    reason: &str,
    until: Option<Timestamp>,
    selection: Option<&str>,
) -> Result<Hold, RepoError> {
    require_may_mark(repo, "hold snapshots")?;
    if snapshots.len() > HOLD_MAX_SNAPSHOTS {
        let why = format!(
            "a hold names at most {HOLD_MAX_SNAPSHOTS} snapshots, not {}; put up several",
            snapshots.len()
        );
        return Err(RepoError::Refused { why });
    }
    let record = Hold {
        hold: HoldId::new(
            *repo.store().draw(|it| ObjectName::Hold(HoldId::new(*it.as_bytes()))).as_bytes(),
        ),
        by: identity.client,
        at: repo.clock().now(),
        reason: reason.to_owned(),
        until,
        selection: selection.map(str::to_owned),
        snapshots,
    };
    let name = ObjectName::Hold(record.hold);
    put_control(repo, &name, ControlKind::Hold, &record, &identity.signing)?;
    Ok(record)
}

/// Releases a hold. The hold itself need not be readable: this is also how a damaged one is put
/// out of the way.
///
/// # Errors
/// [`RepoError::Denied`] for roles that may not; errors of the store.
pub fn put_release(
    repo: &Repo,
    identity: &Identity,
    hold: HoldId,
    reason: &str,
) -> Result<ObjectName, RepoError> {
    require_may_mark(repo, "release holds")?;
    let record =
        Release { hold, by: identity.client, at: repo.clock().now(), reason: reason.to_owned() };
    let name = ObjectName::Release(hold, repo.store().draw(|it| ObjectName::Release(hold, it)));
    put_control(repo, &name, ControlKind::Release, &record, &identity.signing)?;
    Ok(name)
}

/// Sets the tags of a snapshot, in place of those that the records `replaces` set.
///
/// # Errors
/// [`RepoError::Denied`] for roles that may not; errors of the store.
pub fn put_tags(
    repo: &Repo,
    identity: &Identity,
    session: SessionId,
    tags: Vec<String>,
    replaces: Vec<Nonce8>,
) -> Result<ObjectName, RepoError> {
    require_may_mark(repo, "change tags")?;
    let record = TagRecord { session, by: identity.client, at: repo.clock().now(), tags, replaces };
    let name = ObjectName::Tags(session, Nonce8::new(random::array()));
    put_control(repo, &name, ControlKind::Tags, &record, &identity.signing)?;
    Ok(name)
}

/// What all marks say of themselves.
pub trait MarkRecord: Encode<()> + for<'b> Decode<'b, ()> {
    /// The kind of control object.
    const KIND: ControlKind;

    /// Who signs it.
    fn by(&self) -> ClientId;

    /// Whether it belongs under that name.
    fn belongs_at(&self, name: &ObjectName) -> bool;
}

impl MarkRecord for Tomb {
    const KIND: ControlKind = ControlKind::Tomb;

    fn by(&self) -> ClientId {
        self.by
    }

    fn belongs_at(&self, name: &ObjectName) -> bool {
        matches!(name, ObjectName::Tomb(session, _) if *session == self.session)
    }
}

impl MarkRecord for Hold {
    const KIND: ControlKind = ControlKind::Hold;

    fn by(&self) -> ClientId {
        self.by
    }

    fn belongs_at(&self, name: &ObjectName) -> bool {
        matches!(name, ObjectName::Hold(hold) if *hold == self.hold)
    }
}

impl MarkRecord for Release {
    const KIND: ControlKind = ControlKind::Release;

    fn by(&self) -> ClientId {
        self.by
    }

    fn belongs_at(&self, name: &ObjectName) -> bool {
        matches!(name, ObjectName::Release(hold, _) if *hold == self.hold)
    }
}

impl MarkRecord for TagRecord {
    const KIND: ControlKind = ControlKind::Tags;

    fn by(&self) -> ClientId {
        self.by
    }

    fn belongs_at(&self, name: &ObjectName) -> bool {
        matches!(name, ObjectName::Tags(session, _) if *session == self.session)
    }
}

/// Reads a mark, verifies its signature, and looks whether its signer may put it up.
///
/// # Errors
/// [`RepoError::Corrupt`] if it is damaged, signed wrongly or of another object; errors of the
/// store, also if it is gone.
pub fn get<T: MarkRecord>(repo: &Repo, name: &ObjectName) -> Result<Mark<T>, RepoError> {
    let powerless = Cell::new(None);
    let stored = get_accepted::<T>(
        repo,
        name,
        T::KIND,
        |record| {
            if !record.belongs_at(name) {
                return Err(RepoError::corrupt(&name.key(), "it is the record of another object"));
            }
            Ok(client(repo, record.by())?.verifying_key)
        },
        |record| {
            let by = record.by();
            let role = client(repo, by)?.role;
            if may_mark(role) {
                return Ok(());
            }
            powerless.set(Some((by, role)));
            Err(RepoError::corrupt(&name.key(), POWERLESS))
        },
    );
    match (stored, powerless.get()) {
        (Ok(stored), _) => Ok(Mark::Genuine(stored.record)),
        (Err(error), Some((by, role))) if is_powerless(&error) => Ok(Mark::Powerless { by, role }),
        (Err(error), _) => Err(error),
    }
}
