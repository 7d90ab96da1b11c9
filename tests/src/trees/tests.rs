//! The generators make what they promise: strange trees, twice the same, that edits do change.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use bytes::Bytes;
use proptest::strategy::{Strategy, ValueTree};
use proptest::test_runner::{Config, TestRunner};

use super::strategy::{Options, edit_scripts, trees};
use super::{ItemSpec, Kind, Meta, TreeSpec};
use crate::compare::{Aspect, Difference, compare};
use crate::trees::content::{Content, Piece};

fn folder() -> tempfile::TempDir {
    tempfile::tempdir().expect("a temporary folder")
}

fn runner(cases: u32) -> TestRunner {
    TestRunner::new(Config { cases, failure_persistence: None, ..Config::default() })
}

/// How often each kind of item, and each strange property, is on the disk.
fn count(dir: &Path, seen: &mut BTreeMap<&'static str, usize>) -> io::Result<()> {
    for entry in fs::read_dir(dir)? {
        let entry = entry?;
        let meta = entry.metadata()?;
        let names = [
            (meta.is_dir(), "folder"),
            (meta.is_symlink(), "symlink"),
            (meta.is_file() && meta.len() == 0, "empty"),
            (meta.is_file() && meta.len() > meta.blocks() * 512 + 8192, "sparse"),
            (meta.len() > 1 << 35, "huge"),
            (!meta.is_dir() && meta.nlink() > 1, "hard link"),
            (meta.mode() & 0o170_000 == 0o010_000, "fifo"),
            (meta.mode() & 0o170_000 == 0o140_000, "socket"),
            (meta.mode() & 0o170_000 == 0o060_000, "block device"),
            (meta.mode() & 0o170_000 == 0o020_000, "char device"),
            (meta.mode() & 0o4000 != 0, "suid"),
            (meta.mtime() < 0, "before 1970"),
            (meta.mtime() > 4_294_967_295, "after 2106"),
            (entry.file_name().to_str().is_none(), "not UTF-8"),
            (entry.file_name().len() == 255, "long name"),
        ];
        for (_, name) in names.iter().filter(|(is, _)| *is) {
            *seen.entry(name).or_default() += 1;
        }
        if meta.is_dir() && !entry.file_name().to_string_lossy().starts_with("dddd") {
            count(&entry.path(), seen)?;
        }
    }
    Ok(())
}

#[test]
fn everything_strange_is_drawn_and_most_of_it_gets_to_the_disk() {
    let mut seen = BTreeMap::new();
    let (mut made, mut skipped, mut refused) = (0, 0, 0);
    let mut runner = TestRunner::deterministic();
    for _ in 0..80 {
        let spec = trees(Options::default()).new_tree(&mut runner).expect("drawable").current();
        let dir = folder();
        let report = spec.create(dir.path()).expect("the disk takes it");
        made += report.item_count;
        skipped += report.skipped_count;
        refused += report.refused_meta_count;
        count(dir.path(), &mut seen).expect("the tree can be read");
    }
    assert!(made > 4 * skipped, "{made} made, {skipped} skipped");
    assert!(made > 4 * refused, "{made} made, {refused} attributes refused");
    let expected = if Options::default().as_root { 15 } else { 13 };
    assert_eq!(seen.len(), expected, "{seen:?}");
}

#[test]
fn one_value_makes_equal_trees() {
    let result = runner(24).run(&trees(Options::default()), |spec| {
        let (left, right) = (folder(), folder());
        spec.create(left.path())?;
        spec.create(right.path())?;
        proptest::prop_assert_eq!(compare(left.path(), right.path())?, Vec::<Difference>::new());
        Ok(())
    });
    result.expect("the same value, the same tree");
}

#[test]
fn edits_change_trees_and_equal_edits_change_them_equally() {
    let plain = Options { huge: false, deep: false, ..Options::default() };
    let cases = (trees(plain), edit_scripts(plain, 12));
    let mut changed = 0;
    let mut deterministic = TestRunner::deterministic();
    for _ in 0..24 {
        let (spec, script) = cases.new_tree(&mut deterministic).expect("drawable").current();
        let (left, right, before) = (folder(), folder(), folder());
        for dir in [&left, &right, &before] {
            spec.create(dir.path()).expect("the disk takes it");
        }
        let edit_count = script.apply(left.path()).expect("the tree can be listed");
        assert_eq!(script.apply(right.path()).expect("the tree can be listed"), edit_count);
        let found = compare(left.path(), right.path()).expect("readable");
        // The second tree was edited a moment later.
        let other: Vec<_> = found.iter().filter(|one| one.aspect != Aspect::Mtime).collect();
        assert!(other.is_empty(), "{other:#?}");
        let against = compare(left.path(), before.path()).expect("readable");
        changed += usize::from(!against.is_empty());
    }
    assert!(changed > 12, "only {changed} of 24 scripts changed anything");
}

#[test]
fn a_chain_goes_deeper_than_any_path_and_is_compared_to_its_bottom() {
    let chain = |count| {
        let dir = folder();
        let spec = TreeSpec { items: Vec::new(), deep_chain_count: count };
        spec.create(dir.path()).expect("the disk takes it");
        dir
    };
    let (left, same, shorter) = (chain(80), chain(80), chain(79));
    assert_eq!(compare(left.path(), same.path()).expect("readable"), []);
    let found = compare(left.path(), shorter.path()).expect("readable");
    let aspects: Vec<_> = found.iter().map(|one| one.aspect).collect();
    assert_eq!(aspects, [Aspect::Extra, Aspect::Missing], "{found:?}");
    assert!(found.iter().all(|one| one.path.len() > 15_800), "{found:?}");
}

#[test]
fn files_repeat_earlier_ones_and_pieces_have_the_length_they_say() {
    let file = |name: &'static [u8], content| ItemSpec {
        parent: 0,
        name: Bytes::from_static(name),
        kind: Kind::File(content),
        meta: Meta::default(),
    };
    let pieces = vec![
        Piece::Random { seed: 1, length_bytes: 100_001 },
        Piece::Hole { length_bytes: 1 << 20 },
        Piece::Text { seed: 2, length_bytes: 777 },
        Piece::Pages { seed: 3, page_count: 3 },
        Piece::Zeros { length_bytes: 10 },
    ];
    let length: u64 = pieces.iter().map(Piece::length_bytes).sum();
    let items = vec![file(b"a", Content::Pieces(pieces)), file(b"b", Content::SameAs(5))];
    let dir = folder();
    TreeSpec { items, deep_chain_count: 0 }.create(dir.path()).expect("the disk takes it");
    let (a, b) = (fs::read(dir.path().join("a")), fs::read(dir.path().join("b")));
    let (a, b) = (a.expect("readable"), b.expect("readable"));
    assert_eq!(a.len() as u64, length);
    assert!(a == b, "the second file is not the first again");
    assert!(a[100_001..100_001 + (1 << 20)].iter().all(|byte| *byte == 0));
    assert!(a[..100_001].iter().filter(|byte| **byte == 0).count() < 1000);
}
