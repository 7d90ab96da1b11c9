//! From a configuration to what was promised of systems.

use agent::config::schedule::JobKind;
use agent::plan::{Plan, Trigger};
use agent::span::Span;
use restore_verify::fleet::facts::SystemName;
use restore_verify::fleet::promise::{Promise, Promises};

const DAY_S: i64 = 86_400;
/// What was due so long ago and is not there is missed, if the configuration does not say.
const GRACE_S: i64 = 3600;
/// Drills and checks may take so long.
const PROOF_GRACE_S: i64 = DAY_S;
/// How far back a slot is looked for.
const BACK_S: i64 = 400 * DAY_S;
/// Slots ahead that are named.
const AHEAD: usize = 3;

/// What a configuration promises at a time; `spread` is by how much jobs of machines lie apart, and
/// `names_host` whether the file itself says which machine its sources are on.
#[must_use]
pub(crate) fn promises(
    plan: &Plan,
    spread: Option<Span>,
    names_host: bool,
    now_s: i64,
) -> Promises {
    let spread_s = spread.unwrap_or_default().seconds_i64();
    let grace_s = plan.watch.grace.map(Span::seconds_i64);
    let backup_grace = |period_s: i64| grace_s.unwrap_or(GRACE_S.min(period_s / 2)) + spread_s;
    let proof_grace =
        |period_s: i64| grace_s.unwrap_or_default().max(PROOF_GRACE_S.min(period_s / 2)) + spread_s;
    let due_since_s = due_since(plan, JobKind::Backup, now_s, &backup_grace);
    let slots_s = slots(plan, now_s, &backup_grace);
    let rpo_s = plan.objectives.rpo.map(Span::seconds_i64);
    let promise = |system: SystemName, own: Option<Span>, is_declared| Promise {
        system,
        rpo_s: own.map(Span::seconds_i64).or(rpo_s),
        is_declared,
        due_since_s,
        slots_s: slots_s.clone(),
    };
    let name = |host: &str, source: Option<&String>| SystemName {
        host: host.to_owned(),
        source: source.cloned(),
    };
    let watched = plan.systems.iter().filter(|system| !system.retired);
    let mut systems: Vec<Promise> =
        watched.map(|it| promise(name(&it.host, it.source.as_ref()), it.rpo, true)).collect();
    for source in plan.sources.iter().filter(|_| names_host) {
        let system = name(&plan.host, Some(&source.name));
        if !systems.iter().any(|known| known.system == system) {
            systems.push(promise(system, source.rpo, true));
        }
    }
    let retired = plan.systems.iter().filter(|system| system.retired);
    Promises {
        systems,
        rpo_s,
        due_since_s,
        slots_s: slots_s.clone(),
        sources: plan
            .sources
            .iter()
            .filter_map(|it| Some((it.name.clone(), it.rpo?.seconds_i64())))
            .collect(),
        retired: retired.map(|it| name(&it.host, it.source.as_ref())).collect(),
        drill_since_s: due_since(plan, JobKind::Drill, now_s, &proof_grace),
        check_since_s: due_since(plan, JobKind::Check, now_s, &proof_grace),
    }
}

/// The newest slot whose grace is over, as the time since which the job must have run.
fn due_since(plan: &Plan, job: JobKind, now_s: i64, grace: &dyn Fn(i64) -> i64) -> Option<i64> {
    let every_s = match &plan.job(job)?.trigger {
        Trigger::Calendar(_) => 0,
        Trigger::After { every_s, .. } => *every_s,
    };
    let (calendar, _) = plan.calendar(job)?;
    let newest = calendar.latest(&plan.zone, now_s - BACK_S, now_s)?;
    let next_s = calendar.next(&plan.zone, newest).unwrap_or(newest + DAY_S);
    let grace_s = grace((next_s - newest).max(every_s));
    let slot_s = calendar.latest(&plan.zone, now_s - BACK_S, now_s - grace_s)?;
    Some(slot_s - every_s)
}

/// When backups begin next, from those on that may still run.
fn slots(plan: &Plan, now_s: i64, grace: &dyn Fn(i64) -> i64) -> Vec<i64> {
    let Some((calendar, _)) = plan.calendar(JobKind::Backup) else { return Vec::new() };
    let next = |after_s: i64| calendar.next(&plan.zone, after_s);
    let Some(first) = next(now_s) else { return Vec::new() };
    let period_s = next(first).map_or(DAY_S, |second| second - first);
    let mut at_s = now_s - grace(period_s);
    let mut found = Vec::new();
    while found.len() < AHEAD || found.last().is_some_and(|last| *last <= now_s) {
        let Some(slot_s) = next(at_s) else { break };
        found.push(slot_s);
        at_s = slot_s;
    }
    found
}
