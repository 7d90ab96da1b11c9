//! The history of runs on this machine, and those that a crash left open.
//!
//! A run is begun before its session is registered in the store and finished after its outcome is
//! known, so whatever is open at the next start was cut off: it is adopted if its commit arrived,
//! or given up.

use rusqlite::{OptionalExtension, Row};

use crate::base::id::SessionId;
use crate::base::limits::INDEX_RUNS_KEPT;
use crate::base::time::Timestamp;
use crate::index::database::Index;
use crate::index::error::{Failure, IndexError};

/// One run of this machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Run {
    /// Its session.
    pub session: SessionId,
    /// What it worked on.
    pub source: String,
    /// When it began.
    pub started: Timestamp,
    /// How it ended; `None` while it runs or if it was cut off.
    pub end: Option<RunEnd>,
}

/// How a run ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunEnd {
    /// When.
    pub finished: Timestamp,
    /// In one word: `committed`, `failed` …
    pub outcome: String,
    /// What a person should know about it.
    pub detail: String,
}

impl Index {
    /// Notes that a run begins; on the disk when this returns. Beginning one twice changes nothing.
    ///
    /// # Errors
    /// [`IndexError::Database`] if the database fails.
    pub fn begin_run(
        &self,
        session: SessionId,
        started: Timestamp,
        source: &str,
    ) -> Result<(), IndexError> {
        self.write_durably(|transaction| {
            transaction.execute(
                "INSERT OR IGNORE INTO run (session, source, started_s, started_ns)
                 VALUES (?1, ?2, ?3, ?4)",
                (session.as_bytes(), source, started.seconds, started.nanos),
            )?;
            transaction.execute(
                "DELETE FROM run WHERE outcome IS NOT NULL
                 AND number <= (SELECT max(number) FROM run) - ?1",
                [INDEX_RUNS_KEPT],
            )?;
            Ok(())
        })
    }

    /// Notes how a run ended; a second end replaces the first. Answers whether the run is known:
    /// an index that was replaced in the meantime does not know it.
    ///
    /// # Errors
    /// [`IndexError::Database`] if the database fails.
    pub fn finish_run(
        &self,
        session: SessionId,
        finished: Timestamp,
        outcome: &str,
        detail: &str,
    ) -> Result<bool, IndexError> {
        self.write_durably(|transaction| {
            let changed = transaction.execute(
                "UPDATE run SET finished_s = ?2, finished_ns = ?3, outcome = ?4, detail = ?5
                 WHERE session = ?1",
                (session.as_bytes(), finished.seconds, finished.nanos, outcome, detail),
            )?;
            Ok(changed > 0)
        })
    }

    /// Runs that were begun and never finished, oldest first.
    ///
    /// # Errors
    /// [`IndexError`] if the database fails or is damaged.
    pub fn open_runs(&self) -> Result<Vec<SessionId>, IndexError> {
        self.read(|connection| {
            let mut statement = connection
                .prepare("SELECT session FROM run WHERE outcome IS NULL ORDER BY number")?;
            let rows = statement.query_map((), |row| Ok(SessionId::new(row.get(0)?)))?;
            Ok(rows.collect::<Result<_, _>>()?)
        })
    }

    /// The newest `limit` runs, newest first.
    ///
    /// # Errors
    /// [`IndexError`] if the database fails or is damaged.
    pub fn runs(&self, limit: u32) -> Result<Vec<Run>, IndexError> {
        self.read(|connection| {
            let mut statement = connection
                .prepare(&format!("SELECT {RUN_COLUMNS} FROM run ORDER BY number DESC LIMIT ?1"))?;
            let rows = statement.query_map([limit], read_run)?;
            Ok(rows.collect::<Result<_, _>>()?)
        })
    }

    /// One run.
    ///
    /// # Errors
    /// [`IndexError`] if the database fails or is damaged.
    pub fn run(&self, session: SessionId) -> Result<Option<Run>, IndexError> {
        self.read(|connection| {
            let sql = format!("SELECT {RUN_COLUMNS} FROM run WHERE session = ?1");
            let run = connection.query_row(&sql, [session.as_bytes()], read_run).optional();
            run.map_err(Failure::from)
        })
    }
}

const RUN_COLUMNS: &str =
    "session, source, started_s, started_ns, finished_s, finished_ns, outcome, detail";

fn read_run(row: &Row<'_>) -> Result<Run, rusqlite::Error> {
    let end = match row.get(6)? {
        None => None,
        Some(outcome) => Some(RunEnd {
            finished: Timestamp { seconds: row.get(4)?, nanos: row.get(5)? },
            outcome,
            detail: row.get(7)?,
        }),
    };
    Ok(Run {
        session: SessionId::new(row.get(0)?),
        source: row.get(1)?,
        started: Timestamp { seconds: row.get(2)?, nanos: row.get(3)? },
        end,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::index::sample::{NOW, empty, open, session};

    #[test]
    fn runs_that_were_cut_off_are_found_after_a_restart() {
        let (folder, index) = empty();
        for byte in 1..=3 {
            index.begin_run(session(byte), NOW, "home").unwrap();
        }
        index.begin_run(session(3), NOW, "again").unwrap();
        let later = Timestamp { seconds: 2_000, nanos: 1 };
        assert!(index.finish_run(session(2), later, "committed", "3 files").unwrap());
        assert!(!index.finish_run(session(9), later, "failed", "").unwrap());
        drop(index);

        let (index, _) = open(folder.path());
        assert_eq!(index.open_runs().unwrap(), [session(1), session(3)]);
        let runs = index.runs(2).unwrap();
        assert_eq!(runs.len(), 2);
        assert_eq!((runs[0].session, runs[0].end.as_ref()), (session(3), None));
        let end = RunEnd {
            finished: later,
            outcome: "committed".to_owned(),
            detail: "3 files".to_owned(),
        };
        let finished =
            Run { session: session(2), source: "home".to_owned(), started: NOW, end: Some(end) };
        assert_eq!(runs[1], finished);
        assert_eq!(index.run(session(2)).unwrap(), Some(finished));
        assert_eq!(index.run(session(9)).unwrap(), None);
    }

    #[test]
    fn old_finished_runs_are_forgotten_and_open_ones_never() {
        let (_folder, index) = empty();
        index.begin_run(session(1), NOW, "open").unwrap();
        index.begin_run(session(2), NOW, "old").unwrap();
        index.finish_run(session(2), NOW, "failed", "").unwrap();
        // As if very many runs had come and gone.
        let skip = "UPDATE sqlite_sequence SET seq = 1000000 WHERE name = 'run'";
        index.write(|transaction| Ok(transaction.execute(skip, ())?)).unwrap();
        index.begin_run(session(3), NOW, "new").unwrap();
        assert_eq!(index.run(session(2)).unwrap(), None);
        assert_eq!(index.open_runs().unwrap(), [session(1), session(3)]);
    }
}
