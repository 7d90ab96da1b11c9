//! What a listing says of an object.

use crate::base::time::Timestamp;
use crate::store::name::ObjectName;

/// An object as a listing shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    /// Its key below the location.
    pub key: String,
    /// What it is; `None` if it is not one of ours, or nobody who has keys of the repository named it.
    pub name: Option<ObjectName>,
    /// Whether it can be one: a pipe or a device in a folder cannot.
    pub is_object: bool,
    /// Its size.
    pub size_bytes: u64,
    /// When the store received it, by the store's clock.
    pub modified: Timestamp,
}
