//! What the commands that decide what is kept report as JSON.

use serde::Serialize;

use crate::ui::records::SnapshotRecord;

/// One group of `forget`; it prints an array of them, as restic does.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ForgetGroup {
    /// Tags that all have, if grouped by them.
    pub tags: Option<Vec<String>>,
    /// Host that all have, if grouped by it.
    pub host: Option<String>,
    /// Paths that all have, if grouped by them; odd bytes escaped.
    pub paths: Option<Vec<String>>,
    /// Client that all have, if grouped by it.
    pub client: Option<String>,
    /// Those that stay.
    pub keep: Vec<SnapshotRecord>,
    /// Those that are forgotten.
    pub remove: Vec<SnapshotRecord>,
    /// Why each of them stays.
    pub reasons: Vec<ForgetReason>,
}

/// Why a snapshot stays.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ForgetReason {
    /// The snapshot.
    pub snapshot: SnapshotRecord,
    /// All reasons, in words.
    pub matches: Vec<String>,
}

/// A forgotten snapshot is back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Undeleted {
    /// The forgotten one.
    pub original: String,
    /// The live one with the same files.
    pub snapshot_id: String,
    /// Whether it had been brought back before.
    pub was_there: bool,
    /// Stored bytes of copies of what a collection was about to delete.
    pub bytes_copied: u64,
}

/// How far a client has left.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Offboarded {
    /// Name of the client.
    pub hostname: String,
    /// Nothing was done.
    pub dry_run: bool,
    /// Snapshots that were live, and are forgotten now.
    pub snapshots_forgotten: u64,
    /// Ids of keys that were removed.
    pub keys_removed: Vec<String>,
    /// Records of its snapshots that stay: times, paths, sizes, and no content.
    pub records_left: u64,
    /// Bytes in the store that no snapshot needs, as far as they were counted.
    pub bytes_left: u64,
    /// None of its content is left.
    pub is_destroyed: bool,
    /// The record of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub evidence: Option<String>,
}

impl Offboarded {
    /// Nothing happened yet.
    #[must_use]
    pub fn new(hostname: &str, snapshots: u64) -> Self {
        Self {
            hostname: hostname.to_owned(),
            dry_run: false,
            snapshots_forgotten: snapshots,
            keys_removed: Vec::new(),
            records_left: 0,
            bytes_left: 0,
            is_destroyed: false,
            evidence: None,
        }
    }
}

/// A hold was put up.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct HoldAdded {
    /// The hold.
    #[serde(flatten)]
    pub hold: HoldRecord,
    /// Snapshots that were forgotten before: not protected unless they are brought back.
    pub too_late: Vec<String>,
}

/// Holds were released.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct HoldReleased {
    /// Ids of the holds.
    pub ids: Vec<String>,
    /// Snapshots with a tombstone that nothing holds any more.
    pub forgotten: Vec<String>,
}

/// One hold.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct HoldRecord {
    /// Its id.
    pub id: String,
    /// Why.
    pub reason: String,
    /// The client that put it up.
    pub client: String,
    /// RFC 3339.
    pub time: String,
    /// When it should be released, RFC 3339.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub until: Option<String>,
    /// Whether that time is over.
    pub overdue: bool,
    /// How the snapshots were chosen, in words.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub selection: Option<String>,
    /// Ids of the snapshots.
    pub snapshots: Vec<String>,
    /// Whether it can be read; what a hold holds that cannot be read, nobody knows.
    pub readable: bool,
}

/// A snapshot's tags were changed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct TagsChanged {
    /// The snapshot.
    pub snapshot_id: String,
    /// What it had.
    pub before: Vec<String>,
    /// What it has.
    pub after: Vec<String>,
}

/// One day of a simulation; an array of them is printed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SimulatedDay {
    /// Time of the last backup of the day, RFC 3339.
    pub time: String,
    /// Snapshots made on it.
    pub made: u64,
    /// Snapshots left at its end.
    pub live: u64,
    /// Snapshots forgotten at its end.
    pub forgotten: Vec<SimulatedSnapshot>,
}

/// A snapshot that would be forgotten.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SimulatedSnapshot {
    /// Its id; absent for one that does not exist yet.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// Its host.
    pub hostname: String,
    /// When it was or will be made, RFC 3339.
    pub time: String,
}
