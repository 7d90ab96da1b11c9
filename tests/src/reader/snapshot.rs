//! Snapshot records.

use crate::reader::Result;
use crate::reader::cbor::Value;
use crate::reader::disk::hex;

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
        repository: &[u8; 16],
        session: &str,
        commit: [u8; 32],
    ) -> Result<Self> {
        let id: [u8; 24] = record.field(1)?.array()?;
        let belongs = record.field(0)?.bytes()? == repository
            && hex(&id) == session
            && record.field(2)?.bytes()? == &id[..8];
        if !belongs {
            return Err(format!("the record of {session} is of another snapshot"));
        }
        let paths = record.field(7)?.items()?.iter();
        let entries = record.field(13)?.optional(8).map_or(Ok(0), Value::uint)?;
        Ok(Self {
            session: id,
            root: record.field(5)?.array()?,
            commit,
            previous: record.optional(3).map(Value::array).transpose()?,
            host: record.field(6)?.text()?.to_owned(),
            paths: paths.map(|path| path.bytes().map(<[u8]>::to_vec)).collect::<Result<_>>()?,
            state: record.field(14)?.uint()?,
            entry_count: entries,
        })
    }
}
