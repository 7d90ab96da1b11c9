//! What machines record in the store: outcomes, folded ones, configurations.

use serde_json::Value;

use crate::by_itself::{configure, messages, run};
use crate::clocks;
use crate::place::{Place, put};

fn outcomes(place: &Place, words: &[&str]) -> Vec<Value> {
    let all = ["outcomes", "--json"].iter().chain(words).copied();
    messages(&place.run(all).expect(0))
}

fn field(all: &[Value], name: &str) -> Vec<String> {
    let text =
        |one: &Value| one[name].as_str().map_or_else(|| one[name].to_string(), str::to_owned);
    all.iter().map(text).collect()
}

/// A repository whose machine has a key of its own that can make backups and nothing else.
fn with_machine() -> Place {
    let place = Place::with_repository();
    let words = ["--role", "backup", "--to-key-file", "web1.key", "--client-host", "web1"];
    place.run(["key", "add"].iter().chain(&words)).expect(0);
    configure(&place, "every 1h", "host = \"web1\"\nkey-file = \"web1.key\"");
    place
}

#[test]
fn the_store_knows_how_jobs_ended_also_of_those_that_failed() {
    let place = with_machine();
    std::fs::rename(place.path("source"), place.path("away")).expect("it is there");
    run(&place, &["run", "backup"]).fails(2);
    std::fs::rename(place.path("away"), place.path("source")).expect("it is there");
    run(&place, &["run", "backup"]).expect(0);
    let told = outcomes(&place, &[]);
    assert_eq!(field(&told, "outcome"), ["failed", "ok"]);
    assert_eq!(field(&told, "reason"), ["settings", "null"]);
    assert_eq!(field(&told, "number"), ["0", "1"]);
    assert_eq!(field(&told, "name"), ["web1", "web1"]);
    assert_eq!(field(&told, "source"), ["files", "files"]);
    let listed = place.run(["snapshots", "--json"]).expect(0);
    let listed: Value = serde_json::from_str(&listed).expect("JSON");
    assert_eq!(told[1]["snapshot"], listed[0]["id"]);
    assert_eq!(outcomes(&place, &["--failed"]).len(), 1);
    assert_eq!(outcomes(&place, &["--host", "web2"]).len(), 0);
    assert_eq!(outcomes(&place, &["--job", "check"]).len(), 0);
    // The machine's own key reads them, too, and no name of a file is in them.
    let own = place.run_with_key("web1.key", &["outcomes", "--json"]).expect(0);
    assert_eq!(messages(&own).len(), 2);
    assert!(!own.contains("source\":\"/") && !own.contains(&place.path("").display().to_string()));
    // What is known once is not told again, and an outcome that cannot be told is not lost.
    run(&place, &["run", "--due"]).expect(0);
    std::fs::rename(place.path("repository"), place.path("elsewhere")).expect("it is there");
    run(&place, &["run", "backup"]).fails(10);
    std::fs::rename(place.path("elsewhere"), place.path("repository")).expect("it is there");
    run(&place, &["run", "backup"]).expect(0);
    let told = outcomes(&place, &[]);
    let counted = |word: &str| told.iter().filter(|one| one["outcome"] == word).count();
    assert_eq!((counted("failed"), counted("ok")), (2, told.len() - 2), "{told:#?}");
    assert!(told.iter().any(|one| one["reason"] == "no-repository"), "{told:#?}");
    place.run(["check"]).expect(0);
}

#[test]
fn old_outcomes_are_folded_and_their_numbers_go_on() {
    let place = with_machine();
    for _ in 0..34 {
        run(&place, &["run", "backup"]).expect(0);
    }
    let count = |place: &Place| {
        let hours = std::fs::read_dir(place.path("repository/run")).expect("a folder");
        let files =
            |hour: std::fs::DirEntry| std::fs::read_dir(hour.path()).map_or(0, Iterator::count);
        hours.flatten().map(files).sum::<usize>()
    };
    assert_eq!(count(&place), 34);
    place.run(["prune"]).expect(0);
    assert_eq!(count(&place), 34, "none of them is old");
    // In forty days they are.
    let Some(library) = clocks::library() else { return };
    clocks::at(&library, &place, "+40d", &["prune", "--grace", "0s"]).expect(0);
    assert_eq!(count(&place), 0);
    let told = outcomes(&place, &[]);
    assert_eq!(told.len(), 34);
    run(&place, &["run", "backup"]).expect(0);
    let told = outcomes(&place, &[]);
    assert_eq!(told.last().map(|one| one["number"].clone()), Some(Value::from(34)));
    place.run(["check"]).expect(0);
}

