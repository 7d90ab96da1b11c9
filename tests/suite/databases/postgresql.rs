//! PostgreSQL: everything comes back, under another name and in place of what was lost.

use std::time::Duration;

use crate::databases::servers::{
    Server, database, double, open_folder, processes_in, with_doubles,
};
use crate::hostile::machine::Machine;

const NAME: &str = "odd-name ü'x=y";

const SEED: &str = r#"
CREATE SCHEMA "Weird Schema";
CREATE TABLE "Weird Schema"."two words" (
    id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, d jsonb, b bytea, a text[],
    g int GENERATED ALWAYS AS (length(coalesce(a[3], ''))) STORED);
INSERT INTO "Weird Schema"."two words" (d, b, a)
    SELECT jsonb_build_object('n', i), decode('00ff0a5c', 'hex'), ARRAY['x', NULL, E'ünï\n' || i]
    FROM generate_series(1, 500) i;
CREATE TABLE parent (id int PRIMARY KEY, t text);
INSERT INTO parent VALUES (1, 'a'), (2, E'b\n\\.\nc'), (3, NULL), (4, '');
CREATE TABLE child (id int REFERENCES parent, ts timestamptz DEFAULT '2026-11-30');
INSERT INTO child VALUES (1), (2), (2);
CREATE VIEW v AS SELECT * FROM parent;
CREATE MATERIALIZED VIEW mv AS SELECT count(*) FROM child;
CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN RETURN new; END$$;
CREATE TRIGGER tr BEFORE INSERT ON child FOR EACH ROW EXECUTE FUNCTION f();
CREATE TABLE part (k int, v text) PARTITION BY RANGE (k);
CREATE TABLE p1 PARTITION OF part FOR VALUES FROM (0) TO (10);
INSERT INTO part VALUES (1, 'x');
SELECT lo_from_bytea(4711, decode(repeat('ab', 5000), 'hex'));
CREATE ROLE shopper;
ALTER TABLE parent OWNER TO shopper;
"#;

/// One sum over all rows of everything, and what is beside rows.
const SUM: &str = r#"
SELECT md5(string_agg(t::text, '|' ORDER BY t::text)) FROM "Weird Schema"."two words" t;
SELECT md5(string_agg(t::text, '|' ORDER BY t::text)) FROM parent t;
SELECT md5(string_agg(t::text, '|' ORDER BY t::text)) FROM child t;
SELECT md5(string_agg(t::text, '|' ORDER BY t::text)) FROM part t;
SELECT md5(lo_get(4711));
SELECT count(*) FROM v, mv;
SELECT tgname FROM pg_trigger WHERE NOT tgisinternal;
SELECT tableowner FROM pg_tables WHERE tablename = 'parent';
"#;

fn seeded() -> Server {
    let server = Server::postgresql();
    server.sql("", &format!("CREATE DATABASE \"{NAME}\""));
    server.sql(NAME, SEED);
    server
}

#[test]
fn what_is_lost_comes_back_with_every_row() {
    let (machine, server) = (Machine::new(), seeded());
    let place = server.place();
    let dump = ["dump", "--preset", "postgresql", "--source", "shop", "--server", &place, "--json"];
    let made = database(&machine, dump).expect(0).json();
    assert_eq!(made["total_files_processed"], 4, "two databases, roles and counts: {made}");
    let counts = machine.say("cat latest:/shop/counts.json").expect(0).stdout;
    let counts: serde_json::Value = serde_json::from_str(&counts).expect("JSON");
    assert!(counts["server_version"].as_str().is_some_and(|said| said.starts_with("15")));
    assert_eq!(counts["databases"][0]["large_objects"], 1);
    let drilled =
        database(&machine, ["drill", "latest", "--source", "shop", "--json"]).expect(0).json();
    assert_eq!((&drilled["outcome"], &drilled["rows"]), (&"pass".into(), &508.into()), "{drilled}");
    assert!(drilled["evidence"].is_string(), "{drilled}");
    let sum = server.sql(NAME, SUM);
    let back = |name: &str, more: &[&str], code| {
        let words =
            ["restore", "latest", "--source", "shop", "--server", &place, "--database", NAME];
        database(&machine, words.into_iter().chain(["--as", name]).chain(more.iter().copied()))
            .expect(code)
    };
    back("a copy", &[], 0);
    assert_eq!(server.sql("a copy", SUM), sum);
    let refused = back(NAME, &[], 23).stderr;
    assert!(refused.contains("is there already"), "{refused}");
    server.sql("", &format!("DROP DATABASE \"{NAME}\""));
    back(NAME, &[], 0);
    assert_eq!(server.sql(NAME, SUM), sum);
    // Another machine does not have the role.
    for name in ["a copy", NAME] {
        server.sql("", &format!("DROP DATABASE \"{name}\""));
    }
    server.sql("", "DROP ROLE shopper");
    let refused = back(NAME, &[], 23).stderr;
    assert!(refused.contains("shopper") && refused.contains("--no-owner"), "{refused}");
    back("mine", &["--no-owner"], 0);
    let noted = back(NAME, &["--create-roles"], 0).stderr;
    assert!(noted.contains("shopper"), "{noted}");
    assert_eq!(server.sql(NAME, SUM), sum);
    let several =
        database(&machine, ["restore", "latest", "--source", "shop", "--as", "x"]).expect(2);
    assert!(several.stderr.contains("--database"), "{}", several.stderr);
    assert_eq!(server.sql("", "SELECT count(*) FROM pg_database WHERE datname ~ '^mainstay'"), "0");
}

