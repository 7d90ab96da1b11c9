//! Proof that backups restore, by means that do not trust what restored them.
//!
//! A drill draws files that nobody could choose, restores them from the store, looks at them, and
//! leaves a signed record of what it found, whichever way it ended. The order of the modules is
//! the order of the floors, as in the engine.

/// A restored folder against its original.
pub mod compare;

/// Which files and packs are looked at, and what that proves.
pub mod sample;

/// Signed, chained records, and verifying them anywhere.
pub mod evidence;

/// Looks into restored files.
pub mod probe;

/// Where probes run: a process that can reach nothing else.
pub mod sandbox;

/// Recovery objectives and the evidence level.
pub mod objective;

/// Restore, look, record.
pub mod drill;

/// What evidence shows of a period, for those who ask.
pub mod report;

/// What is wrong with the systems of a store, for whoever watches it.
pub mod fleet;
