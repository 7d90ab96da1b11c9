//! How an administrator changes the keys of a repository.

use std::collections::BTreeSet;

use crate::base::limits::EPOCHS_MAX;
use crate::crypt::seal::{SealPublic, Suite};
use crate::format::announcement::{EpochRecord, SealedEpoch};
use crate::format::slot::Role;
use crate::repo::Repo;
use crate::repo::announcement::{get_epoch, put_epoch, seal_epoch_keys};
use crate::repo::epochs::Doubt;
use crate::repo::error::RepoError;
use crate::repo::keyring::Keyring;
use crate::repo::machine;
use crate::repo::object::client;
use crate::repo::slot_sets::{self, KnownSlots};
use crate::repo::slots::{self, ListedSlot, Standing};
use crate::store::StoreError;
use crate::store::name::ObjectName;

/// What a change of keys does.
#[derive(Debug)]
pub struct Rotated {
    /// The new epoch.
    pub epoch: u32,
    /// Whether it was announced before, and that is lost.
    pub is_repeated: bool,
    /// Slots whose holders have the new keys.
    pub given: Vec<ListedSlot>,
    /// Slots that were made and whose holders have not.
    pub left_out: Vec<ListedSlot>,
}

/// Who would get new keys, and who would not.
///
/// # Errors
/// [`RepoError::Denied`] without the administrator's keys, [`RepoError::Refused`] without a set of key
/// slots; [`RepoError::Corrupt`] if there is something that may be a later epoch; errors of the store.
pub fn plan(repo: &Repo) -> Result<Rotated, RepoError> {
    prepare(repo, None).map(|(rotated, _)| rotated)
}

/// `replaced` is the epoch whose announcement is there and is made again all the same.
fn prepare(repo: &Repo, replaced: Option<u32>) -> Result<(Rotated, KnownSlots), RepoError> {
    repo.keys().admin()?;
    let is_made_again = |doubt: &&Doubt| doubt.is_gone || replaced == Some(doubt.epoch);
    let lost = repo.doubts().first().filter(is_made_again);
    if lost.is_none() {
        repo.require_all_epochs()?;
    }
    let epoch = match lost {
        Some(lost) => lost.epoch,
        None => repo.keys().control().1.saturating_add(1),
    };
    if epoch as usize > EPOCHS_MAX {
        let why =
            format!("keys of this repository were changed {EPOCHS_MAX} times, which is the most");
        return Err(RepoError::Refused { why });
    }
    let known = slot_sets::known(repo)?;
    if !known.is_signed() {
        let why = "there is no set of key slots, so nobody knows who is to get the new keys";
        return Err(RepoError::Refused { why: why.to_owned() });
    }
    let revoked: BTreeSet<_> =
        machine::revocations(repo)?.into_iter().map(|record| record.client).collect();
    let gets = |slot: &ListedSlot| {
        let entry = known.get(slot.slot).filter(|_| slot.standing != Standing::Missing);
        let entry = entry.filter(|entry| entry.client.is_none_or(|id| !revoked.contains(&id)));
        entry.is_some_and(|entry| entry.role == Role::Admin || entry.recipient.is_some())
    };
    let made = slots::list_by(repo, &known)?.into_iter().filter(|slot| slot.standing.is_listed());
    let (given, left_out) = made.partition(gets);
    Ok((Rotated { epoch, is_repeated: lost.is_some(), given, left_out }, known))
}

/// Begins a new epoch: announces new keys, sealed to the holders of all slots that the administrator
/// has signed for and neither removed nor revoked. `repo` goes over to them. If the announcement of
/// an epoch is lost, makes that one again.
///
/// # Errors
/// As [`plan`]; [`StoreError::NewEpoch`] if another administrator was faster.
pub fn rotate(repo: &mut Repo) -> Result<Rotated, RepoError> {
    rotate_or_replace(repo, None)
}

/// Announces the keys of an epoch in the place of something that could be their announcement and cannot
/// be read. If it was one, everybody gets the same keys; if it was none, keys change. To remove it
/// without more would let machines that do not know of the epoch take what others write for junk.
///
/// # Errors
/// As [`rotate`].
pub fn replace(repo: &mut Repo, epoch: u32) -> Result<Rotated, RepoError> {
    rotate_or_replace(repo, Some(epoch))
}

fn rotate_or_replace(repo: &mut Repo, replaced: Option<u32>) -> Result<Rotated, RepoError> {
    let (planned, known) = prepare(repo, replaced)?;
    let epoch = planned.epoch;
    let (admin, suite, repository) =
        (repo.keys().admin()?, repo.keys().suite(), repo.config().repository);
    let mut sealed = Vec::new();
    for slot in &planned.given {
        let Some(entry) = known.get(slot.slot).filter(|entry| entry.role != Role::Admin) else {
            continue;
        };
        let Some(recipient) = &entry.recipient else { continue };
        let domain = match entry.client {
            Some(id) => client(repo, id)?.domain,
            None => 0,
        };
        let keys = Keyring::cut_epoch(admin, entry.role, (domain, epoch));
        let public = SealPublic::from_bytes(suite, recipient)?;
        let sealed_keys = seal_epoch_keys(repository, (epoch, slot.slot), &public, &keys)?;
        sealed.push(SealedEpoch { slot: slot.slot, sealed: sealed_keys });
    }
    let (data_public, tree_public) = publics(repo, suite, epoch)?;
    let at = repo.clock().now();
    let record = EpochRecord { repository, epoch, at, data_public, tree_public, sealed };
    if replaced == Some(epoch) {
        // Whoever ends here makes it anew with `rotate`: the keys follow from the root secret.
        repo.store().delete(&ObjectName::Epoch(epoch))?;
    }
    announce(repo, &record)?;
    repo.go_over(epoch)?;
    Ok(planned)
}

fn announce(repo: &Repo, record: &EpochRecord) -> Result<(), RepoError> {
    let other = || RepoError::Store(StoreError::NewEpoch { epoch: record.epoch });
    match put_epoch(repo, record) {
        Ok(_) => {}
        Err(RepoError::Store(StoreError::Conflict { .. })) => return Err(other()),
        Err(error) => return Err(error),
    }
    // A store may let the later one of two stand. They hold the same keys, but not for the same slots.
    match get_epoch(repo, record.epoch)? == *record {
        true => Ok(()),
        false => Err(other()),
    }
}

fn publics(repo: &Repo, suite: Suite, epoch: u32) -> Result<(Vec<u8>, Vec<u8>), RepoError> {
    let keys = Keyring::cut_bundle(repo.keys().admin()?, suite, Role::Backup, (0, epoch), None);
    let bytes = |field: &Option<Vec<u8>>| field.clone().unwrap_or_default();
    Ok((bytes(&keys.data_public), bytes(&keys.tree_public)))
}
