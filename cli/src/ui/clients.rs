//! What is said of clients as JSON.

use serde::Serialize;

/// One client; an array of them is printed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ClientRecord {
    /// Its id.
    pub id: String,
    /// A name for people.
    pub name: String,
    /// What its key allows.
    pub role: &'static str,
    /// Its dedup domain.
    pub domain: u32,
    /// When it was enrolled, RFC 3339.
    pub enrolled: String,
    /// Hosts that it may name; empty for any, and if it has named none yet.
    pub hosts: Vec<String>,
    /// Clients that it succeeds.
    pub succeeds: Vec<String>,
    /// The client that its history goes on with; its own id if there is none.
    pub line: String,
    /// Its live snapshots.
    pub snapshots: u64,
    /// The newest of them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub newest: Option<String>,
    /// When it was revoked, RFC 3339.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub revoked: Option<String>,
    /// Why.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// A client was revoked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct KeyRevoked {
    /// The client.
    pub client: String,
    /// Its name.
    pub name: String,
    /// Nothing was done.
    pub dry_run: bool,
    /// The last snapshot that counts.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_snapshot: Option<String>,
    /// The last record of evidence that counts.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_evidence: Option<String>,
    /// Live snapshots of it that do not count.
    pub snapshots_after: u64,
}

/// This machine goes on with the history of others.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct KeySucceeded {
    /// The client that it writes as from now on.
    pub client: String,
    /// The clients that it succeeds.
    pub succeeds: Vec<String>,
}
