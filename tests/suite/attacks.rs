//! Trees from a hostile writer with valid keys: a restore stays inside its target, ends, says
//! what it left out, and restores the rest.

#![expect(clippy::disallowed_methods, reason = "tests write their own sources")]

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc;
use std::time::Duration;

use engine::base::id::ChunkId;
use engine::base::path::TreePath;
use engine::format::config::TreeConfig;
use engine::format::entry::{Content, DeviceNumber, Entry, EntryKind};
use engine::format::extent::Extent;
use engine::format::node::Node;
use engine::format::snapshot::Snapshot;
use engine::index::refresh::refresh;
use engine::restore::{self, Overwrite, RestoreOptions, RestoreReport};
use engine::tree::build::EntryTreeBuilder;
use system_tests::damage::contents;
use system_tests::forge::{Forger, child, entry, extents, inline, symlink};
use system_tests::world::{World, silent};

/// No hostile tree of these tests may keep a restore busy for longer.
const PATIENCE: Duration = Duration::from_secs(60);

/// A target with neighbours that nothing may touch.
struct Box {
    world: World,
    target: PathBuf,
}

impl Box {
    fn new() -> Self {
        let world = World::in_memory();
        let outside = world.new_folder("box/outside");
        std::fs::write(outside.join("sentinel"), b"untouched").expect("it can be written");
        std::fs::write(world.folder.path().join("box/file"), b"untouched").expect("it can be");
        let target = world.new_folder("box/target");
        Self { world, target }
    }

    fn outside(&self) -> PathBuf {
        self.target.with_file_name("outside")
    }

