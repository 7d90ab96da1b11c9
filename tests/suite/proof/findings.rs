//! What closes a finding, with the real program: the test that failed or a harder one, and nothing
//! that looks like it.

use serde_json::Value;

use crate::place::{Place, last_json, put};

const GOOD: &str = "-- PostgreSQL database dump\nCREATE TABLE t (a int);\n\
                    -- PostgreSQL database dump complete\n";

/// A place with a key that proves.
struct House(Place);

impl House {
    fn new() -> Self {
        let place = Place::with_repository();
        place.run(["key", "add", "-q", "--role", "verify", "--to-key-file", "v.key"]).expect(0);
        Self(place)
    }

    fn file(&self, name: &str, content: &str) {
        put(&self.0.path("source").join(name), content.as_bytes());
    }

    fn backup(&self, host: &str) {
        self.0.run(["backup", "-q", "--host", host, "source"]).expect(0);
    }

    /// Ends a drill like this; answers its summary and what was said of an error.
    fn drill(&self, line: &str, exit: i32) -> (Value, String) {
        let words: Vec<&str> = ["drill", "--json"].into_iter().chain(line.split(' ')).collect();
        let ran = self.0.run_with_key("v.key", &words);
        let (stderr, stdout) = (ran.stderr.clone(), ran.expect(exit));
        (last_json(&stdout), stderr)
    }

    fn open(&self) -> Vec<Value> {
        let line = ["evidence", "findings", "--open", "--json"];
        let listed = self.0.run_with_key("v.key", &line).expect(0);
        let listed: Value = serde_json::from_str(&listed).expect("one array");
        listed.as_array().expect("one array").clone()
    }
}

/// The words after `drill` and a part of why the finding stays open.
const WEAKER: [(&str, &str); 7] = [
    ("--host other", "it is of other, the finding is of web1"),
    ("--kind sample", "weaker than, or other than, full"),
    ("--kind paths latest:/", "weaker than, or other than, full"),
    ("--kind index-loss", "weaker than, or other than, full"),
    ("--skip-probe dump", "it left out the probe dump"),
    ("--skip-probe meta", "it left out the probe meta"),
    ("--discard", "it dropped what it read"),
];

#[test]
fn only_a_test_that_looks_as_hard_closes_a_finding() {
    let house = House::new();
    house.backup("other");
    house.file("shop.sql", GOOD);
    house.backup("web1");
    house.file("shop.sql", &GOOD[..60]);
    house.backup("web1");
    let (failed, _) = house.drill("--host web1 --kind full", 21);
    let id = failed["evidence"].as_str().expect("a record").to_owned();
    assert_eq!(failed["outcome"], "fail", "{failed}");
    // Mended: from here on every test passes.
    house.file("shop.sql", GOOD);
    house.backup("web1");
    for (words, why) in WEAKER {
        let (weak, said) = house.drill(&format!("--retest {id} {words}"), 21);
        assert_eq!(weak["outcome"], "pass", "{words}: {weak}");
        assert!(weak["still_open"].to_string().contains(why), "{words}: {weak}");
        assert!(said.contains("E_STILL_OPEN"), "{words}: {said}");
        assert_eq!(house.open().len(), 1, "{words} closed it");
    }
    // The first snapshot was good; it is older than the one that failed.
    let listed = house.0.run(["snapshots", "--json", "--host", "web1"]).expect(0);
    let listed: Value = serde_json::from_str(&listed).expect("an array");
    let oldest = listed[0]["id"].as_str().expect("an id").to_owned();
    let (old, _) = house.drill(&format!("{oldest} --retest {id}"), 21);
    assert!(old["still_open"].to_string().contains("older than the one that failed"), "{old}");
    let tests = house.open()[0]["retests"].clone();
    assert_eq!(tests.as_array().map(Vec::len), Some(WEAKER.len() + 1));
    assert!(tests[0]["shortfalls"][0].is_string(), "{tests}");
    // What failed, once more: of the same system and kind without saying so.
    let (closed, _) = house.drill(&format!("--retest {id}"), 0);
    assert_eq!((&closed["kind"], &closed["hostname"]), (&"full".into(), &"web1".into()));
    assert_eq!(house.open(), Vec::<Value>::new());
    house.0.run(["evidence", "verify"]).expect(0);
}

