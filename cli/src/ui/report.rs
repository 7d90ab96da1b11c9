//! Messages of `report` for programs.

use restore_verify::report::population::Run;
use serde::Serialize;

/// A report was written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ReportWritten {
    /// `recoverability`, `compliance`, `sla`, `qbr`, `insurer`.
    pub kind: &'static str,
    /// Everything in one line.
    pub headline: String,
    /// First moment of the period.
    pub from: String,
    /// The first moment after it.
    pub to: String,
    /// How many systems it is about.
    pub systems: u64,
    /// Whether all chains of evidence are whole.
    pub evidence_good: bool,
    /// What was written.
    pub files: Vec<ReportFile>,
}

/// A file of a report.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ReportFile {
    /// The file.
    pub path: String,
    /// `html`, `pdf`, `json`, `csv`.
    pub format: &'static str,
    /// Its size.
    pub bytes: u64,
    /// BLAKE3 of its content.
    pub blake3: String,
}

/// What an auditor drew.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct RunSample {
    /// First moment of the period.
    pub from: String,
    /// The first moment after it.
    pub to: String,
    /// The seed.
    pub seed: String,
    /// Runs that it was drawn from.
    pub population: u64,
    /// Runs that were drawn, in the order of their ranks.
    pub drawn: Vec<DrawnRun>,
}

/// A run that was drawn.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct DrawnRun {
    /// SHA-256 that ranks it.
    pub rank: String,
    /// The run.
    #[serde(flatten)]
    pub run: Run,
}
