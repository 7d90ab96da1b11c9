//! Differences between two trees, against two maps; and how much is read for them.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::atomic::{AtomicU64, Ordering};

use engine::base::id::ChunkId;
use engine::base::path::TreePath;
use engine::blob::BlobError;
use engine::crypt::hash::digest;
use engine::format::config::TreeConfig;
use engine::format::entry::Entry;
use engine::format::node::Node;
use engine::tree::build::{EntryTreeBuilder, NodeWrite};
use engine::tree::diff::{Difference, Side, differences};
use engine::tree::error::TreeError;
use engine::tree::source::NodeRead;
use proptest::prelude::*;
use proptest::test_runner::Config;
use system_tests::forge::inline;

type Files = BTreeMap<TreePath, u8>;
/// What was there, and what is.
type Shape = (Option<Entry>, Option<Entry>);

/// Nodes in memory.
#[derive(Default)]
struct Nodes {
    nodes: HashMap<ChunkId, Node>,
    damaged: HashSet<ChunkId>,
    reads: AtomicU64,
}

impl NodeWrite for Nodes {
    fn write_node(&mut self, bytes: &[u8]) -> Result<ChunkId, BlobError> {
        let id = ChunkId::new(*digest(bytes).as_bytes());
        self.nodes.insert(id, Node::decode(bytes).expect("it was just encoded"));
        Ok(id)
    }
}

impl NodeRead for Nodes {
    fn read_node(&self, id: &ChunkId) -> Result<Node, TreeError> {
        self.reads.fetch_add(1, Ordering::Relaxed);
        match self.nodes.get(id).filter(|_| !self.damaged.contains(id)) {
            Some(node) => Ok(node.clone()),
            None => Err(TreeError::Misplaced { node: *id, why: "the test says so" }),
        }
    }
}

impl Nodes {
    fn tree(&mut self, files: &Files) -> ChunkId {
        let mut builder = EntryTreeBuilder::new(&TreeConfig::default());
        for (path, content) in files {
            builder.push(path.key().to_vec(), inline(&[*content]), self).expect("it is built");
        }
        builder.finish(self).expect("it is built").0.node
    }
}

fn path(number: u16) -> TreePath {
    let text = format!("/f{}/g{}/{number}", number % 7, number % 31);
    TreePath::from_slashes(text.as_bytes()).expect("the test wrote a path")
}

/// What a change is, as far as the maps know.
fn shape(difference: &Difference) -> Shape {
    match difference {
        Difference::Added(after) => (None, Some((**after).clone())),
        Difference::Removed(before) => (Some((**before).clone()), None),
        Difference::Changed { before, after } => {
            (Some((**before).clone()), Some((**after).clone()))
        }
    }
}

fn expected(before: &Files, after: &Files, top: &TreePath) -> Vec<(TreePath, Shape)> {
    let all: BTreeMap<&TreePath, ()> =
        before.keys().chain(after.keys()).map(|key| (key, ())).collect();
    let entry = |files: &Files, path: &TreePath| files.get(path).map(|content| inline(&[*content]));
    let all = all.into_keys().filter(|path| top.contains(path));
    let both = all.map(|path| (path.clone(), (entry(before, path), entry(after, path))));
    both.filter(|(_, (before, after))| before != after).collect()
}

fn files() -> impl Strategy<Value = Files> {
    prop::collection::btree_map((0..3000_u16).prop_map(path), any::<u8>(), 0..900)
}

/// The same with some added, removed and changed; now and then another tree altogether.
fn later(before: Files) -> impl Strategy<Value = (Files, Files)> {
    let edits = prop::collection::vec((0..3000_u16, any::<Option<u8>>()), 0..40);
    let other = prop::option::weighted(0.1, files());
    (Just(before), edits, other).prop_map(|(before, edits, other)| {
        let mut after = other.unwrap_or_else(|| before.clone());
        for (number, content) in edits {
            match content {
                Some(content) => after.insert(path(number), content),
                None => after.remove(&path(number)),
            };
        }
        (before, after)
    })
}

proptest! {
    #![proptest_config(Config { failure_persistence: None, ..Config::with_cases(300) })]

    #[test]
    fn differences_are_those_of_the_maps((before, after) in files().prop_flat_map(later), folder in 0..9_u16) {
        let mut nodes = Nodes::default();
        let (first, second) = (nodes.tree(&before), nodes.tree(&after));
        let top = match folder {
            0..7 => TreePath::from_slashes(format!("/f{folder}").as_bytes()).expect("a path"),
            _ => TreePath::root(),
        };
        let found: Vec<_> = differences((&nodes, first), (&nodes, second), &top)
            .map(|item| item.map(|(path, difference)| (path, shape(&difference))).expect("all can be read"))
            .collect();
        prop_assert_eq!(found, expected(&before, &after, &top));
    }

    /// What a node that cannot be read held is said to be neither there nor gone.
    #[test]
    fn damage_is_reported_and_nothing_is_made_up(
        (before, after) in files().prop_flat_map(later),
        which in any::<prop::sample::Index>(),
    ) {
        let mut nodes = Nodes::default();
        let (first, second) = (nodes.tree(&before), nodes.tree(&after));
        let mut all: Vec<ChunkId> = nodes.nodes.keys().copied().collect();
        all.sort();
        nodes.damaged.insert(*which.get(&all));
        let whole = expected(&before, &after, &TreePath::root());
        let (mut found, mut sides) = (Vec::new(), Vec::new());
        for item in differences((&nodes, first), (&nodes, second), &TreePath::root()) {
            match item {
                Ok((path, difference)) => found.push((path, shape(&difference))),
                Err((side, _)) => sides.push(side),
            }
        }
        for one in &found {
            prop_assert!(whole.contains(one), "{one:?} is made up");
        }
        prop_assert!(found.len() == whole.len() || !sides.is_empty(), "something is missing without a word");
        prop_assert!(sides.iter().all(|side| matches!(side, Side::Before | Side::After)));
    }
}

#[test]
fn what_is_read_grows_with_what_differs() {
    let mut nodes = Nodes::default();
    let before: Files = (0..20_000_u16).map(|number| (path(number), 0)).collect();
    let first = nodes.tree(&before);
    for changes in [0_u16, 1, 10] {
        let mut after = before.clone();
        for number in 0..changes {
            after.insert(path(number * 1999), 1);
            after.remove(&path(number * 1777 + 5));
        }
        let second = nodes.tree(&after);
        nodes.reads.store(0, Ordering::Relaxed);
        let count = differences((&nodes, first), (&nodes, second), &TreePath::root()).count();
        assert_eq!(count as u16, 2 * changes);
        let reads = nodes.reads.load(Ordering::Relaxed);
        // About two ways from the root to a leaf in each tree for each change.
        assert!(reads <= u64::from(changes) * 2 * 2 * 2 * 5, "{changes} changes: {reads} reads");
    }
}
