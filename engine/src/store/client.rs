//! The blocking surface of a store: requests that are repeated until their outcome is known.
//!
//! Uploading never concludes from a status. After a timeout, a 5xx, a 409 or a 412 the object is
//! read back and compared: a 412 can be the answer to our own write, and a 409 can mean that
//! nothing was written. Since names are never shared, the only honest outcomes are "the store
//! holds exactly these bytes", "it holds other bytes" and "unknown".

use std::ops::Range;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;

use bytes::Bytes;
use object_store::ObjectStore;
use tokio::runtime::{Builder, Runtime};

use crate::base::limits::{
    LIST_MAX_EMPTY_PAGES, LIST_MAX_OBJECTS, STORE_BLOCKING_THREADS, STORE_RUNTIME_THREADS,
};
use crate::base::time::Timestamp;
use crate::store::backend::Backend;
use crate::store::code::NameCodes;
use crate::store::connect::connect;
use crate::store::error::StoreError;
use crate::store::folder::Folder;
use crate::store::leftover::{self, Leftovers};
use crate::store::listed::Listed;
use crate::store::location::{Location, StoreOptions};
use crate::store::meter::{RequestKind, Usage};
use crate::store::name::ObjectName;
use crate::store::request::Link;
use crate::store::retry::RetrySettings;
use crate::store::wait::Attempts;

mod named;
mod repeat;
mod raw;

use named::Names;
pub use named::StrangeNames;
pub(crate) use repeat::is_unreachable;

/// A connection to a store; clones share it. Blocks, so it belongs on ordinary threads.
#[derive(Clone)]
pub struct Store {
    shared: Arc<Shared>,
    retry: RetrySettings,
    /// What names of the repository end in; `None` before it is opened.
    codes: Option<Arc<NameCodes>>,
    /// Who looks what it means that names end in something else.
    watch: Option<Arc<dyn StrangeNames>>,
    /// Which of the codes fitted last.
    fitting: Arc<AtomicUsize>,
}

struct Shared {
    link: Link,
    description: String,
    /// `None` only while it is dropped.
    runtime: Option<Runtime>,
}

