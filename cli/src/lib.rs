//! The command line of Mainstay: arguments and surroundings in, text and an exit code out.
//!
//! The order of the modules is the order of the floors, as in the engine. The engine prints
//! nothing and knows no terminal, no environment and no exit code; this crate is where they are.

/// Floor 1: sizes, durations, times: written and read.
pub mod units;

/// Floor 2: what the user sees: text, JSON, progress.
pub mod ui;

/// Floor 3: errors become words, hints and exit codes.
pub mod fault;

/// Floor 4: environment, secrets, where the repository is.
pub mod config;

/// Floor 5: databases: dumps, restores, private servers.
pub mod database;

/// Floor 6: what happens by itself.
pub mod night;

/// Floor 7: the command line as types.
pub mod args;

/// Floor 8: the commands.
pub mod command;

use std::ffi::OsString;
use std::io::Write;
use std::panic::{AssertUnwindSafe, PanicHookInfo, catch_unwind};
use std::process::ExitCode as ExitStatus;

use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{ArgMatches, Command, CommandFactory, FromArgMatches};
use engine::base::path::escape;
use rustix::process::{
    DumpableBehavior, Resource, Rlimit, getrlimit, nice, set_dumpable_behavior, setrlimit,
};

use crate::args::{empty, habits, overview};
use crate::command::Cli;
use crate::command::context::Context;
use crate::config::file::ConfigFile;
use crate::config::surroundings::Surroundings;
use crate::fault::{ExitCode, Fault};
use crate::ui::output::{in_one_line, printable, shortened};
use crate::ui::{Settings, Ui};

/// Steps from the best niceness to the worst; the kernel stops at the end of its scale.
const NICE_SPAN: i32 = 39;

/// Runs the program: `arguments` begin with the program's name; answers the exit code.
///
/// A panic inside becomes exit code 1 and a request to report it.
pub fn run(arguments: &[OsString], surroundings: &Surroundings) -> u8 {
    let settings = Settings {
        json: wants_json(arguments),
        color: !surroundings.refuses_color(),
        ..Settings::default()
    };
    let ui = Ui::new(settings, surroundings.stdout.clone(), surroundings.stderr.clone());
    let outcome = catch_unwind(AssertUnwindSafe(|| start(arguments, surroundings, &ui)));
    let outcome = outcome.unwrap_or_else(|_| {
        Err(Fault::new(ExitCode::Failed, "E_BUG", "mainstay made a mistake and stopped")
            .hint("report this with the command and the lines above; it should not happen"))
    });
    let exit = match outcome {
        Ok(exit) => exit,
        Err(fault) => {
            // Whatever broke off because somebody wanted to stop.
            let is_effect = matches!(fault.exit_code(), ExitCode::Failed | ExitCode::Key);
            let is_stopped = surroundings.cancel.is_asked() && is_effect;
            let fault = if is_stopped { fault.exit(ExitCode::Interrupted) } else { fault };
            fault.print(&ui);
            fault.exit_code()
        }
    };
    let Err(error) = ui.finish() else { return exit.code() };
    let fault = Fault::local("cannot write the result to standard output").because(&error).hint(
        "only the output is lost: whatever the command changed stays changed, a new snapshot included",
    );
    fault.print(&ui);
    match exit {
        ExitCode::Ok => fault.exit_code().code(),
        other => other.code(),
    }
}

/// The whole process, from its arguments to its exit code.
#[must_use]
pub fn main_of_process() -> ExitStatus {
    let arguments = Surroundings::arguments_of_process();
    // A probe in a process of its own: before there are threads, handlers or anything to find.
    if let Some(code) = restore_verify::sandbox::child::enter(&arguments) {
        return ExitStatus::from(code);
    }
    prepare_process();
    ExitStatus::from(run(&arguments, &Surroundings::of_process()))
}

