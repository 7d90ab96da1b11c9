//! Step B2 of `docs/GC.md`: reads the records of collections and applies rule X to the index.
//!
//! Records never change, so each is read once and remembered; a run that finds nothing new sends
//! one listing. A generation whose outcome cannot be told, because a record is damaged, stops
//! whoever would refer to chunks: they might be in a pack that is being deleted.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use crate::base::id::GenerationId;
use crate::base::monitor::Monitor;
use crate::format::generation::PackSet;
use crate::index::collected::{KeptGeneration, KeptState};
use crate::index::{Index, IndexError, clients};
use crate::repo::Repo;
use crate::repo::error::RepoError;
use crate::repo::generations::{
    self, Collections, Exclusion, GenerationFlags, Standing, Testimony, rule_x,
};
use crate::store::name::ObjectName;

/// A generation that may still delete something.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OpenGeneration {
    /// The records that the listing showed.
    pub flags: GenerationFlags,
    /// How far it is, and what it excludes.
    pub kept: KeptGeneration,
}

/// What the records of collections say.
#[derive(Debug, Clone, Default)]
pub struct Excluded {
    /// Generations that exclude packs which may still be there.
    pub open: BTreeMap<GenerationId, OpenGeneration>,
    /// Generations that exclude nothing that may still be there.
    pub ended: BTreeMap<GenerationId, KeptState>,
    /// Everything that the open ones exclude.
    pub packs: PackSet,
    /// The listing itself.
    pub listed: Collections,
}

/// Which of the packs in the index a run may not rely on. If a later look says no more than this,
/// everything that was relied on so far is still there to be relied on.
#[derive(Debug, Clone)]
pub struct Usable {
    epoch: [u8; 16],
    excluded: Arc<HashSet<i64>>,
}

impl Usable {
    /// Whether nothing became unusable since `earlier`.
    #[must_use]
    pub fn is_no_less_than(&self, earlier: &Self) -> bool {
        self.epoch == earlier.epoch && self.excluded.is_subset(&earlier.excluded)
    }
}

/// Packs that collectors have deleted or may be deleting. What a listing before lacks and this does
/// not name is missing.
///
/// # Errors
/// As [`take_in`].
pub fn swept(repo: &Repo, index: &Index, monitor: &dyn Monitor) -> Result<PackSet, IndexError> {
    let mut swept = index.dead_packs()?;
    let excluded = take_in(repo, index, generations::list(repo)?, monitor)?;
    let open = excluded.open.values();
    let open = open.filter(|generation| generation.kept.state == KeptState::Swept);
    open.for_each(|generation| swept.extend(&generation.kept.packs));
    swept.extend(&index.dead_packs()?);
    Ok(swept)
}

/// Reads what is new below `gc/`; packs of finished generations leave the index.
///
/// # Errors
/// [`RepoError::Corrupt`] if a record that matters cannot be read; errors of store and database.
pub fn take_in(
    repo: &Repo,
    index: &Index,
    listed: Collections,
    monitor: &dyn Monitor,
) -> Result<Excluded, IndexError> {
    // First: they may say that a generation was given up which cannot be read.
    take_in_past(repo, index, &listed, monitor)?;
    let mut kept = index.kept_generations()?;
    let mut excluded = Excluded::default();
    for (id, flags) in &listed.generations {
        let known = kept.remove(id);
        let now = match known {
            Some(known) if !is_news(&known, flags) => known,
            known => {
                let now = evaluate(repo, index, *id, flags, known)?;
                index.keep_generation(*id, &now)?;
                now
            }
        };
        match now.state {
            KeptState::Void | KeptState::Done | KeptState::Closed | KeptState::GivenUp => {
                excluded.ended.insert(*id, now.state);
            }
            KeptState::Condemned | KeptState::Announced | KeptState::Swept => {
                excluded.packs.extend(&now.packs);
                excluded.open.insert(*id, OpenGeneration { flags: flags.clone(), kept: now });
            }
        }
    }
    // Folded, or gone with their void end; a base that was taken in before has their packs.
    index.drop_generations(&kept.keys().copied().collect::<Vec<_>>())?;
    excluded.listed = listed;
    Ok(excluded)
}

/// Steps B2 and B3 for a run that will refer to chunks: one listing of `gc/`, then the caller's
/// refresh of the index, then the packs that must not be relied on.
///
/// # Errors
/// Those of [`take_in`] and of `refresh`.
pub fn begin(
    repo: &Repo,
    index: &Index,
    monitor: &dyn Monitor,
    refresh: impl FnOnce() -> Result<(), IndexError>,
) -> Result<Usable, IndexError> {
    let listed = generations::list(repo)?;
    let excluded = take_in(repo, index, listed, monitor)?;
    refresh()?;
    let rows = index.exclude(&excluded.packs, repo.keys().write()?.domain)?;
    // Others are listed with the snapshots, later than the index; until then nothing is referred to.
    index.distrust(&clients::remembered(index)?)?;
    Ok(Usable { epoch: index.epoch(), excluded: rows })
}

/// Whether the listing shows more than what was known when the generation was remembered.
fn is_news(known: &KeptGeneration, flags: &GenerationFlags) -> bool {
    let may_be_void = flags.void || !flags.closed.is_empty();
    match known.state {
        KeptState::Void | KeptState::Done | KeptState::Closed | KeptState::GivenUp => false,
        KeptState::Swept => flags.done || may_be_void,
        KeptState::Condemned | KeptState::Announced => {
            flags.sweep.is_some() || flags.done || may_be_void
        }
    }
}

