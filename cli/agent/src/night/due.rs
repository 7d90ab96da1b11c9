//! What is due: the newest slot that nobody took, and why those before it are not.

use crate::calendar::Calendar;
use crate::config::schedule::{JobKind, On};
use crate::night::COUNT_MAX;
use crate::night::hours::Hours;
use crate::outcome::{Outcome, Reason};
use crate::plan::{JobPlan, Plan, Trigger};
use crate::state::{Gap, State, StateError};

/// What begins so much after its time is late: it catches up.
const LATE_S: i64 = 120;
/// What is late waits at most so long for its turn.
const LATE_SPREAD_S: i64 = 300;
/// A first backup is due for the newest slot of so many seconds.
const FIRST_BACK_S: i64 = 400 * 86_400;

/// A slot that can be taken now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Candidate {
    /// Of which job.
    pub job: JobKind,
    /// The slot.
    pub slot_s: i64,
    /// The run that has it already, and waits.
    pub run: Option<i64>,
    /// Slots before it that nothing ran in.
    pub gap: Option<Gap>,
}

impl Candidate {
    /// The slot itself, and those before it, as slots that nothing runs in.
    pub(super) fn skipped(&self, reason: Reason) -> Gap {
        let before = self.gap.map_or(0, |gap| gap.slots);
        let first_s = self.gap.map_or(self.slot_s, |gap| gap.first_s);
        Gap { first_s, last_s: self.slot_s, slots: before + 1, reason }
    }
}

/// What a look at one job says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Look {
    /// It is due.
    Due(Candidate),
    /// Not before this instant.
    At(i64),
    /// Not until something else has happened.
    Never,
}

pub(super) fn look(
    plan: &Plan,
    state: &mut State,
    job: &JobPlan,
    awake_s: Option<i64>,
    now_s: i64,
) -> Result<Look, StateError> {
    let seen_s = state.see(job.kind, now_s)?;
    match &job.trigger {
        Trigger::Calendar(calendar) => {
            by_calendar(plan, state, job, calendar, (seen_s, awake_s), now_s)
        }
        Trigger::After { job: before, on, every_s } => {
            after(state, job, *before, *on, (*every_s, seen_s), now_s)
        }
    }
}

fn by_calendar(
    plan: &Plan,
    state: &mut State,
    job: &JobPlan,
    calendar: &Calendar,
    (seen_s, awake_s): (i64, Option<i64>),
    now_s: i64,
) -> Result<Look, StateError> {
    let begin = |slot_s: i64| job.begin_s(calendar, &plan.zone, slot_s);
    let upcoming = || match calendar.next(&plan.zone, now_s) {
        Some(slot_s) => Look::At(Hours::of(plan).first_open(begin(slot_s))),
        None => Look::Never,
    };
    let newest = state.newest_slot(job.kind, now_s)?;
    // What was never saved is due at once; nothing else is made up for that was before this began.
    let is_first = newest.is_none() && job.kind == JobKind::Backup;
    let since_s = match newest {
        Some(newest_s) => newest_s,
        None if is_first => now_s.saturating_sub(FIRST_BACK_S),
        None => seen_s,
    };
    let Some(slot_s) = calendar.latest(&plan.zone, since_s, now_s) else { return Ok(upcoming()) };
    let begin_s = begin(slot_s);
    if !is_first && now_s < begin_s {
        return Ok(Look::At(Hours::of(plan).first_open(begin_s)));
    }
    let gap = match is_first {
        true => None,
        false => gap(plan, calendar, since_s, slot_s - 1, Reason::Off),
    };
    let candidate = Candidate { job: job.kind, slot_s, run: None, gap };
    let max_late_s = plan.rules.max_late_s.filter(|_| !is_first);
    if max_late_s.is_some_and(|max_s| now_s - slot_s > max_s) {
        state.miss(job.kind, candidate.skipped(Reason::Late), Outcome::Missed, now_s)?;
        return Ok(upcoming());
    }
    let is_late = now_s - begin_s > LATE_S;
    let ready_s = awake_s.filter(|_| is_late).map(|awake_s| {
        let turn_s = if job.offset_s == 0 { 0 } else { job.offset_s % LATE_SPREAD_S };
        awake_s.saturating_add(turn_s)
    });
    Ok(match ready_s.filter(|ready_s| *ready_s > now_s) {
        Some(ready_s) => Look::At(ready_s),
        None => Look::Due(candidate),
    })
}

