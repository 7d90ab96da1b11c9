//! Floor 5: the live file system, the only place of the engine that touches users' files.
//!
//! Reading ([`walk`], [`read`], [`command`]) and writing ([`write`]) both work relative to open
//! directories: no path is resolved twice, so nothing that is renamed or replaced by a link
//! meanwhile can lead elsewhere, and paths longer than the kernel takes at once are no exception.

pub mod error;
pub mod owner;
pub mod trust;
pub mod fleeting;
pub mod child;
pub mod meta;
mod coarse;
mod xattr;
mod folder;
pub mod pattern;
pub mod selection;
pub mod exclude;
pub mod read;
mod found;
mod roots;
mod task;
mod look;
mod ahead;
pub mod walk;
pub mod command;
mod beneath;
pub mod target_file;
mod room;
pub mod stage;
pub mod write;
pub mod aside;
mod remove;
pub mod apply;
mod locked;
pub mod mounts;

#[cfg(test)]
mod tests;
