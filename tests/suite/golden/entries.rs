//! Entries, extents and nodes of the examples in `docs/FORMAT.md`.

use engine::base::id::ChunkId;
use engine::format::entry::{Content, Entry, EntryKind};
use engine::format::extent::Extent;
use engine::format::node::{Child, Node};
use engine::format::ntfs::{Ntfs, Reparse, Stream};

use crate::golden::TIME;

pub(crate) fn extents() -> Vec<Extent> {
    let chunk = Extent::Chunk { id: ChunkId::new([1; 32]), length_bytes: 40 };
    vec![chunk, Extent::Hole { length_bytes: 4096 }]
}

fn directory() -> Entry {
    Entry {
        kind: EntryKind::Directory,
        mode: 0o755,
        uid: 1000,
        gid: 100,
        user: Some(b"ann".to_vec()),
        group: None,
        mtime: TIME,
        ctime: TIME,
        btime: None,
        atime: None,
        size_bytes: 0,
        inode: 11,
        device: 66,
        link_count: 0,
        xattrs: Vec::new(),
        inode_flags: 0,
        target: None,
        device_number: None,
        flags: 0,
        content: None,
        listing: 0,
        ntfs: None,
    }
}

pub(crate) fn file() -> Entry {
    Entry {
        kind: EntryKind::File,
        mode: 0o644,
        size_bytes: 5,
        inode: 12,
        content: Some(Content::Inline(b"hello".to_vec())),
        ..directory()
    }
}

pub(crate) fn ntfs() -> Ntfs {
    let content = Content::Inline(b"[ZoneTransfer]".to_vec());
    Ntfs {
        attributes: 0x20,
        security: Some(Extent::Chunk { id: ChunkId::new([5; 32]), length_bytes: 120 }),
        streams: vec![Stream { name: b"Zone.Identifier".to_vec(), size_bytes: 14, content }],
        reparse: Some(Reparse { tag: 0xa000_000c, data: vec![0; 12] }),
        object_id: Some([0x0b; 16]),
        short_name: Some(b"HELLO~1.TXT".to_vec()),
        file_id: Some(vec![0x1d; 8]),
        created: Some(133_444_736_000_000_000),
        ..Ntfs::default()
    }
}

pub(crate) fn leaf() -> Node {
    Node::Entries(vec![(b"a".to_vec(), directory()), (b"a\0b".to_vec(), file())])
}

pub(crate) fn inner() -> Node {
    let last_key = b"a\0b".to_vec();
    let child = Child { last_key, node: ChunkId::new([3; 32]), item_count: 2, total_bytes: 5 };
    Node::EntryChildren { level: 1, children: vec![child] }
}
