//! The program `mainstay`; everything it does is in the library, so that tests can do it too.

use std::process::ExitCode;

use cli::config::surroundings::Surroundings;

fn main() -> ExitCode {
    cli::prepare_process();
    let arguments = Surroundings::arguments_of_process();
    ExitCode::from(cli::run(&arguments, &Surroundings::of_process()))
}
