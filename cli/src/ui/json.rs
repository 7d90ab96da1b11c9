//! The message types of `--json`; field names as in restic where restic has the field.
//!
//! Every message is one line with `message_type` first. Fields are only ever added. What each
//! means to a reader stands in `docs/INTERFACES.md`.

use serde::Serialize;

use crate::ui::changes::{ChangeRecord, ChangeStatistics, NightRecord, VersionRecord};
use crate::ui::clients::{KeyRevoked, KeySucceeded};
use crate::ui::consents::ConsentRecord;
use crate::ui::database::{DatabaseDrillSummary, DatabaseFound, DatabaseRestored};
use crate::ui::keys::{KeyAdded, KeyRemoved, KeyTested, KeysRotated};
use crate::ui::machines::{Invited, Joined, MachineRecord};
use crate::ui::night::{
    CheckRecord, ConfigRecord, ImportRecord, OutcomeRecord, RecoveryPart, RunRecord, SlotRecord,
    StoredRecord, SystemRecord,
};
use crate::ui::proof::{DrillSummary, RotationSummary};
pub use crate::ui::records::JsonPath;
use crate::ui::records::{
    DemoStep, DemoSummary, Freed, Initialized, Node, Probed, PruneSummary, Rebuilt, SnapshotRecord,
    Stats, Unblocked,
};

use crate::ui::retention::{HoldAdded, HoldReleased, Offboarded, TagsChanged, Undeleted};
use crate::ui::upkeep::{Benchmarked, CacheCleaned, Doctor, Mounted};
use crate::ui::watch::{
    ChannelRecord, ConditionRecord, DeliveryRecord, TicketRecord, WatchSummary,
};

