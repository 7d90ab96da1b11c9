//! What is behind an error of a store, as types: hints are chosen by them, not by texts.
//!
//! A chain of errors from the libraries below says the same thing five times and the URL twice.
//! One of these stands at its end instead, and says it once.

use std::fmt;
use std::time::Duration;

/// A status other than success, with what the store itself says about it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Answered {
    /// The HTTP status.
    pub status: u16,
    /// The store's own code (`NoSuchBucket`); empty if it gave none.
    pub code: String,
    /// The store's own words; empty if it gave none.
    pub message: String,
    /// The region that it names as the right one; empty if it names none.
    pub region: String,
    /// What its clock says, as it writes it; empty if it does not say.
    pub date: String,
    /// Host and port that were asked.
    pub host: String,
}

impl fmt::Display for Answered {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { status, code, message, host, .. } = self;
        match host.is_empty() {
            true => write!(out, "the store answers {status}")?,
            false => write!(out, "{host} answers {status}")?,
        }
        if !code.is_empty() {
            write!(out, " {code}")?;
        }
        if !message.is_empty() {
            write!(out, ": {message}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Answered {}

/// The system lets this user not read or write in the folder of a repository.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NoAccess {
    /// Where.
    pub path: String,
    /// Whether nobody may write there, because the file system is mounted so.
    pub is_read_only: bool,
    /// What the system says.
    pub detail: String,
}

impl fmt::Display for NoAccess {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { path, detail, .. } = self;
        match path.is_empty() {
            true => out.write_str(detail),
            false => write!(out, "{path}: {detail}"),
        }
    }
}

impl std::error::Error for NoAccess {}

/// What kept a connection from coming about, or from lasting.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Obstacle {
    /// The name of the host has no address.
    Name,
    /// Nothing listens there.
    Refused,
    /// No way leads there.
    NoRoute,
    /// Nobody answered in time.
    Silence,
    /// The other side cannot prove who it is, or does not speak TLS.
    Tls,
    /// The proxy does not let it through.
    Proxy,
    /// It broke off, or what came is no HTTP.
    Broken,
}

/// No connection, or one that broke before an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NoConnection {
    /// Host and port.
    pub target: String,
    /// Host and port of the proxy in between.
    pub proxy: Option<String>,
    /// Why.
    pub obstacle: Obstacle,
    /// In words.
    pub detail: String,
}

impl fmt::Display for NoConnection {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { target, proxy, detail, .. } = self;
        match proxy {
            None => write!(out, "cannot connect to {target}: {detail}"),
            Some(proxy) => write!(out, "cannot connect to {target} by the proxy {proxy}: {detail}"),
        }
    }
}

impl std::error::Error for NoConnection {}

/// An answer under a status of success that is not what was asked for.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the answer of {host} is not {expected}: {why}")]
pub struct NotBelieved {
    /// Host and port.
    pub host: String,
    /// What was asked for: `a listing`, `an object` …
    pub expected: &'static str,
    /// What came instead.
    pub why: String,
}

/// An object that is there after its deletion was confirmed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the store confirms that it is deleted, and still has it")]
pub struct StillThere;

/// A connection that broke off while an answer came.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the connection broke off while the answer came ({detail})")]
pub struct BrokenOff {
    /// What the network layer says.
    pub detail: String,
}

/// A redirect that was not followed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("redirect with status {status} to {target}")]
pub struct RefusedRedirect {
    /// The HTTP status.
    pub status: u16,
    /// Where to.
    pub target: String,
    /// The region that the store names as the right one; empty if it names none.
    pub region: String,
}

/// No answer within the time allowed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{} within {} s", what(host), limit_ms.div_ceil(1000))]
pub struct TimedOut {
    /// The time allowed.
    pub limit_ms: u64,
    /// Host and port, if it is known that they take connections; otherwise empty.
    pub host: String,
}

impl TimedOut {
    /// Whatever the other side did or did not do.
    pub(crate) fn after(limit: Duration) -> Self {
        Self { limit_ms: limit.as_millis() as u64, host: String::new() }
    }
}

fn what(host: &str) -> String {
    match host.is_empty() {
        true => "no answer".to_owned(),
        false => format!("{host} took the request and did not answer it"),
    }
}

/// Why there are no keys for the store.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{why}")]
pub struct NoKeys {
    /// In words.
    pub why: String,
    /// Those of whose store.
    pub keys: Keys,
}

/// Whose way of giving credentials a store has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Keys {
    /// Stores that speak S3.
    S3,
    /// Google Cloud Storage.
    Google,
    /// Azure Blob Storage.
    Azure,
}

impl Keys {
    /// By the name that the library gives a store in its errors.
    pub(crate) fn of(store: &str) -> Self {
        match store {
            "GCS" => Self::Google,
            "MicrosoftAzure" => Self::Azure,
            _ => Self::S3,
        }
    }
}
