//! SQL dumps as text: PostgreSQL's plain format, MySQL's and MariaDB's: parsed to the end, which
//! the program that made the dump marks only when it was done.

use std::fs::File;
use std::io::{self, BufRead, BufReader};
use std::path::Path;

use crate::probe::verdict::{Verdict, broken, judge};

/// Whose dump it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dialect {
    /// `pg_dump`, `pg_dumpall`.
    Postgres,
    /// `mysqldump`, `mariadb-dump`.
    Mysql,
}

const POSTGRES_HEADS: [&[u8]; 2] =
    [b"-- PostgreSQL database dump", b"-- PostgreSQL database cluster dump"];
const POSTGRES_ENDS: [&[u8]; 2] =
    [b"-- PostgreSQL database dump complete", b"-- PostgreSQL database cluster dump complete"];
const MYSQL_HEADS: [&[u8]; 3] = [b"-- MySQL dump", b"-- MariaDB dump", b"/*M!999999"];
const MYSQL_END: &[u8] = b"-- Dump completed";
/// Pieces in which a line is looked at: rows can be longer than memory.
const PIECE_BYTES: usize = 64 * 1024;

/// Whose dump begins with `head`.
#[must_use]
pub fn recognise(head: &[u8]) -> Option<Dialect> {
    let mut lines = head.split(|byte| *byte == b'\n').take(8);
    lines.find_map(|line| {
        let begins = |heads: &[&[u8]]| heads.iter().any(|head| line.starts_with(head));
        match (begins(&POSTGRES_HEADS), begins(&MYSQL_HEADS)) {
            (true, _) => Some(Dialect::Postgres),
            (_, true) => Some(Dialect::Mysql),
            _ => None,
        }
    })
}

/// Reads a dump to its end.
#[must_use]
pub fn look(path: &Path, dialect: Dialect) -> Verdict {
    match File::open(path) {
        Ok(file) => judge(walk(BufReader::with_capacity(PIECE_BYTES, file), dialect)),
        Err(error) => Verdict::NotProved(error.to_string()),
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
            is_complete |= match dialect {
                Dialect::Postgres => POSTGRES_ENDS.iter().any(|end| begins(end)),
                Dialect::Mysql => begins(MYSQL_END),
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
                let escapes = self.dialect == Dialect::Mysql && *quote != b'`';
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
            (b'`', _) if self.dialect == Dialect::Mysql => self.state = State::Quoted(first),
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

    #[test]
    fn a_text_that_never_ends_is_no_end() {
        let text = format!("{MYSQL}INSERT INTO t VALUES ('");
        assert!(matches!(judged(&text, Dialect::Mysql), Verdict::Failed(_)));
    }
}
