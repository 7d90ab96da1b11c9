//! The records of collections of the examples in `docs/FORMAT.md`.

use engine::base::id::{GenerationId, Nonce8, PackId, PackKind};
use engine::format::generation::{Base, Close, Condemn, Ending, PackSet, Sweep};

use crate::golden::{CLIENT, TIME, segment_packs};

pub(crate) fn generation_id() -> GenerationId {
    GenerationId::from_parts(CLIENT, Nonce8::new([0x9d; 8]))
}

fn pack_set() -> PackSet {
    let pack = segment_packs()[0].pack;
    [pack, PackId { kind: PackKind::Tree, ..pack }].into_iter().collect()
}

pub(crate) fn condemn() -> Condemn {
    Condemn {
        generation: generation_id(),
        started: TIME,
        program: "mainstay 1".to_owned(),
        is_announcement: false,
        packs: pack_set(),
    }
}

pub(crate) fn sweep() -> Sweep {
    let segments = vec![crate::golden::segment_id()];
    Sweep { generation: generation_id(), packs: pack_set(), segments }
}

pub(crate) fn ending() -> Ending {
    Ending { generation: generation_id(), detail: "2 packs".to_owned() }
}

pub(crate) fn close() -> Close {
    Close { generation: generation_id(), by: CLIENT, reason: "silent".to_owned() }
}

pub(crate) fn base() -> Base {
    Base {
        by: CLIENT,
        generations: vec![generation_id()],
        packs: pack_set(),
        given_up: vec![GenerationId::new([0x2b; 16])],
    }
}
