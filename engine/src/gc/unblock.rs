//! Ways out where an object under a right name cannot be read and stops whoever would have to know what
//! it says.
//!
//! It may be a genuine one that was damaged, or what somebody put there who has a key. What is done here
//! is safe in both cases, if that is true which the person at the keyboard is told to make sure of; see
//! `docs/GC.md`.

use crate::base::error::{Classified, ErrorClass, in_one_line};
use crate::base::id::{ClientId, Digest, GenerationId, HoldId, SessionId};
use crate::base::limits::SNAPSHOT_MAX_BYTES;
use crate::base::monitor::Monitor;
use crate::base::time::Timestamp;
use crate::crypt::hash;
use crate::format::client::Client;
use crate::format::envelope::decode_record;
use crate::format::generation::{Base, PackSet};
use crate::gc::error::GcError;
use crate::index::collected::KeptState;
use crate::index::collections::take_in;
use crate::index::identity::writer_identity;
use crate::index::{Index, marks};
use crate::repo::error::RepoError;
use crate::repo::generations::{self, Presence, Testimony};
use crate::repo::{Repo, collect, commits, object, rotation};
use crate::store::name::{ObjectName, prefix};

/// What somebody wants out of the way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Target {
    /// One object.
    Object(ObjectName),
    /// The commits of a session.
    Snapshot(SessionId),
}

impl Target {
    /// The target that errors and `check` call `key`: the key of an object, with its code or without, or
    /// `snap/S.commit`.
    #[must_use]
    pub fn parse(repo: &Repo, key: &str) -> Option<Self> {
        let name = repo.store().name_at(key).or_else(|| ObjectName::parse(key));
        match name {
            Some(ObjectName::Commit(session, _)) => Some(Self::Snapshot(session)),
            Some(name) => Some(Self::Object(name)),
            None => {
                let rest = key.strip_prefix(prefix::SNAPSHOTS)?.strip_suffix(".commit")?;
                SessionId::from_hex(rest).ok().map(Self::Snapshot)
            }
        }
    }
}

/// What an object stops, and so what it takes to go on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Obstacle {
    /// It stops nobody; why, in words.
    Nothing(&'static str),
    /// What a collection may delete. It can be closed: then it never deletes anything.
    Announcement(GenerationId),
    /// What a collection deletes. If its owner has ended, it can be given up.
    Sweep {
        /// The collection.
        generation: GenerationId,
        /// When the store received it.
        received: Timestamp,
    },
    /// A snapshot of which nobody knows what it needs. It can be forgotten.
    Snapshot {
        /// Its session.
        session: SessionId,
        /// Whether this machine remembers its record.
        is_remembered: bool,
    },
    /// The same, and a hold keeps it.
    HeldSnapshot(HoldId),
    /// Nobody knows which snapshots it holds. It can be released.
    Hold(HoldId),
    /// Nothing counts that the client has signed. Its record can be written again.
    Client {
        /// The client.
        client: ClientId,
        /// What this machine remembers of it.
        record: Option<Box<Client>>,
    },
    /// Keys may have been changed. Those of this epoch can be announced again.
    Keys(u32),
}

/// What `target` stops.
///
/// # Errors
/// Those of the store and of the index.
pub fn look(repo: &Repo, index: &Index, target: Target) -> Result<Obstacle, GcError> {
    let name = match target {
        Target::Snapshot(session) => return snapshot(repo, index, session),
        Target::Object(name) => name,
    };
    match name {
        ObjectName::Condemn(id)
        | ObjectName::Sweep(id)
        | ObjectName::Void(id)
        | ObjectName::Done(id)
        | ObjectName::Close(id, _)
        | ObjectName::Closed(id, _) => generation(repo, index, id),
        ObjectName::Past { .. } => {
            let why = "machines that cannot read it ask the store which packs there are";
            Ok(Obstacle::Nothing(why))
        }
        ObjectName::Hold(hold) => {
            let damaged = marks::read(repo, index)?.damaged;
            Ok(match damaged.iter().any(|(id, _)| *id == hold) {
                true => Obstacle::Hold(hold),
                false => {
                    Obstacle::Nothing("there is no such hold, or it can be read or is released")
                }
            })
        }
        ObjectName::Client(id) => client(repo, index, id),
        ObjectName::Epoch(epoch) => Ok(match repo.doubts().iter().any(|it| it.epoch == epoch) {
            true => Obstacle::Keys(epoch),
            false => Obstacle::Nothing("it can be read, or there is no such object"),
        }),
        _ => Ok(Obstacle::Nothing("objects of its kind stop nobody if they cannot be read")),
    }
}

