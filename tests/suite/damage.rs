//! Whatever happens to an object of a repository is noticed, and never becomes wrong bytes.
//!
//! The promise: one changed byte anywhere is noticed by opening, by a full check or by a restore,
//! also by a machine whose index is warm, which has no reason of its own to read most objects.

#![expect(clippy::disallowed_methods, reason = "tests write their own sources")]

use std::path::PathBuf;

use engine::format::session::SessionKind;
use engine::index::identity::writer_identity;
use engine::repo::open::Unlock;
use engine::repo::{commits, session, slots};
use engine::store::name::ObjectName;
use system_tests::damage::{Damage, Target, kind_of, name_of, positions};
use system_tests::world::{PASSPHRASE, World, clock, open_index};

/// Bytes that do not compress and differ by seed.
fn noise(seed: u64, length: usize) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state as u8
    };
    (0..length).map(|_| next()).collect()
}

fn write(folder: &std::path::Path, name: &str, bytes: &[u8]) {
    let path = folder.join(name);
    std::fs::create_dir_all(path.parent().expect("it has a folder")).expect("it can be made");
    std::fs::write(path, bytes).expect("a file can be written");
}

/// Two snapshots and an aborted session: every kind of object that is written.
fn small(world: &World) -> PathBuf {
    let source = world.new_folder("source");
    write(&source, "a", b"short");
    write(&source, "b", &noise(1, 900));
    world.backup(&source).expect("the backup runs");
    write(&source, "b", &noise(2, 900));
    write(&source, "sub/c", &noise(3, 700));
    std::os::unix::fs::symlink("b", source.join("link")).expect("a link can be made");
    world.backup(&source).expect("the backup runs");
    let identity = writer_identity(&world.repo, &world.index, "test-host").expect("it is known");
    let silent = session::new_id(&identity, 77);
    session::register(&world.repo, &identity, silent, SessionKind::Backup, "test-host")
        .expect("it can be registered");
    let seen = commits::list_one(&world.repo, silent).expect("it can be listed");
    session::fence(&world.repo, &identity, silent, "test", &seen).expect("it can be fenced");
    source
}

const KINDS: [&str; 12] = [
    "config",
    "keys",
    "slots",
    "clients",
    "sess",
    "data",
    "tree",
    "index",
    "snap.commit",
    "snap.ok",
    "snap.fence",
    "snap.final",
];

#[test]
fn the_small_repository_holds_every_kind_of_object_and_is_sound() {
    let target = Target::new(small);
    for kind in KINDS {
        assert!(!target.vault.keys(kind).is_empty(), "{kind} is missing");
    }
    assert_eq!(target.finding(&target.world.index), None);
    assert_eq!(target.restore(&target.world.index), None);
}

/// Turns one bit of every byte of the objects of some kinds; a full check must notice each.
fn every_byte_counts(kinds: &[&str]) {
    let target = Target::new(small);
    let (vault, index) = (&target.vault, &target.world.index);
    let mut missed = Vec::new();
    let mut flip_count = 0;
    for kind in kinds {
        for (number, key) in vault.keys(kind).into_iter().enumerate() {
            // Of later packs only a part, because a pack is long and its bytes are all alike to
            // the hash that covers them.
            let all_up_to = if number > 0 && kind.len() == 4 { 400 } else { 8192 };
            spoil_each(&target, &key, all_up_to, &mut flip_count, &mut missed);
        }
    }
    assert!(flip_count > 500, "only {flip_count} flips");
    assert!(missed.is_empty(), "{} of {flip_count} not noticed: {missed:?}", missed.len());
    assert_eq!(target.finding(index), None, "healed");
}

fn spoil_each(
    target: &Target,
    key: &str,
    all_up_to: usize,
    flip_count: &mut u32,
    missed: &mut Vec<(String, usize)>,
) {
    let (vault, index) = (&target.vault, &target.world.index);
    for at in positions(vault.objects[key].len(), all_up_to) {
        vault.spoil(key, &Damage::Flip { at, bit: (at % 8) as u8 });
        *flip_count += 1;
        if target.finding(index).is_none() {
            missed.push((kind_of(key), at));
        }
    }
    vault.heal(key);
}

#[test]
fn a_flipped_byte_in_a_client_or_session_is_noticed() {
    every_byte_counts(&["clients", "sess"]);
}

#[test]
fn a_flipped_byte_in_a_flag_is_noticed() {
    every_byte_counts(&["snap.commit", "snap.ok", "snap.fence", "snap.final"]);
}

#[test]
fn a_flipped_byte_in_a_segment_is_noticed_although_the_index_is_warm() {
    every_byte_counts(&["index"]);
}

#[test]
fn a_flipped_byte_in_a_data_pack_is_noticed() {
    every_byte_counts(&["data"]);
}

#[test]
fn a_flipped_byte_in_a_tree_pack_is_noticed() {
    every_byte_counts(&["tree"]);
}

