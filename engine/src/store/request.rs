//! Single attempts of single requests: bounded, timed, counted, classified; nothing repeated.

use std::future::Future;
use std::io::{self, ErrorKind};
use std::ops::Range;
use std::path::PathBuf;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bytes::Bytes;
use futures::StreamExt;
use object_store::{
    Extensions, GetOptions, GetRange, GetResult, GetResultPayload, ObjectStoreExt, PutMode,
    PutOptions, PutPayload,
};

use crate::base::error::{Classified, ErrorClass};
use crate::base::limits::{ANSWER_TIMEOUT_MS, DIRECT_WRITE_MIN_BYTES, TRANSFER_MIN_BYTES_PER_S};
use crate::store::backend::Backend;
use crate::store::cause::{Answered, NoKeys, StillThere, TimedOut};
use crate::store::direct;
use crate::store::error::{StoreError, classify};
use crate::store::meter::{Meter, RequestKind};
use crate::store::name::prefix;
use crate::store::transport::{Fault, Paced};

/// Error numbers by which file systems without hard links refuse to create atomically.
const NO_HARD_LINKS: [i32; 4] =
    [1 /* EPERM */, 31 /* EMLINK */, 38 /* ENOSYS */, 95 /* EOPNOTSUPP */];

/// Where packs lie.
const PACK_FOLDERS: [&str; 2] = [prefix::DATA, prefix::TREE];

/// A connection with its counters and what was learned about it.
pub(crate) struct Link {
    pub(crate) backend: Backend,
    pub(crate) meter: Meter,
    /// Set once the store refused to know creation; plain writes are used from then on.
    pub(crate) plain_puts: AtomicBool,
    /// Set once a listing named a key more than once.
    pub(crate) repeats: AtomicBool,
    /// Whether an object was seen to be gone after it was deleted.
    deletes: AtomicBool,
    /// The first object that could be read.
    first_read: OnceLock<String>,
}

impl Link {
    pub(crate) fn new(backend: Backend) -> Self {
        Self {
            backend,
            meter: Meter::default(),
            plain_puts: AtomicBool::new(false),
            repeats: AtomicBool::new(false),
            deletes: AtomicBool::new(false),
            first_read: OnceLock::new(),
        }
    }

    /// Writes; answers with the version that a versioned bucket gives it. `create` asks that
    /// nothing be there yet: [`StoreError::Conflict`] if the store says there is.
    pub(crate) async fn put_once(
        &self,
        key: &str,
        body: Bytes,
        create: bool,
        fault: Option<Fault>,
    ) -> Result<Option<String>, StoreError> {
        self.meter.request(RequestKind::Put);
        self.meter.uploaded(body.len());
        let mut extensions = Extensions::new();
        if let Some(fault) = fault {
            extensions.insert(fault);
        }
        let mut limit = time_limit(body.len() as u64);
        if let Some(pace) = &self.backend.limits.upload {
            limit += pace.allowance(body.len() as u64);
            // Behind our own transport the body itself is slowed down; elsewhere the call waits.
            match self.backend.can_misbehave() {
                true => _ = extensions.insert(Paced(body.clone(), pace.clone())),
                false => pace.wait(body.len()).await,
            }
        }
        if let Some(folder) = &self.backend.folder
            && create
            && body.len() >= DIRECT_WRITE_MIN_BYTES
        {
            let written = write_direct(folder.root().join(key), key, body, limit).await;
            return written.map(|()| None).map_err(without_links);
        }
        let mode = if create { PutMode::Create } else { PutMode::Overwrite };
        let options = PutOptions { mode, extensions, ..PutOptions::default() };
        let path = self.backend.path(key);
        let request = self.backend.objects.put_opts(&path, PutPayload::from(body), options);
        let written = timed("writing", key, limit, request).await.map(|answer| answer.version);
        written.map_err(|error| if create { without_links(error) } else { error })
    }

    /// Reads a whole object of at most `max_bytes`, into the memory of `room`.
    pub(crate) async fn get_once(
        &self,
        key: &str,
        max_bytes: u64,
        room: Vec<u8>,
    ) -> Result<Vec<u8>, StoreError> {
        let answer = self.open(key, None, false).await?;
        let size_bytes = answer.meta.size;
        if size_bytes > max_bytes {
            return Err(StoreError::TooLarge { key: key.to_owned(), size_bytes, max_bytes });
        }
        self.body(key, answer, size_bytes, room).await
    }

    /// Reads exactly `range`, into the memory of `room`.
    pub(crate) async fn range_once(
        &self,
        key: &str,
        range: Range<u64>,
        room: Vec<u8>,
    ) -> Result<Vec<u8>, StoreError> {
        let outside =
            || StoreError::OutOfRange { key: key.to_owned(), start: range.start, end: range.end };
        let answer = match self.open(key, Some(GetRange::Bounded(range.clone())), false).await {
            Ok(answer) => answer,
            // Libraries and stores say this in many ways, so a refusal is judged by the size.
            Err(error @ (StoreError::Unavailable { .. } | StoreError::Refused { .. })) => {
                return Err(match self.size_once(key).await {
                    Ok(size_bytes) if size_bytes < range.end => outside(),
                    _ => error,
                });
            }
            Err(error) => return Err(error),
        };
        if answer.range != range {
            return Err(outside());
        }
        self.body(key, answer, range.end - range.start, room).await
    }

