//! Options of the real program that change how it works, not what it says.

use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use engine::base::limits::{BLOCK_TARGET_BYTES, MIB, PACK_OVERSHOOT_MAX_BYTES};
use engine::base::time::{Clock, SystemClock};
use serde_json::Value;
use system_tests::compare::compare;

use crate::place::{Place, last_json, noise, put, ran};

/// Sizes of all files below a folder, in no order.
fn sizes(folder: &Path) -> Vec<u64> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).expect("a folder").flatten() {
        match entry.metadata().expect("it is there") {
            meta if meta.is_dir() => found.extend(sizes(&entry.path())),
            meta => found.push(meta.len()),
        }
    }
    found
}

#[test]
fn without_an_index_everything_can_be_read_and_nothing_stays() {
    let place = Place::with_repository();
    place.backup();
    std::fs::remove_dir_all(place.path("state")).expect("it is there");
    let part = place.latest("");
    place.run(["ls", "--no-index", "latest"]).expect(0);
    place.run(["check", "--no-index", "--read-data"]).expect(0);
    place.run(["restore", "-q", "--no-index", &part, "--target", "target"]).expect(0);
    let differences = compare(&place.path("source"), &place.path("target")).expect("readable");
    assert!(differences.is_empty(), "{differences:#?}");
    for line in [&["backup", "--no-index", "source"][..], &["index", "rebuild", "--no-index"]] {
        let words = place.run(line).fails(2);
        assert!(words.contains("--cache-dir"), "{words}");
    }
    let names = std::fs::read_dir(place.folder.path()).expect("a folder").flatten();
    let mut names: Vec<_> = names.map(|entry| entry.file_name()).collect();
    names.sort();
    assert_eq!(names, ["repository", "source", "target"]);
}

#[test]
fn a_configuration_file_stands_for_flags() {
    use std::os::unix::fs::PermissionsExt;
    let place = Place::with_repository();
    place.backup();
    std::fs::create_dir(place.path("etc")).expect("a folder");
    put(&place.path("etc/secret"), b"correct horse battery staple\n");
    let private = std::fs::Permissions::from_mode(0o600);
    std::fs::set_permissions(place.path("etc/secret"), private).expect("it is ours");
    put(
        &place.path("etc/mainstay.toml"),
        b"repo = \"../repository\"\npassword-file = \"secret\"\ncache-dir = \"../own-state\"\n",
    );
    let run = |file: &str, by_flag: bool| {
        let mut command = place.command(["snapshots", "--json"]);
        command.env_remove("MAINSTAY_PASSWORD").env_remove("MAINSTAY_REPOSITORY");
        command.env_remove("MAINSTAY_STATE_DIR");
        match by_flag {
            true => command.args(["--config", file]),
            false => command.env("MAINSTAY_CONFIG", file),
        };
        ran(&mut command)
    };
    for by_flag in [true, false] {
        let listed = run("etc/mainstay.toml", by_flag).expect(0);
        let listed: Value = serde_json::from_str(&listed).expect("JSON");
        assert_eq!(listed.as_array().map(Vec::len), Some(1));
    }
    assert!(place.path("own-state").is_dir(), "the state folder of the file was not used");
    put(&place.path("etc/wrong.toml"), b"# a misspelt name\npasword-file = \"secret\"\n");
    let words = run("etc/wrong.toml", true).fails(2);
    assert!(words.contains("line 2") && words.contains("pasword-file"), "{words}");
}

#[test]
fn in_the_background_others_go_first() {
    let place = Place::with_repository();
    let mut run = place.command(["backup", "-q", "--background", "--stdin"]);
    let mut run = run.stdin(Stdio::piped()).spawn().expect("the program can be started");
    // It steps back before anything else; threads begun later inherit it from the first.
    let steps_back = || {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", run.id())).unwrap_or_default();
        let after_name = stat.rsplit_once(')').map_or("", |(_, rest)| rest);
        after_name.split_whitespace().nth(16) == Some("19")
    };
    let is_back = (0..600).any(|_| {
        std::thread::sleep(Duration::from_millis(50));
        steps_back()
    });
    // On a busy machine the rest would take its time; that is what was asked for.
    run.kill().expect("it is ours");
    run.wait().expect("it ends");
    assert!(is_back, "it did not step back within half a minute");
}

#[test]
fn a_limited_line_takes_its_time() {
    let place = Place::with_repository();
    let clock = SystemClock::default();
    // 300,000 bytes do not get through in a second.
    let backup = ["backup", "-q", "--limit-upload", "150", "source"];
    place.run(backup).expect(0);
    let there_s = clock.monotonic().as_secs_f64();
    let part = place.latest("");
    place.run(["restore", "-q", "--limit-download", "150", &part, "--target", "t"]).expect(0);
    let back_s = clock.monotonic().as_secs_f64() - there_s;
    assert!(there_s > 1.5 && back_s > 1.5, "{there_s} s there, {back_s} s back");
    place.run(["snapshots", "--limit-upload", "0"]).fails(2);
}

#[test]
fn packs_have_the_size_that_is_wanted() {
    let place = Place::with_repository();
    put(&place.path("source/large"), &noise(20 * MIB));
    place.run(["backup", "-q", "--pack-size", "4", "--read-concurrency", "1", "source"]).expect(0);
    let packs = sizes(&place.path("repository/data"));
    // A pack may go on a little, to end where little padding is needed.
    let most = (4 * MIB + PACK_OVERSHOOT_MAX_BYTES + 2 * BLOCK_TARGET_BYTES) as u64;
    assert!(packs.len() >= 3 && packs.iter().all(|size| *size <= most), "{packs:?}");
    place.run(["check", "-q", "--read-data"]).expect(0);
    for wrong in ["3", "41M", "x"] {
        place.run(["backup", "source", "--pack-size", wrong]).fails(2);
    }
}

