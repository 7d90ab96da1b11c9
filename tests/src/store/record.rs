//! A store that writes down what is asked of it: the proxy of every test about cost and order.

use std::fmt;
use std::ops::Range;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use bytes::Bytes;
use futures::stream::{self, BoxStream, StreamExt};
use object_store::path::Path;
use object_store::{
    CopyOptions, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta, ObjectStore,
    ObjectStoreExt, PutMultipartOptions, PutOptions, PutPayload, PutResult, Result,
};

/// What was asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum CallKind {
    /// One object in one request.
    Put,
    /// The begin of an object in parts; its parts are not seen.
    PutMultipart,
    /// An object or one range of it.
    Get,
    /// What an object is, without its bytes.
    Head,
    /// Several ranges of one object.
    GetRanges,
    /// One deletion.
    Delete,
    /// A listing, counted once however many pages it has.
    List,
    /// A copy within the store.
    Copy,
}

/// One request, noted when it is made and finished when it was answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Call {
    /// What was asked.
    pub kind: CallKind,
    /// The key; of a listing, the prefix.
    pub key: String,
    /// Bytes of the object that were sent or promised; 0 for other requests and failed gets.
    pub body_bytes: u64,
    /// Whether it was answered without an error; a listing that fails midway counts as answered.
    pub is_ok: bool,
}

#[derive(Debug, Default)]
struct Log(Mutex<Vec<Call>>);

impl Log {
    fn calls(&self) -> MutexGuard<'_, Vec<Call>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes a request that is being made; returns its number.
    fn begin(&self, kind: CallKind, key: &str, body_bytes: u64) -> usize {
        let mut calls = self.calls();
        calls.push(Call { kind, key: key.to_owned(), body_bytes, is_ok: false });
        calls.len() - 1
    }

    /// Notes the answer to request `number`, unless the log was cleared meanwhile.
    fn end<T>(&self, number: usize, answer: Result<T>, bytes: impl Fn(&T) -> u64) -> Result<T> {
        if let (Some(call), Ok(value)) = (self.calls().get_mut(number), &answer) {
            call.is_ok = true;
            call.body_bytes += bytes(value);
        }
        answer
    }
}

/// The store that writes down; clones write into the same log.
#[derive(Debug, Clone)]
pub struct Recorder {
    inner: Arc<dyn ObjectStore>,
    log: Arc<Log>,
}

impl Recorder {
    /// Watches what is asked of `inner`.
    #[must_use]
    pub fn new(inner: Arc<dyn ObjectStore>) -> Self {
        Self { inner, log: Arc::default() }
    }

    /// All requests so far, in the order in which they were made.
    #[must_use]
    pub fn calls(&self) -> Vec<Call> {
        self.log.calls().clone()
    }

    /// All requests so far, and begins anew. To be called when none is under way.
    #[must_use]
    pub fn take(&self) -> Vec<Call> {
        std::mem::take(&mut self.log.calls())
    }

    /// How many requests of one kind were made.
    #[must_use]
    pub fn count(&self, kind: CallKind) -> usize {
        self.log.calls().iter().filter(|call| call.kind == kind).count()
    }

    /// How many bytes went in requests of one kind.
    #[must_use]
    pub fn body_bytes(&self, kind: CallKind) -> u64 {
        let calls = self.log.calls();
        calls.iter().filter(|call| call.kind == kind).map(|call| call.body_bytes).sum()
    }

    fn listing(
        &self,
        prefix: Option<&Path>,
        list: BoxStream<'static, Result<ObjectMeta>>,
    ) -> BoxStream<'static, Result<ObjectMeta>> {
        let (log, prefix) = (Arc::clone(&self.log), key(prefix));
        let begun = async move {
            let number = log.begin(CallKind::List, &prefix, 0);
            // Nothing to wait for: a listing is answered when its items come.
            drop(log.end(number, Ok(()), |()| 0));
            list
        };
        stream::once(begun).flatten().boxed()
    }
}

fn key(prefix: Option<&Path>) -> String {
    prefix.map(Path::to_string).unwrap_or_default()
}

impl fmt::Display for Recorder {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "Recorder({})", self.inner)
    }
}

#[async_trait]
impl ObjectStore for Recorder {
    async fn put_opts(
        &self,
        location: &Path,
        payload: PutPayload,
        opts: PutOptions,
    ) -> Result<PutResult> {
        let body_bytes = payload.content_length() as u64;
        let number = self.log.begin(CallKind::Put, location.as_ref(), body_bytes);
        self.log.end(number, self.inner.put_opts(location, payload, opts).await, |_| 0)
    }

    async fn put_multipart_opts(
        &self,
        location: &Path,
        opts: PutMultipartOptions,
    ) -> Result<Box<dyn MultipartUpload>> {
        let number = self.log.begin(CallKind::PutMultipart, location.as_ref(), 0);
        self.log.end(number, self.inner.put_multipart_opts(location, opts).await, |_| 0)
    }

    async fn get_opts(&self, location: &Path, options: GetOptions) -> Result<GetResult> {
        let is_head = options.head;
        let kind = if is_head { CallKind::Head } else { CallKind::Get };
        let number = self.log.begin(kind, location.as_ref(), 0);
        let answer = self.inner.get_opts(location, options).await;
        self.log.end(number, answer, |got| {
            if is_head { 0 } else { got.range.end.saturating_sub(got.range.start) }
        })
    }

    async fn get_ranges(&self, location: &Path, ranges: &[Range<u64>]) -> Result<Vec<Bytes>> {
        let number = self.log.begin(CallKind::GetRanges, location.as_ref(), 0);
        let answer = self.inner.get_ranges(location, ranges).await;
        self.log.end(number, answer, |parts| parts.iter().map(|part| part.len() as u64).sum())
    }

    fn delete_stream(
        &self,
        locations: BoxStream<'static, Result<Path>>,
    ) -> BoxStream<'static, Result<Path>> {
        let this = self.clone();
        let delete = move |location: Result<Path>| {
            let this = this.clone();
            async move {
                let location = location?;
                let number = this.log.begin(CallKind::Delete, location.as_ref(), 0);
                this.log.end(number, this.inner.delete(&location).await, |()| 0)?;
                Ok(location)
            }
        };
        locations.then(delete).boxed()
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        self.listing(prefix, self.inner.list(prefix))
    }

    fn list_with_offset(
        &self,
        prefix: Option<&Path>,
        offset: &Path,
    ) -> BoxStream<'static, Result<ObjectMeta>> {
        self.listing(prefix, self.inner.list_with_offset(prefix, offset))
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        let number = self.log.begin(CallKind::List, &key(prefix), 0);
        self.log.end(number, self.inner.list_with_delimiter(prefix).await, |_| 0)
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        let number = self.log.begin(CallKind::Copy, to.as_ref(), 0);
        self.log.end(number, self.inner.copy_opts(from, to, options).await, |()| 0)
    }
}
