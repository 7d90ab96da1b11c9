//! All runs of a period as CSV: what an auditor draws from.
//!
//! Text that a spreadsheet would take for a formula gets an apostrophe in front, because names of
//! machines and errors come from outside.

use csv::Writer;

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
    let mut out = Writer::from_writer(Vec::new());
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
    let mut out = Writer::from_writer(Vec::new());
    out.write_record(["rank"].into_iter().chain(HEAD))?;
    for one in drawn {
        out.write_record([one.rank.clone()].into_iter().chain(row(one.run)))?;
    }
    finish(out)
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

fn plain(text: &str) -> String {
    let is_formula = text.starts_with(['=', '+', '-', '@', '\t', '\r']);
    if is_formula { format!("'{text}") } else { text.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::population::missed_run;

    #[test]
    fn cells_are_quoted_and_no_cell_is_a_formula() {
        let mut run = missed_run("=cmd|'/c calc'!A1", 0);
        run.why = "a, \"b\"\nc".to_owned();
        let text = String::from_utf8(population(&[run]).expect("it is written")).expect("text");
        assert!(text.contains(",'=cmd|'/c calc'!A1,"), "{text}");
        assert!(text.contains("\"a, \"\"b\"\"\nc\""), "{text}");
    }
}
