//! Content that meets this machine in a drill: databases that live, archives that burst, tests that
//! would rather not be confined.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use rusqlite::Connection;
use serde_json::Value;

use crate::hostile::machine::{Machine, pipe, runs};
use crate::hostile::place::{At, everywhere};

everywhere![
    a_full_drill_of_live_databases_passes_and_they_were_opened,
    a_test_of_the_user_reaches_what_was_restored_and_nothing_else,
    what_somebody_planted_in_scratch_keeps_no_drill,
];

/// A database in the middle of its life: `kind` of its journal, with rows that are only there.
fn live_database(folder: &Path, name: &str, kind: &str) {
    let workshop = tempfile::tempdir().expect("a folder");
    let made = workshop.path().join("made.db");
    let connection = Connection::open(&made).expect("a database");
    connection.execute_batch(&format!("PRAGMA journal_mode={kind}")).expect("a mode");
    connection.execute_batch("CREATE TABLE t (a INTEGER PRIMARY KEY, b TEXT)").expect("a table");
    let fill = |from: u32| {
        for row in from..from + 2000 {
            let text = "x".repeat(200);
            connection.execute("INSERT INTO t VALUES (?1, ?2)", (row, text)).expect("a row");
        }
    };
    connection.execute_batch("PRAGMA wal_autocheckpoint=0; PRAGMA cache_size=5; BEGIN").expect("b");
    fill(0);
    connection.execute_batch("COMMIT").expect("committed");
    // A transaction that is not over: with a small cache its pages are in the file already, and only
    // the journal knows what was there before.
    connection.execute_batch("BEGIN; UPDATE t SET b = 'y' || b").expect("a change");
    for ending in ["", "-wal", "-journal"] {
        let from = format!("{}{ending}", made.display());
        if Path::new(&from).exists() {
            std::fs::copy(&from, folder.join(format!("{name}{ending}"))).expect("copied");
        }
    }
}

fn tally(drill: &Value, machine: &Machine, probe: &str) -> [u64; 3] {
    let id = drill["evidence"].as_str().expect("a record");
    let shown = machine.run(["evidence", "show", id]).expect(0).stdout;
    let (_, after) = shown.split_once(&format!("{probe}: ")).unwrap_or_default();
    let counts = after.lines().next().unwrap_or_default();
    [" passed", " failed", " not proved"].map(|word| {
        let before = counts.split_once(word).map(|(before, _)| before);
        let number = before.and_then(|before| before.rsplit(' ').next());
        number.and_then(|digits| digits.parse().ok()).unwrap_or_default()
    })
}

fn a_full_drill_of_live_databases_passes_and_they_were_opened(at: At) {
    let machine = Machine::with(at);
    let source = machine.path("source");
    live_database(&source, "wal.db", "WAL");
    live_database(&source, "hot.db", "DELETE");
    live_database(&source, "kept.db", "PERSIST");
    assert!(source.join("wal.db-wal").metadata().expect("a log").len() > 100_000);
    assert!(source.join("hot.db-journal").metadata().expect("a journal").len() > 1000);
    machine.say("backup -q source").expect(0);
    for line in [
        "drill --kind full --json",
        "drill --files 10 --json",
        "drill --kind full --quota 2800K --no-estimate --json",
        "drill --kind full --json --command true",
    ] {
        let drill = machine.say(line).expect(0).json();
        assert_eq!(drill["outcome"], "pass", "{line}: {drill}");
        assert_eq!(tally(&drill, &machine, "sqlite"), [3, 0, 0], "{line}: {drill}");
    }
    // And with its journal gone, a database that was in the middle of something is found.
    std::fs::remove_file(source.join("hot.db-journal")).expect("removed");
    machine.say("backup -q source").expect(0);
    let drill = machine.say("drill --kind full --json").json();
    assert_eq!(tally(&drill, &machine, "sqlite")[0] + tally(&drill, &machine, "sqlite")[1], 3);
}

/// A tar with a member whose long name is `bytes` long, and gzip around it.
fn long_name(path: &Path, bytes: u64) {
    let mut header = [0_u8; 512];
    header[..13].copy_from_slice(b"././@LongLink");
    header[100..107].copy_from_slice(b"0000644");
    header[124..135].copy_from_slice(format!("{bytes:011o}").as_bytes());
    header[156] = b'L';
    header[257..265].copy_from_slice(b"ustar  \0");
    header[148..156].fill(b' ');
    let sum: u32 = header.iter().map(|byte| u32::from(*byte)).sum();
    header[148..155].copy_from_slice(format!("{sum:06o}\0").as_bytes());
    let head = path.with_extension("head");
    system_tests::trees::put(&head, &header);
    let script = "(cat \"$1\"; head -c \"$2\" /dev/zero | tr '\\0' x; head -c 1024 /dev/zero) | \
                  gzip -1 > \"$3\"; rm \"$1\"";
    let status = Command::new("sh")
        .args(["-c", script, "sh"])
        .args([head.as_os_str(), bytes.to_string().as_ref(), path.as_os_str()])
        .status()
        .expect("there is a shell");
    assert!(status.success());
}