/// Anything that is printed as a line of its own with `--json`.
#[derive(Debug, Serialize)]
#[serde(tag = "message_type", rename_all = "snake_case")]
pub enum Message<'a> {
    /// How far an operation is (standard output).
    Status(Status),
    /// One path that differs, in a backup or a restore (standard output, with `-v`).
    VerboseStatus(VerboseStatus),
    /// The outcome of a backup (standard output, last line).
    #[serde(rename = "summary")]
    BackupSummary(BackupSummary),
    /// The outcome of a restore (standard output, last line).
    #[serde(rename = "summary")]
    RestoreSummary(RestoreSummary),
    /// The outcome of a check (standard output, last line).
    #[serde(rename = "summary")]
    CheckSummary(CheckSummary),
    /// The outcome of a prune (standard output, last line).
    #[serde(rename = "summary")]
    PruneSummary(PruneSummary),
    /// The outcome of a drill (standard output, last line).
    #[serde(rename = "summary")]
    DrillSummary(Box<DrillSummary>),
    /// A database that was found (standard output).
    DatabaseFound(DatabaseFound),
    /// The outcome of a restore of a database (standard output, last line).
    #[serde(rename = "summary")]
    DatabaseRestored(Box<DatabaseRestored>),
    /// The outcome of a drill of databases (standard output, last line).
    #[serde(rename = "summary")]
    DatabaseDrill(Box<DatabaseDrillSummary>),
    /// The outcome of a turn of the rotation (standard output, last line).
    #[serde(rename = "summary")]
    RotationSummary(Box<RotationSummary>),
    /// One item failed, the rest goes on (standard error).
    Error(ItemError<'a>),
    /// A slot of a job (standard output).
    Slot(SlotRecord),
    /// Where a system stands (standard output).
    System(Box<SystemRecord>),
    /// The answer to a monitor (standard output).
    Check(CheckRecord),
    /// A ticket changed (standard output).
    Condition(Box<ConditionRecord>),
    /// What a look at all clients came to (standard output, last line).
    #[serde(rename = "summary")]
    WatchSummary(WatchSummary),
    /// A ticket (standard output).
    Ticket(Box<TicketRecord>),
    /// What a channel was told (standard output).
    Delivery(Box<DeliveryRecord>),
    /// Whether a channel can be used (standard output).
    Channel(ChannelRecord),
    /// A run has ended, or the part of one about a system (standard output).
    Run(RunRecord),
    /// How a job ended, from the store (standard output).
    Outcome(Box<OutcomeRecord>),
    /// A configuration that is stored in the repository (standard output).
    #[serde(rename = "stored_configuration")]
    StoredConfiguration(StoredRecord),
    /// A configuration was made of those of other programs (standard output).
    #[serde(rename = "imported_configuration")]
    ImportedConfiguration(Box<ImportRecord>),
    /// A configuration makes sense (standard output).
    Configuration(ConfigRecord),
    /// A fact the user should know (standard error).
    Note {
        /// The fact.
        message: &'a str,
    },
    /// Why the command ends with a code other than 0 (standard error, last line).
    ExitError(ExitError<'a>),
    /// What program this is (standard output).
    Version(Version),
    /// A repository was made (standard output).
    Initialized(Initialized),
    /// What a probe found (standard output).
    Probe(Probed),
    /// Keys of the repository were changed (standard output).
    KeysRotated(KeysRotated),
    /// A key was added (standard output).
    KeyAdded(KeyAdded),
    /// A snapshot that `recover` restores (standard output).
    #[serde(rename = "recovery_part")]
    RecoveryPart(RecoveryPart),
    /// An invitation was made (standard output).
    Invited(Invited),
    /// This machine has joined (standard output).
    Joined(Joined),
    /// A machine that may write (standard output).
    Machine(Box<MachineRecord>),
    /// A key was removed (standard output).
    KeyRemoved(KeyRemoved),
    /// A client was revoked (standard output).
    KeyRevoked(KeyRevoked),
    /// This machine goes on with the history of others (standard output).
    KeySucceeded(KeySucceeded),
    /// What is set and what works (standard output).
    Doctor(Doctor),
    /// Caches of this machine were removed (standard output).
    CacheCleaned(CacheCleaned),
    /// Snapshots are there to be looked at (standard output).
    Mounted(Mounted),
    /// What the given key is (standard output).
    KeyTest(KeyTested),
    /// The snapshot that the following nodes are of (standard output).
    Snapshot(Box<SnapshotRecord>),
    /// One entry of a snapshot (standard output).
    Node(Node),
    /// A path that differs between two snapshots (standard output).
    Change(ChangeRecord),
    /// How two snapshots differ (standard output, last line).
    Statistics(ChangeStatistics),
    /// One version of a path (standard output).
    #[serde(rename = "path_version")]
    PathVersion(Box<VersionRecord>),
    /// What changed from one snapshot to the next (standard output).
    Night(Box<NightRecord>),
    /// What forgetting snapshots would free (standard output).
    Freed(Freed),
    /// How much a repository holds (standard output).
    Stats(Stats),
    /// A forgotten snapshot is back (standard output).
    Undeleted(Undeleted),
    /// How far a client has left (standard output).
    Offboarded(Offboarded),
    /// A hold was put up (standard output).
    HoldAdded(HoldAdded),
    /// Holds were released (standard output).
    HoldReleased(HoldReleased),
    /// Somebody agreed to what takes two people (standard output).
    Approved(ConsentRecord),
    /// Tags of a snapshot were changed (standard output).
    TagsChanged(TagsChanged),
    /// An object that cannot be read stops nobody any more (standard output).
    Unblocked(Unblocked),
    /// The local index was rebuilt (standard output).
    IndexRebuilt(Rebuilt),
    /// What a machine can do (standard output).
    Benchmark(Benchmarked),
    /// One command of a demonstration (standard output).
    DemoStep(DemoStep),
    /// The outcome of a demonstration (standard output, last line).
    #[serde(rename = "summary")]
    DemoSummary(DemoSummary),
}

impl Message<'_> {
    /// The message as one line without its newline.
    #[must_use]
    pub fn to_line(&self) -> String {
        serde_json::to_string(self).expect("because all keys of all messages are strings")
    }
}

/// One path that differs, and how.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct VerboseStatus {
    /// `new`, `modified`, `metadata`, `kind` or `removed`.
    pub action: &'static str,
    /// The path, escaped.
    pub item: String,
    /// The path.
    #[serde(flatten)]
    pub path: JsonPath,
    /// Logical bytes of its content.
    pub size: u64,
    /// What somebody should know before it happens.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub remark: Option<&'static str>,
}

