//! O4 to O6: after the barrier, everything that decides is read again.

use std::collections::{BTreeMap, HashSet};

use crate::base::id::{PackId, SessionId};
use crate::base::limits::SESSION_SILENT_S;
use crate::format::generation::PackSet;
use crate::gc::choose;
use crate::gc::collector::{Collector, Generation, Survey};
use crate::gc::error::GcError;
use crate::gc::live;
use crate::gc::mark::{Marks, mark};
use crate::gc::usage::{StoredPack, stored_packs};
use crate::index::collections::take_in;
use crate::index::refresh::refresh;
use crate::repo::{generations, session};

impl Collector<'_> {
    /// What of the condemned packs may be deleted. What the barrier saw as committed is carried
    /// into what lives; records of other generations are read after the own condemnation; packs
    /// and index are listed last.
    ///
    /// # Errors
    /// [`GcError::Unsure`] or [`GcError::RolledBack`] if the store does not tell for certain.
    pub fn remark(&self, generation: &Generation, survey: &mut Survey) -> Result<PackSet, GcError> {
        self.look_again(|is_first| self.remark_once(generation, survey, is_first))
    }

    fn remark_once(
        &self,
        generation: &Generation,
        survey: &mut Survey,
        is_first: bool,
    ) -> Result<PackSet, GcError> {
        let (repo, index) = (self.repo, self.index);
        let owners: HashSet<SessionId> = survey.stored.keys().map(|pack| pack.session).collect();
        let living = live::read(repo, index, &generation.carried, &owners)?;
        self.confirm_aborted(&living)?;
        let listed = generations::list_settled(repo)?;
        let mut excluded = take_in(repo, index, listed, self.monitor)?;
        if let Some(own) = excluded.open.remove(&generation.id) {
            // Its own packs count as condemned, not as excluded by others.
            let others = excluded.open.values().map(|open| &open.kept.packs);
            let mut packs = PackSet::default();
            others.for_each(|other| packs.extend(other));
            excluded.packs = packs;
            drop(own);
        }
        refresh(repo, index, self.monitor)?;
        let stored = stored_packs(repo)?;
        let mut roots: Vec<_> = living.roots.iter().copied().collect();
        // A walk that broke off has marked nodes whose children it did not see.
        if is_first && survey.marks.epoch == index.epoch() {
            // What is marked stays marked: more than what lives now, never less.
            roots.retain(|root| !survey.living.roots.contains(root));
        } else {
            survey.marks = Marks::new(index);
        }
        mark(repo, index, &roots, &mut survey.marks, self.monitor)?;
        self.choose(generation, survey, &excluded.packs, &stored, &living)
    }

    /// Commits that somebody else declared aborted a short while ago: the final may have been seen
    /// while it was under way, so it counts once an own one is acknowledged. A genuine final was
    /// put up by somebody whose fence stood before the commit: the session was never reported.
    fn confirm_aborted(&self, living: &live::Living) -> Result<(), GcError> {
        for (session, outcome) in &living.aborted {
            let age_s = living.store_now.seconds.saturating_sub(outcome.newest.seconds);
            if outcome.flags.has_commit() && age_s < SESSION_SILENT_S as i64 {
                let why = "declared aborted by somebody else";
                session::end(self.repo, &self.identity()?, *session, why)?;
            }
        }
        Ok(())
    }

    fn choose(
        &self,
        generation: &Generation,
        survey: &mut Survey,
        excluded: &PackSet,
        stored: &BTreeMap<PackId, StoredPack>,
        living: &live::Living,
    ) -> Result<PackSet, GcError> {
        let owners: HashSet<SessionId> = stored.keys().map(|pack| pack.session).collect();
        survey.packs = self.uses(stored, living, &survey.marks, &owners)?;
        self.authenticate_copies(survey, &generation.condemned, excluded)?;
        let reader = self.index.reader()?;
        let (packs, marks) = (&survey.packs, &survey.marks);
        let condemned = &generation.condemned;
        let mut packs = choose::deletable(&reader, packs, marks, condemned, excluded)?;
        let dead = self.index.dead_packs()?;
        for pack in stored.keys().filter(|p| condemned.contains(p) && dead.contains(p)) {
            packs.insert(*pack);
        }
        Ok(packs)
    }
}
