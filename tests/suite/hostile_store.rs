//! A store that hides, replays, moves and forges objects: each is named, none is silently taken.

#![expect(clippy::disallowed_methods, reason = "tests write their own sources")]

use std::path::PathBuf;
use std::sync::Arc;

use engine::base::id::{ClientId, Nonce8};
use engine::base::time::Timestamp;
use engine::crypt::sign::SigningKey;
use engine::format::client::Client;
use engine::format::envelope::ControlKind;
use engine::format::session::Fence;
use engine::format::slot::Role;
use engine::index::catalog;
use engine::repo::object::put_control;
use engine::repo::private;
use engine::store::name::ObjectName;
use object_store::ObjectStore;
use object_store::memory::InMemory;
use system_tests::damage::{Target, Vault};
use system_tests::world::{World, open_index};

/// Three snapshots of one client.
fn three(world: &World) -> PathBuf {
    let source = world.new_folder("source");
    for number in 0..3u8 {
        std::fs::write(source.join("file"), vec![number; 2000]).expect("it can be written");
        world.backup(&source).expect("the backup runs");
    }
    source
}

fn commits(target: &Target) -> Vec<String> {
    // Keys of one client sort by sequence.
    target.vault.keys("snap.commit")
}

/// How people are told of the object at a key.
fn shown(key: &str) -> String {
    system_tests::damage::name_of(key).key()
}

fn hide(target: &Target, commit: &str) {
    target.vault.set(commit, None);
    let session = match system_tests::damage::name_of(commit) {
        ObjectName::Commit(session, _) => session,
        other => unreachable!("{other} is no commit"),
    };
    target.vault.set(&target.world.repo.store().key_of(&ObjectName::Confirm(session)), None);
}

fn cold_finding(target: &Target) -> Option<String> {
    let folder = tempfile::tempdir().expect("a folder can be made");
    let cold = open_index(&target.world.repo, folder.path()).expect("it can be made");
    target.finding(&cold)
}

#[test]
fn a_hidden_snapshot_in_the_middle_is_a_gap_for_everybody() {
    let target = Target::new(three);
    let middle = commits(&target)[1].clone();
    hide(&target, &middle);
    let found = cold_finding(&target).expect("the gap is found");
    assert!(found.contains("1 snapshot before it is missing"), "{found}");
}

#[test]
fn a_hidden_first_snapshot_is_a_gap_for_everybody() {
    let target = Target::new(three);
    let first = commits(&target)[0].clone();
    hide(&target, &first);
    assert!(cold_finding(&target).expect("it is found").contains("before it are missing"));
}

/// Nobody but who has seen it can know of the newest one: this machine has.
#[test]
fn a_hidden_newest_snapshot_is_missed_by_whoever_has_seen_it() {
    let target = Target::new(three);
    let newest = commits(&target)[2].clone();
    hide(&target, &newest);
    for _ in 0..2 {
        let found = target.finding(&target.world.index).expect("it is missed");
        let newest = newest.split('-').next().unwrap_or_default();
        assert!(found.contains(newest), "{found}");
    }
    // The next backup goes on with the number after it, so that others see the gap too.
    target.world.backup(&target.source).expect("the backup runs");
    assert!(cold_finding(&target).expect("it is found").contains("before it is missing"));
}

#[test]
fn an_object_of_one_place_is_not_taken_at_another() {
    let target = Target::new(three);
    for kind in ["snap.commit", "index", "snap.ok", "sess", "data", "tree"] {
        let keys = target.vault.keys(kind);
        let (old, new) = (&keys[0], &keys[keys.len() - 1]);
        target.vault.set(new, Some(target.vault.objects[old].clone()));
        let found = cold_finding(&target).expect("the replay is found");
        assert!(found.contains(&shown(new)), "{kind}: {found}");
        target.vault.heal(new);
    }
    assert_eq!(cold_finding(&target), None);
}

