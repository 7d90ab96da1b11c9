//! What was promised of systems, and what is known of the watcher itself.

use std::collections::BTreeMap;

use crate::fleet::facts::SystemName;

/// What was promised of one system.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Promise {
    /// Which.
    pub system: SystemName,
    /// Recovery point objective, in seconds.
    pub rpo_s: Option<i64>,
    /// Whether somebody said that it must be there: then it is missed without any snapshot.
    pub is_declared: bool,
    /// The newest time by which a backup must have begun since, if backups have a calendar.
    pub due_since_s: Option<i64>,
    /// When backups begin next, from those on that may still run, if they have a calendar.
    pub slots_s: Vec<i64>,
}

/// What was promised of all systems of a store.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Promises {
    /// Those of single systems.
    pub systems: Vec<Promise>,
    /// Recovery point objective of all others, in seconds.
    pub rpo_s: Option<i64>,
    /// For all others, as [`Promise::due_since_s`].
    pub due_since_s: Option<i64>,
    /// For all others, as [`Promise::slots_s`].
    pub slots_s: Vec<i64>,
    /// Recovery point objectives of sources, whatever machine they are on, in seconds.
    pub sources: BTreeMap<String, i64>,
    /// Systems that nobody watches any more.
    pub retired: Vec<SystemName>,
    /// The newest time by which a drill must have ended since.
    pub drill_since_s: Option<i64>,
    /// The newest time by which a check must have ended since.
    pub check_since_s: Option<i64>,
}

/// The watcher itself.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Watcher {
    /// Now, in seconds since 1970.
    pub now_s: i64,
    /// When it did not look though it should have: from, to.
    pub was_off: Option<(i64, i64)>,
}
