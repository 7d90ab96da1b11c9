//! Tables of the state.

use rusqlite::{Connection, Transaction};

/// The version that this program writes.
pub(super) const VERSION: i64 = 1;

const FIRST: &str = "
-- When somebody looked: the newest, and how long the newest few were apart.
CREATE TABLE look (
    at_s INTEGER PRIMARY KEY
) STRICT;

CREATE TABLE ticket (
    number INTEGER PRIMARY KEY,
    key TEXT NOT NULL,
    -- How often this key was opened before on the same anchor.
    generation INTEGER NOT NULL,
    anchor TEXT NOT NULL,
    state TEXT NOT NULL,
    severity INTEGER NOT NULL,
    opened_s INTEGER NOT NULL,
    seen_s INTEGER NOT NULL,
    seen INTEGER NOT NULL,
    -- When somebody was last told.
    told_s INTEGER NOT NULL,
    repeats INTEGER NOT NULL,
    resolved_s INTEGER,
    finding TEXT NOT NULL
) STRICT;
CREATE UNIQUE INDEX ticket_open ON ticket (key) WHERE state <> 'resolved';
CREATE INDEX ticket_key ON ticket (key, anchor);

CREATE TABLE step (
    number INTEGER PRIMARY KEY,
    ticket INTEGER NOT NULL REFERENCES ticket (number) ON DELETE CASCADE,
    at_s INTEGER NOT NULL,
    what TEXT NOT NULL,
    actor TEXT,
    note TEXT
) STRICT;
CREATE INDEX step_ticket ON step (ticket);

CREATE TABLE event (
    number INTEGER PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    ticket INTEGER NOT NULL REFERENCES ticket (number) ON DELETE CASCADE,
    key TEXT NOT NULL,
    kind TEXT NOT NULL,
    at_s INTEGER NOT NULL,
    body TEXT NOT NULL
) STRICT;
CREATE INDEX event_ticket ON event (ticket);

CREATE TABLE delivery (
    event INTEGER NOT NULL REFERENCES event (number) ON DELETE CASCADE,
    channel TEXT NOT NULL,
    key TEXT NOT NULL,
    state TEXT NOT NULL,
    failed INTEGER NOT NULL,
    next_s INTEGER NOT NULL,
    -- It only waits for its receiver, and goes as soon as that is back.
    is_held INTEGER NOT NULL DEFAULT 0,
    tried_s INTEGER,
    answer TEXT,
    PRIMARY KEY (event, channel)
) STRICT, WITHOUT ROWID;
CREATE INDEX delivery_due ON delivery (channel, key, event) WHERE state = 'due';

CREATE TABLE channel (
    name TEXT PRIMARY KEY,
    -- Why nothing is sent any more.
    disabled TEXT,
    not_before_s INTEGER NOT NULL DEFAULT 0
) STRICT;

CREATE TABLE remote (
    ticket INTEGER NOT NULL REFERENCES ticket (number) ON DELETE CASCADE,
    channel TEXT NOT NULL,
    id TEXT NOT NULL,
    PRIMARY KEY (ticket, channel)
) STRICT, WITHOUT ROWID;
";

pub(super) fn version(database: &Connection) -> rusqlite::Result<i64> {
    database.query_row("PRAGMA user_version", [], |row| row.get(0))
}

/// Two that begin at once are one after the other here: the second finds everything made.
pub(super) fn migrate(transaction: &Transaction<'_>) -> rusqlite::Result<()> {
    if version(transaction)? < 1 {
        transaction.execute_batch(FIRST)?;
    }
    transaction.pragma_update(None, "user_version", VERSION)
}