#[test]
fn snapshots_of_two_clients_cannot_be_swapped() {
    let target = Target::new(|world| {
        let source = three(world);
        // Another machine: another index, hence another identity.
        let folder = world.new_folder("other");
        let index = open_index(&world.repo, &folder).expect("it can be made");
        let paths = engine::backup::Source::Paths(vec![source.clone()]);
        let options = system_tests::world::options();
        let silent = system_tests::world::silent();
        engine::backup::run(&world.repo, &index, &folder, paths, &options, &silent)
            .expect("the backup runs");
        source
    });
    let keys = commits(&target);
    let client = |key: &str| key["snap/".len()..][..16].to_owned();
    let a = &keys[0];
    let b = keys.iter().find(|key| client(key) != client(a)).expect("there are two clients");
    target.vault.set(a, Some(target.vault.objects[b].clone()));
    target.vault.set(b, Some(target.vault.objects[a].clone()));
    let found = cold_finding(&target).expect("the swap is found");
    assert!(found.contains(&shown(a)) && found.contains(&shown(b)), "{found}");
}

#[test]
fn objects_of_another_repository_with_the_same_passphrase_are_refused() {
    let target = Target::new(three);
    let other = Target::new(three);
    let index = &target.world.index;
    for key in target.vault.objects.keys() {
        let kind = system_tests::damage::kind_of(key);
        let foreign = other.vault.keys(&kind)[0].clone();
        target.vault.set(key, Some(other.vault.objects[&foreign].clone()));
        let by_passphrase = target.world.reopen(&target.vault.store());
        let is_noticed = target.finding(index).is_some() || by_passphrase.is_err();
        assert!(is_noticed, "{key}");
        target.vault.heal(key);
    }
    // A second configuration beside the first.
    let foreign = other.vault.keys("config")[0].clone();
    target.vault.set(&foreign, Some(other.vault.objects[&foreign].clone()));
    let world = &target.world;
    let opened = world.reopen(&target.vault.store());
    let opened = opened.expect("one of them opens");
    assert_eq!(opened.config().repository, world.repo.config().repository);
}

/// Puts a flag that some key signed beside a snapshot.
fn put_flag(target: &Target, kind: ControlKind, by: ClientId, signing: &SigningKey) -> ObjectName {
    let session = target.snapshot.session;
    let random = Nonce8::new([kind.code(); 8]);
    let name = match kind {
        ControlKind::Fence => ObjectName::Fence(session, random),
        _ => ObjectName::Final(session, random),
    };
    let record = Fence { session, by, reason: "forged".to_owned() };
    put_control(&target.world.repo, &name, kind, &record, signing).expect("it can be stored");
    name
}

#[test]
fn forged_fences_and_finals_do_not_make_a_snapshot_vanish() {
    for (by_known_client, with_ok) in [(true, true), (true, false), (false, true), (false, false)] {
        let target = Target::new(three);
        if !with_ok {
            let ok = ObjectName::Confirm(target.snapshot.session);
            target.vault.set(&target.world.repo.store().key_of(&ok), None);
        }
        let by = match by_known_client {
            true => target.snapshot.client,
            false => ClientId::new([6; 8]),
        };
        let stranger = SigningKey::generate();
        let names = [ControlKind::Fence, ControlKind::Final]
            .map(|kind| put_flag(&target, kind, by, &stranger));
        let listed = catalog::snapshots(&target.world.repo, &target.world.index)
            .expect("snapshots can be listed");
        assert_eq!(listed.snapshots.len(), 3, "known {by_known_client}, ok {with_ok}");
        let found = target.finding(&target.world.index).expect("forgeries are named");
        assert!(names.iter().all(|name| found.contains(&name.key())), "{found}");
        assert_eq!(target.restore(&target.world.index), None);
        // Bytes that nobody sealed do no more.
        for name in names {
            let key = target.world.repo.store().key_of(&name);
            target.vault.set(&key, Some(b"rubbish".to_vec().into()));
        }
        let listed = catalog::snapshots(&target.world.repo, &target.world.index)
            .expect("snapshots can be listed");
        assert_eq!(listed.snapshots.len(), 3);
    }
}

