//! A check from beginning to end.
//!
//! Snapshots are walked while packs are read: the one mostly waits for look-ups, the other for
//! bytes. Should reading find a damaged pack, the walk is done again with that knowledge, so that
//! what hangs on the pack is named.

use crate::base::error::in_one_line;
use crate::base::id::PackId;
use crate::base::limits::{CHECK_LOOKS, CHECK_NODE_CACHE_BYTES};
use crate::base::monitor::Monitor;
use crate::blob::fetch::ChunkFetcher;
use crate::check::error::CheckError;
use crate::check::inventory::Inventory;
use crate::check::options::{CheckOptions, ReadData};
use crate::check::report::CheckReport;
use crate::check::{chain, data, inventory, records, slots, structure};
use crate::format::generation::PackSet;
use crate::index::collections;
use crate::index::refresh::refresh;
use crate::index::{Index, IndexError, catalog, marks};
use crate::repo::Repo;
use crate::repo::error::RepoError;
use crate::repo::generations;
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
    let mut before = generations::list(repo)?;
    let mut report = look(repo, index, options, monitor)?;
    for _ in 1..CHECK_LOOKS {
        if report.is_sound() {
            break;
        }
        // Collectors that work meanwhile move chunks between two looks at the store.
        let after = generations::list(repo)?;
        if after == before {
            break;
        }
        before = after;
        report = look(repo, index, options, monitor)?;
    }
    report.duration_ms = repo.clock().monotonic().as_millis() as u64 - started_ms;
    Ok(report)
}

fn look(
    repo: &Repo,
    index: &Index,
    options: &CheckOptions,
    monitor: &dyn Monitor,
) -> Result<CheckReport, CheckError> {
    let mut report = CheckReport::default();
    // Snapshots before the index, and the index before the packs: what a machine commits meanwhile
    // would else refer to what was not there when we looked.
    let mut catalog = catalog::snapshots(repo, index)?;
    for error in refresh(repo, index, monitor)?.damaged {
        match error {
            RepoError::Corrupt { key, why } => report.finding(&key, why),
            other => report.finding(prefix::INDEX, in_one_line(&other)),
        }
    }
    let (mut packs, missing) = inventory::take(repo, index, &mut report)?;
    if repo.store().repeats_keys() {
        monitor.note("the store lists objects more than once; each is taken once");
    }
    report_missing(repo, index, &missing, &mut report, monitor)?;
    let marks = marks::read(repo, index)?;
    catalog.set_apart_forgotten(&marks);
    report.snapshots = catalog.snapshots.len() as u64;
    report.unconfirmed = catalog.unconfirmed.len() as u64;
    let walk = |packs: &Inventory, monitor: &dyn Monitor| {
        let fetcher = ChunkFetcher::new(repo, index, CHECK_NODE_CACHE_BYTES)?;
        structure::check(&catalog, &fetcher, &index.reader()?, packs, monitor)
    };
    let found = if options.read_data == ReadData::None {
        walk(&packs, monitor)?
    } else {
        let (walked, damaged) = std::thread::scope(|scope| {
            let walking = scope.spawn(|| walk(&packs, &Unheard(monitor)));
            let spoilt = data::read_packs(repo, &packs, options, &mut report, monitor);
            let read = spoilt.and_then(|spoilt| {
                records::check(repo, index, options, &mut report, monitor)?;
                if spoilt.gone.is_empty() {
                    return Ok(spoilt.damaged);
                }
                let gone = report_missing(repo, index, &spoilt.gone, &mut report, monitor)?;
                Ok([spoilt.damaged, gone].concat())
            });
            (walking.join(), read)
        });
        let (damaged, walked) = (damaged?, walked.map_err(|_| CheckError::Lost)?);
        for pack in &damaged {
            if let Some(stored) = packs.get_mut(pack) {
                stored.is_good = false;
            }
        }
        if damaged.is_empty() { walked? } else { walk(&packs, monitor)? }
    };
    slots::check(repo, &mut report)?;
    for (session, error) in &catalog.damaged {
        report.finding(&ObjectName::commit_of(*session), in_one_line(error));
    }
    report.forgotten = catalog.forgotten.len() as u64;
    for key in &marks.missing {
        report.finding(key, "this machine has seen it, now it is missing".to_owned());
    }
    for (hold, error) in &marks.damaged {
        report.finding(&ObjectName::Hold(*hold).key(), in_one_line(error));
    }
    chain::check(&catalog, &marks, &mut report);
    report.take_structure(found);
    Ok(report)
}

/// Reports packs that are not there, unless collectors delete or have deleted them: what these say
/// is read after it was seen that the packs are gone. Answers which were reported; whoever needs one
/// of the others is told elsewhere.
fn report_missing(
    repo: &Repo,
    index: &Index,
    missing: &[PackId],
    report: &mut CheckReport,
    monitor: &dyn Monitor,
) -> Result<Vec<PackId>, CheckError> {
    let swept = swept(repo, index, report, monitor)?;
    let is_lost = |pack: &&PackId| !swept.contains(pack);
    let lost: Vec<PackId> = missing.iter().filter(is_lost).copied().collect();
    for pack in &lost {
        report.finding(&ObjectName::Pack(*pack).key(), "it is missing".to_owned());
    }
    Ok(lost)
}

/// What collectors were about to delete, or have deleted.
fn swept(
    repo: &Repo,
    index: &Index,
    report: &mut CheckReport,
    monitor: &dyn Monitor,
) -> Result<PackSet, CheckError> {
    match collections::swept(repo, index, monitor) {
        Ok(swept) => Ok(swept),
        Err(IndexError::Repo(RepoError::Corrupt { key, why })) => {
            report.finding(&key, why);
            Ok(index.dead_packs()?)
        }
        Err(error) => Err(error.into()),
    }
}

/// Passes on only that the work should stop: another thread tells how far it is.
struct Unheard<'a>(&'a dyn Monitor);

impl Monitor for Unheard<'_> {
    fn is_cancelled(&self) -> bool {
        self.0.is_cancelled()
    }
}
