//! Operation: is everything there that the snapshots need, and does every byte authenticate.
//!
//! First packs and records are read, if asked for; then everything that snapshots reach is looked up. In this
//! order, because a chunk counts as safe if one good copy of it is left, and only the reading
//! tells which copies are good. Damage is named by object and by the paths that it hurts.

pub mod error;
pub mod options;
pub mod report;
mod inventory;
mod data;
mod records;
mod structure;
mod slots;
mod chain;
mod run;

pub use chain::chain_damage;
pub use data::authenticate;
pub use error::CheckError;
pub use options::{CheckOptions, ReadData};
pub use report::{CheckReport, Damage};
pub use run::run;
