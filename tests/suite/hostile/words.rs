//! What people read, made by others: names that would drive a terminal, addresses with secrets, bundles
//! that take for ever.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::time::Duration;

use restore_verify::evidence::container::{self, Files};

use crate::hostile::machine::Machine;
use crate::hostile::place::{At, everywhere};

everywhere![credentials_of_an_authority_are_refused_and_end_nowhere,];

/// Escape sequences, a change of direction, a line of its own, bytes that are no text.
const EVIL: &[u8] = b"a\x1b]0;owned\x07\xe2\x80\xae\nsnapshot 00000000 saved\r\xff.txt";
const EVIL_TEXT: &str = "h\u{1b}[2Jost\u{202e}\u{7}\nx";

fn assert_safe(ran: &crate::hostile::machine::Ran, what: &str) {
    for text in [&ran.stdout, &ran.stderr] {
        let bad = text.chars().find(|letter| {
            (letter.is_control() && *letter != '\n') || matches!(letter, '\u{202e}' | '\u{2066}')
        });
        assert_eq!(bad, None, "{what}: {text:?}");
        let forged = text.lines().any(|line| line.starts_with("snapshot 00000000"));
        assert!(!forged, "{what} lets a name be a line: {text}");
    }
}

#[test]
fn no_name_drives_a_terminal_in_any_command() {
    let machine = Machine::new();
    let source = machine.path("source");
    let evil = source.join(OsStr::from_bytes(EVIL));
    system_tests::trees::put(&evil, b"content");
    std::fs::create_dir(source.join(OsStr::from_bytes(b"d\x1b[1m"))).expect("a folder");
    let run = |words: &[&str], code: &[i32]| {
        let words: Vec<&OsStr> = words.iter().map(OsStr::new).collect();
        let ran = machine.run(words);
        let what = format!("{:?}", ran.code);
        assert!(ran.code.is_some_and(|it| code.contains(&it)), "{}{}", ran.stdout, ran.stderr);
        assert_safe(&ran, &what);
        ran
    };
    run(&["backup", "-v", "source", "--tag", "t\u{1b}[0m"], &[0, 2]);
    run(&["backup", "-v", "source", "--host", EVIL_TEXT], &[2]);
    let about = ["--description", EVIL_TEXT];
    run(&[&["backup", "-v", "source"][..], &about].concat(), &[0]);
    system_tests::trees::put(&evil, b"more");
    run(&[&["backup", "-v", "source"][..], &about].concat(), &[0]);
    for line in [
        &["snapshots", "-v"][..],
        &["snapshots", "--host", EVIL_TEXT],
        &["ls", "-l", "latest"],
        &["find", "*"],
        &["stats"],
        &["problems", "latest"],
        &["forget", "--keep-last", "1", "--dry-run"],
        &["forget", "--keep-last", "1", "--group-by", "host,paths", "--dry-run"],
        &["hold", "add", "latest", "--reason", EVIL_TEXT],
        &["hold", "list"],
        &["restore", "latest", "--target", "out\u{1b}[2J\u{202e}", "-v"],
        &["restore", "latest", "--target", "out\u{1b}[2J\u{202e}"],
        &["check"],
        &["drill", "--ticket", EVIL_TEXT, "--actor", EVIL_TEXT],
        &["evidence", "list"],
        &["evidence", "show", "0"],
        &["evidence", "export", "--to", "b\u{1b}[2J\u{202e}.zip", "--purpose", EVIL_TEXT],
        &[
            "key",
            "add",
            "--role",
            "backup",
            "--label",
            EVIL_TEXT,
            "--to-key-file",
            "k\u{1b}[1m\u{202e}",
        ],
        &["key", "list"],
        &["policy", "show"],
        &["cat", "latest:/no\u{1b}[2Jthing"],
        &["restore", "lat\u{1b}[2J", "--target", "x"],
        &["snapshots", "--tag", "\u{1b}[2J"],
        &["backup", "no\u{1b}[2J\u{202e}where"],
        &["--repo", "no\u{1b}[2J\u{202e}where", "snapshots"],
        &["--config", "no\u{1b}[2J\u{202e}where", "snapshots"],
        &["--cache-dir", "st\u{1b}[2J\u{202e}ate", "snapshots"],
    ] {
        run(line, &[0, 1, 2, 10, 20, 21, 22, 23]);
    }
}

fn credentials_of_an_authority_are_refused_and_end_nowhere(at: At) {
    let machine = Machine::with(at);
    machine.put("source/file", b"content");
    machine.say("backup -q source").expect(0);
    for url in [
        "http://user:hunter2@127.0.0.1:1/tsr",
        "http://127.0.0.1:1/tsr?key=hunter2",
        "http://hunter2@127.0.0.1:1/",
        "http://127.0.0.1:1/#hunter2",
    ] {
        let ran = machine.run(["--timestamp-url", url, "evidence", "stamp"]).expect(2);
        assert!(!ran.stderr.contains("hunter2"), "{}", ran.stderr);
        let mut command = machine.command(["drill", "-q"]);
        let ran = Machine::output(command.env("MAINSTAY_TIMESTAMP_URL", url));
        assert!(!ran.stderr.contains("hunter2") && !ran.stdout.contains("hunter2"));
    }
    let shown = machine.say("evidence list --json").expect(0).stdout;
    assert!(!shown.contains("hunter2"));
}

#[test]
fn a_bundle_of_many_entries_is_looked_at_once() {
    let machine = Machine::bare();
    for folder in ["", "tokens/", "populations/", "drills/", "proofs/", "chains/", "clients/"] {
        let mut files: Files =
            (0..65_000).map(|number| (format!("{folder}{number:05}"), Vec::new())).collect();
        let identity = restore_verify::evidence::verify::identity_text(&[1; 16], &[2; 32]);
        files.insert("repository.txt".to_owned(), identity.into_bytes());
        let bundle = container::write(&files).expect("it fits");
        machine.put("bundle.zip", &bundle);
        let key = "02".repeat(32);
        let words = ["evidence", "verify", "bundle.zip", "--key", &key];
        Machine::within(Duration::from_secs(8), &mut machine.command(words)).expect(20);
    }
}
