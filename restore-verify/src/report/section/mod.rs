//! The sections of reports: each a function from [`crate::report::work::Work`] to figures, tables
//! and charts.

/// Systems, and the unprotected.
pub mod coverage;
/// Runs and recovery points.
pub mod performance;
/// Authenticated bytes and samples.
pub mod verification;
/// Drills and real restores.
pub mod drills;
/// Keys, retention, holds.
pub mod protection;
/// Incidents and access.
pub mod remedies;
/// Storage, months, forecast.
pub mod storage;
/// Controls of frameworks.
pub mod matrix;
/// Limits, and how to verify.
pub mod method;
