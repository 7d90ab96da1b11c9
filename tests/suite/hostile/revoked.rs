//! Keys whose clients were revoked: whoever still has one signs as before, and nothing of it counts.

use engine::base::error::Classified;
use engine::base::id::{ChunkId, ClientId, Nonce8, PackKind, SessionId};
use engine::base::time::Timestamp;
use engine::blob::fetch::ChunkFetcher;
use engine::crypt::hash;
use engine::format::envelope::ControlKind;
use engine::format::machine::Revocation;
use engine::format::slot::Role;
use engine::format::snapshot::Snapshot;
use engine::index::belief::Doubt;
use engine::index::catalog;
use engine::index::identity::writer_identity;
use engine::index::refresh::refresh;
use engine::repo::keyring::Identity;
use engine::repo::marks::put_tomb;
use engine::repo::object::put_control;
use engine::repo::{machine as records, private, session};
use engine::store::ObjectName;
use restore_verify::evidence::event::{Act, Event};
use restore_verify::evidence::shelf::{Author, Shelf};
use system_tests::trees::content::random_bytes;
use system_tests::trees::put;
use system_tests::world::{World, silent};

use crate::hostile::claims::{admin, commit, key, latest, listed, thief, with_key};
use crate::hostile::machine::Machine;
use crate::hostile::place::{At, everywhere};
use crate::hostile::{Scene, register, session_of};

everywhere![
    a_revoked_key_is_told_so,
    what_comes_after_revocation_counts_for_nothing,
    no_number_and_no_date_leads_before_a_revocation,
    evidence_after_revocation_is_left_out,
    no_copy_of_a_revoked_client_counts,
    nobody_relies_on_packs_of_a_revoked_client,
    a_revoked_client_holds_up_no_collector,
    a_revocation_that_is_hidden_stays_in_force_where_it_was_seen,
    only_the_administrator_revokes,
    a_key_that_may_forget_forgets_nothing_after_its_revocation,
    a_fresh_machine_judges_alike,
];

fn revocation(client: ClientId) -> Revocation {
    Revocation {
        client,
        at: Timestamp::default(),
        reason: "stolen".to_owned(),
        snapshot: None,
        run: None,
        evidence: None,
    }
}

fn revoke(scene: &Scene, client: ClientId) {
    records::put_revocation(&scene.admin.repo, &revocation(client)).expect("an administrator may");
}

/// A machine whose key was stolen after it had made so many snapshots.
fn robbed(at: At, count: usize) -> (Machine, Vec<String>) {
    let machine = Machine::with(at);
    key(&machine, "web1", "--client-host web1");
    for number in 0..count {
        machine.put("source/file", format!("genuine {number}").as_bytes());
        with_key(&machine, "web1.key", "backup -q source").expect(0);
    }
    let all = listed(&machine, "");
    (machine, all.iter().map(|one| one["id"].as_str().expect("an id").to_owned()).collect())
}

fn doubts(machine: &Machine) -> Vec<(String, bool)> {
    let all = listed(machine, "");
    let one = |it: &serde_json::Value| {
        (it["id"].as_str().expect("an id").to_owned(), it["doubt"] == "revoked")
    };
    all.iter().map(one).collect()
}

fn a_revoked_key_is_told_so(at: At) {
    let (machine, genuine) = robbed(at, 2);
    let ran = machine.say("key revoke web1 --reason stolen --dry-run").expect(0);
    assert!(ran.stdout.contains("would revoke web1"), "{}", ran.stdout);
    with_key(&machine, "web1.key", "backup -q source").expect(0);
    let ran = machine.say("key revoke web1 --reason stolen").expect(0);
    assert!(ran.stdout.contains("revoked web1"), "{}", ran.stdout);
    assert!(ran.stderr.contains("access to the store"), "{}", ran.stderr);
    let ran = with_key(&machine, "web1.key", "backup source").expect(12);
    assert!(ran.stderr.contains("was revoked (stolen)"), "{}", ran.stderr);
    assert!(ran.stderr.contains("--succeeds"), "{}", ran.stderr);
    // What it made before counts, and a new key goes on with it.
    assert_eq!(listed(&machine, "--host web1").len(), 3);
    assert!(doubts(&machine).iter().all(|(_, is_late)| !is_late));
    key(&machine, "new", "--succeeds web1");
    with_key(&machine, "new.key", "backup -q source").expect(0);
    let newest = latest(&machine, "--host web1");
    assert!(!genuine.contains(&newest));
    let ran = machine.say("key clients").expect(0);
    assert!(ran.stdout.contains("revoked 20"), "{}", ran.stdout);
}

