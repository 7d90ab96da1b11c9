//! Findings on their way to their end: finding → ticket → fix → re-test, from records alone.
//!
//! A case begins with a record that says that something failed. Steps and tests that name the
//! record belong to it. Nobody can close one by saying so: it is closed by a later drill or check
//! that was made to test it again, that looked at least as hard, and that passed. An objective that
//! was breached is a case too; the next drill of the system that meets it closes it.

use std::collections::BTreeMap;

use crate::evidence::closing::{Test, shortfalls, unmet};
use crate::evidence::drill_event::{Drill, DrillBegun, Objective, Outcome};
use crate::evidence::event::{Event, RemedyStep};
use crate::evidence::record::{Hash32, Reference, SignedRecord};

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
    /// Why it closes nothing although it passed; empty if it does.
    pub shortfalls: Vec<String>,
}

impl Retest {
    /// Whether it passed and looked at least as hard as what failed.
    #[must_use]
    pub fn closes(&self) -> bool {
        self.outcome == Outcome::Passed && self.shortfalls.is_empty()
    }
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
    /// Objectives that were breached, if that is all that is wrong.
    pub breaches: Vec<Objective>,
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

    /// The first test that closes it, with no failed one after it.
    #[must_use]
    pub fn closed_by(&self) -> Option<&Retest> {
        let failed = self.retests.iter().rposition(|test| test.outcome == Outcome::Failed);
        let after = failed.map_or(0, |at| at + 1);
        self.retests[after..].iter().find(|test| test.closes())
    }
}

/// All cases of these records, in the order in which they were found.
#[must_use]
pub fn cases<'r>(records: impl IntoIterator<Item = &'r SignedRecord>) -> Vec<Case> {
    let mut records: Vec<&SignedRecord> = records.into_iter().collect();
    records.sort_by_key(|one| (one.record.at_ms, one.record.writer, one.record.number));
    let decode = |one: &'r SignedRecord| {
        let event = Event::decode(&one.record.event, &one.record.body).ok()?;
        Some(Read { record: one.reference(), one, event })
    };
    let all: Vec<Read<'r>> = records.into_iter().filter_map(decode).collect();
    let mut found = Found::new(&all);
    all.iter().for_each(|one| found.begin(one));
    // Steps and tests come later than what they name, but clocks of several writers may differ.
    for one in &all {
        found.test(one);
        found.step(one);
    }
    let mut cases: Vec<Case> = found.cases.into_values().collect();
    cases.sort_by_key(|case| (case.found_ms, case.finding));
    cases
}

/// A record with its event.
struct Read<'r> {
    record: Reference,
    one: &'r SignedRecord,
    event: Event,
}

/// Cases as they are put together.
struct Found<'a> {
    cases: BTreeMap<Reference, Case>,
    events: BTreeMap<Reference, &'a Event>,
    /// The first finding of a line of tests that failed again, by each of its members.
    lines: BTreeMap<Reference, Reference>,
    /// Cases of objectives that are not met so far, by system, in the order of their times.
    unmet: BTreeMap<&'a str, Vec<Reference>>,
}

