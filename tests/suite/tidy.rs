//! The source of the workspace keeps its rules, and the checker that says so can see each breach.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use system_tests::tidy::{Rule, Violation, check};

/// Every breach of the spoilt tree: file, line, rule, and what the text must mention.
const SPOILT: &[(&str, usize, Rule, &str)] = &[
    ("cli/src/broken.rs", 3, Rule::Unparsed, "no Rust"),
    ("engine/src/base/forgotten.rs", 0, Rule::Orphan, "no `mod` line"),
    ("engine/src/base/low.rs", 3, Rule::Floor, "`low` names `high`"),
    ("engine/src/base/low.rs", 4, Rule::Floor, "`base` names `format`"),
    ("engine/src/base/mod.rs", 3, Rule::ModuleName, "`util`"),
    ("engine/src/base/mod.rs", 6, Rule::Orphan, "`mod nowhere` leads to no file"),
    ("engine/src/base/mod.rs", 8, Rule::Floor, "`base` names `store`"),
    ("engine/src/base/mod.rs", 9, Rule::Pure, "`std::fs`"),
    ("engine/src/base/mod.rs", 12, Rule::Floor, "`base` names `index`"),
    ("engine/src/base/mod.rs", 16, Rule::Floor, "`base` names `index`"),
    ("engine/src/base/mod.rs", 19, Rule::Floor, "`base` names `index`"),
    ("engine/src/base/mod.rs", 22, Rule::Pure, "async"),
    ("engine/src/base/mod.rs", 28, Rule::GlobImport, "`use crate::*`"),
    ("engine/src/base/mod.rs", 32, Rule::Floor, "`base` names `restore`"),
    ("engine/src/crypt/mod.rs", 1, Rule::MissingDoc, "first line"),
    ("engine/src/format/hidden.rs", 3, Rule::Floor, "`hidden` names `entry`"),
    ("engine/src/format/mod.rs", 8, Rule::Apart, "must not know `crypt`"),
    ("engine/src/index/mod.rs", 4, Rule::GlobImport, "`use crate::store::*`"),
    ("engine/src/restore/mod.rs", 3, Rule::Operation, "`backup`"),
    ("engine/src/store/mod.rs", 6, Rule::ForeignCrate, "`rusqlite`"),
    ("engine/src/store/mod.rs", 10, Rule::SuperPath, "`super`"),
];

/// The two rules about length, which a tree on paper would only make long; both are tried on
/// trees written here.
const OF_LENGTH: [Rule; 2] = [Rule::FileLength, Rule::MedianLength];

fn lines(violations: &[Violation]) -> String {
    violations.iter().map(|violation| format!("\n  {violation}")).collect()
}

#[test]
#[expect(clippy::print_stdout, reason = "the median is worth watching before it is too long")]
fn the_workspace_is_tidy() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let findings = check(&root).expect("the workspace can be read");
    println!("{} files, median {} lines", findings.file_count, findings.median_lines);
    assert!(findings.file_count > 40, "only {} files were found", findings.file_count);
    assert!(
        findings.violations.is_empty(),
        "{} breaches of the rules in docs/STYLE.md:{}",
        findings.violations.len(),
        lines(&findings.violations)
    );
}

#[test]
fn every_breach_in_the_spoilt_tree_is_reported_and_nothing_else() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/untidy");
    let found = check(&root).expect("the spoilt tree can be read").violations;
    let places: Vec<_> =
        found.iter().map(|v| (v.file.to_str().expect("plain names"), v.line, v.rule)).collect();
    let expected: Vec<_> =
        SPOILT.iter().map(|(file, line, rule, _)| (*file, *line, *rule)).collect();
    assert_eq!(places, expected, "found:{}", lines(&found));
    for (violation, (.., words)) in found.iter().zip(SPOILT) {
        assert!(violation.text.contains(words), "{violation} does not mention {words}");
    }
}

#[test]
fn every_rule_has_a_breach_that_it_finds() {
    let tried: BTreeSet<Rule> = SPOILT.iter().map(|breach| breach.2).chain(OF_LENGTH).collect();
    assert_eq!(tried, BTreeSet::from(Rule::ALL));
}

/// A package `engine` whose files have these many lines.
fn tree_of(lengths: &[usize]) -> tempfile::TempDir {
    let root = tempfile::tempdir().expect("a temporary folder");
    let source = root.path().join("engine/src");
    fs::create_dir_all(&source).expect("a new folder");
    fs::File::create(root.path().join("engine/Cargo.toml")).expect("a new file");
    let mut top = String::from("//! The root.\n");
    for (number, length) in lengths.iter().enumerate() {
        top += &format!("mod m{number};\n");
        let text = format!("//! Long.\n{}", "// A line.\n".repeat(length - 1));
        put(&source.join(format!("m{number}.rs")), &text);
    }
    put(&source.join("lib.rs"), &top);
    root
}

fn put(path: &Path, text: &str) {
    use std::io::Write;
    let mut file = fs::File::create(path).expect("a new file");
    file.write_all(text.as_bytes()).expect("room for a few lines");
}

fn rules_broken_by(lengths: &[usize]) -> Vec<Rule> {
    let root = tree_of(lengths);
    let found = check(root.path()).expect("the tree can be read").violations;
    found.iter().map(|violation| violation.rule).collect()
}

#[test]
fn the_limits_of_length_are_where_they_are_said_to_be() {
    assert_eq!(rules_broken_by(&[500, 3, 3]), []);
    assert_eq!(rules_broken_by(&[501, 3, 3]), [Rule::FileLength]);
    assert_eq!(rules_broken_by(&[170, 170, 170]), []);
    assert_eq!(rules_broken_by(&[171, 171, 171]), [Rule::MedianLength]);
}
