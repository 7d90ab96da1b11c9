//! Tests of opening: what is ours stays, everything else is moved aside, no damage goes unnoticed
//! in a way that matters.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use proptest::prelude::*;

use super::*;
use crate::base::error::{Classified, ErrorClass};
use crate::index::place::ChunkPlace;
use crate::index::sample::{NOW, REPOSITORY, empty, id, open, pack, segment, session};

/// The file of an index with 40 packs, closed.
fn written() -> Vec<u8> {
    let (folder, index) = empty();
    let packs: Vec<_> =
        (1..=40).map(|n| pack(n, u64::from(n) * 50..u64::from(n) * 50 + 50)).collect();
    index.add_segment(segment(1, 1), &packs).unwrap();
    index.set_setting("sequence", b"17").unwrap();
    index.begin_run(session(1), NOW, "home").unwrap();
    drop(index);
    assert!(!folder.path().join("index.sqlite-wal").exists(), "closing empties the log");
    fs::read(folder.path().join(FILE_NAME)).unwrap()
}

fn put(folder: &Path, bytes: &[u8]) {
    let mut file = fs::File::create(folder.join(FILE_NAME)).unwrap();
    std::io::Write::write_all(&mut file, bytes).unwrap();
}

/// Opens a folder whose file must be moved aside; returns why.
fn replaced(folder: &Path) -> String {
    let old = fs::read(folder.join(FILE_NAME)).unwrap();
    let (index, outcome) = open(folder);
    let OpenOutcome::Replaced { moved_to, why } = outcome else { panic!("{outcome:?}") };
    assert!(fs::read(&moved_to).unwrap() == old, "what was moved aside is as it was");
    assert!(moved_to.to_string_lossy().contains("index.sqlite.bad-1000"), "{moved_to:?}");
    index.add_packs(&[pack(1, [1])]).unwrap();
    assert!(index.reader().unwrap().contains(&id(1)).unwrap());
    assert_eq!(index.setting("sequence").unwrap(), None);
    why
}

#[test]
fn an_index_is_made_for_its_owner_only_and_found_again() {
    let parent = tempfile::tempdir().unwrap();
    let folder = parent.path().join("a/b");
    let (index, outcome) = open(&folder);
    assert_eq!(outcome, OpenOutcome::Created);
    let mode = |path: &Path| path.metadata().unwrap().permissions().mode() & 0o777;
    assert_eq!((mode(&folder), mode(&folder.join(FILE_NAME))), (0o700, 0o600));
    index.add_packs(&[pack(1, [1])]).unwrap();
    let epoch = index.epoch();
    drop(index);
    let (index, outcome) = open(&folder);
    assert_eq!((outcome, index.epoch()), (OpenOutcome::Existing, epoch));
    assert!(index.reader().unwrap().contains(&id(1)).unwrap());
}

#[test]
fn what_is_no_index_is_moved_aside() {
    let sound = written();
    let noise: Vec<u8> =
        (0..60_000u32).map(|n| blake3::hash(&n.to_le_bytes()).as_bytes()[0]).collect();
    for bytes in [&b""[..], b"x", b"SQLite format 3\0", &noise, &noise[..100], &[0; 8192]] {
        let folder = tempfile::tempdir().unwrap();
        put(folder.path(), bytes);
        replaced(folder.path());
    }
    for length in [1, 99, 100, 4_095, 4_096, 20_000, sound.len() / 2, sound.len() - 4_096] {
        let folder = tempfile::tempdir().unwrap();
        put(folder.path(), &sound[..length]);
        replaced(folder.path());
    }
}

#[test]
fn foreign_and_newer_databases_are_moved_aside_untouched() {
    let change = |sql: &str| {
        let folder = tempfile::tempdir().unwrap();
        put(folder.path(), &written());
        let connection = Connection::open(folder.path().join(FILE_NAME)).unwrap();
        connection.execute_batch(sql).unwrap();
        drop(connection);
        replaced(folder.path())
    };
    assert!(change("PRAGMA user_version = 9").contains("version is 9"));
    assert!(change("PRAGMA application_id = 0").contains("not an index"));
    change("UPDATE identity SET repository = x'00'");
    change("DELETE FROM identity");
    change("DROP TABLE part");
    let why = change("UPDATE identity SET repository = zeroblob(16)");
    assert!(why.contains("belongs to repository 0000"), "{why}");

    let folder = tempfile::tempdir().unwrap();
    let other = RepositoryId::new([8; 16]);
    drop(Index::open(folder.path(), other, NOW).unwrap());
    assert!(replaced(folder.path()).contains("repository 08080808"));
}

