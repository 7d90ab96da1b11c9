//! What is read from the state.

use rusqlite::OptionalExtension;

use crate::config::schedule::JobKind;
use crate::state::row::{PART_COLUMNS, PartRow, RUN_COLUMNS, RunRow, part, run};
use crate::state::{State, StateError};

impl State {
    /// The run of a job that is not over; there is at most one.
    ///
    /// # Errors
    /// [`StateError`] if the database fails, as everywhere here.
    pub fn open_run(&self, job: JobKind) -> Result<Option<RunRow>, StateError> {
        self.one(
            "WHERE job = ?1 AND phase <> 'ended' AND is_void = 0 ORDER BY slot_s DESC",
            (job.name(),),
        )
    }

    /// The newest slot of a job up to an instant that is not free any more.
    pub fn newest_slot(&self, job: JobKind, until_s: i64) -> Result<Option<i64>, StateError> {
        self.read(|database| {
            database.query_row(
                "SELECT max(slot_s) FROM run WHERE job = ?1 AND slot_s <= ?2 AND is_void = 0",
                (job.name(), until_s),
                |row| row.get(0),
            )
        })
    }

    /// The newest run of a job that is over and whose slot is not later than an instant.
    pub fn newest_ended(&self, job: JobKind, until_s: i64) -> Result<Option<RunRow>, StateError> {
        self.one(
            "WHERE job = ?1 AND slot_s <= ?2 AND phase = 'ended' AND is_void = 0
             ORDER BY slot_s DESC",
            (job.name(), until_s),
        )
    }

    /// The newest of those that did something.
    pub fn newest_begun(&self, job: JobKind, until_s: i64) -> Result<Option<RunRow>, StateError> {
        self.one(
            "WHERE job = ?1 AND slot_s <= ?2 AND phase = 'ended' AND began_s IS NOT NULL
             AND is_void = 0 ORDER BY slot_s DESC",
            (job.name(), until_s),
        )
    }

    /// A run by its number.
    pub fn run(&self, number: i64) -> Result<Option<RunRow>, StateError> {
        self.one("WHERE number = ?1", (number,))
    }

    /// The newest runs of all jobs, at most so many, the newest first.
    pub fn runs(&self, max: u32) -> Result<Vec<RunRow>, StateError> {
        self.read(|database| {
            let text = format!(
                "SELECT {RUN_COLUMNS} FROM run WHERE is_void = 0
                 ORDER BY number DESC LIMIT ?1"
            );
            database.prepare_cached(&text)?.query_map([max], run)?.collect()
        })
    }

    /// Runs that are over and of which the store does not know yet, the oldest first.
    pub fn unrecorded(&self, max: u32) -> Result<Vec<RunRow>, StateError> {
        self.read(|database| {
            let text = format!(
                "SELECT {RUN_COLUMNS} FROM run
                 WHERE is_recorded = 0 AND phase = 'ended' AND is_void = 0
                 ORDER BY number LIMIT ?1"
            );
            database.prepare_cached(&text)?.query_map([max], run)?.collect()
        })
    }

    /// A text that was kept under a name.
    pub fn setting(&self, name: &str) -> Result<Option<String>, StateError> {
        self.read(|database| {
            let text = "SELECT value FROM setting WHERE name = ?1";
            database.query_row(text, [name], |row| row.get(0)).optional()
        })
    }

    /// The parts of a run, in the order in which they began.
    pub fn parts(&self, number: i64) -> Result<Vec<PartRow>, StateError> {
        self.read(|database| {
            let text =
                format!("SELECT {PART_COLUMNS} FROM part WHERE run = ?1 ORDER BY began_s, source");
            database.prepare_cached(&text)?.query_map([number], part)?.collect()
        })
    }

    /// The newest parts of a source that left a snapshot to restore from, the newest first.
    pub fn good_parts(&self, source: &str, max: u32) -> Result<Vec<PartRow>, StateError> {
        self.some_parts(source, "outcome IN ('ok', 'ok-with-notes', 'partial')", max)
    }

    /// The newest parts of a source that are over, the newest first.
    pub fn ended_parts(&self, source: &str, max: u32) -> Result<Vec<PartRow>, StateError> {
        self.some_parts(source, "ended_s IS NOT NULL", max)
    }

    /// The latest instant that a run was taken at, which no clock can be before unless it was set.
    pub fn newest_taken_s(&self) -> Result<Option<i64>, StateError> {
        self.read(|database| {
            database
                .query_row("SELECT max(taken_s) FROM run WHERE is_void = 0", [], |row| row.get(0))
        })
    }

    /// When a job was first seen.
    pub fn seen_s(&self, job: JobKind) -> Result<Option<i64>, StateError> {
        self.read(|database| {
            let text = "SELECT seen_s FROM job WHERE name = ?1";
            database.query_row(text, [job.name()], |row| row.get(0)).optional()
        })
    }

    fn some_parts(
        &self,
        source: &str,
        condition: &str,
        max: u32,
    ) -> Result<Vec<PartRow>, StateError> {
        self.read(|database| {
            let text = format!(
                "SELECT {PART_COLUMNS} FROM part WHERE source = ?1 AND {condition}
                 AND run IN (SELECT number FROM run WHERE job = 'backup' AND is_void = 0)
                 ORDER BY ended_s DESC, run DESC LIMIT ?2"
            );
            database.prepare_cached(&text)?.query_map((source, max), part)?.collect()
        })
    }

    fn one(
        &self,
        condition: &str,
        values: impl rusqlite::Params,
    ) -> Result<Option<RunRow>, StateError> {
        self.read(|database| {
            let text = format!("SELECT {RUN_COLUMNS} FROM run {condition} LIMIT 1");
            database.prepare_cached(&text)?.query_row(values, run).optional()
        })
    }
}
