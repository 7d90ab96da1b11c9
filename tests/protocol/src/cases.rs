//! Every configuration that is run: the protocol, which must hold, and mutants, which must not.
//!
//! Budgets are small on purpose. Mistakes of such protocols need few participants and few events,
//! and all orders of few events say more than some orders of many.

use crate::collect::Collect;
use crate::collect::setup::{self as collect, Mutant, Order, Pins, Second};
use crate::commit::Commit;
use crate::commit::setup as commit;
use crate::run::{Effort, Outcome, explore};

/// What is run.
#[derive(Debug, Clone, Copy)]
pub enum Subject {
    /// Commits and fences.
    Commit(commit::Setup),
    /// Deduplication and collection.
    Collect(collect::Setup),
}

/// A configuration with its name.
#[derive(Debug, Clone)]
pub struct Case {
    /// What is particular about it.
    pub name: String,
    /// What is run.
    pub subject: Subject,
}

impl Case {
    fn commit(name: &str, change: impl FnOnce(&mut commit::Setup)) -> Self {
        let mut setup = commit::Setup::ONCE;
        change(&mut setup);
        Self { name: name.to_owned(), subject: Subject::Commit(setup) }
    }

    fn collect(name: &str, change: impl FnOnce(&mut collect::Setup)) -> Self {
        let mut setup = collect::Setup::MILD;
        change(&mut setup);
        Self { name: name.to_owned(), subject: Subject::Collect(setup) }
    }

    /// Runs it.
    #[must_use]
    pub fn run(&self, effort: Effort) -> Outcome {
        match self.subject {
            Subject::Commit(setup) => explore(Commit(setup), effort),
            Subject::Collect(setup) => explore(Collect(setup), effort),
        }
    }
}

/// The protocol as it is, in configurations that are searched to the end on each change.
#[must_use]
pub fn base() -> Vec<Case> {
    [commits(), one_collector(), two_collectors(), protected()].concat()
}

fn commits() -> Vec<Case> {
    vec![
        Case::commit("commits, sorted listings", |_| {}),
        Case::commit("commits, unsorted listings", |it| {
            it.listing = commit::Listing::Unsorted;
        }),
        Case::commit("commits, two fences, two forgeries", |it| {
            it.budget.fences = 2;
            it.budget.forgeries = 2;
            it.retention_runs = 2;
        }),
        Case::commit("commits, a machine that goes on twice", |it| {
            it.budget.clones = 1;
        }),
    ]
}

fn one_collector() -> Vec<Case> {
    vec![
        Case::collect("one collector, crash, lost request", |it| {
            it.budget.client_crashes = 1;
            it.budget.lost_requests = 1;
        }),
        Case::collect("one collector, a client that never deduplicates", |it| {
            it.second = Second::Stranger;
            it.budget.lost_requests = 1;
        }),
        Case::collect("one collector twice, crash, stale index", |it| {
            it.generation_count = 2;
            it.is_fine = false;
            it.budget.collector_crashes = 1;
            it.stale_index = true;
            it.trims_done = true;
        }),
        Case::collect("a commit seen under way, then not", |it| {
            it.flickers = true;
            it.budget.lost_requests = 1;
            it.budget.client_crashes = 1;
            it.budget.closes = 0;
        }),
        Case::collect("repacking", |it| {
            it.second = Second::Repack;
            it.generation_count = 2;
            it.is_fine = false;
            it.budget.client_crashes = 1;
        }),
        Case::collect("forgers claim copies", |it| {
            it.is_fine = false;
            it.budget.forgeries = 2;
            it.budget.fences = 0;
            it.budget.closes = 0;
        }),
        Case::collect("keys are changed", |it| {
            it.rotates = true;
            it.is_fine = false;
            it.session_count = 2;
            it.budget.fences = 0;
            it.budget.closes = 0;
        }),
        Case::collect("the store is put back", |it| {
            put_back(it);
            it.second = Second::Stranger;
        }),
        Case::collect("the store is put back, two sessions each, stale index", |it| {
            put_back(it);
            it.session_count = 2;
            it.stale_index = true;
        }),
        Case::collect("records rot", rot),
        Case::collect("records rot, and a segment comes late", |it| {
            rot(it);
            late_segment(it);
        }),
        Case::collect("a forgotten tree comes back", |it| {
            it.second = Second::Revive;
            it.generation_count = 2;
            it.is_fine = false;
        }),
    ]
}

