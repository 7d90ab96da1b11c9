//! What can go wrong between us and a store, told apart by what a caller can do about it.
//!
//! The answers of the libraries below arrive as chains of boxed errors; [`classify`] walks such a
//! chain once, so that nobody above ever looks at a status code or at a text.

use std::error::Error as StdError;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use object_store::client::HttpError;

use crate::base::error::{Classified, ErrorClass};
use crate::store::cause::{
    Answered, BrokenOff, Keys, NoAccess, NoConnection, NoKeys, NotBelieved, RefusedRedirect,
    TimedOut,
};

/// The words by which a finding tells that an object lies in an archive, as [`StoreError::Archived`]
/// says them.
pub const ARCHIVED: &str = "this object is archived";

/// A boxed cause.
pub(crate) type Source = Box<dyn StdError + Send + Sync>;

/// An error of a store. `action` is a present participle: `reading`, `writing` …
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The location or an option of the connection cannot be used.
    #[error("the store {location:?} cannot be opened: {why}")]
    BadLocation {
        /// The location without secrets.
        location: String,
        /// Why not.
        why: String,
    },
    /// The folder of a local store does not exist, or is another one than was opened.
    #[error("the folder {} is not there", path.display())]
    FolderMissing {
        /// The folder.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
    /// There is no such object (or no such bucket).
    #[error("{action} {key:?}: not in the store")]
    NotFound {
        /// What was being done.
        action: &'static str,
        /// The key below the location.
        key: String,
        /// What the store said.
        source: Source,
    },
    /// The bucket or container is not there.
    #[error("the store has no such bucket")]
    NoBucket {
        /// What the store said.
        source: Source,
    },
    /// This one object cannot be read, though others can.
    #[error("{action} {key:?}: this object cannot be read")]
    Unreadable {
        /// What was being done.
        action: &'static str,
        /// The key below the location.
        key: String,
        /// What the store or the system said.
        source: Source,
    },
    /// The object lies in an archive and must be brought back before it can be read.
    #[error(
        "{action} {key:?}: this object is archived and must be brought back from the archive first"
    )]
    Archived {
        /// What was being done.
        action: &'static str,
        /// The key below the location.
        key: String,
        /// What the store said.
        source: Source,
    },
    /// The answer is not one to what was asked.
    #[error("{action} {key:?}: the answer cannot be believed")]
    NotBelieved {
        /// What was being done.
        action: &'static str,
        /// The key below the location.
        key: String,
        /// What came.
        source: Source,
    },
    /// The credentials do not suffice.
    #[error("{action} {key:?}: the store denies access")]
    Denied {
        /// What was being done.
        action: &'static str,
        /// The key below the location.
        key: String,
        /// What the store said.
        source: Source,
    },
    /// The store is full, or a quota is used up.
    #[error("{action} {key:?}: the store has no room")]
    Full {
        /// What was being done.
        action: &'static str,
        /// The key below the location.
        key: String,
        /// What the store said.
        source: Source,
    },
    /// The store did not answer, answered too late, or asked to come back later.
    #[error("{action} {key:?}: the store is not available")]
    Unavailable {
        /// What was being done.
        action: &'static str,
        /// The key below the location.
        key: String,
        /// The last answer.
        source: Source,
    },
    /// The key holds something else than what was to be written.
    #[error("writing {key:?}: the store holds other content under this key")]
    Conflict {
        /// The key below the location.
        key: String,
    },
    /// The store claims that a new object exists, and does not return it.
    #[error("writing {key:?}: the store says that it exists, and does not return it")]
    Inconsistent {
        /// The key below the location.
        key: String,
    },
    /// The store answered with a redirect; they are never followed.
    #[error("{action} {key:?}: redirected to {target:?}; check the endpoint and the region")]
    Redirected {
        /// What was being done.
        action: &'static str,
        /// The key below the location.
        key: String,
        /// Where to, cut to a printable length.
        target: String,
        /// The answer.
        source: Source,
    },
    /// The store refused the request as such.
    #[error("{action} {key:?}: the store refuses the request with status {status} {code}")]
    Refused {
        /// What was being done.
        action: &'static str,
        /// The key below the location.
        key: String,
        /// The HTTP status.
        status: u16,
        /// The store's own error code, if it named one.
        code: String,
        /// What the store said.
        source: Source,
    },
    /// The store does not know this kind of request.
    #[error("{action} {key:?}: the store does not support this")]
    NotSupported {
        /// What was being done.
        action: &'static str,
        /// The key below the location.
        key: String,
        /// What the store said.
        source: Source,
    },
    /// The object is larger than its kind can be; nothing was downloaded.
    #[error("reading {key:?}: {size_bytes} bytes, where at most {max_bytes} can be")]
    TooLarge {
        /// The key below the location.
        key: String,
        /// What the store announces or has sent.
        size_bytes: u64,
        /// What was allowed.
        max_bytes: u64,
    },
    /// The body ended before the announced length.
    #[error("reading {key:?}: {received_bytes} bytes came where {announced_bytes} were announced")]
    ShortBody {
        /// The key below the location.
        key: String,
        /// What came.
        received_bytes: u64,
        /// What should have come.
        announced_bytes: u64,
    },
    /// The object does not hold the range that was asked for.
    #[error("reading {key:?}: bytes {start}..{end} are not all there")]
    OutOfRange {
        /// The key below the location.
        key: String,
        /// First byte wanted.
        start: u64,
        /// End of the range, exclusive.
        end: u64,
    },
    /// A listing does not come to an end.
    #[error("listing {prefix:?}: the store's listing does not come to an end")]
    EndlessListing {
        /// The prefix that was listed.
        prefix: String,
    },
    /// The machine's own file system failed.
    #[error("{action} {key:?}: the local file system failed")]
    Local {
        /// What was being done.
        action: &'static str,
        /// The key below the location.
        key: String,
        /// What the system says.
        source: std::io::Error,
    },
    /// Names in the store have codes that no key of this process makes, and an administrator has announced
    /// new keys.
    #[error("the keys of this repository were changed while this ran (epoch {epoch})")]
    NewEpoch {
        /// The epoch.
        epoch: u32,
    },
    /// The user asked to stop.
    #[error("stopped while waiting for the store")]
    Interrupted,
}