/// Holders of the control key can seal; only the administrator can enrol.
#[test]
fn a_client_that_the_administrator_did_not_sign_writes_nothing_that_counts() {
    let target = Target::new(three);
    let (client, signing) = (ClientId::new([6; 8]), SigningKey::generate());
    let record = Client {
        client,
        name: "intruder".to_owned(),
        verifying_key: signing.public(),
        role: Role::Admin,
        domain: 0,
        enrolled: Timestamp { seconds: 0, nanos: 0 },
        hosts: Vec::new(),
        succeeds: Vec::new(),
        recipient: None,
        approves: false,
    };
    let repo = &target.world.repo;
    let name = ObjectName::Client(client);
    put_control(repo, &name, ControlKind::Client, &record, &signing).expect("it can be stored");
    let session = engine::base::id::SessionId::from_parts(client, 0, Nonce8::new([1; 8]));
    let snapshot =
        engine::format::snapshot::Snapshot { session, client, ..target.snapshot.clone() };
    let commit = ObjectName::Commit(session, Nonce8::new([1; 8]));
    let record = private::seal(repo, &commit, &snapshot).expect("it can be sealed");
    put_control(repo, &commit, ControlKind::Commit, &record, &signing).expect("it is stored");
    let listed = catalog::snapshots(repo, &target.world.index).expect("they can be listed");
    assert_eq!((listed.snapshots.len(), listed.damaged.len()), (3, 1));
    let found = target.finding(&target.world.index).expect("it is named");
    let commit = ObjectName::commit_of(session);
    assert!(found.contains(&name.key()) && found.contains(&commit), "{found}");
}

#[test]
fn a_commit_signed_by_another_enrolled_client_is_refused() {
    let target = Target::new(three);
    let repo = &target.world.repo;
    let other = engine::repo::keyring::Identity {
        client: ClientId::new([6; 8]),
        signing: SigningKey::generate(),
    };
    engine::index::identity::enrol(repo, &other, "other", Role::Backup, 0).expect("it is admin");
    let session =
        engine::base::id::SessionId::from_parts(target.snapshot.client, 3, Nonce8::new([1; 8]));
    for client in [target.snapshot.client, other.client] {
        let snapshot =
            engine::format::snapshot::Snapshot { session, client, ..target.snapshot.clone() };
        let commit = ObjectName::Commit(session, Nonce8::new([1; 8]));
        let record = private::seal(repo, &commit, &snapshot).expect("it can be sealed");
        put_control(repo, &commit, ControlKind::Commit, &record, &other.signing)
            .expect("it can be stored");
        let listed = catalog::snapshots(repo, &target.world.index).expect("they can be listed");
        assert_eq!((listed.snapshots.len(), listed.damaged.len()), (3, 1));
        let found = target.finding(&target.world.index).expect("it is named");
        assert!(found.contains(&commit.key()), "{found}");
        target.vault.set(&repo.store().key_of(&commit), None);
    }
}

/// The whole store as it was before the last backup.
#[test]
fn a_store_rolled_back_to_an_older_state_is_noticed_by_who_wrote_the_newer_one() {
    let inner = Arc::new(InMemory::new());
    let world = World::in_store(Arc::clone(&inner) as Arc<dyn ObjectStore>);
    let source = three(&world);
    let older = Vault::of(&inner);
    std::fs::write(source.join("more"), [9; 900]).expect("it can be written");
    world.backup(&source).expect("the backup runs");
    for key in Vault::of(&inner).objects.keys().filter(|key| !older.objects.contains_key(*key)) {
        older.set(key, None);
    }
    let report = world.check_all().expect("the check runs");
    assert!(!report.is_sound(), "{report:#?}");
    assert!(report.damage.keys().any(|key| key.contains(".commit")), "{:?}", report.damage);
}
