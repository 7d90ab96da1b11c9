//! The snapshot record of the examples in `docs/FORMAT.md`.

use engine::base::id::{ChunkId, Digest, Nonce8, RunId};
use engine::format::facts::{Details, Facts, RowCount};
use engine::format::private::{Commit, Private};
use engine::format::snapshot::{
    PathBytes, RecordedRoot, RootState, Snapshot, SnapshotState, Summary,
};

use crate::golden::{CLIENT, REPOSITORY, TIME, session_id};

pub(crate) fn snapshot() -> Snapshot {
    Snapshot {
        repository: REPOSITORY,
        session: session_id(),
        client: CLIENT,
        previous: Some(Digest::new([0xdd; 32])),
        seen: Vec::new(),
        root: ChunkId::new([1; 32]),
        host: "host".to_owned(),
        paths: vec![PathBytes(b"/a".to_vec())],
        started: TIME,
        finished: TIME,
        program: "mainstay 1".to_owned(),
        tags: vec!["daily".to_owned()],
        description: None,
        summary: Summary { files_new: 1, dirs_new: 1, entries: 2, ..Summary::default() },
        state: SnapshotState::Complete,
        problem_count: 0,
        problems: Vec::new(),
        domain: 0,
        original: None,
        evidence: Vec::new(),
        roots: vec![RecordedRoot {
            asked: PathBytes(b"/a".to_vec()),
            led_to: None,
            state: RootState::Saved,
            entries: 2,
            total_bytes: 5,
        }],
        facts: Facts {
            system: Some("linux".to_owned()),
            source: Some("home".to_owned()),
            registered: Some(TIME),
            class: Some("standard".to_owned()),
            run: Some(RunId::from_parts(472_222, 0, Nonce8::new([0x72; 8]))),
            ..Facts::default()
        },
        details: Details {
            incompressible_permille: Some(125),
            counts: vec![RowCount {
                database: "shop".to_owned(),
                table: "orders".to_owned(),
                rows: 12,
            }],
            ..Details::default()
        },
    }
}

/// The record that stands under the key of the example's snapshot, with a sealed part of nothing.
pub(crate) fn commit() -> Commit {
    let mut readable = snapshot();
    readable.take_private();
    Commit { readable, sealed: vec![0x77; 8] }
}

pub(crate) fn private() -> Private {
    snapshot().take_private()
}
