//! The real program on real folders: what it prints, and how it ends.

use std::io::Write;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::process::Stdio;

use serde_json::Value;
use system_tests::compare::compare;

use crate::place::{Place, last_json, noise, put, ran};

#[test]
fn the_first_day_of_a_user() {
    let place = Place::with_repository();
    let first = place.backup();
    assert_eq!(first["files_new"], 3);
    assert!(first["data_blobs"].as_u64().is_some_and(|count| count > 0));
    let second = place.backup();
    assert_eq!((&second["files_unmodified"], &second["data_blobs"]), (&3.into(), &0.into()));
    assert_ne!(first["snapshot_id"], second["snapshot_id"]);

    let listed: Value =
        serde_json::from_str(&place.run(["snapshots", "--json"]).expect(0)).expect("JSON");
    assert_eq!(listed.as_array().map(Vec::len), Some(2));
    assert_eq!(listed[1]["id"], second["snapshot_id"]);
    assert_eq!(listed[1]["parent"], first["snapshot_id"]);
    let short = listed[0]["short_id"].as_str().expect("a text").to_owned();
    let table = place.run(["snapshots"]).expect(0);
    assert!(table.starts_with("ID ") && table.contains(&short), "{table}");

    let names = place.run(["ls", "-q", &place.latest("")]).expect(0);
    let expected = ["a.txt", "folder", "folder/b.bin", "folder/c.txt"];
    let expected = expected.map(|name| place.path("source").join(name).display().to_string());
    assert_eq!(names.lines().collect::<Vec<_>>(), expected);
    let direct = place.run(["ls", "--no-recursive", &place.latest("")]).expect(0);
    assert_eq!(direct.lines().count(), 2);
    let found = place.run(["find", "-q", "*.txt", "--snapshot", &short]).expect(0);
    assert_eq!(found.lines().count(), 3, "{found}");
    assert_eq!(place.run(["cat", &place.latest("a.txt")]).expect(0), "a".repeat(100));

    let part = place.latest("");
    place.run(["restore", "-q", &part, "--target", "target", "--verify"]).expect(0);
    let differences = compare(&place.path("source"), &place.path("target")).expect("readable");
    assert!(differences.is_empty(), "{differences:#?}");
    let checked = place.run(["check", "--read-data"]).expect(0);
    assert!(checked.contains("no damage found"), "{checked}");
    assert_eq!(place.run(["check", "-q"]).expect(0), "");
}

#[test]
fn all_json_parses() {
    let place = Place::with_repository();
    place.backup();
    let part = place.latest("");
    for line in [
        &["backup", "source", "--json", "--dry-run"][..],
        &["ls", "--json", "latest"],
        &["find", "--json", "b.*"],
        &["restore", "--json", &part, "--target", "t"],
        &["check", "--json", "--read-data-subset", "50%"],
        &["stats", "--json"],
        &["stats", "--json", "latest"],
        &["index", "rebuild", "--json"],
        &["key", "list", "--json"],
        &["key", "test", "--json"],
        &["probe", "--json"],
        &["cat", "--json", "latest:/none"],
    ] {
        let ran = place.run(line);
        assert_eq!(ran.exit != 0, line[0] == "cat", "{line:?}: {}", ran.stderr);
        for text in ran.stdout.lines().chain(ran.stderr.lines()) {
            let value: Value = serde_json::from_str(text).unwrap_or_default();
            assert!(!value.is_null(), "{line:?} printed {text}");
        }
    }
}

#[test]
fn a_key_for_backups_makes_them_and_reads_nothing() {
    let place = Place::with_repository();
    place.run(["key", "add", "--role", "backup", "--to-key-file", "web.key"]).expect(0);
    let metadata = place.path("web.key").metadata().expect("the key file is there");
    assert_eq!(metadata.mode() & 0o7777, 0o600);
    let again = place.run(["key", "add", "--role", "backup", "--to-key-file", "web.key"]);
    assert!(again.fails(2).contains("exists already"));

    for round in 0..2 {
        let ran = place.run_with_key("web.key", &["backup", "-q", "--json", "source"]);
        let summary = last_json(&ran.expect(0));
        assert_eq!(summary["files_new"] == 0, round == 1, "{summary}");
    }
    place.run_with_key("web.key", &["snapshots"]).expect(0);
    let part = place.latest("");
    for line in [
        &["ls", "latest"][..],
        &["find", "a*"],
        &["cat", &place.latest("a.txt")],
        &["restore", &part, "--target", "target"],
        &["check"],
        &["stats"],
        &["key", "remove", "0000"],
    ] {
        let words = place.run_with_key("web.key", line).fails(12);
        assert!(words.contains("role backup"), "{line:?}: {words}");
    }
    assert!(!place.path("target").exists());
    // The administrator restores what the machine saved.
    place.run(["restore", "-q", &part, "--target", "target"]).expect(0);
    let told = place.run_with_key("web.key", &["key", "test"]).expect(0);
    assert!(told.starts_with("role backup (key file "), "{told}");
    let listed = place.run(["key", "list", "--json"]).expect(0);
    let listed: Value = serde_json::from_str(&listed).expect("JSON");
    let keys = listed.as_array().cloned().unwrap_or_default();
    let id = keys.iter().find(|key| key["label"] == "web").expect("it is listed")["id"].clone();
    place.run(["key", "remove", &id.as_str().unwrap_or_default()[..8]]).expect(0);
    place.run_with_key("web.key", &["snapshots"]).fails(12);
}

