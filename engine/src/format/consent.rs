//! `consent/<r>`: a second person agrees to what destroys much.

use minicbor::{Decode, Encode};

use crate::base::id::{ClientId, Nonce8};
use crate::base::limits::FACT_MAX_BYTES;
use crate::base::time::Timestamp;

/// What takes two people where the administrator has appointed approvers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Encode, Decode)]
#[cbor(index_only)]
pub enum Deed {
    /// A collection that deletes more than the brake lets through.
    #[n(1)]
    Prune,
    /// The release of a hold.
    #[n(2)]
    Release,
    /// All snapshots of a host are forgotten.
    #[n(3)]
    Offboard,
}

/// `consent/<r>`: one deed, once or as often as it happens until a time.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct Consent {
    /// Its random part, also in its key.
    #[n(0)]
    pub id: Nonce8,
    /// Who agrees: a client that the administrator has appointed for this.
    #[n(1)]
    pub by: ClientId,
    /// When, by the clock of whoever agrees.
    #[n(2)]
    pub at: Timestamp,
    /// Until when it counts.
    #[n(3)]
    pub until: Timestamp,
    /// To what.
    #[n(4)]
    pub deed: Deed,
    /// The hold, as 16 hexadecimal digits, or the host; empty for a collection.
    #[n(5)]
    pub subject: String,
    /// The most packs that a collection may delete.
    #[n(6)]
    pub count: u64,
    /// Why, for people.
    #[n(7)]
    pub reason: String,
}

impl Consent {
    /// Whether no part is longer than it may be.
    #[must_use]
    pub fn is_bounded(&self) -> bool {
        self.subject.len() <= FACT_MAX_BYTES && self.reason.len() <= FACT_MAX_BYTES
    }
}
