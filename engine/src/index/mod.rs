//! Floor 8: the local index, a cache that can be rebuilt from the object store at any time.
//!
//! One SQLite file per repository tells which chunk lies where, keeps snapshots and client records
//! at hand and remembers the runs of this machine. Beside it lie the hints (entries of the last
//! run of a source), the lock of the folder, and who this machine is, which nothing gives back.
//! The rest is not the truth: a damaged file is moved
//! aside and a fresh one begun. Only this floor names the database.

pub mod error;
mod schema;
mod record;
mod damage;
mod place;
mod table;
mod fingerprint;
mod database;
pub mod reader;
pub mod chunks;
pub mod snapshots;
pub mod runs;
pub mod hints;
pub mod kept;
pub mod lock;
pub mod clean;
pub mod collected;
mod fetch;
pub mod clients;
pub mod consents;
pub mod collections;
pub mod refresh;
pub mod identity;
pub mod settle;
pub mod marks;
pub mod belief;
pub mod outcomes;
pub mod setups;
pub mod catalog;
pub mod pin;
#[cfg(test)]
mod sample;

pub use database::{Index, OpenOutcome};
pub use error::IndexError;
pub use place::{ChunkPlace, PackStanding};
pub use reader::IndexReader;
