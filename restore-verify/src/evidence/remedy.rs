//! Findings on their way to their end: finding → ticket → fix → re-test, from records alone.
//!
//! A case begins with a record that says that something failed. Steps and tests that name the
//! record belong to it. Nobody can close one by saying so: it is closed by a later drill or check
//! that was made to test it again and that passed.

use std::collections::BTreeMap;

use crate::evidence::drill_event::Outcome;
use crate::evidence::event::{Event, RemedyStep};
use crate::evidence::record::{Reference, SignedRecord};

/// How far a case is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum State {
    /// Nobody says that its cause is gone.
    Open,
    /// Somebody says so, and nothing has shown it yet.
    Fixed,
    /// A test that was made for it has passed.
    Closed,
}

impl State {
    /// The word that people and programs see.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Fixed => "fixed",
            Self::Closed => "closed",
        }
    }
}

/// A step of a case.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// The record that says so.
    pub record: Reference,
    /// When it was written.
    pub at_ms: i64,
    /// Who says so.
    pub actor: String,
    /// What was done.
    pub step: RemedyStep,
    /// The ticket.
    pub ticket: String,
    /// Further words.
    pub note: String,
}

/// A test that was made because of a case.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Retest {
    /// The drill or check.
    pub record: Reference,
    /// When it was written.
    pub at_ms: i64,
    /// How it ended.
    pub outcome: Outcome,
}

/// Something that failed, and everything that was done about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Case {
    /// The record that says that something failed.
    pub finding: Reference,
    /// The event of that record: `drill`, `check` or `rotation`.
    pub event: String,
    /// When it was written.
    pub found_ms: i64,
    /// The system; empty if it is the whole repository.
    pub system: String,
    /// Findings in it.
    pub finding_count: u64,
    /// What was done, in the order of the times of the records.
    pub steps: Vec<Step>,
    /// Tests that were made for it, in the order of their times.
    pub retests: Vec<Retest>,
}

impl Case {
    /// The newest ticket that is named for it.
    #[must_use]
    pub fn ticket(&self) -> Option<&str> {
        self.steps.iter().rev().map(|step| step.ticket.as_str()).find(|ticket| !ticket.is_empty())
    }

    /// How far it is.
    #[must_use]
    pub fn state(&self) -> State {
        if self.closed_by().is_some() {
            return State::Closed;
        }
        let fixed = self.steps.iter().rev().find(|step| step.step == RemedyStep::Fixed);
        // A test that fails after it takes back what was said.
        let is_refuted = |at_ms| {
            self.retests.iter().any(|test| test.at_ms >= at_ms && test.outcome == Outcome::Failed)
        };
        match fixed {
            Some(step) if !is_refuted(step.at_ms) => State::Fixed,
            _ => State::Open,
        }
    }

    /// The first test that passed, with no failed one after it.
    #[must_use]
    pub fn closed_by(&self) -> Option<&Retest> {
        let failed = self.retests.iter().rposition(|test| test.outcome == Outcome::Failed);
        let after = failed.map_or(0, |at| at + 1);
        self.retests[after..].iter().find(|test| test.outcome == Outcome::Passed)
    }
}

/// All cases of these records, in the order in which they were found.
#[must_use]
pub fn cases<'r>(records: impl IntoIterator<Item = &'r SignedRecord>) -> Vec<Case> {
    let mut records: Vec<&SignedRecord> = records.into_iter().collect();
    records.sort_by_key(|one| (one.record.at_ms, one.record.writer, one.record.number));
    let mut found: BTreeMap<Reference, Case> = BTreeMap::new();
    for one in &records {
        let Ok(event) = Event::decode(&one.record.event, &one.record.body) else { continue };
        if let Some((system, finding_count)) = failure(&event) {
            let case = Case {
                finding: one.reference(),
                event: one.record.event.clone(),
                found_ms: one.record.at_ms,
                system,
                finding_count,
                steps: Vec::new(),
                retests: Vec::new(),
            };
            found.insert(case.finding, case);
        }
    }
    // Steps and tests come later than what they name, but clocks of several writers may differ.
    for one in &records {
        let Ok(event) = Event::decode(&one.record.event, &one.record.body) else { continue };
        let (record, at_ms) = (one.reference(), one.record.at_ms);
        if let Some((finding, outcome)) = retest(&event)
            && let Some(case) = found.get_mut(&finding)
        {
            case.retests.push(Retest { record, at_ms, outcome });
        }
        if let Event::Remedy(remedy) = event
            && let Some(case) = found.get_mut(&remedy.finding)
        {
            let actor = one.record.actor.clone();
            let (step, ticket, note) = (remedy.step, remedy.ticket, remedy.note);
            case.steps.push(Step { record, at_ms, actor, step, ticket, note });
        }
    }
    let mut cases: Vec<Case> = found.into_values().collect();
    cases.sort_by_key(|case| (case.found_ms, case.finding));
    cases
}