#[test]
fn no_flipped_byte_of_the_header_does_harm() {
    let sound = written();
    let mut replaced = 0;
    for position in 0..100 {
        for mask in [1, 0x80, 0xff] {
            let mut bytes = sound.clone();
            bytes[position] ^= mask;
            let moved = look_at(&bytes).unwrap_or_else(|why| panic!("byte {position}: {why}"));
            replaced += u32::from(moved);
        }
    }
    assert!(replaced > 100, "{replaced} of 300 moved aside");
}

/// The statements that made the tables stand in the file as text, and are read again at each opening.
#[test]
fn no_flipped_byte_of_a_name_does_harm() {
    let sound = written();
    for name in ["kind", "pack", "stored_bytes", "CREATE TABLE"] {
        let places: Vec<_> = sound[..4096]
            .windows(name.len())
            .enumerate()
            .filter(|(_, window)| *window == name.as_bytes())
            .map(|(at, _)| at)
            .collect();
        for position in places.into_iter().take(6) {
            let mut bytes = sound.clone();
            bytes[position + name.len() / 2] ^= 1;
            if let Err(why) = look_at(&bytes) {
                panic!("{name} at {position}: {why}");
            }
        }
    }
}

/// Opens and uses an index made of `bytes`; answers whether it was moved aside. Fails if anything
/// but damage is reported, or if the index claims to know what it does not.
fn look_at(bytes: &[u8]) -> Result<bool, String> {
    let folder = tempfile::tempdir().unwrap();
    put(folder.path(), bytes);
    let open = |time| {
        let opened = Index::open(folder.path(), REPOSITORY, time);
        opened.map_err(|error| format!("opening failed: {error:?}"))
    };
    let (index, outcome) = open(NOW)?;
    if outcome != OpenOutcome::Existing {
        return Ok(true);
    }
    let damaged = use_it(&index)?;
    drop(index);
    let (index, outcome) = open(NOW)?;
    let moved = outcome != OpenOutcome::Existing;
    if damaged && moved {
        return Ok(true);
    }
    // What is not moved after all must still be usable, or say once more that it is not.
    use_it(&index).map(|_| moved)
}

/// Looks up and adds; answers whether damage was reported.
fn use_it(index: &Index) -> Result<bool, String> {
    let mut damaged = false;
    let mut check = |result: Result<bool, IndexError>, what: &str| match result {
        Ok(true) => Ok(()),
        Ok(false) => Err(what.to_owned()),
        Err(error) if error.class() == ErrorClass::Corrupt => {
            damaged = true;
            Ok(())
        }
        Err(error) => Err(format!("{error:?}")),
    };
    let reader = index.reader().map_err(|error| format!("{error:?}"))?;
    for number in (0..2_100).step_by(7) {
        let known = (50..2_050).contains(&number);
        check(reader.contains(&id(number)).map(|found| known || !found), "invented a chunk")?;
        let places = reader.places(&id(number));
        // A damaged page may show one place twice, which misleads nobody.
        let is_one = |places: Vec<ChunkPlace>| places.windows(2).all(|two| two[0] == two[1]);
        check(places.map(is_one), "invented a place")?;
    }
    check(reader.pack_table(&pack(3, []).pack).map(|_| true), "")?;
    check(index.setting("sequence").map(|_| true), "")?;
    check(index.fingerprint().map(|_| true), "")?;
    check(index.add_packs(&[pack(77, 9_000..9_040)]).map(|()| true), "")?;
    Ok(damaged)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(150))]

    #[test]
    fn no_flipped_byte_invents_a_chunk(
        position in any::<proptest::sample::Index>(),
        in_page in prop_oneof![Just(None), (0usize..16).prop_map(Some)],
        mask in 1u8..,
    ) {
        let mut bytes = written();
        let mut position = position.index(bytes.len());
        // Half of the flips go to the head of a page, where the structure is.
        if let Some(offset) = in_page {
            position = position / 4096 * 4096 + offset;
        }
        bytes[position] ^= mask;
        let looked = look_at(&bytes);
        prop_assert!(looked.is_ok(), "byte {}: {:?}", position, looked);
    }
}

#[test]
fn who_meets_damage_has_the_file_examined_at_the_next_open() {
    let mut bytes = written();
    // Page by page until one is met that only a look-up reads.
    let folder = tempfile::tempdir().unwrap();
    let pages = bytes.len() / 4096;
    let ruined = (2..pages).rev().any(|page| {
        let page = page * 4096..(page + 1) * 4096;
        let saved = bytes[page.clone()].to_vec();
        bytes[page.clone()].fill(0xee);
        put(folder.path(), &bytes);
        let (index, outcome) = open(folder.path());
        assert_eq!(outcome, OpenOutcome::Existing, "opening does not read everything");
        let met = use_it(&index).unwrap();
        bytes[page].copy_from_slice(&saved);
        met
    });
    assert!(ruined);
    assert!(folder.path().join("index.sqlite.suspect").exists());
    assert!(matches!(open(folder.path()).1, OpenOutcome::Replaced { .. }));
    assert!(!folder.path().join("index.sqlite.suspect").exists());
    assert_eq!(open(folder.path()).1, OpenOutcome::Existing);
}

