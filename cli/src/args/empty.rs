//! Options and arguments without a value, as a script has them whose variable is not set.
//!
//! An empty path is the current folder for most calls of the system, an empty pattern fits nothing or
//! everything, an empty host is no machine: nobody means that.

use clap::parser::ValueSource;
use clap::{Arg, ArgMatches, Command};

/// What may be empty: texts for people, the tags of `tag set`, and no groups.
const MAY_BE_EMPTY: [&str; 4] = ["description", "text", "tags", "group_by"];

/// How the first option or argument is called whose value is empty.
#[must_use]
pub fn find(command: &Command, matches: &ArgMatches) -> Option<String> {
    let is_call = matches.try_get_one::<bool>("stdin_from_command");
    let is_call = is_call.is_ok_and(|given| given.is_some_and(|given| *given));
    let mut own = command.get_arguments();
    let empty = own.find(|argument| {
        let id = argument.get_id().as_str();
        // What a command is called with is its own affair.
        let may_be_empty = MAY_BE_EMPTY.contains(&id) || (is_call && id == "paths");
        !may_be_empty && is_empty(argument, matches)
    });
    if let Some(argument) = empty {
        return Some(called(argument));
    }
    let (name, below) = matches.subcommand()?;
    find(command.find_subcommand(name)?, below)
}

fn is_empty(argument: &Arg, matches: &ArgMatches) -> bool {
    let id = argument.get_id().as_str();
    let is_given = matches.try_contains_id(id).unwrap_or(false)
        && matches.value_source(id) == Some(ValueSource::CommandLine);
    let mut values = is_given.then(|| matches.try_get_raw(id).ok().flatten()).flatten();
    values.as_mut().is_some_and(|values| values.any(|value| value.is_empty()))
}

fn called(argument: &Arg) -> String {
    match argument.get_long() {
        Some(long) => format!("--{long}"),
        None => argument
            .get_value_names()
            .and_then(|names| names.first())
            .map_or_else(|| argument.get_id().to_string(), ToString::to_string),
    }
}
