//! The events of a drill: its beginning, which says what was drawn before anything is restored,
//! and its end.

use minicbor::{Decode, Encode};

use crate::evidence::confinement::Confinement;
use crate::evidence::record::{Hash32, Reference};

/// Findings that a body names; more are counted.
pub const FINDINGS_MAX: usize = 64;
/// Longest text of a finding, in bytes.
pub const TEXT_MAX_BYTES: usize = 400;
/// Roots of a source that a body names; of more it names one for all of them.
pub const ROOTS_MAX: usize = 64;
/// Probes that can be switched off, at most.
pub const SKIPPED_MAX: usize = 32;

/// How a drill ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Encode, Decode)]
#[cbor(index_only)]
pub enum Outcome {
    /// Everything that was looked at is as it should be.
    #[n(1)]
    Passed,
    /// Something is damaged, missing or wrong.
    #[n(2)]
    Failed,
    /// It could not be carried out, or not to the end: nothing is proved.
    #[n(3)]
    NotProved,
}

impl Outcome {
    /// The word that people and programs see.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Passed => "pass",
            Self::Failed => "fail",
            Self::NotProved => "not-proved",
        }
    }
}

/// What a drill does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Encode, Decode)]
#[cbor(index_only)]
pub enum DrillKind {
    /// Restores files that nobody could choose.
    #[n(1)]
    Sample,
    /// Restores what the user names.
    #[n(2)]
    Paths,
    /// Restores everything.
    #[n(3)]
    Full,
    /// Reads the index again from the store and compares.
    #[n(4)]
    IndexLoss,
    /// Opens the repository with the recovery kit alone.
    #[n(5)]
    Kit,
}

impl DrillKind {
    /// The word that people and programs see.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Sample => "sample",
            Self::Paths => "paths",
            Self::Full => "full",
            Self::IndexLoss => "index-loss",
            Self::Kit => "kit",
        }
    }
}

/// All files that a sample was drawn from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Encode, Decode)]
#[cbor(map)]
pub struct PopulationFacts {
    /// Regular files in the snapshot.
    #[n(0)]
    pub files: u64,
    /// Their logical bytes.
    #[n(1)]
    pub bytes: u64,
    /// Those of them that were never drilled in this generation.
    #[n(2)]
    pub fresh: u64,
    /// Root over their rows, in the order of the paths.
    #[n(3)]
    pub root: Hash32,
}

/// A drill begins: written before anything is restored, so that none can be made to vanish.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct DrillBegun {
    /// What it does.
    #[n(0)]
    pub kind: DrillKind,
    /// The snapshot, as the session that committed it.
    #[cbor(n(1), with = "minicbor::bytes")]
    pub snapshot: [u8; 24],
    /// The system: the host that was backed up.
    #[n(2)]
    pub system: String,
    /// BLAKE3(previous evidence hash ‖ snapshot ‖ generation as u64 big-endian), for a sample.
    #[n(3)]
    pub seed: Option<Hash32>,
    /// How often all files were drilled before.
    #[n(4)]
    pub generation: u64,
    /// What the sample is drawn from.
    #[n(5)]
    pub population: Option<PopulationFacts>,
    /// Files that are drawn.
    #[n(6)]
    pub wanted: u64,
    /// Whether files are restored to a folder, or their bytes verified and dropped.
    #[n(7)]
    pub discards: bool,
    /// The finding that this drill tests again.
    #[n(8)]
    pub retest_of: Option<Reference>,
    /// The ticket that it belongs to.
    #[n(9)]
    pub ticket: Option<String>,
    /// Probes that were switched off, by name, in order.
    #[cbor(n(10), default, skip_if = "Vec::is_empty")]
    pub skipped: Vec<String>,
    /// BLAKE3 over the words of the user's own test, each followed by a zero byte.
    #[n(11)]
    pub command: Option<Hash32>,
    /// What was backed up, as keyed hashes of its roots, in order: the same roots of the same
    /// system have the same hashes in every drill.
    #[cbor(n(12), default, skip_if = "Vec::is_empty")]
    pub roots: Vec<Hash32>,
    /// What there must be at least.
    #[n(13)]
    pub expected: Option<Expected>,
}

impl DrillBegun {
    /// Whether all lists are as short as they must be.
    #[must_use]
    pub fn is_bounded(&self) -> bool {
        self.skipped.len() <= SKIPPED_MAX && self.roots.len() <= ROOTS_MAX
    }
}

