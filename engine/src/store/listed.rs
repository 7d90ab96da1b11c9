//! What a listing says of an object.

use crate::base::time::Timestamp;

/// An object as a listing shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    /// Its key below the location; [`ObjectName::parse`](crate::store::name::ObjectName::parse)
    /// says whether it is one of ours.
    pub key: String,
    /// Its size.
    pub size_bytes: u64,
    /// When the store received it, by the store's clock.
    pub modified: Timestamp,
}
