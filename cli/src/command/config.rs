//! `config`: whether configurations make sense, what they ask for, and their schema.

use agent::plan::{Plan, Trigger};

use crate::args::night::{ConfigArgs, ConfigCommand};
use crate::command::context::Context;
use crate::command::import;
use crate::command::night::with_offset;
use crate::command::stored;
use crate::config::file::ConfigFile;
use crate::fault::{ExitCode, Fault};
use crate::night::load::{self, Organisation};
use crate::ui::json::Message;
use crate::ui::night::ConfigRecord;

/// Checks, shows, or prints the schema.
///
/// # Errors
/// A fault of usage for what makes no sense.
pub fn run(args: &ConfigArgs, context: &Context<'_>) -> Result<ExitCode, Fault> {
    match &args.command {
        ConfigCommand::Stored(args) => stored::run(args, context),
        ConfigCommand::Import(args) => import::run(args, context),
        ConfigCommand::Check => check(context),
        ConfigCommand::Show => show(context),
        ConfigCommand::Schema => schema(context),
    }
}

fn check(context: &Context<'_>) -> Result<ExitCode, Fault> {
    let files = load::files(context.global.config.as_deref(), context.around)?;
    let (organisations, mut faults) = load::all(&files, context.around);
    for organisation in &organisations {
        let plan = &organisation.plan;
        let remarks = remarks(organisation, context);
        let sources: Vec<_> = plan.sources.iter().map(|source| source.name.clone()).collect();
        let jobs: Vec<_> = plan.jobs.iter().map(|job| job.kind.name().to_owned()).collect();
        if context.ui.is_json() {
            context.ui.message(&Message::Configuration(ConfigRecord {
                file: organisation.path.display().to_string(),
                valid: true,
                client: Some(plan.client.clone()),
                sources,
                jobs,
                remarks,
            }));
            continue;
        }
        let file = organisation.path.display();
        context.ui.result(&format!(
            "{file}: ok; client {}, sources: {}",
            plan.client,
            if sources.is_empty() { "none".to_owned() } else { sources.join(", ") },
        ));
        next_lines(plan, context).iter().for_each(|line| context.ui.result(line));
        for remark in remarks {
            context.ui.note(&remark);
        }
    }
    let Some(last) = faults.pop() else { return Ok(ExitCode::Ok) };
    faults.iter().for_each(|fault| fault.print(context.ui));
    Err(last)
}

/// Every job with its next slot.
fn next_lines(plan: &Plan, context: &Context<'_>) -> Vec<String> {
    let now_s = context.around.clock.now().seconds;
    let mut lines = Vec::new();
    for job in &plan.jobs {
        let when = match &job.trigger {
            Trigger::After { job, .. } => format!("after {job}"),
            Trigger::Calendar(calendar) => match calendar.next(&plan.zone, now_s) {
                None => "never again".to_owned(),
                Some(slot_s) => {
                    let at_s = agent::night::begin_s(plan, job, calendar, slot_s);
                    format!("next {}", with_offset(at_s, &plan.zone))
                }
            },
        };
        lines.push(format!("  {}: {when}", job.kind));
    }
    lines
}

/// What is no mistake of the file and worth a look.
fn remarks(organisation: &Organisation, context: &Context<'_>) -> Vec<String> {
    let mut found = Vec::new();
    let (file, plan) = (&organisation.file, &organisation.plan);
    let name = organisation.path.display();
    if file.repo.is_none() && context.around.variable("MAINSTAY_REPOSITORY").is_none() {
        found.push(format!("{name}: it names no repo"));
    }
    if file.unconfirmed {
        let words = "hooks and commands stay off until `unconfirmed = true` is taken out";
        found.push(format!("{name}: {words}"));
    }
    let secrets = [("key-file", &file.key_file), ("password-file", &file.password_file)];
    for (option, path) in secrets {
        if let Some(path) = path.as_ref().filter(|path| !path.exists()) {
            found.push(format!("{name}: {option} {} is not there", path.display()));
        }
    }
    for source in &plan.sources {
        for path in source.paths.iter().filter(|path| path.symlink_metadata().is_err()) {
            let (path, name) = (path.display(), &source.name);
            found.push(format!("source {name:?}: {path} is not there"));
        }
    }
    if plan.jobs.is_empty() {
        found.push(format!("{name}: there is no [schedule], so nothing happens by itself"));
    }
    for job in &plan.jobs {
        if let Trigger::Calendar(calendar) = &job.trigger {
            let now_s = context.around.clock.now().seconds;
            if calendar.next(&plan.zone, now_s).is_none() {
                found.push(format!("schedule.{}: its calendar is over", job.kind));
            }
        }
    }
    found
}

fn show(context: &Context<'_>) -> Result<ExitCode, Fault> {
    let files = load::files(context.global.config.as_deref(), context.around)?;
    let (organisations, mut faults) = load::all(&files, context.around);
    for organisation in &organisations {
        let shown = organisation.file.in_force(&organisation.plan);
        match context.ui.is_json() {
            true => context.ui.document(&shown).map_err(|error| {
                Fault::local("the configuration cannot be written as JSON").because(&error)
            })?,
            false => {
                let text = toml::to_string(&shown).map_err(|error| {
                    Fault::local("the configuration cannot be written as TOML").because(&error)
                })?;
                let name = organisation.path.display();
                context.ui.result(&format!("# {name}"));
                text.trim_end().lines().for_each(|line| context.ui.result(line));
            }
        }
    }
    let Some(last) = faults.pop() else { return Ok(ExitCode::Ok) };
    faults.iter().for_each(|fault| fault.print(context.ui));
    Err(last)
}

fn schema(context: &Context<'_>) -> Result<ExitCode, Fault> {
    let schema = schemars::schema_for!(ConfigFile);
    let text = serde_json::to_string_pretty(&schema)
        .map_err(|error| Fault::local("the schema cannot be written").because(&error))?;
    context.ui.stdout().bytes(text.as_bytes());
    context.ui.stdout().bytes(b"\n");
    Ok(ExitCode::Ok)
}
