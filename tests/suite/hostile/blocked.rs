//! Objects under right names that cannot be read: whom they stop, and how work goes on without them.
//!
//! Each may be a genuine one that was damaged, or what somebody put there who has a key. So there are two
//! kinds of tests: what a thief puts up goes out of the way, and what was genuine takes no snapshot along.

use engine::base::error::{Classified, ErrorClass};
use engine::base::id::{GenerationId, HoldId, SegmentId};
use engine::gc::unblock::{Obstacle, Target, look, pass};
use engine::gc::{Collector, GcError};
use engine::repo::{commits, generations, marks};

use super::*;

everywhere![
    whatever_cannot_be_read_has_a_way_out_and_takes_no_snapshot_along,
    what_a_collection_deleted_whose_records_rotted_is_stored_anew,
    a_snapshot_whose_record_rotted_is_forgotten_and_comes_back_where_it_is_remembered,
    a_client_record_that_rotted_is_written_again_by_whoever_remembers_it,
    something_that_could_announce_new_keys_is_announced_in_its_place,
    the_command_says_what_is_given_up_and_waits_for_a_word,
];

const JUNK: &[u8] =
    b"it may have been a record once, and it is long enough to be one; now it is nothing";

fn options() -> GcOptions {
    GcOptions {
        grace: Duration::ZERO,
        confirm_mass_delete: Some(u64::MAX),
        max_unused: MaxUnused::Unlimited,
        host: "collector".to_owned(),
        // Whoever waits is asked to stop at once.
        max_duration: Some(Duration::ZERO),
        ..GcOptions::default()
    }
}

fn prune(world: &World) -> Result<GcReport, GcError> {
    gc::run(&world.repo, &world.index, &options(), &Recording::default())
}

fn plant(world: &World, name: &ObjectName) {
    world.repo.store().put_new(name, Bytes::from_static(JUNK)).expect("it is stored");
}

/// What lies there is junk from now on.
fn rot(scene: &Scene, name: &ObjectName) {
    let store = scene.admin.repo.store();
    store.delete(name).expect("it can be deleted");
    plant(&scene.admin, name);
}

/// A key that only reads, and may add objects.
fn thief(scene: &Scene) -> World {
    let key = scene.admin.cut_key(Role::Verify, 0);
    World::with_key(&scene.place.store(), &key).expect("the key opens")
}

fn fresh(scene: &Scene) -> World {
    scene.admin.another(&scene.place.store()).expect("the words open it")
}

/// The newest snapshot that can be used is what is in the source now.
fn assert_kept(scene: &Scene, packs: &BTreeSet<PackId>, what: &str) {
    assert!(scene.packs().is_superset(packs), "{what}: a good pack was deleted");
    let fresh = fresh(scene);
    let (catalog, _) = catalog::marked(&fresh.repo, &fresh.index).expect("they are listed");
    let newest = &catalog.snapshots.last().expect("there is one").snapshot;
    let found = fresh.differences(newest, &scene.source, &scene.source);
    assert!(found.is_empty(), "{what}: {found:#?}");
}

/// Says what the object stops, and goes on without it.
fn unblock(world: &mut World, target: Target) -> Obstacle {
    let obstacle = look(&world.repo, &world.index, target).expect("it can be told");
    pass(&mut world.repo, &world.index, &obstacle, ("admin", "test"), &Recording::default())
        .expect("there is a way out");
    obstacle
}

/// What is planted, by a name; whether it stops backups, and whether it stops collections.
fn kinds(scene: &Scene, draw: &World) -> Vec<(Vec<ObjectName>, bool, bool)> {
    let session = scene.admin.newest().session;
    let (client, random) = (session.client(), Nonce8::new([5; 8]));
    let other = SessionId::from_parts(client, 99, random);
    let generation = GenerationId::from_parts(client, random);
    let hold = |random: Nonce8| ObjectName::Hold(HoldId::new(*random.as_bytes()));
    let hold = hold(draw.repo.store().draw(hold));
    let one = |name| vec![name];
    vec![
        (one(ObjectName::Condemn(generation)), true, true),
        (one(ObjectName::Sweep(generation)), true, true),
        (vec![ObjectName::Condemn(generation), ObjectName::Sweep(generation)], true, true),
        (one(ObjectName::Void(generation)), false, false),
        (one(ObjectName::Done(generation)), false, false),
        (one(ObjectName::Close(generation, random)), false, false),
        (one(ObjectName::Closed(generation, random)), false, false),
        (one(ObjectName::Past { number: 7, random }), false, false),
        (one(ObjectName::Commit(other, random)), false, true),
        (one(ObjectName::Commit(session, random)), false, false),
        (one(ObjectName::Confirm(other)), false, false),
        (one(ObjectName::Fence(session, random)), false, false),
        (one(ObjectName::Final(session, random)), false, false),
        (one(ObjectName::Tomb(session, random)), false, false),
        (one(hold), false, true),
        (one(ObjectName::Tags(session, random)), false, false),
        (one(ObjectName::Client(ClientId::new([9; 8]))), false, false),
        (one(ObjectName::Revoked(client, random)), false, false),
        (one(ObjectName::Segment(SegmentId { session, number: 9, random })), false, false),
        (one(ObjectName::Consent(random)), false, false),
    ]
}

