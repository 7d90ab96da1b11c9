//! What went wrong and what became of it: finding → ticket → fix → test again, from signed records.

use crate::evidence::drill_event::{Finding, Outcome};
use crate::evidence::event::{Event, RemedyStep};
use crate::evidence::record::Reference;
use crate::evidence::remedy::{Case, Retest, State, Step};
use crate::report::facts::{Entry, Facts};
use crate::report::model::{Period, Value};

/// One finding with all that followed it until the end of the period.
#[derive(Debug, Clone)]
pub struct Incident<'a> {
    /// Id of the record with the finding.
    pub id: String,
    /// The case, as far as it was when the period ended.
    pub case: Case,
    /// What was found, in words.
    pub what: String,
    /// The record with the finding.
    pub found: &'a Entry,
}

impl Incident<'_> {
    /// The system; empty if it is the whole repository.
    #[must_use]
    pub fn system(&self) -> &str {
        &self.case.system
    }

    /// How far it is, in words.
    #[must_use]
    pub fn state(&self) -> &'static str {
        match self.case.state() {
            State::Closed => "closed",
            State::Fixed => "fixed, not tested again",
            State::Open if self.case.ticket().is_none() => "no ticket",
            State::Open => "open",
        }
    }

    /// Whether a test that was made for it passed.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.case.state() == State::Closed
    }

    /// The level that no system has which it concerns, as long as it is open: what failed is not
    /// recoverable; what took too long came back all the same.
    #[must_use]
    pub fn level_max(&self) -> u8 {
        if self.case.breaches.is_empty() { 1 } else { 4 }
    }

    /// The first step of that kind.
    #[must_use]
    pub fn step(&self, wanted: RemedyStep) -> Option<&Step> {
        self.case.steps.iter().find(|step| step.step == wanted)
    }

    /// The newest step that says that the cause is gone.
    #[must_use]
    pub fn fix(&self) -> Option<&Step> {
        self.case.steps.iter().rev().find(|step| step.step == RemedyStep::Fixed)
    }

    /// The test that closed it, or the newest one.
    #[must_use]
    pub fn retest(&self) -> Option<&Retest> {
        self.case.closed_by().or_else(|| self.case.retests.last())
    }

    /// How long it took until it was closed.
    #[must_use]
    pub fn lasted_ms(&self) -> Option<u64> {
        let closed = self.case.closed_by()?;
        Some((closed.at_ms - self.case.found_ms).max(0) as u64)
    }

    /// Ids of all records of the chain, in order of their times.
    #[must_use]
    pub fn chain(&self) -> Vec<String> {
        let steps = self.case.steps.iter().map(|step| (step.at_ms, step.record));
        let tests = self.case.retests.iter().map(|test| (test.at_ms, test.record));
        let first = (self.case.found_ms, self.case.finding);
        let mut all: Vec<(i64, Reference)> =
            [first].into_iter().chain(steps).chain(tests).collect();
        all.sort_unstable();
        all.iter().map(|(_, record)| record.to_string()).collect()
    }
}

/// The incidents that were found in the period, or were not closed when it began. A test that
/// failed again belongs to the finding that it tested.
#[must_use]
pub fn incidents(facts: &Facts, period: Period) -> Vec<Incident<'_>> {
    let mut all = Vec::new();
    for case in facts.cases.iter().filter(|case| case.found_ms < period.to_ms) {
        let Some(found) = facts.entries.iter().find(|entry| entry.reference == case.finding) else {
            continue;
        };
        let mut case = case.clone();
        case.steps.retain(|step| step.at_ms < period.to_ms);
        case.retests.retain(|test| test.at_ms < period.to_ms);
        let was_open = case.closed_by().is_none_or(|test| test.at_ms >= period.from_ms);
        if is_retest(facts, case.system.as_str(), &found.event)
            || !(period.holds(case.found_ms) || was_open)
        {
            continue;
        }
        let what = what(&found.event);
        all.push(Incident { id: found.id.clone(), case, what, found });
    }
    all
}

/// Whether a test failed that was made for another finding of the same system: it belongs to that one.
fn is_retest(facts: &Facts, system: &str, event: &Event) -> bool {
    let tested = match event {
        Event::Drill(drill) => drill.retest_of,
        Event::Check(check) => check.retest_of,
        _ => None,
    };
    tested.is_some_and(|at| facts.cases.iter().any(|it| it.finding == at && it.system == system))
}

/// What a record found, in words.
fn what(event: &Event) -> String {
    match event {
        Event::Drill(drill) if drill.outcome != Outcome::Failed => {
            let words = drill.breaches().into_iter().filter_map(|objective| {
                let ms = drill.measured(objective)?.ms;
                let target = Value::Span(drill.target_ms(objective)?).shown();
                let found = match ms {
                    u64::MAX => "none, without a snapshot".to_owned(),
                    ms => Value::Span(ms).shown(),
                };
                Some(format!("{} {found}, objective {target}", objective.name()))
            });
            words.collect::<Vec<_>>().join("; ")
        }
        Event::Drill(drill) => {
            let first = first(&drill.findings, drill.finding_count);
            format!("{} drill failed: {first}", drill.kind.name())
        }
        Event::Rotation(rotation) => {
            let first = first(&rotation.findings, rotation.finding_count);
            match rotation.failed {
                1 => format!("1 of the packs that were read is damaged: {first}"),
                count => format!("{count} of the packs that were read are damaged: {first}"),
            }
        }
        Event::Check(check) => {
            let first = first(&check.findings, check.damaged);
            match check.damaged {
                1 => format!("1 object is damaged or missing: {first}"),
                count => format!("{count} objects are damaged or missing: {first}"),
            }
        }
        other => other.name().to_owned(),
    }
}

fn first(findings: &[Finding], count: u64) -> String {
    match (findings.first(), count) {
        (None, _) => "no details are recorded".to_owned(),
        (Some(one), 0 | 1) => one.why.clone(),
        (Some(one), count) => format!("{} (and {} more)", one.why, count - 1),
    }
}
