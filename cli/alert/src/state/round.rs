//! From the findings of one look to tickets and their events.

use std::collections::BTreeSet;

use rusqlite::{Transaction, params};

use crate::record::{EventKind, Finding, Severity, Standing, body, event_id};
use crate::state::row::{Ticket, TicketState, tickets};
use crate::state::{State, StateError};

/// Looks whose times are kept.
const LOOKS_KEPT: i64 = 20;
/// Tickets that are over are kept for so long.
const KEPT_S: i64 = 3 * 366 * 86_400;

/// Whom an event goes to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Route {
    /// The channel.
    pub channel: String,
    /// What is less urgent is not told.
    pub least: Severity,
}

/// What a look could judge.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Judged {
    /// Everything: what it did not find is over.
    All,
    /// Nothing but what it found: the store could not be read.
    FoundOnly,
}

/// A ticket that changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// How.
    pub kind: EventKind,
    /// When, in seconds since 1970.
    pub at_s: i64,
    /// The ticket as it is now.
    pub ticket: Ticket,
    /// The id of its event.
    pub id: String,
}

impl State {
    /// When somebody looked, the newest first, in seconds since 1970.
    ///
    /// # Errors
    /// [`StateError`] if the database fails, as everywhere here.
    pub fn looks(&self) -> Result<Vec<i64>, StateError> {
        self.read(|database| {
            let mut query = database.prepare_cached("SELECT at_s FROM look ORDER BY at_s DESC")?;
            query.query_map([], |row| row.get(0))?.collect()
        })
    }

    /// Takes what a look found: opens, appends, escalates and resolves tickets, and puts each event into
    /// the queue of every route. All of it or nothing is written.
    ///
    /// `repeat_s` is how long an open ticket that nobody acknowledged stays quiet.
    pub fn take(
        &mut self,
        findings: &[Finding],
        judged: Judged,
        routes: &[Route],
        repeat_s: i64,
        now_s: i64,
    ) -> Result<Vec<Change>, StateError> {
        self.write(|transaction| {
            let mut round = Round { transaction, routes, repeat_s, now_s, changes: Vec::new() };
            let mut found = BTreeSet::new();
            for finding in findings {
                if found.insert(finding.key.as_str()) {
                    round.finding(finding)?;
                }
            }
            if judged == Judged::All {
                for ticket in tickets(transaction, "state <> ?1", TicketState::Resolved.name())? {
                    if !found.contains(ticket.finding.key.as_str()) {
                        round.resolve(ticket)?;
                    }
                }
            }
            round.looked()?;
            Ok(round.changes)
        })
    }
}

struct Round<'a> {
    transaction: &'a Transaction<'a>,
    routes: &'a [Route],
    repeat_s: i64,
    now_s: i64,
    changes: Vec<Change>,
}

