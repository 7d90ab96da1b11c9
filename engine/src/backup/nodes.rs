//! Tree nodes on their way into tree packs, from the tree builder and from workers alike.

use std::sync::Mutex;

use crate::backup::error::BackupError;
use crate::backup::fill::Filler;
use crate::backup::shared::lock;
use crate::base::id::ChunkId;
use crate::blob::BlobError;
use crate::chunk::profile::Profile;
use crate::repo::error::RepoError;
use crate::tree::build::NodeWrite;

/// The one filler of tree packs. Entry nodes come from one thread; extent nodes of large files
/// come from the workers, too rarely to be worth a pack for each.
pub(super) struct NodeStore<'a> {
    filler: Mutex<Option<Filler<'a>>>,
}

impl<'a> NodeStore<'a> {
    pub(super) fn new(filler: Filler<'a>) -> Self {
        Self { filler: Mutex::new(Some(filler)) }
    }

    pub(super) fn is_indexed(&self, id: &ChunkId) -> Result<bool, BackupError> {
        lock(&self.filler).as_mut().ok_or(BackupError::Lost)?.is_indexed(id)
    }

    /// Closes the last pack; nothing can be written afterwards.
    pub(super) fn finish(&self) -> Result<(), BackupError> {
        let filler = lock(&self.filler).take();
        filler.ok_or(BackupError::Lost)?.finish()
    }
}

impl NodeWrite for &NodeStore<'_> {
    fn write_node(&mut self, bytes: &[u8]) -> Result<ChunkId, BlobError> {
        let mut filler = lock(&self.filler);
        let filler = filler.as_mut().ok_or(BackupError::Lost);
        filler.and_then(|filler| filler.store(Profile::General, bytes)).map_err(|error| {
            match error {
                BackupError::Index(error) => error.into(),
                BackupError::Blob(error) => error,
                BackupError::Repo(error) => error.into(),
                // The run is over already: another thread has the cause.
                other => RepoError::Refused { why: other.to_string() }.into(),
            }
        })
    }
}
