//! What is wrong with the systems of a store, from what the store shows alone.
//!
//! Whoever backs up may be dead and says nothing: so nothing here rests on what a client reports of
//! itself. Facts are read from the store once; from there on a condition is a pure function of facts,
//! promises and the time.

/// What a store shows.
pub mod facts;
/// What was promised.
pub mod promise;
/// What can be wrong.
pub mod condition;
/// What is wrong.
pub mod judge;
/// Facts, read from a store.
pub mod read;

#[cfg(test)]
mod tests;
