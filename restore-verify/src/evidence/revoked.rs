//! Writers that were revoked: from which record on their chains count for nothing.
//!
//! The administrator signs a revocation under a key of its own beside the client record, with the last
//! evidence that counts, by number and hash. Nobody needs a repository to judge by it.

use std::collections::BTreeMap;

use minicbor::Decode;

use crate::evidence::chain::{ChainKey, Flaw, FlawKind, verify_chain};
use crate::evidence::container::Files;
use crate::evidence::event::{Act, Event};
use crate::evidence::record::{
    Hash32, SIGNATURE_BYTES, SignedRecord, Writer, from_hex, is_signed_by,
};

/// Folder of client records and of what ends them, in the store and in a bundle.
pub const CLIENTS_FOLDER: &str = "clients/";
/// Number of the kind of object that a revocation is, as it is signed.
const REVOCATION_KIND: u8 = 21;
/// What stands between a client and a random part in the name of a revocation.
const INFIX: &str = ".revoked-";
/// What the act of revoking a client is called in evidence.
pub const REVOKED: &str = "revoked";

/// The last record of a chain that counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Decode)]
#[cbor(array)]
pub struct Last {
    /// Its number.
    #[n(0)]
    pub number: u32,
    /// BLAKE3 of its signed bytes.
    #[n(1)]
    pub hash: Hash32,
}

#[derive(Decode)]
#[cbor(array)]
struct Moment {
    #[n(0)]
    seconds: i64,
}

#[derive(Decode)]
#[cbor(map)]
struct RevocationRecord {
    #[n(0)]
    client: Writer,
    #[n(1)]
    at: Moment,
    #[n(2)]
    reason: String,
    #[n(5)]
    evidence: Option<Last>,
}

/// What ended a writer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ending {
    /// When, in seconds since 1970, by the administrator's clock.
    pub at_seconds: i64,
    /// Why, for people.
    pub reason: String,
    /// The last record that counts; `None` if none does.
    pub last: Option<Last>,
}

/// What ended each writer that was revoked, once or more often.
#[derive(Debug, Clone, Default)]
pub struct Endings {
    all: BTreeMap<Writer, Vec<Ending>>,
}

impl Endings {
    /// Adds what ended a writer.
    pub fn add(&mut self, writer: Writer, ending: Ending) {
        self.all.entry(writer).or_default().push(ending);
    }

    /// What ended this writer; nothing if it was not revoked.
    #[must_use]
    pub fn of(&self, writer: Writer) -> &[Ending] {
        self.all.get(&writer).map(Vec::as_slice).unwrap_or_default()
    }

    /// The revocations in a bundle, verified against the administrator's key.
    #[must_use]
    pub fn of_bundle(
        files: &Files,
        repository: &[u8; 16],
        admin_key: &[u8; 32],
        flaws: &mut Vec<Flaw>,
    ) -> Self {
        let mut endings = Self::default();
        for (key, signed) in files {
            let name = key.strip_prefix(CLIENTS_FOLDER).and_then(|name| name.split_once(INFIX));
            let Some((client, _)) = name else { continue };
            let mut wrong = |kind, why| flaws.push(Flaw::new(kind, key, why));
            if !is_signed_by(admin_key, repository, key, REVOCATION_KIND, signed) {
                wrong(FlawKind::Edited, "it is not signed by the administrator");
                continue;
            }
            let body = signed.get(SIGNATURE_BYTES..).unwrap_or_default();
            match minicbor::decode::<RevocationRecord>(body) {
                Ok(record) if record.client.to_string() == client => {
                    let RevocationRecord { client, at, reason, evidence } = record;
                    endings.add(client, Ending { at_seconds: at.seconds, reason, last: evidence });
                }
                Ok(_) => wrong(FlawKind::Misplaced, "it is about another client"),
                Err(_) => wrong(FlawKind::Edited, "it is no revocation"),
            }
        }
        endings
    }

    /// The number from which on nothing counts of a chain; `None` if its writer was not revoked.
    /// `hash_at` is the hash of the record that stands at a place of it. If the last record that should
    /// count is another one, nobody knows what the writer had signed, and none does.
    pub fn first_late(
        &self,
        writer: Writer,
        hash_at: impl Fn(u32) -> Option<Hash32>,
    ) -> Option<u32> {
        let first = |ending: &Ending| match ending.last {
            Some(last) if hash_at(last.number) == Some(last.hash) => last.number.saturating_add(1),
            _ => 0,
        };
        self.of(writer).iter().map(first).min()
    }

