//! Looks into restored files: does a database open, is an archive whole, does a dump end.
//!
//! Which probe looks at a file is decided by its first bytes; for dumps also by its name, because
//! an emptied dump has no first bytes. Every probe streams, bounds what it reads and allocates, and
//! answers one of three things: passed, failed, or that it cannot tell. What it looks at is data
//! from a backup and is believed in nothing.
//!
//! `sqlite` opens databases of users with the same library as the engine's index. It is the second
//! place that may name it: the index is a cache of ours, and a look into foreign files has no
//! business there.

/// What all probes have in common.
pub mod verdict;
/// Permissions, times, links.
pub mod meta;
/// SQLite databases.
pub mod sqlite;
/// Compressed streams.
pub mod stream;
/// ZIP, tar, 7z, and what is compressed.
pub mod archive;
/// PostgreSQL dumps in custom format.
pub mod postgres;
/// SQL dumps as text.
pub mod dump;
/// PNG, JPEG, PDF.
pub mod image;
/// Text that should be SQL.
pub mod script;
/// What names promise.
pub mod kind;
/// Which probe looks at which file.
pub mod choose;
