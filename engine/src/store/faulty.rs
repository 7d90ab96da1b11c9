//! An object store that is wrong in one chosen way, around one in memory: what the probe must
//! refuse, and what the client must cope with.

use std::collections::BTreeSet;
use std::fmt;
use std::ops::Range;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use futures::stream::{self, BoxStream, StreamExt, TryStreamExt};
use object_store::memory::InMemory;
use object_store::path::Path;
use object_store::{
    CopyOptions, Error, GetOptions, GetResult, GetResultPayload, ListResult, MultipartUpload,
    ObjectMeta, ObjectStore, ObjectStoreExt, PutMode, PutMultipartOptions, PutOptions, PutPayload,
    PutResult, Result, UploadPart,
};

/// How the store is wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Wrong {
    /// Nothing is wrong.
    Nothing,
    /// The first listing that should show an object does not.
    StaleLists,
    /// Listings never show the flags of the race.
    HiddenFlags,
    /// Parts of an upload are visible before it is completed.
    VisibleParts,
    /// Listings go on showing deleted objects.
    ListsDeleted,
    /// Listings end after 100 objects.
    ShortLists,
    /// Each write takes effect and is answered with an error.
    ErrorAfterEffect,
    /// The first so many writes of all do nothing and are answered with an error.
    ErrorBefore(usize),
    /// The first so many creations do nothing and are answered with "already exists".
    FalseExists(usize),
    /// Creation is answered with "not implemented".
    NoCreation,
    /// Creation overwrites.
    CreationOverwrites,
    /// Writes are acknowledged and forgotten.
    Forgets,
    /// Bodies end after half of their bytes.
    HalfBodies,
    /// Objects are announced as a TiB.
    HugeObjects,
    /// Bodies do not end.
    EndlessBodies,
    /// Other bytes come back than were written.
    OtherBytes,
}

#[derive(Debug)]
pub(crate) struct Faulty {
    inner: Arc<InMemory>,
    wrong: Wrong,
    writes: AtomicUsize,
    shown: Mutex<BTreeSet<Path>>,
    deleted: Arc<Mutex<Vec<ObjectMeta>>>,
}

impl Faulty {
    pub(crate) fn new(wrong: Wrong) -> Arc<Self> {
        Arc::new(Self {
            inner: Arc::default(),
            wrong,
            writes: AtomicUsize::new(0),
            shown: Mutex::default(),
            deleted: Arc::default(),
        })
    }

    fn lists(&self, object: &ObjectMeta) -> bool {
        match self.wrong {
            Wrong::StaleLists => {
                let mut shown = self.shown.lock().expect("not poisoned");
                !shown.insert(object.location.clone())
            }
            Wrong::HiddenFlags => !object.location.as_ref().contains("/2/"),
            _ => true,
        }
    }
}

impl fmt::Display for Faulty {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "Faulty({:?})", self.wrong)
    }
}

fn failed() -> Error {
    Error::Generic { store: "faulty", source: "status 503".into() }
}

fn exists(path: &Path) -> Error {
    Error::AlreadyExists { path: path.to_string(), source: "status 412".into() }
}

#[async_trait::async_trait]
impl ObjectStore for Faulty {
    async fn put_opts(
        &self,
        path: &Path,
        payload: PutPayload,
        mut options: PutOptions,
    ) -> Result<PutResult> {
        let before = self.writes.fetch_add(1, Ordering::Relaxed);
        let creates = options.mode == PutMode::Create;
        match self.wrong {
            Wrong::ErrorBefore(count) if before < count => return Err(failed()),
            Wrong::FalseExists(count) if before < count && creates => return Err(exists(path)),
            Wrong::NoCreation if creates => {
                let (operation, implementer) = ("create".to_owned(), self.to_string());
                return Err(Error::NotImplemented { operation, implementer });
            }
            Wrong::CreationOverwrites => options.mode = PutMode::Overwrite,
            Wrong::Forgets => {
                let (e_tag, version, extensions) = (None, None, Default::default());
                return Ok(PutResult { e_tag, version, extensions });
            }
            _ => {}
        }
        let answer = self.inner.put_opts(path, payload, options).await;
        match self.wrong {
            Wrong::ErrorAfterEffect => Err(failed()),
            _ => answer,
        }
    }

