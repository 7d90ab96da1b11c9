//! Counts requests and bytes, because stores charge for both and tests hold us to few of them.

use std::sync::atomic::{AtomicU64, Ordering};

/// What a store charges a request as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum RequestKind {
    Put,
    Get,
    List,
    Delete,
}

/// Requests and bytes since a store was opened; shared by all its clones.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Usage {
    /// Requests that write.
    pub put_count: u64,
    /// Requests that read an object, a part of it, or its size.
    pub get_count: u64,
    /// Pages of listings.
    pub list_count: u64,
    /// Requests that delete.
    pub delete_count: u64,
    /// How many of all these repeated an earlier one that had failed.
    pub retry_count: u64,
    /// Bytes of objects sent, repeated ones included.
    pub uploaded_bytes: u64,
    /// Bytes of objects received.
    pub downloaded_bytes: u64,
}

impl Usage {
    /// All requests, whatever their kind.
    #[must_use]
    pub fn requests(&self) -> u64 {
        self.put_count + self.get_count + self.list_count + self.delete_count
    }
}

/// The counters behind [`Usage`].
#[derive(Debug, Default)]
pub(crate) struct Meter {
    put: AtomicU64,
    get: AtomicU64,
    list: AtomicU64,
    delete: AtomicU64,
    retry: AtomicU64,
    uploaded: AtomicU64,
    downloaded: AtomicU64,
}

impl Meter {
    pub(crate) fn request(&self, kind: RequestKind) {
        let counter = match kind {
            RequestKind::Put => &self.put,
            RequestKind::Get => &self.get,
            RequestKind::List => &self.list,
            RequestKind::Delete => &self.delete,
        };
        counter.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn retry(&self) {
        self.retry.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn uploaded(&self, byte_count: usize) {
        self.uploaded.fetch_add(byte_count as u64, Ordering::Relaxed);
    }

    pub(crate) fn downloaded(&self, byte_count: usize) {
        self.downloaded.fetch_add(byte_count as u64, Ordering::Relaxed);
    }

    pub(crate) fn usage(&self) -> Usage {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        Usage {
            put_count: read(&self.put),
            get_count: read(&self.get),
            list_count: read(&self.list),
            delete_count: read(&self.delete),
            retry_count: read(&self.retry),
            uploaded_bytes: read(&self.uploaded),
            downloaded_bytes: read(&self.downloaded),
        }
    }
}
