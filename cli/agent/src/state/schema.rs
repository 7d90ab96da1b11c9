//! Tables of the state, and the way from older ones.

use rusqlite::{Connection, Transaction};

/// The version that this program writes.
pub(super) const VERSION: i64 = 2;

const FIRST: &str = "
CREATE TABLE job (
    name TEXT PRIMARY KEY,
    seen_s INTEGER NOT NULL
) STRICT;

-- A slot that was taken, or several that nothing ran in. A row whose clock was found to have run ahead is
-- void: its slot is free again.
CREATE TABLE run (
    number INTEGER PRIMARY KEY,
    job TEXT NOT NULL,
    slot_s INTEGER NOT NULL,
    first_slot_s INTEGER NOT NULL,
    slots INTEGER NOT NULL,
    phase TEXT NOT NULL,
    attempts INTEGER NOT NULL,
    crashes INTEGER NOT NULL,
    not_before_s INTEGER NOT NULL,
    taken_s INTEGER NOT NULL,
    began_s INTEGER,
    ended_s INTEGER,
    outcome TEXT,
    reason TEXT,
    detail TEXT NOT NULL DEFAULT '',
    is_void INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE UNIQUE INDEX run_slot ON run (job, slot_s) WHERE is_void = 0;
CREATE INDEX run_open ON run (job, phase) WHERE phase <> 'ended';

CREATE TABLE part (
    run INTEGER NOT NULL REFERENCES run (number) ON DELETE CASCADE,
    source TEXT NOT NULL,
    began_s INTEGER NOT NULL,
    ended_s INTEGER,
    outcome TEXT,
    reason TEXT,
    detail TEXT NOT NULL DEFAULT '',
    snapshot TEXT,
    files INTEGER,
    bytes INTEGER,
    new_bytes INTEGER,
    stored_bytes INTEGER,
    removed_files INTEGER,
    -- A hash of what its filters are, to see that they changed.
    filter INTEGER,
    PRIMARY KEY (run, source)
) STRICT, WITHOUT ROWID;
CREATE INDEX part_source ON part (source, ended_s);
";

// What ended before this was kept is not told to the store afterwards.
const SECOND: &str = "
ALTER TABLE run ADD COLUMN is_recorded INTEGER NOT NULL DEFAULT 0;
UPDATE run SET is_recorded = 1 WHERE phase = 'ended';
CREATE INDEX run_unrecorded ON run (number) WHERE is_recorded = 0 AND phase = 'ended';
CREATE TABLE setting (
    name TEXT PRIMARY KEY,
    value TEXT NOT NULL
) STRICT, WITHOUT ROWID;
";

pub(super) fn version(database: &Connection) -> rusqlite::Result<i64> {
    database.query_row("PRAGMA user_version", [], |row| row.get(0))
}

/// From any older version to this one.
pub(super) fn migrate(transaction: &Transaction<'_>, from: i64) -> rusqlite::Result<()> {
    if from < 1 {
        transaction.execute_batch(FIRST)?;
    }
    if from < 2 {
        transaction.execute_batch(SECOND)?;
    }
    transaction.pragma_update(None, "user_version", VERSION)
}
