//! Messages of watching: changes of tickets, tickets, deliveries.

use std::collections::BTreeMap;

use serde::Serialize;

/// A ticket changed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ConditionRecord {
    /// `opened`, `repeated`, `escalated` or `resolved`.
    pub event: String,
    /// The id that receivers see.
    pub id: String,
    /// When, RFC 3339 in UTC.
    pub time: String,
    /// The ticket.
    pub key: String,
    /// The organisation.
    pub client: String,
    /// The system, or `repository`.
    pub system: String,
    /// What is wrong, in one word.
    pub condition: String,
    /// From 1 (critical) to 4 (low).
    pub severity: u8,
    /// The word for it.
    pub severity_name: &'static str,
    /// `open`, `acknowledged` or `resolved`.
    pub state: &'static str,
    /// One line.
    pub summary: String,
}

/// What one look at all clients came to.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct WatchSummary {
    /// Clients that were looked at.
    pub clients: u64,
    /// Those whose store could not be read.
    pub unreachable: u64,
    /// Tickets that were opened.
    pub opened: u64,
    /// Those that were told again.
    pub repeated: u64,
    /// Those that became more urgent.
    pub escalated: u64,
    /// Those that are over.
    pub resolved: u64,
    /// Tickets that are open or acknowledged now.
    pub open: u64,
    /// Events that a channel has taken.
    pub delivered: u64,
    /// Events that wait for their next attempt.
    pub waiting: u64,
    /// What channels will not get any more.
    pub lost: Vec<String>,
}

/// A step in the life of a ticket.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct StepRecord {
    /// When, RFC 3339 in UTC.
    pub time: String,
    /// `opened`, `repeated`, `escalated`, `acknowledged` or `resolved`.
    pub event: String,
    /// Who did it, if it was a person.
    pub actor: Option<String>,
    /// What was said.
    pub note: Option<String>,
}

/// A ticket.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct TicketRecord {
    /// What names it.
    pub key: String,
    /// `open`, `acknowledged` or `resolved`.
    pub state: &'static str,
    /// From 1 (critical) to 4 (low).
    pub severity: u8,
    /// The word for it.
    pub severity_name: &'static str,
    /// The organisation.
    pub client: String,
    /// The system, or `repository`.
    pub system: String,
    /// What is wrong, in one word.
    pub condition: String,
    /// When it was opened, RFC 3339 in UTC.
    pub opened: String,
    /// In how many looks it was found.
    pub seen: i64,
    /// When it was found last, RFC 3339 in UTC.
    pub last_seen: String,
    /// When it was over, RFC 3339 in UTC.
    pub resolved: Option<String>,
    /// Since when it is wrong, RFC 3339 in UTC.
    pub since: String,
    /// One line.
    pub summary: String,
    /// More.
    pub details: String,
    /// Its ids in ticket systems, by channel.
    pub remote: BTreeMap<String, String>,
    /// What happened to it, with `ticket show`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub history: Option<Vec<StepRecord>>,
}

/// A delivery.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct DeliveryRecord {
    /// The id that receivers see.
    pub id: String,
    /// The organisation.
    pub client: String,
    /// To whom it goes.
    pub channel: String,
    /// The type that receivers see.
    #[serde(rename = "type")]
    pub kind: String,
    /// The ticket.
    pub key: String,
    /// When it happened, RFC 3339 in UTC.
    pub time: String,
    /// `due`, `done` or `dead`.
    pub state: String,
    /// How many attempts failed.
    pub failed: i64,
    /// When it is tried next, RFC 3339 in UTC.
    pub next: Option<String>,
    /// Why the last attempt failed.
    pub answer: Option<String>,
}

/// Whether a channel can be used.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ChannelRecord {
    /// The organisation.
    pub client: String,
    /// Its name.
    pub channel: String,
    /// Its kind.
    pub kind: &'static str,
    /// Whether it can be used.
    pub usable: bool,
    /// What happened to it, or what is wrong with it.
    pub note: Option<String>,
    /// What receivers need to check its signatures.
    pub public_keys: Vec<String>,
    /// Of a ticket system: its numbers, with those that were looked up.
    pub ids: BTreeMap<String, i64>,
}
