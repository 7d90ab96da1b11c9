//! Every command against a store that answers wrongly: never lost data, a panic, an endless wait,
//! or success with a wrong result.
//!
//! Each wrong answer is given to each kind of request, while a few commands run, others for each
//! pair; `MAINSTAY_TEST_ANSWERS=all` runs all commands for all pairs. What an answer wrongly says
//! twice is over at the third time; what no repetition helps against stays.

#![expect(clippy::disallowed_methods, reason = "how long a program really took is the question")]

use std::path::Path;
use std::time::{Duration, Instant};

use system_tests::compare::compare;
use system_tests::double::wrong::{Rule, Wrong};
use system_tests::double::{Double, Kind, Objects};

use crate::place::{Place, Ran, noise, put, ran};

/// Commands, each with whether it leaves all objects where they are.
const COMMANDS: [(&[&str], bool); 11] = [
    (&["snapshots", "--json"], true),
    (&["ls", "latest"], true),
    (&["find", "c.txt"], true),
    (&["stats"], true),
    (&["key", "list"], true),
    (&["restore", "latest", "--target", "out"], true),
    (&["check"], true),
    (&["check", "--read-data"], true),
    (&["backup", "source"], false),
    (&["forget", "--keep-last", "1", "--confirm-mass-delete", "9"], false),
    (
        &["forget", "--keep-last", "1", "--confirm-mass-delete", "9", "--prune", "--grace", "0s"],
        false,
    ),
];

/// How many of them each pair meets, unless all are wanted.
const USUAL_COMMANDS: usize = 2;
/// Documented exit codes that a store can be the reason for.
const EXITS: [i32; 11] = [0, 1, 2, 3, 10, 12, 20, 22, 23, 24, 25];
/// No run takes longer: two repetitions, on a machine that has much to do.
const LONGEST: Duration = Duration::from_secs(60);

struct World {
    place: Place,
    double: Double,
    objects: Objects,
    /// The held snapshot, which nothing may lose.
    held: String,
    run_count: usize,
}

impl World {
    fn new() -> Self {
        let (place, double) = (Place::empty(), Double::start());
        for (name, content) in
            [("a.txt", vec![b'a'; 100]), ("folder/b.bin", noise(300_000)), ("folder/c.txt", vec![])]
        {
            let path = place.path("source").join(name);
            std::fs::create_dir_all(path.parent().expect("it has one")).expect("a folder");
            put(&path, &content);
        }
        let mut world =
            Self { place, double, objects: Objects::new(), held: String::new(), run_count: 0 };
        let open = ["init", "--no-probe", "--kdf-memory", "64MiB"];
        ran(world.place_command(&open).env_remove("MAINSTAY_KEY_FILE")).expect(0);
        let line = ["key", "add", "--role", "admin", "--to-key-file", "admin.key"];
        ran(world.place_command(&line).env_remove("MAINSTAY_KEY_FILE")).expect(0);
        for number in 0..3 {
            put(&world.place.path("source/a.txt"), format!("version {number}").as_bytes());
            world.run(&["backup", "-q", "source"]).expect(0);
            if number == 0 {
                let held = ["hold", "add", "latest", "--reason", "a test"];
                world.run(&held).expect(0);
                let listed = world.run(&["snapshots", "--json"]).expect(0);
                let listed: serde_json::Value = serde_json::from_str(&listed).expect("JSON");
                world.held = listed[0]["id"].as_str().expect("an id").to_owned();
            }
        }
        world.objects = world.double.objects();
        world
    }

    fn place_command(&self, arguments: &[&str]) -> std::process::Command {
        let mut command = self.place.command(arguments);
        command
            .env("MAINSTAY_REPOSITORY", "s3://bucket/repo")
            .env("AWS_ENDPOINT_URL", &self.double.endpoint)
            .env("AWS_ACCESS_KEY_ID", "key")
            .env("AWS_SECRET_ACCESS_KEY", "secret")
            .env("MAINSTAY_KEY_FILE", self.place.path("admin.key"));
        command
    }

    fn run(&self, arguments: &[&str]) -> Ran {
        ran(self.place_command(arguments).env_remove("MAINSTAY_PASSWORD"))
    }