    /// Reads the last `last_bytes` bytes, or all if there are fewer, and the size of the whole.
    pub(crate) async fn tail_once(
        &self,
        key: &str,
        last_bytes: u64,
    ) -> Result<(Bytes, u64), StoreError> {
        let answer = match self.open(key, Some(GetRange::Suffix(last_bytes)), false).await {
            Err(StoreError::NotSupported { .. }) => {
                let size_bytes = self.size_once(key).await?;
                let start = size_bytes.saturating_sub(last_bytes);
                let bytes = self.range_once(key, start..size_bytes, Vec::new()).await?;
                return Ok((bytes.into(), size_bytes));
            }
            // Many stores refuse to give the end of an object that has no bytes.
            Err(error @ StoreError::Refused { status: 416, .. }) => {
                return match self.size_once(key).await {
                    Ok(0) => Ok((Bytes::new(), 0)),
                    _ => Err(error),
                };
            }
            other => other?,
        };
        let size_bytes = answer.meta.size;
        let expected = size_bytes.saturating_sub(last_bytes)..size_bytes;
        if answer.range != expected {
            let (start, end) = (expected.start, expected.end);
            return Err(StoreError::OutOfRange { key: key.to_owned(), start, end });
        }
        let bytes = self.body(key, answer, expected.end - expected.start, Vec::new()).await?;
        Ok((bytes.into(), size_bytes))
    }

    /// The size of an object.
    pub(crate) async fn size_once(&self, key: &str) -> Result<u64, StoreError> {
        self.open(key, None, true).await.map(|answer| answer.meta.size)
    }

    /// Deletes; that nothing was there is fine.
    pub(crate) async fn delete_once(&self, key: &str) -> Result<(), StoreError> {
        self.meter.request(RequestKind::Delete);
        let path = self.backend.path(key);
        match timed("deleting", key, time_limit(0), self.backend.objects.delete(&path)).await {
            Err(StoreError::NotFound { .. }) => Ok(()),
            other => other,
        }
    }

    /// Deletes; looks whether the first pack of this connection is gone: some stores and gateways confirm
    /// deletions that they do not carry out. What is deleted besides may not have been there.
    pub(crate) async fn delete_and_look(&self, key: &str) -> Result<(), StoreError> {
        self.delete_once(key).await?;
        let is_pack = PACK_FOLDERS.iter().any(|folder| key.starts_with(folder));
        if !is_pack || !self.backend.can_misbehave() || self.deletes.load(Ordering::Relaxed) {
            return Ok(());
        }
        match self.size_once(key).await {
            Ok(_) => {
                let source = Box::new(StillThere);
                Err(StoreError::NotBelieved { action: "deleting", key: key.to_owned(), source })
            }
            Err(StoreError::NotFound { .. }) => {
                self.deletes.store(true, Ordering::Relaxed);
                Ok(())
            }
            // Whoever may delete need not be one who may read.
            Err(_) => Ok(()),
        }
    }

    async fn open(
        &self,
        key: &str,
        range: Option<GetRange>,
        head: bool,
    ) -> Result<GetResult, StoreError> {
        self.meter.request(RequestKind::Get);
        if let Some(folder) = &self.backend.folder {
            // The library would wait for a pipe, and follow a link to anywhere.
            folder.require_object(key)?;
        }
        let options = GetOptions { range, head, ..GetOptions::default() };
        let path = self.backend.path(key);
        let asked = self.backend.objects.get_opts(&path, options);
        match timed("reading", key, time_limit(0), asked).await {
            Ok(answer) => {
                if self.first_read.get().is_none() {
                    // Another thread may have been quicker.
                    let _ = self.first_read.set(key.to_owned());
                }
                Ok(answer)
            }
            Err(error) => Err(self.of_one_object(error)),
        }
    }

    /// Says of a refusal that it is about this object, if another could be read before and nothing
    /// is wrong with the keys.
    fn of_one_object(&self, error: StoreError) -> StoreError {
        match error {
            StoreError::Denied { ref source, .. }
                if self.first_read.get().is_some()
                    && source
                        .downcast_ref::<Answered>()
                        .is_some_and(|answer| is_about_the_object(&answer.code)) =>
            {
                error.of_this_object()
            }
            other => other,
        }
    }