#[test]
fn dumps_that_are_not_whole_and_drills_that_are_killed() {
    let (machine, server, scratch) = (Machine::new(), seeded(), open_folder());
    let place = server.place();
    let dump =
        ["dump", "--preset", "postgresql", "--source", "shop", "--server", &place, "--", NAME];
    let real = "/usr/lib/postgresql/15/bin/pg_dump";
    // A tool that leaves out a table, one that prints nothing, and one that says that it failed.
    for (script, word) in [
        (
            format!("exec {real} \"$@\" --exclude-table-data=child"),
            "no data of the table public.child",
        ),
        (format!("case $1 in --version) exec {real} --version;; esac"), "could not read"),
        (format!("{real} \"$@\"; exit 3"), "exit status 3"),
    ] {
        let script = script.replace("; exit 3", "; case $1 in --version) exit 0;; esac; exit 3");
        double(&machine, "pg_dump", &script);
        let failed = with_doubles(&machine, dump).expect(1).stderr;
        assert!(failed.contains(word) || failed.contains("empty"), "{word}: {failed}");
    }
    let listed = machine.say("snapshots --json").expect(0).stdout;
    assert_eq!(listed.trim(), "[]");
    // One that cuts the end off and calls that a success: only a restore shows it.
    let script = format!(
        "case $1 in --version) exec {real} --version;; esac\n{real} \"$@\" | head -c -3000"
    );
    double(&machine, "pg_dump", &script);
    with_doubles(&machine, dump).expect(0);
    let scratch_path = scratch.path().to_string_lossy().into_owned();
    let drill = ["drill", "latest", "--source", "shop", "--scratch", &scratch_path];
    let failed = database(&machine, drill.into_iter().chain(["--json"])).expect(21).json();
    assert_eq!(failed["outcome"], "fail", "{failed}");
    assert!(failed["findings"][0]["why"].as_str().is_some_and(|why| why.contains("pg_restore")));
    // Restored, it leaves nothing half made.
    let words = ["restore", "latest", "--source", "shop", "--server", &place, "--as", "half"];
    database(&machine, words).expect(1);
    assert_eq!(
        server.sql("", "SELECT count(*) FROM pg_database WHERE datname ~ '^(mainstay|half)'"),
        "0"
    );
    database(&machine, dump).expect(0);
    for (signal, waits) in [("TERM", 600), ("TERM", 1500), ("KILL", 1800)] {
        let mut child =
            machine.command(["database"].into_iter().chain(drill)).spawn().expect("it starts");
        std::thread::sleep(Duration::from_millis(waits));
        let pid = child.id().to_string();
        std::process::Command::new("kill").args(["-s", signal, &pid]).status().expect("kill");
        let code = child.wait().expect("it ends").code();
        assert!(matches!(code, Some(130 | 0) | None), "{code:?}");
        let is_gone = || processes_in(scratch.path()) == 0;
        let gone = (0..100).any(|_| {
            is_gone() || {
                std::thread::sleep(Duration::from_millis(50));
                false
            }
        });
        assert!(gone, "a server outlives {signal}");
        if signal == "TERM" {
            let left = std::fs::read_dir(scratch.path()).expect("a folder").count();
            assert_eq!(left, 0, "after {waits} ms");
        }
    }
}
