//! The records about machines of the examples in `docs/FORMAT.md`.

use engine::base::id::{Digest, SlotId};
use engine::format::machine::{
    ConfRecord, Configuration, LastRecord, LastSnapshot, Revocation, RunCounter, RunOutcome,
    RunRecord,
};

use crate::golden::{CLIENT, TIME, session_id};

pub(crate) fn revocation() -> Revocation {
    Revocation {
        client: CLIENT,
        at: TIME,
        reason: "stolen".to_owned(),
        snapshot: Some(LastSnapshot { session: session_id(), commit: Digest::new([0xdd; 32]) }),
        run: None,
        evidence: Some(LastRecord { number: 3, hash: Digest::new([0xee; 32]) }),
    }
}

pub(crate) fn run() -> RunRecord {
    RunRecord {
        client: CLIENT,
        number: 9,
        job: "backup".to_owned(),
        outcome: RunOutcome::Failed,
        reason: Some("store".to_owned()),
        begun: TIME,
        ended: TIME,
        slot: Some(SlotId::new([0x51; 8])),
        session: Some(session_id()),
        requests: 12,
        sent_bytes: 1000,
        received_bytes: 0,
        counters: vec![RunCounter { name: "files".to_owned(), value: 5 }],
        configuration: None,
        program: "mainstay 1".to_owned(),
        previous: None,
        host: Some("web1".to_owned()),
        source: Some("files".to_owned()),
        due: Some(TIME),
        times: None,
    }
}

/// With a sealed part of nothing.
pub(crate) fn conf() -> ConfRecord {
    ConfRecord { client: CLIENT, number: 2, at: TIME, sealed: vec![0x77; 8] }
}

pub(crate) fn configuration() -> Configuration {
    Configuration {
        file: "[source]\n".to_owned(),
        schedule: "daily 03:00".to_owned(),
        facts: vec![("system".to_owned(), "linux".to_owned())],
    }
}
