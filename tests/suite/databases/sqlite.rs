//! SQLite: written to while it is dumped, dumped by the agent, damaged.

use std::path::Path;
use std::process::Command;

use crate::databases::servers::database;
use crate::hostile::machine::Machine;

fn sqlite(file: &Path, sql: &str) -> String {
    let output = Command::new("sqlite3").arg(file).arg(sql).output().expect("sqlite3");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}

const SUM: &str = "SELECT count(*), sum(length(b)), group_concat(quote(b)) FROM t; SELECT * FROM f";

#[test]
fn a_file_with_a_log_comes_back_and_damage_is_no_snapshot() {
    let machine = Machine::new();
    let file = machine.path("odd 'name.db");
    sqlite(
        &file,
        "PRAGMA journal_mode = wal; CREATE TABLE t (a, b); INSERT INTO t VALUES (1, x'00ff'), (2, NULL);
         CREATE VIRTUAL TABLE f USING fts5(x); INSERT INTO f VALUES ('hi'); CREATE TABLE \"odd \"\"n\" (x)",
    );
    // A log that nobody has moved into the file yet.
    let mut writer = Command::new("sqlite3");
    writer.arg(&file).stdin(std::process::Stdio::piped()).stdout(std::process::Stdio::piped());
    let mut writer = writer.spawn().expect("sqlite3");
    let mut stdin = writer.stdin.take().expect("a pipe");
    std::io::Write::write_all(&mut stdin, b"INSERT INTO t VALUES (3, x'42');\nSELECT 'done';\n")
        .expect("a pipe");
    let mut said = [0; 4];
    std::io::Read::read_exact(writer.stdout.as_mut().expect("a pipe"), &mut said)
        .expect("an answer");
    let name = file.to_string_lossy().into_owned();
    let dump = ["dump", "--preset", "sqlite", "--source", "app", "--", &name];
    database(&machine, dump).expect(0);
    drop(stdin);
    writer.wait().expect("it ends");
    let drilled =
        database(&machine, ["drill", "latest", "--source", "app", "--json"]).expect(0).json();
    assert_eq!(drilled["outcome"], "pass", "{drilled}");
    let back = |code| {
        let words = ["restore", "latest", "--source", "app", "--as", "back.db"];
        database(&machine, words).expect(code).stderr
    };
    back(0);
    assert_eq!(sqlite(&machine.path("back.db"), SUM), sqlite(&file, SUM));
    assert!(back(23).contains("is there already"));
    // Pages in the middle are overwritten: a copy of that would be stored as if it were whole.
    sqlite(&file, "PRAGMA journal_mode = delete; WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n
        WHERE i < 3000) INSERT INTO t SELECT i, randomblob(100) FROM n");
    let mut bytes = std::fs::read(&file).expect("it can be read");
    let middle = bytes.len() / 2;
    bytes[middle..middle + 8192].fill(0x5a);
    system_tests::trees::put(&file, &bytes);
    let failed = database(&machine, dump).expect(20).stderr;
    assert!(failed.contains("is damaged"), "{failed}");
    let nothing =
        database(&machine, ["dump", "--preset", "sqlite", "--source", "app"]).expect(2).stderr;
    assert!(nothing.contains("no file of SQLite is named"), "{nothing}");
    let text =
        machine.put("text.db", b"just some text that is no database at all, and long enough");
    let text = text.to_string_lossy().into_owned();
    database(&machine, ["dump", "--preset", "sqlite", "--source", "app", "--", &text]).expect(1);
}

#[test]
fn the_agent_dumps_what_the_configuration_names() {
    let machine = Machine::new();
    let file = machine.path("shop.db");
    sqlite(&file, "CREATE TABLE t (a); INSERT INTO t VALUES (1)");
    let text = format!(
        "client = \"acme\"\nrepo = \"repository\"\nhost = \"web1\"\n[[source]]\nname = \"app\"\n\
         preset = \"sqlite\"\ndatabases = [\"{}\"]\n[schedule]\nbackup = \"every 1h\"\n\
         drill = {{ after = \"backup\", kinds = [\"database\"] }}\n",
        file.display()
    );
    machine.put("acme.toml", text.as_bytes());
    machine.say("run backup --config acme.toml").expect(0);
    machine.say("run drill --config acme.toml").expect(0);
    let words = ["snapshots", "--json", "--host", "web1", "--tag", "source=app,database=sqlite"];
    assert!(machine.run(words).expect(0).stdout.contains("/app"));
    let wrong = text.replace("sqlite", "oracle");
    machine.put("acme.toml", wrong.as_bytes());
    let said = machine.say("config check --config acme.toml").expect(2).stderr;
    assert!(said.contains("\"oracle\" is none of postgresql"), "{said}");
}
