//! A store whose clock is wrong: what it receives bears the time of a clock that a test sets.

use std::collections::HashMap;
use std::fmt;
use std::ops::Range;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use engine::base::time::{Clock, Timestamp};
use futures::stream::{BoxStream, StreamExt};
use object_store::path::Path;
use object_store::{
    CopyOptions, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta, ObjectStore,
    PutMultipartOptions, PutOptions, PutPayload, PutResult, Result,
};

/// A clock that stands where it is put; clones are one clock.
#[derive(Debug, Clone, Default)]
pub struct SetClock {
    seconds: Arc<AtomicI64>,
}

impl SetClock {
    /// A clock that shows this many seconds since 1970.
    #[must_use]
    pub fn at(seconds: i64) -> Self {
        Self { seconds: Arc::new(AtomicI64::new(seconds)) }
    }

    /// Puts it.
    pub fn set(&self, seconds: i64) {
        self.seconds.store(seconds, Ordering::Release);
    }

    fn seconds(&self) -> i64 {
        self.seconds.load(Ordering::Acquire)
    }
}

impl Clock for SetClock {
    fn now(&self) -> Timestamp {
        Timestamp { seconds: self.seconds(), nanos: 0 }
    }

    fn monotonic(&self) -> Duration {
        Duration::ZERO
    }
}

/// The store; clones share their objects and the clock.
#[derive(Clone)]
pub struct Dated {
    inner: Arc<dyn ObjectStore>,
    clock: SetClock,
    received_s: Arc<Mutex<HashMap<String, i64>>>,
}

impl Dated {
    /// Puts the times of `clock` on what `inner` receives from now on.
    #[must_use]
    pub fn new(inner: Arc<dyn ObjectStore>, clock: SetClock) -> Self {
        Self { inner, clock, received_s: Arc::default() }
    }

    fn date(&self, mut meta: ObjectMeta) -> ObjectMeta {
        let received_s = self.received_s.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(seconds) = received_s.get(meta.location.as_ref()) {
            let shift_s = seconds - meta.last_modified.timestamp();
            meta.last_modified = shifted(meta.last_modified, shift_s);
        }
        meta
    }
}

/// Adds seconds, also negative ones, without naming the crate of these times.
fn shifted<T>(time: T, seconds: i64) -> T
where
    T: std::ops::Add<Duration, Output = T> + std::ops::Sub<Duration, Output = T>,
{
    let step = Duration::from_secs(seconds.unsigned_abs());
    if seconds < 0 { time - step } else { time + step }
}

impl fmt::Debug for Dated {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Dated").field("inner", &self.inner).finish_non_exhaustive()
    }
}

impl fmt::Display for Dated {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "Dated({})", self.inner)
    }
}

#[async_trait]
impl ObjectStore for Dated {
    async fn put_opts(
        &self,
        location: &Path,
        payload: PutPayload,
        opts: PutOptions,
    ) -> Result<PutResult> {
        let answer = self.inner.put_opts(location, payload, opts).await?;
        let mut received_s = self.received_s.lock().unwrap_or_else(PoisonError::into_inner);
        received_s.insert(location.to_string(), self.clock.seconds());
        Ok(answer)
    }

    async fn put_multipart_opts(
        &self,
        location: &Path,
        opts: PutMultipartOptions,
    ) -> Result<Box<dyn MultipartUpload>> {
        self.inner.put_multipart_opts(location, opts).await
    }

    async fn get_opts(&self, location: &Path, options: GetOptions) -> Result<GetResult> {
        let mut found = self.inner.get_opts(location, options).await?;
        found.meta = self.date(found.meta);
        Ok(found)
    }

    async fn get_ranges(&self, location: &Path, ranges: &[Range<u64>]) -> Result<Vec<Bytes>> {
        self.inner.get_ranges(location, ranges).await
    }

    fn delete_stream(
        &self,
        locations: BoxStream<'static, Result<Path>>,
    ) -> BoxStream<'static, Result<Path>> {
        self.inner.delete_stream(locations)
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        let this = self.clone();
        self.inner.list(prefix).map(move |meta| meta.map(|meta| this.date(meta))).boxed()
    }

    fn list_with_offset(
        &self,
        prefix: Option<&Path>,
        offset: &Path,
    ) -> BoxStream<'static, Result<ObjectMeta>> {
        let this = self.clone();
        let items = self.inner.list_with_offset(prefix, offset);
        items.map(move |meta| meta.map(|meta| this.date(meta))).boxed()
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        let mut found = self.inner.list_with_delimiter(prefix).await?;
        found.objects = found.objects.into_iter().map(|meta| self.date(meta)).collect();
        Ok(found)
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        self.inner.copy_opts(from, to, options).await
    }
}