    fn forge(&self, fill: impl FnOnce(&mut Forger<'_>) -> ChunkId) -> Snapshot {
        let mut forger = Forger::new(&self.world);
        let root = fill(&mut forger);
        forger.commit(root)
    }

    /// Restores everything, and proves that nothing beside the target changed and that it ended.
    fn restore(
        &self,
        snapshot: &Snapshot,
        options: &RestoreOptions,
    ) -> Result<RestoreReport, String> {
        let before = self.surroundings();
        let (repo, index) = (&self.world.repo, &self.world.index);
        refresh(repo, index, &silent()).map_err(|error| error.to_string())?;
        let (sender, receiver) = mpsc::sync_channel(1);
        let result = std::thread::scope(|scope| {
            scope.spawn(move || {
                let root = TreePath::root();
                let made =
                    restore::run(repo, index, snapshot, &root, &self.target, options, &silent());
                let _ = sender.send(made.map_err(|error| error.to_string()));
            });
            let result = receiver.recv_timeout(PATIENCE);
            if result.is_err() {
                // Not a panic: the scope would wait for the thread that does not end.
                std::process::abort();
            }
            result
        });
        assert_eq!(self.surroundings(), before, "something outside the target changed");
        result.expect("the restore ended")
    }

    /// Restores a snapshot with these entries between two good files, both of which must come.
    fn restore_between(&self, mut entries: Vec<(Vec<u8>, Entry)>) -> RestoreReport {
        entries.insert(0, (b"!first".to_vec(), inline(b"first")));
        entries.push((b"~last".to_vec(), inline(b"last")));
        let snapshot = self.forge(|forger| forger.leaf(entries));
        self.restore_around(&snapshot)
    }

    fn restore_around(&self, snapshot: &Snapshot) -> RestoreReport {
        let report = self.restore(snapshot, &RestoreOptions::default()).expect("it runs");
        self.assert_good_files();
        report
    }

    fn assert_good_files(&self) {
        let read = |name| std::fs::read(self.target.join(name)).expect("a good file came");
        assert_eq!((read("!first"), read("~last")), (b"first".to_vec(), b"last".to_vec()));
    }

    /// Everything beside the target; what is in it may be too large to read.
    fn surroundings(&self) -> Vec<(String, Vec<u8>)> {
        let above = self.target.parent().expect("it has one");
        let mut all: Vec<_> = contents(&self.outside()).into_iter().collect();
        let mut names: Vec<_> = std::fs::read_dir(above)
            .expect("it can be listed")
            .map(|item| item.expect("it can be listed").file_name())
            .collect();
        names.sort();
        all.push((format!("{names:?}"), std::fs::read(above.join("file")).expect("it is there")));
        all
    }
}

fn folder() -> Entry {
    entry(EntryKind::Directory)
}

fn first_and_last(forger: &mut Forger<'_>) -> (ChunkId, ChunkId) {
    let first = forger.leaf(vec![(b"!first".to_vec(), inline(b"first"))]);
    (first, forger.leaf(vec![(b"~last".to_vec(), inline(b"last"))]))
}

/// Good leaves around nodes that stand under keys between them.
fn around(forger: &mut Forger<'_>, middle: Vec<(&[u8], ChunkId)>, level: u8) -> ChunkId {
    let (mut first, mut last) = first_and_last(forger);
    for level in 1..level {
        first =
            forger.node(&Node::EntryChildren { level, children: vec![child(b"!first", first)] });
        last = forger.node(&Node::EntryChildren { level, children: vec![child(b"~last", last)] });
    }
    let mut children = vec![child(b"!first", first)];
    children.extend(middle.into_iter().map(|(key, node)| child(key, node)));
    children.push(child(b"~last", last));
    forger.node(&Node::EntryChildren { level, children })
}

#[test]
fn names_that_lead_out_of_the_target_are_refused_one_by_one() {
    let keys: [&[u8]; 13] = [
        b"..\0escaped",
        b"..",
        b".",
        b".\0x",
        b"..\0outside\0sentinel",
        b"/etc\0x",
        b"a/../../b",
        b"a/b",
        b"dir\0",
        b"dir\0\0x",
        b"\0x",
        b"d\0..\0..\0file",
        b"x\0./y",
    ];
    for key in keys {
        let sandbox = Box::new();
        let mut entries = vec![(key.to_vec(), inline(b"evil"))];
        if key.first() < Some(&b'!') {
            // It sorts before the first good one.
            let snapshot = sandbox.forge(|forger| {
                entries.push((b"!first".to_vec(), inline(b"first")));
                entries.push((b"~last".to_vec(), inline(b"last")));
                forger.leaf(entries)
            });
            assert!(sandbox.restore_around(&snapshot).problem_count > 0, "{key:?}");
            continue;
        }
        let report = sandbox.restore_between(entries);
        assert!(report.problem_count > 0, "{key:?} was not reported");
    }
}

#[test]
fn a_file_below_a_link_of_the_same_snapshot_is_refused() {
    for to in ["../outside", "/", "."] {
        let sandbox = Box::new();
        let report = sandbox.restore_between(vec![
            (b"link".to_vec(), symlink(to.as_bytes())),
            (b"link\0sentinel".to_vec(), inline(b"evil")),
            (b"link\0sub".to_vec(), folder()),
            (b"link\0sub\0x".to_vec(), inline(b"evil")),
        ]);
        assert!(report.problem_count >= 3, "{report:?}");
        assert!(
            std::fs::symlink_metadata(sandbox.target.join("link")).expect("it came").is_symlink()
        );
    }
}

#[test]
fn a_link_that_waits_in_the_target_is_not_followed() {
    for overwrite in [Overwrite::Always, Overwrite::IfChanged, Overwrite::IfNewer, Overwrite::Never]
    {
        let sandbox = Box::new();
        let link = |name: &str, to: &Path| {
            std::os::unix::fs::symlink(to, sandbox.target.join(name)).expect("it can be made");
        };
        link("dir", &sandbox.outside());
        link("file", &sandbox.outside().join("sentinel"));
        link("new", &sandbox.outside().join("made"));
        let snapshot = sandbox.forge(|forger| {
            forger.leaf(vec![
                (b"!first".to_vec(), inline(b"first")),
                (b"dir".to_vec(), folder()),
                (b"dir\0sentinel".to_vec(), inline(b"evil")),
                (b"file".to_vec(), inline(b"evil")),
                (b"new".to_vec(), inline(b"evil")),
                (b"~last".to_vec(), inline(b"last")),
            ])
        });
        let options = RestoreOptions {
            overwrite: Some(overwrite),
            delete: overwrite == Overwrite::Always,
            ..RestoreOptions::default()
        };
        let _ = sandbox.restore(&snapshot, &options).expect("it runs");
        sandbox.assert_good_files();
    }
}

/// Somebody with access to the target swaps a folder for a link, over and over.
#[test]
fn a_folder_swapped_for_a_link_during_the_restore_leads_nowhere() {
    let sandbox = Box::new();
    let snapshot = sandbox.forge(|forger| {
        let mut entries = vec![(b"!first".to_vec(), inline(b"first")), (b"d".to_vec(), folder())];
        for number in 0..3000 {
            entries.push((format!("d\0{number:05}").into_bytes(), inline(b"content")));
        }
        entries.push((b"~last".to_vec(), inline(b"last")));
        forger.leaf(entries)
    });
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let (at, aside) = (sandbox.target.join("d"), sandbox.target.join("aside"));
            while !stop.load(Ordering::Relaxed) {
                if std::fs::rename(&at, &aside).is_ok() {
                    let _ = std::os::unix::fs::symlink(sandbox.outside(), &at);
                    let _ = std::fs::remove_file(&at);
                    let _ = std::fs::rename(&aside, &at);
                }
            }
        });
        let restored = sandbox.restore(&snapshot, &RestoreOptions::default());
        stop.store(true, Ordering::Relaxed);
        restored.expect("it runs");
    });
    sandbox.assert_good_files();
}

