//! `snap/<sid>.commit`: the record that makes a session's tree a snapshot.

use minicbor::{Decode, Encode};

use crate::base::id::{ChunkId, ClientId, Digest, RepositoryId, SessionId};
use crate::base::limits::SNAPSHOT_MAX_PROBLEMS;
use crate::base::path::TreePath;
use crate::base::time::Timestamp;
use crate::format::facts::{Details, Facts};

/// How complete a snapshot is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Encode, Decode)]
#[cbor(index_only)]
pub enum SnapshotState {
    /// Everything that was asked for is in it.
    #[n(1)]
    Complete,
    /// Everything is in it, but some files changed while they were read.
    #[n(2)]
    CompleteWithNotes,
    /// Something could not be read; the record names it.
    #[n(3)]
    Partial,
}

impl SnapshotState {
    /// The name that people and scripts see.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Complete => "complete",
            Self::CompleteWithNotes => "complete-with-notes",
            Self::Partial => "partial",
        }
    }
}

/// What a backup did, in numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Encode, Decode)]
#[cbor(map)]
pub struct Summary {
    /// Files that the previous snapshot did not have.
    #[cbor(n(0), default)]
    pub files_new: u64,
    /// Files whose content or metadata differ.
    #[cbor(n(1), default)]
    pub files_changed: u64,
    /// Files taken over without being read.
    #[cbor(n(2), default)]
    pub files_unmodified: u64,
    /// Paths of the previous snapshot that are gone.
    #[cbor(n(3), default)]
    pub paths_gone: u64,
    /// Directories that are new.
    #[cbor(n(4), default)]
    pub dirs_new: u64,
    /// Directories whose metadata differ.
    #[cbor(n(5), default)]
    pub dirs_changed: u64,
    /// Directories that are equal.
    #[cbor(n(6), default)]
    pub dirs_unmodified: u64,
    /// Symbolic links, pipes, sockets and devices.
    #[cbor(n(7), default)]
    pub others: u64,
    /// All entries in the tree.
    #[cbor(n(8), default)]
    pub entries: u64,
    /// Logical bytes of all files in the tree.
    #[cbor(n(9), default)]
    pub total_bytes: u64,
    /// Bytes that were read from the source.
    #[cbor(n(10), default)]
    pub bytes_read: u64,
    /// Raw bytes of chunks that the repository did not have.
    #[cbor(n(11), default)]
    pub bytes_new: u64,
    /// Bytes of the packs that were written.
    #[cbor(n(12), default)]
    pub bytes_stored: u64,
    /// Chunks of file content that the repository did not have.
    #[cbor(n(13), default)]
    pub data_chunks_new: u64,
    /// Tree nodes that the repository did not have.
    #[cbor(n(14), default)]
    pub tree_nodes_new: u64,
    /// Requests that the run sent to the store, up to the commit.
    #[cbor(n(15), default)]
    pub requests: u64,
    /// Logical bytes of the files among the paths that are gone.
    #[cbor(n(16), default, skip_if = "is_zero")]
    pub bytes_gone: u64,
    /// Paths that were listed and had vanished when they were looked at.
    #[cbor(n(17), default, skip_if = "is_zero")]
    pub vanished: u64,
}

fn is_zero(value: &u64) -> bool {
    *value == 0
}

/// What became of a path that was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Encode, Decode)]
#[cbor(index_only)]
pub enum RootState {
    /// It is in the tree, with all that was selected of it.
    #[n(1)]
    Saved,
    /// It is in the tree, and something in it could not be read.
    #[n(2)]
    Partial,
    /// It was not there, and the run was told to go on without.
    #[n(3)]
    Missing,
    /// It is there, and nothing below it was selected.
    #[n(4)]
    Empty,
}

/// A path that was asked for, and what became of it.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct RecordedRoot {
    /// The absolute path as it was asked for.
    #[n(0)]
    pub asked: PathBytes,
    /// Where it led, if that is elsewhere: the path that is in the tree.
    #[n(1)]
    pub led_to: Option<PathBytes>,
    /// What became of it.
    #[n(2)]
    pub state: RootState,
    /// Entries at and below it.
    #[cbor(n(3), default)]
    pub entries: u64,
    /// Logical bytes of the files among them.
    #[cbor(n(4), default)]
    pub total_bytes: u64,
}

/// One item that could not be backed up as it should.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct RecordedProblem {
    /// Key of its path.
    #[cbor(n(0), with = "minicbor::bytes")]
    pub path: Vec<u8>,
    /// What was being done.
    #[n(1)]
    pub action: String,
    /// Why it failed.
    #[n(2)]
    pub why: String,
}

/// The forgotten snapshot that another one brings back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct Original {
    /// Its session; if it was brought back itself, that of the first one.
    #[n(0)]
    pub session: SessionId,
    /// When the store received its commit, by the store's clock: retention goes by it.
    #[n(1)]
    pub committed: Timestamp,
}

/// A record of evidence that a client knew to be there, the newest of its chain.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct EvidenceHead {
    /// Whose chain.
    #[n(0)]
    pub writer: ClientId,
    /// Its number in the chain.
    #[n(1)]
    pub number: u32,
    /// BLAKE3 of its signed bytes.
    #[n(2)]
    pub hash: Digest,
    /// When the store received it, as the client saw.
    #[n(3)]
    pub received: Option<Timestamp>,
}