/// Where an expectation is from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Encode, Decode)]
#[cbor(index_only)]
pub enum ExpectedFrom {
    /// Somebody stated it.
    #[n(1)]
    Stated,
    /// From the last drill of the same source that passed.
    #[n(2)]
    Drill,
    /// From snapshots of the same source that were made before.
    #[n(3)]
    Snapshots,
}

impl ExpectedFrom {
    /// In words, behind "as".
    #[must_use]
    pub const fn words(self) -> &'static str {
        match self {
            Self::Stated => "stated",
            Self::Drill => "the last drill that passed has shown",
            Self::Snapshots => "snapshots before it had",
        }
    }
}

/// What a snapshot must hold at least, so that a drill of it shows something.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct Expected {
    /// Regular files.
    #[n(0)]
    pub files: u64,
    /// Their bytes.
    #[n(1)]
    pub bytes: u64,
    /// Where it is from.
    #[n(2)]
    pub from: ExpectedFrom,
    /// Entries: files, folders and everything else.
    #[n(3)]
    pub entries: u64,
}

/// What became of one finding of an earlier test when it was tested again.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Encode, Decode)]
#[cbor(map)]
pub struct Retested {
    /// The step or probe.
    #[n(0)]
    pub probe: String,
    /// The file, by the hash that the earlier test gave it.
    #[n(1)]
    pub file: Hash32,
    /// How it fared now.
    #[n(2)]
    pub outcome: Outcome,
}

/// How one probe fared over all files that it looked at.
#[derive(Debug, Clone, PartialEq, Eq, Default, Encode, Decode)]
#[cbor(map)]
pub struct ProbeTally {
    /// The probe.
    #[n(0)]
    pub probe: String,
    /// Files that are as they should be.
    #[n(1)]
    pub passed: u64,
    /// Files that are not.
    #[n(2)]
    pub failed: u64,
    /// Files of which it cannot tell.
    #[n(3)]
    pub not_proved: u64,
}

/// One thing that is wrong, or that could not be proved.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct Finding {
    /// The step or probe that found it.
    #[n(0)]
    pub probe: String,
    /// The salted hash of the file that it concerns.
    #[n(1)]
    pub file: Option<Hash32>,
    /// The object or the part of the repository that it concerns.
    #[n(2)]
    pub object: Option<String>,
    /// Whether it only keeps something from being proved.
    #[n(3)]
    pub is_doubt: bool,
    /// What is wrong, without names of files.
    #[n(4)]
    pub why: String,
}

/// How long a restore of everything would take.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct EstimateFacts {
    /// Most likely, in milliseconds.
    #[n(0)]
    pub likely_ms: u64,
    /// Lower end of the interval.
    #[n(1)]
    pub low_ms: u64,
    /// Upper end of the interval.
    #[n(2)]
    pub high_ms: u64,
    /// Restores that the model was fitted on.
    #[n(3)]
    pub observations: u64,
}

