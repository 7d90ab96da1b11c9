//! Hooks, environment files, commands as sources.

use std::os::unix::fs::PermissionsExt;

use serde_json::Value;

use crate::by_itself::{configure, messages, run, snapshots, status};
use crate::place::{Place, put};

/// A script that writes a line with what it was given.
fn script(place: &Place, name: &str, exit: i32) {
    let log = place.path("log");
    let text = format!(
        "#!/bin/sh\necho {name} $MAINSTAY_CLIENT $MAINSTAY_JOB $MAINSTAY_OUTCOME \
         $MAINSTAY_REASON ${{MAINSTAY_PASSWORD:-none}} $TOKEN >>{}\necho because >&2\nexit {exit}\n",
        log.display()
    );
    put(&place.path(name), text.as_bytes());
    let mode = std::fs::Permissions::from_mode(0o755);
    std::fs::set_permissions(place.path(name), mode).expect("it is ours");
}

fn log(place: &Place) -> Vec<String> {
    let text = std::fs::read_to_string(place.path("log")).unwrap_or_default();
    let _ = std::fs::remove_file(place.path("log"));
    text.lines().map(str::to_owned).collect()
}

#[test]
fn hooks_stand_around_and_get_no_secrets() {
    let place = Place::with_repository();
    for name in ["before", "after", "failed", "finally"] {
        script(&place, name, 0);
    }
    let hook = |name: &str| place.path(name).display().to_string();
    let hooks = format!(
        "[hooks]\nbefore = [\"{}\"]\nafter = [\"{}\"]\nfailed = [\"{}\"]\n\
         finally = [{{ run = \"{}\", on-failure = \"warn\" }}]",
        hook("before"),
        hook("after"),
        hook("failed"),
        hook("finally"),
    );
    configure(&place, "every 1h", &hooks);
    run(&place, &["run", "backup"]).expect(0);
    let lines =
        ["before acme backup none", "after acme backup ok none", "finally acme backup ok none"];
    assert_eq!(log(&place), lines);
    // A note of the last one, and the snapshot counts.
    script(&place, "finally", 1);
    let told = messages(&run(&place, &["run", "backup", "--json"]).expect(0));
    assert_eq!(told[1]["outcome"], "ok-with-notes");
    assert!(told[1]["detail"].as_str().is_some_and(|words| words.ends_with("1: because")));
    log(&place);
    // If the first fails, nothing is saved, and what clears up runs.
    script(&place, "before", 3);
    run(&place, &["run", "backup"]).expect(1);
    let lines = [
        "before acme backup none",
        "failed acme backup failed hook none",
        "finally acme backup failed hook none",
    ];
    assert_eq!(log(&place), lines);
    assert_eq!(snapshots(&place), 2);
    assert_eq!(status(&place)["reason"], "hook");
}

#[test]
fn what_is_done_by_hand_saves_whatever_waits_for_another_attempt() {
    let place = Place::with_repository();
    configure(&place, "every 1h", "[hooks]\nfinally = [\"false\"]");
    run(&place, &["run", "backup"]).expect(1);
    assert_eq!(snapshots(&place), 1);
    configure(&place, "every 1h", "");
    put(&place.path("source/new"), b"saved?");
    run(&place, &["run", "backup"]).expect(0);
    assert_eq!(snapshots(&place), 2);
    place.run(["cat", &place.latest("new")]).expect(0);
}

#[test]
fn a_hook_that_hangs_is_ended_with_what_it_started() {
    let place = Place::with_repository();
    let pid = place.path("pid");
    let text = format!("#!/bin/sh\nsleep 1000 &\necho $! >{}\nwait\n", pid.display());
    put(&place.path("hang"), text.as_bytes());
    let mode = std::fs::Permissions::from_mode(0o755);
    std::fs::set_permissions(place.path("hang"), mode).expect("it is ours");
    let hooks = format!(
        "[hooks]\nbefore = [{{ run = \"{}\", timeout = \"1s\" }}]",
        place.path("hang").display()
    );
    configure(&place, "every 1h", &hooks);
    let told = messages(&run(&place, &["run", "backup", "--json"]).expect(1));
    assert!(told[0]["detail"].as_str().is_some_and(|words| words.contains("longer than 1s")));
    let pid = std::fs::read_to_string(pid).expect("it was written");
    let pid: u32 = pid.trim().parse().expect("a number");
    let is_gone = (0..100).any(|_| {
        std::thread::sleep(std::time::Duration::from_millis(20));
        !crate::by_itself::is_alive(pid)
    });
    assert!(is_gone, "what the hook started is still there");
}

#[test]
fn variables_come_from_a_file_that_nobody_else_reads() {
    let place = Place::with_repository();
    script(&place, "before", 0);
    put(&place.path("acme.env"), b"# of the store\nTOKEN='a b'\n");
    let more = format!(
        "environment-file = \"acme.env\"\n[hooks]\nbefore = [\"{}\"]",
        place.path("before").display()
    );
    configure(&place, "every 1h", &more);
    run(&place, &["run", "backup"]).fails(23);
    let mode = std::fs::Permissions::from_mode(0o600);
    std::fs::set_permissions(place.path("acme.env"), mode).expect("it is ours");
    run(&place, &["run", "backup"]).expect(0);
    assert_eq!(log(&place), ["before acme backup none a b"]);
}

#[test]
fn what_a_command_prints_is_a_source_with_objectives_of_its_own() {
    let place = Place::with_repository();
    let more = "[[source]]\nname = \"db\"\ncommand = [\"printf\", \"%s\", \"a dump\"]\n\
                filename = \"shop.dump\"\nrpo = \"6h\"";
    configure(&place, "every 1h", more);
    run(&place, &["run", "--due"]).expect(0);
    let held = place.run(["cat", "latest:/shop.dump", "--tag", "source=db"]).expect(0);
    assert_eq!(held, "a dump");
    let all = messages(&run(&place, &["status", "--json"]).expect(0));
    let db = all.iter().find(|one| one["system"].as_str().is_some_and(|it| it.ends_with("/db")));
    assert_eq!(db.map(|db| db["rpo_seconds"].clone()), Some(Value::from(6 * 3600)));
    assert_eq!(all.len(), 2);
    // One source that fails leaves the other its snapshot, and only it is tried again.
    let text = std::fs::read_to_string(place.path("acme.toml")).expect("it is there");
    put(&place.path("acme.toml"), text.replace("\"printf\"", "\"false\"").as_bytes());
    let told = messages(&run(&place, &["run", "backup", "--json"]).expect(1));
    let outcomes: Vec<_> = told.iter().map(|one| one["outcome"].clone()).collect();
    assert_eq!(outcomes, ["failed", "ok", "failed"]);
    // Each system has an outcome of its own.
    let all = messages(&run(&place, &["status", "--json"]).expect(0));
    let outcomes: Vec<_> = all.iter().map(|one| one["outcome"].clone()).collect();
    assert_eq!(outcomes, ["failed", "ok"], "worst first");
    // What was saved is not saved again for the same slot.
    let before = snapshots(&place);
    run(&place, &["run", "--due"]).fails(1);
    assert_eq!(snapshots(&place), before);
}