fn what_comes_after_revocation_counts_for_nothing(at: At) {
    let (machine, genuine) = robbed(at, 6);
    machine.say("key revoke -q web1").expect(0);
    let (admin, thief) = (admin(&machine), thief(&machine, "web1.key"));
    let like = admin.newest();
    for number in 6..16 {
        commit(&thief, number, &like, |it| it.started = it.finished);
    }
    assert_eq!(latest(&machine, "--host web1"), genuine[5]);
    assert_eq!(latest(&machine, ""), genuine[5]);
    let ran = machine.say("snapshots").expect(0);
    assert!(ran.stdout.contains("after revocation"), "{}", ran.stdout);
    let late = doubts(&machine);
    assert_eq!(late.iter().filter(|(_, is_late)| *is_late).count(), 10);
    machine.say("forget -q --keep-last 6").expect(0);
    let left = doubts(&machine);
    assert!(genuine.iter().all(|one| left.contains(&(one.clone(), false))), "{left:?}");
    assert_eq!(left.len(), 16, "what is late stays until somebody names it");
    machine.say("report recoverability --client Acme --format json --out report.json").expect(0);
    let report = std::fs::read_to_string(machine.path("report.json")).expect("it was written");
    for (id, _) in late.iter().filter(|(_, is_late)| *is_late) {
        assert!(!report.contains(id.as_str()), "{id} is in {report}");
    }
    assert!(report.contains(&genuine[5]));
    let ids: Vec<_> = left.iter().filter(|one| one.1).map(|(id, _)| id.as_str()).collect();
    machine.run(["forget", "-q"].iter().chain(&ids)).expect(0);
    // Bringing one back does not make it count.
    machine.run(["undelete", "-q", ids[0]]).expect(0);
    assert_eq!(latest(&machine, "--host web1"), genuine[5]);
    machine.say("prune -q --grace 0s --confirm-mass-delete 99").expect(0);
    machine.say("check --read-data -q").expect(0);
}

fn no_number_and_no_date_leads_before_a_revocation(at: At) {
    let (machine, genuine) = robbed(at, 4);
    let third = &genuine[2][..16];
    machine.run(["key", "revoke", "-q", "web1", "--last", third]).expect(0);
    let (admin, thief) = (admin(&machine), thief(&machine, "web1.key"));
    let all = admin.snapshots();
    let digests: Vec<_> = all.iter().map(|one| one.digest).collect();
    let last = all[3].snapshot.clone();
    let early = Timestamp::default();
    let mut forged: Vec<SessionId> = Vec::new();
    for number in [0, 1, 2, 3, 4, u64::MAX] {
        for previous in [None, Some(digests[1]), Some(digests[2])] {
            let before = all[2].snapshot.started;
            forged.push(commit(&thief, number, &last, |it| {
                (it.previous, it.started) = (previous, before);
            }));
            forged.push(commit(&thief, number, &last, |it| {
                (it.previous, it.started, it.finished) = (previous, early, early);
            }));
        }
    }
    let listed = doubts(&machine);
    let late: Vec<_> = listed.iter().filter(|one| one.1).map(|one| &one.0).collect();
    assert_eq!(late.len(), forged.len() + 1, "the fourth one, and all that were forged");
    assert!(late.contains(&&genuine[3]));
    for one in &forged {
        assert!(late.contains(&&one.to_snapshot_hex()));
    }
    assert_eq!(latest(&machine, "--host web1"), genuine[2]);
}

fn evidence_after_revocation_is_left_out(at: At) {
    let (machine, _) = robbed(at, 1);
    machine.say("key add -q --role verify --to-key-file prover.key --label prover").expect(0);
    with_key(&machine, "prover.key", "drill latest -q").expect(0);
    let count = || {
        let ran = machine.say("evidence list --json").expect(0);
        let all = ran.json();
        let text = all.to_string();
        (text.matches("forged by a thief").count(), all.as_array().map_or(0, Vec::len))
    };
    let before = count();
    machine.say("key revoke -q prover").expect(0);
    let ran = with_key(&machine, "prover.key", "drill latest").expect(12);
    assert!(ran.stderr.contains("was revoked"), "{}", ran.stderr);
    let thief = thief(&machine, "prover.key");
    let identity = thief.repo.keys().identity().expect("it has one").clone();
    let mut shelf = Shelf::open(&thief.repo, &thief.state()).expect("it can be read");
    let author = Author { identity: &identity, actor: "thief", host: "anywhere" };
    let event = Event::KeyUse(Act { detail: "forged by a thief".to_owned(), ..Act::default() });
    shelf.append(&author, &event).expect("the store takes it");
    let after = count();
    assert_eq!(after.0, 0, "it counts for nothing");
    assert!(after.1 > before.1, "the revocation itself is in evidence");
    let ran = machine.say("evidence list").expect(0);
    assert!(ran.stderr.contains("1 record from after the revocation"), "{}", ran.stderr);
    assert!(ran.stdout.contains("drill"), "what it proved before counts: {}", ran.stdout);
    // Whoever has a bundle and no repository is told the same.
    let made = machine.say("evidence export --to b.zip --purpose audit --json").expect(0).json();
    let key = made["fingerprint"].as_str().expect("text");
    let ran = machine.run(["evidence", "verify", "b.zip", "--key", key]).expect(0);
    assert!(ran.stdout.contains("    revoked 20"), "{}", ran.stdout);
    assert!(ran.stdout.contains("1 record from after that counts for nothing"), "{}", ran.stdout);
    for words in [
        &["evidence", "verify", "--json"][..],
        &["evidence", "verify", "b.zip", "--key", key, "--json"],
    ] {
        let verdict = machine.run(words).expect(0).json();
        assert_eq!(verdict["after_revocation"].as_array().map(Vec::len), Some(1), "{verdict}");
        assert_eq!(verdict["good"], true, "{verdict}");
    }
}