fn count(at: At) -> usize {
    let scene = Scene::new(at);
    kinds(&scene, &scene.admin).len()
}

fn whatever_cannot_be_read_has_a_way_out_and_takes_no_snapshot_along(at: At) {
    for number in 0..count(at) {
        let scene = Scene::new(at);
        let packs = scene.packs();
        let (names, stops_backup, stops_prune) = kinds(&scene, &scene.admin).swap_remove(number);
        let by = match names[0] {
            // Nobody else can make such a name.
            ObjectName::Hold(_) => fresh(&scene),
            _ => thief(&scene),
        };
        names.iter().for_each(|name| plant(&by, name));
        let what = names[0].key();
        let mut machine = fresh(&scene);
        let told = |error: &dyn std::fmt::Display| error.to_string();
        match machine.backup(&scene.source) {
            Ok(_) => assert!(!stops_backup, "{what} stops no backup"),
            Err(error) => {
                assert!(stops_backup && error.class() == ErrorClass::Corrupt, "{what}: {error}");
                assert!(told(&error).contains("mainstay unblock gc/"), "{error}");
            }
        }
        match prune(&machine) {
            Ok(_) => assert!(!stops_prune, "{what} stops no collection"),
            Err(error) => {
                assert!(stops_prune, "{what} stops a collection: {error}");
                let (_, id) = what.split_once('/').expect("all have a folder");
                assert!(told(&error).contains(&id[..12]), "{error}");
            }
        }
        assert_kept(&scene, &packs, &what);
        let target = match names[0] {
            ObjectName::Commit(session, _) => Target::Snapshot(session),
            name => Target::Object(name),
        };
        let obstacle = look(&machine.repo, &machine.index, target).expect("it can be told");
        match (&obstacle, names[0]) {
            (Obstacle::Nothing(_), _) => assert!(!stops_backup && !stops_prune, "{what}"),
            (Obstacle::Client { record, .. }, ObjectName::Client(_)) => assert_eq!(*record, None),
            (Obstacle::Hold(hold), _) => {
                let identity = identity::writer_identity(&machine.repo, &machine.index, "admin");
                let identity = identity.expect("an administrator is somebody");
                marks::put_release(&machine.repo, &identity, *hold, "test")
                    .expect("it is released");
            }
            _ => drop(unblock(&mut machine, target)),
        }
        for machine in [machine, fresh(&scene)] {
            put(&scene.source.join("more"), &random_bytes(number as u64 + 10, 50_000));
            let saved = machine.backup(&scene.source);
            assert!(saved.is_ok(), "{what}: {:?}", saved.err());
            let pruned = prune(&machine);
            assert!(pruned.is_ok(), "{what}: {:?}", pruned.err());
            assert_kept(&scene, &packs, &what);
        }
    }
}

