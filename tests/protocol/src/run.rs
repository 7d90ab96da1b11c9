//! Runs a checker over a model and says what it found.
#![expect(clippy::disallowed_methods, reason = "a search that ran out of time must say so")]

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::hash::Hash;
use std::time::{Duration, Instant};

use stateright::{Checker, Expectation, HasDiscoveries, Model};

/// How far to look.
#[derive(Debug, Clone, Copy)]
pub struct Effort {
    /// Threads that look.
    pub thread_count: usize,
    /// When to give up.
    pub seconds_max: u64,
}

/// What was found.
#[derive(Debug)]
pub struct Outcome {
    /// States that differ.
    pub state_count: usize,
    /// The longest of the shortest ways to a state, in steps.
    pub depth: usize,
    /// Whether there is no state that was not looked at.
    pub is_exhausted: bool,
    /// Promises that do not hold, each with the steps that break it.
    pub broken: BTreeMap<&'static str, Vec<String>>,
    /// Situations that must occur, lest the promises hold because nothing happens, and did not.
    pub unreached: Vec<&'static str>,
}

/// Looks at every state that `model` can come to, those that are near first; stops at the first
/// broken promise.
pub fn explore<M>(model: M, effort: Effort) -> Outcome
where
    M: Model + Send + Sync + 'static,
    M::State: Debug + Hash + Send + Sync + Clone + PartialEq,
    M::Action: Debug + Send + Sync + Clone + PartialEq,
{
    let (began, longest) = (Instant::now(), Duration::from_secs(effort.seconds_max));
    let checker = model
        .checker()
        .threads(effort.thread_count)
        .timeout(longest)
        .finish_when(HasDiscoveries::AnyFailures)
        .spawn_bfs()
        .join();
    let mut outcome = Outcome {
        state_count: checker.unique_state_count(),
        depth: checker.max_depth(),
        is_exhausted: false,
        broken: BTreeMap::new(),
        unreached: Vec::new(),
    };
    let mut found = checker.discoveries();
    for property in checker.model().properties() {
        match (property.expectation, found.remove(property.name)) {
            (Expectation::Sometimes, None) => outcome.unreached.push(property.name),
            (Expectation::Sometimes, Some(_)) | (_, None) => {}
            (_, Some(path)) => {
                let steps = path.into_actions().iter().map(|step| format!("{step:?}")).collect();
                outcome.broken.insert(property.name, steps);
            }
        }
    }
    outcome.is_exhausted = outcome.broken.is_empty() && began.elapsed() < longest;
    outcome
}
