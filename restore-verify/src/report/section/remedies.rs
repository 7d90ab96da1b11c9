//! What went wrong and what became of it; and who did what.

use std::collections::BTreeMap;

use crate::evidence::event::RemedyStep;
use crate::report::calendar;
use crate::report::facts::Entry;
use crate::report::incident::Incident;
use crate::report::model::{Basis, Block, Cell, Figure, Section, Table, Tone, Value};
use crate::report::work::Work;

/// The section on incidents.
#[must_use]
pub fn incidents(work: &Work<'_>) -> Section {
    let all = &work.incidents;
    let basis = |keep: &dyn Fn(&Incident<'_>) -> bool| {
        Basis::of(all.iter().filter(|one| keep(one)).map(|one| one.id.clone()))
    };
    let open = basis(&|one| !one.is_closed());
    let without = basis(&|one| one.case.ticket().is_none());
    let closed = basis(&|one| one.is_closed());
    let share = (!all.is_empty()).then(|| closed.count as f64 / all.len() as f64);
    let bad = |count: u64| if count > 0 { Tone::Bad } else { Tone::Good };
    let longest = all.iter().filter_map(Incident::lasted_ms).max();
    let (open_count, without_count) = (open.count, without.count);
    let figures = vec![
        Figure::new(
            "incidents.total",
            "Findings",
            Value::Count(all.len() as u64),
            basis(&|_| true),
        )
        .note("found in the period, or open when it began"),
        Figure::new("incidents.open", "Findings open", Value::Count(open_count), open)
            .tone(bad(open_count)),
        Figure::new(
            "incidents.without_ticket",
            "Findings without a ticket",
            Value::Count(without_count),
            without,
        )
        .tone(bad(without_count)),
        Figure::new(
            "incidents.retested_share",
            "Findings closed by a test",
            Value::known(share, Value::Share),
            closed.clone(),
        ),
        Figure::new(
            "incidents.longest",
            "Longest until closed",
            Value::known(longest, Value::Span),
            closed,
        ),
    ];
    Section {
        id: "incidents",
        title: "Incidents and remediation",
        lead: "Each finding with its ticket, its fix and the test that closed it: one chain of signed \
               records that name the finding's hash. Only a test that was made for a finding and \
               passed closes it."
            .to_owned(),
        blocks: vec![Block::Figures { figures }, Block::Table(chains(work))],
    }
}

fn chains(work: &Work<'_>) -> Table {
    let mut table = Table::new(
        "incidents",
        "Finding → ticket → fix → test again",
        &[
            ("found", "Found", 1.5),
            ("system", "System", 1.3),
            ("what", "Finding", 3.0),
            ("ticket", "Ticket", 1.6),
            ("fix", "Fix", 1.8),
            ("retest", "Tested again", 1.4),
            ("state", "State", 1.3),
        ],
        "Nothing was found.",
    );
    let mut sorted: Vec<_> = work.incidents.iter().collect();
    sorted.sort_by_key(|one| (one.is_closed(), std::cmp::Reverse(one.case.found_ms)));
    for one in sorted {
        let ticket = match (one.case.ticket(), one.step(RemedyStep::Opened)) {
            (None, _) => Cell::toned(Value::text("none"), Tone::Bad),
            (Some(ticket), Some(step)) => format!("{ticket}, {}", calendar::day(step.at_ms)).into(),
            (Some(ticket), None) => ticket.into(),
        };
        let fix = one.fix().map(|step| format!("{} {}", calendar::day(step.at_ms), step.note));
        let retest =
            one.retest().map(|it| format!("{} {}", calendar::day(it.at_ms), it.outcome.name()));
        let tone = if one.is_closed() { Tone::Good } else { Tone::Bad };
        let system = if one.system().is_empty() { "repository" } else { one.system() };
        let cells = vec![
            Value::Time(one.case.found_ms).into(),
            system.into(),
            one.what.as_str().into(),
            ticket,
            Value::known(fix, |fix| Value::text(fix.trim())).into(),
            retest.map_or_else(|| "not yet".into(), Cell::from),
            Cell::toned(Value::text(one.state()), tone),
        ];
        table.push(cells, Basis::of(one.chain()));
    }
    table
}

/// The section on who did what.
#[must_use]
pub fn access(work: &Work<'_>) -> Section {
    let mut by: BTreeMap<(&str, &str, &str), Vec<&Entry>> = BTreeMap::new();
    for entry in work.entries() {
        let key = (entry.actor.as_str(), entry.host.as_str(), entry.event.name());
        by.entry(key).or_default().push(entry);
    }
    let actors: std::collections::BTreeSet<&str> = by.keys().map(|key| key.0).collect();
    let all = Basis {
        ids: Vec::new(),
        count: work.entries().count() as u64,
        rule: Some("all signed records of the period".to_owned()),
    };
    let figures = vec![
        Figure::new("access.acts", "Recorded acts", Value::Count(all.count), all.clone()),
        Figure::new("access.actors", "People and jobs", Value::Count(actors.len() as u64), all),
    ];
    let mut table = Table::new(
        "access",
        "Who did what",
        &[
            ("actor", "Person or job", 2.0),
            ("host", "Machine", 1.8),
            ("event", "Act", 1.6),
            ("count", "How often", 1.0),
            ("first", "First", 1.5),
            ("last", "Last", 1.5),
        ],
        "No signed record was written in the period.",
    );
    for ((actor, host, event), entries) in by {
        let (first, last) = (entries.first(), entries.last());
        let cells = vec![
            actor.into(),
            host.into(),
            event.into(),
            Value::Count(entries.len() as u64).into(),
            Value::known(first.map(|it| it.at_ms), Value::Time).into(),
            Value::known(last.map(|it| it.at_ms), Value::Time).into(),
        ];
        let rule = format!("records of {actor} on {host} with the event {event}");
        let ids = first.into_iter().chain(last).map(|it| it.id.clone());
        let basis = Basis { ids: ids.collect(), count: entries.len() as u64, rule: Some(rule) };
        table.push(cells, basis);
    }
    Section {
        id: "access",
        title: "Access log",
        lead:
            "Acts that left a signed record, by whom and from where. Looking at names and listing \
               snapshots leave none."
                .to_owned(),
        blocks: vec![Block::Figures { figures }, Block::Table(table)],
    }
}
