//! What records claim, derived again from what they record: levels, and the closing of findings.
//!
//! A signature says who claims it, not that it is so. Whoever holds a key can write a level or a
//! closing that nothing supports; both follow from other fields, and are held against them.

use std::collections::BTreeMap;

use crate::evidence::chain::{Flaw, FlawKind};
use crate::evidence::closing::COMMAND;
use crate::evidence::drill_event::{Drill, DrillBegun, DrillKind, Outcome};
use crate::evidence::event::{Event, Remedy, RemedyStep};
use crate::evidence::record::{Reference, SignedRecord};
use crate::evidence::remedy::{Case, cases};

/// Probes that look at what an application works with: a database, a dump of one, the user's own
/// test. That an archive or a picture is whole says nothing of an application.
pub const APPLICATION_PROBES: [&str; 3] = ["sqlite", "dump", COMMAND];

/// Says which claims do not follow. What lies before these records is not asked for.
pub fn check_claims(records: &[SignedRecord], flaws: &mut Vec<Flaw>) {
    let events: BTreeMap<Reference, Event> = records
        .iter()
        .filter_map(|one| {
            let event = Event::decode(&one.record.event, &one.record.body).ok()?;
            Some((one.reference(), event))
        })
        .collect();
    let all = cases(records);
    for (at, event) in &events {
        let why = match event {
            Event::Drill(drill) => {
                let begun = match events.get(&drill.begun) {
                    Some(Event::DrillBegun(begun)) => Some(begun),
                    _ => None,
                };
                let most = supported_level(drill, begun);
                (drill.level > most).then(|| {
                    format!("it claims level {}, and shows no more than {most}", drill.level)
                })
            }
            Event::Remedy(remedy) if events.contains_key(&remedy.finding) => unclosed(&all, remedy),
            _ => None,
        };
        flaws.extend(why.map(|why| Flaw::new(FlawKind::Derivation, at.to_string(), why)));
    }
}

/// Why a step closes nothing that says that it does.
fn unclosed(all: &[Case], remedy: &Remedy) -> Option<String> {
    if remedy.step != RemedyStep::Closed {
        return None;
    }
    let case = all.iter().find(|case| case.finding == remedy.finding);
    let test =
        case.and_then(|case| case.retests.iter().find(|test| Some(test.record) == remedy.retest));
    match test {
        Some(test) if test.closes() => None,
        Some(test) if test.shortfalls.is_empty() => {
            Some("it closes a finding by a test that did not pass".to_owned())
        }
        Some(test) => {
            Some(format!("it closes a finding by a weaker test: {}", test.shortfalls.join("; ")))
        }
        None => Some("it closes a finding, and names no test of it".to_owned()),
    }
}

/// The most that the fields of a drill support.
#[must_use]
pub fn supported_level(drill: &Drill, begun: Option<&DrillBegun>) -> u8 {
    let tally = |name: &str| drill.probes.iter().find(|it| it.probe == name);
    let is_sample = drill.outcome == Outcome::Passed
        && drill.files > drill.dropped
        && drill.kind != DrillKind::Paths;
    let is_in_time = drill.rto_target_ms.is_none_or(|target| drill.restore_ms <= target);
    let is_full =
        drill.kind == DrillKind::Full && drill.dropped == 0 && drill.not_saved == 0 && is_in_time;
    let applications = || APPLICATION_PROBES.into_iter().filter_map(tally);
    let is_compared = begun.is_none_or(|begun| begun.expected.is_some())
        || tally(COMMAND).is_some_and(|it| it.passed > 0);
    let is_good = applications().any(|it| it.passed > 0)
        && applications().all(|it| it.not_proved == 0)
        && drill.probes.iter().all(|it| it.failed == 0);
    match (is_sample, is_full, is_good && is_compared) {
        (false, ..) => 3,
        (true, false, _) => 4,
        (true, true, false) => 5,
        (true, true, true) => 6,
    }
}
