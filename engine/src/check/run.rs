//! A check from beginning to end.

use crate::base::error::in_one_line;
use crate::base::limits::NODE_CACHE_BYTES;
use crate::base::monitor::Monitor;
use crate::blob::fetch::ChunkFetcher;
use crate::check::error::CheckError;
use crate::check::options::{CheckOptions, ReadData};
use crate::check::report::CheckReport;
use crate::check::{chain, data, inventory, records, structure};
use crate::index::Index;
use crate::index::refresh::refresh;
use crate::index::{catalog, marks};
use crate::repo::Repo;
use crate::repo::error::RepoError;
use crate::store::name::{ObjectName, prefix};

/// Checks the whole repository.
///
/// # Errors
/// [`CheckError`] if the check cannot be carried out. Damage is in the report.
pub fn run(
    repo: &Repo,
    index: &Index,
    options: &CheckOptions,
    monitor: &dyn Monitor,
) -> Result<CheckReport, CheckError> {
    repo.keys().tree()?;
    if options.read_data != ReadData::None {
        repo.keys().data()?;
    }
    let started_ms = repo.clock().monotonic().as_millis() as u64;
    let mut report = CheckReport::default();
    for error in refresh(repo, index, monitor)?.damaged {
        match error {
            RepoError::Corrupt { key, why } => report.finding(&key, why),
            other => report.finding(prefix::INDEX, in_one_line(&other)),
        }
    }
    let mut packs = inventory::take(repo, index, &mut report)?;
    data::read_packs(repo, &mut packs, options, &mut report, monitor)?;
    records::check(repo, index, options, &mut report, monitor)?;
    let mut catalog = catalog::snapshots(repo, index)?;
    let marks = marks::read(repo, index)?;
    catalog.set_apart_forgotten(&marks);
    report.snapshots = catalog.snapshots.len() as u64;
    report.unconfirmed = catalog.unconfirmed.len() as u64;
    for (session, error) in &catalog.damaged {
        report.finding(&ObjectName::Commit(*session).key(), in_one_line(&error));
    }
    report.forgotten = catalog.forgotten.len() as u64;
    for key in &marks.missing {
        report.finding(key, "this machine has seen it, now it is missing".to_owned());
    }
    for (hold, error) in &marks.damaged {
        report.finding(&ObjectName::Hold(*hold).key(), in_one_line(error));
    }
    chain::check(&catalog, &marks, &mut report);
    let fetcher = ChunkFetcher::new(repo, index, NODE_CACHE_BYTES)?;
    structure::check(&catalog, &fetcher, &index.reader()?, &packs, &mut report, monitor)?;
    report.duration_ms = repo.clock().monotonic().as_millis() as u64 - started_ms;
    Ok(report)
}
