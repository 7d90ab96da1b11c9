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
use system_tests::scale::tell;

use crate::place::{Place, Ran, noise, put, ran};

mod cases;

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
        self.double.set(rule.clone());
        let began = Instant::now();
        let run = self.run(arguments);
        let took = began.elapsed();
        let wrong_count = self.double.heal();
        let said = format!("{shown}\nexit {}\n{}\n{}", run.exit, run.stdout, run.stderr);
        // Of these lines the table in docs/TESTING.md is made.
        tell(&format!("answer {:?} to {:?}: {} of {arguments:?}", rule.wrong, rule.kind, run.exit));
        assert!(took < LONGEST, "{took:?}: {said}");
        assert!(EXITS.contains(&run.exit), "{said}");
        assert!(!run.stderr.contains("panic"), "{said}");
        let has_words = run.stderr.contains("error: ") || run.stderr.contains("exit_error");
        assert!(run.exit == 0 || has_words, "{said}");
        assert!(run.exit == 0 || wrong_count > 0, "{said}");
        let is_listing = ["snapshots", "ls", "find"].contains(&arguments[0]);
        assert!(
            run.exit != 0 || !is_listing || run.stdout == healthy,
            "{said}\nhealthy: {healthy}"
        );
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
