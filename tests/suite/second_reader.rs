//! What the engine writes, the second reader reads: same entries, same bytes, same cut points.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::Write as _;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{FileExt, MetadataExt, symlink};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use engine::base::monitor::Recording;
use engine::base::time::{Clock, SystemClock};
use engine::crypt::seal::Suite;
use engine::crypt::secret::SecretKey;
use engine::format::announcement::{EpochRecord, SlotSet};
use engine::format::history::{CopiedRecord, FoldRecord, JoinRecord, LockRecord};
use engine::format::machine::{Revocation, RunRecord};
use engine::format::slot::{KdfCost, Role};
use engine::index::identity::writer_identity;
use engine::repo::create::{CreateOptions, create};
use engine::repo::open::KeyFile;
use engine::repo::slots::{self, Wrapping};
use engine::repo::{Repo, announcement, history, machine, rotation};
use engine::store::{Location, Store, StoreOptions};
use system_tests::reader::Repository;
use system_tests::reader::cbor::Value;
use system_tests::reader::cut::{Profile, cut, gear};
use system_tests::reader::entry::{Content, Entry, Extent};
use system_tests::reader::tree::expected_shape;
use system_tests::reader::unlock::{Secret, list_slots};
use system_tests::world::{PASSPHRASE, World};

use crate::golden;

pub(crate) fn clock() -> Arc<dyn Clock> {
    Arc::new(SystemClock::default())
}

/// A store in a local folder.
pub(crate) fn folder_store(folder: &Path) -> Store {
    let location = Location::parse(folder.to_str().expect("a plain path")).expect("a location");
    Store::open(&location, &StoreOptions::default(), true).expect("a folder can be opened")
}

/// A repository of a suite in the folder `store` of the world.
fn world(suite: Suite) -> (World, PathBuf) {
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let at = folder.path().join("store");
    let options =
        CreateOptions { suite, cost: KdfCost::FLOOR, probe: false, ..CreateOptions::default() };
    let monitor = Recording::default();
    let made = create(&folder_store(&at), clock(), PASSPHRASE, &options, &monitor)
        .expect("a repository can be made");
    let mut world = World::around_in(made.repo, folder);
    world.recovery_words = made.recovery_words.to_string();
    (world, at)
}

pub(crate) fn put(path: &Path, bytes: &[u8]) {
    File::create(path).and_then(|mut file| file.write_all(bytes)).expect("a file can be written");
}

pub(crate) fn noise(seed: u8, length: usize) -> Vec<u8> {
    let mut bytes = vec![0; length];
    blake3::Hasher::new_keyed(&[seed; 32]).finalize_xof().fill(&mut bytes);
    bytes
}

/// Text that compresses, and never repeats.
fn text(seed: u8, length: usize) -> Vec<u8> {
    noise(seed, length / 2 + 1)
        .iter()
        .flat_map(|byte| [b'a' + byte % 16, b' '])
        .take(length)
        .collect()
}

/// A tree with every kind of content and enough entries for inner nodes.
fn make_source(at: &Path) {
    fs::create_dir_all(at.join("many")).expect("a folder can be made");
    fs::create_dir(at.join("empty")).expect("a folder can be made");
    put(&at.join("nothing"), b"");
    put(&at.join("inline"), &noise(1, 512));
    put(&at.join("one chunk"), &text(2, 513));
    put(&at.join("one chunk of 64 KiB"), &text(3, 65_536));
    put(&at.join("many chunks"), &text(4, 700_001));
    put(&at.join("media"), &noise(5, 5_000_000));
    put(&at.join("extent tree"), &text(6, 6_000_000));
    put(&at.join("pages"), &[b"SQLite format 3\0".to_vec(), text(7, 100_000)].concat());
    put(&at.join("zeros"), &vec![0; 300_000]);
    let sparse = File::create(at.join("sparse")).expect("a file can be made");
    sparse.set_len(40_000_000).expect("a file can grow");
    sparse.write_all_at(&text(8, 200_000), 1 << 20).expect("a file can be written");
    sparse.write_all_at(b"the end", 39_000_000).expect("a file can be written");
    for number in 0..700_u32 {
        let name = format!("{}\u{e4} {number}", blake3::hash(&number.to_le_bytes()).to_hex());
        put(&at.join("many").join(&name[32..]), name.as_bytes());
    }
    symlink("../nowhere", at.join("link")).expect("a link can be made");
    fs::hard_link(at.join("many chunks"), at.join("another name")).expect("a link can be made");
    let fifo = rustix::fs::FileType::Fifo;
    rustix::fs::mknodat(rustix::fs::CWD, at.join("pipe"), fifo, 0o640.into(), 0)
        .expect("a pipe can be made");
}

