//! Operation: what this machine, this data and this store can do, stage by stage.
//!
//! Each stage of a backup is run alone, on all cores where the backup would use them, for about a
//! second. The slowest way through them is what limits a first backup; a later one skips what did
//! not change. Nothing is measured twice and nothing is kept: the numbers are those of the moment,
//! with whatever else the machine does and has in its caches.

pub mod error;
pub mod report;
mod turns;
mod source;
mod processor;
mod line;

use std::path::PathBuf;

use crate::base::monitor::{Monitor, Phase};
use crate::base::time::Clock;
use crate::chunk::level::Level;
use crate::store::Store;

pub use error::BenchmarkError;
pub use report::{BenchmarkReport, Stage, StageKind};

use source::Sample;
use turns::Turns;

/// What is measured.
#[derive(Debug, Clone, Default)]
pub struct BenchmarkOptions {
    /// The data: files and folders as absolute paths; none for data that is made up.
    pub roots: Vec<PathBuf>,
    /// How hard to compress.
    pub level: Level,
    /// Threads; 0 means one per core.
    pub workers: usize,
}

/// Measures all stages; those of the store only if there is one. Takes about ten seconds.
///
/// # Errors
/// [`BenchmarkError`] if the data cannot be read or the store cannot be used.
pub fn run(
    store: Option<&Store>,
    options: &BenchmarkOptions,
    clock: &dyn Clock,
    monitor: &dyn Monitor,
) -> Result<BenchmarkReport, BenchmarkError> {
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let workers = if options.workers == 0 { cores } else { options.workers };
    let turns = Turns { clock, monitor, workers };
    monitor.phase(&Phase { name: "measuring", total_items: None, total_bytes: None });
    let mut report = BenchmarkReport { workers, ..BenchmarkReport::default() };
    let sample = match options.roots.is_empty() {
        true => Sample::made_up(),
        false => source::measure(&options.roots, &turns, &mut report)?,
    };
    report.sample_bytes = sample.bytes();
    processor::measure(&sample, options.level, &turns, &mut report)?;
    if let Some(store) = store {
        line::measure(store, &turns, &mut report)?;
    }
    Ok(report)
}

#[cfg(test)]
mod tests;
