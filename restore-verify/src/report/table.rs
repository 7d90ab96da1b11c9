//! All runs of a period as CSV: what an auditor draws from.
//!
//! Text that a spreadsheet would take for a formula gets an apostrophe in front, because names of
//! machines and errors come from outside. Every cell is in quotes: a spreadsheet that splits at
//! semicolons sees no new cell in the middle of a name, and control characters are escaped, so that none
//! begins after a line feed.

use csv::{QuoteStyle, Writer, WriterBuilder};
use engine::base::path::escape;

use crate::report::calendar;
use crate::report::draw::Drawn;
use crate::report::population::Run;

const HEAD: [&str; 12] = [
    "id",
    "system",
    "time",
    "finished",
    "outcome",
    "snapshot",
    "entries",
    "bytes",
    "stored_bytes",
    "problems",
    "why",
    "evidence",
];

/// One row for each run.
///
/// # Errors
/// None that writing to memory has.
pub fn population(runs: &[Run]) -> Result<Vec<u8>, csv::Error> {
    let mut out = writer();
    out.write_record(HEAD)?;
    for run in runs {
        out.write_record(row(run))?;
    }
    finish(out)
}

/// One row for each run that was drawn, in the order of their ranks.
///
/// # Errors
/// As [`population`].
pub fn sample(drawn: &[Drawn<'_>]) -> Result<Vec<u8>, csv::Error> {
    let mut out = writer();
    out.write_record(["rank"].into_iter().chain(HEAD))?;
    for one in drawn {
        out.write_record([one.rank.clone()].into_iter().chain(row(one.run)))?;
    }
    finish(out)
}

fn writer() -> Writer<Vec<u8>> {
    WriterBuilder::new().quote_style(QuoteStyle::Always).from_writer(Vec::new())
}

fn finish(out: Writer<Vec<u8>>) -> Result<Vec<u8>, csv::Error> {
    out.into_inner().map_err(|error| csv::Error::from(error.into_error()))
}

fn row(run: &Run) -> [String; 12] {
    [
        plain(&run.id),
        plain(&run.system),
        calendar::rfc3339(run.at_ms),
        run.finished_ms.map(calendar::rfc3339).unwrap_or_default(),
        run.outcome.name().to_owned(),
        run.snapshot.clone().unwrap_or_default(),
        run.entries.to_string(),
        run.bytes.to_string(),
        run.stored_bytes.to_string(),
        run.problems.to_string(),
        plain(&run.why),
        run.record.clone().unwrap_or_default(),
    ]
}

/// Characters with which a formula begins, in a spreadsheet of any language: full-width ones too.
const FORMULA: [char; 10] =
    ['=', '+', '-', '@', '\u{ff1d}', '\u{ff0b}', '\u{ff0d}', '\u{ff20}', '|', '%'];

fn plain(text: &str) -> String {
    let text = escape(text.as_bytes());
    // Blanks of any kind in front are passed over by some.
    let begin = text.trim_start_matches(|letter: char| letter.is_whitespace() || letter == '\'');
    if begin.starts_with(FORMULA) { format!("'{text}") } else { text }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::population::missed_run;

    #[test]
    fn cells_are_quoted_and_no_cell_is_a_formula() {
        for (name, cell) in [
            ("=cmd|'/c calc'!A1", "\"'=cmd|'/c calc'!A1\""),
            (" \u{a0}=1", "\"' \u{a0}=1\""),
            ("\u{ff1d}1+1", "\"'\u{ff1d}1+1\""),
            ("\t=1", "\"\\t=1\""),
            ("x;=1", "\"x;=1\""),
            ("x\n=1", "\"x\\n=1\""),
            ("x\r\n@y", "\"x\\x0d\\n@y\""),
            ("a, \"b\"", "\"a, \"\"b\"\"\""),
            ("web-1", "\"web-1\""),
        ] {
            let mut run = missed_run(name, 0);
            run.why = name.to_owned();
            let text = String::from_utf8(population(&[run]).expect("it is written")).expect("text");
            assert_eq!(text.matches(&format!(",{cell},")).count(), 2, "{cell}: {text}");
            assert_eq!(text.lines().count(), 2, "{text}");
            assert!(
                text.lines().all(|line| line.starts_with('"') && line.ends_with('"')),
                "{text}"
            );
        }
    }
}
