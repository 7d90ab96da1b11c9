//! Where a store is, and with which options it is reached.
//!
//! A location is what users type and what reports show, so it never holds a secret: credentials in
//! a URL are refused, not stripped. The engine reads neither environment nor home directory; the
//! caller hands in what it wants to be used.

use std::fmt;
use std::path::{Path, PathBuf};

use object_store::path::Path as KeyPath;

use crate::store::error::StoreError;
use crate::store::keys::KeySource;
use crate::store::pace::Limits;
use crate::store::wait::Watch;

/// The place of a repository.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Location {
    place: Place,
}

/// The kinds of places.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Place {
    Folder(PathBuf),
    Bucket { cloud: Cloud, bucket: String, prefix: String },
    Memory(String),
}

/// Whose protocol a bucket speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Cloud {
    S3,
    Google,
    Azure,
}

impl Cloud {
    fn scheme(self) -> &'static str {
        match self {
            Self::S3 => "s3",
            Self::Google => "gs",
            Self::Azure => "az",
        }
    }
}

impl Location {
    /// Reads a plain path, `file:///path`, `s3://bucket/prefix`, `gs://bucket/prefix`,
    /// `az://container/prefix`, or `memory:NAME` (one per process and name; for tests).
    ///
    /// # Errors
    /// [`StoreError::BadLocation`] for anything else, and for a URL with credentials, a query or
    /// a fragment.
    pub fn parse(text: &str) -> Result<Self, StoreError> {
        let place = match text.split_once("://") {
            Some((scheme, rest)) => parse_url(scheme, rest)?,
            None => match text.strip_prefix("memory:") {
                Some(name) => Place::Memory(name.to_owned()),
                None if text.is_empty() => return Err(bad(text, "it is empty")),
                None => Place::Folder(PathBuf::from(text)),
            },
        };
        Ok(Self { place })
    }

    /// The location as [`Location::parse`] reads it; without secrets, since it cannot hold any.
    #[must_use]
    pub fn display(&self) -> String {
        match &self.place {
            Place::Folder(path) => path.display().to_string(),
            Place::Bucket { cloud, bucket, prefix } if prefix.is_empty() => {
                format!("{}://{bucket}", cloud.scheme())
            }
            Place::Bucket { cloud, bucket, prefix } => {
                format!("{}://{bucket}/{prefix}", cloud.scheme())
            }
            Place::Memory(name) => format!("memory:{name}"),
        }
    }

    /// The folder, if the store is one.
    #[must_use]
    pub fn local_path(&self) -> Option<&Path> {
        match &self.place {
            Place::Folder(path) => Some(path),
            _ => None,
        }
    }

    /// Bucket and prefix, if it is a place in S3 or in a store that speaks its protocol.
    #[must_use]
    pub fn s3_place(&self) -> Option<(&str, &str)> {
        match &self.place {
            Place::Bucket { cloud: Cloud::S3, bucket, prefix } => Some((bucket, prefix)),
            _ => None,
        }
    }

    pub(crate) fn place(&self) -> &Place {
        &self.place
    }
}

/// How a store is reached. Secrets are in `environment` only, and are not shown by `Debug`.
#[derive(Clone, Default)]
pub struct StoreOptions {
    /// URL of the service, for stores other than the cloud's own.
    pub endpoint: Option<String>,
    /// Region that requests are signed for.
    pub region: Option<String>,
    /// Allows plain HTTP to a host other than this machine.
    pub allow_http: bool,
    /// `AWS_*`, `GOOGLE_*`, `AZURE_*` variables, and those of proxies, as the caller found them;
    /// later ones win. White space around values is passed over. What weakens the connection (unsigned payloads, skipped
    /// signatures, plain HTTP) is passed over.
    pub environment: Vec<(String, String)>,
    /// Where S3 keys come from that may change during a run; they count before variables.
    pub keys: Option<KeySource>,
    /// How fast bytes may go and come.
    pub limits: Limits,
    /// How long a store is waited for that has never answered, in milliseconds; `None` for
    /// [`crate::base::limits::STORE_OPENING_MS`].
    pub opening_ms: Option<u64>,
    /// Who is told while the store is silent.
    pub watch: Watch,
}

