//! Forgetting, bringing back, holding and tagging as a user does it, and how each ends.

use std::fs::File;
use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use serde_json::Value;

use crate::place::{Place, last_json, put};

/// A repository with five snapshots, each with another file.
fn five() -> (Place, Vec<String>) {
    let place = Place::with_repository();
    let ids = (0..5_u8).map(|number| {
        put(&place.path("source/a.txt"), &[number; 200]);
        place.backup()["snapshot_id"].as_str().expect("there is an id").to_owned()
    });
    let ids = ids.collect();
    (place, ids)
}

fn json(text: &str) -> Value {
    serde_json::from_str(text).expect("it is one document")
}

fn listed(place: &Place, more: &[&str]) -> Vec<String> {
    let words = ["snapshots", "--json"].iter().chain(more);
    let listed = json(&place.run(words).expect(0));
    let ids = listed.as_array().expect("an array").iter().map(|one| one["id"].as_str());
    ids.map(|id| id.expect("an id").to_owned()).collect()
}

#[test]
fn rules_are_explained_and_carried_out() {
    let (place, ids) = five();
    let dry = place.run(["forget", "--keep-last", "1", "-n"]).expect(0);
    assert!(dry.contains("last snapshot, newest of its client"), "{dry}");
    assert!(dry.contains("would forget 2 snapshots"), "{dry}");
    assert_eq!(listed(&place, &[]).len(), 5, "a dry run forgets nothing");

    let groups = json(&place.run(["forget", "--keep-last", "1", "--json"]).expect(0));
    let group = &groups[0];
    assert!(group["host"].is_string() && group["paths"].is_array() && group["tags"].is_null());
    let of = |field: &str| group[field].as_array().expect("an array").len();
    assert_eq!((of("keep"), of("remove"), of("reasons")), (3, 2, 3));
    assert_eq!(group["reasons"][0]["snapshot"]["id"], ids[4].as_str());
    assert_eq!(group["reasons"][0]["matches"][0], "last snapshot");
    assert_eq!(listed(&place, &[]), ids[2..]);
    assert_eq!(listed(&place, &["--all"]), ids);
    let again = place.run(["forget", "--keep-last", "1"]).expect(0);
    assert!(again.contains("nothing to forget"), "{again}");

    let all = json(&place.run(["snapshots", "--all", "--json"]).expect(0));
    assert_eq!(all[0]["forgotten"]["policy"], "keep-last 1");
    assert_eq!(all[4]["forgotten"], Value::Null);
    let table = place.run(["snapshots", "--all"]).expect(0);
    assert_eq!(table.lines().filter(|line| line.ends_with("forgotten")).count(), 2, "{table}");
}

#[test]
fn forgetting_and_freeing_in_one_command() {
    let (place, ids) = five();
    place.run(["forget", &ids[1], "--grace", "0s"]).fails(2);
    let dry = place.run(["forget", &ids[1], "--prune", "-n"]).expect(0);
    assert!(dry.contains("nothing was changed"), "{dry}");
    let text = place.run(["forget", &ids[1], "--prune", "--grace", "0s", "--json"]).expect(0);
    let summary = last_json(&text);
    assert_eq!(summary["packs_deleted"], summary["packs_unneeded"], "{summary:#}");
    assert!(summary["bytes_deleted"].as_u64() > Some(0), "{summary:#}");
    assert_eq!(listed(&place, &[]).len(), 4);
    place.run(["check", "-q", "--read-data"]).expect(0);

    // A few packs are few, though they are a large part of such a small repository.
    let few = place.run(["forget", &ids[0], "--prune", "--grace", "0s", "--json"]).expect(0);
    assert!(last_json(&few)["packs_deleted"].as_u64() > Some(0), "{few}");
    // To leave a client none of its newest has to be confirmed, and is forgotten all the same.
    let all = ["forget", "--delete-all-snapshots", "--prune", "--grace", "0s"];
    let refused = place.run(all).fails(23);
    assert!(refused.contains("mainstay prune --confirm-mass-delete"), "{refused}");
    assert_eq!(listed(&place, &[]).len(), 0);
}

