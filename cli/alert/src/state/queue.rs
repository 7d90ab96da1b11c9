//! Queues: what still has to go to whom.

use rusqlite::{OptionalExtension, Row};

use crate::record::EventKind;
use crate::retry::AHEAD_MAX_S;
use crate::state::{State, StateError};

/// Something that is to be delivered now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Due {
    /// Its event here.
    pub event: i64,
    /// The id that receivers see, the same for all attempts.
    pub id: String,
    /// Its ticket here.
    pub ticket: i64,
    /// The key of its ticket.
    pub key: String,
    /// What happened.
    pub kind: EventKind,
    /// When, in seconds since 1970.
    pub at_s: i64,
    /// The body that receivers get, as JSON.
    pub body: String,
    /// How many attempts failed.
    pub failed: i64,
    /// The ticket's id in the system behind the channel.
    pub remote: Option<String>,
}

/// Where a channel stands.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ChannelState {
    /// Why nothing is sent any more.
    pub disabled: Option<String>,
    /// Nothing is sent before, in seconds since 1970.
    pub not_before_s: i64,
}

/// A delivery, as the log shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogRow {
    /// The id that receivers see.
    pub id: String,
    /// The key of its ticket.
    pub key: String,
    /// The type that receivers see.
    pub kind: String,
    /// When it happened, in seconds since 1970.
    pub at_s: i64,
    /// To whom it goes.
    pub channel: String,
    /// `due`, `done` or `dead`.
    pub state: String,
    /// How many attempts failed.
    pub failed: i64,
    /// When it is tried next, if it is due.
    pub next_s: i64,
    /// When it was tried last.
    pub tried_s: Option<i64>,
    /// What came of that.
    pub answer: Option<String>,
}

impl State {
    /// Up to `max` deliveries of a channel whose time has come, of each ticket the first alone.
    ///
    /// # Errors
    /// [`StateError`] if the database fails, as everywhere here.
    pub fn due(&self, channel: &str, now_s: i64, max: usize) -> Result<Vec<Due>, StateError> {
        let condition = "delivery.channel = ?1 AND delivery.state = 'due' \
             AND (delivery.next_s <= ?2 OR delivery.next_s > ?3) \
             AND NOT EXISTS (SELECT 1 FROM delivery AS before \
                             WHERE before.channel = delivery.channel AND before.key = delivery.key \
                               AND before.state = 'due' AND before.event < delivery.event)";
        let max = i64::try_from(max).unwrap_or(i64::MAX);
        self.read(|database| {
            let mut query = database.prepare_cached(&format!("{} LIMIT ?4", select(condition)))?;
            query.query_map((channel, now_s, now_s + AHEAD_MAX_S, max), due)?.collect()
        })
    }

    /// Everything of one ticket that waits in a channel, in its order. The first is due: whatever comes
    /// after it goes along, for one that is left out would come after those behind it.
    pub fn due_of(&self, channel: &str, key: &str) -> Result<Vec<Due>, StateError> {
        let condition = "delivery.channel = ?1 AND delivery.state = 'due' AND delivery.key = ?2";
        self.read(|database| {
            let mut query = database.prepare_cached(&select(condition))?;
            query.query_map((channel, key), due)?.collect()
        })
    }

    /// Everything that waits in a channel and that another one is not told of.
    pub fn due_unless(&self, channel: &str, other: Option<&str>) -> Result<Vec<Due>, StateError> {
        let condition = "delivery.channel = ?1 AND delivery.state = 'due' AND NOT EXISTS \
                         (SELECT 1 FROM delivery AS told WHERE told.event = delivery.event \
                          AND told.channel = ?2)";
        self.read(|database| {
            let mut query = database.prepare_cached(&select(condition))?;
            query.query_map((channel, other), due)?.collect()
        })
    }

    /// How many deliveries wait.
    pub fn waiting(&self) -> Result<u64, StateError> {
        self.read(|database| {
            let text = "SELECT count(*) FROM delivery WHERE state = 'due'";
            database.query_row(text, [], |row| row.get::<_, i64>(0))
        })
        .map(i64::unsigned_abs)
    }

    /// Notes that a receiver has it; with the ticket's id there, if it has one.
    pub fn delivered(
        &mut self,
        due: &Due,
        channel: &str,
        remote: Option<&str>,
        now_s: i64,
    ) -> Result<(), StateError> {
        self.write(|transaction| {
            transaction.execute(
                "UPDATE delivery SET state = 'done', tried_s = ?3, answer = NULL
                 WHERE event = ?1 AND channel = ?2",
                (due.event, channel, now_s),
            )?;
            // A receiver that is back gets at once what waited for it.
            transaction.execute(
                "UPDATE delivery SET next_s = ?2
                 WHERE channel = ?1 AND state = 'due' AND is_held = 1 AND next_s > ?2",
                (channel, now_s),
            )?;
            if let Some(remote) = remote {
                transaction.execute(
                    "INSERT INTO remote (ticket, channel, id) VALUES (?1, ?2, ?3)
                     ON CONFLICT (ticket, channel) DO UPDATE SET id = excluded.id",
                    (due.ticket, channel, remote),
                )?;
            }
            Ok(())
        })
    }

