//! What a collection did, or would do.

use crate::base::id::GenerationId;
use crate::store::Leftovers;

/// Outcome of a collection.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct GcReport {
    /// Packs in the store when it began.
    pub packs: u64,
    /// Bytes of these packs.
    pub pack_bytes: u64,
    /// Snapshots whose chunks were kept.
    pub snapshots: u64,
    /// Packs of which nothing is needed.
    pub unneeded_packs: u64,
    /// Bytes of these packs.
    pub unneeded_bytes: u64,
    /// Stored bytes in other packs that nothing needs, about.
    pub unused_bytes: u64,
    /// Packs that were announced now and can be deleted after the grace.
    pub announced_packs: u64,
    /// Bytes of the announced packs.
    pub announced_bytes: u64,
    /// Packs announced earlier whose grace is not over.
    pub waiting_packs: u64,
    /// Packs that were condemned and turned out to be needed again.
    pub rescued_packs: u64,
    /// Packs that were deleted.
    pub deleted_packs: u64,
    /// Bytes of the deleted packs.
    pub deleted_bytes: u64,
    /// Packs that the store did not let go; a later run tries again.
    pub refused_deletes: u64,
    /// Index segments that were replaced by others.
    pub replaced_segments: u64,
    /// Sessions that were given up because they were silent, or on demand.
    pub fenced_sessions: u64,
    /// Half-written files of killed runs that were removed from a local store.
    pub leftovers: Leftovers,
    /// Generations of others that were closed.
    pub closed_generations: u64,
    /// The generation that deleted, if one did.
    pub generation: Option<GenerationId>,
    /// Whether somebody closed that generation, so that it deleted nothing.
    pub is_void: bool,
    /// What was rewritten.
    pub repack: RepackReport,
    /// Requests that a run would send about, beside those of looking; for a dry run.
    pub requests_to_come: u64,
    /// Requests that were sent.
    pub requests: u64,
    /// Wall time, in milliseconds.
    pub duration_ms: u64,
}

/// What repacking did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct RepackReport {
    /// Thin packs that were chosen.
    pub packs: u64,
    /// Bytes of these packs.
    pub bytes: u64,
    /// Bytes of the packs that were written instead.
    pub written_bytes: u64,
    /// Thin packs of content that this key cannot read and so cannot rewrite.
    pub unreadable_packs: u64,
}
