//! Rows as values.

use std::collections::BTreeMap;

use rusqlite::{Connection, Row};

use crate::record::{Finding, Severity};

/// Where a ticket stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum TicketState {
    /// Nobody has said anything to it.
    Open,
    /// Somebody looks after it.
    Acknowledged,
    /// It is over.
    Resolved,
}

impl TicketState {
    /// The word for it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Acknowledged => "acknowledged",
            Self::Resolved => "resolved",
        }
    }

    fn of_name(name: &str) -> Self {
        match name {
            "acknowledged" => Self::Acknowledged,
            "resolved" => Self::Resolved,
            _ => Self::Open,
        }
    }
}

/// A ticket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ticket {
    /// Its number here.
    pub number: i64,
    /// How often its key was opened before on the same anchor.
    pub generation: i64,
    /// What it hung on when it was opened.
    pub anchor: String,
    /// Where it stands.
    pub state: TicketState,
    /// The most urgent that it ever was.
    pub severity: Severity,
    /// When it was opened, in seconds since 1970.
    pub opened_s: i64,
    /// When it was last found.
    pub seen_s: i64,
    /// In how many looks it was found.
    pub seen: i64,
    /// When somebody was last told.
    pub told_s: i64,
    /// How often it was repeated.
    pub repeats: i64,
    /// When it was over.
    pub resolved_s: Option<i64>,
    /// What was found last.
    pub finding: Finding,
    /// Its ids in ticket systems, by channel.
    pub remote: BTreeMap<String, String>,
}

/// A step in its life.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// When, in seconds since 1970.
    pub at_s: i64,
    /// What happened: `opened`, `repeated`, `escalated`, `acknowledged`, `resolved`.
    pub what: String,
    /// Who did it, if it was a person.
    pub actor: Option<String>,
    /// What was said of it.
    pub note: Option<String>,
}

const COLUMNS: &str = "number, generation, anchor, state, severity, opened_s, seen_s, seen, told_s, \
                       repeats, resolved_s, finding";

fn ticket(row: &Row<'_>) -> rusqlite::Result<Ticket> {
    let text: String = row.get(11)?;
    let finding = serde_json::from_str(&text).map_err(|error| {
        rusqlite::Error::FromSqlConversionFailure(11, rusqlite::types::Type::Text, error.into())
    })?;
    Ok(Ticket {
        number: row.get(0)?,
        generation: row.get(1)?,
        anchor: row.get(2)?,
        state: TicketState::of_name(&row.get::<_, String>(3)?),
        severity: Severity::of_number(row.get(4)?),
        opened_s: row.get(5)?,
        seen_s: row.get(6)?,
        seen: row.get(7)?,
        told_s: row.get(8)?,
        repeats: row.get(9)?,
        resolved_s: row.get(10)?,
        finding,
        remote: BTreeMap::new(),
    })
}

/// Tickets that meet a condition in SQL, with a value for `?1`.
pub(super) fn tickets(
    database: &Connection,
    condition: &str,
    value: &str,
) -> rusqlite::Result<Vec<Ticket>> {
    let text = format!("SELECT {COLUMNS} FROM ticket WHERE {condition}");
    let mut query = database.prepare_cached(&text)?;
    let mut found: Vec<Ticket> =
        query.query_map([value], ticket)?.collect::<rusqlite::Result<_>>()?;
    let mut remote = database.prepare_cached("SELECT channel, id FROM remote WHERE ticket = ?1")?;
    for one in &mut found {
        let rows = remote.query_map([one.number], |row| Ok((row.get(0)?, row.get(1)?)))?;
        one.remote = rows.collect::<rusqlite::Result<_>>()?;
    }
    Ok(found)
}

pub(super) fn steps(database: &Connection, ticket: i64) -> rusqlite::Result<Vec<Step>> {
    let text = "SELECT at_s, what, actor, note FROM step WHERE ticket = ?1 ORDER BY number";
    let mut query = database.prepare_cached(text)?;
    let step = |row: &Row<'_>| {
        Ok(Step { at_s: row.get(0)?, what: row.get(1)?, actor: row.get(2)?, note: row.get(3)? })
    };
    query.query_map([ticket], step)?.collect()
}