#[test]
fn a_forgotten_snapshot_restores_and_comes_back() {
    let (place, ids) = five();
    place.run(["forget", &ids[1], "--reason", "a mistake"]).expect(0);
    let a = place.path("source/a.txt").display().to_string();
    let content = place.run(["cat", &format!("{}:{a}", &ids[1][..8])]).expect(0);
    assert_eq!(content.as_bytes(), [1; 200]);

    let back = last_json(&place.run(["undelete", &ids[1][..8], "--json"]).expect(0));
    assert_eq!(
        (&back["original"], &back["was_there"]),
        (&Value::from(ids[1].as_str()), &false.into())
    );
    let new = back["snapshot_id"].as_str().expect("an id").to_owned();
    // It stands where the old one stood, by its time.
    let wanted = [ids[0].clone(), new.clone(), ids[2].clone(), ids[3].clone(), ids[4].clone()];
    assert_eq!(listed(&place, &[]), wanted);
    let content = place.run(["cat", &format!("{}:{a}", &new[..8])]).expect(0);
    assert_eq!(content.as_bytes(), [1; 200]);
    let twice = last_json(&place.run(["undelete", &ids[1], "--json"]).expect(0));
    assert_eq!((&twice["snapshot_id"], &twice["was_there"]), (&new.as_str().into(), &true.into()));
    place.run(["check", "--read-data", "-q"]).expect(0);

    assert!(place.run(["undelete", &ids[4]]).fails(23).contains("it is not forgotten"));
    let gone = place.run(["forget", &ids[1]]).fails(0);
    assert!(gone.contains("is forgotten already"), "{gone}");
}

#[test]
fn what_would_hurt_is_refused() {
    let (place, ids) = five();
    let newest = place.run(["forget", &ids[4]]).fails(23);
    assert!(newest.contains("--confirm-mass-delete"), "{newest}");
    place.run(["forget", &ids[2], &ids[3]]).fails(23);
    place.run(["forget", "--keep-last", "1", "--confirm-mass-delete", "3"]).fails(23);
    assert_eq!(listed(&place, &[]).len(), 5, "a refusal forgets nothing");
    let none = place.run(["forget"]).fails(2);
    assert!(none.contains("--keep-daily"), "{none}");
    for wrong in [
        &["forget", "--keep-last", "0"][..],
        &["forget", "--keep-within", "5"],
        &["forget", "--keep-last", "1", "--group-by", "mood"],
        &["forget", "--keep-last", "1", "--time-zone", "Mars/Olympus"],
        &["forget", "abcd1234"],
        &["forget", &ids[0], "--keep-last", "1"],
    ] {
        place.run(wrong).fails(2);
    }
    place.run(["forget", "--keep-last", "1", "--confirm-mass-delete", "4"]).expect(0);
    assert_eq!(listed(&place, &[]), ids[4..]);
    place.run(["forget", "--delete-all-snapshots"]).expect(0);
    assert_eq!(listed(&place, &[]), [""; 0]);
    place.run(["undelete", &ids[4]]).expect(0);
}

#[test]
fn only_keys_that_may_forget_do() {
    let (place, ids) = five();
    for role in ["backup", "restore", "verify", "maintain"] {
        let key = format!("{role}.key");
        place.run(["key", "add", "-q", "--role", role, "--to-key-file", &key]).expect(0);
        let exit = if role == "maintain" { 0 } else { 12 };
        for line in [
            &["forget", ids[1].as_str()][..],
            &["forget", "--keep-last", "3"],
            &["undelete", &ids[1]],
            &["hold", "add", &ids[2], "--reason", "r"],
            &["tag", "add", "t", &ids[2]],
        ] {
            let ran = place.run_with_key(&key, line);
            assert_eq!(ran.exit, exit, "{role} {line:?}: {}", ran.stderr);
        }
        let left = listed(&place, &[]).len();
        assert_eq!(left, if role == "maintain" { 4 } else { 5 }, "{role}");
    }
}

#[test]
fn holds_beat_rules_and_names() {
    let (place, ids) = five();
    let added =
        place.run(["hold", "add", &ids[0], "--reason", "case 17", "--until", "1s", "--json"]);
    let added = last_json(&added.expect(0));
    let hold = added["id"].as_str().expect("an id").to_owned();
    assert_eq!((&added["overdue"], &added["too_late"]), (&false.into(), &Value::Array(Vec::new())));
    // A hold that is over counts until it is released.
    std::thread::sleep(std::time::Duration::from_millis(1_500));
    let refused = place.run(["forget", &ids[0]]).fails(23);
    assert!(refused.contains(&hold), "{refused}");
    place.run(["forget", "--delete-all-snapshots"]).expect(0);
    assert_eq!(listed(&place, &[]), ids[..1]);
    assert!(place.run(["snapshots"]).expect(0).contains("  held"));
    let holds = json(&place.run(["hold", "list", "--json"]).expect(0));
    assert_eq!(
        (&holds[0]["reason"], &holds[0]["snapshots"][0]),
        (&"case 17".into(), &ids[0].as_str().into())
    );
    assert!(place.run(["hold", "list"]).expect(0).contains("which is over"));

    let late = place.run(["hold", "add", &ids[1], "--reason", "too late"]).fails(23);
    assert!(late.contains("mainstay undelete"), "{late}");
    place.run(["hold", "release", "ffff", "--reason", "r"]).fails(2);
    place.run(["hold", "release", "--overdue", "--reason", "over"]).expect(0);
    place.run(["forget", "--delete-all-snapshots"]).expect(0);
    // The late hold counts all the same: it keeps what is still there.
    assert_eq!(listed(&place, &[]), ids[1..2]);
    // What it names can be brought back like anything that is forgotten, and then be held in time.
    let back = last_json(&place.run(["undelete", &ids[1], "--json"]).expect(0));
    assert_eq!(back["was_there"], false, "{back}");
    let new = back["snapshot_id"].as_str().expect("an id");
    place.run(["hold", "add", new, "--reason", "in time"]).expect(0);
    let again = last_json(&place.run(["undelete", &ids[1], "--json"]).expect(0));
    assert_eq!((&again["was_there"], &again["snapshot_id"]), (&true.into(), &back["snapshot_id"]));
    assert_eq!(listed(&place, &[]).len(), 2);
}

