//! Operation: snapshots as a file system.
//!
//! Everything that a kernel asks of a file system that is read only, and nothing of how it asks: no
//! descriptor, no protocol. So it is tested without a kernel, and against the other ways to read.
//!
//! What is shown are folders of the caller's making ([`scene::Scene`]) with snapshots in them. An inode
//! number is made from what it stands for, so it is the same in each mount. Nothing that failed is
//! remembered: a store that comes back is read again.
//!
//! What cannot be read costs what is in it. A folder is listed as far as it can be read, and ends with an
//! error; a folder whose own entry is damaged is shown if something below it can be read.

pub mod error;
pub mod blocks;
pub mod scene;
pub mod inodes;
pub mod attributes;
pub mod file;
pub mod listing;
pub mod handles;
pub mod view;

#[cfg(test)]
mod tests;
