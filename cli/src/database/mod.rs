//! Databases: dumped as streams, counted, restored under a new name, drilled in a server of their own.
//!
//! ```text
//! look (versions, names) → begin (counts, tool) → stream → end (is it whole?) → counts.json → snapshot
//!                                                            put_back ← private server ← drill
//! ```

/// Kinds of databases.
pub mod preset;
/// Quoted names.
pub mod name;
/// Versions of servers and tools.
pub mod version;
/// Tables of contents.
pub mod toc;
/// Last lines.
pub mod footer;
/// What was dumped.
pub mod manifest;
/// What to do about what tools say.
pub mod hint;
/// Where a server is.
pub mod server;
/// Tools as processes.
pub mod program;
/// Where tools are.
pub mod tools;
/// A dump as files.
pub mod dump;
/// Talking to PostgreSQL.
pub mod psql;
/// Dumps of PostgreSQL.
pub mod postgresql;
/// Dumps of MariaDB and MySQL.
pub mod mysql;
/// Files of SQLite.
pub mod sqlite;
/// Restores.
pub mod put_back;
/// Servers for drills.
pub mod private;
/// What there is on a machine.
pub mod detect;