#[test]
fn tags_change_and_ids_do_not() {
    let (place, ids) = five();
    place.run(["tag", "add", "release,v2", &ids[0], &ids[1]]).expect(0);
    place.run(["tag", "remove", "v2", "--tag", "release"]).expect(0);
    let tagged = json(&place.run(["snapshots", "--tag", "release", "--json"]).expect(0));
    let seen: Vec<_> = tagged.as_array().expect("an array").iter().map(|one| &one["id"]).collect();
    assert_eq!(seen, [ids[0].as_str(), ids[1].as_str()]);
    assert_eq!(tagged[0]["tags"], Value::from(vec!["release"]));
    place.run(["tag", "set", "", &ids[1]]).expect(0);
    let groups = place.run(["forget", "--keep-tag", "release", "--json"]).expect(0);
    assert_eq!(json(&groups)[0]["remove"].as_array().map(Vec::len), Some(1), "{groups}");
    assert_eq!(listed(&place, &[]), [&ids[..1], &ids[2..]].concat());
    place.run(["tag", "add", "a b,", &ids[0]]).fails(2);
    place.run(["tag", "add", "x"]).fails(2);
}

#[test]
fn policies_come_from_a_file_and_can_be_played() {
    let (place, ids) = five();
    put(
        &place.path("acme.toml"),
        b"[retention]\nkeep-last = 4\ngroup-by = \"host\"\ntime-zone = \"Europe/Berlin\"\n",
    );
    let groups = json(&place.run(["forget", "--config", "acme.toml", "-n", "--json"]).expect(0));
    assert_eq!(groups[0]["paths"], Value::Null);
    assert_eq!(groups[0]["remove"][0]["id"], ids[0].as_str());
    put(&place.path("bad.toml"), b"[retention]\nkeep-dayly = 4\n");
    assert!(place.run(["forget", "--config", "bad.toml"]).fails(2).contains("keep-dayly"));
    put(&place.path("empty.toml"), b"[retention]\n");
    place.run(["forget", "--config", "empty.toml"]).fails(2);

    let played = place.run([
        "policy",
        "simulate",
        "--config",
        "acme.toml",
        "--until",
        "3w",
        "--all-days",
        "--json",
    ]);
    let days = json(&played.expect(0));
    let days = days.as_array().expect("an array");
    assert_eq!(days.len(), 21);
    assert!(days.iter().all(|day| day["made"] == 1));
    assert_eq!(days[0]["forgotten"].as_array().map(Vec::len), Some(2));
    assert_eq!(days[0]["forgotten"][0]["id"], ids[0].as_str());
    assert_eq!(days[20]["live"], 4);
    assert_eq!(listed(&place, &[]).len(), 5, "a simulation changes nothing");
    let table = place.run(["policy", "simulate", "--keep-daily", "7", "--from", "2020-01-01"]);
    assert!(table.expect(0).contains("Forgotten"));
}

#[test]
fn a_forgotten_snapshot_is_no_reason_to_make_none() {
    let place = Place::with_repository();
    put(&place.path("source/a.txt"), &[1; 200]);
    let made = || {
        let words = ["backup", "-q", "--json", "--skip-if-unchanged", "source"];
        last_json(&place.run(words).expect(0))["snapshot_id"].as_str().map(str::to_owned)
    };
    let newest = made().expect("the first run makes one");
    assert_eq!(made(), None);
    place.run(["forget", &newest, "--delete-all-snapshots"]).expect(0);
    assert!(made().is_some(), "nothing that counts says what the source holds");
}

