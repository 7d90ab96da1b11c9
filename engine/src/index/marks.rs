//! What people decided about snapshots: which are forgotten, which are held, which tags they bear.
//!
//! Marks are listed from the store each time; a record that was verified once is kept in the index
//! and not read again. What was seen once stays in force here even if the store shows it no more:
//! nothing legitimate ever takes a mark away, so a store that hides a hold gains nothing with a
//! machine that knows it, and [`Marks::missing`] says that it tried.
//!
//! **The order matters**: tombstones are listed before holds. A hold protects what had no
//! tombstone in a listing that began after the hold was acknowledged. So whoever sees a tombstone
//! of a protected snapshot saw it after that moment, lists the holds later still, and sees the
//! hold. See `docs/GC.md`.

use std::collections::{BTreeMap, BTreeSet};

use crate::base::error::{Classified, ErrorClass};
use crate::base::id::{ClientId, HoldId, Nonce8, SessionId};
use crate::base::time::Timestamp;
use crate::format::envelope::{decode_record, encode_record};
use crate::format::mark::{Hold, Release, TagRecord, Tomb};
use crate::index::consents::Consents;
use crate::index::fetch::{Kind, fetch_all, is_of_one_object};
use crate::index::{Index, IndexError, clients};
use crate::repo::Repo;
use crate::repo::error::RepoError;
use crate::repo::marks::{self, Mark, MarkRecord};
use crate::store::name::{ObjectName, prefix};

/// Tombstones and holds, as of one reading.
#[derive(Debug, Default)]
pub struct Marks {
    /// Genuine tombstones; of several of one snapshot the one with the least key.
    pub tombs: BTreeMap<SessionId, Tomb>,
    /// Genuine holds that nobody released. Empty if there are no tombstones and only liveness was
    /// asked for.
    pub holds: BTreeMap<HoldId, Hold>,
    /// Releases of holds.
    pub releases: BTreeMap<HoldId, Release>,
    /// Keys of marks that count for nothing, and why: signed by a role that may not, or tombstones
    /// and releases that cannot be read.
    pub ignored: Vec<(String, String)>,
    /// Holds that are there, are not released, and cannot be read: nobody knows what they hold, so
    /// nothing may be collected until they are released or read.
    pub damaged: Vec<(HoldId, RepoError)>,
    /// Keys of marks that this machine has seen and that the store does not show any more. They
    /// stay in force; nothing may be collected in such a store.
    pub missing: Vec<String>,
    held: BTreeSet<SessionId>,
}

impl Marks {
    /// Whether a hold names the snapshot.
    #[must_use]
    pub fn is_held(&self, session: SessionId) -> bool {
        self.held.contains(&session)
    }

    /// Whether the snapshot is forgotten: it has a tombstone and no hold.
    #[must_use]
    pub fn is_forgotten(&self, session: SessionId) -> bool {
        self.tombs.contains_key(&session) && !self.is_held(session)
    }

    /// Those of `committed` that must stay restorable: no tombstone, or held.
    #[must_use]
    pub fn live(&self, committed: impl IntoIterator<Item = SessionId>) -> BTreeSet<SessionId> {
        committed.into_iter().filter(|session| !self.is_forgotten(*session)).collect()
    }

    /// The holds that name a snapshot.
    pub fn holds_of(&self, session: SessionId) -> impl Iterator<Item = &Hold> {
        self.holds.values().filter(move |hold| hold.snapshots.contains(&session))
    }

    /// Why nothing may be collected by what was read here, if so.
    #[must_use]
    pub fn obstacle(&self) -> Option<String> {
        if let Some((hold, error)) = self.damaged.first() {
            return Some(format!(
                "the hold {hold} cannot be read ({error}); nobody knows which snapshots it holds; \
                 `mainstay hold release {hold} --reason WHY` puts it out of the way"
            ));
        }
        self.missing.first().map(|key| {
            format!("this machine has seen {key}, and the store does not show it any more")
        })
    }
}

/// Reads tombstones and then holds: all of them.
///
/// # Errors
/// Those of the store and of the database; marks that cannot be read are part of the result.
pub fn read(repo: &Repo, index: &Index) -> Result<Marks, IndexError> {
    Reading::new(repo, index).run(true)
}

/// As [`read`], without a look at the holds if there is no tombstone that they could beat: one
/// request in most repositories.
///
/// # Errors
/// Those of [`read`].
pub fn read_forgotten(repo: &Repo, index: &Index) -> Result<Marks, IndexError> {
    Reading::new(repo, index).run(false)
}

struct Reading<'a> {
    repo: &'a Repo,
    index: &'a Index,
    /// Records of the part of the store that is being read, as the index kept them.
    kept: BTreeMap<String, Vec<u8>>,
    /// When the store received each of the marks that it shows.
    received: BTreeMap<ObjectName, Timestamp>,
    /// Clients that were revoked, and when the store received that; read if any mark is unknown.
    revoked: Option<BTreeMap<ClientId, Timestamp>>,
    marks: Marks,
}

