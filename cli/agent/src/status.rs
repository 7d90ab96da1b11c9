//! Where each system stands, from what this machine remembers: no request to any store.

use crate::config::schedule::JobKind;
use crate::config::source::Source;
use crate::outcome::{Reason, Verdict};
use crate::plan::Plan;
use crate::state::{PartRow, Phase, RunRow, State, StateError};

/// Runs by hand within one second have slots of the next ones.
const SOON_S: i64 = 60;

/// One system: a source on this machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SystemStatus {
    /// The organisation.
    pub client: String,
    /// The machine and its source.
    pub system: String,
    /// How its last backup ended, or that there was none where one was due; nothing if none was due yet.
    pub verdict: Option<Verdict>,
    /// Whether it runs just now.
    pub is_running: bool,
    /// When the newest snapshot that there is to restore from began.
    pub last_success_s: Option<i64>,
    /// That snapshot.
    pub snapshot: Option<String>,
    /// What it holds.
    pub bytes: Option<u64>,
    /// Its recovery point objective.
    pub rpo_s: Option<i64>,
    /// What is left of it; negative if it is breached, nothing without a snapshot.
    pub rpo_left_s: Option<i64>,
    /// When the next backup begins.
    pub next_s: Option<i64>,
    /// How long ago it should have begun.
    pub overdue_s: i64,
}

/// One job of an organisation on this machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JobStatus {
    /// Which.
    pub job: JobKind,
    /// Its newest run that is over, or that failed and waits for another attempt.
    pub last: Option<RunRow>,
    /// When it begins next.
    pub next_s: Option<i64>,
}

/// All systems of a plan; `state` is missing if nothing ever ran here.
///
/// # Errors
/// [`StateError`] if the state cannot be read.
pub fn systems(
    plan: &Plan,
    state: Option<&State>,
    now_s: i64,
) -> Result<Vec<SystemStatus>, StateError> {
    plan.sources.iter().map(|source| system(plan, state, source, now_s)).collect()
}

fn system(
    plan: &Plan,
    state: Option<&State>,
    source: &Source,
    now_s: i64,
) -> Result<SystemStatus, StateError> {
    let newest = |parts: Vec<PartRow>| parts.into_iter().next();
    let (mut good, mut verdict, mut open) = (None, None, None);
    if let Some(state) = state {
        good = newest(state.good_parts(&source.name, 1)?);
        open = state.open_run(JobKind::Backup)?;
        verdict = last_verdict(state, &source.name, open.as_ref(), now_s)?;
    }
    let last_success_s = good.as_ref().map(|part| part.began_s.min(now_s));
    let rpo_s = plan.rpo_s(source);
    let due_s = next(plan, state, JobKind::Backup, now_s)?;
    Ok(SystemStatus {
        client: plan.client.clone(),
        system: format!("{}/{}", plan.host, source.name),
        verdict,
        is_running: open.is_some_and(|run| run.phase == Phase::Running),
        last_success_s,
        bytes: good.as_ref().and_then(|part| Some(part.facts?.bytes)),
        snapshot: good.and_then(|part| part.snapshot),
        rpo_s,
        rpo_left_s: rpo_s.zip(last_success_s).map(|(rpo_s, last_s)| rpo_s - (now_s - last_s)),
        next_s: due_s.map(|due_s| due_s.max(now_s)),
        overdue_s: due_s.map_or(0, |due_s| (now_s - due_s).max(0)),
    })
}

/// How a source ended last: by itself, or with the whole run if that did not come to it.
fn last_verdict(
    state: &State,
    source: &str,
    open: Option<&RunRow>,
    now_s: i64,
) -> Result<Option<Verdict>, StateError> {
    let of_source = |run: &RunRow| -> Result<Option<Verdict>, StateError> {
        let part = state.parts(run.number)?.into_iter().find(|part| part.source == source);
        Ok(part.and_then(|part| part.verdict))
    };
    if let Some(run) = open {
        let waits = run.phase == Phase::Waiting;
        let whole = run.verdict.clone().filter(|_| waits);
        if let Some(found) = of_source(run)?.or(whole) {
            return Ok(Some(found));
        }
    }
    let Some(mut run) = state.newest_ended(JobKind::Backup, now_s + SOON_S)? else {
        return Ok(None);
    };
    // That another slot passed meanwhile says nothing of how the one before ended.
    let is_passed = |run: &RunRow| {
        run.verdict.as_ref().is_some_and(|verdict| verdict.reason == Some(Reason::Running))
    };
    if is_passed(&run)
        && let Some(begun) = state.newest_begun(JobKind::Backup, now_s + SOON_S)?
    {
        run = begun;
    }
    Ok(of_source(&run)?.or_else(|| run.verdict.clone()))
}

/// All jobs of a plan.
///
/// # Errors
/// [`StateError`] if the state cannot be read.
pub fn jobs(plan: &Plan, state: Option<&State>, now_s: i64) -> Result<Vec<JobStatus>, StateError> {
    let one = |job: JobKind| {
        Ok(JobStatus {
            job,
            last: match state {
                None => None,
                Some(state) => match state.open_run(job)?.filter(|run| run.verdict.is_some()) {
                    Some(run) => Some(run),
                    None => state.newest_ended(job, now_s + SOON_S)?,
                },
            },
            next_s: next(plan, state, job, now_s)?.map(|due_s| due_s.max(now_s)),
        })
    };
    plan.jobs.iter().map(|job| one(job.kind)).collect()
}

fn next(
    plan: &Plan,
    state: Option<&State>,
    job: JobKind,
    now_s: i64,
) -> Result<Option<i64>, StateError> {
    let found = match state {
        Some(state) => crate::night::next(plan, state, job, now_s)?,
        None => crate::night::next(plan, &State::in_memory()?, job, now_s)?,
    };
    Ok(found.map(|(_, begin_s)| begin_s))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::check::Sections;
    use crate::plan::Machine;

    const DAY_S: i64 = 86_400;

    #[test]
    fn what_a_clock_made_that_ran_ahead_hides_no_breach() {
        let now_s = 1_800_000_000;
        let source = Source { name: "s".into(), paths: vec!["/".into()], ..Source::default() };
        let sections =
            Sections { client: Some("c".into()), sources: vec![source], ..Sections::default() };
        let machine = Machine { host: "h".to_owned(), zone: jiff::tz::TimeZone::UTC };
        let plan = Plan::make(&sections, &machine).expect("it makes sense");
        let mut state = State::in_memory().expect("memory");
        for at_s in [now_s - 3 * DAY_S, now_s + 365 * DAY_S] {
            let run = state.take(JobKind::Backup, at_s, None, at_s).expect("taken");
            state.begin_part(run, "s", at_s).expect("begun");
            state.end_part(run, "s", &Verdict::ok(), None, None, at_s + 60).expect("ended");
            state.end(run, JobKind::Backup, &Verdict::ok(), None, at_s + 60).expect("ended");
        }
        state.give_back(now_s).expect("given back");
        let found = systems(&plan, Some(&state), now_s).expect("read");
        assert_eq!(found[0].last_success_s, Some(now_s - 3 * DAY_S));
    }
}
