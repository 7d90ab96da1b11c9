//! What commands leave as evidence: each its event, none its failure; findings from ticket to end;
//! chains that are cut off; time stamps of a real authority.

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use restore_verify::evidence::container;
use serde_json::Value;

use crate::place::{Place, is_complete, last_json, noise, put, ran};

fn events(place: &Place) -> Vec<String> {
    let listed = place.run(["evidence", "list", "--json"]).expect(0);
    let listed: Value = serde_json::from_str(&listed).expect("one array");
    let records = listed.as_array().expect("one array");
    let name = |record: &Value| record["event"].as_str().expect("a name").to_owned();
    records.iter().map(name).collect()
}

/// The only finding.
fn finding(place: &Place) -> Value {
    let listed = place.run(["evidence", "findings", "--json"]).expect(0);
    let listed: Value = serde_json::from_str(&listed).expect("one array");
    listed.as_array().and_then(|all| all.first()).expect("there is a finding").clone()
}

/// Files below a folder of the repository.
fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        match entry.path() {
            path if path.is_dir() => found.extend(files(&path)),
            path => found.push(path),
        }
    }
    found.sort();
    found
}

#[test]
fn every_command_leaves_its_event_and_verification_passes() {
    let place = Place::with_repository();
    let id = place.backup()["snapshot_id"].as_str().expect("an id").to_owned();
    place.run(["check", "-q"]).expect(0);
    let restore =
        ["restore", "-q", "latest", "--target", "t", "--reason", "drill", "--ticket", "7"];
    place.run(restore).expect(0);
    place.run(["key", "add", "-q", "--role", "maintain", "--to-key-file", "m.key"]).expect(0);
    place.run(["key", "add", "-q", "--role", "restore", "--to-key-file", "r.key"]).expect(0);
    place.run(["hold", "add", "-q", &id, "--reason", "audit"]).expect(0);
    place.run(["tag", "add", "-q", "--tags", "x", &id]);
    put(&place.path("source/new"), b"new");
    place.backup();
    place.run(["evidence", "runs"]).expect(0);
    let seen: BTreeSet<String> = events(&place).into_iter().collect();
    for event in ["check", "restore", "key-use", "policy", "backup-population"] {
        assert!(seen.contains(event), "{event} is not among {seen:?}");
    }
    // A key that maintains signs what it does itself.
    let maintain = |line: &[&str]| place.run_with_key("m.key", line);
    let noted = maintain(&["forget", "-v", "--keep-last", "1", "--group-by", ""]);
    noted.expect(0);
    maintain(&["prune", "-q"]).expect(0);
    assert!(events(&place).contains(&"gc".to_owned()));
    // A key that only restores signs nothing, and works all the same.
    let before = events(&place).len();
    let key = ["restore", "-q", "latest", "--target", "u"];
    place.run_with_key("r.key", &key).expect(0);
    assert_eq!(events(&place).len(), before);
    place.run(["evidence", "verify"]).expect(0);
}

#[test]
fn no_command_fails_because_of_its_evidence_and_none_is_lost() {
    let place = Place::with_repository();
    place.backup();
    place.run(["check", "-q"]).expect(0);
    // Something is in the way of the chain, for the administrator too.
    let chains = place.path("repository/evidence");
    std::fs::rename(&chains, place.path("aside")).expect("it is ours");
    put(&chains, b"in the way");
    let ran = place.run(["check"]);
    assert!(ran.stderr.contains("waits on this machine"), "{}", ran.stderr);
    ran.expect(0);
    std::fs::remove_file(&chains).expect("it is ours");
    std::fs::rename(place.path("aside"), &chains).expect("it is ours");
    place.run(["check", "-q"]).expect(0);
    let checks = events(&place).into_iter().filter(|event| event == "check").count();
    assert_eq!(checks, 3, "the one that waited is written once");
    place.run(["evidence", "verify"]).expect(0);
}

