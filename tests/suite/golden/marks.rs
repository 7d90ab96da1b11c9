//! The marks of the examples in `docs/FORMAT.md`.

use engine::base::id::{Digest, HoldId, Nonce8};
use engine::base::time::Timestamp;
use engine::format::consent::{Consent, Deed};
use engine::format::mark::{Hold, Release, TagRecord, Tomb};

use crate::golden::{CLIENT, TIME, session_id};

pub(crate) fn tomb() -> Tomb {
    Tomb {
        session: session_id(),
        commit: Digest::new([0xdd; 32]),
        by: CLIENT,
        at: TIME,
        reason: "old".to_owned(),
        policy: Some("keep-daily 7".to_owned()),
    }
}

pub(crate) fn hold() -> Hold {
    Hold {
        hold: HoldId::new([0x40; 8]),
        by: CLIENT,
        at: TIME,
        reason: "audit".to_owned(),
        until: Some(Timestamp { seconds: TIME.seconds + 86_400, nanos: 0 }),
        selection: Some("latest".to_owned()),
        snapshots: vec![session_id()],
    }
}

pub(crate) fn release() -> Release {
    Release {
        hold: HoldId::new([0x40; 8]),
        by: CLIENT,
        at: TIME,
        reason: "audit is over".to_owned(),
    }
}

pub(crate) fn consent() -> Consent {
    Consent {
        id: Nonce8::new([0x33; 8]),
        by: CLIENT,
        at: TIME,
        until: Timestamp { seconds: TIME.seconds + 86_400, nanos: 0 },
        deed: Deed::Release,
        subject: "4040404040404040".to_owned(),
        count: 0,
        reason: "audit is over".to_owned(),
    }
}

pub(crate) fn tags() -> TagRecord {
    TagRecord {
        session: session_id(),
        by: CLIENT,
        at: TIME,
        tags: vec!["keep".to_owned()],
        replaces: vec![Nonce8::new([0x70; 8])],
    }
}