/// A committed snapshot, as a program uses it and as an index keeps it. What is stored under its key
/// is a record of two parts, of which one is sealed.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct Snapshot {
    /// The repository.
    #[n(0)]
    pub repository: RepositoryId,
    /// The session; its id is the snapshot's id.
    #[n(1)]
    pub session: SessionId,
    /// The client; also the first part of the session's id.
    #[n(2)]
    pub client: ClientId,
    /// Plain BLAKE3 of the client's previous commit object, if it knows one.
    #[n(3)]
    pub previous: Option<Digest>,
    /// Newest snapshot of every other client that this one has seen: a rolled-back store shows.
    #[cbor(n(4), default, skip_if = "Vec::is_empty")]
    pub seen: Vec<SessionId>,
    /// Root node of the tree of entries; [`SEALED_ROOT`] if the key in use cannot read names.
    #[cbor(n(5), default, skip_if = "is_sealed_root")]
    pub root: ChunkId,
    /// Host that was backed up.
    #[n(6)]
    pub host: String,
    /// What was asked for, as absolute paths (raw bytes).
    #[n(7)]
    pub paths: Vec<PathBytes>,
    /// When the run began.
    #[n(8)]
    pub started: Timestamp,
    /// When the tree was complete.
    #[n(9)]
    pub finished: Timestamp,
    /// Program and version.
    #[n(10)]
    pub program: String,
    /// Tags.
    #[cbor(n(11), default, skip_if = "Vec::is_empty")]
    pub tags: Vec<String>,
    /// Free words.
    #[n(12)]
    pub description: Option<String>,
    /// Numbers.
    #[n(13)]
    pub summary: Summary,
    /// How complete it is.
    #[n(14)]
    pub state: SnapshotState,
    /// How many problems there were.
    #[cbor(n(15), default)]
    pub problem_count: u64,
    /// The first of them, up to `limits::SNAPSHOT_MAX_PROBLEMS`; none if the key in use cannot read
    /// names.
    #[cbor(n(16), default, skip_if = "Vec::is_empty")]
    pub problems: Vec<RecordedProblem>,
    /// Dedup domain of its chunks.
    #[n(17)]
    pub domain: u32,
    /// The forgotten snapshot whose tree this one brings back. Host, paths, times and tags are those
    /// of that one.
    #[n(18)]
    pub original: Option<Original>,
    /// Heads of chains of evidence that its client knew of, up to `limits::EVIDENCE_MAX_HEADS`: a
    /// chain that is cut off shows.
    #[cbor(n(19), default, skip_if = "Vec::is_empty")]
    pub evidence: Vec<EvidenceHead>,
    /// What became of each of `paths`; absent for streams.
    #[cbor(n(20), default, skip_if = "Vec::is_empty")]
    pub roots: Vec<RecordedRoot>,
    /// What else everybody may know.
    #[cbor(n(21), default, skip_if = "Facts::is_empty")]
    pub facts: Facts,
    /// What else only those know who may read names.
    #[cbor(n(22), default, skip_if = "Details::is_empty")]
    pub details: Details,
}

/// Stands for a root that the key in use cannot read: the id of no chunk.
pub const SEALED_ROOT: ChunkId = ChunkId::new([0; 32]);

fn is_sealed_root(root: &ChunkId) -> bool {
    *root == SEALED_ROOT
}

/// A path as raw bytes.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Encode, Decode)]
#[cbor(transparent)]
pub struct PathBytes(
    /// The bytes.
    #[cbor(n(0), with = "minicbor::bytes")]
    pub Vec<u8>,
);

impl Snapshot {
    /// Whether root, problems and details are closed to the key that read it.
    #[must_use]
    pub fn is_sealed(&self) -> bool {
        self.root == SEALED_ROOT
    }

    /// Where something is in the tree that was asked for by the path `asked`, or lies below such a
    /// path: the way there may lead through links.
    #[must_use]
    pub fn in_tree(&self, asked: &TreePath) -> TreePath {
        let led = self.roots.iter().filter_map(|root| {
            let led_to = root.led_to.as_ref()?;
            let from = TreePath::from_slashes(&root.asked.0).ok()?;
            let below = from.strip_prefix_of(asked)?;
            let to = TreePath::from_slashes(&led_to.0).ok()?.join_path(&below).ok()?;
            Some((from.key().len(), to))
        });
        led.max_by_key(|(length, _)| *length).map_or_else(|| asked.clone(), |(_, path)| path)
    }

    /// A path of the tree as it may have been asked for, where the way there led through links.
    pub fn as_asked(&self, path: &TreePath) -> impl Iterator<Item = TreePath> {
        self.roots.iter().filter_map(|root| {
            let led_to = TreePath::from_slashes(&root.led_to.as_ref()?.0).ok()?;
            let below = led_to.strip_prefix_of(path)?;
            TreePath::from_slashes(&root.asked.0).ok()?.join_path(&below).ok()
        })
    }

    /// Adds a problem: counted always, named while there is room.
    pub fn add_problem(&mut self, problem: RecordedProblem) {
        self.problem_count += 1;
        if self.problems.len() < SNAPSHOT_MAX_PROBLEMS {
            self.problems.push(problem);
        }
    }
}
