//! Real backups under false clocks: the program's clock lies, by libfaketime, the store's does not.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, SystemTime};

use serde_json::Value;

use crate::place::{Place, Ran, is_complete, last_json, noise, put, ran};

/// False clocks: long ago, after 32 bits of seconds are over, the end of this century.
const WRONG: [&str; 3] = ["@2000-01-01 00:00:00", "@2040-06-01 12:00:00", "@2100-01-01 00:00:00"];

/// The library that lies; `None` where it is not installed and need not be.
pub(crate) fn library() -> Option<PathBuf> {
    let folders = std::fs::read_dir("/usr/lib").into_iter().flatten().flatten();
    let mut places = folders.map(|folder| folder.path().join("faketime/libfaketimeMT.so.1"));
    let found = places.find(|place| place.exists());
    assert!(found.is_some() || !is_complete(), "libfaketime is not installed (package faketime)");
    found
}

/// A command whose process sees this clock: where it begins, or how far it is off.
fn under(library: &Path, place: &Place, clock: &str, line: &[&str]) -> Command {
    let mut command = place.command(line);
    lie(&mut command, library).env("FAKETIME", clock);
    command
}

/// Waits are measured truly, and times of files are those of the disk.
fn lie<'c>(command: &'c mut Command, library: &Path) -> &'c mut Command {
    command
        .env("LD_PRELOAD", library)
        .env("NO_FAKE_STAT", "1")
        .env("DONT_FAKE_MONOTONIC", "1")
        .env("FAKETIME_DONT_FAKE_MONOTONIC", "1")
}

pub(crate) fn at(library: &Path, place: &Place, clock: &str, line: &[&str]) -> Ran {
    ran(&mut under(library, place, clock, line))
}

fn save(place: &Place, content: &str) -> String {
    put(&place.path("source/a.txt"), content.as_bytes());
    let id = place.backup()["snapshot_id"].clone();
    id.as_str().expect("an id").to_owned()
}

fn save_at(library: &Path, place: &Place, clock: &str, content: &str) -> String {
    put(&place.path("source/a.txt"), content.as_bytes());
    let saved = at(library, place, clock, &["backup", "-q", "--json", "source"]).expect(0);
    last_json(&saved)["snapshot_id"].as_str().expect("an id").to_owned()
}

fn latest(place: &Place) -> String {
    place.run(["cat", &place.latest("a.txt")]).expect(0)
}

fn listed(place: &Place) -> Vec<Value> {
    let text = place.run(["snapshots", "--json"]).expect(0);
    serde_json::from_str(&text).expect("a document")
}

fn of<'l>(list: &'l [Value], id: &str) -> &'l Value {
    list.iter().find(|one| one["id"] == id).expect("it is listed")
}

#[test]
fn the_clock_lies_and_the_last_is_the_latest() {
    let Some(library) = library() else { return };
    let place = Place::with_repository();
    let version = at(&library, &place, WRONG[0], &["snapshots", "--time", "2000-01-02"]);
    assert_eq!(version.exit, 0, "the library works: {}", version.stderr);
    save(&place, "true");
    for clock in WRONG {
        let id = save_at(&library, &place, clock, clock);
        assert_eq!(latest(&place), clock);
        let list = listed(&place);
        let one = of(&list, &id);
        assert!(one["time"].as_str().is_some_and(|time| time.starts_with(&clock[1..5])), "{one}");
        // By the store's clock it was made just now.
        assert!(!one["made"].as_str().is_some_and(|time| time.starts_with(&clock[1..5])), "{one}");
        let wrong = if clock == WRONG[0] { "behind" } else { "ahead" };
        assert_eq!(one["wrong_clock"], wrong, "{one}");
        // Afterwards as well, and what was made under it comes back.
        save(&place, "true again");
        assert_eq!(latest(&place), "true again");
        let old = format!("{id}:{}", place.path("source/a.txt").display());
        assert_eq!(place.run(["cat", &old]).expect(0), clock);
    }
    let table = place.run(["snapshots"]).expect(0);
    assert_eq!(table.matches("from the future by its own clock").count(), 2, "{table}");
    assert_eq!(table.matches("from the past by its own clock").count(), 1, "{table}");
    place.run(["check", "--read-data"]).expect(0);
}

