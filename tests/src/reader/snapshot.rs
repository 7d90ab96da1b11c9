//! Snapshot records.

use crate::reader::Result;
use crate::reader::cbor::Value;
use crate::reader::disk::hex;
use crate::reader::key::{Keys, bind};

/// What the sealed part is opened with.
pub(super) struct Opening<'a> {
    /// The keys in use.
    pub(super) keys: &'a Keys,
    /// The repository.
    pub(super) repository: &'a [u8; 16],
    /// The key of the commit object.
    pub(super) name: &'a str,
    /// The epoch of that object.
    pub(super) epoch: u32,
}

impl Opening<'_> {
    /// The record in the sealed part.
    pub(super) fn open(&self, sealed: &[u8]) -> Result<Value> {
        let seed = self.keys.seed(2, self.epoch)?.ok_or("this role cannot read names")?;
        let bound = |purpose| bind(purpose, self.repository, self.name, &[]);
        self.keys.open_part(seed, &bound("private key"), &bound("private"), sealed)
    }
}

/// A confirmed snapshot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Snapshot {
    /// Its session's id.
    pub session: [u8; 24],
    /// Root of its tree.
    pub root: [u8; 32],
    /// Hash of its commit object.
    pub commit: [u8; 32],
    /// Hash of the client's previous commit object.
    pub previous: Option<[u8; 32]>,
    /// Host.
    pub host: String,
    /// Paths that were asked for.
    pub paths: Vec<Vec<u8>>,
    /// 1 complete, 2 complete with notes, 3 partial.
    pub state: u64,
    /// Entries in its tree, as the summary says.
    pub entry_count: u64,
}

impl Snapshot {
    /// Takes a record that was verified; `session` is the hex in its key.
    pub(super) fn read(
        record: &Value,
        opening: &Opening<'_>,
        session: &str,
        commit: [u8; 32],
    ) -> Result<Self> {
        let private = opening.open(record.field(1)?.bytes()?)?;
        let record = record.field(0)?;
        if [5, 16, 22].iter().any(|field| record.optional(*field).is_some()) {
            return Err(format!("the record of {session} tells everybody too much"));
        }
        let id: [u8; 24] = record.field(1)?.array()?;
        let belongs = record.field(0)?.bytes()? == opening.repository
            && hex(&id) == session
            && record.field(2)?.bytes()? == &id[..8];
        if !belongs {
            return Err(format!("the record of {session} is of another snapshot"));
        }
        let paths = record.field(7)?.items()?.iter();
        let entries = record.field(13)?.optional(8).map_or(Ok(0), Value::uint)?;
        Ok(Self {
            session: id,
            root: private.field(0)?.array()?,
            commit,
            previous: record.optional(3).map(Value::array).transpose()?,
            host: record.field(6)?.text()?.to_owned(),
            paths: paths.map(|path| path.bytes().map(<[u8]>::to_vec)).collect::<Result<_>>()?,
            state: record.field(14)?.uint()?,
            entry_count: entries,
        })
    }
}