#[test]
fn a_finding_is_closed_by_a_test_that_passes_and_by_nothing_else() {
    let place = Place::with_repository();
    place.backup();
    let pack = files(&place.path("repository/data")).remove(0);
    let good = std::fs::read(&pack).expect("it is there");
    let mut bad = good.clone();
    let middle = bad.len() / 2;
    bad[middle] ^= 1;
    put(&pack, &bad);
    place.run(["check", "-q", "--read-data"]).fails(20);
    let found = finding(&place);
    assert_eq!((&found["state"], &found["event"]), (&"open".into(), &"check".into()), "{found}");
    let id = found["id"].as_str().expect("a record").to_owned();
    place.run(["evidence", "note", "-q", "--finding", &id, "--ticket", "PSA-1"]).expect(0);
    place.run(["evidence", "note", "-q", "--finding", &id, "--fixed", "copied back"]).expect(0);
    assert_eq!(finding(&place)["state"], "fixed");
    place.run(["check", "-q", "--read-data", "--retest", &id]).fails(20);
    assert_eq!(finding(&place)["state"], "open", "it was not");
    // A check that was not made for it closes nothing.
    put(&pack, &good);
    place.run(["check", "-q", "--read-data"]).expect(0);
    assert_eq!(finding(&place)["state"], "open");
    // Nor does a test that reads less.
    place.run(["drill", "-q", "--kind", "full", "--retest", &id]).fails(21);
    assert_eq!(finding(&place)["state"], "open");
    place.run(["check", "-q", "--read-data", "--retest", &id]).expect(0);
    let closed = finding(&place);
    assert_eq!((&closed["state"], &closed["ticket"]), (&"closed".into(), &"PSA-1".into()));
    let steps: Vec<_> = closed["steps"].as_array().expect("steps").iter().collect();
    let last = steps.last().map(|step| step["step"].clone());
    assert_eq!(last, Some("closed".into()), "{closed}");
    place.run(["evidence", "note", "--finding", &id]).fails(2);
    place.run(["evidence", "verify"]).expect(0);
}

/// Whoever has never seen a chain learns from snapshots that its end is missing.
#[test]
fn a_chain_that_is_cut_off_is_found_by_what_snapshots_name() {
    let place = Place::with_repository();
    place.run(["key", "add", "-q", "--role", "backup", "--to-key-file", "b.key"]).expect(0);
    place.backup();
    for _ in 0..2 {
        place.run(["check", "-q"]).expect(0);
    }
    // A machine that only backs up, and keeps no chain: it looks once, when it has stored something.
    let client = |content: &[u8]| {
        put(&place.path("source/new"), content);
        let mut command = place.command(["backup", "-q", "--key-file", "b.key", "source"]);
        command.env_remove("MAINSTAY_PASSWORD").env("MAINSTAY_STATE_DIR", place.path("client"));
        ran(&mut command).expect(0);
    };
    client(&noise(50_000));
    client(&noise(60_000));
    let stranger = |exit: i32| {
        let state = tempfile::tempdir_in(place.folder.path()).expect("a folder");
        let mut command = place.command(["evidence", "verify"]);
        let ran = ran(command.env("MAINSTAY_STATE_DIR", state.path()));
        ran.expect(exit)
    };
    stranger(0);
    let mut records = files(&place.path("repository/evidence"));
    std::fs::remove_file(records.pop().expect("there are records")).expect("it is ours");
    let said = stranger(20);
    assert!(said.contains("knew this record, and it is gone"), "{said}");
    let failed = last_json(&place.run(["drill", "--json"]).expect(21));
    let why = failed["findings"].to_string();
    assert!(why.contains("it is gone"), "{why}");
}