/// A collection that deleted packs and ended, and whose records rotted. A machine that knows these packs
/// by a segment which came late must not rely on them.
fn what_a_collection_deleted_whose_records_rotted_is_stored_anew(at: At) {
    for is_past in [false, true] {
        let scene = Scene::new(at);
        let knowing = fresh(&scene);
        refresh(&knowing.repo, &knowing.index, &silent()).expect("it refreshes");
        let forgotten = scene.admin.newest();
        let digest = scene.admin.snapshots()[0].digest;
        let (repo, index) = (&scene.admin.repo, &scene.admin.index);
        let identity = identity::writer_identity(repo, index, "admin").expect("he is somebody");
        let one = (forgotten.session, digest);
        marks::put_tomb(repo, &identity, one, "test", None).expect("it is forgotten");
        // O1 to O10, but the segments stay, as one would that came late.
        let (options, monitor) = (options(), Recording::default());
        let collector = Collector::new(repo, index, &options, &monitor).expect("he may");
        let mut survey = collector.survey().expect("it can look");
        let condemned = survey.candidates().clone();
        let mut generation = collector.condemn(condemned, false).expect("condemned");
        assert_eq!(collector.barrier_look(&mut generation).expect("it lists"), []);
        let packs = collector.remark(&generation, &mut survey).expect("it can look");
        collector.sweep(&generation, &packs).expect("it is put up");
        assert!(collector.may_delete(&generation).expect("nobody closed it"));
        assert_eq!(collector.delete(&packs).expect("they go"), 0);
        assert_eq!(scene.packs().len(), 0, "{packs:?}");
        let id = generation.id();
        let past = ObjectName::Past { number: 7, random: Nonce8::new([5; 8]) };
        match is_past {
            false => {
                rot(&scene, &ObjectName::Condemn(id));
                rot(&scene, &ObjectName::Sweep(id));
                let stopped =
                    knowing.backup(&scene.source).expect_err("what it deletes is unknown");
                assert_eq!(stopped.class(), ErrorClass::Corrupt, "{stopped}");
                let mut other = fresh(&scene);
                let obstacle = unblock(&mut other, Target::Object(ObjectName::Condemn(id)));
                assert!(matches!(obstacle, Obstacle::Sweep { .. }), "{obstacle:?}");
            }
            true => {
                repo.store().delete(&ObjectName::Condemn(id)).expect("it is folded");
                repo.store().delete(&ObjectName::Sweep(id)).expect("it is folded");
                plant(&scene.admin, &past);
            }
        }
        let report = knowing.backup(&scene.source).expect("the backup runs");
        assert!(report.summary.data_chunks_new > 0, "{is_past}: it relies on what was deleted");
        fresh(&scene).assert_newest_is(&scene.source);
        // The next collections fold what cannot be read, and then nothing is wrong any more.
        let machine = fresh(&scene);
        for number in 0..3 {
            put(&scene.source.join("file"), &random_bytes(20 + number, 60_000));
            machine.backup(&scene.source).expect("the backup runs");
            let newest = machine.snapshots();
            let before = &newest[newest.len() - 2];
            let identity = identity::writer_identity(&machine.repo, &machine.index, "admin");
            let one = (before.snapshot.session, before.digest);
            marks::put_tomb(&machine.repo, &identity.expect("known"), one, "test", None)
                .expect("it is forgotten");
            prune(&machine).expect("it runs");
        }
        let left = generations::list(&machine.repo).expect("it lists").generations;
        assert!(!left.contains_key(&id), "what was given up stays for ever");
        machine.assert_newest_is(&scene.source);
    }
}

fn a_snapshot_whose_record_rotted_is_forgotten_and_comes_back_where_it_is_remembered(at: At) {
    let scene = Scene::new(at);
    let session = scene.admin.newest().session;
    let flags = commits::list_one(&scene.admin.repo, session).expect("it lists");
    let random = *flags.commits.keys().next().expect("it was committed");
    rot(&scene, &ObjectName::Commit(session, random));
    let mut other = fresh(&scene);
    assert_eq!(prune(&other).expect_err("what it needs is unknown").class(), ErrorClass::Corrupt);
    let obstacle = unblock(&mut other, Target::Snapshot(session));
    assert_eq!(obstacle, Obstacle::Snapshot { session, is_remembered: false });
    // Its grace begins: whoever remembers the record brings the files back.
    let careful = GcOptions { grace: Duration::from_secs(3600), ..options() };
    gc::run(&other.repo, &other.index, &careful, &Recording::default()).expect("it runs");
    let (repo, index) = (&scene.admin.repo, &scene.admin.index);
    engine::retain::undelete::undelete(repo, index, "admin", session, &Recording::default())
        .expect("it is whole");
    prune(&other).expect("it runs");
    let (catalog, _) = catalog::marked(&other.repo, &other.index).expect("they are listed");
    let again = &catalog.snapshots.last().expect("it is back").snapshot;
    assert_eq!(again.original.as_ref().map(|original| original.session), Some(session));
    assert_kept(&scene, &scene.packs(), "a snapshot that came back");
}

fn a_client_record_that_rotted_is_written_again_by_whoever_remembers_it(at: At) {
    let mut scene = Scene::new(at);
    let key = scene.admin.cut_key(Role::Backup, 0);
    let client = World::with_key(&scene.place.store(), &key).expect("the key opens");
    client.backup(&scene.source).expect("the backup runs");
    let id = client.repo.keys().identity().expect("the key file has one").client;
    // Looked at once, so that it is remembered.
    assert_eq!(scene.admin.snapshots().len(), 2);
    rot(&scene, &ObjectName::Client(id));
    let mut other = fresh(&scene);
    assert_eq!(prune(&other).expect_err("nobody knows who signed").class(), ErrorClass::Corrupt);
    let target = Target::Object(ObjectName::Client(id));
    let obstacle = look(&other.repo, &other.index, target).expect("it can be told");
    assert_eq!(obstacle, Obstacle::Client { client: id, record: None });
    let passed =
        pass(&mut other.repo, &other.index, &obstacle, ("admin", "test"), &Recording::default());
    assert!(passed.is_err(), "nobody here knows what it said");
    let mut admin = fresh(&scene);
    std::mem::swap(&mut admin.index, &mut scene.admin.index);
    let obstacle = unblock(&mut admin, target);
    assert!(matches!(obstacle, Obstacle::Client { record: Some(_), .. }), "{obstacle:?}");
    let client = World::with_key(&scene.place.store(), &key).expect("the key opens");
    client.backup(&scene.source).expect("the backup runs");
    prune(&client).expect_err("its role may not");
    prune(&admin).expect("it runs");
    assert_eq!(client.snapshots().len(), 3);
}