fn source_paths(at: &Path, found: &mut Vec<PathBuf>) {
    found.push(at.to_owned());
    if at.is_dir() && !at.is_symlink() {
        for entry in fs::read_dir(at).expect("a folder can be listed") {
            source_paths(&entry.expect("a folder can be listed").path(), found);
        }
    }
}

/// The key of an absolute path.
fn key_of(path: &Path) -> Vec<u8> {
    let bytes = path.as_os_str().as_bytes();
    bytes[1..].iter().map(|byte| if *byte == b'/' { 0 } else { *byte }).collect()
}

fn assert_same(path: &Path, entry: &Entry, repository: &Repository) {
    let facts = fs::symlink_metadata(path).expect("the source is still there");
    let kind = match facts.mode() & 0o170_000 {
        0o100_000 => 1,
        0o040_000 => 2,
        0o120_000 => 3,
        0o010_000 => 4,
        _ => 0,
    };
    let shown = path.display();
    assert_eq!(entry.kind, kind, "{shown}");
    assert_eq!(entry.mode, u64::from(facts.mode() & 0o7777), "{shown}");
    assert_eq!(entry.owner, (u64::from(facts.uid()), u64::from(facts.gid())), "{shown}");
    assert_eq!(entry.mtime, (facts.mtime(), facts.mtime_nsec() as u32), "{shown}");
    assert_eq!(entry.inode, (facts.dev(), facts.ino()), "{shown}");
    match kind {
        1 => {
            assert_eq!(entry.size, facts.len(), "{shown}");
            let content = repository.content(entry).expect("the content can be read");
            assert!(content == fs::read(path).expect("the source is readable"), "{shown}");
        }
        3 => {
            let target = fs::read_link(path).expect("a link can be read");
            assert_eq!(entry.target.as_deref(), Some(target.as_os_str().as_bytes()));
        }
        _ => assert_eq!((entry.size, &entry.content), (0, &None), "{shown}"),
    }
}

/// Every path of the source is an entry with the same facts and bytes, and nothing else is there.
fn assert_read_back(repository: &Repository, root: &[u8; 32], source: &Path) -> Vec<Entry> {
    let entries = repository.entries(root).expect("the tree can be walked");
    let by_key: BTreeMap<_, _> = entries.iter().map(|e| (e.key.clone(), e)).collect();
    let mut paths = Vec::new();
    source_paths(source, &mut paths);
    for path in &paths {
        let entry = by_key.get(&key_of(path)).expect("each path is an entry");
        assert_same(path, entry, repository);
    }
    let below = key_of(source);
    let extra = entries.iter().filter(|entry| {
        entry.key.starts_with(&below) && !paths.iter().any(|path| key_of(path) == entry.key)
    });
    assert_eq!(extra.count(), 0);
    entries
}

fn lengths(repository: &Repository, entry: &Entry) -> Vec<u64> {
    let extents = repository.extents(entry).expect("the extents can be read");
    extents.iter().map(Extent::length).collect()
}

