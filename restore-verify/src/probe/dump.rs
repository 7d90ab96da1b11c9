//! SQL dumps as text: PostgreSQL's plain format, MySQL's and MariaDB's: parsed to the end, which
//! the program that made the dump marks only when it was done.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::Path;

use crate::probe::verdict::{Bounded, Limits, Verdict, broken, judge};

/// Whose dump it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dialect {
    /// `pg_dump`, `pg_dumpall`.
    Postgres,
    /// `mysqldump`, `mariadb-dump`.
    Mysql,
    /// The same without comments, so without a mark at the end.
    MysqlBare,
    /// `.dump` of `sqlite3`.
    Sqlite,
}

const POSTGRES_HEADS: [&[u8]; 2] =
    [b"-- PostgreSQL database dump", b"-- PostgreSQL database cluster dump"];
const POSTGRES_ENDS: [&[u8]; 2] =
    [b"-- PostgreSQL database dump complete", b"-- PostgreSQL database cluster dump complete"];
const MYSQL_HEADS: [&[u8]; 2] = [b"-- MySQL dump", b"-- MariaDB dump"];
const MYSQL_BARE_HEADS: [&[u8]; 2] = [b"/*M!999999", b"/*!40101 SET @OLD_CHARACTER_SET_CLIENT="];
const MYSQL_END: &[u8] = b"-- Dump completed";
const SQLITE_HEAD: &[u8] = b"PRAGMA foreign_keys=OFF;";
const SQLITE_END: &[u8] = b"COMMIT;";
/// What `sqlite3` writes where it could not read on.
const SQLITE_ERRORS: [&[u8]; 2] = [b"ROLLBACK; -- due to errors", b"/****** CORRUPTION ERROR"];
/// What programs say of themselves: in a dump it is a line that no server takes.
const MESSAGES: [&[u8]; 5] =
    [b"pg_dump: ", b"pg_dumpall: ", b"mysqldump: ", b"mariadb-dump: ", b"mysqldump.exe: "];
/// Pieces in which a line is looked at: rows can be longer than memory.
const PIECE_BYTES: usize = 64 * 1024;

/// Whose dump begins with `head`.
#[must_use]
pub fn recognise(head: &[u8]) -> Option<Dialect> {
    let lines = || head.split(|byte| *byte == b'\n').take(8);
    let has = |heads: &[&[u8]]| lines().any(|line| heads.iter().any(|it| line.starts_with(it)));
    if has(&POSTGRES_HEADS) {
        Some(Dialect::Postgres)
    } else if has(&MYSQL_HEADS) {
        Some(Dialect::Mysql)
    } else if has(&MYSQL_BARE_HEADS) {
        Some(Dialect::MysqlBare)
    } else {
        head.starts_with(SQLITE_HEAD).then_some(Dialect::Sqlite)
    }
}

/// Reads a dump to its end.
#[must_use]
pub fn look(path: &Path, dialect: Dialect) -> Verdict {
    match File::open(path) {
        Ok(file) => verdict(walk(BufReader::with_capacity(PIECE_BYTES, file), dialect), dialect),
        Err(error) => Verdict::NotProved(error.to_string()),
    }
}

/// Reads one to its end that comes out of a stream. How the stream ends counts too: what follows the
/// last line is read as well.
#[must_use]
pub fn look_at(reader: impl Read, dialect: Dialect, limits: &Limits) -> Verdict {
    let bounded = Bounded::new(reader, limits.decoded_bytes);
    verdict(walk(BufReader::with_capacity(PIECE_BYTES, bounded), dialect), dialect)
}

fn verdict(walked: io::Result<()>, dialect: Dialect) -> Verdict {
    match judge(walked) {
        Verdict::Passed if dialect == Dialect::MysqlBare => {
            Verdict::NotProved("it was made without comments: nothing marks its end".to_owned())
        }
        other => other,
    }
}

