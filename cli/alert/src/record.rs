//! What is told: findings, steps of tickets, and the body that receivers get.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// A key fits into the reference fields of ticket systems.
pub const KEY_MAX_CHARS: usize = 100;
/// A title fits into the strictest of them.
pub const SUMMARY_MAX_CHARS: usize = 100;
/// Details beyond that are cut.
const DETAILS_MAX_CHARS: usize = 8000;

/// How urgent a finding is; the more urgent, the smaller its number.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, Default,
)]
#[serde(rename_all = "kebab-case")]
pub enum Severity {
    /// A promise is broken, or data may be lost.
    Critical,
    /// Somebody must do something today.
    High,
    /// Somebody should look.
    #[default]
    Medium,
    /// Worth knowing.
    Low,
}

impl Severity {
    /// All of them, the most urgent first.
    pub const ALL: [Self; 4] = [Self::Critical, Self::High, Self::Medium, Self::Low];

    /// From 1 (critical) to 4 (low).
    #[must_use]
    pub const fn number(self) -> u8 {
        match self {
            Self::Critical => 1,
            Self::High => 2,
            Self::Medium => 3,
            Self::Low => 4,
        }
    }

    /// The severity of a number; what is not known is the least urgent.
    #[must_use]
    pub fn of_number(number: i64) -> Self {
        let found = Self::ALL.into_iter().find(|one| i64::from(one.number()) == number);
        found.unwrap_or(Self::Low)
    }

    /// The word for it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Critical => "critical",
            Self::High => "high",
            Self::Medium => "medium",
            Self::Low => "low",
        }
    }
}

/// A step in the life of a ticket that is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum EventKind {
    /// It is there.
    Opened,
    /// It is still there.
    Repeated,
    /// It became more urgent.
    Escalated,
    /// It is over.
    Resolved,
}

impl EventKind {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Opened, Self::Repeated, Self::Escalated, Self::Resolved];

    /// The type that receivers see.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Opened => "condition.opened",
            Self::Repeated => "condition.repeated",
            Self::Escalated => "condition.escalated",
            Self::Resolved => "condition.resolved",
        }
    }

    /// The kind of a type.
    #[must_use]
    pub fn of_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }
}

/// Something that is wrong, as a look at a store found it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    /// Its ticket: the same as long as the same thing is wrong with the same system.
    pub key: String,
    /// The organisation.
    pub client: String,
    /// The system, or `repository` for all of them.
    pub system: String,
    /// What is wrong, in one word.
    pub condition: String,
    /// How urgent it is.
    pub severity: Severity,
    /// Since when, in seconds since 1970.
    pub since_s: i64,
    /// What it hangs on in the store, so that two watchers name the same opening.
    pub anchor: String,
    /// One line.
    pub summary: String,
    /// More, for whoever looks.
    pub details: String,
    /// When the newest snapshot to restore from began, in seconds since 1970.
    pub last_good_s: Option<i64>,
    /// The objective, in seconds.
    pub rpo_s: Option<i64>,
    /// What is left of it, in seconds; negative if it is breached.
    pub rpo_left_s: Option<i64>,
    /// The snapshot that it is about.
    pub snapshot: Option<String>,
    /// The record of evidence that it is about.
    pub evidence: Option<String>,
}

/// The stable key of a ticket. What is too long ends in a hash of it all.
#[must_use]
pub fn key(client: &str, system: &str, family: &str) -> String {
    // Only a system may have a slash: so no two tickets share a key.
    let client = client.replace('%', "%25").replace('/', "%2F");
    let whole = format!("mainstay/{client}/{system}/{family}");
    if whole.chars().count() <= KEY_MAX_CHARS {
        return whole;
    }
    let hash = blake3::hash(whole.as_bytes()).to_hex();
    let kept: String = whole.chars().take(KEY_MAX_CHARS - 17).collect();
    format!("{kept}~{}", &hash[..16])
}

/// Cut to so many characters.
#[must_use]
pub fn cut(text: &str, max_chars: usize) -> String {
    if text.chars().count() <= max_chars {
        return text.to_owned();
    }
    let mut kept: String = text.chars().take(max_chars.saturating_sub(1)).collect();
    kept.push('…');
    kept
}

