//! Rows of the state as values.

use rusqlite::Row;

use crate::config::schedule::JobKind;
use crate::outcome::{Outcome, Reason, Verdict};

/// Where a run stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// Its slot is taken, and it waits for its next attempt.
    Waiting,
    /// It runs, or whoever ran it was killed.
    Running,
    /// It is over.
    Ended,
}

impl Phase {
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Running => "running",
            Self::Ended => "ended",
        }
    }

    fn of_name(name: &str) -> Self {
        match name {
            "waiting" => Self::Waiting,
            "running" => Self::Running,
            _ => Self::Ended,
        }
    }
}

/// A slot that was taken, or several that nothing ran in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunRow {
    /// Its number on this machine.
    pub number: i64,
    /// The job.
    pub job: JobKind,
    /// Its slot; the newest if there are several.
    pub slot_s: i64,
    /// The oldest of them.
    pub first_slot_s: i64,
    /// How many.
    pub slots: i64,
    /// Where it stands.
    pub phase: Phase,
    /// How often it was begun.
    pub attempts: u32,
    /// How often whoever ran it was killed.
    pub crashes: u32,
    /// When the next attempt may begin.
    pub not_before_s: i64,
    /// When its slot was taken.
    pub taken_s: i64,
    /// When its last attempt began; nothing if none ran.
    pub began_s: Option<i64>,
    /// When it was over.
    pub ended_s: Option<i64>,
    /// How it ended, or its last attempt if it waits for another.
    pub verdict: Option<Verdict>,
}

/// What a backup of one source found and stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Facts {
    /// Files in the snapshot.
    pub files: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Bytes that were new.
    pub new_bytes: u64,
    /// Bytes that these became in the store.
    pub stored_bytes: u64,
    /// Files that the snapshot before had and this one has not.
    pub removed_files: u64,
    /// A hash of what was left out by, to see that it changed.
    pub filter: i64,
}

/// One source in a run of the backup, or the whole of another job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PartRow {
    /// The run that it belongs to.
    pub run: i64,
    /// The source.
    pub source: String,
    /// When its last attempt began.
    pub began_s: i64,
    /// When it was over.
    pub ended_s: Option<i64>,
    /// How it ended.
    pub verdict: Option<Verdict>,
    /// The snapshot that it made.
    pub snapshot: Option<String>,
    /// What it found.
    pub facts: Option<Facts>,
}

pub(super) const RUN_COLUMNS: &str = "number, job, slot_s, first_slot_s, slots, phase, attempts, \
     crashes, not_before_s, taken_s, began_s, ended_s, outcome, reason, detail";

pub(super) fn run(row: &Row<'_>) -> rusqlite::Result<RunRow> {
    let job: String = row.get("job")?;
    let phase: String = row.get("phase")?;
    Ok(RunRow {
        number: row.get("number")?,
        job: job.parse().map_err(|_| unknown("job"))?,
        slot_s: row.get("slot_s")?,
        first_slot_s: row.get("first_slot_s")?,
        slots: row.get("slots")?,
        phase: Phase::of_name(&phase),
        attempts: row.get("attempts")?,
        crashes: row.get("crashes")?,
        not_before_s: row.get("not_before_s")?,
        taken_s: row.get("taken_s")?,
        began_s: row.get("began_s")?,
        ended_s: row.get("ended_s")?,
        verdict: verdict(row)?,
    })
}

pub(super) const PART_COLUMNS: &str = "run, source, began_s, ended_s, outcome, reason, detail, \
     snapshot, files, bytes, new_bytes, stored_bytes, removed_files, filter";

pub(super) fn part(row: &Row<'_>) -> rusqlite::Result<PartRow> {
    let number = |name: &str| -> rusqlite::Result<Option<u64>> {
        Ok(row.get::<_, Option<i64>>(name)?.map(i64::unsigned_abs))
    };
    let facts = match (number("files")?, number("bytes")?) {
        (Some(files), Some(bytes)) => Some(Facts {
            files,
            bytes,
            new_bytes: number("new_bytes")?.unwrap_or_default(),
            stored_bytes: number("stored_bytes")?.unwrap_or_default(),
            removed_files: number("removed_files")?.unwrap_or_default(),
            filter: row.get::<_, Option<i64>>("filter")?.unwrap_or_default(),
        }),
        _ => None,
    };
    Ok(PartRow {
        run: row.get("run")?,
        source: row.get("source")?,
        began_s: row.get("began_s")?,
        ended_s: row.get("ended_s")?,
        verdict: verdict(row)?,
        snapshot: row.get("snapshot")?,
        facts,
    })
}

fn verdict(row: &Row<'_>) -> rusqlite::Result<Option<Verdict>> {
    let Some(outcome) = row.get::<_, Option<String>>("outcome")? else { return Ok(None) };
    let outcome = Outcome::of_name(&outcome).ok_or_else(|| unknown("outcome"))?;
    let reason: Option<String> = row.get("reason")?;
    let reason = match reason {
        None => None,
        Some(name) => Some(Reason::of_name(&name).ok_or_else(|| unknown("reason"))?),
    };
    Ok(Some(Verdict { outcome, reason, detail: row.get("detail")? }))
}

fn unknown(what: &str) -> rusqlite::Error {
    rusqlite::Error::InvalidColumnName(format!("a {what} that this program does not know"))
}