/// Nothing is there at the beginning, so that all can be lost.
fn put_back(it: &mut collect::Setup) {
    it.begins_empty = true;
    it.is_fine = false;
    it.budget.returns = 1;
    it.budget.fences = 0;
    it.budget.closes = 0;
}

/// Records of a generation rot, and somebody gives it up.
fn rot(it: &mut collect::Setup) {
    it.is_fine = false;
    it.budget.rots = 1;
    it.budget.collector_crashes = 1;
    it.budget.fences = 0;
    it.budget.closes = 0;
}

/// A segment that lists what was deleted can land after it was trimmed.
fn late_segment(it: &mut collect::Setup) {
    it.begins_empty = true;
    it.budget.lost_requests = 1;
}

fn two_collectors() -> Vec<Case> {
    vec![
        Case::collect("two collectors", |it| {
            it.collector_count = 2;
            it.is_fine = false;
            it.budget.fences = 0;
        }),
        Case::collect("two collectors, keys are changed", |it| {
            it.collector_count = 2;
            it.rotates = true;
            it.is_fine = false;
            it.budget.fences = 0;
            it.budget.closes = 0;
        }),
        Case::collect("two collectors, verdicts read last, two copies", |it| {
            it.collector_count = 2;
            it.is_fine = false;
            it.order = Order::VerdictLast;
            it.second = Second::Stranger;
            it.budget.fences = 0;
            it.budget.forgets = 0;
        }),
    ]
}

fn protected() -> Vec<Case> {
    let one = |pins: Pins| {
        Case::collect(&format!("a restore under a pin, {pins:?}"), |it| {
            it.restores = true;
            it.pins = pins;
            it.second = Second::Stranger;
            it.is_fine = false;
        })
    };
    let two = |pins: Pins| {
        Case::collect(&format!("a pin, two collectors, {pins:?}"), |it| {
            it.restores = true;
            it.pins = pins;
            it.collector_count = 2;
            it.second = Second::Stranger;
            it.is_fine = false;
            it.budget.forgets = 2;
            it.budget.fences = 0;
            it.budget.closes = 0;
        })
    };
    vec![
        one(Pins::FromBarrier),
        one(Pins::AfterTombs),
        two(Pins::FromBarrier),
        two(Pins::AfterTombs),
    ]
}

/// One rule less each.
#[must_use]
pub fn mutants() -> Vec<Case> {
    commit_mutants().chain(collect_mutants()).collect()
}

fn commit_mutants() -> impl Iterator<Item = Case> {
    commit::Mutant::ALL.into_iter().map(|mutant| {
        Case::commit(&format!("{mutant:?}"), |it| {
            it.mutant = Some(mutant);
            if mutant == commit::Mutant::OneUnsortedListing {
                it.listing = commit::Listing::Unsorted;
            }
            let needs_clone = [
                commit::Mutant::IgnoresTwin,
                commit::Mutant::AdoptsDespiteTwin,
                commit::Mutant::CountsUnsettled,
            ];
            it.budget.clones = u8::from(needs_clone.contains(&mutant));
        })
    })
}

fn collect_mutants() -> impl Iterator<Item = Case> {
    Mutant::ALL.into_iter().map(|mutant| {
        Case::collect(&format!("{mutant:?}"), |it| {
            it.mutant = Some(mutant);
            surround(it, mutant);
        })
    })
}

