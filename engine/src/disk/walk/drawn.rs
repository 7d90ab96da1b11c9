//! Drawn trees and drawn rules: a walk gives what a few lines of model say, and a listing is whole
//! exactly if what is missing was not there.
#![expect(clippy::disallowed_methods, reason = "files of a test need no sync")]

use std::collections::{BTreeMap, BTreeSet};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::symlink;
use std::path::Path;

use proptest::prelude::{Just, Strategy, prop_oneof, proptest};
use proptest::sample::Index;

use super::*;
use crate::disk::exclude::ExcludeOptions;
use crate::format::entry::EntryKind;

const TAG: &[u8] = b"Signature: 8a477f597d28d172789f06886806bc55";
const LARGE_BYTES: u64 = 100;
const PATTERNS: [&str; 12] =
    ["a", "b", "!a", "!b", "a/b", "!a/c", "*c", "!*c", "b/**/a", "!b/**/c", "**", "large"];

/// What lies at a name: a folder with more, or something else.
#[derive(Debug, Clone)]
enum Node {
    Folder(BTreeMap<String, Node>),
    File(u64),
    /// A link to another path of the tree, from its top.
    Link(Index),
}

fn nodes() -> impl Strategy<Value = BTreeMap<String, Node>> {
    let leaf = prop_oneof![
        4 => Just(Node::File(3)),
        1 => Just(Node::File(LARGE_BYTES + 1)),
        1 => proptest::arbitrary::any::<Index>().prop_map(Node::Link),
    ];
    let names = prop_oneof![Just("a"), Just("b"), Just("c"), Just("CACHEDIR.TAG"), Just("large")];
    let node = leaf.prop_recursive(4, 30, 4, move |inner| {
        let names = names.clone().prop_map(str::to_owned);
        proptest::collection::btree_map(names, inner, 0..4).prop_map(Node::Folder)
    });
    let tops = prop_oneof![Just("a"), Just("b"), Just("c"), Just("d")].prop_map(str::to_owned);
    proptest::collection::btree_map(tops, node, 1..4)
}

/// A tree on the disk and what is known of it.
struct Drawn {
    folder: tempfile::TempDir,
    base: TreePath,
    /// By path from the root of the file system.
    kinds: BTreeMap<TreePath, EntryKind>,
    sizes: BTreeMap<TreePath, u64>,
}

impl Drawn {
    fn new(nodes: &BTreeMap<String, Node>) -> Self {
        let folder = tempfile::tempdir().expect("because the test machine has space");
        let place = folder.path().canonicalize().expect("because it exists");
        let base = TreePath::from_slashes(place.as_os_str().as_bytes()).expect("because it exists");
        let (kinds, sizes) = (BTreeMap::new(), BTreeMap::new());
        let mut drawn = Self { folder, base, kinds, sizes };
        let mut links = Vec::new();
        drawn.make(&drawn.base.clone(), nodes, &mut links);
        let paths: Vec<TreePath> = drawn.kinds.keys().cloned().collect();
        for (path, index) in links {
            let nowhere = TreePath::root().join(b"nowhere").expect("because it is a name");
            let target = if paths.is_empty() { &nowhere } else { index.get(&paths) };
            let target = path_of(target);
            symlink(target, path_of(&path)).expect("because the name is free");
            drawn.kinds.insert(path, EntryKind::Symlink);
        }
        drawn
    }

    fn make(
        &mut self,
        at: &TreePath,
        nodes: &BTreeMap<String, Node>,
        links: &mut Vec<(TreePath, Index)>,
    ) {
        for (name, node) in nodes {
            let path = at.join(name.as_bytes()).expect("because it is a name");
            match node {
                Node::Folder(inner) => {
                    std::fs::create_dir(path_of(&path)).expect("because the name is free");
                    self.kinds.insert(path.clone(), EntryKind::Directory);
                    self.make(&path, inner, links);
                }
                Node::File(size) => {
                    let is_tag = name == "CACHEDIR.TAG";
                    let bytes = if is_tag { TAG.to_vec() } else { vec![b' '; *size as usize] };
                    std::fs::write(path_of(&path), &bytes).expect("because there is space");
                    self.sizes.insert(path.clone(), bytes.len() as u64);
                    self.kinds.insert(path, EntryKind::File);
                }
                Node::Link(index) => links.push((path, *index)),
            }
        }
    }

    fn is_tagged(&self, folder: &TreePath) -> bool {
        let tag = folder.join(b"CACHEDIR.TAG").expect("because it is a name");
        self.kinds.get(&tag) == Some(&EntryKind::File)
    }

    fn children<'a>(&'a self, folder: &'a TreePath) -> impl Iterator<Item = &'a TreePath> {
        self.kinds.keys().filter(move |path| path.parent().as_ref() == Some(folder))
    }
}

fn path_of(path: &TreePath) -> std::path::PathBuf {
    Path::new(std::ffi::OsStr::from_bytes(&path.to_slashes())).to_owned()
}