#[test]
fn an_archive_that_bursts_stays_within_the_budget_and_the_rest_is_looked_at() {
    let machine = Machine::new();
    long_name(&machine.path("source/bomb.tar.gz"), 700 << 20);
    live_database(&machine.path("source"), "app.db", "WAL");
    machine.say("backup -q source").expect(0);
    let mut command =
        machine.command(["drill", "--kind", "full", "--probe-memory", "256M", "--json"]);
    let drill = Machine::within(Duration::from_secs(60), &mut command).expect(0).json();
    assert_eq!(tally(&drill, &machine, "archive"), [0, 0, 1], "{drill}");
    assert_eq!(tally(&drill, &machine, "sqlite"), [1, 0, 0], "{drill}");
}

#[test]
fn the_time_of_all_probes_has_an_end_and_what_was_not_looked_at_is_no_pass() {
    let machine = Machine::new();
    long_name(&machine.path("source/bomb.tar.gz"), 300 << 20);
    machine.say("backup -q source").expect(0);
    let mut command = machine.command(["drill", "--kind", "full", "--probe-time", "0s", "--json"]);
    let ran = Machine::within(Duration::from_secs(60), &mut command).expect(21);
    assert!(ran.stdout.contains("the time for probes is used up"), "{}", ran.stdout);
}

/// Runs a test of the user over one file and answers the drill.
fn test_with(machine: &Machine, script: &str, more: &[&str], code: i32) -> Value {
    let script = machine.put("check/check.sh", script.as_bytes());
    let command = format!("sh {}", script.display());
    let words = ["drill", "--kind", "full", "--json", "--no-estimate", "--command", &command];
    machine.run(words.iter().chain(more)).expect(code).json()
}

fn with_one_file(at: At) -> Machine {
    let machine = Machine::with(at);
    machine.put("source/file", b"content");
    machine.say("backup -q source").expect(0);
    machine
}

fn a_test_of_the_user_reaches_what_was_restored_and_nothing_else(at: At) {
    let machine = with_one_file(at);
    let secret = machine.put("secret", b"a secret");
    // Whatever it can reach and should not ends with a code of its own.
    let script = format!(
        "set -u\n\
         test \"$(cat $(find \"$MAINSTAY_RESTORED\" -name file))\" = content || exit 3\n\
         cat '{secret}' 2>/dev/null && exit 4\n\
         (echo x > '{secret}') 2>/dev/null && exit 5\n\
         env | grep -v '^PATH=\\|^PWD=\\|^TMPDIR=\\|^MAINSTAY_RESTORED=\\|^_=\\|^SHLVL=\\|^OLDPWD=' \
         | grep . && exit 6\n\
         grep -v 'lo:' /proc/net/dev | grep -q ': ' && exit 7\n\
         ls /proc/self/fd | grep -vx '[0123]' && exit 8\n\
         echo y > \"$MAINSTAY_RESTORED/new\" || exit 9\n\
         echo y > \"$TMPDIR/new\" || exit 10\n\
         cat /proc/$PPID/environ /proc/1/environ 2>/dev/null | grep -q 'PASSWORD\\|AWS_' && exit 11\n\
         exit 0\n",
        secret = secret.display()
    );
    let drill = test_with(&machine, &script, &[], 0);
    let walls = &drill["probe_confinement"];
    assert_eq!(walls["network"], "loopback", "{drill}");
    assert!(walls["landlock"].as_u64() >= Some(1) && walls["processes_apart"] == true, "{drill}");
    assert_eq!(walls["gaps"], Value::Array(Vec::new()), "{drill}");
    assert_eq!(std::fs::read(&secret).expect("it is there"), b"a secret");
    // What is allowed is had, and told.
    let reads = format!("cat '{}' && grep -v lo: /proc/net/dev | grep -q ': '", secret.display());
    let given = ["--probe-read", secret.to_str().expect("text"), "--probe-network"];
    let interfaces = std::fs::read_to_string("/proc/net/dev").expect("there is a network");
    if interfaces.lines().skip(2).count() > 1 {
        let drill = test_with(&machine, &reads, &given, 0);
        assert_eq!(drill["probe_confinement"]["network"], "asked", "{drill}");
    }
}

#[test]
fn a_test_passes_fails_or_cannot_tell_and_says_why() {
    let machine = with_one_file(At::Folder);
    let said = |script: &str, more: &[&str], code: i32| {
        test_with(&machine, script, more, code)["findings"].to_string()
    };
    said("exit 0", &[], 0);
    let why = said("echo 3 rows are missing >&2; exit 4", &[], 21);
    assert!(why.contains("exit code 4; it printed: 3 rows are missing"), "{why}");
    let why = said("kill -KILL $$", &[], 21);
    assert!(why.contains("SIGKILL ended it"), "{why}");
    let loud = "while :; do echo aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa; done";
    assert!(said(loud, &[], 21).contains("printed more than it may"));
    let why = said("echo no server >&2; exit 75", &[], 21);
    assert!(why.contains("exit code 75; it printed: no server"), "{why}");
    assert!(why.contains("\"not_proved\":true"), "{why}");
}

