//! A repository of every format version that was ever released is still restored, by both readers.
//!
//! Version 1 never was: its repository is refused, in words that say what to do. Of the others
//! `tests/fixtures/formats/vN/` holds a repository in `store/`, and a `manifest`: one line for each
//! path with kind, mode, mtime, size, BLAKE3 of content or link target, and the path below the
//! source in hexadecimal. `make_the_current_version` writes that of the running engine.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{MetadataExt, symlink};
use std::path::{Path, PathBuf};
use std::time::{Duration, UNIX_EPOCH};

use engine::base::error::{Classified, ErrorClass};
use engine::format::envelope::VERSION;
use engine::repo::open::{Unlock, open};
use system_tests::reader::Repository;
use system_tests::reader::disk::hex;
use system_tests::reader::unlock::Secret;
use system_tests::world::{PASSPHRASE, World};

use crate::second_reader::{clock, folder_store, put};

/// Versions that are read; the tests below run for each.
const VERSIONS: [u8; 1] = [2];
/// Versions that no released program wrote.
const UNRELEASED: [u8; 1] = [1];

fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/formats")
}

fn fixture(version: u8) -> PathBuf {
    fixtures().join(format!("v{version}"))
}

/// A manifest: facts by path below the source.
type Manifest = BTreeMap<String, String>;

fn manifest(version: u8) -> Manifest {
    let text = fs::read_to_string(fixture(version).join("manifest")).expect("it is there");
    let split = |line: &str| line.rsplit_once(' ').map(|(a, b)| (b.to_owned(), a.to_owned()));
    text.lines().map(|line| split(line).expect("a line has a path")).collect()
}

fn facts(kind: char, mode: u64, mtime: (i64, u32), size: u64, content: &[u8]) -> String {
    let (seconds, nanos) = mtime;
    format!("{kind} {mode:04o} {seconds}.{nanos:09} {size} {}", blake3::hash(content).to_hex())
}

fn add_facts(top: &Path, at: &Path, found: &mut Manifest) {
    let metadata = fs::symlink_metadata(at).expect("it is there");
    let (kind, size, content) = if metadata.is_dir() {
        ('d', 0, Vec::new())
    } else if metadata.is_symlink() {
        let target = fs::read_link(at).expect("a link can be read");
        ('l', 0, target.as_os_str().as_bytes().to_vec())
    } else {
        ('f', metadata.len(), fs::read(at).expect("a file can be read"))
    };
    let mtime = (metadata.mtime(), metadata.mtime_nsec() as u32);
    let below = at.strip_prefix(top).expect("it is below the top").as_os_str().as_bytes();
    let line = facts(kind, u64::from(metadata.mode() & 0o7777), mtime, size, &content);
    found.insert(format!("/{}", hex(below)), line);
    if metadata.is_dir() {
        for entry in fs::read_dir(at).expect("a folder can be listed") {
            add_facts(top, &entry.expect("a folder can be listed").path(), found);
        }
    }
}

fn folder_facts(top: &Path) -> Manifest {
    let mut found = Manifest::new();
    add_facts(top, top, &mut found);
    found
}

/// A copy of the fixture's store, opened; the fixture itself is never touched.
fn opened(version: u8) -> (World, PathBuf) {
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let at = folder.path().join("store");
    copy(&fixture(version).join("store"), &at);
    let repo = open(&folder_store(&at), clock(), &Unlock::Passphrase(PASSPHRASE))
        .expect("the repository opens");
    (World::around_in(repo, folder), at)
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("a folder can be made");
    for entry in fs::read_dir(from).expect("a folder can be listed") {
        let path = entry.expect("a folder can be listed").path();
        let target = to.join(path.file_name().expect("it has a name"));
        if path.is_dir() {
            copy(&path, &target);
        } else {
            fs::copy(&path, &target).expect("a file can be copied");
        }
    }
}

#[test]
fn every_version_has_a_fixture_and_every_fixture_is_tested() {
    let mut found: Vec<String> = fs::read_dir(fixtures())
        .expect("the fixtures are there")
        .map(|entry| entry.expect("a folder can be listed").file_name())
        .map(|name| name.to_string_lossy().into_owned())
        .collect();
    found.sort();
    let wanted: Vec<String> = (1..=VERSION).map(|version| format!("v{version}")).collect();
    assert_eq!(found, wanted);
    let all = [&UNRELEASED[..], &VERSIONS[..]].concat();
    assert_eq!(all, (1..=VERSION).collect::<Vec<_>>());
}

#[test]
fn what_was_never_released_is_refused_by_its_name() {
    for version in UNRELEASED {
        let folder = tempfile::tempdir().expect("a temporary folder can be made");
        let at = folder.path().join("store");
        copy(&fixture(version).join("store"), &at);
        let refused = open(&folder_store(&at), clock(), &Unlock::Passphrase(PASSPHRASE));
        let error = refused.expect_err("nobody reads it");
        assert_eq!(error.class(), ErrorClass::Early);
        let words =
            format!("the repository has format version {version}, which was never released");
        assert_eq!(error.to_string(), words);
        assert!(Repository::open(&at, &Secret::Passphrase(PASSPHRASE)).is_err());
    }
}