#[test]
fn a_clock_that_goes_back_between_two_runs_changes_no_order() {
    let Some(library) = library() else { return };
    let place = Place::with_repository();
    for (number, clock) in ["+0d", "-1d", "-400d", "-399d", "-2d"].iter().enumerate() {
        save_at(&library, &place, clock, &number.to_string());
        assert_eq!(latest(&place), number.to_string(), "{clock}");
    }
    let made: Vec<_> = listed(&place).iter().map(|one| one["made"].to_string()).collect();
    assert!(made.is_sorted(), "{made:?}");
}

/// A run under a clock that a file sets, which is read anew each time.
fn begin(library: &Path, place: &Place, line: &[&str]) -> Child {
    let mut command = place.command(line);
    lie(&mut command, library)
        .env("FAKETIME_TIMESTAMP_FILE", place.path("clock"))
        .env("FAKETIME_NO_CACHE", "1")
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command.spawn().expect("it begins")
}

#[test]
fn a_clock_that_jumps_during_a_run_hurts_nothing() {
    let Some(library) = library() else { return };
    let place = Place::with_repository();
    save(&place, "true");
    for (round, jumps) in [["+27000d", "-9000d"], ["-9000d", "+27000d"]].iter().enumerate() {
        let name = format!("big{round}");
        let content: Vec<u8> =
            noise(2_000_000).iter().map(|byte| byte ^ (round as u8 + 1)).collect();
        put(&place.path("source").join(&name), &content);
        put(&place.path("clock"), b"+0d\n");
        let run = begin(
            &library,
            &place,
            &["backup", "source", "--json", "--limit-upload", "500", "--pack-size", "4"],
        );
        for jump in jumps {
            std::thread::sleep(Duration::from_millis(1300));
            put(&place.path("clock"), format!("{jump}\n").as_bytes());
        }
        let output = run.wait_with_output().expect("it ends");
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(0), "{said}");
        let summary = last_json(&String::from_utf8_lossy(&output.stdout));
        // It was measured by a clock that does not jump.
        let took_s = summary["total_duration"].as_f64().expect("a number");
        assert!((2.0..120.0).contains(&took_s), "{summary}");
        let back = place.path(&format!("back{round}"));
        let target = back.display().to_string();
        place.run(["restore", &place.latest(""), "--target", &target, "--verify"]).expect(0);
        assert!(std::fs::read(back.join(&name)).expect("it is there") == content);
    }
    place.run(["check", "--read-data"]).expect(0);
}

/// Gives everything that came into the repository since `before` a time in 2100, as a file server does
/// whose clock is wrong too.
fn move_to_2100(place: &Place, before: &BTreeSet<PathBuf>) {
    let far = SystemTime::UNIX_EPOCH + Duration::from_secs(4_102_444_800);
    for path in objects(place).difference(before) {
        let file = std::fs::File::options().append(true).open(path).expect("it is ours");
        file.set_modified(far).expect("it is ours");
    }
}

fn objects(place: &Place) -> BTreeSet<PathBuf> {
    fn add(folder: &Path, found: &mut BTreeSet<PathBuf>) {
        for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
            match entry.path() {
                path if path.is_dir() => add(&path, found),
                path => _ = found.insert(path),
            }
        }
    }
    let mut found = BTreeSet::new();
    add(&place.path("repository"), &mut found);
    found
}