#[test]
fn hard_links_join_only_what_is_the_same_file() {
    let sandbox = Box::new();
    let linked = |entry: Entry| Entry { link_count: 2, inode: 7, device: 7, ..entry };
    let report = sandbox.restore_between(vec![
        (b"a".to_vec(), linked(symlink(b"../outside/sentinel"))),
        (b"b".to_vec(), linked(inline(b"mine"))),
        (b"c".to_vec(), linked(inline(b"other"))),
        (b"d".to_vec(), linked(inline(b"mine"))),
        (b"e".to_vec(), linked(entry(EntryKind::Fifo))),
    ]);
    assert_eq!(report.problems, []);
    let read = |name| std::fs::read(sandbox.target.join(name)).expect("it came");
    assert_eq!(read("b"), b"mine");
    assert_eq!(read("c"), b"other", "an entry with the same inode and other content");
    assert_eq!(read("d"), b"mine");
    use std::os::unix::fs::MetadataExt;
    let inode = |name| std::fs::metadata(sandbox.target.join(name)).expect("it came").ino();
    assert_eq!(inode("b"), inode("d"));
}

/// Every name of a damaged file is reported, not only the first.
#[test]
fn each_name_of_a_damaged_file_is_reported() {
    let sandbox = Box::new();
    let snapshot = sandbox.forge(|forger| {
        let missing = ChunkId::new([9; 32]);
        let file = |size| {
            let content = vec![Extent::Chunk { id: missing, length_bytes: 600 }];
            Entry { link_count: 2, inode: 7, device: 7, ..extents(size, content) }
        };
        forger.leaf(vec![
            (b"!first".to_vec(), inline(b"first")),
            (b"a".to_vec(), file(600)),
            (b"b".to_vec(), file(600)),
            (b"~last".to_vec(), inline(b"last")),
        ])
    });
    let report = sandbox.restore_around(&snapshot);
    let told: Vec<_> = report.problems.iter().map(|problem| problem.path.to_string()).collect();
    assert_eq!(told, ["/a", "/b"], "{:?}", report.problems);
    assert_eq!(report.damage_count, 2);
}

