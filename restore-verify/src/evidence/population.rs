//! Runs of backups as rows: what an auditor draws from, one line of text for each.
//!
//! The line is what the tree is made of, so that whoever has the file computes the root with a hash
//! function and nothing else. A run keeps its id for ever; in a later population it can stand again
//! with its end known, and the newest row counts.

use std::fmt::Write as _;

use crate::evidence::merkle::RootBuilder;
use crate::evidence::record::{Hash32, from_hex, to_hex};

/// First line of the text.
pub const HEAD: &str =
    "run,system,started_ms,finished_ms,outcome,files,bytes,bytes_stored,problems";
/// Rows of one population; a fleet of a thousand systems has as many in a day.
pub const ROWS_MAX: usize = 200_000;
/// Longest name of a system, as text.
const SYSTEM_MAX_BYTES: usize = 1024;

/// How a run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum RunOutcome {
    /// Everything that was asked for is in the snapshot.
    Ok,
    /// Everything is, but some files changed while they were read.
    OkWithNotes,
    /// Something could not be read; the snapshot names it.
    Partial,
    /// It made no snapshot.
    Failed,
    /// It has not ended, or nobody knows yet that it was cut off.
    Open,
    /// There was none, and there should have been. No row says so: it follows from a schedule.
    Missed,
}

impl RunOutcome {
    /// Those that a row can have.
    pub const RECORDED: [Self; 5] =
        [Self::Ok, Self::OkWithNotes, Self::Partial, Self::Failed, Self::Open];
    /// Those that a run has in the end, the best first.
    pub const FINAL: [Self; 5] =
        [Self::Ok, Self::OkWithNotes, Self::Partial, Self::Failed, Self::Missed];

    /// The word that people and programs see.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::OkWithNotes => "ok-with-notes",
            Self::Partial => "partial",
            Self::Failed => "failed",
            Self::Open => "open",
            Self::Missed => "missed",
        }
    }

    /// Whether everything that was asked for can be restored.
    #[must_use]
    pub const fn is_ok(self) -> bool {
        matches!(self, Self::Ok | Self::OkWithNotes)
    }

    /// Whether there is a snapshot.
    #[must_use]
    pub const fn has_snapshot(self) -> bool {
        matches!(self, Self::Ok | Self::OkWithNotes | Self::Partial)
    }
}

/// One run.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct RunRow {
    /// Its session, which is also the id of its snapshot if it made one.
    pub run: [u8; 24],
    /// Host that was backed up.
    pub system: String,
    /// When it began, by the client's clock, in milliseconds since 1970.
    pub started_ms: i64,
    /// When its tree was complete; `None` if it made no snapshot.
    pub finished_ms: Option<i64>,
    /// How it ended.
    pub outcome: RunOutcome,
    /// Entries of its snapshot.
    pub files: u64,
    /// Logical bytes of its snapshot.
    pub bytes: u64,
    /// Bytes that it added to the store.
    pub bytes_stored: u64,
    /// Items that could not be backed up as they should.
    pub problems: u64,
}

impl RunRow {
    /// Its line, without an end of line: the row as it goes into the root.
    #[must_use]
    pub fn to_line(&self) -> String {
        format!(
            "{},{},{},{},{},{},{},{},{}",
            to_hex(&self.run),
            bare(&self.system),
            self.started_ms,
            self.finished_ms.map(|time| time.to_string()).unwrap_or_default(),
            self.outcome.name(),
            self.files,
            self.bytes,
            self.bytes_stored,
            self.problems
        )
    }

    fn from_line(line: &str) -> Option<Self> {
        let fields: Vec<&str> = line.split(',').collect();
        let [run, system, started, finished, outcome, files, bytes, stored, problems] =
            fields.as_slice()
        else {
            return None;
        };
        let row = Self {
            run: from_hex(run)?.try_into().ok()?,
            system: full(system)?,
            started_ms: started.parse().ok()?,
            finished_ms: match *finished {
                "" => None,
                time => Some(time.parse().ok()?),
            },
            outcome: RunOutcome::RECORDED.into_iter().find(|one| one.name() == *outcome)?,
            files: files.parse().ok()?,
            bytes: bytes.parse().ok()?,
            bytes_stored: stored.parse().ok()?,
            problems: problems.parse().ok()?,
        };
        // One spelling only.
        (row.to_line() == line).then_some(row)
    }
}

