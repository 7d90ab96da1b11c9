//! What is wrong: facts and promises at a time, turned into conditions.

use std::collections::BTreeMap;

use crate::fleet::condition::{Condition, Kind};
use crate::fleet::facts::{Facts, PointFact, PointState, RunEnd, SystemFacts, SystemName};
use crate::fleet::promise::{Promise, Promises, Watcher};

/// The name that stands for all systems of a store.
pub const WHOLE: &str = "repository";
/// A clock may run ahead by so much.
const AHEAD_MAX_S: i64 = 300;
/// The objective is at risk from its last tenth on where nobody said when backups come.
const RISK_PART: i64 = 10;
/// Ids that a text names.
const NAMED_MAX: usize = 5;

/// What is wrong with a store that could be read.
#[must_use]
pub fn judge(facts: &Facts, promises: &Promises, watcher: Watcher) -> Vec<Condition> {
    let mut found = whole(facts, promises, watcher);
    let promised = promised(facts, promises);
    for promise in promised.values() {
        let nothing = SystemFacts::default();
        let of_system = facts.systems.get(&promise.system).unwrap_or(&nothing);
        found.extend(system(of_system, promise, watcher.now_s));
    }
    // Where nobody named a system and there is none, the promise is to all.
    if promised.is_empty() && facts.systems.is_empty() && promises.rpo_s.is_some() {
        found.push(never(WHOLE, promises.rpo_s, watcher.now_s));
    }
    found.extend(drills(facts, promises, &promised));
    found
}

/// What is wrong with a store that could not be read; `why` is for people, `anchor` what was seen last.
#[must_use]
pub fn unreachable(why: &str, anchor: &str, watcher: Watcher) -> Vec<Condition> {
    let condition = Condition::new(Kind::StoreUnreachable, WHOLE, watcher.now_s, anchor);
    let details = format!(
        "{why}. Nothing is known of its systems until it can be read again; tickets that are open stay \
         open."
    );
    let mut found = vec![condition.saying("The store cannot be read", details)];
    found.extend(stale(watcher));
    found
}

/// Each system with what was promised of it.
fn promised(facts: &Facts, promises: &Promises) -> BTreeMap<SystemName, Promise> {
    let mut all: BTreeMap<SystemName, Promise> = BTreeMap::new();
    let is_known = |host: &str| facts.systems.keys().any(|name| name.host == host);
    for promise in &promises.systems {
        // A machine without a source stands for all of its sources, if it has any.
        if promise.system.source.is_none() && is_known(&promise.system.host) {
            continue;
        }
        all.insert(promise.system.clone(), promise.clone());
    }
    for name in facts.systems.keys() {
        if all.contains_key(name) {
            continue;
        }
        // By hand something is saved now and then beside what sources save.
        let has_sources = name.source.is_none()
            && facts.systems.keys().any(|it| it.host == name.host && it.source.is_some());
        if has_sources {
            continue;
        }
        let of_host = promises
            .systems
            .iter()
            .find(|promise| promise.system.host == name.host && promise.system.source.is_none());
        let promise = of_host.cloned().unwrap_or_else(|| Promise {
            system: name.clone(),
            rpo_s: name
                .source
                .as_ref()
                .and_then(|source| promises.sources.get(source).copied())
                .or(promises.rpo_s),
            is_declared: false,
            due_since_s: promises.due_since_s,
            slots_s: promises.slots_s.clone(),
        });
        all.insert(name.clone(), Promise { system: name.clone(), ..promise });
    }
    all.retain(|name, _| {
        !promises.retired.iter().any(|retired| {
            retired.host == name.host && (retired.source.is_none() || retired.source == name.source)
        })
    });
    all
}

fn whole(facts: &Facts, promises: &Promises, watcher: Watcher) -> Vec<Condition> {
    let mut found = Vec::from_iter(stale(watcher));
    if let Some(first) = facts.gone.first() {
        let text = "Snapshots are gone though nobody forgot them";
        let details = format!(
            "Gone: {}. The store may have been put back to an older state, or somebody with access to \
             it removed them.",
            named(&facts.gone)
        );
        let condition = Condition::new(Kind::Rollback, WHOLE, watcher.now_s, first);
        found.push(condition.saying(text, details));
    }
    let newest = facts.checks.iter().rfind(|check| check.is_complete || check.damaged > 0);
    let unreadable = facts.damaged.first();
    if unreadable.is_some() || newest.is_some_and(|check| check.damaged > 0) {
        let anchor = newest.map(|check| check.record.as_str()).or(unreadable.map(String::as_str));
        let since_s = newest.map_or(watcher.now_s, |check| check.at_s);
        let mut condition =
            Condition::new(Kind::Damage, WHOLE, since_s, anchor.unwrap_or_default());
        condition.evidence = newest.map(|check| check.record.clone());
        let objects = newest.map_or(0, |check| check.damaged);
        let details = format!(
            "The newest check found {objects} damaged or missing objects; snapshots whose record cannot \
             be read: {}.",
            facts.damaged.len()
        );
        found.push(condition.saying("Stored data are damaged", details));
    }
    if let Some(since_s) = promises.check_since_s {
        let last = facts.checks.iter().rfind(|check| check.is_complete);
        let was_there = facts.systems.values().any(|system| was_there(system, since_s));
        if was_there && last.is_none_or(|check| check.at_s < since_s) {
            let anchor = last.map_or("never", |check| check.record.as_str());
            let condition = Condition::new(Kind::VerificationStale, WHOLE, since_s, anchor);
            let details = "A check of stored data was due and left no record.";
            found.push(condition.saying("Stored data were not checked in time", details));
        }
    }
    found
}

