//! The sections of a configuration file that say what happens by itself.
//!
//! They stand beside the options of every command in one TOML file for each organisation. An unknown
//! name is an error: a misspelt one would be a night without a backup.

/// Words of a command: as a list, or as one line that is split as a shell does it.
pub mod words;
/// What is saved.
pub mod source;
/// When.
pub mod schedule;
/// What runs around it.
pub mod hook;
/// What is promised, and what counts as suspicious.
pub mod promise;
/// Who is told, and what is watched.
pub mod alert;
/// Whether it makes sense.
pub mod check;
