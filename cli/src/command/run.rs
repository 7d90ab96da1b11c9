//! `run`: what is due, once, or one job by hand.

use agent::config::schedule::JobKind;
use agent::night::{Night, Step};
use agent::outcome::{Outcome, Reason, Verdict};
use agent::state::State;
use engine::index::error::IndexError;
use engine::index::lock::StateLock;

use crate::args::night::RunArgs;
use crate::command::context::Context;
use crate::command::night::{exit, in_words, show, with_offset};
use crate::fault::{ExitCode, Fault};
use crate::night::load::{self, Organisation};
use crate::night::perform::{Errand, perform};
use crate::night::power;
use crate::night::record;

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

/// Whoever has the state is an agent that never ends, or another pass.
fn busy(error: IndexError) -> Fault {
    let is_busy = matches!(error, IndexError::Busy { .. });
    let fault = Fault::from(error);
    match is_busy {
        false => fault,
        true => fault.hint(
            "an agent or another `run` has this client: let it do the job when it is due, or stop it",
        ),
    }
}

/// What failed before and waits for another attempt is not done: a pass that finds nothing else says so.
fn waiting(night: &Night, done: &[JobKind], context: &Context<'_>) -> Result<Vec<Verdict>, Fault> {
    let mut found = Vec::new();
    for (job, verdict, at_s) in night.waiting()? {
        if !done.contains(&job) {
            let (client, at) = (&night.plan().client, with_offset(at_s, &night.plan().zone));
            let how = in_words(verdict.outcome.name(), verdict.reason.map(Reason::name));
            context.ui.note(&format!("{client}: {job} {how}; the next attempt is at {at}"));
            found.push(verdict);
        }
    }
    Ok(found)
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
    let _lock = StateLock::acquire(&organisation.state).map_err(busy)?;
    organisation.put_in_force()?;
    let state = State::open(&organisation.state_file())?;
    let mut night = Night::begin(organisation.plan.clone(), state, now_s())?;
    let errand = Errand {
        organisation,
        around: context.around,
        tell: &|news| show(news, context),
        is_stopped: &|| context.around.cancel.is_set(),
    };
    let verdicts = all(args, &errand, &mut night, context);
    if !context.around.cancel.is_asked() && record::is_due(&errand, night.state())? {
        // Jobs are done whether or not the store is told; what it does not know now it learns later.
        if let Err(fault) = record::record(&errand) {
            context.ui.note(fault.message());
        }
    }
    verdicts
}

fn all(
    args: &RunArgs,
    errand: &Errand<'_>,
    night: &mut Night,
    context: &Context<'_>,
) -> Result<Vec<Verdict>, Fault> {
    let now_s = || context.around.clock.now().seconds;
    let look = |night: &Night| power::look(&night.plan().rules, &context.around.variables);
    let mut verdicts = Vec::new();
    let mut done = Vec::new();
    loop {
        let order = match args.job {
            Some(job) => night.take_by_hand(job, now_s())?,
            None => match night.look(now_s(), look(night))? {
                // Slots of seconds come faster than they are done: each job once.
                Step::Due(candidate) if !done.contains(&candidate.job) => {
                    night.take(&candidate, now_s())?
                }
                Step::Due(_) | Step::Wait(_) => {
                    verdicts.extend(waiting(night, &done, context)?);
                    return Ok(verdicts);
                }
            },
        };
        done.push(order.job);
        match perform(errand, night, &order)? {
            Some(verdict) => verdicts.push(verdict),
            None if context.around.cancel.is_asked() => return Err(Fault::interrupted()),
            // Not everything was done, and nobody goes on with it before the next pass.
            None => verdicts.push(Verdict::new(Outcome::Failed, Reason::Window, "")),
        }
        if args.job.is_some() {
            return Ok(verdicts);
        }
    }
}
