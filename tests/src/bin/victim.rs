//! The program itself under another name, so that tests can start, stop and kill it.

use std::process::ExitCode;

use cli::config::surroundings::Surroundings;

fn main() -> ExitCode {
    cli::prepare_process();
    let arguments = Surroundings::arguments_of_process();
    ExitCode::from(cli::run(&arguments, &Surroundings::of_process()))
}
