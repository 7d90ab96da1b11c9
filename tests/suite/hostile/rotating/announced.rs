//! Announcements of new keys that are late, lost, interrupted or made twice, and what holders of older
//! keys put under the names of newer records.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use engine::crypt::hash::{derive, mac};
use engine::crypt::secret::SecretKey;
use engine::format::machine::Revocation;
use engine::repo::machine as records;
use engine::store::Store;
use engine::store::code::spelled;
use engine::store::retry::RetrySettings;
use system_tests::store::hook::{Hooked, Verdict};

use super::*;

everywhere![
    a_lost_announcement_is_made_again,
    a_damaged_announcement_takes_no_snapshot_from_an_administrator,
    of_two_administrators_who_change_keys_at_once_one_is_told,
    a_client_that_was_revoked_gets_no_new_keys,
    whoever_was_left_out_cannot_stop_writing,
    what_lies_under_an_older_code_of_a_name_hides_nothing,
];

/// An administrator's machine that has seen the first epoch.
fn admin_that_has_seen(scene: &Scene) -> World {
    let seen = |_: engine::base::id::RepositoryId| Some(1);
    let known = Known { epoch: Some(&seen), ..Known::default() };
    let unlock = Unlock::Words(&scene.admin.recovery_words);
    let repo = open_knowing(&scene.place.store(), clock(), &unlock, known);
    let mut world = World::around(repo.expect("an administrator opens it"));
    world.recovery_words.clone_from(&scene.admin.recovery_words);
    world
}

/// A scene with a snapshot of the first epoch, and a key of role backup that is older.
fn rotated(at: At) -> (Scene, KeyFile) {
    let mut scene = Scene::new(at);
    let key = scene.admin.cut_key(Role::Backup, 0);
    rotate(&mut scene);
    put(&scene.source.join("new"), &random_bytes(9, 200_000));
    scene.admin.backup(&scene.source).expect("the backup runs");
    (scene, key)
}

fn announcement(scene: &Scene) -> String {
    scene.place.keys("epochs/").pop().expect("there is one")
}

fn a_lost_announcement_is_made_again(at: At) {
    let (scene, key) = rotated(at);
    scene.place.delete(&announcement(&scene));
    let mut admin = admin_that_has_seen(&scene);
    assert!(matches!(admin.repo.doubts(), [doubt] if doubt.is_gone && doubt.epoch == 1));
    admin.assert_newest_is(&scene.source);
    assert_eq!(class(admin.backup(&scene.source)), Some(ErrorClass::Corrupt));
    let again = rotation::rotate(&mut admin.repo).expect("an administrator may");
    assert_eq!((again.epoch, again.is_repeated), (1, true));
    assert!(admin.repo.doubts().is_empty());
    admin.backup(&scene.source).expect("the backup runs");
    let client = with_key(&scene, &key).expect("it opens");
    client.backup(&scene.source).expect("the backup runs");
    assert_eq!(client.snapshots().len(), 4);
    // A machine that never saw it begins the same epoch with the same keys.
    scene.place.delete(&announcement(&scene));
    let mut fresh = admin.another(&scene.place.store()).expect("the words open it");
    let again = rotation::rotate(&mut fresh.repo).expect("an administrator may");
    assert_eq!((again.epoch, again.is_repeated), (1, false));
    assert_eq!(fresh.snapshots().len(), 4);
    fresh.assert_newest_is(&scene.source);
}

fn a_damaged_announcement_takes_no_snapshot_from_an_administrator(at: At) {
    let (scene, key) = rotated(at);
    let name = announcement(&scene);
    let mut bytes = scene.place.read(&name).to_vec();
    bytes[40] ^= 1;
    scene.place.write(&name, &bytes);
    let admin = scene.admin.another(&scene.place.store()).expect("the words open it");
    assert!(matches!(admin.repo.doubts(), [doubt] if !doubt.is_gone));
    admin.assert_newest_is(&scene.source);
    assert_eq!(class(admin.backup(&scene.source)), Some(ErrorClass::Corrupt));
    assert_eq!(class(rotation::plan(&admin.repo)), Some(ErrorClass::Corrupt));
    // Others read what was there before.
    let client = with_key(&scene, &key).expect("it opens");
    assert_eq!(client.snapshots().len(), 1);
    assert_eq!(class(client.backup(&scene.source)), Some(ErrorClass::Corrupt));
    scene.place.delete(&name);
    let mut admin = admin_that_has_seen(&scene);
    rotation::rotate(&mut admin.repo).expect("an administrator may");
    let client = with_key(&scene, &key).expect("it opens");
    assert_eq!(client.snapshots().len(), 2);
    client.backup(&scene.source).expect("the backup runs");
}

fn of_two_administrators_who_change_keys_at_once_one_is_told(at: At) {
    let mut scene = Scene::new(at);
    let mut other = scene.admin.another(&scene.place.store()).expect("the words open it");
    rotate(&mut scene);
    let refused = rotation::rotate(&mut other.repo);
    assert_eq!(class(refused), Some(ErrorClass::Rekeyed));
    let mut again = scene.admin.another(&scene.place.store()).expect("the words open it");
    assert_eq!(rotation::rotate(&mut again.repo).expect("an administrator may").epoch, 2);
}

