//! `sess/<sid>` and the flags around a commit: small records, each signed by who wrote it.

use minicbor::{Decode, Encode};

use crate::base::id::{ClientId, Digest, GenerationId, Nonce8, SessionId};
use crate::base::time::Timestamp;

/// What a session does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Encode, Decode)]
#[cbor(index_only)]
pub enum SessionKind {
    /// Reads a source and commits a snapshot.
    #[n(1)]
    Backup,
    /// Moves live chunks out of thin packs.
    #[n(2)]
    Repack,
    /// Copies snapshots from another repository.
    #[n(3)]
    Copy,
    /// Keeps snapshots alive while somebody reads them.
    #[n(4)]
    Read,
    /// Writes what a collection replaces.
    #[n(5)]
    Collect,
    /// Brings snapshots of another program in.
    #[n(6)]
    Import,
}

/// Registration of a session: step B1. Its id must not be in use anywhere before.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct Session {
    /// The session.
    #[n(0)]
    pub session: SessionId,
    /// What it does.
    #[n(1)]
    pub kind: SessionKind,
    /// When it began, by the client's clock; nothing depends on it.
    #[n(2)]
    pub started: Timestamp,
    /// Host name, for people.
    #[n(3)]
    pub host: String,
    /// Program and version.
    #[n(4)]
    pub program: String,
    /// Snapshots that a session of kind read keeps alive.
    #[cbor(n(5), default, skip_if = "Vec::is_empty")]
    pub pinned: Vec<SessionId>,
    /// Generation that a session of kind collect belongs to.
    #[n(6)]
    pub generation: Option<GenerationId>,
}

/// `snap/<sid>.ok`: the client saw no fence after its commit; the snapshot is confirmed.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct Confirm {
    /// The session.
    #[n(0)]
    pub session: SessionId,
    /// Plain BLAKE3 of the commit object as stored.
    #[n(1)]
    pub commit: Digest,
    /// Random part of the name of that object.
    #[n(2)]
    pub random: Nonce8,
}

/// `snap/<sid>.fence-<r>` and `snap/<sid>.final-<r>`: somebody asks a silent session to give up,
/// and, after finding no commit, declares it aborted.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct Fence {
    /// The session that is fenced.
    #[n(0)]
    pub session: SessionId,
    /// Who fences it.
    #[n(1)]
    pub by: ClientId,
    /// Why, for people.
    #[n(2)]
    pub reason: String,
}
