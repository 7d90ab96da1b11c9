//! What follows from signed roots: samples of drills and runs of populations, derived again from the
//! files that lie beside the chains of a bundle.

use std::collections::{BTreeMap, BTreeSet};

use crate::evidence::chain::{Flaw, FlawKind};
use crate::evidence::container::Files;
use crate::evidence::drill_event::{Drill, DrillBegun};
use crate::evidence::event::Event;
use crate::evidence::population::{read_runs, runs_root};
use crate::evidence::record::{Hash32, SignedRecord};
use crate::evidence::table::{
    draw_text, population_root, read_population, read_results, results_root,
};
use crate::sample::draw;

/// Folder of populations and results of drills.
pub const DRILLS_FOLDER: &str = "drills/";
/// Folder of populations of runs.
pub const POPULATIONS_FOLDER: &str = "populations/";

/// Results must have the signed root; a sample must follow from population and seed, and the seed
/// from what was signed before. Answers whether a sample was drawn again.
///
/// # Errors
/// In words, what does not follow.
pub fn check_drill(
    files: &Files,
    place: &str,
    drill: &Drill,
    begun: &DrillBegun,
    previous: &Hash32,
) -> Result<bool, String> {
    let file = |name: &str| files.get(&format!("{DRILLS_FOLDER}{place}/{name}"));
    let results = match file("results.csv") {
        None => None,
        Some(text) => Some(read_results(text).ok_or("its results cannot be read")?),
    };
    if results.as_ref().is_some_and(|rows| {
        rows.len() as u64 != drill.result_count || results_root(rows) != drill.results
    }) {
        return Err("its results are not those that were signed".to_owned());
    }
    if let Some(seed) = begun.seed
        && seed.0 != draw::seed(&previous.0, &begun.snapshot, begun.generation)
    {
        return Err("its seed does not follow from what was signed before it".to_owned());
    }
    let Some(text) = file("population.csv") else { return Ok(false) };
    let rows = read_population(text).ok_or("its population cannot be read")?;
    let (Some(facts), Some(seed)) = (begun.population, begun.seed) else {
        return Err("nothing was drawn for it".to_owned());
    };
    if rows.len() as u64 != facts.files || population_root(&rows) != facts.root {
        return Err("its population is not the one that was signed".to_owned());
    }
    let said = draw_text(drill.begun.number, &begun.snapshot, begun.generation, begun.wanted);
    if file("draw.txt").is_none_or(|text| text != said.as_bytes()) {
        return Err("what decides its sample is not what was signed".to_owned());
    }
    let Some(results) = results else { return Err("its results are missing".to_owned()) };
    let drawn: BTreeSet<_> =
        draw::draw(seed.0, begun.wanted, &rows).iter().map(|row| Hash32(row.path)).collect();
    let restored: BTreeSet<_> = results.iter().map(|row| row.path).collect();
    match drawn == restored {
        true => Ok(true),
        false => Err("other files were restored than its seed draws".to_owned()),
    }
}

/// Runs in the bundle must be those whose root was signed; answers the records that did, and how
/// many runs each has.
pub fn check_populations(
    files: &Files,
    records: &[SignedRecord],
    flaws: &mut Vec<Flaw>,
) -> Vec<(String, u64)> {
    let mut good = Vec::new();
    let mut signed: BTreeMap<String, _> = BTreeMap::new();
    for one in records {
        if let Ok(Event::BackupPopulation(runs)) =
            Event::decode(&one.record.event, &one.record.body)
        {
            let at = one.reference().to_string();
            signed.insert(format!("{at}/runs.csv"), (at, runs));
        }
    }
    for (name, text) in files {
        let Some(place) = name.strip_prefix(POPULATIONS_FOLDER) else { continue };
        let signed = signed.get(place);
        let rows = read_runs(text);
        match (signed, rows) {
            (Some((at, signed)), Some(rows))
                if rows.len() as u64 == signed.runs && runs_root(&rows) == signed.root =>
            {
                good.push((at.clone(), signed.runs));
            }
            _ => {
                let why = "these runs are not those that were signed";
                flaws.push(Flaw::new(FlawKind::Derivation, name, why));
            }
        }
    }
    good
}
