//! What the tests of the whole product share.

/// The rules of the source that no compiler checks.
pub mod tidy;

/// How much of an open-ended test is run, and numbers that follow from a seed.
pub mod scale;

/// File trees as values, on disk, and edited.
pub mod trees;

/// How two trees on disk differ, found without any code of the engine.
pub mod compare;

/// Object stores that watch, and object stores that fail.
pub mod store;

/// An S3 server that gives wrong answers.
pub mod double;

/// A repository with its state folder, made in a few lines.
pub mod world;

/// A second reader of the format, written from its document alone.
pub mod reader;
/// Damage to the objects of a repository, and whether anything notices it.
pub mod damage;

/// A writer with valid keys that stores whatever it likes.
pub mod forge;

/// Every decoder of bytes that somebody else may have written.
pub mod fuzz;

/// A year of a fleet in a repository, and what a report must say of it.
pub mod fleet;
