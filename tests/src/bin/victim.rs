//! The program itself under another name, so that tests can start, stop and kill it.

use std::process::ExitCode;

fn main() -> ExitCode {
    cli::main_of_process()
}
