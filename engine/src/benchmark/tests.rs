//! The measurement on small data and on stores that are quick.

use std::path::Path;

use super::*;
use crate::base::monitor::Silent;
use crate::base::time::SystemClock;
use crate::benchmark::report::Limit;
use crate::store::location::{Location, StoreOptions};

fn run_on(roots: &[&Path], store: Option<&Store>) -> Result<BenchmarkReport, BenchmarkError> {
    let options = BenchmarkOptions {
        roots: roots.iter().map(|root| (*root).to_owned()).collect(),
        workers: 2,
        ..BenchmarkOptions::default()
    };
    run(store, &options, &SystemClock::default(), &Silent)
}

#[test]
fn all_stages_are_measured_and_nothing_is_left() {
    let place = tempfile::tempdir().expect("a folder");
    let source = place.path().join("source");
    std::fs::create_dir(&source).expect("a folder");
    for number in 0..3 {
        let file = std::fs::File::create(source.join(number.to_string()));
        let text = "the same again and again\n".repeat(10_000);
        std::io::Write::write_all(&mut file.expect("a file"), text.as_bytes()).expect("written");
    }
    let repository = place.path().join("repository");
    let location = Location::parse(&repository.display().to_string()).expect("a location");
    let store = Store::open(&location, &StoreOptions::default(), true).expect("a store");
    let report = run_on(&[&source], Some(&store)).expect("measured");
    use StageKind::{Compress, Cut, Hash, Read, Seal, Store as Storing, Walk};
    let kinds: Vec<_> = report.stages.iter().map(|stage| stage.kind).collect();
    assert_eq!(kinds, [Walk, Read, Cut, Hash, Compress, Seal, Storing]);
    assert!(report.stages.iter().all(|stage| stage.items > 0), "{report:#?}");
    assert_eq!(report.stage(Read).map(|stage| stage.bytes), Some(750_000));
    assert_eq!(report.sample_bytes, 750_000);
    assert!(report.compression_ratio > 5.0, "{}", report.compression_ratio);
    assert!(report.put_latency.is_some() && report.get_latency.is_some());
    assert!(report.limit().is_some());
    let left = std::fs::read_dir(&repository).expect("a folder").count();
    assert_eq!(left, 0, "something is left in the store");
}

#[test]
fn made_up_data_needs_neither_source_nor_store() {
    let report = run_on(&[], None).expect("measured");
    assert_eq!(report.stages.len(), 4);
    assert!((1.2..4.0).contains(&report.compression_ratio), "{}", report.compression_ratio);
    assert!(matches!(report.limit(), Some((rate, Limit::Processor(_))) if rate > 0.0));
}

#[test]
fn a_source_without_content_measures_nothing() {
    let place = tempfile::tempdir().expect("a folder");
    assert!(matches!(run_on(&[place.path()], None), Err(BenchmarkError::NoData)));
}

#[test]
fn the_smallest_files_are_measured_too() {
    for size in [1, 2, 7, 8, 9] {
        let place = tempfile::tempdir().expect("a folder");
        let file = std::fs::File::create(place.path().join("f")).expect("a file");
        file.set_len(size).expect("there is space");
        let report = run_on(&[place.path()], None).expect("measured");
        assert_eq!(report.sample_bytes, size);
        assert!(report.limit().is_some(), "{size}");
    }
}
