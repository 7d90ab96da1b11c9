//! The program `mainstay`; everything it does is in the library, so that tests can do it too.

use std::process::ExitCode;

fn main() -> ExitCode {
    cli::main_of_process()
}
