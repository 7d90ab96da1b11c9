//! What Mainstay does by itself: when jobs are due, what became of them, and what comes next.
//!
//! Nothing here runs a backup or asks a clock: calendars, the configuration and the state of a machine
//! are turned into decisions, which the program carries out. So a year of nights can be played in
//! seconds, with every trouble that a night can have.

/// Floor 1: spans of time.
pub mod span;

/// Floor 2: when something is due.
pub mod calendar;

/// Floor 3: what a file asks for.
pub mod config;

/// Floor 4: a file that makes sense.
pub mod plan;

/// Floor 5: how runs end.
pub mod outcome;

/// Floor 6: what is remembered.
pub mod state;

/// Floor 7: what is due.
pub mod night;

/// Floor 8: what makes a success suspicious.
pub mod suspicion;

/// Floor 9: where each system stands.
pub mod status;

/// Floor 10: what a monitor says of it.
pub mod health;