#[test]
fn a_second_passphrase_and_the_recovery_words_open_it_too() {
    let place = Place::empty();
    let line = ["init", "--no-probe", "--kdf-memory", "64MiB", "--kit", "kit.txt"];
    let printed = place.run(line).expect(0);
    assert!(printed.contains("keep them offline"), "{printed}");
    let kit = std::fs::read_to_string(place.path("kit.txt")).expect("the kit is there");
    assert_eq!(place.path("kit.txt").metadata().map(|m| m.mode() & 0o7777).ok(), Some(0o600));
    let after = kit.lines().skip_while(|line| *line != "Recovery words:").skip(2);
    let words: Vec<_> = after.take_while(|line| !line.is_empty()).collect();
    let words = words.join(" ");
    let told = ran(place.command(["key", "test"]).env("MAINSTAY_PASSWORD", &words)).expect(0);
    assert!(told.contains("recovery words"), "{told}");

    put(&place.path("second"), b"quite another long one\n");
    let mode = std::fs::Permissions::from_mode(0o600);
    std::fs::set_permissions(place.path("second"), mode).expect("it is ours");
    place.run(["key", "add", "--role", "restore", "--new-password-file", "second"]).expect(0);
    let mut other = place.command(["key", "test", "--password-file", "second"]);
    assert!(ran(&mut other).expect(0).starts_with("role restore"));
    // An existing kit is not overwritten, and nothing is made in its place.
    let line = ["init", "-r", "other", "--no-probe", "--kit", "kit.txt"];
    place.run(line).fails(2);
    assert!(!place.path("other").exists());
}

#[test]
fn damage_is_named_with_its_object_and_what_it_hurts() {
    let place = Place::with_repository();
    place.backup();
    let pack = place.largest("data");
    let mut bytes = std::fs::read(&pack).expect("a pack can be read");
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::remove_file(&pack).expect("a pack can be replaced");
    put(&pack, &bytes);
    let ran = place.run(["check", "--read-data"]);
    let key = pack.strip_prefix(place.path("repository")).expect("it is below");
    assert!(ran.stdout.contains(&key.display().to_string()), "{}", ran.stdout);
    assert!(ran.stdout.contains("source/folder/b.bin"), "{}", ran.stdout);
    assert!(ran.fails(20).contains("damaged or missing"));
    let summary = last_json(&place.run(["check", "--read-data", "--json"]).expect(20));
    assert_eq!(summary["broken_packs"][0], key.display().to_string());
    let part = place.latest("");
    let words = place.run(["restore", &part, "--target", "target"]).fails(20);
    assert!(words.contains("b.bin"), "{words}");
    assert_eq!(std::fs::read(place.path("target/a.txt")).ok(), Some(vec![b'a'; 100]));
}

#[test]
fn the_state_folder_can_be_lost() {
    let place = Place::with_repository();
    place.backup();
    std::fs::remove_dir_all(place.path("state")).expect("it is there");
    let part = place.latest("");
    place.run(["restore", "-q", &part, "--target", "target"]).expect(0);
    let differences = compare(&place.path("source"), &place.path("target")).expect("readable");
    assert!(differences.is_empty(), "{differences:#?}");
    let rebuilt = place.run(["index", "rebuild"]).expect(0);
    assert!(rebuilt.contains(" from "), "{rebuilt}");
    assert_eq!(place.backup()["data_blobs"], 0);
}

#[test]
fn streams_become_files_and_a_run_at_a_time() {
    let place = Place::with_repository();
    let line = ["backup", "--stdin-filename", "d.sql", "--stdin-from-command", "--", "echo", "x"];
    place.run(line).expect(0);
    assert_eq!(place.run(["cat", "latest:/d.sql"]).expect(0), "x\n");
    let line = ["backup", "--stdin-filename", "d.sql", "--stdin-from-command", "--", "false"];
    place.run(line).fails(1);

    let mut first = place.command(["backup", "-q", "--stdin"]);
    let mut first = first.stdin(Stdio::piped()).spawn().expect("the program can be started");
    let mut input = first.stdin.take().expect("because it is a pipe");
    input.write_all(b"slowly").expect("somebody reads");
    place.wait_until_locked(&mut first);
    let words = place.run(["backup", "source"]).fails(11);
    assert!(words.contains(&first.id().to_string()), "{words}");
    place.run(["snapshots"]).expect(0);
    drop(input);
    assert!(first.wait().expect("it ends").success());
    assert_eq!(place.run(["cat", "latest:/stdin"]).expect(0), "slowly");
}

#[test]
fn a_demonstration_ends_well_and_leaves_nothing() {
    let place = Place::empty();
    std::fs::create_dir_all(place.path("mine/folder")).expect("a folder");
    put(&place.path("mine/folder/a"), &noise(200_000));
    put(&place.path("mine/b"), &noise(200_000));
    let shown = place.run(["demo", "mine"]).expect(0);
    for words in ["$ mainstay init", "$ mainstay backup", "$ mainstay restore", "all are equal"] {
        assert!(shown.contains(words), "{words} is missing in {shown}");
    }
    let left: Vec<_> = std::fs::read_dir(place.folder.path())
        .expect("it is there")
        .map(|entry| entry.expect("it can be listed").file_name())
        .collect();
    assert_eq!(left, ["mine"]);
    let json = place.run(["demo", "--json", "mine"]).expect(0);
    assert_eq!(last_json(&json)["ok"], true);
}