    /// Notes that an attempt failed, when the next one is (none: it is given up), whether it only waits
    /// for its receiver, and that another channel is to be told instead.
    pub fn refused(
        &mut self,
        due: &Due,
        channel: &str,
        answer: &str,
        (next_s, is_held): (Option<i64>, bool),
        fallback: Option<&str>,
        now_s: i64,
    ) -> Result<(), StateError> {
        self.write(|transaction| {
            transaction.execute(
                "UPDATE delivery SET state = ?3, failed = failed + 1, tried_s = ?4, answer = ?5,
                        next_s = coalesce(?6, next_s), is_held = ?7
                 WHERE event = ?1 AND channel = ?2",
                (
                    due.event,
                    channel,
                    if next_s.is_some() { "due" } else { "dead" },
                    now_s,
                    answer,
                    next_s,
                    is_held,
                ),
            )?;
            if let Some(fallback) = fallback {
                tell_instead(transaction, due, fallback, now_s)?;
            }
            Ok(())
        })
    }

    /// Tells another channel what waits in the queue of one that is disabled.
    pub fn tell_instead(
        &mut self,
        due: &Due,
        fallback: &str,
        now_s: i64,
    ) -> Result<(), StateError> {
        self.write(|transaction| tell_instead(transaction, due, fallback, now_s))
    }

    /// Where a channel stands.
    pub fn channel(&self, name: &str) -> Result<ChannelState, StateError> {
        self.read(|database| {
            let text = "SELECT disabled, not_before_s FROM channel WHERE name = ?1";
            let state = |row: &Row<'_>| {
                Ok(ChannelState { disabled: row.get(0)?, not_before_s: row.get(1)? })
            };
            database.query_row(text, [name], state).optional()
        })
        .map(Option::unwrap_or_default)
    }

    /// Notes where a channel stands.
    pub fn set_channel(&mut self, name: &str, state: &ChannelState) -> Result<(), StateError> {
        self.write(|transaction| {
            transaction.execute(
                "INSERT INTO channel (name, disabled, not_before_s) VALUES (?1, ?2, ?3)
                 ON CONFLICT (name) DO UPDATE SET disabled = excluded.disabled,
                     not_before_s = excluded.not_before_s",
                (name, &state.disabled, state.not_before_s),
            )
        })?;
        Ok(())
    }

    /// Deliveries, the newest event first.
    pub fn log(&self, max: u64) -> Result<Vec<LogRow>, StateError> {
        let text = "
            SELECT event.id, event.key, event.kind, event.at_s, delivery.channel, delivery.state,
                   delivery.failed, delivery.next_s, delivery.tried_s, delivery.answer
            FROM delivery JOIN event ON event.number = delivery.event
            ORDER BY delivery.event DESC, delivery.channel LIMIT ?1";
        let row = |row: &Row<'_>| {
            Ok(LogRow {
                id: row.get(0)?,
                key: row.get(1)?,
                kind: row.get(2)?,
                at_s: row.get(3)?,
                channel: row.get(4)?,
                state: row.get(5)?,
                failed: row.get(6)?,
                next_s: row.get(7)?,
                tried_s: row.get(8)?,
                answer: row.get(9)?,
            })
        };
        self.read(|database| {
            let max = i64::try_from(max).unwrap_or(i64::MAX);
            database.prepare_cached(text)?.query_map([max], row)?.collect()
        })
    }

    /// Makes deliveries due once more, from the first attempt on: those with an id, or all that were
    /// given up or wait. Channels that were disabled are tried again. Answers how many.
    pub fn replay(
        &mut self,
        id: Option<&str>,
        channel: Option<&str>,
        now_s: i64,
    ) -> Result<u64, StateError> {
        self.write(|transaction| {
            let text = "
                UPDATE delivery SET state = 'due', failed = 0, next_s = ?3
                WHERE (?2 IS NULL OR channel = ?2)
                  AND ((?1 IS NULL AND state <> 'done')
                       OR event IN (SELECT number FROM event WHERE id = ?1))";
            let count = transaction.execute(text, (id, channel, now_s))?;
            transaction.execute(
                "UPDATE channel SET disabled = NULL, not_before_s = 0 WHERE ?1 IS NULL OR name = ?1",
                [channel],
            )?;
            Ok(count as u64)
        })
    }
}

fn select(condition: &str) -> String {
    format!(
        "SELECT event.number, event.id, event.ticket, event.key, event.kind, event.at_s, event.body, \
                delivery.failed, remote.id \
         FROM delivery JOIN event ON event.number = delivery.event \
         LEFT JOIN remote ON remote.ticket = event.ticket AND remote.channel = delivery.channel \
         WHERE {condition} ORDER BY delivery.event"
    )
}

fn due(row: &Row<'_>) -> rusqlite::Result<Due> {
    let kind: String = row.get(4)?;
    Ok(Due {
        event: row.get(0)?,
        id: row.get(1)?,
        ticket: row.get(2)?,
        key: row.get(3)?,
        kind: EventKind::of_name(&kind).unwrap_or(EventKind::Repeated),
        at_s: row.get(5)?,
        body: row.get(6)?,
        failed: row.get(7)?,
        remote: row.get(8)?,
    })
}

fn tell_instead(
    transaction: &rusqlite::Transaction<'_>,
    due: &Due,
    fallback: &str,
    now_s: i64,
) -> rusqlite::Result<()> {
    transaction.execute(
        "INSERT OR IGNORE INTO delivery (event, channel, key, state, failed, next_s)
         VALUES (?1, ?2, ?3, 'due', 0, ?4)",
        (due.event, fallback, &due.key, now_s),
    )?;
    Ok(())
}
