//! `tomb/`, `hold/` and `tag/`: what people decide about snapshots after they were made.
//!
//! A snapshot record never changes, so each decision is a small record of its own, signed by
//! somebody who may forget snapshots (role maintain or admin). Nothing here is ever taken back by
//! deleting it: a hold ends by a release, a tombstone by a new snapshot of the same tree, tags by
//! a later record that names the ones it replaces.

use minicbor::{Decode, Encode};

use crate::base::id::{ClientId, Digest, HoldId, Nonce8, SessionId};
use crate::base::time::Timestamp;

/// `tomb/<sid>-<r>`: the snapshot is forgotten, what only it needs may be collected.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct Tomb {
    /// The snapshot.
    #[n(0)]
    pub session: SessionId,
    /// Plain BLAKE3 of its commit object: its place in the chain of its client can still be
    /// verified when that object is gone.
    #[n(1)]
    pub commit: Digest,
    /// Who forgot it.
    #[n(2)]
    pub by: ClientId,
    /// When, by the clock of who did; nothing depends on it.
    #[n(3)]
    pub at: Timestamp,
    /// Why, for people.
    #[n(4)]
    pub reason: String,
    /// The rules that did not keep it, if rules decided.
    #[n(5)]
    pub policy: Option<String>,
}

/// `hold/<id>`: these snapshots stay, whatever any policy or tombstone says, until the release.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct Hold {
    /// Its id, also in its key.
    #[n(0)]
    pub hold: HoldId,
    /// Who put it up.
    #[n(1)]
    pub by: ClientId,
    /// When, by the clock of who did.
    #[n(2)]
    pub at: Timestamp,
    /// Why, for people.
    #[n(3)]
    pub reason: String,
    /// When it should be released; a reminder for people, by itself it ends nothing.
    #[n(4)]
    pub until: Option<Timestamp>,
    /// How the snapshots were chosen, in words, if not one by one.
    #[n(5)]
    pub selection: Option<String>,
    /// What it holds.
    #[n(6)]
    pub snapshots: Vec<SessionId>,
}

/// `hold/<id>.release-<r>`: the hold has ended.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct Release {
    /// The hold.
    #[n(0)]
    pub hold: HoldId,
    /// Who released it.
    #[n(1)]
    pub by: ClientId,
    /// When, by the clock of who did.
    #[n(2)]
    pub at: Timestamp,
    /// Why, for people.
    #[n(3)]
    pub reason: String,
}

/// `tag/<sid>-<r>`: the tags of a snapshot from now on.
///
/// Records form a graph by `replaces`. The tags in force are those of all records that no other
/// one replaces, together; without any record, those of the snapshot itself. So two people who
/// change tags at once lose none, and no clock decides who was later.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct TagRecord {
    /// The snapshot.
    #[n(0)]
    pub session: SessionId,
    /// Who set them.
    #[n(1)]
    pub by: ClientId,
    /// When, by the clock of who did.
    #[n(2)]
    pub at: Timestamp,
    /// All tags, sorted.
    #[n(3)]
    pub tags: Vec<String>,
    /// Random parts of the records of the same snapshot that this one replaces.
    #[cbor(n(4), default, skip_if = "Vec::is_empty")]
    pub replaces: Vec<Nonce8>,
}