    /// Forgets what this machine knows, so that everything is asked of the store.
    fn forget_state(&self) {
        for name in ["state", "out"] {
            // The first time there is none.
            let _ = std::fs::remove_dir_all(self.place.path(name));
        }
    }

    /// What the command does when nothing is wrong.
    fn healthy(&self, arguments: &[&str]) -> String {
        self.double.reset(&self.objects);
        self.forget_state();
        self.run(arguments).expect(0)
    }

    fn try_one(&mut self, rule: Rule, command: (&[&str], bool), healthy: &str) {
        let (arguments, is_harmless) = command;
        let shown = format!("{rule:?} during {arguments:?}");
        self.run_count += 1;
        self.double.reset(&self.objects);
        self.forget_state();
        self.double.set(rule);
        let began = Instant::now();
        let run = self.run(arguments);
        let took = began.elapsed();
        let wrong_count = self.double.heal();
        let said = format!("{shown}\nexit {}\n{}\n{}", run.exit, run.stdout, run.stderr);
        assert!(took < LONGEST, "{took:?}: {said}");
        assert!(EXITS.contains(&run.exit), "{said}");
        assert!(!run.stderr.contains("panic"), "{said}");
        let has_words = run.stderr.contains("error: ") || run.stderr.contains("exit_error");
        assert!(run.exit == 0 || has_words, "{said}");
        assert!(run.exit == 0 || wrong_count > 0, "{said}");
        let is_listing = ["snapshots", "ls", "find"].contains(&arguments[0]);
        assert!(run.exit != 0 || !is_listing || run.stdout == healthy, "{said}");
        if arguments[0] == "restore" && run.exit == 0 {
            self.expect_restored(&self.place.path("out"), &said);
        }
        if is_harmless {
            let now = self.double.objects();
            let lost = self.objects.iter().find(|(key, object)| now.get(*key) != Some(*object));
            assert!(lost.is_none(), "{:?} is not what it was: {said}", lost.map(|(key, _)| key));
        } else if wrong_count > 0 {
            self.expect_whole(run.exit == 0 && arguments[0] == "backup", &said);
        }
    }

    /// Everything that must be there is there and restores.
    fn expect_whole(&self, is_new: bool, said: &str) {
        self.forget_state();
        let listed = self.run(&["snapshots", "--json"]);
        assert_eq!(listed.exit, 0, "{said}\nafterwards: {}", listed.stderr);
        let listed: serde_json::Value = serde_json::from_str(&listed.stdout).expect("JSON");
        let ids: Vec<_> = listed.as_array().into_iter().flatten().map(|one| &one["id"]).collect();
        assert!(ids.iter().any(|id| *id == &self.held), "the held one is gone: {said}");
        assert!(!is_new || ids.len() == 4, "a backup that was reported is not there: {said}");
        let check = self.run(&["check", "--read-data"]);
        assert_eq!(check.exit, 0, "{said}\nafterwards: {}{}", check.stdout, check.stderr);
        let restored = self.run(&["restore", "latest", "--target", "out"]);
        assert_eq!(restored.exit, 0, "{said}\nafterwards: {}", restored.stderr);
        self.expect_restored(&self.place.path("out"), said);
    }

    fn expect_restored(&self, out: &Path, said: &str) {
        let source = self.place.path("source");
        let inside = out.join(source.strip_prefix("/").expect("it is absolute"));
        let found = if inside.exists() { inside } else { out.to_owned() };
        let differences = compare(&source, &found).expect("both can be read");
        assert!(differences.is_empty(), "{differences:?}: {said}");
    }
}

#[expect(clippy::disallowed_methods, reason = "tests take options from the environment")]
fn all_are_wanted() -> bool {
    std::env::var_os("MAINSTAY_TEST_ANSWERS").is_some_and(|value| value == "all")
}

/// Whether repeating the request would not help.
fn stays(wrong: Wrong) -> bool {
    matches!(
        wrong,
        Wrong::Redirect
            | Wrong::Forbidden
            | Wrong::BadSignature
            | Wrong::ExpiredToken
            | Wrong::Skewed
            | Wrong::NoBucket
            | Wrong::Quota
            | Wrong::Archived
            | Wrong::FlippedBit
            | Wrong::Drip
    )
}

