//! What can be wrong.

/// A kind of condition.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// A backup was due, and none came.
    Missed,
    /// The objective will be breached unless somebody does something.
    RpoAtRisk,
    /// The objective is breached.
    RpoBreached,
    /// The newest run failed.
    Failed,
    /// The newest snapshot lacks something that could not be read.
    Partial,
    /// The newest snapshot differs too much from those before.
    Suspicious,
    /// The newest drill failed.
    DrillFailed,
    /// A drill was due, and none came.
    DrillOverdue,
    /// A check was due, and none came.
    VerificationStale,
    /// The newest check found damage.
    Damage,
    /// The store cannot be read.
    StoreUnreachable,
    /// Snapshots are gone though nobody forgot them.
    Rollback,
    /// The watcher did not look.
    WatcherStale,
    /// The clock of a machine runs ahead.
    Clock,
}

/// How urgent it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Urgency {
    /// A promise is broken, or data may be lost.
    Critical,
    /// Somebody must do something today.
    High,
    /// Somebody should look.
    Medium,
    /// Worth knowing.
    Low,
}

impl Kind {
    /// All of them.
    pub const ALL: [Self; 14] = [
        Self::Missed,
        Self::RpoAtRisk,
        Self::RpoBreached,
        Self::Failed,
        Self::Partial,
        Self::Suspicious,
        Self::DrillFailed,
        Self::DrillOverdue,
        Self::VerificationStale,
        Self::Damage,
        Self::StoreUnreachable,
        Self::Rollback,
        Self::WatcherStale,
        Self::Clock,
    ];

    /// The word for it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Missed => "missed",
            Self::RpoAtRisk => "rpo-at-risk",
            Self::RpoBreached => "rpo-breached",
            Self::Failed => "failed",
            Self::Partial => "partial",
            Self::Suspicious => "suspicious",
            Self::DrillFailed => "drill-failed",
            Self::DrillOverdue => "drill-overdue",
            Self::VerificationStale => "verification-stale",
            Self::Damage => "damage",
            Self::StoreUnreachable => "store-unreachable",
            Self::Rollback => "rollback",
            Self::WatcherStale => "watcher-stale",
            Self::Clock => "clock",
        }
    }

    /// What its ticket is about: what becomes worse step by step is one ticket.
    #[must_use]
    pub const fn family(self) -> &'static str {
        match self {
            Self::Missed | Self::RpoAtRisk | Self::RpoBreached => "rpo",
            other => other.name(),
        }
    }

    /// How urgent it is.
    #[must_use]
    pub const fn urgency(self) -> Urgency {
        match self {
            Self::RpoBreached | Self::Rollback | Self::Damage => Urgency::Critical,
            Self::Failed | Self::Suspicious | Self::DrillFailed | Self::StoreUnreachable => {
                Urgency::High
            }
            Self::Missed
            | Self::RpoAtRisk
            | Self::Partial
            | Self::DrillOverdue
            | Self::VerificationStale
            | Self::Clock => Urgency::Medium,
            Self::WatcherStale => Urgency::Low,
        }
    }
}

/// Something that is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Condition {
    /// What.
    pub kind: Kind,
    /// The system, or `repository`.
    pub system: String,
    /// Since when, in seconds since 1970.
    pub since_s: i64,
    /// What it hangs on in the store: the same for whoever looks.
    pub anchor: String,
    /// One line.
    pub summary: String,
    /// More.
    pub details: String,
    /// When the newest snapshot to restore from began, in seconds since 1970.
    pub last_good_s: Option<i64>,
    /// The objective, in seconds.
    pub rpo_s: Option<i64>,
    /// What is left of it, in seconds.
    pub rpo_left_s: Option<i64>,
    /// The snapshot that it is about.
    pub snapshot: Option<String>,
    /// The record of evidence that it is about.
    pub evidence: Option<String>,
}

impl Condition {
    /// One about a system, with nothing beside.
    #[must_use]
    pub fn new(kind: Kind, system: impl Into<String>, since_s: i64, anchor: &str) -> Self {
        Self {
            kind,
            system: system.into(),
            since_s,
            anchor: anchor.to_owned(),
            summary: String::new(),
            details: String::new(),
            last_good_s: None,
            rpo_s: None,
            rpo_left_s: None,
            snapshot: None,
            evidence: None,
        }
    }

    /// Says it in words.
    #[must_use]
    pub fn saying(mut self, summary: impl Into<String>, details: impl Into<String>) -> Self {
        (self.summary, self.details) = (summary.into(), details.into());
        self
    }
}
