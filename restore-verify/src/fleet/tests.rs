//! Properties of conditions, over facts that are drawn.

use std::collections::BTreeSet;

use proptest::prelude::*;

use crate::fleet::condition::{Condition, Kind};
use crate::fleet::facts::{
    DrillFact, Facts, OutcomeFact, PointFact, PointState, RunEnd, SystemName,
};
use crate::fleet::judge::{judge, unreachable};
use crate::fleet::promise::{Promise, Promises, Watcher};

const NOW_S: i64 = 1_800_000_000;
const RPO_S: i64 = 26 * 3600;

fn name(host: &str, source: Option<&str>) -> SystemName {
    SystemName { host: host.to_owned(), source: source.map(str::to_owned) }
}

fn point(age_s: i64) -> PointFact {
    PointFact {
        snapshot: format!("s{age_s}"),
        started_s: NOW_S - age_s,
        stored_s: NOW_S - age_s,
        state: PointState::Whole,
        problems: 0,
        is_suspicious: false,
    }
}

fn facts(points: Vec<PointFact>) -> Facts {
    let mut facts = Facts::default();
    facts.systems.entry(name("h", Some("s"))).or_default().points = points;
    facts
}

fn found(facts: &Facts, promises: &Promises) -> Vec<Condition> {
    judge(facts, promises, Watcher { now_s: NOW_S, was_off: None })
}

fn kinds(facts: &Facts, promises: &Promises) -> Vec<Kind> {
    found(facts, promises).iter().map(|one| one.kind).collect()
}

fn rpo() -> Promises {
    Promises { rpo_s: Some(RPO_S), ..Promises::default() }
}

#[test]
fn an_objective_is_kept_at_risk_and_breached_in_one_ticket() {
    assert_eq!(kinds(&facts(vec![point(3600)]), &rpo()), []);
    assert_eq!(kinds(&facts(vec![point(RPO_S - 60)]), &rpo()), [Kind::RpoAtRisk]);
    assert_eq!(kinds(&facts(vec![point(RPO_S + 1)]), &rpo()), [Kind::RpoBreached]);
    // With a calendar it is at risk as soon as the next one comes too late, and not before.
    let next = |in_s| Promises { slots_s: vec![NOW_S + in_s], ..rpo() };
    assert_eq!(kinds(&facts(vec![point(20 * 3600)]), &next(7 * 3600)), [Kind::RpoAtRisk]);
    assert_eq!(kinds(&facts(vec![point(RPO_S - 60)]), &next(30)), []);
    let families: BTreeSet<_> =
        [Kind::Missed, Kind::RpoAtRisk, Kind::RpoBreached].map(Kind::family).into_iter().collect();
    assert_eq!(families.len(), 1);
}

#[test]
fn what_was_due_and_did_not_come_is_missed() {
    let due = |ago_s| Promises { due_since_s: Some(NOW_S - ago_s), ..Promises::default() };
    assert_eq!(kinds(&facts(vec![point(7200)]), &due(3600)), [Kind::Missed]);
    assert_eq!(kinds(&facts(vec![point(1800)]), &due(3600)), []);
}

#[test]
fn a_system_that_was_never_seen_is_told_if_somebody_named_it() {
    let promise = Promise {
        system: name("lost", None),
        rpo_s: None,
        is_declared: true,
        due_since_s: None,
        slots_s: Vec::new(),
    };
    let promises = Promises { systems: vec![promise], ..Promises::default() };
    assert_eq!(kinds(&Facts::default(), &promises), [Kind::RpoBreached]);
    assert_eq!(kinds(&Facts::default(), &Promises::default()), []);
    // An objective without any snapshot is none that is kept.
    assert_eq!(found(&Facts::default(), &rpo())[0].system, "repository");
}

#[test]
fn a_declared_machine_stands_for_its_sources() {
    let promise = Promise {
        system: name("h", None),
        rpo_s: Some(60),
        is_declared: true,
        due_since_s: None,
        slots_s: Vec::new(),
    };
    let promises = Promises { systems: vec![promise], ..rpo() };
    let told = found(&facts(vec![point(3600)]), &promises);
    assert_eq!(told.len(), 1);
    assert_eq!((told[0].system.as_str(), told[0].rpo_s), ("h/s", Some(60)));
    let retired = Promises { retired: vec![name("h", None)], ..promises };
    assert_eq!(kinds(&facts(vec![point(3600)]), &retired), []);
}

#[test]
fn what_is_partial_or_suspicious_does_not_renew_the_objective() {
    let partial = PointFact { state: PointState::Partial, problems: 3, ..point(10) };
    let told = kinds(&facts(vec![point(RPO_S + 5), partial]), &rpo());
    assert_eq!(told, [Kind::RpoBreached, Kind::Partial]);
    let odd = PointFact { is_suspicious: true, ..point(10) };
    let told = kinds(&facts(vec![point(3600), odd.clone()]), &rpo());
    assert_eq!(told, [Kind::Suspicious]);
    // The next good one ends both.
    assert_eq!(kinds(&facts(vec![odd, point(5)]), &rpo()), []);
}

