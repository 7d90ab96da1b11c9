//! Drills and evidence with the real program: from a key file to an auditor who has only the key.

mod findings;
mod nothing;

use std::ffi::OsStr;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use serde_json::Value;

struct Place {
    folder: tempfile::TempDir,
}

impl Place {
    fn new() -> Self {
        let place = Self { folder: tempfile::tempdir().expect("a temporary folder can be made") };
        for number in 0..30 {
            put(&place.path(&format!("source/d{}/f{number}", number % 3)), &[number; 2000]);
        }
        let init = ["init", "-q", "--no-probe", "--kdf-memory", "64MiB", "--kit", "kit.txt"];
        place.expect(init, 0);
        place.expect(["backup", "-q", "--host", "web1", "source"], 0);
        place.expect(["key", "add", "--role", "verify", "--to-key-file", "verify.key"], 0);
        place
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn command<S: AsRef<OsStr>>(&self, arguments: impl IntoIterator<Item = S>) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_victim"));
        command
            .args(arguments)
            .env_clear()
            .env("MAINSTAY_REPOSITORY", self.path("repository"))
            .env("MAINSTAY_STATE_DIR", self.path("state"))
            .env("TMPDIR", self.folder.path())
            .current_dir(self.folder.path())
            .stdin(Stdio::null());
        command
    }

    fn run<S: AsRef<OsStr>>(&self, arguments: impl IntoIterator<Item = S>) -> Output {
        let mut command = self.command(arguments);
        command.env("MAINSTAY_PASSWORD", "correct horse battery staple");
        command.output().expect("the program can be started")
    }

    /// Standard output of a run that must end like this.
    fn expect<S: AsRef<OsStr>>(&self, arguments: impl IntoIterator<Item = S>, exit: i32) -> String {
        let ran = self.run(arguments);
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let (stdout, stderr) = (text(&ran.stdout), text(&ran.stderr));
        assert_eq!(ran.status.code(), Some(exit), "stdout: {stdout}\nstderr: {stderr}");
        stdout
    }

    /// The same with the key of role verify.
    fn prove(&self, line: &str, exit: i32) -> String {
        let arguments = ["--key-file", "verify.key"].into_iter().chain(line.split(' '));
        let ran = self.command(arguments).output().expect("the program can be started");
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let (stdout, stderr) = (text(&ran.stdout), text(&ran.stderr));
        assert_eq!(ran.status.code(), Some(exit), "{line}: stdout: {stdout}\nstderr: {stderr}");
        stdout
    }
}

fn put(path: &Path, bytes: &[u8]) {
    std::fs::create_dir_all(path.parent().expect("a folder")).expect("it can be made");
    std::fs::File::create(path).and_then(|mut file| file.write_all(bytes)).expect("a file");
}

fn last_json(text: &str) -> Value {
    let line = text.lines().last().unwrap_or_default();
    serde_json::from_str(line).expect("the last line is a message")
}

#[test]
fn from_a_key_file_to_an_auditor_with_nothing_but_the_fingerprint() {
    let place = Place::new();
    let drill = last_json(&place.prove("drill --host web1 --files 12 --json", 0));
    assert_eq!((&drill["outcome"], &drill["level"]), (&"pass".into(), &4.into()), "{drill}");
    assert_eq!(drill["files_restored"], 12);
    let id = drill["evidence"].as_str().expect("a record").to_owned();
    assert!(place.prove("evidence list", 0).contains("sample drill of web1 passed at level 4"));
    place.prove("evidence verify", 0);
    place.prove(&format!("evidence show {id}"), 0);
    let exported: Value =
        serde_json::from_str(&place.prove("evidence export --to q.zip --purpose audit --json", 0))
            .expect("one object");
    let fingerprint = exported["fingerprint"].as_str().expect("a fingerprint");
    // No repository, no key file, no passphrase.
    let audit = |exit: i32, key: &str| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_victim"));
        let ran = command
            .args(["evidence", "verify", "q.zip", "--key", key, "--json"])
            .env_clear()
            .current_dir(place.folder.path())
            .output()
            .expect("the program can be started");
        let said = String::from_utf8_lossy(&ran.stdout).into_owned();
        assert_eq!(ran.status.code(), Some(exit), "{said}");
        serde_json::from_str::<Value>(&said).expect("one object")
    };
    let verdict = audit(0, fingerprint);
    assert_eq!(verdict["samples_drawn"], serde_json::json!([id]), "{verdict}");
    audit(20, "0000-0000-0000-0000-0000-0000-0000-0000");
    draw_again(&place.path("q.zip"), &id);
    let mut bytes = std::fs::read(place.path("q.zip")).expect("it is there");
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    put(&place.path("q.zip"), &bytes);
    assert_eq!(audit(20, fingerprint)["good"], false);
}

/// The program that stands in the document, over a real bundle.
fn draw_again(bundle: &Path, drill: &str) {
    let document = include_str!("../../docs/EVIDENCE.md");
    let (_, after) = document.split_once("```python\n").expect("there is a program");
    let (program, _) = after.split_once("```").expect("it ends");
    let has_package = Command::new("python3")
        .args(["-c", "import blake3"])
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success());
    if !has_package {
        assert!(!crate::place::is_complete(), "python3 has no package blake3");
        let note =
            "python3 with the package blake3 is not there: the document's program did not run\n";
        std::io::stderr().write_all(note.as_bytes()).expect("somebody listens");
        return;
    }
    let ran = Command::new("python3")
        .args(["-c", program])
        .arg(bundle)
        .arg(drill)
        .output()
        .expect("it can be started");
    let said = String::from_utf8_lossy(&ran.stdout);
    let wrong = String::from_utf8_lossy(&ran.stderr);
    assert_eq!(said.trim(), "12 files drawn; the same", "{wrong}");
}

#[test]
fn exit_codes_say_how_a_drill_ended() {
    let place = Place::new();
    place.prove("drill -q --kind full", 0);
    place.prove("drill -q --kind index-loss", 0);
    place.prove("drill -q --kind kit --kit kit.txt", 0);
    place.prove("drill -q --rpo 0s", 22);
    place.prove("drill -q --kind full --quota 1K", 21);
    place.prove("drill --kind paths", 2);
    let packs = std::fs::read_dir(place.path("repository/data")).expect("it is there");
    for session in packs.flatten() {
        std::fs::remove_dir_all(session.path()).expect("it can be removed");
    }
    let failed = last_json(&place.prove("drill --json", 21));
    assert_eq!(failed["outcome"], "fail");
    assert!(failed["ticket"].is_string(), "{failed}");
    place.expect(["key", "add", "--role", "restore", "--to-key-file", "r.key"], 0);
    place.expect(["--key-file", "r.key", "drill"], 12);
}
