//! What happens by itself, with the real program: configurations, slots, runs, hooks, what is suspicious.

mod agent;
mod day;
mod importing;
mod monitor;
mod around;
mod killed;
mod machines;
mod outcomes;

use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use serde_json::Value;

use crate::place::{Place, last_json};
use crate::place::{Ran, put};

/// The smallest file, with something of its own behind it.
fn configure(place: &Place, backup: &str, more: &str) {
    let text = format!(
        "client = \"acme\"\nrepo = \"repository\"\n{more}\n[[source]]\nname = \"files\"\n\
         paths = [\"source\"]\n[schedule]\nbackup = \"{backup}\"\n"
    );
    put(&place.path("acme.toml"), text.as_bytes());
}

fn run(place: &Place, words: &[&str]) -> Ran {
    place.run(words.iter().copied().chain(["--config", "acme.toml"]))
}

fn status(place: &Place) -> Value {
    last_json(&run(place, &["status", "--json"]).expect(0))
}

fn messages(text: &str) -> Vec<Value> {
    text.lines().map(|line| serde_json::from_str(line).expect("a message")).collect()
}

fn snapshots(place: &Place) -> usize {
    let listed = place.run(["snapshots", "--json"]).expect(0);
    let listed: Value = serde_json::from_str(&listed).expect("JSON");
    listed.as_array().map_or(0, Vec::len)
}

#[test]
fn what_is_due_runs_once_and_status_says_so() {
    let place = Place::with_repository();
    configure(&place, "30 1 * * *", "host = \"web1\"\n[objectives]\nrpo = \"26h\"");
    let before = status(&place);
    assert_eq!(before["outcome"], Value::Null);
    assert_eq!(before["last_success"], Value::Null);
    let told = messages(&run(&place, &["run", "--due", "--json"]).expect(0));
    assert_eq!(told.len(), 2, "the system and the run: {told:#?}");
    assert_eq!((&told[0]["system"], &told[0]["outcome"]), (&"web1/files".into(), &"ok".into()));
    assert_eq!(messages(&run(&place, &["run", "--due", "--json"]).expect(0)).len(), 0);
    assert_eq!(snapshots(&place), 1);
    let after = status(&place);
    assert_eq!(after["client"], "acme");
    assert_eq!(after["system"], "web1/files");
    assert_eq!(after["outcome"], "ok");
    assert_eq!(after["snapshot"], told[0]["snapshot"]);
    assert_eq!(after["rpo_seconds"], 26 * 3600);
    assert!(after["rpo_left_seconds"].as_i64().is_some_and(|left| left > 25 * 3600));
    assert!(after["next"].as_str().is_some_and(|next| next.contains("T01:30:00+")));
    // By hand it runs whether or not it is due.
    run(&place, &["run", "backup"]).expect(0);
    assert_eq!(snapshots(&place), 2);
    let listed =
        place.run(["snapshots", "--json", "--tag", "source=files", "-H", "web1"]).expect(0);
    assert_eq!(
        serde_json::from_str::<Value>(&listed).expect("JSON").as_array().map(Vec::len),
        Some(2)
    );
}

#[test]
fn slots_are_shown_through_the_odd_nights() {
    let place = Place::empty();
    let slots = |zone: &str, calendar: &str, from: &str| -> Vec<(String, String)> {
        configure(&place, calendar, &format!("time-zone = \"{zone}\""));
        let words = ["schedule", "next", "--json", "--count", "3", "--from", from];
        let told = messages(&run(&place, &words).expect(0));
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        told.iter().map(|slot| (text(&slot["slot"]), text(&slot["at"]))).collect()
    };
    let pairs = |pairs: [(&str, &str); 3]| {
        pairs.map(|(slot, at)| (slot.to_owned(), at.to_owned())).to_vec()
    };
    assert_eq!(
        slots("Europe/London", "30 1 * * *", "2027-03-27T00:00:00Z"),
        pairs([
            ("2027-03-27T01:30:00Z", "2027-03-27T01:30:00+00:00"),
            ("2027-03-28T01:00:00Z", "2027-03-28T02:00:00+01:00"),
            ("2027-03-29T00:30:00Z", "2027-03-29T01:30:00+01:00"),
        ])
    );
    assert_eq!(
        slots("Europe/Berlin", "02:30", "2027-10-30T00:30:00Z"),
        pairs([
            ("2027-10-30T00:30:00Z", "2027-10-30T02:30:00+02:00"),
            ("2027-10-31T00:30:00Z", "2027-10-31T02:30:00+02:00"),
            ("2027-11-01T01:30:00Z", "2027-11-01T02:30:00+01:00"),
        ])
    );
    let late = run(&place, &["schedule", "next", "--from", "tomorrow"]).fails(2);
    assert!(late.contains("--from"), "{late}");
}

