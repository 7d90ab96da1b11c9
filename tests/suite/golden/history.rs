//! The examples in `docs/FORMAT.md` of records that nothing writes yet, and of announcements.

use engine::base::id::{Digest, HoldId, InvitationId, Nonce8, RepositoryId, SessionId, SlotId};
use engine::format::announcement::{EpochRecord, KnownSlot, SealedEpoch, SlotSet};
use engine::format::history::{
    CopiedRecord, FoldRecord, FoldedRun, FoldedSession, FoldedState, JoinRecord, LockClass,
    LockRecord,
};
use engine::format::machine::{LastRecord, RunOutcome};
use engine::format::slot::{EpochKeys, Role, SlotKind};

use crate::golden::{CLIENT, REPOSITORY, TIME, session_id};

pub(crate) fn join() -> JoinRecord {
    JoinRecord {
        invitation: InvitationId::new([0x1a; 8]),
        client: CLIENT,
        at: TIME,
        machine: "web1".to_owned(),
    }
}

pub(crate) fn fold() -> FoldRecord {
    let last = LastRecord { number: 9, hash: Digest::new([0xee; 32]) };
    FoldRecord {
        by: CLIENT,
        number: 2,
        at: TIME,
        replaces: vec![(1, Nonce8::new([0x70; 8]))],
        sessions: vec![FoldedSession {
            session: session_id(),
            state: FoldedState::Snapshot,
            commit: Some(Digest::new([0xdd; 32])),
            begun: Some(TIME),
            committed: Some(TIME),
            forgotten: Some(TIME),
            holds: vec![HoldId::new([0x40; 8])],
        }],
        runs: vec![FoldedRun {
            client: CLIENT,
            record: last,
            outcome: RunOutcome::Ok,
            begun: TIME,
            ended: TIME,
            job: "backup".to_owned(),
            host: Some("web1".to_owned()),
            source: None,
        }],
        revoked: vec![(CLIENT, TIME)],
        evidence: vec![(CLIENT, last)],
    }
}

pub(crate) fn copied() -> CopiedRecord {
    CopiedRecord {
        session: session_id(),
        origin: RepositoryId::new([0xb0; 16]),
        origin_session: SessionId::new([0xb1; 24]),
        origin_commit: Digest::new([0xdd; 32]),
        witnessed: TIME,
        at: TIME,
    }
}

pub(crate) fn lock() -> LockRecord {
    LockRecord {
        by: CLIENT,
        number: 3,
        at: TIME,
        class: LockClass::Compliance,
        earliest_unlock: TIME,
        objects: 12,
        bytes: 1000,
    }
}

pub(crate) fn slot_set() -> SlotSet {
    SlotSet {
        repository: REPOSITORY,
        number: 2,
        at: TIME,
        replaces: vec![(1, Nonce8::new([0x70; 8]))],
        slots: vec![KnownSlot {
            slot: SlotId::new([0x51; 8]),
            digest: Digest::new([0xdd; 32]),
            kind: SlotKind::KeyFile,
            role: Role::Backup,
            client: Some(CLIENT),
            expires: Some(TIME),
            recipient: Some(vec![0x33; 32]),
        }],
        removed: vec![SlotId::new([0x52; 8])],
    }
}

/// With keys that are sealed nowhere.
pub(crate) fn epoch() -> EpochRecord {
    EpochRecord {
        repository: REPOSITORY,
        epoch: 1,
        at: TIME,
        data_public: vec![0x11; 32],
        tree_public: vec![0x22; 32],
        sealed: vec![SealedEpoch { slot: SlotId::new([0x51; 8]), sealed: vec![0x77; 8] }],
    }
}

pub(crate) fn epoch_keys() -> EpochKeys {
    EpochKeys {
        control: [1; 32],
        keeper: Some([2; 32]),
        index: Some([3; 32]),
        data_secret: None,
        tree_secret: Some([4; 32]),
    }
}