/// Nodes end, and files are cut, where the document says.
fn assert_shapes(repository: &Repository, root: &[u8; 32], source: &Path, entries: &[Entry]) {
    let keys: Vec<_> = entries.iter().map(|entry| entry.key.clone()).collect();
    let tree = repository.config().expect("it was opened whole").tree;
    let shape = repository.shape(root).expect("the tree can be walked");
    assert_eq!(shape, expected_shape(&keys, tree));
    assert!(shape.len() > 1, "no inner node: {shape:?}");

    let gear = gear(&repository.keys().cut_key(0).expect("an administrator has it"));
    let entry = |name: &str| {
        let key = key_of(&source.join(name));
        entries.iter().find(|entry| entry.key == key).expect("it was backed up")
    };
    let read = |name: &str| fs::read(source.join(name)).expect("the source is readable");
    for name in ["many chunks", "extent tree"] {
        let wanted = cut(&read(name), &gear, Profile::General);
        assert_eq!(lengths(repository, entry(name)), wanted, "{name}");
    }
    let wanted = cut(&read("media"), &gear, Profile::Media);
    assert_eq!(lengths(repository, entry("media")), wanted);
    let pages = lengths(repository, entry("pages"));
    assert!(pages[..pages.len() - 1].iter().all(|length| *length == 16_384), "{pages:?}");
    assert_eq!(lengths(repository, entry("one chunk of 64 KiB")), [65_536]);
    assert_eq!(lengths(repository, entry("zeros")), [300_000]);
    let count = lengths(repository, entry("extent tree")).len();
    assert!(count > 24, "only {count} extents");
    let content = |name: &str| entry(name).content.clone().expect("a file has content");
    assert!(matches!(content("extent tree"), Content::Tree { .. }));
    assert!(matches!(content("sparse"), Content::Extents(all) if all.len() > 3));
    assert!(matches!(content("inline"), Content::Inline(_)));
}

/// A key file for a new slot of `role`.
pub(crate) fn key_file(repo: &Repo, suite: Suite, role: Role) -> String {
    assert_eq!(repo.keys().suite(), suite);
    let bundle = repo.keys().cut_for(role, 0, None).expect("an administrator made it");
    let key = SecretKey::random();
    let slot = slots::add(repo, "a file", &bundle, &Wrapping::KeyFile(&key), repo.clock().now())
        .expect("a slot can be added");
    KeyFile { repository: repo.config().repository, slot, key }.to_text().to_string()
}

