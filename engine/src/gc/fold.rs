//! Keeping `gc/` and `sess/` short: ended generations become one record, registrations of decided
//! sessions go.
//!
//! A client lists `gc/` once. It could miss both the records of a generation and the record they
//! were folded into, if they were removed while it listed. So they are removed only after the
//! barrier of a generation that was condemned after the new record was acknowledged: that barrier
//! waits for every client that may still be listing, and whoever lists later sees the new record.

use std::collections::HashSet;

use crate::base::id::{GenerationId, Nonce8};
use crate::base::limits::{
    GC_FOLD_AT, GC_REGISTRATIONS_MAX, GENERATION_MAX_PACKS, GENERATION_SILENT_S,
};
use crate::format::generation::{Base, PackSet};
use crate::gc::collector::{Collector, Survey};
use crate::gc::error::GcError;
use crate::gc::sessions::outcomes;
use crate::index::collected::KeptState;
use crate::repo::session::registered;
use crate::repo::{collect, commits, generations};
use crate::store::name::ObjectName;

/// Records that may be removed after the next barrier.
pub(super) struct Folded {
    generations: Vec<GenerationId>,
    past: Vec<(u32, Nonce8)>,
}

impl Collector<'_> {
    /// Writes what ended generations deleted into one record, if there are many of them, or one whose
    /// records cannot be read: `check` names these for as long as they are there.
    pub(super) fn fold(&self, survey: &Survey) -> Result<Option<Folded>, GcError> {
        let dead = self.index.dead_packs()?;
        let generations = foldable(survey, &dead);
        let is_given_up = |state: &KeptState| *state == KeptState::GivenUp;
        let are_enough =
            generations.len() >= GC_FOLD_AT || survey.excluded.ended.values().any(is_given_up);
        if !are_enough || dead.len() > GENERATION_MAX_PACKS {
            return Ok(None);
        }
        let past = survey.excluded.listed.past.clone();
        let number = past.iter().map(|(number, _)| number + 1).max().unwrap_or_default();
        let by = self.identity()?.client;
        let given_up = Vec::new();
        let record = Base { by, generations: generations.clone(), packs: dead, given_up };
        collect::put_past(self.repo, &self.identity()?, number, &record)?;
        Ok(Some(Folded { generations, past }))
    }

    /// Removes what was folded. `done` goes last: without the others it excludes nothing, and
    /// nothing misses it.
    pub(super) fn remove_folded(&self, folded: &Folded) -> Result<(), GcError> {
        let store = self.repo.store();
        for id in &folded.generations {
            let flags = generations::list_one(self.repo, *id)?;
            let closes = flags.closes.iter().map(|random| ObjectName::Close(*id, *random));
            let closed = flags.closed.iter().map(|random| ObjectName::Closed(*id, *random));
            let there = [
                (flags.condemn.is_some(), ObjectName::Condemn(*id)),
                (flags.sweep.is_some(), ObjectName::Sweep(*id)),
                (flags.void, ObjectName::Void(*id)),
            ];
            let others = there.iter().filter(|(is_there, _)| *is_there).map(|(_, name)| *name);
            for name in others.chain(closes).chain(closed) {
                store.delete(&name)?;
            }
            if flags.done {
                store.delete(&ObjectName::Done(*id))?;
            }
        }
        for (number, random) in &folded.past {
            store.delete(&ObjectName::Past { number: *number, random: *random })?;
        }
        Ok(())
    }

    /// Removes registrations of sessions that have decided: nobody waits for them any more.
    pub(super) fn remove_registrations(&self) -> Result<(), GcError> {
        let registered = registered(self.repo)?;
        let outcomes = outcomes(self.repo)?;
        let mut removed = 0;
        for session in registered.keys() {
            let Some(outcome) = outcomes.get(session) else { continue };
            let has_decided = outcome.flags.has_commit()
                || commits::has_genuine_final(self.repo, *session, &outcome.flags)?;
            if has_decided && removed < GC_REGISTRATIONS_MAX {
                self.repo.store().delete(&ObjectName::Session(*session))?;
                removed += 1;
            }
        }
        Ok(())
    }

    /// Closes generations whose owner was not heard of for long, those that only announced and
    /// have been carried out, and those that are to be abandoned. Answers how many.
    pub(super) fn close_others(
        &self,
        survey: &Survey,
        carried_out: &HashSet<GenerationId>,
    ) -> Result<u64, GcError> {
        let mut closed = 0;
        for (id, open) in &survey.excluded.open {
            let heard = open.flags.last_heard();
            let silent_s = survey.store_now.seconds.saturating_sub(heard.seconds);
            let is_silent = silent_s >= GENERATION_SILENT_S as i64;
            let is_over = carried_out.contains(id) || is_silent;
            if open.kept.state == KeptState::Swept || !is_over {
                continue;
            }
            let reason = if carried_out.contains(id) { "carried out" } else { "silent" };
            let outcome = collect::close(self.repo, &self.identity()?, *id, reason)?;
            closed += u64::from(outcome == collect::CloseOutcome::Closed);
        }
        Ok(closed)
    }

    /// Closes the generations that the options name, readable or not.
    pub(super) fn abandon_generations(&self) -> Result<u64, GcError> {
        let mut closed = 0;
        for id in &self.options.abandon_generations {
            let outcome = collect::close(self.repo, &self.identity()?, *id, "abandoned on demand")?;
            closed += u64::from(outcome == collect::CloseOutcome::Closed);
        }
        Ok(closed)
    }
}

/// Ended generations, and such as never said that they are done but have nothing left to delete.
fn foldable(survey: &Survey, dead: &PackSet) -> Vec<GenerationId> {
    let ended = survey.excluded.ended.iter().filter(|(_, state)| **state != KeptState::Closed);
    let cut_off = survey.excluded.open.iter().filter(|(_, open)| {
        let silent_s = survey.store_now.seconds - open.flags.last_heard().seconds;
        open.kept.state == KeptState::Swept
            && silent_s >= GENERATION_SILENT_S as i64
            && open.kept.packs.iter().all(|pack| dead.contains(&pack))
    });
    ended.map(|(id, _)| *id).chain(cut_off.map(|(id, _)| *id)).collect()
}
