//! How runs end: one word, and a class of reasons that says who has to do something.

use serde::{Deserialize, Serialize};

/// How a run ended, from the best to the worst.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// Everything was done.
    Ok,
    /// Everything was done, and there is something to know.
    OkWithNotes,
    /// It was left out on purpose: on battery, or while the one before still ran.
    Skipped,
    /// Done, but for what could not be read.
    Partial,
    /// Done without an error, and not to be believed.
    Suspicious,
    /// Nothing ran when it should have.
    Missed,
    /// It ran and was not done.
    Failed,
}

impl Outcome {
    /// All of them.
    pub const ALL: [Self; 7] = [
        Self::Ok,
        Self::OkWithNotes,
        Self::Skipped,
        Self::Partial,
        Self::Suspicious,
        Self::Missed,
        Self::Failed,
    ];

    /// The word for it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::OkWithNotes => "ok-with-notes",
            Self::Skipped => "skipped",
            Self::Partial => "partial",
            Self::Suspicious => "suspicious",
            Self::Missed => "missed",
            Self::Failed => "failed",
        }
    }

    /// The outcome that a word stands for.
    #[must_use]
    pub fn of_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|outcome| outcome.name() == name)
    }

    /// Whether everything was done.
    #[must_use]
    pub const fn is_good(self) -> bool {
        matches!(self, Self::Ok | Self::OkWithNotes)
    }

    /// Whether there is something to restore from: also a snapshot that lacks files counts for those
    /// that it has.
    #[must_use]
    pub const fn has_snapshot(self) -> bool {
        matches!(self, Self::Ok | Self::OkWithNotes | Self::Partial | Self::Suspicious)
    }
}

/// Why a run ended as it did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Reason {
    /// The store cannot be reached, or denies access.
    Store,
    /// There is no repository.
    NoRepository,
    /// The passphrase or the key does not fit.
    Key,
    /// Another run was at work.
    Busy,
    /// Damage was found.
    Damage,
    /// It was refused for safety.
    Refused,
    /// A setting is wrong.
    Settings,
    /// This machine failed: a full disk, a program that is not there.
    Local,
    /// Something could not be read.
    Unreadable,
    /// A drill failed.
    Drill,
    /// An objective is breached.
    Breached,
    /// The repository is of another version.
    Version,
    /// A hook failed.
    Hook,
    /// Somebody or something stopped it.
    Interrupted,
    /// It ended again and again without a word.
    Crashed,
    /// The hours in which it may run were over.
    Window,
    /// The machine ran on battery.
    Battery,
    /// Its line to the world was paid by the byte.
    Metered,
    /// The one before still ran.
    Running,
    /// The machine or the agent was off.
    Off,
    /// The job that it follows did not end well.
    Before,
    /// The slot was too long ago.
    Late,
    /// What it made differs too much from what was there before.
    Change,
}

impl Reason {
    /// All of them.
    pub const ALL: [Self; 23] = [
        Self::Store,
        Self::NoRepository,
        Self::Key,
        Self::Busy,
        Self::Damage,
        Self::Refused,
        Self::Settings,
        Self::Local,
        Self::Unreadable,
        Self::Drill,
        Self::Breached,
        Self::Version,
        Self::Hook,
        Self::Interrupted,
        Self::Crashed,
        Self::Window,
        Self::Battery,
        Self::Metered,
        Self::Running,
        Self::Off,
        Self::Before,
        Self::Late,
        Self::Change,
    ];

    /// The word for it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Store => "store",
            Self::NoRepository => "no-repository",
            Self::Key => "key",
            Self::Busy => "busy",
            Self::Damage => "damage",
            Self::Refused => "refused",
            Self::Settings => "settings",
            Self::Local => "local",
            Self::Unreadable => "unreadable",
            Self::Drill => "drill",
            Self::Breached => "breached",
            Self::Version => "version",
            Self::Hook => "hook",
            Self::Interrupted => "interrupted",
            Self::Crashed => "crashed",
            Self::Window => "window",
            Self::Battery => "battery",
            Self::Metered => "metered",
            Self::Running => "running",
            Self::Off => "off",
            Self::Before => "before",
            Self::Late => "late",
            Self::Change => "change",
        }
    }

    /// The reason that a word stands for.
    #[must_use]
    pub fn of_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|reason| reason.name() == name)
    }

    /// Whether it can pass without anybody doing something.
    #[must_use]
    pub const fn can_pass(self) -> bool {
        matches!(
            self,
            Self::Store
                | Self::NoRepository
                | Self::Busy
                | Self::Local
                | Self::Interrupted
                | Self::Crashed
                | Self::Hook
        )
    }
}

/// What a run or a part of one came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verdict {
    /// In one word.
    pub outcome: Outcome,
    /// Why, if it is not `ok`.
    pub reason: Option<Reason>,
    /// What a person should know.
    pub detail: String,
}

impl Verdict {
    /// Everything was done.
    #[must_use]
    pub const fn ok() -> Self {
        Self { outcome: Outcome::Ok, reason: None, detail: String::new() }
    }

    /// Anything else.
    #[must_use]
    pub fn new(outcome: Outcome, reason: Reason, detail: impl Into<String>) -> Self {
        Self { outcome, reason: Some(reason), detail: detail.into() }
    }

    /// Whether another attempt may help.
    #[must_use]
    pub fn is_worth_a_retry(&self) -> bool {
        self.outcome == Outcome::Failed && self.reason.is_some_and(Reason::can_pass)
    }

    /// The worst of several; `ok` of none.
    #[must_use]
    pub fn worst<'a>(all: impl IntoIterator<Item = &'a Self>) -> Self {
        let worst = all.into_iter().max_by_key(|verdict| verdict.outcome);
        worst.cloned().unwrap_or_else(Self::ok)
    }
}
