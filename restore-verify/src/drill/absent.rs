//! There is no snapshot to drill: that is an outcome too, and it is recorded like any other.

use engine::index::catalog::Catalog;

use crate::drill::close::{close, open_ticket};
use crate::drill::findings::{About, Findings};
use crate::drill::options::{DrillError, DrillOptions, DrillReport, Place};
use crate::drill::standing;
use crate::evidence::drill_event::{Drill, DrillBegun};
use crate::evidence::event::Event;
use crate::evidence::merkle::RootBuilder;
use crate::evidence::record::Reference;
use crate::evidence::remedy::cases;
use crate::evidence::shelf::{Shelf, millis};

/// Records that `system` has no snapshot that could be drilled: failed if something shows that one
/// was there, otherwise not proved.
///
/// # Errors
/// If it cannot be recorded.
pub fn record(
    place: &Place<'_>,
    catalog: &Catalog,
    system: &str,
    options: &DrillOptions,
) -> Result<DrillReport, DrillError> {
    let mut shelf = Shelf::open(place.repo, place.state)?;
    let mut findings = Findings::default();
    let started_ms = millis(place.repo.clock().now());
    findings.doubt("snapshots", About::Object("the repository"), "there is no snapshot to drill");
    standing::look(place, &shelf, catalog, &mut findings)?;
    let (kind, snapshot) = (options.kind, [0; 24]);
    let begun = Event::DrillBegun(DrillBegun {
        kind,
        snapshot,
        system: system.to_owned(),
        seed: None,
        generation: 0,
        population: None,
        wanted: 0,
        discards: options.discard,
        retest_of: options.retest_of,
        ticket: options.ticket.clone(),
        skipped: options.skipped(),
        command: options.command_hash(),
        roots: Vec::new(),
        expected: None,
    });
    let begun = shelf.append(&place.author, &begun)?.reference();
    let finished_ms = millis(place.repo.clock().now());
    let drill = ended(options, system, begun, (started_ms, finished_ms), &findings);
    let record = shelf.append(&place.author, &Event::Drill(Box::new(drill.clone())))?.reference();
    let is_case = cases(shelf.records()).iter().any(|case| case.finding == record);
    let ticket = match is_case {
        true => Some(open_ticket(place, &mut shelf, record, options.ticket.clone())?),
        false => options.ticket.clone(),
    };
    close(place, &mut shelf, catalog);
    let is_breached = options.rpo_target_ms.is_some();
    let (findings, still_open) = (findings.into_named(), Vec::new());
    Ok(DrillReport { drill, record, findings, is_breached, ticket, still_open })
}

/// The end of a drill of nothing.
fn ended(
    options: &DrillOptions,
    system: &str,
    begun: Reference,
    (started_ms, finished_ms): (i64, i64),
    findings: &Findings,
) -> Drill {
    let nothing = RootBuilder::default();
    Drill {
        begun,
        kind: options.kind,
        snapshot: [0; 24],
        system: system.to_owned(),
        snapshot_ms: 0,
        outcome: findings.outcome(),
        level: 0,
        lacks: "there is no snapshot".to_owned(),
        started_ms,
        finished_ms,
        restore_ms: 0,
        files: 0,
        bytes: 0,
        decoded_bytes: 0,
        requests: 0,
        results: nothing.root(),
        result_count: 0,
        probes: Vec::new(),
        finding_count: findings.count(),
        findings: findings.for_evidence(),
        total_files: 0,
        total_bytes: 0,
        estimate: None,
        rpo_ms: u64::MAX,
        rpo_target_ms: options.rpo_target_ms,
        rto_target_ms: options.rto_target_ms,
        retest_of: options.retest_of,
        ticket: options.ticket.clone(),
        authenticated_ppm: 0,
        retested: Vec::new(),
        dropped: 0,
        not_saved: 0,
        confinement: None,
    }
}
