//! The records of collections: which generations a listing shows, who wrote them, and what they
//! exclude (rule X of `docs/GC.md`).
//!
//! Only records signed by a client whose role may collect count. Whoever can merely write to the
//! store, or holds the keys of a backup client, can put objects here; they are passed over. What
//! cannot be read at all is another matter: it may be the damaged record of a real collection, and
//! ignoring it could mean referring to a pack that is being deleted.

use std::collections::BTreeMap;

use minicbor::Decode;

use crate::base::error::{Classified, ErrorClass};
use crate::base::id::{ClientId, GenerationId, Nonce8};
use crate::base::time::Timestamp;
use crate::format::envelope::ControlKind;
use crate::format::generation::{Base, Close, Condemn, Ending, Sweep};
use crate::repo::Repo;
use crate::repo::error::RepoError;
use crate::repo::object::{POWERLESS, WRONG_SIGNATURE, client, get_accepted, is_powerless};
use crate::store::name::{ObjectName, prefix};

/// Which records of a generation a listing showed.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct GenerationFlags {
    /// `.condemn`, and when the store received it.
    pub condemn: Option<Timestamp>,
    /// `.sweep`, and when the store received it.
    pub sweep: Option<Timestamp>,
    /// `.void` is there.
    pub void: bool,
    /// `.done` is there.
    pub done: bool,
    /// Flags of successors.
    pub closes: Vec<Nonce8>,
    /// Decisions of successors.
    pub closed: Vec<Nonce8>,
}

impl GenerationFlags {
    /// When its owner was last heard of, by the store's clock.
    #[must_use]
    pub fn last_heard(&self) -> Timestamp {
        self.condemn.max(self.sweep).unwrap_or_default()
    }
}

/// What one listing of `gc/` showed.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Collections {
    /// Generations by id.
    pub generations: BTreeMap<GenerationId, GenerationFlags>,
    /// Records of past generations, by number and random part.
    pub past: Vec<(u32, Nonce8)>,
}

/// Lists all records of collections once.
///
/// # Errors
/// Those of the store.
pub fn list(repo: &Repo) -> Result<Collections, RepoError> {
    list_below(repo, prefix::COLLECTIONS)
}

/// Lists until two listings agree, so that nothing that was folded meanwhile is missed.
///
/// # Errors
/// Those of the store; [`RepoError::Unsettled`] if listings never agree.
pub fn list_settled(repo: &Repo) -> Result<Collections, RepoError> {
    let mut last = list(repo)?;
    for _ in 0..SETTLE_ATTEMPTS {
        let next = list(repo)?;
        if next == last {
            return Ok(next);
        }
        last = next;
    }
    Err(RepoError::Unsettled { prefix: prefix::COLLECTIONS })
}

/// Listings that may differ from the one before, before somebody seems to play with us.
const SETTLE_ATTEMPTS: u32 = 20;

/// The records of one generation, from one listing that starts now.
///
/// # Errors
/// Those of the store.
pub fn list_one(repo: &Repo, generation: GenerationId) -> Result<GenerationFlags, RepoError> {
    let below = format!("{}{generation}.", prefix::COLLECTIONS);
    Ok(list_below(repo, &below)?.generations.remove(&generation).unwrap_or_default())
}

fn list_below(repo: &Repo, below: &str) -> Result<Collections, RepoError> {
    let mut found = Collections::default();
    repo.store().list_each(below, &mut |object| {
        let Some(name) = object.name else { return true };
        if let ObjectName::Past { number, random } = name {
            found.past.push((number, random));
        }
        if let Some(id) = generation_of(&name) {
            let flags = found.generations.entry(id).or_default();
            match name {
                ObjectName::Condemn(_) => flags.condemn = Some(object.modified),
                ObjectName::Sweep(_) => flags.sweep = Some(object.modified),
                ObjectName::Void(_) => flags.void = true,
                ObjectName::Done(_) => flags.done = true,
                ObjectName::Close(_, random) => flags.closes.push(random),
                ObjectName::Closed(_, random) => flags.closed.push(random),
                _ => {}
            }
        }
        true
    })?;
    Ok(found)
}

