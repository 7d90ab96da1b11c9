//! What users were told, and what therefore has to be there.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use engine::base::id::SessionId;

use crate::files::Files;

#[derive(Debug, Clone, Default)]
struct Told {
    reported: BTreeMap<SessionId, Files>,
    forgotten: BTreeSet<SessionId>,
    /// In time, so that forgetting them changes nothing.
    held: BTreeSet<SessionId>,
    deleted_packs: u64,
}

impl Told {
    fn is_forgotten(&self, session: SessionId) -> bool {
        self.forgotten.contains(&session) && !self.held.contains(&session)
    }
}

/// What was reported and what somebody began to forget; clones are the same.
#[derive(Debug, Clone, Default)]
pub(crate) struct Truth(Arc<Mutex<Told>>);

impl Truth {
    fn told(&self) -> MutexGuard<'_, Told> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The same for another course of events.
    pub(crate) fn copy(&self) -> Self {
        let told = self.told();
        Self(Arc::new(Mutex::new(Told { deleted_packs: 0, ..told.clone() })))
    }

    /// A user was told that `session` holds these files.
    pub(crate) fn report(&self, session: SessionId, files: &Files) {
        self.told().reported.insert(session, files.clone());
    }

    /// Somebody is about to forget `session`: from now on nothing is promised.
    pub(crate) fn forget(&self, session: SessionId) {
        self.told().forgotten.insert(session);
    }

    /// A user was told that `session` stays whoever forgets it.
    pub(crate) fn hold(&self, session: SessionId) {
        self.told().held.insert(session);
    }

    /// Whether somebody began to forget `session` and nobody had held it before.
    pub(crate) fn is_forgotten(&self, session: SessionId) -> bool {
        self.told().is_forgotten(session)
    }

    /// What was reported and forgotten, in order.
    pub(crate) fn forgotten(&self) -> Vec<(SessionId, Files)> {
        let told = self.told();
        let gone = told.reported.iter().filter(|(at, _)| told.is_forgotten(**at));
        gone.map(|(session, files)| (*session, files.clone())).collect()
    }

    /// What `session` holds, as long as it is promised.
    pub(crate) fn promised(&self, session: SessionId) -> Option<Files> {
        let told = self.told();
        let is_promised = !told.is_forgotten(session);
        told.reported.get(&session).filter(|_| is_promised).cloned()
    }

    /// What `session` held when it was reported.
    pub(crate) fn reported(&self, session: SessionId) -> Option<Files> {
        self.told().reported.get(&session).cloned()
    }

    /// Every snapshot that is promised.
    pub(crate) fn all(&self) -> BTreeMap<SessionId, Files> {
        let told = self.told();
        let promised = told.reported.iter().filter(|(at, _)| !told.is_forgotten(**at));
        promised.map(|(session, files)| (*session, files.clone())).collect()
    }

    /// A collection deleted so many packs.
    pub(crate) fn note_deleted(&self, packs: u64) {
        self.told().deleted_packs += packs;
    }

    /// How many packs collections deleted.
    pub(crate) fn deleted_packs(&self) -> u64 {
        self.told().deleted_packs
    }

    /// How many snapshots were reported, and how many of them forgotten.
    pub(crate) fn counts(&self) -> (usize, usize) {
        let told = self.told();
        (told.reported.len(), told.forgotten.len())
    }
}