#[test]
fn sizes_and_extents_that_disagree_are_reported() {
    type Forge = fn(ChunkId, ChunkId) -> Entry;
    let cases: [(&str, Forge); 12] = [
        ("too short", |id, _| extents(1000, vec![Extent::Chunk { id, length_bytes: 600 }])),
        ("too long", |id, _| extents(10, vec![Extent::Chunk { id, length_bytes: 600 }])),
        ("short chunk", |id, _| extents(10, vec![Extent::Chunk { id, length_bytes: 10 }])),
        ("long chunk", |id, _| extents(900, vec![Extent::Chunk { id, length_bytes: 900 }])),
        ("chunk of a tree", |_, node| {
            extents(40, vec![Extent::Chunk { id: node, length_bytes: 40 }])
        }),
        ("unknown chunk", |_, _| {
            extents(5, vec![Extent::Chunk { id: ChunkId::new([3; 32]), length_bytes: 5 }])
        }),
        ("inline too short", |_, _| Entry { size_bytes: 9, ..inline(b"abc") }),
        ("inline too long", |_, _| Entry { size_bytes: 1, ..inline(b"abc") }),
        ("no content", |_, _| Entry { size_bytes: 9, ..entry(EntryKind::File) }),
        ("huge with nothing", |_, _| extents(u64::MAX, vec![])),
        ("overflow", |_, _| {
            let hole = Extent::Hole { length_bytes: u64::MAX };
            extents(u64::MAX, vec![hole, Extent::Hole { length_bytes: 2 }])
        }),
        ("no extent tree", |id, _| {
            let content = Some(Content::Tree { root: id, extent_count: 1 });
            Entry { size_bytes: 600, content, ..entry(EntryKind::File) }
        }),
    ];
    for (what, forge) in cases {
        let sandbox = Box::new();
        let snapshot = sandbox.forge(|forger| {
            let id = forger.chunk(&[7; 600]);
            let node = forger.leaf(vec![(b"other".to_vec(), inline(b"tree"))]);
            forger.leaf(vec![
                (b"!first".to_vec(), inline(b"first")),
                (b"case".to_vec(), forge(id, node)),
                (b"~last".to_vec(), inline(b"last")),
            ])
        });
        let report = sandbox.restore_around(&snapshot);
        assert!(
            report.problems.iter().any(|problem| problem.path.to_string() == "/case"),
            "{what} was not reported: {:?}",
            report.problems
        );
    }
}

/// 16 levels of nodes that all name the same nodes below them, ending in nothing.
#[test]
fn few_nodes_do_not_become_endless_work() {
    // Of entries: leaves that cannot be read, so that no key ever rises.
    let sandbox = Box::new();
    let snapshot = sandbox.forge(|forger| {
        let keys: Vec<Vec<u8>> = (0..40u8).map(|n| vec![b'a' + n / 26, b'a' + n % 26]).collect();
        let missing = ChunkId::new([5; 32]);
        let mut below: Vec<ChunkId> = vec![missing; keys.len()];
        for level in 1..16u8 {
            below = (0..keys.len())
                .map(|last| {
                    let children = (0..=last).map(|n| child(&keys[n], below[n])).collect();
                    forger.node(&Node::EntryChildren { level, children })
                })
                .collect();
        }
        let last = below[keys.len() - 1];
        around(forger, vec![(keys[keys.len() - 1].as_slice(), last)], 16)
    });
    assert!(sandbox.restore_around(&snapshot).damage_count > 0);

    // Of extents: empty leaves, holes without length, holes after holes.
    let endless: [Vec<Extent>; 3] = [
        vec![],
        vec![Extent::Hole { length_bytes: 0 }; 4],
        vec![Extent::Hole { length_bytes: 1 }; 4],
    ];
    for leaf in endless {
        let sandbox = Box::new();
        let snapshot = sandbox.forge(|forger| {
            let mut node = forger.node(&Node::Extents(leaf));
            for level in 1..=16u8 {
                let children = vec![child(b"", node); 1000];
                node = forger.node(&Node::ExtentChildren { level, children });
            }
            let content = Some(Content::Tree { root: node, extent_count: u64::MAX });
            let file = Entry { size_bytes: 1 << 40, content, ..entry(EntryKind::File) };
            forger.leaf(vec![
                (b"!first".to_vec(), inline(b"first")),
                (b"case".to_vec(), file),
                (b"~last".to_vec(), inline(b"last")),
            ])
        });
        assert!(sandbox.restore_around(&snapshot).damage_count > 0);
        let check = sandbox.world.check_all().expect("the check ends");
        assert_eq!(check.snapshots, 1);
    }
}