#[test]
fn a_finding_of_a_file_that_is_gone_stays_open() {
    let house = House::new();
    house.file("shop.sql", &GOOD[..60]);
    house.backup("web1");
    let (failed, _) = house.drill("--host web1", 21);
    let id = failed["evidence"].as_str().expect("a record").to_owned();
    std::fs::remove_file(house.0.path("source/shop.sql")).expect("it is ours");
    house.backup("web1");
    let (gone, _) = house.drill(&format!("--retest {id}"), 21);
    assert!(gone["still_open"].to_string().contains("or is gone"), "{gone}");
    assert_eq!(house.open().len(), 1);
    // Another one that fails belongs to the same line, and one test closes both.
    house.file("shop.sql", &GOOD[..50]);
    house.backup("web1");
    house.drill(&format!("--retest {id}"), 21);
    assert_eq!(house.open().len(), 2);
    house.file("shop.sql", GOOD);
    house.backup("web1");
    house.drill(&format!("--retest {id}"), 0);
    assert_eq!(house.open(), Vec::<Value>::new());
}

#[test]
fn a_command_that_failed_is_run_again_and_what_it_printed_stays_here() {
    let house = House::new();
    put(&house.0.path("source/rows"), b"2\n");
    house.backup("web1");
    let find = "sh -c 'echo secret-of-a-client; exit $(cat $(find . -name rows))'";
    let run = |words: &[&str], exit: i32| {
        let line = [&["drill", "--json", "--kind", "full"], words].concat();
        last_json(&house.0.run_with_key("v.key", &line).expect(exit))
    };
    let failed = run(&["--command", find], 21);
    let id = failed["evidence"].as_str().expect("a record").to_owned();
    assert!(failed["findings"].to_string().contains("secret-of-a-client"), "{failed}");
    let shown = house.0.run_with_key("v.key", &["evidence", "show", &id]).expect(0);
    assert!(shown.contains("exit code 2") && !shown.contains("secret-of-a-client"), "{shown}");
    put(&house.0.path("source/rows"), b"0\n");
    house.backup("web1");
    let without = run(&["--retest", &id], 21);
    assert!(without["still_open"].to_string().contains("without the command"), "{without}");
    let other = run(&["--retest", &id, "--command", "true"], 21);
    assert!(other["still_open"].to_string().contains("another command"), "{other}");
    run(&["--retest", &id, "--command", find], 0);
    assert_eq!(house.open(), Vec::<Value>::new());
    // Where no folder is restored as it was, a command would not run, and silence is no pass.
    for line in ["--command true", "--kind full --command true --skip-probe command"] {
        let words: Vec<&str> = ["drill"].into_iter().chain(line.split(' ')).collect();
        house.0.run_with_key("v.key", &words).fails(2);
    }
    for (command, outcome) in
        [("false", "fail"), ("no-such-program", "not-proved"), ("./rows", "not-proved")]
    {
        assert_eq!(run(&["--command", command], 21)["outcome"], outcome, "{command}");
    }
}

#[test]
fn an_objective_that_is_breached_is_a_finding_until_a_drill_meets_it() {
    let house = House::new();
    house.backup("web1");
    std::thread::sleep(std::time::Duration::from_millis(1100));
    let (breached, said) = house.drill("--host web1 --rpo 1s", 22);
    assert!(breached["ticket"].is_string(), "{breached}");
    assert!(said.contains("the recovery point is beyond its objective"), "{said}");
    let open = house.open();
    assert_eq!(open.len(), 1);
    assert_eq!(open[0]["breaches"], serde_json::json!(["recovery point"]), "{open:?}");
    // Once more is the same finding; another system says nothing of it.
    house.drill("--host web1 --rpo 1s", 22);
    house.backup("other");
    house.drill("--host other --rpo 1h", 0);
    assert_eq!(house.open().len(), 1);
    house.drill("--host web1 --rto 0s", 22);
    assert_eq!(house.open().len(), 2);
    house.drill("--host web1 --kind full --rto 0s", 22);
    assert_eq!(house.open().len(), 2);
    // Nobody has to say that the new drill is for it. One second must be enough for this one.
    let met = (0..5).any(|_| {
        house.file("more", "x");
        house.backup("web1");
        house
            .0
            .run_with_key("v.key", &["drill", "-q", "--host", "web1", "--no-estimate"])
            .expect(0);
        house.open().iter().all(|one| one["breaches"] != serde_json::json!(["recovery point"]))
    });
    assert!(met, "{:?}", house.open());
    assert_eq!(house.open().len(), 1, "no restore takes no time at all");
}
