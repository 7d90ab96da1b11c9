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