/// System and number of findings, if the event says that something failed.
fn failure(event: &Event) -> Option<(String, u64)> {
    match event {
        Event::Drill(drill) if drill.outcome == Outcome::Failed => {
            Some((drill.system.clone(), drill.finding_count))
        }
        Event::Check(check) if check.outcome == Outcome::Failed => {
            Some((String::new(), check.damaged))
        }
        Event::Rotation(rotation) if rotation.failed > 0 => {
            Some((String::new(), rotation.finding_count))
        }
        _ => None,
    }
}

/// What the event tests again, and how that ended.
fn retest(event: &Event) -> Option<(Reference, Outcome)> {
    match event {
        Event::Drill(drill) => Some((drill.retest_of?, drill.outcome)),
        Event::Check(check) => Some((check.retest_of?, check.outcome)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::evidence::event::{Check, Remedy};
    use crate::evidence::record::{Hash32, Record, Writer, encode};

    fn signed(number: u32, event: &Event) -> SignedRecord {
        let record = Record {
            version: 1,
            repository: [0; 16],
            writer: Writer([1; 8]),
            number,
            previous: Hash32::default(),
            at_ms: i64::from(number) * 1000,
            actor: "kim".to_owned(),
            host: String::new(),
            program: String::new(),
            heads: Vec::new(),
            event: event.name().to_owned(),
            body: event.body(),
        };
        let signed = [vec![0; 64], encode(&record)].concat();
        SignedRecord::parse(signed).expect("it is a record")
    }

    fn check(outcome: Outcome, retest_of: Option<Reference>) -> Event {
        Event::Check(Check {
            snapshots: 1,
            packs: 1,
            pack_bytes: 1,
            bytes_read: 1,
            damaged: u64::from(outcome == Outcome::Failed),
            findings: Vec::new(),
            duration_ms: 1,
            started_ms: 0,
            outcome,
            method: "all".to_owned(),
            packs_read: 1,
            hurt_paths: 0,
            retest_of,
            ticket: None,
        })
    }

    fn step(finding: Reference, step: RemedyStep) -> Event {
        let (ticket, note) = ("T-7".to_owned(), "another disk".to_owned());
        Event::Remedy(Remedy { finding, ticket, step, retest: None, note })
    }

    #[test]
    fn only_a_test_that_passes_closes_a_case() {
        let first = signed(0, &check(Outcome::Failed, None));
        let at = first.reference();
        let mut records = vec![first];
        let state = |records: &[SignedRecord]| cases(records)[0].state();
        assert_eq!(state(&records), State::Open);
        let say = |records: &mut Vec<SignedRecord>, event: &Event| {
            records.push(signed(records.len() as u32, event));
        };
        say(&mut records, &step(at, RemedyStep::Opened));
        // Whoever says that it is closed without a test has said nothing.
        say(&mut records, &step(at, RemedyStep::Closed));
        assert_eq!(state(&records), State::Open);
        say(&mut records, &step(at, RemedyStep::Fixed));
        assert_eq!(state(&records), State::Fixed);
        say(&mut records, &check(Outcome::Failed, Some(at)));
        assert_eq!(state(&records), State::Open);
        // One that was made for nothing in particular, and one that proved nothing.
        say(&mut records, &check(Outcome::Passed, None));
        say(&mut records, &check(Outcome::NotProved, Some(at)));
        assert_eq!(state(&records), State::Open);
        say(&mut records, &step(at, RemedyStep::Fixed));
        say(&mut records, &check(Outcome::Passed, Some(at)));
        assert_eq!(state(&records), State::Closed);
        let case = cases(&records).remove(0);
        assert_eq!((case.ticket(), case.steps.len(), case.retests.len()), (Some("T-7"), 4, 3));
        // The failed test is a finding of its own.
        assert_eq!(cases(&records).len(), 2);
    }
}