#[test]
fn a_snapshot_from_the_future_by_all_clocks_is_marked_and_costs_no_genuine_one() {
    let Some(library) = library() else { return };
    let place = Place::with_repository();
    let genuine: Vec<_> = (0..6).map(|number| save(&place, &format!("genuine {number}"))).collect();
    let before = objects(&place);
    let future = save_at(&library, &place, WRONG[2], "from 2100");
    move_to_2100(&place, &before);
    let shown = place.run(["snapshots"]).expect(0);
    let row = shown.lines().find(|row| row.contains(&future[..8])).expect("it is listed");
    // Nobody knows how old it is, so nobody says that it is new.
    assert!(row.contains("  ?  ") && !row.contains(" 0s "), "{row}");
    assert!(shown.contains("from the future"), "{shown}");
    assert_eq!(of(&listed(&place), &future)["wrong_clock"], "future");
    let shown = place.run(["cat", &place.latest("a.txt")]);
    assert!(shown.stderr.contains("from the future"), "{}", shown.stderr);
    assert_eq!(shown.stdout, "genuine 5");
    let page = place.run(["doctor"]);
    assert!(page.stdout.contains("of a wrong clock"), "{}", page.stdout);
    // It counts for no rule: what the rules keep of the genuine ones is what they keep without it.
    for (rules, kept) in [(["--keep-last", "4"], 4), (["--keep-within", "7d"], 6)] {
        let line =
            [&["forget"][..], &rules, &["--confirm-mass-delete", "9", "-n", "--json"]].concat();
        let plan: Value = serde_json::from_str(&place.run(line).expect(0)).expect("a document");
        let stays = |id: &str| {
            plan[0]["keep"].as_array().is_some_and(|kept| kept.iter().any(|one| one["id"] == id))
        };
        assert_eq!(genuine.iter().filter(|id| stays(id)).count(), kept, "{rules:?}: {plan}");
        assert!(genuine[6 - kept..].iter().all(|id| stays(id)) && stays(&future), "{plan}");
    }
}

#[test]
fn rules_and_relative_times_are_refused_by_a_false_clock() {
    let Some(library) = library() else { return };
    let place = Place::with_repository();
    let ids: Vec<_> = (0..5).map(|number| save(&place, &format!("genuine {number}"))).collect();
    for clock in [WRONG[0], WRONG[1], WRONG[2], "+2d"] {
        let run = |line: &[&str]| at(&library, &place, clock, line);
        let rules = run(&["forget", "--keep-last", "1", "--confirm-mass-delete", "9"]);
        // To a clock that is behind all of them are from the future, and stay.
        assert_eq!(rules.exit, if clock == WRONG[0] { 0 } else { 23 }, "{}", rules.stderr);
        assert!(rules.exit == 0 || rules.stderr.contains("clock"), "{}", rules.stderr);
        assert_eq!(listed(&place).len(), 5);
        // Which yesterday?
        for time in ["yesterday", "today", "3d", "tuesday 18:00"] {
            let restore = ["restore", "latest", "--time", time, "--target", "wrong"];
            let words = run(&restore).fails(23);
            assert!(words.contains("the clock of this machine is"), "{time}: {words}");
            assert!(words.contains("name a date"), "{time}: {words}");
            assert!(!place.path("wrong").exists());
        }
        let shown = run(&["snapshots", "--time", "today"]);
        assert!(shown.exit == 0 && shown.stderr.contains("the clock of this machine is"));
        // An id is an id, and a date is a date.
        let old = format!("{}:{}", ids[2], place.path("source/a.txt").display());
        assert_eq!(run(&["cat", &old]).expect(0), "genuine 2");
        let tomorrow = listed(&place)[4]["made"].as_str().expect("a time")[..10].to_owned();
        let dated = run(&["cat", &place.latest("a.txt"), "--time", &tomorrow]);
        assert_eq!(dated.expect(0), "genuine 4");
        assert!(!run(&["doctor"]).stdout.contains("FAILED   packs"));
        assert_ne!(run(&["doctor"]).exit, 0);
    }
    // With the right clock they mean what they say.
    let restore = ["restore", "latest", "--time", "today", "--target", "right"];
    place.run(restore).expect(0);
    assert!(place.run(["restore", "latest", "--time", "yesterday", "--target", "x"]).exit == 2);
}