#[test]
fn a_clock_that_runs_ahead_hides_no_breach() {
    let ahead = PointFact { started_s: NOW_S + 10 * RPO_S, ..point(RPO_S + 100) };
    assert_eq!(kinds(&facts(vec![ahead]), &rpo()), [Kind::RpoBreached, Kind::Clock]);
}

#[test]
fn a_failed_drill_is_told_until_one_passes() {
    let drill = |age_s: i64, is_passed: bool| DrillFact {
        at_s: NOW_S - age_s,
        is_passed,
        is_failed: !is_passed,
        record: format!("r{age_s}"),
        snapshot: "s".to_owned(),
    };
    let mut facts = facts(vec![point(900), point(60)]);
    facts.drills.insert("h".to_owned(), vec![drill(500, true), drill(400, false)]);
    assert_eq!(kinds(&facts, &rpo()), [Kind::DrillFailed]);
    facts.drills.insert("h".to_owned(), vec![drill(400, false), drill(300, true)]);
    assert_eq!(kinds(&facts, &rpo()), []);
    let due = Promises { drill_since_s: Some(NOW_S - 100), ..rpo() };
    assert_eq!(kinds(&facts, &due), [Kind::DrillOverdue]);
}

#[test]
fn a_store_that_is_gone_is_a_condition_and_so_is_a_watcher_that_was_off() {
    let watcher = Watcher { now_s: NOW_S, was_off: Some((NOW_S - 9000, NOW_S)) };
    let told: Vec<_> = unreachable("why", "a", watcher).iter().map(|one| one.kind).collect();
    assert_eq!(told, [Kind::StoreUnreachable, Kind::WatcherStale]);
    let gone = Facts { gone: vec!["x".to_owned()], ..Facts::default() };
    assert_eq!(kinds(&gone, &Promises::default()), [Kind::Rollback]);
}

fn points() -> impl Strategy<Value = Vec<PointFact>> {
    let one = (0..400_000_i64, -1000..1_000_000_i64, any::<bool>(), any::<bool>()).prop_map(
        |(age_s, skew_s, is_partial, is_suspicious)| PointFact {
            started_s: NOW_S - age_s + skew_s,
            state: if is_partial { PointState::Partial } else { PointState::Whole },
            is_suspicious,
            ..point(age_s)
        },
    );
    proptest::collection::vec(one, 0..6)
}

proptest! {
    /// A good snapshot of just now leaves nothing to say of the objective or of how backups end.
    #[test]
    fn recovery_ends_everything(before in points(), failed in any::<bool>()) {
        let mut all = before;
        all.retain(|point| point.started_s <= point.stored_s);
        all.push(point(0));
        let mut facts = facts(all);
        if failed {
            let system = facts.systems.values_mut().next().expect("one");
            system.outcomes.push(OutcomeFact {
                at_s: NOW_S - 60,
                outcome: RunEnd::Failed,
                reason: String::new(),
                id: "o".to_owned(),
            });
        }
        let due = Promises { due_since_s: Some(NOW_S - 3600), ..rpo() };
        prop_assert_eq!(kinds(&facts, &due), []);
    }

    /// As time goes by without a backup it only becomes worse, and never quiet.
    #[test]
    fn what_nobody_does_becomes_worse(all in points(), later_s in 0..1_000_000_i64) {
        let facts = facts(all);
        let at = |now_s| {
            let told = judge(&facts, &rpo(), Watcher { now_s, was_off: None });
            told.into_iter().find(|one| one.kind.family() == "rpo").map(|one| one.kind)
        };
        let rank = |kind: Option<Kind>| match kind {
            None => 0,
            Some(Kind::RpoBreached) => 2,
            Some(_) => 1,
        };
        // Snapshots of what is to come were drawn, too.
        let begin_s = NOW_S + 1_100_000;
        prop_assert!(rank(at(begin_s + later_s)) >= rank(at(begin_s)));
    }

    /// No two conditions of one system have one ticket, and two looks name the same anchors.
    #[test]
    fn tickets_are_told_apart(all in points()) {
        let facts = facts(all);
        let told = found(&facts, &rpo());
        let keys: BTreeSet<_> =
            told.iter().map(|one| (one.system.clone(), one.kind.family())).collect();
        prop_assert_eq!(keys.len(), told.len());
        let anchors = |told: &[Condition]| -> Vec<String> {
            told.iter().map(|one| one.anchor.clone()).collect()
        };
        prop_assert_eq!(anchors(&told), anchors(&found(&facts, &rpo())));
        for one in told {
            prop_assert!(!one.anchor.is_empty() && !one.summary.is_empty());
        }
    }
}
