//! What a backup did.

use crate::base::id::{ChunkId, SessionId};
use crate::base::monitor::Problem;
use crate::format::snapshot::{RecordedRoot, SnapshotState, Summary};

/// Outcome of a backup that ended well.
#[derive(Debug, Clone)]
pub struct BackupReport {
    /// The confirmed snapshot; `None` for a dry run and where nothing had changed.
    pub snapshot: Option<SessionId>,
    /// Root of the tree that was built.
    pub root: ChunkId,
    /// The snapshot it was compared with.
    pub parent: Option<SessionId>,
    /// Numbers.
    pub summary: Summary,
    /// Files among the paths of the previous snapshot that are gone.
    pub files_gone: u64,
    /// What became of each path that was asked for; empty for a stream.
    pub roots: Vec<RecordedRoot>,
    /// How complete the snapshot is.
    pub state: SnapshotState,
    /// All problems that were met.
    pub problem_count: u64,
    /// The first of them.
    pub problems: Vec<Problem>,
    /// Files that changed while they were read and were stored as they came.
    pub inconsistent_count: u64,
    /// Sessions of earlier runs that turned out to be committed and are snapshots now.
    pub adopted: Vec<SessionId>,
    /// Snapshots that this machine has seen and that are gone though nobody forgot them: the store was
    /// put back, or has lost them.
    pub lost: Vec<SessionId>,
    /// Wall time, in milliseconds.
    pub duration_ms: u64,
}
