//! Restores that are judged by what is on the disk: interrupted at any change of it, and on file
//! systems of several kinds.
//!
//! Nothing here knows how a restore works: the program is started as a user starts it, a tracer
//! stops it or makes a call fail, and the disk is looked at with plain system calls.
#![allow(
    clippy::panic,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::disallowed_methods,
    clippy::too_many_lines,
    reason = "every function here is part of a test"
)]
// The registers of a process have other names elsewhere.
#![cfg(target_arch = "x86_64")]

mod call;
mod tracer;
mod scene;
mod draw;
mod look;
mod stage;
mod machine;
mod between;
mod model;
mod dry;
mod play;
mod shrink;
mod points;
mod disks;
mod space;
mod spared;
mod places;
mod flags;
mod names;
mod slash;
mod coarse;
mod rules;
