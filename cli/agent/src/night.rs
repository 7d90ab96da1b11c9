//! Decisions: what is due now, what becomes of what ran, and when to look again.
//!
//! Slots are taken before anything begins and never given back, except those that a clock took which
//! ran ahead by more than a day. At most one run catches up for all slots that passed; the others are
//! written down as missed. Nothing here asks a clock or waits: the same calls serve the agent, a pass of
//! cron, and a year that is played in a minute.

/// Hours in which jobs begin.
mod hours;
/// What is due.
mod due;

use crate::calendar::Calendar;
use crate::config::schedule::{JobKind, OnBattery, WindowEnd};
use crate::outcome::{Outcome, Reason, Verdict};
use crate::plan::{JobPlan, Plan};
use crate::state::{Facts, Phase, RunRow, State, StateError};

pub use crate::night::due::{Candidate, Look};
use crate::night::hours::Hours;

/// A clock that falls back by more gave its slots too early: they are given back.
const CLOCK_BACK_S: i64 = 26 * 3600;
/// A run that ended so often without a word is given up.
const CRASHES_MAX: u32 = 5;
/// No attempt waits longer for the next.
const RETRY_MAX_S: i64 = 4 * 3600;
/// Conditions of the machine are looked at again after so long.
const CONDITIONS_S: i64 = 60;
/// Runs by hand within a second have slots of the next ones, never further ahead than this.
const BY_HAND_S: i64 = 60;
/// So many slots are counted; nobody reads a larger number.
const COUNT_MAX: u64 = 10_000;

/// What the machine runs on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Power {
    /// Whether it runs on battery.
    pub is_battery: bool,
    /// Its charge in percent, if known.
    pub charge: Option<u8>,
    /// Whether its line to the world is paid by the byte.
    pub is_metered: bool,
}

/// A run that has to be carried out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Order {
    /// Its number.
    pub run: i64,
    /// The job.
    pub job: JobKind,
    /// Its slot.
    pub slot_s: i64,
    /// Whether an earlier attempt may have done more than is written down.
    pub is_resumed: bool,
    /// Since when its slot is taken.
    pub taken_s: i64,
    /// Sources that are done already.
    pub done: Vec<String>,
    /// When it has to stop.
    pub until_s: Option<i64>,
}

/// How a run ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum End {
    /// It came to an end.
    Done(Verdict),
    /// It was stopped, because the program stops or its window is over.
    PutOff,
}

/// What there is to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// This is due.
    Due(Candidate),
    /// Nothing before this instant, if ever.
    Wait(Option<i64>),
}

/// One organisation on one machine.
#[derive(Debug)]
pub struct Night {
    plan: Plan,
    state: State,
    /// Since when the machine is awake; `None` where nobody waits for a better moment.
    awake_s: Option<i64>,
    /// The run that is carried out.
    running: Option<i64>,
}

impl Night {
    /// Begins. Whatever is written down as running was killed, for nobody else runs anything here.
    ///
    /// # Errors
    /// [`StateError`] if the state fails, as everywhere here.
    pub fn begin(plan: Plan, mut state: State, now_s: i64) -> Result<Self, StateError> {
        for job in JobKind::ALL {
            let Some(run) = state.open_run(job)?.filter(|run| run.phase == Phase::Running) else {
                continue;
            };
            state.recover(run.number, now_s)?;
            if run.crashes + 1 >= CRASHES_MAX {
                let words = format!("ended {} times without a word", run.crashes + 1);
                let verdict = Verdict::new(Outcome::Failed, Reason::Crashed, words);
                state.end(run.number, job, &verdict, None, now_s)?;
            }
        }
        Ok(Self { plan, state, awake_s: None, running: None })
    }

    /// Says that the machine woke up or the agent began: what is late then waits for its turn among
    /// all machines that woke up with it.
    pub fn wake(&mut self, now_s: i64) {
        self.awake_s = Some(now_s);
    }

    /// What it goes by.
    #[must_use]
    pub fn plan(&self) -> &Plan {
        &self.plan
    }

    /// Goes by another configuration from now on.
    pub fn replan(&mut self, plan: Plan) {
        self.plan = plan;
    }

    /// What it remembers.
    #[must_use]
    pub fn state(&self) -> &State {
        &self.state
    }

    /// Whether something runs.
    #[must_use]
    pub fn is_running(&self) -> bool {
        self.running.is_some()
    }

