//! Tests that need patience: thousands of runs in which everything goes wrong.
//!
//! Each has a short form that runs with all others, and grows with a variable of the environment
//! (`docs/TESTING.md` has the commands and what came out).

mod scale;
mod files;
mod process;
mod simulator;
mod beside;
mod every_request;
mod kills;
mod full_disk;
mod soak;
