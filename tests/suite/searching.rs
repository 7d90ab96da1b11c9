//! Looking for one thing in many snapshots.

use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};

use engine::base::id::ChunkId;
use engine::base::limits::NODE_CACHE_BYTES;
use engine::blob::fetch::ChunkFetcher;
use engine::format::node::Node;
use engine::tree::cursor::{EntryCursor, Searched};
use engine::tree::error::TreeError;
use engine::tree::source::NodeRead;
use system_tests::trees::put;
use system_tests::world::World;

const FILE_COUNT: u64 = 3_000;

/// Counts what is read, and may find a node damaged.
struct Counting<'a> {
    fetcher: ChunkFetcher<'a>,
    reads: AtomicU64,
    damaged: Option<ChunkId>,
}

impl NodeRead for Counting<'_> {
    fn read_node(&self, id: &ChunkId) -> Result<Node, TreeError> {
        self.reads.fetch_add(1, Ordering::Relaxed);
        if self.damaged == Some(*id) {
            return Err(TreeError::Misplaced { node: *id, why: "the test says so" });
        }
        self.fetcher.read_node(id)
    }
}

impl<'a> Counting<'a> {
    fn new(world: &'a World) -> Self {
        let fetcher = ChunkFetcher::new(&world.repo, &world.index, NODE_CACHE_BYTES);
        Self { fetcher: fetcher.expect("a fetcher"), reads: AtomicU64::new(0), damaged: None }
    }

    /// Nodes read since the last time.
    fn take_reads(&self) -> u64 {
        self.reads.swap(0, Ordering::Relaxed)
    }
}

/// Paths whose name ends so, and the number of nodes that could not be read.
fn search(mut cursor: EntryCursor<'_>, end: &str) -> (Vec<String>, u64) {
    let (mut found, mut damage_count) = (Vec::new(), 0);
    while let Some(item) = cursor.next() {
        match item {
            Ok((path, _)) if path.name().ends_with(end.as_bytes()) => {
                cursor.found();
                found.push(path.to_string());
            }
            Ok(_) => {}
            Err(_) => damage_count += 1,
        }
    }
    (found, damage_count)
}

fn write(source: &Path, number: u64, bytes: &[u8]) {
    put(&source.join(format!("{}/{number:04}.txt", number / 100)), bytes);
}

/// Five nights of a tree; each changes one file and adds another.
fn five_nights() -> (World, Vec<ChunkId>) {
    let world = World::in_memory();
    let source = world.new_folder("source");
    for number in 0..FILE_COUNT {
        // Names that compress badly make for many nodes.
        write(&source, number, format!("{number} {}", number * number).as_bytes());
    }
    for night in 0..5 {
        write(&source, night * 571, b"of this night");
        put(&source.join(format!("{night}/new-{night}.odt")), b"of this night");
        world.backup(&source).expect("the backup runs");
    }
    let roots = world.snapshots().iter().map(|committed| committed.snapshot.root).collect();
    (world, roots)
}

#[test]
fn of_later_snapshots_only_what_is_new_or_was_found_is_read() {
    let (world, roots) = five_nights();
    let source = Counting::new(&world);
    for end in ["0815.txt", ".odt", "nowhere", ".txt"] {
        let mut searched = Searched::default();
        let mut reads = Vec::new();
        for (night, root) in roots.iter().enumerate() {
            let all = search(EntryCursor::new(&source, *root), end);
            source.take_reads();
            let found = search(EntryCursor::except(&source, *root, &mut searched), end);
            assert_eq!(found, all, "{end} in night {night}");
            reads.push(source.take_reads());
        }
        let again = search(EntryCursor::except(&source, roots[0], &mut searched), end);
        assert_eq!(again, search(EntryCursor::new(&source, roots[0]), end));
        if end != ".txt" {
            assert!(
                reads[0] > 20 && reads[1..].iter().all(|n| n * 2 < reads[0]),
                "{end} {reads:?}"
            );
        }
    }
}

#[test]
fn damage_is_told_of_every_snapshot_that_has_it() {
    let (world, roots) = five_nights();
    let mut source = Counting::new(&world);
    let mut node = roots[0];
    while let Ok(Node::EntryChildren { children, .. }) = source.read_node(&node) {
        node = children.last().expect("a node has children").node;
    }
    source.damaged = Some(node);
    let damage_count = |root, searched: &mut Searched| {
        search(EntryCursor::except(&source, root, searched), "nowhere").1
    };
    let mut searched = Searched::default();
    for _ in 0..2 {
        assert_eq!(damage_count(roots[0], &mut searched), 1);
    }
    let alone = search(EntryCursor::new(&source, roots[1]), "nowhere").1;
    assert_eq!(damage_count(roots[1], &mut searched), alone);
}
