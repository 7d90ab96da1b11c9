//! Drills: plan → scratch → restore → prove → record → clean.
//!
//! A drill first signs what it is going to do, so that none can be made to vanish; then it
//! restores from the store alone, compares what came back with the tree, lets probes look at it,
//! and signs what it found: passed, failed, or not proved. There is no fourth outcome. It needs
//! the role `verify` and writes nothing but its evidence and the pin that keeps its snapshot.

/// Hashes of paths that give nothing away.
pub mod salt;
/// Files of the findings of an earlier test.
pub mod again;
/// Findings as they come.
pub mod findings;
/// What a drill is asked to do, and what it answers.
pub mod options;
/// What this machine remembers of earlier drills.
pub mod memory;
/// Where files are restored to.
pub mod scratch;
/// What a snapshot must hold at least.
pub mod expect;
/// Parts of a tree for the estimate.
pub mod stretch;
/// All files of a snapshot, and what is drawn from them.
pub mod survey;
/// What a file should be and what came back.
pub mod prove;
/// Probes over what was restored.
pub mod look;
/// Restores and compares files.
pub mod files;
/// The state of the repository as a whole.
pub mod standing;
/// The end of a run with evidence.
pub mod close;
/// Rebuilding the index in scratch.
pub mod index_loss;
/// Opening with the recovery kit alone.
pub mod kit;
/// No snapshot to drill.
pub mod absent;
/// A drill from beginning to end.
pub mod run;
/// Packs in their turn.
pub mod rotate;
/// What a bundle shows of a drill.
pub mod reveal;

pub use options::{DrillError, DrillOptions, DrillReport};
pub use run::run;
