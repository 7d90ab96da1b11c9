//! What a run with evidence does at its end: runs of backups are counted, and what waited is written.

use engine::base::error::in_one_line;
use engine::index::catalog::Catalog;

use crate::drill::options::Place;
use crate::evidence::drill_event::Outcome;
use crate::evidence::event::{Event, Remedy, RemedyStep};
use crate::evidence::journal;
use crate::evidence::record::Reference;
use crate::evidence::remedy::{Case, State, cases};
use crate::evidence::runs;
use crate::evidence::shelf::{Shelf, ShelfError};

/// Records the population of runs if it is due, and the events that waited for this chain. The run
/// is what it is: what goes wrong here is told, and done by the next one.
pub fn close(place: &Place<'_>, shelf: &mut Shelf<'_>, catalog: &Catalog) {
    let due_ms = runs::DUE_MS;
    let counted = runs::record(shelf, place.repo, catalog, place.state, &place.author, due_ms);
    if let Err(error) = counted {
        let why = in_one_line(&error);
        place.monitor.note(&format!("the runs of backups were not recorded: {why}"));
    }
    let written = journal::write_waiting(shelf, place.state, place.author.identity, None);
    if let Err(error) = written {
        let why = in_one_line(&error);
        place.monitor.note(&format!("evidence still waits on this machine: {why}"));
    }
}

/// Opens a ticket for a record that says that something failed; answers its name.
///
/// # Errors
/// Those of [`Shelf::append`].
pub fn open_ticket(
    place: &Place<'_>,
    shelf: &mut Shelf<'_>,
    finding: Reference,
    given: Option<String>,
) -> Result<String, ShelfError> {
    let ticket = given.unwrap_or_else(|| ticket_name(finding));
    let remedy = Remedy {
        finding,
        ticket: ticket.clone(),
        step: RemedyStep::Opened,
        retest: None,
        note: String::new(),
    };
    shelf.append(&place.author, &Event::Remedy(remedy))?;
    Ok(ticket)
}

/// Writes that a record closed the findings that it closes; answers why the one that it was made
/// for stays open, if it passed and does not close it.
///
/// # Errors
/// Those of [`Shelf::append`].
pub fn settle(
    place: &Place<'_>,
    shelf: &mut Shelf<'_>,
    record: Reference,
    wanted: Option<Reference>,
) -> Result<Vec<String>, ShelfError> {
    let all = cases(shelf.records());
    for case in &all {
        if case.closed_by().is_none_or(|test| test.record != record) {
            continue;
        }
        let remedy = Remedy {
            finding: case.finding,
            ticket: case.ticket().map_or_else(|| ticket_name(case.finding), str::to_owned),
            step: RemedyStep::Closed,
            retest: Some(record),
            note: String::new(),
        };
        shelf.append(&place.author, &Event::Remedy(remedy))?;
    }
    Ok(wanted.map_or_else(Vec::new, |wanted| still_open(&all, wanted, record)))
}

/// Why a test leaves the finding open that it was made for; nothing if it does not, or if it did
/// not even pass.
#[must_use]
pub fn still_open(all: &[Case], wanted: Reference, record: Reference) -> Vec<String> {
    let Some(case) = all.iter().find(|case| case.finding == wanted) else {
        return vec![format!("the record {wanted} says of nothing that it failed")];
    };
    let test = case.retests.iter().find(|test| test.record == record);
    match test {
        _ if case.state() == State::Closed => Vec::new(),
        Some(test) if test.outcome != Outcome::Passed => Vec::new(),
        Some(test) => test.shortfalls.clone(),
        None => vec!["it says nothing of what was breached".to_owned()],
    }
}

/// The name of a ticket that nobody named.
#[must_use]
pub fn ticket_name(finding: Reference) -> String {
    format!("finding-{}-{}", &finding.writer.to_string()[..8], finding.number)
}