/// A genuine copy, as in the test without a revocation, and one with wrong bytes under right ids.
fn no_copy_of_a_revoked_client_counts(at: At) {
    for is_genuine in [true, false] {
        for when in ["before", "after"] {
            let scene = Scene::new(at);
            let (packs, good) = (scene.packs(), scene.pack(PackKind::Data));
            let other = scene.enrol(Role::Backup, 0, 0xff);
            let session = session_of(other.client);
            register(&scene, &other, session);
            if when == "after" {
                revoke(&scene, other.client);
            }
            let fetcher =
                ChunkFetcher::new(&scene.admin.repo, &scene.admin.index, 1 << 20).expect("made");
            let copy =
                scene.forge((&other.signing, session), 0, &good, |id, length| match is_genuine {
                    true => fetcher.chunk(id).expect("it is there"),
                    false => vec![7; length as usize],
                });
            scene.put(&ObjectName::Pack(copy.listed.pack), copy.bytes);
            scene.list(&other.signing, session, &[copy.listed]);
            session::end(&scene.admin.repo, &other, session, "done").expect("it ends");
            // A collector that has read it all before.
            refresh(&scene.admin.repo, &scene.admin.index, &silent()).expect("it refreshes");
            if when == "before" {
                revoke(&scene, other.client);
            }
            scene.prune();
            assert!(scene.packs().contains(&good.pack), "{is_genuine}, revoked {when}");
            scene.assert_kept(&packs, &format!("genuine {is_genuine}, revoked {when}"));
        }
    }
}

fn nobody_relies_on_packs_of_a_revoked_client(at: At) {
    for is_known in [true, false] {
        let scene = Scene::new(at);
        put(&scene.source.join("second"), &random_bytes(2, 200_000));
        let other = {
            let key = scene.admin.cut_key(Role::Backup, 0);
            World::with_key(&scene.place.store(), &key).expect("the key opens")
        };
        other.backup(&scene.source).expect("the backup runs");
        if is_known {
            refresh(&scene.admin.repo, &scene.admin.index, &silent()).expect("it refreshes");
        }
        revoke(&scene, other.repo.keys().identity().expect("it has one").client);
        let report = scene.admin.backup(&scene.source).expect("the backup runs");
        assert!(report.summary.data_chunks_new > 0, "known {is_known}: it stores them itself");
        scene.admin.assert_newest_is(&scene.source);
        let refused = other.backup(&scene.source).expect_err("it was revoked");
        assert_eq!(refused.class(), engine::base::error::ErrorClass::Denied, "{refused}");
    }
}