/// Rules as drawn.
#[derive(Debug, Clone)]
struct Rules {
    patterns: Vec<usize>,
    exclude_caches: bool,
    has_limit: bool,
    roots: Vec<(Index, bool)>,
}

fn rules() -> impl Strategy<Value = Rules> {
    let patterns = proptest::collection::vec(0..PATTERNS.len(), 0..4);
    let root = (proptest::arbitrary::any::<Index>(), proptest::bool::ANY);
    let roots = proptest::collection::vec(root, 1..4);
    (patterns, proptest::bool::ANY, proptest::bool::ANY, roots).prop_map(
        |(patterns, exclude_caches, has_limit, roots)| Rules {
            patterns,
            exclude_caches,
            has_limit,
            roots,
        },
    )
}

/// The model: which paths a walk of these roots selects, those above them left aside.
struct Model<'a> {
    drawn: &'a Drawn,
    rules: &'a Rules,
    excludes: &'a Excludes,
    named: BTreeSet<TreePath>,
}

impl Model<'_> {
    /// Goes down from the innermost named path around `path`.
    fn selects(&self, path: &TreePath) -> bool {
        if self.named.contains(path) {
            return true;
        }
        let mut above = path.parent();
        let mut way = vec![path.clone()];
        let start = loop {
            match above {
                None => return false,
                Some(folder) if self.named.contains(&folder) => break folder,
                Some(folder) => {
                    above = folder.parent();
                    way.push(folder);
                }
            }
        };
        let mut standing = self.excludes.judge_named(&start);
        for step in way.iter().rev() {
            let parent = step.parent().expect("because it lies below a named path");
            let is_tag = step.name() == b"CACHEDIR.TAG";
            let is_tagged = parent != start && self.drawn.is_tagged(&parent);
            if self.rules.exclude_caches && is_tagged && !is_tag {
                return false;
            }
            standing = self.excludes.judge(standing, step);
        }
        let size = self.drawn.sizes.get(path).copied().unwrap_or(0);
        !(self.excludes.is_out(standing) || self.rules.has_limit && size > LARGE_BYTES)
    }

    fn expected(&self) -> BTreeSet<TreePath> {
        let mut expected = BTreeSet::new();
        for path in self.drawn.kinds.keys().filter(|path| self.selects(path)) {
            let mut at = Some(path.clone());
            while let Some(path) = at.filter(|path| self.drawn.base.contains(path)) {
                at = path.parent();
                expected.insert(path);
            }
        }
        expected
    }
}

fn check(nodes: &BTreeMap<String, Node>, rules: &Rules) {
    let drawn = Drawn::new(nodes);
    let options = ExcludeOptions {
        patterns: rules.patterns.iter().map(|at| PATTERNS[*at].to_owned()).collect(),
        exclude_caches: rules.exclude_caches,
        larger_than_bytes: rules.has_limit.then_some(LARGE_BYTES),
        ..ExcludeOptions::default()
    };
    let excludes = Excludes::new(&options).expect("because the patterns are valid");
    let paths: Vec<TreePath> = drawn.kinds.keys().cloned().collect();
    let mut roots: Vec<PathBuf> = Vec::new();
    for (index, has_slash) in &rules.roots {
        let mut root = path_of(index.get(&paths));
        if *has_slash && root.is_dir() {
            root.push("");
        }
        roots.push(root);
    }
    let walk_options = WalkOptions { roots, excludes: excludes.clone(), ..WalkOptions::default() };
    let walk = Walk::new(walk_options).expect("because the roots exist");
    let named = Named::new(walk.roots());
    let is_named = |path: &&TreePath| named.lead(path) == crate::disk::roots::Lead::Here;
    let named = paths.iter().filter(is_named).cloned().collect();
    let model = Model { drawn: &drawn, rules, excludes: &excludes, named };
    let mut found = BTreeMap::new();
    for item in walk {
        let WalkItem::Found(item) = item else { panic!("{item:?}") };
        if drawn.base.contains(&item.path) {
            found.insert(item.path.clone(), item);
        }
    }
    let got: BTreeSet<TreePath> = found.keys().cloned().collect();
    assert_eq!(got, model.expected(), "{options:?}");
    for (path, item) in found.iter().filter(|(_, it)| it.stat.facts.kind == EntryKind::Directory) {
        let is_whole = drawn.children(path).all(|child| found.contains_key(child));
        assert!(item.listing != 0 || is_whole, "{path} is said to be whole");
        let all_selected = drawn.children(path).all(|child| model.selects(child));
        if path != &drawn.base && model.selects(path) && all_selected {
            assert_eq!(item.listing, 0, "{path} is whole");
        }
    }
    drop(drawn.folder);
}

proptest! {
    #[test]
    fn a_walk_gives_what_was_named_without_what_is_left_out(nodes in nodes(), rules in rules()) {
        check(&nodes, &rules);
    }
}
