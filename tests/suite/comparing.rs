//! How files changed from snapshot to snapshot: `diff`, `history`, `timeline`.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use engine::base::limits::MIB;
use serde_json::Value;

use system_tests::trees::put;

use crate::place::{Place, noise};

fn records(text: &str, kind: &str) -> Vec<Value> {
    let all = text.lines().map(|line| serde_json::from_str::<Value>(line).expect("JSON"));
    all.filter(|record| record["message_type"] == kind).collect()
}

/// A place of three nights: what is new, what changes, what goes, what is renamed.
fn three_nights() -> Place {
    let place = Place::with_repository();
    let source = place.path("source");
    fs::remove_dir_all(&source).expect("it is there");
    put(&source.join("kept"), b"as ever");
    put(&source.join("changed"), b"one");
    put(&source.join("gone"), b"soon");
    put(&source.join("moved/from"), &noise(MIB));
    put(&source.join("mode"), b"mode");
    put(&source.join("kind"), b"a file");
    place.run(["backup", "-q", "source"]).expect(0);
    put(&source.join("changed"), b"two, longer");
    put(&source.join("new/file"), b"new");
    fs::remove_file(source.join("gone")).expect("it is there");
    fs::create_dir(source.join("elsewhere")).expect("a folder");
    fs::rename(source.join("moved/from"), source.join("elsewhere/to")).expect("one disk");
    fs::set_permissions(source.join("mode"), fs::Permissions::from_mode(0o600)).expect("ours");
    fs::remove_file(source.join("kind")).expect("it is there");
    fs::create_dir(source.join("kind")).expect("a folder");
    place.run(["backup", "-q", "source"]).expect(0);
    put(&source.join("gone"), b"soon");
    place.run(["backup", "-q", "source"]).expect(0);
    place
}

#[test]
fn what_differs_between_two_nights_is_listed() {
    let place = three_nights();
    let source = place.path("source").display().to_string();
    let said = place.run(["diff", "latest~2", "latest~1"]).expect(0);
    let expected = [
        ("M", "/changed"),
        ("+", "/elsewhere/"),
        ("-", "/gone"),
        ("T", "/kind/"),
        ("+", "/new/"),
        ("+", "/new/file"),
    ];
    for (modifier, path) in expected {
        assert!(
            said.lines().any(|it| it == format!("{modifier}    {source}{path}")),
            "{path}: {said}"
        );
    }
    let renamed = format!("R    {source}/moved/from -> {source}/elsewhere/to");
    assert!(said.lines().any(|line| line == renamed), "{said}");
    assert_eq!(said.lines().count(), expected.len() + 1, "nothing else: {said}");
    let said = place.run(["diff", "latest~2", "latest~1", "--metadata"]).expect(0);
    assert!(said.contains(&format!("U    {source}/mode\n")), "{said}");

    let said = place.run(["diff", "latest~2", "latest~1", "--json"]).expect(0);
    let changes = records(&said, "change");
    let of = |name: &str| changes.iter().find(|it| it["path"] == format!("{source}/{name}"));
    let changed = of("changed").expect("it is listed");
    assert_eq!((&changed["size_before"], &changed["size_after"]), (&3.into(), &11.into()));
    let renamed = of("elsewhere/to").expect("it is listed");
    assert_eq!(renamed["renamed_from"], format!("{source}/moved/from"));
    let numbers = &records(&said, "statistics")[0];
    assert_eq!(numbers["changed_files"], 2);
    assert_eq!(numbers["renamed_files"], 1);
    assert_eq!((&numbers["added"]["files"], &numbers["removed"]["files"]), (&1.into(), &1.into()));

    // A part of it, the other way round, and nothing at all.
    let said = place.run(["diff", "latest~1", "latest~2", &format!("{source}/new")]).expect(0);
    assert_eq!(said, format!("-    {source}/new/\n-    {source}/new/file\n"));
    let said = place.run(["diff", "latest", "latest"]).expect(0);
    assert_eq!(said, "");
    let said = place.run(["diff", "latest~1", "latest", "/not/there"]).fails(2);
    assert!(said.contains("/not/there"), "{said}");
}

#[test]
fn what_a_pattern_fits_is_found_with_its_history_wherever_it_was() {
    let place = three_nights();
    let source = place.path("source").display().to_string();
    let found = |pattern: &str| {
        let said = place.run(["find", "--history", pattern, "--json"]).expect(0);
        records(&said, "path_version")
    };
    // As `history` has it, also of what the newest snapshot lacks.
    for name in ["kept", "changed", "gone", "mode", "kind"] {
        let path = format!("{source}/{name}");
        let alone = place.run(["history", &path, "--json"]).expect(0);
        assert_eq!(found(name), records(&alone, "path_version"), "{name}");
    }
    let all = found("*");
    let paths: std::collections::BTreeSet<_> =
        all.iter().map(|it| it["path"].to_string()).collect();
    assert!(paths.contains(&format!("\"{source}/moved/from\"")), "{paths:?}");
    assert!(paths.contains(&format!("\"{source}/elsewhere/to\"")), "{paths:?}");
    assert_eq!(found("nothing like this").len(), 0);
    let said = place.run(["find", "--history", "changed"]).expect(0);
    assert!(said.starts_with(&format!("{source}/changed\n")), "{said}");
    assert!(said.contains("content") && said.contains("new"), "{said}");
    place.run(["find", "--history", "x", "--snapshot", "latest"]).fails(2);
}

