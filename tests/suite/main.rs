//! The one test binary of the whole product; each module below is one concern.

mod tidy;
mod documents;
mod evidence;
mod drill;
mod proof;
mod recovering;
mod reporting;
mod reusing;
mod round_trip;
mod decoders;
mod corpora;
mod formats;
mod golden;
mod second_reader;
mod restoring;
mod given_back;
mod restore_windows;
mod incremental;
mod meddling;
mod saving;
mod faults;
mod collecting;
mod crash;
mod index_loss;
mod roles;
mod searching;
mod differing;
mod comparing;
mod dumping;
mod known_heads;
mod mounting;
mod databases;
mod cost;
mod memory;
mod store_contract;
mod damage;
mod attacks;
mod hostile;
mod hostile_store;
mod forged;
mod twins;
mod retaining;
mod forgetting;
mod secrets;
mod place;
mod by_itself;
mod cli;
mod errors;
mod answers;
mod waiting;
mod options;
mod looks;
mod clocks;
mod watching;
mod witness;
mod probes;

use std::collections::BTreeSet;
use std::path::Path;

/// A file without its `mod` line would never run and never be missed.
#[test]
fn no_file_of_the_suite_is_forgotten() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("suite");
    let named: BTreeSet<&str> = include_str!("main.rs")
        .lines()
        .filter_map(|line| line.strip_prefix("mod ")?.strip_suffix(';'))
        .collect();
    let mut files = BTreeSet::new();
    for entry in std::fs::read_dir(folder).expect("the suite is where Cargo found it") {
        let name = entry.expect("a folder can be listed").file_name();
        let name = name.to_string_lossy().trim_end_matches(".rs").to_owned();
        files.extend((name != "main" && name != "snapshots").then_some(name));
    }
    let named: BTreeSet<String> = named.into_iter().map(str::to_owned).collect();
    assert_eq!(files, named, "left: files in suite/, right: `mod` lines in suite/main.rs");
}
