//! Records of history: what was folded, copies in a second store, locks on objects, invitations that
//! were taken.
//!
//! A reader must know them from the first version on: what a record of this kind stands for is not
//! there any more in any other form. Nothing writes copies and locks yet, and of what can be folded
//! only runs are.

use minicbor::{Decode, Encode};

use crate::base::id::{ClientId, Digest, HoldId, InvitationId, Nonce8, RepositoryId, SessionId};
use crate::base::limits::{CLIENT_LIST_MAX, FACT_MAX_BYTES, FOLDED_MAX};
use crate::base::time::Timestamp;
use crate::format::machine::{LastRecord, RunOutcome};

/// `join/<i>-<r>`: a machine has taken an invitation. Signed by the client that the invitation was
/// for. A second record of one invitation shows that somebody else had it, too.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct JoinRecord {
    /// The invitation.
    #[n(0)]
    pub invitation: InvitationId,
    /// The client.
    #[n(1)]
    pub client: ClientId,
    /// When it was taken.
    #[n(2)]
    pub at: Timestamp,
    /// What the machine calls itself.
    #[n(3)]
    pub machine: String,
}

impl JoinRecord {
    /// Whether no part is longer than it may be.
    #[must_use]
    pub fn is_bounded(&self) -> bool {
        self.machine.len() <= FACT_MAX_BYTES
    }
}

/// What became of a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Encode, Decode)]
#[cbor(index_only)]
pub enum FoldedState {
    /// A snapshot that was confirmed.
    #[n(1)]
    Snapshot,
    /// It never became a snapshot.
    #[n(2)]
    Aborted,
}

/// A session whose records are gone.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct FoldedSession {
    /// The session.
    #[n(0)]
    pub session: SessionId,
    /// What became of it.
    #[n(1)]
    pub state: FoldedState,
    /// Plain BLAKE3 of its commit object: its place in the chain of its client.
    #[n(2)]
    pub commit: Option<Digest>,
    /// When its run began, by the client's clock.
    #[n(3)]
    pub begun: Option<Timestamp>,
    /// When the store received its commit.
    #[n(4)]
    pub committed: Option<Timestamp>,
    /// When it was forgotten.
    #[n(5)]
    pub forgotten: Option<Timestamp>,
    /// Holds that named it and have ended.
    #[cbor(n(6), default, skip_if = "Vec::is_empty")]
    pub holds: Vec<HoldId>,
}

/// A run whose record is gone.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct FoldedRun {
    /// The client.
    #[n(0)]
    pub client: ClientId,
    /// Its running number of the run, and the hash of its signed bytes.
    #[n(1)]
    pub record: LastRecord,
    /// How it ended.
    #[n(2)]
    pub outcome: RunOutcome,
    /// When it began.
    #[n(3)]
    pub begun: Timestamp,
    /// When it ended.
    #[n(4)]
    pub ended: Timestamp,
    /// What was run, as `backup`.
    #[n(5)]
    pub job: String,
    /// The host that it worked for.
    #[n(6)]
    pub host: Option<String>,
    /// What of it: the name of a source.
    #[n(7)]
    pub source: Option<String>,
}

/// `fold/<n>-<r>`: stands for many records that were removed. Signed by a client of role maintain or
/// admin.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct FoldRecord {
    /// Who folded.
    #[n(0)]
    pub by: ClientId,
    /// Higher than that of every record that it replaces.
    #[n(1)]
    pub number: u32,
    /// When.
    #[n(2)]
    pub at: Timestamp,
    /// The records of this kind that it replaces.
    #[cbor(n(3), default, skip_if = "Vec::is_empty")]
    pub replaces: Vec<(u32, Nonce8)>,
    /// Sessions, rising.
    #[cbor(n(4), default, skip_if = "Vec::is_empty")]
    pub sessions: Vec<FoldedSession>,
    /// Runs, rising by client and number.
    #[cbor(n(5), default, skip_if = "Vec::is_empty")]
    pub runs: Vec<FoldedRun>,
    /// Clients that were revoked, and when.
    #[cbor(n(6), default, skip_if = "Vec::is_empty")]
    pub revoked: Vec<(ClientId, Timestamp)>,
    /// The newest folded record of each chain of evidence.
    #[cbor(n(7), default, skip_if = "Vec::is_empty")]
    pub evidence: Vec<(ClientId, LastRecord)>,
}