fn stale(watcher: Watcher) -> Option<Condition> {
    let (from_s, to_s) = watcher.was_off?;
    let condition = Condition::new(Kind::WatcherStale, WHOLE, from_s, &from_s.to_string());
    let details = format!(
        "It did not look for {}. What was wrong meanwhile and is not any more has no ticket.",
        span(to_s - from_s)
    );
    Some(condition.saying("The watcher was off", details))
}

fn drills(
    facts: &Facts,
    promises: &Promises,
    promised: &BTreeMap<SystemName, Promise>,
) -> Vec<Condition> {
    let mut found = Vec::new();
    let mut hosts: Vec<&str> = promised.keys().map(|name| name.host.as_str()).collect();
    hosts.dedup();
    for host in hosts {
        let drills = facts.drills.get(host).map(Vec::as_slice).unwrap_or_default();
        let newest = drills.iter().rfind(|drill| drill.is_passed || drill.is_failed);
        if let Some(drill) = newest.filter(|drill| drill.is_failed) {
            let mut condition = Condition::new(Kind::DrillFailed, host, drill.at_s, &drill.record);
            condition.evidence = Some(drill.record.clone());
            condition.snapshot = Some(drill.snapshot.clone());
            let details = format!("Record {} says what was found.", drill.record);
            found.push(condition.saying(format!("Restore drill failed: {host}"), details));
        }
        if let Some(since_s) = promises.drill_since_s
            && facts.systems.iter().any(|(name, it)| name.host == host && was_there(it, since_s))
            && newest.is_none_or(|drill| drill.at_s < since_s)
        {
            let anchor = newest.map_or("never", |drill| drill.record.as_str());
            let condition = Condition::new(Kind::DrillOverdue, host, since_s, anchor);
            let details = "A restore drill was due and left no record.";
            found.push(condition.saying(format!("Restore drill overdue: {host}"), details));
        }
    }
    found
}

/// Whether there was something to drill or to check when that was due.
fn was_there(system: &SystemFacts, since_s: i64) -> bool {
    system.points.iter().any(|point| point.started_s < since_s)
}

/// When a snapshot was made, as far as it is believed: never later than the store received it.
fn made_s(point: &PointFact, now_s: i64) -> i64 {
    let known = match point.stored_s {
        0 => point.started_s,
        stored_s => point.started_s.min(stored_s),
    };
    known.min(now_s)
}

fn is_ahead(point: &PointFact, now_s: i64) -> bool {
    let by_store = match point.stored_s {
        0 => now_s,
        stored_s => stored_s,
    };
    point.started_s > by_store.max(0).saturating_add(AHEAD_MAX_S)
}

fn system(facts: &SystemFacts, promise: &Promise, now_s: i64) -> Vec<Condition> {
    let name = promise.system.to_string();
    let mut found = Vec::new();
    let newest = facts.points.iter().max_by_key(|point| made_s(point, now_s));
    let is_good = |point: &&PointFact| point.state == PointState::Whole && !point.is_suspicious;
    let good = facts.points.iter().filter(is_good).max_by_key(|point| made_s(point, now_s));
    let last_good_s = good.map(|point| made_s(point, now_s));
    found.extend(recovery_point(&name, good, promise, now_s));
    if let Some(point) = newest {
        let about = |kind: Kind, since_s: i64| {
            let mut condition = Condition::new(kind, name.as_str(), since_s, &point.snapshot);
            condition.snapshot = Some(point.snapshot.clone());
            condition.last_good_s = last_good_s;
            condition
        };
        if point.state == PointState::Partial {
            let details = format!(
                "{} items could not be read; `mainstay problems {}` names them.",
                point.problems, point.snapshot
            );
            let condition = about(Kind::Partial, made_s(point, now_s));
            found.push(condition.saying(format!("Backup in part: {name}"), details));
        }
        if point.is_suspicious {
            let details = format!(
                "Snapshot {} differs too much from those before it; the last good one is on hold.",
                point.snapshot
            );
            let condition = about(Kind::Suspicious, made_s(point, now_s));
            found.push(condition.saying(format!("Backup looks wrong: {name}"), details));
        }
    }
    found.extend(facts.points.iter().rfind(|point| is_ahead(point, now_s)).map(|point| {
        let condition = Condition::new(Kind::Clock, name.as_str(), now_s, &point.snapshot);
        let by_s = point.started_s - if point.stored_s == 0 { now_s } else { point.stored_s };
        let details = format!(
            "Snapshot {} says that it began {} later than the store received it.",
            point.snapshot,
            span(by_s)
        );
        condition.saying(format!("Clock runs ahead: {name}"), details)
    }));
    let ended = facts.outcomes.iter().max_by_key(|outcome| outcome.at_s);
    if let Some(outcome) = ended.filter(|outcome| {
        outcome.outcome == RunEnd::Failed
            && newest.is_none_or(|it| made_s(it, now_s) <= outcome.at_s)
    }) {
        let mut condition = Condition::new(Kind::Failed, name.as_str(), outcome.at_s, &outcome.id);
        condition.last_good_s = last_good_s;
        found.push(condition.saying(format!("Backup failed: {name}"), outcome.reason.clone()));
    }
    found
}