    /// Looks what is due. While something runs, nothing is.
    pub fn look(&mut self, now_s: i64, power: Power) -> Result<Step, StateError> {
        if self.running.is_some() {
            return Ok(Step::Wait(None));
        }
        let newest = self.state.newest_taken_s()?;
        if newest.is_some_and(|newest_s| newest_s > now_s + CLOCK_BACK_S) {
            self.state.give_back(now_s)?;
        }
        // All of them before anything begins: what follows a job must be known when that ends.
        let jobs = self.plan.jobs.clone();
        for job in &jobs {
            self.state.see(job.kind, now_s)?;
        }
        let mut wake_s: Option<i64> = None;
        for job in jobs {
            match self.look_at(&job, now_s, power)? {
                Look::Due(candidate) => return Ok(Step::Due(candidate)),
                Look::At(at_s) => wake_s = Some(wake_s.map_or(at_s, |wake_s| wake_s.min(at_s))),
                Look::Never => {}
            }
        }
        Ok(Step::Wait(wake_s))
    }

    fn look_at(&mut self, job: &JobPlan, now_s: i64, power: Power) -> Result<Look, StateError> {
        let look = match self.state.open_run(job.kind)? {
            Some(run) => self.look_at_open(job, &run, now_s)?,
            None => due::look(&self.plan, &mut self.state, job, self.awake_s, now_s)?,
        };
        let Look::Due(candidate) = look else { return Ok(look) };
        let hours = Hours::of(&self.plan);
        if let Some(opens_s) = hours.opens_after(now_s) {
            return Ok(Look::At(opens_s));
        }
        self.judge_power(job, candidate, now_s, power)
    }

    /// A run whose slot is taken: it goes on, or is given up because the next slot has come.
    fn look_at_open(
        &mut self,
        job: &JobPlan,
        run: &RunRow,
        now_s: i64,
    ) -> Result<Look, StateError> {
        let newer = due::newer_slot(&self.plan, job, run.slot_s, now_s);
        if newer.is_none() {
            return Ok(match run.not_before_s <= now_s {
                true => Look::Due(Candidate {
                    job: job.kind,
                    slot_s: run.slot_s,
                    run: Some(run.number),
                    gap: None,
                }),
                false => Look::At(run.not_before_s),
            });
        }
        let words = "the next slot has come";
        let verdict = match &run.verdict {
            Some(verdict) => Verdict { outcome: Outcome::Failed, ..verdict.clone() },
            None => Verdict::new(Outcome::Failed, Reason::Interrupted, words),
        };
        self.state.end(run.number, job.kind, &verdict, None, now_s)?;
        due::look(&self.plan, &mut self.state, job, self.awake_s, now_s)
    }

    fn judge_power(
        &mut self,
        job: &JobPlan,
        candidate: Candidate,
        now_s: i64,
        power: Power,
    ) -> Result<Look, StateError> {
        let rules = self.plan.rules;
        let is_charged = match (rules.min_charge, power.charge) {
            (Some(least), Some(charge)) => charge >= least,
            _ => false,
        };
        let on_battery = power.is_battery && !is_charged;
        let conditions = [
            (on_battery, rules.on_battery, Reason::Battery),
            (power.is_metered, rules.on_metered, Reason::Metered),
        ];
        let in_the_way = |wanted: OnBattery| {
            conditions.iter().find(|(holds, what, _)| *holds && *what == wanted)
        };
        // What leaves it out comes first: nobody waits for what will not begin.
        let Some((_, _, reason)) = in_the_way(OnBattery::Skip) else {
            return Ok(match in_the_way(OnBattery::Defer) {
                Some(_) => Look::At(now_s + CONDITIONS_S),
                None => Look::Due(candidate),
            });
        };
        let gap = candidate.skipped(*reason);
        match candidate.run {
            None => self.state.miss(job.kind, gap, Outcome::Skipped, now_s)?,
            Some(run) => {
                let verdict = Verdict::new(Outcome::Skipped, *reason, "");
                self.state.end(run, job.kind, &verdict, None, now_s)?;
            }
        }
        due::look(&self.plan, &mut self.state, job, self.awake_s, now_s)
    }

    /// Takes what is due: from now on it runs.
    pub fn take(&mut self, candidate: &Candidate, now_s: i64) -> Result<Order, StateError> {
        let job = candidate.job;
        let run = match candidate.run {
            None => self.state.take(job, candidate.slot_s, candidate.gap, now_s)?,
            Some(run) => {
                self.state.begin_again(run, now_s)?;
                run
            }
        };
        self.running = Some(run);
        let parts = self.state.parts(run)?;
        let has_snapshot =
            |verdict: &Verdict| verdict.outcome.has_snapshot() || verdict.outcome.is_good();
        let done = parts.iter().filter(|part| part.verdict.as_ref().is_some_and(has_snapshot));
        let taken_s = self.state.run(run)?.map_or(now_s, |row| row.taken_s);
        let until_s = match self.plan.rules.window_end {
            WindowEnd::Finish => None,
            WindowEnd::Pause | WindowEnd::Stop => Hours::of(&self.plan).closes_after(now_s),
        };
        Ok(Order {
            run,
            job,
            slot_s: candidate.slot_s,
            is_resumed: candidate.run.is_some(),
            taken_s,
            done: done.map(|part| part.source.clone()).collect(),
            until_s,
        })
    }

