//! What a snapshot record tells beside tree and numbers: where it is from, what its time is worth,
//! and, for those who may read names, what its content is made of.
//!
//! Each field is optional and none is filled by everybody. All of them are carried by whatever
//! copies or brings back a record.

use minicbor::{Decode, Encode};

use crate::base::id::{Nonce8, RunId};
use crate::base::limits::{
    COUNTS_MAX, EXPECTATIONS_MAX, FACT_MAX_BYTES, SUFFIXES_MAX, VERSIONS_MAX,
};
use crate::base::time::Timestamp;

/// Who says when a snapshot is from, if the machine that commits it did not see that time itself.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct Claim {
    /// The program that brought it, as `restic`.
    #[n(0)]
    pub by: String,
    /// Where it was before: a repository and a name in it.
    #[n(1)]
    pub from: String,
    /// When it was brought here, by the clock of the machine that did.
    #[n(2)]
    pub at: Timestamp,
}

/// What everybody may know who sees snapshots.
#[derive(Debug, Clone, PartialEq, Eq, Default, Encode, Decode)]
#[cbor(map)]
pub struct Facts {
    /// The system that was backed up, as `linux`.
    #[n(0)]
    pub system: Option<String>,
    /// What was backed up, by a name that stays the same when paths change.
    #[n(1)]
    pub source: Option<String>,
    /// Whether two names that differ only in case are one there.
    #[cbor(n(2), default, skip_if = "is_false")]
    pub folds_case: bool,
    /// Whether names are WTF-8: Unicode that may hold half of a surrogate pair.
    #[cbor(n(3), default, skip_if = "is_false")]
    pub has_wtf8_names: bool,
    /// Its time is claimed, not witnessed: it sorts by the claim and never counts for how old the
    /// newest backup may be.
    #[n(4)]
    pub claim: Option<Claim>,
    /// When the store received the registration of its session, by the store's clock.
    #[n(5)]
    pub registered: Option<Timestamp>,
    /// Class of the policy that it is kept by.
    #[n(6)]
    pub class: Option<String>,
    /// The run that made it.
    #[n(7)]
    pub run: Option<RunId>,
}

fn is_false(value: &bool) -> bool {
    !*value
}

impl Facts {
    /// Whether nothing is told.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Whether all of it is as short as it must be.
    #[must_use]
    pub fn is_bounded(&self) -> bool {
        let claim = self.claim.iter().flat_map(|claim| [&claim.by, &claim.from]);
        let texts = [&self.system, &self.source, &self.class].into_iter().flatten().chain(claim);
        are_short(texts)
    }
}

fn are_short<'a>(mut texts: impl Iterator<Item = &'a String>) -> bool {
    texts.all(|text| text.len() <= FACT_MAX_BYTES)
}

/// Files whose names end alike.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct Suffix {
    /// What stands behind the last dot, in lower case; empty for all others.
    #[cbor(n(0), with = "minicbor::bytes")]
    pub suffix: Vec<u8>,
    /// Number of such files.
    #[n(1)]
    pub files: u64,
    /// Their bytes.
    #[n(2)]
    pub total_bytes: u64,
}

/// Rows of a table when it was backed up.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct RowCount {
    /// The database.
    #[n(0)]
    pub database: String,
    /// The table.
    #[n(1)]
    pub table: String,
    /// Its rows.
    #[n(2)]
    pub rows: u64,
}

/// What must be found again where the snapshot is restored.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct Expectation {
    /// What is counted or looked for.
    #[n(0)]
    pub what: String,
    /// How many there must be at least.
    #[n(1)]
    pub least: u64,
}

/// What only those know who may read names.
#[derive(Debug, Clone, PartialEq, Eq, Default, Encode, Decode)]
#[cbor(map)]
pub struct Details {
    /// Share of the new bytes that did not compress, in thousandths.
    #[n(0)]
    pub incompressible_permille: Option<u16>,
    /// Files by the ends of their names.
    #[cbor(n(1), default, skip_if = "Vec::is_empty")]
    pub suffixes: Vec<Suffix>,
    /// Rows of tables.
    #[cbor(n(2), default, skip_if = "Vec::is_empty")]
    pub counts: Vec<RowCount>,
    /// Programs that made what was backed up, and their versions: of a database server and of the
    /// tool that dumped it.
    #[cbor(n(3), default, skip_if = "Vec::is_empty")]
    pub versions: Vec<(String, String)>,
    /// What a restore must find.
    #[cbor(n(4), default, skip_if = "Vec::is_empty")]
    pub expectations: Vec<Expectation>,
}

impl Details {
    /// Whether nothing is told.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Whether it has no more and no longer parts than it may have.
    #[must_use]
    pub fn is_bounded(&self) -> bool {
        let counted = self.counts.iter().flat_map(|count| [&count.database, &count.table]);
        let versions = self.versions.iter().flat_map(|(name, version)| [name, version]);
        let expected = self.expectations.iter().map(|expectation| &expectation.what);
        self.incompressible_permille.is_none_or(|share| share <= 1000)
            && self.suffixes.len() <= SUFFIXES_MAX
            && self.counts.len() <= COUNTS_MAX
            && self.versions.len() <= VERSIONS_MAX
            && self.expectations.len() <= EXPECTATIONS_MAX
            && self.suffixes.iter().all(|one| one.suffix.len() <= FACT_MAX_BYTES)
            && are_short(counted.chain(versions).chain(expected))
    }
}

/// A run by the hour it began in, its number, and a random part.
impl RunId {
    /// Joins the three parts.
    #[must_use]
    pub fn from_parts(hour: u32, number: u32, random: Nonce8) -> Self {
        let mut bytes = [0; Self::LEN];
        bytes[..4].copy_from_slice(&hour.to_be_bytes());
        bytes[4..8].copy_from_slice(&number.to_be_bytes());
        bytes[8..].copy_from_slice(random.as_bytes());
        Self::new(bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_too_long_or_too_much_is_not_bounded() {
        let long = "x".repeat(FACT_MAX_BYTES + 1);
        assert!(Facts::default().is_bounded() && Details::default().is_bounded());
        assert!(!Facts { source: Some(long.clone()), ..Facts::default() }.is_bounded());
        let claim = Claim { by: String::new(), from: long.clone(), at: Timestamp::default() };
        assert!(!Facts { claim: Some(claim), ..Facts::default() }.is_bounded());
        let versions = vec![(long, String::new())];
        assert!(!Details { versions, ..Details::default() }.is_bounded());
        let one = Expectation { what: "rows".to_owned(), least: 1 };
        let expectations = vec![one; EXPECTATIONS_MAX + 1];
        assert!(!Details { expectations, ..Details::default() }.is_bounded());
        let incompressible_permille = Some(1001);
        assert!(!Details { incompressible_permille, ..Details::default() }.is_bounded());
    }
}
