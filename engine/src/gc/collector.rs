//! A collector: what it works with, what it has seen, and the generation it is about to carry out.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use crate::base::id::{GenerationId, PackId, SessionId};
use crate::base::limits::{GC_LOOKS, GENERATION_MAX_PACKS};
use crate::base::monitor::Monitor;
use crate::base::time::Timestamp;
use crate::format::generation::{Condemn, PackSet};
use crate::gc::choose;
use crate::gc::error::GcError;
use crate::gc::live::{self, Living};
use crate::gc::mark::{Marks, mark};
use crate::gc::options::GcOptions;
use crate::gc::usage::{PackUse, StoredPack, stored_packs};
use crate::index::Index;
use crate::index::collections::{Excluded, take_in};
use crate::index::identity::writer_identity;
use crate::index::refresh::{add_unlisted_packs, refresh};
use crate::repo::keyring::Identity;
use crate::repo::{PROGRAM, Repo, collect, generations};

/// One collector, from one machine.
pub struct Collector<'a> {
    pub(super) repo: &'a Repo,
    pub(super) index: &'a Index,
    pub(super) options: &'a GcOptions,
    pub(super) monitor: &'a dyn Monitor,
}

/// What O1 found.
pub struct Survey {
    pub(super) excluded: Excluded,
    pub(super) living: Living,
    pub(super) marks: Marks,
    pub(super) stored: BTreeMap<PackId, StoredPack>,
    pub(super) packs: HashMap<i64, PackUse>,
    /// What may go.
    pub(super) candidates: PackSet,
    pub(super) store_now: Timestamp,
}

/// A generation between O2 and O11.
pub struct Generation {
    pub(super) id: GenerationId,
    pub(super) condemned: PackSet,
    /// Registered when the barrier began; `None` before it.
    pub(super) registered: Option<BTreeSet<SessionId>>,
    /// Seen as committed by the barrier.
    pub(super) carried: BTreeSet<SessionId>,
    pub(super) fenced_count: u64,
}

impl Generation {
    /// Its id.
    #[must_use]
    pub fn id(&self) -> GenerationId {
        self.id
    }
}

impl Survey {
    /// What may go, as far as this look can tell.
    #[must_use]
    pub fn candidates(&self) -> &PackSet {
        &self.candidates
    }

    pub(super) fn bytes_of(&self, packs: &PackSet) -> u64 {
        packs.iter().filter_map(|pack| self.stored.get(&pack)).map(|stored| stored.bytes).sum()
    }
}

impl<'a> Collector<'a> {
    /// A collector on this machine.
    ///
    /// # Errors
    /// [`crate::repo::error::RepoError::Denied`] for roles that may not delete.
    pub fn new(
        repo: &'a Repo,
        index: &'a Index,
        options: &'a GcOptions,
        monitor: &'a dyn Monitor,
    ) -> Result<Self, GcError> {
        repo.keys().require_collector()?;
        repo.keys().tree()?;
        repo.require_all_epochs()?;
        Ok(Self { repo, index, options, monitor })
    }

    /// Who signs; an administrator's machine is enrolled when it writes the first time.
    pub(super) fn identity(&self) -> Result<Identity, GcError> {
        Ok(writer_identity(self.repo, self.index, &self.options.host)?)
    }

    /// O1: what there is, what lives, what that needs, and what may go.
    ///
    /// # Errors
    /// [`GcError::Unsure`] or [`GcError::RolledBack`] if the store does not tell for certain.
    pub fn survey(&self) -> Result<Survey, GcError> {
        self.look_again(|_| self.survey_once())
    }

    /// Looks until what was seen fits together. Other collectors move chunks and bury packs while
    /// this one looks, so that one look may find something nowhere. If the index learned nothing
    /// meanwhile, nobody moved anything, and it is really lost. `look` is told whether it is the
    /// first one.
    pub(super) fn look_again<T>(
        &self,
        mut look: impl FnMut(bool) -> Result<T, GcError>,
    ) -> Result<T, GcError> {
        let known = || Ok::<_, GcError>((self.index.epoch(), self.index.known_segments()?));
        let mut before = known()?;
        let mut seen = look(true);
        for _ in 1..GC_LOOKS {
            let after = known()?;
            if !matches!(seen, Err(GcError::Unsure { .. })) || after == before {
                break;
            }
            before = after;
            seen = look(false);
        }
        seen
    }

    /// Who lives is read before the index: what a snapshot needs was listed before its commit.
    fn survey_once(&self) -> Result<Survey, GcError> {
        let (repo, index) = (self.repo, self.index);
        let listed = generations::list_settled(repo)?;
        let excluded = take_in(repo, index, listed, self.monitor)?;
        let stored = stored_packs(repo)?;
        let owners: HashSet<SessionId> = stored.keys().map(|pack| pack.session).collect();
        let living = live::read(repo, index, &BTreeSet::new(), &owners)?;
        refresh(repo, index, self.monitor)?;
        self.index_unlisted(&stored)?;
        let mut marks = Marks::new(index);
        let roots: Vec<_> = living.roots.iter().copied().collect();
        mark(repo, index, &roots, &mut marks, self.monitor)?;
        let packs = self.uses(&stored, &living, &marks, &owners)?;
        let reader = index.reader()?;
        let mut candidates =
            choose::candidates(&reader, &packs, &marks, &excluded.packs, GENERATION_MAX_PACKS)?;
        // Deleted before, and put up again by a request that came late.
        let dead = self.index.dead_packs()?;
        for pack in stored.keys().filter(|pack| dead.contains(pack)) {
            candidates.insert(*pack);
        }
        let newest = stored.values().map(|pack| pack.modified).max().unwrap_or_default();
        let store_now = living.store_now.max(newest);
        Ok(Survey { excluded, living, marks, stored, packs, candidates, store_now })
    }

    /// What a pack holds is told by its footer where no segment lists it; a missing entry in a
    /// listing is never taken for an empty pack.
    fn index_unlisted(&self, stored: &BTreeMap<PackId, StoredPack>) -> Result<(), GcError> {
        let mut known = HashSet::new();
        self.index.reader()?.for_each_pack(&mut |pack, _| {
            known.insert(pack);
            true
        })?;
        let dead = self.index.dead_packs()?;
        if stored.keys().any(|pack| !known.contains(pack) && !dead.contains(pack)) {
            add_unlisted_packs(self.repo, self.index, self.monitor)?;
        }
        Ok(())
    }

    pub(super) fn uses(
        &self,
        stored: &BTreeMap<PackId, StoredPack>,
        living: &Living,
        marks: &Marks,
        owners: &HashSet<SessionId>,
    ) -> Result<HashMap<i64, PackUse>, GcError> {
        let rows = self.index.reader()?.pack_rows()?;
        let used = |row| PackUse::new(row, stored, (living, owners), marks);
        Ok(rows.into_iter().map(|row| (row.row, used(row))).collect())
    }

    /// O2: announces what may be deleted. Everything that matters is looked at again afterwards.
    ///
    /// # Errors
    /// Those of the store.
    pub fn condemn(&self, packs: PackSet, is_announcement: bool) -> Result<Generation, GcError> {
        let record = Condemn {
            generation: collect::new_generation(&self.identity()?),
            started: self.repo.clock().now(),
            program: PROGRAM.to_owned(),
            is_announcement,
            packs,
        };
        collect::put_condemn(self.repo, &self.identity()?, &record)?;
        Ok(Generation {
            id: record.generation,
            condemned: record.packs,
            registered: None,
            carried: BTreeSet::new(),
            fenced_count: 0,
        })
    }
}
