//! The protocol holds in every state of the base configurations, and every mutant is caught.

use protocol_model::cases::{self, Case, Subject};
use protocol_model::run::Effort;

/// Tests run beside each other, so that each takes one core.
const EFFORT: Effort = Effort { thread_count: 1, seconds_max: 480 };

fn holds(cases: impl Iterator<Item = Case>) {
    let mut count = 0;
    for case in cases {
        let outcome = case.run(EFFORT);
        assert!(outcome.broken.is_empty(), "{}: {:#?}", case.name, outcome.broken);
        assert!(outcome.is_exhausted, "{}: no time for all states", case.name);
        assert_eq!(outcome.unreached, Vec::<&str>::new(), "{}: these never occur", case.name);
        count += 1;
    }
    assert!(count > 1, "nothing was run");
}

fn is_commit(case: &Case) -> bool {
    matches!(case.subject, Subject::Commit(_))
}

#[test]
fn commits_hold() {
    holds(cases::base().into_iter().filter(is_commit));
}

#[test]
fn collection_by_one_holds() {
    let is_one = |case: &Case| match case.subject {
        Subject::Commit(_) => false,
        Subject::Collect(setup) => setup.collector_count == 1,
    };
    holds(cases::base().into_iter().filter(is_one));
}

#[test]
fn collection_by_two_holds() {
    let is_two = |case: &Case| match case.subject {
        Subject::Commit(_) => false,
        Subject::Collect(setup) => setup.collector_count == 2,
    };
    holds(cases::base().into_iter().filter(is_two));
}

#[test]
fn every_mutant_is_caught() {
    for case in cases::mutants() {
        let outcome = case.run(EFFORT);
        let states = outcome.state_count;
        assert!(!outcome.broken.is_empty(), "{} survived {states} states", case.name);
    }
}