    async fn put_multipart_opts(
        &self,
        path: &Path,
        options: PutMultipartOptions,
    ) -> Result<Box<dyn MultipartUpload>> {
        if self.wrong == Wrong::VisibleParts {
            return Ok(Box::new(OpenUpload { inner: Arc::clone(&self.inner), path: path.clone() }));
        }
        self.inner.put_multipart_opts(path, options).await
    }

    async fn get_opts(&self, path: &Path, options: GetOptions) -> Result<GetResult> {
        let mut answer = self.inner.get_opts(path, options).await?;
        let (range, meta) = (answer.range.clone(), answer.meta.clone());
        if self.wrong == Wrong::HugeObjects {
            answer.meta.size = 1 << 40;
            answer.range = 0..1 << 40;
            return Ok(answer);
        }
        let bytes = answer.bytes().await?;
        let pieces: BoxStream<'static, Result<Bytes>> = match self.wrong {
            Wrong::HalfBodies => stream::iter([Ok(bytes.slice(..bytes.len() / 2))]).boxed(),
            Wrong::EndlessBodies => stream::repeat(bytes).map(Ok).boxed(),
            Wrong::OtherBytes => {
                let other: Vec<u8> = bytes.iter().map(|byte| !byte).collect();
                stream::iter([Ok(other.into())]).boxed()
            }
            // In pieces, as a network gives them.
            _ => {
                let pieces: Vec<_> = bytes.chunks(1000).map(Bytes::copy_from_slice).collect();
                stream::iter(pieces).map(Ok).boxed()
            }
        };
        let payload = GetResultPayload::Stream(pieces);
        let (attributes, extensions) = Default::default();
        Ok(GetResult { payload, meta, range, attributes, extensions })
    }

    async fn get_ranges(&self, path: &Path, ranges: &[Range<u64>]) -> Result<Vec<Bytes>> {
        self.inner.get_ranges(path, ranges).await
    }

    fn delete_stream(
        &self,
        paths: BoxStream<'static, Result<Path>>,
    ) -> BoxStream<'static, Result<Path>> {
        let (inner, deleted) = (Arc::clone(&self.inner), Arc::clone(&self.deleted));
        paths
            .and_then(move |path| {
                let (inner, deleted) = (Arc::clone(&inner), Arc::clone(&deleted));
                async move {
                    if let Ok(meta) = inner.head(&path).await {
                        deleted.lock().expect("not poisoned").push(meta);
                    }
                    inner.delete(&path).await.map(|()| path)
                }
            })
            .boxed()
    }

    fn list(&self, folder: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        let listed = futures::executor::block_on(self.inner.list(folder).collect::<Vec<_>>());
        let mut listed: Vec<_> =
            listed.into_iter().flatten().filter(|object| self.lists(object)).collect();
        if self.wrong == Wrong::ListsDeleted {
            let deleted = self.deleted.lock().expect("not poisoned");
            let below = |meta: &&ObjectMeta| folder.is_none_or(|f| meta.location.prefix_matches(f));
            listed.extend(deleted.iter().filter(below).cloned());
        }
        if self.wrong == Wrong::ShortLists {
            listed.truncate(100);
        }
        stream::iter(listed.into_iter().map(Ok)).boxed()
    }

    async fn list_with_delimiter(&self, folder: Option<&Path>) -> Result<ListResult> {
        let mut answer = self.inner.list_with_delimiter(folder).await?;
        answer.objects.retain(|object| self.lists(object));
        if self.wrong == Wrong::ListsDeleted {
            answer.objects.extend(self.deleted.lock().expect("not poisoned").iter().cloned());
        }
        Ok(answer)
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        self.inner.copy_opts(from, to, options).await
    }
}

/// Writes each part where the whole should appear.
#[derive(Debug)]
struct OpenUpload {
    inner: Arc<InMemory>,
    path: Path,
}

#[async_trait::async_trait]
impl MultipartUpload for OpenUpload {
    fn put_part(&mut self, part: PutPayload) -> UploadPart {
        let (inner, path) = (Arc::clone(&self.inner), self.path.clone());
        Box::pin(async move { inner.put(&path, part).await.map(|_| ()) })
    }

    async fn complete(&mut self) -> Result<PutResult> {
        Err(failed())
    }

    async fn abort(&mut self) -> Result<()> {
        self.inner.delete(&self.path).await
    }
}
