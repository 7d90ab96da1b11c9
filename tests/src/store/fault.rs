//! A store that spoils chosen requests, and that can crash: "fail the k-th request, for every k".
//!
//! A run without a plan says how many requests there are; then one run for each of them and each
//! fault. What a fault does to the store behind is exactly what a network can do: lose the
//! question, lose the answer, deliver the question late, or twice. It never stores half an object,
//! because the protocol needs (and the probe of a store checks) that puts are atomic.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::future::Future;
use std::ops::Range;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use bytes::Bytes;
use futures::stream::{self, BoxStream, StreamExt, TryStreamExt};
use object_store::path::Path;
use object_store::{
    CopyOptions, Error, GetOptions, GetResult, GetResultPayload, ListResult, MultipartUpload,
    ObjectMeta, ObjectStore, ObjectStoreExt, PutMultipartOptions, PutOptions, PutPayload,
    PutResult, Result,
};

/// What goes wrong with a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Fault {
    /// Nothing happens, and an error comes back.
    ErrorBefore,
    /// It happens, and an error comes back: the answer is lost.
    ErrorAfter,
    /// An error comes back at once; a put or delete happens when `after_requests` more requests
    /// have been made, or at [`Faulty::settle`].
    Late {
        /// How many further requests are made before it happens.
        after_requests: u64,
    },
    /// The process ends before it: nothing happens, now or at any later request.
    CrashBefore,
    /// The process ends after it: it happens, nothing later does.
    CrashAfter,
    /// The connection breaks in the middle of the body: half of it comes, then an error. A put
    /// comes to nothing.
    TornBody,
    /// As [`Fault::TornBody`], but the half of a get looks like the whole.
    ShortBody,
    /// It happens twice, and the second answer comes back.
    Twice,
    /// It is refused as not allowed (403).
    Denied,
    /// It is refused as in conflict with another writer (409), which looks like "exists".
    Conflict,
    /// It is refused because there were too many (429).
    TooMany,
    /// It and the `requests` after it are refused because the store is down (503).
    Storm {
        /// How many more.
        requests: u64,
    },
    /// A listing shows its keys backwards; other requests are made as always.
    Backwards,
}

impl Fault {
    /// Every kind that a run of every request is made with.
    pub const ALL: [Self; 13] = [
        Self::ErrorBefore,
        Self::ErrorAfter,
        Self::Late { after_requests: 2 },
        Self::CrashBefore,
        Self::CrashAfter,
        Self::TornBody,
        Self::ShortBody,
        Self::Twice,
        Self::Denied,
        Self::Conflict,
        Self::TooMany,
        Self::Storm { requests: 2 },
        Self::Backwards,
    ];
}

/// Why an error is no error of the store behind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Injected {
    /// By plan, once.
    Failed,
    /// By plan, once; perhaps it happens later.
    TimedOut,
    /// By plan: status 429.
    TooMany,
    /// By plan: status 503.
    Unavailable,
    /// The process is taken for dead; every later request fails like this.
    Crashed,
}

impl fmt::Display for Injected {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            Self::Failed => "a planned failure",
            Self::TimedOut => "a planned timeout",
            Self::TooMany => "a planned refusal: too many requests",
            Self::Unavailable => "a planned refusal: the store is down",
            Self::Crashed => "a planned crash: this process makes no more requests",
        })
    }
}

impl std::error::Error for Injected {}

impl Injected {
    /// Finds the marker behind an error, however deep it was wrapped.
    #[must_use]
    pub fn of(error: &(dyn std::error::Error + 'static)) -> Option<Self> {
        let mut cause = Some(error);
        while let Some(error) = cause {
            if let Some(marker) = error.downcast_ref::<Self>() {
                return Some(*marker);
            }
            cause = error.source();
        }
        None
    }

    fn error(self) -> Error {
        Error::Generic { store: "Faulty", source: Box::new(self) }
    }
}

/// Which requests go wrong, counted from 0, and how.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Plan {
    faults: BTreeMap<u64, Fault>,
    refuses_deletes: bool,
}

impl Plan {
    /// Everything goes well.
    #[must_use]
    pub fn none() -> Self {
        Self::default()
    }

    /// Request `number` goes wrong.
    #[must_use]
    pub fn at(number: u64, fault: Fault) -> Self {
        Self::none().and(number, fault)
    }

    /// Nothing may be deleted (403), as by a role that may only add objects.
    #[must_use]
    pub fn without_deletes() -> Self {
        Self { refuses_deletes: true, ..Self::none() }
    }

    /// Request `number` goes wrong too.
    #[must_use]
    pub fn and(mut self, number: u64, fault: Fault) -> Self {
        self.faults.insert(number, fault);
        self
    }
}

/// A change of the store that is still under way.
#[derive(Debug, Clone)]
enum Effect {
    Put(Path, PutPayload, PutOptions),
    Delete(Path),
}

