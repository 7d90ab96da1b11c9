//! Chains of evidence in a repository, with a copy on this machine.
//!
//! The copy is a pin: what this machine has once seen of any chain must stay in the store as it
//! was. A store that was put back to an older state, or that shows another record in its place, is
//! found by comparing. Losing the copy loses the pins, no evidence; losing the store's none seen here.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use engine::base::error::{Classified, ErrorClass};
use engine::base::id::ClientId;
use engine::base::time::Timestamp;
use engine::format::snapshot::EvidenceHead;
use engine::repo::error::RepoError;
use engine::repo::keyring::Identity;
use engine::repo::{PROGRAM, Repo, evidence, object};

use crate::evidence::chain::{ChainKey, Flaw, FlawKind, verify_chain};
use crate::evidence::copy::{CopyError, LocalCopy};
use crate::evidence::event::{Event, may_write};
use crate::evidence::record::{
    HEADS_MAX, Hash32, RECORD_VERSION, Record, Reference, SignedRecord, Writer, encode, record_key,
};
use crate::evidence::revoked::{Endings, verify_parted};
use crate::evidence::writers::{endings, role_number};

/// Signed bytes that are held in memory: drills of twenty systems each day make as much in ten
/// years.
const HELD_MAX_BYTES: u64 = 256 << 20;
/// How often a record is written again because another machine took its number.
const APPEND_ATTEMPTS: u32 = 4;

/// Why evidence cannot be read or written.
#[derive(Debug, thiserror::Error)]
pub enum ShelfError {
    /// Keys, records or the store.
    #[error(transparent)]
    Repo(#[from] RepoError),
    /// The copy on this machine.
    #[error(transparent)]
    Copy(#[from] CopyError),
    /// Another run wrote under this name.
    #[error("another machine writes evidence with this key: {key} is there already")]
    Fork {
        /// The key in the store.
        key: String,
    },
    /// Another process of this machine writes.
    #[error("another run on this machine writes evidence")]
    Busy,
    /// Too many events wait on this machine.
    #[error("{count} events wait on this machine already, and none more is kept")]
    QueueFull {
        /// How many.
        count: usize,
    },
    /// More records than fit into memory.
    #[error("the repository holds more than {max_bytes} bytes of evidence")]
    TooMuch {
        /// The limit.
        max_bytes: u64,
    },
    /// There is no such record.
    #[error("there is no evidence {wanted}")]
    NoSuch {
        /// What was asked for.
        wanted: String,
    },
}

impl Classified for ShelfError {
    fn class(&self) -> ErrorClass {
        match self {
            Self::Repo(error) => error.class(),
            Self::Copy(_) => ErrorClass::Local,
            Self::Fork { .. } | Self::Busy => ErrorClass::Conflict,
            Self::TooMuch { .. } | Self::QueueFull { .. } => ErrorClass::Local,
            Self::NoSuch { .. } => ErrorClass::Usage,
        }
    }
}

/// All chains, verified.
pub struct Shelf<'a> {
    repo: &'a Repo,
    copy: LocalCopy,
    held_bytes: u64,
    chains: BTreeMap<Writer, Vec<SignedRecord>>,
    roles: BTreeMap<Writer, u8>,
    endings: Endings,
    flaws: Vec<Flaw>,
}

/// Whom a record names as its cause.
#[derive(Clone, Copy)]
pub struct Author<'a> {
    /// Who signs.
    pub identity: &'a Identity,
    /// A person or a job.
    pub actor: &'a str,
    /// This machine.
    pub host: &'a str,
}

impl<'a> Shelf<'a> {
    /// Reads the chains: what is new from the store, the rest from `state`, whose `proof` folder is
    /// made if need be. What is wrong with them is in [`Shelf::flaws`].
    ///
    /// # Errors
    /// Those of the store and of the local files.
    pub fn open(repo: &'a Repo, state: &Path) -> Result<Self, ShelfError> {
        let mut shelf = Self::empty(repo, state)?;
        let mut stored = evidence::list(repo)?;
        shelf.endings = endings(repo)?;
        for writer in shelf.copy.writers()? {
            let listed = stored.remove(&ClientId::new(writer.0)).unwrap_or_default();
            let mut records = Vec::new();
            let mut bytes = shelf.held_bytes;
            shelf.copy.each(writer, &mut |signed| {
                bytes += signed.len() as u64;
                if bytes <= HELD_MAX_BYTES {
                    records.push(signed);
                }
            })?;
            shelf.hold(bytes - shelf.held_bytes)?;
            shelf.take(writer, records, &listed)?;
        }
        for (writer, listed) in stored {
            shelf.take(Writer(*writer.as_bytes()), Vec::new(), &listed)?;
        }
        Ok(shelf)
    }

