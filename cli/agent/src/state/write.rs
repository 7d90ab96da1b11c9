//! What is written to the state: each function is one transaction.

use rusqlite::Transaction;

use crate::config::schedule::JobKind;
use crate::outcome::{Outcome, Reason, Verdict};
use crate::state::row::{Facts, Phase};
use crate::state::{State, StateError};

/// So many runs of a job are kept, beside the newest that was good.
const RUNS_KEPT: i64 = 500;

/// Slots that nothing ran in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Gap {
    /// The oldest.
    pub first_s: i64,
    /// The newest.
    pub last_s: i64,
    /// How many.
    pub slots: u64,
    /// Why.
    pub reason: Reason,
}

impl State {
    /// Notes that a job is there, and answers since when.
    ///
    /// # Errors
    /// [`StateError`] if the database fails, as everywhere here.
    pub fn see(&mut self, job: JobKind, now_s: i64) -> Result<i64, StateError> {
        if let Some(seen_s) = self.seen_s(job)?.filter(|seen_s| *seen_s <= now_s) {
            return Ok(seen_s);
        }
        self.write(|transaction| {
            // A clock that ran ahead when it was first seen does not count.
            let text = "INSERT INTO job (name, seen_s) VALUES (?1, ?2)
                        ON CONFLICT (name) DO UPDATE SET seen_s = excluded.seen_s";
            transaction.execute(text, (job.name(), now_s))
        })?;
        Ok(now_s)
    }

    /// Takes a slot, and notes those before it that nothing ran in; answers the number of the run.
    pub fn take(
        &mut self,
        job: JobKind,
        slot_s: i64,
        gap: Option<Gap>,
        now_s: i64,
    ) -> Result<i64, StateError> {
        self.write(|transaction| {
            if let Some(gap) = gap {
                put_gap(transaction, job, gap, now_s)?;
            }
            transaction.execute(
                "INSERT INTO run (job, slot_s, first_slot_s, slots, phase, attempts, crashes,
                                  not_before_s, taken_s, began_s)
                 VALUES (?1, ?2, ?2, 1, ?3, 1, 0, ?4, ?4, ?4)",
                (job.name(), slot_s, Phase::Running.name(), now_s),
            )?;
            let number = transaction.last_insert_rowid();
            forget_old(transaction, job)?;
            Ok(number)
        })
    }

    /// Notes slots that nothing will run in any more.
    pub fn miss(
        &mut self,
        job: JobKind,
        gap: Gap,
        outcome: Outcome,
        now_s: i64,
    ) -> Result<(), StateError> {
        self.write(|transaction| {
            put(transaction, job, gap, outcome, now_s)?;
            forget_old(transaction, job)
        })
    }

    /// Begins the next attempt of a run that waits.
    pub fn begin_again(&mut self, run: i64, now_s: i64) -> Result<(), StateError> {
        self.write(|transaction| {
            transaction.execute(
                "UPDATE run SET phase = 'running', attempts = attempts + 1, began_s = ?2
                 WHERE number = ?1 AND phase = 'waiting'",
                (run, now_s),
            )
        })?;
        Ok(())
    }

    /// Lets a run wait for its next attempt. One that was put off is no attempt less.
    pub fn wait(
        &mut self,
        run: i64,
        not_before_s: i64,
        verdict: Option<&Verdict>,
    ) -> Result<(), StateError> {
        self.write(|transaction| {
            let back = i64::from(verdict.is_none());
            transaction.execute(
                "UPDATE run SET phase = 'waiting', not_before_s = ?2, attempts = attempts - ?3,
                        outcome = coalesce(?4, outcome), reason = coalesce(?5, reason),
                        detail = coalesce(?6, detail)
                 WHERE number = ?1",
                (
                    run,
                    not_before_s,
                    back,
                    verdict.map(|verdict| verdict.outcome.name()),
                    verdict.and_then(|verdict| verdict.reason).map(Reason::name),
                    verdict.map(|verdict| &verdict.detail),
                ),
            )
        })?;
        Ok(())
    }

    /// Notes that whoever ran it was killed: it waits again, if that was not too often.
    pub fn recover(&mut self, run: i64, now_s: i64) -> Result<(), StateError> {
        self.write(|transaction| {
            transaction.execute(
                "UPDATE run SET phase = 'waiting', not_before_s = ?2, crashes = crashes + 1,
                        attempts = attempts - 1
                 WHERE number = ?1 AND phase = 'running'",
                (run, now_s),
            )
        })?;
        Ok(())
    }

    /// Ends a run; with the slots of its job that passed while it ran.
    pub fn end(
        &mut self,
        run: i64,
        job: JobKind,
        verdict: &Verdict,
        passed: Option<Gap>,
        now_s: i64,
    ) -> Result<(), StateError> {
        self.write(|transaction| {
            transaction.execute(
                "UPDATE run SET phase = 'ended', ended_s = ?2, outcome = ?3, reason = ?4,
                        detail = ?5
                 WHERE number = ?1",
                (
                    run,
                    now_s,
                    verdict.outcome.name(),
                    verdict.reason.map(Reason::name),
                    &verdict.detail,
                ),
            )?;
            if let Some(gap) = passed {
                put(transaction, job, gap, Outcome::Skipped, now_s)?;
            }
            Ok(())
        })
    }

    /// Notes that a part begins.
    pub fn begin_part(&mut self, run: i64, source: &str, now_s: i64) -> Result<(), StateError> {
        self.write(|transaction| {
            transaction.execute(
                "INSERT INTO part (run, source, began_s) VALUES (?1, ?2, ?3)
                 ON CONFLICT (run, source) DO UPDATE SET began_s = excluded.began_s,
                     ended_s = NULL, outcome = NULL, reason = NULL, detail = '', snapshot = NULL",
                (run, source, now_s),
            )
        })?;
        Ok(())
    }

    /// Notes how a part ended.
    pub fn end_part(
        &mut self,
        run: i64,
        source: &str,
        verdict: &Verdict,
        snapshot: Option<&str>,
        facts: Option<Facts>,
        now_s: i64,
    ) -> Result<(), StateError> {
        let number = |pick: fn(&Facts) -> u64| {
            facts.as_ref().map(|facts| i64::try_from(pick(facts)).unwrap_or(i64::MAX))
        };
        self.write(|transaction| {
            transaction.execute(
                "UPDATE part SET ended_s = ?3, outcome = ?4, reason = ?5, detail = ?6,
                        snapshot = ?7, files = ?8, bytes = ?9, new_bytes = ?10,
                        stored_bytes = ?11, removed_files = ?12, filter = ?13
                 WHERE run = ?1 AND source = ?2",
                (
                    run,
                    source,
                    now_s,
                    verdict.outcome.name(),
                    verdict.reason.map(Reason::name),
                    &verdict.detail,
                    snapshot,
                    number(|facts| facts.files),
                    number(|facts| facts.bytes),
                    number(|facts| facts.new_bytes),
                    number(|facts| facts.stored_bytes),
                    number(|facts| facts.removed_files),
                    facts.map(|facts| facts.filter),
                ),
            )
        })?;
        Ok(())
    }

    /// Notes that the store knows of a run.
    pub fn mark_recorded(&mut self, run: i64) -> Result<(), StateError> {
        self.write(|transaction| {
            transaction.execute("UPDATE run SET is_recorded = 1 WHERE number = ?1", [run])
        })?;
        Ok(())
    }

    /// Keeps a text under a name.
    pub fn put_setting(&mut self, name: &str, value: &str) -> Result<(), StateError> {
        self.write(|transaction| {
            let text = "INSERT INTO setting (name, value) VALUES (?1, ?2)
                        ON CONFLICT (name) DO UPDATE SET value = excluded.value";
            transaction.execute(text, (name, value))
        })?;
        Ok(())
    }

    /// Gives back the slots that were taken after `after_s`: by a clock that ran ahead.
    pub fn give_back(&mut self, after_s: i64) -> Result<(), StateError> {
        self.write(|transaction| {
            transaction.execute(
                "UPDATE run SET is_void = 1, phase = 'ended',
                        ended_s = coalesce(ended_s, taken_s)
                 WHERE taken_s > ?1 AND is_void = 0",
                [after_s],
            )
        })?;
        Ok(())
    }
}