/// Missed, at risk or breached: the worst of them.
fn recovery_point(
    name: &str,
    good: Option<&PointFact>,
    promise: &Promise,
    now_s: i64,
) -> Option<Condition> {
    let Some(point) = good else {
        let is_late = promise.due_since_s.is_some();
        return (promise.is_declared || promise.rpo_s.is_some() || is_late)
            .then(|| never(name, promise.rpo_s, now_s));
    };
    let made_s = made_s(point, now_s);
    let left_s = promise.rpo_s.map(|rpo_s| made_s.saturating_add(rpo_s).saturating_sub(now_s));
    let missed_s = promise.due_since_s.filter(|since_s| made_s < *since_s);
    let next_s = promise.slots_s.iter().copied().find(|slot_s| *slot_s > made_s);
    let is_last_part =
        |left_s: i64, rpo_s: i64| left_s > 0 && left_s.saturating_mul(RISK_PART) <= rpo_s;
    let kind = match (left_s, promise.rpo_s) {
        (Some(left_s), _) if left_s < 0 => Kind::RpoBreached,
        // It ends before the next one begins.
        (Some(left_s), _) if next_s.is_some_and(|next_s| next_s - now_s > left_s) => {
            Kind::RpoAtRisk
        }
        (Some(left_s), Some(rpo_s))
            if promise.slots_s.is_empty() && is_last_part(left_s, rpo_s) =>
        {
            Kind::RpoAtRisk
        }
        _ => missed_s.map(|_| Kind::Missed)?,
    };
    let since_s = match kind {
        Kind::Missed => missed_s.unwrap_or(now_s),
        _ => made_s.saturating_add(promise.rpo_s.unwrap_or_default()).min(now_s),
    };
    let mut condition = Condition::new(kind, name, since_s, &point.snapshot);
    condition.last_good_s = Some(made_s);
    (condition.rpo_s, condition.rpo_left_s) = (promise.rpo_s, left_s);
    condition.snapshot = Some(point.snapshot.clone());
    let age = span(now_s - made_s);
    let summary = match (kind, left_s) {
        (Kind::RpoBreached, Some(left_s)) => {
            format!("RPO breached by {}: {name}", span(-left_s))
        }
        (Kind::RpoAtRisk, Some(left_s)) => format!("RPO at risk, {} left: {name}", span(left_s)),
        _ => format!("Backup missed: {name}"),
    };
    let details = format!("The newest good snapshot is {}, made {age} ago.", point.snapshot);
    Some(condition.saying(summary, details))
}

/// There never was a snapshot to restore from.
fn never(name: &str, rpo_s: Option<i64>, now_s: i64) -> Condition {
    let mut condition = Condition::new(Kind::RpoBreached, name, now_s, "never");
    condition.rpo_s = rpo_s;
    let details = "The store holds no good snapshot of it.";
    condition.saying(format!("Nothing to restore from: {name}"), details)
}

fn named(ids: &[String]) -> String {
    let shown: Vec<&str> = ids.iter().take(NAMED_MAX).map(String::as_str).collect();
    match ids.len() > NAMED_MAX {
        true => format!("{} and {} more", shown.join(", "), ids.len() - NAMED_MAX),
        false => shown.join(", "),
    }
}

/// A span of time in its two largest units.
fn span(seconds: i64) -> String {
    let seconds = seconds.max(0);
    let units = [(86_400, "d"), (3600, "h"), (60, "min"), (1, "s")];
    let at = units.iter().position(|(unit_s, _)| seconds >= *unit_s).unwrap_or(units.len() - 1);
    let (unit_s, word) = units[at];
    let mut text = format!("{} {word}", seconds / unit_s);
    if let Some((next_s, next)) = units.get(at + 1)
        && (seconds % unit_s) / next_s > 0
    {
        text.push_str(&format!(" {} {next}", (seconds % unit_s) / next_s));
    }
    text
}