#[test]
fn damage_that_only_the_content_shows_is_not_met_again_after_an_open() {
    for (sql, met) in [
        ("UPDATE part SET pack = 99 WHERE id = 3", true),
        ("UPDATE pack SET name = zeroblob(37) WHERE id = 4", true),
        ("UPDATE pack SET blocks = x'' WHERE id = 4", false),
        ("UPDATE part SET records = zeroblob(1000) WHERE id = 3", false),
    ] {
        let (folder, index) = empty();
        index.add_packs(&(1..=9).map(|n| pack(n, [50, 57, 64])).collect::<Vec<_>>()).unwrap();
        index.write(|transaction| Ok(transaction.execute(sql, ())?)).unwrap();
        let reader = index.reader().unwrap();
        assert_eq!(reader.places(&id(50)).is_err(), met, "{sql}");
        assert!(index.fingerprint().is_err(), "{sql}");
        drop((reader, index));
        assert!(matches!(open(folder.path()).1, OpenOutcome::Replaced { .. }), "{sql}");
    }
}

#[test]
fn a_sound_file_is_cleared_of_suspicion() {
    let folder = tempfile::tempdir().unwrap();
    put(folder.path(), &written());
    damage::suspect(&folder.path().join(FILE_NAME));
    assert_eq!(open(folder.path()).1, OpenOutcome::Existing);
    assert!(!damage::is_suspect(&folder.path().join(FILE_NAME)));
}

#[test]
fn only_the_newest_unusable_files_are_kept() {
    let folder = tempfile::tempdir().unwrap();
    for _ in 0..6 {
        put(folder.path(), b"garbage");
        replaced(folder.path());
    }
    let names = fs::read_dir(folder.path()).unwrap().flatten().map(|entry| entry.file_name());
    let bad = names.filter(|name| name.to_string_lossy().contains(".bad-")).count();
    assert_eq!(bad, crate::base::limits::INDEX_BAD_FILES_KEPT);
}

#[test]
fn the_log_of_a_file_goes_with_it() {
    let strange = tempfile::tempdir().unwrap();
    let (index, _) = Index::open(strange.path(), RepositoryId::new([8; 16]), NOW).unwrap();
    index.add_packs(&[pack(1, [1])]).unwrap();
    // As a killed process leaves it: everything is in the log.
    let folder = tempfile::tempdir().unwrap();
    for name in [FILE_NAME, "index.sqlite-wal"] {
        fs::copy(strange.path().join(name), folder.path().join(name)).unwrap();
    }
    let (index, outcome) = open(folder.path());
    let OpenOutcome::Replaced { moved_to, .. } = outcome else { panic!("{outcome:?}") };
    assert!(moved_to.exists());
    assert!(!index.reader().unwrap().contains(&id(1)).unwrap());
    drop(index);
    assert_eq!(open(folder.path()).1, OpenOutcome::Existing);
}

#[test]
fn clearing_draws_a_new_epoch_and_keeps_what_no_store_knows() {
    let (folder, index) = empty();
    index.add_segment(segment(1, 1), &[pack(1, [1])]).unwrap();
    index.put_snapshot(session(1), crate::base::id::Digest::new([1; 32]), b"record").unwrap();
    index.put_client(session(1).client(), b"record").unwrap();
    index.set_setting("sequence", b"17").unwrap();
    index.begin_run(session(1), NOW, "home").unwrap();
    let epoch = index.epoch();
    index.clear().unwrap();
    assert_ne!(index.epoch(), epoch);
    assert!(!index.reader().unwrap().contains(&id(1)).unwrap());
    assert!(index.known_segments().unwrap().is_empty());
    assert_eq!(index.kept_snapshots().unwrap(), [session(1)].into());
    assert_eq!(index.client(session(1).client()).unwrap(), None);
    assert_eq!(index.setting("sequence").unwrap().as_deref(), Some(&b"17"[..]));
    assert_eq!(index.open_runs().unwrap(), [session(1)]);
    let epoch = index.epoch();
    drop(index);
    assert_eq!(open(folder.path()).0.epoch(), epoch);
}

#[test]
fn a_busy_database_is_a_conflict_and_is_not_moved() {
    let (folder, index) = empty();
    let (other, _) = open(folder.path());
    let busy = index.write(|_| {
        other.read(|connection| Ok(connection.busy_timeout(Duration::ZERO)?))?;
        Ok(other.add_packs(&[pack(1, [1])]))
    });
    assert_eq!(busy.unwrap().unwrap_err().class(), ErrorClass::Conflict);
    assert_eq!(open(folder.path()).1, OpenOutcome::Existing);
}
