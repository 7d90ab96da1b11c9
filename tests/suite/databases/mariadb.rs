//! MariaDB: everything comes back, and a row that is missing is found.

use crate::databases::servers::{Server, database, double, with_doubles};
use crate::hostile::machine::Machine;

const NAME: &str = "we ird-ü`q";

const SEED: &str = r#"
CREATE TABLE `a b` (id int AUTO_INCREMENT PRIMARY KEY, b blob, j json, t text,
    g int GENERATED ALWAYS AS (length(t)) STORED, v int AS (length(t) + 1) VIRTUAL);
INSERT INTO `a b` (b, j, t) VALUES (x'00ff0a275c', '{"a":1}', 'ünï\n\\\'\0z'), (NULL, NULL, NULL), ('x', '[]', '😀');
CREATE TABLE zz_parent (id int PRIMARY KEY);
CREATE TABLE aa_child (id int, FOREIGN KEY (id) REFERENCES zz_parent (id));
INSERT INTO zz_parent VALUES (1), (2);
INSERT INTO aa_child VALUES (1);
CREATE TABLE isam (x int) ENGINE = MyISAM;
INSERT INTO isam VALUES (1);
CREATE VIEW v1 AS SELECT id FROM `a b`;
DELIMITER //
CREATE PROCEDURE pp() BEGIN SELECT 1; END//
CREATE TRIGGER tt BEFORE INSERT ON aa_child FOR EACH ROW BEGIN SET new.id = new.id; END//
CREATE EVENT ev ON SCHEDULE EVERY 1 DAY DO SELECT 1//
DELIMITER ;
"#;

fn sum(server: &Server, name: &str) -> String {
    server.sql(
        name,
        "SELECT md5(group_concat(concat_ws('|', id, hex(b), j, hex(t), g, v) ORDER BY id)) FROM `a b`;
         SELECT count(*) FROM v1; SELECT group_concat(id) FROM aa_child; SELECT count(*) FROM isam;
         SELECT TRIGGER_NAME FROM information_schema.TRIGGERS WHERE TRIGGER_SCHEMA = database();
         SELECT EVENT_NAME FROM information_schema.EVENTS WHERE EVENT_SCHEMA = database(); CALL pp()",
    )
}

fn seeded() -> Server {
    let server = Server::mariadb();
    server
        .sql("", "CREATE DATABASE `we ird-ü``q` CHARACTER SET utf8mb4 COLLATE utf8mb4_unicode_ci");
    server.sql(NAME, SEED);
    server
}

#[test]
fn what_is_lost_comes_back_with_every_row() {
    let (machine, server) = (Machine::new(), seeded());
    let socket = server.folder.path().join("s").to_string_lossy().into_owned();
    let dump =
        ["dump", "--preset", "mariadb", "--source", "web", "--", "-S", &socket, "-u", "root"];
    let noted = database(&machine, dump).expect(0).stderr;
    assert!(noted.contains("isam (MyISAM) is not of InnoDB"), "{noted}");
    assert!(machine.say("cat latest:/web/users.sql").expect(0).stdout.contains("CREATE USER"));
    let drilled =
        database(&machine, ["drill", "latest", "--source", "web", "--json"]).expect(0).json();
    assert_eq!((&drilled["outcome"], &drilled["rows"]), (&"pass".into(), &7.into()), "{drilled}");
    let (before, place) = (sum(&server, NAME), server.place());
    let back = |name: &str, code| {
        let words = ["restore", "latest", "--source", "web", "--server", &place, "--as", name];
        database(&machine, words).expect(code).stderr
    };
    let noted = back("a copy", 0);
    assert!(noted.contains("events that are enabled"), "{noted}");
    assert_eq!(sum(&server, "a copy"), before);
    assert!(back(NAME, 23).contains("is there already"));
    server.sql("", "DROP DATABASE `we ird-ü``q`");
    back(NAME, 0);
    assert_eq!(sum(&server, NAME), before);
    // Everything deleted: that is no dump that replaces the one before without a word.
    server.sql(
        NAME,
        "DELETE FROM aa_child; DELETE FROM zz_parent; DELETE FROM `a b`; DELETE FROM isam",
    );
    let words = ["dump", "--preset", "mariadb", "--source", "web", "--server", &place];
    let failed = database(&machine, words.into_iter().chain(["--", NAME])).expect(1).stderr;
    assert!(failed.contains("has no row any more, and had 7"), "{failed}");
    database(&machine, words.into_iter().chain(["--allow-shrunken", "--", NAME])).expect(0);
    let wrong = database(&machine, words.into_iter().chain(["--", "nowhere"])).expect(2).stderr;
    assert!(wrong.contains("no database \"nowhere\""), "{wrong}");
}

#[test]
fn dumps_that_are_not_whole_are_found() {
    let (machine, server) = (Machine::new(), seeded());
    let place = server.place();
    let dump = ["dump", "--preset", "mariadb", "--source", "web", "--server", &place];
    let version =
        "for word; do case $word in --version) exec /usr/bin/mariadb-dump --version;; esac; done\n";
    for (script, word) in [
        ("exit 0", "empty (0 bytes)"),
        ("/usr/bin/mariadb-dump \"$@\" | head -n 40", "does not end with the line"),
        ("echo 'mysqldump: Got error: 1045: Access denied' >&2; exit 2", "Access denied"),
    ] {
        double(&machine, "mariadb-dump", &format!("{version}{script}"));
        let failed = with_doubles(&machine, dump).expect(1).stderr;
        assert!(failed.contains(word), "{word}: {failed}");
        assert!(failed.contains("try: "), "{failed}");
    }
    assert_eq!(machine.say("snapshots --json").expect(0).stdout.trim(), "[]");
    let script = "/usr/bin/mariadb-dump \"$@\" | sed '/INSERT INTO `aa_child`/,/;$/d'";
    double(&machine, "mariadb-dump", &format!("{version}{script}"));
    with_doubles(&machine, dump).expect(0);
    let drilled =
        database(&machine, ["drill", "latest", "--source", "web", "--json"]).expect(21).json();
    assert_eq!(drilled["outcome"], "fail");
    assert_eq!(drilled["findings"][0]["why"], "aa_child has 0 rows, and had 1", "{drilled}");
    let words = ["restore", "latest", "--source", "web", "--server", &place, "--as", "less"];
    assert!(database(&machine, words).expect(20).stderr.contains("aa_child has 0 rows"));
    server.sql("", "DROP DATABASE less");
    // SQL that the server does not take leaves nothing behind.
    let script = "/usr/bin/mariadb-dump \"$@\" | sed 's/CREATE TABLE `isam`/CREATE TABEL `isam`/'";
    double(&machine, "mariadb-dump", &format!("{version}{script}"));
    with_doubles(&machine, dump).expect(0);
    let words = ["restore", "latest", "--source", "web", "--server", &place, "--as", "broken"];
    database(&machine, words).expect(1);
    assert_eq!(server.sql("", "SHOW DATABASES LIKE 'broken'"), "");
}
