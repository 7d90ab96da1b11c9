//! What commands report as JSON beside progress and outcomes: repositories, snapshots, files.
//!
//! Some of these are messages, some are elements of one array that a command prints; either way a
//! field keeps its name and its meaning once it is here.

use data_encoding::BASE64;
use engine::base::path::escape;
use serde::Serialize;

/// A path whose name may not be UTF-8.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct JsonPath {
    /// The path itself if it is UTF-8, otherwise with the odd bytes written as `\x..`.
    pub path: String,
    /// The bytes of the path in Base64; only if they are not UTF-8.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub path_b64: Option<String>,
}

impl JsonPath {
    /// Takes the bytes of a path.
    #[must_use]
    pub fn new(bytes: &[u8]) -> Self {
        match std::str::from_utf8(bytes) {
            Ok(text) => Self { path: text.to_owned(), path_b64: None },
            Err(_) => Self { path: escape(bytes), path_b64: Some(BASE64.encode(bytes)) },
        }
    }
}

/// A repository was made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Initialized {
    /// Its id.
    pub id: String,
    /// Its location.
    pub repository: String,
    /// Fingerprint of the administrator's key.
    pub fingerprint: String,
    /// The 24 words; absent with `-q`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub recovery_words: Option<String>,
    /// The file with the recovery kit, if one was wanted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kit: Option<String>,
}

/// What a probe found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Probed {
    /// The location.
    pub repository: String,
    /// Whether no required check failed.
    pub safe: bool,
    /// The checks in order.
    pub checks: Vec<ProbedCheck>,
}

/// One check of a probe.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ProbedCheck {
    /// 1 to 10.
    pub number: u8,
    /// What was looked at.
    pub name: &'static str,
    /// Whether safety rests on it.
    pub required: bool,
    /// `passed`, `failed` or `skipped`.
    pub outcome: &'static str,
    /// What was seen.
    pub detail: String,
}

/// One snapshot.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct SnapshotRecord {
    /// Whole id.
    pub id: String,
    /// Its first eight digits.
    pub short_id: String,
    /// When the run began, RFC 3339.
    pub time: String,
    /// When it was made by all that is known; only in a list of snapshots.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub made: String,
    /// `future` or `ahead`, if a clock was wrong; only in such a list.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub wrong_clock: Option<&'static str>,
    /// `host` or `revoked`, if it does not count: its client may not name the host, or had been
    /// revoked; only in such a list.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub doubt: Option<&'static str>,
    /// The client that its history goes on with; only in such a list.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub line: Option<String>,
    /// The client's snapshot before it, if it is there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub parent: Option<String>,
    /// Id of the root node.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tree: Option<String>,
    /// What was backed up; odd bytes escaped.
    pub paths: Vec<String>,
    /// The same in Base64; only if one of them is not UTF-8.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub paths_b64: Option<Vec<String>>,
    /// Host name.
    pub hostname: String,
    /// Tags.
    pub tags: Vec<String>,
    /// A remark.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// `complete`, `complete-with-notes` or `partial`.
    pub state: &'static str,
    /// How many items could not be read.
    pub problem_count: u64,
    /// The client that wrote it.
    pub client: String,
    /// The client's running number.
    pub sequence: u64,
    /// Which program wrote it.
    pub program_version: String,
    /// The forgotten snapshot that it brings back.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub original: Option<String>,
    /// Ids of the holds that keep it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub held_by: Vec<String>,
    /// Who forgot it and why; absent for one that is live.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub forgotten: Option<ForgottenRecord>,
    /// What it lacks, as far as its record names it; only in a list of snapshots.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub problems: Vec<ProblemRecord>,
    /// What became of each path that was asked for; only in a list of snapshots.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub roots: Vec<RootRecord>,
    /// Numbers.
    pub summary: SnapshotSummary,
}