impl Drop for Shared {
    fn drop(&mut self) {
        // A request that timed out may still hold a thread; nobody waits for it.
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

/// What a read-back found.
enum Held {
    Same,
    Other,
    Nothing,
}

impl Store {
    /// Opens a store; sends no request. `create_missing` makes the folder of a local store.
    ///
    /// # Errors
    /// [`StoreError::BadLocation`] for options that cannot be used, [`StoreError::FolderMissing`]
    /// and [`StoreError::Local`] for a local folder.
    pub fn open(
        location: &Location,
        options: &StoreOptions,
        create_missing: bool,
    ) -> Result<Self, StoreError> {
        let backend = connect(location, options, create_missing)?;
        Self::with_backend(backend, location.display())
    }

    /// Wraps any object store: the seam for tests and for layers that inject faults.
    ///
    /// # Panics
    /// If the system gives no thread for the runtime.
    #[must_use]
    pub fn from_object_store(
        inner: Arc<dyn ObjectStore>,
        description: &str,
        is_local: bool,
    ) -> Self {
        Self::with_backend(Backend::bare(inner, is_local), description.to_owned())
            .expect("because a process that runs tests can start two threads")
    }

    fn with_backend(backend: Backend, description: String) -> Result<Self, StoreError> {
        let runtime = Builder::new_multi_thread()
            .worker_threads(STORE_RUNTIME_THREADS)
            .max_blocking_threads(STORE_BLOCKING_THREADS)
            .thread_name("store")
            .enable_all()
            .build()
            .map_err(|source| StoreError::Local {
                action: "starting threads for",
                key: description.clone(),
                source,
            })?;
        let shared = Shared { link: Link::new(backend), description, runtime: Some(runtime) };
        Ok(Self {
            shared: Arc::new(shared),
            retry: RetrySettings::default(),
            codes: None,
            watch: None,
            fitting: Arc::default(),
        })
    }

    /// The same connection with other rules for repeating requests.
    #[must_use]
    pub fn with_retry(&self, retry: RetrySettings) -> Self {
        Self { retry, ..self.clone() }
    }

    /// The location, without secrets.
    #[must_use]
    pub fn describe(&self) -> &str {
        &self.shared.description
    }

    /// Whether a round trip is as cheap as a system call.
    #[must_use]
    pub fn is_local(&self) -> bool {
        self.link().backend.is_local
    }

    /// Gives up after so long, in milliseconds, where the store has answered before and goes away: for whoever
    /// has somebody waiting who can come again. All clones do.
    pub fn bear_outages_for(&self, outage_ms: u64) {
        self.link().backend.heard.bear_outages_for(outage_ms);
    }

    /// The folder that is the store, if it is one.
    pub(crate) fn local_root(&self) -> Option<&Path> {
        self.link().backend.folder.as_ref().map(Folder::root)
    }

    /// What the clocks of the store and of this machine showed when the store last answered; `None` for
    /// a folder, and for stores that do not say what time it is.
    #[must_use]
    pub fn clocks(&self) -> Option<(Timestamp, Timestamp)> {
        self.link().backend.heard.clocks()
    }

    /// Requests and bytes of this connection and all its clones so far.
    #[must_use]
    pub fn usage(&self) -> Usage {
        self.link().meter.usage()
    }

    /// Writes an object that does not exist yet. Once this returns, the store holds exactly
    /// `body`, durably, and every listing that begins later shows it.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] if the key holds other bytes. After an error of class *transient*
    /// the outcome is unknown: a late request may still write exactly these bytes.
    pub fn put_new(&self, name: &ObjectName, body: Bytes) -> Result<(), StoreError> {
        self.raw_put_new(&self.key_of(name), body)
    }

    /// Reads a whole object. What has a code is read with [`Store::get_genuine`].
    ///
    /// # Errors
    /// [`StoreError::TooLarge`], before anything is downloaded, if it has more than `max_bytes`.
    pub fn get(&self, name: &ObjectName, max_bytes: u64) -> Result<Bytes, StoreError> {
        self.get_genuine(name, max_bytes, Ok)
    }

    /// Reads exactly the bytes of `range`.
    ///
    /// # Errors
    /// [`StoreError::OutOfRange`] if the object does not have them all.
    pub fn get_range(&self, name: &ObjectName, range: Range<u64>) -> Result<Bytes, StoreError> {
        self.raw_get_range(&self.key_of(name), range)
    }

    /// As [`Store::get`], into memory that is used again: replaces what is in `into`.
    ///
    /// # Errors
    /// As [`Store::get`]; what `into` holds then is undefined.
    pub fn get_into(
        &self,
        name: &ObjectName,
        max_bytes: u64,
        into: &mut Vec<u8>,
    ) -> Result<(), StoreError> {
        match &self.link().backend.folder {
            Some(folder) => {
                self.read_folder(folder, into, |into| folder.read(&name.key(), max_bytes, into))
            }
            None => {
                *into = self.raw_get_in(&name.key(), max_bytes, std::mem::take(into))?;
                Ok(())
            }
        }
    }

    /// As [`Store::get_range`], into memory that is used again: replaces what is in `into`.
    ///
    /// # Errors
    /// As [`Store::get_range`]; what `into` holds then is undefined.
    pub fn get_range_into(
        &self,
        name: &ObjectName,
        range: Range<u64>,
        into: &mut Vec<u8>,
    ) -> Result<(), StoreError> {
        match &self.link().backend.folder {
            Some(folder) if !range.is_empty() => {
                self.read_folder(folder, into, |into| folder.read_range(&name.key(), range, into))
            }
            _ => {
                *into = self.raw_get_range_in(&name.key(), range, std::mem::take(into))?;
                Ok(())
            }
        }
    }

    /// Reads the last `last_bytes` bytes, or the whole object if it has fewer; and its size.
    ///
    /// # Errors
    /// Those of reading.
    pub fn get_tail(&self, name: &ObjectName, last_bytes: u64) -> Result<(Bytes, u64), StoreError> {
        self.raw_get_tail(&self.key_of(name), last_bytes)
    }

    /// All objects whose key begins with `prefix`, sorted by key.
    ///
    /// # Errors
    /// [`StoreError::EndlessListing`] beyond [`LIST_MAX_OBJECTS`] objects.
    pub fn list(&self, prefix: &str) -> Result<Vec<Listed>, StoreError> {
        let mut all = Vec::new();
        self.list_each(prefix, &mut |object| {
            all.push(object);
            true
        })?;
        all.sort_by(|a, b| a.key.cmp(&b.key));
        all.dedup_by(|a, b| a.key == b.key);
        Ok(all)
    }

    /// Hands the objects whose key begins with `prefix` to `visit` as their pages arrive, until it
    /// returns false. Remote stores keep one page in memory at a time.
    ///
    /// # Errors
    /// Those of [`Store::list`].
    pub fn list_each(
        &self,
        prefix: &str,
        visit: &mut dyn FnMut(Listed) -> bool,
    ) -> Result<(), StoreError> {
        self.check_folder()?;
        let mut token = None;
        let (mut object_count, mut empty_count) = (0_usize, 0_usize);
        let (mut names, mut last) = (Names::default(), String::new());
        loop {
            let page = self.raw_page(prefix, token.clone(), None)?;
            object_count += page.objects.len();
            empty_count = if page.objects.is_empty() { empty_count + 1 } else { 0 };
            for mut object in page.objects {
                // Some stores show an object twice where a page ends.
                if object.key == last {
                    names.repeats = true;
                    continue;
                }
                last.clone_from(&object.key);
                object.name = self.name_at(&object.key).filter(|_| object.is_object);
                if let Some(object) = names.next(object)
                    && !visit(object)
                {
                    return self.explain(&names);
                }
            }
            let Some(next) = page.next else {
                if let Some(object) = names.last() {
                    visit(object);
                }
                return self.explain(&names);
            };
            let ends = object_count <= LIST_MAX_OBJECTS
                && empty_count <= LIST_MAX_EMPTY_PAGES
                && token.as_ref() != Some(&next);
            if !ends {
                return Err(StoreError::EndlessListing { prefix: prefix.to_owned() });
            }
            // Quick pages, one after the other, would never be late.
            if self.link().backend.heard.is_cancelled() {
                return Err(StoreError::Interrupted);
            }
            token = Some(next);
        }
    }

    /// Deletes an object; that it is absent is fine.
    ///
    /// # Errors
    /// Those of the store.
    pub fn delete(&self, name: &ObjectName) -> Result<(), StoreError> {
        self.keys_of(name).iter().try_for_each(|key| self.raw_delete(key))
    }

    /// Removes the folder of an object from a local store if nothing is left in it. Other stores
    /// have no folders. Whoever writes there again makes it anew.
    pub fn remove_empty_folder(&self, name: &ObjectName) {
        if let (Some(folder), Some((parent, _))) =
            (&self.link().backend.folder, name.key().rsplit_once('/'))
        {
            folder.remove_if_empty(parent);
        }
    }

    /// Removes from a local store what killed runs left half written `before` some time. Other stores
    /// show and keep nothing of that.
    #[must_use]
    pub fn remove_leftovers(&self, before: Timestamp) -> Leftovers {
        let folder = self.link().backend.folder.as_ref();
        folder.map(|folder| leftover::remove(folder.root(), before)).unwrap_or_default()
    }

    /// The rules for repeating requests that this handle follows.
    #[must_use]
    pub fn retry(&self) -> RetrySettings {
        self.retry
    }

    fn link(&self) -> &Link {
        &self.shared.link
    }

    fn check_folder(&self) -> Result<(), StoreError> {
        self.link().backend.folder.as_ref().map_or(Ok(()), |folder| folder.check())
    }

    /// A read that goes around the library, checked and counted like any other.
    fn read_folder(
        &self,
        folder: &Folder,
        into: &mut Vec<u8>,
        read: impl FnOnce(&mut Vec<u8>) -> Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        folder.check()?;
        self.link().meter.request(RequestKind::Get);
        read(into)?;
        if let Some(pace) = &self.link().backend.limits.download {
            self.wait_for(0, &Attempts::default(), async {
                pace.wait(into.len()).await;
                Ok(())
            })?;
        }
        self.link().meter.downloaded(into.len());
        Ok(())
    }

    fn block_on<T>(&self, work: impl Future<Output = T>) -> T {
        let runtime = self.shared.runtime.as_ref();
        runtime.expect("because it is taken only when the last clone is gone").block_on(work)
    }
}
