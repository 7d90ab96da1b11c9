//! Floor 10: prolly trees, of entries by path and of extents in file order.
//!
//! A prolly tree is a B-tree whose nodes end where a hash says so. Equal content gives equal
//! nodes, whatever the history: two snapshots share every subtree in which they agree, and an
//! incremental backup ends with the same root as a full one.

pub mod error;
pub mod boundary;
pub mod build;
pub mod source;
pub mod cursor;
pub mod diff;
pub mod extents;
pub mod reach;

pub use error::TreeError;
