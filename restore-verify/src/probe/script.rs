//! Text that should be SQL: is it, or is it what a program said instead of making a dump?

/// How the first line of a message begins, in lower case.
const MESSAGES: [&[u8]; 46] = [
    b"pg_dump:",
    b"pg_dumpall:",
    b"pg_restore:",
    b"psql:",
    b"mysqldump:",
    b"mysqldump.exe:",
    b"mariadb-dump:",
    b"mysql:",
    b"mariadb:",
    b"sqlite3:",
    b"sqlcmd:",
    b"sudo:",
    b"su:",
    b"ssh:",
    b"bash:",
    b"-bash:",
    b"sh:",
    b"zsh:",
    b"/bin/",
    b"/usr/bin/",
    b"nice:",
    b"timeout:",
    b"env:",
    b"exec:",
    b"docker:",
    b"error",
    b"fatal",
    b"failed",
    b"failure",
    b"panic:",
    b"exception",
    b"traceback",
    b"unable to",
    b"cannot ",
    b"can't ",
    b"could not ",
    b"couldn't ",
    b"access denied",
    b"permission denied",
    b"no such ",
    b"usage:",
    b"oci runtime",
    b"the input device",
    b"unknown ",
    b"<!doctype",
    b"<html",
];

/// What stands somewhere in the first line of a message, in lower case.
const MESSAGE_PARTS: [&[u8]; 9] = [
    b"command not found",
    b": not found",
    b"no such file or directory",
    b"permission denied",
    b"access denied for user",
    b"connection refused",
    b"could not translate host name",
    b"could not connect",
    b"{\"error",
];

/// Statements and what tools understand beside them.
const WORDS: [&str; 62] = [
    "ACCEPT",
    "ALTER",
    "ANALYZE",
    "ANALYSE",
    "ATTACH",
    "BEGIN",
    "CALL",
    "CLOSE",
    "COMMENT",
    "COMMIT",
    "CONNECT",
    "COPY",
    "CREATE",
    "DECLARE",
    "DEFINE",
    "DELETE",
    "DELIMITER",
    "DESCRIBE",
    "DETACH",
    "DO",
    "DROP",
    "END",
    "EXEC",
    "EXECUTE",
    "EXPLAIN",
    "FLUSH",
    "FROM",
    "GO",
    "GRANT",
    "IF",
    "IMPORT",
    "INSERT",
    "KILL",
    "LET",
    "LOAD",
    "LOCK",
    "MERGE",
    "NOTIFY",
    "OPTIMIZE",
    "PRAGMA",
    "PREPARE",
    "PRINT",
    "PROMPT",
    "REINDEX",
    "REFRESH",
    "REM",
    "RENAME",
    "REPLACE",
    "RESET",
    "REVOKE",
    "ROLLBACK",
    "SAVEPOINT",
    "SELECT",
    "SET",
    "SHOW",
    "START",
    "TRUNCATE",
    "UNLOCK",
    "UPDATE",
    "USE",
    "VACUUM",
    "WITH",
];

/// Whether it can be a text: bytes of another kind have zeros among them. UTF-16 has many, and says
/// so at its begin.
#[must_use]
pub fn is_text(head: &[u8]) -> bool {
    if is_utf16(head) {
        return true;
    }
    let controls =
        head.iter().filter(|byte| matches!(**byte, 0..=8 | 14..=26 | 28..=31 | 127)).count();
    // A dump may hold a few of them inside its texts.
    !head.contains(&0) && controls * 50 <= head.len()
}

fn is_utf16(head: &[u8]) -> bool {
    head.starts_with(&[0xff, 0xfe]) || head.starts_with(&[0xfe, 0xff])
}

/// In one byte for each letter, as far as it is ASCII.
fn narrow(head: &[u8]) -> Vec<u8> {
    let head = head.strip_prefix(&[0xef, 0xbb, 0xbf]).unwrap_or(head);
    match is_utf16(head) {
        true => head[2..].iter().copied().filter(|byte| *byte != 0).collect(),
        false => head.to_vec(),
    }
}

/// Whether the first line is a message of a program, and no SQL.
#[must_use]
pub fn is_message(head: &[u8]) -> bool {
    let text = narrow(head);
    let Some(line) = text.split(|byte| *byte == b'\n').find(|line| !line.trim_ascii().is_empty())
    else {
        return false;
    };
    let line = line.trim_ascii().to_ascii_lowercase();
    let is_comment = [b"--".as_slice(), b"/*", b"#"].iter().any(|mark| line.starts_with(mark));
    let has_part = |part: &&[u8]| line.windows(part.len()).any(|window| window == *part);
    !is_comment
        && (MESSAGES.iter().any(|message| line.starts_with(message))
            || (MESSAGE_PARTS.iter().any(has_part) && !has_word(&line)))
}

/// Whether its first word, behind comments, is one that a tool for SQL understands. A text of
/// comments alone is one: migrations hold such files.
#[must_use]
pub fn is_sql(head: &[u8]) -> bool {
    let text = narrow(head);
    let mut rest = text.as_slice();
    loop {
        rest = rest.trim_ascii_start();
        let skipped = if rest.starts_with(b"--") || rest.starts_with(b"#") {
            rest.iter().position(|byte| *byte == b'\n')
        } else if rest.starts_with(b"/*") {
            rest.windows(2).position(|window| window == b"*/").map(|at| at + 1)
        } else {
            break;
        };
        match skipped {
            Some(at) => rest = &rest[at + 1..],
            // A comment that goes on beyond what was read.
            None => return true,
        }
    }
    match rest.first() {
        None => true,
        // Commands of psql, sqlplus and sqlcmd, statements in brackets, templates.
        Some(
            b'\\' | b'@' | b':' | b'(' | b'/' | b'{' | b'<' | b'$' | b'%' | b'!' | b'.' | b';',
        ) => true,
        Some(_) => has_word(rest),
    }
}