#[derive(Debug, Default)]
struct State {
    request_count: u64,
    is_crashed: bool,
    /// Requests below this number are refused.
    storm_until: u64,
    fired: BTreeSet<u64>,
    /// Changes with the request number before which they happen.
    late: Vec<(u64, Effect)>,
}

/// The store that follows a plan; clones count together.
#[derive(Debug, Clone)]
pub struct Faulty {
    inner: Arc<dyn ObjectStore>,
    plan: Arc<Plan>,
    state: Arc<Mutex<State>>,
}

impl Faulty {
    /// Puts `plan` between the caller and `inner`.
    #[must_use]
    pub fn new(inner: Arc<dyn ObjectStore>, plan: Plan) -> Self {
        Self { inner, plan: Arc::new(plan), state: Arc::default() }
    }

    /// How many requests were made, those after a crash included.
    #[must_use]
    pub fn request_count(&self) -> u64 {
        self.state().request_count
    }

    /// The numbers of the requests that went wrong by plan; a test whose plan never fired
    /// tested nothing.
    #[must_use]
    pub fn fired(&self) -> BTreeSet<u64> {
        self.state().fired.clone()
    }

    /// Lets everything that is still under way happen now, as after a restart.
    pub async fn settle(&self) {
        self.land(u64::MAX).await;
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn land(&self, until: u64) {
        let late = std::mem::take(&mut self.state().late);
        let (due, rest) = late.into_iter().partition::<Vec<_>, _>(|(number, _)| *number <= until);
        self.state().late.extend(rest);
        for (_, effect) in due {
            // Nobody waits for the answer any more, whatever it is.
            match effect {
                Effect::Put(location, payload, opts) => {
                    drop(self.inner.put_opts(&location, payload, opts).await);
                }
                Effect::Delete(location) => drop(self.inner.delete(&location).await),
            }
        }
    }

    /// Counts a request, and says what goes wrong with it.
    async fn begin(&self) -> Result<(u64, Option<Fault>)> {
        let (number, fault) = {
            let mut state = self.state();
            let number = state.request_count;
            state.request_count += 1;
            if state.is_crashed {
                return Err(Injected::Crashed.error());
            }
            let mut fault = self.plan.faults.get(&number).copied();
            if let Some(Fault::Storm { requests }) = fault {
                state.storm_until = number + 1 + requests;
            } else if number < state.storm_until {
                fault = Some(Fault::Storm { requests: 0 });
            }
            state.fired.extend(fault.map(|_| number));
            state.is_crashed = matches!(fault, Some(Fault::CrashBefore | Fault::CrashAfter));
            (number, fault)
        };
        self.land(number).await;
        Ok((number, fault))
    }

    /// Makes a request under the plan. `torn` cuts what came back, if that can be cut.
    async fn run<T, F: Future<Output = Result<T>> + Send>(
        &self,
        location: &str,
        effect: Option<Effect>,
        act: impl Fn() -> F + Send,
        torn: impl FnOnce(T, Fault) -> Result<T> + Send,
    ) -> Result<T> {
        let (number, mut fault) = self.begin().await?;
        if self.plan.refuses_deletes && matches!(effect, Some(Effect::Delete(_))) {
            fault = Some(Fault::Denied);
        }
        let Some(fault) = fault else { return act().await };
        let (path, source) = (location.to_owned(), Box::new(Injected::Failed));
        match fault {
            Fault::ErrorBefore => Err(Injected::Failed.error()),
            Fault::ErrorAfter => act().await.and(Err(Injected::Failed.error())),
            Fault::Late { after_requests } => {
                let due = number + 1 + after_requests;
                self.state().late.extend(effect.map(|effect| (due, effect)));
                Err(Injected::TimedOut.error())
            }
            Fault::CrashBefore => Err(Injected::Crashed.error()),
            Fault::CrashAfter => act().await.and(Err(Injected::Crashed.error())),
            Fault::TornBody | Fault::ShortBody if effect.is_some() => Err(Injected::Failed.error()),
            Fault::Backwards if effect.is_some() => act().await,
            Fault::TornBody | Fault::ShortBody | Fault::Backwards => torn(act().await?, fault),
            Fault::Twice => {
                drop(act().await);
                act().await
            }
            Fault::TooMany => Err(Injected::TooMany.error()),
            Fault::Storm { .. } => Err(Injected::Unavailable.error()),
            Fault::Denied => Err(Error::PermissionDenied { path, source }),
            Fault::Conflict => Err(Error::AlreadyExists { path, source }),
        }
    }

    fn listing(
        &self,
        prefix: Option<&Path>,
        list: impl Fn(&Self) -> BoxStream<'static, Result<ObjectMeta>> + Send + Sync + 'static,
    ) -> BoxStream<'static, Result<ObjectMeta>> {
        let this = self.clone();
        let prefix = prefix.map(Path::to_string).unwrap_or_default();
        let items = async move {
            let whole = |items: Vec<ObjectMeta>| items.into_iter().map(Ok).collect::<Vec<_>>();
            let act = || {
                let items = list(&this);
                async move { items.try_collect::<Vec<_>>().await.map(whole) }
            };
            let cut = |mut items: Vec<Result<ObjectMeta>>, fault| {
                if fault == Fault::Backwards {
                    items.reverse();
                    return Ok(items);
                }
                items.truncate(items.len() / 2);
                items.push(Err(Injected::Failed.error()));
                Ok(items)
            };
            let items = this.run(&prefix, None, act, cut).await;
            stream::iter(items.unwrap_or_else(|error| vec![Err(error)]))
        };
        stream::once(items).flatten().boxed()
    }
}

