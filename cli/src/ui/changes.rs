//! What commands report as JSON of how files changed from snapshot to snapshot.

use serde::Serialize;

use crate::ui::records::JsonPath;

/// A path that differs between two snapshots.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ChangeRecord {
    /// Its whole path; of what was renamed, the new one.
    #[serde(flatten)]
    pub path: JsonPath,
    /// `+`, `-`, `M`, `T`, `R` or `U`.
    pub modifier: char,
    /// The path that it had; of what was renamed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub renamed_from: Option<String>,
    /// Bytes of the file before; absent if there was none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub size_before: Option<u64>,
    /// Bytes of the file after; absent if there is none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub size_after: Option<u64>,
}

/// What was added or removed, in numbers.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct ChangedNumbers {
    /// Files.
    pub files: u64,
    /// Folders.
    pub dirs: u64,
    /// Links, pipes, sockets and devices.
    pub others: u64,
    /// Logical bytes of the files, those of changed ones among them.
    pub bytes: u64,
}

/// How two snapshots differ, in numbers.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct ChangeStatistics {
    /// Id of the earlier snapshot.
    pub source_snapshot: String,
    /// Id of the later snapshot.
    pub target_snapshot: String,
    /// Paths whose content or kind differs.
    pub changed_files: u64,
    /// Paths of which only metadata differ, whether they were listed or not.
    pub changed_metadata: u64,
    /// Files that have another path.
    pub renamed_files: u64,
    /// What only the later one has.
    pub added: ChangedNumbers,
    /// What only the earlier one has.
    pub removed: ChangedNumbers,
}

/// One version of a path.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct VersionRecord {
    /// The path.
    #[serde(flatten)]
    pub path: JsonPath,
    /// Host of the snapshots.
    pub host: String,
    /// Id of the first snapshot that has this version.
    pub first: String,
    /// Id of the last snapshot that has it.
    pub last: String,
    /// When the first was made, RFC 3339.
    pub first_time: String,
    /// When the last was made, RFC 3339.
    pub last_time: String,
    /// How many snapshots have it.
    pub snapshots_count: u64,
    /// `new`, `content`, `metadata`, `kind`, `deleted` or `back`: how it differs from the version before.
    pub change: &'static str,
    /// `file`, `dir`, …; absent where it is deleted, as everything below.
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    pub kind: Option<&'static str>,
    /// Bytes; for files only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub size: Option<u64>,
    /// RFC 3339.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mtime: Option<String>,
    /// As `ls -l` shows them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub permissions: Option<String>,
    /// Owner.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub uid: Option<u32>,
    /// Group.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub gid: Option<u32>,
}

/// Files with one extension.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ExtensionCount {
    /// The extension, without its dot.
    pub extension: String,
    /// Files.
    pub files: u64,
}

/// What changed from one snapshot to the next.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct NightRecord {
    /// Id of the later snapshot.
    pub snapshot: String,
    /// Id of the one before it.
    pub previous: String,
    /// When it was made, RFC 3339.
    pub time: String,
    /// Its host.
    pub host: String,
    /// What was backed up.
    pub paths: Vec<JsonPath>,
    /// Files that are new.
    pub files_new: u64,
    /// Files whose content differs.
    pub files_changed: u64,
    /// Files that are gone.
    pub files_removed: u64,
    /// Logical bytes of new and changed files.
    pub bytes_new: u64,
    /// Logical bytes of files that are gone, and of changed ones as they were.
    pub bytes_removed: u64,
    /// Extensions of which there are more files than before, the greatest growth first.
    pub extensions_grown: Vec<ExtensionCount>,
}
