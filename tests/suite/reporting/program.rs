//! Reports with the real program: from a backup to files that are handed over, and an auditor's draw.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value;

struct Place {
    folder: tempfile::TempDir,
}

impl Place {
    fn new() -> Self {
        let place = Self { folder: tempfile::tempdir().expect("a temporary folder can be made") };
        for number in 0..20_u8 {
            let bytes: Vec<u8> = (0..60_000_u32).map(|n| (n * 7 / 3) as u8 ^ number).collect();
            put(&place.path(&format!("source/f{number}")), &bytes);
        }
        place.expect("init -q --no-probe --kdf-memory 64MiB --kit kit.txt", 0);
        place.expect("backup -q --host web1 source", 0);
        put(&place.path("source/more"), b"a little more");
        place.expect("backup -q --host <b>web2</b> source", 0);
        place
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.path(name)).expect("it is there")
    }

    /// Standard output of a run that must end like this.
    fn expect(&self, line: &str, exit: i32) -> String {
        let ran = Command::new(env!("CARGO_BIN_EXE_victim"))
            .args(line.split(' ').map(|word| word.replace('_', " ")))
            .env_clear()
            .env("MAINSTAY_REPOSITORY", self.path("repository"))
            .env("MAINSTAY_STATE_DIR", self.path("state"))
            .env("MAINSTAY_PASSWORD", "correct horse battery staple")
            .env("USER", "kim")
            .env("TMPDIR", self.folder.path())
            .current_dir(self.folder.path())
            .stdin(Stdio::null())
            .output()
            .expect("the program can be started");
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let (stdout, stderr) = (text(&ran.stdout), text(&ran.stderr));
        assert_eq!(ran.status.code(), Some(exit), "{line}: stdout: {stdout}\nstderr: {stderr}");
        stdout
    }

    fn json(&self, line: &str, exit: i32) -> Value {
        let said = self.expect(line, exit);
        serde_json::from_str(said.lines().last().unwrap_or_default()).expect("JSON")
    }
}

fn put(path: &Path, bytes: &[u8]) {
    std::fs::create_dir_all(path.parent().expect("a folder")).expect("it can be made");
    std::fs::write(path, bytes).expect("a file");
}

/// Figures of a JSON report, by id.
fn figures(report: &Value) -> BTreeMap<String, Value> {
    let sections = report["sections"].as_array().expect("sections");
    let blocks = sections.iter().filter_map(|it| it["blocks"].as_array()).flatten();
    let figures = blocks.filter_map(|it| it["figures"].as_array()).flatten();
    figures.map(|it| (it["id"].as_str().unwrap_or_default().to_owned(), it.clone())).collect()
}

#[test]
fn a_report_is_made_handed_over_and_drawn_from() {
    let place = Place::new();
    place.expect("drill -q --host web1 --files 5", 0);
    let made = place.json(
        "report compliance --client Acme_Ltd --every 1d --rpo 26h --from 2d \
         --format html,pdf,json,csv --out q3 --json",
        0,
    );
    assert_eq!(made["headline"], "1 of 2 systems recoverable at L4+, no finding");
    assert_eq!(made["files"].as_array().map(Vec::len), Some(4));
    let page = place.read("q3.html");
    assert!(page.contains("Acme Ltd") && page.contains("&lt;b&gt;web2&lt;/b&gt;"));
    assert!(!page.contains("<b>web2"));
    let report: Value = serde_json::from_str(&place.read("q3.json")).expect("JSON");
    let figures = figures(&report);
    assert_eq!(figures["runs.ok"]["value"], 2);
    assert_eq!(figures["drills.passed"]["value"], 1);
    assert_eq!(figures["drills.passed"]["evidence"]["count"], 1);
    // No file is overwritten, and nothing is left of what was begun.
    place.expect("report sla --format html,csv --out q3", 2);
    place.expect("report sla --format html,json --out q4", 0);
    place.expect("report sla --format pdf,json --out q4", 2);
    assert!(!place.path("q4.pdf").exists());
    draw_again(&place);
    let line =
        "evidence export -q --to q3.zip --add q3.html --add q3.pdf --add q3.json --add q3.csv";
    place.expect(line, 0);
    let key = report["fingerprint"].as_str().expect("a fingerprint");
    place.expect(&format!("evidence verify -q q3.zip --key {key}"), 0);
    let bundle = std::fs::read(place.path("q3.zip")).expect("it is there");
    let files = restore_verify::evidence::container::read(&bundle).expect("it is a bundle");
    assert_eq!(files["reports/q3.html"], page.as_bytes());
}

