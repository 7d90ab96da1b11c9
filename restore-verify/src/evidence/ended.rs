//! Writers that were revoked, and the last record of each that counts.

use std::collections::BTreeMap;

use engine::format::machine::LastRecord;
use engine::repo::error::RepoError;
use engine::repo::{Repo, machine};

use crate::evidence::record::{SignedRecord, Writer};

type Chains = BTreeMap<Writer, Vec<SignedRecord>>;

/// The last records that count of writers that were revoked; none if none does.
#[derive(Debug, Default)]
pub(super) struct Ended {
    last: BTreeMap<Writer, Vec<Option<LastRecord>>>,
}

impl Ended {
    /// Reads all revocations. After the records were listed: one that was there before is seen.
    ///
    /// # Errors
    /// Those of the store.
    pub(super) fn read(repo: &Repo) -> Result<Self, RepoError> {
        let mut ended = Self::default();
        for revocation in machine::revocations(repo)? {
            let writer = Writer(*revocation.client.as_bytes());
            ended.last.entry(writer).or_default().push(revocation.evidence);
        }
        Ok(ended)
    }

    /// All records that were signed after their writers were revoked.
    pub(super) fn late<'c>(&self, chains: &'c Chains) -> Vec<&'c SignedRecord> {
        chains.values().flatten().filter(|one| self.is_late(one, chains)).collect()
    }

    /// Whether a record was signed after its writer was revoked. If the last record
    /// that should count is another one, nobody knows what the writer had signed, and none does.
    pub(super) fn is_late(&self, one: &SignedRecord, chains: &Chains) -> bool {
        let all = self.last.get(&one.record.writer).map(Vec::as_slice).unwrap_or_default();
        let chain = chains.get(&one.record.writer).map(Vec::as_slice).unwrap_or_default();
        all.iter().any(|last| match last {
            None => true,
            Some(last) => {
                let is_last = |one: &SignedRecord| one.hash.0 == *last.hash.as_bytes();
                let at = chain.binary_search_by_key(&last.number, |one| one.record.number);
                let is_there = at.ok().is_some_and(|at| is_last(&chain[at]));
                one.record.number > last.number || !is_there
            }
        })
    }
}
