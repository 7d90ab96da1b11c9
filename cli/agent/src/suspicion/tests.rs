//! A year of a file server, with ten disasters that must be found and ten ordinary changes that must not.

use crate::config::promise::Suspicious;
use crate::state::Facts;
use crate::suspicion::{HISTORY, Names, reasons};

const GIB: u64 = 1 << 30;

/// The nights of a year: a server that grows, with mornings after a weekend and month ends.
fn nights() -> Vec<Facts> {
    let mut found = Vec::new();
    let (mut files, mut bytes) = (40_000_u64, 80 * GIB);
    for day in 0..365_u64 {
        let is_weekend = day % 7 >= 5;
        let new = if is_weekend { 20 << 20 } else { (300 + day * 37 % 400) << 20 };
        let added = if is_weekend { 3 } else { 40 + day * 13 % 60 };
        let removed_files = if is_weekend { 0 } else { 10 + day * 7 % 30 };
        files = files + added - removed_files;
        bytes += new / 3;
        found.push(Facts {
            files,
            bytes,
            new_bytes: new,
            stored_bytes: new * 6 / 10,
            removed_files,
            filter: 1,
        });
    }
    found
}

fn judged(history: &[Facts], now: &Facts, names: Option<&Names>) -> Vec<String> {
    let newest: Vec<Facts> = history.iter().rev().take(HISTORY as usize).copied().collect();
    reasons(&newest, now, names, &Suspicious::default())
}

#[test]
fn no_ordinary_night_is_suspicious() {
    let nights = nights();
    for day in 1..nights.len() {
        let found = judged(&nights[..day], &nights[day], None);
        assert!(found.is_empty(), "day {day}: {found:?}");
    }
}

/// A night like another, but for what is changed in it.
type Case = (&'static str, fn(&mut Facts), Option<Names>);

fn names(added: u64, removed: u64, ending: &str, with: u64, without: u64) -> Option<Names> {
    Some(Names {
        added,
        removed,
        ending: ending.to_owned(),
        added_with_ending: with,
        removed_with_ending: without,
    })
}

/// Sets how much is new and how much of the store it takes, in GiB.
fn new(facts: &mut Facts, new: u64, stored: u64) {
    (facts.new_bytes, facts.stored_bytes) = (new * GIB, stored * GIB);
}

fn disasters() -> [Case; 10] {
    [
        ("a mount that is missing", |it| (it.files, it.bytes) = (12, 4096), None),
        ("a share that lost half of its folders", |it| it.files /= 2, None),
        ("everything emptied to zero bytes", |it| it.bytes = 0, None),
        ("files cut to a tenth", |it| it.bytes /= 10, None),
        ("a runaway log", |it| (it.bytes, it.new_bytes) = (it.bytes * 6, it.bytes * 5), None),
        ("encrypted in place", |it| (it.new_bytes, it.stored_bytes) = (it.bytes, it.bytes), None),
        (
            "two thirds encrypted when the backup ran",
            |it| (it.new_bytes, it.stored_bytes) = (it.bytes * 2 / 3, it.bytes * 66 / 100),
            None,
        ),
        (
            "encrypted and renamed",
            |it| it.removed_files = 38_000,
            names(38_000, 38_000, "locked", 37_900, 0),
        ),
        (
            "an exclude that swallows a folder",
            |it| (it.files, it.removed_files, it.filter) = (it.files * 3 / 4, it.files / 4, 2),
            None,
        ),
        ("all but a few files deleted", |it| (it.files, it.bytes) = (25, 1 << 20), None),
    ]
}

fn ordinary() -> [Case; 10] {
    [
        ("logs are rotated", |it| new(it, 2, 1), names(400, 400, "gz", 390, 380)),
        ("the system is upgraded", |it| new(it, 9, 4), names(5500, 2500, "so", 900, 400)),
        (
            "an archive is moved to another folder",
            |it| it.removed_files = 9000,
            names(9000, 9000, "pdf", 7500, 7500),
        ),
        (
            "a quarter is taken to an archive",
            |it| (it.files, it.bytes) = (it.files * 3 / 4, it.bytes * 3 / 4),
            None,
        ),
        (
            "photographs of a wedding come in",
            |it| {
                it.bytes += 60 * GIB;
                new(it, 60, 60);
            },
            None,
        ),
        (
            "a video is cut",
            |it| {
                it.bytes += 40 * GIB;
                new(it, 45, 45);
            },
            None,
        ),
        (
            "a new filter leaves out caches",
            |it| (it.files, it.removed_files, it.filter) = (it.files - 900, 900, 2),
            None,
        ),
        (
            "a project is cleaned",
            |it| (it.files, it.bytes) = (it.files - 8000, it.bytes - GIB),
            None,
        ),
        ("documents are converted", |it| new(it, 2, 2), names(3000, 3000, "docx", 3000, 0)),
        ("nothing at all", |it| new(it, 0, 0), None),
    ]
}

fn played((_, change, names): &Case) -> Vec<String> {
    let nights = nights();
    let mut now = nights[299];
    change(&mut now);
    judged(&nights[..300], &now, names.as_ref())
}

#[test]
fn disasters_are_found_and_said_with_their_numbers() {
    for case in disasters() {
        let found = played(&case);
        assert!(!found.is_empty(), "{} is not found", case.0);
        let has_number = |words: &String| words.bytes().any(|byte| byte.is_ascii_digit());
        assert!(found.iter().all(has_number), "{found:?}");
    }
    // A dump has one file.
    let dump = Facts { files: 1, bytes: 3 * GIB, new_bytes: GIB, ..Facts::default() };
    for bytes in [0, 900, 3 * GIB / 6] {
        let found = judged(&[dump; 10], &Facts { bytes, ..dump }, None);
        assert!(!found.is_empty(), "{bytes} bytes");
    }
}

#[test]
fn ordinary_changes_are_not_suspicious() {
    for case in ordinary() {
        let found = played(&case);
        assert!(found.is_empty(), "{}: {found:?}", case.0);
    }
    // Nothing is known of what is usual before there were a few.
    assert!(judged(&nights()[..1], &Facts::default(), None).is_empty());
    // A small source changes by large shares.
    let small = Facts { files: 8, bytes: 900, new_bytes: 100, ..Facts::default() };
    assert!(judged(&[small; 5], &Facts { files: 3, bytes: 100, ..small }, None).is_empty());
}
