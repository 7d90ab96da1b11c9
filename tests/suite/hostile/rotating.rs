//! Keys are changed: who is left goes on as before, and who is gone reads nothing new.

use engine::base::error::{Classified, ErrorClass};
use engine::blob::open_pack::PackOpener;
use engine::format::announcement::{Announcement, EpochRecord, encode_announcement};
use engine::format::pack::PackHeader;
use engine::repo::error::RepoError;
use engine::repo::open::{KeyFile, Known, Unlock, open, open_knowing};
use engine::repo::{rotation, slots};
use system_tests::world::{PASSPHRASE, clock};

use super::machine::Machine;
use super::*;

mod announced;

everywhere![
    everybody_who_is_left_reads_what_is_old_and_what_is_new,
    whoever_was_removed_reads_what_is_old_and_nothing_that_is_new,
    a_machine_that_began_before_takes_no_record_of_a_new_epoch_for_junk,
    announcements_that_others_made_up_take_nothing_away,
    a_store_that_hides_new_keys_is_noticed_by_whoever_has_seen_them,
    the_program_changes_keys_and_says_whom_it_leaves_out,
];

fn with_key(scene: &Scene, key: &KeyFile) -> Result<World, RepoError> {
    World::with_key(&scene.place.store(), key)
}

fn rotate(scene: &mut Scene) -> rotation::Rotated {
    rotation::rotate(&mut scene.admin.repo).expect("an administrator may")
}

fn class<T>(result: Result<T, impl Classified>) -> Option<ErrorClass> {
    result.err().map(|error| error.class())
}

fn everybody_who_is_left_reads_what_is_old_and_what_is_new(at: At) {
    let mut scene = Scene::new(at);
    let roles = [Role::Backup, Role::Maintain, Role::Verify, Role::Restore];
    let before: Vec<_> = roles.iter().map(|role| scene.admin.cut_key(*role, 0)).collect();
    let old = scene.admin.newest();
    let rotated = rotate(&mut scene);
    assert_eq!((rotated.epoch, rotated.given.len(), rotated.left_out.len()), (1, 6, 0));
    // A key that is made now has the keys of both epochs as well; and so it goes on.
    let between: Vec<_> = roles.iter().map(|role| scene.admin.cut_key(*role, 0)).collect();
    let unchanged = scene.admin.backup(&scene.source).expect("the backup runs");
    assert_eq!(unchanged.summary.data_chunks_new, 0, "deduplication does not go on");
    assert_eq!(rotate(&mut scene).epoch, 2);
    put(&scene.source.join("new"), &random_bytes(9, 200_000));
    let mut stored = Vec::new();
    for keys in [&before, &between] {
        let [backup, maintain, verify, restore] = keys.as_slice() else {
            unreachable!("four roles")
        };
        let client = with_key(&scene, backup).expect("it opens");
        let report = client.backup(&scene.source).expect("the backup runs");
        stored.push(report.summary.data_chunks_new > 0);
        assert_eq!(client.snapshots().len(), scene.admin.snapshots().len());
        let keeper = with_key(&scene, maintain).expect("it opens");
        assert!(!keeper.newest().is_sealed(), "it reads no names");
        for reader in [verify, restore] {
            let reader = with_key(&scene, reader).expect("it opens");
            reader.assert_newest_is(&scene.source);
            let target = reader.out.path().join("old");
            reader.restore(&old, &scene.source, &target).expect("the old one restores");
            reader.assert_sound();
        }
    }
    assert_eq!(stored, [true, false], "what the first one stored, the second one finds");
    for unlock in [Unlock::Passphrase(PASSPHRASE), Unlock::Words(&scene.admin.recovery_words)] {
        let repo = open(&scene.place.store(), clock(), &unlock).expect("it opens");
        let fresh = World::around(repo);
        fresh.assert_newest_is(&scene.source);
        fresh.assert_sound();
    }
    // Collecting goes over epochs, too.
    let mut options = system_tests::world::options();
    options.force = true;
    scene.admin.backup_with(&scene.source, &options).expect("the backup runs");
    scene.prune();
    scene.admin.assert_sound();
    scene.assert_kept(&BTreeSet::new(), "after two changes of keys");
}