    /// Whether the store fails at this object alone: it refuses it, or answers again and again with an
    /// error, with something else, or not at all, and another object that could be read before is still there.
    pub(crate) async fn fails_alone(&self, key: &str, error: &StoreError) -> bool {
        // Without a connection there is nothing to ask.
        let is_reached = match error {
            StoreError::Unavailable { source, .. } => !source.is::<NoKeys>(),
            error => error.is_refusal() || error.class() == ErrorClass::Transient,
        };
        match self.first_read.get().filter(|other| is_reached && *other != key) {
            Some(other) => self.size_once(other).await.is_ok(),
            None => false,
        }
    }

    /// Collects a body that must have exactly `announced_bytes`, and stops at the first byte more.
    /// Its memory is that of `room`: packs that come and go in memory of their own leave holes.
    async fn body(
        &self,
        key: &str,
        answer: GetResult,
        announced_bytes: u64,
        mut room: Vec<u8>,
    ) -> Result<Vec<u8>, StoreError> {
        room.clear();
        let collect = async {
            let pace = self.backend.limits.download.as_ref();
            let mut stream = match answer.payload {
                GetResultPayload::File(..) => {
                    let bytes = answer.bytes().await?;
                    if let Some(pace) = pace {
                        pace.wait(bytes.len()).await;
                    }
                    return Ok(bytes.into());
                }
                GetResultPayload::Stream(stream) => stream,
            };
            while let Some(piece) = stream.next().await.transpose()? {
                if let Some(pace) = pace {
                    pace.wait(piece.len()).await;
                }
                // Only now: who sends nothing costs no memory.
                self.backend.heard.sign();
                room.reserve_exact((announced_bytes as usize).saturating_sub(room.len()));
                room.extend_from_slice(&piece);
                if room.len() as u64 > announced_bytes {
                    break;
                }
            }
            Ok(room)
        };
        let paced = self.backend.limits.download.as_ref();
        let more = paced.map_or(Duration::ZERO, |pace| pace.allowance(announced_bytes));
        let limit = time_limit(announced_bytes) + more;
        let bytes = timed("reading", key, limit, collect).await?;
        self.meter.downloaded(bytes.len());
        let (key, received_bytes) = (key.to_owned(), bytes.len() as u64);
        if received_bytes > announced_bytes {
            let (size_bytes, max_bytes) = (received_bytes, announced_bytes);
            return Err(StoreError::TooLarge { key, size_bytes, max_bytes });
        }
        if received_bytes < announced_bytes {
            return Err(StoreError::ShortBody { key, received_bytes, announced_bytes });
        }
        Ok(bytes)
    }

    /// Whether new objects are still asked for with `If-None-Match`.
    pub(crate) fn creates(&self) -> bool {
        !self.plain_puts.load(Ordering::Relaxed)
    }
}

/// Whether a store that refuses to hand out an object says so of this object. HEAD requests get no
/// code.
fn is_about_the_object(code: &str) -> bool {
    matches!(
        code,
        "" | "AccessDenied"
            | "Forbidden"
            | "AuthorizationPermissionMismatch"
            | "KMS.DisabledException"
    )
}

/// Says of a file system without hard links that it cannot create atomically.
fn without_links(error: StoreError) -> StoreError {
    match error {
        StoreError::Local { source, key, .. }
            if source.raw_os_error().is_some_and(|e| NO_HARD_LINKS.contains(&e)) =>
        {
            StoreError::NotSupported { action: "creating", key, source: Box::new(source) }
        }
        other => other,
    }
}

/// Writes a large object into a folder, as long as `limit` at most.
async fn write_direct(
    path: PathBuf,
    key: &str,
    body: Bytes,
    limit: Duration,
) -> Result<(), StoreError> {
    let (action, key, place) = ("writing", key.to_owned(), path.clone());
    let written = tokio::task::spawn_blocking(move || direct::write_new(&path, &body));
    match tokio::time::timeout(limit, written).await {
        Ok(written) => match written.unwrap_or_else(|lost| Err(io::Error::other(lost))) {
            Err(source) if source.kind() == ErrorKind::AlreadyExists => {
                Err(StoreError::Conflict { key })
            }
            written => {
                written.map_err(|source| StoreError::of_folder(action, &key, &place, source))
            }
        },
        Err(_) => {
            let source = Box::new(TimedOut::after(limit));
            Err(StoreError::Unavailable { action, key, source })
        }
    }
}

/// The time that a request with so many bytes of body may take.
pub(crate) fn time_limit(body_bytes: u64) -> Duration {
    Duration::from_millis(ANSWER_TIMEOUT_MS + body_bytes * 1000 / TRANSFER_MIN_BYTES_PER_S)
}

/// Waits for `request` as long as `limit`, and classifies its error.
pub(crate) async fn timed<T>(
    action: &'static str,
    key: &str,
    limit: Duration,
    request: impl Future<Output = object_store::Result<T>>,
) -> Result<T, StoreError> {
    match tokio::time::timeout(limit, request).await {
        Ok(answer) => answer.map_err(|error| classify(action, key, error)),
        Err(_) => {
            let source = Box::new(TimedOut::after(limit));
            Err(StoreError::Unavailable { action, key: key.to_owned(), source })
        }
    }
}
