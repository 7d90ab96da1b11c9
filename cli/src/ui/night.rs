//! Messages of what happens by itself.

use serde::Serialize;

/// A slot of a job.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SlotRecord {
    /// The organisation.
    pub client: String,
    /// The job.
    pub job: String,
    /// The instant that its calendar names, RFC 3339 in UTC.
    pub slot: String,
    /// When it begins, RFC 3339 with the offset of its zone.
    pub at: String,
    /// The job that it follows, if it has no calendar of its own: it begins when that has ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub after: Option<String>,
}

/// Where a system stands.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct SystemRecord {
    /// The organisation.
    pub client: String,
    /// The machine and its source.
    pub system: String,
    /// The job that saves it.
    pub job: &'static str,
    /// How that ended last; null before the first.
    pub outcome: Option<&'static str>,
    /// Why, in one word.
    pub reason: Option<&'static str>,
    /// What a person should know.
    pub detail: Option<String>,
    /// Whether it runs just now.
    pub running: bool,
    /// When the newest snapshot to restore from began, RFC 3339 in UTC.
    pub last_success: Option<String>,
    /// That snapshot.
    pub snapshot: Option<String>,
    /// Bytes of what it holds.
    pub bytes: Option<u64>,
    /// The recovery point objective.
    pub rpo_seconds: Option<i64>,
    /// What is left of it; negative if it is breached.
    pub rpo_left_seconds: Option<i64>,
    /// When it begins next, RFC 3339 with the offset of its zone.
    pub next: Option<String>,
    /// All jobs of its configuration.
    pub jobs: Vec<JobRecord>,
    /// The program that says this.
    pub program_version: &'static str,
}

/// The answer to a monitor.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct CheckRecord {
    /// The worst state: `OK`, `WARNING`, `UNKNOWN`, `CRITICAL`.
    pub state: &'static str,
    /// How many systems were judged.
    pub systems: u64,
    /// Those that are not well: client, system, state and why.
    pub complaints: Vec<ComplaintRecord>,
}

/// A system that is not well.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ComplaintRecord {
    /// The organisation, or the file that cannot be read.
    pub client: String,
    /// The machine and its source.
    pub system: String,
    /// Its state.
    pub state: &'static str,
    /// Why.
    pub why: String,
}

/// Where a job stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct JobRecord {
    /// Which.
    pub job: &'static str,
    /// How it ended last.
    pub outcome: Option<&'static str>,
    /// Why.
    pub reason: Option<&'static str>,
    /// When, RFC 3339 in UTC.
    pub ended: Option<String>,
    /// When it begins next.
    pub next: Option<String>,
}

/// A run, or the part of one about a system, has ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RunRecord {
    /// The organisation.
    pub client: String,
    /// The job.
    pub job: &'static str,
    /// Its slot, RFC 3339 in UTC.
    pub slot: String,
    /// The system; absent for the run as a whole.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub system: Option<String>,
    /// How it ended; `put-off` if it goes on later.
    pub outcome: &'static str,
    /// Why.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<&'static str>,
    /// What a person should know.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub detail: String,
    /// The snapshot that it made.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub snapshot: Option<String>,
}

/// How a job ended, as its machine recorded it in the store.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct OutcomeRecord {
    /// Id of the client that signed it.
    pub client: String,
    /// What the administrator calls that.
    pub name: String,
    /// Its running number; a gap is a record that is gone.
    pub number: u32,
    /// The host that it worked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub host: Option<String>,
    /// The source, for a backup.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
    /// The job.
    pub job: String,
    /// How it ended.
    pub outcome: &'static str,
    /// Why, in one word.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// When it was due, RFC 3339 in UTC.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub slot: Option<String>,
    /// When it began by the clock of its machine, RFC 3339 in UTC.
    pub begun: String,
    /// When it ended.
    pub ended: String,
    /// How often it was due if nothing ran.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub times: Option<u32>,
    /// The snapshot that it made.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub snapshot: Option<String>,
    /// Files that are in it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub files: Option<u64>,
    /// Their bytes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bytes: Option<u64>,
    /// Bytes that went to the store.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stored_bytes: Option<u64>,
    /// Program and version that ran.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub program: Option<String>,
}

/// A snapshot that brings a part of a machine back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RecoveryPart {
    /// The snapshot.
    pub snapshot: String,
    /// The source that it is of, or its paths.
    pub source: String,
    /// Whether it is a stream, which has no place of its own.
    pub stream: bool,
    /// When it was made, RFC 3339 in UTC.
    pub time: String,
    /// Entries in it.
    pub entries: u64,
    /// Bytes of its files.
    pub bytes: u64,
    /// Within what time it is wanted back.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rto_seconds: Option<u64>,
}

/// One version of how a machine is set up, from the repository.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct StoredRecord {
    /// Id of the client that stored it.
    pub client: String,
    /// What the administrator calls that.
    pub name: String,
    /// The version; the highest is in force.
    pub number: u32,
    /// When the store received it, RFC 3339 in UTC.
    pub received: String,
    /// The host.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub host: Option<String>,
    /// Where it lay on that machine.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
    /// What it says; absent if it cannot be read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
}

/// A configuration makes sense.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ConfigRecord {
    /// The file.
    pub file: String,
    /// Whether it does.
    pub valid: bool,
    /// The organisation.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client: Option<String>,
    /// What is saved.
    pub sources: Vec<String>,
    /// What is due.
    pub jobs: Vec<String>,
    /// What makes no sense, or is worth a look.
    pub remarks: Vec<String>,
}

/// A configuration was made of those of other programs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ImportRecord {
    /// Whose it was: `restic-env`, `resticprofile`, `borgmatic`.
    pub from: &'static str,
    /// The files that were read.
    pub files: Vec<String>,
    /// The organisation.
    pub client: String,
    /// The file that was written.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub output: Option<String>,
    /// The configuration, as TOML.
    pub text: String,
    /// What means the same here.
    pub equivalent: Vec<EquivalentRecord>,
    /// What a person should know.
    pub remarks: Vec<RemarkRecord>,
}

/// A name of another program that means the same as one of ours.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct EquivalentRecord {
    /// Where it stands.
    pub file: String,
    /// Its line, if it is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub line: Option<usize>,
    /// Names down to it.
    pub key: String,
    /// The name here.
    pub to: String,
}

/// What a person should know of an import.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RemarkRecord {
    /// `to-do`, `secret`, `changed` or `no-equivalent`.
    pub kind: &'static str,
    /// Where the cause stands.
    pub file: String,
    /// Its line, if it is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub line: Option<usize>,
    /// Names down to it.
    pub key: String,
    /// What.
    pub message: String,
}
