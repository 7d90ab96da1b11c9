//! What proves nothing is no pass, with the real program: emptied folders, pages about nobody.

use serde_json::Value;

use crate::place::{Place, last_json, put};

fn drill(place: &Place, words: &[&str], exit: i32) -> Value {
    last_json(&place.run([&["drill", "--json"], words].concat()).expect(exit))
}

fn fill(place: &Place, count: u32) {
    let source = place.path("source");
    drop(std::fs::remove_dir_all(&source));
    std::fs::create_dir_all(&source).expect("a folder");
    for number in 0..count {
        put(&source.join(number.to_string()), &[number as u8; 3000]);
    }
    place.run(["backup", "-q", "--allow-empty", "source"]).expect(0);
}

fn says(summary: &Value, why: &str) -> bool {
    summary["outcome"] == "not-proved" && summary["findings"].to_string().contains(why)
}

#[test]
fn a_snapshot_that_shrank_is_not_proved_until_somebody_says_that_it_is_right() {
    let place = Place::with_repository();
    fill(&place, 50);
    // Nothing was drilled yet: what was there before is known from the snapshots.
    fill(&place, 20);
    fill(&place, 20);
    for kind in ["sample", "full"] {
        let shrunk = drill(&place, &["--kind", kind], 21);
        assert!(says(&shrunk, "are expected, as snapshots before it had"), "{shrunk}");
    }
    drill(&place, &["--expect-files", "21"], 21);
    drill(&place, &["--expect-bytes", "60001"], 21);
    drill(&place, &["--expect-files", "20", "--expect-bytes", "60000"], 0);
    // That drill is what is known now.
    drill(&place, &[], 0);
    fill(&place, 10);
    drill(&place, &[], 0);
    fill(&place, 4);
    let shrunk = drill(&place, &["--kind", "full"], 21);
    assert!(says(&shrunk, "are expected, as the last drill that passed has shown"), "{shrunk}");
    // Of nothing nobody can say that it is enough.
    fill(&place, 0);
    for words in [&["--kind", "full"][..], &["--expect-files", "0"], &["--kind", "kit"]] {
        if words != ["--kind", "kit"] {
            assert!(says(&drill(&place, words, 21), "it has no file"), "{words:?}");
        }
    }
    for number in 0..50 {
        put(&place.path("source").join(number.to_string()), b"");
    }
    place.run(["backup", "-q", "source"]).expect(0);
    assert!(says(&drill(&place, &[], 21), "all its files are empty"));
}

#[test]
fn a_dump_or_a_document_that_is_empty_and_was_not_is_lost() {
    let place = Place::with_repository();
    fill(&place, 50);
    let names = ["shop.sql", "db.sqlite3", "letter.docx", "always.sql"];
    let set = |content: &[u8]| {
        for name in &names[..3] {
            put(&place.path("source").join(name), content);
        }
        put(&place.path("source/always.sql"), b"");
        put(&place.path("source/queue.txt"), content);
        place.run(["backup", "-q", "source"]).expect(0);
    };
    set(b"");
    // Nobody knows of anything that was in them.
    let before = drill(&place, &["--kind", "full"], 0);
    assert!(before["findings"].to_string().contains("it is empty"), "{before}");
    set(b"select 1;");
    set(b"");
    let lost = drill(&place, &["--files", "1"], 21);
    let paths: Vec<&str> = lost["findings"]
        .as_array()
        .expect("findings")
        .iter()
        .filter(|it| it["not_proved"] == false)
        .filter_map(|it| it["path"].as_str()?.rsplit('/').next())
        .collect();
    assert_eq!(paths, ["db.sqlite3", "letter.docx", "shop.sql"], "{lost}");
    drill(&place, &["--files", "1", "--skip-probe", "kind"], 0);
}

#[test]
fn a_folder_beside_is_another_source_and_makes_no_alarm() {
    let place = Place::with_repository();
    fill(&place, 50);
    drill(&place, &["--kind", "full"], 0);
    std::fs::create_dir(place.path("small")).expect("a folder");
    put(&place.path("small/file"), b"one");
    place.run(["backup", "-q", "small"]).expect(0);
    drill(&place, &["--kind", "full"], 0);
}

#[test]
fn no_report_is_made_of_nobody_or_of_a_time_without_anything() {
    let place = Place::with_repository();
    let report = |words: &[&str], exit: i32| {
        let line = [&["report", "sla", "--format", "json", "--out", "r"], words].concat();
        let ran = place.run(line);
        assert_eq!(place.path("r.json").exists(), ran.exit == 0, "{words:?}");
        drop(std::fs::remove_file(place.path("r.json")));
        match exit {
            0 => ran.expect(0),
            _ => ran.fails(exit),
        }
    };
    assert!(report(&[], 2).contains("the repository holds no snapshot"));
    put(&place.path("systems.toml"), b"[[system]]\nhost = 'stated'\n");
    report(&["--systems", "systems.toml"], 0);
    place.run(["backup", "-q", "--host", "web1", "source"]).expect(0);
    report(&[], 0);
    report(&["--host", "web1"], 0);
    for words in [&["--host", "nosuch"][..], &["--host", "web1", "--host", "Web1"]] {
        assert!(report(words, 2).contains("there are: web1"), "{words:?}");
    }
    let early = report(&["--from", "2020-01-01", "--to", "2020-02-01"], 2);
    assert!(early.contains("nothing is known of any system from 2020"), "{early}");
    assert!(report(&["--from", "2990-01-01", "--to", "2990-02-01"], 2).contains("has not begun"));
    report(&["--from", "2d", "--to", "2990-02-01"], 0);
    let sample = ["report", "sample", "--n", "1", "--seed", "s", "--host", "nosuch"];
    assert!(place.run(sample).fails(2).contains("there are: web1"));
}
