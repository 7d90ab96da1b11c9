//! A store that asks a test before and after each request whether the process lives on.
//!
//! Faults by number are for "every request"; this is for "the commit": the test sees kind and key,
//! may do anything meanwhile (as another machine would), and may end the process there.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use async_trait::async_trait;
use bytes::Bytes;
use futures::stream::{self, BoxStream, StreamExt, TryStreamExt};
use object_store::path::Path;
use object_store::{
    CopyOptions, Error, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta,
    ObjectStore, ObjectStoreExt, PutMultipartOptions, PutOptions, PutPayload, PutResult, Result,
};

use crate::store::fault::Injected;
use crate::store::record::CallKind;

/// Where a request stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Moment {
    /// It was not made yet.
    Before,
    /// It was answered; the caller does not know yet.
    After,
}

/// Whether the process lives on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// It does.
    Go,
    /// It ends: this request has no answer, later ones are not made.
    Crash,
}

/// Asked at every request; called on a thread of the store's runtime, which it may block.
type Rule = dyn Fn(Moment, CallKind, &str) -> Verdict + Send + Sync;

/// The store that asks; clones crash together.
#[derive(Clone)]
pub struct Hooked {
    inner: Arc<dyn ObjectStore>,
    rule: Arc<Rule>,
    is_crashed: Arc<AtomicBool>,
}

impl Hooked {
    /// Puts `rule` between the caller and `inner`.
    #[must_use]
    pub fn new(
        inner: Arc<dyn ObjectStore>,
        rule: impl Fn(Moment, CallKind, &str) -> Verdict + Send + Sync + 'static,
    ) -> Self {
        Self { inner, rule: Arc::new(rule), is_crashed: Arc::default() }
    }

    /// Whether the rule ended the process.
    #[must_use]
    pub fn is_crashed(&self) -> bool {
        self.is_crashed.load(Ordering::Acquire)
    }

    fn ask(&self, moment: Moment, kind: CallKind, key: &str) -> Result<()> {
        match (self.rule)(moment, kind, key) {
            Verdict::Go => Ok(()),
            Verdict::Crash => {
                self.is_crashed.store(true, Ordering::Release);
                self.alive()
            }
        }
    }

    fn alive(&self) -> Result<()> {
        let crashed = || Error::Generic { store: "Hooked", source: Box::new(Injected::Crashed) };
        if self.is_crashed() { Err(crashed()) } else { Ok(()) }
    }

    async fn run<T>(
        &self,
        kind: CallKind,
        key: &str,
        act: impl Future<Output = Result<T>> + Send,
    ) -> Result<T> {
        self.alive()?;
        self.ask(Moment::Before, kind, key)?;
        let mut under_way = UnderWay { hooked: self, kind, key, is_told: false };
        // Another request may have ended the process while the rule let this one wait.
        self.alive()?;
        let answer = act.await;
        under_way.is_told = true;
        self.ask(Moment::After, kind, key)?;
        self.alive()?;
        answer
    }

    fn listing(
        &self,
        prefix: Option<&Path>,
        items: BoxStream<'static, Result<ObjectMeta>>,
    ) -> BoxStream<'static, Result<ObjectMeta>> {
        let (this, key) = (self.clone(), key(prefix));
        let listed = async move {
            let items = this.run(CallKind::List, &key, items.try_collect::<Vec<_>>()).await;
            match items {
                Ok(items) => stream::iter(items.into_iter().map(Ok).collect::<Vec<_>>()),
                Err(error) => stream::iter(vec![Err(error)]),
            }
        };
        stream::once(listed).flatten().boxed()
    }
}

/// A request that the rule let through. However it ends, the rule hears that it is over, also when
/// the process crashed meanwhile or nobody waits for the answer any more: a rule that counts what is
/// under way would otherwise wait for ever.
struct UnderWay<'a> {
    hooked: &'a Hooked,
    kind: CallKind,
    key: &'a str,
    is_told: bool,
}

impl Drop for UnderWay<'_> {
    fn drop(&mut self) {
        if !self.is_told {
            // What it would say comes too late.
            let _verdict = (self.hooked.rule)(Moment::After, self.kind, self.key);
        }
    }
}

fn key(prefix: Option<&Path>) -> String {
    prefix.map(Path::to_string).unwrap_or_default()
}

impl fmt::Debug for Hooked {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Hooked").field("inner", &self.inner).finish_non_exhaustive()
    }
}

impl fmt::Display for Hooked {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "Hooked({})", self.inner)
    }
}

#[async_trait]
impl ObjectStore for Hooked {
    async fn put_opts(
        &self,
        location: &Path,
        payload: PutPayload,
        opts: PutOptions,
    ) -> Result<PutResult> {
        let act = self.inner.put_opts(location, payload, opts);
        self.run(CallKind::Put, location.as_ref(), act).await
    }

    async fn put_multipart_opts(
        &self,
        location: &Path,
        opts: PutMultipartOptions,
    ) -> Result<Box<dyn MultipartUpload>> {
        let act = self.inner.put_multipart_opts(location, opts);
        self.run(CallKind::PutMultipart, location.as_ref(), act).await
    }

    async fn get_opts(&self, location: &Path, options: GetOptions) -> Result<GetResult> {
        let kind = if options.head { CallKind::Head } else { CallKind::Get };
        self.run(kind, location.as_ref(), self.inner.get_opts(location, options)).await
    }

    async fn get_ranges(&self, location: &Path, ranges: &[Range<u64>]) -> Result<Vec<Bytes>> {
        let act = self.inner.get_ranges(location, ranges);
        self.run(CallKind::GetRanges, location.as_ref(), act).await
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
                let act = this.inner.delete(&location);
                this.run(CallKind::Delete, location.as_ref(), act).await?;
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
        let act = self.inner.list_with_delimiter(prefix);
        self.run(CallKind::List, &key(prefix), act).await
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        let act = self.inner.copy_opts(from, to, options);
        self.run(CallKind::Copy, to.as_ref(), act).await
    }
}
