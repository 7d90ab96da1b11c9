//! Operation: deletes packs that no snapshot needs, beside any number of running backups and of
//! other collectors.
//!
//! The protocol is that of `docs/GC.md`; its step letters O1 to O11 and K1 to K3 stand in the
//! comments. Nothing here is locked, no step concludes anything from a time. Each step is a method
//! of [`Collector`], so that tests can let others act between any two of them; [`run`] takes them
//! in order.

pub mod error;
pub mod options;
pub mod report;
mod sessions;
mod live;
mod mark;
mod usage;
mod choose;
mod brake;
mod collector;
mod barrier;
mod authenticate;
mod remark;
mod segments;
mod sweep;
mod fold;
mod repack;
mod run;
mod freed;
/// Ways out where an object cannot be read.
pub mod unblock;

pub use barrier::Waiting;
pub use collector::{Collector, Generation, Survey};
pub use error::GcError;
pub use freed::{Freed, freed_by};
pub use options::{GcOptions, MaxUnused};
pub use report::{GcReport, RepackReport};
pub use run::run;
