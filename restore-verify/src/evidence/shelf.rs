//! Chains of evidence in a repository, with a copy on this machine.
//!
//! The copy is a pin: what this machine has once seen of any chain must stay in the store as it
//! was. A store that was put back to an older state, or that shows another record in its place, is
//! found by comparing. Losing the copy loses the pins, no evidence; losing the store's records
//! loses none that was seen here.

use std::collections::BTreeMap;
use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use engine::base::error::{Classified, ErrorClass};
use engine::base::id::ClientId;
use engine::base::limits::CONTROL_MAX_BYTES;
use engine::base::time::Timestamp;
use engine::repo::error::RepoError;
use engine::repo::keyring::Identity;
use engine::repo::{PROGRAM, Repo, evidence, object};

use crate::evidence::chain::{ChainKey, Flaw, FlawKind, verify_chain};
use crate::evidence::event::Event;
use crate::evidence::record::{
    HEADS_MAX, Hash32, RECORD_VERSION, Record, Reference, SignedRecord, Writer, encode, record_key,
};

/// Folder below the state folder of a repository.
const FOLDER: &str = "proof";

/// Why evidence cannot be read or written.
#[derive(Debug, thiserror::Error)]
pub enum ShelfError {
    /// Keys, records or the store.
    #[error(transparent)]
    Repo(#[from] RepoError),
    /// The copy on this machine.
    #[error("{action} {path} failed")]
    File {
        /// What was done.
        action: &'static str,
        /// The file.
        path: PathBuf,
        /// The cause.
        source: std::io::Error,
    },
    /// Another run wrote under this name.
    #[error("another machine writes evidence with this key: {key} is there already")]
    Fork {
        /// The key in the store.
        key: String,
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
            Self::File { .. } => ErrorClass::Local,
            Self::Fork { .. } => ErrorClass::Conflict,
            Self::NoSuch { .. } => ErrorClass::Usage,
        }
    }
}

/// All chains, verified.
pub struct Shelf<'a> {
    repo: &'a Repo,
    folder: PathBuf,
    chains: BTreeMap<Writer, Vec<SignedRecord>>,
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
        let folder = state.join(FOLDER).join("chains");
        DirBuilder::new().recursive(true).mode(0o700).create(&folder).map_err(|source| {
            ShelfError::File { action: "creating", path: folder.clone(), source }
        })?;
        let mut shelf = Self { repo, folder, chains: BTreeMap::new(), flaws: Vec::new() };
        let mut stored = evidence::list(repo)?;
        for (writer, records) in shelf.kept()? {
            let listed = stored.remove(&ClientId::new(writer.0)).unwrap_or_default();
            shelf.take(writer, records, &listed)?;
        }
        for (writer, listed) in stored {
            shelf.take(Writer(*writer.as_bytes()), Vec::new(), &listed)?;
        }
        Ok(shelf)
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

    /// All records, oldest first by their own times.
    #[must_use]
    pub fn records(&self) -> Vec<&SignedRecord> {
        let mut all: Vec<&SignedRecord> = self.chains.values().flatten().collect();
        all.sort_by_key(|one| (one.record.at_ms, one.record.writer, one.record.number));
        all
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
    /// returns.
    ///
    /// # Errors
    /// [`ShelfError::Fork`] if somebody else wrote it; errors of the store and of the local file.
    pub fn append(
        &mut self,
        author: &Author<'_>,
        event: &Event,
    ) -> Result<SignedRecord, ShelfError> {
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
        };
        let signed = evidence::put(self.repo, author.identity, number, &encode(&record));
        let signed = signed.map_err(|error| match error.class() {
            ErrorClass::Conflict => ShelfError::Fork { key: record_key(writer, number) },
            _ => error.into(),
        })?;
        let hash = Hash32::of(&signed);
        let one = SignedRecord { signed, record, hash };
        self.keep(writer, std::slice::from_ref(&one))?;
        self.chains.entry(writer).or_default().push(one.clone());
        Ok(one)
    }

    fn other_heads(&self, own: Writer) -> Vec<Reference> {
        let others = self.chains.iter().filter(|(writer, _)| **writer != own);
        let mut heads: Vec<_> = others.filter_map(|(_, chain)| chain.last()).collect();
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
        for number in (0..kept_count).filter(|number| !listed.contains(number)) {
            let why = "this machine has seen this record, and it is gone from the store";
            self.flaws.push(Flaw::new(FlawKind::Truncated, record_key(writer, number), why));
        }
        let mut fetched = Vec::new();
        for number in listed.iter().copied().filter(|number| *number >= kept_count) {
            match evidence::get(self.repo, client, number) {
                Ok(signed) => {
                    fetched.push(number);
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
        let before = self.flaws.len();
        let good = verify_chain(key, all, Some(Hash32::default()), &mut self.flaws);
        if self.flaws.len() == before && good.len() as u32 == kept_count + fetched.len() as u32 {
            self.keep(writer, &good[kept_count as usize..])?;
        }
        self.chains.insert(writer, good);
        Ok(())
    }

    fn path(&self, writer: Writer) -> PathBuf {
        self.folder.join(writer.to_string())
    }

    /// Appends to the copy on this machine: length as u32 little-endian, signed bytes.
    fn keep(&self, writer: Writer, records: &[SignedRecord]) -> Result<(), ShelfError> {
        if records.is_empty() {
            return Ok(());
        }
        let path = self.path(writer);
        let bytes: Vec<u8> = records
            .iter()
            .flat_map(|one| {
                [&(one.signed.len() as u32).to_le_bytes(), one.signed.as_slice()].concat()
            })
            .collect();
        let append = || -> std::io::Result<()> {
            let mut file = OpenOptions::new().append(true).create(true).mode(0o600).open(&path)?;
            file.write_all(&bytes)?;
            file.sync_all()
        };
        append().map_err(|source| ShelfError::File {
            action: "writing",
            path: path.clone(),
            source,
        })
    }

    /// What was kept, by writer. A copy that a crash cut short ends with its last whole record.
    fn kept(&self) -> Result<BTreeMap<Writer, Vec<Vec<u8>>>, ShelfError> {
        let failed =
            |source| ShelfError::File { action: "reading", path: self.folder.clone(), source };
        let mut chains = BTreeMap::new();
        for entry in std::fs::read_dir(&self.folder).map_err(failed)? {
            let entry = entry.map_err(failed)?;
            let name = entry.file_name().to_string_lossy().into_owned();
            let Ok(client) = ClientId::from_hex(&name) else { continue };
            let writer = Writer(*client.as_bytes());
            let mut file = File::open(entry.path()).map_err(failed)?;
            let mut records = Vec::new();
            let mut whole_bytes = 0;
            while let Some(signed) = read_one(&mut file).map_err(failed)? {
                whole_bytes += 4 + signed.len() as u64;
                records.push(signed);
            }
            if file.metadata().map_err(failed)?.len() != whole_bytes {
                let writable = OpenOptions::new().write(true).open(entry.path()).map_err(failed)?;
                writable.set_len(whole_bytes).map_err(failed)?;
            }
            chains.insert(writer, records);
        }
        Ok(chains)
    }
}

fn read_one(file: &mut File) -> std::io::Result<Option<Vec<u8>>> {
    let mut length = [0; 4];
    let mut record = Vec::new();
    if file.take(4).read(&mut length)? != 4 {
        return Ok(None);
    }
    let length = u32::from_le_bytes(length) as usize;
    if length > CONTROL_MAX_BYTES {
        return Ok(None);
    }
    file.take(length as u64).read_to_end(&mut record)?;
    Ok((record.len() == length).then_some(record))
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