/// A run that is killed while it writes into a folder leaves half a file there.
#[test]
fn what_killed_runs_left_in_a_folder_goes_with_a_later_prune() {
    let (place, _) = five();
    let first = |folder| {
        let mut entries = std::fs::read_dir(folder).expect("a folder").flatten();
        entries.next().expect("something is in it").path()
    };
    let pack = first(first(place.path("repository/data"))).display().to_string();
    let (old, fresh) = (PathBuf::from(format!("{pack}#1")), PathBuf::from(format!("{pack}#2")));
    let put_old = || {
        put(&old, &[1; 3000]);
        let file = File::options().write(true).open(&old).expect("it is there");
        file.set_modified(SystemTime::UNIX_EPOCH + Duration::from_secs(1 << 30))
            .expect("it is set");
    };
    put_old();
    put(&fresh, &[1; 3000]);
    let dry = last_json(&place.run(["prune", "-n", "--json"]).expect(0));
    assert!(old.exists() && dry["leftovers_removed"] == 0, "{dry}");
    let done = last_json(&place.run(["prune", "--json"]).expect(0));
    assert_eq!(
        (&done["leftovers_removed"], &done["bytes_of_leftovers"]),
        (&1.into(), &3000.into())
    );
    assert!(!old.exists() && fresh.exists(), "somebody may still be writing the other");
    put_old();
    let told = place.run(["prune"]).expect(0);
    assert!(told.contains("1 half-written file of killed runs"), "{told}");
    place.run(["check", "-q", "--read-data"]).expect(0);
}

/// A client leaves in three steps, and the certificate comes only when nothing of it is left.
#[test]
fn a_client_that_leaves_is_certified_to_be_gone() {
    let (place, ids) = five();
    std::fs::create_dir(place.path("other")).expect("a folder");
    put(&place.path("other/b.txt"), &[9; 3000]);
    place
        .run(["backup", "-q", "--host", "stays", place.path("other").to_str().expect("UTF-8")])
        .expect(0);
    let host = json(&place.run(["snapshots", "--json"]).expect(0))[0]["hostname"]
        .as_str()
        .expect("a name")
        .to_owned();
    place.run(["offboard", "nobody"]).fails(2);
    assert!(place.run(["offboard", &host]).fails(2).contains("--confirm HOST"));
    let dry = last_json(&place.run(["offboard", &host, "-n", "--json"]).expect(0));
    assert_eq!((&dry["snapshots_forgotten"], &dry["evidence"]), (&Value::from(5), &Value::Null));
    let hold =
        last_json(&place.run(["hold", "add", &ids[0], "--reason", "a case", "--json"]).expect(0));
    let confirmed = ["offboard", &host, "--confirm", &host, "--json"];
    assert!(place.run(confirmed).fails(23).contains("hold"));
    assert_eq!(listed(&place, &[]).len(), 6, "what is held stops all of it");
    let id = hold["id"].as_str().expect("an id");
    place.run(["hold", "release", id, "--reason", "closed"]).expect(0);

    let begun = last_json(&place.run(confirmed).expect(0));
    assert_eq!((&begun["snapshots_forgotten"], &begun["is_destroyed"]), (&5.into(), &false.into()));
    assert_eq!(listed(&place, &[]).len(), 1);
    let waiting = last_json(&place.run(["offboard", &host, "--json"]).expect(0));
    assert_eq!((&waiting["records_left"], &waiting["is_destroyed"]), (&5.into(), &false.into()));
    assert!(waiting["bytes_left"].as_u64() > Some(0), "{waiting}");
    assert_eq!(waiting["evidence"], Value::Null, "nothing is certified yet");

    for _ in 0..2 {
        let prune = ["prune", "-q", "--grace", "0s", "--max-unused", "0%"];
        place.run(prune.iter().chain(&["--confirm-mass-delete", "1000"])).expect(0);
    }
    let done = last_json(&place.run(["offboard", &host, "--json"]).expect(0));
    assert_eq!((&done["is_destroyed"], &done["bytes_left"]), (&true.into(), &0.into()), "{done}");
    let record = done["evidence"].as_str().expect("it is certified");
    let shown = place.run(["evidence", "show", record]).expect(0);
    assert!(shown.contains("destroyed") && shown.contains(&host), "{shown}");
    let again = last_json(&place.run(["offboard", &host, "--json"]).expect(0));
    assert_eq!(again["evidence"], record, "once is enough");
    place.run(["check", "-q", "--read-data"]).expect(0);
    assert_eq!(listed(&place, &[]).len(), 1, "the other client is untouched");
}

/// A key that cannot be removed is an error, and what was done before it is on record.
#[test]
fn a_client_that_leaves_with_a_key_that_is_not_there_is_forgotten_and_recorded() {
    let (place, _) = five();
    let host = json(&place.run(["snapshots", "--json"]).expect(0))[0]["hostname"]
        .as_str()
        .expect("a name")
        .to_owned();
    let words = ["offboard", &host, "--confirm", &host, "--remove-key", "nokey"];
    let error = place.run(words).fails(2);
    assert!(error.contains("nokey"), "{error}");
    assert_eq!(listed(&place, &[]).len(), 0);
    let records = place.run(["evidence", "list"]).expect(0);
    assert!(records.contains("forgotten, 5 snapshots, 0 keys"), "{records}");
}