fn has_word(text: &[u8]) -> bool {
    let end = text.iter().position(|byte| !byte.is_ascii_alphanumeric()).unwrap_or(text.len());
    let word = String::from_utf8_lossy(&text[..end]).to_ascii_uppercase();
    WORDS.contains(&word.as_str())
}

/// Parts of names that people give to dumps and to nothing else.
const DUMP_PARTS: [&[u8]; 9] =
    [b"dump", b"backup", b"bak", b"export", b"mysql", b"maria", b"postgres", b"pg_", b"databases"];
/// Digits of a day, as `20261130`, or of a moment.
const DAY_DIGITS: usize = 8;

/// Whether a name says that this is a dump, and no script: by a word, or by a day.
#[must_use]
pub fn is_dump_name(name: &[u8]) -> bool {
    let part = |wanted: &&[u8]| name.windows(wanted.len()).any(|window| window == *wanted);
    let digits: Vec<u8> =
        name.iter().copied().filter(|byte| !matches!(byte, b'-' | b'.')).collect();
    let is_day = digits.split(|byte| !byte.is_ascii_digit()).any(|run| run.len() >= DAY_DIGITS);
    !is_migration(name) && (DUMP_PARTS.iter().any(part) || is_day)
}

/// Whether a script of this name may well be empty: the way back of a migration that has none.
#[must_use]
pub fn is_migration(name: &[u8]) -> bool {
    let digits = name.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let part = |wanted: &[u8]| name.windows(wanted.len()).any(|window| window == wanted);
    let is_versioned = matches!(name, [b'v' | b'u' | b'r', ..]) && part(b"__");
    // A number or a moment, then words: but a year or a day alone is what dumps are named by.
    let is_numbered = matches!(digits, 3..=6 | 14)
        && name.get(digits) == Some(&b'_')
        && !(digits == 4 && (name.starts_with(b"19") || name.starts_with(b"20")));
    is_numbered
        || is_versioned
        || part(b".up.")
        || part(b".down.")
        || [b"up.sql".as_slice(), b"down.sql", b"rollback.sql"].contains(&name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_programs_say_is_told_from_what_they_dump() {
        for text in [
            "pg_dump: error: connection to server failed\n",
            "\n  mysqldump: Got error: 1045: Access denied for user\n",
            "bash: pg_dump: command not found\n",
            "sh: 1: mysqldump: not found\n",
            "/usr/local/sbin/dump.sh: line 3: mysqldump: command not found\n",
            "<!DOCTYPE html>\n<title>502 Bad Gateway</title>",
            "{\"error\": \"unauthorized\"}",
            "ERROR 2002 (HY000): Can't connect to local server\n",
            "Error response from daemon: No such container: db\n",
        ] {
            assert!(is_message(text.as_bytes()), "{text}");
            let wide: Vec<u8> = text.bytes().flat_map(|byte| [byte, 0]).collect();
            assert!(is_message(&[&[0xff, 0xfe], wide.as_slice()].concat()), "{text} as UTF-16");
        }
        for text in [
            "-- pg_dump: error handling\nSELECT 1;",
            "CREATE TABLE errors (a text); -- access denied for user",
            "select 'connection refused';",
            "/* error: none */ BEGIN;",
            "",
        ] {
            assert!(!is_message(text.as_bytes()), "{text}");
            assert!(is_sql(text.as_bytes()), "{text}");
        }
    }

    #[test]
    fn scripts_of_many_tools_are_sql_and_prose_is_not() {
        for text in [
            "-- only a comment",
            "/* a long comment that is cut",
            "\u{feff}USE [shop]\nGO\n",
            "\\connect shop\n",
            "@other.sql\n",
            "{{ config(materialized='table') }} select 1",
            "with x as (select 1) select * from x",
            "set serveroutput on\n",
            "(select 1) union (select 2)",
        ] {
            assert!(is_sql(text.as_bytes()) && is_text(text.as_bytes()), "{text}");
        }
        for text in ["Lorem ipsum dolor", "12345", "name,price\na,1\n"] {
            assert!(!is_sql(text.as_bytes()), "{text}");
        }
    }

    #[test]
    fn empty_ways_back_are_no_dumps() {
        for name in ["000002_users.down.sql", "down.sql", "v2__shop.sql", "20240101120000_x.sql"] {
            assert!(is_migration(name.as_bytes()), "{name}");
        }
        for name in [
            "shop.sql",
            "backup.sql",
            "dump-01.sql",
            "v2.sql",
            "users.sql",
            "20261130.sql",
            "20261130_shop.sql",
            "2026-11-30-shop.sql",
            "2026_shop.sql",
        ] {
            assert!(!is_migration(name.as_bytes()), "{name}");
        }
        for name in ["dump.sql", "2026-11-30.sql", "shop-20261130.sql", "all-databases.sql"] {
            assert!(is_dump_name(name.as_bytes()), "{name}");
        }
        for name in ["schema.sql", "shop.sql", "20240101120000_users.sql", "v2026.sql"] {
            assert!(!is_dump_name(name.as_bytes()), "{name}");
        }
    }
}