/// What comes after another job is due once for each slot of that one; where that did not end well, it is
/// written down as left out, so that a job that never runs is seen.
fn after(
    state: &mut State,
    job: &JobPlan,
    before: JobKind,
    on: On,
    (every_s, seen_s): (i64, i64),
    now_s: i64,
) -> Result<Look, StateError> {
    let Some(parent) = state.newest_begun(before, now_s)? else { return Ok(Look::Never) };
    let is_new = parent.ended_s.is_some_and(|ended_s| ended_s >= seen_s);
    let is_taken =
        state.newest_slot(job.kind, i64::MAX)?.is_some_and(|own_s| own_s >= parent.slot_s);
    // Nights are not of equal length.
    let slack_s = (every_s / 20).min(3600);
    let last = state.newest_begun(job.kind, i64::MAX)?;
    let is_early = last.is_some_and(|run| parent.slot_s - run.slot_s < every_s - slack_s);
    if !is_new || is_taken || is_early {
        return Ok(Look::Never);
    }
    let candidate = Candidate { job: job.kind, slot_s: parent.slot_s, run: None, gap: None };
    let is_good = parent.verdict.as_ref().is_some_and(|verdict| verdict.outcome.is_good());
    if on == On::Ok && !is_good {
        let gap = candidate.skipped(Reason::Before);
        state.miss(job.kind, gap, Outcome::Skipped, now_s)?;
        return Ok(Look::Never);
    }
    Ok(Look::Due(candidate))
}

/// Slots in (`since_s`, `until_s`].
fn gap(
    plan: &Plan,
    calendar: &Calendar,
    since_s: i64,
    until_s: i64,
    reason: Reason,
) -> Option<Gap> {
    let (first_s, slots) = calendar.count(&plan.zone, since_s, until_s, COUNT_MAX)?;
    let last_s = calendar.latest(&plan.zone, since_s, until_s)?;
    Some(Gap { first_s, last_s, slots, reason })
}

/// The newest slot after one that was taken whose time has come.
pub(super) fn newer_slot(plan: &Plan, job: &JobPlan, taken_s: i64, now_s: i64) -> Option<i64> {
    let Trigger::Calendar(calendar) = &job.trigger else { return None };
    let slot_s = calendar.latest(&plan.zone, taken_s, now_s)?;
    (job.begin_s(calendar, &plan.zone, slot_s) <= now_s).then_some(slot_s)
}

/// Slots whose time came while a run went on, but for the newest, which is still due.
pub(super) fn passed(
    plan: &Plan,
    job: &JobPlan,
    taken_s: i64,
    now_s: i64,
    reason: Reason,
) -> Option<Gap> {
    let Trigger::Calendar(calendar) = &job.trigger else { return None };
    let newest_s = newer_slot(plan, job, taken_s, now_s)?;
    gap(plan, calendar, taken_s, newest_s - 1, reason)
}

pub(super) fn next(
    plan: &Plan,
    state: &State,
    job: JobKind,
    now_s: i64,
) -> Result<Option<(i64, i64)>, StateError> {
    if let Some(run) = state.open_run(job)? {
        return Ok(Some((run.slot_s, run.not_before_s)));
    }
    let Some((calendar, own)) = plan.calendar(job) else { return Ok(None) };
    let begin = |slot_s: i64| {
        let begin_s = own.begin_s(calendar, &plan.zone, slot_s);
        Hours::of(plan).first_open(begin_s)
    };
    let newest = state.newest_slot(own.kind, now_s)?;
    // A slot that is over and was not taken is due now, or when its offset is over.
    let since_s = match (newest, state.seen_s(own.kind)?) {
        (Some(newest_s), _) => newest_s,
        (None, Some(_)) | (None, None) if own.kind == JobKind::Backup => {
            now_s.saturating_sub(FIRST_BACK_S)
        }
        (None, seen_s) => seen_s.unwrap_or(now_s),
    };
    let slot_s = match calendar.latest(&plan.zone, since_s, now_s) {
        Some(slot_s) => slot_s,
        None => match calendar.next(&plan.zone, now_s) {
            Some(slot_s) => slot_s,
            None => return Ok(None),
        },
    };
    Ok(Some((slot_s, begin(slot_s))))
}