/// How far an operation is.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Status {
    /// What is being done: `backing up`, `restoring` …
    pub phase: &'static str,
    /// Since this phase began.
    pub seconds_elapsed: u64,
    /// Estimated; absent while nothing can be said.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub seconds_remaining: Option<u64>,
    /// 0 to 1; 0 while the total is unknown.
    pub percent_done: f64,
    /// Items to deal with, if known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub total_files: Option<u64>,
    /// Items dealt with.
    pub files_done: u64,
    /// Bytes to deal with, if known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub total_bytes: Option<u64>,
    /// Bytes dealt with.
    pub bytes_done: u64,
    /// Items that failed so far.
    pub error_count: u64,
    /// What is being worked on, escaped for display.
    pub current_files: Vec<String>,
}

/// The outcome of a backup.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct BackupSummary {
    /// Nothing was stored, only counted.
    pub dry_run: bool,
    /// Files that the previous snapshot did not have.
    pub files_new: u64,
    /// Files that differ from the previous snapshot.
    pub files_changed: u64,
    /// Files taken over from the previous snapshot.
    pub files_unmodified: u64,
    /// Directories that the previous snapshot did not have.
    pub dirs_new: u64,
    /// Directories whose metadata differs from the previous snapshot.
    pub dirs_changed: u64,
    /// Directories taken over from the previous snapshot.
    pub dirs_unmodified: u64,
    /// New chunks of file content.
    pub data_blobs: u64,
    /// New tree nodes.
    pub tree_blobs: u64,
    /// Bytes of new chunks before compression.
    pub data_added: u64,
    /// Bytes that went into new packs.
    pub data_added_packed: u64,
    /// Files of the previous snapshot that are gone.
    pub files_removed: u64,
    /// All paths of the previous snapshot that are gone.
    pub paths_removed: u64,
    /// Bytes of the files among them.
    pub bytes_removed: u64,
    /// Paths that had been listed and were gone when they were looked at.
    pub files_vanished: u64,
    /// Files seen.
    pub total_files_processed: u64,
    /// Bytes of all files seen.
    pub total_bytes_processed: u64,
    /// RFC 3339.
    pub backup_start: String,
    /// RFC 3339.
    pub backup_end: String,
    /// Seconds.
    pub total_duration: f64,
    /// Items that could not be read; with any, the exit code is 3.
    pub error_count: u64,
    /// Snapshots that this machine has seen and that are gone from the store.
    pub snapshots_lost: u64,
    /// The new snapshot; absent if none was made.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub snapshot_id: Option<String>,
}

/// The outcome of a restore.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct RestoreSummary {
    /// Nothing was written, only counted.
    pub dry_run: bool,
    /// Seconds, whole.
    pub seconds_elapsed: u64,
    /// Items selected.
    pub total_files: u64,
    /// Items written.
    pub files_restored: u64,
    /// Items that were right already or were not to be overwritten.
    pub files_skipped: u64,
    /// Items removed because of `--delete`.
    pub files_deleted: u64,
    /// Items that stayed in spite of it, because their folder was not backed up whole.
    pub files_not_deleted: u64,
    /// Bytes selected.
    pub total_bytes: u64,
    /// Bytes written.
    pub bytes_restored: u64,
    /// Bytes that were there already.
    pub bytes_skipped: u64,
    /// Items that could not be restored.
    pub error_count: u64,
    /// Those of them whose stored bytes are damaged or missing; with any, the exit code is 20.
    pub damage_count: u64,
    /// Bytes that were decoded to write these.
    pub bytes_decoded: u64,
    /// Bytes of packs that came from the store for these.
    pub bytes_fetched: u64,
    /// Bytes of content that the target had already.
    pub bytes_reused: u64,
    /// Files that were compared afterwards because of `--verify`.
    pub files_verified: u64,
    /// Items of which the snapshot has only the names, because they could not be read when it was
    /// made.
    pub files_unread: u64,
    /// Entries that came back without set-id bits, because they have another owner or group now.
    pub set_ids_lost: u64,
    /// Whether the same command would go on where this one had to stop.
    pub unfinished: bool,
    /// What an untrusted restore left out; absent for others.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub untrusted: Option<LeftOutRecord>,
}