impl<'a> Reading<'a> {
    fn new(repo: &'a Repo, index: &'a Index) -> Self {
        let (kept, received) = (BTreeMap::new(), BTreeMap::new());
        Self { repo, index, kept, received, revoked: None, marks: Marks::default() }
    }

    fn run(mut self, always_holds: bool) -> Result<Marks, IndexError> {
        let names = self.names(prefix::TOMBS)?;
        self.fetch_unknown::<Tomb>(&names)?;
        for name in names {
            if let ObjectName::Tomb(session, _) = name
                && let Some(tomb) = self.read_or_ignore::<Tomb>(&name)?
            {
                self.marks.tombs.entry(session).or_insert(tomb);
            }
        }
        if always_holds || !self.marks.tombs.is_empty() {
            self.read_holds()?;
        }
        Ok(self.marks)
    }

    fn read_holds(&mut self) -> Result<(), IndexError> {
        let (holds, releases): (Vec<_>, Vec<_>) = self
            .names(prefix::HOLDS)?
            .into_iter()
            .partition(|name| matches!(name, ObjectName::Hold(_)));
        self.read_releases(releases)?;
        for name in holds {
            let ObjectName::Hold(id) = name else { continue };
            if self.marks.releases.contains_key(&id) {
                continue;
            }
            match self.read::<Hold>(&name) {
                Ok(Some(hold)) => {
                    self.marks.held.extend(&hold.snapshots);
                    self.marks.holds.insert(id, hold);
                }
                Ok(None) => {}
                Err(error) => self.marks.damaged.push((id, of_one_object(error)?)),
            }
        }
        Ok(())
    }

    /// Where it takes two to release a hold, a release that one has signed counts for nothing.
    fn read_releases(&mut self, names: Vec<ObjectName>) -> Result<(), IndexError> {
        if names.is_empty() {
            return Ok(());
        }
        let consents = Consents::read(self.repo, self.index)?;
        for name in names {
            let Some(release) = self.read_or_ignore::<Release>(&name)? else { continue };
            let received = self.received.get(&name).copied();
            if consents.lets_go(release.hold, release.by, received) {
                self.marks.releases.entry(release.hold).or_insert(release);
            } else {
                let why = "nobody else has agreed to it".to_owned();
                self.marks.ignored.push((name.key(), why));
            }
        }
        Ok(())
    }

    /// What the store lists below `below`, and what this machine remembers.
    fn names(&mut self, below: &str) -> Result<BTreeSet<ObjectName>, IndexError> {
        let mut names = BTreeSet::new();
        self.repo
            .store()
            .list_each(below, &mut |object| {
                names.extend(object.name);
                self.received.extend(object.name.map(|name| (name, object.modified)));
                true
            })
            .map_err(RepoError::from)?;
        self.kept = self.index.kept_marks(below)?;
        for key in self.kept.keys() {
            if let Some(name) = ObjectName::parse(key).filter(|name| names.insert(*name)) {
                self.marks.missing.push(name.key());
            }
        }
        Ok(names)
    }

    /// Reads marks that this machine does not have, many at once. Those that do not count or cannot
    /// be read are met again one by one.
    fn fetch_unknown<T: MarkRecord + Send>(
        &mut self,
        names: &BTreeSet<ObjectName>,
    ) -> Result<(), IndexError> {
        let (repo, index) = (self.repo, self.index);
        let is_unknown = |name: &&ObjectName| !self.kept.contains_key(&name.key());
        let unknown: Vec<ObjectName> = names.iter().filter(is_unknown).copied().collect();
        if !unknown.is_empty() && self.revoked.is_none() {
            // After the marks were listed: what was revoked before one of them is seen.
            self.revoked = Some(clients::revoked_since(repo, index)?);
        }
        let read = |name: &ObjectName| marks::get::<T>(repo, name);
        fetch_all(repo, Kind::Records, &unknown, read, |name, fetched| match fetched {
            Ok(Mark::Genuine(record)) if self.is_late(&name, &record) => Ok(()),
            Ok(Mark::Genuine(record)) => {
                let (key, bytes) = (name.key(), encode_record(&record));
                index.keep_mark(&key, &bytes)?;
                self.kept.insert(key, bytes);
                Ok(())
            }
            Ok(Mark::Powerless { .. }) => Ok(()),
            Err(error) if is_of_one_object(&error) => Ok(()),
            Err(error) => Err(error.into()),
        })
    }

    /// A mark that counts, `None` if its signer may not put it up; what cannot be read is an error.
    fn read<T: MarkRecord>(&mut self, name: &ObjectName) -> Result<Option<T>, IndexError> {
        let key = name.key();
        // A record that does not decode any more was kept by another version: read it again.
        let kept = self.kept.get(&key);
        if let Some(record) = kept.and_then(|bytes| decode_record(bytes, T::KIND.what()).ok()) {
            return Ok(Some(record));
        }
        match marks::get::<T>(self.repo, name)? {
            Mark::Genuine(record) if self.is_late(name, &record) => {
                let why =
                    format!("it was signed by {}, a client that was revoked before", record.by());
                self.marks.ignored.push((key, why));
                Ok(None)
            }
            Mark::Genuine(record) => {
                self.index.keep_mark(&key, &encode_record(&record))?;
                Ok(Some(record))
            }
            Mark::Powerless { by, role } => {
                let why = format!("it was signed by {by}, a key with the role {}", role.name());
                self.marks.ignored.push((key, why));
                Ok(None)
            }
        }
    }