#[test]
fn a_flipped_byte_in_the_configuration_is_noticed_by_whoever_opens() {
    let target = Target::new(small);
    let key = &target.vault.keys("config")[0];
    for at in 0..target.vault.objects[key].len() {
        for bit in [0, 3, 7] {
            target.vault.spoil(key, &Damage::Flip { at, bit });
            assert!(target.open().is_err(), "byte {at}, bit {bit}");
        }
    }
}

/// Every byte of a slot counts for its holder. Stretching a passphrase takes long, so the cost
/// and salt are tried by opening, all other bytes with the key that those give.
#[test]
fn a_flipped_byte_in_a_key_slot_is_noticed_by_its_holder() {
    let target = Target::new(small);
    let repository = target.world.repo.config().repository;
    for key in target.vault.keys("keys") {
        let ObjectName::Slot(id) = name_of(&key) else { continue };
        let sound = slots::read(&target.vault.store(), repository, id).expect("it is sound");
        let is_passphrase = sound.cost.is_some();
        let stretched = slots::stretch(&sound, PASSPHRASE).expect("the cost is allowed");
        for at in 0..target.vault.objects[&key].len() {
            target.vault.spoil(&key, &Damage::Flip { at, bit: (at % 8) as u8 });
            let read = slots::read(&target.vault.store(), repository, id);
            let is_noticed = match read {
                Err(_) => true,
                Ok(slot) if is_passphrase && slot.salt == sound.salt && slot.cost == sound.cost => {
                    !matches!(slots::unwrap_bundle(&slot, &stretched), Ok(Some(_)))
                }
                Ok(_) if is_passphrase => target.world.reopen(&target.vault.store()).is_err(),
                Ok(_) => target.open().is_err(),
            };
            assert!(is_noticed, "byte {at} of {key}");
        }
        target.vault.heal(&key);
    }
    assert!(target.world.reopen(&target.vault.store()).is_ok());
}

/// Everything but flips, on every object: nothing may panic, and no restored byte may be wrong.
#[test]
fn cut_long_empty_missing_and_swapped_objects_are_noticed() {
    let target = Target::new(small);
    let (vault, warm) = (&target.vault, &target.world.index);
    let mut trial = 0;
    for (key, bytes) in &vault.objects {
        let kind = kind_of(key);
        let mut damages = vec![Damage::Append(0), Damage::Append(7), Damage::Zero, Damage::Delete];
        damages.extend(positions(bytes.len(), 40).into_iter().map(Damage::Truncate));
        for other in vault.keys(&kind).iter().filter(|other| *other != key) {
            damages.push(Damage::Replace(vault.objects[other].clone()));
        }
        for other in KINDS {
            let other = vault.keys(other).remove(0);
            if other != *key {
                damages.push(Damage::Replace(vault.objects[&other].clone()));
            }
        }
        for damage in damages {
            trial += 1;
            vault.spoil(key, &damage);
            let found = target.finding(warm);
            let by_slot = kind == "keys" && {
                // The holder of the other slot is not hurt; this one's holder is.
                let words = target.open().is_err();
                words || target.world.reopen(&vault.store()).is_err()
            };
            // Nothing refers to a session's registration or confirmation once it is decided, and
            // a segment is a copy of what the packs say themselves.
            let is_spare = damage == Damage::Delete
                && ["sess", "snap.ok", "index", "snap.fence", "snap.final"]
                    .contains(&kind.as_str());
            let is_noticed = found.is_some() || by_slot || is_spare;
            assert!(is_noticed, "{key}: {damage:?}");
            if trial % 10 == 0 {
                let _ = target.restore(warm);
            }
        }
        vault.heal(key);
    }
    assert_eq!(target.finding(warm), None, "healed");
}

/// With a new index everything is read, with a warm one as little as possible.
#[test]
fn a_restore_from_a_damaged_store_is_right_or_says_so() {
    let target = Target::new(small);
    let vault = &target.vault;
    let mut trial = 0;
    for (key, bytes) in &vault.objects {
        if ["config", "keys"].contains(&kind_of(key).as_str()) {
            continue;
        }
        let mut damages = vec![Damage::Zero, Damage::Delete, Damage::Truncate(bytes.len() / 2)];
        let step = bytes.len() / 12 + 1;
        damages.extend((0..bytes.len()).step_by(step).map(|at| Damage::Flip { at, bit: 1 }));
        for damage in damages {
            trial += 1;
            vault.spoil(key, &damage);
            let folder = tempfile::tempdir().expect("a folder can be made");
            let repo = target.open().expect("it opens");
            let cold = open_index(&repo, folder.path()).expect("a new index can be made");
            let _ = target.restore(&cold);
            let _ = target.restore(&target.world.index);
        }
        vault.heal(key);
    }
    assert!(trial > 100, "only {trial} damages");
}

#[test]
fn unlocking_survives_one_bad_slot() {
    let target = Target::new(small);
    let slots = target.vault.keys("keys");
    for key in &slots {
        target.vault.spoil(key, &Damage::Truncate(3));
        let words = Unlock::Words(&target.world.recovery_words);
        let by_words = engine::repo::open::open(&target.vault.store(), clock(), &words).is_ok();
        let by_passphrase = target.world.reopen(&target.vault.store()).is_ok();
        assert!(by_words ^ by_passphrase, "{key}");
        target.vault.heal(key);
    }
}