    /// Takes a job that somebody asks for by hand: its slot is now. One that waits for another attempt is
    /// over: what is made now counts.
    pub fn take_by_hand(&mut self, job: JobKind, now_s: i64) -> Result<Order, StateError> {
        if let Some(run) = self.state.open_run(job)? {
            let words = "somebody began another by hand";
            let verdict = match &run.verdict {
                Some(verdict) => Verdict { outcome: Outcome::Failed, ..verdict.clone() },
                None => Verdict::new(Outcome::Failed, Reason::Interrupted, words),
            };
            self.state.end(run.number, job, &verdict, None, now_s)?;
        }
        // Two within a second are two.
        let taken = self.state.newest_slot(job, now_s + BY_HAND_S)?;
        let slot_s = taken.map_or(now_s, |taken_s| now_s.max(taken_s + 1));
        let candidate = Candidate { job, slot_s, run: None, gap: None };
        self.take(&candidate, now_s)
    }

    /// Notes that a part of a run begins.
    pub fn begin_part(&mut self, order: &Order, part: &str, now_s: i64) -> Result<(), StateError> {
        self.state.begin_part(order.run, part, now_s)
    }

    /// Notes how a part of a run ended.
    pub fn end_part(
        &mut self,
        order: &Order,
        part: &str,
        verdict: &Verdict,
        made: (Option<&str>, Option<Facts>),
        now_s: i64,
    ) -> Result<(), StateError> {
        self.state.end_part(order.run, part, verdict, made.0, made.1, now_s)
    }

    /// Notes how a run ended: it is over, or waits for another attempt. Answers what it came to; nothing if
    /// it goes on later.
    pub fn end(
        &mut self,
        order: &Order,
        end: &End,
        now_s: i64,
    ) -> Result<Option<Verdict>, StateError> {
        self.running = None;
        let Some(row) = self.state.run(order.run)? else { return Ok(None) };
        let verdict = match end {
            End::PutOff => {
                let is_window_over = order.until_s.is_some_and(|until_s| now_s >= until_s);
                if !(is_window_over && self.plan.rules.window_end == WindowEnd::Stop) {
                    self.state.wait(order.run, now_s, None)?;
                    return Ok(None);
                }
                Verdict::new(Outcome::Failed, Reason::Window, "stopped at the end of its window")
            }
            End::Done(verdict) => verdict.clone(),
        };
        if verdict.is_worth_a_retry() && row.attempts < self.plan.rules.attempts {
            let doublings = row.attempts.saturating_sub(1).min(10);
            let wait_s = (self.plan.rules.retry_after_s << doublings).min(RETRY_MAX_S);
            self.state.wait(order.run, now_s + wait_s, Some(&verdict))?;
            return Ok(Some(verdict));
        }
        let passed = self
            .plan
            .job(order.job)
            .and_then(|job| due::passed(&self.plan, job, order.slot_s, now_s, Reason::Running));
        self.state.end(order.run, order.job, &verdict, passed, now_s)?;
        Ok(Some(verdict))
    }

    /// Jobs that failed and wait for another attempt: how, and when that begins.
    pub fn waiting(&self) -> Result<Vec<(JobKind, Verdict, i64)>, StateError> {
        let mut found = Vec::new();
        for job in &self.plan.jobs {
            let open = self.state.open_run(job.kind)?;
            found.extend(open.and_then(|run| Some((job.kind, run.verdict?, run.not_before_s))));
        }
        Ok(found)
    }
}

/// When a slot of a job with a calendar begins: with its share of the spread, in its window.
#[must_use]
pub fn begin_s(plan: &Plan, job: &JobPlan, calendar: &Calendar, slot_s: i64) -> i64 {
    Hours::of(plan).first_open(job.begin_s(calendar, &plan.zone, slot_s))
}

/// When a job begins next, by all that is known now: its slot, and the instant, which is over if nothing began
/// it so far.
///
/// # Errors
/// [`StateError`] if the state cannot be read.
pub fn next(
    plan: &Plan,
    state: &State,
    job: JobKind,
    now_s: i64,
) -> Result<Option<(i64, i64)>, StateError> {
    due::next(plan, state, job, now_s)
}