/// What has to be done once in a process before [`run`]: how panics are told, no memory on disk, no
/// descriptors for others, and as many open
/// files as the system allows, because the usual soft limit of 1024 is below what a wide folder
/// tree, the index and a few connections need together.
pub fn prepare_process() {
    std::panic::set_hook(Box::new(tell_panic));
    // Keys must not end in a file: neither where the limit is asked, nor where a program takes cores.
    let none = Rlimit { current: Some(0), maximum: Some(0) };
    let _ = setrlimit(Resource::Core, none);
    let _ = set_dumpable_behavior(DumpableBehavior::NotDumpable);
    // What was left open for this program, a passphrase among it, is not for those that it starts.
    close_fds::set_fds_cloexec(3, &[]);
    let limit = getrlimit(Resource::Nofile);
    // Refused by some containers; the engine then runs into the lower limit and says so.
    let _ = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, ..limit });
}

fn start(arguments: &[OsString], surroundings: &Surroundings, ui: &Ui) -> Result<ExitCode, Fault> {
    let (mut cli, command, matches) = match parse(arguments) {
        Ok(parsed) => parsed,
        Err(error) => {
            let error = without_guesses(error);
            if let Some(habit) = habits::find(arguments).filter(|_| error.use_stderr()) {
                return match habit.is_done {
                    true => {
                        ui.note(habit.words);
                        Ok(ExitCode::Ok)
                    }
                    false => Err(Fault::usage(misunderstood(&error)).hint(habit.words)),
                };
            }
            if let Some(fault) = in_our_words(&error, arguments) {
                return Err(fault);
            }
            return explain(error, surroundings, ui);
        }
    };
    if let Some(name) = empty::find(&command, &matches) {
        return Err(Fault::usage(format!("{name} is empty"))
            .hint("a variable that is not set? leave out what is not meant"));
    }
    if surroundings.is_astray && !cli.command.needs_no_folder() {
        return Err(Fault::usage(
            "the working folder is not there any more, so relative paths mean nothing",
        )
        .hint("change into a folder that is there: cd /"));
    }
    if !cli.command.reads_configurations() {
        cli.global.complete(ConfigFile::find(cli.global.config.as_deref(), surroundings)?);
    }
    if cli.global.background {
        step_back();
    }
    let settings = Settings {
        json: cli.global.json,
        quiet: cli.global.quiet,
        verbosity: cli.global.verbose,
        color: !surroundings.refuses_color(),
        progress_interval: surroundings.progress_interval()?,
    };
    let ui = Ui::new(settings, surroundings.stdout.clone(), surroundings.stderr.clone());
    let (global, limits) = (&cli.global, cli.global.limits(surroundings));
    let context = Context { ui: &ui, around: surroundings, global, limits };
    command::dispatch(&cli.command, &context)
}

/// The command line as types, what it can be, and as it was given.
fn parse(arguments: &[OsString]) -> Result<(Cli, Command, ArgMatches), clap::Error> {
    let mut command = Cli::command();
    let matches = match command.try_get_matches_from_mut(arguments) {
        Ok(matches) => matches,
        // Only help and mistakes show what is arranged, which takes as long as all the rest of a start.
        Err(_) => overview::arrange(Cli::command()).try_get_matches_from(arguments)?,
    };
    let cli = Cli::from_arg_matches(&matches).map_err(|error| error.format(&mut Cli::command()))?;
    Ok((cli, command, matches))
}

/// Lets other processes go first. Threads that begin later inherit it, and the kernel takes the
/// order of requests to a disk from the same number unless somebody set another.
fn step_back() {
    // From wherever it stands to the end of the scale; being further back needs no permission.
    let _ = nice(NICE_SPAN);
}

/// What was wrong with a command line for which there is a better hint than clap's.
fn misunderstood(error: &clap::Error) -> String {
    match error.kind() {
        ErrorKind::InvalidSubcommand | ErrorKind::UnknownArgument => {
            "there is no such command or option here".to_owned()
        }
        _ => {
            let text = error.to_string();
            let first = text.split("\n\n").next().unwrap_or_default();
            in_one_line(first.trim_start_matches("error: "))
        }
    }
}

