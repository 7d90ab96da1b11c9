//! Bringing forgotten snapshots back: while nothing has happened, and while a collection is at it.

use std::time::Duration;

use engine::base::id::SessionId;
use engine::format::session::SessionKind;
use engine::format::slot::Role;
use engine::format::snapshot::Snapshot;
use engine::gc::{self, GcOptions, GcReport, MaxUnused};
use engine::index::catalog;
use engine::repo::session;
use engine::retain::RetainError;
use engine::retain::gather::gather;
use engine::retain::undelete::{UndeleteReport, undelete};
use system_tests::trees::content::random_bytes;
use system_tests::world::World;

use crate::golden;
use crate::retaining::{Office, forget, identity};

fn bring_back_report(world: &World, wanted: SessionId) -> Result<UndeleteReport, RetainError> {
    undelete(&world.repo, &world.index, "test-host", wanted, &world.monitor)
}

fn bring_back(world: &World, wanted: SessionId) -> Result<SessionId, RetainError> {
    bring_back_report(world, wanted).map(|report| report.snapshot)
}

fn prune(world: &World, grace: Duration) -> GcReport {
    let options = GcOptions {
        grace,
        max_unused: MaxUnused::Unlimited,
        confirm_mass_delete: Some(u64::MAX),
        ..GcOptions::default()
    };
    gc::run(&world.repo, &world.index, &options, &world.monitor).expect("it collects")
}

#[test]
fn a_maintainer_brings_a_forgotten_snapshot_back() {
    let office = Office::new(2);
    let (admin, ids) = (&office.admin, office.ids());
    let old = admin.snapshots()[0].snapshot.clone();
    let keeper = office.machine(Role::Maintain);
    forget(&keeper, ids[0]);
    let live = catalog::live(&admin.repo, &admin.index).expect("snapshots can be listed");
    assert_eq!((live.snapshots.len(), live.forgotten.len()), (1, 1));
    // It restores as long as its packs are there.
    let restored = |snapshot| {
        let target = tempfile::tempdir_in(admin.out.path()).expect("a folder can be made");
        admin.restore(snapshot, &office.source, target.path()).expect("the restore runs");
        std::fs::read(target.path().join("file")).expect("the file is there")
    };
    assert_eq!(restored(&old), random_bytes(0, 3000));

    let back = bring_back(&keeper, ids[0].0).expect("it is whole");
    let live = catalog::live(&admin.repo, &admin.index).expect("snapshots can be listed");
    let new = live.snapshots.iter().find(|one| one.snapshot.session == back).expect("it is there");
    let new = &new.snapshot;
    assert_eq!(
        (&new.host, &new.paths, new.started, new.finished, new.root),
        (&old.host, &old.paths, old.started, old.finished, old.root)
    );
    assert_eq!(new.original.map(|original| original.session), Some(ids[0].0));
    assert_eq!(restored(new), random_bytes(0, 3000));
    assert_eq!(bring_back(&keeper, ids[0].0).expect("it is there"), back);
    admin.assert_sound();
    // Retention takes it for what it was: the first of the client that made it.
    let gathered = gather(&admin.repo, &admin.index).expect("it can be gathered");
    let candidate = gathered.candidates.iter().find(|one| one.session == back).expect("live");
    assert_eq!((candidate.client, candidate.sequence), (ids[0].0.client(), 0));
    assert_eq!(candidate.store_time, old.started);
}

#[test]
fn what_is_not_whole_does_not_come_back_and_leaves_no_open_session() {
    let office = Office::new(2);
    let (admin, ids) = (&office.admin, office.ids());
    assert!(matches!(bring_back(admin, ids[0].0), Err(RetainError::NotWhole { .. })));
    forget(admin, ids[0]);
    let packs = admin.repo.store().list("data/").expect("packs can be listed");
    let own = |key: &String| key.contains(&ids[0].0.to_string());
    let pack = packs.iter().map(|pack| pack.key.clone()).find(own).expect("it has a pack");
    office.hide(&engine::store::code::spelled(&pack).expect("it is a pack"));
    let error = bring_back(admin, ids[0].0).expect_err("a pack is gone");
    assert!(error.to_string().contains("a part of /"), "{error}");
    assert_eq!(admin.index.open_runs().expect("runs can be listed"), []);
    let sessions = admin.repo.store().list("sess/").expect("sessions can be listed");
    let finals = admin.repo.store().list("snap/").expect("flags can be listed");
    let finals = finals.iter().filter(|flag| flag.key.contains(".final-"));
    assert_eq!(finals.count(), sessions.len() - 2, "nobody has to wait for the others");
}

