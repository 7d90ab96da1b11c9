//! What happens by itself, carried out: each job is this program started once more, with the
//! configuration of its organisation and nothing of another's.
//!
//! A process for each job keeps what goes wrong in one away from the others, gives back all memory when
//! it ends, and is what somebody would type. What is due and what became of it is decided by the crate
//! `agent`.

/// Configurations of one file or a folder.
pub mod load;
/// What this machine runs on.
pub mod power;
/// Command lines of jobs.
pub mod line;
/// A process of this program.
pub mod child;
/// From how a process ended to an outcome.
pub mod verdict;
/// Commands around jobs.
pub mod hook;
/// One run from its slot to its outcome.
pub mod perform;
/// What became of runs, told to the store.
pub mod record;
/// The agent: one thread for each organisation.
pub mod service;
