//! A writer with valid keys that stores whatever it likes: trees that no backup would build.
//!
//! It seals, signs and commits as the engine does, and checks nothing. What it writes is what a
//! stolen key file or a broken client could put into a repository.

use engine::base::id::{ChunkId, PackKind, SessionId};
use engine::base::time::Timestamp;
use engine::blob::BlobError;
use engine::blob::block::OpenBlock;
use engine::blob::buffers::PackBuffers;
use engine::blob::pack::OpenPack;
use engine::chunk::level::Level;
use engine::chunk::squeeze::Compressor;
use engine::format::entry::{Content, Entry, EntryKind};
use engine::format::extent::Extent;
use engine::format::facts::{Details, Facts};
use engine::format::node::{Child, Node};
use engine::format::session::SessionKind;
use engine::format::snapshot::{Snapshot, SnapshotState, Summary};
use engine::index::identity::writer_identity;
use engine::repo::keyring::Identity;
use engine::repo::segments::{self, put_segment};
use engine::repo::session;
use engine::store::name::ObjectName;
use engine::tree::build::NodeWrite;

use crate::world::World;

/// Collects chunks and nodes, then commits them as a snapshot.
pub struct Forger<'a> {
    world: &'a World,
    identity: Identity,
    data: Vec<(ChunkId, Vec<u8>)>,
    nodes: Vec<(ChunkId, Vec<u8>)>,
}

impl NodeWrite for Forger<'_> {
    fn write_node(&mut self, bytes: &[u8]) -> Result<ChunkId, BlobError> {
        let id = self.world.repo.keys().write()?.chunk_id.id(PackKind::Tree, bytes);
        self.nodes.push((id, bytes.to_vec()));
        Ok(id)
    }
}

impl<'a> Forger<'a> {
    /// A forger with the identity of the world's machine.
    ///
    /// # Panics
    /// If that cannot be enrolled.
    #[must_use]
    pub fn new(world: &'a World) -> Self {
        let identity =
            writer_identity(&world.repo, &world.index, "test-host").expect("it is admin");
        Self { world, identity, data: Vec::new(), nodes: Vec::new() }
    }

    /// Stores a node without looking at it.
    ///
    /// # Panics
    /// If the world cannot write.
    pub fn node(&mut self, node: &Node) -> ChunkId {
        self.write_node(&node.encode()).expect("it is admin")
    }

    /// Stores a leaf of entries.
    pub fn leaf(&mut self, entries: Vec<(Vec<u8>, Entry)>) -> ChunkId {
        self.node(&Node::Entries(entries))
    }

    /// Stores content and returns its id.
    ///
    /// # Panics
    /// If the world cannot write.
    pub fn chunk(&mut self, bytes: &[u8]) -> ChunkId {
        let write = self.world.repo.keys().write().expect("it is admin");
        let id = write.chunk_id.id(PackKind::Data, bytes);
        self.data.push((id, bytes.to_vec()));
        id
    }

    /// Commits a snapshot with that root.
    ///
    /// # Panics
    /// If the store does not take it.
    #[must_use]
    pub fn commit(self, root: ChunkId) -> Snapshot {
        let repo = &self.world.repo;
        let write = repo.keys().write().expect("it is admin");
        let sequence = self.world.snapshots().len() as u64;
        let session = session::new_id(&self.identity, sequence);
        session::register(repo, &self.identity, session, SessionKind::Backup, "forger")
            .expect("it can be registered");
        let (mut listed, buffers) = (Vec::new(), PackBuffers::default());
        for (kind, chunks) in [(PackKind::Data, &self.data), (PackKind::Tree, &self.nodes)] {
            let mut pack = OpenPack::new(repo, write, &buffers, kind, session, kind.code().into())
                .expect("a pack can be begun");
            let mut compressor = Compressor::new(Level::default());
            for (id, bytes) in chunks {
                let mut block = OpenBlock::default();
                block.push(*id, bytes);
                pack.add_block(block.raw(), block.chunks(), &mut compressor);
            }
            if !pack.is_empty() {
                let pack = pack.finish(write, &self.identity.signing);
                repo.store()
                    .put_new(&ObjectName::Pack(pack.listed.pack), pack.bytes)
                    .expect("it can be stored");
                listed.push(pack.listed);
            }
        }
        let id = segments::new_id(session, 0);
        put_segment(repo, &self.identity.signing, write.domain, id, &listed)
            .expect("it can be stored");
        let snapshot = self.record(session, root);
        session::commit(repo, &self.identity, &snapshot).expect("it can be committed");
        snapshot
    }

    fn record(&self, session: SessionId, root: ChunkId) -> Snapshot {
        Snapshot {
            repository: self.world.repo.config().repository,
            session,
            client: self.identity.client,
            previous: None,
            seen: Vec::new(),
            root,
            host: "forger".to_owned(),
            paths: Vec::new(),
            started: self.world.repo.clock().now(),
            finished: self.world.repo.clock().now(),
            program: "forger".to_owned(),
            tags: Vec::new(),
            description: None,
            summary: Summary::default(),
            state: SnapshotState::Complete,
            problem_count: 0,
            problems: Vec::new(),
            domain: 0,
            original: None,
            evidence: Vec::new(),
            roots: Vec::new(),
            facts: Facts::default(),
            details: Details::default(),
        }
    }
}

/// An entry of some kind without content.
#[must_use]
pub fn entry(kind: EntryKind) -> Entry {
    Entry {
        kind,
        mode: if kind == EntryKind::Directory { 0o755 } else { 0o644 },
        uid: rustix::process::geteuid().as_raw(),
        gid: rustix::process::getegid().as_raw(),
        user: None,
        group: None,
        mtime: Timestamp { seconds: 1_600_000_000, nanos: 0 },
        ctime: Timestamp { seconds: 1_600_000_000, nanos: 0 },
        btime: None,
        atime: None,
        size_bytes: 0,
        inode: 0,
        device: 0,
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

/// A short file.
#[must_use]
pub fn inline(bytes: &[u8]) -> Entry {
    let content = Some(Content::Inline(bytes.to_vec()));
    Entry { size_bytes: bytes.len() as u64, content, ..entry(EntryKind::File) }
}

/// A file of extents that claims a size.
#[must_use]
pub fn extents(size_bytes: u64, extents: Vec<Extent>) -> Entry {
    Entry { size_bytes, content: Some(Content::Extents(extents)), ..entry(EntryKind::File) }
}

/// A symbolic link.
#[must_use]
pub fn symlink(target: &[u8]) -> Entry {
    Entry { target: Some(target.to_vec()), ..entry(EntryKind::Symlink) }
}

/// A child of an inner node.
#[must_use]
pub fn child(last_key: &[u8], node: ChunkId) -> Child {
    Child { last_key: last_key.to_vec(), node, item_count: 1, total_bytes: 1 }
}