#[test]
fn the_history_of_a_path_is_its_versions() {
    let place = three_nights();
    let source = place.path("source").display().to_string();
    // A snapshot of something else says nothing about it.
    put(&place.path("other/x"), b"x");
    place.run(["backup", "-q", "other"]).expect(0);
    let history = |name: &str| {
        let said = place.run(["history", &format!("{source}/{name}"), "--json"]).expect(0);
        records(&said, "path_version")
    };
    let changes = |name: &str| -> Vec<String> {
        let list = history(name);
        list.iter().map(|one| one["change"].as_str().unwrap_or_default().to_owned()).collect()
    };
    assert_eq!(changes("kept"), ["new"]);
    assert_eq!(history("kept")[0]["snapshots_count"], 3);
    assert_eq!(changes("changed"), ["content", "new"]);
    assert_eq!(changes("gone"), ["back", "deleted", "new"]);
    assert_eq!(changes("mode"), ["metadata", "new"]);
    assert_eq!(changes("kind"), ["kind", "new"]);
    assert_eq!(changes("new/file"), ["new"]);
    let changed = history("changed");
    assert_eq!((&changed[0]["size"], &changed[1]["size"]), (&11.into(), &3.into()));
    assert_ne!(changed[0]["first"], changed[0]["last"]);
    assert_eq!(changed[1]["first"], changed[1]["last"]);
    let gone = history("gone");
    assert!(gone[1]["size"].is_null() && gone[1]["mtime"].is_null(), "{gone:?}");
    // What a version names restores.
    let old = format!("{}:{source}/changed", changed[1]["last"].as_str().expect("an id"));
    assert_eq!(place.run(["cat", &old]).expect(0), "one");
    let said = place.run(["history", "/not/there"]).fails(2);
    assert!(said.contains("/not/there"), "{said}");
    let said = place.run(["history", &format!("{source}/changed")]).expect(0);
    assert!(said.lines().count() == 3 && said.contains("content"), "{said}");
}

/// The night of the ransomware is plain at a glance.
#[test]
fn an_unusual_night_stands_out() {
    let place = Place::with_repository();
    let source = place.path("source");
    fs::remove_dir_all(&source).expect("it is there");
    for number in 0..40 {
        put(&source.join(format!("file{number}.odt")), format!("text {number}").as_bytes());
    }
    place.run(["backup", "-q", "source"]).expect(0);
    put(&source.join("file0.odt"), b"an ordinary day");
    place.run(["backup", "-q", "source"]).expect(0);
    for number in 0..40 {
        let old = source.join(format!("file{number}.odt"));
        fs::remove_file(old).expect("it is there");
        put(&source.join(format!("file{number}.odt.locked")), &noise(100 + number));
    }
    place.run(["backup", "-q", "source"]).expect(0);
    let nights = records(&place.run(["timeline", "--json"]).expect(0), "night");
    assert_eq!(nights.len(), 2, "{nights:?}");
    assert_eq!((&nights[0]["files_changed"], &nights[0]["files_new"]), (&1.into(), &0.into()));
    assert_eq!((&nights[1]["files_new"], &nights[1]["files_removed"]), (&40.into(), &40.into()));
    assert_eq!(nights[1]["extensions_grown"][0]["extension"], "locked");
    assert_eq!(nights[0]["snapshot"], nights[1]["previous"]);
    let said = place.run(["timeline"]).expect(0);
    assert!(said.contains(".locked 40"), "{said}");
    place.run(["timeline", "--host", "nobody"]).fails(2);
    let part = format!("{}/file7.odt", source.display());
    let nights = records(&place.run(["timeline", &part, "--json"]).expect(0), "night");
    assert_eq!((&nights[1]["files_new"], &nights[1]["files_removed"]), (&0.into(), &1.into()));
}

#[test]
fn a_lost_part_of_a_tree_is_named_and_the_rest_compared() {
    let place = Place::with_repository();
    let source = place.path("source");
    for number in 0..400 {
        put(&source.join(format!("a/{number}")), b"a");
        put(&source.join(format!("z/{number}")), b"z");
    }
    place.run(["backup", "-q", "source"]).expect(0);
    put(&source.join("a/1"), b"changed");
    put(&source.join("z/1"), b"changed");
    place.run(["backup", "-q", "source"]).expect(0);
    let mut packs = crate::restoring::files_below(&place.path("repository/tree"));
    packs.sort();
    fs::remove_file(place.path("repository/tree").join(packs.swap_remove(0))).expect("it is there");
    for line in [&["diff", "latest~1", "latest"][..], &["timeline"]] {
        let said = place.run(line).fails(20);
        assert!(said.contains("not in the store") && said.contains("  try: "), "{line:?}: {said}");
    }
}