#[test]
fn a_benchmark_tells_the_limit_and_leaves_nothing() {
    let place = Place::with_repository();
    let before = sizes(&place.path("repository")).len();
    let mut command = place.command(["benchmark", "source", "--json"]);
    let told = last_json(&ran(command.env_remove("MAINSTAY_PASSWORD")).expect(0));
    assert_eq!(told["message_type"], "benchmark");
    let stages = told["stages"].as_array().expect("a list");
    assert_eq!((stages.len(), &stages[0]["name"]), (7, &"walking".into()));
    assert!(told["backup_bytes_per_second"].as_f64().is_some_and(|rate| rate > 0.0), "{told}");
    assert!(["source", "processor", "store"].iter().any(|limit| told["limited_by"] == *limit));
    assert_eq!(sizes(&place.path("repository")).len(), before, "something stayed in the store");
    let words = place.run(["benchmark", "nowhere"]).fails(1);
    assert!(words.contains("nowhere"), "{words}");
}

#[test]
fn a_value_that_is_empty_is_named_and_nothing_is_done() {
    let place = Place::with_repository();
    place.backup();
    let lines: [(&[&str], &str); 10] = [
        (&["backup", ""], "PATH"),
        (&["backup", "source", ""], "PATH"),
        (&["backup", "source", "--host", ""], "--host"),
        (&["backup", "source", "--exclude", ""], "--exclude"),
        (&["restore", "latest", "--target", "target", "--include", ""], "--include"),
        (&["restore", "latest", "--target", ""], "--target"),
        (&["restore", "", "--target", "target"], "SNAP"),
        (&["snapshots", "--host", ""], "--host"),
        (&["forget", "--keep-last", "1", "--path", ""], "--path"),
        (&["find", ""], "PATTERN"),
    ];
    for (line, name) in lines {
        let words = place.run(line).fails(2);
        assert!(words.contains(name), "{line:?}: {words}");
    }
    assert!(!place.path("target").exists());
    // A text may be empty, and so may what another program is called with.
    place.run(["backup", "-q", "source", "--description", ""]).expect(0);
    place.run(["backup", "-q", "--stdin-from-command", "--", "printf", "x%s", ""]).expect(0);
}

#[test]
fn conditions_that_no_snapshot_meets_are_said() {
    let place = Place::with_repository();
    place.backup();
    place.run(["tag", "add", "new", "--host", "nobody"]).fails(23);
    place.run(["find", "*", "--host", "nobody"]).fails(2);
}

/// What no reader would take is not written.
#[test]
fn texts_that_are_too_long_are_refused_before_anything_is_done() {
    let place = Place::with_repository();
    place.backup();
    let (name, label, words) = ("n".repeat(300), "l".repeat(2_000), "w".repeat(5_000));
    for line in [
        &["backup", "--stdin-filename", &name, "--stdin-from-command", "--", "printf", "x"][..],
        &["backup", "source", "--description", &words],
        &["backup", "source", "--tag", &label],
        &["key", "add", "--role", "backup", "--to-key-file", "web.key", "--label", &label],
        &["hold", "add", "latest", "--reason", &words],
    ] {
        place.run(line).fails(2);
    }
    assert!(!place.path("web.key").exists());
    place.run(["check", "-q"]).expect(0);
}

#[test]
fn state_lies_apart_from_the_repository() {
    let place = Place::with_repository();
    let repository = place.path("repository");
    for state in [repository.clone(), repository.join("state"), place.path(".")] {
        let words = ran(place.command(["snapshots"]).env("MAINSTAY_STATE_DIR", &state)).fails(2);
        assert!(words.contains("state folder") && words.contains("--cache-dir"), "{words}");
    }
    place.run(["check", "-q"]).expect(0);
}

#[test]
fn a_drill_without_room_ends_in_an_orderly_way() {
    let place = Place::with_repository();
    place.backup();
    // Enough for one file of the sample and not for the next, or for none: no more is taken.
    for quota in ["0", "1", "100"] {
        let ended = place.run(["drill", "latest", "--quota", quota]);
        assert!(matches!(ended.exit, 0 | 21), "{quota}: {} {}", ended.exit, ended.stderr);
        assert!(!ended.stderr.contains("panic"), "{}", ended.stderr);
    }
}

/// Whoever stops a password command by a signal has not typed a wrong passphrase.
#[test]
fn a_signal_during_a_password_command_is_no_wrong_password() {
    use nix::sys::signal::{Signal, kill};
    let place = Place::with_repository();
    for signal in [Signal::SIGINT, Signal::SIGTERM, Signal::SIGHUP] {
        let mut command = place.command(["snapshots", "--password-command", "sleep 60"]);
        let mut run = command
            .env_remove("MAINSTAY_PASSWORD")
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("it runs");
        std::thread::sleep(Duration::from_millis(1_500));
        let id = nix::unistd::Pid::from_raw(i32::try_from(run.id()).expect("a process"));
        kill(id, signal).expect("it is there");
        let ended = run.wait().expect("it ends");
        assert_eq!(ended.code(), Some(130), "{signal}");
    }
}