fn large(world: &World) -> PathBuf {
    let source = world.new_folder("source");
    for number in 0..40 {
        let folder = number / 10;
        let name = format!("{folder}/{}{number}", "x".repeat(200));
        write(&source, &name, &noise(number, 600 + number as usize));
    }
    world.backup(&source).expect("the backup runs");
    write(&source, "later", &noise(99, 5000));
    world.backup(&source).expect("the backup runs");
    source
}

#[test]
fn a_pack_that_claims_to_be_of_a_later_version_does_not_stop_the_restore_of_the_rest() {
    let target = Target::new(large);
    let packs = target.vault.keys("data");
    assert!(packs.len() >= 2, "one backup after another");
    for key in packs {
        target.vault.spoil(&key, &Damage::Flip { at: 4, bit: 1 });
        let told = target.restore(&target.world.index).expect("it is reported");
        assert!(told.starts_with("[Problem"), "the restore gave up: {told}");
        target.vault.heal(&key);
    }
}

#[test]
fn damaged_segments_are_replaced_by_the_footers_of_their_packs() {
    let target = Target::new(large);
    let damages = [
        Damage::Flip { at: 4, bit: 1 },
        Damage::Flip { at: 60, bit: 1 },
        Damage::Zero,
        Damage::Truncate(0),
        Damage::Truncate(20),
    ];
    for damage in damages {
        for key in target.vault.keys("index") {
            target.vault.spoil(&key, &damage);
            let folder = tempfile::tempdir().expect("a folder can be made");
            let cold = open_index(&target.world.repo, folder.path()).expect("it can be made");
            assert_eq!(target.restore(&cold), None, "{key} {damage:?}");
            let found = target.finding(&cold).expect("it is named");
            assert!(found.contains(&name_of(&key).key()), "{found}");
            target.vault.heal(&key);
        }
    }
}

/// What a check says of the pack and of the paths that it hurts.
#[test]
fn a_bad_pack_is_named_with_the_paths_that_it_hurts() {
    let target = Target::new(large);
    let packs = target.vault.keys("data");
    let last = packs.iter().max_by_key(|key| target.vault.objects[*key].len() < 10_000);
    let key = last.expect("there are two");
    for damage in [Damage::Delete, Damage::Flip { at: 2000, bit: 0 }, Damage::Truncate(500)] {
        target.vault.spoil(key, &damage);
        let report = target.check(&target.world.index).expect("the check runs");
        let found = &report.damage[key];
        assert!(!found.findings.is_empty());
        assert!(found.paths.iter().any(|path| path.ends_with("/later")), "{found:?}");
        assert_eq!(report.damage.len(), 1, "{report:#?}");
        let told = target.restore(&target.world.index).expect("it is reported");
        assert!(told.contains("later") || told.contains("[108, 97"), "{told}");
        target.vault.heal(key);
    }
}

#[test]
fn a_second_good_copy_of_a_chunk_is_enough() {
    let target = Target::new(|world| {
        let source = large(world);
        // A machine that does not see the first sessions' segments stores everything again.
        let inner = world.repo.store();
        let segments = inner.list("index/").expect("it can be listed");
        let kept: Vec<_> = segments.iter().map(|object| name_of(&object.key)).collect();
        let bytes: Vec<_> =
            kept.iter().map(|name| inner.get(name, 1 << 20).expect("it can be read")).collect();
        kept.iter().for_each(|name| inner.delete(name).expect("it can be deleted"));
        let folder = tempfile::tempdir().expect("a folder can be made");
        let index = open_index(&world.repo, folder.path()).expect("it can be made");
        let options = system_tests::world::options();
        let paths = engine::backup::Source::Paths(vec![source.clone()]);
        engine::backup::run(
            &world.repo,
            &index,
            folder.path(),
            paths,
            &options,
            &system_tests::world::silent(),
        )
        .expect("the backup runs");
        for (name, bytes) in kept.iter().zip(bytes) {
            inner.put_new(name, bytes).expect("it can be put back");
        }
        source
    });
    let index = &target.world.index;
    assert_eq!(target.restore(index), None);
    // Only of content: the second tree differs in the folders above the source.
    let packs = target.vault.keys("data");
    assert!(packs.len() > 2, "{packs:?}");
    for key in &packs {
        for damage in
            [Damage::Flip { at: 1500, bit: 0 }, Damage::Delete, Damage::Flip { at: 4, bit: 1 }]
        {
            target.vault.spoil(key, &damage);
            assert_eq!(target.restore(index), None, "{key} {damage:?}");
            let report = target.check(index).expect("the check runs");
            assert!(!report.damage[key].findings.is_empty());
            assert_eq!(report.damage[key].path_count, 0, "nothing is lost");
            target.vault.heal(key);
        }
    }
}