impl StoreError {
    /// What a file system says of `path`, in which an object lies: whoever may not read or write there
    /// is denied access, as by any other store.
    pub(crate) fn of_folder(
        action: &'static str,
        key: &str,
        path: &Path,
        source: std::io::Error,
    ) -> Self {
        let key = match key.is_empty() {
            true => path.display().to_string(),
            false => key.to_owned(),
        };
        let is_read_only = source.kind() == ErrorKind::ReadOnlyFilesystem;
        if !is_read_only && source.kind() != ErrorKind::PermissionDenied {
            return Self::Local { action, key, source };
        }
        let (path, detail) = (path.display().to_string(), source.to_string());
        Self::Denied { action, key, source: Box::new(NoAccess { path, is_read_only, detail }) }
    }

    /// The same as an error of this one object.
    pub(crate) fn of_this_object(self) -> Self {
        match self {
            Self::Unavailable { action, key, source }
            | Self::Denied { action, key, source }
            | Self::Redirected { action, key, source, .. }
            | Self::Refused { action, key, source, .. }
            | Self::NotBelieved { action, key, source }
            | Self::NotSupported { action, key, source } => {
                Self::Unreadable { action, key, source }
            }
            Self::ShortBody { ref key, .. } => {
                Self::Unreadable { action: "reading", key: key.clone(), source: Box::new(self) }
            }
            other => other,
        }
    }

    /// Whether the store answered, and will answer the same to the same request.
    pub(crate) fn is_refusal(&self) -> bool {
        matches!(self, Self::Redirected { .. } | Self::Refused { .. } | Self::NotSupported { .. })
    }
}

impl Classified for StoreError {
    fn class(&self) -> ErrorClass {
        match self {
            Self::NotFound { .. } | Self::FolderMissing { .. } => ErrorClass::Missing,
            Self::Unreadable { .. } | Self::Archived { .. } => ErrorClass::Unreadable,
            Self::Denied { .. } | Self::Full { .. } => ErrorClass::Denied,
            Self::NewEpoch { .. } => ErrorClass::Rekeyed,
            Self::Unavailable { .. }
            | Self::NotBelieved { .. }
            | Self::ShortBody { .. }
            | Self::EndlessListing { .. }
            | Self::Inconsistent { .. } => ErrorClass::Transient,
            Self::Conflict { .. } => ErrorClass::Conflict,
            Self::BadLocation { .. }
            | Self::NoBucket { .. }
            | Self::Redirected { .. }
            | Self::Refused { .. }
            | Self::NotSupported { .. } => ErrorClass::Usage,
            Self::TooLarge { .. } | Self::OutOfRange { .. } => ErrorClass::Corrupt,
            Self::Local { .. } => ErrorClass::Local,
            Self::Interrupted => ErrorClass::Interrupted,
        }
    }
}

/// Turns the library's error into ours.
pub(crate) fn classify(action: &'static str, key: &str, error: object_store::Error) -> StoreError {
    use object_store::Error as Lower;
    let key = key.to_owned();
    match error {
        Lower::NotFound { source, .. } => StoreError::NotFound { action, key, source },
        Lower::PermissionDenied { source, .. } | Lower::Unauthenticated { source, .. } => {
            StoreError::Denied { action, key, source }
        }
        Lower::AlreadyExists { .. } | Lower::Precondition { .. } => StoreError::Conflict { key },
        Lower::NotImplemented { .. } | Lower::NotSupported { .. } => {
            StoreError::NotSupported { action, key, source: Box::new(error) }
        }
        Lower::Generic { source, store } => from_chain(action, key, source, Keys::of(store)),
        other => StoreError::Unavailable { action, key, source: Box::new(other) },
    }
}

