//! Operation: what to keep. Rules and plans, forgetting, bringing back, holds, tags.
//!
//! Nothing here deletes: a forgotten snapshot gets a tombstone and stays restorable until a
//! collection takes away what only it needs. `policy`, `plan` and `simulate` are pure: candidates
//! and a time in, a plan out; everything that writes takes such a plan. See `docs/GC.md`.

pub mod error;
pub mod period;
pub mod span;
pub mod policy;
pub mod candidate;
pub mod plan;
pub mod choice;
pub mod simulate;
pub mod gather;
pub mod clocks;
pub mod forget;
pub mod hold;
pub mod tag;
pub mod undelete;
#[cfg(test)]
mod tests;

pub use error::RetainError;
