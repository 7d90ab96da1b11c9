//! What can be proved or done: the bodies of records, one type for each event.
//!
//! Names of files never stand in a body in the clear: evidence is handed to people who must not
//! learn them. Files are named by salted hashes, systems by the name their owner gave them.

use minicbor::{Decode, Encode};

use crate::evidence::drill_event::{Drill, DrillBegun, Finding, Outcome};
use crate::evidence::plan_event::{Acknowledge, Copy, DayReviewed, Plan, Repair, Scope};
use crate::evidence::record::{Hash32, Reference, Writer, encode};

/// A part of all packs was read and authenticated.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct Rotation {
    /// Packs that were read now.
    #[n(0)]
    pub packs: u64,
    /// Their bytes.
    #[n(1)]
    pub bytes: u64,
    /// Packs that are damaged or missing among them.
    #[n(2)]
    pub failed: u64,
    /// Packs in the store.
    #[n(3)]
    pub total_packs: u64,
    /// Their bytes.
    #[n(4)]
    pub total_bytes: u64,
    /// Bytes of packs that were authenticated within the last `days` days, this run included.
    #[n(5)]
    pub covered_bytes: u64,
    /// The goal: everything once within so many days.
    #[n(6)]
    pub days: u32,
    /// When the pack was last read whose turn is the longest ago; `None` if one never was.
    #[n(7)]
    pub oldest_ms: Option<i64>,
    /// Requests to the store.
    #[n(8)]
    pub requests: u64,
    /// Root over the rows of packs that were read, in the order of their keys.
    #[n(9)]
    pub results: Hash32,
    /// Findings in all.
    #[n(10)]
    pub finding_count: u64,
    /// The first of them.
    #[cbor(n(11), default, skip_if = "Vec::is_empty")]
    pub findings: Vec<Finding>,
    /// When it began.
    #[n(12)]
    pub started_ms: i64,
    /// When it ended.
    #[n(13)]
    pub finished_ms: i64,
}

/// A check of the whole repository.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct Check {
    /// Snapshots whose references were looked up.
    #[n(0)]
    pub snapshots: u64,
    /// Packs in the store.
    #[n(1)]
    pub packs: u64,
    /// Their bytes.
    #[n(2)]
    pub pack_bytes: u64,
    /// Bytes that were read and authenticated.
    #[n(3)]
    pub bytes_read: u64,
    /// Objects that are damaged or missing.
    #[n(4)]
    pub damaged: u64,
    /// The first of them.
    #[cbor(n(5), default, skip_if = "Vec::is_empty")]
    pub findings: Vec<Finding>,
    /// Wall time in milliseconds.
    #[n(6)]
    pub duration_ms: u64,
    /// When it began.
    #[n(7)]
    pub started_ms: i64,
    /// How it ended: failed if something is damaged or missing, not proved if it was cut short.
    #[n(8)]
    pub outcome: Outcome,
    /// What was looked at: `structure`, `all`, `part 2/7` or `random`.
    #[n(9)]
    pub method: String,
    /// Packs that were read whole.
    #[n(10)]
    pub packs_read: u64,
    /// Paths that cannot be restored because of what is wrong.
    #[n(11)]
    pub hurt_paths: u64,
    /// The finding that is tested again.
    #[n(12)]
    pub retest_of: Option<Reference>,
    /// The ticket that it belongs to.
    #[n(13)]
    pub ticket: Option<String>,
}

/// A real restore.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct Restore {
    /// The snapshot.
    #[cbor(n(0), with = "minicbor::bytes")]
    pub snapshot: [u8; 24],
    /// The system.
    #[n(1)]
    pub system: String,
    /// How it ended.
    #[n(2)]
    pub outcome: Outcome,
    /// Files.
    #[n(3)]
    pub files: u64,
    /// Bytes.
    #[n(4)]
    pub bytes: u64,
    /// Wall time in milliseconds.
    #[n(5)]
    pub duration_ms: u64,
    /// Whether everything was read back and compared.
    #[n(6)]
    pub is_verified: bool,
    /// Why it was done.
    #[n(7)]
    pub reason: String,
    /// The ticket that it belongs to.
    #[n(8)]
    pub ticket: Option<String>,
    /// When it began.
    #[n(9)]
    pub started_ms: i64,
    /// Entries that did not come back as they were.
    #[n(10)]
    pub problems: u64,
    /// Those of them where stored bytes are damaged or missing.
    #[n(11)]
    pub damaged: u64,
    /// Whether everything in the snapshot was asked for.
    #[n(12)]
    pub is_whole: bool,
    /// When the run of the snapshot began.
    #[n(13)]
    pub snapshot_ms: i64,
}

