//! What is refused before anything is dumped: tools that do not fit a server, passwords on command lines.

use std::os::unix::fs::PermissionsExt;

use crate::databases::servers::{database, double, with_doubles};
use crate::hostile::machine::Machine;

#[test]
fn a_client_that_is_older_than_its_server_is_refused() {
    let machine = Machine::new();
    double(&machine, "psql", "cat >/dev/null; echo 990002; echo '99.2 (Debian)'");
    let words = ["dump", "--preset", "postgresql", "--source", "shop"];
    let failed = with_doubles(&machine, words).expect(1).stderr;
    assert!(failed.contains("older than its server"), "{failed}");
    assert!(failed.contains("/usr/lib/postgresql/99/bin"), "{failed}");
    double(&machine, "mariadb", "cat >/dev/null; echo 99.8.2-MariaDB");
    let words = ["dump", "--preset", "mariadb", "--source", "shop"];
    let failed = with_doubles(&machine, words).expect(1).stderr;
    assert!(failed.contains("the server of version 99.8"), "{failed}");
    assert!(failed.contains("install the client of version 99.8 or newer"), "{failed}");
    let failed =
        database(&machine, ["dump", "--preset", "mongodb", "--source", "shop"]).expect(2).stderr;
    assert!(failed.contains("mongodump --archive"), "{failed}");
}

#[test]
fn no_password_comes_from_a_command_line_or_an_open_file() {
    let machine = Machine::new();
    for (preset, word) in
        [("mariadb", "-psecret"), ("mariadb", "--password=secret"), ("postgresql", "-W")]
    {
        let words = ["dump", "--preset", preset, "--source", "x", "--", word];
        let failed = database(&machine, words).expect(2).stderr;
        assert!(failed.contains("--login-file") && !failed.contains("secret"), "{failed}");
    }
    let words = ["dump", "--preset", "postgresql", "--source", "x", "--server", "me:secret@host"];
    let failed = database(&machine, words).expect(2).stderr;
    assert!(failed.contains("--login-file") && !failed.contains("secret"), "{failed}");
    let file = machine.put("login.cnf", b"[client]\npassword=secret\n");
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o644)).expect("it is ours");
    let words = ["dump", "--preset", "mariadb", "--source", "x", "--login-file", "login.cnf"];
    database(&machine, words).expect(23);
    // One that nobody else can read goes along first, and nothing of it is an argument.
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o600)).expect("it is ours");
    double(&machine, "mariadb", "echo \"$@\" >>said; env >>said; echo 'Access denied' >&2; exit 1");
    let failed = with_doubles(&machine, words).expect(1).stderr;
    assert!(failed.contains("Access denied"), "{failed}");
    let said = std::fs::read_to_string(machine.path("said")).expect("it ran");
    assert!(said.starts_with("--defaults-extra-file="), "{said}");
    assert!(!said.contains("secret") && !said.contains("correct horse"), "{said}");
}

#[test]
fn a_snapshot_of_something_else_and_an_empty_machine_are_said() {
    let machine = Machine::new();
    machine.put("source/a", b"a");
    machine.say("backup -q --tag source=shop source").expect(0);
    let failed = database(&machine, ["drill", "latest", "--source", "shop"]).expect(2).stderr;
    assert!(failed.contains("has no dump of \"shop\""), "{failed}");
    database(&machine, ["detect", "--json"]).expect(0);
}
