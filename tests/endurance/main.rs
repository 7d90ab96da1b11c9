//! Tests that need patience: thousands of runs in which everything goes wrong.
//!
//! Each has a short form that runs with all others, and grows with a variable of the environment
//! (`docs/TESTING.md` has the commands and what came out).
#![allow(
    clippy::panic,
    clippy::type_complexity,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::disallowed_methods,
    clippy::too_many_lines,
    reason = "every function here is part of a test"
)]

mod files;
mod process;
mod simulator;
mod beside;
mod every_request;
mod kills;
mod full_disk;
mod soak;

use system_tests::scale;