    /// Only what it takes to append to the chain of `own`: its end, and of other chains what this
    /// machine has seen of them before. One listing, and no request for a record that is known.
    ///
    /// # Errors
    /// Those of the store and of the local files.
    pub fn open_end(repo: &'a Repo, state: &Path, own: &Identity) -> Result<Self, ShelfError> {
        let mut shelf = Self::empty(repo, state)?;
        shelf.chains = shelf.copy.heads()?.into_iter().map(|(id, head)| (id, vec![head])).collect();
        shelf.catch_up(own)?;
        Ok(shelf)
    }

    fn empty(repo: &'a Repo, state: &Path) -> Result<Self, ShelfError> {
        let copy = LocalCopy::open(state)?;
        let (chains, roles, endings) = (BTreeMap::new(), BTreeMap::new(), Endings::default());
        Ok(Self { repo, copy, held_bytes: 0, chains, roles, endings, flaws: Vec::new() })
    }

    fn hold(&mut self, bytes: u64) -> Result<(), ShelfError> {
        self.held_bytes += bytes;
        match self.held_bytes > HELD_MAX_BYTES {
            true => Err(ShelfError::TooMuch { max_bytes: HELD_MAX_BYTES }),
            false => Ok(()),
        }
    }

    /// Reads what another machine wrote into the own chain meanwhile.
    fn catch_up(&mut self, own: &Identity) -> Result<(), ShelfError> {
        let writer = Writer(*own.client.as_bytes());
        let listed = evidence::list_of(self.repo, own.client)?;
        let next = self.head(writer).map_or(0, |head| head.record.number + 1);
        let mut new = BTreeMap::new();
        for number in listed.into_iter().filter(|number| *number >= next) {
            let signed = evidence::get_by(self.repo, own, number)?;
            self.hold(signed.len() as u64)?;
            new.insert(number, signed);
        }
        let public = own.signing.public();
        let repository = self.repo.config().repository;
        let key = ChainKey { repository: repository.as_bytes(), writer, public: &public };
        let before = self.flaws.len();
        let good = verify_chain(key, new, Some(self.previous(writer)), &mut self.flaws);
        if self.flaws.len() == before {
            self.copy.keep(writer, &good)?;
            self.chains.entry(writer).or_default().extend(good);
        }
        Ok(())
    }

    /// Reads every record from the store again, whether it is known or not, and says what is wrong.
    ///
    /// # Errors
    /// Those of the store.
    pub fn compare_with_store(&self) -> Result<Vec<Flaw>, ShelfError> {
        let mut flaws = self.flaws.clone();
        for (writer, chain) in &self.chains {
            for known in chain {
                let number = known.record.number;
                let place = record_key(*writer, number);
                match evidence::get(self.repo, ClientId::new(writer.0), number) {
                    Ok(signed) if signed == known.signed => {}
                    Ok(_) => {
                        let why = "the store has another record here than this machine has seen";
                        flaws.push(Flaw::new(FlawKind::Forked, place, why));
                    }
                    Err(error) => flaws.push(flaw_of(place, error)?),
                }
            }
        }
        flaws.sort();
        flaws.dedup();
        Ok(flaws)
    }

    /// The chains by writer.
    #[must_use]
    pub fn chains(&self) -> &BTreeMap<Writer, Vec<SignedRecord>> {
        &self.chains
    }

    /// All records that count, oldest first by their own times.
    #[must_use]
    pub fn records(&self) -> Vec<&SignedRecord> {
        // A chain whose role was not asked for is the own one, or was taken from the copy.
        let counts = |one: &&SignedRecord| {
            let role = self.roles.get(&one.record.writer);
            role.is_none_or(|role| may_write(*role, &one.record.event)) && !self.is_late(one)
        };
        let mut all: Vec<&SignedRecord> = self.chains.values().flatten().filter(counts).collect();
        all.sort_by_key(|one| (one.record.at_ms, one.record.writer, one.record.number));
        all
    }

    /// Records that their writers signed after they were revoked: they count for nothing.
    #[must_use]
    pub fn late(&self) -> Vec<&SignedRecord> {
        self.chains.values().flatten().filter(|one| self.is_late(one)).collect()
    }

    fn is_late(&self, one: &SignedRecord) -> bool {
        let writer = one.record.writer;
        let chain = self.chains.get(&writer).map(Vec::as_slice).unwrap_or_default();
        let first = self.endings.first_late_of(writer, chain);
        first.is_some_and(|first| one.record.number >= first)
    }

    /// What is wrong with the chains, as far as was looked.
    #[must_use]
    pub fn flaws(&self) -> &[Flaw] {
        &self.flaws
    }

    /// The newest record of a chain.
    #[must_use]
    pub fn head(&self, writer: Writer) -> Option<&SignedRecord> {
        self.chains.get(&writer).and_then(|chain| chain.last())
    }