/// One item that could not be saved as it should.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ProblemRecord {
    /// Which item.
    #[serde(flatten)]
    pub path: JsonPath,
    /// What was being done: `reading`, `listing` …
    pub during: String,
    /// Why it failed.
    pub message: String,
}

/// What became of a path that was asked for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RootRecord {
    /// As it was asked for.
    #[serde(flatten)]
    pub path: JsonPath,
    /// Where it is in the snapshot, if links led elsewhere.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub led_to: Option<String>,
    /// `saved`, `partial`, `missing` or `empty`.
    pub state: &'static str,
    /// Entries at and below it.
    pub entries: u64,
    /// Logical bytes of the files among them.
    pub bytes: u64,
}

/// What a snapshot lacks.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SnapshotProblems {
    /// The snapshot.
    pub id: String,
    /// `complete`, `complete-with-notes` or `partial`.
    pub state: &'static str,
    /// All that could not be saved as they should.
    pub problem_count: u64,
    /// The first of them.
    pub problems: Vec<ProblemRecord>,
    /// What became of each path that was asked for.
    pub roots: Vec<RootRecord>,
}

/// A tombstone.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct ForgottenRecord {
    /// RFC 3339.
    pub time: String,
    /// The client that forgot it.
    pub client: String,
    /// Why.
    pub reason: String,
    /// The rules that did not keep it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub policy: Option<String>,
}

/// Numbers of a snapshot.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
pub struct SnapshotSummary {
    /// RFC 3339.
    pub backup_start: String,
    /// RFC 3339.
    pub backup_end: String,
    /// Files that the snapshot before did not have.
    pub files_new: u64,
    /// Files that differed.
    pub files_changed: u64,
    /// Files that were taken over.
    pub files_unmodified: u64,
    /// Bytes of new chunks before compression.
    pub data_added: u64,
    /// Bytes that went into new packs.
    pub data_added_packed: u64,
    /// Files in it.
    pub total_files_processed: u64,
    /// Bytes of all files in it.
    pub total_bytes_processed: u64,
    /// Everything in it, directories and links too.
    pub total_entries: u64,
}

/// One entry of a snapshot.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Node {
    /// Its name, odd bytes escaped.
    pub name: String,
    /// `file`, `dir`, `symlink`, `fifo`, `socket`, `chardev` or `dev`.
    #[serde(rename = "type")]
    pub kind: &'static str,
    /// Its whole path.
    #[serde(flatten)]
    pub path: JsonPath,
    /// Owner.
    pub uid: u32,
    /// Group.
    pub gid: u32,
    /// Name of the owner.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// Name of the group.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub group: Option<String>,
    /// Bytes; for files only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub size: Option<u64>,
    /// Permission bits.
    pub mode: u32,
    /// The same as `ls -l` shows them.
    pub permissions: String,
    /// RFC 3339.
    pub mtime: String,
    /// RFC 3339.
    pub ctime: String,
    /// Target of a symbolic link, odd bytes escaped.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub linktarget: Option<String>,
    /// Inode number where it came from.
    pub inode: u64,
}

/// What `find` found in one snapshot.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct FoundIn {
    /// The entries.
    pub matches: Vec<Node>,
    /// How many they are.
    pub hits: u64,
    /// The snapshot's id.
    pub snapshot: String,
}

/// How much a repository holds.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Stats {
    /// Snapshots counted.
    pub snapshots_count: u64,
    /// Entries of all of them together.
    pub total_file_count: u64,
    /// Bytes of all files of all of them together, as if nothing were shared.
    pub total_restore_size: u64,
    /// Different chunks of file content.
    pub total_blob_count: u64,
    /// Bytes of these before compression.
    pub total_uncompressed_size: u64,
    /// Bytes of packs in the store; absent for chosen snapshots, whose packs others share.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub total_size: Option<u64>,
    /// Packs in the store; absent as before.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub packs_count: Option<u64>,
    /// `total_restore_size` divided by `total_uncompressed_size`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dedup_ratio: Option<f64>,
    /// Content and trees before compression divided by `total_size`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub compression_ratio: Option<f64>,
    /// Bytes that a restore of the chosen snapshots decodes, divided by those it needs of them, each
    /// chunk once; absent for a whole repository.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fragmentation: Option<f64>,
    /// Requests that were sent to the store for this answer.
    pub requests: u64,
}