fn whoever_was_removed_reads_what_is_old_and_nothing_that_is_new(at: At) {
    let mut scene = Scene::new(at);
    let (thief, other) =
        (scene.admin.cut_key(Role::Restore, 0), scene.admin.cut_key(Role::Backup, 0));
    let (slot, old) = (ObjectName::Slot(thief.slot).key(), scene.admin.newest());
    let bytes = scene.place.read(&slot);
    slots::remove(&scene.admin.repo, &thief.slot.to_string()).expect("an administrator may");
    let given = rotate(&mut scene).given;
    assert!(given.iter().all(|given| given.slot != thief.slot));
    let packs = scene.packs();
    put(&scene.source.join("secret"), &random_bytes(9, 200_000));
    let honest = with_key(&scene, &other).expect("it opens");
    honest.backup(&scene.source).expect("the backup runs");
    let new = honest.newest().session;
    // With a copy of the slot, and the store as it is.
    scene.place.write(&slot, &bytes);
    let refused = with_key(&scene, &thief).map(drop).expect_err("it was left out");
    assert!(matches!(refused, RepoError::LeftOut { epoch: 1 }), "{refused}");
    assert_eq!(refused.class(), ErrorClass::Rekeyed);
    // With a store of its own making, in which keys were never changed.
    let copy = scene.place.fork();
    for key in copy.keys("epochs/") {
        copy.delete(&key);
    }
    let spy = World::with_key(&copy.store(), &thief).expect("it opens");
    let seen: Vec<_> = spy.snapshots().iter().map(|one| one.snapshot.session).collect();
    assert_eq!(seen, [old.session], "it sees what came later");
    let written: Vec<_> = scene.packs().difference(&packs).copied().collect();
    assert!(written.len() >= 2, "{written:?}");
    let last = spy.repo.keys();
    for pack in written {
        assert!(read_footer(&spy.repo, pack).is_err(), "it reads the index");
        let bytes = copy.read(&ObjectName::Pack(pack).key());
        assert!(PackOpener::new(&spy.repo, pack, &bytes).is_err(), "it reads content");
        // Not even if it passes over what the header says of epochs.
        let header = PackHeader::decode(&bytes).expect("a header");
        let info = engine::blob::pack::key_data(pack, &header);
        for secret in [last.data().expect("it restores"), last.tree().expect("it restores")] {
            let opened = secret.open_key(&info, &header.encapsulation, &header.sealed_key);
            assert!(opened.is_err(), "a new pack opens with an old key");
        }
    }
    assert!(copy.keys("snap/").iter().any(|key| key.contains(&new.to_string())));
    // What was there before is not taken from it.
    let target = spy.out.path().join("old");
    spy.restore(&old, &scene.source, &target).expect("the old one restores");
}

/// What stands in GC.md: a machine that began before meets records that it cannot read.
fn a_machine_that_began_before_takes_no_record_of_a_new_epoch_for_junk(at: At) {
    let mut scene = Scene::new(at);
    let key = scene.admin.cut_key(Role::Backup, 0);
    let mut machine = with_key(&scene, &key).expect("it opens");
    machine.backup(&scene.source).expect("the backup runs");
    rotate(&mut scene);
    // Nothing was written since: it may finish, and all can read that.
    put(&scene.source.join("meanwhile"), &random_bytes(8, 100_000));
    machine.backup(&scene.source).expect("the backup runs");
    scene.admin.assert_newest_is(&scene.source);
    // A collector of the new epoch announces what it will delete.
    let (host, confirm_mass_delete) = ("collector".to_owned(), Some(u64::MAX));
    let options = GcOptions { host, confirm_mass_delete, ..GcOptions::default() };
    std::fs::remove_file(scene.source.join("file")).expect("it is ours");
    scene.admin.backup(&scene.source).expect("the backup runs");
    let all = scene.admin.snapshots();
    for one in &all[..all.len() - 1] {
        let target = (one.snapshot.session, one.digest);
        let by = identity::writer_identity(&scene.admin.repo, &scene.admin.index, "admin");
        engine::repo::marks::put_tomb(
            &scene.admin.repo,
            &by.expect("it is admin"),
            target,
            "old",
            None,
        )
        .expect("it is forgotten");
    }
    let announced = gc::run(&scene.admin.repo, &scene.admin.index, &options, &Recording::default());
    announced.expect("it runs");
    assert!(scene.place.keys("gc/").iter().any(|key| key.contains(".condemn-")));
    let refused = machine.backup(&scene.source);
    assert_eq!(class(refused), Some(ErrorClass::Rekeyed), "it passes over what is condemned");
    let refused = catalog::snapshots(&machine.repo, &machine.index);
    assert_eq!(class(refused), Some(ErrorClass::Rekeyed), "it lists only what is old");
    // The next run has the new keys, and settles what the last one left.
    machine.repo = with_key(&scene, &key).expect("it opens").repo;
    put(&scene.source.join("file"), &random_bytes(1, 300_000));
    machine.backup(&scene.source).expect("the backup runs");
    scene.prune();
    scene.assert_kept(&BTreeSet::new(), "after a change of keys");
}

fn forged(record: &EpochRecord) -> Vec<u8> {
    [encode_announcement(record), vec![7; 64]].concat()
}