    /// The hash that the next record of a chain will name; zero for a chain that is not begun.
    #[must_use]
    pub fn previous(&self, writer: Writer) -> Hash32 {
        self.head(writer).map(|head| head.hash).unwrap_or_default()
    }

    /// A record by `writer/number`, or by its number if there is one chain.
    ///
    /// # Errors
    /// [`ShelfError::NoSuch`].
    pub fn find(&self, wanted: &str) -> Result<&SignedRecord, ShelfError> {
        let no_such = || ShelfError::NoSuch { wanted: wanted.to_owned() };
        let (writer, number) = match wanted.split_once('/') {
            Some((writer, number)) => (writer, number),
            None if self.chains.len() == 1 => ("", wanted),
            None => return Err(no_such()),
        };
        let number: u32 = number.parse().map_err(|_| no_such())?;
        let mut matching = self.chains.iter().filter(|(id, _)| id.to_string().starts_with(writer));
        let (Some((_, chain)), None) = (matching.next(), matching.next()) else {
            return Err(no_such());
        };
        chain.iter().find(|one| one.record.number == number).ok_or_else(no_such)
    }

    /// Signs and stores the next record of the author's chain; the disk has the copy before this
    /// returns. If another machine with the same key took the number meanwhile, the record follows
    /// that one.
    ///
    /// # Errors
    /// [`ShelfError::Busy`] if another process of this machine writes; [`ShelfError::Fork`] if the
    /// number is taken again and again; errors of the store and of the local file.
    pub fn append(
        &mut self,
        author: &Author<'_>,
        event: &Event,
    ) -> Result<SignedRecord, ShelfError> {
        for _ in 1..APPEND_ATTEMPTS {
            match self.append_here(author, event) {
                Err(ShelfError::Fork { .. }) => self.catch_up(author.identity)?,
                done => return done,
            }
        }
        self.append_here(author, event)
    }

    /// As [`Shelf::append`], but only behind the record that is the head now: for what follows from
    /// that record's hash.
    ///
    /// # Errors
    /// [`ShelfError::Fork`] if another machine wrote meanwhile; otherwise as [`Shelf::append`].
    pub fn append_here(
        &mut self,
        author: &Author<'_>,
        event: &Event,
    ) -> Result<SignedRecord, ShelfError> {
        if !self.copy.is_ours() {
            return Err(ShelfError::Busy);
        }
        let writer = Writer(*author.identity.client.as_bytes());
        let head = self.head(writer);
        let number = head.map_or(0, |head| head.record.number + 1);
        let record = Record {
            version: RECORD_VERSION,
            repository: *self.repo.config().repository.as_bytes(),
            writer,
            number,
            previous: self.previous(writer),
            at_ms: millis(self.repo.clock().now()),
            actor: author.actor.to_owned(),
            host: author.host.to_owned(),
            program: PROGRAM.to_owned(),
            heads: self.other_heads(writer),
            event: event.name().to_owned(),
            body: event.body(),
            heads_ms: Vec::new(),
        };
        let signed = evidence::put(self.repo, author.identity, number, &encode(&record));
        let signed = signed.map_err(|error| match error.class() {
            ErrorClass::Conflict => ShelfError::Fork { key: record_key(writer, number) },
            _ => error.into(),
        })?;
        let hash = Hash32::of(&signed);
        let one = SignedRecord { signed, record, hash };
        self.copy.keep(writer, std::slice::from_ref(&one))?;
        self.chains.entry(writer).or_default().push(one.clone());
        Ok(one)
    }

