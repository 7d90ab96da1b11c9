//! Key slots and the sets that name them: what rots is named, what others put there counts for nothing,
//! and two administrators who change them at the same moment lose neither change.

use engine::base::id::SlotId;
use engine::format::announcement::{KnownSlot, SlotSet, encode_announcement};
use engine::format::slot::SlotKind;
use engine::repo::slots::{self, Standing};
use engine::repo::{Repo, slot_sets};

use super::*;

everywhere![
    a_flipped_byte_in_the_slot_of_the_recovery_words_is_named,
    two_administrators_who_change_slots_at_once_lose_neither_change,
    slots_that_nobody_signed_for_are_named_and_can_be_removed,
    a_set_that_others_made_up_replaces_nothing,
];

fn all(place: &Place) -> BTreeSet<String> {
    place.keys("").into_iter().collect()
}

fn standing(repo: &Repo, slot: SlotId) -> Standing {
    let listed = slots::list(repo).expect("they can be listed");
    listed.into_iter().find(|one| one.slot == slot).expect("it is listed").standing
}

fn slot_of(repo: &Repo, kind: SlotKind) -> SlotId {
    let listed = slots::list(repo).expect("they can be listed");
    listed.into_iter().find(|one| one.kind == Some(kind)).expect("there is one").slot
}

/// What a check without reading data says of an object.
fn named(machine: &World, key: &str) -> String {
    let report = machine.check_structure().expect("the check runs");
    report.damage.get(key).map(|damage| damage.findings.join("; ")).unwrap_or_default()
}

fn a_flipped_byte_in_the_slot_of_the_recovery_words_is_named(at: At) {
    let scene = Scene::new(at);
    let repo = &scene.admin.repo;
    for (kind, words) in
        [(SlotKind::Phrase, "recovery words"), (SlotKind::Passphrase, "passphrase")]
    {
        let slot = slot_of(repo, kind);
        let key = ObjectName::Slot(slot).key();
        let sound = scene.place.read(&key);
        assert_eq!(
            (standing(repo, slot), named(&scene.admin, &key)),
            (Standing::Good, String::new())
        );
        for at in 0..sound.len() {
            let mut flipped = sound.to_vec();
            flipped[at] ^= 1 << (at % 8);
            scene.place.write(&key, &flipped);
            assert_eq!(standing(repo, slot), Standing::Changed, "byte {at}");
            if at % 100 == 0 {
                let why = named(&scene.admin, &key);
                assert!(why.contains(words) && why.contains("opens nothing"), "byte {at}: {why}");
            }
        }
        scene.place.delete(&key);
        assert_eq!(standing(repo, slot), Standing::Missing);
        let why = named(&scene.admin, &key);
        assert!(why.contains("missing") && why.contains(words), "{why}");
        scene.place.write(&key, &sound);
    }
    scene.admin.assert_sound();
    // A store that hides the sets hides them from nobody who checks.
    for key in all(&scene.place).into_iter().filter(|key| key.starts_with("slots/")) {
        scene.place.delete(&key);
    }
    assert!(named(&scene.admin, "slots/").contains("no set of key slots"));
}

fn two_administrators_who_change_slots_at_once_lose_neither_change(at: At) {
    let scene = Scene::new(at);
    let before = all(&scene.place);
    let fork = scene.place.fork();
    let other = scene.admin.another(&fork.store()).expect("the words open it");
    // One adds a key file and removes another one's; neither sees what the other does.
    let removed = slot_of(&other.repo, SlotKind::Passphrase);
    slots::remove(&other.repo, &removed.to_string()).expect("the words are left");
    let added = scene.admin.cut_key(Role::Restore, 0).slot;
    let (ours, theirs) = (all(&scene.place), all(&fork));
    for key in theirs.difference(&ours).filter(|key| !before.contains(*key)) {
        scene.place.write(key, &fork.read(key));
    }
    for gone in before.difference(&theirs) {
        scene.place.delete(gone);
    }
    let repo = &scene.admin.repo;
    let known = slot_sets::known(repo).expect("they can be read");
    assert_eq!(known.in_force().len(), 2);
    assert!(known.get(added).is_some(), "an added slot is lost");
    assert!(known.get(removed).is_none() && known.has_removed(removed), "a removal is lost");
    scene.admin.assert_sound();
    // The next change joins them.
    let third = scene.admin.cut_key(Role::Verify, 0).slot;
    let known = slot_sets::known(repo).expect("they can be read");
    assert_eq!(known.in_force().len(), 1);
    assert!(known.get(third).is_some() && known.get(added).is_some());
    assert!(known.get(removed).is_none());
    scene.admin.assert_sound();
}