fn something_that_could_announce_new_keys_is_announced_in_its_place(at: At) {
    for was_genuine in [false, true] {
        let mut scene = Scene::new(at);
        let key = scene.admin.cut_key(Role::Backup, 0);
        let name = ObjectName::Epoch(1);
        if was_genuine {
            engine::repo::rotation::rotate(&mut scene.admin.repo).expect("he may");
            put(&scene.source.join("new"), &random_bytes(9, 100_000));
            scene.admin.backup(&scene.source).expect("the backup runs");
            rot(&scene, &name);
        } else {
            plant(&scene.admin, &name);
        }
        let mut admin = fresh(&scene);
        let stopped = admin.backup(&scene.source).expect_err("keys may have been changed");
        assert!(stopped.to_string().contains("mainstay unblock epochs/00000001"), "{stopped}");
        let obstacle = unblock(&mut admin, Target::Object(name));
        assert_eq!(obstacle, Obstacle::Keys(1));
        for machine in [admin, fresh(&scene)] {
            machine.backup(&scene.source).expect("the backup runs");
            prune(&machine).expect("it runs");
            machine.assert_newest_is(&scene.source);
        }
        let client = World::with_key(&scene.place.store(), &key).expect("it got the new keys");
        client.backup(&scene.source).expect("the backup runs");
        assert_eq!(client.snapshots().len(), if was_genuine { 5 } else { 4 });
    }
}

fn the_command_says_what_is_given_up_and_waits_for_a_word(at: At) {
    use crate::hostile::claims::{admin, with_key};
    use crate::hostile::machine::Machine;

    let machine = Machine::with(at);
    machine.put("source/file", b"content");
    machine.say("backup -q source --host web1").expect(0);
    machine.say("key add -q --role verify --to-key-file v.key --label reader").expect(0);
    let world = admin(&machine);
    let client = world.newest().session.client();
    let name = ObjectName::Sweep(GenerationId::from_parts(client, Nonce8::new([5; 8])));
    plant(&world, &name);
    let key = name.key();
    let stopped = machine.say("backup -q source --host web1").expect(20).stderr;
    assert!(stopped.contains(&format!("mainstay unblock {key}")), "{stopped}");
    let asked = machine.say(&format!("unblock {key}")).expect(23).stderr;
    assert!(asked.contains("no `mainstay prune` of"), "{asked}");
    assert!(asked.contains(&format!("--confirm {key}")), "{asked}");
    machine.say(&format!("unblock {key} --confirm gc/other.sweep")).expect(23);
    with_key(&machine, "v.key", &format!("unblock {key} --confirm {key}")).expect(12);
    let done =
        machine.say(&format!("unblock --json {key} --confirm {key} --reason test")).expect(0);
    assert_eq!(done.json()["way"], "given-up");
    let again = machine.say(&format!("unblock {key}")).expect(0).stdout;
    assert!(again.contains("stops nobody"), "{again}");
    machine.say("unblock nonsense").expect(2);
    machine.say("backup -q source --host web1").expect(0);
    machine.say("prune -q").expect(0);
    // A hold is released, and the error says so.
    let hold = |random: Nonce8| ObjectName::Hold(HoldId::new(*random.as_bytes()));
    let hold = hold(world.repo.store().draw(hold));
    plant(&world, &hold);
    let stopped = machine.say("prune -q").expect(23).stderr;
    assert!(stopped.contains("mainstay hold release"), "{stopped}");
    let asked = machine.say(&format!("unblock {hold}")).expect(23).stderr;
    assert!(asked.contains("mainstay hold release"), "{asked}");
    let id = hold.key().split_off("hold/".len());
    machine.say(&format!("hold release {id} --reason test")).expect(0);
    machine.say("prune -q").expect(0);
    let commit = ObjectName::Commit(
        SessionId::from_parts(client, 40, Nonce8::new([5; 8])),
        Nonce8::new([6; 8]),
    );
    plant(&world, &commit);
    let stopped = machine.say("prune -q").expect(20).stderr;
    let short = commit.key().split_once('-').expect("it has a random part").0.to_owned();
    assert!(stopped.contains(&format!("mainstay unblock {short}")), "{stopped}");
    machine.say(&format!("unblock {short} --confirm {short}")).expect(0);
    machine.say("prune -q").expect(0);
    machine.say("backup -q source --host web1").expect(0);
}