/// Mistakes that clap describes by what it expected and not by what was meant.
fn in_our_words(error: &clap::Error, arguments: &[OsString]) -> Option<Fault> {
    match error.kind() {
        ErrorKind::InvalidUtf8 => {
            let odd = arguments.iter().filter(|argument| argument.to_str().is_none());
            let odd: Vec<_> =
                odd.map(|argument| shortened(&escape(argument.as_encoded_bytes()))).collect();
            let words = format!("not UTF-8, where only text will do: {}", odd.join(", "));
            Some(Fault::usage(words).hint("only paths may be of any bytes; for others write `?`"))
        }
        ErrorKind::MissingRequiredArgument
            if arguments.iter().any(|argument| argument == "--stdin-from-command") =>
        {
            Some(Fault::usage("--stdin-from-command is given, and no command").hint(
                "write it behind two dashes: mainstay backup --stdin-filename d.sql \
                 --stdin-from-command -- pg_dump d",
            ))
        }
        ErrorKind::UnknownArgument => negative(arguments),
        _ => None,
    }
}

/// A negative number behind an option, which is read as an option of its own.
fn negative(arguments: &[OsString]) -> Option<Fault> {
    let words: Vec<&str> = arguments.iter().map_while(|word| word.to_str()).collect();
    let is_negative = |word: &str| {
        let number = word.strip_prefix('-').unwrap_or_default();
        number.starts_with(|first: char| first.is_ascii_digit() || first == '.')
    };
    let pair = words.windows(2).find(|pair| pair[0].starts_with('-') && is_negative(pair[1]))?;
    let words = format!("{} is given {}, which is negative", pair[0], shortened(pair[1]));
    Some(Fault::usage(words).hint("write it without the sign, or leave the option out"))
}

/// Takes out which option might be meant: a guess that is tried is worse than none, and the nearest
/// name may do the contrary. What exists is in the help.
fn without_guesses(mut error: clap::Error) -> clap::Error {
    let guesses: &[ContextKind] = match error.kind() {
        ErrorKind::UnknownArgument => {
            &[ContextKind::SuggestedArg, ContextKind::Suggested, ContextKind::Usage]
        }
        ErrorKind::InvalidSubcommand => {
            &[ContextKind::SuggestedSubcommand, ContextKind::Suggested, ContextKind::Usage]
        }
        ErrorKind::InvalidValue => &[ContextKind::SuggestedValue, ContextKind::Suggested],
        _ => &[],
    };
    for guess in guesses {
        error.remove(*guess);
    }
    // What was typed is shown again, and must not drive the terminal.
    for typed in
        [ContextKind::InvalidArg, ContextKind::InvalidValue, ContextKind::InvalidSubcommand]
    {
        if let Some(ContextValue::String(text)) = error.get(typed) {
            let text = ContextValue::String(shortened(&printable(text)));
            error.insert(typed, text);
        }
    }
    error
}

/// Prints what clap has to say: help as a result, a mistake as an error.
fn explain(error: clap::Error, surroundings: &Surroundings, ui: &Ui) -> Result<ExitCode, Fault> {
    let text = error.render();
    let output = if error.use_stderr() { &surroundings.stderr } else { &surroundings.stdout };
    if error.use_stderr() && ui.is_json() {
        let plain = text.to_string();
        let message = plain.split("\n\n").next().unwrap_or_default();
        return Err(Fault::usage(message.trim_start_matches("error: ").trim_end())
            .hint("`mainstay help` and `mainstay COMMAND --help` show what there is"));
    }
    let shown = if output.is_terminal() && !surroundings.refuses_color() {
        text.ansi().to_string()
    } else {
        text.to_string()
    };
    output.bytes(shown.as_bytes());
    Ok(if error.use_stderr() { ExitCode::Usage } else { ExitCode::Ok })
}

/// Whether `--json` stands among the options: needed before they are parsed, for their errors.
fn wants_json(arguments: &[OsString]) -> bool {
    arguments.iter().take_while(|argument| *argument != "--").any(|argument| argument == "--json")
}

fn tell_panic(panic: &PanicHookInfo<'_>) {
    let words = panic.payload_as_str().unwrap_or("no words");
    let place = panic.location().map(ToString::to_string).unwrap_or_default();
    let line = printable(&format!("panic: {words} ({place})"));
    // Standard error may be gone; there is nowhere left to say so.
    let _ = writeln!(std::io::stderr(), "{line}");
}

#[cfg(test)]
mod tests;