fn round_trip(suite: Suite) {
    let (mut world, at) = world(suite);
    let source = world.new_folder("source");
    make_source(&source);
    world.backup(&source).expect("the backup runs");
    let first = Repository::open(&at, &Secret::Passphrase(PASSPHRASE)).expect("it opens");
    let snapshots = first.snapshots().expect("snapshots can be listed");
    assert_eq!(snapshots.len(), 1);
    let one = &snapshots[0];
    assert_eq!((one.host.as_str(), one.state, one.previous), ("test-host", 1, None));
    let entries = assert_read_back(&first, &one.root, &source);
    assert_eq!(one.entry_count, entries.len() as u64);
    assert_shapes(&first, &one.root, &source, &entries);
    first.session(&hex(&one.session)).expect("the session's record can be read");

    // The second one is of another epoch.
    let early = key_file(&world.repo, suite, Role::Restore);
    let left_out = key_file(&world.repo, suite, Role::Verify);
    let id = left_out.lines().find_map(|line| line.strip_prefix("slot ")).expect("it has one");
    let slot = fs::read(at.join("keys").join(id)).expect("it is there");
    slots::remove(&world.repo, id).expect("an administrator may");
    rotation::rotate(&mut world.repo).expect("an administrator may");
    put(&source.join("many chunks"), &text(9, 700_001));
    fs::remove_file(source.join("nothing")).expect("a file can be removed");
    world.backup(&source).expect("the second backup runs");
    let words = Secret::Words(&world.recovery_words);
    let second = Repository::open(&at, &words).expect("the words open it");
    let mut snapshots = second.snapshots().expect("snapshots can be listed");
    snapshots.retain(|snapshot| snapshot.session != one.session);
    assert_eq!(snapshots.len(), 1);
    let two = &snapshots[0];
    assert_eq!(two.previous, Some(one.commit));
    let entries = assert_read_back(&second, &two.root, &source);
    assert_shapes(&second, &two.root, &source, &entries);
    let before = second.entries(&one.root).expect("the first one can be walked");
    assert_eq!(before.len(), entries.len() + 1);

    let text = key_file(&world.repo, suite, Role::Restore);
    let third = Repository::open(&at, &Secret::KeyFile(&text)).expect("the key file opens it");
    assert_read_back(&third, &two.root, &source);
    let given = Repository::open(&at, &Secret::KeyFile(&early)).expect("it got the new keys");
    assert_read_back(&given, &two.root, &source);
    let before = given.entries(&one.root).expect("the first one can be walked");
    assert_eq!(before.len(), entries.len() + 1);
    put(&at.join("keys").join(id), &slot);
    let refused = Repository::open(&at, &Secret::KeyFile(&left_out)).err();
    assert!(refused.is_some_and(|why| why.contains("was not given")), "it was removed");
    fs::remove_file(at.join("keys").join(id)).expect("it is there");
    let controls: Vec<_> = third.keys().epochs.iter().map(|epoch| epoch.control).collect();
    let slots = list_slots(&at, world.repo.config().repository.as_bytes(), &controls);
    let slots = slots.expect("slots can be listed");
    let mut roles: Vec<_> = slots.iter().map(|s| s.1).collect();
    roles.sort_unstable();
    assert_eq!(roles, [4, 4, 5, 5]);
    // The set in force has the same ones, and none that was removed.
    let stored: BTreeMap<_, _> = slots.iter().map(|slot| (slot.0.clone(), slot.1)).collect();
    let (signed, removed) = third.signed_slots().expect("the sets are genuine");
    assert_eq!((&signed, removed.len()), (&stored, 1));
    let gone = stored.keys().find(|key| stored[*key] == 4).expect("the key file").clone();
    engine::repo::slots::remove(&world.repo, &gone["keys/".len()..]).expect("it can be removed");
    let (signed, removed) = third.signed_slots().expect("the sets are genuine");
    assert!(signed.len() == 3 && removed.contains(&gone), "{signed:?} {removed:?}");
}

fn hex(bytes: &[u8]) -> String {
    system_tests::reader::disk::hex(bytes)
}

#[test]
fn the_second_reader_reads_a_repository_of_suite_1() {
    round_trip(Suite::XWing);
}

#[test]
fn the_second_reader_reads_a_repository_of_suite_2() {
    round_trip(Suite::X25519);
}

#[test]
fn packs_and_a_slot_suffice() {
    let (world, at) = world(Suite::X25519);
    let source = world.new_folder("source");
    make_source(&source);
    world.backup(&source).expect("the backup runs");
    for lost in ["clients", "sess", "index", "snap"] {
        fs::remove_dir_all(at.join(lost)).expect("it is there");
    }
    let config = format!("config-{}", world.repo.config().repository);
    fs::remove_file(at.join(config)).expect("it is there");
    let left = Repository::recover(&at, &Secret::Passphrase(PASSPHRASE)).expect("packs open");
    let roots = left.roots().expect("all nodes can be read");
    let [root] = roots.as_slice() else { panic!("{} roots", roots.len()) };
    assert_read_back(&left, root, &source);
}

#[test]
fn a_role_that_reads_names_reads_no_content() {
    let (world, at) = world(Suite::XWing);
    let source = world.new_folder("source");
    put(&source.join("file"), &text(1, 2000));
    world.backup(&source).expect("the backup runs");
    let names = key_file(&world.repo, Suite::XWing, Role::Maintain);
    let opened = Repository::open(&at, &Secret::KeyFile(&names)).expect("it opens");
    let root = opened.snapshots().expect("snapshots can be listed")[0].root;
    let entries = opened.entries(&root).expect("names can be read");
    let file = entries.last().expect("there is the file");
    assert!(opened.content(file).is_err());
    let nothing = key_file(&world.repo, Suite::XWing, Role::Backup);
    let opened = Repository::open(&at, &Secret::KeyFile(&nothing)).expect("it opens");
    assert_eq!(opened.snapshots(), Err("this role cannot read names".to_owned()));
    assert!(opened.entries(&root).is_err());
}