    /// Compares with heads that snapshots name: what a client once knew of must still be there.
    #[must_use]
    pub fn compare_with_snapshots<'s>(
        &self,
        named: impl IntoIterator<Item = (&'s str, &'s [EvidenceHead])>,
    ) -> Vec<Flaw> {
        let mut flaws = BTreeSet::new();
        for (by, heads) in named {
            for head in heads {
                let writer = Writer(*head.writer.as_bytes());
                let chain = self.chains.get(&writer).map(Vec::as_slice).unwrap_or_default();
                let at = chain.binary_search_by_key(&head.number, |one| one.record.number);
                let place = record_key(writer, head.number);
                match at.map(|at| chain[at].hash.0 == *head.hash.as_bytes()) {
                    Ok(true) => {}
                    Ok(false) => {
                        let why = format!("snapshot {by} knew another record here");
                        flaws.insert(Flaw::new(FlawKind::Forked, place, why));
                    }
                    Err(_) => {
                        let why = format!("snapshot {by} knew this record, and it is gone");
                        flaws.insert(Flaw::new(FlawKind::Truncated, place, why));
                    }
                }
            }
        }
        flaws.into_iter().collect()
    }

    /// Visits what this machine has kept of a chain, in order.
    ///
    /// # Errors
    /// If the copy cannot be read.
    pub fn each_kept(
        &self,
        writer: Writer,
        visit: &mut dyn FnMut(SignedRecord),
    ) -> Result<(), ShelfError> {
        self.copy.each(writer, &mut |signed| {
            if let Ok(one) = SignedRecord::parse(signed) {
                visit(one);
            }
        })?;
        Ok(())
    }

    /// The record of a chain with this event, if this machine has kept one.
    ///
    /// # Errors
    /// If the copy cannot be read.
    pub fn kept(
        &self,
        writer: Writer,
        event: &str,
        body: &[u8],
    ) -> Result<Option<Reference>, ShelfError> {
        let mut found = None;
        self.each_kept(writer, &mut |one| {
            if one.record.event == event && one.record.body == body {
                found = Some(one.reference());
            }
        })?;
        Ok(found)
    }

    /// The signed bytes of a record that this machine has kept.
    ///
    /// # Errors
    /// [`ShelfError::NoSuch`]; if the copy cannot be read.
    pub fn signed(&self, at: Reference) -> Result<Vec<u8>, ShelfError> {
        let mut found = None;
        self.each_kept(at.writer, &mut |one| {
            if one.reference() == at {
                found = Some(one.signed);
            }
        })?;
        found.ok_or_else(|| ShelfError::NoSuch { wanted: at.to_string() })
    }

    fn other_heads(&self, own: Writer) -> Vec<Reference> {
        let others = self.chains.iter().filter(|(writer, _)| **writer != own);
        let last = |chain: &'_ Vec<SignedRecord>| chain.iter().rposition(|one| !self.is_late(one));
        let mut heads: Vec<_> =
            others.filter_map(|(_, chain)| last(chain).map(|at| &chain[at])).collect();
        heads.sort_by_key(|head| std::cmp::Reverse(head.record.at_ms));
        heads.iter().take(HEADS_MAX).map(|head| head.reference()).collect()
    }

    /// Joins what was kept of a chain with what a listing shows of it.
    fn take(
        &mut self,
        writer: Writer,
        kept: Vec<Vec<u8>>,
        listed: &[u32],
    ) -> Result<(), ShelfError> {
        let client = ClientId::new(writer.0);
        let known = match object::client(self.repo, client) {
            Ok(known) => known,
            Err(error) => {
                self.flaws.push(flaw_of(format!("clients/{writer}"), error)?);
                return Ok(());
            }
        };
        let kept_count = kept.len() as u32;
        let mut all: BTreeMap<u32, Vec<u8>> = (0..).zip(kept).collect();
        for number in (0..kept_count).filter(|number| listed.binary_search(number).is_err()) {
            let why = "this machine has seen this record, and it is gone from the store";
            self.flaws.push(Flaw::new(FlawKind::Truncated, record_key(writer, number), why));
        }
        let mut fetched = 0;
        for number in listed.iter().copied().filter(|number| *number >= kept_count) {
            match evidence::get(self.repo, client, number) {
                Ok(signed) => {
                    fetched += 1;
                    self.hold(signed.len() as u64)?;
                    all.insert(number, signed);
                }
                Err(error) => self.flaws.push(flaw_of(record_key(writer, number), error)?),
            }
        }
        let key = ChainKey {
            repository: self.repo.config().repository.as_bytes(),
            writer,
            public: &known.verifying_key,
        };
        let (before, zero) = (self.flaws.len(), Some(Hash32::default()));
        let mut good = verify_parted(key, all, zero, &self.endings, &mut self.flaws);
        let count = good.counted.len() + good.late.len();
        if self.flaws.len() == before && count as u32 == kept_count + fetched {
            let new = good.counted.get(kept_count as usize..);
            self.copy.keep(writer, new.unwrap_or_default())?;
        }
        let role = role_number(known.role);
        for one in good.counted.iter().filter(|one| !may_write(role, &one.record.event)) {
            let place = record_key(writer, one.record.number);
            let why = format!("a client of this role may not write {}", one.record.event);
            self.flaws.push(Flaw::new(FlawKind::Untrusted, place, why));
        }
        self.roles.insert(writer, role);
        good.counted.append(&mut good.late);
        self.chains.insert(writer, good.counted);
        Ok(())
    }
}

/// Errors that concern one object are flaws; the others stop the work.
fn flaw_of(place: String, error: RepoError) -> Result<Flaw, ShelfError> {
    match error.class() {
        ErrorClass::Corrupt => Ok(Flaw::new(FlawKind::Edited, place, error.to_string())),
        ErrorClass::Missing => Ok(Flaw::new(FlawKind::Missing, place, error.to_string())),
        _ => Err(error.into()),
    }
}

/// A point in time as records have it.
#[must_use]
pub fn millis(time: Timestamp) -> i64 {
    time.seconds * 1000 + i64::from(time.nanos / 1_000_000)
}
