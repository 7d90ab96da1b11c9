//! What a policy would do on past and coming dates: backups and runs of `forget` played through.
//!
//! The snapshots that are there appear when they were made; from then on each source makes another
//! one at every planned run. Once a day, after the last of these, the rules are applied to what is
//! left. Nothing is written.

use std::collections::{BTreeMap, BTreeSet};

use jiff::tz::TimeZone;

use crate::base::id::{Nonce8, SessionId};
use crate::base::time::Timestamp;
use crate::retain::candidate::{Candidate, GroupKey};
use crate::retain::period::Period;
use crate::retain::plan::{PlanOptions, plan};
use crate::retain::policy::Policy;
use crate::retain::span::Span;

/// What happens on one day.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Day {
    /// The time of the last backup of the day.
    pub time: Timestamp,
    /// Snapshots that are made on it.
    pub made_count: usize,
    /// Snapshots that are left at its end.
    pub live_count: usize,
    /// Snapshots that are forgotten at its end.
    pub forgotten: Vec<Forgotten>,
}

/// A snapshot that would be forgotten.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Forgotten {
    /// The snapshot; `None` for one that does not exist yet.
    pub session: Option<SessionId>,
    /// Its host.
    pub host: String,
    /// When it was or will be made.
    pub made: Timestamp,
}

/// The planned backups after `now` up to `until`, one `every` span apart, at most `most`.
#[must_use]
pub fn dates(
    now: Timestamp,
    until: Timestamp,
    every: Span,
    zone: &TimeZone,
    most: usize,
) -> Vec<Timestamp> {
    // Counted from now each time, so that the 31st stays the 31st where there is one.
    let run = |number: i64| every.times_after(number, now, zone);
    (1..).map_while(run).take_while(|time| *time <= until).take(most).collect()
}

/// Plays the days from `from` on: what exists by then is there at the beginning. `runs` are the
/// planned backups of the future, rising. `options.now` is not used; each day has its own.
#[must_use]
pub fn simulate(
    existing: &[Candidate],
    runs: &[Timestamp],
    from: Timestamp,
    policy: &Policy,
    options: &PlanOptions,
) -> Vec<Day> {
    let mut sorted = existing.to_vec();
    sorted.sort_by_key(|one| (one.store_time, one.sequence, one.session));
    let templates = newest_of_groups(&sorted, options);
    let begin = sorted.partition_point(|one| one.store_time <= from);
    let mut live: Vec<Candidate> = sorted.drain(..begin).collect();
    let mut events: BTreeMap<(i64, i64), Vec<Candidate>> = BTreeMap::new();
    let mut add = |one: Candidate| {
        events.entry(Period::Day.of(one.store_time, &options.zone)).or_default().push(one);
    };
    sorted.into_iter().for_each(&mut add);
    let mut number = 0;
    for run in runs {
        for template in &templates {
            number += 1;
            add(planned(template, *run, number));
        }
    }
    let known: BTreeSet<SessionId> = existing.iter().map(|one| one.session).collect();
    let mut days = Vec::new();
    for made in events.into_values() {
        let Some(time) = made.iter().map(|one| one.store_time).max() else { continue };
        let made_count = made.len();
        live.extend(made);
        let today = PlanOptions { now: time, ..options.clone() };
        let removed: BTreeSet<_> =
            plan(&live, &|_| true, policy, &today).removed().into_iter().collect();
        let (gone, left): (Vec<_>, Vec<_>) =
            live.into_iter().partition(|one| removed.contains(&one.session));
        live = left;
        let forgotten = gone.into_iter().map(|one| Forgotten {
            session: Some(one.session).filter(|session| known.contains(session)),
            host: one.host,
            made: one.store_time,
        });
        let forgotten = forgotten.collect();
        days.push(Day { time, made_count, live_count: live.len(), forgotten });
    }
    days
}

fn newest_of_groups(sorted: &[Candidate], options: &PlanOptions) -> Vec<Candidate> {
    let mut newest: BTreeMap<GroupKey, &Candidate> = BTreeMap::new();
    for one in sorted.iter().filter(|one| one.doubt.is_none()) {
        newest.insert(options.group_by.key(one), one);
    }
    newest.into_values().cloned().collect()
}

/// The snapshot that a source will make at `time`: complete, held by nobody.
fn planned(template: &Candidate, time: Timestamp, number: u64) -> Candidate {
    let sequence = template.sequence.saturating_add(number);
    let random = Nonce8::new(number.to_be_bytes());
    Candidate {
        session: SessionId::from_parts(template.client, sequence, random),
        sequence,
        is_partial: false,
        is_settled: true,
        store_time: time,
        own_time: time,
        holds: Vec::new(),
        ..template.clone()
    }
}