fn run_all(kind: Kind) {
    let mut world = World::new();
    let healthy: Vec<String> =
        COMMANDS.iter().map(|(arguments, _)| world.healthy(arguments)).collect();
    let mut turn = kind as usize;
    for wrong in Wrong::ALL {
        let count = if all_are_wanted() { COMMANDS.len() } else { USUAL_COMMANDS };
        for _ in 0..count {
            let at = turn % COMMANDS.len();
            let times = if stays(wrong) { u64::MAX } else { 2 };
            // Not always the first request: what comes later finds the command half done.
            let after = (turn / COMMANDS.len() % 3) as u64;
            let rule = Rule { kind, key: "", wrong, after, times };
            world.try_one(rule, COMMANDS[at], &healthy[at]);
            turn += 1;
        }
    }
    assert!(world.run_count >= Wrong::ALL.len() * USUAL_COMMANDS);
}

#[test]
fn wrong_answers_to_reading() {
    run_all(Kind::Get);
}

#[test]
fn wrong_answers_to_listing() {
    run_all(Kind::List);
}

#[test]
fn wrong_answers_to_writing() {
    run_all(Kind::Put);
}

#[test]
fn wrong_answers_to_deleting() {
    run_all(Kind::Delete);
}

/// Sends SIGTERM to a run that waits, and says how long it took to end, and how.
fn terminated(mut run: std::process::Child, wait: Duration) -> (Duration, Option<i32>) {
    std::thread::sleep(wait);
    assert!(run.try_wait().expect("it can be asked").is_none(), "it does not wait");
    let pid = rustix::process::Pid::from_child(&run);
    rustix::process::kill_process(pid, rustix::process::Signal::TERM).expect("it is ours");
    let began = Instant::now();
    let ended = run.wait().expect("it ends");
    (began.elapsed(), ended.code())
}

#[test]
fn a_signal_is_answered_while_the_store_hangs() {
    let world = World::new();
    let hang = |kind| Rule { kind, key: "", wrong: Wrong::Hang, after: 0, times: u64::MAX };
    for (kind, arguments) in [
        (Kind::List, ["snapshots", "-q"]),
        (Kind::Put, ["backup", "source"]),
        (Kind::Get, ["check", "--read-data"]),
    ] {
        world.double.reset(&world.objects);
        world.forget_state();
        world.double.set(hang(kind));
        let mut command = world.place_command(&arguments);
        command.env_remove("MAINSTAY_PASSWORD");
        let (took, exit) = terminated(command.spawn().expect("it runs"), Duration::from_secs(4));
        assert!(took < Duration::from_millis(2_300), "{arguments:?}: {took:?}");
        assert_eq!(exit, Some(130), "{arguments:?}");
        world.double.heal();
        world.expect_whole(false, &format!("{arguments:?} was stopped"));
    }
}

