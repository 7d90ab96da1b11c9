//! Proof that backups restore, by means that do not trust what restored them.
//!
//! What is here compares a restored folder with the folder it was made from. It uses the engine
//! for escaping names only.

/// A restored folder against its original.
pub mod compare;
