//! Messages about what takes two people.

use serde::Serialize;

/// Somebody agreed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ConsentRecord {
    /// Its id.
    pub id: String,
    /// `prune`, `release` or `offboard`.
    pub deed: &'static str,
    /// The hold, or the host; empty for `prune`.
    pub subject: String,
    /// The most packs that a collection may delete.
    pub packs: u64,
    /// Who agreed.
    pub client: String,
    /// When, by the clock of whoever agreed.
    pub time: String,
    /// Until when it counts.
    pub until: String,
    /// That time is over.
    pub over: bool,
    /// Why.
    pub reason: String,
}