#[test]
fn nodes_that_do_not_belong_where_they_stand_are_stepped_over() {
    type Forge = fn(&mut Forger<'_>) -> Vec<(&'static [u8], ChunkId)>;
    let cases: [(&str, Forge); 7] = [
        ("falling keys", |forger| {
            vec![(
                b"m",
                forger
                    .leaf(vec![(b" early".to_vec(), inline(b"x")), (b"m".to_vec(), inline(b"x"))]),
            )]
        }),
        ("another last key", |forger| {
            vec![(b"m", forger.leaf(vec![(b"n".to_vec(), inline(b"x"))]))]
        }),
        ("another level", |forger| {
            let leaf = forger.leaf(vec![(b"m".to_vec(), inline(b"x"))]);
            let inner = Node::EntryChildren { level: 1, children: vec![child(b"m", leaf)] };
            vec![(b"m", forger.node(&inner))]
        }),
        ("extents", |forger| vec![(b"m", forger.node(&Node::Extents(vec![])))]),
        ("empty", |forger| vec![(b"m", forger.leaf(vec![]))]),
        ("content", |forger| vec![(b"m", forger.chunk(&[1; 700]))]),
        ("twice the same", |forger| {
            let leaf = forger.leaf(vec![(b"m".to_vec(), inline(b"x"))]);
            vec![(b"m", leaf), (b"n", leaf)]
        }),
    ];
    for (what, forge) in cases {
        let sandbox = Box::new();
        let snapshot = sandbox.forge(|forger| {
            let middle = forge(forger);
            around(forger, middle, 1)
        });
        assert!(sandbox.restore_around(&snapshot).damage_count > 0, "{what}");
    }
}

#[test]
fn a_lost_leaf_costs_its_own_entries_and_nothing_below_its_folders() {
    let sandbox = Box::new();
    let snapshot = sandbox.forge(|forger| {
        let below = forger.leaf(vec![(b"m\0deep\0file".to_vec(), inline(b"safe"))]);
        around(forger, vec![(b"m\0a", ChunkId::new([1; 32])), (b"m\0deep\0file", below)], 1)
    });
    assert!(sandbox.restore_around(&snapshot).damage_count > 0);
    assert_eq!(std::fs::read(sandbox.target.join("m/deep/file")).expect("it came"), b"safe");
}

#[test]
fn unsorted_keys_and_key_bombs_do_not_decode() {
    let unsorted = vec![(b"b".to_vec(), inline(b"x")), (b"a".to_vec(), inline(b"x"))];
    assert!(Node::decode(&Node::Entries(unsorted).encode()).is_err());
    let long = vec![b'x'; 60_000];
    let bomb = (0..2000u16)
        .map(|number| ([long.as_slice(), &number.to_be_bytes()].concat(), inline(b"")))
        .collect();
    let bytes = Node::Entries(bomb).encode();
    assert!(bytes.len() < 200_000, "it is small: {}", bytes.len());
    assert!(Node::decode(&bytes).is_err(), "120 MB of keys");
}

#[test]
fn a_path_deeper_than_any_is_refused_and_a_deep_one_restored() {
    let deep = |depth: usize| vec![b"d".as_slice(); depth].join(&0);
    let sandbox = Box::new();
    let snapshot = sandbox.forge(|forger| forger.leaf(vec![(deep(100_000), inline(b"x"))]));
    let report = sandbox.restore(&snapshot, &RestoreOptions::default()).expect("it runs");
    assert!(report.damage_count > 0);
    let sandbox = Box::new();
    let snapshot = sandbox.forge(|forger| {
        let mut tree = EntryTreeBuilder::new(&TreeConfig::default());
        for depth in 1..=3000 {
            tree.push(deep(depth), folder(), forger).expect("it can be stored");
        }
        tree.finish(forger).expect("it can be stored").0.node
    });
    let report = sandbox.restore(&snapshot, &RestoreOptions::default()).expect("it runs");
    assert_eq!(report.problems, []);
    assert_eq!(report.directories, 3000);
}

#[test]
fn devices_without_numbers_and_links_without_targets_are_reported() {
    let sandbox = Box::new();
    let number = Some(DeviceNumber { major: u32::MAX, minor: u32::MAX });
    let report = sandbox.restore_between(vec![
        (b"a".to_vec(), entry(EntryKind::CharDevice)),
        (b"b".to_vec(), entry(EntryKind::Symlink)),
        (b"c".to_vec(), symlink(b"")),
        (b"d".to_vec(), symlink(&[b'x'; 5000])),
        (b"e".to_vec(), Entry { device_number: number, ..entry(EntryKind::BlockDevice) }),
    ]);
    for name in ["/a", "/b", "/c", "/d"] {
        assert!(report.problems.iter().any(|p| p.path.to_string() == name), "{name}: {report:?}");
    }
}
