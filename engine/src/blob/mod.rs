//! Floor 9: chunks in and out of blocks and packs.
//!
//! Deduplicate small, compress large: chunks are the unit of deduplication, blocks of many chunks
//! the unit of compression and encryption, packs of many blocks the unit of storage.

pub mod error;
pub mod dedup;
pub mod block;
pub mod buffers;
pub mod pack;
pub mod open_pack;
pub mod cache;
pub mod rewrite;
pub mod gather;
pub mod fetch;

pub use error::BlobError;
