//! Whether bytes on the disk are those of a chunk.

use crate::base::id::{ChunkId, PackKind};
use crate::blob::BlobError;
use crate::blob::fetch::ChunkFetcher;
use crate::crypt::hash::ChunkIdKey;
use crate::repo::Repo;

/// Computes ids of what lies on the disk.
pub(super) struct ChunkMatcher<'a> {
    fetcher: &'a ChunkFetcher<'a>,
    /// The key of the domain that the snapshot was written in: that of nearly all its chunks.
    own: Option<ChunkIdKey>,
}

impl<'a> ChunkMatcher<'a> {
    /// For a snapshot that was written in `domain`.
    pub(super) fn new(repo: &Repo, fetcher: &'a ChunkFetcher<'a>, domain: u32) -> Self {
        Self { fetcher, own: repo.keys().chunk_id_key(domain) }
    }

    /// Whether `bytes` are the chunk `id` of a file.
    ///
    /// # Errors
    /// [`BlobError`] if the repository cannot say.
    pub(super) fn matches(&self, id: &ChunkId, bytes: &[u8]) -> Result<bool, BlobError> {
        let is_own = self.own.as_ref().is_some_and(|key| key.id(PackKind::Data, bytes) == *id);
        // A machine whose key changed refers to chunks of the domain that its old key wrote to.
        if is_own { Ok(true) } else { self.fetcher.is_chunk(id, bytes) }
    }
}