fn walk(mut reader: impl BufRead, dialect: Dialect) -> io::Result<()> {
    let mut scanner = Scanner::new(dialect);
    let mut line = Vec::new();
    let mut is_complete = false;
    loop {
        line.clear();
        // A piece of a line, or the whole; only a line that fits is looked at for marks.
        let mut limited = io::Read::take(&mut reader, PIECE_BYTES as u64);
        if limited.read_until(b'\n', &mut line)? == 0 {
            break;
        }
        if scanner.is_between_statements() {
            let begins = |end: &[u8]| line.starts_with(end);
            if MESSAGES.iter().any(|message| begins(message)) {
                return Err(broken("it holds a message of the program that made it"));
            }
            is_complete = match dialect {
                Dialect::Postgres => is_complete || POSTGRES_ENDS.iter().any(|end| begins(end)),
                Dialect::Mysql => is_complete || begins(MYSQL_END),
                Dialect::MysqlBare => true,
                Dialect::Sqlite if SQLITE_ERRORS.iter().any(|error| begins(error)) => {
                    return Err(broken("it says itself that something could not be read"));
                }
                // Only the last statement counts: a part may be a transaction too.
                Dialect::Sqlite => {
                    begins(SQLITE_END) || (is_complete && line.trim_ascii().is_empty())
                }
            };
        }
        scanner.take(&line);
    }
    match (is_complete, scanner.state) {
        (false, State::CopyData) => Err(broken("it ends in the middle of the rows of a table")),
        (false, _) => Err(broken("its last line is missing: it was not written to its end")),
        (true, State::Plain | State::LineComment) => Ok(()),
        (true, _) => Err(broken("it ends in the middle of a text")),
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum State {
    /// Between words.
    Plain,
    /// `-- …` to the end of the line.
    LineComment,
    /// `/* … */`.
    BlockComment,
    /// In quotes of this kind.
    Quoted(u8),
    /// `$tag$ … $tag$`.
    Dollar(Vec<u8>),
    /// Rows after `COPY … FROM stdin;`, to a line of `\.`.
    CopyData,
}

/// Follows quotes, comments and rows, so that a mark inside a text is no mark.
struct Scanner {
    dialect: Dialect,
    state: State,
    /// Whether a statement has begun and not ended.
    in_statement: bool,
    /// The statement so far, its first bytes: is it a COPY?
    statement: Vec<u8>,
    at_line_start: bool,
}

/// First bytes of a statement that are kept, and last.
const STATEMENT_BYTES: usize = 16;

impl Scanner {
    fn new(dialect: Dialect) -> Self {
        Self {
            dialect,
            state: State::Plain,
            in_statement: false,
            statement: Vec::new(),
            at_line_start: true,
        }
    }

    fn is_mysql(&self) -> bool {
        matches!(self.dialect, Dialect::Mysql | Dialect::MysqlBare)
    }

    fn is_between_statements(&self) -> bool {
        self.state == State::Plain && !self.in_statement && self.at_line_start
    }

    fn take(&mut self, piece: &[u8]) {
        if self.state == State::CopyData {
            if self.at_line_start && piece.strip_suffix(b"\n").unwrap_or(piece) == b"\\." {
                self.state = State::Plain;
            }
            self.at_line_start = piece.ends_with(b"\n");
            return;
        }
        let is_meta = self.at_line_start && self.state == State::Plain && piece.starts_with(b"\\");
        let ends_copy = piece.trim_ascii_end().ends_with(b"FROM stdin;");
        self.at_line_start = piece.ends_with(b"\n");
        if is_meta && self.dialect == Dialect::Postgres {
            return;
        }
        let mut at = 0;
        while at < piece.len() {
            at += self.step(&piece[at..]);
        }
        if self.state == State::LineComment && self.at_line_start {
            self.state = State::Plain;
        }
        let is_copy = self.statement.starts_with(b"COPY ");
        if is_copy && ends_copy && !self.in_statement && self.state == State::Plain {
            self.state = State::CopyData;
        }
    }

    /// Takes what is at the front; answers how many bytes that was.
    fn step(&mut self, rest: &[u8]) -> usize {
        let (first, second) = (rest[0], rest.get(1).copied());
        match &self.state {
            State::Plain => return self.plain(rest),
            State::LineComment => {
                if first == b'\n' {
                    self.state = State::Plain;
                }
            }
            State::BlockComment => {
                if (first, second) == (b'*', Some(b'/')) {
                    self.state = State::Plain;
                    return 2;
                }
            }
            State::Quoted(quote) => {
                let escapes = self.is_mysql() && *quote != b'`';
                if first == b'\\' && escapes {
                    return 2;
                }
                if first == *quote {
                    // A doubled quote closes and opens again, which comes to the same.
                    self.state = State::Plain;
                }
            }
            State::Dollar(tag) => {
                if rest.starts_with(tag) {
                    let length = tag.len();
                    self.state = State::Plain;
                    return length;
                }
            }
            State::CopyData => {}
        }
        1
    }

    fn plain(&mut self, rest: &[u8]) -> usize {
        let (first, second) = (rest[0], rest.get(1).copied());
        match (first, second) {
            (b'-', Some(b'-')) => self.state = State::LineComment,
            (b'/', Some(b'*')) => {
                self.state = State::BlockComment;
                return 2;
            }
            (b'\'' | b'"', _) => self.state = State::Quoted(first),
            (b'`', _) if self.dialect != Dialect::Postgres => self.state = State::Quoted(first),
            (b'$', _) if self.dialect == Dialect::Postgres => {
                if let Some(tag) = dollar_tag(rest) {
                    let length = tag.len();
                    self.state = State::Dollar(tag);
                    return length;
                }
            }
            (b';', _) => self.in_statement = false,
            _ if first.is_ascii_whitespace() => {}
            _ => {
                if !self.in_statement {
                    self.in_statement = true;
                    self.statement.clear();
                }
            }
        }
        if self.in_statement && self.statement.len() < STATEMENT_BYTES {
            self.statement.push(first);
        }
        1
    }
}

/// `$$` or `$name$` at the front.
fn dollar_tag(rest: &[u8]) -> Option<Vec<u8>> {
    let end = rest.iter().skip(1).take(64).position(|byte| *byte == b'$')? + 1;
    let is_name = rest[1..end].iter().all(|byte| byte.is_ascii_alphanumeric() || *byte == b'_');
    let is_parameter = rest.get(1).is_some_and(u8::is_ascii_digit);
    (is_name && !is_parameter).then(|| rest[..=end].to_vec())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judged(text: &str, dialect: Dialect) -> Verdict {
        judge(walk(text.as_bytes(), dialect))
    }

    const POSTGRES: &str = "--\n-- PostgreSQL database dump\n--\n\n\\restrict abc\n\
        SET x = 'it''s; -- no comment';\n\
        CREATE FUNCTION f() RETURNS text AS $_$ select '-- PostgreSQL database dump complete' $_$;\n\
        COPY public.t (a) FROM stdin;\n1\n-- PostgreSQL database dump complete\n'\n\\.\n\n\
        --\n-- PostgreSQL database dump complete\n--\n\n\\unrestrict abc\n";
    const MYSQL: &str = "-- MySQL dump 10.13\n/*!40101 SET NAMES utf8 */;\n\
        INSERT INTO `t` VALUES (1,'a\\'b;\n-- Dump completed\n');\n-- Dump completed on 2026-11-26\n";

    #[test]
    fn a_dump_is_whole_only_with_its_last_line() {
        assert_eq!(recognise(POSTGRES.as_bytes()), Some(Dialect::Postgres));
        assert_eq!(recognise(MYSQL.as_bytes()), Some(Dialect::Mysql));
        assert_eq!(judged(POSTGRES, Dialect::Postgres), Verdict::Passed);
        assert_eq!(judged(MYSQL, Dialect::Mysql), Verdict::Passed);
        for (text, dialect, mark) in [
            (POSTGRES, Dialect::Postgres, "-- PostgreSQL database dump complete\n--\n\n\\un"),
            (MYSQL, Dialect::Mysql, "-- Dump completed on"),
        ] {
            let end = text.find(mark).expect("it is there");
            for cut in (0..end).chain([end + 10]) {
                let verdict = judged(&text[..cut], dialect);
                assert!(matches!(verdict, Verdict::Failed(_)), "cut at {cut}: {verdict:?}");
            }
        }
    }

    const SQLITE: &str = "PRAGMA foreign_keys=OFF;\nBEGIN TRANSACTION;\nCREATE TABLE t(a text);\n\
        INSERT INTO t VALUES('it''s\nCOMMIT;\n');\nCOMMIT;\n";

    #[test]
    fn dumps_of_sqlite_end_with_their_commit_and_say_what_they_could_not_read() {
        assert_eq!(recognise(SQLITE.as_bytes()), Some(Dialect::Sqlite));
        assert_eq!(judged(SQLITE, Dialect::Sqlite), Verdict::Passed);
        for cut in 25..SQLITE.len() - 2 {
            let verdict = judged(&SQLITE[..cut], Dialect::Sqlite);
            assert!(matches!(verdict, Verdict::Failed(_)), "cut at {cut}: {verdict:?}");
        }
        let broken = SQLITE.replace(");\nCOMMIT;\n", ");\nROLLBACK; -- due to errors\n");
        assert!(matches!(judged(&broken, Dialect::Sqlite), Verdict::Failed(_)));
        let more = format!("{SQLITE}CREATE TABLE u(a);\n");
        assert!(matches!(judged(&more, Dialect::Sqlite), Verdict::Failed(_)));
    }

    #[test]
    fn a_message_among_the_statements_is_found_and_one_in_a_text_is_none() {
        let warned = format!("mysqldump: [Warning] Using a password can be insecure.\n{MYSQL}");
        assert_eq!(recognise(warned.as_bytes()), Some(Dialect::Mysql));
        assert!(matches!(judged(&warned, Dialect::Mysql), Verdict::Failed(_)));
        let told = MYSQL.replace("'a\\'b;", "'a\\'b\npg_dump: not here\n;");
        assert_eq!(judged(&told, Dialect::Mysql), Verdict::Passed);
    }

    #[test]
    fn without_comments_nothing_says_that_it_is_whole() {
        let bare = "/*M!999999\\- enable the sandbox mode */ \nINSERT INTO `t` VALUES (1);\n";
        assert_eq!(recognise(bare.as_bytes()), Some(Dialect::MysqlBare));
        let verdict = look_at(bare.as_bytes(), Dialect::MysqlBare, &Limits::default());
        assert!(matches!(verdict, Verdict::NotProved(_)), "{verdict:?}");
        let cut =
            look_at(&bare.as_bytes()[..bare.len() - 5], Dialect::MysqlBare, &Limits::default());
        assert!(matches!(cut, Verdict::Failed(_) | Verdict::NotProved(_)), "{cut:?}");
    }

    #[test]
    fn a_text_that_never_ends_is_no_end() {
        let text = format!("{MYSQL}INSERT INTO t VALUES ('");
        assert!(matches!(judged(&text, Dialect::Mysql), Verdict::Failed(_)));
    }
}