#[test]
fn a_rotation_is_signed_shows_its_cost_first_and_finds_damage() {
    let place = Place::with_repository();
    place.backup();
    place.run(["key", "add", "-q", "--role", "verify", "--to-key-file", "v.key"]).expect(0);
    let rotate =
        |line: &[&str]| place.run_with_key("v.key", &[&["check", "--rotate"], line].concat());
    let dry = last_json(&rotate(&["2d", "-n", "--json"]).expect(0));
    assert_eq!((&dry["dry_run"], &dry["bytes_covered"]), (&true.into(), &0.into()), "{dry}");
    assert!(dry["cost"].as_f64().is_some_and(|cost| cost > 0.0), "{dry}");
    let first = last_json(&rotate(&["2d", "--json"]).expect(0));
    assert!(first["bytes_read"].as_u64() < first["bytes_total"].as_u64(), "{first}");
    let second = rotate(&["2d"]).expect(0);
    assert!(second.contains("100 % of stored bytes"), "{second}");
    let poor = last_json(&rotate(&["1d", "--max-bytes", "1", "--json"]).expect(0));
    assert_eq!(poor["packs_read"], 0);
    assert_eq!(poor["bytes_short"], poor["bytes_total"], "{poor}");
    rotate(&["1h"]).fails(2);
    for pack in files(&place.path("repository/data")) {
        let mut bytes = std::fs::read(&pack).expect("it is there");
        let middle = bytes.len() / 2;
        bytes[middle] ^= 1;
        put(&pack, &bytes);
    }
    rotate(&["1d", "-q"]).fails(20);
    assert_eq!(finding(&place)["event"], "rotation");
}

/// `openssl ts` behind a small server; stopped when dropped.
struct Authority {
    folder: tempfile::TempDir,
    server: Child,
    url: String,
}

impl Drop for Authority {
    fn drop(&mut self) {
        // Ended already if a test has stopped it.
        let _ = self.server.kill();
        let _ = self.server.wait();
    }
}

