//! What the target has already is not fetched again: in files that are replaced, and in what a run that
//! was killed left.

use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use serde_json::Value;

use system_tests::trees::put;

use crate::place::{Place, last_json, noise};

const MIB: usize = 1024 * 1024;
const IMAGE_BYTES: usize = 64 * MIB;

/// A snapshot of one large file; answers its content.
fn with_image() -> (Place, Vec<u8>) {
    let place = Place::with_repository();
    let content = noise(IMAGE_BYTES);
    put(&place.path("source/image"), &content);
    place.backup();
    (place, content)
}

fn source(place: &Place) -> String {
    format!("latest:{}", place.path("source/image").canonicalize().expect("it is there").display())
}

fn restore(place: &Place, more: &[&str]) -> Value {
    let (from, target) = (source(place), place.path("out").display().to_string());
    let words = ["restore", &from, "--target", &target, "--overwrite", "always", "--json", "-q"];
    last_json(&place.run(words.iter().copied().chain(more.iter().copied())).expect(0))
}

fn number(summary: &Value, name: &str) -> usize {
    summary[name].as_u64().and_then(|number| usize::try_from(number).ok()).expect("a number")
}

fn is_whole(path: &Path, content: &[u8]) -> bool {
    std::fs::read(path).expect("it is there") == content
}

fn damage(path: &Path, places: &[(usize, usize)]) {
    let file = std::fs::File::options().write(true).open(path).expect("it is there");
    for (offset, length) in places {
        file.write_all_at(&vec![0xA5; *length], *offset as u64).expect("written");
    }
}

#[test]
fn of_a_file_that_is_there_only_what_differs_is_fetched() {
    let (place, content) = with_image();
    let image = place.path("out/image");
    put(&image, &content);
    damage(&image, &[(7 * MIB + 5, 300_000), (40 * MIB, 300_000)]);
    let (before, link) = (std::fs::File::open(&image).expect("it is there"), place.path("link"));
    std::fs::hard_link(&image, &link).expect("made");
    let summary = restore(&place, &[]);
    assert!(is_whole(&image, &content));
    let (fetched, reused) = (number(&summary, "bytes_fetched"), number(&summary, "bytes_reused"));
    assert!(reused > 50 * MIB && reused < IMAGE_BYTES, "{summary}");
    assert!((1..12 * MIB).contains(&fetched), "{summary}");
    // It was replaced as a whole: whoever had it open, and its other name, have the old content.
    let mut old = vec![0; 300_000];
    before.read_exact_at(&mut old, (7 * MIB + 5) as u64).expect("it can be read");
    assert!(old.iter().all(|byte| *byte == 0xA5) && !is_whole(&link, &content));
    // The same in its place.
    damage(&image, &[(20 * MIB, 10)]);
    let summary = restore(&place, &["--in-place"]);
    assert!(is_whole(&image, &content));
    assert!(number(&summary, "bytes_fetched") < 6 * MIB, "{summary}");
    assert!(number(&summary, "bytes_reused") > 55 * MIB, "{summary}");
}

/// Something else of any length, and what is no file.
#[test]
fn what_is_another_file_is_replaced_as_ever() {
    let (place, content) = with_image();
    let image = place.path("out/image");
    let mut shorter = noise(3 * MIB);
    shorter.rotate_left(1);
    let longer = [&content[..], b"more"].concat();
    for (other, reuses) in [(&shorter[..], false), (&longer[..], true), (&b""[..], false)] {
        put(&image, other);
        let summary = restore(&place, &[]);
        assert!(is_whole(&image, &content));
        assert_eq!(number(&summary, "bytes_reused") > 60 * MIB, reuses, "{summary}");
    }
    std::fs::remove_file(&image).expect("it is there");
    std::os::unix::fs::symlink("/dev/zero", &image).expect("made");
    restore(&place, &[]);
    assert!(is_whole(&image, &content));
}

fn files(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        match entry.path().is_dir() {
            true => files(&entry.path(), found),
            false => found.push(entry.path()),
        }
    }
}

#[test]
fn a_killed_run_is_gone_on_with_inside_a_file() {
    let (place, content) = with_image();
    std::fs::create_dir_all(place.path("out")).expect("a folder");
    let (from, target) = (source(&place), place.path("out").display().to_string());
    let mut has_left = false;
    for round in 0..8_u64 {
        let words = ["restore", &from, "--target", &target, "--overwrite", "always", "-q"];
        let mut command = place.command(words);
        let mut child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("begun");
        std::thread::sleep(Duration::from_millis(60 + round * 25));
        if child.try_wait().expect("it is ours").is_some() {
            break;
        }
        child.kill().expect("it is ours");
        child.wait().expect("it ends");
        let mut found = Vec::new();
        files(&place.path("out"), &mut found);
        let has_some = |path: &PathBuf| {
            use std::os::unix::fs::MetadataExt;
            path.metadata().is_ok_and(|it| it.blocks() >= 8192)
        };
        has_left = !place.path("out/image").exists() && found.iter().any(has_some);
    }
    let summary = restore(&place, &[]);
    assert!(is_whole(&place.path("out/image"), &content));
    assert!(!has_left || number(&summary, "bytes_reused") > 0, "{summary}");
}
