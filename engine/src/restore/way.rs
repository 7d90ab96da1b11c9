//! How something that is no folder comes to its place.

use crate::disk::aside::Replaces;

/// The way of one entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Way {
    /// Its folder is made by this run and has no place of its own yet.
    Fresh,
    /// It is made aside and put in its place when it is whole.
    Aside(Replaces),
    /// Its blocks are overwritten where they are.
    InPlace,
}