#[test]
fn a_lost_machine_gets_its_configuration_back_and_starts_nothing_by_that() {
    let place = with_machine();
    let script = place.path("hook.sh");
    put(&script, b"#!/bin/sh\necho ran >>\"$0.log\"\n");
    let hooks = format!("[hooks]\nbefore = [\"sh {}\"]", script.display());
    configure(&place, "every 1h", &format!("host = \"web1\"\nkey-file = \"web1.key\"\n{hooks}"));
    run(&place, &["run", "backup"]).expect(0);
    let log = place.path("hook.sh.log");
    assert!(log.exists());
    std::fs::remove_file(&log).expect("it is there");
    // A key that makes backups cannot read it; neither can it be found in the store.
    place.run_with_key("web1.key", &["config", "stored"]).fails(12);
    let listed = messages(&place.run(["config", "stored", "--json"]).expect(0));
    assert_eq!(listed.len(), 1);
    assert_eq!(listed[0]["host"], "web1");
    // Each version that differs is one.
    run(&place, &["run", "backup"]).expect(0);
    assert_eq!(messages(&place.run(["config", "stored", "--json"]).expect(0)).len(), 1);
    std::fs::remove_file(&log).expect("it is there");
    let text = std::fs::read(place.path("acme.toml")).expect("it is there");
    put(&place.path("acme.toml"), &[text.as_slice(), b"spread = \"1m\"\n"].concat());
    run(&place, &["run", "backup"]).expect(0);
    assert_eq!(messages(&place.run(["config", "stored", "--json"]).expect(0)).len(), 2);
    std::fs::remove_file(&log).expect("it is there");
    place.run(["config", "stored", "--host", "web1", "--to", "back.toml"]).expect(0);
    place.run(["config", "stored", "--host", "web1", "--to", "back.toml"]).fails(2);
    place.run(["config", "stored", "--host", "web9", "--to", "other.toml"]).fails(2);
    let back = std::fs::read_to_string(place.path("back.toml")).expect("it is there");
    assert!(back.contains("spread = \"1m\"") && back.contains("unconfirmed = true"), "{back}");
    let checked = place.run(["config", "check", "--config", "back.toml"]);
    assert!(checked.exit == 0 && checked.stderr.contains("unconfirmed"), "{}", checked.stderr);
    place.run(["run", "backup", "--config", "back.toml"]).expect(0);
    assert!(!log.exists(), "a hook ran that nobody confirmed");
    let confirmed = back.replace("unconfirmed = true\n", "");
    put(&place.path("back.toml"), confirmed.as_bytes());
    place.run(["run", "backup", "--config", "back.toml"]).expect(0);
    assert!(log.exists());
}

#[test]
fn commands_of_a_configuration_that_came_back_stay_off() {
    let place = with_machine();
    let text = "client = \"acme\"\nrepo = \"repository\"\nkey-file = \"web1.key\"\nhost = \"web1\"\n\
                unconfirmed = true\n[[source]]\nname = \"db\"\ncommand = \"touch made\"\n";
    put(&place.path("acme.toml"), text.as_bytes());
    let ended = run(&place, &["run", "backup", "--json"]);
    assert_eq!(ended.exit, 2, "{}", ended.stderr);
    let told = messages(&ended.stdout);
    assert!(told[0]["detail"].as_str().is_some_and(|words| words.contains("not confirmed")));
    assert!(!place.path("made").exists());
    let text = "client = \"acme\"\nrepo = \"repository\"\npassword-command = \"touch made\"\n\
                unconfirmed = true\n[[source]]\nname = \"f\"\npaths = [\"source\"]\n";
    put(&place.path("acme.toml"), text.as_bytes());
    run(&place, &["run", "backup"]).fails(23);
    assert!(!place.path("made").exists());
}

#[test]
fn a_hook_can_say_not_this_time() {
    let place = with_machine();
    let hooks = "[hooks]\nbefore = [\"sh -c 'echo asleep >&2; exit 75'\"]\n\
                 failed = [\"touch failed\"]\nafter = [\"touch after\"]\nfinally = [\"touch finally\"]";
    configure(&place, "every 1h", &format!("host = \"web1\"\nkey-file = \"web1.key\"\n{hooks}"));
    // Nothing was saved, which no exit code 0 may hide.
    let told = messages(&run(&place, &["run", "--due", "--json"]).expect(3));
    assert_eq!(field(&told, "outcome"), ["skipped"]);
    assert!(told[0]["detail"].as_str().is_some_and(|words| words.contains("asleep")));
    let there = ["failed", "after", "finally"].map(|name| place.path(name).exists());
    assert_eq!(there, [false, false, true]);
    assert_eq!(field(&outcomes(&place, &[]), "outcome"), ["skipped"]);
    assert_eq!(messages(&run(&place, &["run", "--due", "--json"]).expect(0)).len(), 0);
}

#[test]
fn a_line_that_is_paid_by_the_byte_is_left_alone() {
    let place = with_machine();
    let fake = |answer: &str| {
        std::fs::create_dir_all(place.path("bin")).expect("a folder");
        put(&place.path("bin/busctl"), format!("#!/bin/sh\necho '{answer}'\n").as_bytes());
        use std::os::unix::fs::PermissionsExt;
        let mode = std::fs::Permissions::from_mode(0o755);
        std::fs::set_permissions(place.path("bin/busctl"), mode).expect("it is ours");
    };
    let due = || {
        let mut command = place.command(["run", "--due", "--json", "--config", "acme.toml"]);
        command.env("PATH", format!("{}:/usr/bin:/bin", place.path("bin").display()));
        messages(&crate::place::ran(&mut command).expect(0))
    };
    fake("u 3");
    let with = |rule: &str| {
        configure(&place, "every 1h", "host = \"web1\"\nkey-file = \"web1.key\"");
        let text = std::fs::read(place.path("acme.toml")).expect("it is there");
        put(
            &place.path("acme.toml"),
            &[&text, format!("on-metered = \"{rule}\"\n").as_bytes()].concat(),
        );
    };
    with("defer");
    assert_eq!(due().len(), 0);
    with("skip");
    assert_eq!(due().len(), 0);
    let told = outcomes(&place, &[]);
    assert_eq!(
        (field(&told, "outcome"), field(&told, "reason")),
        (vec!["skipped".into()], vec!["metered".into()])
    );
}
