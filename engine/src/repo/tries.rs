//! Which key slots are tried, in which order, and for how long.
//!
//! Whoever may add objects can add slots, and each costs whoever types a passphrase what the slot says.
//! So the slot that opened last is tried first, then those that the administrator's set vouches for, by
//! their cost, then all others; one that cannot be tried ends nothing; and all together may take only so
//! long. What was not tried then is said: a passphrase
//! is not called wrong that was not asked of every slot.

use std::time::Duration;

use crate::base::error::{Classified, ErrorClass};
use crate::base::id::{Digest, RepositoryId, SlotId};
use crate::base::limits::{SLOT_TRIES_MAX_MS, SLOTS_READ_MAX};
use crate::base::time::Clock;
use crate::crypt::secret::SecretKey;
use crate::format::slot::{Bundle, Slot, SlotKind};
use crate::repo::error::RepoError;
use crate::repo::slot_sets::{self, KnownSlots};
use crate::repo::slots;
use crate::store::Store;

/// Where slots are tried.
pub(super) struct Tries<'a> {
    pub(super) store: &'a Store,
    pub(super) clock: &'a dyn Clock,
    /// The repository, and the administrator who signed its configuration.
    pub(super) identity: (RepositoryId, &'a [u8; 32]),
    /// The slot that opened the last time.
    pub(super) last: Option<SlotId>,
}

/// Tries slots of one kind until one opens.
///
/// # Errors
/// [`RepoError::NoSlots`] if there are none, [`RepoError::WrongKey`] if all were tried, [`RepoError::ManySlots`] if not all could be; what is
/// wrong with the only slots there are; errors of the store.
pub(super) fn try_slots(
    tries: &Tries<'_>,
    kind: SlotKind,
    what: &'static str,
    key_for: impl Fn(&Slot) -> Result<SecretKey, RepoError>,
) -> Result<(Bundle, Slot), RepoError> {
    let began = tries.clock.monotonic();
    let mut attempt = Attempt { slot_count: 0, untried: 0, flaw: None, key_for };
    if let Some(last) = tries.last
        && let Some((slot, _)) = attempt.read(tries, last, kind)?
        && let Some(bundle) = attempt.open(&slot)?
    {
        return Ok((bundle, slot));
    }
    let known = match slot_sets::read(tries.store, tries.identity) {
        // Only an order is lost.
        Err(RepoError::Unsettled { .. }) => KnownSlots::default(),
        other => other?,
    };
    let ids = slots::require_any(tries.store)?;
    let (mut ids, strays): (Vec<_>, Vec<_>) =
        ids.into_iter().partition(|id| known.get(*id).is_some());
    ids.retain(|id| known.get(*id).is_some_and(|slot| slot.kind == kind));
    attempt.untried = strays.len().saturating_sub(SLOTS_READ_MAX);
    ids.extend(strays.into_iter().take(SLOTS_READ_MAX));
    let mut found = Vec::new();
    for id in ids.into_iter().filter(|id| Some(*id) != tries.last) {
        found.extend(attempt.read(tries, id, kind)?);
    }
    // A slot that is not what it was when it was signed is like one that somebody put there.
    let is_stray = |slot: &Slot, digest| !known.vouches_for(slot.slot, digest);
    found.sort_by_key(|(slot, digest)| (is_stray(slot, *digest), cost_of(slot), slot.slot));
    let mut rest = found.into_iter();
    for (slot, _) in rest.by_ref() {
        if let Some(bundle) = attempt.open(&slot)? {
            return Ok((bundle, slot));
        }
        let limit = Duration::from_millis(SLOT_TRIES_MAX_MS);
        if tries.clock.monotonic().saturating_sub(began) > limit {
            break;
        }
    }
    attempt.untried += rest.len();
    Err(attempt.failed(what))
}

/// What stretching a passphrase for a slot takes.
fn cost_of(slot: &Slot) -> u64 {
    slot.cost.map_or(0, |cost| u64::from(cost.memory_kib) * u64::from(cost.passes))
}

/// One search through the slots.
struct Attempt<F> {
    slot_count: usize,
    untried: usize,
    /// What is wrong with a slot that could not be tried.
    flaw: Option<RepoError>,
    key_for: F,
}

impl<F: Fn(&Slot) -> Result<SecretKey, RepoError>> Attempt<F> {
    /// A slot of this kind. One that is gone or cannot be read does not keep the others from opening.
    fn read(
        &mut self,
        tries: &Tries<'_>,
        id: SlotId,
        kind: SlotKind,
    ) -> Result<Option<(Slot, Digest)>, RepoError> {
        match slots::read_hashed(tries.store, tries.identity.0, id) {
            Ok((slot, digest)) => Ok((slot.kind == kind).then_some((slot, digest))),
            Err(RepoError::Store(error)) if error.class() == ErrorClass::Missing => Ok(None),
            Err(error) => match error.class() {
                ErrorClass::Corrupt | ErrorClass::Newer | ErrorClass::Unreadable => {
                    self.flaw = Some(error);
                    Ok(None)
                }
                _ => Err(error),
            },
        }
    }

    /// Opens a slot, if it does.
    fn open(&mut self, slot: &Slot) -> Result<Option<Bundle>, RepoError> {
        // More memory than there is ends the program on some systems instead of being refused.
        let needs_kib = slot.cost.map_or(0, |cost| u64::from(cost.memory_kib));
        if available_kib().is_some_and(|available| needs_kib > available) {
            self.untried += 1;
            return Ok(None);
        }
        self.slot_count += 1;
        let opened = (self.key_for)(slot).and_then(|key| slots::unwrap_bundle(slot, &key));
        Ok(opened.unwrap_or_else(|error| {
            self.flaw = Some(error);
            None
        }))
    }

    fn failed(self, what: &'static str) -> RepoError {
        let Self { slot_count, untried, flaw, .. } = self;
        match flaw {
            Some(flaw) if slot_count == 0 && untried == 0 => flaw,
            _ if untried > 0 => RepoError::ManySlots { what, tried: slot_count, untried },
            _ => RepoError::WrongKey { what, slot_count },
        }
    }
}

/// Memory that can be had without pushing out what others work with.
fn available_kib() -> Option<u64> {
    let text = std::fs::read_to_string("/proc/meminfo").ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("MemAvailable:"))?;
    line.split_ascii_whitespace().next()?.parse().ok()
}