impl fmt::Debug for StoreOptions {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<_> = self.environment.iter().map(|(name, _)| name).collect();
        out.debug_struct("StoreOptions")
            .field("endpoint", &self.endpoint)
            .field("region", &self.region)
            .field("allow_http", &self.allow_http)
            .field("environment", &names)
            .field("limits", &self.limits)
            .finish_non_exhaustive()
    }
}

fn parse_url(scheme: &str, rest: &str) -> Result<Place, StoreError> {
    let cloud = match scheme {
        "file" => return parse_file_url(rest),
        "s3" => Cloud::S3,
        "gs" => Cloud::Google,
        "az" => Cloud::Azure,
        _ => return Err(bad(&format!("{scheme}://…"), "unknown kind of store")),
    };
    let shown = format!("{scheme}://…");
    let (bucket, prefix) = rest.split_once('/').unwrap_or((rest, ""));
    if bucket.contains('@') {
        return Err(bad(&shown, "credentials do not belong into a URL"));
    }
    let is_name = |b: u8| b.is_ascii_alphanumeric() || b"-_.".contains(&b);
    if bucket.is_empty() || !bucket.bytes().all(is_name) {
        return Err(bad(
            &shown,
            "the name of the bucket is empty or has other characters than a-z, 0-9, -, _ and .",
        ));
    }
    if rest.contains(['?', '#']) {
        return Err(bad(&shown, "a query or a fragment does not belong into it"));
    }
    let prefix = prefix.trim_end_matches('/');
    match KeyPath::parse(prefix) {
        Ok(path) if path.as_ref() == prefix => {}
        _ => return Err(bad(&shown, "the prefix has empty or special components")),
    }
    Ok(Place::Bucket { cloud, bucket: bucket.to_owned(), prefix: prefix.to_owned() })
}

fn parse_file_url(rest: &str) -> Result<Place, StoreError> {
    let text = format!("file://{rest}");
    let path = url::Url::parse(&text).ok().and_then(|url| url.to_file_path().ok());
    path.map(Place::Folder).ok_or_else(|| bad(&text, "it names no local folder"))
}

fn bad(location: &str, why: &str) -> StoreError {
    StoreError::BadLocation { location: location.to_owned(), why: why.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_of_location_reads_back_what_it_shows() {
        for text in [
            "/srv/backup",
            "relative/path",
            "s3://bucket",
            "s3://bucket/a/b",
            "gs://bucket.example/x",
            "az://container/x",
            "memory:",
            "memory:one",
        ] {
            let location = Location::parse(text).expect(text);
            assert_eq!(location.display(), text);
            assert_eq!(Location::parse(&location.display()).expect(text), location);
        }
        let folder = Location::parse("file:///srv/my%20backup").expect("a path");
        assert_eq!(folder.local_path(), Some(Path::new("/srv/my backup")));
        assert_eq!(Location::parse("s3://bucket/a/").expect("trimmed").display(), "s3://bucket/a");
        assert_eq!(Location::parse("s3://bucket/a").expect("a bucket").local_path(), None);
    }

    #[test]
    fn what_is_no_location_is_refused_and_secrets_are_not_repeated() {
        for text in [
            "",
            "s3://",
            "s3:///x",
            "s3://bucket/a//b",
            "s3://bucket/../b",
            "s3://bucket/a?x=1",
            "s3://bucket#x",
            "sftp://host/path",
            "file://elsewhere/path",
            "s3://key:hunter2@bucket/x",
            "https://key:hunter2@host/x",
        ] {
            let error = Location::parse(text).expect_err(text);
            assert!(matches!(error, StoreError::BadLocation { .. }), "{text}");
            assert!(!error.to_string().contains("hunter2"), "{error}");
        }
        let options = StoreOptions {
            environment: vec![("AWS_SECRET_ACCESS_KEY".to_owned(), "hunter2".to_owned())],
            ..StoreOptions::default()
        };
        assert!(!format!("{options:?}").contains("hunter2"));
    }
}
