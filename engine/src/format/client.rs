//! `clients/<client>`: who may sign sessions and snapshots, vouched for by the administrator.

use minicbor::{Decode, Encode};

use crate::base::id::ClientId;
use crate::base::time::Timestamp;
use crate::format::slot::Role;

/// One enrolled machine or service identity. Signed by the administrator.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct Client {
    /// Its id, also the last part of its key in the store.
    #[n(0)]
    pub client: ClientId,
    /// A name for people.
    #[n(1)]
    pub name: String,
    /// Ed25519 public key that verifies what it signs.
    #[cbor(n(2), with = "minicbor::bytes")]
    pub verifying_key: [u8; 32],
    /// What it may do.
    #[n(3)]
    pub role: Role,
    /// Dedup domain of what it writes.
    #[n(4)]
    pub domain: u32,
    /// When it was enrolled.
    #[n(5)]
    pub enrolled: Timestamp,
}
