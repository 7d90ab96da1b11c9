//! What was agreed on and looked at: scope, plans of drills, acknowledged conditions, reviewed days;
//! repairs, and copies in a second store. Nothing writes them yet.

use minicbor::{Decode, Encode};

use crate::evidence::drill_event::Outcome;
use crate::evidence::record::{Hash32, Reference};

/// A system that is to be protected.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct ScopedSystem {
    /// Its name.
    #[n(0)]
    pub system: String,
    /// The organisation that it belongs to.
    #[n(1)]
    pub organisation: Option<String>,
    /// Objective for the age of the newest snapshot.
    #[n(2)]
    pub rpo_ms: Option<u64>,
    /// Objective for the time of a restore.
    #[n(3)]
    pub rto_ms: Option<u64>,
    /// Who answers for it.
    #[n(4)]
    pub owner: Option<String>,
    /// How much depends on it.
    #[n(5)]
    pub tier: Option<String>,
}

/// Something that is left out of a scope on purpose.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct Exclusion {
    /// What.
    #[n(0)]
    pub what: String,
    /// Why.
    #[n(1)]
    pub reason: String,
}

/// Which systems must be recoverable, and who said so. The newest one is in force.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct Scope {
    /// The systems, by name.
    #[n(0)]
    pub systems: Vec<ScopedSystem>,
    /// What is left out.
    #[cbor(n(1), default, skip_if = "Vec::is_empty")]
    pub exclusions: Vec<Exclusion>,
    /// Frameworks that it answers to.
    #[cbor(n(2), default, skip_if = "Vec::is_empty")]
    pub frameworks: Vec<String>,
    /// Who approved it.
    #[n(3)]
    pub approved_by: String,
    /// When, in milliseconds since 1970.
    #[n(4)]
    pub approved_ms: i64,
    /// The scope before.
    #[n(5)]
    pub replaces: Option<Reference>,
}

/// A drill that is to be made again and again.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct PlannedDrill {
    /// The system.
    #[n(0)]
    pub system: String,
    /// The kind, by the word of the command line.
    #[n(1)]
    pub kind: String,
    /// No longer after the one before.
    #[n(2)]
    pub every_ms: u64,
    /// When the first is due, in milliseconds since 1970.
    #[n(3)]
    pub first_ms: i64,
}

/// Which drills are to be made. A drill that is missing is then seen to be.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct Plan {
    /// The drills.
    #[n(0)]
    pub drills: Vec<PlannedDrill>,
    /// Who approved it.
    #[n(1)]
    pub approved_by: String,
    /// When, in milliseconds since 1970.
    #[n(2)]
    pub approved_ms: i64,
    /// The plan before.
    #[n(3)]
    pub replaces: Option<Reference>,
}

/// Somebody knows of a condition.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct Acknowledge {
    /// Key of the ticket of the condition.
    #[n(0)]
    pub key: String,
    /// What they say of it.
    #[n(1)]
    pub note: String,
    /// Until when it need not be shown, in milliseconds since 1970.
    #[n(2)]
    pub until_ms: Option<i64>,
    /// When it was acknowledged.
    #[n(3)]
    pub at_ms: i64,
}

/// Somebody has looked at everything that was open on a day.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct DayReviewed {
    /// The day, as `2026-11-30`.
    #[n(0)]
    pub day: String,
    /// Conditions that were open.
    #[n(1)]
    pub open: u64,
    /// Those of them that were acknowledged.
    #[n(2)]
    pub acknowledged: u64,
    /// Root over the keys of the open ones, sorted.
    #[n(3)]
    pub root: Hash32,
    /// What they say of it.
    #[n(4)]
    pub note: String,
    /// When it was reviewed, in milliseconds since 1970.
    #[n(5)]
    pub at_ms: i64,
}

/// What was damaged is whole again, or is not.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct Repair {
    /// Where whole copies came from.
    #[n(0)]
    pub source: String,
    /// Packs that were damaged or missing.
    #[n(1)]
    pub packs: u64,
    /// Those of them that are whole again.
    #[n(2)]
    pub repaired: u64,
    /// Their bytes.
    #[n(3)]
    pub bytes: u64,
    /// How it ended.
    #[n(4)]
    pub outcome: Outcome,
    /// The record with the finding.
    #[n(5)]
    pub finding: Option<Reference>,
    /// The ticket that it belongs to.
    #[n(6)]
    pub ticket: Option<String>,
    /// When it began, in milliseconds since 1970.
    #[n(7)]
    pub started_ms: i64,
    /// When it ended.
    #[n(8)]
    pub finished_ms: i64,
}

/// Snapshots were copied into another repository.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct Copy {
    /// The repository that they came from.
    #[cbor(n(0), with = "minicbor::bytes")]
    pub origin: [u8; 16],
    /// The repository that has them now.
    #[cbor(n(1), with = "minicbor::bytes")]
    pub target: [u8; 16],
    /// Snapshots that were copied.
    #[n(2)]
    pub snapshots: u64,
    /// Bytes that were stored.
    #[n(3)]
    pub bytes: u64,
    /// How it ended.
    #[n(4)]
    pub outcome: Outcome,
    /// The newest snapshot there is now.
    #[cbor(n(5), with = "minicbor::bytes")]
    pub newest: Option<[u8; 24]>,
    /// When that was begun, in milliseconds since 1970.
    #[n(6)]
    pub newest_ms: Option<i64>,
    /// When it began.
    #[n(7)]
    pub started_ms: i64,
    /// When it ended.
    #[n(8)]
    pub finished_ms: i64,
}
