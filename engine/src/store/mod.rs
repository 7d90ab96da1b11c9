//! Floor 6: the object store, the only state that machines share.
//!
//! [`Store`] does what `docs/GC.md` asks of a store and nothing else: put a new object, read it
//! whole or in part, list, delete. It is blocking at its surface and owns a small runtime inside,
//! so every operation above stays an ordinary function on an ordinary thread. Whatever a store
//! answers is bounded, compared and classified here; [`contract`] finds out whether a store can be
//! trusted with the protocol at all.

pub mod name;
pub mod code;
pub mod cause;
pub mod error;
pub mod wait;
pub mod meter;
pub mod pace;
mod settings;
pub mod keys;
pub mod location;
pub mod retry;
mod odd_key;
pub mod page;
mod answer;
mod unreachable;
mod proxy;
mod transport;
mod folder;
mod direct;
mod listed;
mod walk;
mod leftover;
mod bucket;
mod backend;
mod connect;
mod request;
mod listing;
pub mod client;
mod time;
mod reserve;
pub mod contract;
#[cfg(test)]
mod faulty;
#[cfg(test)]
mod tests;

pub use client::{Store, StrangeNames};
pub use error::StoreError;
pub use keys::{AccessKeys, KeySource};
pub use leftover::Leftovers;
pub use listed::Listed;
pub use location::{Location, StoreOptions};
pub use meter::Usage;
pub use name::ObjectName;
pub use pace::{Limits, Rates};
pub use wait::{Waiting, Watch};