fn generation_of(name: &ObjectName) -> Option<GenerationId> {
    match name {
        ObjectName::Condemn(id)
        | ObjectName::Sweep(id)
        | ObjectName::Void(id)
        | ObjectName::Done(id)
        | ObjectName::Close(id, _)
        | ObjectName::Closed(id, _) => Some(*id),
        _ => None,
    }
}

/// A record as far as it can be relied on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Testimony<T> {
    /// It is not there.
    Absent,
    /// It is there and somebody wrote it who may not collect: it counts for nothing.
    Forged,
    /// It is there and cannot be read: it may have been genuine.
    Unreadable(String),
    /// Its writer may collect.
    Genuine(T),
}

impl<T> Testimony<T> {
    fn map(self) -> Testimony<()> {
        match self {
            Self::Absent => Testimony::Absent,
            Self::Forged => Testimony::Forged,
            Self::Unreadable(why) => Testimony::Unreadable(why),
            Self::Genuine(_) => Testimony::Genuine(()),
        }
    }

    /// The record, if it counts.
    #[must_use]
    pub fn genuine(&self) -> Option<&T> {
        match self {
            Self::Genuine(record) => Some(record),
            _ => None,
        }
    }
}

/// What a generation excludes from deduplication and from the rule of the other copy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exclusion {
    /// Nothing: there is no generation, or it never deletes anything.
    Nothing,
    /// What it condemned.
    Condemned,
    /// What it said finally that it deletes: for ever.
    Swept,
    /// Unknown: what would tell it cannot be read.
    Unknown,
}

/// What is known of the records of one generation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Standing {
    /// `.condemn`.
    pub condemn: Presence,
    /// `.sweep`.
    pub sweep: Presence,
    /// A genuine `.done`.
    pub is_done: bool,
    /// A genuine `.void` or `.closed-`.
    pub is_void: bool,
}

/// [`Testimony`] without what it says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Presence {
    /// Not there, or forged.
    Absent,
    /// There and not readable.
    Unreadable,
    /// There and genuine.
    Genuine,
}

impl<T> From<&Testimony<T>> for Presence {
    fn from(testimony: &Testimony<T>) -> Self {
        match testimony {
            Testimony::Absent | Testimony::Forged => Self::Absent,
            Testimony::Unreadable(_) => Self::Unreadable,
            Testimony::Genuine(_) => Self::Genuine,
        }
    }
}

/// Rule X. The order in which the records were read does not matter: closed is final, and whoever
/// closed a generation had made sure that a later sweep deletes nothing.
///
/// Where records contradict each other or are missing, the answer is the one that excludes more:
/// that costs an upload, the other one could cost a chunk.
#[must_use]
pub fn rule_x(standing: Standing) -> Exclusion {
    match standing {
        Standing { is_done: true, sweep: Presence::Genuine, .. } => Exclusion::Swept,
        Standing { is_done: true, condemn: Presence::Genuine, .. } => Exclusion::Condemned,
        Standing { is_void: true, .. } => Exclusion::Nothing,
        Standing { sweep: Presence::Genuine, .. } => Exclusion::Swept,
        Standing { condemn: Presence::Genuine, .. } => Exclusion::Condemned,
        Standing { condemn: Presence::Unreadable, .. }
        | Standing { sweep: Presence::Unreadable, .. } => Exclusion::Unknown,
        Standing { condemn: Presence::Absent, sweep: Presence::Absent, .. } => Exclusion::Nothing,
    }
}

/// Reads `.condemn`.
///
/// # Errors
/// Those of the store.
pub fn read_condemn(repo: &Repo, id: GenerationId) -> Result<Testimony<Condemn>, RepoError> {
    let name = ObjectName::Condemn(id);
    read(repo, &name, ControlKind::Condemn, |record: &Condemn| (record.generation, id.client()), id)
}

