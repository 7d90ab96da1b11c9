//! `clients/<client>`: who may sign sessions and snapshots, vouched for by the administrator.

use minicbor::{Decode, Encode};

use crate::base::id::ClientId;
use crate::base::limits::{CLIENT_LIST_MAX, FACT_MAX_BYTES, RECIPIENT_MAX_BYTES};
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
    /// Hosts that it may name in its snapshots; none are stated for roles that may name any.
    #[cbor(n(6), default, skip_if = "Vec::is_empty")]
    pub hosts: Vec<String>,
    /// Clients whose machine it replaces: their history goes on with its own.
    #[cbor(n(7), default, skip_if = "Vec::is_empty")]
    pub succeeds: Vec<ClientId>,
    /// HPKE public key that secrets for its holder are sealed to.
    #[cbor(n(8), with = "minicbor::bytes")]
    pub recipient: Option<Vec<u8>>,
    /// Whether it may agree to what takes two people.
    #[cbor(n(9), default, skip_if = "std::ops::Not::not")]
    pub approves: bool,
}

impl Client {
    /// Whether it has no more and no longer parts than it may have.
    #[must_use]
    pub fn is_bounded(&self) -> bool {
        self.hosts.len() <= CLIENT_LIST_MAX
            && self.succeeds.len() <= CLIENT_LIST_MAX
            && self.hosts.iter().all(|host| host.len() <= FACT_MAX_BYTES)
            && self.recipient.as_ref().is_none_or(|key| key.len() <= RECIPIENT_MAX_BYTES)
    }
}
