//! The engine of Mainstay: what a repository is, how data gets into it and back out of it.
//!
//! The order of the modules below is the order of the floors: a module names only modules that
//! are declared above it. A test of the workspace (`tests/suite/tidy.rs`) holds every file to it.
//!
//! Callers start at [`repo`] (create, open), then use the operations: [`backup`], [`restore`],
//! [`retain`], [`check`]. Operations are functions that take a `Repo`; they return reports and print nothing.

/// Floor 1: ids, paths, time, limits, error classes, the `Monitor`; no I/O.
pub mod base;

/// Floor 2: algorithms on byte slices; keys in, bytes out; knows no format.
pub mod crypt;

/// Floor 3: cut points and compression frames.
pub mod chunk;

/// Floor 4: bytes to values and back, for every kind of object; knows no key.
pub mod format;

/// Floor 5: the live file system: walk, metadata, safe writing.
pub mod disk;

/// Floor 6: the object store, the only shared state.
pub mod store;

/// Floor 7: keys meet format: create, unlock, typed objects, sessions.
pub mod repo;

/// Floor 8: the local index, a cache that can be rebuilt.
pub mod index;

/// Floor 9: chunks in and out of blocks and packs.
pub mod blob;

/// Floor 10: prolly trees of entries and of extents.
pub mod tree;

/// Operation: source tree in, snapshot out.
pub mod backup;

/// Operation: snapshot in, files out; and reading single files.
pub mod restore;

/// Operation: what to keep; forgetting, bringing back, holds, tags.
pub mod retain;

/// Operation: deletes what no snapshot needs, beside running backups and other collectors.
pub mod gc;

/// Operation: is everything there, and does every byte authenticate.
pub mod check;

/// Operation: snapshots as a file system that is read only; what the kernel asks, and nothing of how it asks.
pub mod mount;

/// Operation: what machine, data and store can do, stage by stage.
pub mod benchmark;