    /// Whether its client was revoked before the store received it. A hold counts all the same: that
    /// something stays is the safe side, and the administrator can release it.
    fn is_late<T: MarkRecord>(&self, name: &ObjectName, record: &T) -> bool {
        let revoked = self.revoked.as_ref().and_then(|all| all.get(&record.by()));
        let received = self.received.get(name);
        !matches!(name, ObjectName::Hold(_))
            && revoked.zip(received).is_some_and(|(revoked, received)| received >= revoked)
    }

    /// As [`Reading::read`], and what cannot be read is passed over.
    fn read_or_ignore<T: MarkRecord>(
        &mut self,
        name: &ObjectName,
    ) -> Result<Option<T>, IndexError> {
        self.read(name).or_else(|error| {
            let error = of_one_object(error)?;
            self.marks.ignored.push((name.key(), error.to_string()));
            Ok(None)
        })
    }
}

/// The error again if it hurts one object, otherwise it ends the reading.
fn of_one_object(error: IndexError) -> Result<RepoError, IndexError> {
    match error {
        IndexError::Repo(error)
            if matches!(
                error.class(),
                ErrorClass::Corrupt | ErrorClass::Missing | ErrorClass::Newer
            ) =>
        {
            Ok(error)
        }
        error => Err(error),
    }
}

/// The tags of snapshots that were changed after they were made.
#[derive(Debug, Default)]
pub struct TagChanges {
    records: BTreeMap<SessionId, BTreeMap<Nonce8, TagRecord>>,
}

impl TagChanges {
    /// Reads all tag records. Those that cannot be read or count for nothing are passed over.
    ///
    /// # Errors
    /// Those of the store and of the database.
    pub fn read(repo: &Repo, index: &Index) -> Result<Self, IndexError> {
        let mut reading = Reading::new(repo, index);
        let mut records: BTreeMap<SessionId, BTreeMap<Nonce8, TagRecord>> = BTreeMap::new();
        let names = reading.names(prefix::TAGS)?;
        reading.fetch_unknown::<TagRecord>(&names)?;
        for name in names {
            if let ObjectName::Tags(session, random) = name
                && let Some(record) = reading.read_or_ignore::<TagRecord>(&name)?
            {
                records.entry(session).or_default().insert(random, record);
            }
        }
        Ok(Self { records })
    }

    /// The tags in force, given those in the snapshot's own record.
    #[must_use]
    pub fn of(&self, session: SessionId, original: &[String]) -> Vec<String> {
        let heads = self.heads(session);
        if heads.is_empty() {
            return original.to_vec();
        }
        let tags: BTreeSet<&String> = heads.iter().flat_map(|(_, record)| &record.tags).collect();
        tags.into_iter().cloned().collect()
    }

    /// The random parts of the records in force: what a new record replaces.
    #[must_use]
    pub fn replaced_by_next(&self, session: SessionId) -> Vec<Nonce8> {
        self.heads(session).iter().map(|(random, _)| *random).collect()
    }

    fn heads(&self, session: SessionId) -> Vec<(Nonce8, &TagRecord)> {
        let Some(records) = self.records.get(&session) else { return Vec::new() };
        let replaced: BTreeSet<Nonce8> =
            records.values().flat_map(|record| record.replaces.iter().copied()).collect();
        let heads = records.iter().filter(|(random, _)| !replaced.contains(*random));
        heads.map(|(random, record)| (*random, record)).collect()
    }
}

impl Index {
    /// Keeps the record of a mark that was verified, for ever: the store cannot take it back.
    ///
    /// # Errors
    /// [`IndexError::Database`] if the database fails.
    pub fn keep_mark(&self, key: &str, record: &[u8]) -> Result<(), IndexError> {
        self.write(|transaction| {
            let sql = "INSERT OR REPLACE INTO mark (key, record) VALUES (?1, ?2)";
            transaction.prepare_cached(sql)?.execute((key, record))?;
            Ok(())
        })
    }

    /// The kept records of all marks whose keys begin with `below`, by key.
    ///
    /// # Errors
    /// [`IndexError`] if the database fails or is damaged.
    pub fn kept_marks(&self, below: &str) -> Result<BTreeMap<String, Vec<u8>>, IndexError> {
        self.read(|connection| {
            let sql = "SELECT key, record FROM mark WHERE substr(key, 1, ?1) = ?2";
            let mut statement = connection.prepare_cached(sql)?;
            let rows = statement
                .query_map((below.len() as i64, below), |row| Ok((row.get(0)?, row.get(1)?)))?;
            Ok(rows.collect::<Result<_, _>>()?)
        })
    }
}