/// Gives a mutant what it needs to do harm, and little else, so that it is found soon.
fn surround(it: &mut collect::Setup, mutant: Mutant) {
    it.is_fine = false;
    match mutant {
        Mutant::OthersIgnored
        | Mutant::OthersSweptIgnored
        | Mutant::OthersBeforeCondemn
        | Mutant::GenerationTakenOver => {
            it.collector_count = 2;
            it.budget.fences = 0;
            it.budget.closes = 0;
        }
        Mutant::RecordsRetired => it.generation_count = 2,
        _ => {}
    }
    match mutant {
        Mutant::OthersBeforeCondemn => {
            it.second = Second::Stranger;
            it.budget.forgets = 0;
        }
        Mutant::RetryKeepsChoice => it.session_count = 2,
        Mutant::CommitSeenOnceForgotten => {
            it.flickers = true;
            it.budget.lost_requests = 1;
            it.budget.client_crashes = 1;
        }
        Mutant::TrimsEverySweep | Mutant::RestoreRefusesSwept => it.generation_count = 2,
        Mutant::PinsBeforeTombs => {
            // One collector always leaves a copy of what its first mark found in use.
            it.restores = true;
            it.collector_count = 2;
            it.second = Second::Stranger;
            it.budget.forgets = 2;
            it.budget.fences = 0;
            it.budget.closes = 0;
        }
        Mutant::PinWithoutLook => it.restores = true,
        Mutant::StrangeNamesPassedOver | Mutant::KeysUsedBeforeAnnounced => it.rotates = true,
        Mutant::ListsUnlooked | Mutant::CommitsUnlooked | Mutant::ReportsUnseen => put_back(it),
        Mutant::LostSegmentsIgnored => {
            put_back(it);
            it.session_count = 2;
            it.stale_index = true;
        }
        Mutant::RottedIgnored | Mutant::GivesUpRunning => rot(it),
        Mutant::GivenUpTrusted => {
            rot(it);
            late_segment(it);
        }
        Mutant::RepackDeletes => it.second = Second::Repack,
        Mutant::RevivesBlindly => it.second = Second::Revive,
        Mutant::BelievesUnsigned
        | Mutant::RefersAcrossDomains
        | Mutant::CopiesAcrossDomains
        | Mutant::CopiesOfUnknownSessions
        | Mutant::CopiesUnasked
        | Mutant::RefersToRevoked
        | Mutant::CopiesOfRevoked => {
            it.budget.forgeries = 1;
            it.budget.fences = 0;
            it.budget.closes = 0;
        }
        _ => {}
    }
}

/// The protocol as it is, with everything at once; too large to be searched to the end.
#[must_use]
pub fn large() -> Vec<Case> {
    vec![
        Case::collect("two collectors, one request at a time", |it| it.collector_count = 2),
        Case::collect("two collectors, crashes, lost request", |it| {
            it.collector_count = 2;
            it.is_fine = false;
            it.budget.collector_crashes = 1;
            it.budget.client_crashes = 1;
            it.budget.lost_requests = 1;
            it.budget.fences = 0;
        }),
        Case::collect("two collectors twice, crash, two copies", |it| {
            it.collector_count = 2;
            it.generation_count = 2;
            it.is_fine = false;
            it.second = Second::Stranger;
            it.budget.collector_crashes = 1;
            it.budget.fences = 0;
            it.budget.forgets = 0;
        }),
        Case::collect("two collectors, two chunks", |it| {
            it.collector_count = 2;
            it.chunk_count = 2;
            it.is_fine = false;
            it.budget.fences = 0;
        }),
        Case::collect("one collector twice, everything goes wrong", |it| {
            it.generation_count = 2;
            it.budget.client_crashes = 1;
            it.budget.collector_crashes = 1;
            it.budget.lost_requests = 1;
            it.budget.forgets = 2;
            it.budget.closes = 2;
            it.budget.fences = 2;
        }),
        Case::collect("two collectors, a pin, a tree comes back", |it| {
            it.collector_count = 2;
            it.restores = true;
            it.is_fine = false;
            it.second = Second::Revive;
            it.budget.forgets = 2;
            it.budget.fences = 0;
        }),
        Case::collect("two collectors, repacking, crash", |it| {
            it.collector_count = 2;
            it.second = Second::Repack;
            it.is_fine = false;
            it.budget.collector_crashes = 1;
        }),
        Case::collect("two sessions each, lost request", |it| {
            it.session_count = 2;
            it.is_fine = false;
            it.budget.lost_requests = 1;
        }),
    ]
}
