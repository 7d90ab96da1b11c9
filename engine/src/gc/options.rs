//! How a collection is done.

use std::time::Duration;

use crate::base::id::{GenerationId, SessionId};
use crate::base::limits::GC_GRACE_S;

/// How much unused space may stay in packs that also hold what is needed.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum MaxUnused {
    /// Percent of the bytes of all packs.
    Percent(f64),
    /// That many bytes.
    Bytes(u64),
    /// Any amount: nothing is repacked.
    Unlimited,
}

/// Options of [`crate::gc::run`].
#[derive(Debug, Clone, PartialEq)]
pub struct GcOptions {
    /// Say what would be done, and do nothing.
    pub dry_run: bool,
    /// How long packs are announced before they are deleted, by the store's clock. Safety does not
    /// rest on it.
    pub grace: Duration,
    /// Sessions that are given up without waiting for their silence.
    pub abandon_sessions: Vec<SessionId>,
    /// Generations that are closed without waiting for their silence.
    pub abandon_generations: Vec<GenerationId>,
    /// Deleting so many packs is intended.
    pub confirm_mass_delete: Option<u64>,
    /// Unused space to leave in packs.
    pub max_unused: MaxUnused,
    /// Stored bytes of thin packs that one run rewrites at most.
    pub max_repack_bytes: Option<u64>,
    /// No new work is begun after so long.
    pub max_duration: Option<Duration>,
    /// Host name in the records.
    pub host: String,
}

impl Default for GcOptions {
    fn default() -> Self {
        Self {
            dry_run: false,
            grace: Duration::from_secs(GC_GRACE_S),
            abandon_sessions: Vec::new(),
            abandon_generations: Vec::new(),
            confirm_mass_delete: None,
            max_unused: MaxUnused::Percent(5.0),
            max_repack_bytes: None,
            max_duration: None,
            host: String::new(),
        }
    }
}
