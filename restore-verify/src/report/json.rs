//! A report as JSON; `docs/report.schema.json` describes it.

use serde::Serialize;

use crate::report::model::Report;
use crate::report::population::Run;

#[derive(Serialize)]
struct Document<'a> {
    #[serde(flatten)]
    report: &'a Report,
    /// Every run of the period: what rules of figures select from.
    population: &'a [Run],
}

/// Writes it, with all runs of the period.
///
/// # Errors
/// Of serialisation; numbers that are not finite are written as `null`.
pub fn write(report: &Report, population: &[Run]) -> Result<Vec<u8>, serde_json::Error> {
    let mut bytes = serde_json::to_vec_pretty(&Document { report, population })?;
    bytes.push(b'\n');
    Ok(bytes)
}