/// Reads `.sweep`.
///
/// # Errors
/// Those of the store.
pub fn read_sweep(repo: &Repo, id: GenerationId) -> Result<Testimony<Sweep>, RepoError> {
    let name = ObjectName::Sweep(id);
    read(repo, &name, ControlKind::Sweep, |record: &Sweep| (record.generation, id.client()), id)
}

/// Whether `.done` is genuine.
///
/// # Errors
/// Those of the store.
pub fn is_done(repo: &Repo, id: GenerationId, flags: &GenerationFlags) -> Result<bool, RepoError> {
    Ok(flags.done && ending(repo, ObjectName::Done(id), ControlKind::Done, id)?)
}

/// Whether its owner voided it.
///
/// # Errors
/// Those of the store.
pub fn is_void(repo: &Repo, id: GenerationId, flags: &GenerationFlags) -> Result<bool, RepoError> {
    Ok(flags.void && ending(repo, ObjectName::Void(id), ControlKind::Void, id)?)
}

/// Whether a successor closed it.
///
/// # Errors
/// Those of the store.
pub fn is_closed(
    repo: &Repo,
    id: GenerationId,
    flags: &GenerationFlags,
) -> Result<bool, RepoError> {
    for random in &flags.closed {
        let name = ObjectName::Closed(id, *random);
        let owner = |record: &Close| (record.generation, record.by);
        if read(repo, &name, ControlKind::Closed, owner, id)?.genuine().is_some() {
            return Ok(true);
        }
    }
    Ok(false)
}

fn ending(
    repo: &Repo,
    name: ObjectName,
    kind: ControlKind,
    id: GenerationId,
) -> Result<bool, RepoError> {
    let owner = |record: &Ending| (record.generation, id.client());
    Ok(read(repo, &name, kind, owner, id)?.genuine().is_some())
}

/// Reads a record of past generations.
///
/// # Errors
/// Those of the store.
pub fn read_past(repo: &Repo, number: u32, random: Nonce8) -> Result<Testimony<Base>, RepoError> {
    let name = ObjectName::Past { number, random };
    // It belongs to no single generation: the same on both sides.
    let none = GenerationId::new([0; 16]);
    read(repo, &name, ControlKind::Base, |record: &Base| (none, record.by), none)
}

/// Whether the record under `name` counts, whatever it says; names of other objects are absent.
///
/// # Errors
/// Those of the store.
pub fn verdict(repo: &Repo, name: &ObjectName) -> Result<Testimony<()>, RepoError> {
    let ends = |record: &Ending| (record.generation, record.generation.client());
    let closes = |record: &Close| (record.generation, record.by);
    Ok(match *name {
        ObjectName::Condemn(id) => read_condemn(repo, id)?.map(),
        ObjectName::Sweep(id) => read_sweep(repo, id)?.map(),
        ObjectName::Void(id) => read(repo, name, ControlKind::Void, ends, id)?.map(),
        ObjectName::Done(id) => read(repo, name, ControlKind::Done, ends, id)?.map(),
        ObjectName::Close(id, _) => read(repo, name, ControlKind::Close, closes, id)?.map(),
        ObjectName::Closed(id, _) => read(repo, name, ControlKind::Closed, closes, id)?.map(),
        ObjectName::Past { number, random } => read_past(repo, number, random)?.map(),
        _ => Testimony::Absent,
    })
}