#[test]
fn a_test_that_leaves_its_group_ends_with_its_time_all_the_same() {
    let machine = with_one_file(At::Folder);
    for (number, script) in [
        "setsid sh -c 'sleep NUMBER & sleep NUMBER' & sleep NUMBER",
        "(setsid setsid sleep NUMBER &) ; (setsid sleep NUMBER &) ; sleep NUMBER",
        "setsid sleep NUMBER & exit 0",
    ]
    .into_iter()
    .enumerate()
    {
        let sleep = format!("{}.{number}", 100_000 + std::process::id());
        let script = script.replace("NUMBER", &sleep);
        let (more, code) =
            if number == 2 { (&[][..], 0) } else { (&["--command-time", "1s"][..], 21) };
        test_with(&machine, &script, more, code);
        assert!(!runs(&sleep), "{script}");
    }
}

/// Where name spaces are forbidden, as in most containers: there orphans are adopted, TCP is closed by
/// Landlock, and the result says what is missing. Nobody in another root may make a user name space.
#[test]
fn without_name_spaces_a_test_is_confined_in_part_and_the_result_says_so() {
    if !rustix::process::geteuid().is_root() {
        return;
    }
    let machine = with_one_file(At::Folder);
    let root = machine.path("root");
    std::fs::create_dir(&root).expect("a folder");
    let sleep = format!("{}.75", 200_000 + std::process::id());
    let script = format!(
        "(setsid sh -c 'sleep {sleep} & sleep {sleep}' &); setsid setsid sleep {sleep} &\n\
         command -v python3 >/dev/null || exit 0\n\
         python3 -c 'import socket; socket.create_connection((\"127.0.0.1\", 9), 1)' 2>&1 | \
         grep -q Permission || exit 3\n"
    );
    let script = machine.put("check.sh", script.as_bytes());
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o777);
    std::fs::set_permissions(machine.folder.path(), mode).expect("it is ours");
    let inside = "mount --rbind / \"$1\" && shift && exec chroot \"$@\"";
    let mut command = Command::new("unshare");
    command.args(["-m", "sh", "-c", inside, "sh"]).args([&root, &root]);
    command.args(["setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups"]);
    let given = machine.command([""; 0]);
    // Where nobody can reach it.
    let program = machine.path("program");
    std::fs::copy(env!("CARGO_BIN_EXE_victim"), &program).expect("it is copied");
    let own = machine.path("own");
    let shell = format!(
        "set -e; cd '{folder}'; '{program}' init -q --no-probe --kdf-memory 64MiB >/dev/null; \
         '{program}' backup -q check.sh; \
         '{program}' drill --kind full --json --command 'sh {script}'",
        folder = machine.folder.path().display(),
        program = program.display(),
        script = script.display(),
    );
    command.args(["sh", "-c", &shell]).env_clear();
    command.envs(given.get_envs().filter_map(|(name, value)| Some((name, value?))));
    command.env("MAINSTAY_REPOSITORY", own.join("r")).env("MAINSTAY_STATE_DIR", own.join("s"));
    std::fs::create_dir(&own).expect("a folder");
    std::os::unix::fs::chown(&own, Some(65534), Some(65534)).expect("root may");
    let ran = Machine::output(&mut command);
    if ran.stderr.contains("unshare: ") || ran.stderr.contains("mount: ") {
        // This machine does not let tests make mounts.
        return;
    }
    let drill = ran.expect(0).json();
    let walls = &drill["probe_confinement"];
    assert_eq!((&walls["processes_apart"], &walls["network"]), (&false.into(), &"no-tcp".into()));
    assert!(walls["gaps"].to_string().contains("other processes were in sight"), "{walls}");
    assert!(!runs(&sleep), "an orphan goes on");
}

#[test]
fn a_test_with_many_small_processes_ends_when_together_they_use_too_much() {
    let machine = with_one_file(At::Folder);
    let script = "hold() { x=$(head -c 40000000 /dev/zero | tr '\\0' x); sleep 50; }\n\
                  for n in 1 2 3 4 5 6 7 8; do hold & done; wait\n";
    let drill = test_with(&machine, script, &["--command-memory", "200M"], 21);
    let findings = drill["findings"].to_string();
    assert!(findings.contains("more memory than it may"), "{findings}");
}

fn what_somebody_planted_in_scratch_keeps_no_drill(at: At) {
    let machine = with_one_file(at);
    let planted = machine.path("common/mainstay-drill-0000");
    std::fs::create_dir_all(&planted).expect("a folder");
    pipe(&planted.join(".mainstay-drill.lock"));
    for scratch in [&["--scratch", "common"][..], &[]] {
        let mut command = machine.command(["drill", "-q"].iter().chain(scratch));
        Machine::within(Duration::from_secs(30), &mut command).expect(0);
    }
    assert!(planted.exists());
    // Without --scratch nothing is made where others can see it.
    let seen = std::fs::read_dir(machine.folder.path()).expect("a folder").flatten();
    let seen: Vec<_> = seen.map(|entry| entry.file_name()).collect();
    assert!(!seen.iter().any(|name| name.to_string_lossy().starts_with("mainstay-")), "{seen:?}");
}
