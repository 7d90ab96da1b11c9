//! Operation: a source tree becomes a snapshot.
//!
//! ```text
//! walk (sorted) ─┐
//!                ├─ join ── unchanged: entry carried over ──────────────────┐
//! previous run ──┘     └─── changed: worker reads, cuts, dedups, seals ─────┤
//!                                        │ packs                            │ entries, in path order
//!                                     upload ── segments                 tree builder
//!                                        └───────────── all acknowledged ───┴── commit, look for a fence
//! ```
//!
//! One worker per core runs every stage for the file it owns. Uploads have threads of their own,
//! since syncing a file to disk takes as long as sealing it. Results are put back into path order
//! by a bounded window in front of the tree builder. All queues are bounded, so memory does not
//! depend on the size of the source.

pub mod error;
pub mod options;
pub mod report;
mod shared;
mod upload;
mod fill;
mod nodes;
mod previous;
mod host;
mod step;
mod read;
mod job;
mod roots;
mod ahead;
mod join;
mod assemble;
mod pipeline;
mod scan;
mod stream;
mod commit;
mod run;

pub use error::BackupError;
pub use options::{BackupOptions, Source, StreamedFile, StreamedFiles};
pub use report::BackupReport;
pub use run::run;