/// All runs of backups that began in a period, and those of earlier ones whose end was open: the
/// population that an auditor draws from. See [`crate::evidence::population`] for a row.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct BackupPopulation {
    /// Beginning of the period.
    #[n(0)]
    pub from_ms: i64,
    /// Its end.
    #[n(1)]
    pub to_ms: i64,
    /// Runs.
    #[n(2)]
    pub runs: u64,
    /// Root over their rows, in the order of their ids.
    #[n(3)]
    pub root: Hash32,
    /// How many ended how.
    #[cbor(n(4), default, skip_if = "Vec::is_empty")]
    pub outcomes: Vec<(String, u64)>,
}

/// A setting was changed, a key was used, a collection ran, a client left: who, what, with which
/// result. One shape for all of them.
#[derive(Debug, Clone, PartialEq, Eq, Default, Encode, Decode)]
#[cbor(map)]
pub struct Act {
    /// What was acted on.
    #[n(0)]
    pub subject: String,
    /// What was done.
    #[n(1)]
    pub action: String,
    /// Hash of what was there before.
    #[n(2)]
    pub before: Option<Hash32>,
    /// Hash of what is there now.
    #[n(3)]
    pub after: Option<Hash32>,
    /// Numbers that belong to it, by name.
    #[cbor(n(4), default, skip_if = "Vec::is_empty")]
    pub numbers: Vec<(String, i64)>,
    /// Further words.
    #[n(5)]
    pub detail: String,
    /// The ticket that it belongs to.
    #[n(6)]
    pub ticket: Option<String>,
    /// When it was done; the record itself can be later, if the store could not be reached.
    #[n(7)]
    pub at_ms: Option<i64>,
}

/// A step from a finding to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Encode, Decode)]
#[cbor(index_only)]
pub enum RemedyStep {
    /// A ticket was opened for the finding.
    #[n(1)]
    Opened,
    /// Somebody says that the cause is gone.
    #[n(2)]
    Fixed,
    /// A drill or a check that tested it again passed: closed.
    #[n(3)]
    Closed,
    /// Something to know about it that changes nothing.
    #[n(4)]
    Noted,
}

impl RemedyStep {
    /// The word that people and programs see.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Opened => "opened",
            Self::Fixed => "fixed",
            Self::Closed => "closed",
            Self::Noted => "noted",
        }
    }
}

/// A step of the way finding → ticket → fix → re-test.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct Remedy {
    /// The record with the finding.
    #[n(0)]
    pub finding: Reference,
    /// The ticket.
    #[n(1)]
    pub ticket: String,
    /// The step.
    #[n(2)]
    pub step: RemedyStep,
    /// The drill or check that closes it.
    #[n(3)]
    pub retest: Option<Reference>,
    /// What was done.
    #[n(4)]
    pub note: String,
}

/// A time stamp authority saw a record: an RFC 3161 token over the SHA-256 of its signed bytes.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct Timestamp {
    /// The record.
    #[n(0)]
    pub of: Reference,
    /// The authority.
    #[n(1)]
    pub authority: String,
    /// Its response, in DER.
    #[cbor(n(2), with = "minicbor::bytes")]
    pub response: Vec<u8>,
}

/// Part of a chain that is in a bundle.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct Segment {
    /// Whose chain.
    #[n(0)]
    pub writer: Writer,
    /// First record.
    #[n(1)]
    pub first: u32,
    /// Last record.
    #[n(2)]
    pub last: u32,
    /// Hash of the last record.
    #[n(3)]
    pub hash: Hash32,
}

/// Evidence was exported: the last record of every bundle, which says what belongs to it.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct Export {
    /// The chains, up to the record before this one.
    #[n(0)]
    pub segments: Vec<Segment>,
    /// Files beside the chains.
    #[n(1)]
    pub files: u64,
    /// Root over the rows `name ‖ 00 ‖ BLAKE3 of the content`, in the order of their names.
    #[n(2)]
    pub files_root: Hash32,
    /// Whom it is for.
    #[n(3)]
    pub purpose: String,
}

/// A body, as far as its event is known.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(missing_docs, reason = "each variant is the type it holds")]
pub enum Event {
    DrillBegun(DrillBegun),
    Drill(Box<Drill>),
    Rotation(Rotation),
    Check(Check),
    Restore(Restore),
    BackupPopulation(BackupPopulation),
    Policy(Act),
    KeyUse(Act),
    Collection(Act),
    Offboarding(Act),
    Remedy(Remedy),
    Timestamp(Timestamp),
    Export(Export),
    Scope(Scope),
    Plan(Plan),
    Acknowledge(Acknowledge),
    DayReviewed(DayReviewed),
    Repair(Repair),
    Copy(Copy),
    Unknown { event: String, body: Vec<u8> },
}

