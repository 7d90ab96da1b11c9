//! Objects that anybody could have put into the store: they stop nobody, and `check` names them.

use engine::base::id::{GenerationId, HoldId, InvitationId, Nonce8, SegmentId, SessionId};
use engine::format::slot::Role;
use engine::gc::{self, GcOptions};
use engine::index::catalog;
use engine::store::code::NameCodes;
use engine::store::name::Coding;
use proptest::prelude::*;

use super::*;

everywhere![
    who_has_no_key_stops_nobody,
    a_hold_that_cannot_be_read_stops_a_prune_only_if_a_keeper_can_have_made_it,
    later_records_count_only_from_who_may_write_them,
    what_claims_to_be_of_a_later_version_keeps_nobody_from_lists,
];

/// Every name with a code that could be about this snapshot or about nothing.
fn names(session: SessionId, byte: u8) -> Vec<ObjectName> {
    let (client, random) = (session.client(), Nonce8::new([byte; 8]));
    let other = SessionId::from_parts(client, 99, random);
    let generation = GenerationId::from_parts(client, random);
    let number = u32::from(byte);
    vec![
        ObjectName::Client(ClientId::new([byte; 8])),
        ObjectName::Revoked(client, random),
        ObjectName::Session(other),
        ObjectName::Segment(SegmentId { session, number, random }),
        ObjectName::Commit(session, random),
        ObjectName::Commit(other, random),
        ObjectName::Confirm(other),
        ObjectName::Fence(session, random),
        ObjectName::Final(session, random),
        ObjectName::Tomb(session, random),
        ObjectName::Hold(HoldId::new([byte; 8])),
        ObjectName::Release(HoldId::new([byte; 8]), random),
        ObjectName::Tags(session, random),
        ObjectName::Condemn(generation),
        ObjectName::Sweep(generation),
        ObjectName::Void(generation),
        ObjectName::Done(generation),
        ObjectName::Close(generation, random),
        ObjectName::Closed(generation, random),
        ObjectName::Past { number, random },
        ObjectName::Run { hour: 7, writer: client, number, random },
        ObjectName::Conf { writer: client, number, random },
        ObjectName::Join(InvitationId::new([byte; 8]), random),
        ObjectName::Fold { number, random },
        ObjectName::Copied(session, random),
        ObjectName::Lock { number, random },
        ObjectName::Consent(random),
        ObjectName::Evidence { writer: client, number },
    ]
}

fn who_has_no_key_stops_nobody(at: At) {
    let scene = Scene::new(at);
    let session = scene.admin.newest().session;
    let packs = scene.packs();
    let names = names(session, 5);
    assert!(names.iter().all(|name| name.coding() != Coding::None));
    // What a genuine record says, under the name of another.
    let genuine = scene.place.read(&scene.place.keys("snap/")[0]);
    for name in &names {
        scene.place.write(&name.key(), b"junk");
        scene.place.write(&format!("{name}-0123456789abcdef"), &genuine);
        scene.place.write(&format!("{name}-"), b"");
    }
    let fresh = scene.admin.another(&scene.place.store()).expect("the words open it");
    for machine in [&scene.admin, &fresh] {
        let catalog = catalog::snapshots(&machine.repo, &machine.index).expect("they are listed");
        assert_eq!((catalog.snapshots.len(), catalog.damaged.len()), (1, 0));
        assert_eq!(catalog.unconfirmed.len(), 0);
        let check = machine.check_all().expect("the check runs");
        assert!(check.is_sound(), "{check:?}");
        assert!(!check.foreign_keys.is_empty(), "nobody is told of the junk");
    }
    put(&scene.source.join("second"), &random_bytes(2, 90_000));
    fresh.backup(&scene.source).expect("the backup runs");
    let catalog = catalog::snapshots(&fresh.repo, &fresh.index).expect("they are listed");
    let counts = (catalog.snapshots.len(), catalog.unconfirmed.len());
    assert_eq!(counts, (2, 0), "a fence of somebody without a key is believed");
    let freed = scene.prune();
    assert_eq!((freed.fenced_sessions, freed.deleted_packs), (0, 0), "{freed:?}");
    scene.assert_kept(&packs, "junk");
}