/// Reads a record. `owner` tells to which generation it says it belongs and who must have signed.
fn read<T>(
    repo: &Repo,
    name: &ObjectName,
    kind: ControlKind,
    owner: impl Fn(&T) -> (GenerationId, ClientId),
    id: GenerationId,
) -> Result<Testimony<T>, RepoError>
where
    T: for<'b> Decode<'b, ()>,
{
    let powerless = || RepoError::corrupt(&name.key(), POWERLESS);
    let signer_of = |record: &T| {
        client(repo, owner(record).1).map_err(|error| match error.class() {
            // Nobody who is not enrolled collects.
            ErrorClass::Missing => powerless(),
            _ => error,
        })
    };
    let stored = get_accepted::<T>(
        repo,
        name,
        kind,
        |record| Ok(signer_of(record)?.verifying_key),
        |record| match owner(record).0 == id && signer_of(record)?.role.collects() {
            true => Ok(()),
            false => Err(powerless()),
        },
    );
    Ok(match stored {
        Ok(stored) => Testimony::Genuine(stored.record),
        Err(error) if error.class() == ErrorClass::Missing => Testimony::Absent,
        Err(error) if is_forged(&error) => Testimony::Forged,
        Err(error) if matches!(error.class(), ErrorClass::Corrupt | ErrorClass::Newer) => {
            Testimony::Unreadable(error.to_string())
        }
        Err(error) => return Err(error),
    })
}

/// Whether the record opened, so that a holder of the control key wrote it, and was not signed by
/// whoever may: no flipped bit does that.
fn is_forged(error: &RepoError) -> bool {
    let is_wrong = matches!(error, RepoError::Corrupt { why, .. } if why == WRONG_SIGNATURE);
    is_wrong || is_powerless(error)
}

#[cfg(test)]
mod tests {
    use super::*;
    use Presence::{Absent, Genuine, Unreadable};

    /// Every combination, with what it excludes.
    #[test]
    fn rule_x_by_table() {
        use Exclusion::{Condemned, Nothing, Swept, Unknown};
        let rows = [
            // condemn, sweep, done, void or closed
            (Absent, Absent, false, false, Nothing),
            (Absent, Absent, false, true, Nothing),
            (Absent, Absent, true, false, Nothing),
            (Absent, Absent, true, true, Nothing),
            (Absent, Unreadable, false, false, Unknown),
            (Absent, Unreadable, false, true, Nothing),
            (Absent, Unreadable, true, false, Unknown),
            (Absent, Unreadable, true, true, Nothing),
            (Absent, Genuine, false, false, Swept),
            (Absent, Genuine, false, true, Nothing),
            (Absent, Genuine, true, false, Swept),
            (Absent, Genuine, true, true, Swept),
            (Unreadable, Absent, false, false, Unknown),
            (Unreadable, Absent, false, true, Nothing),
            (Unreadable, Absent, true, false, Unknown),
            (Unreadable, Absent, true, true, Nothing),
            (Unreadable, Unreadable, false, false, Unknown),
            (Unreadable, Unreadable, false, true, Nothing),
            (Unreadable, Unreadable, true, false, Unknown),
            (Unreadable, Unreadable, true, true, Nothing),
            (Unreadable, Genuine, false, false, Swept),
            (Unreadable, Genuine, false, true, Nothing),
            (Unreadable, Genuine, true, false, Swept),
            (Unreadable, Genuine, true, true, Swept),
            (Genuine, Absent, false, false, Condemned),
            (Genuine, Absent, false, true, Nothing),
            (Genuine, Absent, true, false, Condemned),
            (Genuine, Absent, true, true, Condemned),
            (Genuine, Unreadable, false, false, Condemned),
            (Genuine, Unreadable, false, true, Nothing),
            (Genuine, Unreadable, true, false, Condemned),
            (Genuine, Unreadable, true, true, Condemned),
            (Genuine, Genuine, false, false, Swept),
            (Genuine, Genuine, false, true, Nothing),
            (Genuine, Genuine, true, false, Swept),
            (Genuine, Genuine, true, true, Swept),
        ];
        for (condemn, sweep, is_done, is_void, wanted) in rows {
            let standing = Standing { condemn, sweep, is_done, is_void };
            assert_eq!(rule_x(standing), wanted, "{standing:?}");
        }
        assert_eq!(rows.len(), 3 * 3 * 2 * 2);
    }
}
