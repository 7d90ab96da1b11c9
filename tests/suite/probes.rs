//! Files of real programs, good and damaged, before the probes that look into restored files.
//! `tests/fixtures/probes/make` made them.

mod kinds;

use std::path::Path;

use restore_verify::probe::choose::{Choice, by_content, look};
use restore_verify::probe::verdict::{Limits, Verdict};

/// Name, the probe that looks at it, and how many of a hundred changed bytes it must find: what a
/// checksum covers is found, what is text or picture data without one need not be.
const FILES: [(&str, &str, usize); 18] = [
    ("postgres.dump", "dump", 40),
    ("postgres-plain.dump", "dump", 0),
    ("postgres.sql", "dump", 0),
    ("mysql.sql", "dump", 0),
    ("sqlite.sql", "dump", 0),
    ("postgres.sql.gz", "dump", 95),
    ("postgres.dump.gz", "dump", 95),
    ("postgres.sql.bz2", "dump", 95),
    ("mysql.sql.xz", "dump", 95),
    ("mysql.sql.zst", "dump", 95),
    ("shop.sqlite", "sqlite", 10),
    ("tree.zip", "archive", 90),
    ("tree.tar", "archive", 0),
    ("tree.tar.gz", "archive", 98),
    ("tree.tar.xz", "archive", 98),
    ("picture.png", "image", 98),
    ("picture.jpg", "image", 0),
    ("document.pdf", "image", 0),
];

const PLACES: usize = 200;

fn fixture(name: &str) -> Vec<u8> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/probes");
    std::fs::read(folder.join(name)).expect("it is there")
}

/// What is said of `bytes` in a file of this name; `None` if no probe looks.
fn judge(name: &str, bytes: &[u8]) -> Option<(&'static str, Verdict)> {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join(name);
    crate::place::put(&path, bytes);
    let choice: Choice = by_content(&path, name.as_bytes()).expect("it can be read")?;
    Some((choice.name(), look(&path, choice, &Limits::default())))
}

#[test]
fn files_of_real_programs_pass() {
    for (name, probe, _) in FILES {
        assert_eq!(judge(name, &fixture(name)), Some((probe, Verdict::Passed)), "{name}");
    }
}

#[test]
fn no_file_that_was_cut_off_passes() {
    for (name, _, _) in FILES {
        let good = fixture(name);
        for part in 1..16 {
            // A tar is padded with zeros, and as good without them.
            let end = good.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1);
            let bytes = &good[..end * part / 16];
            let said = judge(name, bytes);
            assert!(
                matches!(said, Some((_, Verdict::Failed(_)))),
                "{name} cut to {part}/16: {said:?}"
            );
        }
        let is_script = ["shop.sqlite", "sqlite.sql"].contains(&name);
        let is_dump = !is_script && (name.contains(".sql") || name.contains(".dump"));
        match judge(name, b"") {
            Some(("kind", Verdict::Failed(_))) if is_dump => {}
            Some(("kind", Verdict::NotProved(_))) if !is_dump => {}
            other => panic!("{name} emptied: {other:?}"),
        }
    }
}

#[test]
fn changed_bytes_are_found_where_a_checksum_covers_them_and_never_stop_a_probe() {
    for (name, _, least) in FILES {
        let good = fixture(name);
        let mut found = 0;
        for place in 0..PLACES {
            let mut bytes = good.clone();
            bytes[good.len() * place / PLACES] ^= 0x11;
            let said = judge(name, &bytes);
            found += usize::from(!matches!(said, Some((_, Verdict::Passed))));
        }
        let share = found * 100 / PLACES;
        assert!(share >= least, "{name}: {share} of 100 changed bytes were found");
    }
}

/// 4 KiB of zeros in the middle, as a file system leaves after a crash.
#[test]
fn a_hole_in_the_middle_is_found_where_it_can_be() {
    for (name, _, least) in FILES.iter().filter(|(_, _, least)| *least > 0) {
        let mut bytes = fixture(name);
        let (from, to) = (bytes.len() / 3, (bytes.len() / 3 + 4096).min(bytes.len()));
        bytes[from..to].fill(0);
        let said = judge(name, &bytes);
        assert!(matches!(said, Some((_, Verdict::Failed(_)))), "{name} ({least}): {said:?}");
    }
}