fn a_revoked_client_holds_up_no_collector(at: At) {
    let scene = Scene::new(at);
    let good = scene.pack(PackKind::Data);
    let honest = scene.enrol(Role::Backup, 0, 0xff);
    let session = session_of(honest.client);
    register(&scene, &honest, session);
    let fetcher = ChunkFetcher::new(&scene.admin.repo, &scene.admin.index, 1 << 20).expect("made");
    let genuine = |id: &_, _: u32| fetcher.chunk(id).expect("it is there");
    let copy = scene.forge((&honest.signing, session), 0, &good, genuine);
    scene.put(&ObjectName::Pack(copy.listed.pack), copy.bytes);
    scene.list(&honest.signing, session, &[copy.listed]);
    session::end(&scene.admin.repo, &honest, session, "done").expect("it ends");
    let revoked = scene.enrol(Role::Backup, 0, 0xfe);
    revoke(&scene, revoked.client);
    // One session that never ends, and a snapshot of nothing after snapshots that never were.
    register(&scene, &revoked, session_of(revoked.client));
    let nobody = SessionId::from_parts(honest.client, 77, Nonce8::new([9; 8]));
    let session = SessionId::from_parts(revoked.client, 5, Nonce8::new([5; 8]));
    let record = Snapshot {
        session,
        client: revoked.client,
        previous: Some(hash::digest(b"nothing")),
        seen: vec![nobody],
        root: ChunkId::new([9; 32]),
        ..scene.admin.newest()
    };
    let name = ObjectName::Commit(session, Nonce8::new([5; 8]));
    let sealed = private::seal(&scene.admin.repo, &name, &record).expect("it can be sealed");
    put_control(&scene.admin.repo, &name, ControlKind::Commit, &sealed, &revoked.signing)
        .expect("it can be stored");
    let report = scene.prune();
    assert_eq!(report.deleted_packs, 1, "{report:?}");
}

fn a_revocation_that_is_hidden_stays_in_force_where_it_was_seen(at: At) {
    let (machine, genuine) = robbed(at, 2);
    machine.say("key revoke -q web1").expect(0);
    machine.say("snapshots -q").expect(0);
    let mut hidden = machine.place.keys("clients/");
    hidden.retain(|key| key.contains(".revoked-"));
    assert_eq!(hidden.len(), 1);
    machine.place.delete(&hidden[0]);
    let (admin, thief) = (admin(&machine), thief(&machine, "web1.key"));
    commit(&thief, 2, &admin.newest(), |it| it.started = it.finished);
    assert_eq!(latest(&machine, "--host web1"), genuine[1]);
    // Who never saw it cannot know.
    assert!(admin.snapshots().iter().all(|one| one.doubt.is_none()));
}

fn only_the_administrator_revokes(at: At) {
    let scene = Scene::new(at);
    let victim = scene.admin.newest().client;
    let name = |byte| ObjectName::Revoked(victim, Nonce8::new([byte; 8]));
    for (byte, role) in [(1, Role::Backup), (2, Role::Maintain), (3, Role::Verify)] {
        let forger = scene.enrol(role, 0, byte);
        let record = revocation(victim);
        let kind = ControlKind::Revocation;
        put_control(&scene.admin.repo, &name(byte), kind, &record, &forger.signing)
            .expect("it can be stored");
    }
    // A right name with anything under it.
    let key = scene.admin.repo.store().key_of(&name(4));
    scene.place.write(&key, b"junk");
    let listed = catalog::snapshots(&scene.admin.repo, &scene.admin.index).expect("they list");
    assert_eq!((listed.snapshots.len(), listed.snapshots[0].doubt), (1, None));
    scene.admin.backup(&scene.source).expect("nobody has revoked it");
    let found = scene.admin.check_all().expect("the check runs");
    let named = (1..=4).filter(|byte| found.damage.contains_key(&name(*byte).key())).count();
    assert_eq!(named, 4, "{:?}", found.damage.keys());
}

fn a_key_that_may_forget_forgets_nothing_after_its_revocation(at: At) {
    let scene = Scene::new(at);
    let repo = &scene.admin.repo;
    let snapshot = scene.admin.snapshots().pop().expect("there is one");
    let target = (snapshot.snapshot.session, snapshot.digest);
    let keeper: Identity = scene.enrol(Role::Maintain, 0, 0x42);
    revoke(&scene, keeper.client);
    put_tomb(repo, &keeper, target, "spite", None).expect("the store takes it");
    let live = |world: &World| {
        let catalog = catalog::live(&world.repo, &world.index).expect("they can be listed");
        catalog.snapshots.len()
    };
    assert_eq!(live(&scene.admin), 1);
    scene.prune();
    // One that the administrator signs does.
    let own = writer_identity(repo, &scene.admin.index, "admin").expect("it is enrolled");
    put_tomb(repo, &own, target, "meant", None).expect("the store takes it");
    assert_eq!(live(&scene.admin), 0);
}

/// What a revoked client's history is in the catalog of a machine that sees it the first time.
fn a_fresh_machine_judges_alike(at: At) {
    let (machine, _) = robbed(at, 2);
    machine.say("key revoke -q web1").expect(0);
    let thief = thief(&machine, "web1.key");
    let like = admin(&machine).newest();
    commit(&thief, 2, &like, |_| {});
    let judged = |world: &World| -> Vec<Option<Doubt>> {
        world.snapshots().iter().map(|one| one.doubt).collect()
    };
    let mut found = judged(&admin(&machine));
    found.sort();
    assert_eq!(found, [None, None, Some(Doubt::Revoked)]);
}