fn a_hold_that_cannot_be_read_stops_a_prune_only_if_a_keeper_can_have_made_it(at: At) {
    let scene = Scene::new(at);
    let packs = scene.packs();
    let key = scene.admin.cut_key(Role::Backup, 0);
    let client = World::with_key(&scene.place.store(), &key).expect("the key opens");
    let session = scene.admin.newest().session;
    let draw = |machine: &World| {
        let hold = |random: Nonce8| ObjectName::Hold(HoldId::new(*random.as_bytes()));
        hold(machine.repo.store().draw(hold))
    };
    // It has the codes of names, and no keeper's.
    let forged = [
        draw(&client),
        ObjectName::Tomb(session, Nonce8::new([5; 8])),
        ObjectName::Release(HoldId::new([5; 8]), Nonce8::new([5; 8])),
    ];
    for name in &forged {
        client.repo.store().put_new(name, Bytes::from_static(b"junk")).expect("it is stored");
    }
    let freed = scene.prune();
    assert_eq!(freed.deleted_packs, 0, "{freed:?}");
    let check = scene.admin.check_all().expect("the check runs");
    assert!(check.is_sound() && check.foreign_keys.len() == forged.len(), "{check:?}");
    // One that the administrator may have made, and that rotted, may hold anything.
    let rotted = draw(&scene.admin);
    scene.admin.repo.store().put_new(&rotted, Bytes::from_static(b"junk")).expect("it is stored");
    let (options, monitor) = (GcOptions::default(), Recording::default());
    let error = gc::run(&scene.admin.repo, &scene.admin.index, &options, &monitor);
    assert!(error.is_err_and(|error| error.to_string().contains("hold")));
    scene.assert_kept(&packs, "holds");
}

/// What the codes of two epochs and of a role without the keeper's key say of a key.
fn codes(names: u8, keeper: Option<u8>, older: &[u8]) -> NameCodes {
    use engine::crypt::secret::SecretKey;
    use engine::store::code::CodeKeys;
    let keys = |names: u8, keeper: Option<u8>| CodeKeys {
        epoch: 0,
        names: SecretKey::new([names; 32]),
        keeper: keeper.map(|byte| SecretKey::new([byte; 32])),
    };
    NameCodes::new(keys(names, keeper), older.iter().map(|byte| keys(*byte, keeper)).collect())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn names_are_read_by_whoever_has_the_keys_of_their_epoch(
        session: [u8; 24], byte: u8, flip in 0..16_usize,
    ) {
        let mine = codes(1, Some(2), &[]);
        for name in names(SessionId::new(session), byte) {
            let name = match name {
                ObjectName::Tomb(of, _) => {
                    ObjectName::Tomb(of, mine.draw(|random| ObjectName::Tomb(of, random)))
                }
                ObjectName::Hold(_) => {
                    let hold = |random: Nonce8| ObjectName::Hold(HoldId::new(*random.as_bytes()));
                    hold(mine.draw(hold))
                }
                ObjectName::Release(of, _) => {
                    let release = |random| ObjectName::Release(of, random);
                    release(mine.draw(release))
                }
                ObjectName::Consent(_) => ObjectName::Consent(mine.draw(ObjectName::Consent)),
                other => other,
            };
            let key = mine.keys(&name).remove(0);
            prop_assert_eq!(mine.read(&key), Some(name));
            // After a rotation it still counts; for whoever never had that epoch it does not.
            prop_assert_eq!(codes(3, Some(2), &[1]).read(&key), Some(name));
            prop_assert_eq!(codes(3, Some(2), &[]).read(&key), None);
            // Other roles do not know the keeper's part.
            prop_assert_eq!(codes(1, None, &[]).read(&key), Some(name));
            let is_marked = matches!(name.coding(), Coding::Keeper(_));
            prop_assert_eq!(codes(1, Some(4), &[]).read(&key).is_none(), is_marked);
            let mut other: Vec<u8> = key.clone().into_bytes();
            let at = other.len() - 1 - flip;
            other[at] = if other[at] == b'0' { b'1' } else { b'0' };
            let other = String::from_utf8(other).expect("digits");
            prop_assert_eq!(mine.read(&other), None);
            prop_assert_eq!(mine.read(&name.key()), None);
        }
    }
}

