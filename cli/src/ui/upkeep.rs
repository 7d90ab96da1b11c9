//! What the commands report as JSON that look after a machine.

use serde::Serialize;

use crate::ui::records::JsonPath;

/// Snapshots are there to be looked at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Mounted {
    /// Where.
    #[serde(flatten)]
    pub folder: JsonPath,
    /// How many, now.
    pub snapshots_count: u64,
}

/// What `cache clean` removed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct CacheCleaned {
    /// The folder of the local state.
    pub folder: String,
    /// Nothing was removed.
    pub dry_run: bool,
    /// Repositories whose index went.
    pub removed: Vec<CleanedFolder>,
    /// Bytes of them.
    pub bytes_removed: u64,
    /// Repositories whose index stays.
    pub kept_count: u64,
}

/// The index of one repository that went.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct CleanedFolder {
    /// Id of the repository.
    pub repository: String,
    /// Bytes of the files.
    pub bytes: u64,
    /// When it was last used, RFC 3339.
    pub used: String,
}

/// What is set and what works.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Doctor {
    /// Nothing failed.
    pub ok: bool,
    /// All looks, in their order.
    pub looks: Vec<Look>,
    /// The command to type next.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

/// One look.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Look {
    /// At what.
    pub name: &'static str,
    /// `ok`, `warning`, `failed` or `unknown`.
    pub outcome: &'static str,
    /// What was seen.
    pub text: String,
    /// Where a setting comes from.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
    /// What to do about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
}

/// What a machine can do.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Benchmarked {
    /// The location of the store that was measured.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub repository: Option<String>,
    /// Threads that worked at once.
    pub threads: usize,
    /// The stages in the order in which data passes them.
    pub stages: Vec<BenchmarkedStage>,
    /// Raw bytes for each compressed one.
    pub compression_ratio: f64,
    /// Median time to write a small object.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub put_ms: Option<f64>,
    /// Median time to read it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub get_ms: Option<f64>,
    /// What a first backup can reach.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub backup_bytes_per_second: Option<f64>,
    /// `source`, `processor` or `store`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limited_by: Option<&'static str>,
}

/// One stage of a backup that was measured.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct BenchmarkedStage {
    /// `walking`, `reading`, `cutting`, `hashing`, `compressing`, `sealing` or `storing`.
    pub name: &'static str,
    /// Entries, files, blocks or packs.
    pub items: u64,
    /// Bytes that came into the stage.
    pub bytes: u64,
    /// Wall time.
    pub seconds: f64,
}