#[test]
fn what_makes_no_sense_is_named_and_keeps_nobody_else_from_a_backup() {
    let place = Place::with_repository();
    let check = |text: &str| {
        put(&place.path("acme.toml"), text.as_bytes());
        run(&place, &["config", "check"])
    };
    check("client = \"a\"\nrepo = \"r\"\nkey-file = \"k\"\n[[source]]\nname = \"f\"\npaths = [\"/\"]\n\
           [schedule]\nbackup = \"30 1 * * *\"\n")
    .expect(0);
    for (text, words) in [
        ("client = \"a\"\n[[source]]\nname = \"x\"\npath = [\"/\"]\n", "did you mean `paths`?"),
        ("client = \"a\"\n[schedule]\nbakcup = \"daily\"\n", "did you mean `backup`?"),
        ("client = \"a\"\n[schedule]\nbackup = \"daily\"\n", "there is no [[source]]"),
        ("client = \"a\"\n[schedule]\ncheck = \"nightly\"\n", "schedule.check"),
        (
            "client = \"a\"\n[schedule]\nforget = { after = \"prune\" }\n",
            "prune, which has no entry",
        ),
        (
            "client = \"a\"\n[schedule]\nforget = { after = \"prune\" }\nprune = { after = \"forget\" }\n",
            "comes after itself",
        ),
        ("client = \"a\"\n[schedule]\nforget = \"daily\"\n", "[retention]"),
        ("client = \"a\"\n[schedule]\ncheck = \"daily\"\nwindow = \"22-6\"\n", "22:00-06:00"),
        ("client = \"a\"\n[schedule]\ncheck = { calendar = \"daily\", every = \"1h\" }\n", "both"),
        ("client = \"a\"\n[schedule]\ncheck = {}\n", "does not say when"),
        ("client = \"a\"\n[schedule]\nspread = \"1 hour\"\n", "span of time"),
        ("client = \"a\"\ntime-zone = \"Mars\"\n", "no time zone"),
        ("client = \" \"\n", "client"),
        ("[schedule]\ncheck = \"daily\"\n", "client: is missing"),
        ("client = \"a\"\n[[source]]\nname = \"x\"\n", "neither paths nor a command"),
        ("client = \"a\"\n[hooks]\nbefore = [\"a 'b\"]\n", "quote"),
        ("client = \"a\"\n[hooks]\nbefore = [{ run = \"a\", on-failure = \"panic\" }]\n", "panic"),
    ] {
        let said = check(text).fails(2);
        assert!(said.contains(words), "{text}: {said}");
    }
    // Of a folder every file is looked at, and a good one has its night.
    std::fs::create_dir(place.path("clients")).expect("a folder");
    put(&place.path("clients/bad.toml"), b"client = 7\n");
    configure(&place, "every 1h", "");
    let good = std::fs::read(place.path("acme.toml")).expect("it is there");
    let good = String::from_utf8_lossy(&good).replace("\"repository\"", "\"../repository\"");
    put(&place.path("clients/good.toml"), good.replace("\"source\"", "\"../source\"").as_bytes());
    let said = place.run(["config", "check", "--config", "clients"]);
    assert!(said.stdout.contains("good.toml: ok"), "{}", said.stdout);
    assert!(said.fails(2).contains("bad.toml, line 1"));
    place.run(["run", "--due", "--config", "clients"]).fails(2);
    assert_eq!(snapshots(&place), 1);
    // One client in two files would run twice.
    std::fs::copy(place.path("clients/good.toml"), place.path("clients/again.toml"))
        .expect("copied");
    let said = place.run(["config", "check", "--config", "clients"]).fails(2);
    assert!(said.contains("name the same client and repository"), "{said}");
}