#[test]
fn a_change_of_keys_that_ends_at_any_request_can_be_repeated() {
    for end in 0.. {
        let scene = Scene::new(At::Memory);
        let key = scene.admin.cut_key(Role::Backup, 0);
        let count = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&count);
        let hooked = Hooked::new(scene.place.object_store(), move |_, _, _| {
            match counted.fetch_add(1, Ordering::AcqRel) == end {
                true => Verdict::Crash,
                false => Verdict::Go,
            }
        });
        let through = Store::from_object_store(Arc::new(hooked.clone()), "hooked", true);
        let through = through.with_retry(RetrySettings::fast());
        let unlock = Unlock::Words(&scene.admin.recovery_words);
        let repo = open(&through, clock(), &unlock);
        let ended = repo.and_then(|mut repo| rotation::rotate(&mut repo).map(drop));
        assert_eq!(ended.is_err(), hooked.is_crashed(), "{ended:?}");
        put(&scene.source.join("new"), &random_bytes(9, 100_000));
        let client = with_key(&scene, &key).expect("it opens");
        client.backup(&scene.source).expect("the backup runs");
        let mut admin = scene.admin.another(&scene.place.store()).expect("the words open it");
        assert!(admin.repo.doubts().is_empty());
        admin.assert_newest_is(&scene.source);
        rotation::rotate(&mut admin.repo).expect("an administrator may");
        let client = with_key(&scene, &key).expect("it opens");
        assert_eq!(client.snapshots().len(), 2);
        if !hooked.is_crashed() {
            assert!(end > 10, "only {end} moments");
            break;
        }
    }
}

fn a_client_that_was_revoked_gets_no_new_keys(at: At) {
    let mut scene = Scene::new(at);
    let key = scene.admin.cut_key(Role::Verify, 0);
    let known = engine::repo::slot_sets::known(&scene.admin.repo).expect("they can be read");
    let client = known.get(key.slot).and_then(|slot| slot.client).expect("it is a client");
    let revocation = Revocation {
        client,
        at: engine::base::time::Timestamp::default(),
        reason: "stolen".to_owned(),
        snapshot: None,
        run: None,
        evidence: None,
    };
    records::put_revocation(&scene.admin.repo, &revocation).expect("an administrator may");
    let rotated = rotate(&mut scene);
    assert!(matches!(rotated.left_out.as_slice(), [one] if one.slot == key.slot));
    let refused = with_key(&scene, &key).map(drop).expect_err("it was left out");
    assert!(matches!(refused, RepoError::LeftOut { epoch: 1 }), "{refused}");
}

/// The key of an object with the code that holders of these keys make.
fn coded(base: &str, control: &SecretKey) -> String {
    let names = derive("mainstay v2 codes of names", &[control.expose()]);
    let code = mac(&names, base.as_bytes());
    let digits: String = code[..8].iter().map(|byte| format!("{byte:02x}")).collect();
    format!("{base}-{digits}")
}

fn whoever_was_left_out_cannot_stop_writing(at: At) {
    let (scene, key) = rotated(at);
    let base = ObjectName::Epoch(2).key();
    let forged = forged(&crate::golden::history::epoch());
    scene.place.write(&coded(&base, scene.admin.repo.keys().first_control()), &forged);
    let client = with_key(&scene, &key).expect("it opens");
    assert!(client.repo.doubts().is_empty(), "it is junk");
    client.backup(&scene.source).expect("the backup runs");
    // With the newest keys, it is not.
    scene.place.write(&coded(&base, scene.admin.repo.keys().control().0), &forged);
    let client = with_key(&scene, &key).expect("it opens");
    assert_eq!(class(client.backup(&scene.source)), Some(ErrorClass::Corrupt));
}

fn what_lies_under_an_older_code_of_a_name_hides_nothing(at: At) {
    let (scene, key) = rotated(at);
    let keys = scene.admin.repo.keys();
    let controls = [keys.first_control().clone(), keys.control().0.clone()];
    let before =
        format!("{:?}", scene.admin.another(&scene.place.store()).expect("ok").snapshots());
    // What comes in the same moment of the store's clock may be taken for damage.
    let moment_ms = if at == At::Folder { 5 } else { 1100 };
    std::thread::sleep(Duration::from_millis(moment_ms));
    let mut planted = 0;
    for whole in scene.place.keys("") {
        let base = spelled(&whole).expect("nothing else is there").key();
        // The other code of each name that has one.
        let others: Vec<_> = controls.iter().map(|control| coded(&base, control)).collect();
        if others.contains(&whole) && !base.starts_with("epochs/") {
            for other in others.iter().filter(|other| **other != whole) {
                scene.place.write(other, b"junk");
                planted += 1;
            }
        }
    }
    assert!(planted >= 10, "{planted}");
    let fresh = scene.admin.another(&scene.place.store()).expect("the words open it");
    assert_eq!(format!("{:?}", fresh.snapshots()), before, "times or states changed");
    fresh.assert_newest_is(&scene.source);
    let check = fresh.check_all().expect("the check runs");
    assert!(check.damage.is_empty(), "{check:?}");
    assert_eq!(check.foreign_keys.len(), planted);
    let client = with_key(&scene, &key).expect("it opens");
    client.backup(&scene.source).expect("the backup runs");
    let packs = scene.packs();
    let host = "collector".to_owned();
    let options = GcOptions { host, grace: Duration::ZERO, ..GcOptions::default() };
    let pruned = gc::run(&fresh.repo, &fresh.index, &options, &Recording::default());
    pruned.expect("nothing stops it");
    scene.assert_kept(&packs, "with junk under other codes");
}