/// Records that nothing writes yet count only from those who may write them.
fn later_records_count_only_from_who_may_write_them(at: At) {
    use crate::golden::history as of;
    use engine::format::announcement::{Announcement, encode_announcement};
    use engine::format::history::{CopiedRecord, FoldRecord, JoinRecord, LockRecord};
    use engine::repo::{announcement, history};

    let scene = Scene::new(at);
    let (repo, victim) = (&scene.admin.repo, scene.admin.newest().session);
    let thief = scene.enrol(Role::Backup, 0, 7);
    let (random, by) = (Nonce8::new([9; 8]), thief.client);
    // It may say that it took an invitation itself, and where snapshots of its own came from.
    let join = JoinRecord { client: by, ..of::join() };
    let name = history::put_join(repo, &thief, &join).expect("it is stored");
    assert!(history::get_join(repo, &name).is_ok());
    let own = CopiedRecord { session: session_of(by), ..of::copied() };
    let name = history::put_copied(repo, &thief, &own).expect("it is stored");
    assert!(history::get_copied(repo, &name).is_ok());
    // Nothing else, whatever it signs.
    let sign = &thief.signing;
    let join = JoinRecord { client: victim.client(), ..of::join() };
    let name = ObjectName::Join(join.invitation, random);
    put_control(repo, &name, ControlKind::Join, &join, sign).expect("it is stored");
    assert!(history::get_join(repo, &name).is_err());
    let fold = FoldRecord { by, ..of::fold() };
    let name = ObjectName::Fold { number: fold.number, random };
    put_control(repo, &name, ControlKind::Fold, &fold, sign).expect("it is stored");
    assert!(history::get_fold(repo, &name).is_err());
    let lock = LockRecord { by, ..of::lock() };
    let name = ObjectName::Lock { number: lock.number, random };
    put_control(repo, &name, ControlKind::Lock, &lock, sign).expect("it is stored");
    assert!(history::get_lock(repo, &name).is_err());
    let copied = CopiedRecord { session: victim, ..of::copied() };
    let name = ObjectName::Copied(victim, random);
    put_control(repo, &name, ControlKind::Copied, &copied, sign).expect("it is stored");
    assert!(history::get_copied(repo, &name).is_err());
    // Sets of slots take no key to write, and the administrator's to count; epochs a key for their name.
    fn forged<T: Announcement>(record: &T) -> Bytes {
        [encode_announcement(record), vec![7; 64]].concat().into()
    }
    let number = of::slot_set().number;
    let sets = ObjectName::SlotSet { number, random };
    scene.put(&sets, forged(&of::slot_set()));
    repo.store().put_new(&ObjectName::Epoch(1), forged(&of::epoch())).expect("it is stored");
    assert!(announcement::get_slot_set(repo, &sets).is_err());
    assert!(announcement::get_epoch(repo, 1).is_err());
    let found = scene.admin.check_all().expect("the check runs").damage;
    for forged in ["join/", "fold/", "lock/", "copied/", "slots/", "epochs/"] {
        let count = found.keys().filter(|key| key.starts_with(forged)).count();
        assert_eq!(count, 1, "{forged}: {found:?}");
    }
}

/// Who has any key can put up records of a version, or of an epoch, that there is not.
fn what_claims_to_be_of_a_later_version_keeps_nobody_from_lists(at: At) {
    use engine::format::envelope::encode_control;
    use engine::repo::machine;

    let scene = Scene::new(at);
    let (repo, like) = (&scene.admin.repo, scene.admin.newest());
    let (genuine, packs) = (like.session, scene.packs());
    let thief = scene.enrol(Role::Backup, 0, 7);
    let session = session_of(thief.client);
    register(&scene, &thief, session);
    let record =
        Snapshot { session, client: thief.client, previous: None, seen: Vec::new(), ..like };
    let name = ObjectName::Commit(session, Nonce8::new([3; 8]));
    let commit = private::seal(repo, &name, &record).expect("it can be sealed");
    put_control(repo, &name, ControlKind::Commit, &commit, &thief.signing).expect("it is stored");
    let later = |kind: ControlKind, version: u8, epoch: u32| {
        let mut bytes = encode_control(kind, epoch, &[7; 100]);
        bytes[4] = version;
        Bytes::from(bytes)
    };
    for (byte, version, epoch) in [(1, 3, 0), (2, 2, 9)] {
        let random = Nonce8::new([byte; 8]);
        let flags = [
            (ObjectName::Fence(session, random), ControlKind::Fence),
            (ObjectName::Final(session, random), ControlKind::Final),
            (ObjectName::Revoked(genuine.client(), random), ControlKind::Revocation),
        ];
        for (name, kind) in flags {
            let bytes = later(kind, version, epoch);
            repo.store().put_new(&name, bytes).expect("the store takes it");
        }
    }
    let confirm = later(ControlKind::Confirm, 3, 0);
    repo.store().put_new(&ObjectName::Confirm(session), confirm).expect("the store takes it");
    let fresh = scene.admin.another(&scene.place.store()).expect("the words open it");
    let listed = catalog::snapshots(&fresh.repo, &fresh.index).expect("they can be listed");
    assert!(listed.snapshots.iter().any(|one| one.snapshot.session == genuine));
    assert_eq!(machine::revocations(&fresh.repo).expect("they can be read"), []);
    scene.prune();
    scene.assert_kept(&packs, "flags of a later version");
}