impl FoldRecord {
    /// Whether it has no more parts than it may have, in the order in which they must stand.
    #[must_use]
    pub fn is_sound(&self) -> bool {
        let counts = [
            self.replaces.len(),
            self.sessions.len(),
            self.runs.len(),
            self.revoked.len(),
            self.evidence.len(),
        ];
        let runs = |run: &FoldedRun| (run.client, run.record.number);
        counts.iter().all(|count| *count <= FOLDED_MAX)
            && self.sessions.is_sorted_by(|a, b| a.session < b.session)
            && self.runs.is_sorted_by(|a, b| runs(a) < runs(b))
            && self.sessions.iter().all(|one| one.holds.len() <= CLIENT_LIST_MAX)
    }
}

/// `copied/<sid>-<r>`: a snapshot came from another repository. Signed by the client whose session it
/// is.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct CopiedRecord {
    /// The session here.
    #[n(0)]
    pub session: SessionId,
    /// The repository that it came from.
    #[n(1)]
    pub origin: RepositoryId,
    /// The session there.
    #[n(2)]
    pub origin_session: SessionId,
    /// Plain BLAKE3 of the commit object there.
    #[n(3)]
    pub origin_commit: Digest,
    /// When the store there received that commit, as its listing said while it was copied.
    #[n(4)]
    pub witnessed: Timestamp,
    /// When it was copied.
    #[n(5)]
    pub at: Timestamp,
}

/// Who can end a lock.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Encode, Decode)]
#[cbor(index_only)]
pub enum LockClass {
    /// Whoever has a special right on the store.
    #[n(1)]
    Governance,
    /// Nobody.
    #[n(2)]
    Compliance,
}

/// `lock/<n>-<r>`: how long the objects that were needed at a time are locked in the store. Signed by
/// a client of role maintain or admin.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct LockRecord {
    /// Who extended the locks.
    #[n(0)]
    pub by: ClientId,
    /// Running number; the highest is in force.
    #[n(1)]
    pub number: u32,
    /// When.
    #[n(2)]
    pub at: Timestamp,
    /// Who can end them.
    #[n(3)]
    pub class: LockClass,
    /// No needed object can be deleted before.
    #[n(4)]
    pub earliest_unlock: Timestamp,
    /// Objects that are locked.
    #[cbor(n(5), default)]
    pub objects: u64,
    /// Their bytes.
    #[cbor(n(6), default)]
    pub bytes: u64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folded_sessions_rise_and_stand_there_once() {
        let time = Timestamp { seconds: 1, nanos: 0 };
        let session = |byte| FoldedSession {
            session: SessionId::new([byte; 24]),
            state: FoldedState::Aborted,
            commit: None,
            begun: None,
            committed: None,
            forgotten: None,
            holds: Vec::new(),
        };
        let run = |number| FoldedRun {
            client: ClientId::new([1; 8]),
            record: LastRecord { number, hash: Digest::new([2; 32]) },
            outcome: RunOutcome::Ok,
            begun: time,
            ended: time,
            job: "backup".to_owned(),
            host: None,
            source: None,
        };
        let fold = |sessions, runs| FoldRecord {
            by: ClientId::new([1; 8]),
            number: 1,
            at: time,
            replaces: Vec::new(),
            sessions,
            runs,
            revoked: Vec::new(),
            evidence: Vec::new(),
        };
        assert!(fold(vec![session(1), session(2)], vec![run(1), run(2)]).is_sound());
        assert!(!fold(vec![session(2), session(1)], Vec::new()).is_sound());
        assert!(!fold(vec![session(1), session(1)], Vec::new()).is_sound());
        assert!(!fold(Vec::new(), vec![run(2), run(2)]).is_sound());
        let held = FoldedSession { holds: vec![HoldId::new([1; 8]); 65], ..session(1) };
        assert!(!fold(vec![held], Vec::new()).is_sound());
    }
}