/// The first half of a body, and after it an error or nothing.
fn half(got: GetResult, body: &Bytes, fault: Fault) -> GetResult {
    let mut parts = vec![Ok(body.slice(..body.len() / 2))];
    if fault == Fault::TornBody {
        parts.push(Err(Injected::Failed.error()));
    }
    GetResult { payload: GetResultPayload::Stream(stream::iter(parts).boxed()), ..got }
}

impl fmt::Display for Faulty {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "Faulty({})", self.inner)
    }
}

#[async_trait]
impl ObjectStore for Faulty {
    async fn put_opts(
        &self,
        location: &Path,
        payload: PutPayload,
        opts: PutOptions,
    ) -> Result<PutResult> {
        let effect = Effect::Put(location.clone(), payload.clone(), opts.clone());
        let act = || self.inner.put_opts(location, payload.clone(), opts.clone());
        self.run(location.as_ref(), Some(effect), act, |result, _| Ok(result)).await
    }

    /// Refused: the engine puts every object in one request, and parts would escape the plan.
    async fn put_multipart_opts(
        &self,
        _: &Path,
        _: PutMultipartOptions,
    ) -> Result<Box<dyn MultipartUpload>> {
        Err(Error::NotImplemented {
            operation: "put_multipart_opts".to_owned(),
            implementer: self.to_string(),
        })
    }

    async fn get_opts(&self, location: &Path, options: GetOptions) -> Result<GetResult> {
        let act = || {
            let options = options.clone();
            async move {
                let is_head = options.head;
                let mut got = self.inner.get_opts(location, options).await?;
                // The body is fetched here, so that it can be cut.
                let nothing = GetResultPayload::Stream(stream::empty().boxed());
                let payload = std::mem::replace(&mut got.payload, nothing);
                let (meta, range) = (got.meta.clone(), got.range.clone());
                let (attributes, extensions) = (got.attributes.clone(), got.extensions.clone());
                let whole = GetResult { payload, meta, range, attributes, extensions };
                let body = if is_head { Bytes::new() } else { whole.bytes().await? };
                got.payload = GetResultPayload::Stream(stream::iter([Ok(body.clone())]).boxed());
                Ok((got, body))
            }
        };
        let cut = |(got, body): (GetResult, Bytes), fault| match fault {
            Fault::Backwards => Ok((got, body)),
            _ => Ok((half(got, &body, fault), body)),
        };
        self.run(location.as_ref(), None, act, cut).await.map(|(got, _)| got)
    }

    async fn get_ranges(&self, location: &Path, ranges: &[Range<u64>]) -> Result<Vec<Bytes>> {
        let act = || self.inner.get_ranges(location, ranges);
        let cut = |mut parts: Vec<Bytes>, fault| {
            if fault == Fault::Backwards {
                return Ok(parts);
            }
            if let Some(last) = parts.last_mut().filter(|_| fault == Fault::ShortBody) {
                last.truncate(last.len() / 2);
                return Ok(parts);
            }
            Err(Injected::Failed.error())
        };
        self.run(location.as_ref(), None, act, cut).await
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
                let effect = Some(Effect::Delete(location.clone()));
                let act = || this.inner.delete(&location);
                this.run(location.as_ref(), effect, act, |(), _| Ok(())).await?;
                Ok(location)
            }
        };
        locations.then(delete).boxed()
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        let within = prefix.cloned();
        self.listing(prefix, move |this| this.inner.list(within.as_ref()))
    }

    fn list_with_offset(
        &self,
        prefix: Option<&Path>,
        offset: &Path,
    ) -> BoxStream<'static, Result<ObjectMeta>> {
        let (within, offset) = (prefix.cloned(), offset.clone());
        self.listing(prefix, move |this| this.inner.list_with_offset(within.as_ref(), &offset))
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        let act = || self.inner.list_with_delimiter(prefix);
        let cut = |mut listed: ListResult, fault| {
            if fault == Fault::Backwards {
                listed.objects.reverse();
                return Ok(listed);
            }
            Err(Injected::Failed.error())
        };
        self.run(prefix.map_or("", Path::as_ref), None, act, cut).await
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        let act = || self.inner.copy_opts(from, to, options.clone());
        let cut = |(), fault| match fault {
            Fault::Backwards => Ok(()),
            _ => Err(Injected::Failed.error()),
        };
        self.run(to.as_ref(), None, act, cut).await
    }
}