#[test]
fn the_schema_and_what_is_in_force_are_shown() {
    let place = Place::empty();
    let schema = place.run(["config", "schema"]).expect(0);
    let schema: Value = serde_json::from_str(&schema).expect("JSON");
    for name in ["client", "source", "schedule", "hooks", "retention", "repo"] {
        assert!(schema["properties"][name].is_object(), "{name}");
    }
    configure(&place, "every 6h", "time-zone = \"Europe/Berlin\"");
    let shown = run(&place, &["config", "show"]).expect(0);
    // What is shown is a configuration again.
    put(&place.path("acme.toml"), shown.as_bytes());
    let again = run(&place, &["config", "show"]).expect(0);
    assert_eq!(shown, again);
    assert!(shown.contains(&place.path("source").display().to_string()), "{shown}");
    let shown = run(&place, &["config", "show", "--json"]).expect(0);
    assert_eq!(serde_json::from_str::<Value>(&shown).expect("JSON")["client"], "acme");
}

#[test]
fn a_night_that_fails_says_why_and_is_tried_again_only_if_that_can_help() {
    let place = Place::with_repository();
    configure(&place, "every 1h", "[objectives]\nrpo = \"1h\"");
    std::fs::rename(place.path("repository"), place.path("elsewhere")).expect("moved");
    run(&place, &["run", "--due"]).fails(10);
    assert_eq!(status(&place)["reason"], "no-repository");
    assert_eq!(status(&place)["rpo_left_seconds"], Value::Null);
    // A disk that is not mounted yet: that can pass.
    run(&place, &["run", "--due"]).fails(10);
    std::fs::rename(place.path("elsewhere"), place.path("repository")).expect("moved");
    run(&place, &["run", "backup"]).expect(0);
    assert_eq!(status(&place)["outcome"], "ok");
    // A path that is not there is a mistake in the file.
    std::fs::rename(place.path("source"), place.path("other")).expect("moved");
    run(&place, &["run", "backup"]).fails(2);
    let now = status(&place);
    assert_eq!((&now["outcome"], &now["reason"]), (&"failed".into(), &"settings".into()));
    assert!(now["last_success"].is_string(), "the snapshot before is still there to restore from");
    put(&place.path("acme.env"), b"AWS_ACCESS_KEY_ID=a\nAWS_SECRET_ACCESS_KEY=b\nAWS_REGION=c\n");
    let private = std::fs::Permissions::from_mode(0o600);
    std::fs::set_permissions(place.path("acme.env"), private).expect("it is ours");
    // The store cannot be reached: that can pass, so the slot waits for another attempt.
    let text = std::fs::read_to_string(place.path("acme.toml")).expect("it is there");
    let text = text.replace(
        "repo = \"repository\"",
        "repo = \"s3://b/p\"\nendpoint = \"http://127.0.0.1:1\"\nconnect-timeout = \"1s\"\nenvironment-file = \"acme.env\"",
    );
    put(&place.path("acme.toml"), text.as_bytes());
    std::fs::rename(place.path("other"), place.path("source")).expect("moved");
    run(&place, &["run", "--due"]).fails(24);
    let now = status(&place);
    assert_eq!((&now["outcome"], &now["reason"]), (&"failed".into(), &"store".into()));
    // A pass that finds it waiting has not done it either.
    assert!(run(&place, &["run", "--due"]).fails(24).contains("next attempt"));
    let next: jiff::Timestamp =
        now["next"].as_str().and_then(|it| it.parse().ok()).expect("a time");
    let minutes = (next.as_second() - jiff::Timestamp::now().as_second()) / 60;
    assert!((3..=5).contains(&minutes), "the next attempt is in {minutes} minutes");
}