fn generation(repo: &Repo, index: &Index, id: GenerationId) -> Result<Obstacle, GcError> {
    let flags = generations::list_one(repo, id)?;
    let kept = index.kept_generations()?.remove(&id).map(|kept| kept.state);
    let is_over = generations::is_void(repo, id, &flags)?
        || generations::is_closed(repo, id, &flags)?
        || kept == Some(KeptState::GivenUp);
    if is_over {
        return Ok(Obstacle::Nothing("the collection was closed or given up"));
    }
    let condemn = match flags.condemn {
        Some(_) => generations::read_condemn(repo, id)?,
        None => Testimony::Absent,
    };
    let (sweep, received) = match flags.sweep {
        Some(received) => (generations::read_sweep(repo, id)?, received),
        None => (Testimony::Absent, Timestamp::default()),
    };
    Ok(match (Presence::from(&condemn), &sweep) {
        (_, Testimony::Genuine(_)) | (Presence::Absent, Testimony::Absent | Testimony::Forged) => {
            Obstacle::Nothing("what the collection deletes can be read, or there is none")
        }
        (Presence::Unreadable, Testimony::Absent) => Obstacle::Announcement(id),
        (Presence::Genuine, Testimony::Absent | Testimony::Forged) => {
            Obstacle::Nothing("its announcement can be read; `mainstay prune --abandon` closes it")
        }
        // Whoever closes looks for the name alone.
        (Presence::Unreadable, Testimony::Forged) | (_, Testimony::Unreadable(_)) => {
            Obstacle::Sweep { generation: id, received }
        }
    })
}

fn snapshot(repo: &Repo, index: &Index, session: SessionId) -> Result<Obstacle, GcError> {
    let flags = commits::list_one(repo, session)?;
    let marks = marks::read(repo, index)?;
    if marks.is_forgotten(session) {
        return Ok(Obstacle::Nothing("the snapshot is forgotten"));
    }
    let mut is_unread = false;
    for random in flags.commits.keys() {
        match commits::read(repo, session, *random) {
            Ok(_) => {}
            Err(error) if is_of_one_object(&error) => {
                let key = if let RepoError::Corrupt { key, .. } = &error { key } else { "" };
                if key.starts_with(prefix::CLIENTS) {
                    let signer = client(repo, index, session.client())?;
                    // One that can be read belongs to a client that may not write snapshots.
                    if !matches!(signer, Obstacle::Nothing(_)) {
                        return Ok(signer);
                    }
                }
                is_unread |= !commits::is_beside_confirmed(repo, session, *random, &flags)?;
            }
            Err(error) => return Err(error.into()),
        }
    }
    if !is_unread {
        let why = "its record can be read, counts for nothing beside another one, or is not there";
        return Ok(Obstacle::Nothing(why));
    }
    if let Some(hold) = marks.holds_of(session).next() {
        return Ok(Obstacle::HeldSnapshot(hold.hold));
    }
    let is_remembered = index.snapshot(session)?.is_some();
    Ok(Obstacle::Snapshot { session, is_remembered })
}

fn client(repo: &Repo, index: &Index, id: ClientId) -> Result<Obstacle, GcError> {
    match object::client(repo, id) {
        Ok(_) => Ok(Obstacle::Nothing("it can be read")),
        Err(error) if is_of_one_object(&error) => {
            let kept = index.kept_clients()?.into_iter().find(|(kept, _)| *kept == id);
            let record = kept.and_then(|(_, bytes)| decode_record(&bytes, "client record").ok());
            Ok(Obstacle::Client { client: id, record: record.map(Box::new) })
        }
        Err(error) => Err(error.into()),
    }
}