    /// The same of a chain in the order of its numbers.
    #[must_use]
    pub fn first_late_of(&self, writer: Writer, chain: &[SignedRecord]) -> Option<u32> {
        self.first_late(writer, |number| {
            let at = chain.binary_search_by_key(&number, |one| one.record.number).ok()?;
            Some(chain[at].hash)
        })
    }
}

/// A chain in two parts.
#[derive(Debug, Default)]
pub struct Parted {
    /// What counts.
    pub counted: Vec<SignedRecord>,
    /// What its writer signed after it was revoked.
    pub late: Vec<SignedRecord>,
}

/// As [`verify_chain`], for a chain whose writer may have been revoked. That what came later does not
/// follow what stands before it is no flaw: whoever has a stolen key could spoil the whole chain.
pub fn verify_parted(
    key: ChainKey<'_>,
    records: impl IntoIterator<Item = (u32, Vec<u8>)>,
    before: Option<Hash32>,
    endings: &Endings,
    flaws: &mut Vec<Flaw>,
) -> Parted {
    let mut records: Vec<_> = records.into_iter().collect();
    let hash_at = |number| {
        let at = records.binary_search_by_key(&number, |(number, _)| *number).ok()?;
        Some(Hash32::of(&records[at].1))
    };
    let late = match endings.first_late(key.writer, hash_at) {
        Some(first) => records.split_off(records.partition_point(|(number, _)| *number < first)),
        None => Vec::new(),
    };
    let counted = verify_chain(key, records, before, flaws);
    let mut of_late = Vec::new();
    let late = verify_chain(key, late, None, &mut of_late);
    let is_harmless = |flaw: &Flaw| matches!(flaw.kind, FlawKind::Forked | FlawKind::Missing);
    flaws.extend(of_late.into_iter().filter(|flaw| !is_harmless(flaw)));
    Parted { counted, late }
}

/// The client that an act of evidence says was revoked.
#[must_use]
pub fn revoked_by(one: &SignedRecord) -> Option<Writer> {
    let Ok(Event::KeyUse(Act { subject, action, .. })) =
        Event::decode(&one.record.event, &one.record.body)
    else {
        return None;
    };
    let id = subject.rsplit(' ').next().and_then(from_hex)?;
    (action == REVOKED).then(|| id.try_into().ok().map(Writer)).flatten()
}

/// What an act of revoking is about, for [`revoked_by`]: a name for people, and the client.
#[must_use]
pub fn subject(name: &str, client: Writer) -> String {
    match name {
        "" => format!("client {client}"),
        name => format!("client {name} {client}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ending(last: Option<(u32, u8)>) -> Ending {
        let last = last.map(|(number, byte)| Last { number, hash: Hash32([byte; 32]) });
        Ending { at_seconds: 0, reason: String::new(), last }
    }

    #[test]
    fn a_chain_counts_up_to_the_earliest_record_that_a_revocation_names() {
        let writer = Writer([1; 8]);
        let there = |number: u32| (number < 9).then_some(Hash32([number as u8; 32]));
        for (given, first) in [
            (&[][..], None),
            (&[Some((3, 3))][..], Some(4)),
            (&[Some((7, 7)), Some((3, 3))][..], Some(4)),
            (&[Some((7, 7)), None][..], Some(0)),
            // Another record stands there, or none.
            (&[Some((3, 4))][..], Some(0)),
            (&[Some((9, 9))][..], Some(0)),
        ] {
            let mut endings = Endings::default();
            given.iter().for_each(|last| endings.add(writer, ending(*last)));
            assert_eq!(endings.first_late(writer, there), first, "{given:?}");
            assert_eq!(endings.first_late(Writer([2; 8]), there), None);
        }
    }

    #[test]
    fn the_subject_of_a_revocation_ends_with_its_client() {
        let client = Writer([0xab; 8]);
        assert_eq!(subject("web 1", client), "client web 1 abababababababab");
        assert_eq!(subject("", client), "client abababababababab");
    }
}
