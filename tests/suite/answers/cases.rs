//! Wrong answers one by one, and what must be said of each.

use std::time::{Duration, Instant};

use system_tests::double::Kind;
use system_tests::double::wrong::{Rule, Wrong};

use crate::answers::World;

const ALWAYS: u64 = u64::MAX;

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

#[test]
fn a_listing_without_an_end_is_the_stores_fault_and_waits_for_nobody() {
    let world = World::new();
    let endless =
        Rule { kind: Kind::List, key: "", wrong: Wrong::PagesForEver, after: 0, times: ALWAYS };
    for line in [&["snapshots"][..], &["check", "--read-data"], &["prune"]] {
        world.double.reset(&world.objects);
        world.double.set(endless.clone());
        world.forget_state();
        let said = world.run(line).fails(24);
        assert!(said.contains("does not come to an end") && said.contains("  try: "), "{said}");
    }
}

#[test]
fn a_store_that_confirms_deletions_and_keeps_the_objects_is_found_out() {
    let world = World::new();
    let kept =
        Rule { kind: Kind::Delete, key: "", wrong: Wrong::NoContent204, after: 0, times: ALWAYS };
    let forget = ["forget", "--keep-last", "1", "--confirm-mass-delete", "9"];
    world.run(&forget).expect(0);
    world.double.set(kept);
    let said = world.run(&["prune", "--grace", "0s"]).fails(24);
    assert!(said.contains("confirms that it is deleted, and still has it"), "{said}");
    assert!(said.contains("  try: "), "{said}");
    world.double.heal();
    world.run(&["prune", "--grace", "0s"]).expect(0);
    world.expect_whole(false, "a prune that deleted nothing");
}

/// The words are ours: those of the library name its own types.
#[test]
fn answers_that_cannot_be_used_are_described() {
    let world = World::new();
    // What was stored in spite of its receipt is read back, and counts.
    let rule = Rule { kind: Kind::Put, key: "", wrong: Wrong::NoEtag, after: 0, times: ALWAYS };
    world.double.set(rule);
    world.run(&["backup", "source", "--tag", "t"]).expect(0);
    world.double.heal();
    world.expect_whole(true, "receipts without an ETag");
    let data = world.objects.keys().filter(|key| key.contains("/data/"));
    let largest = data.max_by_key(|key| world.objects[*key].len()).expect("there is one");
    let key: &'static str = Box::leak(largest.clone().into_boxed_str());
    for (wrong, words) in
        [(Wrong::WholeForPart, "it is the whole of it"), (Wrong::OtherRange, "it begins at byte")]
    {
        world.double.reset(&world.objects);
        world.forget_state();
        world.double.set(Rule { kind: Kind::Get, key, wrong, after: 0, times: ALWAYS });
        let run = world.run(&["restore", "latest", "--target", "out"]);
        let shown = format!("{wrong:?}: exit {}\n{}", run.exit, run.stderr);
        // Another object can be read, so this costs what is in the one.
        assert_eq!(run.exit, 20, "{shown}");
        assert!(run.stderr.contains("b.bin") && run.stderr.contains(words), "{shown}");
    }
}

/// Restarts of servers and hours of much work take minutes; that is no reason to lose a night.
#[test]
fn a_store_that_is_busy_for_a_minute_ends_no_backup() {
    let world = World::new();
    let busy = Rule { kind: Kind::Put, key: "", wrong: Wrong::SlowDown, after: 1, times: ALWAYS };
    world.double.set(busy);
    let healed = std::thread::scope(|scope| {
        let healer = scope.spawn(|| {
            std::thread::sleep(Duration::from_secs(62));
            world.double.heal()
        });
        let run = world.run(&["backup", "source"]);
        let said = format!("exit {}\n{}", run.exit, run.stderr);
        assert_eq!(run.exit, 0, "{said}");
        assert!(said.contains("503 SlowDown") && said.contains("trying again (60 s)"), "{said}");
        healer.join().expect("it heals")
    });
    assert!(healed > 5, "{healed}");
    world.expect_whole(true, "a store that was busy");
}
