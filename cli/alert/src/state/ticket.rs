//! Tickets for people: listed, shown, acknowledged.

use rusqlite::OptionalExtension;

use crate::state::row::{Step, Ticket, TicketState, steps, tickets};
use crate::state::{State, StateError};

impl State {
    /// Tickets, the most urgent first, then the oldest; with those that are over, if wanted.
    ///
    /// # Errors
    /// [`StateError`] if the database fails, as everywhere here.
    pub fn tickets(&self, with_resolved: bool) -> Result<Vec<Ticket>, StateError> {
        let condition = match with_resolved {
            true => "?1 = ?1 ORDER BY state = 'resolved', severity, opened_s, number",
            false => "state <> ?1 ORDER BY severity, opened_s, number",
        };
        self.read(|database| tickets(database, condition, TicketState::Resolved.name()))
    }

    /// All tickets of a key, the newest first.
    pub fn tickets_of(&self, key: &str) -> Result<Vec<Ticket>, StateError> {
        self.read(|database| tickets(database, "key = ?1 ORDER BY number DESC", key))
    }

    /// What happened to a ticket, the oldest first.
    pub fn steps(&self, ticket: i64) -> Result<Vec<Step>, StateError> {
        self.read(|database| steps(database, ticket))
    }

    /// Notes that somebody looks after the open ticket of a key; `false` if there is none.
    pub fn acknowledge(
        &mut self,
        key: &str,
        actor: &str,
        note: &str,
        now_s: i64,
    ) -> Result<bool, StateError> {
        self.write(|transaction| {
            let text = "UPDATE ticket SET state = 'acknowledged'
                        WHERE key = ?1 AND state <> 'resolved' RETURNING number";
            let found: Option<i64> =
                transaction.query_row(text, [key], |row| row.get(0)).optional()?;
            let Some(number) = found else { return Ok(false) };
            transaction.execute(
                "INSERT INTO step (ticket, at_s, what, actor, note)
                 VALUES (?1, ?2, 'acknowledged', ?3, ?4)",
                (number, now_s, actor, note),
            )?;
            Ok(true)
        })
    }
}