fn announcements_that_others_made_up_take_nothing_away(at: At) {
    let scene = Scene::new(at);
    let key = scene.admin.cut_key(Role::Backup, 0);
    let record = crate::golden::history::epoch();
    // Without a key: under no name that counts.
    scene.place.write("epochs/00000001", &forged(&record));
    scene.place.write("epochs/00000001-0123456789abcdef", &forged(&record));
    let machine = with_key(&scene, &key).expect("it opens");
    assert!(machine.repo.doubts().is_empty());
    machine.backup(&scene.source).expect("the backup runs");
    // With some key: under a right name, which may be a genuine one that rotted. Whoever reads goes on.
    let name = ObjectName::Epoch(1);
    machine.repo.store().put_new(&name, forged(&record).into()).expect("it is stored");
    let reader = scene.admin.another(&scene.place.store()).expect("the words open it");
    assert_eq!(reader.repo.doubts().len(), 1);
    reader.assert_newest_is(&scene.source);
    let check = reader.check_all().expect("the check runs");
    assert_eq!(check.damage.keys().collect::<Vec<_>>(), [&name.key()]);
    assert!(check.foreign_keys.iter().any(|key| key.ends_with("0123456789abcdef")), "{check:?}");
    let refused = reader.backup(&scene.source);
    assert_eq!(class(refused), Some(ErrorClass::Corrupt));
    let refused =
        gc::run(&reader.repo, &reader.index, &GcOptions::default(), &Recording::default());
    assert_eq!(class(refused), Some(ErrorClass::Corrupt));
    assert!(rotation::plan(&reader.repo).is_err());
    // Somebody looks after it.
    for key in scene.place.keys("epochs/") {
        scene.place.delete(&key);
    }
    with_key(&scene, &key).expect("it opens").backup(&scene.source).expect("the backup runs");
    assert_eq!(EpochRecord::WHAT, "record of an epoch");
}

fn a_store_that_hides_new_keys_is_noticed_by_whoever_has_seen_them(at: At) {
    let mut scene = Scene::new(at);
    rotate(&mut scene);
    for key in scene.place.keys("epochs/") {
        scene.place.delete(&key);
    }
    let unlock = Unlock::Passphrase(PASSPHRASE);
    let seen = |_: engine::base::id::RepositoryId| Some(1);
    let known = Known { epoch: Some(&seen), ..Known::default() };
    let repo = open_knowing(&scene.place.store(), clock(), &unlock, known).expect("it opens");
    assert!(matches!(repo.doubts(), [doubt] if doubt.is_gone));
    assert_eq!(class(repo.require_all_epochs()), Some(ErrorClass::Corrupt));
    open(&scene.place.store(), clock(), &unlock).expect("others cannot know it");
}

fn the_program_changes_keys_and_says_whom_it_leaves_out(at: At) {
    let machine = Machine::with(at);
    machine.put("source/file", &random_bytes(1, 100_000));
    machine.say("key add -q --role backup --to-key-file web1.key").expect(0);
    machine.say("key add -q --role restore --to-key-file gone.key").expect(0);
    machine.say("backup -q source").expect(0);
    let listed = machine.say("key list --json").expect(0).json();
    let mut listed = listed.as_array().expect("an array").iter();
    let gone = listed.find(|one| one["role"] == "restore").expect("it is listed");
    let gone = gone["id"].as_str().expect("an id").to_owned();
    let kept = machine.place.read(&format!("keys/{gone}"));
    machine.say(&format!("key remove -q {gone}")).expect(0);
    let dry = machine.say("key rotate --dry-run").expect(0).stdout;
    assert!(dry.contains("would begin epoch 1"), "{dry}");
    let done = machine.say("key rotate --json").expect(0).json();
    assert_eq!((&done["epoch"], &done["dry_run"]), (&1.into(), &false.into()));
    assert_eq!(done["given"].as_array().map(Vec::len), Some(3), "{done}");
    machine.say("backup -q source").expect(0);
    machine.say("check --read-data").expect(0);
    let with_key = |key: &str, line: &str| {
        let mut command = machine.command(line.split_ascii_whitespace());
        command.env_remove("MAINSTAY_PASSWORD").env("MAINSTAY_KEY_FILE", machine.path(key));
        command.env("MAINSTAY_STATE_DIR", machine.path("another state"));
        Machine::output(&mut command)
    };
    with_key("web1.key", "backup -q source").expect(0);
    machine.place.write(&format!("keys/{gone}"), &kept);
    let refused = with_key("gone.key", "snapshots").expect(12);
    assert!(refused.stderr.contains("did not get the new ones"), "{}", refused.stderr);
    assert!(refused.stderr.contains("mainstay key add"), "{}", refused.stderr);
    let denied = with_key("web1.key", "key rotate").expect(12);
    assert!(denied.stderr.contains("role backup"), "{}", denied.stderr);
    // A store that was put back shows older keys to whoever has seen newer ones.
    for key in machine.place.keys("epochs/") {
        machine.place.delete(&key);
    }
    let listed = machine.say("snapshots").expect(0);
    assert!(listed.stderr.contains("does not show it any more"), "{}", listed.stderr);
    let refused = machine.say("backup -q source").expect(20);
    assert!(refused.stderr.contains("mainstay key rotate"), "{}", refused.stderr);
    let again = machine.say("key rotate").expect(0).stdout;
    assert!(again.contains("announced again epoch 1"), "{again}");
    machine.say("backup -q source").expect(0);
    with_key("web1.key", "backup -q source").expect(0);
}
