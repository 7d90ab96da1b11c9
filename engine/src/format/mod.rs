//! Floor 4: bytes to values and back, for every kind of object in a repository.
//!
//! No keys and no I/O here: what is sealed arrives opened, what will be sealed leaves open.
//! `docs/FORMAT.md` restates everything byte by byte; the golden vectors of the test suite hold
//! both to it. Every decoder takes hostile bytes: it bounds before it allocates and never panics.

pub mod envelope;
pub mod config;
pub mod slot;
pub mod client;
pub mod session;
pub mod generation;
pub mod pack;
pub mod segment;
pub mod extent;
pub mod content;
pub mod ntfs;
pub mod entry;
pub mod node;
pub mod facts;
pub mod snapshot;
pub mod private;
pub mod mark;
pub mod machine;
pub mod history;
pub mod consent;
pub mod announcement;
