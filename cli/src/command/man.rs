//! `man`: the manual, as one page on standard output or as one page per command in a folder.

use std::path::Path;

use crate::args::program::ManArgs;
use crate::command::context::Context;
use crate::fault::{ExitCode, Fault};

/// Prints the page of the program, or writes the pages of all commands of `command`.
///
/// # Errors
/// A fault of the local machine if a page cannot be written.
pub fn run(
    args: &ManArgs,
    context: &Context<'_>,
    command: clap::Command,
) -> Result<ExitCode, Fault> {
    match &args.dir {
        Some(dir) => {
            let dir = context.around.absolute(dir);
            write_all(command, &dir)?;
            context.ui.note(&format!("wrote the manual to {}", dir.display()));
        }
        None => {
            let mut page = Vec::new();
            let written = clap_mangen::Man::new(command).render(&mut page);
            written.map_err(|error| Fault::local("cannot make the manual page").because(&error))?;
            context.ui.stdout().bytes(&page);
        }
    }
    Ok(ExitCode::Ok)
}

fn write_all(command: clap::Command, dir: &Path) -> Result<(), Fault> {
    clap_mangen::generate_to(command, dir).map_err(|error| {
        Fault::local(format!("cannot write the manual to {}", dir.display())).because(&error)
    })
}
