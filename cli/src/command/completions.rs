//! `completions SHELL`: a completion script on standard output.

use clap_complete::Generator;

use crate::args::program::CompletionsArgs;
use crate::command::context::Context;
use crate::fault::{ExitCode, Fault};

/// Prints the script for `command`.
///
/// # Errors
/// None; a failure of the output is noticed at the end of the process.
pub fn run(
    args: &CompletionsArgs,
    context: &Context<'_>,
    command: &mut clap::Command,
) -> Result<ExitCode, Fault> {
    command.set_bin_name("mainstay");
    command.build();
    let mut script = Vec::new();
    // Into memory first: the generators stop the process if their writer fails.
    args.shell.generate(command, &mut script);
    context.ui.stdout().bytes(&script);
    Ok(ExitCode::Ok)
}