/// A drill ended, whichever way.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct Drill {
    /// The record of its beginning, in the same chain.
    #[n(0)]
    pub begun: Reference,
    /// What it did.
    #[n(1)]
    pub kind: DrillKind,
    /// The snapshot.
    #[cbor(n(2), with = "minicbor::bytes")]
    pub snapshot: [u8; 24],
    /// The system: the host that was backed up.
    #[n(3)]
    pub system: String,
    /// When the run that made the snapshot began, in milliseconds since 1970.
    #[n(4)]
    pub snapshot_ms: i64,
    /// How it ended.
    #[n(5)]
    pub outcome: Outcome,
    /// Evidence level that it supports: 0 to 6.
    #[n(6)]
    pub level: u8,
    /// What the next level lacks.
    #[n(7)]
    pub lacks: String,
    /// When it began and ended.
    #[n(8)]
    pub started_ms: i64,
    /// When it ended.
    #[n(9)]
    pub finished_ms: i64,
    /// Wall time of the restore alone, in milliseconds.
    #[n(10)]
    pub restore_ms: u64,
    /// Files that were restored and compared.
    #[n(11)]
    pub files: u64,
    /// Their bytes.
    #[n(12)]
    pub bytes: u64,
    /// Bytes of blocks that were fetched and authenticated for it.
    #[n(13)]
    pub decoded_bytes: u64,
    /// Requests to the store.
    #[n(14)]
    pub requests: u64,
    /// Root over the rows of results, in the order of the paths.
    #[n(15)]
    pub results: Hash32,
    /// How many rows.
    #[n(16)]
    pub result_count: u64,
    /// What the probes found.
    #[cbor(n(17), default, skip_if = "Vec::is_empty")]
    pub probes: Vec<ProbeTally>,
    /// Findings in all.
    #[n(18)]
    pub finding_count: u64,
    /// The first of them.
    #[cbor(n(19), default, skip_if = "Vec::is_empty")]
    pub findings: Vec<Finding>,
    /// Regular files and bytes in the whole snapshot.
    #[n(20)]
    pub total_files: u64,
    /// Bytes in the whole snapshot.
    #[n(21)]
    pub total_bytes: u64,
    /// Estimated time of a restore of everything.
    #[n(22)]
    pub estimate: Option<EstimateFacts>,
    /// Age of the snapshot when the drill began: the recovery point that this proves.
    #[n(23)]
    pub rpo_ms: u64,
    /// The objective, if one is set.
    #[n(24)]
    pub rpo_target_ms: Option<u64>,
    /// The objective for the time of recovery, if one is set.
    #[n(25)]
    pub rto_target_ms: Option<u64>,
    /// The finding that this drill tested again.
    #[n(26)]
    pub retest_of: Option<Reference>,
    /// The ticket that it belongs to.
    #[n(27)]
    pub ticket: Option<String>,
    /// Stored bytes that were authenticated within the rotation, in parts per million of all.
    #[n(28)]
    pub authenticated_ppm: u32,
    /// Files of the finding that is tested again, with what was seen of each now.
    #[cbor(n(29), default, skip_if = "Vec::is_empty")]
    pub retested: Vec<Retested>,
    /// Files whose bytes were verified and dropped: nothing was written, and no probe has looked.
    #[cbor(n(30), default, skip_if = "is_zero")]
    pub dropped: u64,
    /// Items that the snapshot lacks, as the run that made it recorded: not even a full restore
    /// brings them back.
    #[cbor(n(31), default, skip_if = "is_zero")]
    pub not_saved: u64,
    /// How probes were confined; nothing if none ran in a process of its own.
    #[n(40)]
    pub confinement: Option<Confinement>,
}

fn is_zero(number: &u64) -> bool {
    *number == 0
}

/// What can be promised of a recovery.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Objective {
    /// How old the newest snapshot may be.
    Point,
    /// How long a full restore may take.
    Time,
}

impl Objective {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Point, Self::Time];

    /// In words.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Point => "recovery point",
            Self::Time => "recovery time",
        }
    }
}

/// What a drill says of an objective.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Measured {
    /// Milliseconds.
    pub ms: u64,
    /// Whether it was measured, not estimated.
    pub is_measured: bool,
}

impl Drill {
    /// The objective that was set.
    #[must_use]
    pub const fn target_ms(&self, objective: Objective) -> Option<u64> {
        match objective {
            Objective::Point => self.rpo_target_ms,
            Objective::Time => self.rto_target_ms,
        }
    }

    /// What it says of an objective. Bytes that were dropped were not restored, and tell no time.
    #[must_use]
    pub fn measured(&self, objective: Objective) -> Option<Measured> {
        let passed = self.outcome == Outcome::Passed;
        match objective {
            Objective::Point => Some(Measured { ms: self.rpo_ms, is_measured: true }),
            Objective::Time if passed && self.kind == DrillKind::Full && self.dropped == 0 => {
                Some(Measured { ms: self.restore_ms, is_measured: true })
            }
            Objective::Time if passed => {
                let ms = self.estimate?.likely_ms;
                Some(Measured { ms, is_measured: false })
            }
            Objective::Time => None,
        }
    }

    /// The objectives that are not met.
    #[must_use]
    pub fn breaches(&self) -> Vec<Objective> {
        let is_breached = |objective: &Objective| {
            let target = self.target_ms(*objective);
            let measured = self.measured(*objective).map(|it| it.ms);
            target.zip(measured).is_some_and(|(target, ms)| ms > target)
        };
        Objective::ALL.into_iter().filter(is_breached).collect()
    }
}
