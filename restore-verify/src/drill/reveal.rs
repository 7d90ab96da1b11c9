//! What a bundle shows of a drill: the population it drew from, its results, single files.
//!
//! Populations are not kept: they are derived again from the snapshot and from what this machine
//! remembers, and compared with the root that was signed. If that cannot be had any more, it is
//! said, and the drill stands on its signature alone.

use engine::base::limits::NODE_CACHE_BYTES;
use engine::base::path::TreePath;
use engine::blob::fetch::ChunkFetcher;
use engine::index::catalog::Catalog;

use crate::drill::findings::Findings;
use crate::drill::memory::{FileIds, Memory};
use crate::drill::options::{DrillError, Place};
use crate::drill::salt::Salts;
use crate::drill::survey::{Packs, Wish, survey};
use crate::evidence::container::Files;
use crate::evidence::derive::DRILLS_FOLDER;
use crate::evidence::drill_event::{Drill, DrillBegun};
use crate::evidence::event::Event;
use crate::evidence::merkle::proof;
use crate::evidence::record::{Reference, SignedRecord};
use crate::evidence::shelf::{Shelf, ShelfError};
use crate::evidence::table::{
    FileProof, draw_text, population_root, population_text, result_leaves, results_text,
};
use crate::evidence::verify::PROOFS_FOLDER;

/// The drill that a record is the end of, and its beginning.
///
/// # Errors
/// [`ShelfError::NoSuch`] if it is the end of no drill.
pub fn drill_at(
    shelf: &Shelf<'_>,
    record: &SignedRecord,
) -> Result<(Drill, DrillBegun), ShelfError> {
    let no_such = || ShelfError::NoSuch { wanted: format!("of a drill at {}", record.reference()) };
    let Ok(Event::Drill(drill)) = Event::decode(&record.record.event, &record.record.body) else {
        return Err(no_such());
    };
    let begun = shelf.find(&drill.begun.to_string())?;
    match Event::decode(&begun.record.event, &begun.record.body) {
        Ok(Event::DrillBegun(event)) => Ok((*drill, event)),
        _ => Err(no_such()),
    }
}

/// Adds the results of a drill and, if they can still be derived, its population. Answers what
/// could not be had, in words.
///
/// # Errors
/// Those of store and database.
pub fn add_drill(
    place: &Place<'_>,
    shelf: &Shelf<'_>,
    catalog: &Catalog,
    at: Reference,
    files: &mut Files,
) -> Result<Option<String>, DrillError> {
    let record = shelf.find(&at.to_string())?;
    let (drill, begun) = drill_at(shelf, record)?;
    let memory = Memory::open(place.state)?;
    let Some(results) = memory.results(at) else {
        return Ok(Some("its results are not kept on this machine".to_owned()));
    };
    files.insert(format!("{DRILLS_FOLDER}{at}/results.csv"), results_text(&results).into_bytes());
    let (Some(facts), Some(seed)) = (begun.population, begun.seed) else { return Ok(None) };
    let snapshot = catalog.snapshots.iter().map(|one| &one.snapshot);
    let Some(snapshot) = snapshot.into_iter().find(|one| *one.session.as_bytes() == begun.snapshot)
    else {
        return Ok(Some("its snapshot is gone, so its population is, too".to_owned()));
    };
    let fetcher = match ChunkFetcher::new(place.repo, place.index, NODE_CACHE_BYTES) {
        Ok(fetcher) => fetcher,
        Err(error) => return Ok(Some(error.to_string())),
    };
    let wish = Wish {
        salts: &Salts::new(place.repo, &seed),
        draw: None,
        drilled: &memory.drawn(begun.generation, drill.begun.number)?,
        ids: &FileIds::new(place.repo, &begun.system),
        keep_rows: true,
        again: None,
        stretches: false,
        before: None,
    };
    let mut ignored = Findings::default();
    let found = survey(place, &fetcher, snapshot, &wish, &Packs::new(), &mut ignored)?;
    if population_root(&found.rows) != facts.root {
        return Ok(Some("what its population was cannot be derived any more".to_owned()));
    }
    let said = draw_text(drill.begun.number, &begun.snapshot, begun.generation, begun.wanted);
    files.insert(format!("{DRILLS_FOLDER}{at}/draw.txt"), said.into_bytes());
    let text = population_text(&found.rows);
    files.insert(format!("{DRILLS_FOLDER}{at}/population.csv"), text.into_bytes());
    Ok(None)
}

/// Adds the proof of a single file of a drill.
///
/// # Errors
/// [`ShelfError::NoSuch`] if the drill did not restore it or its results are not kept.
pub fn add_file(
    place: &Place<'_>,
    shelf: &Shelf<'_>,
    at: Reference,
    path: &TreePath,
    files: &mut Files,
) -> Result<(), DrillError> {
    let (_, begun) = drill_at(shelf, shelf.find(&at.to_string())?)?;
    let no_such = || ShelfError::NoSuch { wanted: format!("of {path} in the drill {at}") };
    let rows = Memory::open(place.state)?.results(at).ok_or_else(no_such)?;
    let seed = begun.seed.ok_or_else(no_such)?;
    let salts = Salts::new(place.repo, &seed);
    let hash = salts.hash(path);
    let index = rows.iter().position(|row| row.path == hash).ok_or_else(no_such)?;
    let shown = FileProof {
        drill: at.to_string(),
        path: path.to_slashes(),
        salt: salts.of(path),
        row: rows[index],
        index: index as u64,
        count: rows.len() as u64,
        siblings: proof(&result_leaves(&rows), index),
    };
    let name = format!("{PROOFS_FOLDER}{}-{:08x}-{index:08}.txt", at.writer, at.number);
    files.insert(name, shown.to_text().into_bytes());
    Ok(())
}