fn is_of_one_object(error: &RepoError) -> bool {
    use ErrorClass::{Corrupt, Missing, Newer, Unreadable};
    matches!(error.class(), Corrupt | Missing | Newer | Unreadable)
}

/// Goes on without it.
///
/// # Errors
/// [`RepoError::Denied`] for roles that may not, [`RepoError::Refused`] where this takes another
/// command; errors of store and index.
pub fn pass(
    repo: &mut Repo,
    index: &Index,
    obstacle: &Obstacle,
    (host, reason): (&str, &str),
    monitor: &dyn Monitor,
) -> Result<(), GcError> {
    let refused = |why: &str| Err(RepoError::Refused { why: why.to_owned() }.into());
    match obstacle {
        Obstacle::Nothing(why) => refused(why),
        Obstacle::Announcement(id) => {
            let identity = writer_identity(repo, index, host)?;
            match collect::close(repo, &identity, *id, reason)? {
                collect::CloseOutcome::Closed => Ok(()),
                collect::CloseOutcome::BackedOff => {
                    refused("its owner has gone on meanwhile; look again")
                }
            }
        }
        Obstacle::Sweep { generation, .. } => give_up(repo, index, *generation, host, monitor),
        Obstacle::Snapshot { session, .. } => forget(repo, index, *session, (host, reason)),
        Obstacle::HeldSnapshot(_) | Obstacle::Hold(_) => {
            refused("a hold is released, not passed by")
        }
        Obstacle::Client { record: None, .. } => {
            refused("this machine does not remember what the record said")
        }
        Obstacle::Client { record: Some(record), .. } => {
            repo.keys().admin()?;
            // Nothing is lost if this ends in between: it is done from what is remembered.
            repo.store().delete(&ObjectName::Client(record.client))?;
            Ok(object::put_client(repo, record)?)
        }
        Obstacle::Keys(epoch) => {
            rotation::replace(repo, *epoch)?;
            Ok(())
        }
    }
}

/// Says that nobody deletes anything for this generation any more. Whoever reads that asks the store
/// which packs are left.
fn give_up(
    repo: &Repo,
    index: &Index,
    generation: GenerationId,
    host: &str,
    monitor: &dyn Monitor,
) -> Result<(), GcError> {
    let identity = writer_identity(repo, index, host)?;
    let listed = generations::list_settled(repo)?;
    let highest = listed.past.iter().map(|(number, _)| *number).max();
    let number = highest.map_or(0, |number| number.saturating_add(1));
    let record = Base {
        by: identity.client,
        generations: Vec::new(),
        packs: PackSet::default(),
        given_up: vec![generation],
    };
    collect::put_past(repo, &identity, number, &record)?;
    let listed = generations::list_settled(repo)?;
    match take_in(repo, index, listed, monitor) {
        // Another one that cannot be read.
        Err(error) if error.class() == ErrorClass::Corrupt => {
            monitor.note(&in_one_line(&error));
            Ok(())
        }
        other => {
            other?;
            Ok(())
        }
    }
}

fn forget(
    repo: &Repo,
    index: &Index,
    session: SessionId,
    (host, reason): (&str, &str),
) -> Result<(), GcError> {
    crate::repo::marks::require_may_mark(repo, "forget snapshots")?;
    let identity = writer_identity(repo, index, host)?;
    let commit = match index.snapshot(session)? {
        Some((digest, _)) => digest,
        None => stored_digest(repo, session)?,
    };
    crate::repo::marks::put_tomb(repo, &identity, (session, commit), reason, None)?;
    Ok(())
}

/// The hash of what lies where the record should, as far as anything can be read.
fn stored_digest(repo: &Repo, session: SessionId) -> Result<Digest, GcError> {
    let flags = commits::list_one(repo, session)?;
    let Some(random) = flags.commits.keys().next() else {
        return Ok(Digest::new([0; Digest::LEN]));
    };
    let stored = repo.store().get(&ObjectName::Commit(session, *random), SNAPSHOT_MAX_BYTES as u64);
    match stored.map_err(RepoError::from) {
        Ok(bytes) => Ok(hash::digest(&bytes)),
        Err(error) if is_of_one_object(&error) => Ok(Digest::new([0; Digest::LEN])),
        Err(error) => Err(error.into()),
    }
}