#[test]
fn one_object_at_which_the_store_fails_costs_what_is_in_it() {
    let world = World::new();
    let data: Vec<_> = world.objects.keys().filter(|key| key.contains("/data/")).cloned().collect();
    // Of the pack with `b.bin`, which is the largest.
    let largest = data.iter().max_by_key(|key| world.objects[*key].len()).expect("there is one");
    let key: &'static str = Box::leak(largest.clone().into_boxed_str());
    for (wrong, words) in [
        (Wrong::InternalError, "500 InternalError"),
        (Wrong::Archived, "is archived"),
        (Wrong::Forbidden, "403 AccessDenied"),
        (Wrong::Status(400, "KMS.DisabledException"), "400 KMS.DisabledException"),
        (Wrong::Status(405, "MethodNotAllowed"), "405 MethodNotAllowed"),
        (Wrong::Status(409, "Conflict"), "409 Conflict"),
        (Wrong::Status(409, "OperationAborted"), "409 OperationAborted"),
        (Wrong::Status(416, "InvalidRange"), "416 InvalidRange"),
        (Wrong::Status(501, "NotImplemented"), "501 NotImplemented"),
        (Wrong::Redirect, "redirect with status 307"),
    ] {
        world.double.reset(&world.objects);
        world.forget_state();
        world.double.set(Rule { kind: Kind::Get, key, wrong, after: 0, times: u64::MAX });
        let restore = world.run(&["restore", "latest", "--target", "out"]);
        let shown = format!("{wrong:?}: exit {}\n{}", restore.exit, restore.stderr);
        assert_eq!(restore.exit, 20, "{shown}");
        assert!(restore.stderr.contains("b.bin") && restore.stderr.contains(words), "{shown}");
        let source = world.place.path("source");
        let out = world.place.path("out").join(source.strip_prefix("/").expect("it is absolute"));
        let a = std::fs::read(out.join("a.txt")).expect("what lies elsewhere is restored");
        assert_eq!(a, b"version 2", "{shown}");
        let check = world.run(&["check", "--read-data"]);
        let shown = format!("{wrong:?}: exit {}\n{}{}", check.exit, check.stdout, check.stderr);
        assert_eq!(check.exit, 20, "{shown}");
        assert!(check.stdout.contains("b.bin") && check.stdout.contains(words), "{shown}");
        // Archived objects must be brought back by somebody, who needs the list of them.
        let name = key.rsplit('/').next().unwrap_or(key);
        let is_told = check.stdout.contains(name) && restore.stderr.contains(name);
        assert!(wrong != Wrong::Archived || is_told, "{shown}\n{}", restore.stderr);
        assert!(
            wrong != Wrong::Archived || check.stderr.contains("back from the archive"),
            "{shown}"
        );
    }
}

#[test]
fn no_answer_of_a_store_is_a_mistake_of_whoever_typed_the_command() {
    let world = World::new();
    for kind in [Kind::List, Kind::Get] {
        for wrong in [
            Wrong::Status(400, "InvalidRequest"),
            Wrong::Status(405, "MethodNotAllowed"),
            Wrong::Status(410, "Gone"),
            Wrong::Status(501, "NotImplemented"),
            Wrong::Redirect,
        ] {
            world.double.reset(&world.objects);
            world.forget_state();
            world.double.set(Rule { kind, key: "", wrong, after: 0, times: u64::MAX });
            let said = world.run(&["snapshots"]).fails(24);
            assert!(said.contains("  try: "), "{kind:?} {wrong:?}: {said}");
        }
    }
}

/// Anybody who may write can put them there.
#[test]
fn keys_that_are_no_paths_stop_nobody_and_are_named() {
    let world = World::new();
    let mut objects = world.objects.clone();
    let any = objects.values().next().expect("there are objects").clone();
    let odd = ["snap//junk", "data/./x", "tree/../y", "", "index/a\u{1}b", "keys/"];
    for key in odd {
        objects.insert(format!("repo/{key}"), any.clone());
    }
    world.double.reset(&objects);
    world.forget_state();
    for line in [&["snapshots"][..], &["backup", "source"], &["prune"], &["ls", "latest"]] {
        world.run(line).expect(0);
    }
    let check = world.run(&["check", "--read-data"]);
    let said = format!("{}{}", check.stdout, check.stderr);
    assert_eq!(check.exit, 0, "{said}");
    assert!(!said.contains("more than once"), "{said}");
    // At the location itself is what shows it as a folder.
    for key in odd.into_iter().filter(|key| !key.is_empty()) {
        let shown = key.replace('\u{1}', "\\x01");
        let line = format!("the store holds {shown}, which is no part of this repository");
        assert!(said.contains(&line), "{key:?}: {said}");
    }
}

#[test]
fn a_listing_that_repeats_keys_is_taken_once_and_said_once() {
    let world = World::new();
    let twice = Rule { kind: Kind::List, key: "", wrong: Wrong::Twice, after: 0, times: u64::MAX };
    world.double.set(twice);
    world.forget_state();
    world.run(&["snapshots"]).expect(0);
    let check = world.run(&["check"]);
    let said = format!("{}{}", check.stdout, check.stderr);
    assert_eq!(check.exit, 0, "{said}");
    assert_eq!(said.matches("more than once").count(), 1, "{said}");
}