/// The id of an event: of what it is about alone, so that two watchers give it the same one.
#[must_use]
pub fn event_id(key: &str, anchor: &str, generation: i64, kind: EventKind, number: i64) -> String {
    let mut hasher = blake3::Hasher::new();
    for part in [key, anchor, kind.name()] {
        hasher.update(&(part.len() as u64).to_le_bytes());
        hasher.update(part.as_bytes());
    }
    hasher.update(&generation.to_le_bytes());
    hasher.update(&number.to_le_bytes());
    format!("msg_{}", &hasher.finalize().to_hex()[..32])
}

/// RFC 3339 in UTC.
#[must_use]
pub fn rfc3339(at_s: i64) -> String {
    jiff::Timestamp::from_second(at_s).map(|at| at.to_string()).unwrap_or_default()
}

/// What the ticket adds to its finding in the body of an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Standing<'a> {
    /// The step.
    pub kind: EventKind,
    /// When, in seconds since 1970.
    pub at_s: i64,
    /// `open`, `acknowledged` or `resolved`.
    pub state: &'a str,
    /// When the ticket was opened, in seconds since 1970.
    pub opened_s: i64,
    /// In how many looks it was seen.
    pub seen: i64,
}

/// The body that receivers get: under 20 kB, whatever the finding says.
#[must_use]
pub fn body(finding: &Finding, standing: Standing<'_>) -> Value {
    let Standing { kind, at_s, state, opened_s, seen } = standing;
    let summary = match kind {
        // Whoever reads nothing else must not take it for something that is wrong now.
        EventKind::Resolved => format!("Over: {}", finding.summary),
        _ => finding.summary.clone(),
    };
    json!({
        "type": kind.name(),
        "timestamp": rfc3339(at_s),
        "data": {
            "key": finding.key,
            "event": kind.name().trim_start_matches("condition."),
            "client": finding.client,
            "system": finding.system,
            "condition": finding.condition,
            "state": state,
            "severity": finding.severity.number(),
            "severity_name": finding.severity.name(),
            "opened": rfc3339(opened_s),
            "since": rfc3339(finding.since_s),
            "seen": seen,
            "last_good": finding.last_good_s.map(rfc3339),
            "rpo_seconds": finding.rpo_s,
            "rpo_left_seconds": finding.rpo_left_s,
            "snapshot": finding.snapshot,
            "evidence": finding.evidence,
            "summary": cut(&summary, SUMMARY_MAX_CHARS),
            "details": cut(&finding.details, DETAILS_MAX_CHARS),
        }
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn keys_are_short_and_differ_where_anything_differs(
            one in ("[a-c/%]{1,3}", "[a-c/]{1,90}", "[a-c-]{1,5}"),
            other in ("[a-c/%]{1,3}", "[a-c/]{1,90}", "[a-c-]{1,5}"),
        ) {
            let (a, b) = (key(&one.0, &one.1, &one.2), key(&other.0, &other.1, &other.2));
            prop_assert!(a.chars().count() <= KEY_MAX_CHARS);
            prop_assert_eq!(a == b, one == other);
        }
    }

    #[test]
    fn an_id_has_no_dot_and_names_the_step() {
        let id = |kind, number| event_id("k", "a", 0, kind, number);
        assert!(!id(EventKind::Opened, 0).contains('.'));
        assert_eq!(id(EventKind::Opened, 0), id(EventKind::Opened, 0));
        assert_ne!(id(EventKind::Opened, 0), id(EventKind::Resolved, 0));
        assert_ne!(id(EventKind::Repeated, 0), id(EventKind::Repeated, 1));
    }

    #[test]
    fn a_body_stays_under_20_kb() {
        let finding = Finding {
            key: "k".repeat(100),
            client: "ü".repeat(100),
            system: "ü".repeat(300),
            condition: "rpo-breached".to_owned(),
            severity: Severity::Critical,
            since_s: 0,
            anchor: String::new(),
            summary: "ü".repeat(9000),
            details: "ü".repeat(90_000),
            last_good_s: None,
            rpo_s: None,
            rpo_left_s: None,
            snapshot: None,
            evidence: None,
        };
        let standing =
            Standing { kind: EventKind::Opened, at_s: 0, state: "open", opened_s: 0, seen: 1 };
        assert!(body(&finding, standing).to_string().len() < 20_000);
    }
}
