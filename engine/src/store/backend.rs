//! The parts of an opened store that requests are made of.

use std::sync::Arc;

use object_store::ObjectStore;
use object_store::list::PaginatedListStore;
use object_store::path::Path as KeyPath;

use crate::store::bucket::Bucket;
use crate::store::folder::Folder;
use crate::store::keys::RenewedKeys;
use crate::store::pace::Limits;
use crate::store::wait::Heard;

/// A connection, whatever it leads to.
pub(crate) struct Backend {
    /// The store itself.
    pub(crate) objects: Arc<dyn ObjectStore>,
    /// Lists by any prefix and page by page, where the store is remote.
    pub(crate) pager: Option<Arc<dyn PaginatedListStore>>,
    /// Asks S3 buckets about themselves.
    pub(crate) bucket: Option<Bucket>,
    /// The folder of a local store.
    pub(crate) folder: Option<Folder>,
    /// Prefix of all keys, without a slash at its end; empty for none.
    pub(crate) root: String,
    /// Whether a round trip is as cheap as a system call.
    pub(crate) is_local: bool,
    /// How fast bytes may go and come.
    pub(crate) limits: Limits,
    /// Keys that can be read again when the store refuses them.
    pub(crate) keys: Option<Arc<RenewedKeys>>,
    /// When the other side was last heard of.
    pub(crate) heard: Arc<Heard>,
}

impl Backend {
    /// A bare store without anything around it.
    pub(crate) fn bare(objects: Arc<dyn ObjectStore>, is_local: bool) -> Self {
        Self {
            objects,
            pager: None,
            bucket: None,
            folder: None,
            root: String::new(),
            is_local,
            limits: Limits::default(),
            keys: None,
            heard: Arc::default(),
        }
    }

    /// Whether requests go through our own transport, which can also misbehave on demand.
    pub(crate) fn can_misbehave(&self) -> bool {
        self.pager.is_some()
    }

    /// The whole key of `key`.
    pub(crate) fn path(&self, key: &str) -> KeyPath {
        let whole = match self.root.is_empty() {
            true => key.to_owned(),
            false => format!("{}/{key}", self.root),
        };
        KeyPath::parse(&whole).unwrap_or_else(|_| KeyPath::from(whole))
    }

    /// The key of a listed object below the root; `None` for what lies elsewhere.
    pub(crate) fn key<'a>(&self, path: &'a KeyPath) -> Option<&'a str> {
        match self.root.is_empty() {
            true => Some(path.as_ref()),
            false => path.as_ref().strip_prefix(self.root.as_str())?.strip_prefix('/'),
        }
    }
}