/// What an untrusted restore left out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LeftOutRecord {
    /// Devices, pipes and sockets.
    pub special_files: u64,
    /// Files that lost set-user or set-group bits.
    pub set_id_bits: u64,
    /// Extended attributes of the system: capabilities, labels, ACLs.
    pub attributes: u64,
    /// Files that lost inode flags.
    pub inode_flags: u64,
}

/// The outcome of a check.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct CheckSummary {
    /// Damages found.
    pub num_errors: u64,
    /// Packs that are missing or damaged.
    pub broken_packs: Vec<String>,
    /// Whether rebuilding the local index would help.
    pub suggest_repair_index: bool,
    /// Whether there is garbage to free.
    pub suggest_prune: bool,
    /// Snapshots looked at.
    pub snapshots_checked: u64,
    /// Packs looked at.
    pub packs_checked: u64,
    /// Bytes read back and authenticated.
    pub bytes_read: u64,
    /// What is damaged or missing, by object.
    pub damage: Vec<Damaged>,
    /// Keys in the store that are no part of this repository.
    pub foreign_keys: Vec<String>,
    /// Key slots that no administrator has signed.
    pub stray_slots: Vec<String>,
}

/// An object that is damaged or missing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Damaged {
    /// Its key in the store.
    pub key: String,
    /// What is wrong with it.
    pub findings: Vec<String>,
    /// `SNAPSHOT:/path` of what it hurts, the first of them.
    pub paths: Vec<String>,
    /// How many paths it hurts.
    pub path_count: u64,
}

/// One item failed.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ItemError<'a> {
    /// Why.
    pub error: Why<'a>,
    /// What was being done: `reading`, `listing` …
    pub during: &'a str,
    /// The same as `path`, under the name that restic gives it.
    pub item: String,
    /// Which item.
    #[serde(flatten)]
    pub path: JsonPath,
}

/// The inner object of an [`ItemError`], as restic nests it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Why<'a> {
    /// In words.
    pub message: &'a str,
}

/// Why a command failed.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ExitError<'a> {
    /// Stable name: `E_…`.
    pub code: &'a str,
    /// What failed.
    pub message: &'a str,
    /// What was behind it, outermost first.
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    pub causes: &'a [String],
    /// What to do next, if there is something.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hint: Option<&'a str>,
    /// The exit code of the process.
    pub exit_code: u8,
}

/// What program this is.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Version {
    /// Of the program.
    pub version: &'static str,
    /// The newest repository format it reads and writes.
    pub repository_format: u8,
    /// Operating system it was built for.
    pub os: &'static str,
    /// Processor architecture it was built for.
    pub arch: &'static str,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_type_comes_first_and_a_line_is_one_line() {
        let line = Message::Note { message: "a\nb" }.to_line();
        assert_eq!(line, r#"{"message_type":"note","message":"a\nb"}"#);
    }

    #[test]
    fn names_that_are_not_utf8_keep_their_bytes() {
        let plain = JsonPath::new("/a\\b\nü".as_bytes());
        assert_eq!((plain.path.as_str(), plain.path_b64), ("/a\\b\nü", None));
        let odd = JsonPath::new(b"/a\xff");
        assert_eq!(odd.path, "/a\\xff");
        assert_eq!(odd.path_b64.as_deref(), Some("L2H/"));
    }

    #[test]
    fn an_item_error_reads_as_in_restic() {
        let error = ItemError {
            error: Why { message: "permission denied" },
            during: "reading",
            item: "/x".to_owned(),
            path: JsonPath::new(b"/x"),
        };
        assert_eq!(
            Message::Error(error).to_line(),
            concat!(
                r#"{"message_type":"error","error":{"message":"permission denied"},"#,
                r#""during":"reading","item":"/x","path":"/x"}"#
            )
        );
    }
}