fn evaluate(
    repo: &Repo,
    index: &Index,
    id: GenerationId,
    flags: &GenerationFlags,
    known: Option<KeptGeneration>,
) -> Result<KeptGeneration, IndexError> {
    let is_done = generations::is_done(repo, id, flags)?;
    let has_voided = generations::is_void(repo, id, flags)?;
    let is_void = has_voided || generations::is_closed(repo, id, flags)?;
    let nothing = |state| KeptGeneration { state, packs: PackSet::default() };
    if has_voided && !is_done {
        return Ok(nothing(KeptState::Void));
    }
    let sweep = match flags.sweep {
        Some(_) => generations::read_sweep(repo, id)?,
        None => Testimony::Absent,
    };
    if let (Testimony::Genuine(sweep), true) = (&sweep, is_done) {
        index.add_replaced_segments(&sweep.segments)?;
        index.bury(&sweep.packs)?;
        return Ok(nothing(KeptState::Done));
    }
    let is_condemned =
        |known: &KeptGeneration| matches!(known.state, KeptState::Condemned | KeptState::Announced);
    let condemn = match known.filter(is_condemned) {
        Some(known) => Testimony::Genuine(known),
        None if flags.condemn.is_some() => condemned(generations::read_condemn(repo, id)?),
        None => Testimony::Absent,
    };
    if is_void && !is_done {
        let announced = condemn.genuine().is_some_and(|kept| kept.state == KeptState::Announced);
        return Ok(nothing(if announced { KeptState::Void } else { KeptState::Closed }));
    }
    let standing =
        Standing { condemn: (&condemn).into(), sweep: (&sweep).into(), is_done, is_void };
    match (rule_x(standing), condemn, sweep) {
        (Exclusion::Swept, _, Testimony::Genuine(sweep)) => {
            index.add_replaced_segments(&sweep.segments)?;
            Ok(KeptGeneration { state: KeptState::Swept, packs: sweep.packs })
        }
        (Exclusion::Condemned, Testimony::Genuine(condemned), _) => Ok(condemned),
        (Exclusion::Nothing, ..) => Ok(nothing(KeptState::Void)),
        (_, condemn, sweep) => Err(unreadable(id, &condemn, &sweep).into()),
    }
}

fn condemned(
    testimony: Testimony<crate::format::generation::Condemn>,
) -> Testimony<KeptGeneration> {
    match testimony {
        Testimony::Genuine(record) => {
            let state = match record.is_announcement {
                true => KeptState::Announced,
                false => KeptState::Condemned,
            };
            Testimony::Genuine(KeptGeneration { state, packs: record.packs })
        }
        Testimony::Absent => Testimony::Absent,
        Testimony::Forged => Testimony::Forged,
        Testimony::Unreadable(why) => Testimony::Unreadable(why),
    }
}

fn unreadable<A, B>(id: GenerationId, condemn: &Testimony<A>, sweep: &Testimony<B>) -> RepoError {
    let why = |key: &ObjectName, why: &str| {
        let key = key.key();
        let hint = format!("`mainstay unblock {key}` says what it takes to go on without it");
        RepoError::Corrupt { why: format!("{why}; what it condemns is unknown; {hint}"), key }
    };
    match (condemn, sweep) {
        (Testimony::Unreadable(text), _) => why(&ObjectName::Condemn(id), text),
        (_, Testimony::Unreadable(text)) => why(&ObjectName::Sweep(id), text),
        _ => why(&ObjectName::Condemn(id), "its records contradict each other"),
    }
}

fn take_in_past(
    repo: &Repo,
    index: &Index,
    listed: &Collections,
    monitor: &dyn Monitor,
) -> Result<(), IndexError> {
    if listed.past.is_empty() {
        return Ok(());
    }
    let known = index.known_past()?;
    for (number, random) in listed.past.iter().filter(|past| !known.contains(past)) {
        match generations::read_past(repo, *number, *random)? {
            Testimony::Genuine(base) => {
                index.bury(&base.packs)?;
                give_up(index, &base.given_up)?;
            }
            Testimony::Forged => {
                let key = ObjectName::Past { number: *number, random: *random }.key();
                monitor.note(&format!("{key} is passed over: whoever wrote it may not collect"));
            }
            // Replaced by a newer one since it was listed; that one is found by the next look.
            Testimony::Absent => continue,
            // All that a genuine one names was deleted before it was written, so a listing that begins
            // now shows none of it.
            Testimony::Unreadable(why) => {
                let key = ObjectName::Past { number: *number, random: *random }.key();
                monitor.note(&format!("the object {key} is damaged: {why}"));
                index.doubt_packs()?;
            }
        }
        index.add_past(*number, *random)?;
    }
    Ok(())
}

/// These generations delete nothing any more, and nobody knows what they deleted.
fn give_up(index: &Index, generations: &[GenerationId]) -> Result<(), IndexError> {
    if generations.is_empty() {
        return Ok(());
    }
    index.doubt_packs()?;
    let kept = KeptGeneration { state: KeptState::GivenUp, packs: PackSet::default() };
    generations.iter().try_for_each(|id| index.keep_generation(*id, &kept))
}