/// A name in a field: everything but letters, digits, `.`, `_` and `-` as `%` and two digits.
fn bare(name: &str) -> String {
    let mut text = String::new();
    for byte in name.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'.' | b'_' | b'-' => {
                text.push(char::from(byte));
            }
            _ => {
                let _ = write!(text, "%{byte:02x}");
            }
        }
    }
    text
}

fn full(text: &str) -> Option<String> {
    if text.len() > SYSTEM_MAX_BYTES {
        return None;
    }
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        rest = after;
        match first {
            b'%' => {
                let (digits, after) = rest.split_at_checked(2)?;
                bytes.extend(from_hex(std::str::from_utf8(digits).ok()?)?);
                rest = after;
            }
            byte => bytes.push(*byte),
        }
    }
    String::from_utf8(bytes).ok()
}

/// Rows as text; they are in the order of their runs.
#[must_use]
pub fn runs_text(rows: &[RunRow]) -> String {
    let mut text = format!("{HEAD}\n");
    for row in rows {
        text.push_str(&row.to_line());
        text.push('\n');
    }
    text
}

/// Reads rows; `None` if they are not spelled or not ordered as they are written.
#[must_use]
pub fn read_runs(text: &[u8]) -> Option<Vec<RunRow>> {
    let text = std::str::from_utf8(text).ok()?.strip_suffix('\n')?;
    let mut lines = text.split('\n');
    if lines.next()? != HEAD {
        return None;
    }
    let rows: Vec<RunRow> =
        lines.take(ROWS_MAX + 1).map(RunRow::from_line).collect::<Option<_>>()?;
    let is_ordered = rows.windows(2).all(|pair| pair[0].run < pair[1].run);
    (is_ordered && rows.len() <= ROWS_MAX).then_some(rows)
}

/// Root over the lines of the rows.
#[must_use]
pub fn runs_root(rows: &[RunRow]) -> Hash32 {
    let mut builder = RootBuilder::default();
    rows.iter().for_each(|row| builder.push(row.to_line().as_bytes()));
    builder.root()
}

/// How many ended how, in the order of the outcomes; outcomes that none has are left out.
#[must_use]
pub fn tally(rows: &[RunRow]) -> Vec<(String, u64)> {
    let count = |outcome| rows.iter().filter(|row| row.outcome == outcome).count() as u64;
    let all = RunOutcome::RECORDED.into_iter().map(|one| (one.name().to_owned(), count(one)));
    all.filter(|(_, count)| *count > 0).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(number: u8, system: &str) -> RunRow {
        RunRow {
            run: [number; 24],
            system: system.to_owned(),
            started_ms: -5,
            finished_ms: (number != 2).then_some(7),
            outcome: RunOutcome::RECORDED[usize::from(number) % 5],
            files: 3,
            bytes: u64::MAX,
            bytes_stored: 0,
            problems: 1,
        }
    }

    #[test]
    fn rows_come_back_and_have_one_spelling() {
        let rows: Vec<_> = (0..6)
            .zip(["web-1", "", "a,b", "ü %", "x\ny", "%2c"])
            .map(|(n, s)| row(n, s))
            .collect();
        let text = runs_text(&rows);
        assert_eq!(read_runs(text.as_bytes()), Some(rows.clone()));
        assert_eq!(tally(&rows)[0], ("ok".to_owned(), 2));
        for (from, to) in [("web-1", "web%2d1"), ("-5", "-05"), ("ok", "fine"), ("\n", "\r\n")] {
            assert_eq!(read_runs(text.replacen(from, to, 1).as_bytes()), None, "{from}");
        }
        let mut other = rows.clone();
        other.swap(0, 1);
        assert_eq!(read_runs(runs_text(&other).as_bytes()), None);
        assert_ne!(runs_root(&rows), runs_root(&other));
        assert_eq!(read_runs(b""), None);
        assert_eq!(read_runs(format!("{HEAD}\n").as_bytes()), Some(Vec::new()));
    }
}
