//! `run`: what is due, once, or one job by hand.

use agent::config::schedule::JobKind;
use agent::night::{Night, Step};
use agent::outcome::Verdict;
use agent::state::State;
use engine::index::lock::StateLock;

use crate::args::night::RunArgs;
use crate::command::context::Context;
use crate::command::night::{exit, show};
use crate::fault::{ExitCode, Fault};
use crate::night::load::{self, Organisation};
use crate::night::perform::{Errand, perform};
use crate::night::power;

/// Does what is due.
///
/// # Errors
/// The first thing that kept a client from its jobs, when those of all others are done.
pub fn run(args: &RunArgs, context: &Context<'_>) -> Result<ExitCode, Fault> {
    let files = load::files(context.global.config.as_deref(), context.around)?;
    let (organisations, mut faults) = load::all(&files, context.around);
    let observer = context.around.cancel.observe();
    let mut verdicts = Vec::new();
    for organisation in &organisations {
        if context.around.cancel.is_set() {
            return Err(Fault::interrupted());
        }
        match one(args, organisation, context) {
            Ok(found) => verdicts.extend(found),
            Err(fault) => faults.push(fault),
        }
    }
    drop(observer);
    if verdicts.is_empty() && faults.is_empty() && args.due {
        context.ui.detail(0, "nothing is due");
    }
    let Some(last) = faults.pop() else { return Ok(exit(&verdicts)) };
    faults.iter().for_each(|fault| fault.print(context.ui));
    Err(last)
}

fn one(
    args: &RunArgs,
    organisation: &Organisation,
    context: &Context<'_>,
) -> Result<Vec<Verdict>, Fault> {
    let now_s = || context.around.clock.now().seconds;
    if let Some(job) = args.job.filter(|job| organisation.plan.job(*job).is_none())
        && (job != JobKind::Backup || organisation.plan.sources.is_empty())
    {
        let path = organisation.path.display();
        return Err(Fault::usage(format!("{path}: there is no {job} in [schedule]")));
    }
    let _lock = StateLock::acquire(&organisation.state)?;
    organisation.put_in_force()?;
    let state = State::open(&organisation.state_file())?;
    let mut night = Night::begin(organisation.plan.clone(), state, now_s())?;
    let errand = Errand {
        organisation,
        around: context.around,
        tell: &|news| show(news, context),
        is_stopped: &|| context.around.cancel.is_set(),
    };
    let mut verdicts = Vec::new();
    let mut done = Vec::new();
    loop {
        let order = match args.job {
            Some(job) => night.take_by_hand(job, now_s())?,
            None => match night.look(now_s(), power::look())? {
                // Slots of seconds come faster than they are done: each job once.
                Step::Due(candidate) if !done.contains(&candidate.job) => {
                    night.take(&candidate, now_s())?
                }
                Step::Due(_) | Step::Wait(_) => return Ok(verdicts),
            },
        };
        done.push(order.job);
        match perform(&errand, &mut night, &order)? {
            Some(verdict) => verdicts.push(verdict),
            None if context.around.cancel.is_asked() => return Err(Fault::interrupted()),
            None => {}
        }
        if args.job.is_some() {
            return Ok(verdicts);
        }
    }
}