#[test]
fn what_follows_a_job_runs_after_it_and_all_of_it() {
    let place = Place::with_repository();
    let text = "client = \"acme\"\nrepo = \"repository\"\n[[source]]\nname = \"files\"\n\
                paths = [\"source\"]\n[retention]\nkeep-daily = 7\n[schedule]\nbackup = \"daily\"\n\
                forget = { after = \"backup\" }\nprune = { after = \"forget\", on = \"any\" }\n\
                check = { after = \"backup\" }\ndrill = { after = \"backup\", every = \"7d\" }\n";
    put(&place.path("acme.toml"), text.as_bytes());
    let told = messages(&run(&place, &["run", "--due", "--json"]).expect(0));
    let runs = told.iter().filter(|one| one.get("system").is_none());
    let jobs: Vec<_> = runs.map(|one| one["job"].as_str().unwrap_or_default()).collect();
    assert_eq!(jobs, ["backup", "forget", "prune", "check", "drill"]);
    assert_eq!(run(&place, &["run", "--due", "--json"]).expect(0), "");
    // The next slot has all but the drill, which has time.
    run(&place, &["run", "backup"]).expect(0);
    let told = messages(&run(&place, &["run", "--due", "--json"]).expect(0));
    let jobs: Vec<_> = told.iter().map(|one| one["job"].as_str().unwrap_or_default()).collect();
    assert_eq!(jobs, ["forget", "prune", "check"]);
    // What is left out because the job before did not end well is written down.
    std::fs::rename(place.path("source"), place.path("other")).expect("moved");
    run(&place, &["run", "backup"]).fails(2);
    std::fs::rename(place.path("other"), place.path("source")).expect("moved");
    run(&place, &["run", "--due"]).expect(0);
    let jobs = status(&place)["jobs"].clone();
    let forget =
        jobs.as_array().and_then(|all| all.iter().find(|job| job["job"] == "forget").cloned());
    let forget = forget.expect("it is there");
    assert_eq!((&forget["outcome"], &forget["reason"]), (&"skipped".into(), &"before".into()));
    assert!(run(&place, &["status"]).expect(0).contains("acme: forget skipped (before)"));
    // A job that is no backup and fails is seen in the text, too.
    let tree = place.path("repository/tree");
    std::fs::rename(&tree, place.path("tree")).expect("moved");
    run(&place, &["run", "check"]).fails(20);
    let shown = run(&place, &["status"]).expect(0);
    assert!(shown.contains("acme: check failed (damage)"), "{shown}");
}

#[test]
fn a_success_that_differs_too_much_is_suspicious() {
    let place = Place::with_repository();
    configure(&place, "every 1h", "");
    for number in 0..60 {
        let name = format!("source/folder/file {number}");
        put(&place.path(&name), format!("{number}\n").repeat(4000).as_bytes());
    }
    run(&place, &["run", "backup"]).expect(0);
    run(&place, &["run", "backup"]).expect(0);
    let good = status(&place)["snapshot"].clone();
    for number in 0..40 {
        let name = format!("source/folder/file {number}");
        std::fs::remove_file(place.path(&name)).expect("it is there");
    }
    let told = messages(&run(&place, &["run", "backup", "--json"]).expect(3));
    assert_eq!((&told[0]["outcome"], &told[0]["reason"]), (&"suspicious".into(), &"change".into()));
    assert!(told[0]["detail"].as_str().is_some_and(|words| words.contains("63")), "{told:#?}");
    let now = status(&place);
    assert_eq!(now["outcome"], "suspicious");
    assert_eq!(now["snapshot"], good, "what is suspicious is not what one restores from");
    let listed = place.run(["snapshots", "--json"]).expect(0);
    let listed: Value = serde_json::from_str(&listed).expect("JSON");
    let has = |id: &Value, test: &dyn Fn(&Value) -> bool| {
        listed.as_array().is_some_and(|all| all.iter().any(|one| one["id"] == *id && test(one)))
    };
    assert!(has(&good, &|one| one["held_by"].is_array()), "the last good one is held: {listed:#?}");
    let tagged = |one: &Value| one["tags"].to_string().contains("suspicious");
    assert!(has(&told[0]["snapshot"], &tagged), "{listed:#?}");
}

/// Whether a process of this id is there.
fn is_alive(pid: u32) -> bool {
    Path::new(&format!("/proc/{pid}")).exists()
}