/// An object is out of the way.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Unblocked {
    /// The object, as it was named.
    pub key: String,
    /// What was done.
    pub way: String,
}

/// The local index was rebuilt.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Rebuilt {
    /// Segments that were read.
    pub segments_read: u64,
    /// Segments that could not be read.
    pub segments_damaged: u64,
    /// Packs that were read from their own footers.
    pub packs_from_footers: u64,
    /// Packs in the index now.
    pub packs_count: u64,
}

/// One command of a demonstration.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct DemoStep {
    /// The command line.
    pub command: String,
    /// How it ended.
    pub exit_code: u8,
    /// How long it took, in seconds.
    pub duration: f64,
}

/// The outcome of a demonstration.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct DemoSummary {
    /// Whether every command ended well and the restored files equal the originals.
    pub ok: bool,
    /// Files, folders and links that were compared.
    pub items_compared: u64,
    /// Bytes of files that were compared.
    pub bytes_compared: u64,
    /// Items that this user cannot read, and that were not compared.
    pub items_unreadable: u64,
    /// What differs, the first of it.
    pub differences: Vec<String>,
}

/// What forgetting snapshots would free.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct Freed {
    /// Snapshots that would be forgotten.
    pub snapshots_count: u64,
    /// Packs that nothing else needs.
    pub packs_freed: u64,
    /// Bytes of these packs.
    pub bytes_freed: u64,
    /// Stored bytes, about, in packs that are needed in part: free once they are repacked.
    pub bytes_in_shared_packs: u64,
    /// Requests that were sent to the store for this answer.
    pub requests: u64,
}

/// The outcome of a prune.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
pub struct PruneSummary {
    /// Nothing was changed, only counted.
    pub dry_run: bool,
    /// Packs in the store before.
    pub packs_total: u64,
    /// Bytes of these packs.
    pub bytes_total: u64,
    /// Snapshots whose content was kept.
    pub snapshots_kept: u64,
    /// Packs that nothing needs.
    pub packs_unneeded: u64,
    /// Bytes of these packs.
    pub bytes_unneeded: u64,
    /// Stored bytes, about, that nothing needs in packs that are needed in part.
    pub bytes_unused: u64,
    /// Packs that were announced by this run.
    pub packs_announced: u64,
    /// Packs that were announced before and whose grace is not over.
    pub packs_waiting: u64,
    /// Packs that turned out to be needed again.
    pub packs_rescued: u64,
    /// Packs that were deleted.
    pub packs_deleted: u64,
    /// Bytes of the deleted packs.
    pub bytes_deleted: u64,
    /// Packs that the store did not let go.
    pub packs_refused: u64,
    /// Packs that were rewritten, or would be.
    pub packs_repacked: u64,
    /// Bytes of these packs.
    pub bytes_repacked: u64,
    /// Bytes of the packs that were written instead.
    pub bytes_written: u64,
    /// Packs that this key could not rewrite.
    pub packs_unreadable: u64,
    /// Half-written files of killed runs that were removed from a local store.
    pub leftovers_removed: u64,
    /// Bytes of these files.
    pub bytes_of_leftovers: u64,
    /// Sessions that were given up.
    pub sessions_given_up: u64,
    /// The generation that deleted; absent if none did.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub generation: Option<String>,
    /// Somebody closed the generation, so that it deleted nothing.
    pub void: bool,
    /// Requests that a run would send, about; 0 unless it is a dry run.
    pub requests_to_come: u64,
    /// Requests that were sent to the store.
    pub requests: u64,
    /// Seconds it took.
    pub total_duration: f64,
}
