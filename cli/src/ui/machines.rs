//! Messages about machines.

use serde::Serialize;

/// An invitation was made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Invited {
    /// The client that was enrolled.
    pub client: String,
    /// The host that it may name.
    pub host: String,
    /// Until when it can be taken, RFC 3339 in UTC.
    pub until: String,
    /// The token; it holds a key.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub token: Option<String>,
    /// The file that has it instead.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub token_file: Option<String>,
}

/// This machine has joined.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Joined {
    /// The organisation.
    pub organisation: String,
    /// The host that its snapshots name.
    pub host: String,
    /// Its configuration.
    pub config_file: String,
    /// Its key.
    pub key_file: String,
    /// Whether the agent was started.
    pub service: bool,
}

/// A machine that may write.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct MachineRecord {
    /// Id of its client.
    pub client: String,
    /// What the administrator calls it.
    pub name: String,
    /// What its key allows.
    pub role: &'static str,
    /// Hosts that it may name; empty for any.
    pub hosts: Vec<String>,
    /// `not used yet`, `in use`, `joined`, `joined twice`, `revoked`.
    pub state: &'static str,
    /// When its invitation was taken, by the clock of whoever took it.
    pub joined: Vec<String>,
    /// What those call themselves.
    pub machines: Vec<String>,
    /// Its snapshots.
    pub snapshots: u64,
    /// The newest.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub newest: Option<String>,
    /// When that began.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub newest_time: Option<String>,
}
