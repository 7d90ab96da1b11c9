//! Messages of `database`.

use serde::Serialize;

/// A database that was found on this machine.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct DatabaseFound {
    /// The preset for it.
    pub preset: &'static str,
    /// `socket`, `port`, `process`, `folder` or `file`.
    pub by: &'static str,
    /// Where.
    pub place: String,
    /// What to write into the configuration; null for what is found in another way as well.
    pub source: Option<String>,
    /// What a person should know.
    pub note: String,
}

/// The outcome of a restore of a database.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct DatabaseRestored {
    /// The snapshot.
    pub snapshot_id: String,
    /// Name of the source.
    pub source: String,
    /// The preset.
    pub preset: String,
    /// The database in the snapshot.
    pub database: String,
    /// What it is called now.
    pub new_name: String,
    /// Tables that came back.
    pub tables: u64,
    /// Rows that came back.
    pub rows: u64,
    /// How that differs from what was dumped.
    pub differences: Vec<String>,
    /// Time of the restore.
    pub restore_seconds: f64,
}

/// The outcome of a drill of databases.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct DatabaseDrillSummary {
    /// `pass`, `fail` or `not-proved`.
    pub outcome: &'static str,
    /// The snapshot.
    pub snapshot_id: String,
    /// Name of the source.
    pub source: String,
    /// The preset.
    pub preset: String,
    /// The host that was dumped.
    pub hostname: String,
    /// Version of the server that was dumped, in its own words.
    pub server_version: String,
    /// Version of the private server; empty if none ran.
    pub drill_version: String,
    /// Databases that came back as they were.
    pub databases_passed: u64,
    /// Databases in the drill.
    pub databases: u64,
    /// Tables that were counted.
    pub tables: u64,
    /// Rows that were counted.
    pub rows: u64,
    /// Bytes of dumps that were restored.
    pub bytes_restored: u64,
    /// Time of all restores.
    pub restore_seconds: f64,
    /// What is wrong, or keeps it from being proved.
    pub findings: Vec<DatabaseFinding>,
    /// The record of evidence; null if this key signs none.
    pub evidence: Option<String>,
}

/// Something that is wrong with a database.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct DatabaseFinding {
    /// The database.
    pub database: String,
    /// Whether it only keeps something from being proved.
    pub not_proved: bool,
    /// What is wrong.
    pub why: String,
    /// What to do about it; null if nothing is known.
    pub hint: Option<String>,
}