const SERVER: &str = r#"
import http.server, os, subprocess, sys
folder, replay = sys.argv[1], os.path.join(sys.argv[1], "replay")
class Handler(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        query = self.rfile.read(int(self.headers["content-length"]))
        assert self.headers["content-type"] == "application/timestamp-query"
        open(f"{folder}/q.tsq", "wb").write(query)
        if not os.path.exists(replay):
            subprocess.run(["openssl", "ts", "-reply", "-config", f"{folder}/ts.cnf", "-queryfile",
                f"{folder}/q.tsq", "-out", f"{folder}/r.tsr"], check=True, cwd=folder, stderr=subprocess.DEVNULL)
        answer = open(f"{folder}/r.tsr", "rb").read()
        self.send_response(200)
        self.send_header("content-type", "application/timestamp-reply")
        self.send_header("content-length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)
    def log_message(self, *words): pass
server = http.server.HTTPServer(("127.0.0.1", 0), Handler)
print(server.server_port, flush=True)
server.serve_forever()
"#;

const CONFIG: &str = "[tsa]\ndefault_tsa = t\n[t]\nserial = serial\ncrypto_device = builtin\n\
signer_cert = tsa.pem\ncerts = tsa.pem\nsigner_key = tsa.key\nsigner_digest = sha256\n\
default_policy = 1.2.3.4\nother_policies = 1.2.3.4\ndigests = sha256\naccuracy = secs:1\n\
ordering = yes\ntsa_name = no\ness_cert_id_chain = no\ness_cert_id_alg = sha256\n";

fn openssl(folder: &Path, line: &str) -> String {
    let ran = Command::new("openssl").args(line.split(' ')).current_dir(folder).output();
    let ran = ran.expect("openssl can be started");
    let said =
        format!("{}{}", String::from_utf8_lossy(&ran.stdout), String::from_utf8_lossy(&ran.stderr));
    assert!(ran.status.success(), "openssl {line}: {said}");
    said
}

impl Authority {
    /// `None` if this machine has no openssl or no python3.
    fn start() -> Option<Self> {
        let has = |name: &str| {
            let version = if name == "openssl" { "version" } else { "--version" };
            let mut command = Command::new(name);
            let ran = command.arg(version).stdout(Stdio::null()).stderr(Stdio::null()).status();
            ran.is_ok_and(|status| status.success())
        };
        if !(has("openssl") && has("python3")) {
            assert!(!is_complete(), "openssl or python3 is not there");
            let note = b"openssl or python3 is not there: no time stamp was asked for\n";
            std::io::stderr().write_all(note).expect("somebody listens");
            return None;
        }
        let folder = tempfile::tempdir().expect("a folder");
        put(&folder.path().join("ts.cnf"), CONFIG.as_bytes());
        put(&folder.path().join("serial"), b"01\n");
        put(&folder.path().join("ext"), b"extendedKeyUsage=critical,timeStamping\n");
        let run = |line: &str| openssl(folder.path(), line);
        run("req -x509 -newkey rsa:2048 -nodes -keyout ca.key -out ca.pem -days 2 -subj /CN=ca");
        run("req -newkey rsa:2048 -nodes -keyout tsa.key -out tsa.csr -subj /CN=tsa");
        run("x509 -req -in tsa.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 2 -extfile ext \
             -out tsa.pem");
        let mut server = Command::new("python3")
            .args(["-c", SERVER])
            .arg(folder.path())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .expect("it can be started");
        let mut port = String::new();
        let stdout = server.stdout.take().expect("it is piped");
        BufReader::new(stdout).read_line(&mut port).expect("it says its port");
        let url = format!("http://127.0.0.1:{}/tsr", port.trim());
        Some(Self { folder, server, url })
    }
}

#[test]
fn a_real_authority_stamps_the_head_of_the_day_and_openssl_verifies_it() {
    let Some(mut authority) = Authority::start() else { return };
    let place = Place::with_repository();
    place.backup();
    let stamped = |line: &[&str]| {
        let mut command = place.command(line);
        ran(command.env("MAINSTAY_TIMESTAMP_URL", &authority.url))
    };
    stamped(&["check", "-q"]).expect(0);
    assert_eq!(events(&place), ["check", "timestamp"]);
    // One a day: the next event is left to the next day, or to whoever asks.
    stamped(&["check", "-q"]).expect(0);
    assert_eq!(events(&place), ["check", "timestamp", "check"]);
    let said = stamped(&["evidence", "verify"]);
    assert!(said.stderr.contains("untimestamped since"), "{}", said.stderr);
    assert!(stamped(&["evidence", "stamp"]).expect(0).contains("stamped 20"));
    let said = stamped(&["evidence", "verify"]);
    assert!(said.stderr.contains("is time-stamped"), "{}", said.stderr);
    place.run(["evidence", "export", "-q", "--to", "q.zip"]).expect(0);
    let bundle = std::fs::read(place.path("q.zip")).expect("it is there");
    let bundle = container::read(&bundle).expect("it is a bundle");
    let tokens: Vec<_> = bundle.keys().filter(|name| name.starts_with("tokens/")).collect();
    assert_eq!(tokens.len(), 2);
    for name in tokens {
        let bare = name.trim_start_matches("tokens/").trim_end_matches(".tsr");
        let (writer, number) = bare.split_once('-').expect("writer and number");
        put(&authority.folder.path().join("token"), &bundle[name]);
        put(&authority.folder.path().join("data"), &bundle[&format!("chains/{writer}/{number}")]);
        let verify = "ts -verify -data data -in token -CAfile ca.pem";
        let said = openssl(authority.folder.path(), verify);
        assert!(said.contains("Verification: OK"), "{said}");
    }
    // An answer to an older question is none.
    put(&authority.folder.path().join("replay"), b"");
    place.run(["check", "-q"]).expect(0);
    let said = stamped(&["evidence", "stamp"]).fails(24);
    assert!(said.contains("something else"), "{said}");
    authority.server.kill().expect("it runs");
    authority.server.wait().expect("it ends");
    let stamped = |line: &[&str]| {
        let mut command = place.command(line);
        ran(command.env("MAINSTAY_TIMESTAMP_URL", &authority.url))
    };
    let said = stamped(&["evidence", "stamp"]).fails(24);
    assert!(said.contains("untimestamped since"), "{said}");
    stamped(&["check", "-q"]).expect(0);
    place.run(["evidence", "stamp", "--timestamp-url", "ftp://x"]).fails(2);
}
