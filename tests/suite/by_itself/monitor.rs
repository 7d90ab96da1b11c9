//! What monitors hear.

use serde_json::Value;

use crate::by_itself::{configure, run};
use crate::place::{Place, last_json, put};

fn check(place: &Place, words: &[&str], exit: i32) -> String {
    let line: Vec<_> = ["status", "--check"].iter().chain(words).copied().collect();
    run(place, &line).expect(exit)
}

#[test]
fn each_state_has_its_word_and_its_code_in_each_form() {
    let place = Place::with_repository();
    configure(&place, "every 1h", "host = \"web1\"\n[objectives]\nrpo = \"2h\"");
    assert!(check(&place, &[], 3).starts_with("MAINSTAY: UNKNOWN\n"));
    run(&place, &["run", "--due"]).expect(0);
    assert_eq!(check(&place, &[], 0), "MAINSTAY: OK\n1 of 1 system well\n");
    let nagios = check(&place, &["--format", "nagios"], 0);
    let (words, figures) = nagios.split_once(" | ").expect("figures");
    assert_eq!(words, "MAINSTAY OK - 1 of 1 system well");
    assert!(
        figures.starts_with("'acme/web1/files'=71")
            || figures.starts_with("'acme/web1/files'=7200")
    );
    assert!(figures.trim_end().ends_with("s;;0:;;7200 'systems'=1"), "{figures}");
    let datto = check(&place, &["--format", "datto"], 0);
    let lines: Vec<_> = datto.lines().collect();
    assert_eq!(lines[0], "<-Start Result->");
    assert_eq!(lines[1], "MAINSTAY=OK: 1 of 1 system well");
    assert_eq!(lines[2], "<-End Result->");
    assert_eq!(lines.last(), Some(&"<-End Diagnostic->"));
    // The objective is over before the next backup, and then over.
    configure(&place, "every 1h", "host = \"web1\"\n[objectives]\nrpo = \"1s\"");
    std::thread::sleep(std::time::Duration::from_secs(3));
    let plain = check(&place, &[], 2);
    assert!(plain.starts_with("MAINSTAY: CRITICAL\n"), "{plain}");
    assert!(plain.contains("CRITICAL acme web1/files: its objective is breached by "), "{plain}");
    check(&place, &["--format", "datto"], 1);
    check(&place, &["--exit-map", "ok=0,crit=3"], 3);
    let told: Value = last_json(&check(&place, &["--format", "json"], 2));
    assert_eq!(told["state"], "CRITICAL");
    assert_eq!(told["complaints"][0]["system"], "web1/files");
    run(&place, &["status", "--check", "--exit-map", "crit=9"]).fails(2);
    run(&place, &["status", "--format", "nagios"]).fails(2);
}

#[test]
fn what_cannot_be_read_is_not_known() {
    let place = Place::with_repository();
    put(&place.path("acme.toml"), b"client = 7\n");
    let said = check(&place, &["--format", "nagios"], 3);
    assert!(said.starts_with("MAINSTAY UNKNOWN - 0 of 0 systems well | 'systems'=0\n"), "{said}");
    assert!(said.contains("acme.toml, line 1"), "{said}");
    std::fs::remove_file(place.path("acme.toml")).expect("it is there");
    check(&place, &[], 3);
    // A state that is no database.
    configure(&place, "every 1h", "");
    run(&place, &["run", "--due"]).expect(0);
    let folder = std::fs::read_dir(place.path("state/agent")).expect("a folder").flatten().next();
    let state = folder.expect("one client").path().join("agent.sqlite");
    put(&state, &[7; 5000]);
    for end in ["-wal", "-shm"] {
        let mut name = state.clone().into_os_string();
        name.push(end);
        let _ = std::fs::remove_file(name);
    }
    assert!(check(&place, &[], 3).contains("cannot be used"));
}
