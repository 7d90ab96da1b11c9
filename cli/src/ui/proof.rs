//! Messages of `drill` and `evidence` for programs.

use std::collections::BTreeMap;

use serde::Serialize;

/// The outcome of a drill.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct DrillSummary {
    /// `sample`, `paths`, `full`, `index-loss`, `kit`.
    pub kind: &'static str,
    /// `pass`, `fail`, `not-proved`.
    pub outcome: &'static str,
    /// Evidence level, 0 to 6.
    pub level: u8,
    /// What the next level lacks.
    pub lacks: String,
    /// The record, as `writer/number`.
    pub evidence: String,
    /// The snapshot.
    pub snapshot_id: String,
    /// Its first digits.
    pub short_id: String,
    /// The system.
    pub hostname: String,
    /// Files that were restored and compared.
    pub files_restored: u64,
    /// Their bytes.
    pub bytes_restored: u64,
    /// Wall time of restoring.
    pub restore_seconds: f64,
    /// Files in the whole snapshot.
    pub total_files: u64,
    /// Their bytes.
    pub total_bytes: u64,
    /// Age of the snapshot; absent without one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rpo_seconds: Option<f64>,
    /// Time of a full restore, estimated.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub estimated_seconds: Option<f64>,
    /// Lower end of its interval.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub estimated_low_seconds: Option<f64>,
    /// Upper end of its interval.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub estimated_high_seconds: Option<f64>,
    /// Whether an objective is breached.
    pub objective_breached: bool,
    /// Requests to the store.
    pub requests: u64,
    /// What the snapshot lacks, as its run recorded.
    pub items_not_saved: u64,
    /// Findings in all.
    pub findings_count: u64,
    /// The first of them.
    pub findings: Vec<DrillFinding>,
    /// How probes were confined; absent if none ran.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub probe_confinement: Option<ProbeConfinement>,
    /// The ticket that it opened or belongs to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ticket: Option<String>,
    /// Why the finding that it tested again stays open although it passed.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub still_open: Vec<String>,
}

/// Walls around the process that probes.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ProbeConfinement {
    /// Version of Landlock in force, 0 for none.
    pub landlock: u8,
    /// `loopback`, `no-tcp`, `open`, `asked`.
    pub network: &'static str,
    /// Whether other processes were out of sight.
    pub processes_apart: bool,
    /// Whether memory was limited.
    pub memory_limited: bool,
    /// What was wanted and could not be had, in words.
    pub gaps: Vec<&'static str>,
}

/// The outcome of a turn of the rotation.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct RotationSummary {
    /// Whether nothing was read.
    pub dry_run: bool,
    /// Packs that were read, or would be.
    pub packs_read: u64,
    /// Their bytes.
    pub bytes_read: u64,
    /// Packs among them that are damaged or missing.
    pub packs_failed: u64,
    /// Packs in the store.
    pub packs_total: u64,
    /// Their bytes.
    pub bytes_total: u64,
    /// Bytes that were authenticated within the period.
    pub bytes_covered: u64,
    /// The period, in days.
    pub days: u32,
    /// Packs that never had their turn.
    pub packs_never_read: u64,
    /// When the pack was last read whose turn is the longest ago.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub oldest: Option<String>,
    /// Bytes that the budget keeps from their turn.
    pub bytes_short: u64,
    /// What it costs, by the prices given.
    pub cost: f64,
    /// Requests to the store.
    pub requests: u64,
    /// The record, as `writer/number`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub evidence: Option<String>,
    /// The ticket that it opened.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ticket: Option<String>,
    /// What is wrong.
    pub findings: Vec<DrillFinding>,
}

/// A finding on its way to its end.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct FindingRecord {
    /// The record that says that something failed.
    pub id: String,
    /// `drill`, `check` or `rotation`.
    pub event: String,
    /// When it was written.
    pub time: String,
    /// The system; empty for the whole repository.
    pub hostname: String,
    /// Findings in it.
    pub findings_count: u64,
    /// Objectives that were breached: `recovery point`, `recovery time`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub breaches: Vec<&'static str>,
    /// `open`, `fixed`, `closed`.
    pub state: &'static str,
    /// The ticket.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ticket: Option<String>,
    /// What was done: `time`, `actor`, `step`, `ticket`, `note`, `evidence`.
    pub steps: Vec<FindingStep>,
    /// Tests that were made for it: `time`, `outcome`, `evidence`.
    pub retests: Vec<FindingTest>,
}

/// A step of a finding.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct FindingStep {
    /// When.
    pub time: String,
    /// Who.
    pub actor: String,
    /// `opened`, `fixed`, `closed`, `noted`.
    pub step: &'static str,
    /// The ticket.
    pub ticket: String,
    /// In words.
    pub note: String,
    /// The record.
    pub evidence: String,
}

/// A test that was made for a finding.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct FindingTest {
    /// When.
    pub time: String,
    /// `pass`, `fail`, `not-proved`.
    pub outcome: &'static str,
    /// Why it closes nothing although it passed.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub shortfalls: Vec<String>,
    /// The record.
    pub evidence: String,
}

/// One finding of a drill.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct DrillFinding {
    /// The step or probe that found it.
    pub probe: String,
    /// The file, escaped.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// What stands for the file in evidence.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub path_hash: Option<String>,
    /// The object or the part of the repository.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub object: Option<String>,
    /// Whether it only keeps something from being proved.
    pub not_proved: bool,
    /// What is wrong.
    pub why: String,
}

/// One record of evidence.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct EvidenceRecord {
    /// `writer/number`.
    pub id: String,
    /// BLAKE3 of its signed bytes.
    pub hash: String,
    /// The hash of the record before it.
    pub previous: String,
    /// When it was written.
    pub time: String,
    /// Who caused it.
    pub actor: String,
    /// Where.
    pub host: String,
    /// Program and version.
    pub program: String,
    /// Name of what happened.
    pub event: String,
    /// What happened, in one line.
    pub text: String,
}

/// Whether evidence is good.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct EvidenceVerdict {
    /// Whether nothing is wrong.
    pub good: bool,
    /// Records that were verified.
    pub records: u64,
    /// The newest record of each chain with its hash.
    pub heads: BTreeMap<String, String>,
    /// Records that their writers signed after they were revoked: they count for nothing.
    pub after_revocation: Vec<String>,
    /// Drills whose sample was drawn again.
    pub samples_drawn: Vec<String>,
    /// Files that are shown to have come back.
    pub files_proved: Vec<String>,
    /// What is wrong.
    pub flaws: Vec<String>,
}

/// A bundle was written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Exported {
    /// The file.
    pub file: String,
    /// Its size.
    pub bytes: u64,
    /// Records in it.
    pub records: u64,
    /// The record that closes it.
    pub closing: String,
    /// The hash of that record.
    pub closing_hash: String,
    /// What whoever verifies it must be given on another way.
    pub fingerprint: String,
}