fn from_chain(action: &'static str, key: String, source: Source, keys: Keys) -> StoreError {
    let mut is_remote = false;
    let mut link: Option<&(dyn StdError + 'static)> = Some(source.as_ref());
    while let Some(error) = link {
        if let Some(answer) = error.downcast_ref::<Answered>() {
            return from_status(action, key, answer.clone());
        }
        if let Some(redirect) = error.downcast_ref::<RefusedRedirect>() {
            let (target, source) = (redirect.target.clone(), Box::new(redirect.clone()));
            return StoreError::Redirected { action, key, target, source };
        }
        if let Some(foreign) = error.downcast_ref::<NotBelieved>() {
            return StoreError::NotBelieved { action, key, source: Box::new(foreign.clone()) };
        }
        if let Some(lost) = error.downcast_ref::<NoConnection>() {
            if lost.target.starts_with(METADATA) {
                return StoreError::Unavailable {
                    action,
                    key,
                    source: no_keys(&lost.detail, keys),
                };
            }
            return StoreError::Unavailable { action, key, source: Box::new(lost.clone()) };
        }
        if let Some(late) = error.downcast_ref::<TimedOut>() {
            let source: Source = match late.host.starts_with(METADATA) {
                true => no_keys(&late.to_string(), keys),
                false => Box::new(late.clone()),
            };
            return StoreError::Unavailable { action, key, source };
        }
        is_remote |= error.is::<HttpError>();
        // Below an HTTP error an I/O error is the connection's, otherwise the disk's.
        if let (false, Some(local)) = (is_remote, error.downcast_ref::<std::io::Error>()) {
            let source = local.raw_os_error().map_or_else(
                || std::io::Error::new(local.kind(), local.to_string()),
                std::io::Error::from_raw_os_error,
            );
            return StoreError::of_folder(action, &key, Path::new(""), source);
        }
        link = error.source();
    }
    let source = match source.to_string().contains(METADATA) {
        true => no_keys("it does not hand out any", keys),
        false if is_remote && action == "reading" => broken_off(source.as_ref()),
        false => source,
    };
    StoreError::Unavailable { action, key, source }
}

/// Only the innermost of these errors says what happened.
fn broken_off(error: &(dyn StdError + 'static)) -> Source {
    let innermost = std::iter::successors(Some(error), |error| (*error).source()).last();
    Box::new(BrokenOff { detail: innermost.unwrap_or(error).to_string() })
}

/// Where clouds hand out credentials to their machines.
const METADATA: &str = "169.254.";

fn no_keys(why: &str, keys: Keys) -> Source {
    let words = "no credentials are given, and this machine gets none from its cloud";
    Box::new(NoKeys { why: format!("{words} ({why})"), keys })
}

/// Codes of stores that are full.
const FULL: [&str; 6] = [
    "QuotaExceeded",
    "InsufficientCapacity",
    "XMinioStorageFull",
    "StorageCapExceeded",
    "AccountQuotaExceeded",
    "ServiceQuotaExceededException",
];

fn from_status(action: &'static str, key: String, answer: Answered) -> StoreError {
    let (status, code) = (answer.status, answer.code.clone());
    let source: Source = Box::new(answer);
    // S3 says 400 to slow uploads and to expired tokens alike, so its own code decides.
    match (status, code.as_str()) {
        (_, "NoSuchBucket" | "ContainerNotFound") => StoreError::NoBucket { source },
        (507, _) => StoreError::Full { action, key, source },
        (_, code) if FULL.contains(&code) => StoreError::Full { action, key, source },
        (_, "InvalidObjectState" | "BlobArchived") => StoreError::Archived { action, key, source },
        (400, "RequestTimeout" | "SlowDown" | "ThrottlingException") => {
            StoreError::Unavailable { action, key, source }
        }
        (400, "ExpiredToken" | "InvalidToken" | "TokenRefreshRequired") | (401..=403, _) => {
            StoreError::Denied { action, key, source }
        }
        // A listing has no object that could be missing.
        (404, _) if action == "listing" => StoreError::NoBucket { source },
        (404, _) => StoreError::NotFound { action, key, source },
        (501, _) | (_, "NotImplemented") => StoreError::NotSupported { action, key, source },
        (408 | 425 | 429 | 500..=599, _) => StoreError::Unavailable { action, key, source },
        // Two requests met at one key: what came of them is not said, and the next one finds out.
        (409, "OperationAborted") => StoreError::Unavailable { action, key, source },
        (409 | 412, _) if action == "writing" => StoreError::Conflict { key },
        _ => StoreError::Refused { action, key, status, code, source },
    }
}
