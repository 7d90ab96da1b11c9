//! Which key slots the administrator made: all signed sets that are in force, taken together.
//!
//! Whoever may add objects can add slots and things that look like sets. A set counts if the
//! administrator signed it and no other set replaces it. A change is a new set that replaces all
//! that its writer saw; of two that are written at the same moment both are in force, and the next
//! change joins them. Slots that one of them removed count in none.

use std::collections::{BTreeMap, BTreeSet};

use crate::base::error::{Classified, ErrorClass};
use crate::base::id::{Digest, Nonce8, RepositoryId, SlotId};
use crate::base::limits::{
    ANNOUNCED_SLOTS_MAX, ANNOUNCEMENT_MAX_BYTES, SLOT_SETS_READ_BYTES, SLOT_SETS_READ_MAX,
};
use crate::base::time::Timestamp;
use crate::format::announcement::{KnownSlot, SlotSet};
use crate::repo::Repo;
use crate::repo::announcement::{get_set, put_set};
use crate::repo::error::RepoError;
use crate::repo::keyring::AdminKeys;
use crate::store::Store;
use crate::store::name::{ObjectName, prefix};

/// How often sets are listed again because one of them was replaced meanwhile.
const LOOKS_MAX: usize = 5;

/// The slots that the administrator made, as far as the store shows it.
#[derive(Debug, Default)]
pub struct KnownSlots {
    in_force: Vec<(u32, Nonce8)>,
    slots: BTreeMap<SlotId, KnownSlot>,
    removed: Vec<SlotId>,
    /// Keys of sets that do not count, and why: damaged ones, and what others put there.
    pub unreadable: Vec<(String, RepoError)>,
}

impl KnownSlots {
    /// What the administrator says of a slot.
    #[must_use]
    pub fn get(&self, slot: SlotId) -> Option<&KnownSlot> {
        self.slots.get(&slot)
    }

    /// Whether this slot is there and these are its bytes.
    #[must_use]
    pub fn vouches_for(&self, slot: SlotId, digest: Digest) -> bool {
        self.get(slot).is_some_and(|known| known.digest == digest)
    }

    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = &KnownSlot> {
        self.slots.values()
    }

    /// Whether the administrator has removed this slot.
    #[must_use]
    pub fn has_removed(&self, slot: SlotId) -> bool {
        self.removed.contains(&slot)
    }

    /// Whether any set is in force. Each repository is made with one.
    #[must_use]
    pub fn is_signed(&self) -> bool {
        !self.in_force.is_empty()
    }

    /// Number and random part of the sets in force.
    #[must_use]
    pub fn in_force(&self) -> &[(u32, Nonce8)] {
        &self.in_force
    }

    fn of(sets: Vec<((u32, Nonce8), SlotSet)>, unreadable: Vec<(String, RepoError)>) -> Self {
        let replaced: BTreeSet<(u32, Nonce8)> =
            sets.iter().flat_map(|(_, set)| set.replaces.iter().copied()).collect();
        let mut known = Self { unreadable, ..Self::default() };
        for (id, set) in sets.into_iter().filter(|(id, _)| !replaced.contains(id)) {
            known.in_force.push(id);
            known.slots.extend(set.slots.into_iter().map(|slot| (slot.slot, slot)));
            known.removed.extend(set.removed);
        }
        let removed: BTreeSet<SlotId> = known.removed.iter().copied().collect();
        known.slots.retain(|slot, _| !removed.contains(slot));
        known
    }
}

/// What becomes of the slots.
pub(super) enum Change {
    /// There are more.
    Add(Vec<KnownSlot>),
    /// There is one less.
    Remove(SlotId),
}

/// The slots of an opened repository.
///
/// # Errors
/// Those of the store; [`RepoError::Unsettled`] if sets are replaced all the time.
pub fn known(repo: &Repo) -> Result<KnownSlots, RepoError> {
    let config = repo.config();
    read(repo.store(), (config.repository, &config.admin_key))
}

/// The same before a slot is open.
pub(super) fn read(
    store: &Store,
    identity: (RepositoryId, &[u8; 32]),
) -> Result<KnownSlots, RepoError> {
    for _ in 0..LOOKS_MAX {
        if let Some(known) = look(store, identity)? {
            return Ok(known);
        }
    }
    Err(RepoError::Unsettled { prefix: prefix::SLOT_SETS })
}

/// `None` if a set went away between listing and reading.
fn look(
    store: &Store,
    identity: (RepositoryId, &[u8; 32]),
) -> Result<Option<KnownSlots>, RepoError> {
    let mut listed: Vec<((u32, Nonce8), u64)> = Vec::new();
    for object in store.list(prefix::SLOT_SETS)? {
        if let Some(ObjectName::SlotSet { number, random }) = object.name {
            listed.push(((number, random), object.size_bytes));
        }
    }
    // Should somebody have put up more than anybody makes, then those with the highest numbers.
    listed.sort_by(|a, b| b.cmp(a));
    let (mut sets, mut unreadable, mut bytes) = (Vec::new(), Vec::new(), 0_u64);
    for (at, ((number, random), size_bytes)) in listed.into_iter().enumerate() {
        let name = ObjectName::SlotSet { number, random };
        bytes = bytes.saturating_add(size_bytes.min(ANNOUNCEMENT_MAX_BYTES as u64));
        if at >= SLOT_SETS_READ_MAX || bytes > SLOT_SETS_READ_BYTES {
            let why = "there are more sets of key slots than anybody makes: it was not read";
            unreadable.push((name.key(), RepoError::corrupt(&name.key(), why)));
            continue;
        }
        match get_set(store, identity, &name) {
            Ok(set) => sets.push(((number, random), set)),
            Err(error) => match error.class() {
                ErrorClass::Missing => return Ok(None),
                ErrorClass::Corrupt
                | ErrorClass::Newer
                | ErrorClass::Unreadable
                | ErrorClass::Refused => unreadable.push((name.key(), error)),
                _ => return Err(error),
            },
        }
    }
    sets.reverse();
    Ok(Some(KnownSlots::of(sets, unreadable)))
}

/// Puts up a set with the change; then the sets that it replaces go.
pub(super) fn write(
    store: &Store,
    (repository, admin): (RepositoryId, &AdminKeys),
    at: Timestamp,
    known: &KnownSlots,
    change: Change,
) -> Result<(), RepoError> {
    let (mut slots, mut removed) = (known.slots.clone(), known.removed.clone());
    match change {
        Change::Add(added) => slots.extend(added.into_iter().map(|slot| (slot.slot, slot))),
        Change::Remove(slot) => {
            slots.remove(&slot);
            removed.push(slot);
        }
    }
    // A set in force beside this one was written just now: what was removed long ago is in none.
    removed.drain(..removed.len().saturating_sub(ANNOUNCED_SLOTS_MAX));
    let newest = known.in_force.iter().map(|(number, _)| *number).max().unwrap_or_default();
    let set = SlotSet {
        repository,
        number: newest.saturating_add(1),
        at,
        replaces: known.in_force.clone(),
        slots: slots.into_values().collect(),
        removed,
    };
    put_set(store, admin, &set)?;
    for (number, random) in &known.in_force {
        // It counts no more. A store that keeps it all the same costs readers a request.
        let _ = store.delete(&ObjectName::SlotSet { number: *number, random: *random });
    }
    Ok(())
}