impl Round<'_> {
    fn finding(&mut self, finding: &Finding) -> rusqlite::Result<()> {
        let condition = "key = ?1 AND state <> 'resolved'";
        let Some(mut ticket) = tickets(self.transaction, condition, &finding.key)?.pop() else {
            return self.open(finding);
        };
        let is_worse = finding.severity < ticket.severity;
        // A clock that ran ahead when somebody was told keeps nobody quiet for long.
        let quiet_s = (self.now_s - ticket.told_s).abs();
        let is_due = ticket.state == TicketState::Open && quiet_s >= self.repeat_s;
        ticket.seen += 1;
        ticket.seen_s = self.now_s;
        let since_s = ticket.finding.since_s.min(finding.since_s);
        ticket.finding = Finding { since_s, ..finding.clone() };
        // What becomes less urgent was as urgent as it was.
        ticket.severity = ticket.severity.min(finding.severity);
        if is_worse {
            // Somebody looks after what it was, not after what it has become.
            ticket.state = TicketState::Open;
        } else if is_due {
            ticket.repeats += 1;
        }
        if is_worse || is_due {
            ticket.told_s = self.now_s;
        }
        self.update(&ticket)?;
        match (is_worse, is_due) {
            (true, _) => self.tell(EventKind::Escalated, ticket),
            (false, true) => self.tell(EventKind::Repeated, ticket),
            (false, false) => Ok(()),
        }
    }

    fn open(&mut self, finding: &Finding) -> rusqlite::Result<()> {
        let generation = self.transaction.query_row(
            "SELECT count(*) FROM ticket WHERE key = ?1 AND anchor = ?2",
            (&finding.key, &finding.anchor),
            |row| row.get(0),
        )?;
        self.transaction.execute(
            "INSERT INTO ticket (key, generation, anchor, state, severity, opened_s, seen_s, seen,
                                 told_s, repeats, finding)
             VALUES (?1, ?2, ?3, 'open', ?4, ?5, ?5, 1, ?5, 0, ?6)",
            params![
                finding.key,
                generation,
                finding.anchor,
                finding.severity.number(),
                self.now_s,
                text(finding)
            ],
        )?;
        let ticket = Ticket {
            number: self.transaction.last_insert_rowid(),
            generation,
            anchor: finding.anchor.clone(),
            state: TicketState::Open,
            severity: finding.severity,
            opened_s: self.now_s,
            seen_s: self.now_s,
            seen: 1,
            told_s: self.now_s,
            repeats: 0,
            resolved_s: None,
            finding: finding.clone(),
            remote: Default::default(),
        };
        self.tell(EventKind::Opened, ticket)
    }

    fn resolve(&mut self, mut ticket: Ticket) -> rusqlite::Result<()> {
        ticket.state = TicketState::Resolved;
        ticket.resolved_s = Some(self.now_s);
        self.update(&ticket)?;
        self.tell(EventKind::Resolved, ticket)
    }

    fn update(&self, ticket: &Ticket) -> rusqlite::Result<()> {
        let text =
            "UPDATE ticket SET state = ?2, severity = ?3, seen_s = ?4, seen = ?5, told_s = ?6,
                    repeats = ?7, resolved_s = ?8, finding = ?9 WHERE number = ?1";
        let mut update = self.transaction.prepare_cached(text)?;
        update.execute(params![
            ticket.number,
            ticket.state.name(),
            ticket.severity.number(),
            ticket.seen_s,
            ticket.seen,
            ticket.told_s,
            ticket.repeats,
            ticket.resolved_s,
            self::text(&ticket.finding)
        ])?;
        Ok(())
    }

    /// Writes a step and its event, for each channel that wants it or was told before.
    fn tell(&mut self, kind: EventKind, ticket: Ticket) -> rusqlite::Result<()> {
        let key = &ticket.finding.key;
        let number = match kind {
            EventKind::Repeated => ticket.repeats,
            EventKind::Escalated => i64::from(ticket.severity.number()),
            EventKind::Opened | EventKind::Resolved => 0,
        };
        let id = event_id(key, &ticket.anchor, ticket.generation, kind, number);
        let standing = Standing {
            kind,
            at_s: self.now_s,
            state: ticket.state.name(),
            opened_s: ticket.opened_s,
            seen: ticket.seen,
        };
        let body = body(&ticket.finding, standing).to_string();
        let what = kind.name().trim_start_matches("condition.");
        self.transaction.execute(
            "INSERT INTO step (ticket, at_s, what, note) VALUES (?1, ?2, ?3, ?4)",
            (ticket.number, self.now_s, what, &ticket.finding.summary),
        )?;
        self.transaction.execute(
            "INSERT INTO event (id, ticket, key, kind, at_s, body) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
            (&id, ticket.number, key, kind.name(), self.now_s, body),
        )?;
        let event = self.transaction.last_insert_rowid();
        for route in self.routes {
            let knows: bool = self.transaction.query_row(
                "SELECT EXISTS (SELECT 1 FROM delivery JOIN event ON event.number = delivery.event
                                WHERE event.ticket = ?1 AND delivery.channel = ?2)",
                (ticket.number, &route.channel),
                |row| row.get(0),
            )?;
            // Whoever was not told that it began is not told that it ended.
            let wants = ticket.severity <= route.least && kind != EventKind::Resolved;
            if knows || wants {
                self.transaction.execute(
                    "INSERT INTO delivery (event, channel, key, state, failed, next_s)
                     VALUES (?1, ?2, ?3, 'due', 0, ?4)",
                    (event, &route.channel, key, self.now_s),
                )?;
            }
        }
        self.changes.push(Change { kind, at_s: self.now_s, ticket, id });
        Ok(())
    }

    fn looked(&self) -> rusqlite::Result<()> {
        let run = |text: &str, value: i64| self.transaction.execute(text, [value]);
        // What a clock noted that ran ahead is no look.
        run("DELETE FROM look WHERE at_s > ?1", self.now_s)?;
        run("INSERT OR IGNORE INTO look (at_s) VALUES (?1)", self.now_s)?;
        run(
            "DELETE FROM look WHERE at_s NOT IN (SELECT at_s FROM look ORDER BY at_s DESC LIMIT ?1)",
            LOOKS_KEPT,
        )?;
        run(
            "DELETE FROM ticket WHERE state = 'resolved' AND resolved_s < ?1 AND NOT EXISTS
                 (SELECT 1 FROM event JOIN delivery ON delivery.event = event.number
                  WHERE event.ticket = ticket.number AND delivery.state = 'due')",
            self.now_s - KEPT_S,
        )?;
        Ok(())
    }
}

fn text(finding: &Finding) -> String {
    serde_json::to_string(finding).unwrap_or_default()
}
