//! The protocol of `docs/GC.md` as two models, which a checker searches state by state.
//!
//! A test tries one order of events, a model all of them. What is modelled is what happens in the
//! store; bytes, keys and trees are left out. There are two models, because one of everything
//! would have more states than anybody can visit, and because the only thing that passes between
//! the two halves of the protocol is which sessions are decided:
//!
//! * [`commit`]: one machine commits, fencers and a forger interfere, retention counts. Steps B1,
//!   B5, F1 to F3 and the restart; here `.ok`, signatures and the order of listings matter.
//! * [`collect`]: machines deduplicate while collectors delete. Steps B1 to B5, O1 to O11, K1 to
//!   K3, rule X; pins, repacking and taking back a tombstone.
//!
//! In both, everybody may sleep for ever between two steps, so there are no clocks to be wrong; a
//! machine may crash at any step and start again; a request may be lost, or land much later, or
//! twice. *Fencers and successors are part of the surroundings*: any number of them is at work,
//! each of which may have got as far as any of its steps, whatever else happens.
//!
//! Every rule of the protocol is there to be broken: a mutant leaves out one of them, and the
//! checker has to find the sequence of events in which that loses data. A mutant that survives
//! means that the model proves nothing, and is a failure of the tests.
//!
//! [`cases`] lists what is run, [`run`] runs it, and the program `explore` shows it.

/// Small sets of sessions, packs and chunks.
pub mod set;
/// Runs a checker and says what it found.
pub mod run;
/// Commits, fences and what counts as a snapshot.
pub mod commit;
/// Deduplication while collectors delete.
pub mod collect;
/// Every configuration that is run, and what must come out.
pub mod cases;