#[test]
fn the_second_reader_shares_no_code_with_the_product() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/reader");
    let mut file_count = 0;
    for entry in fs::read_dir(folder).expect("the reader is there") {
        let path = entry.expect("a folder can be listed").path();
        let text = fs::read_to_string(&path).expect("a source file is text");
        for shared in ["engine", "mainstay_", "cli::", "super::", "minicbor", "fastcdc"] {
            assert!(!text.contains(shared), "{} names {shared}", path.display());
        }
        let inside = text.matches("crate::reader").count();
        assert_eq!(text.matches("crate::").count(), inside, "{}", path.display());
        file_count += 1;
    }
    assert!(file_count > 5, "only {file_count} files");
}

#[test]
fn the_second_reader_reads_what_is_told_of_machines() {
    let (world, at) = world(Suite::X25519);
    let repo = &world.repo;
    let identity = writer_identity(repo, &world.index, "host").expect("an administrator");
    let client = identity.client;
    let revoked = Revocation { client, ..golden::machines::revocation() };
    machine::put_revocation(repo, &revoked).expect("an administrator may");
    let run = RunRecord { client, ..golden::machines::run() };
    machine::put_run(repo, &identity, &run).expect("it is stored");
    machine::put_conf(repo, &identity, 2, &golden::machines::configuration()).expect("stored");
    let opened = Repository::open(&at, &Secret::Passphrase(PASSPHRASE)).expect("it opens");
    let records = opened.machine_records().expect("they are genuine");
    let text = |number: usize, field| {
        records[number].1.field(field).and_then(|value| Ok(value.text()?.to_owned()))
    };
    assert_eq!(records.len(), 3);
    assert_eq!(text(0, 2), Ok("stolen".to_owned()));
    assert_eq!(text(1, 2), Ok("backup".to_owned()));
    assert_eq!(text(2, 1), Ok("daily 03:00".to_owned()));
}

#[test]
fn the_second_reader_reads_what_nothing_writes_yet() {
    let (world, at) = world(Suite::X25519);
    let (repo, repository) = (&world.repo, world.repo.config().repository);
    let identity = writer_identity(repo, &world.index, "host").expect("an administrator");
    let (client, by) = (identity.client, identity.client);
    let join = JoinRecord { client, ..golden::history::join() };
    history::put_join(repo, &identity, &join).expect("it is stored");
    history::put_fold(repo, &identity, &FoldRecord { by, ..golden::history::fold() })
        .expect("it is stored");
    let session = engine::repo::session::new_id(&identity, 9);
    let copied = CopiedRecord { session, ..golden::history::copied() };
    history::put_copied(repo, &identity, &copied).expect("it is stored");
    history::put_lock(repo, &identity, &LockRecord { by, ..golden::history::lock() })
        .expect("it is stored");
    let slots = Vec::new();
    announcement::put_slot_set(repo, &SlotSet { repository, slots, ..golden::history::slot_set() })
        .expect("an administrator may");
    announcement::put_epoch(repo, &EpochRecord { repository, ..golden::history::epoch() })
        .expect("an administrator may");
    let opened = Repository::open(&at, &Secret::Passphrase(PASSPHRASE)).expect("it opens");
    let records = opened.history_records().expect("they are genuine");
    let numbers = |records: &[(String, Value)], field| {
        records.iter().map(|(_, record)| record.field(field).is_ok()).collect::<Vec<_>>()
    };
    assert_eq!(numbers(&records, 3), [true; 4], "{records:?}");
    let folded = records[1].1.field(4).and_then(|all| Ok(all.items()?.len()));
    assert_eq!(folded, Ok(1));
    let announced = opened.announcements().expect("they are genuine");
    assert_eq!(announced.len(), 3);
    assert_eq!(numbers(&announced, 4), [true; 3], "{announced:?}");
    let check = world.check_all().expect("the check runs");
    assert!(check.is_sound() && check.foreign_keys.is_empty(), "{check:?}");
}