fn put_gap(
    transaction: &Transaction<'_>,
    job: JobKind,
    gap: Gap,
    now_s: i64,
) -> rusqlite::Result<()> {
    put(transaction, job, gap, Outcome::Missed, now_s)
}

fn put(
    transaction: &Transaction<'_>,
    job: JobKind,
    gap: Gap,
    outcome: Outcome,
    now_s: i64,
) -> rusqlite::Result<()> {
    transaction.execute(
        "INSERT INTO run (job, slot_s, first_slot_s, slots, phase, attempts, crashes,
                          not_before_s, taken_s, ended_s, outcome, reason)
         VALUES (?1, ?2, ?3, ?4, 'ended', 0, 0, ?5, ?5, ?5, ?6, ?7)
         ON CONFLICT (job, slot_s) WHERE is_void = 0 DO NOTHING",
        (
            job.name(),
            gap.last_s,
            gap.first_s,
            i64::try_from(gap.slots).unwrap_or(i64::MAX),
            now_s,
            outcome.name(),
            gap.reason.name(),
        ),
    )?;
    Ok(())
}

/// Removes the oldest rows, but never what a source was last saved by.
fn forget_old(transaction: &Transaction<'_>, job: JobKind) -> rusqlite::Result<()> {
    transaction.execute(
        "DELETE FROM run WHERE job = ?1 AND phase = 'ended'
         AND number <= (SELECT max(number) FROM run) - ?2
         AND number NOT IN (
             SELECT max(part.run) FROM part JOIN run ON run.number = part.run
             WHERE part.outcome IN ('ok', 'ok-with-notes', 'partial') AND run.job = ?1
             GROUP BY part.source)",
        (job.name(), RUNS_KEPT),
    )?;
    Ok(())
}