impl<'a> Found<'a> {
    fn new(all: &'a [Read<'_>]) -> Self {
        let events = all.iter().map(|one| (one.record, &one.event)).collect();
        Self { cases: BTreeMap::new(), events, lines: BTreeMap::new(), unmet: BTreeMap::new() }
    }

    fn of(&self, at: Reference) -> Option<Test<'a>> {
        match self.events.get(&at)? {
            Event::Drill(drill) => Some(Test::Drill(drill, self.beginning(drill))),
            Event::Check(check) => Some(Test::Check(check)),
            Event::Rotation(_) => Some(Test::Rotation),
            _ => None,
        }
    }

    /// What was backed up, as the beginning of a drill names it.
    fn roots(&self, drill: &Drill) -> &'a [Hash32] {
        self.beginning(drill).map_or(&[], |begun| begun.roots.as_slice())
    }

    fn beginning(&self, drill: &Drill) -> Option<&'a DrillBegun> {
        match self.events.get(&drill.begun) {
            Some(Event::DrillBegun(begun)) => Some(begun),
            _ => None,
        }
    }

    /// Opens a case if the record says that something failed.
    fn begin(&mut self, one: &'a Read<'_>) {
        if let Event::Drill(drill) = &one.event {
            self.look_at_objectives(one, drill);
        }
        let Some((system, finding_count)) = failure(&one.event) else { return };
        self.cases.insert(one.record, case(one, system, finding_count));
        if let Some((tested, _)) = retest(&one.event) {
            let first = self.lines.get(&tested).copied().unwrap_or(tested);
            self.lines.insert(one.record, first);
        }
    }

    /// A drill that breaches an objective opens a case, if none is open; one that meets it closes
    /// the case, whatever it was made for.
    fn look_at_objectives(&mut self, one: &'a Read<'_>, drill: &'a Drill) {
        let roots = self.roots(drill);
        let mut known = Vec::new();
        let mut open = self.unmet.remove(drill.system.as_str()).unwrap_or_default();
        open.retain(|at| {
            let Some(Event::Drill(found)) = self.events.get(at) else { return false };
            let is_same = self.roots(found).iter().all(|root| roots.contains(root));
            let Some(case) = self.cases.get_mut(at) else { return false };
            if !is_same {
                return true;
            }
            known.extend(case.breaches.iter().copied());
            match looked_again(case, found, drill) {
                Some((outcome, shortfalls)) => {
                    let (record, at_ms) = (one.record, one.one.record.at_ms);
                    case.retests.push(Retest { record, at_ms, outcome, shortfalls });
                }
                None => return true,
            }
            case.closed_by().is_none()
        });
        // What failed is a case already, and is closed only by a test that meets the objectives.
        let mut breaches = drill.breaches();
        breaches.retain(|breach| !known.contains(breach));
        if drill.outcome != Outcome::Failed && !breaches.is_empty() && !drill.system.is_empty() {
            let made = case(one, drill.system.clone(), breaches.len() as u64);
            self.cases.insert(one.record, Case { breaches, ..made });
            open.push(one.record);
        }
        self.unmet.insert(&drill.system, open);
    }

    /// A test that was made for a finding is one of each finding of its line.
    fn test(&mut self, one: &Read<'_>) {
        let Some((tested, outcome)) = retest(&one.event) else { return };
        let first = self.lines.get(&tested).copied().unwrap_or(tested);
        let line = self.lines.iter().filter(|(_, it)| **it == first).map(|(at, _)| *at);
        for at in [first].into_iter().chain(line.collect::<Vec<_>>()) {
            let tests = (self.of(at), self.of(one.record));
            let Some(case) = self.cases.get_mut(&at) else { continue };
            // Nothing tests itself, and an objective is looked at by every drill.
            if at == one.record || !case.breaches.is_empty() {
                continue;
            }
            let shortfalls = match (outcome, tests) {
                (Outcome::Passed, (Some(found), Some(again))) => shortfalls(found, again),
                _ => Vec::new(),
            };
            let (record, at_ms) = (one.record, one.one.record.at_ms);
            case.retests.push(Retest { record, at_ms, outcome, shortfalls });
        }
    }

    fn step(&mut self, one: &Read<'_>) {
        let Event::Remedy(remedy) = &one.event else { return };
        let Some(case) = self.cases.get_mut(&remedy.finding) else { return };
        case.steps.push(Step {
            record: one.record,
            at_ms: one.one.record.at_ms,
            actor: one.one.record.actor.clone(),
            step: remedy.step,
            ticket: remedy.ticket.clone(),
            note: remedy.note.clone(),
        });
    }
}

fn case(one: &Read<'_>, system: String, finding_count: u64) -> Case {
    Case {
        finding: one.record,
        event: one.one.record.event.clone(),
        found_ms: one.one.record.at_ms,
        system,
        breaches: Vec::new(),
        finding_count,
        steps: Vec::new(),
        retests: Vec::new(),
    }
}

/// What a later drill says of objectives that `found` breached; nothing if it measured none.
fn looked_again(case: &Case, found: &Drill, again: &Drill) -> Option<(Outcome, Vec<String>)> {
    let targets = case.breaches.iter().filter_map(|it| Some((*it, found.target_ms(*it)?)));
    let says: Vec<(Objective, bool)> =
        targets.filter_map(|(it, target)| Some((it, again.measured(it)?.ms > target))).collect();
    let missed = says.iter().any(|(_, is_missed)| *is_missed);
    match (missed, again.outcome) {
        (true, _) => Some((Outcome::Failed, Vec::new())),
        (false, Outcome::Passed) if !says.is_empty() => {
            let left = case.breaches.iter().filter_map(|it| unmet(found, again, *it));
            Some((Outcome::Passed, left.collect()))
        }
        (false, _) => None,
    }
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
            heads_ms: Vec::new(),
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
