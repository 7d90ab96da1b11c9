//! Object stores that watch, or that fail when they are told to.
//!
//! They wrap `object_store::ObjectStore` and not the engine's own store, so that retrying and the
//! reading of errors are tested with everything above them. Both count requests alike, from 0:
//! puts, gets (heads too), ranged gets as one, every single delete, lists when they are first
//! polled, copies. So the n-th line of a [`record::Recorder`] around a [`fault::Faulty`] is what
//! a plan calls request n, as long as requests are made one after the other.

/// Writes down every request.
pub mod record;
/// Spoils requests by a plan.
pub mod fault;
/// Asks a test before and after each request.
pub mod hook;
/// Has a clock of its own.
pub mod dated;

#[cfg(test)]
mod tests;
