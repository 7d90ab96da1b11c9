//! Whether the records of one writer are one unbroken chain, and what is wrong if not.

use std::fmt;

use crate::evidence::record::{
    EVIDENCE_KIND, Hash32, SignedRecord, Writer, is_signed_by, record_key,
};

/// What can be wrong with evidence.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum FlawKind {
    /// The file that holds the bundle is not spelled as it was written.
    Container,
    /// Bytes are not those that were signed.
    Edited,
    /// Something is not there.
    Missing,
    /// A record stands in another's place.
    Misplaced,
    /// Two records claim one place, or one names a past that is not this one.
    Forked,
    /// The end is cut off.
    Truncated,
    /// Something is there that does not belong.
    Foreign,
    /// Nobody who is trusted vouches for a key.
    Untrusted,
    /// The sample or a result does not follow from what was signed.
    Derivation,
}

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Flaw {
    /// What kind of thing.
    pub kind: FlawKind,
    /// Where.
    pub place: String,
    /// What, in words.
    pub why: String,
}

impl Flaw {
    /// A flaw.
    pub fn new(kind: FlawKind, place: impl Into<String>, why: impl Into<String>) -> Self {
        Self { kind, place: place.into(), why: why.into() }
    }
}

impl fmt::Display for Flaw {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}: {}", self.place, self.why)
    }
}

/// Whose chain it is, and what verifies it.
#[derive(Debug, Clone, Copy)]
pub struct ChainKey<'a> {
    /// The repository.
    pub repository: &'a [u8; 16],
    /// The writer.
    pub writer: Writer,
    /// The writer's public key.
    pub public: &'a [u8; 32],
}

/// Verifies signed records that should follow each other without a gap; `records` come with the
/// numbers under which they were found, in order. `before` is the hash of the record before the
/// first, where it is known: for the record 0 it is zero.
///
/// Returns those that are good; what is wrong goes to `flaws`.
pub fn verify_chain(
    key: ChainKey<'_>,
    records: impl IntoIterator<Item = (u32, Vec<u8>)>,
    before: Option<Hash32>,
    flaws: &mut Vec<Flaw>,
) -> Vec<SignedRecord> {
    let mut good: Vec<SignedRecord> = Vec::new();
    let mut expected = before;
    let mut next = None;
    for (number, signed) in records {
        let place = record_key(key.writer, number);
        if let Some(next) = next.filter(|next| *next != number) {
            let missing = record_key(key.writer, next);
            flaws.push(Flaw::new(FlawKind::Missing, missing, "this record is not there"));
            expected = None;
        }
        next = number.checked_add(1);
        match verify_one(key, number, signed) {
            Err(flaw) => {
                flaws.push(flaw);
                expected = None;
            }
            Ok(record) => {
                let first = (number == 0).then(Hash32::default);
                if expected.or(first).is_some_and(|hash| hash != record.record.previous) {
                    let why = "it follows another record than the one that stands before it";
                    flaws.push(Flaw::new(FlawKind::Forked, place, why));
                }
                expected = Some(record.hash);
                good.push(record);
            }
        }
    }
    good
}

fn verify_one(key: ChainKey<'_>, number: u32, signed: Vec<u8>) -> Result<SignedRecord, Flaw> {
    let place = record_key(key.writer, number);
    let flaw = |kind, why: &str| Flaw::new(kind, place.clone(), why);
    let is_signed = |at: &str| is_signed_by(key.public, key.repository, at, EVIDENCE_KIND, &signed);
    if !is_signed(&place) {
        // Whole, but taken from elsewhere in the chain?
        if let Ok(other) = SignedRecord::parse(signed.clone())
            && is_signed(&record_key(key.writer, other.record.number))
        {
            let why = format!("record {} of the chain stands here", other.record.number);
            return Err(flaw(FlawKind::Misplaced, &why));
        }
        return Err(flaw(FlawKind::Edited, "its signature is wrong"));
    }
    let record = SignedRecord::parse(signed).map_err(|why| flaw(FlawKind::Edited, &why))?;
    let belongs = record.record.writer == key.writer
        && record.record.number == number
        && record.record.repository == *key.repository;
    match belongs {
        true => Ok(record),
        false => Err(flaw(FlawKind::Misplaced, "it says that it belongs elsewhere")),
    }
}