fn slots_that_nobody_signed_for_are_named_and_can_be_removed(at: At) {
    let scene = Scene::new(at);
    let repo = &scene.admin.repo;
    let key = scene.admin.cut_key(Role::Backup, 7);
    let (name, planted) = (ObjectName::Slot(key.slot).key(), SlotId::new([9; 8]));
    let bytes = scene.place.read(&name);
    slots::remove(repo, &key.slot.to_string()).expect("an administrator may");
    // The store brings back one that was removed, and somebody puts up junk and a copy.
    scene.place.write(&name, &bytes);
    scene.place.write(&ObjectName::Slot(planted).key(), &bytes);
    let junk = SlotId::new([8; 8]);
    scene.place.write(&ObjectName::Slot(junk).key(), b"junk");
    assert_eq!(standing(repo, key.slot), Standing::Removed);
    assert_eq!(standing(repo, planted), Standing::Unlisted);
    assert_eq!(standing(repo, junk), Standing::Unlisted);
    let report = scene.admin.check_all().expect("the check runs");
    assert!(report.is_sound(), "{report:?}");
    let strays: Vec<_> = report.stray_slots.iter().map(|(key, _)| key.as_str()).collect();
    assert_eq!(strays.len(), 3);
    assert!(strays.contains(&name.as_str()));
    for stray in [key.slot, planted, junk] {
        slots::remove(repo, &stray.to_string()).expect("an administrator may");
    }
    let report = scene.admin.check_all().expect("the check runs");
    assert!(report.is_sound() && report.stray_slots.is_empty(), "{report:?}");
}

fn a_set_that_others_made_up_replaces_nothing(at: At) {
    let scene = Scene::new(at);
    let repo = &scene.admin.repo;
    let genuine = slot_sets::known(repo).expect("they can be read");
    let planted = SlotId::new([9; 8]);
    let forged = SlotSet {
        repository: repo.config().repository,
        number: u32::MAX,
        at: repo.clock().now(),
        replaces: genuine.in_force().to_vec(),
        slots: vec![KnownSlot {
            slot: planted,
            digest: engine::base::id::Digest::new([1; 32]),
            kind: SlotKind::Passphrase,
            role: Role::Admin,
            client: None,
            expires: None,
            recipient: None,
        }],
        removed: genuine.iter().map(|slot| slot.slot).collect(),
    };
    let bytes = encode_announcement(&forged);
    let name = ObjectName::SlotSet { number: u32::MAX, random: Nonce8::new([7; 8]) };
    let signature = SigningKey::generate().sign(&bytes);
    scene.place.write(&name.key(), &[bytes.as_slice(), &signature].concat());
    // The genuine one under another name is another set, too.
    let (number, random) = genuine.in_force()[0];
    let copied = scene.place.read(&ObjectName::SlotSet { number, random }.key());
    let elsewhere = ObjectName::SlotSet { number: number + 7, random: Nonce8::new([7; 8]) };
    scene.place.write(&elsewhere.key(), &copied);
    let known = slot_sets::known(repo).expect("they can be read");
    assert_eq!(known.in_force(), genuine.in_force());
    assert!(known.get(planted).is_none());
    assert_eq!((known.iter().count(), known.unreadable.len()), (2, 2));
    for forged in [name, elsewhere] {
        assert!(named(&scene.admin, &forged.key()).contains("signature"), "{forged}");
    }
    // Whoever opens is not kept from it, and changes go on.
    scene.admin.another(&scene.place.store()).expect("the words open it");
    let _ = scene.admin.cut_key(Role::Restore, 0);
    let known = slot_sets::known(repo).expect("they can be read");
    assert_eq!((known.in_force().len(), known.iter().count()), (1, 3));
}