/// The program that stands in the document, over the CSV of a report.
fn draw_again(place: &Place) {
    let drawn = place.expect("report sample --every 1d --from 2d --n 1 --seed 2026-Q3", 0);
    let document = include_str!("../../../docs/REPORTS.md");
    let program = document.split("```python\n").nth(1).and_then(|rest| rest.split("```").next());
    put(&place.path("draw.py"), program.expect("it is in the document").as_bytes());
    let ran = Command::new("python3")
        .args([OsStr::new("draw.py"), OsStr::new("q3.csv"), OsStr::new("2026-Q3"), OsStr::new("1")])
        .current_dir(place.folder.path())
        .output()
        .expect("python3 is there");
    let said = String::from_utf8_lossy(&ran.stdout).into_owned();
    assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
    let by_python: Vec<&str> = said.split_whitespace().take(2).collect();
    let row = drawn.lines().nth(1).expect("a run was drawn");
    let by_program: Vec<&str> = row.split(',').take(2).map(|cell| cell.trim_matches('"')).collect();
    assert_eq!(by_program, by_python);
}

#[test]
fn a_finding_goes_through_ticket_fix_and_new_test_and_the_report_tells() {
    let place = Place::new();
    let data = place.path("repository/data");
    let pack = walk(&data).into_iter().next().expect("there is a pack");
    let bytes = std::fs::read(&pack).expect("it can be read");
    std::fs::remove_file(&pack).expect("it can be removed");
    let drill = place.json("drill --host web1 --json", 21);
    let id = drill["evidence"].as_str().expect("a record").to_owned();
    place.expect("report recoverability --format json --out before.json", 0);
    put(&pack, &bytes);
    let note = format!("evidence note --finding {id} --fixed pack_brought_back --json");
    let steps = place.json(&note, 0)["steps"].clone();
    let fixed = steps.as_array().and_then(|steps| steps.last()).expect("a step");
    assert_eq!((&fixed["step"], &fixed["actor"]), (&"fixed".into(), &"kim".into()));
    let passed = place.json(&format!("drill --host web1 --retest {id} --json"), 0);
    place.expect("report recoverability --format json --out after.json", 0);
    let open = |name: &str| {
        let report: Value = serde_json::from_str(&place.read(name)).expect("JSON");
        let headline = report["headline"].as_str().unwrap_or_default().to_owned();
        (figures(&report)["incidents.open"]["value"].clone(), headline, report)
    };
    let (before, headline, _) = open("before.json");
    assert_eq!(before, 1);
    assert!(headline.contains("1 finding, open"), "{headline}");
    let (after, headline, report) = open("after.json");
    assert_eq!(after, 0);
    assert!(headline.contains("1 finding, closed"), "{headline}");
    let text = report.to_string();
    assert!(text.contains("pack brought back") && text.contains(&id));
    assert!(text.contains(passed["evidence"].as_str().expect("a record")));
    // Of what did not fail nobody can say that it is fixed.
    let other = passed["evidence"].as_str().expect("a record");
    place.expect(&format!("evidence note --finding {other} --fixed x"), 2);
}

fn walk(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("it can be listed").path();
        if path.is_dir() { found.extend(walk(&path)) } else { found.push(path) }
    }
    found
}

#[test]
fn what_cannot_be_is_refused_before_anything_is_written() {
    let place = Place::new();
    put(&place.path("wrong.toml"), b"[[system]]\nhost = 'a'\nrto = 'soon'\n");
    for line in [
        "report sla --from 2026-02-01 --to 2026-01-01 --out x",
        "report sla --systems wrong.toml --out x",
        "report sla --systems missing.toml --out x",
        "report sla --price -1 --out x",
        "report sla --currency EUR --out x",
        "report sla --format html,pdf --out -",
        "report sla --format docx --out x",
        "report sample --n 3 --out x",
        "report",
    ] {
        place.expect(line, 2);
        assert!(!place.path("x.html").exists() && !place.path("x").exists(), "{line}");
    }
    assert_eq!(place.expect("report schema", 0), include_str!("../../../docs/report.schema.json"));
    let page = place.expect("report insurer --out -", 0);
    assert!(page.starts_with("<!DOCTYPE html>"), "{page}");
    let text = place.expect("report qbr --client ../Acme", 0);
    assert!(text.contains("---acme-qbr-"), "{text}");
}
