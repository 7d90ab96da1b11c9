//! Packs and indexes for the tests of this floor.

use std::path::Path;

use crate::base::id::{
    ChunkId, Digest, Nonce8, PackId, PackKind, RepositoryId, SegmentId, SessionId,
};
use crate::base::time::Timestamp;
use crate::format::pack::{BlockInfo, ChunkInfo, PackTable};
use crate::format::segment::SegmentPack;
use crate::index::database::{Index, OpenOutcome};

pub(crate) const NOW: Timestamp = Timestamp { seconds: 1_000, nanos: 5 };
pub(crate) const REPOSITORY: RepositoryId = RepositoryId::new([7; 16]);

/// The id of the `number`th chunk of the tests.
pub(crate) fn id(number: u64) -> ChunkId {
    ChunkId::new(*blake3::hash(&number.to_le_bytes()).as_bytes())
}

/// A session whose bytes are all the same.
pub(crate) fn session(byte: u8) -> SessionId {
    SessionId::new([byte; 24])
}

/// A segment of that session.
pub(crate) fn segment(byte: u8, number: u32) -> SegmentId {
    SegmentId { session: session(byte), number, random: Nonce8::new([byte; 8]) }
}

/// A pack of these chunks, three to a block.
pub(crate) fn pack(counter: u32, chunks: impl IntoIterator<Item = u64>) -> SegmentPack {
    let kind = if counter.is_multiple_of(5) { PackKind::Tree } else { PackKind::Data };
    let name = PackId { kind, session: session(1), counter, random: Nonce8::new([9; 8]) };
    let mut table = PackTable::default();
    for (at, number) in (0u32..).zip(chunks) {
        let (block, within) = (at / 3, at % 3);
        if within == 0 {
            let offset = 300 + block * 100;
            table.blocks.push(BlockInfo { offset, stored_bytes: 90, raw_bytes: 3_000 + block });
        }
        let length_bytes = 1_000 + counter % 7;
        table.chunks.push(ChunkInfo {
            id: id(number),
            block,
            offset: within * 1_000,
            length_bytes,
        });
    }
    let footer = Digest::new([counter as u8; 32]);
    SegmentPack { pack: name, domain: 0, stored_bytes: 50_000 + counter, footer, table }
}

/// Opens the index of the tests.
pub(crate) fn open(folder: &Path) -> (Index, OpenOutcome) {
    Index::open(folder, REPOSITORY, NOW).unwrap()
}

/// An empty index in a folder that goes with it.
pub(crate) fn empty() -> (tempfile::TempDir, Index) {
    let folder = tempfile::tempdir().unwrap();
    let (index, outcome) = open(folder.path());
    assert_eq!(outcome, OpenOutcome::Created);
    (folder, index)
}
