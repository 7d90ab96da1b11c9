//! `agent`

use std::sync::Mutex;

use crate::args::night::AgentArgs;
use crate::command::context::Context;
use crate::command::night::show;
use crate::fault::{ExitCode, Fault};
use crate::night::load;
use crate::night::perform::News;
use crate::night::service::{Audience, serve};

/// Runs the agent until it is asked to stop.
///
/// # Errors
/// A fault of usage if no configuration makes sense, exit code 11 if another agent is at work.
pub fn run(args: &AgentArgs, context: &Context<'_>) -> Result<ExitCode, Fault> {
    let files = load::files(context.global.config.as_deref(), context.around)?;
    let (organisations, faults) = load::all(&files, context.around);
    let mut faults = faults.into_iter();
    if organisations.is_empty() {
        return Err(faults.next().unwrap_or_else(|| Fault::usage("there is no configuration")));
    }
    // The others have their night all the same.
    faults.for_each(|fault| fault.print(context.ui));
    for organisation in &organisations {
        let plan = &organisation.plan;
        let jobs: Vec<_> = plan.jobs.iter().map(|job| job.kind.name()).collect();
        context.ui.detail(0, &format!("{}: {}", plan.client, jobs.join(", ")));
    }
    let voice = Voice { context: Mutex::new(context) };
    let how = (context.global.config.as_deref(), usize::from(args.concurrent));
    serve(organisations, how, context.around, &voice)
}

struct Voice<'a> {
    /// Lines of several threads come one after the other.
    context: Mutex<&'a Context<'a>>,
}

impl Audience for Voice<'_> {
    fn news(&self, news: &News) {
        if let Ok(context) = self.context.lock() {
            show(news, &context);
            // Whoever reads a log wants to know it now.
            context.ui.stdout().flush();
        }
    }

    fn trouble(&self, fault: &Fault) {
        if let Ok(context) = self.context.lock() {
            fault.print(context.ui);
        }
    }
}