#[test]
fn what_a_collection_has_announced_comes_back_as_a_copy() {
    let office = Office::new(3);
    let (admin, ids) = (&office.admin, office.ids());
    forget(admin, ids[0]);
    let announced = prune(admin, GcOptions::default().grace);
    assert!(announced.announced_packs > 0 && announced.deleted_packs == 0, "{announced:#?}");
    // Who cannot read content cannot copy it, and leaves nothing that others wait for.
    let keeper = office.machine(Role::Maintain);
    let error = bring_back(&keeper, ids[0].0).expect_err("it cannot copy");
    assert!(error.to_string().contains("a key of role admin"), "{error}");
    assert_eq!(keeper.index.open_runs().expect("runs can be listed"), []);

    let other = office.machine(Role::Admin);
    let report = bring_back_report(&other, ids[0].0).expect("its packs are there");
    assert!(!report.was_there && report.copied_bytes > 3000, "{report:?}");
    let deleted = prune(admin, Duration::ZERO);
    assert_eq!(deleted.deleted_packs, announced.announced_packs, "{deleted:#?}");
    for machine in [admin, &office.machine(Role::Admin)] {
        let live = catalog::live(&machine.repo, &machine.index).expect("they can be listed");
        assert_eq!(live.snapshots.len(), 3);
        let back = live.snapshots.iter().find(|one| one.snapshot.session == report.snapshot);
        let back = &back.expect("it is there").snapshot;
        let target = tempfile::tempdir_in(admin.out.path()).expect("a folder can be made");
        machine.restore(back, &office.source, target.path()).expect("the restore runs");
        let restored = std::fs::read(target.path().join("file")).expect("the file is there");
        assert_eq!(restored, random_bytes(0, 3000));
        machine.assert_sound();
    }
    let again = prune(admin, Duration::ZERO);
    assert_eq!((again.deleted_packs, again.unneeded_packs), (0, 0), "{again:#?}");
}

#[test]
fn what_turns_out_damaged_while_it_is_copied_does_not_come_back() {
    let office = Office::new(2);
    let (admin, ids) = (&office.admin, office.ids());
    forget(admin, ids[0]);
    assert!(prune(admin, GcOptions::default().grace).announced_packs > 0);
    let packs = admin.repo.store().list("data/").expect("packs can be listed");
    let own = |key: &String| key.contains(&ids[0].0.to_string());
    let pack = packs.iter().map(|pack| pack.key.clone()).find(own).expect("it has a pack");
    // Half of it: listed, and damaged where it is read.
    let name = engine::store::code::spelled(&pack).expect("it is a pack");
    let bytes = office.hide(&name);
    office.replace(&name, bytes.slice(..bytes.len() / 2));
    let error = bring_back(admin, ids[0].0).expect_err("a pack is no more what it was");
    assert!(matches!(error, RetainError::NotWhole { .. }), "{error}");
    assert_eq!(admin.index.open_runs().expect("runs can be listed"), []);
    let live = catalog::live(&admin.repo, &admin.index).expect("snapshots can be listed");
    assert_eq!((live.snapshots.len(), live.forgotten.len()), (1, 1));
    admin.assert_newest_is(&office.source);
}

#[test]
fn what_a_record_tells_beside_its_tree_comes_back_with_it() {
    let office = Office::new(1);
    let (admin, writer) = (&office.admin, identity(&office.admin));
    let old = admin.newest();
    let session = session::new_id(&writer, old.session.sequence() + 1);
    session::register(&admin.repo, &writer, session, SessionKind::Backup, "test-host")
        .expect("it can be registered");
    let Snapshot { facts, details, .. } = golden::snapshots::snapshot();
    let told = Snapshot { session, client: writer.client, facts, details, ..old };
    session::commit(&admin.repo, &writer, &told).expect("it can be committed");
    let ids = office.ids();
    forget(admin, *ids.iter().find(|(id, _)| *id == session).expect("it is listed"));
    let back = bring_back(admin, session).expect("it is whole");
    let all = admin.snapshots();
    let new = &all.iter().find(|one| one.snapshot.session == back).expect("it is there").snapshot;
    assert!(!told.facts.is_empty() && !told.details.is_empty());
    assert_eq!((&new.facts, &new.details), (&told.facts, &told.details));
}