impl Event {
    /// Its name in the record.
    #[must_use]
    pub fn name(&self) -> &str {
        match self {
            Self::DrillBegun(_) => "drill-begun",
            Self::Drill(_) => "drill",
            Self::Rotation(_) => "rotation",
            Self::Check(_) => "check",
            Self::Restore(_) => "restore",
            Self::BackupPopulation(_) => "backup-population",
            Self::Policy(_) => "policy",
            Self::KeyUse(_) => "key-use",
            Self::Collection(_) => "gc",
            Self::Offboarding(_) => "offboarding",
            Self::Remedy(_) => "remedy",
            Self::Timestamp(_) => "timestamp",
            Self::Export(_) => "export",
            Self::Scope(_) => "scope",
            Self::Plan(_) => "plan",
            Self::Acknowledge(_) => "acknowledge",
            Self::DayReviewed(_) => "day-reviewed",
            Self::Repair(_) => "repair",
            Self::Copy(_) => "copy",
            Self::Unknown { event, .. } => event,
        }
    }

    /// Its body as CBOR.
    #[must_use]
    pub fn body(&self) -> Vec<u8> {
        match self {
            Self::DrillBegun(body) => encode(body),
            Self::Drill(body) => encode(body.as_ref()),
            Self::Rotation(body) => encode(body),
            Self::Check(body) => encode(body),
            Self::Restore(body) => encode(body),
            Self::BackupPopulation(body) => encode(body),
            Self::Policy(act)
            | Self::KeyUse(act)
            | Self::Collection(act)
            | Self::Offboarding(act) => encode(act),
            Self::Remedy(body) => encode(body),
            Self::Timestamp(body) => encode(body),
            Self::Export(body) => encode(body),
            Self::Scope(body) => encode(body),
            Self::Plan(body) => encode(body),
            Self::Acknowledge(body) => encode(body),
            Self::DayReviewed(body) => encode(body),
            Self::Repair(body) => encode(body),
            Self::Copy(body) => encode(body),
            Self::Unknown { body, .. } => body.clone(),
        }
    }

    /// The event of a record. An event of a later program is kept as it is.
    ///
    /// # Errors
    /// In words, if a known event has a body of another shape.
    pub fn decode(event: &str, body: &[u8]) -> Result<Self, String> {
        Ok(match event {
            "drill-begun" => {
                let begun: DrillBegun = whole(body)?;
                match begun.is_bounded() {
                    true => Self::DrillBegun(begun),
                    false => return Err("it has a list that is too long".to_owned()),
                }
            }
            "drill" => Self::Drill(Box::new(whole(body)?)),
            "rotation" => Self::Rotation(whole(body)?),
            "check" => Self::Check(whole(body)?),
            "restore" => Self::Restore(whole(body)?),
            "backup-population" => Self::BackupPopulation(whole(body)?),
            "policy" => Self::Policy(whole(body)?),
            "key-use" => Self::KeyUse(whole(body)?),
            "gc" => Self::Collection(whole(body)?),
            "offboarding" => Self::Offboarding(whole(body)?),
            "remedy" => Self::Remedy(whole(body)?),
            "timestamp" => Self::Timestamp(whole(body)?),
            "export" => Self::Export(whole(body)?),
            "scope" => Self::Scope(whole(body)?),
            "plan" => Self::Plan(whole(body)?),
            "acknowledge" => Self::Acknowledge(whole(body)?),
            "day-reviewed" => Self::DayReviewed(whole(body)?),
            "repair" => Self::Repair(whole(body)?),
            "copy" => Self::Copy(whole(body)?),
            _ => Self::Unknown { event: event.to_owned(), body: body.to_vec() },
        })
    }
}

/// Whether a record of this event counts that a client of this role has written: 3 `verify` and 5
/// `admin` may write all, 2 `maintain` what it does itself.
#[must_use]
pub fn may_write(role: u8, event: &str) -> bool {
    match role {
        3 | 5 => true,
        2 => matches!(event, "policy" | "gc" | "timestamp" | "repair" | "copy"),
        _ => false,
    }
}

fn whole<'b, T: Decode<'b, ()>>(body: &'b [u8]) -> Result<T, String> {
    let mut decoder = minicbor::Decoder::new(body);
    let value = decoder.decode().map_err(|error| error.to_string())?;
    match decoder.position() == body.len() {
        true => Ok(value),
        false => Err("bytes follow the body".to_owned()),
    }
}