#[test]
fn the_engine_restores_every_version() {
    for version in VERSIONS {
        let (world, _) = opened(version);
        assert_eq!(world.repo.keys().epochs().collect::<Vec<_>>(), [0, 1]);
        let snapshots = world.snapshots();
        assert_eq!(snapshots.len(), 2);
        let newest = world.newest();
        let source = PathBuf::from(std::ffi::OsStr::from_bytes(&newest.paths[0].0));
        let target = world.folder.path().join("restored");
        world.restore(&newest, &source, &target).expect("the restore runs");
        assert_eq!(folder_facts(&target), manifest(version));
        let report = world.check_all().expect("the check runs");
        assert!(report.is_sound(), "{report:#?}");
    }
}

#[test]
fn the_second_reader_restores_every_version() {
    for version in VERSIONS {
        let store = fixture(version).join("store");
        let opened = Repository::open(&store, &Secret::Passphrase(PASSPHRASE)).expect("it opens");
        let snapshots = opened.snapshots().expect("snapshots can be listed");
        let newest = snapshots.iter().find(|one| one.previous.is_some()).expect("the second one");
        let top: Vec<u8> =
            newest.paths[0][1..].iter().map(|byte| if *byte == b'/' { 0 } else { *byte }).collect();
        let mut found = Manifest::new();
        for entry in opened.entries(&newest.root).expect("the tree can be walked") {
            let Some(below) = entry.key.strip_prefix(top.as_slice()) else { continue };
            let below: Vec<u8> =
                below.iter().map(|byte| if *byte == 0 { b'/' } else { *byte }).collect();
            let (kind, size, content) = match entry.kind {
                1 => ('f', entry.size, opened.content(&entry).expect("the content is there")),
                2 => ('d', 0, Vec::new()),
                3 => ('l', 0, entry.target.clone().expect("a link has a target")),
                other => panic!("an entry of kind {other}"),
            };
            let line = facts(kind, entry.mode, entry.mtime, size, &content);
            found.insert(format!("/{}", hex(below.strip_prefix(b"/").unwrap_or(&below))), line);
        }
        assert_eq!(found, manifest(version));
    }
}

fn set_time(path: &Path, seconds: u64) {
    let time = UNIX_EPOCH + Duration::new(1_600_000_000 + seconds, 123_456_789);
    File::open(path).and_then(|file| file.set_modified(time)).expect("a time can be set");
}

/// Pages that differ and compress: a file of many extents that takes little room.
fn pages(count: usize) -> Vec<u8> {
    let page = |number: usize| format!("page {number:011} ").repeat(16_384 / 17 + 1).into_bytes();
    let mut bytes = b"SQLite format 3\0".to_vec();
    for number in 0..count {
        bytes.extend_from_slice(&page(number)[..16_384]);
    }
    bytes
}

/// Writes the fixture of the running engine's version.
#[test]
#[ignore = "writes into the source tree; only when a version of the format is made"]
fn make_the_current_version() {
    let fixture = fixture(VERSION);
    assert!(!fixture.exists(), "remove {} first", fixture.display());
    let mut world = World::create(&folder_store(&fixture.join("store")));
    let source = world.new_folder("source");
    fs::create_dir(source.join("many")).expect("a folder can be made");
    fs::create_dir(source.join("empty")).expect("a folder can be made");
    for number in 0..300_u32 {
        let name = format!("entry {number}");
        put(&source.join("many").join(&name), name.as_bytes());
        set_time(&source.join("many").join(&name), u64::from(number));
    }
    put(&source.join("nothing"), b"");
    put(&source.join("one chunk"), &b"a line of text\n".repeat(1000));
    put(&source.join("extent tree"), &pages(30));
    put(&source.join("holes"), &[&[0; 100_000][..], b"between", &[0; 100_000]].concat());
    put(&source.join("Gr\u{fc}\u{df}e"), b"not only ASCII");
    symlink("one chunk", source.join("link")).expect("a link can be made");
    world.backup(&source).expect("the first backup runs");
    engine::repo::rotation::rotate(&mut world.repo).expect("an administrator may");
    put(&source.join("one chunk"), &b"another line\n".repeat(1000));
    for (path, seconds) in [("many", 1000), ("empty", 1001), ("one chunk", 1002), ("", 1003)] {
        set_time(&source.join(path), seconds);
    }
    world.backup(&source).expect("the second backup runs");
    let lines = folder_facts(&source).into_iter();
    let text: String = lines.map(|(path, facts)| format!("{facts} {path}\n")).collect();
    put(&fixture.join("manifest"), text.as_bytes());
}
