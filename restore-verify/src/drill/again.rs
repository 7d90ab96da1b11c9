//! Files that an earlier test found broken: its repetition looks at them whatever it draws.

use std::collections::{BTreeMap, HashSet};

use engine::base::path::TreePath;
use engine::repo::Repo;

use crate::drill::salt::Salts;
use crate::evidence::drill_event::{Drill, Outcome};
use crate::evidence::event::Event;
use crate::evidence::record::{Hash32, Reference};
use crate::evidence::shelf::Shelf;

/// Tests of one line whose files are looked at: the first, and the newest of those that failed again.
const TESTS_MAX: usize = 8;

/// Paths by the hashes that earlier drills gave them: the one that is named, and those that tested
/// the same and failed again.
#[derive(Clone)]
pub struct Again {
    tests: Vec<(Salts, HashSet<Hash32>)>,
}

impl Again {
    /// The files that drills named in their findings; `None` if it is no drill or named no file.
    #[must_use]
    pub fn of(repo: &Repo, shelf: &Shelf<'_>, finding: Reference) -> Option<Self> {
        let mut drills: BTreeMap<Reference, Drill> = BTreeMap::new();
        let mut seeds: BTreeMap<Reference, Hash32> = BTreeMap::new();
        for one in shelf.records() {
            match Event::decode(&one.record.event, &one.record.body) {
                Ok(Event::Drill(drill)) if drill.outcome == Outcome::Failed => {
                    drills.insert(one.reference(), *drill);
                }
                Ok(Event::DrillBegun(begun)) => {
                    seeds.extend(begun.seed.map(|seed| (one.reference(), seed)));
                }
                _ => {}
            }
        }
        let test = |at: &Reference| {
            let drill = drills.get(at)?;
            let hashes: HashSet<Hash32> = drill.findings.iter().filter_map(|it| it.file).collect();
            (!hashes.is_empty()).then_some((Salts::new(repo, seeds.get(&drill.begun)?), hashes))
        };
        let tests: Vec<_> = line(&drills, finding).iter().filter_map(test).collect();
        (!tests.is_empty()).then_some(Self { tests })
    }

    /// Whether an earlier drill named this path.
    #[must_use]
    pub fn holds(&self, path: &TreePath) -> bool {
        self.hashes_of(path).next().is_some()
    }

    /// The hashes by which earlier drills named this path.
    pub fn hashes_of(&self, path: &TreePath) -> impl Iterator<Item = Hash32> {
        self.tests.iter().filter_map(|(salts, hashes)| {
            let hash = salts.hash(path);
            hashes.contains(&hash).then_some(hash)
        })
    }
}

/// The finding that is named, the one that it tested itself, and the newest that tested either.
fn line(drills: &BTreeMap<Reference, Drill>, finding: Reference) -> Vec<Reference> {
    let mut first = finding;
    // As many steps back as there are drills: a circle cannot be signed, and is not believed.
    for _ in 0..drills.len() {
        match drills.get(&first).and_then(|drill| drill.retest_of) {
            Some(before) if drills.contains_key(&before) => first = before,
            _ => break,
        }
    }
    let mut members = vec![first];
    let mut order: Vec<_> = drills.iter().collect();
    order.sort_by_key(|(at, drill)| (drill.started_ms, **at));
    for (at, drill) in order {
        if drill.retest_of.is_some_and(|tested| members.contains(&tested)) {
            members.push(*at);
        }
    }
    let surplus = members.len().saturating_sub(TESTS_MAX);
    members.drain(1..=surplus);
    if !members.contains(&finding) {
        members.push(finding);
    }
    members
}
